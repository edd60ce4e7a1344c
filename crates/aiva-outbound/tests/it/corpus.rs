//! Every case of the corpus that needs no proxy, through the engine: no bypass, no false block. Nothing is dialled.

use std::collections::BTreeMap;
use std::net::IpAddr;

use aiva_outbound::address::Prefix;
use aiva_outbound::client::MOST_REDIRECTS;
use aiva_outbound::policy::{Mixed, Mode, Names, Policy, Ports};
use aiva_outbound::resolve::Answer;
use aiva_outbound::{Host, Target};
use serde::Deserialize;
use serde_json::Value;

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
        let blocks = |list: &[String]| -> Vec<Prefix> { list.iter().map(|text| text.parse().unwrap()).collect() };
        let mut policy = Policy::public();
        policy.mode = if self.mode.as_deref() == Some("enforce") { Mode::Enforce } else { Mode::Open };
        policy.allow_names = names(&self.allow_domains);
        policy.deny_names = names(&self.deny_domains);
        policy.allow_blocks = blocks(&self.allow_cidrs);
        policy.deny_blocks = blocks(&self.deny_cidrs);
        policy.nat64 = blocks(&self.nat64_prefixes);
        policy.mixed = if self.dns_mixed.as_deref() == Some("filter") { Mixed::Filter } else { Mixed::Deny };
        if let Some(ports) = &self.ports {
            policy.ports = Ports::Only(ports.clone());
        }
        policy
    }
}

/// The case's name system: one map for each lookup in turn, the last one stays.
struct Names4Case<'c> {
    maps: Vec<&'c BTreeMap<String, Value>>,
    lookups: usize,
}

impl Names4Case<'_> {
    fn resolve(&mut self, name: &str) -> Option<Answer> {
        let map = self.maps[self.lookups.min(self.maps.len() - 1)];
        self.lookups += 1;
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
}

/// `Ok` with the addresses that would be connected to at last, `Err` with the reason of the refusal.
fn run(case: &Case) -> Result<Vec<IpAddr>, String> {
    let policy = case.policy.policy();
    let maps = if case.dns_sequence.is_empty() { vec![&case.dns] } else { case.dns_sequence.iter().collect() };
    let mut names = Names4Case { maps, lookups: 0 };
    let mut last = Vec::new();
    for _ in 0..case.request_index.unwrap_or(1) {
        let mut seen = vec![Target::parse(&case.input).map_err(|reason| reason.to_string())?];
        let mut redirects = case.redirects.iter();
        loop {
            let target = &seen[seen.len() - 1];
            last = judge(&policy, target, &mut names)?;
            let Some(redirect) = redirects.next() else { break };
            let next = policy.judge_redirect(&seen, &redirect.location, MOST_REDIRECTS);
            seen.push(next.map_err(|denial| denial.to_string())?);
        }
    }
    Ok(last)
}

fn judge(policy: &Policy, target: &Target, names: &mut Names4Case<'_>) -> Result<Vec<IpAddr>, String> {
    policy.judge_target(target).map_err(|denial| denial.to_string())?;
    let answer = match target.host() {
        Host::Address(address) => Answer { addresses: vec![*address], ..Answer::default() },
        Host::Name(name) => names.resolve(name).ok_or("no address")?,
    };
    let allowed = policy.judge_addresses(target, &answer).map_err(|denial| denial.to_string())?;
    Ok(allowed.iter().map(|address| address.ip()).collect())
}

#[test]
fn no_case_is_a_bypass_or_a_false_block() {
    let (mut passed, mut skipped, mut failures) = (0, 0, Vec::new());
    for line in CASES.lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        if case.via.is_some() || case.tunnel_first.is_some() {
            skipped += 1; // bytes on a proxy's connection: the proxy's own tests
            continue;
        }
        let verdict = run(&case);
        // Report mode lets everything pass and writes it down: that is the guard's doing, not the engine's.
        let wanted = (case.expect == "allow") == verdict.is_ok();
        let pinned = case.connect_to.as_ref().is_none_or(|addresses| verdict.as_ref() == Ok(addresses));
        if wanted && pinned {
            passed += 1;
        } else {
            failures.push(format!("{} [{}] {:?}: {verdict:?}, {}", case.id, case.tier, case.input, case.why));
        }
    }
    println!("{passed} passed, {} failed, {skipped} skipped", failures.len());
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    assert!(passed > 500, "the corpus was read");
}
