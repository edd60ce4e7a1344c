//! `--vex`: what others say of the findings.

use std::fs;

use aiva_contracts::api::{DocumentStatement, StatementStatus};
use aiva_findings::observation::Observation;
use aiva_sca::vex::{self, Statements, Status};
use anyhow::Result;

use super::super::Scan;
use super::super::terminal::complain;
use crate::failure::Failure;

/// The statements of all documents that were given.
pub(super) struct Vex<'s> {
    statements: Statements,
    product: Option<&'s str>,
}

impl<'s> Vex<'s> {
    /// Reads the documents.
    pub(super) fn read(scan: &'s Scan) -> Result<Self> {
        let mut statements = Statements::default();
        for path in &scan.vex {
            let name = path.display().to_string();
            let text = fs::read(path).map_err(|error| Failure::new(format!("cannot read {name}")).because(error))?;
            let vex = vex::read(&text).map_err(|error| {
                Failure::new(format!("{name} is no VEX document"))
                    .because(error)
                    .hint("give OpenVEX, CycloneDX with analyses, or CSAF, as JSON")
            })?;
            vex.problems.iter().for_each(|problem| complain(&format!("warning: {name}: {problem}")));
            statements.add(&name, vex);
        }
        Ok(Self { statements, product: scan.vex_product.as_deref() })
    }

    /// The statement that speaks of a finding.
    pub(super) fn of(&mut self, finding: &Observation) -> Option<DocumentStatement> {
        let said = self.statements.of(finding.names(), &finding.purl, self.product)?;
        Some(DocumentStatement {
            status: match said.statement.status {
                Status::Affected => StatementStatus::Affected,
                Status::UnderInvestigation => StatementStatus::UnderInvestigation,
                Status::NotAffected => StatementStatus::NotAffected,
                Status::Fixed => StatementStatus::Fixed,
            },
            justification: said.statement.justification.clone(),
            detail: said.statement.detail.clone(),
            author: said.author.map(str::to_owned),
            document: said.document.to_owned(),
        })
    }

    /// Says how many statements spoke of nothing, after all findings were asked for.
    pub(super) fn close(self) {
        match self.statements.idle() {
            0 => {}
            1 => complain("note: 1 VEX statement speaks of nothing that was found"),
            idle => complain(&format!("note: {idle} VEX statements speak of nothing that was found")),
        }
    }
}
