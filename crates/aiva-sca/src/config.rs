//! The section `[sca]`.

use std::collections::BTreeMap;
use std::time::Duration;

use aiva_chassis::config::Reader;
use aiva_chassis::config::types::HttpUrl;
use aiva_chassis::{config_section, config_words};
use jiff::civil::Date;

use crate::advisory::update::PUBLIC_EXPORTS;
use crate::inventory::{Mirror, Mirrors, Options};
use crate::licence::policy::{self, Pattern, Policy};
use crate::package::Ecosystem;
use crate::score::Weights;
use crate::score::signals::{PUBLIC_EPSS, PUBLIC_KEV};
use crate::severity::Level;
use crate::supply::Rules;
use crate::supply::namespace::Namespace;
use crate::supply::rule::Rule;

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
        /// Registries that serve the public packages under their own names: a host, with a folder of it where only that is a mirror.
        pub mirrors: Vec<String>, example "[\"npm.example.com/artifactory/api/npm/npm-remote\"]";
        /// Where EPSS scores are, as FIRST publishes them.
        pub epss_from: HttpUrl = PUBLIC_EPSS;
        /// Where the list of known exploited vulnerabilities is, as CISA publishes it.
        pub kev_from: HttpUrl = PUBLIC_KEV;
        /// What to do first: the most that each term of a finding's priority can add.
        pub priority: Priority;
        /// Which licences may be used; nothing is judged while it is empty.
        pub licences: Licences;
        /// Which rules about the ways of getting packages are in force; docs/supply-chain.md explains them.
        pub supply: Supply;
        /// Names that belong to you, such as "@acme/*" or "com.acme:*", and the registry that they must come from.
        pub namespaces: BTreeMap<String, NamespaceOwner>;
    }
}

config_section! {
    /// Names that belong to you, such as "@acme/*" or "com.acme:*", and the registry that they must come from.
    pub struct NamespaceOwner {
        /// Whose names they are, as OSV spells it: "npm", "PyPI", "crates.io", "Maven", "NuGet", ...
        pub ecosystem: String, example "\"npm\"";
        /// The registry's address, or the name that the package manager has for it; "public" for names that are yours in public.
        pub registry: String, example "\"https://npm.acme.example\"";
        /// How bad it is when one comes from elsewhere.
        pub level: ConfusionLevel = "high";
    }
}

config_words! {
    /// How bad it is when a name comes from elsewhere than its namespace.
    pub enum ConfusionLevel {
        /// Stops everything.
        Critical = "critical",
        /// As a rule.
        High = "high",
        /// Worth a look.
        Medium = "medium",
        /// Small.
        Low = "low",
        /// Never fails a build.
        Informational = "informational",
    }
}

impl Sca {
    /// How folders are read: what is left out, with these patterns besides, and which registries are mirrors.
    pub fn options(&self, exclude: &[String]) -> Options {
        let exclude = self.exclude.iter().chain(exclude).cloned().collect();
        Options { exclude, mirrors: self.mirrors(), ..Options::default() }
    }

    /// The registries that are mirrors; what [`check_sca`] refused is not among them.
    pub fn mirrors(&self) -> Mirrors {
        Mirrors::new(self.mirrors.iter().filter_map(|one| one.parse().ok()).collect())
    }

    /// The rules about the supply chain that are in force; what [`check_sca`] refused is not among them.
    pub fn rules(&self) -> Rules {
        let namespace = |(pattern, owner): (&String, &NamespaceOwner)| {
            let level = match owner.level {
                ConfusionLevel::Critical => Level::Critical,
                ConfusionLevel::High => Level::High,
                ConfusionLevel::Medium => Level::Medium,
                ConfusionLevel::Low => Level::Low,
                ConfusionLevel::Informational => Level::Informational,
            };
            let (pattern, registry) = (pattern.clone(), owner.registry.clone());
            Some(Namespace { ecosystem: owner.ecosystem.parse().ok()?, pattern, registry, level })
        };
        let mut namespaces: Vec<Namespace> = self.namespaces.iter().filter_map(namespace).collect();
        // The narrowest that holds a name owns it.
        namespaces.sort_by_key(|one| (one.pattern.ends_with('*'), std::cmp::Reverse(one.pattern.len())));
        Rules { namespaces, ..self.supply.rules() }
    }
}

fn check_namespaces(sca: &Sca, reader: &mut Reader<'_>) {
    for (pattern, owner) in &sca.namespaces {
        let (stars, is_end) = (pattern.matches('*').count(), pattern.ends_with('*'));
        if pattern.trim_matches('*').trim().is_empty() || stars > usize::from(is_end) {
            reader.refuse("namespaces", format!("{pattern:?} is no name and no beginning of names with * at the end"));
        }
        if let Err(error) = owner.ecosystem.parse::<Ecosystem>() {
            reader.refuse("namespaces", format!("{pattern:?}: {error}"));
        }
        if owner.registry.trim().is_empty() {
            reader.refuse("namespaces", format!("{pattern:?}: the registry must not be empty"));
        }
    }
}

config_section! {
    /// What to do first: the most that each term of a finding's priority can add.
    pub struct Priority checks check_priority {
        /// The CVSS score, by tenths.
        pub cvss: f64 = 40.0;
        /// The square root of the EPSS probability.
        pub epss: f64 = 20.0;
        /// Known to be exploited, or published to do harm.
        pub kev: f64 = 25.0;
        /// Needed at run time; half for optional, a third for building, nothing for developing.
        pub scope: f64 = 8.0;
        /// Asked for by the project itself; half of it one step further, and so on.
        pub depth: f64 = 4.0;
        /// An advisory names the affected functions.
        pub symbols: f64 = 3.0;
    }
}

impl Priority {
    /// The weights.
    pub fn weights(&self) -> Weights {
        let Self { cvss, epss, kev, scope, depth, symbols } = *self;
        Weights { cvss, epss, kev, scope, depth, symbols }
    }
}

fn check_priority(priority: &Priority, reader: &mut Reader<'_>) {
    let Weights { cvss, epss, kev, scope, depth, symbols } = priority.weights();
    let all = [("cvss", cvss), ("epss", epss), ("kev", kev), ("scope", scope), ("depth", depth), ("symbols", symbols)];
    for (key, weight) in all {
        if !(0.0..=100.0).contains(&weight) {
            reader.refuse(key, "must be from 0 to 100");
        }
    }
}

config_section! {
    /// Which licences may be used; nothing is judged while it is empty.
    pub struct Licences checks check_licences {
        /// SPDX identifiers; * at the end stands for any rest. While it is empty, all that is not denied is allowed.
        pub allow: Vec<String>, example "[\"MIT\", \"Apache-2.0\", \"BSD-*\"]";
        /// The same; what is denied is denied although it is allowed. "GPL-3.0" denies -or-later too; in allow it is -only.
        pub deny: Vec<String>, example "[\"AGPL-*\"]";
        /// What a package without a known licence is: "allow", "report" (informational) or "deny".
        pub unknown: Unknown = "report";
        /// What single packages may be used under besides.
        pub exceptions: Vec<LicenceException>;
    }
}

config_section! {
    /// Which rules about the ways of getting packages are in force; docs/supply-chain.md explains them.
    pub struct Supply {
        /// Names that look like those of well-known packages.
        pub lookalikes: bool = true;
        /// Names that do, and are fine.
        pub trusted_names: Vec<String>, example "[\"crossenv\"]";
        /// Archives of another package than the lockfile says.
        pub resolved_elsewhere: bool = true;
        /// Downloads without encryption.
        pub plain_http: bool = true;
        /// Lockfiles without hashes, or with broken hash functions only.
        pub integrity: bool = true;
        /// Git dependencies without a commit.
        pub git_unpinned: bool = true;
        /// Workflows that run actions without a commit.
        pub actions_unpinned: bool = true;
        /// Manifests that ask for what their lockfile does not have.
        pub not_locked: bool = true;
        /// Packages that come from outside of a registry.
        pub not_registry: bool = true;
        /// Packages that run a script when they are installed.
        pub install_scripts: bool = true;
        /// Packages that their authors tell users to leave.
        pub deprecated: bool = true;
        /// Packages of your own or from elsewhere that bear the name of a public one.
        pub confusable_names: bool = true;
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

impl Supply {
    /// The rules in force.
    pub fn rules(&self) -> Rules {
        let is_on = |rule: &Rule| match rule {
            Rule::Homoglyph | Rule::Typosquat => self.lookalikes,
            Rule::ResolvedElsewhere => self.resolved_elsewhere,
            Rule::PlainHttp | Rule::PlainHttpChecked => self.plain_http,
            Rule::IntegrityMissing | Rule::IntegrityWeak => self.integrity,
            Rule::GitUnpinned => self.git_unpinned,
            Rule::ActionUnpinned => self.actions_unpinned,
            Rule::NotLocked => self.not_locked,
            Rule::NotRegistry => self.not_registry,
            Rule::InstallScript => self.install_scripts,
            Rule::Deprecated => self.deprecated,
            Rule::ConfusableName => self.confusable_names,
            // In force where a namespace is named.
            Rule::DependencyConfusion | Rule::NamespaceUnproven => true,
        };
        let on = Rule::ALL.into_iter().filter(is_on).collect();
        Rules { on, trusted_names: self.trusted_names.iter().cloned().collect(), namespaces: Vec::new() }
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
    check_namespaces(sca, reader);
    for (at, one) in sca.mirrors.iter().enumerate() {
        if let Err(error) = one.parse::<Mirror>() {
            reader.refuse("mirrors", format!("number {} is no registry: {error}", at + 1));
        }
    }
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
