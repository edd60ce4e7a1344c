//! Decides which findings somebody chose not to act on, and which of those choices do nothing any more.
//!
//! Pure. Every part that an exception names must fit; it covers through its last day and not a day longer. One that has
//! run out or covers nothing is reported, so that the list never rots. Start reading at [`Judge::cover`].

use aiva_contracts::api::{Acceptance, DocumentException, ExceptionMatch, ExceptionState, Guard, Origin};
use jiff::civil::Date;

use crate::fingerprint::Place;
use crate::glob::{Glob, GlobError};

/// A named, owned, expiring choice not to act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Its id; those of the file begin with `file-`.
    pub id: String,
    /// Where it is defined.
    pub origin: Origin,
    /// Whose findings it is about.
    pub guard: Guard,
    /// What it covers.
    pub rule: Rule,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The last day on which it holds.
    pub expires: Date,
}

/// What an exception covers; every part given must fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    id: Option<String>,
    package: Option<String>,
    path: Option<Glob>,
    service: Option<String>,
}

/// Why a rule was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// It would cover everything of a guard or a service.
    #[error("an exception must name an id, a package or a path")]
    TooWide,
    /// The path pattern cannot match.
    #[error(transparent)]
    Path(#[from] GlobError),
}

impl Rule {
    /// A rule that names at least an id, a package or a path.
    pub fn new(parts: ExceptionMatch) -> Result<Self, RuleError> {
        if parts.id.is_none() && parts.package.is_none() && parts.path.is_none() {
            return Err(RuleError::TooWide);
        }
        let path = parts.path.as_deref().map(Glob::new).transpose()?;
        Ok(Self { id: parts.id, package: parts.package, path, service: parts.service })
    }

    /// The parts as they were given.
    pub fn parts(&self) -> ExceptionMatch {
        ExceptionMatch {
            id: self.id.clone(),
            package: self.package.clone(),
            path: self.path.as_ref().map(|glob| glob.as_str().to_owned()),
            service: self.service.clone(),
        }
    }

    fn fits<'n>(&self, place: &Place<'_>, mut names: impl Iterator<Item = &'n str>) -> bool {
        self.package.as_deref().is_none_or(|package| package == place.package)
            && self.service.as_deref().is_none_or(|service| service == place.service)
            && self.id.as_deref().is_none_or(|id| names.any(|name| name == id))
            && self.path.as_ref().is_none_or(|path| path.matches(place.path))
    }
}

impl Exception {
    /// Whether it is over on `today`.
    pub fn is_expired(&self, today: Date) -> bool {
        today > self.expires
    }

    /// What it says of a finding that it covers.
    pub fn acceptance(&self) -> Acceptance {
        Acceptance {
            owner: self.owner.clone(),
            reason: self.reason.clone(),
            expires: self.expires,
            exception: Some(self.id.clone()),
        }
    }
}

/// All exceptions on one day, and how often each was needed.
#[derive(Debug, Clone)]
pub struct Judge {
    today: Date,
    exceptions: Vec<(Exception, u64)>,
}

/// What became of an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict<'a> {
    /// The exception.
    pub exception: &'a Exception,
    /// Whether it does anything.
    pub state: ExceptionState,
    /// Findings that it covered.
    pub matched: u64,
}

impl Judge {
    /// A judge of these exceptions on `today`.
    pub fn new(exceptions: impl IntoIterator<Item = Exception>, today: Date) -> Self {
        Self { today, exceptions: exceptions.into_iter().map(|exception| (exception, 0)).collect() }
    }

    /// The exception that covers a finding, if any: of several the one that holds longest, then the smallest id. All that
    /// fit count as used.
    pub fn cover<'n>(&mut self, place: Place<'_>, names: impl Iterator<Item = &'n str> + Clone) -> Option<&Exception> {
        let mut best: Option<usize> = None;
        for index in 0..self.exceptions.len() {
            let (exception, matched) = &mut self.exceptions[index];
            if exception.is_expired(self.today)
                || exception.guard.as_str() != place.guard
                || !exception.rule.fits(&place, names.clone())
            {
                continue;
            }
            *matched += 1;
            let holds = |i: usize| (self.exceptions[i].0.expires, std::cmp::Reverse(self.exceptions[i].0.id.as_str()));
            if best.is_none_or(|best| holds(index) > holds(best)) {
                best = Some(index);
            }
        }
        best.map(|index| &self.exceptions[index].0)
    }

    /// What became of each exception, after all findings were shown to [`Judge::cover`].
    pub fn verdicts(&self) -> impl Iterator<Item = Verdict<'_>> {
        self.exceptions.iter().map(|(exception, matched)| Verdict {
            exception,
            state: match (exception.is_expired(self.today), matched) {
                (true, _) => ExceptionState::Expired,
                (false, 0) => ExceptionState::Unused,
                (false, _) => ExceptionState::Active,
            },
            matched: *matched,
        })
    }

    /// The exceptions that do nothing, as a scan document reports them.
    pub fn idle(&self) -> Vec<DocumentException> {
        self.verdicts()
            .filter(|verdict| verdict.state != ExceptionState::Active)
            .map(|verdict| {
                let parts = verdict.exception.rule.parts();
                DocumentException {
                    state: verdict.state,
                    id: parts.id,
                    package: parts.package,
                    path: parts.path,
                    owner: verdict.exception.owner.clone(),
                    expires: verdict.exception.expires,
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    const PLACE: Place<'_> = Place { guard: "sca", service: "pay", path: "web/package-lock.json", package: "left-pad" };
    const NAMES: [&str; 2] = ["CVE-2026-0001", "GHSA-x"];

    fn exception(id: &str, parts: ExceptionMatch, expires: Date) -> Exception {
        Exception {
            id: id.into(),
            origin: Origin::File,
            guard: Guard::Sca,
            rule: Rule::new(parts).unwrap(),
            owner: "ana@example.com".into(),
            reason: "not reachable".into(),
            expires,
        }
    }

    fn parts(id: &str, package: &str, path: &str, service: &str) -> ExceptionMatch {
        let part = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        ExceptionMatch { id: part(id), package: part(package), path: part(path), service: part(service) }
    }

    #[track_caller]
    fn check(rule: ExceptionMatch, want: bool) {
        let mut judge = Judge::new([exception("a", rule.clone(), date(2026, 12, 31))], date(2026, 11, 21));
        assert_eq!(judge.cover(PLACE, NAMES.into_iter()).is_some(), want, "{rule:?}");
        let state = judge.verdicts().next().unwrap().state;
        assert_eq!(state, if want { ExceptionState::Active } else { ExceptionState::Unused });
    }

    #[test]
    fn every_part_must_fit() {
        check(parts("CVE-2026-0001", "", "", ""), true);
        check(parts("GHSA-x", "", "", ""), true); // by alias
        check(parts("GHSA-y", "", "", ""), false);
        check(parts("", "left-pad", "", ""), true);
        check(parts("CVE-2026-0001", "right-pad", "", ""), false);
        check(parts("", "", "web/**", "pay"), true);
        check(parts("", "", "web", "shop"), false);
        check(parts("CVE-2026-0001", "left-pad", "web/*", "pay"), true);
    }

    #[test]
    fn a_rule_for_everything_is_refused() {
        assert_eq!(Rule::new(parts("", "", "", "pay")), Err(RuleError::TooWide));
        assert_eq!(Rule::new(parts("", "", "/x", "")), Err(RuleError::Path(GlobError::Absolute)));
    }

    #[test]
    fn it_holds_through_its_last_day() {
        let all = [exception("a", parts("GHSA-x", "", "", ""), date(2026, 11, 21))];
        let on = |day| Judge::new(all.clone(), day).cover(PLACE, NAMES.into_iter()).is_some();
        assert!(on(date(2026, 11, 21)));
        assert!(!on(date(2026, 11, 22)));
        let late = Judge::new(all.clone(), date(2026, 11, 22));
        assert_eq!(late.idle()[0].state, ExceptionState::Expired);
    }

    #[test]
    fn another_guard_is_not_covered() {
        let mut judge = Judge::new([exception("a", parts("GHSA-x", "", "", ""), date(2027, 1, 1))], date(2026, 11, 21));
        assert!(judge.cover(Place { guard: "cspm", ..PLACE }, NAMES.into_iter()).is_none());
    }

    #[test]
    fn of_several_the_longest_answers_and_all_count() {
        let mut judge = Judge::new(
            [
                exception("a", parts("GHSA-x", "", "", ""), date(2027, 1, 1)),
                exception("c", parts("", "left-pad", "", ""), date(2027, 6, 1)),
                exception("b", parts("", "left-pad", "", ""), date(2027, 6, 1)),
            ],
            date(2026, 11, 21),
        );
        assert_eq!(judge.cover(PLACE, NAMES.into_iter()).unwrap().id, "b");
        assert!(judge.idle().is_empty());
    }
}
