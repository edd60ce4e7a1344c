//! The version to move to: the least that ends most.
//!
//! What no version ends does not keep the rest from being mended: it is listed as what stays.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use super::ranked::{Known, Ranked};
use crate::advisory::{Damage, Index};
use crate::finding::{Finding, Kind, Verdict};
use crate::matching::{Judge, Judgement};
use crate::name::spelled;
use crate::package::{Ecosystem, Input};
use crate::purl::purl;
use crate::scan::range_of;
use crate::version::{Requirement, Version};

/// Where a version has to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Aim {
    /// The version to move to, without Go's `v`; `None` where none is better.
    pub(super) to: Option<String>,
    /// The findings that it does not end.
    pub(super) stays: BTreeSet<String>,
    /// Why those stay.
    pub(super) reason: String,
}

/// What versions are looked for in.
#[derive(Debug)]
pub(super) struct Versions<'a> {
    /// What the files here have of each package, by the registry's spelling.
    here: HashMap<(Ecosystem, Cow<'a, str>), BTreeSet<&'a str>>,
    index: &'a Index,
    judge: Judge,
    /// By package and flavour.
    ranked: RefCell<HashMap<Key, Rc<Ranked>>>,
}

type Key = (Ecosystem, String, Option<String>);

impl<'a> Versions<'a> {
    pub(super) fn new(inputs: &'a [Input], index: &'a Index) -> Self {
        let mut here: HashMap<_, BTreeSet<&str>> = HashMap::new();
        for package in inputs.iter().flat_map(|input| &input.packages) {
            let key = (package.ecosystem, spelled(package.ecosystem, &package.name));
            here.entry(key).or_default().insert(&package.version);
        }
        Self { here, index, judge: Judge::default(), ranked: RefCell::default() }
    }

    /// Where one version of a package has to go; `findings` are all those about it, at least one.
    pub(super) fn aim(&self, findings: &[&Finding]) -> Result<Option<Aim>, Damage> {
        let Some(first) = findings.first() else { return Ok(None) };
        let (ecosystem, name) = (first.ecosystem, first.name.as_str());
        let is_range = first.purl == purl(ecosystem, name, "");
        let floor = floor(ecosystem, &first.version, is_range);
        let now = if is_range { findings.len() } else { self.count(ecosystem, name, &first.version)? };
        let own = named_flavour(ecosystem, &first.version);
        let ranked = self.ranked(ecosystem, name, own)?;
        // Nobody is moved from a release to what comes before the next one, if there is a choice.
        let is_settled = is_range || !is_early(ecosystem, &first.version);
        let Some(best) = ranked.best(&floor, is_settled).filter(|best| best.count < now) else {
            let stays = findings.iter().map(|finding| finding.verdict.id.clone()).collect();
            let mut reason = reason(findings.iter().copied(), None);
            let other = ranked.other(&floor).filter(|other| other.count < now);
            if let (Some(own), Some(Known { text, .. })) = (own, other) {
                reason = format!(
                    "no version in the flavour {own} is known that ends it; {text} does, but is of another one"
                );
            }
            return Ok(Some(Aim { to: None, stays, reason }));
        };
        let names = self.names(ecosystem, name, &best.text)?;
        let to = best.text.trim_start_matches('v').to_owned();
        let left: Vec<&Finding> =
            findings.iter().copied().filter(|one| all_names(&one.verdict).any(|name| names.contains(name))).collect();
        let stays = left.iter().map(|finding| finding.verdict.id.clone()).collect();
        Ok(Some(Aim { reason: reason(left.into_iter(), Some(&to)), to: Some(to), stays }))
    }

    /// The same among those versions that somebody allows, who allows the one that is there. Once a few in a row are shut out, so is all
    /// that comes after them.
    pub(super) fn aim_among(
        &self,
        findings: &[&Finding],
        allows: &dyn Fn(&str) -> bool,
    ) -> Result<Option<Aim>, Damage> {
        let Some(first) = findings.first() else { return Ok(None) };
        let (ecosystem, name) = (first.ecosystem, first.name.as_str());
        let floor = floor(ecosystem, &first.version, false);
        let now = self.count(ecosystem, name, &first.version)?;
        let ranked = self.ranked(ecosystem, name, named_flavour(ecosystem, &first.version))?;
        let is_settled = !is_early(ecosystem, &first.version);
        let Some(best) = ranked.best_among(&floor, is_settled, allows).filter(|best| best.count < now) else {
            return Ok(None);
        };
        let names = self.names(ecosystem, name, &best.text)?;
        let is_left = |finding: &&&Finding| all_names(&finding.verdict).any(|name| names.contains(name));
        let stays = findings.iter().filter(is_left).map(|finding| finding.verdict.id.clone()).collect();
        Ok(Some(Aim { to: Some(best.text.trim_start_matches('v').to_owned()), stays, reason: String::new() }))
    }

    /// The least release of what a range allows of which nothing is said, where one is known.
    pub(super) fn least_safe(
        &self,
        ecosystem: Ecosystem,
        name: &str,
        requirement: &str,
    ) -> Result<Option<String>, Damage> {
        let Some(range) = Requirement::parse(ecosystem, range_of(requirement)) else { return Ok(None) };
        Ok(self.ranked(ecosystem, name, None)?.least_safe(&range).map(str::to_owned))
    }

    /// Whether an advisory or a file here says that there is such a version of a package.
    pub(super) fn knows(&self, ecosystem: Ecosystem, name: &str, text: &str) -> Result<bool, Damage> {
        let Some(version) = Version::parse(ecosystem, text) else { return Ok(false) };
        Ok(self.ranked(ecosystem, name, flavour(ecosystem, text))?.has(&version))
    }

    /// What is known of the versions of a package, made once for all that ask.
    fn ranked(&self, ecosystem: Ecosystem, name: &str, own: Option<&str>) -> Result<Rc<Ranked>, Damage> {
        let key = (ecosystem, name.to_owned(), own.map(str::to_owned));
        if let Some(known) = self.ranked.borrow().get(&key) {
            return Ok(known.clone());
        }
        let mut all = Vec::new();
        for (version, text) in self.candidates(ecosystem, name, own)? {
            let count = self.count(ecosystem, name, &text)?;
            // What is built for another platform is no choice.
            let is_other = own.is_some() && flavour(ecosystem, &text) != own;
            all.push(Known { is_early: is_early(ecosystem, &text), version, text, count, is_other });
        }
        let ranked = Rc::new(Ranked::new(all));
        self.ranked.borrow_mut().insert(key, ranked.clone());
        Ok(ranked)
    }

    /// Every version of a package that is known: what ends an advisory, and what other files here have. Advisories name one of a release's
    /// flavours, so those stand for the one that is used here as well.
    fn candidates(
        &self,
        ecosystem: Ecosystem,
        name: &str,
        own: Option<&str>,
    ) -> Result<BTreeMap<Version, String>, Damage> {
        let is_one = |own: &str, name: &str| own == name || spelled(ecosystem, own) == spelled(ecosystem, name);
        let mut texts: Vec<String> = Vec::new();
        for name in together(ecosystem, name) {
            let Some(entry) = self.index.entry(ecosystem, name)? else { continue };
            for advisory in entry.advisories() {
                let details = advisory.details()?;
                let own = details.packages.iter().filter(|package| is_one(&package.name, name));
                texts.extend(own.flat_map(|package| &package.fixed).map(ToString::to_string));
            }
        }
        let here = self.here.get(&(ecosystem, spelled(ecosystem, name)));
        texts.extend(here.into_iter().flatten().map(|version| (*version).to_owned()));
        if let Some(own) = own {
            let swapped = |text: &String| Some(format!("{}{own}", text.strip_suffix(flavour(ecosystem, text)?)?));
            let more: Vec<String> = texts.iter().filter_map(swapped).collect();
            texts.extend(more);
        }
        Ok(texts.into_iter().filter_map(|text| Some((Version::parse(ecosystem, &text)?, text))).collect())
    }

    /// How much is said of a version that a newer one may end.
    fn count(&self, ecosystem: Ecosystem, name: &str, version: &str) -> Result<usize, Damage> {
        let told = self.told(ecosystem, name, version)?;
        let count = |one: &Judgement| usize::from(one.unknown.is_some()) + ended(one).count();
        Ok(told.iter().map(|one| count(one)).sum())
    }

    /// All names of it.
    fn names(&self, ecosystem: Ecosystem, name: &str, version: &str) -> Result<BTreeSet<String>, Damage> {
        let told = self.told(ecosystem, name, version)?;
        Ok(told.iter().flat_map(|one| ended(one)).flat_map(all_names).map(str::to_owned).collect())
    }

    fn told(&self, ecosystem: Ecosystem, name: &str, version: &str) -> Result<Vec<Arc<Judgement>>, Damage> {
        let mut told = Vec::new();
        for name in together(ecosystem, name) {
            let Some(entry) = self.index.entry(ecosystem, name)? else { continue };
            told.extend(self.judge.judged(ecosystem, &entry, version)?);
        }
        Ok(told)
    }
}

fn ended(judgement: &Judgement) -> impl Iterator<Item = &Verdict> {
    let is_ended = |verdict: &&Verdict| matches!(verdict.kind, Kind::Malicious | Kind::Vulnerability | Kind::Unsound);
    judgement.verdicts.iter().map(|verdict| &**verdict).filter(is_ended)
}

/// Packages that always move together: the go command comes with its standard library.
fn together(ecosystem: Ecosystem, name: &str) -> Vec<&str> {
    match (ecosystem, name) {
        (Ecosystem::Go, "stdlib") => vec![name, "toolchain"],
        (Ecosystem::Go, "toolchain") => vec![name, "stdlib"],
        _ => vec![name],
    }
}

/// The key that a better version is above.
fn floor(ecosystem: Ecosystem, text: &str, is_range: bool) -> Vec<u8> {
    match is_range {
        true => Requirement::parse(ecosystem, range_of(text)).map(|range| range.floor().to_vec()),
        false => Version::parse(ecosystem, text).map(|version| version.key().to_vec()),
    }
    .unwrap_or_default()
}

fn all_names(verdict: &Verdict) -> impl Iterator<Item = &str> {
    std::iter::once(&verdict.id).chain(&verdict.aliases).map(String::as_str)
}

/// For which platform a Maven artifact is built, where its version says so: guava's `-jre` and `-android`, `.jre11` of drivers.
fn flavour(ecosystem: Ecosystem, text: &str) -> Option<&str> {
    let at = text.rfind(['-', '.']).filter(|_| ecosystem == Ecosystem::Maven)?;
    let word = text.get(at + 1..)?.trim_end_matches(|c: char| c.is_ascii_digit());
    matches!(word, "jre" | "jdk" | "android" | "java").then(|| text.get(at..)).flatten()
}

/// The flavour of a version, or the first that a range names.
fn named_flavour(ecosystem: Ecosystem, text: &str) -> Option<&str> {
    let is_end = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '_' | '+');
    text.split(is_end).find_map(|version| flavour(ecosystem, version))
}

/// Whether a version comes before a release.
fn is_early(ecosystem: Ecosystem, text: &str) -> bool {
    match ecosystem {
        Ecosystem::Npm | Ecosystem::CratesIo | Ecosystem::Pub | Ecosystem::Hex | Ecosystem::NuGet => {
            text.split('+').next().unwrap_or_default().contains('-')
        }
        Ecosystem::PyPi => {
            let public = text.split('+').next().unwrap_or_default().to_ascii_lowercase().replace("post", "");
            public.trim_start_matches('v').contains(|c: char| c.is_ascii_alphabetic())
        }
        Ecosystem::RubyGems => text.contains(|c: char| c.is_ascii_alphabetic()),
        _ => false,
    }
}

/// Why findings stay.
fn reason<'f>(findings: impl Iterator<Item = &'f Finding>, to: Option<&str>) -> String {
    let has_too = to.map(|to| format!("; {to} has it too")).unwrap_or_default();
    let last: BTreeSet<&str> = findings
        .flat_map(|finding| &finding.verdict.matched)
        .flat_map(|matched| &matched.events)
        .filter_map(|event| event.strip_prefix("last_affected "))
        .collect();
    if last.is_empty() {
        return format!("no version is known that ends it{has_too}");
    }
    let last: Vec<&str> = last.into_iter().collect();
    format!(
        "what comes after {} is free of it, but which version that is, the advisories do not say{has_too}",
        last.join(" and after ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_before_a_release_is_known_by_its_text() {
        for (ecosystem, text, want) in [
            (Ecosystem::Npm, "4.0.0-beta.1", true),
            (Ecosystem::Npm, "4.0.0+build-1", false),
            (Ecosystem::PyPi, "2.0rc1", true),
            (Ecosystem::PyPi, "2.0.post1", false),
            (Ecosystem::PyPi, "2.0+local", false),
            (Ecosystem::Go, "v0.0.0-20200101000000-abcdef", false), // a commit is all that some modules have
        ] {
            assert_eq!(is_early(ecosystem, text), want, "{text}");
        }
    }
}
