//! Ways of getting a package that let somebody else decide what is installed.
//!
//! Pure: it judges what the lockfiles say. Every rule has a stable name (`docs/supply-chain.md`), a level that is
//! informational or low unless the danger is real, and a switch in `[sca.supply]`. Facts that hold for a whole file (no
//! hashes) are told once a file, not once a package.
//!
//! Start reading at [`Rules::judge`].

pub mod lookalike;
pub mod namespace;
pub mod rule;

use std::collections::{BTreeMap, BTreeSet};

use lookalike::{Way, lookalike};
use namespace::Namespace;
use rapidhash::{RapidHashMap, RapidHashSet};
use rayon::prelude::*;
use rule::Rule;
use smol_str::SmolStr;

use crate::advisory::Index;
use crate::finding::{self, Finding, Kind};
use crate::package::{Fact, Input, Locked, Package, Place, Sign, Source};
use crate::purl::purl;
use crate::severity::Severity;

/// Which rules are in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// In force.
    pub on: BTreeSet<Rule>,
    /// Names that look like well-known ones and are known to be fine.
    pub trusted_names: BTreeSet<String>,
    /// Names that belong to somebody; the first that holds a name counts.
    pub namespaces: Vec<Namespace>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { on: Rule::ALL.into_iter().collect(), trusted_names: BTreeSet::new(), namespaces: Vec::new() }
    }
}

/// How many names a fact about a whole file lists.
const LISTED: usize = 5;

impl Rules {
    /// What the rules find. An index tells which names are public besides the well-known ones.
    pub fn judge(&self, inputs: &[Input], index: Option<&Index>) -> Vec<Finding> {
        inputs.par_iter().flat_map_iter(|input| self.judge_one(input, index)).collect()
    }

    /// What the rules find in one input.
    pub fn judge_one(&self, input: &Input, index: Option<&Index>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let outside = outside(input);
        let all = || input.packages.iter().chain(&outside);
        self.names(input, &mut findings);
        self.sources(input, all(), &mut findings);
        self.confusable(input, all(), index, &mut findings);
        self.namespaces(input, all(), &mut findings);
        self.signs(input, &mut findings);
        findings
    }

    /// Names that look like others, of what the project itself asks for: nobody types the name of a dependency's dependency.
    fn names(&self, input: &Input, findings: &mut Vec<Finding>) {
        let is_typed = |package: &&Package| package.direct != Some(false) && package.source == Source::Registry;
        // A mistake is made where the name is typed, which is in a manifest, with a range.
        let ranges = input.not_judged.iter().filter(|entry| entry.is_range);
        let ranges: Vec<Package> =
            ranges.map(|entry| Package::new(entry.ecosystem, entry.name.clone(), "", entry.line)).collect();
        for package in input.packages.iter().filter(is_typed).chain(&ranges) {
            let name = package.name.as_str();
            let Some(found) = lookalike(package.ecosystem, name).filter(|_| !self.trusted_names.contains(name)) else {
                continue;
            };
            let rule = if found.way == Way::Homoglyph { Rule::Homoglyph } else { Rule::Typosquat };
            let reason = format!("{name:?} is {:?} with {}", found.of, found.way.text());
            self.tell(input, package, rule, reason, findings);
        }
    }

    /// Packages from elsewhere that bear the name of a public one: public advisories do not speak of them, and whoever leaves out
    /// where they come from gets the other.
    fn confusable<'p>(
        &self,
        input: &Input,
        packages: impl Iterator<Item = &'p Package>,
        index: Option<&Index>,
        findings: &mut Vec<Finding>,
    ) {
        if !self.on.contains(&Rule::ConfusableName) {
            return;
        }
        let mut private: Vec<&Package> = Vec::new();
        for package in packages {
            if package.source == Source::Registry {
                continue;
            }
            let (ecosystem, name) = (package.ecosystem, package.name.as_str());
            let known = if lookalike::is_known(ecosystem, name) {
                "a well-known public package"
            } else if index.is_some_and(|index| index.entry(ecosystem, name).is_ok_and(|entry| entry.is_some())) {
                "a public package that advisories are about"
            } else {
                continue;
            };
            // Of names that are the owner's in public, what comes from elsewhere is told as that.
            if self.trusted_names.contains(name) || self.owner(package).is_some_and(Namespace::is_public) {
                continue;
            }
            let from = match &package.source {
                Source::Registry => continue,
                // A mirror serves every public name, so another registry is told of once a file.
                Source::PrivateRegistry(_) => {
                    private.push(package);
                    continue;
                }
                Source::Git(address) => format!("from the git repository {address}"),
                Source::Url(address) => format!("from {address}"),
                Source::Path(_) => {
                    "of the project itself or from a folder (if both are yours: `registry = \"public\"` in `[sca.namespaces]`)"
                        .to_owned()
                }
            };
            let reason = format!("{name} is also {known}; this one is {from}");
            self.tell(input, package, Rule::ConfusableName, reason, findings);
        }
        let Some(first) = private.first() else { return };
        let mut names: Vec<&str> = private.iter().map(|package| package.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let listed = names.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
        let reason = format!("{} names of public packages come from other registries: {listed}", names.len());
        let whole = Package::new(first.ecosystem, &*input.kind, "", first.line);
        let rule = as_rule(Rule::ConfusableName, reason);
        findings.push(finding::of_rule(&input.path, &whole, String::new(), rule));
    }

    /// Whose name it is.
    fn owner(&self, package: &Package) -> Option<&Namespace> {
        self.namespaces.iter().find(|one| one.holds(package.ecosystem, &package.name))
    }

    fn namespaces<'p>(&self, input: &Input, packages: impl Iterator<Item = &'p Package>, findings: &mut Vec<Finding>) {
        if self.namespaces.is_empty() {
            return;
        }
        for package in packages {
            let Some((rule, level, reason)) = self.owner(package).and_then(|owner| owner.judge(&input.kind, package))
            else {
                continue;
            };
            let purl = purl(package.ecosystem, &package.name, &package.version);
            let rule = finding::Rule { severity: Severity::of_level(level), ..as_rule(rule, reason) };
            findings.push(finding::of_rule(&input.path, package, purl, rule));
        }
    }

    fn sources<'p>(&self, input: &Input, packages: impl Iterator<Item = &'p Package>, findings: &mut Vec<Finding>) {
        for package in packages {
            let from = match &package.source {
                Source::Git(address) => format!("it comes from the git repository {address}"),
                Source::Url(address) => format!("it is downloaded from {address}"),
                Source::Registry | Source::PrivateRegistry(_) | Source::Path(_) => continue,
            };
            self.tell(input, package, Rule::NotRegistry, from, findings);
        }
    }

    fn signs(&self, input: &Input, findings: &mut Vec<Finding>) {
        if input.signs.is_empty() {
            return;
        }
        let tells_of_one = |sign: &&Sign| !matches!(sign.fact, Fact::NoIntegrity | Fact::WeakIntegrity(_));
        let lines: RapidHashSet<u32> = input.signs.iter().filter(tells_of_one).map(|sign| sign.line).collect();
        let there = input.packages.iter().filter(|package| lines.contains(&package.line));
        let packages: RapidHashMap<(u32, &str), &Package> =
            there.map(|package| ((package.line, package.name.as_str()), package)).collect();
        let mut whole: BTreeMap<(Rule, &'static str), Vec<&Sign>> = BTreeMap::new();
        for sign in &input.signs {
            let (rule, reason) = match &sign.fact {
                Fact::NoIntegrity => {
                    whole.entry((Rule::IntegrityMissing, "no hash")).or_default().push(sign);
                    continue;
                }
                Fact::WeakIntegrity(algorithm) => {
                    whole.entry((Rule::IntegrityWeak, algorithm)).or_default().push(sign);
                    continue;
                }
                Fact::InstallScript => {
                    (Rule::InstallScript, "it runs a script of its own when it is installed".to_owned())
                }
                Fact::Deprecated(words) => (Rule::Deprecated, format!("its authors say: {words}")),
                Fact::PlainHttp { address, is_checked: true } => {
                    (Rule::PlainHttpChecked, format!("{address} is not encrypted; its hash is checked"))
                }
                Fact::PlainHttp { address, is_checked: false } => {
                    (Rule::PlainHttp, format!("{address} is not encrypted, and no good hash would notice a change"))
                }
                Fact::MovingGit(address) => (Rule::GitUnpinned, format!("{address} names no commit")),
                Fact::MovingAction(reference) => {
                    (Rule::ActionUnpinned, format!("{reference} is a tag or a branch, which can be moved"))
                }
                Fact::Elsewhere(address) => {
                    (Rule::ResolvedElsewhere, format!("the archive is not that of the package: {address}"))
                }
                Fact::Renamed(under) => {
                    let reason = format!("{} stands under the name of {under}, and nothing asks for that", sign.name);
                    (Rule::ResolvedElsewhere, reason)
                }
                Fact::Outside(_) => continue, // Told of where names are looked at.
                Fact::NotLocked { manifest, asked } => (Rule::NotLocked, missing(&input.kind, manifest, asked)),
                Fact::LockedOtherwise { manifest, asked, has } => {
                    (Rule::NotLocked, otherwise(&input.kind, manifest, asked, has))
                }
            };
            match packages.get(&(sign.line, sign.name.as_str())) {
                Some(package) => self.tell(input, package, rule, reason, findings),
                None => self.tell(input, &unlisted(sign), rule, reason, findings),
            }
        }
        for ((rule, what), signs) in whole {
            self.tell_whole(input, rule, what, &signs, findings);
        }
    }

    fn tell(&self, input: &Input, package: &Package, rule: Rule, reason: String, findings: &mut Vec<Finding>) {
        if self.on.contains(&rule) {
            let purl = purl(package.ecosystem, &package.name, &package.version);
            findings.push(finding::of_rule(&input.path, package, purl, as_rule(rule, reason)));
        }
    }

    /// One finding for all packages of a file that share a fact.
    fn tell_whole(&self, input: &Input, rule: Rule, what: &str, signs: &[&Sign], findings: &mut Vec<Finding>) {
        let Some(first) = signs.first().filter(|_| self.on.contains(&rule)) else { return };
        let mut names: Vec<&str> = signs.iter().map(|sign| sign.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let more = names.len().saturating_sub(LISTED);
        let mut listed = names.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
        if more > 0 {
            listed.push_str(&format!(" and {more} more"));
        }
        let package = Package { name: input.kind.clone().into(), version: SmolStr::default(), ..unlisted(first) };
        let reason = format!("{what} for {} of {} packages: {listed}", signs.len(), input.packages.len());
        let mut told = finding::of_rule(&input.path, &package, String::new(), as_rule(rule, reason));
        told.direct = None;
        findings.push(told);
    }
}

/// What a manifest asks for and the lockfile lacks.
fn missing(kind: &str, manifest: &Place, asked: &str) -> String {
    let lock = if kind == "go.mod" { "go.sum" } else { kind };
    format!("{manifest} asks for {}, {lock} does not have it{}", range(asked), mend(kind))
}

/// A requirement in words.
fn range(asked: &str) -> String {
    if asked.is_empty() { "any version".to_owned() } else { format!("{asked:?}") }
}

/// How a lockfile and a manifest disagree.
fn otherwise(kind: &str, manifest: &Place, asked: &str, has: &Locked) -> String {
    let has = match has {
        Locked::Version(version) => format!("has {version}"),
        Locked::Requirement(before) => format!("was written for {}", range(before)),
        Locked::Unasked => "was written when it did not ask for it".to_owned(),
    };
    format!("{manifest} asks for {}, {kind} {has}{}", range(asked), mend(kind))
}

/// The command that writes a lockfile anew.
fn mend(kind: &str) -> String {
    let command = match kind {
        "package-lock.json" | "npm-shrinkwrap.json" => "npm install",
        "yarn.lock" => "yarn install",
        "pnpm-lock.yaml" => "pnpm install",
        "bun.lock" => "bun install",
        "deno.lock" => "deno install",
        "Cargo.lock" => "cargo update --workspace",
        "Pipfile.lock" => "pipenv lock",
        "poetry.lock" => "poetry lock",
        "pdm.lock" => "pdm lock",
        "uv.lock" => "uv lock",
        "Gemfile.lock" | "gems.locked" => "bundle install",
        "composer.lock" => "composer update",
        "pubspec.lock" => "dart pub get",
        "mix.lock" => "mix deps.get",
        "packages.lock.json" => "dotnet restore --force-evaluate",
        "go.mod" => "go mod tidy",
        "vendor/modules.txt" => "go mod vendor",
        _ => return String::new(),
    };
    format!("; `{command}` mends that")
}

/// What is taken from elsewhere than the public registry and has no version that could be judged.
fn outside(input: &Input) -> Vec<Package> {
    let outside = |sign: &Sign| match &sign.fact {
        Fact::Outside(source) => Some(Package { source: source.clone(), ..unlisted(sign) }),
        _ => None,
    };
    input.signs.iter().filter_map(outside).collect()
}

fn as_rule(rule: Rule, reason: String) -> finding::Rule {
    finding::Rule {
        id: rule.id().to_owned(),
        kind: Kind::SupplyChain,
        severity: Severity::of_level(rule.level()),
        summary: rule.summary().to_owned(),
        description: rule.advice().to_owned(),
        reason,
    }
}

/// A package that a sign is about, where the file does not list it.
fn unlisted(sign: &Sign) -> Package {
    let package = Package::new(sign.ecosystem, sign.name.clone(), sign.version.clone(), sign.line);
    Package { direct: Some(true), ..package }
}
