//! The section as it stands in a file: every mistake is told with its line, and what is unsafe is told though it works.

use std::collections::BTreeMap;
use std::io;

use aiva_chassis::config::{self, Sources};

use super::{CALLERS, Root};

#[test]
fn every_mistake_is_told_with_its_line() {
    let text = r#"[egress.roles.shop]
allow_domains = ["a.example.com", "https://b.example.com"]
allow_cidrs = [{ cidr = "10.0.0.0/8", owner = "", expires = 2027-01-31 }]
[egress.roles.shop.exceptions.mirror]
host = "mirror.corp"
owner = "ana"
reason = "mirror"
[egress.callers.shop]
role = "shoop"
password_sha256 = ["abc"]
[egress.callers.two]
role = "shop"
"#;
    assert_eq!(
        mistakes(text),
        [
            "aiva.toml:10: egress.callers.shop.password_sha256[0]",
            "aiva.toml:12: egress.callers.two",
            "aiva.toml:4: egress.roles.shop.exceptions.mirror.expires",
        ]
    );
    for (text, want) in [
        (
            "[egress.roles.shop]\nallow_cidrs = [{ cidr = \"10.0.0.5/8\", owner = \"ana\", expires = 2027-01-31 }]",
            "aiva.toml:2: egress.roles.shop.allow_cidrs[0]",
        ),
        ("[egress.roles.shop]\ndeny_cidrs = [\"fd00::1/8\"]", "aiva.toml:2: egress.roles.shop.deny_cidrs[0]"),
        ("[egress]\nstored_roles = [\"default\"]", "aiva.toml:2: egress.stored_roles[0]"),
    ] {
        assert_eq!(mistakes(text), [want], "{text}");
    }
    let text = text.replace("reason = \"mirror\"", "reason = \"mirror\"\nexpires = 2027-01-31");
    assert_eq!(
        mistakes(&text.replace("[\"abc\"]", "[]").replace("role = \"shop\"\n", "role = \"shop\"\nusers = [1]\n")),
        [
            "aiva.toml:10: egress.callers.shop", // nobody can be known as it
            "aiva.toml:2: egress.roles.shop.allow_domains[1]",
            "aiva.toml:3: egress.roles.shop.allow_cidrs[0]",
            "aiva.toml:10: egress.callers.shop", // its role is none
        ]
    );
}

/// The mistakes of a file.
fn mistakes(text: &str) -> Vec<String> {
    let sources = Sources {
        file: Some(("aiva.toml", text)),
        env: BTreeMap::new(),
        flags: Vec::new(),
        open: &|_| Err(io::ErrorKind::NotFound.into()),
    };
    let problems = config::load::<Root>(&sources).err().map(|error| error.problems).unwrap_or_default();
    problems.iter().map(|problem| format!("{}: {}", problem.origin, problem.key)).collect()
}

#[test]
fn what_is_unsafe_is_told() {
    let known = "[egress.callers.shop]\nrole = \"default\"\nusers = [1]\n";
    for (text, want) in [
        ("[egress]\nlisten = \"127.0.0.1:1\"\n", &[][..]),
        ("[egress]\nlisten = \"0.0.0.0:1\"\n", &["egress.listen"]),
        ("[egress]\nlisten = \"0.0.0.0:1\"\n[egress.roles.default]\n", &[]), // strangers get nowhere
        ("[egress]\nlisten = \"0.0.0.0:1\"\n[egress.roles.default]\nmode = \"open\"\n", &["egress.listen"]),
    ] {
        let told = hazards(&format!("{text}{known}"));
        assert_eq!(told, want, "{text}");
    }
    let wide = |host: &str| {
        format!(
            "[egress.roles.shop.exceptions.all]\nhost = \"{host}\"\nowner = \"ana\"\nreason = \"x\"\nexpires = 2027-01-31\n"
        )
    };
    for (text, want) in [
        ("[egress.roles.default.dns]\nservers = [\"10.0.0.53:53\"]\n", &["egress.roles.default.dns"][..]),
        ("[egress.roles.default]\ndeny_domains = [\"*.ads.example\"]\n", &["egress.roles.default"]),
        ("[egress.roles.default]\nmode = \"open\"\ndeny_domains = [\"*.ads.example\"]\n", &[]),
        ("[egress.roles.default]\n", &[]), // shut on purpose
        (&wide("*.com"), &["egress.roles.shop.exceptions.all.host"]),
        (&wide("*.internal"), &[]),
        (&wide("*.corp.example"), &[]),
    ] {
        assert_eq!(hazards(text), want, "{text}");
    }
    let password = format!("{CALLERS}[egress]\nlisten = \"0.0.0.0:1\"\n");
    assert_eq!(hazards(&password), ["egress.listen"], "a password goes over the network in plain");
}

/// The keys that are unsafe.
fn hazards(text: &str) -> Vec<String> {
    let sources = Sources {
        file: Some(("aiva.toml", text)),
        env: BTreeMap::new(),
        flags: Vec::new(),
        open: &|_| Err(io::ErrorKind::NotFound.into()),
    };
    let loaded = config::load::<Root>(&sources).unwrap_or_else(|error| panic!("{error}\n{text}"));
    loaded.warnings.into_iter().map(|warning| warning.key).collect()
}
