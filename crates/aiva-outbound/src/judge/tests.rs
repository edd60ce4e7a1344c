//! The whole judgement, through the door that everybody uses: a policy, a URL and the addresses of its name, one row each.

use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::address::Prefix;
use crate::policy::{Block, BlockSet, Exceptions, NameSet, Names, Opens, PathPrefix, Ports};

fn names(entries: &[&str]) -> NameSet {
    entries.iter().map(|entry| Names::new(entry).unwrap()).collect()
}

fn blocks(entries: &[&str]) -> BlockSet {
    entries.iter().map(|entry| entry.parse::<Block>().unwrap()).collect()
}

const NOW: Duration = Duration::from_secs(1_000_000);

/// What the policy says of a URL whose name has these addresses, as "rule" or "reason by rule".
fn verdict(policy: &Policy, url: &str, addresses: &[&str]) -> String {
    let now = SystemTime::UNIX_EPOCH + NOW;
    let target = Target::parse(url).unwrap();
    let addresses = match target.host() {
        Host::Address(address) => vec![*address],
        Host::Name(_) => addresses.iter().map(|text| text.parse().unwrap()).collect(),
    };
    let answer = Answer { addresses, ..Answer::default() };
    let judged = policy.judge(Question::new(&target).method(&Method::GET), now).and_then(|case| case.answered(&answer));
    match judged {
        Ok(Passed { rule, would_deny: None, .. }) => rule.to_string(),
        Ok(Passed { would_deny: Some(refusal), .. }) => {
            format!("would: {} by {}", refusal.denial.reason, refusal.rule)
        }
        Err(refusal) => format!("{} by {}", refusal.denial.reason, refusal.rule),
    }
}

/// An all too trusting policy.
fn trusting() -> Policy {
    Policy {
        exceptions: vec![Exception::host("mirror", Names::new("mirror.example").unwrap())].into(),
        allow_blocks: blocks(&["0.0.0.0/0", "::/0"]),
        deny_blocks: blocks(&["::ffff:10.9.0.0/112"]),
        nat64: vec!["fd00:64::/96".parse().unwrap()],
        own: vec!["0.0.0.0:80".parse().unwrap(), "[::ffff:10.8.0.1]:80".parse().unwrap()],
        ..Policy::public()
    }
}

#[test]
fn metadata_and_this_process_beat_every_allow_in_whatever_clothes() {
    for mode in [Mode::Open, Mode::Report, Mode::Enforce] {
        let policy = Policy { mode, ..trusting() };
        let check = |address: &str, want: &str| {
            assert_eq!(verdict(&policy, "http://mirror.example/", &[address]), want, "{address} {mode:?}");
        };
        check("10.0.0.1", "exception mirror");
        check("127.0.0.53", "address-self by own address 0.0.0.0:80"); // listening on all addresses
        check("64:ff9b::7f00:1", "address-self by own address 0.0.0.0:80");
        check("10.8.0.1", "address-self by own address [::ffff:10.8.0.1]:80");
        check("fd00:64::a08:1", "address-self by own address [::ffff:10.8.0.1]:80");
        for address in
            ["169.254.169.254", "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::", "::a9fe:a9fe", "fd00:64::a9fe:a9fe"]
        {
            check(address, "address-metadata by class metadata");
        }
        let reason = verdict(&policy, "http://metadata.google.internal/", &["1.1.1.1"]);
        assert_eq!(reason, "name-metadata by metadata name");
    }
}

#[test]
fn a_denied_block_holds_for_what_an_address_carries() {
    for address in ["10.9.1.1", "::ffff:10.9.1.1", "64:ff9b::a09:101", "fd00:64::a09:101", "2002:a09:101::"] {
        let want = "address-denied by deny_cidrs[0] 10.9.0.0/16";
        assert_eq!(verdict(&trusting(), "http://mirror.example/", &[address]), want, "{address}");
    }
    assert_eq!(verdict(&trusting(), "http://mirror.example/", &["10.10.1.1"]), "exception mirror");
}

#[test]
fn an_opened_block_holds_for_what_a_translator_makes_of_an_address() {
    let policy = Policy { allow_blocks: blocks(&["10.20.0.0/16"]), ..Policy::public() };
    for (address, want) in [
        ("10.20.1.1", "allow_cidrs[0] 10.20.0.0/16"),
        ("::ffff:10.20.1.1", "allow_cidrs[0] 10.20.0.0/16"),
        ("64:ff9b::a14:101", "allow_cidrs[0] 10.20.0.0/16"),
        ("64:ff9b::a15:101", "address-internal by class private"),
        // Nobody says that a 6to4 relay leads to the same network.
        ("2002:a14:101::", "address-internal by class transition"),
    ] {
        assert_eq!(verdict(&policy, "http://a.example/", &[address]), want, "{address}");
    }
}

#[test]
fn a_mixed_answer_is_told_as_one() {
    let target = Target::parse("http://a.example/").unwrap();
    for (addresses, mixed) in [(&["1.1.1.1", "10.0.0.1"][..], true), (&["10.0.0.1"], false)] {
        let answer =
            Answer { addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(), ..Answer::default() };
        let policy = Policy::public();
        let case = policy.judge(Question::new(&target), SystemTime::UNIX_EPOCH).unwrap();
        let refusal = case.answered(&answer).err().unwrap();
        let remedy = refusal.remedy("a.example").unwrap();
        assert_eq!((refusal.mixed, remedy.contains("dns.mixed")), (mixed, mixed), "{remedy}");
        assert!(remedy.starts_with("name an exception for the host a.example"), "{remedy}");
    }
}

#[test]
fn one_bad_address_spoils_the_answer_and_the_worst_is_named() {
    let mut policy = Policy::public();
    let answer = ["1.1.1.1", "10.0.0.1", "169.254.169.254"];
    assert_eq!(verdict(&policy, "http://a.example/", &answer), "address-metadata by class metadata");
    policy.mixed = Mixed::Filter;
    assert_eq!(verdict(&policy, "http://a.example/", &answer), "class public");
    assert_eq!(verdict(&policy, "http://a.example/", &answer[1..]), "address-metadata by class metadata");
}

#[test]
fn an_exception_opens_its_own_place_for_its_time() {
    let end = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    let host = Names::new("git.corp").unwrap();
    let block: Prefix = "10.0.0.0/24".parse().unwrap();
    let base = Exception::host("git", host.clone());
    let exceptions: Exceptions = vec![
        Exception { opens: Opens::HostInBlock(host, block), ports: vec![22, 443], ..base.clone() },
        Exception { expires: end(999_999), ..Exception::host("old", Names::new("old.corp").unwrap()) },
        Exception { expires: end(1_000_001), ..Exception::block("lab", "10.7.0.0/16".parse().unwrap()) },
        Exception { expires: end(86_400), ..Exception::block("gone", "10.6.0.0/16".parse().unwrap()) },
    ]
    .into();
    for mode in [Mode::Open, Mode::Enforce] {
        let policy =
            Policy { mode, exceptions: exceptions.clone(), allow_names: names(&["a.example"]), ..Policy::public() };
        for (url, address, want) in [
            ("https://git.corp/", "10.0.0.1", "exception git"),
            ("https://git.corp:22/", "10.0.0.1", "exception git"),
            ("https://git.corp:23/", "10.0.0.1", "name-internal by internal zone corp"),
            ("http://git.corp/", "10.0.0.1", "name-internal by internal zone corp"),
            ("https://git.corp/", "10.0.1.1", "address-internal by class private"),
            ("https://git.corp/", "8.8.8.8", "name-internal by internal zone corp"),
            ("https://old.corp/", "10.0.0.1", "exception-expired by exception old (expired 1970-01-12)"),
            ("https://a.example/", "10.7.0.1", "exception lab"),
            ("https://a.example/", "10.6.0.1", "exception-expired by exception gone (expired 1970-01-01)"),
            ("https://a.example:22/", "10.0.0.1", "address-internal by class private"),
            ("https://a.example:22/", "8.8.8.8", "port-not-allowed by ports"),
            ("https://10.7.0.1/", "", "exception lab"),
            ("https://10.0.0.1/", "", "address-internal by class private"),
            ("https://x.corp/", "8.8.8.8", "name-internal by internal zone corp"),
        ] {
            assert_eq!(verdict(&policy, url, &[address]), want, "{url} {address} {mode:?}");
        }
    }
}

#[test]
fn an_allowed_block_may_open_a_port() {
    let policy = Policy { allow_blocks: blocks(&["10.1.0.0/16:5432", "8.8.4.0/24:853"]), ..Policy::public() };
    for (url, want) in [
        ("http://10.1.0.1:5432/", "allow_cidrs[0] 10.1.0.0/16:5432"),
        ("http://10.1.0.1/", "address-internal by class private"),
        ("http://8.8.4.4:853/", "allow_cidrs[1] 8.8.4.0/24:853"),
        ("http://8.8.8.8:853/", "port-not-allowed by ports"),
        ("http://8.8.8.8:54/", "port-not-allowed by ports"),
    ] {
        assert_eq!(verdict(&policy, url, &[]), want, "{url}");
    }
}

#[test]
fn report_tells_what_the_lists_would_do_and_opens_nothing_else() {
    let policy = Policy {
        mode: Mode::Report,
        allow_names: names(&["a.example", "*.corp"]),
        deny_names: names(&["bad.example"]),
        deny_blocks: blocks(&["8.8.4.0/24"]),
        methods: vec![Method::POST],
        schemes: vec![Scheme::Http],
        paths: vec!["/v1".parse::<PathPrefix>().unwrap()],
        ports: Ports::Only(vec![80]),
        ..Policy::public()
    };
    for (url, address, want) in [
        ("http://bad.example/", "1.1.1.1", "would: name-denied by deny_domains[0] bad.example"),
        ("http://b.example/", "1.1.1.1", "would: name-not-allowed by allow_domains"),
        ("http://1.1.1.1/v1", "", "would: name-not-allowed by allow_domains"),
        ("https://a.example/", "1.1.1.1", "would: scheme-not-allowed by schemes"),
        ("http://a.example:81/v1", "1.1.1.1", "would: method-not-allowed by methods"),
        ("http://b.example/", "10.0.0.1", "address-internal by class private"),
        ("http://b.example/", "169.254.169.254", "address-metadata by class metadata"),
        ("http://localhost/", "1.1.1.1", "name-local by local name"),
        ("http://x.local/", "1.1.1.1", "name-internal by internal zone local"),
        ("http://git.corp/", "10.0.0.1", "address-internal by class private"),
    ] {
        assert_eq!(verdict(&policy, url, &[address]), want, "{url}");
    }
    let plain = Policy { methods: Vec::new(), ..policy };
    for (url, address, want) in [
        ("http://a.example/v2", "1.1.1.1", "would: path-not-allowed by paths"),
        ("http://a.example:81/v1", "1.1.1.1", "would: port-not-allowed by ports"),
        ("http://a.example/v1", "8.8.4.4", "would: address-denied by deny_cidrs[0] 8.8.4.0/24"),
        ("http://a.example/v1/x", "1.1.1.1", "allow_domains[0] a.example"),
    ] {
        assert_eq!(verdict(&plain, url, &[address]), want, "{url}");
    }
}

#[test]
fn every_address_is_judged_and_some_are_for_connecting() {
    let v4 = (1..=200u8).map(|last| IpAddr::from([93, 184, 215, last]));
    let v6 = (1..=200u16).map(|last| IpAddr::from([0x2606, 0x4700, 0, 0, 0, 0, 0, last]));
    let mut answer = Answer { addresses: v4.chain(v6).collect(), ..Answer::default() };
    let policy = Policy::public();
    let target = Target::parse("http://a.example/").unwrap();
    let judge = |answer: &Answer| {
        policy.judge(Question::new(&target), SystemTime::UNIX_EPOCH).and_then(|case| case.answered(answer))
    };
    let passed = judge(&answer).unwrap();
    assert_eq!(passed.connect_to.len(), MOST_CONNECT);
    assert_eq!(passed.connect_to.iter().filter(|address| address.is_ipv4()).count(), MOST_CONNECT / 2);
    answer.addresses.push("127.0.0.1".parse().unwrap());
    assert_eq!(judge(&answer).unwrap_err().denial.reason, Reason::AddressInternal);
}
