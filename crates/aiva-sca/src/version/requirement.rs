//! What a manifest allows, as spans of version keys: npm's ranges, cargo's requirements, PEP 440's specifiers, and those of Maven,
//! NuGet, RubyGems, Composer, pub and Hex, which have a file each.
//!
//! A span may hold more than the tool would pick (pre-releases between two releases), never less, so that "none of it is
//! affected" and "all of it is affected" are both sure. What cannot be read is `None`. Start reading at [`Requirement::parse`].

mod composer;
mod dart;
mod hex;
mod maven;
mod nuget;
mod plain;
mod rubygems;
mod written;

use super::Version;
use crate::package::Ecosystem;

/// A place between versions: just before the version of this key, or just after it.
pub type Place = (Vec<u8>, bool);

/// From a place on, up to another; without an end where there is none.
pub type Span = (Place, Option<Place>);

/// Every version that is allowed, as spans in ascending order that do not touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement(Vec<Span>);

impl Requirement {
    /// Reads a requirement in the ecosystem's own syntax. Empty and `*` allow everything, where the ecosystem knows them.
    pub fn parse(ecosystem: Ecosystem, text: &str) -> Option<Self> {
        if text.len() > super::MAX_LENGTH {
            return None;
        }
        let spans = match ecosystem {
            Ecosystem::Npm => {
                let mut spans = Vec::new();
                for alternative in text.split("||") {
                    spans.extend(all_of(npm(alternative)?));
                }
                spans
            }
            Ecosystem::CratesIo => all_of(listed(text, cargo)?),
            Ecosystem::PyPi => {
                // Only Poetry knows alternatives.
                let mut spans = Vec::new();
                for alternative in text.split("||") {
                    spans.extend(all_of(python(alternative)?));
                }
                spans
            }
            Ecosystem::Maven => maven::parse(text)?,
            Ecosystem::NuGet => nuget::parse(text)?,
            Ecosystem::RubyGems => all_of(rubygems::parse(text)?),
            Ecosystem::Packagist => composer::parse(text)?,
            Ecosystem::Pub => all_of(dart::parse(text)?),
            Ecosystem::Hex => hex::parse(text)?,
            // Their manifests pin, or are not read.
            Ecosystem::Go
            | Ecosystem::ConanCenter
            | Ecosystem::Cran
            | Ecosystem::Hackage
            | Ecosystem::SwiftUrl
            | Ecosystem::GitHubActions
            | Ecosystem::CocoaPods
            | Ecosystem::System(_) => return None,
        };
        let spans = joined(spans);
        (!spans.is_empty()).then_some(Self(spans))
    }

    /// Whether every version that is allowed is in one of these spans.
    pub fn is_within(&self, spans: Vec<Span>) -> bool {
        let spans = joined(spans);
        self.0.iter().all(|own| spans.iter().any(|other| other.0 <= own.0 && !ends_before(&other.1, &own.1)))
    }

    /// Whether some version that is allowed may be in one of these spans.
    pub fn meets(&self, spans: &[Span]) -> bool {
        self.0.iter().any(|own| spans.iter().any(|other| common(own, other).is_some()))
    }

    /// Whether the version of this key is allowed.
    pub fn holds(&self, key: &[u8]) -> bool {
        let starts = |(from, is_past): &Place| if *is_past { from.as_slice() < key } else { from.as_slice() <= key };
        let ends = |(to, is_past): &Place| if *is_past { key <= to.as_slice() } else { key < to.as_slice() };
        self.0.iter().any(|(from, to)| starts(from) && to.as_ref().is_none_or(ends))
    }

    /// Whether a version satisfies a requirement, where the numbers of the two tell; `None` says nothing.
    pub fn plainly_holds(ecosystem: Ecosystem, requirement: &str, version: &str) -> Option<bool> {
        plain::holds(ecosystem, requirement, version)
    }

    /// What is left of it from the version of this key on; `None` where nothing is.
    pub fn from(&self, key: &[u8]) -> Option<Self> {
        let on: Span = ((key.to_vec(), false), None);
        let left: Vec<Span> = self.0.iter().filter_map(|own| common(own, &on)).collect();
        (!left.is_empty()).then_some(Self(left))
    }

    /// What is left of it after the version of this key; `None` where nothing is.
    pub fn after(&self, key: &[u8]) -> Option<Self> {
        let Self(beyond) = Self::everything_after(key);
        let left: Vec<Span> = self.0.iter().flat_map(|own| beyond.iter().filter_map(|on| common(own, on))).collect();
        (!left.is_empty()).then_some(Self(left))
    }

    /// Every version after the one of this key.
    pub fn everything_after(key: &[u8]) -> Self {
        Self(vec![((key.to_vec(), true), None)])
    }

    /// The least version that is allowed and nothing else; `None` where there is no such version, or it is not named.
    pub fn least(&self) -> Option<Self> {
        let ((key, is_past), _) = self.0.first()?;
        let is_named = !is_past && !key.is_empty();
        is_named.then(|| Self(vec![((key.clone(), false), Some((key.clone(), true)))]))
    }

    /// The lowest place that is allowed.
    pub fn floor(&self) -> &[u8] {
        self.0.first().map_or(&[], |span| span.0.0.as_slice())
    }
}

fn everything() -> Span {
    ((Vec::new(), false), None)
}

fn ends_before(one: &Option<Place>, other: &Option<Place>) -> bool {
    match (one, other) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(one), Some(other)) => one < other,
    }
}

fn common(one: &Span, other: &Span) -> Option<Span> {
    let from = one.0.clone().max(other.0.clone());
    let to = if ends_before(&one.1, &other.1) { one.1.clone() } else { other.1.clone() };
    to.as_ref().is_none_or(|to| from < *to).then_some((from, to))
}

/// The spans in which all of these hold; each is itself a choice of spans.
fn all_of(parts: Vec<Vec<Span>>) -> Vec<Span> {
    parts.into_iter().fold(vec![everything()], |held, part| {
        held.iter().flat_map(|one| part.iter().filter_map(|other| common(one, other))).collect()
    })
}

fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by(|a, b| a.0.cmp(&b.0));
    let mut joined: Vec<Span> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if last.1.as_ref().is_none_or(|end| span.0 <= *end) => {
                if ends_before(&last.1, &span.1) {
                    last.1 = span.1;
                }
            }
            _ => joined.push(span),
        }
    }
    joined
}

fn listed(text: &str, one: fn(&str) -> Option<Vec<Span>>) -> Option<Vec<Vec<Span>>> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(one).collect()
}

/// A version with some of its numbers left out: `1`, `1.2.x`, `*`.
struct Partial {
    numbers: Vec<u64>,
    /// With its pre-release, where all three numbers are there.
    whole: Option<String>,
}

impl Partial {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim_start_matches(['v', '=']).trim_start();
        let without_build = text.split('+').next().unwrap_or(text);
        let core = without_build.split('-').next().unwrap_or(without_build);
        let mut numbers = Vec::new();
        let mut open = false;
        for part in core.split('.') {
            match part {
                "" | "*" | "x" | "X" => open = true,
                number if !open => numbers.push(number.parse().ok()?),
                _ => {}
            }
        }
        let whole = (numbers.len() == 3).then(|| without_build.to_owned());
        (numbers.len() <= 3 && (whole.is_some() || core == without_build)).then_some(Self { numbers, whole })
    }

    fn at(&self, number: usize) -> u64 {
        self.numbers.get(number).copied().unwrap_or(0)
    }

    /// The first version that it can stand for.
    fn start(&self, ecosystem: Ecosystem) -> Option<Place> {
        let text = match &self.whole {
            Some(whole) => whole.clone(),
            None => format!("{}.{}.{}", self.at(0), self.at(1), self.at(2)),
        };
        Some((Version::parse(ecosystem, &text)?.key().to_vec(), false))
    }

    /// The first version with the number at this place one higher, pre-releases of it included in what lies beyond.
    fn after(&self, ecosystem: Ecosystem, place: usize) -> Option<Place> {
        let mut numbers = [self.at(0), self.at(1), self.at(2)];
        let raised = numbers.get_mut(place)?;
        *raised = raised.checked_add(1)?;
        numbers.iter_mut().skip(place + 1).for_each(|number| *number = 0);
        let first = if ecosystem == Ecosystem::PyPi { ".dev0" } else { "-0" };
        let text = format!("{}.{}.{}{first}", numbers[0], numbers[1], numbers[2]);
        Some((Version::parse(ecosystem, &text)?.key().to_vec(), false))
    }

    /// Everything that it can stand for.
    fn any(&self, ecosystem: Ecosystem) -> Option<Span> {
        match self.numbers.len() {
            0 => Some(everything()),
            3 => {
                let (key, _) = self.start(ecosystem)?;
                Some(((key.clone(), false), Some((key, true))))
            }
            given => Some((self.start(ecosystem)?, Some(self.after(ecosystem, given - 1)?))),
        }
    }

    /// `^`: up to the next change of the leftmost number that is not zero.
    fn caret(&self, ecosystem: Ecosystem) -> Option<Span> {
        if self.numbers.is_empty() {
            return Some(everything());
        }
        let place = self.numbers.iter().position(|number| *number != 0).unwrap_or(self.numbers.len() - 1);
        Some((self.start(ecosystem)?, Some(self.after(ecosystem, place)?)))
    }

    /// `~`: up to the next minor version, or major where no minor is given.
    fn tilde(&self, ecosystem: Ecosystem) -> Option<Span> {
        if self.numbers.is_empty() {
            return Some(everything());
        }
        Some((self.start(ecosystem)?, Some(self.after(ecosystem, usize::from(self.numbers.len() > 1))?)))
    }

    /// `<`, `<=`, `>` and `>=`.
    fn compared(&self, ecosystem: Ecosystem, sign: &str) -> Option<Span> {
        let whole = self.whole.is_some();
        let start = self.start(ecosystem)?;
        // Past everything that it can stand for.
        let past = match self.numbers.len() {
            0 => return Some(everything()),
            3 => (start.0.clone(), true),
            given => self.after(ecosystem, given - 1)?,
        };
        Some(match sign {
            "<" => ((Vec::new(), false), Some(start)),
            "<=" => ((Vec::new(), false), Some(past)),
            ">" if whole => ((start.0, true), None),
            ">" => (past, None),
            _ => (start, None),
        })
    }
}

const SIGNS: [&str; 9] = ["~>", "<=", ">=", "==", "<", ">", "=", "^", "~"];

fn comparator(ecosystem: Ecosystem, text: &str, bare: fn(&Partial, Ecosystem) -> Option<Span>) -> Option<Vec<Span>> {
    let sign = SIGNS.into_iter().find(|sign| text.starts_with(sign)).unwrap_or_default();
    let partial = Partial::parse(text.get(sign.len()..)?.trim_start())?;
    let span = match sign {
        "" => bare(&partial, ecosystem)?,
        "^" => partial.caret(ecosystem)?,
        "~" | "~>" => partial.tilde(ecosystem)?,
        "=" | "==" => partial.any(ecosystem)?,
        sign => partial.compared(ecosystem, sign)?,
    };
    Some(vec![span])
}

fn cargo(text: &str) -> Option<Vec<Span>> {
    if text.contains('*') {
        return comparator(Ecosystem::CratesIo, text, Partial::any);
    }
    comparator(Ecosystem::CratesIo, text, Partial::caret)
}

/// One alternative of an npm range: comparators with blanks between, or two versions with a dash between.
fn npm(text: &str) -> Option<Vec<Vec<Span>>> {
    let text = text.trim();
    if let Some((from, to)) = text.split_once(" - ") {
        let from = Partial::parse(from.trim())?.compared(Ecosystem::Npm, ">=")?;
        let to = Partial::parse(to.trim())?.compared(Ecosystem::Npm, "<=")?;
        return Some(vec![vec![from], vec![to]]);
    }
    // A blank may stand between a sign and its version.
    let mut parts: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match parts.last_mut() {
            Some(last) if last.chars().all(|c| "<>=^~".contains(c)) => last.push_str(word),
            _ => parts.push(word.to_owned()),
        }
    }
    parts.iter().map(|part| comparator(Ecosystem::Npm, part, Partial::any)).collect()
}

fn python(text: &str) -> Option<Vec<Vec<Span>>> {
    let text = text.trim();
    let text = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(text);
    if text == "*" {
        return Some(vec![vec![everything()]]);
    }
    listed(text, specifier)
}

fn specifier(text: &str) -> Option<Vec<Span>> {
    const SIGNS: [&str; 9] = ["===", "~=", "==", "!=", "<=", ">=", "<", ">", "^"];
    let poetry_tilde = text.starts_with('~') && !text.starts_with("~=");
    if poetry_tilde {
        return comparator(Ecosystem::PyPi, text, Partial::any);
    }
    let Some(sign) = SIGNS.into_iter().find(|sign| text.starts_with(sign)) else {
        // Poetry's `1.2.*`; a version alone is a pin, and no requirement.
        return Some(vec![below(text.strip_suffix(".*")?)?]);
    };
    let version = text.get(sign.len()..)?.trim();
    let key = |text: &str| Some(Version::parse(Ecosystem::PyPi, text)?.key().to_vec());
    let point = |text: &str| {
        let key = key(text)?;
        Some(((key.clone(), false), Some((key, true))))
    };
    let span = match sign {
        "^" => return caret_of_poetry(version),
        "==" | "!=" | "===" => {
            let span = match version.strip_suffix(".*") {
                Some(start) => below(start)?,
                None => point(version)?,
            };
            if sign == "!=" {
                let before = ((Vec::new(), false), Some(span.0));
                let mut around = vec![before];
                around.extend(span.1.map(|end| (end, None)));
                return Some(around);
            }
            span
        }
        "~=" => {
            // `~=2.2.post3` holds on to 2, as `~=2.2` does.
            let is_suffix = |part: &str| part.starts_with("post") || part.starts_with("dev");
            let release =
                version.rsplit_once('.').filter(|(_, last)| is_suffix(last)).map_or(version, |(head, _)| head);
            let (prefix, _) = release.rsplit_once('.')?;
            ((key(version)?, false), below(prefix)?.1)
        }
        ">=" => ((key(version)?, false), None),
        ">" => ((key(version)?, true), None),
        "<=" => ((Vec::new(), false), Some((key(version)?, true))),
        _ => ((Vec::new(), false), Some((key(version)?, false))),
    };
    Some(vec![span])
}

/// `1.4.*`: from the first development release of 1.4 up to that of 1.5.
fn below(prefix: &str) -> Option<Span> {
    let first = |text: &str| Some((Version::parse(Ecosystem::PyPi, &format!("{text}.dev0"))?.key().to_vec(), false));
    let (head, last) = prefix.rsplit_once('.').map_or(("", prefix), |(head, last)| (head, last));
    let next = last.parse::<u64>().ok()?.checked_add(1)?;
    let next = if head.is_empty() { next.to_string() } else { format!("{head}.{next}") };
    Some((first(prefix)?, Some(first(&next)?)))
}

/// Poetry's `^1.2`.
fn caret_of_poetry(version: &str) -> Option<Vec<Span>> {
    let numbers: Vec<u64> = version.split('.').map_while(|part| part.parse().ok()).collect();
    let place = numbers.iter().position(|number| *number != 0).unwrap_or(numbers.len().checked_sub(1)?);
    let prefix: Vec<String> = numbers.iter().take(place + 1).map(u64::to_string).collect();
    let start = Version::parse(Ecosystem::PyPi, version)?.key().to_vec();
    Some(vec![((start, false), below(&prefix.join("."))?.1)])
}

#[cfg(test)]
mod tables;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    pub(super) fn check(ecosystem: Ecosystem, requirement: &str, inside: &[&str], outside: &[&str]) {
        let parsed = Requirement::parse(ecosystem, requirement).unwrap_or_else(|| panic!("{requirement} is readable"));
        for (versions, wanted) in [(inside, true), (outside, false)] {
            for version in versions {
                let key = Version::parse(ecosystem, version).unwrap();
                assert_eq!(parsed.holds(key.key()), wanted, "{version} in {requirement}");
            }
        }
    }

    #[test]
    fn npm_ranges() {
        let npm = Ecosystem::Npm;
        check(npm, "^1.2.3", &["1.2.3", "1.9.0"], &["1.2.2", "2.0.0-0", "2.0.0"]);
        check(npm, "^0.2.3", &["0.2.3", "0.2.9"], &["0.3.0", "0.2.2"]);
        check(npm, "^0.0.3", &["0.0.3"], &["0.0.4", "0.1.0"]);
        check(npm, "~1.2.3", &["1.2.3", "1.2.9"], &["1.3.0", "1.2.2"]);
        check(npm, "~1", &["1.0.0", "1.9.9"], &["2.0.0"]);
        check(npm, "1.2.x", &["1.2.0", "1.2.9"], &["1.3.0", "1.1.9"]);
        check(npm, "1", &["1.0.0", "1.9.9"], &["2.0.0", "0.9.0"]);
        check(npm, "1.2 - 2.3", &["1.2.0", "2.3.9"], &["2.4.0", "1.1.9"]);
        check(npm, "1.2.3 - 2.3.4", &["1.2.3", "2.3.4"], &["2.3.5", "1.2.2"]);
        check(npm, ">=1.2.0 <2 || ^3.1", &["1.2.0", "1.9.9", "3.1.0"], &["2.0.0", "3.0.9", "4.0.0"]);
        check(npm, ">= 1.2 < 1.4", &["1.2.0", "1.3.9"], &["1.4.0"]);
        check(npm, ">1.2", &["1.3.0"], &["1.2.9", "1.2.0"]);
        check(npm, "<=1.2", &["1.2.9", "0.1.0"], &["1.3.0"]);
        check(npm, "*", &["0.0.1", "99.0.0"], &[]);
        check(npm, "", &["0.0.1"], &[]);
        check(npm, "=v1.2.3", &["1.2.3"], &["1.2.4"]);
        for none in ["latest", "git+ssh://x", "1.2.3.4", "^a", ">=1 <0.5 x"] {
            assert_eq!(Requirement::parse(npm, none), None, "{none}");
        }
        assert_eq!(Requirement::parse(npm, ">2 <1"), None, "nothing is allowed");
    }

    #[test]
    fn cargo_requirements() {
        let cargo = Ecosystem::CratesIo;
        check(cargo, "1.2.3", &["1.2.3", "1.9.0"], &["1.2.2", "2.0.0"]);
        check(cargo, "0.2", &["0.2.0", "0.2.9"], &["0.3.0", "0.1.9"]);
        check(cargo, "0", &["0.0.1", "0.9.9"], &["1.0.0"]);
        check(cargo, "~1.2", &["1.2.0", "1.2.9"], &["1.3.0"]);
        check(cargo, ">=1.2, <1.5", &["1.2.0", "1.4.9"], &["1.5.0", "1.1.0"]);
        check(cargo, "1.*", &["1.0.0", "1.9.9"], &["2.0.0"]);
        check(cargo, "=1.2", &["1.2.0", "1.2.9"], &["1.3.0"]);
        check(cargo, "1.0.0-beta.2", &["1.0.0-beta.2", "1.0.0", "1.5.0"], &["1.0.0-beta.1", "2.0.0"]);
    }

    #[test]
    fn python_specifiers() {
        let pypi = Ecosystem::PyPi;
        check(pypi, ">=2.0,<3", &["2.0", "2.31.0"], &["3.0", "1.9"]);
        check(pypi, "~=1.4.2", &["1.4.2", "1.4.9"], &["1.5", "1.4.1"]);
        check(pypi, "~=1.4", &["1.4", "1.9"], &["2.0", "1.3"]);
        check(pypi, "~=2.2.post3", &["2.2.post3", "2.5"], &["3.0", "2.2"]);
        check(pypi, "==1.4.*", &["1.4", "1.4.9", "1.4rc1"], &["1.5", "1.3.9"]);
        check(pypi, ">=1,!=1.5.*,<2", &["1.4", "1.6"], &["1.5.1", "2.0"]);
        check(pypi, "!=1.5", &["1.4", "1.6", "1.5.post1"], &["1.5"]);
        check(pypi, ">1.0", &["1.1"], &["1.0"]);
        check(pypi, "<=1.0", &["1.0", "0.9"], &["1.1"]);
        check(pypi, "", &["0.1"], &[]);
        check(pypi, "^1.2", &["1.2", "1.9"], &["2.0", "1.1"]);
        check(pypi, "^0.2.3", &["0.2.3", "0.2.9"], &["0.3"]);
        check(pypi, "~1.2", &["1.2", "1.2.9"], &["1.3"]);
        check(pypi, "3.2.*", &["3.2", "3.2.19"], &["3.3", "3.1"]);
        check(pypi, "3.*", &["3.0", "3.2.19"], &["4.0"]);
        check(pypi, "^3.2 || ^5.0", &["3.2.1", "5.1"], &["4.0", "6.0"]);
        for none in ["1.2", ">=x", "~=1", "=>1", "a.*", "^1 || x"] {
            assert_eq!(Requirement::parse(pypi, none), None, "{none}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn npm_never_allows_what_is_not_held(
            // The oracle errs where two comparators contradict each other, so only those that can agree come together.
            range in "((\\^|~|<=|<|=|)[0-3](\\.[0-3](\\.[0-3x])?|\\.x)?|>=?[01]\\.[0-3]\\.[0-3] <=?[2-4]\\.[0-3]\\.[0-3])( \\|\\| (\\^|~)[0-3]\\.[0-3])?",
            version in "[0-4]\\.[0-4]\\.[0-4]",
        ) {
            let theirs: Result<nodejs_semver::Range, _> = range.parse();
            let wanted: nodejs_semver::Version = version.parse().unwrap();
            let key = Version::parse(Ecosystem::Npm, &version).unwrap();
            if let Ok(theirs) = theirs {
                let holds = Requirement::parse(Ecosystem::Npm, &range).is_some_and(|ours| ours.holds(key.key()));
                prop_assert_eq!(holds, theirs.satisfies(&wanted), "{} in {}", version, range);
            }
        }

        #[test]
        fn cargo_never_allows_what_is_not_held(
            range in "(\\^|~|>=|<=|>|<|=|)[0-3](\\.[0-3]){0,2}(, (<|<=)[0-4]\\.[0-3]\\.[0-3])?",
            version in "[0-4]\\.[0-4]\\.[0-4]",
        ) {
            let theirs: semver::VersionReq = range.parse().unwrap();
            let key = Version::parse(Ecosystem::CratesIo, &version).unwrap();
            let holds = Requirement::parse(Ecosystem::CratesIo, &range).is_some_and(|ours| ours.holds(key.key()));
            prop_assert_eq!(holds, theirs.matches(&version.parse().unwrap()), "{} in {}", version, range);
        }

        #[test]
        fn python_never_allows_what_is_not_held(
            range in "(~=|==|!=|>=|<=|<|>)[0-3](\\.[0-3]){1,2}(,(<|<=|!=)[0-4]\\.[0-3])?(,==[0-2]\\.\\*)?",
            version in "[0-4](\\.[0-4]){0,2}",
        ) {
            let theirs: Result<pep440_rs::VersionSpecifiers, _> = range.parse();
            let wanted: pep440_rs::Version = version.parse().unwrap();
            let key = Version::parse(Ecosystem::PyPi, &version).unwrap();
            if let Ok(theirs) = theirs {
                let holds = Requirement::parse(Ecosystem::PyPi, &range).is_some_and(|ours| ours.holds(key.key()));
                prop_assert_eq!(holds, theirs.contains(&wanted), "{} in {}", version, range);
            }
        }
    }
}
