//! Records on both engines, through the store, the recorder and the API.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aiva_chassis::clock::SharedClock;
use aiva_chassis::http::{Permissions, Principal, PrincipalKind};
use aiva_chassis::shutdown::{Shutdown, Stage};
use aiva_contracts::api::egress::Operation;
use aiva_egress::audit::{Recorder, Settings};
use aiva_egress::config::Egress;
use aiva_egress::decision::{Ended, Finding, Form, Outcome, Record, Who};
use aiva_egress::http::routes;
use aiva_egress::ports::{BadToken, End, Group, Journal as _, Tokens as _};
use aiva_egress::proxy;
use aiva_egress::proxy::fault::Fault;
use aiva_egress::proxy::judge::{Judge as _, Peer, Presented};
use aiva_egress::service::Guard;
use aiva_egress::service::records::{App, Decisions};
use aiva_egress::service::roles::Roles;
use aiva_egress::store::{Filter, HostCount, MIGRATIONS, Store};
use aiva_egress::token::Signer;
use aiva_events::log::{self, Direction};
use aiva_outbound::Target;
use aiva_outbound::resolve::Fixed;
use aiva_store::migrate;
use aiva_store::{Database, Postgres, Sqlite};
use aiva_testkit::clock::FakeClock;
use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use uuid::Uuid;

on_both_engines!(
    a_group_that_is_written_again_changes_nothing,
    a_record_that_was_written_open_is_ended_once,
    a_tunnel_that_was_closed_for_its_opening_is_a_refusal,
    what_cannot_be_read_is_recorded_with_its_fault,
    what_a_killed_process_left_open_is_ended_as_lost,
    lists_are_filtered_and_paged_from_the_latest,
    the_summary_counts_and_tells_what_is_new,
    events_are_told_once,
    records_go_when_their_time_is_over,
    a_decision_is_answered_recorded_and_shown,
    a_token_is_honoured_by_the_guard_that_gave_it,
    every_operation_wants_exactly_its_permission,
);

pub(crate) struct World {
    db: Database,
    pub(crate) store: Store,
    clock: FakeClock,
    _folder: Option<tempfile::TempDir>,
}

impl World {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::Sqlite(Sqlite::open(folder.path().join("aiva.db")).await.unwrap());
        Self::on(db, Some(folder)).await
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let url = aiva_testkit::postgres::database().await?;
        Some(Self::on(Database::Postgres(Postgres::connect(&url).await.unwrap()), None).await)
    }

    async fn on(db: Database, folder: Option<tempfile::TempDir>) -> Self {
        let clock = FakeClock::at("2026-11-21T12:00:00Z");
        migrate::up(&db, &[aiva_events::MIGRATIONS, MIGRATIONS], &clock).await.unwrap();
        let store = Store::new(db.clone(), Arc::new(clock.clone()));
        Self { db, store, clock, _folder: folder }
    }

    pub(crate) fn shared(&self) -> SharedClock {
        Arc::new(self.clock.clone())
    }

    fn record(&self, role: &str, url: &str, outcome: Outcome, reason: &'static str) -> Record {
        let who = Who { role: Arc::from(role), caller: Arc::from("10.1.0.7") };
        let record = Record::refused(self.shared().now(), who, Form::Request, "rule", reason);
        Record { outcome, ..record.to(&Target::parse(url).unwrap()) }
    }

    async fn write(&self, records: Vec<Record>, ends: Vec<(&Record, Ended)>) {
        let end = |(record, ended): (&Record, Ended)| {
            let (id, at, role) = (record.id, record.at, Arc::clone(&record.who.role));
            End { id, at, role, ended }
        };
        let ends = ends.into_iter().map(end).collect();
        self.store.write(Arc::new(Group { records, ends })).await.unwrap();
    }

    async fn all(&self, filter: Filter) -> Vec<Record> {
        self.store.list(filter, None, 100).await.unwrap()
    }

    /// The short names of all events.
    pub(crate) async fn told(&self) -> Vec<String> {
        let page = log::read(&self.db, &log::Filter::default(), Direction::After(0), usize::MAX).await.unwrap();
        page.into_iter().map(|(_, event)| event.kind.rsplit('.').next().unwrap().to_owned()).collect()
    }

    fn guard(&self) -> Guard {
        self.guard_by(Egress::default())
    }

    pub(crate) fn guard_by(&self, egress: Egress) -> Guard {
        let resolver: Arc<Fixed> = Arc::new(Fixed::new([
            ("a.example.com", [93, 184, 216, 34].into()),
            ("inside.example.com", [10, 0, 0, 1].into()),
        ]));
        let resolvers = Box::new(move |_: &[std::net::SocketAddr]| Arc::clone(&resolver) as Arc<_>);
        Guard::with_resolvers(egress, self.shared(), resolvers).unwrap().0
    }

    pub(crate) fn app(&self, guard: &Guard, recorder: &Recorder) -> App {
        self.app_with(guard, recorder, Egress::default().fetch)
    }

    /// With these bounds for fetches.
    pub(crate) fn app_with(&self, guard: &Guard, recorder: &Recorder, fetch: aiva_egress::config::Fetch) -> App {
        let tls = aiva_outbound::client::Tls::system();
        let signer = Arc::new(Signer::random().unwrap());
        App {
            store: self.store.clone(),
            roles: Roles::new(self.store.clone(), guard.clone()),
            decisions: Decisions {
                recorder: recorder.clone(),
                decide: Arc::new(guard.clone()),
                signer,
                clock: self.shared(),
            },
            fetcher: aiva_egress::fetch::Fetcher::new(fetch, tls, recorder.clone(), self.shared()),
        }
    }

    fn api(&self, guard: &Guard, recorder: &Recorder) -> (Router, Arc<Signer>) {
        let app = self.app(guard, recorder);
        let signer = Arc::clone(&app.decisions.signer);
        (routes(app).into_router(), signer)
    }

    /// Writes what the recorder has, to the end.
    pub(crate) async fn drain(&self, recorder: &Recorder) {
        let shutdown = Shutdown::new();
        let stop = shutdown.stop(Stage::Store);
        shutdown.request();
        let (_drained, ()) =
            tokio::join!(shutdown.drain(Duration::from_secs(60)), recorder.run(&self.store, None, |_| (), stop));
    }
}

async fn a_group_that_is_written_again_changes_nothing(world: World) {
    let record = world.record("pay", "https://a.example.com", Outcome::Allow, "allowed");
    for _ in 0..2 {
        world.write(vec![record.clone()], vec![]).await;
    }
    let (all, one) = (world.all(Filter::default()).await, world.store.get(record.id).await.unwrap());
    assert_eq!((all, one), (vec![record.clone()], Some(record)));
    assert_eq!(world.store.get(Uuid::nil()).await.unwrap(), None);
    assert_eq!(world.store.summary(None, 1).await.unwrap().hours[0].counts, [1, 0, 0]);
}

async fn a_record_that_was_written_open_is_ended_once(world: World) {
    let record = world.record("pay", "https://a.example.com", Outcome::Allow, "allowed");
    world.write(vec![record.clone()], vec![]).await;
    assert!(world.all(Filter::default()).await[0].is_open());
    let ended = |received| Ended { received, duration: Duration::from_millis(7), ..Ended::default() };
    world.write(vec![], vec![(&record, ended(5))]).await;
    world.write(vec![], vec![(&record, ended(6))]).await;
    assert_eq!(world.store.get(record.id).await.unwrap().unwrap().ended, Some(ended(5)));
}

async fn a_tunnel_that_was_closed_for_its_opening_is_a_refusal(world: World) {
    let record = || world.record("shop", "https://a.example.com", Outcome::Allow, "allowed");
    let (first, second, good) = (record(), record(), record());
    let found = Finding { reason: "not-tls".into(), what: "ssh".to_owned(), enforced: true };
    let told = Finding { enforced: false, ..found.clone() };
    let ended = |finding: &Finding| Ended { findings: vec![finding.clone()], ..Ended::default() };
    world.write(vec![first.clone(), good.clone()], vec![]).await;
    // One was written before; of the other, record and end come in one group. Said twice, it changes nothing more.
    for _ in 0..2 {
        let ends = vec![(&first, ended(&found)), (&second, ended(&found)), (&good, ended(&told))];
        world.write(vec![second.clone()], ends).await;
    }
    let refused = world.all(Filter { reason: Some("not-tls".to_owned()), ..Filter::default() }).await;
    let ids = |records: &[Record]| records.iter().map(|record| record.id).collect::<BTreeSet<_>>();
    assert_eq!(ids(&refused), [first.id, second.id].into());
    assert_eq!(world.all(Filter { outcome: Some(Outcome::Allow), ..Filter::default() }).await.len(), 1);
    for record in refused.iter().chain(&world.store.get(first.id).await.unwrap()) {
        assert_eq!((record.outcome, &*record.rule, &*record.reason), (Outcome::Deny, "inspection", "not-tls"));
        assert!(record.remedy.as_ref().unwrap().contains("inspection.protocols"), "{record:?}");
    }
    let summary = world.store.summary(None, 1).await.unwrap();
    let counted = |counts: &[HostCount]| -> Vec<(String, u64)> {
        counts.iter().map(|one| (one.reason.clone(), one.count)).collect()
    };
    assert_eq!(counted(&summary.destinations), [("allowed".to_owned(), 1)]);
    assert_eq!(counted(&summary.denials), [("not-tls".to_owned(), 2)]);
    assert!(summary.first_seen.iter().all(|new| new.decision != first.id), "it was not let out");
    world.write(vec![], vec![(&good, ended(&found))]).await;
    assert_eq!(world.store.summary(None, 1).await.unwrap().destinations.len(), 1, "its end had been told");
}

async fn what_cannot_be_read_is_recorded_with_its_fault(world: World) {
    let (guard, recorder) = (world.guard(), Recorder::new(Settings::default()));
    guard.record(recorder.clone());
    let peer = Peer { address: Some("192.0.2.9:5000".parse().unwrap()), ..Peer::default() };
    let answer = guard.malformed(&peer, proxy::judge::Form::Request, Fault::Upgrade).await;
    assert_eq!((answer.status, answer.rule.as_deref(), &*answer.reason), (403, Some("protocol"), "upgrade"));
    let credentials = Some(&b"Basic c2hvcDp4"[..]);
    let who = Presented { peer: &peer, credentials, token: None };
    let stranger = guard.stranger(who, proxy::judge::Form::Tunnel).await.unwrap();
    world.drain(&recorder).await;
    for (id, rule, reason) in [(answer.id, "protocol", "upgrade"), (stranger.id, "credentials", "credentials-wrong")] {
        let record = world.store.get(id.unwrap().parse().unwrap()).await.unwrap().unwrap();
        assert_eq!((record.outcome, &*record.rule, &*record.reason), (Outcome::Deny, rule, reason));
        assert_eq!((&*record.who.caller, record.place), ("192.0.2.9", None));
    }
}

async fn what_a_killed_process_left_open_is_ended_as_lost(world: World) {
    let record = |outcome| world.record("pay", "https://a.example.com", outcome, "x");
    let (open, denied, ended) = (record(Outcome::Allow), record(Outcome::Deny), record(Outcome::Allow));
    let whole = Record { ended: Some(Ended::default()), ..record(Outcome::Allow) };
    world.write(vec![open.clone(), denied.clone(), ended.clone(), whole.clone()], vec![]).await;
    world.write(vec![], vec![(&ended, Ended { received: 7, ..Ended::default() })]).await;
    let embedded = matches!(world.db, Database::Sqlite(_));
    let lost = (world.store.end_lost().await.unwrap(), world.store.end_lost().await.unwrap());
    assert_eq!(lost, if embedded { (1, 0) } else { (0, 0) });
    let end = async |record: &Record| world.store.get(record.id).await.unwrap().unwrap().ended;
    assert_eq!(end(&open).await.and_then(|end| end.failure), embedded.then(|| "lost".to_owned()));
    assert_eq!((end(&denied).await, end(&ended).await.map(|end| end.received)), (None, Some(7)));
    assert_eq!(end(&whole).await, Some(Ended::default()));
}

async fn lists_are_filtered_and_paged_from_the_latest(world: World) {
    let mut records = Vec::new();
    for (role, host, outcome, reason) in [
        ("pay", "a.example.com", Outcome::Allow, "allowed"),
        ("pay", "b.example.com", Outcome::Deny, "name-not-allowed"),
        ("shop", "a.example.com", Outcome::Unresolved, "dns-timeout"),
        ("shop", "b.example.com", Outcome::Deny, "address-internal"),
    ] {
        records.push(world.record(role, &format!("https://{host}"), outcome, reason));
        world.clock.advance(Duration::from_secs(60));
    }
    world.write(records.clone(), vec![]).await;
    let text = |text: &str| Some(text.to_owned());
    let at = |index: usize| Some(records[index].at);
    for (filter, want) in [
        (Filter::default(), vec![3, 2, 1, 0]),
        (Filter { role: text("pay"), ..Filter::default() }, vec![1, 0]),
        (Filter { host: text("a.example.com"), ..Filter::default() }, vec![2, 0]),
        (Filter { host: text("*.example.com"), outcome: Some(Outcome::Deny), ..Filter::default() }, vec![3, 1]),
        (Filter { host: text("*.a.example.com"), ..Filter::default() }, vec![]),
        (Filter { host: text("*.%.com"), ..Filter::default() }, vec![]), // no pattern but its own
        (Filter { host: text("*.ex_mple.com"), ..Filter::default() }, vec![]),
        (Filter { outcome: Some(Outcome::Deny), ..Filter::default() }, vec![3, 1]),
        (Filter { outcome: Some(Outcome::Deny), role: text("shop"), ..Filter::default() }, vec![3]),
        (Filter { reason: text("dns-timeout"), caller: text("10.1.0.7"), ..Filter::default() }, vec![2]),
        (Filter { form: Some(Form::Tunnel), ..Filter::default() }, vec![]),
        (Filter { since: at(1), until: at(3), ..Filter::default() }, vec![2, 1]),
        (Filter { role: text("a' OR 1=1 --"), ..Filter::default() }, vec![]),
    ] {
        let wanted: Vec<_> = want.iter().map(|index| records[*index].clone()).collect();
        assert_eq!(world.all(filter.clone()).await, wanted, "{filter:?}");
    }
    let first = world.store.list(Filter::default(), None, 3).await.unwrap();
    let rest = world.store.list(Filter::default(), Some(first[2].id), 3).await.unwrap();
    assert_eq!((first.len(), rest), (3, vec![records[0].clone()]));
}

async fn the_summary_counts_and_tells_what_is_new(world: World) {
    let allowed = || world.record("pay", "https://a.example.com", Outcome::Allow, "allowed");
    let denied = || world.record("shop", "https://b.example.com", Outcome::Deny, "name-not-allowed");
    let first = allowed();
    world.write(vec![first.clone(), denied(), denied()], vec![]).await;
    world.clock.advance(Duration::from_secs(3600));
    world.write(vec![allowed(), allowed(), denied()], vec![]).await;
    let summary = world.store.summary(None, 24).await.unwrap();
    assert_eq!(summary.roles, ["pay", "shop"]);
    assert_eq!(summary.hours.iter().map(|hour| hour.counts).collect::<Vec<_>>(), [[1, 2, 0], [2, 1, 0]]);
    assert_eq!((summary.destinations[0].host.as_str(), summary.destinations[0].count), ("a.example.com", 3));
    assert_eq!((summary.denials[0].reason.as_str(), summary.denials[0].count), ("name-not-allowed", 3));
    assert_eq!((summary.first_seen.len(), summary.first_seen[0].decision), (1, first.id));
    let now = world.store.summary(Some("pay".into()), 1).await.unwrap();
    assert_eq!((now.hours[0].counts, now.denials.len(), now.first_seen.len()), ([2, 0, 0], 0, 0));
}

async fn events_are_told_once(world: World) {
    let seen = || world.record("pay", "https://a.example.com", Outcome::Allow, "allowed");
    let attempt = || world.record("pay", "http://169.254.169.254", Outcome::Deny, "address-metadata");
    let turned = || Record {
        rebound: Some(aiva_egress::decision::Rebound {
            was: vec![[93, 184, 216, 34].into()],
            now: vec![[10, 0, 0, 1].into()],
        }),
        ..world.record("pay", "https://c.example.com", Outcome::Deny, "address-internal")
    };
    let group = vec![seen(), seen(), attempt(), attempt(), turned()];
    world.write(group.clone(), vec![]).await;
    world.write(group, vec![]).await;
    world.write(vec![seen()], vec![]).await;
    assert_eq!(world.told().await, ["MetadataAttempted", "NameRebound", "HostFirstSeen"]);
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!((world.store.roll_up().await.unwrap(), world.store.roll_up().await.unwrap()), (1, 0));
    assert_eq!(world.told().await.last().unwrap(), "DenialsCounted");
}

async fn records_go_when_their_time_is_over(world: World) {
    let old = world.record("pay", "https://a.example.com", Outcome::Allow, "allowed");
    world.write(vec![old], vec![]).await;
    world.clock.advance(Duration::from_secs(40 * 86_400));
    let new = world.record("pay", "https://b.example.com", Outcome::Allow, "allowed");
    world.write(vec![new.clone()], vec![]).await;
    let before = world.shared().now().checked_sub(Duration::from_secs(30 * 86_400)).unwrap();
    assert_eq!((world.store.sweep(before).await.unwrap(), world.store.sweep(before).await.unwrap()), (1, 0));
    assert_eq!(world.all(Filter::default()).await, [new]);
    assert_eq!(world.store.summary(None, 744).await.unwrap().hours.len(), 1);
}

async fn ask(app: &Router, principal: Principal, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
    let request = Request::builder().method(method).uri(path).extension(principal);
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let request = request.header("content-type", "application/json").body(body).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

async fn call(app: &Router, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
    ask(app, Principal::internal("ana"), method, path, body).await
}

async fn a_decision_is_answered_recorded_and_shown(world: World) {
    let recorder = Recorder::new(Settings::default());
    let (app, _) = world.api(&world.guard(), &recorder);
    let path = "/v1/egress/decisions";
    let (status, good) = call(&app, "POST", path, json!({"url": "https://a.example.com/x?key=secret"})).await;
    assert_eq!(
        (status, &good["outcome"], &good["connect_to"]),
        (StatusCode::OK, &json!("allow"), &json!(["93.184.216.34:443"]))
    );
    world.clock.advance(Duration::from_millis(1));
    let (_, bad) = call(&app, "POST", path, json!({"url": "http://inside.example.com", "method": "GET"})).await;
    assert_eq!((&bad["outcome"], &bad["reason"], bad.get("token")), (&json!("deny"), &json!("address-internal"), None));
    world.clock.advance(Duration::from_millis(1));
    let (_, text) = call(&app, "POST", path, json!({"url": "http://a.example.com\\@evil.example"})).await;
    assert_eq!((&text["outcome"], &text["reason"]), (&json!("deny"), &json!("backslash")));
    assert_eq!(
        call(&app, "POST", path, json!({"url": "http://a.example.com", "role": "none"})).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(call(&app, "POST", path, json!({"url": "x", "x": 1})).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    // What is not on the disk is not shown.
    assert_eq!(call(&app, "GET", path, Value::Null).await.1["items"], json!([]));
    world.drain(&recorder).await;
    let (_, page) = call(&app, "GET", &format!("{path}?limit=2"), Value::Null).await;
    assert_eq!((page["items"].as_array().unwrap().len(), &page["items"][0]["id"]), (2, &text["id"]));
    assert_eq!(page["items"][0].get("place"), None);
    let cursor = page["next_cursor"].as_str().unwrap();
    let (_, rest) = call(&app, "GET", &format!("{path}?limit=2&cursor={cursor}"), Value::Null).await;
    assert_eq!((&rest["items"][0]["id"], rest.get("next_cursor")), (&good["id"], None));
    assert!(!rest.to_string().contains("secret") && rest["items"][0]["open"] == json!(false));
    // Operators are told what would allow it, others are not.
    let one = format!("{path}/{}", bad["id"].as_str().unwrap());
    let (_, shown) = call(&app, "GET", &one, Value::Null).await;
    assert!(shown["remedy"].as_str().unwrap().contains("inside.example.com"), "{shown}");
    let reader =
        Principal::new("bo", "bo", Permissions::Only(Arc::from(["egress:read".to_owned()])), PrincipalKind::Person);
    assert_eq!(ask(&app, reader, "GET", &one, Value::Null).await.1.get("remedy"), None);
    let (_, summary) = call(&app, "GET", "/v1/egress/summary", Value::Null).await;
    assert_eq!((&summary["hours"][0]["allow"], &summary["hours"][0]["deny"]), (&json!(1), &json!(2)));
    for (path, want) in [
        ("/v1/egress/decisions?outcome=maybe", StatusCode::BAD_REQUEST),
        ("/v1/egress/decisions?cursor=bm9wZQ", StatusCode::BAD_REQUEST),
        ("/v1/egress/decisions?limit=501", StatusCode::UNPROCESSABLE_ENTITY),
        ("/v1/egress/decisions/00000000-0000-7000-8000-000000000000", StatusCode::NOT_FOUND),
        ("/v1/egress/decisions/x", StatusCode::BAD_REQUEST),
        ("/v1/egress/summary?hours=0", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        assert_eq!(call(&app, "GET", path, Value::Null).await.0, want, "{path}");
    }
}

async fn a_token_is_honoured_by_the_guard_that_gave_it(world: World) {
    let (guard, recorder) = (world.guard(), Recorder::default());
    let (app, signer) = world.api(&guard, &recorder);
    let (_, verdict) = call(&app, "POST", "/v1/egress/decisions", json!({"url": "https://a.example.com"})).await;
    let token = verdict["token"].as_str().unwrap().as_bytes();
    let pinned = signer.read(token, world.shared().now()).unwrap();
    assert_eq!((&*pinned.role, pinned.port, pinned.addresses), ("default", 443, vec![[93, 184, 216, 34].into()]));
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(signer.read(token, world.shared().now()), Err(BadToken::Expired));
}

async fn every_operation_wants_exactly_its_permission(world: World) {
    let (app, _) = world.api(&world.guard(), &Recorder::default());
    for operation in Operation::ALL {
        let path = operation.path();
        let path = path.replace("{decision}", "00000000-0000-7000-8000-000000000000").replace("{role}", "shop");
        let body = match operation.method() {
            "POST" => json!({"url": "https://a.example.com"}),
            "PUT" => json!({}),
            _ => Value::Null,
        };
        for (permission, allowed) in [(operation.permission(), true), ("findings:read", false)] {
            let only = Permissions::Only(Arc::from([permission.to_owned()]));
            let principal = Principal::new("bo", "bo", only, PrincipalKind::Person);
            let status = ask(&app, principal, operation.method(), &path, body.clone()).await.0;
            assert_eq!(status != StatusCode::FORBIDDEN, allowed, "{} with {permission}", operation.id());
        }
    }
}
