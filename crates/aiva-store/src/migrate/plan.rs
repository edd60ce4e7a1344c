//! Decides what is missing and whether this release can live with what is there. Pure.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::expand::contraction;
use super::{Applied, Engine, MigrateError, MigrationSet, Phase, Step, StepStatus};

/// What has to be done.
#[derive(Debug)]
pub struct Plan {
    /// In the order in which they are applied: by set, then by version.
    pub missing: Vec<Planned>,
}

/// A step with its owner and the SQL for the engine.
#[derive(Debug, Clone)]
pub struct Planned {
    /// See [`MigrationSet::owner`].
    pub owner: &'static str,
    /// The step.
    pub step: Step,
    /// Its SQL for the engine at hand.
    pub sql: &'static str,
    /// SHA-256 of that SQL, in hex.
    pub checksum: String,
}

impl Planned {
    /// `findings 3 history`, for messages.
    pub fn title(&self) -> String {
        title(self.owner, self.step.version, self.step.name)
    }
}

/// Compares what a release has with what the database remembers.
///
/// # Errors
/// [`MigrateError::Changed`], [`MigrateError::Contracted`], and what is a defect of the build:
/// [`MigrateError::Contracts`], [`MigrateError::Disordered`].
pub fn plan(sets: &[MigrationSet], applied: &[Applied], engine: Engine) -> Result<Plan, MigrateError> {
    let mut unknown: BTreeMap<(&str, u32), &Applied> =
        applied.iter().map(|applied| ((applied.owner.as_str(), applied.version), applied)).collect();
    let mut missing = Vec::new();
    for set in sets {
        for (step, number) in set.steps.iter().zip(1..) {
            if step.version != number {
                return Err(MigrateError::Disordered { owner: set.owner.to_owned() });
            }
            let sql = engine(step);
            let planned = Planned { owner: set.owner, step: *step, sql, checksum: checksum(sql) };
            if step.phase == Phase::Expand
                && let Some((statement, reason)) = contraction(sql)
            {
                return Err(MigrateError::Contracts { step: planned.title(), reason, statement });
            }
            match unknown.remove(&(set.owner, step.version)) {
                None => missing.push(planned),
                Some(applied) if applied.checksum == planned.checksum => {}
                Some(_) => return Err(MigrateError::Changed { step: planned.title() }),
            }
        }
    }
    match unknown.into_values().find(|applied| applied.phase == Phase::Contract) {
        Some(applied) => Err(MigrateError::Contracted { step: title(&applied.owner, applied.version, &applied.name) }),
        None => Ok(Plan { missing }),
    }
}

pub(super) fn statuses(sets: &[MigrationSet], applied: &[Applied]) -> Vec<StepStatus> {
    let find = |owner: &str, version| applied.iter().find(|row| row.owner == owner && row.version == version);
    let known = sets.iter().flat_map(|set| set.steps.iter().map(|step| (set.owner, step)));
    let mut statuses: Vec<_> = known
        .map(|(owner, step)| StepStatus {
            owner: owner.to_owned(),
            version: step.version,
            name: step.name.to_owned(),
            phase: step.phase,
            applied_at: find(owner, step.version).map(|row| row.applied_at),
            known: true,
        })
        .collect();
    for row in applied {
        if !statuses.iter().any(|status| status.owner == row.owner && status.version == row.version) {
            statuses.push(StepStatus {
                owner: row.owner.clone(),
                version: row.version,
                name: row.name.clone(),
                phase: row.phase,
                applied_at: Some(row.applied_at),
                known: false,
            });
        }
    }
    statuses
}

fn title(owner: &str, version: u32, name: &str) -> String {
    format!("{owner} {version} {name}")
}

/// White space at line ends and between lines is not part of a step, so reformatting a source file changes nothing.
fn checksum(sql: &str) -> String {
    let text = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Step = Step { version: 1, name: "one", phase: Phase::Expand, sqlite: "A", postgres: "B" };
    const GONE: Step = Step { sqlite: "DROP TABLE a", ..ONE };
    const SAID: Step = Step { phase: Phase::Contract, ..GONE };
    const TWO: Step = Step { version: 2, name: "two", ..ONE };

    fn row(version: u32, phase: Phase, sql: &str) -> Applied {
        let checksum = checksum(sql);
        Applied { owner: "x".into(), version, name: "n".into(), phase, checksum, applied_at: 7 }
    }

    fn check(steps: &'static [Step], applied: &[Applied]) -> Result<usize, String> {
        let sets = [MigrationSet { owner: "x", steps }];
        plan(&sets, applied, |step| step.sqlite).map(|plan| plan.missing.len()).map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn a_release_runs_on_its_own_and_on_expanded_schemas() {
        assert_eq!(check(&[ONE, TWO], &[]), Ok(2));
        assert_eq!(check(&[ONE, TWO], &[row(1, Phase::Expand, "A")]), Ok(1));
        assert_eq!(check(&[ONE, TWO], &[row(1, Phase::Expand, " A\n")]), Ok(1)); // only reformatted
        assert_eq!(check(&[ONE], &[row(1, Phase::Expand, "A"), row(2, Phase::Expand, "Z")]), Ok(0)); // newer, expanded
        assert!(
            check(&[ONE], &[row(1, Phase::Expand, "A"), row(2, Phase::Contract, "Z")])
                .unwrap_err()
                .contains("Contracted")
        );
        assert!(check(&[ONE], &[row(1, Phase::Expand, "other")]).unwrap_err().contains("Changed"));
        assert!(check(&[GONE], &[]).unwrap_err().contains("Contracts"));
        assert_eq!(check(&[SAID], &[]), Ok(1)); // it says so
        assert!(check(&[TWO], &[]).unwrap_err().contains("Disordered"));
    }
}
