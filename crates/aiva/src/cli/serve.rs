//! `aiva serve`: some guards alone. What they decide is recorded where a database or a data directory is configured.

use std::path::Path;
use std::process::ExitCode;

use aiva_chassis::alert::Alerts;
use aiva_chassis::clock;
use aiva_chassis::health::Health;
use aiva_chassis::http::{Stack, admin};
use aiva_chassis::shutdown::supervisor::Supervisor;
use aiva_chassis::shutdown::{Shutdown, Stage};
use aiva_chassis::telemetry::{self, metrics::metrics};
use aiva_egress::service::Guard;
use aiva_store::directory::{DataDirectory, ServerLock};
use aiva_store::{Database, StoreError, migrate};
use anyhow::{Context as _, Result};

use super::terminal::{Terminal, complain};
use super::{Alone, Global, Serve, up};
use crate::settings::{self, Found, flag};
use crate::wiring;

pub(crate) fn run(serve: &Serve, global: &Global, terminal: Terminal) -> Result<ExitCode> {
    let admin = serve.admin_listen.map(|address| flag("--admin-listen", "server.admin_listen", &address.to_string()));
    let egress = serve.egress_listen.map(|address| flag("--egress-listen", "egress.listen", &address.to_string()));
    let found = settings::find(global, admin.into_iter().chain(egress).collect())?;
    for warning in &found.loaded.warnings {
        complain(&format!("warning: {warning}"));
    }
    let runtime = wiring::runtime()?;
    let outcome = runtime.block_on(until_stopped(serve, &found, terminal));
    runtime.shutdown_background();
    outcome
}

async fn until_stopped(serve: &Serve, found: &Found, terminal: Terminal) -> Result<ExitCode> {
    let settings = &found.loaded.config;
    let server = &settings.server;
    let traces = wiring::traces(found)?;
    let (traces, extra) = traces.map_or((None, None), |(traces, extra)| (Some(traces), Some(extra)));
    telemetry::init(&settings.telemetry, clock::system(), extra)?;
    let version = wiring::version();
    metrics().set_build(version.version, version.commit);
    let (shutdown, health) = (Shutdown::new(), Health::new());
    shutdown.on_signals().context("cannot listen for signals")?;
    let supervisor = Supervisor::new(shutdown.clone(), health.clone());
    supervisor.watch_runtime();
    let clock = clock::system();
    let alerts = wiring::alert(found, &supervisor, &clock)?;
    let starting = health.startup_step("start");
    let admin_listener = up::bind("server.admin_listen", "--admin-listen", server.admin_listen).await?;
    let admin_address = admin_listener.address()?;
    let kept = Kept::open(found, &supervisor).await?;
    for guard in &serve.guards {
        match guard {
            Alone::Egress => {
                let guard = wiring::egress_guard(found, &clock)?;
                kept.start(found, &guard, &alerts, &supervisor).await?;
                let listening = wiring::egress(found, guard, &[admin_address], &alerts, &clock, &supervisor)?;
                let tls = listening.tls.map_or_else(String::new, |address| format!("  with TLS https://{address}\n"));
                let address = listening.plain;
                terminal.print(&format!(
                    "The egress proxy is up.\n\n  proxy    http_proxy=http://{address}\n{tls}  health   http://{admin_address}/readyz\n\nCtrl-C stops it.\n"
                ))?;
            }
        }
    }
    let admin = Stack::new(clock::system()).around(admin::routes(health.clone()));
    let admin_task = tokio::spawn(admin_listener.serve(admin, shutdown.stop(Stage::Store)));
    starting.done();
    let failed = tokio::select! {
        () = shutdown.requested() => None,
        error = kept.failed() => Some(error),
    };
    health.drain();
    tokio::time::sleep(server.drain_lead).await;
    let drained = shutdown.drain(server.drain_deadline).await;
    let _admin = admin_task.await;
    if let Some(traces) = traces {
        traces.close().await;
    }
    if let Some(error) = failed {
        return Err(up::fail_stop(error));
    }
    if let Some(warning) = drained.warning() {
        complain(&format!("warning: {warning}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Where decisions are kept, if anywhere.
struct Kept {
    database: Option<Database>,
    /// The embedded database has one server at a time.
    _lock: Option<ServerLock>,
}

impl Kept {
    /// The configured database, else the one of the data directory where one is named. Nobody's home is written to unasked.
    async fn open(found: &Found, supervisor: &Supervisor) -> Result<Self> {
        let settings = &found.loaded.config;
        let data = settings.server.data_dir.as_deref();
        let lock = match (&settings.store.database_url, data) {
            (None, None) => return Ok(Self { database: None, _lock: None }),
            (None, Some(data)) => Some(DataDirectory::open(data)?.lock()?),
            (Some(_), _) => None,
        };
        let database = wiring::database(settings, data.unwrap_or(Path::new("."))).await?;
        migrate::up(&database, wiring::MIGRATIONS, &clock::system()).await.context("the database schema")?;
        wiring::watch_database(&database, supervisor);
        Ok(Self { database: Some(database), _lock: lock })
    }

    /// Has the guard's decisions recorded, stored roles in force, and its tokens honoured, or says once that they are not.
    async fn start(&self, found: &Found, guard: &Guard, alerts: &Alerts, supervisor: &Supervisor) -> Result<()> {
        let settings = &found.loaded.config;
        match &self.database {
            Some(database) => {
                let clock = clock::system();
                let (store, _) = wiring::egress_records(settings, guard, database, alerts, &clock, supervisor).await?;
                wiring::egress_roles(&store, guard, database, supervisor).await?;
            }
            None => tracing::warn!(
                "no records are kept: refusals stand in this log; store.database_url or server.data_dir would keep them"
            ),
        }
        if wiring::egress_tokens(settings, guard, settings.server.data_dir.as_deref())?.is_none() {
            tracing::info!("no decision tokens are honoured: egress.token_key says which ones are good");
        }
        Ok(())
    }

    async fn failed(&self) -> StoreError {
        match &self.database {
            Some(database) => database.failed().await,
            None => std::future::pending().await,
        }
    }
}
