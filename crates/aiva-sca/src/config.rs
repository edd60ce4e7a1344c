//! The section `[sca]`.

use std::time::Duration;

use aiva_chassis::config::Reader;
use aiva_chassis::config::types::HttpUrl;
use aiva_chassis::{config_section, config_words};
use jiff::civil::Date;

use crate::advisory::update::PUBLIC_EXPORTS;
use crate::licence::policy::{self, Pattern, Policy};

config_section! {
    /// What services are built from: where advisories come from, and what no scan looks at.
    pub struct Sca checks check_sca {
        /// Where the OSV exports are, one <ecosystem>/all.zip each.
        pub advisories_from: HttpUrl = PUBLIC_EXPORTS;
        /// Whether a running server downloads them by itself.
        pub advisories_update: bool = true;
        /// How often it looks for new ones.
        pub advisories_every: Duration = "6h";
        /// From which age on the advisories count as too old, and every report says so.
        pub advisories_max_age: Duration = "30d";
        /// Patterns of what no scan looks at, in the syntax of .gitignore.
        pub exclude: Vec<String>, example "[\"third_party/\"]";
        /// Which licences may be used; nothing is judged while it is empty.
        pub licences: Licences;
    }
}

config_section! {
    /// Which licences may be used; nothing is judged while it is empty.
    pub struct Licences checks check_licences {
        /// SPDX identifiers; * at the end stands for any rest. While it is empty, all that is not denied is allowed.
        pub allow: Vec<String>, example "[\"MIT\", \"Apache-2.0\", \"BSD-*\"]";
        /// The same; what is denied is denied although it is allowed.
        pub deny: Vec<String>, example "[\"AGPL-*\"]";
        /// What a package without a known licence is: "allow", "report" (informational) or "deny".
        pub unknown: Unknown = "report";
        /// What single packages may be used under besides.
        pub exceptions: Vec<LicenceException>;
    }
}

config_words! {
    /// What a package without a known licence is.
    pub enum Unknown {
        /// Nothing to speak of.
        Allow = "allow",
        /// Worth knowing.
        Report = "report",
        /// Not allowed.
        Deny = "deny",
    }
}

config_section! {
    /// A licence that one package may be used under besides: owned, reasoned and expiring.
    pub struct LicenceException checks check_exception {
        /// The package's name.
        pub package: String, example "\"ring\"";
        /// SPDX identifiers; empty for whatever it is under, also an unknown licence.
        pub licences: Vec<String>, example "[\"OpenSSL\"]";
        /// Who answers for it.
        pub owner: String, example "\"ana@example.com\"";
        /// Why it may be used.
        pub reason: String, example "\"the advertising clause is met in the manual\"";
        /// The last day on which it holds.
        pub expires: Date, example "2027-01-31";
    }
}

impl Licences {
    /// The policy; what [`check_licences`] refused is not in it.
    pub fn policy(&self) -> Policy {
        let patterns = |all: &[String]| all.iter().filter_map(|one| one.parse().ok()).collect::<Vec<Pattern>>();
        let exception = |one: &LicenceException| policy::Exception {
            package: one.package.clone(),
            licences: patterns(&one.licences),
            expires: one.expires,
        };
        Policy {
            allow: patterns(&self.allow),
            deny: patterns(&self.deny),
            unknown: match self.unknown {
                Unknown::Allow => policy::OnUnknown::Allow,
                Unknown::Report => policy::OnUnknown::Report,
                Unknown::Deny => policy::OnUnknown::Deny,
            },
            exceptions: self.exceptions.iter().map(exception).collect(),
            today: None,
        }
    }
}

fn check_licences(licences: &Licences, reader: &mut Reader<'_>) {
    check_patterns("allow", &licences.allow, reader);
    check_patterns("deny", &licences.deny, reader);
}

fn check_exception(exception: &LicenceException, reader: &mut Reader<'_>) {
    check_patterns("licences", &exception.licences, reader);
    let texts = [("package", &exception.package), ("owner", &exception.owner), ("reason", &exception.reason)];
    for (key, text) in texts {
        if text.trim().is_empty() {
            reader.refuse(key, "must not be empty");
        }
    }
}

fn check_patterns(key: &str, all: &[String], reader: &mut Reader<'_>) {
    for error in all.iter().filter_map(|one| one.parse::<Pattern>().err()) {
        reader.refuse(key, error.to_string());
    }
}

fn check_sca(sca: &Sca, reader: &mut Reader<'_>) {
    if sca.advisories_every < Duration::from_secs(60) {
        reader.refuse("advisories_every", "must be at least a minute");
    }
    if sca.advisories_max_age.is_zero() {
        reader.refuse("advisories_max_age", "must not be zero: any advisories would count as too old");
    }
    if !sca.advisories_from.is_private() {
        reader.hazard("advisories_from", "fetches advisories without encryption: anyone on the way can hide one");
    }
}
