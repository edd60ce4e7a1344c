//! A database with a table of effects, a clock, and a consumer that applies events to the table.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aiva_chassis::resilience::Backoff;
use aiva_chassis::shutdown::{Shutdown, Stage};
use aiva_contracts::envelope::Envelope;
use aiva_events::{Context, Dispatcher, HandleError, Handler, NewEvent, inbox, local, outbox};
use aiva_store::migrate::{self, MigrationSet, Phase, Step};
use aiva_store::{Database, Plain, Postgres, Sqlite};
use aiva_testkit::clock::FakeClock;
use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::message::Ticked;

pub(crate) const IT: MigrationSet = MigrationSet {
    owner: "it",
    steps: &[Step {
        version: 1,
        name: "effects",
        phase: Phase::Expand,
        sqlite: "CREATE TABLE effects (n INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT, subject TEXT, number INTEGER)",
        postgres: "CREATE TABLE effects (n BIGSERIAL PRIMARY KEY, event_id TEXT, subject TEXT, number BIGINT)",
    }],
};

pub(crate) const SETS: &[MigrationSet] = &[aiva_events::MIGRATIONS, IT];

pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) clock: FakeClock,
    _folder: Option<tempfile::TempDir>,
}

impl World {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::Sqlite(Sqlite::open(folder.path().join("it.db")).await.unwrap());
        Self::migrated(database, Some(folder)).await
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let url = aiva_testkit::postgres::database().await?;
        Some(Self::migrated(Database::Postgres(Postgres::connect(&url).await.unwrap()), None).await)
    }

    async fn migrated(database: Database, folder: Option<tempfile::TempDir>) -> Self {
        let clock = FakeClock::default();
        migrate::up(&database, SETS, &clock).await.unwrap();
        Self { database, clock, _folder: folder }
    }

    pub(crate) async fn append(&self, ticks: &[(&str, u64)]) {
        let events: Vec<_> = ticks.iter().map(|(subject, number)| tick(subject, *number)).collect();
        append(&self.database, events).await;
    }

    pub(crate) async fn effects(&self) -> Vec<(String, u64)> {
        let sql = "SELECT subject, number FROM effects ORDER BY n";
        match &self.database {
            Database::Sqlite(db) => db
                .read::<_, Plain, _>(move |conn| {
                    let mut select = conn.prepare(sql)?;
                    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
                    Ok(rows.collect::<Result<_, _>>()?)
                })
                .await
                .unwrap(),
            Database::Postgres(db) => {
                let rows: Vec<(String, i64)> = sqlx::query_as(sql).fetch_all(db.pool()).await.unwrap();
                rows.into_iter().map(|(subject, number)| (subject, number.unsigned_abs())).collect()
            }
        }
    }

    /// Starts a dispatcher that tries each event at most twice, at once.
    pub(crate) fn dispatch(&self, handler: Arc<dyn Handler>) -> Running {
        self.dispatch_as(handler, |dispatcher| dispatcher)
    }

    /// The same with a dispatcher that the test has had its hands on.
    pub(crate) fn dispatch_as(&self, handler: Arc<dyn Handler>, set: impl FnOnce(Dispatcher) -> Dispatcher) -> Running {
        let at_once = Backoff { first: Duration::ZERO, most: Duration::ZERO };
        let options =
            local::Options { backoff: at_once, attempts: 2, lease: Duration::from_secs(3), ..Default::default() };
        let shutdown = Shutdown::new();
        let stop = shutdown.stop(Stage::Work);
        let dispatcher = Dispatcher::new(self.database.clone(), self.clock.shared(), options).with(handler);
        let task = tokio::spawn(set(dispatcher).run(stop.clone()));
        Running { task, shutdown, stop }
    }
}

pub(crate) struct Running {
    task: tokio::task::JoinHandle<()>,
    shutdown: Shutdown,
    stop: aiva_chassis::shutdown::Stop,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.begin();
        self.shutdown.request();
        self.task.await.unwrap();
    }

    /// As a killed process would.
    pub(crate) async fn abandon(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

pub(crate) fn tick(subject: &str, number: u64) -> NewEvent {
    NewEvent::of(&Ticked { number }, subject)
}

pub(crate) fn context() -> Context {
    Context::new("aiva/test", "2026-01-01T00:00:00Z".parse().unwrap(), "chain")
}

pub(crate) async fn append(database: &Database, events: Vec<NewEvent>) {
    match database {
        Database::Sqlite(db) => {
            db.write::<_, Plain, _>(move |tx| Ok(outbox::sqlite::append(tx, &events, &context())?)).await.unwrap();
        }
        Database::Postgres(db) => {
            let append = db.write::<_, Plain, _>(|tx| {
                let events = events.clone();
                Box::pin(async move { Ok(outbox::postgres::append(tx, &events, &context()).await?) })
            });
            append.await.unwrap();
        }
    }
}

/// What a test makes of an event before it is applied.
pub(crate) type Judge = Box<dyn Fn(&str, u64) -> Result<(), HandleError> + Send + Sync>;

/// Applies ticks to the table once, and tells the test.
pub(crate) struct Applier {
    database: Database,
    judge: Mutex<Judge>,
    told: mpsc::UnboundedSender<(String, u64)>,
}

impl Applier {
    pub(crate) fn new(world: &World, judge: Judge) -> (Arc<Self>, mpsc::UnboundedReceiver<(String, u64)>) {
        let (told, hears) = mpsc::unbounded_channel();
        (Arc::new(Self { database: world.database.clone(), judge: Mutex::new(judge), told }), hears)
    }
}

#[async_trait]
impl Handler for Applier {
    fn consumer(&self) -> &'static str {
        "applier"
    }

    fn types(&self) -> &'static [&'static str] {
        &["aiva.test.v1.Ticked"]
    }

    async fn handle(&self, event: &Envelope) -> Result<(), HandleError> {
        let number = event.decode::<Ticked>()?.number;
        (self.judge.lock().unwrap_or_else(std::sync::PoisonError::into_inner))(&event.subject, number)?;
        let (id, subject) = (event.id, event.subject.clone());
        let row = (id.to_string(), subject.clone(), i64::try_from(number).unwrap());
        match &self.database {
            Database::Sqlite(db) => {
                let apply = db.write::<_, Plain, _>(move |tx| {
                    if inbox::sqlite::claim(tx, "applier", id)? {
                        tx.execute("INSERT INTO effects (event_id, subject, number) VALUES (?1, ?2, ?3)", row)?;
                    }
                    Ok(())
                });
                apply.await?;
            }
            Database::Postgres(db) => {
                let apply = db.write::<_, Plain, _>(|tx| {
                    let row = row.clone();
                    Box::pin(async move {
                        if inbox::postgres::claim(tx, "applier", id).await? {
                            sqlx::query("INSERT INTO effects (event_id, subject, number) VALUES ($1, $2, $3)")
                                .bind(row.0)
                                .bind(row.1)
                                .bind(row.2)
                                .execute(tx)
                                .await?;
                        }
                        Ok(())
                    })
                });
                apply.await?;
            }
        }
        let _ = self.told.send((subject, number));
        Ok(())
    }
}

/// The next `count` events that were applied; a test that hangs fails.
pub(crate) async fn hear(hears: &mut mpsc::UnboundedReceiver<(String, u64)>, count: usize) -> Vec<(String, u64)> {
    let mut heard = Vec::new();
    while heard.len() < count {
        let next = tokio::time::timeout(Duration::from_secs(60), hears.recv()).await;
        heard.push(next.unwrap_or_else(|_| panic!("only {heard:?} of {count}")).unwrap());
    }
    heard
}

/// Waits until `look` finds something; a test that hangs fails.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(mut look: impl FnMut() -> F) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), looking).await.expect("it comes true in time")
}
