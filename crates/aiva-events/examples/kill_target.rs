//! A small server to be killed: writers that say what was acknowledged, and a consumer that applies their events.
//!
//! `kill_target FOLDER run [VARIANT]` writes and delivers until it is killed; each acknowledged write is a line `ack W N`.
//! `kill_target FOLDER dump` delivers what is left and prints `state W N` and `effect W N` lines in their order.
//! The variants are defects that a check must catch: `publish-before-commit`, `claim-outside`, `ack-before-commit`.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aiva_chassis::clock;
use aiva_chassis::shutdown::{Shutdown, Stage};
use aiva_contracts::envelope::{Envelope, EventMessage};
use aiva_events::{Context, Dispatcher, HandleError, Handler, MIGRATIONS, NewEvent, inbox, local, outbox};
use aiva_store::migrate::{self, MigrationSet, Phase, Step};
use aiva_store::{Database, Plain, Sqlite, StoreError};
use async_trait::async_trait;

const WRITERS: i64 = 8;
const TYPES: &[&str] = &[Ticked::TYPE];

const TABLES: MigrationSet = MigrationSet {
    owner: "kill",
    steps: &[Step {
        version: 1,
        name: "tables",
        phase: Phase::Expand,
        sqlite: "CREATE TABLE state (writer INTEGER, number INTEGER, PRIMARY KEY (writer, number));
                 CREATE TABLE effects (n INTEGER PRIMARY KEY AUTOINCREMENT, writer INTEGER, number INTEGER)",
        postgres: "SELECT 1",
    }],
};

#[derive(Clone, PartialEq, prost::Message)]
struct Ticked {
    #[prost(int64, tag = "1")]
    writer: i64,
    #[prost(int64, tag = "2")]
    number: i64,
}

impl EventMessage for Ticked {
    const TYPE: &'static str = "aiva.kill.v1.Ticked";
}

#[derive(Clone, Copy, PartialEq)]
enum Variant {
    Sound,
    PublishBeforeCommit,
    ClaimOutside,
    AckBeforeCommit,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, command, rest @ ..] = arguments.as_slice() else { return Err("FOLDER run|dump [VARIANT]".into()) };
    let variant = match rest.first().map(String::as_str) {
        None | Some("sound") => Variant::Sound,
        Some("publish-before-commit") => Variant::PublishBeforeCommit,
        Some("claim-outside") => Variant::ClaimOutside,
        Some("ack-before-commit") => Variant::AckBeforeCommit,
        Some(other) => return Err(format!("no such variant: {other}").into()),
    };
    let db = Sqlite::open(Path::new(folder).join("kill.db")).await?;
    let database = Database::Sqlite(db.clone());
    migrate::up(&database, &[MIGRATIONS, TABLES], &*clock::system()).await?;
    let shutdown = Shutdown::new();
    let handler = Arc::new(Applier { db: db.clone(), variant });
    let dispatcher = Dispatcher::new(database.clone(), clock::system(), local::Options::default()).with(handler);
    let running = tokio::spawn(dispatcher.run(shutdown.stop(Stage::Work)));
    if command == "run" {
        let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(write(db.clone(), writer, variant))).collect();
        for writer in writers {
            writer.await??; // never ends but by a kill
        }
    }
    while local::lag(&database, &clock::system(), "applier", TYPES).await?.events > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    shutdown.stop(Stage::Work).begin();
    shutdown.request();
    drop(running);
    dump(&db).await?;
    Ok(())
}

async fn write(db: Sqlite, writer: i64, variant: Variant) -> Result<(), StoreError> {
    let last = db.read::<_, Plain, _>(move |conn| {
        let sql = "SELECT coalesce(max(number), 0) FROM (SELECT number FROM state WHERE writer = ?1
                   UNION ALL SELECT number FROM effects WHERE writer = ?1)";
        Ok(conn.query_row(sql, [writer], |row| row.get::<_, i64>(0))?)
    });
    for number in last.await? + 1.. {
        let subject = format!("w{writer}");
        let event = NewEvent::of(&Ticked { writer, number }, subject);
        let context = Context::new("aiva/kill", clock::system().now(), "kill");
        if variant == Variant::PublishBeforeCommit {
            let (event, context) = (event.clone(), context.clone());
            db.write::<_, Plain, _>(move |tx| Ok(outbox::sqlite::append(tx, &[event], &context)?)).await?;
        }
        if variant == Variant::AckBeforeCommit {
            say(&format!("ack {writer} {number}"));
        }
        let state = db.write::<_, Plain, _>(move |tx| {
            tx.execute("INSERT INTO state VALUES (?1, ?2)", [writer, number])?;
            if variant != Variant::PublishBeforeCommit {
                outbox::sqlite::append(tx, &[event], &context)?;
            }
            Ok(())
        });
        state.await?;
        if variant != Variant::AckBeforeCommit {
            say(&format!("ack {writer} {number}"));
        }
    }
    Ok(())
}

struct Applier {
    db: Sqlite,
    variant: Variant,
}

#[async_trait]
impl Handler for Applier {
    fn consumer(&self) -> &'static str {
        "applier"
    }

    fn types(&self) -> &'static [&'static str] {
        TYPES
    }

    async fn handle(&self, event: &Envelope) -> Result<(), HandleError> {
        let Ticked { writer, number } = event.decode()?;
        let id = event.id;
        if self.variant == Variant::ClaimOutside {
            let claim = self.db.write::<_, Plain, _>(move |tx| Ok(inbox::sqlite::claim(tx, "applier", id)?));
            if !claim.await? {
                return Ok(());
            }
        }
        let inside = self.variant != Variant::ClaimOutside;
        let apply = self.db.write::<_, Plain, _>(move |tx| {
            if !inside || inbox::sqlite::claim(tx, "applier", id)? {
                tx.execute("INSERT INTO effects (writer, number) VALUES (?1, ?2)", [writer, number])?;
            }
            Ok(())
        });
        Ok(apply.await?)
    }
}

async fn dump(db: &Sqlite) -> Result<(), StoreError> {
    for (name, sql) in [
        ("state", "SELECT writer, number FROM state ORDER BY writer, number"),
        ("effect", "SELECT writer, number FROM effects ORDER BY n"),
    ] {
        let rows = db.read::<_, Plain, _>(move |conn| {
            let mut select = conn.prepare(sql)?;
            let rows = select.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        });
        for (writer, number) in rows.await? {
            say(&format!("{name} {writer} {number}"));
        }
    }
    Ok(())
}

/// One write, so that a kill never leaves half a line that looks like a whole one.
fn say(line: &str) {
    let _ = std::io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}
