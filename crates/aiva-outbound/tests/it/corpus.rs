//! Every case of the corpus that needs no proxy, through the engine and the client: no bypass, no false block.
//! No network: names and connections are the case's own.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aiva_outbound::client::{Client, Error, MOST_REDIRECTS, Tls};
use aiva_outbound::policy::{Block, Mixed, Mode, Names, Policy, Ports};
use aiva_outbound::resolve::{Answer, Lookup, ResolveError, Resolver};
use aiva_outbound::{Engine, Outcome, Question, Target, Verdict};
use async_trait::async_trait;
use http::Method;
use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use serde::Deserialize;
use serde_json::Value;

use crate::origin::{Authority, Origin};

const CASES: &str = include_str!("../../data/ssrf/cases.jsonl");

#[derive(Deserialize)]
struct Case {
    id: String,
    input: String,
    expect: String,
    tier: String,
    why: String,
    via: Option<String>,
    tunnel_first: Option<Value>,
    #[serde(default)]
    fail_first_connect: bool,
    #[serde(default)]
    strip_headers: Vec<String>,
    #[serde(default)]
    dns: BTreeMap<String, Value>,
    #[serde(default)]
    dns_sequence: Vec<BTreeMap<String, Value>>,
    #[serde(default)]
    redirects: Vec<Redirect>,
    request_index: Option<usize>,
    #[serde(default)]
    policy: Overrides,
    connect_to: Option<Vec<IpAddr>>,
}

#[derive(Deserialize)]
struct Redirect {
    status: u16,
    location: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Overrides {
    mode: Option<String>,
    allow_domains: Vec<String>,
    deny_domains: Vec<String>,
    allow_cidrs: Vec<String>,
    deny_cidrs: Vec<String>,
    ports: Option<Vec<u16>>,
    nat64_prefixes: Vec<String>,
    dns_mixed: Option<String>,
}

impl Overrides {
    fn policy(&self) -> Policy {
        let names = |list: &[String]| list.iter().map(|entry| Names::new(entry).unwrap()).collect();
        let blocks = |list: &[String]| list.iter().map(|text| text.parse::<Block>().unwrap()).collect();
        let mut policy = Policy::public();
        policy.mode = match self.mode.as_deref() {
            Some("enforce") => Mode::Enforce,
            Some("report") => Mode::Report,
            _ => Mode::Open,
        };
        policy.allow_names = names(&self.allow_domains);
        policy.deny_names = names(&self.deny_domains);
        policy.allow_blocks = blocks(&self.allow_cidrs);
        policy.deny_blocks = blocks(&self.deny_cidrs);
        policy.nat64 = self.nat64_prefixes.iter().map(|text| text.parse().unwrap()).collect();
        policy.mixed = if self.dns_mixed.as_deref() == Some("filter") { Mixed::Filter } else { Mixed::Deny };
        if let Some(ports) = &self.ports {
            policy.ports = Ports::Only(ports.clone());
        }
        policy
    }
}

/// The case's name system: one map for each lookup in turn, the last one stays.
struct NameSystem {
    maps: Vec<BTreeMap<String, Value>>,
    lookups: AtomicUsize,
}

#[async_trait]
impl Resolver for NameSystem {
    async fn resolve(&self, name: &str) -> Result<Lookup, ResolveError> {
        let turn = self.lookups.fetch_add(1, Ordering::SeqCst);
        let answer = find(&self.maps[turn.min(self.maps.len() - 1)], name);
        answer.map(Lookup::from).ok_or_else(|| ResolveError::NotFound(name.to_owned()))
    }
}

fn find(map: &BTreeMap<String, Value>, name: &str) -> Option<Answer> {
    let mut answer = Answer::default();
    let mut entry = map.get(name)?;
    loop {
        for family in ["A", "AAAA"] {
            let addresses = entry[family].as_array().into_iter().flatten();
            answer.addresses.extend(addresses.map(|a| a.as_str().unwrap().parse::<IpAddr>().unwrap()));
        }
        let Some(alias) = entry["CNAME"].as_str() else { break };
        if answer.aliases.iter().any(|known| known == alias) {
            return None; // a circle never ends in an address
        }
        answer.aliases.push(alias.to_owned());
        let chain = map.get(name).and_then(|first| first["chain"].get(alias));
        match chain.or_else(|| map.get(alias)) {
            Some(next) => entry = next,
            None => break,
        }
    }
    (!answer.addresses.is_empty()).then_some(answer)
}

impl Case {
    fn names(&self) -> NameSystem {
        let maps = if self.dns_sequence.is_empty() { vec![self.dns.clone()] } else { self.dns_sequence.clone() };
        NameSystem { maps, lookups: AtomicUsize::new(0) }
    }
}

/// `Ok` with the addresses that would be connected to at last, `Err` with the reason of the refusal.
async fn engine(case: &Case) -> Result<Vec<IpAddr>, String> {
    let (policy, names, engine) = (case.policy.policy(), case.names(), Engine::default());
    let mut last = Vec::new();
    for _ in 0..case.request_index.unwrap_or(1) {
        let verdict = engine.decide_text(&policy, &names, &case.input, Some(&Method::GET)).await;
        last = addresses(verdict)?;
        let mut seen = vec![Target::parse(&case.input).unwrap()];
        for redirect in &case.redirects {
            let next = policy.judge_redirect(&seen, &redirect.location, MOST_REDIRECTS);
            let next = next.map_err(|refusal| refusal.denial.to_string())?;
            last = addresses(engine.decide(&policy, &names, Question::new(&next)).await)?;
            seen.push(next);
        }
    }
    Ok(last)
}

fn addresses(verdict: Verdict) -> Result<Vec<IpAddr>, String> {
    match verdict.outcome {
        Outcome::Allowed => Ok(verdict.connect_to.iter().map(SocketAddr::ip).collect()),
        _ => Err(format!("{} by {}", verdict.reason(), verdict.rule)),
    }
}

/// The same through a client whose connections end in memory.
async fn library(case: &Case) -> Result<Vec<IpAddr>, String> {
    let (authority, trusted) = Authority::new();
    let mut script: Vec<String> = case.redirects.iter().map(|hop| moved(hop.status, &hop.location)).collect();
    script.push("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned());
    let origin = Arc::new(Origin::new(authority, script, case.fail_first_connect));
    let tls = Tls::none().with_pem(trusted.as_bytes()).unwrap();
    let client = Client::builder(case.policy.policy()).resolver(Arc::new(case.names())).dial(origin.clone()).tls(tls);
    let client = client.build();
    let mut dialled = Vec::new();
    for _ in 0..case.request_index.unwrap_or(1) {
        origin.begin();
        let request = client.get(&case.input).header(AUTHORIZATION, "Bearer x").header(COOKIE, "a=b");
        let request = request.header(PROXY_AUTHORIZATION, "Basic eDp5");
        match request.send().await {
            Ok(response) => assert_eq!(response.bytes(10).await.unwrap(), b"ok", "{}", case.id),
            // A refusal of ours, the DNS, or an answer of an origin that is not HTTP; nothing else is a verdict.
            Err(error @ (Error::Text { .. } | Error::Denied { .. } | Error::Resolve(_) | Error::Broken { .. })) => {
                return Err(error.to_string());
            }
            Err(error) => panic!("{}: {error}", case.id),
        }
        dialled = origin.dialled();
    }
    let last = origin.last_request().to_ascii_lowercase();
    assert!(!case.strip_headers.iter().any(|name| last.contains(&format!("\n{name}:"))), "{}: {last}", case.id);
    Ok(dialled)
}

fn moved(status: u16, location: &str) -> String {
    // A line break in a value has one way to travel: folded (RFC 9112 §5.2).
    let location = location.replace("\r\n", "\r\n ");
    format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
}

#[tokio::test]
async fn no_case_is_a_bypass_or_a_false_block_for_the_engine() {
    score(async |case| engine(case).await).await;
}

#[tokio::test]
async fn no_case_is_a_bypass_or_a_false_block_for_the_client() {
    score(async |case| library(case).await).await;
}

async fn score(form: impl AsyncFn(&Case) -> Result<Vec<IpAddr>, String>) {
    let (mut passed, mut skipped, mut failures) = (0, 0, Vec::new());
    for line in CASES.lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        if case.via.is_some() || case.tunnel_first.is_some() {
            skipped += 1; // bytes on a proxy's connection: the proxy's own tests
            continue;
        }
        let verdict = form(&case).await;
        let wanted = (case.expect == "allow") == verdict.is_ok();
        let pinned = case.connect_to.as_ref().is_none_or(|addresses| verdict.as_ref() == Ok(addresses));
        if wanted && pinned {
            passed += 1;
        } else {
            failures.push(format!("{} [{}] {:?}: {verdict:?}, {}", case.id, case.tier, case.input, case.why));
        }
    }
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    assert!(passed > 500, "the corpus was read: {passed} passed, {skipped} skipped");
}
