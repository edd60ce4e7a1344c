//! What guards say arrives by event, once, in any number of deliveries.

use aiva_contracts::envelope::{Envelope, EventMessage};
use aiva_contracts::message::sca::v1::AdvisoriesReplaced;
use aiva_contracts::message::scan::v1 as message;
use aiva_events::consume::{HandleError, Handler};
use aiva_findings::events::{AdvisoryEvents, ScanEvents};
use aiva_findings::service::Findings;
use uuid::Uuid;

use crate::on_both_engines;
use crate::world::{World, seen};

on_both_engines!(a_scan_told_twice_is_one_scan, new_advisories_have_every_service_scanned_again,);

fn event<M: EventMessage>(message: &M) -> Envelope {
    Envelope {
        id: Uuid::now_v7(),
        kind: M::TYPE.into(),
        source: "aiva/sca".into(),
        subject: "scan".into(),
        time_unix_micros: 0,
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

async fn new_advisories_have_every_service_scanned_again(world: World) {
    let handler = AdvisoryEvents(Findings::new(world.store.clone(), world.clock.shared()));
    handler.handle(&event(&AdvisoriesReplaced { records: 1, ..Default::default() })).await.unwrap();
    assert_eq!(world.told().await, ["ScanRequested"]);
    let unaffected = vec!["pay".to_owned()];
    handler.handle(&event(&AdvisoriesReplaced { records: 2, unaffected, ..Default::default() })).await.unwrap();
    assert!(world.told().await.is_empty(), "the guard says that nothing changes");
}
