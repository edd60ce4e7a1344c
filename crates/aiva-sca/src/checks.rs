//! Facts about packages that no advisory tells: licences and the ways by which packages come.
//!
//! Reads licences from local caches, and only if there is a policy to judge them by; all else is pure. Start reading at
//! [`Checks::run`].

use std::borrow::Borrow;
use std::path::Path;

use jiff::civil::Date;

use crate::advisory::Index;
use crate::finding::Finding;
use crate::licence::locate::Caches;
use crate::licence::policy::Policy;
use crate::licence::survey::{self, Depth};
use crate::package::Input;
use crate::scan::ScanResult;
use crate::supply::Rules;

/// What is looked at besides advisories.
#[derive(Debug, Clone, Default)]
pub struct Checks {
    /// Which licences may be used; an empty one costs nothing.
    pub licences: Policy,
    /// Which rules about the supply chain are in force.
    pub supply: Rules,
    /// Where packages are kept on this machine.
    pub caches: Caches,
}

/// What a policy about licences finds.
#[derive(Debug, Clone, Default)]
pub struct Licensed {
    /// What it refuses.
    pub findings: Vec<Finding>,
    /// Its exceptions that let nothing through, one sentence each.
    pub idle: Vec<String>,
}

impl Checks {
    /// What they find in the inputs below `root`; an index tells which names are public.
    pub fn run(&self, root: &Path, inputs: &[Input], index: Option<&Index>, today: Date) -> Vec<Finding> {
        let mut findings = self.supply.judge(inputs, index);
        findings.extend(self.licensed(root, inputs, today).findings);
        findings
    }

    /// What the policy about licences finds in the inputs below `root`.
    pub fn licensed(&self, root: &Path, inputs: &[Input], today: Date) -> Licensed {
        let policy = Policy { today: Some(today), ..self.licences.clone() };
        let is_judged = !policy.is_empty();
        let licensed = if is_judged { survey::survey(root, inputs, &self.caches, Depth::Licences) } else { Vec::new() };
        Licensed {
            findings: if is_judged { survey::judge(&policy, &licensed) } else { Vec::new() },
            idle: survey::idle(&policy, &licensed).into_iter().map(|(one, why)| one.spoken(&why)).collect(),
        }
    }
}

impl ScanResult {
    /// The result with these findings among its own, in its order.
    #[must_use]
    pub fn with(mut self, more: Vec<Finding>) -> Self {
        add(&mut self.findings, more);
        self
    }
}

/// Puts more findings among those that are in the order of a result.
pub fn add<F: Borrow<Finding>>(findings: &mut Vec<F>, more: Vec<F>) {
    if !more.is_empty() {
        findings.extend(more);
        // Stable, and paths are in the order of the inputs: the advisories of a line stay before the rules.
        findings.sort_by(|a, b| {
            let (a, b): (&Finding, &Finding) = (a.borrow(), b.borrow());
            (&a.path, a.line, &a.name).cmp(&(&b.path, b.line, &b.name))
        });
    }
}
