//! What an uploader leaves out of its findings, held against what is found when its packages are judged again.
//!
//! Pure. An answer of flags and VEX documents in somebody's CI holds here too: what was ruled out there is not opened by an advisory
//! that changes. Facts that no advisory tells are taken as they were uploaded, and nobody asks here.

use std::collections::HashMap;

use aiva_contracts::message::scan::v1 as message;

use crate::finding::{Finding, Verdict};
use crate::package::Scope;
use crate::scan::Possible;
use crate::severity::Level;

/// What is left out of the findings of one service.
#[derive(Debug, Clone, Default)]
pub struct LeftOut {
    said: message::LeftOut,
    /// The statements about a package URL, by their places.
    about: HashMap<String, Vec<usize>>,
}

impl LeftOut {
    /// As an upload says it.
    pub fn new(said: message::LeftOut) -> Self {
        let mut about: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, one) in said.ruled_out.iter().enumerate() {
            about.entry(one.purl.clone()).or_default().push(at);
        }
        Self { said, about }
    }

    /// As it is kept.
    pub fn said(&self) -> &message::LeftOut {
        &self.said
    }

    /// Whether a finding is left out.
    pub fn holds(&self, finding: &Finding) -> bool {
        let verdict = &*finding.verdict;
        let is_unfixed = self.said.unfixed && verdict.fixed_versions.is_empty();
        is_unfixed || self.flagged(verdict, finding.scope) || self.is_ruled_out(&finding.purl, verdict)
    }

    /// What remains of an entry that can resolve to affected versions; nothing where all of it is left out.
    pub fn rest(&self, mut entry: Possible) -> Option<Possible> {
        entry.verdicts.retain(|verdict| !self.flagged(verdict, entry.scope));
        (!entry.verdicts.is_empty()).then_some(entry)
    }

    fn flagged(&self, verdict: &Verdict, scope: Scope) -> bool {
        let is_dev = self.said.dev && matches!(scope, Scope::Dev | Scope::Build);
        is_dev || !self.reaches(verdict.severity.level) || names(verdict).any(|name| self.ignores(name))
    }

    fn ignores(&self, name: &str) -> bool {
        self.said.ignore.iter().any(|ignored| ignored == name)
    }

    fn is_ruled_out(&self, purl: &str, verdict: &Verdict) -> bool {
        let about = self.about.get(purl).into_iter().flatten().filter_map(|at| self.said.ruled_out.get(*at));
        about.flat_map(|one| &one.names).any(|ruled_out| names(verdict).any(|name| name == ruled_out))
    }

    /// Nobody has said of an unknown level that it is a low one.
    fn reaches(&self, level: Level) -> bool {
        let lowest = match self.said.lowest() {
            message::Level::Unspecified | message::Level::Informational | message::Level::Unknown => return true,
            message::Level::Low => Level::Low,
            message::Level::Medium => Level::Medium,
            message::Level::High => Level::High,
            message::Level::Critical => Level::Critical,
        };
        level == Level::Unknown || level >= lowest
    }
}

/// Every name of an advisory.
fn names(verdict: &Verdict) -> impl Iterator<Item = &str> {
    std::iter::once(verdict.id.as_str()).chain(verdict.aliases.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::finding::{Kind, Rule, of_rule};
    use crate::package::{Ecosystem, Package};
    use crate::severity::Severity;

    fn finding(id: &str, aliases: &[&str], level: Level, scope: Scope, fixed: &[&str]) -> Finding {
        let package = Package { scope, ..Package::new(Ecosystem::Npm, "left", "1.0.0", 3) };
        let rule = Rule {
            id: id.to_owned(),
            kind: Kind::Vulnerability,
            severity: Severity::of_level(level),
            summary: String::new(),
            description: String::new(),
            reason: String::new(),
        };
        let mut finding = of_rule("package-lock.json", &package, "pkg:npm/left@1.0.0".to_owned(), rule);
        let verdict = Verdict {
            aliases: aliases.iter().map(|name| (*name).to_owned()).collect(),
            fixed_versions: fixed.iter().map(|version| (*version).to_owned()).collect(),
            ..Verdict::clone(&finding.verdict)
        };
        finding.verdict = Arc::new(verdict);
        finding
    }

    #[track_caller]
    fn check(said: message::LeftOut, finding: &Finding, want: bool) {
        assert_eq!(LeftOut::new(said.clone()).holds(finding), want, "{said:?}");
    }

    #[test]
    fn what_the_uploader_leaves_out_stays_out() {
        let said = message::LeftOut::default;
        let plain = finding("CVE-1", &["GHSA-1"], Level::Medium, Scope::Runtime, &["2.0.0"]);
        let ruled_out = |purl: &str, name: &str| message::LeftOut {
            ruled_out: vec![message::RuledOut { purl: purl.to_owned(), names: vec!["X".to_owned(), name.to_owned()] }],
            ..said()
        };
        check(said(), &plain, false);
        check(message::LeftOut { ignore: vec!["GHSA-1".to_owned()], ..said() }, &plain, true);
        check(message::LeftOut { ignore: vec!["GHSA-2".to_owned()], ..said() }, &plain, false);
        check(ruled_out("pkg:npm/left@1.0.0", "GHSA-1"), &plain, true);
        check(ruled_out("pkg:npm/left@1.0.0", "GHSA-2"), &plain, false); // another advisory about the same package
        check(ruled_out("pkg:npm/left@1.0.1", "GHSA-1"), &plain, false); // another version
        check(message::LeftOut { unfixed: true, ..said() }, &plain, false);
        check(message::LeftOut { unfixed: true, ..said() }, &finding("C", &[], Level::Low, Scope::Runtime, &[]), true);
        check(message::LeftOut { dev: true, ..said() }, &plain, false);
        check(message::LeftOut { dev: true, ..said() }, &finding("C", &[], Level::High, Scope::Dev, &["2"]), true);
        let from = |lowest: message::Level| message::LeftOut { lowest: lowest.into(), ..said() };
        check(from(message::Level::Medium), &plain, false);
        check(from(message::Level::High), &plain, true);
        let unknown = finding("C", &[], Level::Unknown, Scope::Runtime, &[]);
        check(from(message::Level::Critical), &unknown, false);
        check(from(message::Level::Low), &finding("C", &[], Level::Informational, Scope::Runtime, &[]), true);
    }
}
