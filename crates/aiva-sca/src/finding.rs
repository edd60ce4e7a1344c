//! A finding: one package at one version, at one place, that one advisory (with all its aliases) is about.
//!
//! Pure data, complete enough to be reported without asking the index again. The fingerprint is not computed here: it belongs
//! to the findings' life, which this crate does not know.

use std::sync::Arc;

use smol_str::SmolStr;

use crate::package::{Ecosystem, Package, Scope};
use crate::severity::Severity;

/// What is wrong with the package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Published to do harm.
    Malicious,
    /// A flaw that can be exploited.
    Vulnerability,
    /// Safe code can be made to break memory safety.
    Unsound,
    /// Nobody looks after it any more.
    Unmaintained,
    /// Withdrawn from its registry by its publisher.
    Yanked,
    /// Under a licence that the policy does not allow, or under none that anybody could find.
    License,
    /// A way of getting the package that lets somebody else decide what is installed.
    SupplyChain,
}

impl Kind {
    /// The word used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malicious => "malicious",
            Self::Vulnerability => "vulnerability",
            Self::Unsound => "unsound",
            Self::Unmaintained => "unmaintained",
            Self::Yanked => "yanked",
            Self::License => "license",
            Self::SupplyChain => "supply-chain",
        }
    }
}

/// What the advisories that are aliases of each other say together about one package version.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The CVE where there is one, else the GHSA, else the first record's own id.
    pub id: String,
    /// Every other name of the same thing, sorted.
    pub aliases: Vec<String>,
    /// The ids of the records that matched, sorted; a subset of `id` and `aliases`.
    pub records: Vec<String>,
    /// The worst kind that any of the records states.
    pub kind: Kind,
    /// The highest severity that any of the records states.
    pub severity: Severity,
    /// Versions above the installed one that end it for all of the records, nearest first. Where the records contradict each
    /// other, those that end it for any of them. Empty when there is none above.
    pub fixed_versions: Vec<String>,
    /// Where no version is known that ends it: the version after which none is affected, by all of the records.
    pub last_affected: Option<String>,
    /// Why the version is affected, for a person: `0.3.0 is in >= 0.2.0, < 0.3.4 (RUSTSEC-2020-0001)`.
    pub reason: String,
    /// Each record that matched, with the interval and the events that bound it.
    pub matched: Vec<Match>,
    /// One line.
    pub summary: String,
    /// The long text, usually Markdown; shared by all versions that the record is about.
    pub description: Arc<str>,
    /// Addresses to read on, without repetitions, advisories and fixes first; shared as the text is.
    pub references: Arc<[String]>,
    /// When it became public, RFC 3339, where the record says so.
    pub published: Option<String>,
    /// The functions of the package that the records name as affected.
    pub symbols: Symbols,
}

/// Functions of a package that advisories name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Symbols {
    /// As code names them, each once: `golang.org/x/crypto/ssh.NewServerConn`, `smallvec::SmallVec::grow`.
    pub names: Vec<String>,
    /// How many more there are at least.
    pub more: u64,
}

impl Symbols {
    /// How many there are at least.
    pub fn count(&self) -> u64 {
        self.more.saturating_add(self.names.len() as u64)
    }
}

/// What of a record matched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Match {
    /// The record's own id.
    pub record: String,
    /// The affected interval; `listed` where the version is named one by one.
    pub interval: String,
    /// The events that open and close it: `introduced 0.2.0`, `fixed 0.3.4`.
    pub events: Vec<String>,
}

/// How a package comes into the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduced {
    /// The shortest paths as `name version`, a root first, the package last; see [`crate::graph`]. The paths of one file share
    /// their steps.
    pub paths: Paths,
    /// How many there are, listed or not.
    pub count: u64,
    /// How many packages the shortest names; 1 for what the project itself asks for.
    pub depth: usize,
}

/// Paths of steps, in two pieces of memory however many they are: a scan of a large repository keeps tens of thousands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Paths {
    steps: Box<[Arc<str>]>,
    /// Where each path ends in them.
    ends: Box<[u32]>,
}

impl Paths {
    /// Of all their steps and the length of each.
    pub(crate) fn of(steps: impl Iterator<Item = Arc<str>>, lengths: impl Iterator<Item = usize>) -> Self {
        let mut end = 0;
        let ends = lengths.map(|length| {
            end += length;
            u32::try_from(end).unwrap_or(u32::MAX)
        });
        Self { ends: ends.collect(), steps: steps.collect() }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The paths in their order.
    pub fn iter(&self) -> impl Iterator<Item = &[Arc<str>]> + Clone {
        let mut from = 0;
        self.ends.iter().map(move |end| {
            let path = self.steps.get(from..*end as usize).unwrap_or_default();
            from = *end as usize;
            path
        })
    }
}

impl<P: IntoIterator<Item = Arc<str>>> FromIterator<P> for Paths {
    fn from_iter<I: IntoIterator<Item = P>>(paths: I) -> Self {
        let (mut steps, mut ends) = (Vec::new(), Vec::new());
        for path in paths {
            steps.extend(path);
            ends.push(u32::try_from(steps.len()).unwrap_or(u32::MAX));
        }
        Self { steps: steps.into(), ends: ends.into() }
    }
}

/// One [`Verdict`] at one place of one file.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What is known of it; shared by every place that names the same package version.
    pub verdict: Arc<Verdict>,
    /// Whose names and versions apply.
    pub ecosystem: Ecosystem,
    /// The package's name.
    pub name: SmolStr,
    /// The package's version, as the file has it.
    pub version: SmolStr,
    /// The package URL, with version.
    pub purl: String,
    /// The file, relative to the scan's root; shared by all that is found in it.
    pub path: Arc<str>,
    /// The line that names the package, from 1.
    pub line: u32,
    /// The column in it, in characters from 1, where somebody looked and it is sure.
    pub column: Option<u32>,
    /// Whether the project itself asks for the package, where the file tells.
    pub direct: Option<bool>,
    /// What the package is needed for.
    pub scope: Scope,
    /// How it comes in, where the file says who needs whom.
    pub introduced: Option<Arc<Introduced>>,
}

/// What a rule of our own says of a package, where no advisory does.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The rule's stable name; part of the finding's identity.
    pub id: String,
    /// What sort of fact.
    pub kind: Kind,
    /// How bad.
    pub severity: Severity,
    /// One line.
    pub summary: String,
    /// The long text, Markdown.
    pub description: String,
    /// Why it applies here.
    pub reason: String,
}

/// A finding of a rule at the place that names the package.
pub fn of_rule(path: &str, package: &Package, purl: String, rule: Rule) -> Finding {
    Finding {
        verdict: Arc::new(Verdict {
            id: rule.id,
            aliases: Vec::new(),
            records: Vec::new(),
            kind: rule.kind,
            severity: rule.severity,
            fixed_versions: Vec::new(),
            last_affected: None,
            reason: rule.reason,
            matched: Vec::new(),
            summary: rule.summary,
            description: rule.description.into(),
            references: Arc::default(),
            published: None,
            symbols: Symbols::default(),
        }),
        ecosystem: package.ecosystem,
        name: package.name.clone(),
        version: package.version.clone(),
        purl,
        path: path.into(),
        line: package.line,
        column: None,
        direct: package.direct,
        scope: package.scope,
        introduced: None,
    }
}
