//! A store in a folder of its own, with an outbox that the test can read.

use aiva_contracts::api::{Acceptance, CreateService, FindingKind, Guard, Level, Scan, ServiceDescription, Severity};
use aiva_findings::exception::Exception;
use aiva_findings::observation::Observation;
use aiva_findings::ports::Request;
use aiva_findings::store::sqlite::{MIGRATIONS, Store};
use aiva_store::{Database, Sqlite, migrate};
use aiva_testkit::clock::FakeClock;
use jiff::Timestamp;

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) clock: FakeClock,
    db: Sqlite,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new(file: Vec<Exception>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = FakeClock::at("2026-11-21T12:00:00Z");
        let db = Sqlite::open(folder.path().join("aiva.db")).await.unwrap();
        let sets = [aiva_events::MIGRATIONS, MIGRATIONS];
        migrate::up(&Database::Sqlite(db.clone()), &sets, &clock).await.unwrap();
        let store = Store::new(db.clone(), file);
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
        self.db
            .write::<_, aiva_store::Plain, _>(|tx| {
                let kinds: Vec<String> = tx
                    .prepare("SELECT kind FROM event_outbox ORDER BY position")?
                    .query_map([], |row| row.get(0))?
                    .collect::<Result<_, _>>()?;
                tx.execute("DELETE FROM event_outbox", [])?;
                Ok(kinds.iter().map(|kind| kind.rsplit('.').next().unwrap().to_owned()).collect())
            })
            .await
            .unwrap()
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
        summary: "does harm".into(),
        description: String::new(),
        references: vec![],
        reason: String::new(),
    }
}

pub(crate) fn until(acceptance: &Acceptance) -> String {
    acceptance.expires.to_string()
}
