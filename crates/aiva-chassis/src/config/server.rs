//! The chassis' own sections: `[server]`, `[telemetry]`, `[alerts]`, `[outbound]`, `[store]`.
//!
//! The checks below are the list of what the production profile refuses, each beside the section it judges.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::Reader;
use super::types::{ByteSize, HttpUrl, Network, Profile};
use crate::secret::Secret;
use crate::{config_section, config_words};

config_section! {
    /// Where AIVA listens, what it keeps, and what it lets a client do.
    pub struct Server checks check_server {
        /// Console, REST API and gRPC, all on one address.
        /// The variable PORT replaces only the port.
        pub listen: SocketAddr = "127.0.0.1:8080", env "PORT" via replace_port;
        /// Probes, metrics and profiles; nothing here asks for a password.
        pub admin_listen: SocketAddr = "127.0.0.1:9090";
        /// Says that something else (a network policy, a firewall) guards an admin address that is not loopback.
        pub admin_guarded: bool = false;
        /// Where the database, the advisory index and the keys are kept; "aiva" in the user's data home if left out.
        pub data_dir: Option<PathBuf>, example "\"/var/lib/aiva\"", env "AIVA_DATA_DIR";
        /// Development warns of unsafe settings, production refuses them.
        pub profile: Profile = "development";
        /// Proxies whose X-Forwarded-For is believed. A client's address is taken from nobody else.
        pub trusted_proxies: Vec<Network>, example "[\"10.0.0.0/8\"]";
        /// Origins of web pages that may call the API.
        pub cors_origins: Vec<HttpUrl>, example "[\"https://console.example.com\"]";
        /// How long a request may take in all.
        pub request_timeout: Duration = "30s";
        /// How long a client may take to send its request's head.
        pub header_timeout: Duration = "10s";
        /// The largest body that is read.
        pub body_limit: ByteSize = "1MiB";
        /// How many connections are open at once; further ones wait to be accepted.
        pub connections: usize = 4096;
        /// After SIGTERM: how long to say "not ready" before refusing connections, for load balancers that need it.
        pub drain_lead: Duration = "0s";
        /// After SIGTERM: how long work in hand may take before it is cut off.
        pub drain_deadline: Duration = "30s";
        /// How many requests are answered.
        pub rate_limit: RateLimit;
        /// Certificate and key; a proxy in front speaks TLS if left out.
        pub tls: Option<Tls>;
    }
}

config_section! {
    /// How many requests are answered; the rest get 429 with Retry-After. 0 turns a limit off.
    pub struct RateLimit checks check_rate_limit {
        /// Per client address and second.
        pub per_client: u32 = 50;
        /// How many a client may send at once after a pause.
        pub client_burst: u32 = 100;
        /// For all clients together, per second.
        pub whole: u32 = 2000;
        /// How many all clients together may send at once.
        pub whole_burst: u32 = 4000;
    }
}

config_section! {
    /// Certificate and key, to speak TLS 1.2 and 1.3 without a proxy in front.
    pub struct Tls {
        /// The certificate chain, PEM.
        pub certificate_file: PathBuf, example "\"/etc/aiva/tls.crt\"";
        /// Its private key, PEM.
        pub key_file: PathBuf, example "\"/etc/aiva/tls.key\"";
    }
}

fn check_server(server: &Server, reader: &mut Reader<'_>) {
    if server.profile == Profile::Production {
        reader.production();
    }
    if server.listen == server.admin_listen && server.listen.port() != 0 {
        reader.refuse("admin_listen", "is the same as server.listen");
    }
    if server.drain_deadline.is_zero() {
        reader.refuse("drain_deadline", "must not be zero: work in hand would be cut off at once");
    }
    if server.request_timeout.is_zero() {
        reader.refuse("request_timeout", "must not be zero: no request could be answered");
    }
    if server.connections == 0 {
        reader.refuse("connections", "must not be zero: nobody could connect");
    }
    if !is_loopback(server.listen.ip()) && server.tls.is_none() && server.trusted_proxies.is_empty() {
        reader.hazard("listen", "is reachable from other machines without TLS: set [server.tls], or trusted_proxies if a proxy speaks TLS in front");
    }
    if !is_loopback(server.admin_listen.ip()) && !server.admin_guarded {
        reader.hazard("admin_listen", "is reachable from other machines and asks for no password: bind it to loopback, or set admin_guarded if something else keeps strangers out");
    }
    if server.trusted_proxies.iter().any(Network::is_everything) {
        reader.hazard("trusted_proxies", "trusts everybody, so any client can claim any address");
    }
    if server.cors_origins.iter().any(|origin| !origin.is_private()) {
        reader.hazard("cors_origins", "admits a page that was loaded without encryption");
    }
    if server.body_limit.0 > 256 << 20 {
        reader.hazard("body_limit", "is over 256MiB: a few requests could use up the memory");
    }
}

fn check_rate_limit(limit: &RateLimit, reader: &mut Reader<'_>) {
    if limit.per_client == 0 {
        reader.hazard("per_client", "is off: one client can use up the service");
    }
    for (key, rate, burst) in
        [("client_burst", limit.per_client, limit.client_burst), ("whole_burst", limit.whole, limit.whole_burst)]
    {
        if rate > 0 && burst == 0 {
            reader.refuse(key, "must not be zero while its limit is on: no request could pass");
        }
    }
}

config_words! {
    /// How log lines look.
    pub enum LogFormat {
        /// One JSON object a line.
        Json = "json",
        /// For people.
        Pretty = "pretty",
    }
}

config_words! {
    /// From where on a message is logged.
    pub enum LogLevel {
        /// Only failures.
        Error = "error",
        /// And what may become one.
        Warn = "warn",
        /// And what happened.
        Info = "info",
        /// And how.
        Debug = "debug",
        /// And everything else.
        Trace = "trace",
    }
}

config_section! {
    /// Logs and traces. Metrics are always at /metrics of the admin address.
    pub struct Telemetry checks check_telemetry {
        /// "pretty" for people, "json" for machines.
        pub log_format: LogFormat = "pretty";
        /// "error", "warn", "info", "debug" or "trace".
        pub log_level: LogLevel = "info";
        /// Levels of single parts, which win over log_level.
        pub log_filter: Option<String>, example "\"aiva_events=debug\"", env "RUST_LOG";
        /// Where traces go (OTLP over HTTP); nowhere if left out.
        pub otlp_endpoint: Option<HttpUrl>, example "\"http://127.0.0.1:4318\"", env "OTEL_EXPORTER_OTLP_ENDPOINT";
        /// The share of traces that are kept, 0 to 1, where the caller has not decided.
        pub sample_ratio: f64 = 0.1;
        /// The name under which traces appear.
        pub service_name: String = "aiva", env "OTEL_SERVICE_NAME";
    }
}

fn check_telemetry(telemetry: &Telemetry, reader: &mut Reader<'_>) {
    if !(0.0..=1.0).contains(&telemetry.sample_ratio) {
        reader.refuse("sample_ratio", "must lie between 0 and 1");
    }
    if let Some(filter) = &telemetry.log_filter
        && let Err(error) = tracing_subscriber::EnvFilter::builder().parse(filter)
    {
        reader.refuse("log_filter", format!("is not a filter: {error}"));
    }
    if matches!(telemetry.log_level, LogLevel::Debug | LogLevel::Trace) {
        reader.hazard("log_level", "may write personal data to the log");
    }
    if telemetry.otlp_endpoint.as_ref().is_some_and(|url| !url.is_private()) {
        reader.hazard("otlp_endpoint", "sends traces without encryption");
    }
}

config_words! {
    /// How grave an alert is.
    pub enum AlertLevel {
        /// For the record.
        Info = "info",
        /// Look at it today.
        Warning = "warning",
        /// Look at it now.
        Error = "error",
        /// Wake somebody.
        Critical = "critical",
    }
}

config_words! {
    /// From which severity on a new finding is an alert.
    pub enum FindingLevel {
        /// Never.
        Off = "off",
        /// Malicious packages and what scores 9.0 or more.
        Critical = "critical",
        /// What scores 7.0 or more as well.
        High = "high",
        /// What scores 4.0 or more as well.
        Medium = "medium",
        /// Everything with a severity.
        Low = "low",
    }
}

config_section! {
    /// Whom to tell when something is wrong. Alerts always go to the log as well.
    pub struct Alerts checks check_alerts {
        /// A Slack incoming webhook; its URL is a secret.
        pub slack_webhook: Option<Secret>, example "{ env = \"SLACK_WEBHOOK_URL\" }";
        /// Any other receiver: alerts are posted to it as JSON.
        pub webhook_url: Option<HttpUrl>, example "\"https://alerts.example.com/aiva\"";
        /// The key that those posts are signed with.
        pub webhook_key: Option<Secret>, example "{ file = \"/run/secrets/aiva-webhook-key\" }";
        /// The least grave alert that is sent.
        pub level: AlertLevel = "warning";
        /// Alerts of one cause within this time are one message.
        pub window: Duration = "10m";
        /// From which severity on a new finding is an alert: "critical", "high", "medium", "low", or "off".
        pub findings: FindingLevel = "high";
    }
}

fn check_alerts(alerts: &Alerts, reader: &mut Reader<'_>) {
    if alerts.slack_webhook.as_ref().is_some_and(|url| !url.expose().starts_with("https://")) {
        reader.refuse("slack_webhook", "is not an https URL");
    }
    if alerts.webhook_key.is_some() && alerts.webhook_url.is_none() {
        reader.refuse("webhook_key", "has no webhook_url to go with");
    }
    if alerts.webhook_url.as_ref().is_some_and(|url| !url.is_private()) {
        reader.hazard("webhook_url", "sends alerts without encryption");
    }
    if alerts.webhook_url.is_some() && alerts.webhook_key.is_none() {
        reader.hazard("webhook_url", "gets posts that are not signed: set webhook_key");
    }
}

config_section! {
    /// Every call that AIVA itself makes: advisories, webhooks, clouds, traces.
    pub struct Outbound checks check_outbound {
        /// An HTTP proxy that the calls go through.
        pub proxy: Option<HttpUrl>, example "\"http://proxy.example.com:3128\"";
        /// Its user and password, as "user:password".
        pub proxy_credentials: Option<Secret>, example "{ env = \"AIVA_PROXY_CREDENTIALS\" }";
        /// Certificate authorities to trust beside the public ones, PEM.
        pub extra_ca_files: Vec<PathBuf>, example "[\"/etc/ssl/company-ca.pem\"]";
        /// Private addresses that may be called all the same.
        pub exceptions: Vec<OutboundException>;
    }
}

config_section! {
    /// One host or network that AIVA may call although it is not public: a mirror, an internal webhook.
    pub struct OutboundException checks check_outbound_exception {
        /// The host, by name; or give a network.
        pub host: Option<String>, example "\"mirror.internal\"";
        /// The addresses.
        pub network: Option<Network>, example "\"10.20.0.0/16\"";
        /// The ports; all if empty.
        pub ports: Vec<u16>, example "[443]";
        /// Why.
        pub reason: String, example "\"advisory mirror\"";
    }
}

fn check_outbound(outbound: &Outbound, reader: &mut Reader<'_>) {
    if outbound.proxy_credentials.is_some() && outbound.proxy.is_none() {
        reader.refuse("proxy_credentials", "has no proxy to go with");
    }
}

fn check_outbound_exception(exception: &OutboundException, reader: &mut Reader<'_>) {
    if exception.host.is_none() && exception.network.is_none() {
        reader.refuse("reason", "the exception names neither a host nor a network");
    }
    if exception.network.is_some_and(|network| network.is_everything()) {
        reader.hazard("network", "lets AIVA call everything");
    }
}

config_section! {
    /// Where state is kept. Left out: SQLite in the data directory, counters and caches in memory.
    pub struct Store checks check_store {
        /// PostgreSQL, as postgres://user:password@host/name.
        pub database_url: Option<Secret>, example "{ env = \"DATABASE_URL\" }", env "DATABASE_URL";
        /// The most connections to PostgreSQL, or readers of SQLite.
        pub connections: u32 = 8;
        /// Redis, for counters and caches that several processes share.
        pub redis_url: Option<Secret>, example "{ env = \"REDIS_URL\" }", env "REDIS_URL";
    }
}

fn check_store(store: &Store, reader: &mut Reader<'_>) {
    if store.connections == 0 {
        reader.refuse("connections", "must not be zero");
    }
    let schemes = [
        ("database_url", &store.database_url, ["postgres://", "postgresql://"]),
        ("redis_url", &store.redis_url, ["redis://", "rediss://"]),
    ];
    for (key, url, schemes) in schemes {
        let Some(url) = url else { continue };
        if !schemes.iter().any(|scheme| url.expose().starts_with(scheme)) {
            reader.refuse(key, format!("does not start with {}", schemes.join(" or ")));
        }
        let local = ["@localhost", "@127.0.0.1", "@[::1]", "//localhost", "//127.0.0.1", "//[::1]"];
        let open = url.expose().contains("sslmode=disable") || url.expose().starts_with("redis://");
        if open && !local.iter().any(|host| url.expose().contains(host)) {
            reader.hazard(key, "talks to another machine without encryption");
        }
    }
}

/// `PORT` tells the port and nothing else, so the address stays what the file says, or loopback.
fn replace_port(port: &str, listen: Option<&str>) -> String {
    let address = listen.and_then(|listen| listen.parse::<SocketAddr>().ok());
    match (address, port.parse::<u16>()) {
        (Some(address), Ok(port)) => SocketAddr::new(address.ip(), port).to_string(),
        (None, Ok(port)) => format!("127.0.0.1:{port}"),
        (_, Err(_)) => port.to_owned(),
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}
