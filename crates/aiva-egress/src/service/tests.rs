//! Roles, callers and budgets, as one configuration says and as the next one does.

use std::net::IpAddr;

use aiva_chassis::clock;
use aiva_outbound::Target;
use aiva_outbound::resolve::Fixed;

use super::*;
use crate::meters::WRONG_CREDENTIALS;
use crate::proxy::judge::Form;
use crate::{audit, config};

/// A role with nothing special about it.
pub(crate) fn role(name: &str) -> Arc<Role> {
    let (guard, _) = guard(&[(name, "")], &[]);
    guard.role(Some(name)).unwrap()
}

fn resolvers() -> Resolvers {
    Box::new(|servers| {
        // Another set of name servers knows another address.
        let inside = if servers.is_empty() { [10, 0, 0, 1] } else { [93, 184, 216, 40] };
        let names: [(&str, IpAddr); 4] = [
            ("a.example.com", [93, 184, 216, 34].into()),
            ("b.example.com", [93, 184, 216, 35].into()),
            ("inside.example.com", inside.into()),
            ("meta.example.com", [169, 254, 169, 254].into()),
        ];
        Arc::new(Fixed::new(names))
    })
}

/// Roles as they stand in a file.
pub(crate) fn egress(roles: &[(&str, &str)], callers: &[(&str, &str, &str)]) -> Egress {
    aiva_chassis::config_section! {
        /// As in the program.
        struct Root {
            /// The section.
            egress: Egress;
        }
    }
    let mut text = String::new();
    for (name, keys) in roles {
        text.push_str(&format!("[egress.roles.{name}]\n{keys}\n"));
    }
    for (name, role, source) in callers {
        text.push_str(&format!("[egress.callers.{name}]\nrole = \"{role}\"\nsources = [\"{source}\"]\n"));
    }
    let sources = aiva_chassis::config::Sources {
        file: Some(("aiva.toml", &text)),
        env: std::collections::BTreeMap::new(),
        flags: Vec::new(),
        open: &|_| Err(std::io::ErrorKind::NotFound.into()),
    };
    match aiva_chassis::config::load::<Root>(&sources) {
        Ok(loaded) => loaded.config.egress,
        Err(error) => panic!("{error}\n{text}"),
    }
}

fn guard(roles: &[(&str, &str)], callers: &[(&str, &str, &str)]) -> (Guard, InForce) {
    Guard::with_resolvers(egress(roles, callers), clock::system(), resolvers()).unwrap()
}

fn peer(from: &str) -> Peer {
    Peer { address: Some(format!("{from}:5000").parse().unwrap()), ..Peer::default() }
}

async fn ask(guard: &Guard, from: &str, form: Form, text: &str) -> Ruling {
    let peer = peer(from);
    let (method, target) = match form {
        Form::Request => ("GET", Target::parse(text)),
        Form::Tunnel => ("CONNECT", Target::tunnel(text)),
    };
    let who = Presented { peer: &peer, credentials: None, token: None };
    guard.judge(who, Ask { form, method, text, target }).await
}

/// "role" or "status reason".
async fn verdict(guard: &Guard, from: &str, form: Form, text: &str) -> String {
    match ask(guard, from, form, text).await {
        Ruling::Allow(allowed) => allowed.role.to_string(),
        Ruling::Refuse(answer) => format!("{} {}", answer.status, answer.reason),
    }
}

const STRICT: &str = r#"allow_domains = ["*.example.com"]"#;

#[tokio::test]
async fn without_a_configuration_any_public_name_may_be_reached() {
    let (guard, told) = guard(&[], &[]);
    assert_eq!(told, InForce { roles: 1, callers: 0, ended: Vec::new() });
    guard.listens(&["93.184.216.35:443".parse().unwrap()]);
    for (url, want) in [
        ("https://a.example.com/", "default"),
        ("https://inside.example.com/", "403 address-internal"),
        ("https://b.example.com/", "403 address-self"),
        ("http://b.example.com/", "default"),
        ("https://gone.example.com/", "502 dns-not-found"),
        ("https://a.example.com:8443/", "403 port-not-allowed"),
        ("https://a@b@c/", "403 second-at"),
    ] {
        assert_eq!(verdict(&guard, "192.0.2.1", Form::Request, url).await, want, "{url}");
    }
}

#[tokio::test]
async fn a_role_is_what_its_table_says() {
    for (keys, url, want) in [
        (STRICT, "https://a.example.com/", "default"),
        (STRICT, "https://a.example.org/", "403 name-not-allowed"),
        (STRICT, "https://meta.example.com/", "403 address-metadata"),
        (r#"mode = "report""#, "https://a.example.com:8443/", "default"),
        (r#"mode = "learn""#, "https://a.example.com:8443/", "default"),
        (r#"mode = "learn""#, "https://inside.example.com/", "403 address-internal"),
        (r#"mode = "open""#, "https://a.example.com/", "default"),
        ("mode = \"open\"\nports = [8443]", "https://a.example.com/", "403 port-not-allowed"),
        ("mode = \"open\"\nports = []", "https://a.example.com:8443/", "default"),
        ("mode = \"open\"\nschemes = [\"https\"]", "http://a.example.com/", "403 scheme-not-allowed"),
        ("mode = \"open\"\nmethods = [\"POST\"]", "http://a.example.com/", "403 method-not-allowed"),
        ("mode = \"open\"\npaths = [\"/v1\"]", "http://a.example.com/v2", "403 path-not-allowed"),
        ("mode = \"open\"\npaths = [\"/v1\"]", "http://a.example.com/v1/x", "default"),
        ("mode = \"open\"\ndeny_domains = [\"a.example.com\"]", "http://a.example.com/", "403 name-denied"),
        ("mode = \"open\"\ndeny_cidrs = [\"93.184.216.34\"]", "http://a.example.com/", "403 address-denied"),
        ("mode = \"open\"\ndns.servers = [\"192.0.2.53:53\"]", "http://inside.example.com/", "default"),
        (
            "mode = \"open\"\nallow_cidrs = [{ cidr = \"10.0.0.0/24\", owner = \"ana\", expires = 9000-01-01 }]",
            "http://inside.example.com/",
            "default",
        ),
        (
            "mode = \"open\"\nexceptions.x = { address = \"10.0.0.1\", owner = \"ana\", reason = \"y\", expires = 9000-01-01 }",
            "http://inside.example.com/",
            "default",
        ),
        (
            "exceptions.x = { host = \"inside.example.com\", owner = \"ana\", reason = \"y\", expires = 2020-01-01 }",
            "http://inside.example.com/",
            "403 exception-expired",
        ),
    ] {
        let (guard, _) = guard(&[("default", keys)], &[]);
        assert_eq!(verdict(&guard, "192.0.2.1", Form::Request, url).await, want, "{keys} {url}");
    }
}

#[tokio::test]
async fn callers_have_their_roles_and_strangers_the_default() {
    let roles = [("default", ""), ("shop", STRICT), ("lab", r#"mode = "open""#)];
    let (guard, told) = guard(&roles, &[("one", "shop", "10.1.0.0/16"), ("two", "lab", "10.1.7.0/24")]);
    assert_eq!((told.roles, told.callers), (3, 2));
    for (from, want) in [("10.1.1.1", "shop"), ("10.1.7.1", "lab"), ("10.2.0.1", "403 name-not-allowed")] {
        assert_eq!(verdict(&guard, from, Form::Tunnel, "a.example.com:443").await, want, "{from}");
    }
    let peer = peer("10.1.1.1");
    let who = Presented { peer: &peer, credentials: Some(b"Basic b25lOng="), token: None };
    let target = Target::tunnel("a.example.com:443");
    let asked = Ask { form: Form::Tunnel, method: "CONNECT", text: "a.example.com:443", target };
    let Ruling::Refuse(answer) = guard.judge(who, asked).await else { panic!("wrong credentials were let in") };
    assert_eq!((answer.status, answer.reason.as_str()), (407, WRONG_CREDENTIALS));
}

#[tokio::test]
async fn a_reload_closes_what_it_forbids_and_nothing_else() {
    let roles = [("default", ""), ("shop", STRICT)];
    let callers = [("one", "shop", "10.1.0.0/16")];
    let (guard, _) = guard(&roles, &callers);
    let Ruling::Allow(tunnel) = ask(&guard, "10.1.1.1", Form::Tunnel, "a.example.com:443").await else {
        panic!("not allowed")
    };
    let connected = tunnel.connect_to[0];
    let changed = guard.changed(0);
    assert!(tunnel.permit.holds(connected) && !tunnel.permit.holds("93.184.216.99:443".parse().unwrap()));
    let other = |keys: &'static str| [("default", ""), ("shop", keys)];
    for (roles, callers, want) in [
        (other(r#"allow_domains = ["a.example.com"]"#), &callers[..], true),
        (other(r#"allow_domains = ["b.example.com"]"#), &callers[..], false),
        (other(STRICT), &callers[..], true),
        (other("mode = \"open\"\ndeny_cidrs = [\"93.184.216.0/24\"]"), &callers[..], false),
        (other(STRICT), &[], false), // the caller is a stranger now
        (other(STRICT), &[("other", "shop", "10.0.0.0/8")], true),
    ] {
        guard.reload(egress(&roles, callers)).unwrap();
        assert_eq!(tunnel.permit.holds(connected), want, "{roles:?} {callers:?}");
    }
    assert_eq!(changed.await, 6);
}

#[tokio::test]
async fn what_cannot_be_judged_by_leaves_the_old_policy_in_force() {
    let (guard, _) = guard(&[("default", STRICT)], &[]);
    let mut bad = egress(&[("default", r#"mode = "open""#)], &[]);
    bad.roles.get_mut("default").unwrap().deny_domains.push("http://x".to_owned());
    let error = guard.reload(bad).unwrap_err();
    assert!(error.to_string().starts_with("egress.roles.default.deny_domains[0]: "), "{error}");
    assert_eq!(verdict(&guard, "192.0.2.1", Form::Request, "http://a.example.org/").await, "403 name-not-allowed");
}

#[tokio::test]
async fn a_spent_budget_says_so_and_outlives_a_reload() {
    let limited = "mode = \"open\"\n[egress.roles.default.budgets]\nrequests = 2\ntunnels = 1\nwindow = \"52w\"";
    let (guard, _) = guard(&[("default", limited)], &[]);
    let tunnel = ask(&guard, "192.0.2.1", Form::Tunnel, "a.example.com:443").await;
    assert_eq!(verdict(&guard, "192.0.2.1", Form::Tunnel, "a.example.com:443").await, "429 budget-tunnels");
    drop(tunnel);
    // What was refused has used nothing.
    assert_eq!(verdict(&guard, "192.0.2.1", Form::Tunnel, "a.example.com:443").await, "default");
    assert_eq!(verdict(&guard, "192.0.2.1", Form::Tunnel, "a.example.com:443").await, "429 budget-requests");
    guard.reload(egress(&[("default", &limited.replace("= 2", "= 3"))], &[])).unwrap();
    assert_eq!(verdict(&guard, "192.0.2.1", Form::Tunnel, "a.example.com:443").await, "default");
    assert_eq!(verdict(&guard, "192.0.2.1", Form::Request, "http://a.example.com/").await, "429 budget-requests");
    // What is denied anyway is denied for its own reason.
    assert_eq!(verdict(&guard, "192.0.2.1", Form::Request, "http://meta.example.com/").await, "403 address-metadata");
    let told = limited.replace("open", "report");
    guard.reload(egress(&[("default", &told)], &[])).unwrap();
    assert_eq!(verdict(&guard, "192.0.2.1", Form::Request, "http://a.example.com/").await, "default");
}

#[test]
fn what_has_ended_is_told_at_once() {
    let keys = "exceptions.x = { host = \"x.corp\", owner = \"ana\", reason = \"y\", expires = 2020-01-01 }";
    let (guard, told) = guard(&[("shop", keys)], &[]);
    assert_eq!(told.ended, ["role shop: exception x of ana"]);
    assert_eq!(guard.next_end(), None);
}

#[test]
fn an_empty_table_is_the_default() {
    let read = egress(&[("x", "")], &[]);
    assert_eq!(format!("{:?}", read.roles["x"]), format!("{:?}", config::Role::default()));
    let nothing = egress(&[], &[]);
    assert_eq!(format!("{nothing:?}"), format!("{:?}", Egress::default()));
}

#[derive(Default)]
struct Kept(Mutex<Vec<crate::ports::Group>>);

#[async_trait]
impl crate::ports::Journal for Kept {
    async fn write(&self, group: Arc<crate::ports::Group>) -> Result<(), aiva_store::StoreError> {
        self.0.lock().unwrap().push((*group).clone());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn every_decision_is_a_record_with_the_id_that_was_told() {
    use crate::decision::Outcome as Kind;
    let limited = "allow_domains = [\"*.example.com\"]\n[egress.roles.shop.budgets]\nrequests = 1\nwindow = \"52w\"";
    let (guard, _) = guard(&[("shop", limited)], &[("one", "shop", "10.1.0.0/16")]);
    let recorder = Recorder::default();
    guard.record(recorder.clone());
    let journal = Arc::new(Kept::default());
    let shutdown = aiva_chassis::shutdown::Shutdown::new();
    let (kept, stop) = (Arc::clone(&journal), shutdown.stop(aiva_chassis::shutdown::Stage::Store));
    let writer = tokio::spawn(async move { recorder.run(&*kept, None, |_| (), stop).await });
    let mut ids = Vec::new();
    for (from, url) in [
        ("10.1.1.1", "http://a.example.com/secret"),
        ("10.1.1.1", "http://a.example.com/"),
        ("10.1.1.1", "http://meta.example.com/"),
        ("10.1.1.1", "http://gone.example.com/"),
        ("10.1.1.1", "http://a@b@c/"),
        ("192.0.2.1", "http://b.example.com/"),
    ] {
        match ask(&guard, from, Form::Request, url).await {
            Ruling::Allow(allowed) => {
                ids.push(allowed.permit.id());
                let finished = crate::proxy::judge::Finished { status: Some(200), received: 7, ..Default::default() };
                allowed.permit.finish(&finished);
            }
            Ruling::Refuse(answer) => ids.push(answer.id.unwrap()),
        }
    }
    let peer = peer("10.1.1.1");
    let who = Presented { peer: &peer, credentials: Some(b"Basic eDp5"), token: None };
    let target = aiva_outbound::Target::parse("http://a.example.com/");
    let ask = Ask { form: Form::Request, method: "GET", text: "http://a.example.com/", target };
    let Ruling::Refuse(answer) = guard.judge(who, ask).await else { panic!("wrong credentials were let in") };
    ids.push(answer.id.unwrap());
    shutdown.drain(std::time::Duration::from_secs(60)).await;
    writer.await.unwrap();
    let records: Vec<_> = journal.0.lock().unwrap().iter().flat_map(|group| group.records.clone()).collect();
    let told: Vec<_> = records
        .iter()
        .map(|one| {
            (&*one.who.role, &*one.who.caller, one.outcome, &*one.reason, one.ended.as_ref().map(|end| end.received))
        })
        .collect();
    assert_eq!(
        told,
        [
            ("shop", "one", Kind::Allow, "allowed", Some(7)),
            ("shop", "one", Kind::Deny, "budget-requests", None),
            ("shop", "one", Kind::Deny, "address-metadata", None),
            ("shop", "one", Kind::Unresolved, "dns-not-found", None),
            ("shop", "one", Kind::Deny, "second-at", None),
            ("default", "192.0.2.1", Kind::Allow, "allowed", Some(7)),
            ("default", "10.1.1.1", Kind::Deny, "credentials-wrong", None),
        ]
    );
    let written: Vec<String> = records.iter().map(|one| one.id.to_string()).collect();
    assert_eq!(written, ids);
    assert!(!format!("{records:?}").contains("secret"));
}

struct Given;

impl crate::ports::Tokens for Given {
    fn read(&self, token: &[u8], _now: jiff::Timestamp) -> Result<crate::ports::Pinned, crate::ports::BadToken> {
        let bad = crate::ports::BadToken::Invalid;
        let (name, last) = std::str::from_utf8(token).ok().and_then(|text| text.split_once(' ')).ok_or(bad)?;
        let host = aiva_outbound::Host::Name(name.to_owned());
        let addresses = vec![IpAddr::from([93, 184, 216, last.parse().map_err(|_| bad)?])];
        Ok(crate::ports::Pinned { role: Arc::from("shop"), host, port: 443, addresses })
    }
}

#[tokio::test]
async fn a_token_is_good_for_its_own_place_under_the_policy_in_force() {
    let (guard, _) = guard(&[("default", ""), ("shop", STRICT)], &[]);
    let redeem = async |token: &'static str, text: &str| {
        let peer = peer("192.0.2.1");
        let who = Presented { peer: &peer, credentials: None, token: Some(token.as_bytes()) };
        let asked = Ask { form: Form::Tunnel, method: "CONNECT", text, target: Target::tunnel(text) };
        match guard.judge(who, asked).await {
            Ruling::Allow(allowed) => {
                assert!(allowed.permit.holds(allowed.connect_to[0]), "{token}");
                format!("{} {:?}", allowed.role, allowed.connect_to)
            }
            Ruling::Refuse(answer) => answer.reason,
        }
    };
    assert_eq!(redeem("a.example.com 99", "a.example.com:443").await, "token-invalid", "nobody reads them yet");
    guard.honour(Arc::new(Given));
    // Not what the name means now.
    assert_eq!(redeem("a.example.com 99", "a.example.com:443").await, "shop [93.184.216.99:443]");
    assert_eq!(redeem("a.example.com 99", "b.example.com:443").await, "token-mismatch");
    assert_eq!(redeem("a.example.com 99", "a.example.com:80").await, "token-mismatch");
    assert_eq!(redeem("garbage", "a.example.com:443").await, "token-invalid");
    guard.reload(egress(&[("shop", "allow_domains = [\"b.example.com\"]")], &[])).unwrap();
    assert_eq!(redeem("a.example.com 99", "a.example.com:443").await, "name-not-allowed");
    guard.reload(egress(&[("default", STRICT)], &[])).unwrap();
    assert_eq!(redeem("a.example.com 99", "a.example.com:443").await, "token-role", "the role is gone");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stands_still_ends_in_what_the_configuration_says() {
    for (stalled, want) in [(audit::Stalled::Deny, "503 records-stalled"), (audit::Stalled::Log, "default")] {
        let (guard, _) = guard(&[], &[]);
        // Nobody writes: the first record keeps the only room.
        guard.record(Recorder::new(audit::Settings { room: 1, stalled, ..audit::Settings::default() }));
        assert_eq!(verdict(&guard, "192.0.2.1", Form::Request, "http://a.example.com/").await, "default");
        assert_eq!(verdict(&guard, "192.0.2.1", Form::Request, "http://a.example.com/").await, want);
        // What is refused is refused all the same.
        let metadata = verdict(&guard, "192.0.2.1", Form::Request, "http://meta.example.com/").await;
        assert_eq!(metadata == "403 address-metadata", stalled == audit::Stalled::Log, "{metadata}");
    }
}
