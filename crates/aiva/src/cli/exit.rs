//! What a run's outcome means to a script: exit codes (DESIGN section 6).
//!
//! Pure. 2 could not do the job, else 1 findings at or over the threshold, else 3 done but some inputs could not be read
//! or judged, else 0.

use std::process::ExitCode;

use super::{FailOn, UnknownSeverity};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing to report.
    Clean,
    /// Findings at or over the threshold.
    Findings,
    /// Done, but some inputs could not be read or judged.
    Incomplete,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Clean => Self::SUCCESS,
            Outcome::Findings => Self::from(1),
            Outcome::Incomplete => Self::from(3),
        }
    }
}

/// The exit code of a command that could not do its job.
pub(crate) fn could_not() -> ExitCode {
    ExitCode::from(2)
}

/// Which findings count for the exit code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gate {
    /// `--fail-on`; `None` counts all that is not informational.
    pub(crate) fail_on: Option<FailOn>,
    /// `--unknown-severity`.
    pub(crate) unknown: UnknownSeverity,
}

impl Gate {
    /// Whether a finding of this level (`critical` … `informational`) counts.
    pub(crate) fn counts(self, level: &str) -> bool {
        let threshold = match self.fail_on {
            Some(FailOn::None) => return false,
            None | Some(FailOn::Low) => 1,
            Some(FailOn::Medium) => 2,
            Some(FailOn::High) => 3,
            Some(FailOn::Critical) => 4,
        };
        match level {
            "critical" => true,
            "high" => threshold <= 3,
            "medium" => threshold <= 2,
            "low" => threshold <= 1,
            "informational" => false,
            _ => self.unknown == UnknownSeverity::Gate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fail_on: Option<FailOn>, unknown: UnknownSeverity, counted: &[&str]) {
        let gate = Gate { fail_on, unknown };
        let levels = ["critical", "high", "medium", "low", "unknown", "informational"];
        let got: Vec<&str> = levels.into_iter().filter(|level| gate.counts(level)).collect();
        assert_eq!(got, counted, "{fail_on:?} {unknown:?}");
    }

    #[test]
    fn the_threshold_decides_what_counts() {
        use UnknownSeverity::{Gate, Ignore};
        check(None, Gate, &["critical", "high", "medium", "low", "unknown"]);
        check(None, Ignore, &["critical", "high", "medium", "low"]);
        check(Some(FailOn::Low), Gate, &["critical", "high", "medium", "low", "unknown"]);
        check(Some(FailOn::High), Gate, &["critical", "high", "unknown"]); // unknown may be critical
        check(Some(FailOn::Critical), Ignore, &["critical"]);
        check(Some(FailOn::None), Gate, &[]);
    }
}
