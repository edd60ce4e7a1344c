//! This release on the schema of the next one, which may have added to every table: what a roll-out is.

use aiva_contracts::api::{AcceptFinding, FindingState, InputStatus};
use aiva_findings::ports::FindingFilter;
use aiva_store::migrate::{self, MigrationSet, Phase, Step};
use jiff::civil::date;
use std::sync::Arc;

use crate::on_both_engines;
use crate::store::LOCK;
use crate::world::{SETS, World, seen};

on_both_engines!(this_release_lives_on_the_schema_of_the_next);

/// Columns that this release does not know, in every table that it writes.
const LATER: &str = "
    ALTER TABLE findings_services ADD COLUMN later TEXT NOT NULL DEFAULT 'x';
    ALTER TABLE findings_scans ADD COLUMN later TEXT NOT NULL DEFAULT 'x';
    ALTER TABLE findings_inputs ADD COLUMN later TEXT NOT NULL DEFAULT 'x';
    ALTER TABLE findings_chunks ADD COLUMN later TEXT NOT NULL DEFAULT 'x';
    ALTER TABLE findings_findings ADD COLUMN later TEXT NOT NULL DEFAULT 'x';
    ALTER TABLE findings_names ADD COLUMN later TEXT NOT NULL DEFAULT 'x';
    ALTER TABLE findings_history ADD COLUMN later TEXT NOT NULL DEFAULT 'x';
    ALTER TABLE findings_exceptions ADD COLUMN later TEXT NOT NULL DEFAULT 'x';
    ALTER TABLE findings_trend ADD COLUMN later TEXT NOT NULL DEFAULT 'x';
    ALTER TABLE findings_attempts ADD COLUMN later TEXT NOT NULL DEFAULT 'x';
    ALTER TABLE event_outbox ADD COLUMN later TEXT NOT NULL DEFAULT 'x';
    CREATE TABLE findings_later (id TEXT PRIMARY KEY);";

const NEXT: MigrationSet = MigrationSet {
    owner: "next",
    steps: &[Step { version: 1, name: "later", phase: Phase::Expand, sqlite: LATER, postgres: LATER }],
};

async fn this_release_lives_on_the_schema_of_the_next(world: World) {
    let next: Vec<MigrationSet> = SETS.iter().copied().chain([NEXT]).collect();
    migrate::up(&world.db, &next, &world.clock).await.unwrap();
    migrate::check(&world.db, SETS).await.unwrap();
    world.scan(&[], vec![seen(LOCK, "time", &["CVE-1"])], &[(LOCK, InputStatus::Parsed)]).await;
    let fingerprint = world.all().await[0].fingerprint.parse().unwrap();
    let accept = AcceptFinding { owner: "ana".into(), reason: "r".into(), expires: date(2026, 12, 1) };
    let attempt = aiva_findings::ports::Attempt { key: "k".into(), request: [1; 32] };
    let detail = world.store.accept(world.now(), fingerprint, accept, Arc::new(|_| true), Some(attempt)).await.unwrap();
    assert_eq!((detail.finding.state, detail.history.len()), (FindingState::Accepted, 2));
    world.scan(&[], vec![], &[(LOCK, InputStatus::Parsed)]).await;
    let fixed = FindingFilter { states: vec![FindingState::Fixed], ..FindingFilter::default() };
    assert_eq!(world.store.findings(fixed, None, 10).await.unwrap().1, 1);
    let wanted = ["ScanRequested", "FindingOpened", "FindingAccepted", "ScanRequested", "FindingFixed"];
    assert_eq!(world.told().await, wanted);
    world.store.delete_service(world.now(), "pay".into(), Arc::new(|_| true)).await.unwrap();
    assert_eq!(world.all().await, []);
}
