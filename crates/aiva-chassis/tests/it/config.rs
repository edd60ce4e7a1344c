//! Configuration: layers, mistakes, provenance, the example.

use std::collections::BTreeMap;
use std::time::Duration;

use aiva_chassis::config::server::{Alerts, Outbound, Server, Store, Telemetry};
use aiva_chassis::config::services::{Exception, Service, check_catalogue};
use aiva_chassis::config::{self, ConfigError, Flag, Loaded, Profile, Reader, Sources};
use aiva_chassis::config_section;

config_section! {
    /// The whole tree, as the binary composes it, and a map such as a guard has.
    pub struct Root checks check_root {
        /// Listening.
        pub server: Server;
        /// Logs and traces.
        pub telemetry: Telemetry;
        /// Alerts.
        pub alerts: Alerts;
        /// Outbound calls.
        pub outbound: Outbound;
        /// State.
        pub store: Store;
        /// Services.
        pub services: Vec<Service>;
        /// Exceptions.
        pub exceptions: Vec<Exception>;
        /// A guard's section.
        pub egress: Egress;
    }
}

config_section! {
    /// What a guard declares for itself.
    pub struct Egress {
        /// Roles by name.
        pub roles: BTreeMap<String, Role>;
    }
}

config_section! {
    /// One role.
    pub struct Role {
        /// Its mode.
        pub mode: String = "enforce";
        /// Where it may call.
        pub allow_domains: Vec<String>, example "[\"api.stripe.com\"]";
    }
}

fn check_root(root: &Root, reader: &mut Reader<'_>) {
    check_catalogue(&root.services, &root.exceptions, reader);
}

/// Reads a file's text, variables (`NAME=value`) and flags (`--name key=value`).
fn load(file: &str, env: &[&str], flags: &[(&str, &str, &str)]) -> Result<Loaded<Root>, ConfigError> {
    let pair = |text: &&str| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    config::load(&Sources {
        file: Some(("aiva.toml", file)),
        env: env.iter().filter_map(pair).collect(),
        flags: flags
            .iter()
            .map(|(name, key, value)| Flag { name: (*name).into(), key: (*key).into(), value: (*value).into() })
            .collect(),
        open: &|path| match path {
            "/run/key" => Ok("from a file\n".to_owned()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        },
    })
}

#[track_caller]
fn refused(file: &str, env: &[&str], want: &[&str]) {
    let error = load(file, env, &[]).expect_err("it should be refused");
    let got: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
    assert_eq!(got, want);
}

#[test]
fn without_anything_the_defaults_hold() {
    let loaded = load("", &[], &[]).unwrap();
    assert_eq!(loaded.config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(loaded.config.server.drain_deadline, Duration::from_secs(30));
    assert_eq!(loaded.config.server.rate_limit.per_client, 50);
    assert_eq!(loaded.config.server.profile, Profile::Development);
    assert!(loaded.config.server.tls.is_none() && loaded.config.services.is_empty());
    assert!(loaded.warnings.is_empty(), "the defaults are safe: {:?}", loaded.warnings);
}

#[test]
fn the_example_of_the_design_is_read() {
    let file = r##"
[server]
listen = "127.0.0.1:8080"
[[services]]
name = "checkout"
owners = ["#team-pay"]
source = ["services/checkout"]
egress_role = "checkout"
oauth_clients = ["checkout-web"]
cloud = { aws_account = "111122223333", tags = { service = "checkout" } }
[egress.roles.checkout]
mode = "enforce"
allow_domains = ["api.stripe.com", "*.example.net"]
[[exceptions]]
guard = "sca"
match = { id = "CVE-2026-0001", package = "left-pad" }
owner = "ana@example.com"
reason = "not reachable: build-time only"
expires = 2027-01-31
"##;
    let Root { services, exceptions, egress, .. } = load(file, &[], &[]).unwrap().config;
    assert_eq!(services[0].cloud.as_ref().unwrap().tags["service"], "checkout");
    assert_eq!(egress.roles["checkout"].allow_domains, ["api.stripe.com", "*.example.net"]);
    assert_eq!(exceptions[0].r#match.package.as_deref(), Some("left-pad"));
    assert_eq!(exceptions[0].expires.to_string(), "2027-01-31");
}

#[test]
fn later_layers_win_and_every_value_knows_its_layer() {
    let file = "[server]\nlisten = \"10.0.0.1:80\"\nadmin_listen = \"127.0.0.1:1\"\nbody_limit = \"2MiB\"\n";
    let env = [
        "PORT=9999", // only the port: the address stays the file's
        "AIVA__SERVER__BODY_LIMIT=3MiB",
        "AIVA__SERVER__ADMIN_LISTEN=127.0.0.1:2",
        "AIVA__SERVER__TRUSTED_PROXIES=10.0.0.0/8, 192.168.0.1",
        "AIVA__TELEMETRY__SAMPLE_RATIO=0.5",
        "AIVA__EGRESS__ROLES__CHECKOUT__MODE=learn",
        "HOME=/root",
        "PATH=/bin",
    ];
    let loaded = load(file, &env, &[("--admin-listen", "server.admin_listen", "127.0.0.1:3")]).unwrap();
    let config = &loaded.config;
    assert_eq!(config.server.listen.to_string(), "10.0.0.1:9999");
    assert_eq!(config.server.admin_listen.port(), 3);
    assert_eq!(config.server.body_limit.to_string(), "3MiB");
    assert_eq!(config.server.trusted_proxies.len(), 2);
    assert_eq!(config.telemetry.sample_ratio, 0.5);
    assert_eq!(config.egress.roles["checkout"].mode, "learn");
    let source = |key: &str| loaded.entries.iter().find(|entry| entry.key == key).unwrap().source.to_string();
    assert_eq!(source("server.listen"), "environment PORT");
    assert_eq!(source("server.admin_listen"), "flag --admin-listen");
    assert_eq!(source("server.body_limit"), "environment AIVA__SERVER__BODY_LIMIT");
    assert_eq!(source("server.drain_deadline"), "default");
    let plain = load(file, &[], &[]).unwrap();
    assert_eq!(plain.entries.iter().find(|e| e.key == "server.body_limit").unwrap().source.to_string(), "aiva.toml:4");
}

#[test]
fn port_alone_stays_on_loopback_and_the_exact_name_wins() {
    assert_eq!(load("", &["PORT=3000"], &[]).unwrap().config.server.listen.to_string(), "127.0.0.1:3000");
    let env = ["PORT=3000", "AIVA__SERVER__LISTEN=127.0.0.1:4000"];
    assert_eq!(load("", &env, &[]).unwrap().config.server.listen.port(), 4000);
    refused(
        "",
        &["PORT=http"],
        &["environment PORT: server.listen: expected an IP address and port, like \"127.0.0.1:8080\", found \"http\""],
    );
}

#[test]
fn all_mistakes_are_told_at_once_with_their_place() {
    let file = r#"[server]
lisen = "127.0.0.1:8080"
admin_listen = "nowhere"
request_timeout = 30
rate_limit = { per_client = -1 }

[telemetry]
sample_ratio = 7

[[services]]
name = "a b"

[[services]]
owners = "team"

[colour]
"#;
    refused(
        file,
        &["AIVA__STORE__CONNECTIONS=many", "AIVA__SERVER__DRAIN=1s"],
        &[
            "aiva.toml:16: colour: unknown key; known here: server, telemetry, alerts, outbound, store, services, exceptions, egress",
            "environment AIVA__SERVER__DRAIN: server.drain: unknown key; known here: listen, admin_listen, admin_guarded, data_dir, profile, trusted_proxies, cors_origins, request_timeout, header_timeout, body_limit, connections, drain_lead, drain_deadline, rate_limit, tls",
            "aiva.toml:2: server.lisen: unknown key; did you mean `listen`?",
            "aiva.toml:3: server.admin_listen: expected an IP address and port, like \"127.0.0.1:8080\", found \"nowhere\"",
            "aiva.toml:4: server.request_timeout: expected a duration, like \"250ms\", \"30s\" or \"1h30m\", found an integer",
            "aiva.toml:5: server.rate_limit.per_client: expected an integer from 0 to 4294967295, found \"-1\" (invalid digit found in string)",
            "aiva.toml:8: telemetry.sample_ratio: must lie between 0 and 1",
            "environment AIVA__STORE__CONNECTIONS: store.connections: expected an integer from 0 to 4294967295, found \"many\" (invalid digit found in string)",
            "aiva.toml:11: services[0].name: is not a name: 1 to 64 letters, digits, - and _",
            "aiva.toml:13: services[1].name: is required",
            "aiva.toml:14: services[1].owners: expected a list, found a string",
        ],
    );
}

#[test]
fn broken_syntax_names_its_line() {
    let error = load("[server]\nlisten = \n", &[], &[]).unwrap_err();
    assert!(error.to_string().starts_with("aiva.toml:2: "), "{error}");
    let error = load("[server]\nlisten = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"\n", &[], &[]).unwrap_err();
    assert!(error.to_string().starts_with("aiva.toml:3: "), "{error}");
}

#[test]
fn one_entry_is_judged_beside_the_others() {
    let file = "[[services]]\nname = \"a\"\n[[services]]\nname = \"a\"\n[[exceptions]]\nguard = \"sca\"\nmatch = { service = \"b\" }\nowner = \"o\"\nreason = \"r\"\nexpires = 2027-01-31\n";
    refused(
        file,
        &[],
        &[
            "aiva.toml:4: services[1].name: \"a\" is there twice",
            "aiva.toml:7: exceptions[0].match.service: there is no service \"b\"",
        ],
    );
}

#[test]
fn a_secret_is_read_from_its_place_and_never_shown() {
    let file = "[alerts]\nwebhook_url = \"https://a.example\"\nwebhook_key = { file = \"/run/key\" }\nslack_webhook = { env = \"SLACK\" }\n";
    let loaded =
        load(file, &["SLACK=https://hooks.example/T0", "DATABASE_URL=postgres://u:hunter2@localhost/x"], &[]).unwrap();
    assert_eq!(loaded.config.alerts.webhook_key.as_ref().unwrap().expose(), "from a file");
    assert_eq!(loaded.config.alerts.slack_webhook.as_ref().unwrap().expose(), "https://hooks.example/T0");
    assert!(loaded.config.store.database_url.as_ref().unwrap().expose().contains("hunter2"));
    let shown = format!("{}{:?}", loaded.print(), loaded);
    for hidden in ["hunter2", "from a file", "hooks.example"] {
        assert!(!shown.contains(hidden), "{hidden} in {shown}");
    }
    let print = loaded.print();
    let line = print.lines().find(|line| line.starts_with("store.database_url")).unwrap();
    assert_eq!(
        line.split_whitespace().collect::<Vec<_>>().join(" "),
        "store.database_url = \"[redacted]\" # environment DATABASE_URL"
    );
}

#[test]
fn a_secret_out_of_place_is_refused_without_being_shown() {
    refused(
        "[alerts]\nslack_webhook = \"https://hooks.example/T0\"\n",
        &[],
        &[
            "aiva.toml:2: alerts.slack_webhook: a secret does not belong in the file: write { env = \"NAME\" } or { file = \"/path\" }",
        ],
    );
    refused(
        "[alerts]\nslack_webhook = { env = \"A\", file = \"/b\" }\n",
        &[],
        &["aiva.toml:2: alerts.slack_webhook: expected exactly one of { env = \"NAME\" } and { file = \"/path\" }"],
    );
    refused(
        "[store]\ndatabase_url = { env = \"NOT_SET\" }\nredis_url = { file = \"/nowhere\" }\n",
        &[],
        &[
            "aiva.toml:2: store.database_url: environment variable NOT_SET is not set",
            "aiva.toml:3: store.redis_url: /nowhere cannot be read: entity not found",
        ],
    );
    let error = load("", &[], &[("--database-url", "store.database_url", "postgres://u:hunter2@h/x")]).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("flag --database-url: store.database_url: a secret does not belong on the command line")
    );
    assert!(!error.to_string().contains("hunter2"));
}

#[test]
fn production_refuses_what_development_warns_of() {
    let unsafe_settings = r#"
[server]
listen = "0.0.0.0:80"
admin_listen = "0.0.0.0:9090"
cors_origins = ["http://a.example"]
body_limit = "1GiB"
[server.rate_limit]
per_client = 0
[telemetry]
log_level = "debug"
otlp_endpoint = "http://collector.example:4318"
[alerts]
webhook_url = "http://hooks.example/x"
[[outbound.exceptions]]
network = "0.0.0.0/0"
reason = "all of it"
"#;
    let env = ["DATABASE_URL=postgres://u:p@db.example/x?sslmode=disable", "REDIS_URL=redis://cache.example"];
    let warned: Vec<String> =
        load(unsafe_settings, &env, &[]).unwrap().warnings.into_iter().map(|problem| problem.key).collect();
    let want = [
        "server.rate_limit.per_client",
        "server.listen",
        "server.admin_listen",
        "server.cors_origins",
        "server.body_limit",
        "telemetry.log_level",
        "telemetry.otlp_endpoint",
        "alerts.webhook_url", // not encrypted
        "alerts.webhook_url", // not signed
        "outbound.exceptions[0].network",
        "store.database_url",
        "store.redis_url",
    ];
    assert_eq!(warned, want);
    let error =
        load(&unsafe_settings.replace("[server]\n", "[server]\nprofile = \"production\"\n"), &env, &[]).unwrap_err();
    assert_eq!(error.problems.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), want);
    assert!(error.problems.iter().all(|problem| problem.message.contains("production")));

    let guarded = "[server]\nprofile = \"production\"\nlisten = \"0.0.0.0:80\"\nadmin_listen = \"0.0.0.0:9090\"\nadmin_guarded = true\ntrusted_proxies = [\"10.0.0.0/8\"]\n";
    load(guarded, &[], &[]).unwrap();
}

const INTRO: &str = "AIVA's configuration: every key with its default. Generated from the types; do not edit.\n\
    A line that begins with # and no blank is an example that is switched off.\n\
    Every key can also be set as AIVA__SECTION__KEY, lists with commas; flags win over both.\n";

#[test]
fn the_example_is_what_the_types_say_and_loads() {
    let text = config::example::<Root>(INTRO);
    let from_example = load(&text, &[], &[]).unwrap();
    let values = |loaded: &Loaded<Root>| -> Vec<(String, String)> {
        loaded.entries.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect()
    };
    assert_eq!(values(&from_example), values(&load("", &[], &[]).unwrap()), "as it stands it is the defaults");

    let switched_on: String = text
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(line)))
        .collect();
    let env = [
        "SLACK_WEBHOOK_URL=https://hooks.example/T",
        "AIVA_PROXY_CREDENTIALS=u:p",
        "DATABASE_URL=postgres://localhost/x",
        "REDIS_URL=redis://localhost",
    ];
    let on = switched_on.replace("/run/secrets/aiva-webhook-key", "/run/key");
    let loaded = load(&on, &env, &[]).unwrap_or_else(|error| panic!("{error}\n\n{on}"));
    assert_eq!(loaded.config.services[0].name, "checkout");
    assert!(loaded.config.server.tls.is_some() && loaded.config.egress.roles.contains_key("NAME"));
    for documented in
        ["# Also from the environment: PORT.", "#[[services]]", "#[egress.roles.NAME]", "drain_deadline = \"30s\""]
    {
        assert!(text.lines().any(|line| line == documented), "{documented} is missing in:\n{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_the_reader(file in "\\PC{0,60}", value in "\\PC{0,20}") {
        let _ = load(&file, &[&format!("AIVA__SERVER__LISTEN={value}"), &format!("AIVA__{value}=1")], &[]);
    }
}
