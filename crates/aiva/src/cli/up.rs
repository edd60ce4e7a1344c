//! `aiva up`: everything in one process on the embedded default.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aiva_chassis::clock::{self, Clock as _, SystemClock};
use aiva_chassis::config::services::Service;
use aiva_chassis::health::Health;
use aiva_chassis::http::{ListenLimits, Listener, Stack, TlsFiles, admin};
use aiva_chassis::shutdown::supervisor::Supervisor;
use aiva_chassis::shutdown::{Shutdown, Stage};
use aiva_chassis::telemetry::{self, metrics::metrics};
use aiva_sca::advisory;
use aiva_store::StoreError;
use aiva_store::directory::DataDirectory;
use anyhow::{Context as _, Result};

use super::terminal::{Terminal, complain};
use super::{Global, Up, remote};
use crate::demo;
use crate::failure::Failure;
use crate::settings::{self, Found, flag};
use crate::wiring::{self, Parts};

pub(crate) fn run(up: &Up, global: &Global, terminal: Terminal) -> Result<ExitCode> {
    let (found, data) = if up.demo { demo_settings(up, global)? } else { own_settings(up, global)? };
    for warning in &found.loaded.warnings {
        complain(&format!("warning: {warning}"));
    }
    let directory = DataDirectory::open(&data)?;
    let _lock = directory.lock()?;
    if up.demo {
        import_demo(&data)?;
    }
    let runtime = wiring::runtime()?;
    let outcome = runtime.block_on(serve(&found, &data, !up.demo && !up.no_update, terminal));
    // Blocking work that was cut off must not hold the process.
    runtime.shutdown_background();
    outcome
}

fn flags(up: &Up) -> Vec<aiva_chassis::config::Flag> {
    let listen = up.listen.map(|address| flag("--listen", "server.listen", &address.to_string()));
    let admin = up.admin_listen.map(|address| flag("--admin-listen", "server.admin_listen", &address.to_string()));
    let egress = up.egress_listen.map(|address| flag("--egress-listen", "egress.listen", &address.to_string()));
    listen.into_iter().chain(admin).chain(egress).collect()
}

fn own_settings(up: &Up, global: &Global) -> Result<(Found, PathBuf)> {
    let mut found = settings::find(global, flags(up))?;
    let data = settings::data_directory(found.loaded.config.server.data_dir.as_deref())?;
    if found.file.is_none() && found.loaded.config.services.is_empty() {
        found.loaded.config.services.push(this_folder(&found.base)?);
    }
    Ok((found, data))
}

/// Without a configuration the current directory is one service.
fn this_folder(base: &Path) -> Result<Service> {
    let folder = base.canonicalize().context("the current directory")?;
    let name: String = folder
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' })
        .take(64)
        .collect();
    let name = if name.is_empty() { "service".to_owned() } else { name };
    Ok(Service {
        name,
        owners: Vec::new(),
        source: vec![".".to_owned()],
        egress_role: None,
        oauth_clients: Vec::new(),
        cloud: None,
    })
}

/// The demo has a data directory of its own: nobody's findings are mixed with an example's.
fn demo_settings(up: &Up, global: &Global) -> Result<(Found, PathBuf)> {
    if global.config.is_some() {
        return Err(Failure::new("--demo brings its own configuration")
            .hint("leave --config out, or leave --demo out")
            .into());
    }
    let data = match global.data_dir.clone().or_else(|| std::env::var_os("AIVA_DATA_DIR").map(PathBuf::from)) {
        Some(data) => data,
        None => settings::data_directory(None)?.with_file_name("aiva-demo"),
    };
    DataDirectory::open(&data)?;
    let root = demo::unpack(&data).context("cannot unpack the demo")?;
    let demo = Global { config: Some(root.join("aiva.toml")), data_dir: Some(data.clone()), ..global.clone() };
    Ok((settings::find(&demo, flags(up))?, data))
}

fn import_demo(data: &Path) -> Result<()> {
    let source = data.join("demo").join("advisories");
    let report = advisory::import(&[source], &data.join("advisories"), SystemClock.now(), &|_| {})?;
    super::advisories::warn_of_bad(&report);
    Ok(())
}

async fn serve(found: &Found, data: &Path, download: bool, terminal: Terminal) -> Result<ExitCode> {
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
    let starting = health.startup_step("start");
    let listener = bind("server.listen", "--listen", server.listen).await?.limits(ListenLimits::configured(server));
    let listener = match &server.tls {
        Some(tls) => listener.tls(TlsFiles::configured(tls).acceptor()?),
        None => listener,
    };
    let admin_listener = bind("server.admin_listen", "--admin-listen", server.admin_listen).await?;
    let (address, admin_address) = (listener.address()?, admin_listener.address()?);
    let parts = Parts::assemble(found, data, download, &supervisor, wiring::access_log(settings)?).await?;
    let egress = wiring::egress(
        found,
        parts.egress.clone(),
        &[address, admin_address],
        &parts.alerts,
        &clock::system(),
        &supervisor,
    )?
    .plain;
    let admin = Stack::new(clock::system()).around(admin::routes(health.clone()));
    let admin_task = tokio::spawn(admin_listener.serve(admin, shutdown.stop(Stage::Store)));
    let public_task = tokio::spawn(listener.serve(parts.router.clone(), shutdown.stop(Stage::Edge)));
    parts.start(settings, &supervisor).await?;
    starting.done();
    let scheme = if server.tls.is_some() { "https" } else { "http" };
    remote::announce(&DataDirectory::open(data)?, scheme, address)?;
    welcome(&parts, scheme, [address, admin_address, egress], terminal)?;
    let failed = tokio::select! {
        () = shutdown.requested() => None,
        error = parts.database.failed() => Some(error),
    };
    health.drain();
    tokio::time::sleep(server.drain_lead).await;
    let drained = shutdown.drain(server.drain_deadline).await;
    let (_admin, _public) = tokio::join!(admin_task, public_task);
    if let Some(traces) = traces {
        traces.close().await;
    }
    if let Some(error) = failed {
        return Err(fail_stop(error));
    }
    if let Some(warning) = drained.warning() {
        complain(&format!("warning: {warning}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The end of a server whose database has failed under it.
pub(super) fn fail_stop(error: StoreError) -> anyhow::Error {
    Failure::new("the database can promise nothing any more, so the server stopped")
        .because(error)
        .hint("look at the disk, then start it again; nothing that was acknowledged is lost")
        .into()
}

/// `flag` is what gives it another address.
pub(super) async fn bind(key: &str, flag: &str, address: SocketAddr) -> Result<Listener> {
    Listener::bind(address).await.map_err(|error| {
        Failure::new(format!("cannot listen on {address} ({key})"))
            .because(error)
            .hint(format!("stop what listens there, or take another address with {flag}; port 0 takes a free one"))
            .into()
    })
}

fn welcome(parts: &Parts, scheme: &str, listening: [SocketAddr; 3], terminal: Terminal) -> Result<()> {
    let [address, admin, egress] = listening;
    let base = format!("{scheme}://{address}");
    let link = parts.door.console_link(&base)?;
    terminal.print(&format!(
        "AIVA is up.\n\n  console  {link}\n           (signs you in once, within 10 minutes)\n  API      {base}/v1, its documentation {base}/docs\n  \
         health   http://{admin}/readyz, metrics http://{admin}/metrics\n  \
         egress   http_proxy=http://{egress} for services that call out\n\nCtrl-C stops it.\n"
    ))?;
    Ok(())
}
