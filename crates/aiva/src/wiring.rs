//! Puts the guards together for a server: one function a part, in the order in which they need each other.
//!
//! No policy, SQL or handler here. Start reading at [`Parts::assemble`].

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aiva_authn::Door;
use aiva_authn::bootstrap::TokenFile;
use aiva_chassis::alert::Alerts;
use aiva_chassis::clock::{self, SharedClock};
use aiva_chassis::config::server::{FindingLevel, LogFormat};
use aiva_chassis::config::services::{Cloud as DeclaredCloud, Service as Declared};
use aiva_chassis::health::Impact;
use aiva_chassis::http::access::Format;
use aiva_chassis::http::{AccessLog, Limits, Routes, Stack, grpc};
use aiva_chassis::shutdown::Stage;
use aiva_chassis::shutdown::supervisor::{Policy, Supervisor};
use aiva_chassis::telemetry::otlp;
use aiva_console::Console;
use aiva_contracts::api::{Cloud, CreateService, Guard, ServiceDescription, Version};
use aiva_contracts::envelope::EventMessage as _;
use aiva_contracts::message::scan::v1::ContentsUploaded;
use aiva_egress::service::records::{App, Decisions};
use aiva_events::Dispatcher;
use aiva_events::local::Options;
use aiva_findings::alerts::FindingAlerts;
use aiva_findings::events::{AdvisoryEvents, ScanEvents};
use aiva_findings::ports::Request;
use aiva_findings::service::Findings;
use aiva_findings::store::Store;
use aiva_sca::events::{Scanner, Uploads};
use aiva_sca::service::Service as Sca;
use aiva_sca::store::Journal;
use aiva_sca::workers::{Keeper, Updates};
use aiva_store::migrate::{self, MigrationSet};
use aiva_store::{Database, Postgres, PostgresOptions, SQLITE_FILE, Sqlite, SqliteOptions};
use anyhow::{Context as _, Result};
use axum::Router;

use crate::calls::{self, Downloads};
use crate::cli::scan;
use crate::failure::Failure;
use crate::settings::{Found, Settings};

mod egress;

pub(crate) use egress::{egress, egress_fetches, egress_guard, egress_records, egress_roles, egress_tokens};

/// What a server runs on. What it frees goes back to the system in idle times too, not only when more is asked for; a command
/// that ends soon would pay for that in memory and threads.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    if let Err(error) = tikv_jemalloc_ctl::background_thread::write(true) {
        tracing::debug!(%error, "the allocator gives memory back only when it is used");
    }
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Every crate's schema steps, in the order in which they are applied.
pub(crate) const MIGRATIONS: &[MigrationSet] = &[
    aiva_events::MIGRATIONS,
    aiva_findings::store::MIGRATIONS,
    aiva_egress::store::MIGRATIONS,
    aiva_sca::store::MIGRATIONS,
];

/// The longest body of an uploaded scan.
const UPLOAD_LIMIT: u64 = 64 << 20;

/// How long it can be read in the events what an upload lists: 20 MB for a large one, of which sca keeps what it needs.
const CONTENTS_KEPT: Duration = Duration::from_secs(24 * 3600);

/// The build that runs.
pub(crate) fn version() -> Version {
    Version {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("AIVA_COMMIT").unwrap_or("unknown").to_owned(),
        schema: "aiva.scan/1".to_owned(),
    }
}

/// The store that the configuration chose.
pub(crate) async fn database(settings: &Settings, data: &Path) -> Result<Database> {
    if settings.store.redis_url.is_some() {
        return Err(Failure::new("this release keeps counters and sessions in memory only")
            .hint("leave store.redis_url and REDIS_URL out")
            .into());
    }
    let connections = settings.store.connections;
    let Some(url) = &settings.store.database_url else {
        let readers = usize::try_from(connections).unwrap_or(usize::MAX);
        let options = SqliteOptions { readers, ..SqliteOptions::default() };
        return Ok(Database::Sqlite(Sqlite::open_with(data.join(SQLITE_FILE), options).await?));
    };
    let options = PostgresOptions { connections, ..PostgresOptions::default() };
    let postgres = Postgres::connect_with(url.expose(), options).await.map_err(|error| {
        let (message, hint) = if error.is_transient() {
            (
                "PostgreSQL does not answer",
                "see that it runs and that this machine may reach it; where it is looked for says store.database_url or \
                 DATABASE_URL",
            )
        } else {
            (
                "PostgreSQL cannot be used as configured",
                "look at the user, the password, the database's name and sslmode in store.database_url or DATABASE_URL",
            )
        };
        Failure::new(message).because(error).hint(hint)
    })?;
    Ok(Database::Postgres(postgres))
}

/// How often readiness asks the database.
const ASK_DATABASE: Duration = Duration::from_secs(1);

/// Makes the process not ready while its database does not answer. The embedded one cannot go away: when its disk fails,
/// the process stops.
pub(crate) fn watch_database(database: &Database, supervisor: &Supervisor) {
    if matches!(database, Database::Sqlite(_)) {
        return;
    }
    let (database, health) = (database.clone(), supervisor.health().clone());
    supervisor.spawn("database", Policy::service(Stage::Store), move |stop| {
        let (database, check) = (database.clone(), health.check("database", Impact::Blocks));
        async move {
            while stop.sleep(ASK_DATABASE).await {
                match database.ping().await {
                    Ok(()) => check.up(),
                    Err(error) => {
                        tracing::warn!(error = %error, "the database does not answer");
                        check.down(error.to_string());
                    }
                }
            }
            Ok::<(), std::convert::Infallible>(())
        }
    });
}

/// Everything that a running server is made of.
pub(crate) struct Parts {
    /// The database, for its fail-stop signal.
    pub(crate) database: Database,
    /// Who may come in.
    pub(crate) door: Arc<Door>,
    /// The shared story.
    pub(crate) findings: Findings,
    /// What answers on the public listener.
    pub(crate) router: Router,
    /// Whom to tell.
    pub(crate) alerts: Alerts,
    /// Where services may call out.
    pub(crate) egress: aiva_egress::service::Guard,
}

impl Parts {
    /// Opens the store, starts the workers and builds the router. Nothing listens yet.
    pub(crate) async fn assemble(
        found: &Found,
        data: &Path,
        download: bool,
        supervisor: &Supervisor,
        access_log: AccessLog,
    ) -> Result<Self> {
        let settings = &found.loaded.config;
        let clock = clock::system();
        let alerts = alert(found, supervisor, &clock)?;
        let database = database(settings, data).await?;
        migrate::up(&database, MIGRATIONS, &clock).await.context("the database schema")?;
        watch_database(&database, supervisor);
        let findings = findings(&database, settings, &clock).await?;
        let (sca, journal) = sca(found, data, &database, &clock)?;
        let updates = keep_advisories(settings, &sca, &journal, download, supervisor, &clock);
        deliver(&database, &findings, (&sca, &journal), (&alerts, settings.alerts.findings), supervisor, &clock);
        let egress = egress_guard(found, &clock)?;
        let signer = egress_tokens(settings, &egress, Some(data))?.context("a server has a data directory")?;
        let (records, recorder) = egress_records(settings, &egress, &database, &alerts, &clock, supervisor).await?;
        let fetcher = egress_fetches(found, &recorder, &clock)?;
        let decide = Arc::new(egress.clone());
        let decisions = Decisions { recorder, decide, signer, clock: Arc::clone(&clock) };
        let roles = egress_roles(&records, &egress, &database, supervisor).await?;
        let asked = App { store: records, decisions: decisions.clone(), roles, fetcher };
        let token = TokenFile::within(data);
        token.ensure()?; // before anybody signs in: a token that appears later is another one, and ends the sessions
        let door = Arc::new(Door::new(token, Arc::clone(&clock)));
        let api = || {
            Routes::new()
                .merge(aiva_findings::http::routes(findings.clone()))
                .merge(aiva_sca::http::routes(Arc::clone(&sca), updates.clone()))
                .merge(aiva_egress::http::routes(asked.clone()))
                .merge(aiva_events::http::routes(database.clone(), supervisor.shutdown().stop(Stage::Edge)))
                .merge(aiva_console::meta::routes(version()))
        };
        let origins = settings.server.cors_origins.iter().map(|origin| origin.as_uri().to_string());
        let mcp = aiva_egress::http::mcp::routes(asked.clone(), origins.collect::<Vec<_>>());
        let console = Console::new(api().into_router(), Arc::clone(&clock)).routes();
        let stop = supervisor.shutdown().stop(Stage::Edge);
        let names = [aiva_egress::grpc::NAME];
        let descriptors = [aiva_contracts::FILE_DESCRIPTOR_SET];
        let services = grpc::services(supervisor.health().clone(), stop.clone(), &names, &descriptors)?
            .add_service(aiva_egress::grpc::service(decisions, stop));
        let routes = api().merge(console).merge(mcp).merge(aiva_authn::http::routes(Arc::clone(&door))).grpc(services);
        let router = Stack::configured(&settings.server, clock)
            .limits_for(
                "/v1/services/{service}/uploads",
                Limits { timeout: settings.server.request_timeout, body: UPLOAD_LIMIT },
            )
            .limits_for(aiva_egress::grpc::ROUTE, Limits { timeout: settings.server.request_timeout, body: u64::MAX })
            .access_log(access_log)
            .authenticator(Arc::clone(&door) as Arc<dyn aiva_chassis::http::Authenticator>)
            .around(routes);
        Ok(Self { database, door, findings, router, alerts, egress })
    }

    /// Scans every service that has sources once, because the server has just started, and begins the daily schedule after that.
    pub(crate) async fn start(&self, settings: &Settings, supervisor: &Supervisor) -> Result<()> {
        for service in settings.services.iter().filter(|service| !service.source.is_empty()) {
            let (name, by) = (service.name.clone(), "start".to_owned());
            let request = Request { service: name, guard: Guard::Sca, paths: Vec::new(), by };
            self.findings.request_scan(request).await?;
        }
        schedule(&self.findings, supervisor);
        Ok(())
    }
}

/// Whom to tell of what is wrong; a panic anywhere and a task that is given up tell them.
pub(crate) fn alert(found: &Found, supervisor: &Supervisor, clock: &SharedClock) -> Result<Alerts> {
    let settings = &found.loaded.config;
    let client = calls::client(&settings.outbound, calls::policy(&settings.outbound), &found.base)?;
    let alerts = Alerts::builder(Arc::clone(clock)).configured(&settings.alerts, &client).start(supervisor);
    aiva_chassis::panic::observe(Arc::new(alerts.clone()));
    Ok(alerts)
}

/// The shared story, with what the configuration defines.
async fn findings(database: &Database, settings: &Settings, clock: &SharedClock) -> Result<Findings> {
    let store = Store::new(database.clone(), scan::exceptions(&settings.exceptions)?);
    store.define(clock.now(), settings.services.iter().map(described).collect()).await?;
    Ok(Findings::new(store, Arc::clone(clock)))
}

fn described(declared: &Declared) -> CreateService {
    CreateService {
        name: declared.name.clone(),
        description: ServiceDescription {
            owners: declared.owners.clone(),
            source: declared.source.clone(),
            egress_role: declared.egress_role.clone(),
            oauth_clients: declared.oauth_clients.clone(),
            cloud: declared.cloud.as_ref().map(cloud),
        },
    }
}

fn cloud(declared: &DeclaredCloud) -> Cloud {
    Cloud {
        aws_account: declared.aws_account.clone(),
        azure_subscription: declared.azure_subscription.as_deref().and_then(|id| id.parse().ok()),
        gcp_project: declared.gcp_project.clone(),
        tags: (!declared.tags.is_empty()).then(|| declared.tags.clone()),
    }
}

/// The guard of what services are built from.
fn sca(found: &Found, data: &Path, database: &Database, clock: &SharedClock) -> Result<(Arc<Sca>, Journal)> {
    let settings = &found.loaded.config;
    let client = calls::client(&settings.outbound, calls::policy(&settings.outbound), &found.base)?;
    let parts = aiva_sca::service::Parts {
        advisories: data.join("advisories"),
        base: found.base.clone(),
        from: settings.sca.advisories_from.to_string(),
        max_age: settings.sca.advisories_max_age,
        reading: settings.sca.options(&[]),
        checks: crate::settings::checks(&settings.sca),
        fetch: Arc::new(Downloads(client)),
        clock: Arc::clone(clock),
    };
    Ok((Arc::new(Sca::new(parts)), Journal::new(database.clone())))
}

/// The worker that keeps advisories fresh.
fn keep_advisories(
    settings: &Settings,
    sca: &Arc<Sca>,
    journal: &Journal,
    download: bool,
    supervisor: &Supervisor,
    clock: &SharedClock,
) -> Updates {
    let updates = Updates::default();
    let keeper = Arc::new(Keeper {
        service: Arc::clone(sca),
        journal: journal.clone(),
        updates: updates.clone(),
        every: (download && settings.sca.advisories_update).then_some(settings.sca.advisories_every),
        origin: settings.sca.advisories_from.to_string(),
        clock: Arc::clone(clock),
        check: supervisor.health().check("advisories", Impact::Degrades),
    });
    supervisor.spawn("advisories", Policy::service(Stage::Work), move |stop| {
        let keeper = Arc::clone(&keeper);
        async move { keeper.run(stop).await }
    });
    updates
}

/// The dispatcher: guards answer requests, findings hear the answers.
fn deliver(
    database: &Database,
    findings: &Findings,
    (sca, journal): (&Arc<Sca>, &Journal),
    (alerts, least): (&Alerts, FindingLevel),
    supervisor: &Supervisor,
    clock: &SharedClock,
) {
    let (database, findings, sca) = (database.clone(), findings.clone(), Arc::clone(sca));
    let (journal, alerts, clock) = (journal.clone(), alerts.clone(), Arc::clone(clock));
    supervisor.spawn("events", Policy::service(Stage::Work), move |stop| {
        let dispatcher = Dispatcher::new(database.clone(), Arc::clone(&clock), Options::default())
            .alerts(alerts.clone())
            .brief(ContentsUploaded::TYPE, CONTENTS_KEPT)
            .with(Arc::new(Scanner::new(Arc::clone(&sca), journal.clone(), Arc::clone(&clock))))
            .with(Arc::new(Uploads::new(Arc::clone(&sca), journal.clone(), Arc::clone(&clock))))
            .with(Arc::new(ScanEvents(findings.clone())))
            .with(Arc::new(AdvisoryEvents(findings.clone())))
            .with(Arc::new(FindingAlerts { findings: findings.clone(), alerts: alerts.clone(), least }));
        async move {
            dispatcher.run(stop).await;
            Ok::<(), std::convert::Infallible>(())
        }
    });
}

/// The daily scans and the end of acceptances.
fn schedule(findings: &Findings, supervisor: &Supervisor) {
    let findings = findings.clone();
    supervisor.spawn("schedule", Policy::service(Stage::Work), move |stop| {
        let work = aiva_findings::workers::schedule(findings.clone(), Guard::Sca);
        async move {
            stop.until(work).await;
            Ok::<(), std::convert::Infallible>(())
        }
    });
}

/// The log of requests, in the same form as the log.
pub(crate) fn access_log(settings: &Settings) -> Result<AccessLog> {
    let format = match settings.telemetry.log_format {
        LogFormat::Json => Format::Json,
        LogFormat::Pretty => Format::Pretty,
    };
    AccessLog::start(format, std::io::stderr()).context("cannot start the access log")
}

/// The export of traces, where one is configured.
pub(crate) fn traces(found: &Found) -> Result<Option<(otlp::Traces, aiva_chassis::telemetry::Extra)>> {
    let settings = &found.loaded.config;
    let Some(endpoint) = &settings.telemetry.otlp_endpoint else { return Ok(None) };
    let mut policy = calls::policy(&settings.outbound);
    calls::admit(&mut policy, &endpoint.to_string());
    let client = calls::client(&settings.outbound, policy, &found.base)?;
    let export = otlp::Settings {
        endpoint: endpoint.to_string(),
        ratio: settings.telemetry.sample_ratio,
        service: settings.telemetry.service_name.clone(),
        version: version().version,
    };
    Ok(Some(otlp::Traces::start(&export, otlp::through(client))?))
}
