//! What the store promises: one finding for one fact, closed only by a complete scan, nothing twice.

use std::sync::Arc;
use std::time::Duration;

use aiva_contracts::api::{
    AcceptFinding, DocumentInput, ExceptionState, Finding, FindingState, Guard, InputStatus, Level, Scan, ScanState,
    ServiceState,
};
use aiva_contracts::bounds::Check;
use aiva_contracts::message::scan::v1::ScanCompleted;
use aiva_findings::observation::Observation;
use aiva_findings::ports::{After, FindingFilter};
use aiva_findings::ports::{Attempt, Refusal};
use aiva_store::TxError;
use jiff::civil::date;

use crate::on_both_engines;
use crate::world::{World, seen, service, until};

on_both_engines!(
    a_finding_opens_is_fixed_and_comes_back_as_itself,
    nothing_is_closed_where_nobody_looked,
    chunks_are_applied_once_and_none_may_be_missing,
    a_newer_scan_supersedes_the_older_and_its_late_chunks,
    an_acceptance_holds_until_its_day_and_covers_what_comes_back,
    the_same_key_does_the_work_once,
    what_the_file_defines_is_read_only,
    pages_show_every_finding_once_in_every_order,
    the_trend_carries_what_did_not_change,
);

pub(crate) const LOCK: &str = "services/pay/Cargo.lock";

fn input(path: &str, status: InputStatus) -> DocumentInput {
    DocumentInput {
        path: path.into(),
        kind: "Cargo.lock".into(),
        status,
        packages: 1,
        not_judged: vec![],
        can_resolve: vec![],
        problems: vec![],
    }
}

impl World {
    /// A whole scan.
    pub(crate) async fn scan(&self, paths: &[&str], found: Vec<Observation>, inputs: &[(&str, InputStatus)]) -> Scan {
        let scan = self.request(paths).await;
        let inputs = inputs.iter().map(|(path, status)| input(path, *status)).collect();
        self.store.observe(self.now(), scan.id, 0, found).await.unwrap();
        self.store.observe_inputs(self.now(), scan.id, 0, inputs).await.unwrap();
        self.store.complete_scan(self.now(), scan.id, ended(1, 1)).await.unwrap();
        self.store.scan(scan.id).await.unwrap()
    }

    pub(crate) async fn all(&self) -> Vec<Finding> {
        self.store.findings(FindingFilter::default(), None, 500).await.unwrap().0
    }
}

fn ended(finding_chunks: u32, input_chunks: u32) -> ScanCompleted {
    ScanCompleted { finding_chunks, input_chunks, packages: 9, ..ScanCompleted::default() }
}

fn accept(expires: jiff::civil::Date) -> AcceptFinding {
    AcceptFinding { owner: "ana@example.com".into(), reason: "not reachable".into(), expires }
}

async fn a_finding_opens_is_fixed_and_comes_back_as_itself(world: World) {
    let parsed = [(LOCK, InputStatus::Parsed)];
    let scan = world.scan(&[], vec![seen(LOCK, "time", &["RUSTSEC-1"])], &parsed).await;
    assert_eq!((scan.state, scan.complete), (ScanState::Completed, true));
    assert_eq!(world.told().await, ["ScanRequested", "FindingOpened"]);
    let first = world.all().await.remove(0);

    // A newer version, a CVE in front, another line: the same finding, no news.
    let mut again = seen(LOCK, "time", &["CVE-1", "RUSTSEC-1"]);
    again.version = "1.0.1".into();
    again.line = 9;
    world.scan(&[], vec![again], &parsed).await;
    assert_eq!(world.told().await, ["ScanRequested"]);
    let now = world.all().await.remove(0);
    assert_eq!((now.fingerprint.as_str(), now.id.as_str(), now.line), (first.fingerprint.as_str(), "CVE-1", 9));

    // And when the database drops the first name, the alias still knows it.
    world.scan(&[], vec![seen(LOCK, "time", &["CVE-1"])], &parsed).await;
    assert_eq!(world.all().await.len(), 1);
    world.told().await;

    world.scan(&[], vec![], &parsed).await;
    assert_eq!(world.told().await, ["ScanRequested", "FindingFixed"]);
    world.scan(&[], vec![seen(LOCK, "time", &["CVE-1"])], &parsed).await;
    assert_eq!(world.told().await, ["ScanRequested", "FindingReopened"]);
    let detail = world.store.finding(first.fingerprint.parse().unwrap()).await.unwrap();
    let states: Vec<FindingState> = detail.history.iter().map(|entry| entry.to).collect();
    assert_eq!(states, [FindingState::Open, FindingState::Fixed, FindingState::Reopened]);
    assert_eq!(detail.violations(), []);
}

async fn nothing_is_closed_where_nobody_looked(world: World) {
    let both = vec![seen("services/pay/a/Cargo.lock", "a", &["X-1"]), seen("services/pay/b/Cargo.lock", "b", &["X-2"])];
    let open = async |world: &World| {
        let filter = FindingFilter { states: vec![FindingState::Open], ..FindingFilter::default() };
        world.store.findings(filter, None, 10).await.unwrap().1
    };
    world.scan(&[], both, &[]).await;
    // An unfinished and a failed scan close nothing.
    let scan = world.request(&[]).await;
    world.store.observe(world.now(), scan.id, 0, vec![]).await.unwrap();
    assert_eq!(open(&world).await, 2);
    let failure = aiva_contracts::api::ScanFailure { code: "internal".into(), message: "broke".into() };
    world.store.fail_scan(world.now(), scan.id, failure).await.unwrap();
    assert_eq!(open(&world).await, 2);
    // Neither does one that could not read the file, or looked elsewhere.
    world
        .scan(
            &[],
            vec![seen("services/pay/b/Cargo.lock", "b", &["X-2"])],
            &[("services/pay/a/Cargo.lock", InputStatus::Failed)],
        )
        .await;
    assert_eq!(open(&world).await, 2);
    world.scan(&["services/pay/b"], vec![seen("services/pay/b/Cargo.lock", "b", &["X-2"])], &[]).await;
    assert_eq!(open(&world).await, 2);
    world.scan(&["services/pay/a"], vec![], &[]).await;
    assert_eq!(open(&world).await, 1);
}

async fn chunks_are_applied_once_and_none_may_be_missing(world: World) {
    let scan = world.request(&[]).await;
    world.told().await;
    for _ in 0..3 {
        world.store.observe(world.now(), scan.id, 0, vec![seen(LOCK, "time", &["X-1"])]).await.unwrap();
    }
    assert_eq!(world.told().await, ["FindingOpened"]);
    let refused = world.store.complete_scan(world.now(), scan.id, ended(2, 0)).await;
    assert!(matches!(refused, Err(TxError::Refused(Refusal::Missing))));
    assert_eq!(world.store.scan(scan.id).await.unwrap().state, ScanState::Requested);
    world.store.observe(world.now(), scan.id, 1, vec![]).await.unwrap();
    world.store.complete_scan(world.now(), scan.id, ended(2, 0)).await.unwrap();
    world.store.complete_scan(world.now(), scan.id, ended(2, 0)).await.unwrap(); // delivered twice
    let scan = world.store.scan(scan.id).await.unwrap();
    assert_eq!(scan.changes.unwrap().opened, 1);
}

async fn a_newer_scan_supersedes_the_older_and_its_late_chunks(world: World) {
    let old = world.request(&[]).await;
    let new = world.request(&[]).await;
    world.store.observe(world.now(), old.id, 0, vec![seen(LOCK, "late", &["X-1"])]).await.unwrap();
    assert_eq!(world.store.scan(old.id).await.unwrap().state, ScanState::Superseded);
    assert_eq!(world.store.scan(new.id).await.unwrap().state, ScanState::Requested);
    assert_eq!(world.all().await, []);
}

async fn an_acceptance_holds_until_its_day_and_covers_what_comes_back(world: World) {
    let found = || vec![seen(LOCK, "time", &["CVE-1", "RUSTSEC-1"])];
    world.scan(&[], found(), &[]).await;
    let fingerprint = world.all().await[0].fingerprint.parse().unwrap();
    world.told().await;
    let any = || Arc::new(|_| true);
    let too_long = world.store.accept(world.now(), fingerprint, accept(date(2029, 1, 1)), any(), None).await;
    assert!(matches!(too_long, Err(TxError::Refused(Refusal::Invalid(_)))));
    let stale =
        world.store.accept(world.now(), fingerprint, accept(date(2026, 11, 23)), Arc::new(|_| false), None).await;
    assert!(matches!(stale, Err(TxError::Refused(Refusal::Stale))));
    assert_eq!(world.told().await, [""; 0]);

    let detail = world.store.accept(world.now(), fingerprint, accept(date(2026, 11, 23)), any(), None).await.unwrap();
    assert_eq!(until(&detail.finding.acceptance.unwrap()), "2026-11-23");
    assert_eq!(world.told().await, ["FindingAccepted"]);
    world.scan(&[], found(), &[]).await; // seen again: nothing new
    world.scan(&[], vec![], &[]).await;
    world.scan(&[], found(), &[]).await; // gone and back: still covered
    assert_eq!(world.all().await[0].state, FindingState::Accepted);
    world.told().await;

    world.clock.advance(Duration::from_secs(2 * 86_400));
    assert_eq!(world.store.rejudge(world.now()).await.unwrap(), 0); // its last day
    world.clock.advance(Duration::from_secs(86_400));
    assert_eq!(world.store.rejudge(world.now()).await.unwrap(), 1);
    assert_eq!(world.told().await, ["AcceptanceExpired"]);
    let exceptions = world.store.exceptions(world.now()).await.unwrap();
    assert_eq!(exceptions[0].state, ExceptionState::Expired);

    world.store.accept(world.now(), fingerprint, accept(date(2027, 1, 1)), any(), None).await.unwrap();
    let detail = world.store.reopen(world.now(), fingerprint, any()).await.unwrap();
    assert_eq!(detail.finding.state, FindingState::Open);
    let nothing = world.store.reopen(world.now(), fingerprint, any()).await;
    assert!(matches!(nothing, Err(TxError::Refused(Refusal::NotNow(_)))));
}

async fn the_same_key_does_the_work_once(world: World) {
    let attempt = |request: u8| Some(Attempt { key: "ana/k".into(), request: [request; 32] });
    let first = world.store.create_service(world.now(), service("shop"), attempt(1)).await.unwrap();
    let again = world.store.create_service(world.now(), service("shop"), attempt(1)).await.unwrap();
    assert_eq!(first, again);
    let other = world.store.create_service(world.now(), service("mail"), attempt(2)).await;
    assert!(matches!(other, Err(TxError::Refused(Refusal::KeyReused))));
    let taken = world.store.create_service(world.now(), service("shop"), None).await;
    assert!(matches!(taken, Err(TxError::Refused(Refusal::Exists(_)))));
    assert_eq!(world.told().await, ["ServiceChanged"]);
}

async fn what_the_file_defines_is_read_only(world: World) {
    world.store.define(world.now(), vec![service("shop")]).await.unwrap();
    let refused = world.store.delete_service(world.now(), "shop".into(), Arc::new(|_| true)).await;
    assert!(matches!(refused, Err(TxError::Refused(Refusal::ReadOnly(_)))));
    world.store.define(world.now(), vec![service("shop")]).await.unwrap();
    assert_eq!(world.store.service("shop".into()).await.unwrap().version, 1); // nothing changed
    world.store.define(world.now(), vec![]).await.unwrap();
    world.store.delete_service(world.now(), "shop".into(), Arc::new(|_| true)).await.unwrap();
}

async fn pages_show_every_finding_once_in_every_order(world: World) {
    let found: Vec<Observation> = (0..23)
        .map(|n| {
            let mut seen = seen(LOCK, &format!("p{}", n % 5), &[&format!("X-{n}")]);
            seen.severity.level = Level::ALL[n % 6];
            seen
        })
        .collect();
    world.scan(&[], found, &[]).await;
    for order in aiva_contracts::api::FindingOrder::ALL {
        let filter = FindingFilter { order: Some(*order), ..FindingFilter::default() };
        let (mut fingerprints, mut after) = (Vec::new(), None);
        loop {
            let (page, total) = world.store.findings(filter.clone(), after.clone(), 5).await.unwrap();
            assert_eq!(total, 23);
            let Some(last) = page.last() else { break };
            after = Some(After::new(last, Some(*order)));
            fingerprints.extend(page.into_iter().map(|finding| finding.fingerprint));
        }
        let count = fingerprints.len();
        fingerprints.sort();
        fingerprints.dedup();
        assert_eq!((count, fingerprints.len()), (23, 23), "{order}");
    }
    let count = async |filter| world.store.findings(filter, None, 1).await.unwrap().1;
    assert_eq!(count(FindingFilter { text: Some("X-22".into()), ..FindingFilter::default() }).await, 1);
    assert_eq!(count(FindingFilter { text: Some("%".into()), ..FindingFilter::default() }).await, 0); // no wildcard
    assert_eq!(count(FindingFilter { advisory: Some("X-2".into()), ..FindingFilter::default() }).await, 1);
    assert_eq!(count(FindingFilter { package: Some("p0".into()), ..FindingFilter::default() }).await, 5);
    let levels = vec![Level::Critical, Level::High];
    assert_eq!(count(FindingFilter { levels, ..FindingFilter::default() }).await, 8);
}

async fn the_trend_carries_what_did_not_change(world: World) {
    world.scan(&[], vec![seen(LOCK, "time", &["X-1"])], &[]).await;
    world.clock.advance(Duration::from_secs(2 * 86_400));
    world.scan(&[], vec![], &[]).await;
    let points = world.store.trend(world.now(), Some("pay".into()), None, 4).await.unwrap();
    let high: Vec<u64> = points.iter().map(|point| point.counts.high).collect();
    assert_eq!(high, [0, 1, 1, 0]);
    assert_eq!(world.store.service("pay".into()).await.unwrap().state, ServiceState::Clean);
    assert_eq!(world.store.due(world.now(), Guard::Sca).await.unwrap(), [""; 0]);
    world.clock.advance(Duration::from_secs(86_400));
    assert_eq!(world.store.due(world.now(), Guard::Sca).await.unwrap(), ["pay"]);
}
