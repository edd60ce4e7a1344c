//! What an upload lists is judged again as what the server read, and the last scan of a service is the one that is: whatever the
//! order in which its parts, and those of others, come. The same on both engines.

use std::sync::Arc;
use std::time::Duration;

use aiva_chassis::health::{Health, Impact};
use aiva_chassis::shutdown::{Shutdown, Stage};
use aiva_contracts::envelope::{Envelope, EventMessage};
use aiva_contracts::message::sca::v1::ContentsKept;
use aiva_contracts::message::scan::v1::{
    ContentsUploaded, FindingKind, InputStatus, InputsObserved, LeftOut, ListedEntry, ListedFile, ListedPackage,
    ObservedFinding, PackageSource, RuledOut, ScanFailed, ScanRequested,
};
use aiva_events::Context;
use aiva_events::consume::{HandleError, Handler as _};
use aiva_sca::snapshot::Snapshot;
use aiva_sca::workers::{Keeper, Updates};
use proptest::prelude::*;
use uuid::Uuid;

use crate::watch::{World, found, of_kind, request, write};

fn event<M: EventMessage>(message: &M, subject: &str) -> Envelope {
    Envelope {
        id: Uuid::now_v7(),
        kind: M::TYPE.to_owned(),
        source: "test".to_owned(),
        subject: subject.to_owned(),
        time_unix_micros: 0,
        correlation_id: "c".to_owned(),
        causation_id: None,
        schema_id: 0,
        traceparent: String::new(),
        data: message.encode_to_vec(),
    }
}

fn listed(name: &str, version: &str) -> ListedPackage {
    let (ecosystem, line) = ("npm".to_owned(), 3);
    ListedPackage { ecosystem, name: name.to_owned(), version: version.to_owned(), line, ..Default::default() }
}

fn file(packages: Vec<ListedPackage>, entries: Vec<ListedEntry>) -> ListedFile {
    let (path, kind) = ("package-lock.json".to_owned(), "package-lock.json".to_owned());
    let mut file = ListedFile { path, kind, packages, entries, ..Default::default() };
    file.set_status(InputStatus::Parsed);
    file
}

/// The parts of an upload of `pay`.
fn upload(scan: Uuid, parts: Vec<ContentsUploaded>) -> Vec<Envelope> {
    let chunks = u32::try_from(parts.len()).unwrap();
    let head = |(chunk, part)| ContentsUploaded {
        scan_id: scan.to_string(),
        guard: "sca".to_owned(),
        service: "pay".to_owned(),
        chunk,
        chunks,
        knowledge_unix_micros: i64::MAX,
        ..part
    };
    (0..).zip(parts).map(head).map(|part| event(&part, &format!("scan/{scan}"))).collect()
}

fn files(files: Vec<ListedFile>) -> ContentsUploaded {
    ContentsUploaded { files, ..Default::default() }
}

impl World {
    async fn deliver(&self, events: &[Envelope]) {
        for event in events {
            self.uploads.handle(event).await.unwrap();
        }
    }

    /// Which scan is kept, and whether it can be judged again.
    async fn kept(&self) -> Option<(String, bool)> {
        let held = self.journal.kept("pay").await.unwrap()?;
        Some((held.scan, held.kept.is_some()))
    }

    /// What advisories that changed make of `pay`, of which `last` is the last upload.
    async fn judge_again(&self, last: Uuid) -> Vec<Envelope> {
        let asked = ScanRequested { upload_id: last.to_string(), ..request("advisories") };
        let asked = self.ask(asked).await;
        self.scanner.handle(&asked).await.unwrap();
        self.events().await
    }
}

async fn promises(world: World) {
    let lock = "{\"lockfileVersion\":3,\"packages\":{\"node_modules/left\":{\"version\":\"1.0.0\",\"integrity\":\"sha512-AA==\"}}}\n";
    write(world.folder.path(), "code/package-lock.json", lock);
    world.advise(&[("X-1", "9.9.9")]);
    world.scan("ana").await;

    // CI has a newer left, and more.
    let last = Uuid::now_v7();
    let entry = ListedEntry {
        ecosystem: "npm".to_owned(),
        name: "open".to_owned(),
        requirement: "^2.0.0".to_owned(),
        is_range: true,
        ..Default::default()
    };
    let mut private = listed("private", "1.0.0");
    private.set_source(PackageSource::PrivateRegistry);
    let mut fact =
        ObservedFinding { id: "license-denied".to_owned(), path: "package-lock.json".to_owned(), ..Default::default() };
    fact.set_kind(FindingKind::License);
    let ruled_out = RuledOut { purl: "pkg:npm/right@1.0.0".to_owned(), names: vec!["R-1".to_owned()] };
    let parts = upload(
        last,
        vec![
            files(vec![file(vec![listed("left", "2.0.0"), private], vec![])]),
            ContentsUploaded {
                facts: vec![fact],
                left_out: Some(LeftOut { ruled_out: vec![ruled_out], ..Default::default() }),
                ..files(vec![file(vec![listed("right", "1.0.0")], vec![entry])])
            },
        ],
    );
    world.forget().await;
    world.deliver(&[parts[1].clone(), parts[1].clone()]).await;
    let again = || ScanRequested { upload_id: last.to_string(), ..request("advisories") };
    let early = world.ask(again()).await;
    world.tell(&parts[0]).await;
    let said = world.scanner.handle(&early).await;
    assert!(matches!(said, Err(HandleError::Transient(_))), "the older scan is not judged: {said:?}");
    // Where the rest will not come, somebody is told, and nothing is judged either.
    for stuck in [true, false] {
        let late = world.ask(again()).await;
        if stuck {
            world.tell(&parts[0]).await;
            world.bury(&format!("scan/{last}")).await;
        }
        world.scanner.handle(&late).await.unwrap();
        let events = world.events().await;
        let failed: Vec<ScanFailed> = of_kind(&events);
        assert_eq!((&*failed[0].code, found(&events).len()), ("contents_missing", 0), "{stuck}");
        assert!(failed[0].message.contains(&last.to_string()) && failed[0].message.contains("again"), "{failed:?}");
        world.redrive().await;
    }
    world.forget().await;
    world.deliver(&parts).await;
    assert_eq!(world.kept().await, Some((last.to_string(), true)));
    let told: Vec<ContentsKept> = of_kind(&world.events().await);
    assert_eq!(told.iter().map(|kept| kept.is_outdated).collect::<Vec<_>>(), [false], "once");

    // What the server read before is judged no more.
    world.amend("X-2", "left", "1.0.0");
    assert_eq!(world.journal.unaffected(&world.index(), None).await.unwrap(), ["pay"]);
    assert_eq!(found(&world.judge_again(last).await), ["license-denied"], "what no advisory tells holds still");
    // What was uploaded is, by the same index.
    world.amend("X-3", "left", "2.0.0");
    assert_eq!(world.journal.unaffected(&world.index(), None).await.unwrap(), [""; 0]);
    assert_eq!(found(&world.judge_again(last).await), ["X-3", "license-denied"]);
    assert_eq!(world.journal.unaffected(&world.index(), None).await.unwrap(), ["pay"], "what was told is known");
    // So are ranges, and neither what is ruled out nor what is no public package.
    world.amend("X-4", "open", "2.1.0");
    assert_eq!(world.journal.unaffected(&world.index(), None).await.unwrap(), [""; 0]);
    world.amend("R-1", "right", "1.0.0");
    world.amend("P-1", "private", "1.0.0");
    let again = world.judge_again(last).await;
    assert_eq!(found(&again), ["X-3", "license-denied"]);
    let inputs: Vec<InputsObserved> = of_kind(&again);
    assert_eq!(inputs[0].inputs[0].can_resolve.iter().map(|one| &*one.name).collect::<Vec<_>>(), ["open"]);
    assert_eq!(inputs[0].inputs[0].not_judged.iter().map(|one| &*one.name).collect::<Vec<_>>(), ["private"]);
    world.amend("R-2", "right", "1.0.0");
    assert_eq!(found(&world.judge_again(last).await), ["X-3", "R-2", "license-denied"], "only that one is ruled out");

    // A later scan of the server takes its place, whatever comes again.
    assert_eq!(found(&world.scan("ana").await), ["X-2"]);
    let own = world.kept().await;
    world.deliver(&parts).await;
    assert_eq!(world.kept().await, own);

    // And an upload that does not say what it saw takes the place of that: nobody judges what is older.
    let blind = Uuid::now_v7();
    world.deliver(&[event(&ContentsUploaded { chunks: 0, ..head(blind) }, "s")]).await;
    assert_eq!(world.kept().await, Some((blind.to_string(), false)));
    world.amend("X-5", "left", "1.0.0");
    assert_eq!(world.journal.unaffected(&world.index(), None).await.unwrap(), ["pay"], "nothing of it is known");

    // To look nowhere is no clean scan.
    let nowhere = world.ask(ScanRequested { sources: vec![], ..request("ana") }).await;
    world.scanner.handle(&nowhere).await.unwrap();
    let failed: Vec<ScanFailed> = of_kind(&world.events().await);
    assert_eq!(failed[0].code, "target_missing");
}

fn head(scan: Uuid) -> ContentsUploaded {
    ContentsUploaded {
        scan_id: scan.to_string(),
        guard: "sca".to_owned(),
        service: "pay".to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn what_was_uploaded_is_judged_again_on_sqlite() {
    promises(World::sqlite().await).await;
}

#[tokio::test]
async fn what_was_uploaded_is_judged_again_on_postgres() {
    let Some(world) = World::postgres().await else { return };
    promises(world).await;
}

/// An upload that was made at a time.
fn made(at: &str) -> Uuid {
    let at: jiff::Timestamp = at.parse().unwrap();
    Uuid::new_v7(uuid::Timestamp::from_unix(
        uuid::NoContext,
        at.as_second().unsigned_abs(),
        at.subsec_nanosecond().unsigned_abs(),
    ))
}

async fn sweeps(world: World) {
    let part = || files(vec![file(vec![listed("left", "1.0.0")], vec![])]);
    let (old, young) = (made("2026-11-20T11:59:59.999Z"), made("2026-11-20T12:00:00Z"));
    for scan in [old, young] {
        world.deliver(&upload(scan, vec![part(), part()])[..1]).await;
    }
    let a_day_ago = "2026-11-20T12:00:00Z".parse().unwrap();
    assert_eq!(world.journal.forget_parts(a_day_ago).await.unwrap(), 1);
    assert_eq!(world.journal.forget_parts(a_day_ago).await.unwrap(), 0);
    // The younger one becomes whole all the same; of the older one a part alone is nothing.
    world.deliver(&upload(old, vec![part(), part()])[1..]).await;
    assert_eq!(world.kept().await, None);
    world.deliver(&upload(young, vec![part(), part()])[1..]).await;
    assert_eq!(world.kept().await, Some((young.to_string(), true)));
}

#[tokio::test]
async fn parts_of_old_uploads_are_removed_on_sqlite() {
    sweeps(World::sqlite().await).await;
}

#[tokio::test]
async fn parts_of_old_uploads_are_removed_on_postgres() {
    let Some(world) = World::postgres().await else { return };
    sweeps(world).await;
}

#[tokio::test]
async fn a_server_removes_them_after_an_hour() {
    let world = World::sqlite().await;
    let part = || files(vec![file(vec![listed("left", "1.0.0")], vec![])]);
    let (old, young) = (made("2026-11-20T11:00:00Z"), made("2026-11-21T11:00:00Z"));
    for scan in [old, young] {
        world.deliver(&upload(scan, vec![part(), part()])[..1]).await;
    }
    let shutdown = Shutdown::new();
    let keeper = Keeper {
        service: Arc::clone(&world.service),
        journal: world.journal.clone(),
        updates: Updates::default(),
        every: None,
        origin: String::new(),
        clock: world.clock.shared(),
        check: Health::default().check("advisories", Impact::Degrades),
    };
    tokio::time::pause();
    tokio::select! {
        ended = keeper.run(shutdown.stop(Stage::Work)) => ended.unwrap(),
        () = tokio::time::sleep(Duration::from_secs(3500)) => {}
    }
    let parts = async |scan: Uuid| world.journal.parts("pay", &scan.to_string()).await.unwrap().len();
    assert_eq!((parts(old).await, parts(young).await), (1, 1), "what a start delivers again has its time");
    tokio::select! {
        ended = keeper.run(shutdown.stop(Stage::Work)) => ended.unwrap(),
        () = async {
            while parts(old).await > 0 {
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
        } => {}
    }
    assert_eq!(parts(young).await, 1);
}

#[tokio::test]
async fn an_upload_by_older_advisories_asks_to_be_judged_at_once() {
    let world = World::sqlite().await;
    world.advise(&[("X-1", "9.9.9")]);
    let scan = Uuid::now_v7();
    let part = ContentsUploaded { chunks: 1, knowledge_unix_micros: 1, ..head(scan) };
    world.deliver(&[event(&part, "s")]).await;
    let told: Vec<ContentsKept> = of_kind(&world.events().await);
    assert_eq!(
        told.iter().map(|kept| (&*kept.scan_id, kept.is_outdated)).collect::<Vec<_>>(),
        [(&*scan.to_string(), true)]
    );
}

#[tokio::test]
async fn what_is_no_part_is_kept_for_a_person_to_see() {
    let world = World::sqlite().await;
    for bad in [
        ContentsUploaded { chunk: 2, chunks: 2, ..head(Uuid::now_v7()) },
        ContentsUploaded { scan_id: "zzz".to_owned(), chunks: 1, ..head(Uuid::nil()) },
        ContentsUploaded { scan_id: Uuid::now_v7().to_string().to_uppercase(), chunks: 1, ..head(Uuid::nil()) },
    ] {
        let said = world.uploads.handle(&event(&bad, "s")).await;
        assert!(matches!(said, Err(HandleError::Permanent(_))), "{bad:?}");
    }
}

/// Something that arrives: a part of an upload, or the end of a scan of the server.
#[derive(Debug, Clone, Copy)]
enum Arrives {
    Part { upload: usize, chunk: usize },
    Own(usize),
}

/// How many scans there are; of each upload there are two parts.
const SCANS: usize = 4;

fn arrivals() -> impl Strategy<Value = Vec<Arrives>> {
    let part = (0..SCANS, 0..2usize).prop_map(|(upload, chunk)| Arrives::Part { upload, chunk });
    prop::collection::vec(prop_oneof![part, (0..SCANS).prop_map(Arrives::Own)], 0..14)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Scan `2n` is an upload and scan `2n + 1` the server's own, in the order in which they were asked for. Whatever arrives, however
    /// often and in which order, the latest of those that are whole is kept, and never an earlier one after it.
    #[test]
    fn the_latest_whole_scan_is_kept(arrivals in arrivals()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::sqlite().await;
            let ids: Vec<Uuid> = (0..2 * SCANS).map(|_| Uuid::now_v7()).collect();
            let parts: Vec<Vec<Envelope>> = (0..SCANS)
                .map(|at| upload(ids[2 * at], vec![files(vec![file(vec![listed("left", "1.0.0")], vec![])]); 2]))
                .collect();
            let (mut come, mut latest) = ([[false; 2]; SCANS], None);
            for one in arrivals {
                let whole = match one {
                    Arrives::Part { upload, chunk } => {
                        world.deliver(&parts[upload][chunk..=chunk]).await;
                        // What is late is not taken in, nor is it missed: a later scan is kept by then.
                        come[upload][chunk] = true;
                        (come[upload] == [true; 2]).then_some(2 * upload)
                    }
                    Arrives::Own(at) => {
                        let own = Snapshot::unknown("pay", &ids[2 * at + 1].to_string());
                        let context = Context::new("test", jiff::Timestamp::UNIX_EPOCH, "c");
                        world.journal.keep(own, Vec::new(), context).await.unwrap();
                        Some(2 * at + 1)
                    }
                };
                latest = latest.max(whole);
                let kept = world.kept().await.map(|(scan, _)| scan);
                assert_eq!(kept, latest.map(|at: usize| ids[at].to_string()), "after {one:?}");
            }
        });
    }
}
