//! Verdicts as their readers see them: words, rules, remedies, rebinding.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aiva_outbound::policy::{Exception, Names, Policy};
use aiva_outbound::resolve::{Answer, Lookup, ResolveError, Resolver};
use aiva_outbound::{Engine, Mode, Question, Target};
use async_trait::async_trait;

/// Says what it was told last; fails when told nothing.
#[derive(Default)]
struct Said(Mutex<Vec<IpAddr>>);

impl Said {
    fn say(&self, addresses: &[&str]) {
        *self.0.lock().unwrap() = addresses.iter().map(|text| text.parse().unwrap()).collect();
    }
}

#[async_trait]
impl Resolver for Said {
    async fn resolve(&self, name: &str) -> Result<Lookup, ResolveError> {
        let addresses = self.0.lock().unwrap().clone();
        if addresses.is_empty() {
            return Err(ResolveError::Timeout(name.to_owned()));
        }
        Ok(Answer { addresses, ..Answer::default() }.into())
    }
}

#[tokio::test]
async fn a_verdict_says_what_decided_and_what_would_help() {
    let mut policy = Policy::public();
    policy.mode = Mode::Enforce;
    policy.allow_names.extend(["good.example", "*.fine.example"].map(|entry| Names::new(entry).unwrap()));
    policy.deny_names.extend(Names::new("bad.fine.example"));
    let names = Said::default();
    names.say(&["93.184.215.14"]);
    for (url, reason, rule, remedy) in [
        ("https://a.fine.example/", "allowed", "allow_domains[1] *.fine.example", None),
        (
            "https://other.example/",
            "name-not-allowed",
            "allow_domains",
            Some("add \"other.example\" to the role's allow_domains"),
        ),
        (
            "https://bad.fine.example/",
            "name-denied",
            "deny_domains[0] bad.fine.example",
            Some("take out deny_domains[0] bad.fine.example"),
        ),
        ("https://good.example:25/", "port-not-allowed", "ports", Some("add 25 to the role's ports")),
        ("http://169.254.169.254/", "address-metadata", "class metadata", None),
        ("http://a b/", "white-space", "text", None),
    ] {
        let verdict = Engine::default().decide_text(&policy, &names, url, None).await;
        assert_eq!((verdict.reason(), verdict.rule.to_string().as_str()), (reason, rule), "{url}");
        assert_eq!(verdict.remedy.as_deref(), remedy, "{url}");
        assert_eq!(verdict.is_allowed(), !verdict.connect_to.is_empty(), "{url}");
    }
}

#[tokio::test]
async fn a_failing_dns_is_no_policy() {
    let target = Target::parse("https://good.example/").unwrap();
    let verdict = Engine::default().decide(&Policy::public(), &Said::default(), Question::new(&target)).await;
    assert_eq!((verdict.reason(), verdict.rule.to_string().as_str()), ("dns-timeout", "dns"));
    assert!(!verdict.is_allowed() && verdict.denial().is_none() && verdict.dns_error().is_some());
}

#[tokio::test]
async fn a_name_that_turns_inside_is_told_for_a_while() {
    let seconds = Arc::new(AtomicU64::new(0));
    let at = Arc::clone(&seconds);
    let engine = Engine::new(Arc::new(move || SystemTime::UNIX_EPOCH + Duration::from_secs(at.load(Ordering::SeqCst))));
    let (names, mut policy) = (Said::default(), Policy::public());
    let target = Target::parse("https://turns.example/").unwrap();
    let ask = async |policy: &Policy| engine.decide(policy, &names, Question::new(&target)).await;

    names.say(&["10.0.0.1"]);
    assert!(ask(&policy).await.rebinding.is_none(), "it never was public");
    names.say(&["93.184.215.14"]);
    assert!(ask(&policy).await.rebinding.is_none());
    for turned in [&["127.0.0.1"][..], &["93.184.215.14", "169.254.169.254"]] {
        names.say(turned);
        let verdict = ask(&policy).await;
        let told = verdict.rebinding.unwrap();
        assert_eq!((told.name.as_str(), told.was.len(), told.now.len()), ("turns.example", 1, 1));
    }
    policy.exceptions.push(Exception::host("ours", Names::new("turns.example").unwrap()));
    names.say(&["10.0.0.1"]);
    let verdict = ask(&policy).await;
    assert!(verdict.is_allowed() && verdict.rebinding.is_none(), "it may be inside");
    seconds.store(3_601, Ordering::SeqCst);
    assert!(ask(&Policy::public()).await.rebinding.is_none(), "that was long ago");
}
