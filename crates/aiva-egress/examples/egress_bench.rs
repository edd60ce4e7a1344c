//! The proxy alone, for measuring: one thread, a role of 1,000 names, loopback opened by a block, one decision line a
//! request. Only loopback is ever connected to.
//!
//! `egress_bench 127.0.0.1:4750 [decisions.log]`; see `benches/egress/README.md`.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aiva_chassis::shutdown::{Shutdown, Stage};
use aiva_egress::proxy::answer::Answer;
use aiva_egress::proxy::judge::{Allowed, Ask, Bounds, Finished, Form, Judge, Network, Permit, Presented, Ruling};
use aiva_egress::proxy::{Listen, Proxy, Settings};
use aiva_egress::tunnel::inspect::Inspection;
use aiva_outbound::policy::{Mode, Names, Ports};
use aiva_outbound::resolve::Dns;
use aiva_outbound::{Engine, Policy, Prefix, Question};
use async_trait::async_trait;

/// Writes decision lines in groups of 64 KiB.
struct Log(Mutex<io::BufWriter<Box<dyn io::Write + Send>>>);

struct Bench {
    policy: Policy,
    engine: Engine,
    dns: Dns,
    log: Arc<Log>,
    role: Arc<str>,
}

#[async_trait]
impl Judge for Bench {
    async fn judge(&self, who: Presented<'_>, ask: Ask<'_>) -> Ruling {
        let denied =
            |reason: &str| Ruling::Refuse(Box::new(Answer::denied("bench", reason, "0", "not allowed".to_owned())));
        let target = match ask.target {
            Ok(target) => target,
            Err(reason) => return denied(reason.name()),
        };
        let verdict = self.engine.decide(&self.policy, &self.dns, Question::new(&target)).await;
        if !verdict.is_allowed() {
            return denied(verdict.reason());
        }
        let connect_to = verdict.connect_to;
        let permit = Logged { log: Arc::clone(&self.log), from: who.peer.address, form: ask.form, to: target.origin() };
        Ruling::Allow(Box::new(Allowed {
            role: Arc::clone(&self.role),
            target: Arc::new(target),
            connect_to,
            bounds: Bounds::default(),
            inspection: Inspection::default(),
            permit: Arc::new(permit),
        }))
    }

    async fn changed(&self, _since: u64) -> u64 {
        std::future::pending().await
    }
}

struct Logged {
    log: Arc<Log>,
    from: Option<SocketAddr>,
    form: Form,
    to: String,
}

impl Permit for Logged {
    fn id(&self) -> String {
        "0".to_owned()
    }

    fn holds(&self, _connected: SocketAddr) -> bool {
        true
    }

    fn allows_name(&self, _name: &str) -> bool {
        true
    }

    fn finish(&self, finished: &Finished) {
        let mut log = self.log.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A full disk is not what is measured.
        let _lost = writeln!(
            log,
            "{{\"from\":{:?},\"form\":{:?},\"to\":{:?},\"address\":{:?},\"status\":{:?},\"sent\":{},\"received\":{}}}",
            self.from, self.form, self.to, finished.connected, finished.status, finished.sent, finished.received
        );
    }
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().and_then(|text| text.parse().ok()).ok_or(io::ErrorKind::InvalidInput)?;
    let file = std::fs::File::create(arguments.next().unwrap_or_else(|| "/dev/null".to_owned()))?;
    let allow_names = (0..1000).filter_map(|index| Names::new(&format!("*.service-{index}.example"))).collect();
    let allow_blocks = "127.0.0.0/8".parse::<Prefix>().into_iter().collect();
    let policy = Policy { mode: Mode::Enforce, allow_names, allow_blocks, ports: Ports::Any, ..Policy::public() };
    let log = Arc::new(Log(Mutex::new(io::BufWriter::with_capacity(64 * 1024, Box::new(file)))));
    let judge =
        Arc::new(Bench { policy, engine: Engine::default(), dns: Dns::system(), log, role: Arc::from("bench") });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listen = Listen { address, tls: None };
        let proxy = Proxy::bind(Settings::default(), vec![listen], judge, Arc::new(Network))?;
        proxy.serve(Shutdown::new().stop(Stage::Edge)).await
    })
}
