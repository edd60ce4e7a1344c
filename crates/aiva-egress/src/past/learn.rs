//! Proposes a role from what callers asked for.
//!
//! Promises: every name that was allowed is in it, as it was asked for and never wider; what was refused is told and not
//! proposed; what else the role says is kept. Whether a wider entry is meant is for the operator to say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use aiva_outbound::Prefix;
use aiva_outbound::policy::{Block, Names};
use jiff::civil::Date;

use super::{Outcome, Past};
use crate::config::{self, stored};

/// From so many names below one on, a wider entry is suggested.
const MANY: usize = 5;

/// What a proposal says of a role; the rest of it is kept.
const LEARNT: [&str; 4] = ["mode", "ports", "schemes", "allow_domains"];

/// How long a network that is proposed stays open, in days, unless the operator says otherwise.
const OPEN_FOR: i32 = 90;

/// The networks that the role opens already, on every port and on that day.
fn opened(role: &config::Role, today: Date) -> Vec<Prefix> {
    let live = role.allow_cidrs.iter().filter(|entry| today <= entry.expires);
    let blocks = live.filter_map(|entry| entry.cidr.parse::<Block>().ok());
    blocks.filter(|block| block.port.is_none()).map(|block| block.prefix).collect()
}

/// What was seen of one role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proposal {
    /// How many decisions it comes of.
    pub decisions: u64,
    names: BTreeMap<String, u64>,
    addresses: BTreeMap<String, u64>,
    ports: BTreeSet<u16>,
    schemes: BTreeSet<String>,
    refused: BTreeMap<(String, String), u64>,
}

impl Proposal {
    /// Sees a decision of the role.
    pub fn see(&mut self, past: &Past) {
        // A question is no call.
        if past.form.as_deref() == Some("check") {
            return;
        }
        self.decisions += 1;
        let place = || format!("{}:{}", past.host, past.port);
        match past.outcome {
            Outcome::Allow => {}
            Outcome::Deny => {
                *self.refused.entry((place(), past.reason.clone())).or_default() += 1;
                return;
            }
            // What has no address may be a name that is misspelt.
            Outcome::Unresolved => return,
        }
        match past.address() {
            Some(address) => *self.addresses.entry(address.to_string()).or_default() += 1,
            None if Names::new(&past.host).is_some() => *self.names.entry(past.host.clone()).or_default() += 1,
            None => return,
        }
        self.ports.insert(past.port);
        self.schemes.insert(past.scheme.clone());
    }

    /// Whether there is anything to allow.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.addresses.is_empty()
    }

    /// The role as it stands in `aiva.toml`; `kept` is the role as it is, of which everything is kept that was not learnt.
    pub fn toml(&self, role: &str, kept: Option<&config::Role>, today: Date) -> String {
        let mut text = format!(
            "# Proposed from {} decisions: every name that was allowed, and how often. Read it before you use it.\n",
            self.decisions
        );
        let key = stored::key(role);
        let mut line = |arguments: std::fmt::Arguments<'_>| {
            let _cannot_fail = writeln!(text, "{arguments}");
        };
        line(format_args!("[egress.roles.{key}]\nmode = \"enforce\""));
        if !self.ports.is_empty() {
            line(format_args!("ports = {:?}", self.ports.iter().collect::<Vec<_>>()));
            line(format_args!("schemes = {:?}", self.schemes.iter().collect::<Vec<_>>()));
        }
        line(format_args!("allow_domains = ["));
        for (name, count) in &self.names {
            line(format_args!("  \"{name}\", # {count}"));
        }
        line(format_args!("]"));
        for (parent, count) in self.crowds() {
            line(format_args!("# {count} of them are below {parent}: if all of it is meant, write \"*.{parent}\""));
        }
        let opened: Vec<Prefix> = kept.map(|kept| opened(kept, today)).unwrap_or_default();
        let has_networks = kept.is_some_and(|kept| !kept.allow_cidrs.is_empty());
        let end = today.saturating_add(jiff::Span::new().days(OPEN_FOR));
        let is_opened =
            |address: &str| address.parse().is_ok_and(|address| opened.iter().any(|prefix| prefix.contains(address)));
        for (address, count) in self.addresses.iter().filter(|(address, _)| !is_opened(address)) {
            let prefix = if address.contains(':') { 128 } else { 32 };
            let entry = format!("{{ cidr = \"{address}/{prefix}\", owner = \"\", expires = {end} }}");
            let how =
                if has_networks { format!("add to allow_cidrs: {entry}") } else { format!("allow_cidrs = [{entry}]") };
            line(format_args!("# Reached by address {count} times; it needs an owner and an end:\n# {how}"));
        }
        for ((place, reason), count) in &self.refused {
            line(format_args!("# Refused {count} times and not proposed: {place} ({reason})"));
        }
        if let Some(kept) = kept {
            let rest = stored::besides(&format!("egress.roles.{key}"), kept, &LEARNT);
            if !rest.is_empty() {
                line(format_args!("# As it is:\n{}", rest.trim_end()));
            }
        }
        text
    }

    /// Names that have many of the others below them. One label is never suggested.
    fn crowds(&self) -> Vec<(&str, usize)> {
        let mut below: BTreeMap<&str, usize> = BTreeMap::new();
        for name in self.names.keys() {
            if let Some((_, parent)) = name.split_once('.').filter(|(_, parent)| parent.contains('.')) {
                *below.entry(parent).or_default() += 1;
            }
        }
        below.into_iter().filter(|(_, count)| *count >= MANY).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::super::tests::past;
    use super::*;

    const TODAY: Date = date(2027, 1, 31);

    #[test]
    fn a_role_allows_what_was_seen_and_nothing_else() {
        let mut proposal = Proposal::default();
        for host in ["api.stripe.com", "api.stripe.com", "93.184.216.34", "[2606:4700::1]"] {
            proposal.see(&past("https", host, 443, Outcome::Allow));
        }
        proposal.see(&past("http", "deb.example.org", 8080, Outcome::Allow));
        proposal.see(&past("https", "nowhere.example.org", 443, Outcome::Unresolved));
        proposal.see(&Past { reason: "address-internal".to_owned(), ..past("http", "db.corp", 5432, Outcome::Deny) });
        for n in 0..5 {
            proposal.see(&past("https", &format!("s{n}.cdn.example.net"), 443, Outcome::Allow));
        }
        let want = r#"# Proposed from 12 decisions: every name that was allowed, and how often. Read it before you use it.
[egress.roles.shop]
mode = "enforce"
ports = [443, 8080]
schemes = ["http", "https"]
allow_domains = [
  "api.stripe.com", # 2
  "deb.example.org", # 1
  "s0.cdn.example.net", # 1
  "s1.cdn.example.net", # 1
  "s2.cdn.example.net", # 1
  "s3.cdn.example.net", # 1
  "s4.cdn.example.net", # 1
]
# 5 of them are below cdn.example.net: if all of it is meant, write "*.cdn.example.net"
# Reached by address 1 times; it needs an owner and an end:
# allow_cidrs = [{ cidr = "2606:4700::1/128", owner = "", expires = 2027-05-01 }]
# Reached by address 1 times; it needs an owner and an end:
# allow_cidrs = [{ cidr = "93.184.216.34/32", owner = "", expires = 2027-05-01 }]
# Refused 1 times and not proposed: db.corp:5432 (address-internal)
"#;
        assert_eq!(proposal.toml("shop", None, TODAY), want);
        // As the role is without what was learnt.
        assert_eq!(proposal.toml("shop", Some(&config::Role::default()), TODAY), want);
        // It is a role that can be read.
        let text = want.split_once("[egress.roles.shop]\n").unwrap().1;
        let role = &crate::service::tests::egress(&[("shop", text)], &[]).roles["shop"];
        assert_eq!((role.allow_domains.len(), role.ports.as_slice()), (7, &[443, 8080][..]));
        assert!(!proposal.is_empty() && Proposal::default().is_empty());
    }

    #[test]
    fn what_a_role_says_besides_is_kept() {
        let text = r#"mode = "learn"
deny_domains = ["*.ads.example"]
allow_cidrs = [{ cidr = "10.30.0.0/16", owner = "ana", expires = 2027-01-31 }]
upstream = "direct"
[egress.roles.shop.dns]
servers = ["10.0.0.53:53"]
[egress.roles.shop.inspection]
sni = "enforce"
[egress.roles.shop.exceptions."mirror.corp"]
host = "mirror.corp"
owner = "ana"
reason = "the \"mirror\""
expires = 2027-01-31
"#;
        let read = |text: &str| crate::service::tests::egress(&[("shop", text)], &[]).roles["shop"].clone();
        let was = read(text);
        let mut proposal = Proposal::default();
        for (host, count) in [("a.example", 1), ("10.30.0.7", 2)] {
            (0..count).for_each(|_| proposal.see(&past("https", host, 443, Outcome::Allow)));
        }
        let proposed = proposal.toml("shop", Some(&was), TODAY);
        assert!(!proposed.contains("Reached by address"), "its network opens it already: {proposed}");
        let later = proposal.toml("shop", Some(&was), date(2027, 2, 1));
        assert!(later.contains("# add to allow_cidrs: { cidr = \"10.30.0.7/32\""), "not any more: {later}");
        let learnt = config::Role {
            mode: config::Mode::Enforce,
            allow_domains: vec!["a.example".to_owned()],
            ports: vec![443],
            schemes: vec![config::role::SchemeName::Https],
            ..was
        };
        let got = read(proposed.split_once("[egress.roles.shop]\n").unwrap().1);
        assert_eq!(stored::told(&got), stored::told(&learnt), "{proposed}");
    }

    #[test]
    fn what_a_caller_writes_stays_within_its_line() {
        let mut proposal = Proposal::default();
        proposal.see(&past("https", "a.example\"\n[egress.roles.default]", 443, Outcome::Allow));
        assert!(proposal.is_empty(), "{proposal:?}");
    }
}
