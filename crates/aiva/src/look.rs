//! Looks at what a target is built from, input by input, and keeps of each no more than the report needs.
//!
//! The inputs of a large repository do not fit into little memory, what there is to say of them does. Inputs come from the walk while
//! it goes on, or from an inventory that was taken before; either way each is judged once, by advisories and by the checks, and let
//! go. Start reading at [`Look::walk`].

use std::fs;
use std::path::Path;
use std::sync::Arc;

use aiva_contracts::api::DocumentInput;
use aiva_findings::observation;
use aiva_sca::advisory::{Damage, Index};
use aiva_sca::checks::{self, Checks, Licensed};
use aiva_sca::column;
use aiva_sca::finding::Finding;
use aiva_sca::inventory::{self, Inventory, WalkError};
use aiva_sca::package::{Input, NotJudged, Package};
use aiva_sca::report;
use aiva_sca::scan::{Judged, Judging, Unjudged};
use jiff::civil::Date;
use rayon::prelude::*;

/// Larger files are not read a second time.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Why a walk could not be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookError {
    /// There is nothing to look at.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// No answer could be trusted.
    #[error("the scan was stopped")]
    Damage(#[from] Damage),
}

/// What of the inputs is kept after they were looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// What the report says of them.
    Report,
    /// All that was read of them.
    Inputs,
}

/// Whether it is sought where in its line a package is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Columns<'a> {
    /// In the files below this folder.
    Below(&'a Path),
    /// Nobody asks.
    Unsought,
}

/// Looks at inputs one by one, from any number of threads, and keeps of each only what is asked for.
pub(crate) struct Look<'a> {
    judging: Option<Judging<'a>>,
    index: Option<&'a Index>,
    checks: &'a Checks,
    keep: Keep,
    columns: Columns<'a>,
}

/// What there is to say of one input.
pub(crate) struct Seen {
    input: DocumentInput,
    /// Each apart, so that they stay where they are when those of all inputs are put together.
    findings: Vec<Arc<Finding>>,
    kept: Option<Box<Input>>,
}

/// What was looked at, by the paths of the inputs.
pub(crate) struct Looked {
    seen: Vec<Seen>,
    ignored: Vec<String>,
    archives: usize,
}

/// What there is to say of all inputs, by their paths.
#[derive(Default)]
pub(crate) struct Gathered {
    /// What became of each.
    pub(crate) inputs: Vec<DocumentInput>,
    /// In the order of the inputs, then by line.
    pub(crate) findings: Vec<Arc<Finding>>,
    /// The inputs themselves, if they are kept.
    pub(crate) kept: Vec<Input>,
    /// Exceptions to the policy about licences that let nothing through, one sentence each.
    pub(crate) idle_licences: Vec<String>,
    /// See [`Inventory::ignored_lockfiles`].
    pub(crate) ignored: Vec<String>,
    /// See [`Inventory::archives`].
    pub(crate) archives: usize,
}

impl<'a> Look<'a> {
    /// By these advisories, where there are some, and these checks. A policy about licences needs the inputs whole.
    pub(crate) fn new(index: Option<&'a Index>, checks: &'a Checks, keep: Keep, columns: Columns<'a>) -> Self {
        let keep = if checks.licences.is_empty() { keep } else { Keep::Inputs };
        Self { judging: index.map(Judging::new), index, checks, keep, columns }
    }

    /// Everything below a path, no more of it in memory than is read at a time.
    pub(crate) fn walk(
        &self,
        root: &Path,
        options: &inventory::Options,
        progress: &(dyn Fn(inventory::Progress) + Sync),
    ) -> Result<Looked, LookError> {
        let visited = inventory::visit(root, options, progress, &|input, text| self.at(input, text))?;
        let seen = visited.shown.into_iter().collect::<Result<Vec<Seen>, Damage>>()?;
        Ok(Looked { seen, ignored: visited.ignored_lockfiles, archives: visited.archives })
    }

    /// Everything that was read before.
    pub(crate) fn over(&self, inventory: Inventory) -> Result<Looked, LookError> {
        let seen: Result<Vec<Seen>, Damage> =
            inventory.inputs.into_par_iter().map(|input| self.at(input, None)).collect();
        Ok(Looked { seen: seen?, ignored: inventory.ignored_lockfiles, archives: inventory.archives })
    }

    /// Ends the looking: all that was seen, with what licences say of it below `root`.
    pub(crate) fn gather(self, looked: Looked, root: &Path, today: Date) -> Gathered {
        let Self { judging, checks, columns, .. } = self;
        // What was kept for further inputs makes room for what is gathered.
        drop(judging);
        let Looked { seen, ignored, archives } = looked;
        let mut gathered = Gathered { ignored, archives, ..Gathered::default() };
        gathered.inputs.reserve_exact(seen.len());
        gathered.findings.reserve_exact(seen.iter().map(|one| one.findings.len()).sum());
        for Seen { input, findings, kept } in seen {
            gathered.inputs.push(input);
            gathered.findings.extend(findings);
            gathered.kept.extend(kept.map(|input| *input));
        }
        let Licensed { findings: mut licensed, idle } = checks.licensed(root, &gathered.kept, today);
        gathered.idle_licences = idle;
        if let Columns::Below(folder) = columns {
            again(folder, &mut licensed);
        }
        checks::add(&mut gathered.findings, licensed.into_iter().map(Arc::new).collect());
        gathered
    }

    fn at(&self, input: Input, text: Option<&[u8]>) -> Result<Seen, Damage> {
        let mut judged = match &self.judging {
            Some(judging) => judging.judge(&input)?,
            None => Judged { not_judged: all_unjudged(&input), ..Judged::default() },
        };
        checks::add(&mut judged.findings, self.checks.supply.judge_one(&input, self.index));
        if let Columns::Below(folder) = self.columns {
            match text {
                Some(text) => column::set(text, &mut judged.findings),
                None => again(folder, &mut judged.findings),
            }
        }
        let told = report::input(&input, &judged.not_judged, &judged.can_resolve);
        Ok(Seen {
            input: observation::input(told),
            findings: judged.findings.into_iter().map(Arc::new).collect(),
            kept: (self.keep == Keep::Inputs).then(|| Box::new(input)),
        })
    }
}

impl Looked {
    /// With what else was looked at below the same path.
    #[must_use]
    pub(crate) fn with(mut self, more: Self) -> Self {
        self.seen.extend(more.seen);
        self.seen.sort_by(|one, other| one.input.path.cmp(&other.input.path));
        self.ignored.extend(more.ignored);
        self
    }
}

/// Without advisories nothing is judged, and every package says so.
fn all_unjudged(input: &Input) -> Vec<Unjudged> {
    let package = |package: &Package| Unjudged {
        path: input.path.clone(),
        line: package.line,
        ecosystem: package.ecosystem,
        name: package.name.to_string(),
        requirement: package.version.to_string(),
        reason: "there are no advisories".to_owned(),
        registry: None,
    };
    let open = |entry: &NotJudged| Unjudged {
        path: input.path.clone(),
        line: entry.line,
        ecosystem: entry.ecosystem,
        name: entry.name.to_string(),
        requirement: entry.requirement.to_string(),
        reason: entry.reason.clone().into_owned(),
        registry: entry.registry().map(Into::into),
    };
    let entries = input.not_judged.iter().filter(|entry| !entry.is_settled);
    input.packages.iter().map(package).chain(entries.map(open)).collect()
}

/// Sets the columns of findings whose files are not in memory any more, reading again only those files.
fn again(folder: &Path, findings: &mut [Finding]) {
    // Findings are in the order of their paths.
    for of_file in findings.chunk_by_mut(|one, other| one.path == other.path) {
        let Some(file) = of_file.first().map(|first| folder.join(&*first.path)) else { continue };
        // What changed or went away since it was read has no column.
        if let Some(text) = read(&file) {
            column::set(&text, of_file);
        }
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let metadata = fs::metadata(path).ok().filter(|metadata| metadata.is_file() && metadata.len() <= LARGEST)?;
    let bytes = fs::read(path).ok()?;
    (bytes.len() as u64 == metadata.len()).then_some(bytes)
}
