//! Judges one package version by all advisories about its package, and makes one verdict of those that are aliases of each other.
//!
//! Deterministic: the same index and version give the same verdicts in the same order, whatever the order of the records.
//! Start reading at [`Judge::judge`].

mod told;

use std::collections::BTreeSet;
use std::mem;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use rapidhash::RapidHashMap;

use self::told::{told, verdict, verdict_of_range};
use crate::advisory::{Advisory, AdvisoryId, Affects, Covers, Damage, Details, Entry, EntryId, PackageDetails};
use crate::finding::{Kind, Verdict};
use crate::package::Ecosystem;
use crate::severity::{Level, Severity};
use crate::version::{Requirement, Version};

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
    /// Whether the least version that is allowed is named and affected.
    pub is_least_affected: bool,
    /// Whether every version that is allowed is affected, by one vulnerability or another.
    pub is_never_safe: bool,
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
        let is_never_safe = is_never_safe(entry, requirement)?;
        let mut is_least_affected = false;
        if let Some(least) = requirement.least() {
            for advisory in entry.advisories() {
                is_least_affected |= matches!(advisory.covers(&least)?, Covers::All(_) | Covers::Some);
            }
        }
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
        Ok(RangeJudgement { always, possible, safe_from, safe_after, is_least_affected, is_never_safe, unknown })
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

/// Whether all vulnerabilities together leave nothing of what a requirement allows. That nobody looks after a package affects none of it.
fn is_never_safe(entry: &Entry<'_>, requirement: &Requirement) -> Result<bool, Damage> {
    let mut spans = Vec::new();
    for advisory in entry.advisories() {
        if matches!(advisory.kind(), (Kind::Vulnerability | Kind::Malicious, false)) {
            spans.extend(advisory.spans()?);
        }
    }
    Ok(requirement.is_within(spans))
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
