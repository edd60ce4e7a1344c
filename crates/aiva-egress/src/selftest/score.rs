//! Compares what a form did with what a case expects.
//!
//! Allow where a refusal is expected is a *bypass*, a refusal where allow is expected a *false block*: both fail. Deny
//! against error is a *mismatch*: told, not failed. A case may name addresses, fields and a host as well: they fail it too.
//! Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::case::{Case, Expect};

/// What a form did.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// `None` allowed it.
    pub refusal: Option<Refusal>,
    /// The addresses that the verdict was about: whoever asks may connect to these.
    pub allowed: Vec<IpAddr>,
    /// The addresses that were connected to; `None` where the form only decides.
    pub dialled: Option<Vec<IpAddr>>,
    /// The last request that reached an origin.
    pub arrived: Option<Arrived>,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Deny or error.
    pub class: Expect,
    /// In the form's words.
    pub reason: String,
}

/// A request as an origin got it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arrived {
    /// Every field, names in lower case.
    pub fields: Vec<(String, String)>,
}

impl Arrived {
    /// The values of a field.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// How a case came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Score {
    /// As expected.
    Passed,
    /// Refused as expected, but as the other class.
    Mismatch(String),
    /// A bypass, a false block, or a further check that did not hold.
    Failed(String),
}

/// Compares.
pub fn score(case: &Case, outcome: &Outcome) -> Score {
    let Some(refusal) = &outcome.refusal else {
        return match case.expect {
            Expect::Allow => further(case, outcome).map_or(Score::Passed, Score::Failed),
            expected => Score::Failed(format!("bypass: allowed, {} expected", expected.name())),
        };
    };
    match case.expect {
        Expect::Allow => Score::Failed(format!("false block: {}", refusal.reason)),
        _ if reached_too_much(case, outcome) => {
            Score::Failed(format!("bypass: refused ({}) after connecting to {:?}", refusal.reason, outcome.dialled))
        }
        expected if expected != refusal.class => {
            Score::Mismatch(format!("{} ({}), {} expected", refusal.class.name(), refusal.reason, expected.name()))
        }
        _ => Score::Passed,
    }
}

/// Whether a first request that must be refused was connected for.
fn reached_too_much(case: &Case, outcome: &Outcome) -> bool {
    let first = case.redirects.is_empty() && case.request_index.unwrap_or(1) == 1;
    let head_is_all = case.tunnel_first.is_none() && !has_body(case);
    first && head_is_all && outcome.dialled.as_ref().is_some_and(|dialled| !dialled.is_empty())
}

/// What is wrong with a body is seen after its head was sent on.
fn has_body(case: &Case) -> bool {
    case.input.split_once("\r\n\r\n").is_some_and(|(_, body)| !body.is_empty())
}

/// What does not hold of the checks that go beyond the verdict.
fn further(case: &Case, outcome: &Outcome) -> Option<String> {
    if let Some(expected) = &case.connect_to {
        let expected: BTreeSet<&IpAddr> = expected.iter().collect();
        let allowed: BTreeSet<&IpAddr> = outcome.allowed.iter().collect();
        if outcome.dialled.is_none() && allowed != expected {
            return Some(format!("would connect to {allowed:?}, not {expected:?}"));
        }
        let dialled: BTreeSet<&IpAddr> = outcome.dialled.iter().flatten().collect();
        // The first that answers is enough, unless it was made to refuse.
        let too_few = outcome.dialled.is_some() && case.fail_first_connect && dialled != expected;
        if too_few || !dialled.is_subset(&expected) {
            return Some(format!("connected to {dialled:?}, not {expected:?}"));
        }
    }
    let arrived = outcome.arrived.as_ref()?;
    if let Some(expected) = &case.upstream_host {
        let hosts: Vec<&str> = arrived.values("host").collect();
        if hosts != [expected.as_str()] {
            return Some(format!("the origin was sent Host {hosts:?}, not {expected:?}"));
        }
    }
    let leaked: Vec<&str> = case
        .strip_headers
        .iter()
        .map(String::as_str)
        .filter(|name| arrived.values(&name.to_ascii_lowercase()).next().is_some())
        .collect();
    (!leaked.is_empty()).then(|| format!("the origin was sent {}", leaked.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selftest::case;

    fn case(more: &str) -> Case {
        let line = format!(r#"{{"id":"a","input":"http://a.example/","kind":"k","tier":"core",{more}}}"#);
        case::read(line.as_bytes()).unwrap().remove(0)
    }

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn refused(class: Expect) -> Outcome {
        Outcome { refusal: Some(Refusal { class, reason: "because".into() }), ..Outcome::default() }
    }

    #[track_caller]
    fn check(more: &str, outcome: &Outcome, want: &str) {
        let got = match score(&case(more), outcome) {
            Score::Passed => "passed".to_owned(),
            Score::Mismatch(text) => format!("mismatch {text}"),
            Score::Failed(text) => text,
        };
        assert!(got.starts_with(want), "{more}: {got}");
    }

    #[test]
    fn verdicts_are_scored() {
        let allowed = Outcome::default();
        check(r#""expect":"allow""#, &allowed, "passed");
        check(r#""expect":"deny""#, &allowed, "bypass");
        check(r#""expect":"error""#, &allowed, "bypass");
        check(r#""expect":"allow""#, &refused(Expect::Deny), "false block");
        check(r#""expect":"deny""#, &refused(Expect::Deny), "passed");
        check(r#""expect":"deny""#, &refused(Expect::Error), "mismatch error (because), deny expected");
        let late = Outcome { dialled: Some(addresses(&["10.0.0.1"])), ..refused(Expect::Deny) };
        check(r#""expect":"deny""#, &late, "bypass: refused (because) after");
        check(r#""expect":"deny","redirects":[{"status":302,"location":"/"}]"#, &late, "passed");
    }

    #[test]
    fn further_checks_fail_what_was_rightly_allowed() {
        let decided = |texts: &[&str]| Outcome { allowed: addresses(texts), ..Outcome::default() };
        let to = r#""expect":"allow","connect_to":["1.1.1.1","2.2.2.2"]"#;
        check(to, &decided(&["2.2.2.2", "1.1.1.1"]), "passed");
        check(to, &decided(&["1.1.1.1"]), "would connect");
        check(to, &decided(&["1.1.1.1", "2.2.2.2", "10.0.0.1"]), "would connect");
        let dialled = |texts: &[&str]| Outcome { dialled: Some(addresses(texts)), ..Outcome::default() };
        check(to, &dialled(&["1.1.1.1"]), "passed");
        check(to, &dialled(&["1.1.1.1", "10.0.0.1"]), "connected to");
        check(&format!(r#"{to},"fail_first_connect":true"#), &decided(&["1.1.1.1", "2.2.2.2"]), "passed");
        check(&format!(r#"{to},"fail_first_connect":true"#), &dialled(&["1.1.1.1"]), "connected to");
        check(&format!(r#"{to},"fail_first_connect":true"#), &dialled(&["1.1.1.1", "2.2.2.2"]), "passed");
        let fields = vec![("host".into(), "b.example".into()), ("via".into(), "1.1 x".into())];
        let arrived = Outcome { arrived: Some(Arrived { fields }), ..Outcome::default() };
        check(r#""expect":"allow","upstream_host":"a.example""#, &arrived, "the origin was sent Host");
        check(r#""expect":"allow","upstream_host":"b.example""#, &arrived, "passed");
        check(r#""expect":"allow","strip_headers":["Via"]"#, &arrived, "the origin was sent Via");
    }
}
