//! Decides whether a package's licence is allowed.
//!
//! Pure. Where a choice is offered (`MIT OR GPL-3.0-only`) it is enough that one side is allowed; words that can mean several
//! licences are allowed only if all of them are. An exception lets one package through under named licences until its day.
//!
//! Start reading at [`Policy::judge`].

use jiff::civil::Date;

use super::expression::{Expression, Term};
use super::{Licence, Unknown};

/// What may be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// SPDX identifiers, with `*` at the end for all that begin so. Empty for all that are not denied.
    pub allow: Vec<Pattern>,
    /// The same; what is denied is denied although it is allowed.
    pub deny: Vec<Pattern>,
    /// What to say of a package whose licence nobody knows.
    pub unknown: OnUnknown,
    /// What single packages may be used under besides.
    pub exceptions: Vec<Exception>,
    /// The day of the judgement; an exception holds through its last day.
    pub today: Option<Date>,
}

/// What to say where a licence is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUnknown {
    /// Nothing.
    Allow,
    /// That it is so.
    #[default]
    Report,
    /// That it is not allowed.
    Deny,
}

/// A licence that one package may be used under although the policy does not allow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// The package's name.
    pub package: String,
    /// The licences; empty for whatever it is under, also an unknown one.
    pub licences: Vec<Pattern>,
    /// The last day on which it holds.
    pub expires: Date,
}

/// An SPDX identifier (`MIT`), one with its exception (`GPL-2.0-only WITH Classpath-exception-2.0`), or the beginning of some
/// (`CC-BY-*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    /// What an old name of the GNU family (`GPL-3.0`) means besides where it denies: `GPL-3.0-or-later`. Who denies the one
    /// hardly wants the other, and who allows the one has not allowed the other.
    later: Option<String>,
}

/// Why a pattern was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no licence on the SPDX list; write an identifier such as \"MIT\", a LicenseRef-, or a beginning such as \"CC-BY-*\""
)]
pub struct NoSuchLicence(pub String);

impl std::str::FromStr for Pattern {
    type Err = NoSuchLicence;

    fn from_str(text: &str) -> Result<Self, NoSuchLicence> {
        let refused = || NoSuchLicence(text.to_owned());
        if let Some(begin) = text.strip_suffix('*') {
            let known = spdx::identifiers::LICENSES.iter().any(|licence| licence.name.starts_with(begin));
            let pattern = Self { text: text.to_owned(), later: None };
            return if known && !begin.is_empty() { Ok(pattern) } else { Err(refused()) };
        }
        let expression = Expression::parse(text).ok_or_else(refused)?;
        let [one] = &expression.terms()[..] else { return Err(refused()) };
        let base = one.licence.strip_suffix("-only").filter(|_| !text.to_ascii_lowercase().contains("-only"));
        let later = base.map(|base| Term { licence: format!("{base}-or-later"), ..one.clone() }.to_string());
        Ok(Self { text: one.to_string(), later })
    }
}

impl Pattern {
    /// Whether it means this licence. One that names no exception means the licence with any: an exception only gives more.
    fn covers(&self, term: &Term) -> bool {
        match self.text.strip_suffix('*') {
            Some(begin) => term.licence.starts_with(begin),
            None => self.text == term.licence || self.is_exact(term),
        }
    }

    fn is_exact(&self, term: &Term) -> bool {
        self.text == term.to_string()
    }

    /// Whether it means this licence where it denies.
    fn denies(&self, term: &Term) -> bool {
        self.covers(term) || self.later.as_ref() == Some(&term.licence) || self.denies_exactly(term)
    }

    fn denies_exactly(&self, term: &Term) -> bool {
        self.is_exact(term) || self.later.as_ref() == Some(&term.to_string())
    }
}

/// What the policy says of one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Use it.
    Allowed,
    /// Do not, because of these licences.
    Denied(Vec<String>),
    /// The words can mean something that is not allowed.
    Unclear,
    /// Nobody knows.
    Unknown,
}

impl Policy {
    /// Whether it says anything at all.
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty() && self.unknown != OnUnknown::Deny
    }

    /// Whether this package may be used under this licence.
    pub fn judge(&self, package: &str, licence: &Licence) -> Verdict {
        let holding = self.exceptions.iter().filter(|one| one.holds_for(package, self.today));
        self.judge_with(&holding.collect::<Vec<_>>(), licence)
    }

    fn judge_with(&self, exceptions: &[&Exception], licence: &Licence) -> Verdict {
        if exceptions.iter().any(|one| one.licences.is_empty()) {
            return Verdict::Allowed;
        }
        let allows = |term: &Term| {
            self.allows(term) || exceptions.iter().flat_map(|one| &one.licences).any(|pattern| pattern.covers(term))
        };
        match licence {
            // More terms only take away: what is denied without them is denied with them.
            Licence::Known { expression, .. }
            | Licence::Unknown(Unknown::Changed { base: expression, .. } | Unknown::Unread { base: expression, .. })
                if !expression.is_met(allows) =>
            {
                let refused = expression.terms().into_iter().filter(|term| !allows(term));
                Verdict::Denied(refused.map(|term| term.to_string()).collect())
            }
            Licence::Unclear { candidates, .. } => {
                let each = candidates.iter().map(|one| Term { licence: (*one).to_owned(), exception: None });
                let denied = each.clone().filter(|term| !allows(term)).count();
                match denied {
                    0 => Verdict::Allowed,
                    all if all == candidates.len() => Verdict::Denied(each.map(|term| term.licence).collect()),
                    _ => Verdict::Unclear,
                }
            }
            Licence::Known { .. } => Verdict::Allowed,
            Licence::Unknown(_) => match self.unknown {
                OnUnknown::Allow => Verdict::Allowed,
                OnUnknown::Report | OnUnknown::Deny => Verdict::Unknown,
            },
        }
    }

    /// Whether it lets this licence through, whatever package is under it.
    pub fn allows(&self, term: &Term) -> bool {
        // `deny = ["GPL-2.0-only"]` with `allow = ["GPL-2.0-only WITH Classpath-exception-2.0"]`: the exact word wins.
        let exact = term.exception.is_some() && self.allow.iter().any(|pattern| pattern.is_exact(term));
        let denied = self.deny.iter().any(|pattern| pattern.denies(term));
        let allowed = self.allow.is_empty() || self.allow.iter().any(|pattern| pattern.covers(term));
        exact && !self.deny.iter().any(|pattern| pattern.denies_exactly(term)) || allowed && !denied
    }
}

/// Why an exception lets nothing through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Idle {
    /// Its last day is over.
    Expired,
    /// There is no such package.
    Absent,
    /// The package is let through without, under this licence.
    Needless(String),
    /// It does not make the package's licence, this one, one that may be used.
    Missed(String),
}

impl Policy {
    /// The exceptions that let nothing through where these are all the packages, with their licences.
    pub fn idle<'p>(&'p self, packages: &[(&str, &Licence)]) -> Vec<(&'p Exception, Idle)> {
        self.exceptions.iter().filter_map(|one| Some((one, self.idle_for(one, packages)?))).collect()
    }

    fn idle_for(&self, one: &Exception, packages: &[(&str, &Licence)]) -> Option<Idle> {
        if self.today.is_some_and(|today| today > one.expires) {
            return Some(Idle::Expired);
        }
        let mut own = packages.iter().filter(|(name, _)| *name == one.package).map(|(_, licence)| *licence).peekable();
        if own.peek().is_none() {
            return Some(Idle::Absent);
        }
        let (mut needless, mut missed) = (None, None);
        for licence in own {
            let without = self.judge_with(&[], licence);
            if self.judge_with(&[one], licence) != without {
                return None;
            }
            let place = if without == Verdict::Allowed { &mut needless } else { &mut missed };
            place.get_or_insert_with(|| licence.expression().map_or_else(String::new, ToString::to_string));
        }
        missed.map(Idle::Missed).or(needless.map(Idle::Needless))
    }
}

impl Exception {
    /// A sentence on why it lets nothing through.
    pub fn spoken(&self, why: &Idle) -> String {
        let is = |licence: &str| if licence.is_empty() { String::new() } else { format!(" ({licence})") };
        let said = match why {
            Idle::Expired => "expired".to_owned(),
            Idle::Absent => "unused: there is no such package".to_owned(),
            Idle::Needless(licence) => format!("unused: its licence{} is let through without", is(licence)),
            Idle::Missed(licence) => format!("unused: it does not cover the package's licence{}", is(licence)),
        };
        format!("licence exception for {} (until {}): {said}", self.package, self.expires)
    }

    fn holds_for(&self, package: &str, today: Option<Date>) -> bool {
        self.package == package && today.is_none_or(|today| today <= self.expires)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::licence::expression::{Meaning, read};
    use crate::licence::{Evidence, How, Unknown};

    fn patterns(all: &[&str]) -> Vec<Pattern> {
        all.iter().map(|one| one.parse().unwrap()).collect()
    }

    fn licence(words: &str) -> Licence {
        let from = "package.json".to_owned();
        match read(words) {
            Meaning::Clear(expression) => Licence::Known { expression, evidence: Evidence { from, how: How::Stated } },
            Meaning::Unclear(candidates) => Licence::Unclear { stated: words.to_owned(), candidates, from },
            Meaning::Silent | Meaning::Strange => Licence::Unknown(Unknown::NotStated),
        }
    }

    #[track_caller]
    fn check(allow: &[&str], deny: &[&str], words: &str, want: Verdict) {
        let policy = Policy { allow: patterns(allow), deny: patterns(deny), ..Policy::default() };
        assert_eq!(policy.judge("left-pad", &licence(words)), want, "allow {allow:?} deny {deny:?}: {words}");
    }

    fn denied(all: &[&str]) -> Verdict {
        Verdict::Denied(all.iter().map(|one| (*one).to_owned()).collect())
    }

    #[test]
    fn one_allowed_side_of_a_choice_is_enough_and_both_sides_of_a_sum_are_needed() {
        check(&["MIT"], &[], "MIT", Verdict::Allowed);
        check(&["MIT"], &[], "MIT OR GPL-3.0-only", Verdict::Allowed);
        check(&["MIT"], &[], "MIT AND GPL-3.0-only", denied(&["GPL-3.0-only"]));
        check(&[], &["GPL-3.0-only"], "Apache-2.0", Verdict::Allowed); // nothing is allowed by name: all but the denied
        check(&[], &["GPL-*"], "GPL-2.0+", denied(&["GPL-2.0-or-later"]));
        check(&["MIT", "GPL-3.0-only"], &["GPL-3.0-only"], "GPL-3.0-only", denied(&["GPL-3.0-only"]));
        check(&["GPL-2.0"], &[], "GPL-2.0-only", Verdict::Allowed); // the old spelling in the policy
    }

    #[test]
    fn an_old_gnu_name_denies_all_that_it_can_mean_and_allows_the_least() {
        let later = "GPL-3.0-or-later";
        check(&[], &["GPL-3.0"], "GPL-3.0-only", denied(&["GPL-3.0-only"]));
        check(&[], &["GPL-3.0"], later, denied(&[later]));
        check(&[], &["AGPL-3.0"], "AGPL-3.0-or-later", denied(&["AGPL-3.0-or-later"]));
        check(&[], &["GPL-3.0+"], later, denied(&[later]));
        check(&[], &["GPL-3.0-only"], later, Verdict::Allowed); // says what it means
        check(&[], &["GPL-3.0"], "GPL-2.0-or-later", Verdict::Allowed);
        check(&["GPL-3.0"], &[], "GPL-3.0-only", Verdict::Allowed);
        check(&["GPL-3.0"], &[], later, denied(&[later]));
        let classpath = "GPL-2.0-or-later WITH Classpath-exception-2.0";
        check(&[], &["GPL-2.0"], classpath, denied(&[classpath]));
        check(&[classpath], &["GPL-2.0"], classpath, Verdict::Allowed);
        check(&[classpath], &["GPL-2.0 WITH Classpath-exception-2.0"], classpath, denied(&[classpath]));
    }

    #[test]
    fn an_exception_of_a_licence_only_gives_more() {
        check(&["Apache-2.0"], &[], "Apache-2.0 WITH LLVM-exception", Verdict::Allowed);
        check(
            &[],
            &["GPL-2.0-only"],
            "GPL-2.0-only WITH Classpath-exception-2.0",
            denied(&["GPL-2.0-only WITH Classpath-exception-2.0"]),
        );
        let classpath = "GPL-2.0-only WITH Classpath-exception-2.0";
        check(&["MIT", classpath], &["GPL-2.0-only"], classpath, Verdict::Allowed);
    }

    #[test]
    fn unclear_words_are_allowed_only_if_all_that_they_can_mean_is() {
        check(&["BSD-*", "0BSD"], &[], "BSD", Verdict::Allowed);
        check(&["BSD-3-Clause"], &[], "BSD", Verdict::Unclear);
        check(
            &[],
            &["GPL-*"],
            "GPL",
            denied(&["GPL-1.0-or-later", "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later"]),
        );
        check(&["MIT"], &[], "UNKNOWN", Verdict::Unknown);
    }

    #[test]
    fn a_licence_with_terms_of_its_own_is_unknown_and_never_more_than_without() {
        let changed = |base: &str| {
            let (from, rider) = ("LICENSE".to_owned(), "not for military use".to_owned());
            Licence::Unknown(Unknown::Changed { from, base: Expression::parse(base).unwrap(), rider })
        };
        for (allow, deny, base, want) in [
            (&["MIT"][..], &[][..], "MIT", Verdict::Unknown),
            (&[], &["GPL-*"], "MIT", Verdict::Unknown),
            (&[], &["GPL-*"], "GPL-3.0-only", denied(&["GPL-3.0-only"])),
            (&["MIT"], &[], "MIT AND LicenseRef-Commons-Clause", denied(&["LicenseRef-Commons-Clause"])),
        ] {
            let policy = Policy { allow: patterns(allow), deny: patterns(deny), ..Policy::default() };
            assert_eq!(policy.judge("left-pad", &changed(base)), want, "{allow:?} {deny:?} {base}");
            let beside = Unknown::Unread { from: "LICENSE.ee".to_owned(), base: Expression::parse(base).unwrap() };
            assert_eq!(policy.judge("left-pad", &Licence::Unknown(beside)), want, "beside: {allow:?} {deny:?} {base}");
        }
    }

    #[test]
    fn exceptions_that_let_nothing_through_are_known() {
        let under = |package: &str, licences: &[&str], expires| Exception {
            package: package.to_owned(),
            licences: patterns(licences),
            expires,
        };
        let (ends, ended) = (date(2027, 1, 31), date(2026, 1, 31));
        let policy = Policy {
            allow: patterns(&["MIT"]),
            exceptions: vec![
                under("ring", &[], ends),
                under("gone", &[], ends),
                under("old", &[], ended),
                under("two", &["ISC"], ends), // each of them is half of what is needed
                under("two", &["OpenSSL"], ends),
                under("free", &[], ends),
                under("free", &["ISC"], ends),
                under("other", &["ISC"], ends),
                under("nobody", &[], ends),
            ],
            today: Some(date(2027, 1, 31)),
            ..Policy::default()
        };
        let packages = [
            ("ring", "ISC"),
            ("old", "ISC"),
            ("two", "ISC AND OpenSSL"),
            ("free", "MIT"),
            ("other", "Zlib"),
            ("nobody", "UNKNOWN"),
        ];
        let packages = packages.map(|(name, words)| (name, licence(words)));
        let packages: Vec<(&str, &Licence)> = packages.iter().map(|(name, licence)| (*name, licence)).collect();
        let idle = policy.idle(&packages);
        let idle: Vec<String> = idle.into_iter().map(|(one, why)| one.spoken(&why)).collect();
        let said =
            |package: &str, day: &str, why: &str| format!("licence exception for {package} (until {day}): {why}");
        assert_eq!(
            idle,
            [
                said("gone", "2027-01-31", "unused: there is no such package"),
                said("old", "2026-01-31", "expired"),
                said("free", "2027-01-31", "unused: its licence (MIT) is let through without"),
                said("free", "2027-01-31", "unused: its licence (MIT) is let through without"),
                said("other", "2027-01-31", "unused: it does not cover the package's licence (Zlib)"),
            ]
        );
    }

    #[test]
    fn an_exception_holds_for_its_package_and_its_licences_through_its_last_day() {
        let exception =
            Exception { package: "ring".to_owned(), licences: patterns(&["OpenSSL"]), expires: date(2027, 1, 31) };
        let on = |today| Policy {
            allow: patterns(&["MIT", "ISC"]),
            exceptions: vec![exception.clone()],
            today: Some(today),
            ..Policy::default()
        };
        let ring = licence("MIT AND ISC AND OpenSSL");
        assert_eq!(on(date(2027, 1, 31)).judge("ring", &ring), Verdict::Allowed);
        assert_eq!(on(date(2027, 2, 1)).judge("ring", &ring), denied(&["OpenSSL"]));
        assert_eq!(on(date(2027, 1, 1)).judge("wring", &ring), denied(&["OpenSSL"]));
        assert_eq!(on(date(2027, 1, 1)).judge("ring", &licence("GPL-3.0-only")), denied(&["GPL-3.0-only"]));
    }

    #[test]
    fn a_pattern_names_something_on_the_list() {
        for good in ["MIT", "CC-BY-*", "LicenseRef-acme", "GPL-2.0-only WITH Classpath-exception-2.0"] {
            assert!(good.parse::<Pattern>().is_ok(), "{good}");
        }
        for bad in ["", "*", "MTI", "MIT OR ISC", "GPL-9*"] {
            assert_eq!(bad.parse::<Pattern>(), Err(NoSuchLicence(bad.to_owned())));
        }
    }
}
