//! Durable events per second: `cargo bench -p aiva-events`.
//!
//! Each write changes a row and appends an event of 300 bytes in one transaction, and counts when it is acknowledged (WAL,
//! `synchronous=FULL`). CPU time is the whole process's. Put `AIVA_BENCH_DIR` on the disk to be measured.

use std::io::Write;
use std::time::{Duration, Instant};

use aiva_chassis::clock;
use aiva_contracts::envelope::EventMessage;
use aiva_events::{Context, MIGRATIONS, NewEvent, outbox};
use aiva_store::migrate::{self, MigrationSet, Phase, Step};
use aiva_store::{Database, Plain, Sqlite, StoreError};

const TABLES: MigrationSet = MigrationSet {
    owner: "bench",
    steps: &[Step {
        version: 1,
        name: "state",
        phase: Phase::Expand,
        sqlite: "CREATE TABLE state (writer INTEGER PRIMARY KEY, number INTEGER)",
        postgres: "SELECT 1",
    }],
};

#[derive(Clone, PartialEq, prost::Message)]
struct Ticked {
    #[prost(bytes = "vec", tag = "1")]
    data: Vec<u8>,
}

impl EventMessage for Ticked {
    const TYPE: &'static str = "aiva.bench.v1.Ticked";
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let base = std::env::var("AIVA_BENCH_DIR").unwrap_or_else(|_| ".".into());
    say("writers   events/s   CPU us/event");
    for writers in [1, 64, 256] {
        let folder = tempfile::tempdir_in(&base)?;
        let db = Sqlite::open(folder.path().join("bench.db")).await?;
        migrate::up(&Database::Sqlite(db.clone()), &[MIGRATIONS, TABLES], &*clock::system()).await?;
        let (cpu, started) = (cpu_time(), Instant::now());
        let until = started + Duration::from_secs(3);
        let tasks: Vec<_> = (0..writers).map(|writer| tokio::spawn(write(db.clone(), writer, until))).collect();
        let mut events = 0;
        for task in tasks {
            events += task.await??;
        }
        let rate = events as f64 / started.elapsed().as_secs_f64();
        let cost = (cpu_time() - cpu).as_secs_f64() * 1e6 / events as f64;
        say(&format!("{writers:>7} {rate:>10.0} {cost:>14.1}"));
    }
    Ok(())
}

async fn write(db: Sqlite, writer: i64, until: Instant) -> Result<u64, StoreError> {
    let mut events = 0;
    while Instant::now() < until {
        let event = NewEvent::of(&Ticked { data: vec![7; 300] }, format!("w{writer}"));
        let context = Context::new("aiva/bench", clock::system().now(), "bench");
        let write = db.write::<_, Plain, _>(move |tx| {
            tx.prepare_cached(
                "INSERT INTO state VALUES (?1, 1) ON CONFLICT (writer) DO UPDATE SET number = number + 1",
            )?
            .execute([writer])?;
            Ok(outbox::sqlite::append(tx, &[event], &context)?)
        });
        write.await?;
        events += 1;
    }
    Ok(events)
}

/// User and system time of all threads, from the kernel's count in ticks of 10 ms.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks =
        |field: usize| after.split_whitespace().nth(field).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
