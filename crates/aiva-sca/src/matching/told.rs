//! The words of a verdict: what the advisories that are aliases of each other say together about a version, or about all that a
//! requirement allows.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Hit, Learnt, names, of_package, once_each};
use crate::advisory::{Affects, Covers, MOST_SYMBOLS};
use crate::finding::{Kind, Match, Symbols, Verdict};
use crate::package::Ecosystem;
use crate::severity::{Level, Severity};
use crate::version::{Requirement, Version};

/// The longest summary that is made from a description.
const SUMMARY: usize = 120;

pub(super) fn verdict(ecosystem: Ecosystem, name: &str, text: &str, group: &[Hit<'_>]) -> Verdict {
    let installed = Version::parse(ecosystem, text);
    let above = installed.as_ref().map(Version::key);
    Verdict { reason: reason(text, group), ..told(ecosystem, name, above, group) }
}

pub(super) fn verdict_of_range(
    ecosystem: Ecosystem,
    name: &str,
    text: &str,
    requirement: &Requirement,
    group: &[Hit<'_>],
) -> Verdict {
    let allowed = if text.is_empty() { "*" } else { text };
    let mut parts: Vec<String> = group
        .iter()
        .map(|hit| match &hit.range {
            Some(range) if range != "all versions" => {
                format!("every version that {allowed} allows is in {range} ({})", hit.details.id)
            }
            _ => format!("every version that {allowed} allows is affected ({})", hit.details.id),
        })
        .collect();
    parts.sort_unstable();
    Verdict { reason: parts.join("; "), ..told(ecosystem, name, Some(requirement.floor()), group) }
}

/// What the records say together, but for the reason. Fixed versions are those above a version's key.
pub(super) fn told(ecosystem: Ecosystem, name: &str, above: Option<&[u8]>, group: &[Hit<'_>]) -> Verdict {
    let records: BTreeSet<&str> = group.iter().map(|hit| &*hit.details.id).collect();
    let all: BTreeSet<&str> = group.iter().flat_map(|hit| names(&hit.details)).collect();
    let id = main_id(&all, &records).to_owned();
    let aliases = all.iter().filter(|name| **name != id).map(|name| (*name).to_owned()).collect();
    let told = told_first(group);
    let description = told.iter().map(|details| &details.description).find(|text| !text.is_empty());
    let description = description.map(Arc::clone).unwrap_or_default();
    let summary = told.iter().map(|details| details.summary.trim()).find(|text| !text.is_empty());
    let worst = group.iter().max_by(|a, b| {
        (a.severity.level, a.severity.score)
            .partial_cmp(&(b.severity.level, b.severity.score))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let references = match told.as_slice() {
        [one] => Arc::clone(&one.references),
        many => once_each(many.iter().flat_map(|details| details.references.iter())),
    };
    let kind = group.iter().map(|hit| hit.kind).min().unwrap_or(Kind::Vulnerability);
    let fixed_versions = above.map(|above| fixed_versions(ecosystem, name, above, group)).unwrap_or_default();
    Verdict {
        aliases,
        records: records.iter().map(|id| (*id).to_owned()).collect(),
        kind,
        severity: worst.map_or_else(|| Severity::of_level(Level::Unknown), |hit| hit.severity.clone()),
        last_affected: if fixed_versions.is_empty() { last_affected(ecosystem, group) } else { None },
        fixed_versions,
        reason: String::new(),
        matched: matched(name, group),
        summary: summary.map_or_else(|| first_line(&description), str::to_owned),
        description,
        references,
        published: told.iter().filter_map(|details| details.published.as_deref()).min().map(str::to_owned),
        symbols: symbols(kind, name, &told),
        id,
    }
}

/// The functions that the records name, those of the first record first. Of what was published to do harm no function is fine.
fn symbols(kind: Kind, name: &str, told: &[&Learnt]) -> Symbols {
    let mut symbols = Symbols::default();
    if kind == Kind::Malicious {
        return symbols;
    }
    let mut seen = BTreeSet::new();
    for package in told.iter().filter_map(|details| of_package(details, name)) {
        // Two records that name the same functions have cut off the same ones.
        symbols.more = symbols.more.max(package.more_symbols);
        symbols.names.extend(package.symbols.iter().filter(|one| seen.insert(&***one)).map(ToString::to_string));
    }
    symbols.more += symbols.names.len().saturating_sub(MOST_SYMBOLS) as u64;
    symbols.names.truncate(MOST_SYMBOLS);
    symbols
}

/// The lowest CVE by year and number, else the first GHSA, else the first record's own id.
fn main_id<'a>(all: &BTreeSet<&'a str>, records: &BTreeSet<&'a str>) -> &'a str {
    let cve = |id: &&&str| {
        let (year, number) = id.strip_prefix("CVE-")?.split_once('-')?;
        Some((year.parse::<u32>().ok()?, number.parse::<u64>().ok()?))
    };
    all.iter()
        .filter(|id| cve(id).is_some())
        .min_by_key(cve)
        .or_else(|| all.iter().find(|id| id.starts_with("GHSA-")))
        .or_else(|| records.first())
        .copied()
        .unwrap_or_default()
}

/// The records in the order in which their words are preferred: GHSA first, which writes summaries for readers.
fn told_first<'h>(group: &'h [Hit<'_>]) -> Vec<&'h Learnt> {
    let mut told: Vec<&Learnt> = group.iter().map(|hit| &*hit.details).collect();
    told.sort_by_key(|details| (!details.id.starts_with("GHSA-"), details.id.clone()));
    told
}

fn first_line(description: &str) -> String {
    let line = description.lines().map(|line| line.trim_start_matches('#').trim()).find(|line| !line.is_empty());
    let line = line.unwrap_or_default();
    match line.char_indices().nth(SUMMARY) {
        Some((end, _)) => {
            let cut = line.get(..end).unwrap_or(line);
            format!("{}…", cut.rsplit_once(' ').map_or(cut, |(words, _)| words))
        }
        None => line.to_owned(),
    }
}

/// The records with their intervals, and the events that the intervals were made of.
fn matched(name: &str, group: &[Hit<'_>]) -> Vec<Match> {
    let mut matched: Vec<Match> = group
        .iter()
        .map(|hit| {
            let fixed = of_package(&hit.details, name).map(|package| package.fixed.as_slice()).unwrap_or_default();
            let interval = hit.range.clone().unwrap_or_else(|| "listed".to_owned());
            let events = hit.range.as_deref().map(|range| events(range, fixed)).unwrap_or_default();
            Match { record: hit.details.id.to_string(), interval, events }
        })
        .collect();
    matched.sort_unstable();
    matched
}

/// The events behind an interval's text: `>= 0.2.0, < 0.3.4`.
fn events(range: &str, fixed: &[std::borrow::Cow<'_, str>]) -> Vec<String> {
    let (mut start, mut end) = ("introduced 0".to_owned(), None);
    for part in range.split(", ") {
        if let Some(version) = part.strip_prefix(">= ") {
            start = format!("introduced {version}");
        } else if let Some(version) = part.strip_prefix("<= ") {
            end = Some(format!("last_affected {version}"));
        } else if let Some(version) = part.strip_prefix("< ") {
            let word = if fixed.iter().any(|fix| fix == version) { "fixed" } else { "limit" };
            end = Some(format!("{word} {version}"));
        }
    }
    std::iter::once(start).chain(end).collect()
}

fn reason(text: &str, group: &[Hit<'_>]) -> String {
    let mut parts: Vec<String> = group
        .iter()
        .map(|hit| match &hit.range {
            Some(range) if range == "all versions" => format!("every version is affected ({})", hit.details.id),
            Some(range) => format!("{text} is in {range} ({})", hit.details.id),
            None => format!("{text} is listed ({})", hit.details.id),
        })
        .collect();
    parts.sort_unstable();
    parts.join("; ")
}

fn fixed_versions(ecosystem: Ecosystem, name: &str, installed: &[u8], group: &[Hit<'_>]) -> Vec<String> {
    let mut above: Vec<(Version, String)> = group
        .iter()
        .filter_map(|hit| of_package(&hit.details, name))
        .flat_map(|package| &package.fixed)
        .filter_map(|fix| Some((Version::parse(ecosystem, fix)?, fix.to_string())))
        .filter(|(version, _)| version.key() > installed)
        .collect();
    above.sort();
    above.dedup_by(|a, b| a.0 == b.0);
    let ends_all = |(version, fix): &&(Version, String)| {
        group.iter().all(|hit| matches!(hit.advisory.affects(fix, Some(version)), Ok(Affects::No)))
    };
    let safe: Vec<String> = above.iter().filter(ends_all).map(|(_, fix)| fix.clone()).collect();
    if safe.is_empty() { above.into_iter().map(|(_, fix)| fix).collect() } else { safe }
}

/// The version after which none is affected, where the records say so of the interval that matched.
fn last_affected(ecosystem: Ecosystem, group: &[Hit<'_>]) -> Option<String> {
    let mut last: Option<(Version, &str)> = None;
    for hit in group {
        let text = hit.range.as_deref()?.rsplit(", ").next()?.strip_prefix("<= ")?;
        last = last.max(Some((Version::parse(ecosystem, text)?, text)));
    }
    let (version, text) = last?;
    // Another interval of a record, or a version that it lists, may lie beyond.
    let beyond = Requirement::everything_after(version.key());
    let ends = |hit: &Hit<'_>| matches!(hit.advisory.covers(&beyond), Ok(Covers::Nothing));
    group.iter().all(ends).then(|| text.to_owned())
}
