//! Who is known by what.

use super::*;
use crate::service::tests::role;

fn config() -> config::Caller {
    config::Caller {
        role: None,
        password_sha256: Vec::new(),
        password: None,
        certificate: config::CertificateNames { common_names: Vec::new(), dns_names: Vec::new(), uris: Vec::new() },
        users: Vec::new(),
        sources: Vec::new(),
    }
}

fn callers() -> Callers {
    use aiva_chassis::config::Leaf as _;
    let network = |text: &str| aiva_chassis::config::Network::from_text(text).unwrap();
    let hash = |text: &str| Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut callers = Callers::default();
    let mut add = |name: &str, change: &dyn Fn(&mut config::Caller)| {
        let mut one = config();
        change(&mut one);
        callers.add(name, &one, role(name));
    };
    add("checkout", &|one| one.password_sha256 = vec![hash("old"), hash("new:er")]);
    add("secret", &|one| one.password = Some("elsewhere".to_owned().into()));
    add("wide", &|one| one.sources = vec![network("10.0.0.0/8"), network("fd00::/8")]);
    add("narrow", &|one| one.sources = vec![network("10.1.0.0/16")]);
    add("user", &|one| one.users = vec![1001]);
    add("common", &|one| one.certificate.common_names = vec!["billing".to_owned()]);
    add("dns", &|one| one.certificate.dns_names = vec!["Billing.prod.example.com".to_owned()]);
    add("spiffe", &|one| one.certificate.uris = vec!["spiffe://example.com/billing".to_owned()]);
    callers
}

fn name(who: Who<'_>) -> String {
    match who {
        Who::Caller(caller) => caller.name.to_string(),
        Who::Nobody => "nobody".to_owned(),
        Who::Wrong => "wrong".to_owned(),
    }
}

fn peer(address: &str) -> Peer {
    Peer { address: Some(format!("{address}:5000").parse().unwrap()), ..Peer::default() }
}

#[test]
fn a_password_is_right_or_wrong_and_never_overlooked() {
    let callers = callers();
    let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
    let long = "x".repeat(600);
    for (credentials, want) in [
        (basic("checkout:old"), "checkout"),
        (basic("checkout:new:er"), "checkout"),
        (basic("secret:elsewhere"), "secret"),
        (basic("checkout:old").replacen("Basic", "bAsIc", 1), "checkout"),
        (basic("checkout:"), "wrong"),
        (basic("checkout:older"), "wrong"),
        (basic("checkout"), "wrong"),
        (basic("nobody:old"), "wrong"),
        (basic("wide:"), "wrong"), // it has no password: nothing is right
        (basic(&format!("checkout:{long}")), "wrong"),
        ("Bearer abc".to_owned(), "wrong"),
        ("Basic %%%".to_owned(), "wrong"),
        (String::new(), "wrong"),
    ] {
        assert_eq!(name(callers.who(&peer("10.1.2.3"), Some(credentials.as_bytes()))), want, "{credentials}");
    }
}

#[test]
fn a_connection_says_who_calls() {
    let callers = callers();
    for (address, want) in [
        ("10.1.2.3", "narrow"),
        ("10.2.2.3", "wide"),
        ("[::ffff:10.1.2.3]", "narrow"), // IPv4 in IPv6 clothing
        ("[fd00::1]", "wide"),
        ("192.0.2.1", "nobody"),
    ] {
        assert_eq!(name(callers.who(&peer(address), None)), want, "{address}");
    }
    let local = |user| Peer { user, ..Peer::default() };
    assert_eq!(name(callers.who(&local(Some(1001)), None)), "user");
    assert_eq!(name(callers.who(&local(Some(0)), None)), "nobody");
    assert_eq!(name(callers.who(&local(None), None)), "nobody");
}

#[test]
fn a_certificate_is_read_and_beats_the_address() {
    let callers = callers();
    let show = |names: &[&str], common: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::default();
        for name in names {
            parameters.subject_alt_names.push(match name.contains("://") {
                true => rcgen::SanType::URI((*name).try_into().unwrap()),
                false => rcgen::SanType::DnsName((*name).try_into().unwrap()),
            });
        }
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, common);
        let certificate = Certificate::read(parameters.self_signed(&key).unwrap().der());
        Peer { certificate: Some(Arc::new(certificate)), ..peer("10.1.2.3") }
    };
    for (names, common, want) in [
        (&[][..], "billing", "common"),
        (&["billing.PROD.example.com"], "billing", "dns"),
        (&["billing.prod.example.com", "spiffe://example.com/billing"], "billing", "spiffe"),
        (&["spiffe://example.com/billing/else"], "else", "narrow"),
        (&["x.billing.prod.example.com"], "Billing", "narrow"),
    ] {
        assert_eq!(name(callers.who(&show(names, common), None)), want, "{names:?} {common}");
    }
    assert_eq!(Certificate::read(b"no certificate"), Certificate::default());
}
