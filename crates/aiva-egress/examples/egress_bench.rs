//! The proxy alone, for measuring: the product's guard on one thread, a role of 1,000 names, loopback opened by a block,
//! metrics, and one record a decision, written in groups. Only loopback is ever connected to.
//!
//! `egress_bench 127.0.0.1:4750 [decisions.log]`; see `benches/egress/README.md`.
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use aiva_chassis::clock;
use aiva_chassis::shutdown::{Shutdown, Stage};
use aiva_egress::audit::Recorder;
use aiva_egress::config::role::AllowedCidr;
use aiva_egress::config::{DEFAULT, Egress, Role};
use aiva_egress::ports::{Group, Journal};
use aiva_egress::proxy::judge::Network;
use aiva_egress::proxy::{Listen, Proxy, Settings};
use aiva_egress::service::Guard;
use aiva_store::StoreError;
use async_trait::async_trait;
use jiff::civil::Date;

/// As in the product.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How many records are written before whoever waits for the thread has his turn. In the product the journal has threads of its
/// own; here everything is on one.
const AT_ONCE: usize = 16;

/// Writes records as lines of JSON.
struct Log(Mutex<io::BufWriter<Box<dyn io::Write + Send>>>);

impl Log {
    /// A full disk is not what is measured.
    fn lines<T: serde::Serialize>(&self, rows: impl ExactSizeIterator<Item = T>) {
        let mut text = Vec::with_capacity(512 * rows.len());
        for row in rows {
            let _lost = serde_json::to_writer(&mut text, &row);
            text.push(b'\n');
        }
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _lost = log.write_all(&text);
    }
}

#[async_trait]
impl Journal for Log {
    async fn write(&self, group: Arc<Group>) -> Result<(), StoreError> {
        for records in group.records.chunks(AT_ONCE) {
            self.lines(records.iter());
            tokio::task::yield_now().await;
        }
        for ends in group.ends.chunks(AT_ONCE) {
            self.lines(ends.iter().map(|end| (end.id, &end.ended)));
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

fn egress() -> Egress {
    let loopback = |cidr: &str| AllowedCidr { cidr: cidr.to_owned(), owner: "bench".to_owned(), expires: Date::MAX };
    let role = Role {
        allow_domains: (0..1000).map(|index| format!("*.service-{index}.example")).collect(),
        allow_cidrs: vec![loopback("127.0.0.0/8")],
        ports: Vec::new(),
        ..Role::default()
    };
    Egress { roles: [(DEFAULT.to_owned(), role)].into(), ..Egress::default() }
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().and_then(|text| text.parse().ok()).ok_or(io::ErrorKind::InvalidInput)?;
    let file = std::fs::File::create(arguments.next().unwrap_or_else(|| "/dev/null".to_owned()))?;
    let log = Log(Mutex::new(io::BufWriter::with_capacity(64 * 1024, Box::new(file))));
    let (guard, _) = Guard::new(egress(), clock::system()).map_err(io::Error::other)?;
    let recorder = Recorder::default();
    guard.record(recorder.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let shutdown = Shutdown::new();
        let stop = shutdown.stop(Stage::Store);
        tokio::spawn(async move { recorder.run(&log, None, |_| (), stop).await });
        let listen = Listen { address, tls: None };
        let proxy = Proxy::bind(Settings::default(), vec![listen], Arc::new(guard), Arc::new(Network))
            .map_err(io::Error::other)?;
        proxy.serve(shutdown.stop(Stage::Edge)).await
    })
}
