//! A document whose findings are not made before somebody reads them.
//!
//! A scan of a large repository has tens of thousands of findings, each with the whole text of its advisory. What the guard keeps of
//! a finding is small; what exceptions, VEX statements and a baseline say of it, and where it stands among the others, is settled here
//! from an outline of it. The text is put in again when the finding is written, and goes with it.
//!
//! Start reading at [`Draft::new`].

use std::hash::Hash;
use std::io;

use aiva_contracts::api::{
    Acceptance, DocumentFinding, DocumentInput, DocumentSchema, DocumentStatement, DocumentSummary, Guard, Level,
};
use rayon::prelude::*;

use super::story::{Stories, Story};
use super::{Clean, Document, Results, Standing, clean, count_inputs, count_of, no_findings, stands, whole};
use crate::exception::{Exception, Judge};
use crate::fingerprint::{Fingerprint, Place};
use crate::observation::Observation;

/// One thread makes so many findings.
const FEW: usize = 256;
/// Of more a thread makes so many at once, and while they are written so many times as many a thread are in memory with their words.
const AT_ONCE: usize = 16;
const TIMES: usize = 4;
/// Room that is made for a finding at once, in bytes; most take less.
const USUAL: usize = 2048;

/// A document in which every finding is still what its guard keeps of it.
#[derive(Debug)]
pub struct Draft<F> {
    guard: Guard,
    service: String,
    /// All but the findings.
    head: Document,
    /// In the order in which they came.
    facts: Vec<F>,
    /// The worst first.
    rows: Vec<Row>,
}

/// Path, name, line, id and version: where a finding is among those that are as bad.
pub type Spot<'f> = (&'f str, &'f str, u32, &'f str, &'f str);

/// Says of a finding what its draft does not keep.
pub trait Teller<F>: Sync {
    /// What findings have in common of which the same is said: names, kind, severity, versions, words, matches and priority.
    type Story: Eq + Hash + Send;

    /// That of a finding.
    fn story(&self, fact: &F) -> Self::Story;
    /// All that there is to say of it.
    fn whole(&self, fact: &F) -> Observation;
    /// The same; of its story no more than the names need be there.
    fn own(&self, fact: &F) -> Observation;
}

/// What is said of a finding that its guard does not know.
#[derive(Debug)]
struct Row {
    /// Its place among the facts.
    at: usize,
    level: Level,
    known: Option<bool>,
    /// Few findings have a statement or an acceptance.
    said: Option<Box<Said>>,
}

#[derive(Debug)]
struct Said {
    statement: Option<DocumentStatement>,
    acceptance: Option<Acceptance>,
}

impl Row {
    fn new(at: usize, seen: &mut Observation, acceptance: Option<Acceptance>) -> Self {
        let statement = seen.context.statement.take();
        let is_said = statement.is_some() || acceptance.is_some();
        let said = is_said.then(|| Box::new(Said { statement, acceptance }));
        Self { at, level: seen.severity.level, known: seen.context.known, said }
    }

    fn statement(&self) -> Option<&DocumentStatement> {
        self.said.as_ref()?.statement.as_ref()
    }

    fn acceptance(&self) -> Option<&Acceptance> {
        self.said.as_ref()?.acceptance.as_ref()
    }

    fn standing(&self) -> Standing {
        stands(self.acceptance().is_some(), self.statement(), self.known)
    }
}

/// How they stand and what to do first; of those the worst. Of equals the one whose path is the lesser.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// How it stands, its priority in thousandths (so that equal ones compare equal), its level and its score, the first in the
    /// highest bits: one comparison instead of four.
    worst: u128,
    /// The place of its path among all of them.
    path: u32,
}

impl Rank {
    fn new(row: &Row, seen: &Observation, path: u32) -> Self {
        let priority = seen.context.priority.as_ref().map_or(0.0, |priority| priority.score * 1000.0);
        // The greater are the first. No priority comes near the most that there is room for.
        let priority = (1 << 56) - 1 - (priority as u64).min((1 << 56) - 1);
        let score = !ascending(seen.severity.score.unwrap_or(0.0));
        let parts = [(4, row.standing() as u64), (56, priority), (4, row.level as u64), (64, score)];
        let worst = parts.into_iter().fold(0, |all, (bits, part)| (all << bits) | u128::from(part));
        Self { worst, path }
    }
}

/// A number whose order is that of [`f64::total_cmp`].
fn ascending(number: f64) -> u64 {
    let bits = number.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }
}

/// The paths of facts, each once, ascending.
fn paths<F>(facts: &[F], spot: fn(&F) -> Spot<'_>) -> Vec<&str> {
    let runs = facts.chunk_by(|one, next| spot(one).0 == spot(next).0);
    let mut paths: Vec<&str> = runs.filter_map(|run| Some(spot(run.first()?).0)).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

impl<F> Draft<F> {
    /// The draft of what a scan found out. `outline` says of a finding all but its words (summary, description, references, reason),
    /// [bounded](Observation::bounded), with its priority, statement and baseline; what `wants` turns away is left out, but its
    /// exceptions are in use all the same.
    pub fn new(
        results: Results<F>,
        judge: &mut Judge,
        spot: fn(&F) -> Spot<'_>,
        mut outline: impl FnMut(&F) -> Observation,
        mut wants: impl FnMut(&Observation) -> bool,
    ) -> Self {
        let Results { guard, service, advisories, mut inputs, ignored, packages, findings: facts } = results;
        let mut ranked: Vec<(Rank, Row)> = Vec::with_capacity(facts.len());
        let (paths, mut known) = (paths(&facts, spot), ("", 0));
        for (at, fact) in facts.iter().enumerate() {
            let mut seen = outline(fact);
            let acceptance = judge.cover(place(guard, &service, &seen), seen.names()).map(Exception::acceptance);
            if wants(&seen) {
                let row = Row::new(at, &mut seen, acceptance);
                let path = spot(fact).0;
                if path != known.0 {
                    known = (path, paths.partition_point(|other| *other < path));
                }
                ranked.push((Rank::new(&row, &seen, u32::try_from(known.1).unwrap_or(u32::MAX)), row));
            }
        }
        // As a stable sort would, without its buffer.
        ranked.sort_unstable_by(|(one, row), (other, other_row)| {
            let spots = || facts.get(row.at).map(spot).cmp(&facts.get(other_row.at).map(spot));
            one.cmp(other).then_with(spots).then(row.at.cmp(&other_row.at))
        });
        let rows: Vec<Row> = ranked.into_iter().map(|(_, row)| row).collect();
        inputs.sort_by(|a, b| a.path.cmp(&b.path).then_with(|| a.kind.cmp(&b.kind)));
        let mut summary = DocumentSummary {
            findings: no_findings(),
            accepted: 0,
            suppressed: None,
            known: None,
            packages: inputs.iter().map(|input| input.packages).sum(),
            not_judged: inputs.iter().map(|input| whole(input.not_judged.len())).sum(),
            can_resolve: Some(inputs.iter().map(|input| whole(input.can_resolve.len())).sum())
                .filter(|count| *count > 0),
            inputs: count_inputs(&inputs, ignored),
            exceptions: judge.idle(),
        };
        count(&rows, &mut summary);
        let (schema, findings) = (DocumentSchema::AivaScan1, Vec::new());
        let head = Document { schema, advisories, inputs, packages, findings, summary, contents: None };
        Self { guard, service, head, facts, rows }
    }

    /// What may be said of the scan if it has no findings.
    pub fn clean(&self) -> Clean {
        clean(&self.head)
    }

    /// The scan in numbers.
    pub fn summary(&self) -> &DocumentSummary {
        &self.head.summary
    }

    /// Every file seen, by path.
    pub fn inputs(&self) -> &[DocumentInput] {
        &self.head.inputs
    }

    /// How the findings stand, and how bad they are, in their order.
    pub fn standings(&self) -> impl Iterator<Item = (Standing, Level)> {
        self.rows.iter().map(|row| (row.standing(), row.level))
    }

    /// Whether several threads make the findings while they are written: whoever has few need not wait for any.
    pub fn takes_threads(&self) -> bool {
        self.rows.len() > FEW
    }

    /// The whole document; `tell` says all that there is to say of a finding.
    pub fn document(&self, tell: impl Fn(&F) -> Observation) -> Document {
        let facts = self.rows.iter().filter_map(|row| Some((row, self.facts.get(row.at)?)));
        let findings = facts.map(|(row, fact)| self.finding(row, tell(fact))).collect();
        Document { findings, ..self.head.clone() }
    }

    /// Writes the document as JSON: the fields of [`Document`] in their order, the findings made a few at a time, by all cores. What
    /// is not a finding is written in small pieces, so there should be a buffer before what is behind `out`.
    pub fn write(&self, mut out: impl io::Write, teller: &impl Teller<F>) -> io::Result<()>
    where
        F: Sync,
    {
        // Named one by one, so that a field of the contract that is not written here does not compile.
        let Document { schema, advisories, inputs, packages, findings: _, summary, contents } = &self.head;
        out.write_all(b"{\"schema\":")?;
        serde_json::to_writer(&mut out, schema)?;
        out.write_all(b",\"advisories\":")?;
        serde_json::to_writer(&mut out, advisories)?;
        out.write_all(b",\"inputs\":")?;
        serde_json::to_writer(&mut out, inputs)?;
        if let Some(packages) = packages {
            out.write_all(b",\"packages\":")?;
            serde_json::to_writer(&mut out, packages)?;
        }
        out.write_all(b",\"findings\":[")?;
        self.write_findings(&mut out, teller)?;
        out.write_all(b"],\"summary\":")?;
        serde_json::to_writer(&mut out, summary)?;
        if let Some(contents) = contents {
            out.write_all(b",\"contents\":")?;
            serde_json::to_writer(&mut out, contents)?;
        }
        out.write_all(b"}")?;
        out.flush()
    }

    fn write_findings(&self, out: &mut impl io::Write, teller: &impl Teller<F>) -> io::Result<()>
    where
        F: Sync,
    {
        let stories = Stories::new();
        let text = |rows: &[Row]| self.text(rows, teller, &stories);
        if !self.takes_threads() {
            let text = text(&self.rows)?;
            return out.write_all(text.get(1..).unwrap_or_default());
        }
        let mut is_first = true;
        for window in self.rows.chunks(rayon::current_num_threads() * TIMES * AT_ONCE) {
            let texts: Vec<Vec<u8>> = window.par_chunks(AT_ONCE).map(text).collect::<serde_json::Result<_>>()?;
            // In one piece with the comma before it: one call to whatever is behind `out`.
            for text in &texts {
                let Some(text) = text.get(usize::from(is_first)..) else { continue };
                out.write_all(text)?;
                is_first = false;
            }
        }
        Ok(())
    }

    /// Findings as JSON, each with a comma before it.
    fn text<T: Teller<F>>(&self, rows: &[Row], teller: &T, stories: &Stories<T::Story>) -> serde_json::Result<Vec<u8>> {
        let mut text = Vec::with_capacity(rows.len() * USUAL);
        let facts = rows.iter().filter_map(|row| Some((row, self.facts.get(row.at)?)));
        for (row, fact) in facts {
            let whole = || teller.whole(fact).bounded().document(String::new(), None);
            let story = stories.get(teller.story(fact), || Story::of(&whole(), &mut text))?;
            text.push(b',');
            story.write(&self.finding(row, teller.own(fact)), &mut text)?;
        }
        Ok(text)
    }

    fn finding(&self, row: &Row, mut seen: Observation) -> DocumentFinding {
        seen.context.known = row.known;
        seen.context.statement = row.statement().cloned();
        let seen = seen.bounded();
        let fingerprint = Fingerprint::new(place(self.guard, &self.service, &seen), seen.names()).to_string();
        seen.document(fingerprint, row.acceptance().cloned())
    }
}

fn place<'s>(guard: Guard, service: &'s str, seen: &'s Observation) -> Place<'s> {
    Place { guard: guard.as_str(), service, path: &seen.path, package: &seen.name }
}

fn count(rows: &[Row], summary: &mut DocumentSummary) {
    for row in rows {
        match row.standing() {
            Standing::Accepted => summary.accepted += 1,
            Standing::Suppressed => *summary.suppressed.get_or_insert(0) += 1,
            Standing::Known => {
                *summary.known.get_or_insert(0) += 1;
                *count_of(&mut summary.findings, row.level) += 1;
            }
            Standing::Open => {
                // A baseline was given, and this is new.
                if row.known.is_some() {
                    summary.known.get_or_insert(0);
                }
                *count_of(&mut summary.findings, row.level) += 1;
            }
        }
    }
}
