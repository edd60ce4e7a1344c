//! What a scan read is judged again when advisories change, without the folder: the same on both engines.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aiva_chassis::clock::Clock as _;
use aiva_contracts::envelope::{Envelope, EventMessage};
use aiva_contracts::message::scan::v1::{ContentsUploaded, FindingsObserved, ScanCompleted, ScanFailed, ScanRequested};
use aiva_events::consume::Handler as _;
use aiva_events::log::{self, Direction, Filter};
use aiva_events::outbox;
use aiva_events::{Context, NewEvent};
use aiva_sca::advisory::{Change, Index, amend, import};
use aiva_sca::checks::Checks;
use aiva_sca::events::{Scanner, Uploads};
use aiva_sca::inventory::Options;
use aiva_sca::package::Ecosystem;
use aiva_sca::ports::{Fetch, FetchError, Fetched, Request};
use aiva_sca::service::{Parts, Service};
use aiva_sca::store::{Journal, MIGRATIONS};
use aiva_store::{Database, Plain, Postgres, Sqlite, migrate};
use aiva_testkit::clock::FakeClock;
use async_trait::async_trait;

struct NoNetwork;

#[async_trait]
impl Fetch for NoNetwork {
    async fn fetch(&self, _: &Request) -> Result<Fetched, FetchError> {
        Err(FetchError::Refused("a test has no network".to_owned()))
    }
}

/// A record about one version of a package.
fn record(id: &str, name: &str, version: &str) -> String {
    format!(
        "{{\"id\":\"{id}\",\"modified\":\"2024-01-01T00:00:00Z\",\"affected\":[{{\"package\":\
         {{\"ecosystem\":\"npm\",\"name\":\"{name}\"}},\"versions\":[\"{version}\"]}}]}}"
    )
}

pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    db: Database,
    pub(crate) clock: FakeClock,
    pub(crate) scanner: Scanner,
    pub(crate) uploads: Uploads,
    pub(crate) journal: Journal,
    pub(crate) service: Arc<Service>,
}

impl World {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::Sqlite(Sqlite::open(folder.path().join("aiva.db")).await.unwrap());
        Self::on(db, folder).await
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let url = aiva_testkit::postgres::database().await?;
        let db = Database::Postgres(Postgres::connect(&url).await.unwrap());
        Some(Self::on(db, tempfile::tempdir().unwrap()).await)
    }

    async fn on(db: Database, folder: tempfile::TempDir) -> Self {
        let clock = FakeClock::at("2026-11-21T12:00:00Z");
        migrate::up(&db, &[aiva_events::MIGRATIONS, MIGRATIONS], &clock).await.unwrap();
        let parts = Parts {
            advisories: folder.path().join("advisories"),
            base: folder.path().to_path_buf(),
            from: String::new(),
            max_age: Duration::from_secs(3600),
            reading: Options::default(),
            checks: Checks::default(),
            fetch: Arc::new(NoNetwork),
            clock: clock.shared(),
        };
        let journal = Journal::new(db.clone());
        let service = Arc::new(Service::new(parts));
        let scanner = Scanner::new(Arc::clone(&service), journal.clone(), clock.shared());
        let uploads = Uploads::new(Arc::clone(&service), journal.clone(), clock.shared());
        Self { folder, db, clock, scanner, uploads, journal, service }
    }

    /// Puts a record into the index beside those that it has.
    pub(crate) fn amend(&self, id: &str, name: &str, version: &str) {
        let modified = self.clock.now();
        let change = Change { id: id.to_owned(), modified, record: Some(record(id, name, version).into_bytes()) };
        let changes = [(Ecosystem::Npm, vec![change])].into();
        amend(&self.folder.path().join("advisories"), &changes, &[], modified).unwrap();
    }

    /// Puts records about `left` in place of all that the index holds on npm.
    pub(crate) fn advise(&self, records: &[(&str, &str)]) {
        let source = self.folder.path().join("osv");
        drop(std::fs::remove_dir_all(&source));
        std::fs::create_dir_all(source.join("npm")).unwrap();
        for (id, version) in records {
            std::fs::write(source.join("npm").join(format!("{id}.json")), record(id, "left", version)).unwrap();
        }
        import(&[source], &self.folder.path().join("advisories"), self.clock.now(), &|_| {}).unwrap();
    }

    pub(crate) fn index(&self) -> Index {
        Index::open(&self.folder.path().join("advisories")).unwrap()
    }

    /// Asks for a scan of `pay` and hands over what the guard answers.
    pub(crate) async fn scan(&self, by: &str) -> Vec<Envelope> {
        let asked = self.ask(request(by)).await;
        self.scanner.handle(&asked).await.unwrap();
        self.events().await
    }

    /// Asks for a scan; the event that the guard hears.
    pub(crate) async fn ask(&self, request: ScanRequested) -> Envelope {
        self.forget().await;
        let context = Context::new("test", self.clock.now(), request.scan_id.clone());
        let event = NewEvent::of(&request, &*format!("scan/{}", request.scan_id));
        match &self.db {
            Database::Sqlite(db) => {
                db.write::<_, Plain, _>(move |tx| Ok(outbox::sqlite::append(tx, &[event], &context).map(drop)?))
                    .await
                    .unwrap();
            }
            Database::Postgres(db) => {
                let mut connection = db.pool().acquire().await.unwrap();
                outbox::postgres::append(&mut connection, &[event], &context).await.unwrap();
            }
        }
        self.events().await.remove(0)
    }

    /// Puts an event into the outbox.
    pub(crate) async fn tell(&self, event: &Envelope) {
        let part: ContentsUploaded = event.decode().unwrap();
        let context = Context::new("test", self.clock.now(), "c");
        self.journal.tell(vec![NewEvent::of(&part, event.subject.as_str())], context).await.unwrap();
    }

    /// Runs a statement on either engine.
    async fn run(&self, statement: String) {
        match &self.db {
            Database::Sqlite(db) => {
                db.write::<_, Plain, _>(move |tx| Ok(tx.execute(&statement, [])?)).await.unwrap();
            }
            Database::Postgres(db) => {
                sqlx::query(sqlx::AssertSqlSafe(statement)).execute(db.pool()).await.unwrap();
            }
        }
    }

    /// Makes of what is told about a subject a dead letter of the uploads, as the dispatcher does.
    pub(crate) async fn bury(&self, subject: &str) {
        let row = "INSERT INTO event_subjects (consumer, subject, state, done, due_at, attempts)";
        self.run(format!("{row} VALUES ('sca.uploads', '{subject}', 'dead', 0, 0, 12)")).await;
    }

    /// Takes the dead letter away.
    pub(crate) async fn redrive(&self) {
        self.run("DELETE FROM event_subjects".to_owned()).await;
    }

    pub(crate) async fn events(&self) -> Vec<Envelope> {
        let page = log::read(&self.db, &Filter::default(), Direction::After(0), usize::MAX).await.unwrap();
        page.into_iter().map(|(_, event)| event).collect()
    }

    pub(crate) async fn forget(&self) {
        let delete = "DELETE FROM event_outbox";
        match &self.db {
            Database::Sqlite(db) => {
                db.write::<_, Plain, _>(move |tx| Ok(tx.execute(delete, [])?)).await.unwrap();
            }
            Database::Postgres(db) => {
                sqlx::query(delete).execute(db.pool()).await.unwrap();
            }
        }
    }
}

/// A request for a whole scan of `pay`.
pub(crate) fn request(by: &str) -> ScanRequested {
    ScanRequested {
        scan_id: uuid::Uuid::now_v7().to_string(),
        guard: "sca".to_owned(),
        service: "pay".to_owned(),
        requested_by: by.to_owned(),
        sources: vec!["code".to_owned()],
        ..ScanRequested::default()
    }
}

pub(crate) fn of_kind<M: EventMessage>(events: &[Envelope]) -> Vec<M> {
    events.iter().filter(|event| event.kind == M::TYPE).map(|event| event.decode().unwrap()).collect()
}

pub(crate) fn found(events: &[Envelope]) -> Vec<String> {
    let observed: Vec<FindingsObserved> = of_kind(events);
    observed.into_iter().flat_map(|chunk| chunk.findings).map(|finding| finding.id).collect()
}

pub(crate) fn write(root: &Path, path: &str, text: &str) {
    let file = root.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}

/// The promises, on one engine.
async fn promises(world: World) {
    let lock = "{\"lockfileVersion\":3,\"packages\":{\"node_modules/left\":{\"version\":\"1.0.0\",\"integrity\":\"sha1-AA=\"}}}\n";
    write(world.folder.path(), "code/package-lock.json", lock);
    world.advise(&[("X-1", "9.9.9")]);
    let first = world.scan("ana").await;
    assert_eq!(found(&first), ["supply-integrity-weak"]);
    assert_eq!(of_kind::<ScanCompleted>(&first)[0].packages, 1);
    assert_eq!(world.journal.unaffected(&world.index(), None).await.unwrap(), ["pay"]);

    // New advisories that are about another version change nothing for the service.
    world.advise(&[("X-1", "9.9.9"), ("X-2", "2.0.0")]);
    assert_eq!(world.journal.unaffected(&world.index(), None).await.unwrap(), ["pay"]);

    // One about this version does; the folder is not there any more.
    std::fs::remove_dir_all(world.folder.path().join("code")).unwrap();
    world.advise(&[("X-1", "9.9.9"), ("X-3", "1.0.0")]);
    assert!(world.journal.unaffected(&world.index(), None).await.unwrap().is_empty());
    let again = world.scan("advisories").await;
    assert_eq!(found(&again), ["X-3", "supply-integrity-weak"], "and what no advisory tells holds still");
    assert_eq!(of_kind::<ScanCompleted>(&again)[0].packages, 1);
    assert_eq!(world.journal.unaffected(&world.index(), None).await.unwrap(), ["pay"], "what was told is known");

    // And it ends when the record does, after another judgement from the store.
    world.advise(&[("X-1", "9.9.9")]);
    assert!(world.journal.unaffected(&world.index(), None).await.unwrap().is_empty());
    assert_eq!(found(&world.scan("advisories").await), ["supply-integrity-weak"]);

    // Of what changes record by record only the packages that changed are judged again.
    let before = world.index().epoch();
    world.amend("X-4", "left", "1.0.0");
    assert_eq!(world.journal.unaffected(&world.index(), Some(before)).await.unwrap(), [""; 0]);
    let after = world.index().epoch();
    assert_eq!(world.journal.unaffected(&world.index(), Some(after)).await.unwrap(), ["pay"]);
    world.amend("X-5", "right", "1.0.0");
    assert_eq!(world.journal.unaffected(&world.index(), Some(after)).await.unwrap(), ["pay"], "it has no right");
    assert_eq!(world.journal.unaffected(&world.index(), Some(before)).await.unwrap(), [""; 0]);
    assert_eq!(world.journal.unaffected(&world.index(), None).await.unwrap(), [""; 0]);
    assert_eq!(found(&world.scan("advisories").await), ["X-4", "supply-integrity-weak"]);

    // Anybody else gets a new look, which says that nothing is there.
    let failed: Vec<ScanFailed> = of_kind(&world.scan("ana").await);
    assert_eq!(failed[0].code, "target_missing");
}

#[tokio::test]
async fn new_advisories_judge_what_was_read_before_on_sqlite() {
    promises(World::sqlite().await).await;
}

#[tokio::test]
async fn new_advisories_judge_what_was_read_before_on_postgres() {
    let Some(world) = World::postgres().await else { return };
    promises(world).await;
}
