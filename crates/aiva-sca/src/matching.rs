//! Judges one package version by all advisories about its package, and makes one verdict of those that are aliases of each other.
//!
//! Deterministic: the same index and version give the same verdicts in the same order, whatever the order of the records.
//! Start reading at [`Judge::judge`].

use std::collections::BTreeSet;
use std::mem;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use rapidhash::RapidHashMap;

use crate::advisory::{
    Advisory, AdvisoryId, Affects, Covers, Damage, Details, Entry, EntryId, MOST_SYMBOLS, PackageDetails,
};
use crate::finding::{Kind, Match, Symbols, Verdict};
use crate::package::Ecosystem;
use crate::severity::{Level, Severity};
use crate::version::{Requirement, Version};

/// The longest summary that is made from a description.
const SUMMARY: usize = 120;

/// What the advisories say of a package version.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judgement {
    /// Everything that affects it, worst first.
    pub verdicts: Vec<Arc<Verdict>>,
    /// What could not be judged.
    pub unknown: Option<Unknown>,
}

/// Advisories of which nobody can say whether they are about a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    ecosystem: Ecosystem,
    /// The version, where it is the one that cannot be ordered.
    version: Option<String>,
    /// The advisories, a few by their names.
    advisories: String,
}

impl Unknown {
    /// Why, for a person, of the package as its file spells it.
    pub fn reason(&self, name: &str) -> String {
        let Self { ecosystem, version, advisories } = self;
        match version {
            Some(text) => format!("{text:?} is no version that {ecosystem} can order: {advisories} not judged"),
            None => format!("{advisories} of {name} has a range whose bounds {ecosystem} cannot order"),
        }
    }
}

/// What the advisories say of everything that a requirement allows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RangeJudgement {
    /// What affects every version that is allowed, worst first.
    pub always: Vec<Arc<Verdict>>,
    /// What affects some of what is allowed and not all of it, worst first.
    pub possible: Vec<Arc<Verdict>>,
    /// The lowest fixed version that is allowed and from which on nothing that is allowed is affected.
    pub safe_from: Option<String>,
    /// Where there is none, the version that is allowed after which nothing that is allowed is affected.
    pub safe_after: Option<String>,
    /// Why some advisory could not be judged, for a person.
    pub unknown: Option<String>,
}

type DetailsCache = RapidHashMap<AdvisoryId, Arc<Learnt>>;

/// The details of an advisory, its longest words apart, which verdicts on many versions share.
#[derive(Debug)]
struct Learnt {
    details: Details<'static>,
    description: Arc<str>,
    /// Without repetitions.
    references: Arc<[String]>,
}

impl Learnt {
    fn new(mut details: Details<'static>) -> Self {
        let description = mem::take(&mut details.description).into();
        let references = once_each(mem::take(&mut details.references).iter());
        Self { details, description, references }
    }
}

impl Deref for Learnt {
    type Target = Details<'static>;

    fn deref(&self) -> &Self::Target {
        &self.details
    }
}

/// The texts in their order, each where it comes first.
fn once_each<'t, T: AsRef<str> + 't>(all: impl Iterator<Item = &'t T>) -> Arc<[String]> {
    let mut seen = BTreeSet::new();
    all.map(AsRef::as_ref).filter(|text| seen.insert(*text)).map(str::to_owned).collect()
}

/// The judged versions of packages; `None` where nothing is said of a version.
type Known = RapidHashMap<EntryId, RapidHashMap<Box<str>, Option<Arc<Judgement>>>>;

/// Into how many parts the judgements are divided, so that threads seldom wait for each other.
const PARTS: usize = 16;

/// Judges the packages of one scan, from any number of threads; keeps the details of advisories that come up again, and the
/// judgements, because many files name the same version of a package.
#[derive(Debug, Default)]
pub struct Judge {
    details: Mutex<DetailsCache>,
    known: [Mutex<Known>; PARTS],
}

/// An advisory that affects the version at hand.
struct Hit<'a> {
    advisory: &'a Advisory<'a>,
    details: Arc<Learnt>,
    kind: Kind,
    severity: Severity,
    /// `>= 0.2.0, < 0.3.4`, or nothing when the version is named one by one.
    range: Option<String>,
}

impl Judge {
    /// The judgement on a version, made once for all who ask; `None` where nothing is said of it.
    pub fn judged(
        &self,
        ecosystem: Ecosystem,
        entry: &Entry<'_>,
        text: &str,
    ) -> Result<Option<Arc<Judgement>>, Damage> {
        let id = entry.id();
        let part = || self.known[id.2 as usize % PARTS].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = part().get(&id).and_then(|versions| versions.get(text)) {
            return Ok(known.clone());
        }
        let judgement = self.judge(ecosystem, entry, text)?;
        let says = !judgement.verdicts.is_empty() || judgement.unknown.is_some();
        let made = says.then(|| Arc::new(judgement));
        // Two threads may have judged the same: the first one's words are kept for both.
        Ok(part().entry(id).or_default().entry(text.into()).or_insert(made).clone())
    }

    /// Judges a version by the advisories about its package.
    pub fn judge(&self, ecosystem: Ecosystem, entry: &Entry<'_>, text: &str) -> Result<Judgement, Damage> {
        let version = Version::parse(ecosystem, text);
        let mut hits = Vec::new();
        let mut unknown = Vec::new();
        for advisory in entry.advisories() {
            match advisory.affects(text, version.as_ref())? {
                Affects::No => {}
                Affects::Interval(number) => hits.push(self.hit(advisory, entry.name(), Some(number))?),
                Affects::Listed => hits.push(self.hit(advisory, entry.name(), None)?),
                Affects::Unknown => unknown.push(self.details(advisory)?.id.to_string()),
            }
        }
        unknown.sort_unstable();
        let unknown = (!unknown.is_empty()).then(|| Unknown {
            ecosystem,
            version: version.is_none().then(|| text.to_owned()),
            advisories: some(&unknown),
        });
        let mut verdicts: Vec<Arc<Verdict>> =
            groups(hits).into_iter().map(|group| Arc::new(verdict(ecosystem, entry.name(), text, &group))).collect();
        sort(&mut verdicts);
        Ok(Judgement { verdicts, unknown })
    }

    /// Judges everything that a requirement allows: always affected, can resolve to an affected version, or never.
    pub fn judge_range(
        &self,
        ecosystem: Ecosystem,
        entry: &Entry<'_>,
        text: &str,
        requirement: &Requirement,
    ) -> Result<RangeJudgement, Damage> {
        let (mut hits, mut possible, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        for advisory in entry.advisories() {
            match advisory.covers(requirement)? {
                Covers::Nothing => {}
                Covers::All(number) => hits.push(self.hit(advisory, entry.name(), number)?),
                Covers::Some => possible.push(self.hit(advisory, entry.name(), None)?),
                Covers::Unknown => unknown.push(self.details(advisory)?.id.to_string()),
            }
        }
        let safe_from = safe_floor(ecosystem, entry, requirement, hits.iter().chain(&possible))?;
        let safe_after = match safe_from {
            Some(_) => None,
            None => safe_ceiling(ecosystem, entry, requirement, hits.iter().chain(&possible))?,
        };
        let mut always: Vec<Arc<Verdict>> = groups(hits)
            .into_iter()
            .map(|group| Arc::new(verdict_of_range(ecosystem, entry.name(), text, requirement, &group)))
            .collect();
        sort(&mut always);
        // Another name of what is sure is no mere possibility.
        let sure: BTreeSet<String> = always.iter().flat_map(|verdict| all_names(verdict)).map(str::to_owned).collect();
        let mut possible: Vec<Arc<Verdict>> = groups(possible)
            .into_iter()
            .map(|group| Arc::new(told(ecosystem, entry.name(), Some(requirement.floor()), &group)))
            .filter(|verdict| !all_names(verdict).any(|name| sure.contains(name)))
            .collect();
        sort(&mut possible);
        unknown.sort_unstable();
        let unknown = (!unknown.is_empty())
            .then(|| format!("{} has a range whose bounds {ecosystem} cannot order", some(&unknown)));
        Ok(RangeJudgement { always, possible, safe_from, safe_after, unknown })
    }

    fn hit<'a>(&self, advisory: &'a Advisory<'a>, name: &str, interval: Option<usize>) -> Result<Hit<'a>, Damage> {
        let details = self.details(advisory)?;
        let package = of_package(&details, name);
        let vectors = package.iter().flat_map(|package| &package.vectors).map(|vector| &**vector);
        let mut severity = Severity::highest(vectors, package.and_then(|package| package.word.as_deref()));
        let (kind, informational) = advisory.kind();
        if kind == Kind::Malicious {
            severity.level = Level::Critical;
        } else if informational && severity.score.is_none() {
            severity.level = Level::Informational;
        }
        let range = interval.and_then(|number| package?.ranges.get(number).map(ToString::to_string));
        Ok(Hit { advisory, kind, severity, range, details })
    }

    fn details(&self, advisory: &Advisory<'_>) -> Result<Arc<Learnt>, Damage> {
        let lock = || self.details.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&advisory.id()) {
            return Ok(Arc::clone(known));
        }
        let details = Arc::new(Learnt::new(advisory.details()?));
        lock().insert(advisory.id(), Arc::clone(&details));
        Ok(details)
    }
}

fn all_names(verdict: &Verdict) -> impl Iterator<Item = &str> {
    std::iter::once(&verdict.id).chain(&verdict.aliases).map(String::as_str)
}

fn sort(verdicts: &mut [Arc<Verdict>]) {
    verdicts.sort_by(|a, b| (a.kind, b.severity.level, &a.id).cmp(&(b.kind, a.severity.level, &b.id)));
}

/// The lowest fixed version within a requirement from which on nothing that it allows is affected.
fn safe_floor<'h, 'a: 'h>(
    ecosystem: Ecosystem,
    entry: &Entry<'_>,
    requirement: &Requirement,
    hits: impl Iterator<Item = &'h Hit<'a>>,
) -> Result<Option<String>, Damage> {
    let mut fixes: Vec<(Version, String)> = hits
        .filter_map(|hit| of_package(&hit.details, entry.name()))
        .flat_map(|package| &package.fixed)
        .filter_map(|fix| Some((Version::parse(ecosystem, fix)?, fix.to_string())))
        .filter(|(version, _)| requirement.holds(version.key()))
        .collect();
    fixes.sort();
    for (version, fix) in fixes {
        let Some(rest) = requirement.from(version.key()) else { continue };
        let mut safe = true;
        for advisory in entry.advisories() {
            safe &= advisory.covers(&rest)? == Covers::Nothing;
        }
        if safe {
            return Ok(Some(fix));
        }
    }
    Ok(None)
}

/// The highest last affected version within a requirement after which nothing that it allows is affected, while it allows some.
fn safe_ceiling<'h, 'a: 'h>(
    ecosystem: Ecosystem,
    entry: &Entry<'_>,
    requirement: &Requirement,
    hits: impl Iterator<Item = &'h Hit<'a>>,
) -> Result<Option<String>, Damage> {
    let packages = hits.filter_map(|hit| of_package(&hit.details, entry.name()));
    let Some((version, text)) = highest(ecosystem, packages.flat_map(|package| &package.ranges)) else {
        return Ok(None);
    };
    let Some(rest) = requirement.after(version.key()).filter(|_| requirement.holds(version.key())) else {
        return Ok(None);
    };
    for advisory in entry.advisories() {
        if advisory.covers(&rest)? != Covers::Nothing {
            return Ok(None);
        }
    }
    Ok(Some(text.to_owned()))
}

/// The highest version that closes one of these intervals and is still in it.
fn highest<'r>(
    ecosystem: Ecosystem,
    ranges: impl Iterator<Item = &'r std::borrow::Cow<'static, str>>,
) -> Option<(Version, &'r str)> {
    let closing = |range: &'r std::borrow::Cow<'static, str>| {
        let text = range.rsplit(", ").next()?.strip_prefix("<= ")?;
        Some((Version::parse(ecosystem, text)?, text))
    };
    ranges.filter_map(closing).max()
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

fn of_package<'d>(details: &'d Details<'static>, name: &str) -> Option<&'d PackageDetails<'static>> {
    details.packages.iter().find(|package| package.name == name)
}

/// Names a few of many.
fn some(ids: &[String]) -> String {
    match ids {
        [first, second, third, _, ..] => format!("{first}, {second}, {third} and {} more", ids.len() - 3),
        _ => ids.join(", "),
    }
}

/// Divides hits into groups that share a name, directly or through others.
fn groups(mut hits: Vec<Hit<'_>>) -> Vec<Vec<Hit<'_>>> {
    hits.sort_by(|a, b| a.details.id.cmp(&b.details.id));
    let mut groups: Vec<(BTreeSet<String>, Vec<Hit<'_>>)> = Vec::new();
    for hit in hits {
        let mut names: BTreeSet<String> = names(&hit.details).map(str::to_owned).collect();
        let mut members = vec![hit];
        let (joined, apart) = groups.into_iter().partition(|(others, _)| !names.is_disjoint(others));
        groups = apart;
        for (others, more) in joined {
            names.extend(others);
            members.extend(more);
        }
        groups.push((names, members));
    }
    groups.into_iter().map(|(_, members)| members).collect()
}

fn names<'d>(details: &'d Details<'static>) -> impl Iterator<Item = &'d str> {
    std::iter::once(&*details.id).chain(details.aliases.iter().map(|alias| &**alias)).filter(|name| !name.is_empty())
}

fn verdict(ecosystem: Ecosystem, name: &str, text: &str, group: &[Hit<'_>]) -> Verdict {
    let installed = Version::parse(ecosystem, text);
    let above = installed.as_ref().map(Version::key);
    Verdict { reason: reason(text, group), ..told(ecosystem, name, above, group) }
}

fn verdict_of_range(
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
fn told(ecosystem: Ecosystem, name: &str, above: Option<&[u8]>, group: &[Hit<'_>]) -> Verdict {
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
