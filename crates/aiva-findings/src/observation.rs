//! What a guard saw: one fact at one place, before it is known whether anybody has seen it before.
//!
//! Pure data, bounded: whatever a guard or an upload says is cut to what the contract of the API lets us answer with, so
//! that nothing that was taken in can later make an answer invalid.

use aiva_contracts::api::{
    Acceptance, DocumentCanResolve, DocumentFinding, DocumentInput, DocumentMatch, DocumentNotJudged, DocumentPaths,
    DocumentPossible, DocumentPriority, DocumentProblem, DocumentStatement, FindingKind, InputStatus, Level,
    PackageScope, Severity,
};
use aiva_contracts::message::scan::v1 as message;

/// One fact as a guard saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The name to show: the CVE where there is one.
    pub id: String,
    /// Every other name of the same advisory or rule.
    pub aliases: Vec<String>,
    /// What sort of fact.
    pub kind: FindingKind,
    /// Package URL; empty where it is not about a package.
    pub purl: String,
    /// The package's or resource's name.
    pub name: String,
    /// Its exact version.
    pub version: String,
    /// The ecosystem as OSV names it.
    pub ecosystem: String,
    /// The input that names it, relative to the scan's root with `/` between parts.
    pub path: String,
    /// The line in it, from 1; 0 when the whole input is meant.
    pub line: u32,
    /// How bad.
    pub severity: Severity,
    /// Versions that are free of it.
    pub fixed_versions: Vec<String>,
    /// Where none is known: the version after which none is affected.
    pub last_affected: Option<String>,
    /// One line for people.
    pub summary: String,
    /// The whole story, in Markdown.
    pub description: String,
    /// Where to read more.
    pub references: Vec<String>,
    /// The functions of the package that the advisory names as affected.
    pub symbols: Vec<String>,
    /// How many more it names at least.
    pub more_symbols: u64,
    /// Why it applies here, for a person; may be empty.
    pub reason: String,
    /// What else the guard can tell; a scan on the command line and an upload have it, events do not carry it.
    pub context: Context,
}

/// How a fact stands among others.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Context {
    /// The column in the line, in characters from 1, where it is sure.
    pub column: Option<u32>,
    /// Whether the project itself asks for the package.
    pub direct: Option<bool>,
    /// What the package is needed for.
    pub scope: Option<PackageScope>,
    /// Which records matched, and by what.
    pub matched: Vec<DocumentMatch>,
    /// How the package comes in.
    pub paths: Option<DocumentPaths>,
    /// What to do first.
    pub priority: Option<DocumentPriority>,
    /// What a VEX document says of it.
    pub statement: Option<DocumentStatement>,
    /// Whether the baseline has it too.
    pub known: Option<bool>,
}

impl Observation {
    /// Every name of the advisory, the shown one first.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        std::iter::once(self.id.as_str()).chain(self.aliases.iter().map(String::as_str))
    }

    /// As a scan document and a row of the store hold it.
    pub(crate) fn document(self, fingerprint: String, acceptance: Option<Acceptance>) -> DocumentFinding {
        DocumentFinding {
            fingerprint,
            acceptance,
            id: self.id,
            aliases: self.aliases,
            purl: self.purl,
            name: self.name,
            version: self.version,
            ecosystem: self.ecosystem,
            path: self.path,
            line: self.line,
            kind: self.kind,
            severity: self.severity,
            fixed_versions: self.fixed_versions,
            last_affected: self.last_affected,
            summary: self.summary,
            description: self.description,
            references: self.references,
            symbols: self.symbols,
            more_symbols: (self.more_symbols > 0).then_some(self.more_symbols),
            reason: (!self.reason.is_empty()).then_some(self.reason),
            column: self.context.column,
            direct: self.context.direct,
            scope: self.context.scope,
            matched: self.context.matched,
            paths: self.context.paths,
            priority: self.context.priority,
            statement: self.context.statement,
            known: self.context.known,
        }
    }

    /// The same, cut to the contract's bounds and without characters that a database or a page cannot hold.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        line(&mut self.id, 200);
        list(&mut self.aliases, 200);
        self.aliases.retain(|alias| *alias != self.id);
        line(&mut self.purl, 1000);
        line(&mut self.name, 300);
        line(&mut self.version, 300);
        line(&mut self.ecosystem, 100);
        // Each form that is written escapes a line break in a name of its own accord; as a blank it would name another file.
        text(&mut self.path, 1000);
        self.line = self.line.min(i32::MAX.unsigned_abs());
        list(&mut self.fixed_versions, 300);
        self.last_affected.iter_mut().for_each(|version| line(version, 300));
        line(&mut self.summary, 1000);
        text(&mut self.description, 100_000);
        list(&mut self.references, 2000);
        // What is cut here is counted, as what was cut before.
        self.more_symbols = self.more_symbols.saturating_add(self.symbols.len().saturating_sub(100) as u64);
        self.more_symbols = self.more_symbols.min(1_000_000_000);
        list(&mut self.symbols, 300);
        line(&mut self.reason, 1000);
        self.context.bound();
        self.severity.score = self.severity.score.filter(|score| (0.0..=10.0).contains(score));
        if let Some(vector) = &mut self.severity.vector {
            line(vector, 300);
        }
        self
    }
}

impl Context {
    fn bound(&mut self) {
        self.column = self.column.filter(|column| (1..=i32::MAX.unsigned_abs()).contains(column));
        self.matched.truncate(100);
        for one in &mut self.matched {
            line(&mut one.record, 200);
            line(&mut one.interval, 1000);
            one.events.truncate(2);
            one.events.iter_mut().for_each(|event| line(event, 400));
        }
        if let Some(paths) = &mut self.paths {
            paths.shortest.truncate(20);
            paths.count = paths.count.min(1_000_000_000);
            for path in &mut paths.shortest {
                path.truncate(100);
                path.iter_mut().for_each(|step| line(step, 700));
            }
        }
        if let Some(priority) = &mut self.priority {
            priority.terms.truncate(20);
            for term in &mut priority.terms {
                line(&mut term.value, 300);
                term.points = if term.points.is_finite() { term.points.clamp(-400.0, 100.0) } else { 0.0 };
            }
            priority.score = if priority.score.is_finite() { priority.score.clamp(0.0, 100.0) } else { 0.0 };
        }
        if let Some(statement) = &mut self.statement {
            statement.justification.iter_mut().for_each(|word| line(word, 200));
            statement.detail.iter_mut().for_each(|detail| text(detail, 4000));
            statement.author.iter_mut().for_each(|author| line(author, 300));
            text(&mut statement.document, 1000);
        }
    }
}

/// Cuts to `most` characters and takes out what cannot be stored.
pub(crate) fn text(value: &mut String, most: usize) {
    if value.contains('\0') {
        value.retain(|c| c != '\0');
    }
    // No text has more characters than bytes.
    if value.len() > most
        && let Some((end, _)) = value.char_indices().nth(most)
    {
        value.truncate(end);
    }
}

/// The same for what must stay on one line: control characters become blanks.
pub(crate) fn line(value: &mut String, most: usize) {
    // Without a branch a byte, for nearly all lines are plain.
    let is_plain = value.bytes().fold(true, |plain, byte| plain & (0x20..0x7f).contains(&byte));
    if is_plain {
        value.truncate(most);
        return;
    }
    if value.chars().any(char::is_control) {
        *value = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    }
    text(value, most);
}

fn list(values: &mut Vec<String>, most: usize) {
    values.truncate(100);
    values.iter_mut().for_each(|value| line(value, most));
    values.retain(|value| !value.is_empty());
}

impl From<message::ObservedFinding> for Observation {
    fn from(seen: message::ObservedFinding) -> Self {
        Self::as_told(seen).bounded()
    }
}

impl Observation {
    /// What a guard of this program said, for somebody who will have it [`bounded`](Self::bounded).
    pub fn as_told(seen: message::ObservedFinding) -> Self {
        let (kind, severity) = (seen.kind(), seen.severity.unwrap_or_default());
        Self {
            id: seen.id,
            aliases: seen.aliases,
            kind: kind_from(kind),
            purl: seen.purl,
            name: seen.package_name,
            version: seen.version,
            ecosystem: seen.ecosystem,
            path: seen.path,
            line: seen.line,
            severity: Severity {
                level: level_from(severity.level()),
                score: severity.score,
                vector: (!severity.vector.is_empty()).then_some(severity.vector),
            },
            fixed_versions: seen.fixed_versions,
            last_affected: (!seen.last_affected.is_empty()).then_some(seen.last_affected),
            summary: seen.summary,
            description: seen.description,
            references: seen.references,
            symbols: seen.symbols,
            more_symbols: seen.more_symbols,
            reason: seen.reason,
            context: Context::default(),
        }
    }
}

impl From<Observation> for message::ObservedFinding {
    fn from(seen: Observation) -> Self {
        Self {
            id: seen.id,
            aliases: seen.aliases,
            kind: kind_to(seen.kind).into(),
            purl: seen.purl,
            package_name: seen.name,
            version: seen.version,
            ecosystem: seen.ecosystem,
            path: seen.path,
            line: seen.line,
            severity: Some(message::Severity {
                level: level_to(seen.severity.level).into(),
                score: seen.severity.score,
                vector: seen.severity.vector.unwrap_or_default(),
            }),
            fixed_versions: seen.fixed_versions,
            last_affected: seen.last_affected.unwrap_or_default(),
            summary: seen.summary,
            description: seen.description,
            references: seen.references,
            symbols: seen.symbols,
            more_symbols: seen.more_symbols,
            reason: seen.reason,
        }
    }
}

impl From<DocumentFinding> for Observation {
    fn from(seen: DocumentFinding) -> Self {
        Self {
            id: seen.id,
            aliases: seen.aliases,
            kind: seen.kind,
            purl: seen.purl,
            name: seen.name,
            version: seen.version,
            ecosystem: seen.ecosystem,
            path: seen.path,
            line: seen.line,
            severity: seen.severity,
            fixed_versions: seen.fixed_versions,
            last_affected: seen.last_affected,
            summary: seen.summary,
            description: seen.description,
            references: seen.references,
            symbols: seen.symbols,
            more_symbols: seen.more_symbols.unwrap_or_default(),
            reason: seen.reason.unwrap_or_default(),
            context: Context {
                column: seen.column,
                direct: seen.direct,
                scope: seen.scope,
                matched: seen.matched,
                paths: seen.paths,
                priority: seen.priority,
                statement: seen.statement,
                known: seen.known,
            },
        }
        .bounded()
    }
}

/// Inputs as the API shows them, cut to its bounds.
pub fn input(seen: message::ObservedInput) -> DocumentInput {
    let status = match seen.status() {
        message::InputStatus::Unspecified | message::InputStatus::Failed => InputStatus::Failed,
        message::InputStatus::Parsed => InputStatus::Parsed,
        message::InputStatus::Partial => InputStatus::Partial,
        message::InputStatus::Unsupported => InputStatus::Unsupported,
    };
    let line = |line: u32| line.min(i32::MAX.unsigned_abs());
    DocumentInput {
        path: cut(seen.path, 1000),
        kind: cut(seen.kind, 100),
        status,
        packages: seen.packages.min(1_000_000_000),
        not_judged: seen
            .not_judged
            .into_iter()
            .take(100_000)
            .map(|entry| DocumentNotJudged {
                ecosystem: cut(entry.ecosystem, 100),
                name: cut(entry.name, 1000),
                requirement: cut(entry.requirement, 2000),
                line: line(entry.line),
                reason: cut(entry.reason, 2000),
                registry: (!entry.registry.is_empty()).then(|| cut(entry.registry, 2000)),
            })
            .collect(),
        can_resolve: seen.can_resolve.into_iter().take(100_000).map(can_resolve).collect(),
        problems: seen
            .problems
            .into_iter()
            .take(100_000)
            .map(|problem| DocumentProblem { line: line(problem.line), message: cut(problem.message, 4000) })
            .collect(),
    }
}

fn cut(mut value: String, most: usize) -> String {
    text(&mut value, most);
    value
}

fn can_resolve(entry: message::CanResolve) -> DocumentCanResolve {
    let scope = match entry.scope.as_str() {
        "dev" => PackageScope::Dev,
        "build" => PackageScope::Build,
        "optional" => PackageScope::Optional,
        "peer" => PackageScope::Peer,
        _ => PackageScope::Runtime,
    };
    DocumentCanResolve {
        ecosystem: cut(entry.ecosystem, 100),
        name: cut(entry.name, 1000),
        requirement: cut(entry.requirement, 2000),
        line: entry.line.min(i32::MAX.unsigned_abs()),
        scope,
        safe_from: (!entry.safe_from.is_empty()).then(|| cut(entry.safe_from, 300)),
        safe_after: (!entry.safe_after.is_empty()).then(|| cut(entry.safe_after, 300)),
        never_safe: entry.never_safe.then_some(true),
        advisories: entry.advisories.into_iter().take(1000).map(possible).collect(),
    }
}

fn possible(advisory: message::PossibleAdvisory) -> DocumentPossible {
    let (kind, severity) = (kind_from(advisory.kind()), level_from(advisory.level()));
    let aliases = advisory.aliases.into_iter().take(1000).map(|alias| cut(alias, 200)).collect();
    let (mut id, mut summary) = (advisory.id, advisory.summary);
    line(&mut id, 200);
    line(&mut summary, 1000);
    DocumentPossible { id, aliases, kind, severity, summary, known: None }
}

fn kind_from(kind: message::FindingKind) -> FindingKind {
    match kind {
        message::FindingKind::Unspecified | message::FindingKind::Vulnerability => FindingKind::Vulnerability,
        message::FindingKind::Malicious => FindingKind::Malicious,
        message::FindingKind::Unmaintained => FindingKind::Unmaintained,
        message::FindingKind::Unsound => FindingKind::Unsound,
        message::FindingKind::Yanked => FindingKind::Yanked,
        message::FindingKind::License => FindingKind::License,
        message::FindingKind::SupplyChain => FindingKind::SupplyChain,
    }
}

/// The kind as events spell it.
pub(crate) fn kind_to(kind: FindingKind) -> message::FindingKind {
    match kind {
        FindingKind::Vulnerability => message::FindingKind::Vulnerability,
        FindingKind::Malicious => message::FindingKind::Malicious,
        FindingKind::Unmaintained => message::FindingKind::Unmaintained,
        FindingKind::Unsound => message::FindingKind::Unsound,
        FindingKind::Yanked => message::FindingKind::Yanked,
        FindingKind::License => message::FindingKind::License,
        FindingKind::SupplyChain => message::FindingKind::SupplyChain,
    }
}

fn level_from(level: message::Level) -> Level {
    match level {
        message::Level::Unspecified | message::Level::Unknown => Level::Unknown,
        message::Level::Informational => Level::Informational,
        message::Level::Low => Level::Low,
        message::Level::Medium => Level::Medium,
        message::Level::High => Level::High,
        message::Level::Critical => Level::Critical,
    }
}

/// The level as events spell it.
pub(crate) fn level_to(level: Level) -> message::Level {
    match level {
        Level::Informational => message::Level::Informational,
        Level::Unknown => message::Level::Unknown,
        Level::Low => message::Level::Low,
        Level::Medium => message::Level::Medium,
        Level::High => message::Level::High,
        Level::Critical => message::Level::Critical,
    }
}
