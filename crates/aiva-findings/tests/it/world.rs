//! A store on either engine with a database of its own, and an outbox that the test can read.

use aiva_contracts::api::{Acceptance, CreateService, FindingKind, Guard, Level, Scan, ServiceDescription, Severity};
use aiva_contracts::envelope::Envelope;
use aiva_events::log::{self, Direction, Filter};
use aiva_findings::observation::Observation;
use aiva_findings::ports::Request;
use aiva_findings::store::{MIGRATIONS, Store};
use aiva_store::migrate::{self, MigrationSet};
use aiva_store::{Database, Plain, Postgres, Sqlite};
use aiva_testkit::clock::FakeClock;
use jiff::Timestamp;

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) clock: FakeClock,
    pub(crate) db: Database,
    _folder: Option<tempfile::TempDir>,
}

/// All tables that findings need.
pub(crate) const SETS: &[MigrationSet] = &[aiva_events::MIGRATIONS, MIGRATIONS];

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
        migrate::up(&db, SETS, &clock).await.unwrap();
        let store = Store::new(db.clone(), vec![]);
        let world = Self { store, clock, db, _folder: folder };
        world.store.create_service(world.now(), service("pay"), None).await.unwrap();
        world.told().await;
        world
    }

    pub(crate) fn now(&self) -> Timestamp {
        use aiva_chassis::clock::Clock as _;
        self.clock.now()
    }

    /// The short names of the events since the last call.
    pub(crate) async fn told(&self) -> Vec<String> {
        let events = self.events().await;
        events.into_iter().map(|event| event.kind.rsplit('.').next().unwrap().to_owned()).collect()
    }

    /// The events since the last call.
    pub(crate) async fn events(&self) -> Vec<Envelope> {
        let page = log::read(&self.db, &Filter::default(), Direction::After(0), usize::MAX).await.unwrap();
        let delete = "DELETE FROM event_outbox";
        match &self.db {
            Database::Sqlite(db) => {
                db.write::<_, Plain, _>(move |tx| Ok(tx.execute(delete, [])?)).await.unwrap();
            }
            Database::Postgres(db) => {
                sqlx::query(delete).execute(db.pool()).await.unwrap();
            }
        }
        page.into_iter().map(|(_, event)| event).collect()
    }

    pub(crate) async fn request(&self, paths: &[&str]) -> Scan {
        let request = Request {
            service: "pay".into(),
            guard: Guard::Sca,
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            by: "ana".into(),
        };
        self.store.request_scan(self.now(), request, None).await.unwrap()
    }
}

pub(crate) fn service(name: &str) -> CreateService {
    CreateService {
        name: name.into(),
        description: ServiceDescription {
            owners: vec!["#team-pay".into()],
            source: vec!["services/pay".into()],
            egress_role: None,
            oauth_clients: vec![],
            cloud: None,
        },
    }
}

pub(crate) fn seen(path: &str, name: &str, ids: &[&str]) -> Observation {
    Observation {
        id: ids[0].into(),
        aliases: ids[1..].iter().map(|id| (*id).to_owned()).collect(),
        kind: FindingKind::Vulnerability,
        purl: format!("pkg:cargo/{name}@1.0.0"),
        name: name.into(),
        version: "1.0.0".into(),
        ecosystem: "crates.io".into(),
        path: path.into(),
        line: 3,
        severity: Severity { level: Level::High, score: Some(7.5), vector: None },
        fixed_versions: vec![],
        last_affected: None,
        summary: "does harm".into(),
        description: String::new(),
        references: vec![],
        symbols: vec![format!("{name}::pad")],
        more_symbols: 2,
        reason: String::new(),
        context: Default::default(),
    }
}

pub(crate) fn until(acceptance: &Acceptance) -> String {
    acceptance.expires.to_string()
}
