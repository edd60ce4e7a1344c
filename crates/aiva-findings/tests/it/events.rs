//! What guards say arrives by event, once, in any number of deliveries.

use std::sync::{Arc, Mutex};

use aiva_chassis::alert::{AlertSink, Alerts, Level as Grave, Message, SinkError};
use aiva_chassis::config::server::FindingLevel;
use aiva_chassis::health::Health;
use aiva_chassis::shutdown::{Shutdown, Supervisor};
use aiva_contracts::api::{Guard, Scan};
use aiva_contracts::envelope::{Envelope, EventMessage};
use aiva_contracts::message::findings::v1 as findings_message;
use aiva_contracts::message::sca::v1::{AdvisoriesReplaced, ContentsKept};
use aiva_contracts::message::scan::v1 as message;
use aiva_events::consume::{HandleError, Handler};
use aiva_findings::alerts::FindingAlerts;
use aiva_findings::events::{AdvisoryEvents, ScanEvents};
use aiva_findings::service::Findings;
use aiva_findings::upload::Upload;
use async_trait::async_trait;
use uuid::Uuid;

use crate::on_both_engines;
use crate::world::{World, seen, service};

on_both_engines!(
    a_scan_told_twice_is_one_scan,
    a_new_finding_is_told_to_the_owners_once,
    new_advisories_have_every_service_scanned_again,
    only_what_can_be_judged_again_is_asked_for_again,
);

fn event<M: EventMessage>(message: &M) -> Envelope {
    Envelope {
        id: Uuid::now_v7(),
        kind: M::TYPE.into(),
        source: "aiva/sca".into(),
        subject: "scan".into(),
        // When the world's clock begins.
        time_unix_micros: 1_795_262_400_000_000,
        correlation_id: "c".into(),
        causation_id: None,
        schema_id: 0,
        traceparent: String::new(),
        data: message.encode_to_vec(),
    }
}

async fn a_scan_told_twice_is_one_scan(world: World) {
    let handler = ScanEvents(Findings::new(world.store.clone(), world.clock.shared()));
    let scan = world.request(&[]).await;
    let scan_id = scan.id.to_string();
    world.told().await;
    let found = message::FindingsObserved {
        scan_id: scan_id.clone(),
        findings: vec![seen("services/pay/Cargo.lock", "time", &["X-1"]).into()],
        ..Default::default()
    };
    let ended = message::ScanCompleted { scan_id: scan_id.clone(), finding_chunks: 1, ..Default::default() };
    let early = handler.handle(&event(&ended)).await;
    assert!(matches!(early, Err(HandleError::Permanent(_)))); // a chunk is missing: kept for a person to see
    let all = [
        event(&message::ScanStarted { scan_id: scan_id.clone(), ..Default::default() }),
        event(&message::ScanProgressed { scan_id: scan_id.clone(), done: 1, total: 2, ..Default::default() }),
        event(&found),
        event(&ended),
    ];
    for told in all.iter().flat_map(|event| [event, event]) {
        handler.handle(told).await.unwrap();
    }
    assert_eq!(world.told().await, ["FindingOpened"]);
    let gone = message::ScanStarted { scan_id: Uuid::nil().to_string(), ..Default::default() };
    handler.handle(&event(&gone)).await.unwrap(); // its service was deleted
    let torn = Envelope { data: vec![0x0a, 9, b'x'], ..event(&found) };
    assert!(matches!(handler.handle(&torn).await, Err(HandleError::Permanent(_))));
}

async fn a_new_finding_is_told_to_the_owners_once(world: World) {
    let (told, supervisor) = (Told::default(), Supervisor::new(Shutdown::new(), Health::new()));
    let alerts = Alerts::builder(world.clock.shared()).sink(told.clone(), Grave::Info).start(&supervisor);
    let findings = Findings::new(world.store.clone(), world.clock.shared());
    let handler = FindingAlerts { findings, alerts, least: FindingLevel::High };
    let summary = |level: message::Level, id: &str| {
        Some(findings_message::FindingSummary {
            service: "pay".to_owned(),
            id: id.to_owned(),
            level: level.into(),
            ..Default::default()
        })
    };
    let opened =
        |level, id: &str| event(&findings_message::FindingOpened { finding: summary(level, id), ..Default::default() });
    let gone = findings_message::FindingOpened {
        finding: summary(message::Level::Critical, "X-9")
            .map(|finding| findings_message::FindingSummary { service: "gone".to_owned(), ..finding }),
        ..Default::default()
    };
    let first = opened(message::Level::High, "X-1");
    let old = Envelope { time_unix_micros: 0, ..opened(message::Level::Critical, "X-0") };
    for event in
        [&old, &first, &first, &opened(message::Level::High, "X-2"), &opened(message::Level::Low, "X-3"), &event(&gone)]
    {
        handler.handle(event).await.unwrap();
    }
    supervisor.shutdown().drain(std::time::Duration::from_secs(10)).await;
    let told = told.0.lock().unwrap();
    let heard: Vec<(&str, u64)> = told.iter().map(|one| (one.alert.title.as_str(), one.suppressed)).collect();
    assert_eq!(heard.len(), 3, "{heard:?}");
    assert!(heard.iter().any(|(title, more)| title.contains("X-1") && *more == 0), "{heard:?}");
    assert!(heard.iter().any(|(title, more)| title.contains("X-2") && *more == 2), "{heard:?}");
    assert!(heard.iter().any(|(title, _)| title.starts_with("gone: new critical finding X-9")), "{heard:?}");
}

/// Keeps what people would hear.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Message>>>);

#[async_trait]
impl AlertSink for Told {
    fn name(&self) -> &'static str {
        "told"
    }

    async fn deliver(&self, message: &Message) -> Result<(), SinkError> {
        self.0.lock().unwrap().push(message.clone());
        Ok(())
    }
}

async fn new_advisories_have_every_service_scanned_again(world: World) {
    let handler = AdvisoryEvents(Findings::new(world.store.clone(), world.clock.shared()));
    handler.handle(&event(&AdvisoriesReplaced { records: 1, ..Default::default() })).await.unwrap();
    assert_eq!(world.told().await, ["ScanRequested"]);
    let unaffected = vec!["pay".to_owned()];
    handler.handle(&event(&AdvisoriesReplaced { records: 2, unaffected, ..Default::default() })).await.unwrap();
    assert!(world.told().await.is_empty(), "the guard says that nothing changes");
}

/// A document without findings; one that says what it lists, if `lists`.
fn document(lists: bool) -> Upload {
    let text = format!(
        r#"{{"schema":"aiva.scan/1","advisories":{{"state":"current","ecosystems":[]}},"inputs":[],"findings":[],"summary":{{
        "findings":{{"critical":0,"high":0,"medium":0,"low":0,"unknown":0,"informational":0}},"accepted":0,"packages":0,"not_judged":0,
        "exceptions":[],"inputs":{{"parsed":0,"partial":0,"unsupported":0,"failed":0,"ignored":0}}}}{}}}"#,
        if lists { r#","contents":{"files":[]}"# } else { "" }
    );
    Upload::new(serde_json::from_str(&text).unwrap(), None).unwrap()
}

async fn only_what_can_be_judged_again_is_asked_for_again(world: World) {
    let handler = AdvisoryEvents(Findings::new(world.store.clone(), world.clock.shared()));
    let mut bare = service("bare");
    bare.description.source.clear();
    world.store.create_service(world.now(), bare, None).await.unwrap();
    let upload = async |name: &str, lists: bool| {
        let by = "upload".to_owned();
        world.store.upload(world.now(), name.to_owned(), Guard::Sca, by, document(lists), None).await.unwrap()
    };
    let asked = async |event: Envelope| -> Vec<(String, String)> {
        world.told().await;
        handler.handle(&event).await.unwrap();
        let requests = world.events().await.into_iter().map(|event| event.decode::<message::ScanRequested>().unwrap());
        requests.map(|request| (request.service, request.upload_id)).collect()
    };
    let replaced = || event(&AdvisoriesReplaced { records: 1, ..Default::default() });
    // Nobody has looked at it, and there is nowhere to look.
    assert_eq!(asked(replaced()).await, [("pay".to_owned(), String::new())]);
    let (one, two) = (upload("bare", true).await, upload("pay", true).await);
    assert_eq!(
        asked(replaced()).await,
        [("bare".to_owned(), one.id.to_string()), ("pay".to_owned(), two.id.to_string())]
    );
    upload("bare", false).await;
    assert_eq!(asked(replaced()).await, [("pay".to_owned(), two.id.to_string())], "it does not say what it lists");
    let scan = world.scan(&[], vec![], &[]).await;
    assert!(scan.id > two.id);
    assert_eq!(asked(replaced()).await, [("pay".to_owned(), String::new())], "the server has looked since");

    // The guard knows better than an upload: judged at once, if it is the last word still.
    let kept = |scan: &Scan, is_outdated| {
        event(&ContentsKept { scan_id: scan.id.to_string(), service: "pay".to_owned(), is_outdated })
    };
    assert_eq!(asked(kept(&two, true)).await, []);
    let three = upload("pay", true).await;
    assert_eq!(asked(kept(&three, false)).await, []);
    assert_eq!(asked(kept(&three, true)).await, [("pay".to_owned(), three.id.to_string())]);
    let gone = ContentsKept { service: "gone".to_owned(), scan_id: three.id.to_string(), is_outdated: true };
    assert_eq!(asked(event(&gone)).await, []);
}
