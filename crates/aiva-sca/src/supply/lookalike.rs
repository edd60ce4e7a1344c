//! Tells names that look like a well-known one without being it: typing errors, and letters of other alphabets.
//!
//! Pure; the well-known names are data (`data/names/`). Only an edit of one letter counts, and names that are established
//! themselves are never taken for errors. A filter ([`near`]) turns away at once nearly all names that have no neighbour.

mod honest;
mod near;

use std::sync::LazyLock;

use honest::is_honest;
use near::{Near, bare, hash, look};
use rapidhash::{RapidHashMap, RapidHashSet};

use crate::package::Ecosystem;

/// A name shorter than this has too many honest neighbours.
const SHORTEST: usize = 5;

/// Which name it looks like, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lookalike {
    /// The well-known name.
    pub of: &'static str,
    /// The way in which it differs.
    pub way: Way,
}

/// How a name differs from the one it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Letters of another alphabet that look the same.
    Homoglyph,
    /// Letters or digits that look nearly the same: `l` and `1`, `rn` and `m`.
    Alike,
    /// The same but for dashes, dots and underscores.
    Separators,
    /// One letter is that of a neighbouring key.
    Key,
    /// Two letters are swapped.
    Swapped,
    /// One letter too many.
    Added,
    /// One letter is missing.
    Missing,
    /// One letter is another.
    Other,
}

impl Way {
    /// For a person: `lodahs` is `lodash` with ...
    pub const fn text(self) -> &'static str {
        match self {
            Self::Homoglyph => "letters of another alphabet that look the same",
            Self::Alike => "letters that look nearly the same",
            Self::Separators => "other separators",
            Self::Key => "the letter of a neighbouring key",
            Self::Swapped => "two letters swapped",
            Self::Added => "one letter too many",
            Self::Missing => "one letter missing",
            Self::Other => "one letter changed",
        }
    }
}

/// The well-known name that this one looks like; `None` for all honest names.
pub fn lookalike(ecosystem: Ecosystem, name: &str) -> Option<Lookalike> {
    names(ecosystem)?.find(name)
}

/// The well-known names of a registry, where there is a list of them.
fn names(ecosystem: Ecosystem) -> Option<&'static Names> {
    match ecosystem {
        Ecosystem::Npm => Some(&NPM),
        Ecosystem::PyPi => Some(&PYPI),
        Ecosystem::CratesIo => Some(&CRATES),
        _ => None,
    }
}

/// Whether a name is one of the well-known ones.
pub fn is_known(ecosystem: Ecosystem, name: &str) -> bool {
    names(ecosystem).is_some_and(|names| names.known.contains(name))
}

static NPM: LazyLock<Names> = LazyLock::new(|| {
    Names::new(1, include_str!("../../data/names/npm.txt"), include_str!("../../data/names/npm-near.txt"))
});
static PYPI: LazyLock<Names> = LazyLock::new(|| {
    Names::new(2, include_str!("../../data/names/pypi.txt"), include_str!("../../data/names/pypi-near.txt"))
});
static CRATES: LazyLock<Names> = LazyLock::new(|| {
    Names::new(3, include_str!("../../data/names/crates.txt"), include_str!("../../data/names/crates-near.txt"))
});

/// The well-known names of one registry.
struct Names {
    /// Its number.
    list: u8,
    known: RapidHashSet<&'static str>,
    /// Near a well-known name, and established.
    established: RapidHashSet<&'static str>,
    /// By length in bytes.
    by_length: Vec<OfLength>,
    /// By the hash of what they look like, and by that of their letters without separators.
    by_look: RapidHashMap<u64, &'static str>,
    by_letters: RapidHashMap<u64, &'static str>,
    near: Near,
}

/// The well-known names of one length, and the letters in each.
#[derive(Default)]
struct OfLength {
    letters: Vec<u64>,
    names: Vec<&'static str>,
}

impl OfLength {
    /// The names whose letters are those of another one but for what one edit changes: at most two of the set.
    fn near(&self, own: u64) -> impl Iterator<Item = &'static str> {
        /// Compared at once, without a branch: hardly any name is near.
        const RUN: usize = 16;
        let is_near = move |theirs: &u64| has_two_at_most(own ^ theirs);
        let runs = self.letters.chunks(RUN).zip(self.names.chunks(RUN));
        let runs = runs.filter(move |(letters, _)| letters.iter().fold(false, |any, theirs| any | is_near(theirs)));
        runs.flat_map(move |(letters, names)| {
            letters.iter().zip(names).filter(move |(theirs, _)| is_near(theirs)).map(|(_, name)| *name)
        })
    }
}

impl Names {
    fn new(list: u8, known: &'static str, established: &'static str) -> Self {
        let lines = |text: &'static str| text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        // In the order of the list, so that of several that a name is near the same one is always told.
        let known: Vec<&str> = lines(known).collect();
        let longest = known.iter().map(|name| name.len()).max().unwrap_or(0);
        let mut by_length: Vec<OfLength> = std::iter::repeat_with(OfLength::default).take(longest + 1).collect();
        for name in &known {
            if let Some(same) = by_length.get_mut(name.len()) {
                same.letters.push(letters(name));
                same.names.push(name);
            }
        }
        // Of two names that look alike both are well known; neither is an error for the other.
        let by_look = known.iter().map(|name| (hash(look(name)), *name)).collect();
        let by_letters = known.iter().map(|name| (hash(bare(name)), *name)).collect();
        let mut near = Near::new();
        known.iter().for_each(|name| near.add(name));
        let (known, established) = (known.into_iter().collect(), lines(established).collect());
        Self { list, known, established, by_length, by_look, by_letters, near }
    }

    fn find(&self, name: &str) -> Option<Lookalike> {
        if !name.is_ascii() {
            let latin = latin(name)?;
            let of = self.known.get(&*latin)?;
            return Some(Lookalike { of, way: Way::Homoglyph });
        }
        if name.len() < SHORTEST {
            return None;
        }
        let is_apart = || !self.near.holds(name) || self.known.contains(name) || self.established.contains(name);
        let mut found = None;
        is_honest(self.list, name, || {
            found = if is_apart() { None } else { self.compare(name) };
            found.is_none()
        });
        found
    }

    /// Compares a name with all that are about as long.
    fn compare(&self, name: &str) -> Option<Lookalike> {
        let other_owner = |of: &&'static str| !is_same_scope(name, of);
        let found = |of: &'static str, way| Some(Lookalike { of, way });
        let alike = self.by_look.get(&hash(look(name))).copied().filter(|of| look(of).eq(look(name)));
        if let Some(of) = alike.filter(other_owner) {
            return found(of, Way::Alike);
        }
        let spelled = self.by_letters.get(&hash(bare(name))).copied().filter(|of| bare(of).eq(bare(name)));
        if let Some(of) = spelled.filter(other_owner) {
            return found(of, Way::Separators);
        }
        let own = letters(name);
        for length in name.len() - 1..=name.len() + 1 {
            for of in self.by_length.get(length).into_iter().flat_map(|same| same.near(own)) {
                if of.len() >= SHORTEST
                    && let Some(way) = edit(name.as_bytes(), of.as_bytes())
                    && other_owner(&of)
                {
                    return found(of, way);
                }
            }
        }
        None
    }
}

/// Names below one npm scope belong to one owner: nobody else can publish there.
fn is_same_scope(one: &str, other: &str) -> bool {
    let scope =
        |name: &'_ str| name.strip_prefix('@').and_then(|rest| rest.split_once('/')).map(|(scope, _)| scope.len());
    scope(one).is_some_and(|length| other.get(..=length + 1) == one.get(..=length + 1))
}

/// Which letters are in a name, as a set.
fn letters(name: &str) -> u64 {
    name.bytes().fold(0, |set, byte| set | 1 << (byte & 63))
}

/// Whether no more than two bits are set; asked of every known name of about the same length.
fn has_two_at_most(set: u64) -> bool {
    let without_lowest = |set: u64| set & set.wrapping_sub(1);
    without_lowest(without_lowest(set)) == 0
}

/// The single edit between two names, if it is one that happens by mistake.
fn edit(name: &[u8], of: &[u8]) -> Option<Way> {
    let head = name.iter().zip(of).take_while(|(a, b)| a == b).count();
    let tail = |skip_name: usize, skip_of: usize| {
        name.get(head + skip_name..).is_some_and(|rest| Some(rest) == of.get(head + skip_of..))
    };
    // Another number is another release or size, not a mistake: `webpack4`, `md4`.
    let is_number = |text: &[u8]| text.get(head).is_some_and(u8::is_ascii_digit);
    match name.len().cmp(&of.len()) {
        std::cmp::Ordering::Greater if tail(1, 0) => (!is_number(name)).then_some(Way::Added),
        std::cmp::Ordering::Less if tail(0, 1) => (!is_number(of)).then_some(Way::Missing),
        std::cmp::Ordering::Equal if tail(1, 1) => {
            let (a, b) = (*name.get(head)?, *of.get(head)?);
            if a.is_ascii_digit() || b.is_ascii_digit() {
                return None;
            }
            Some(if are_neighbours(a, b) { Way::Key } else { Way::Other })
        }
        std::cmp::Ordering::Equal
            if tail(2, 2) && name.get(head) == of.get(head + 1) && name.get(head + 1) == of.get(head) =>
        {
            Some(Way::Swapped)
        }
        _ => None,
    }
}

/// Whether two keys touch on the usual keyboard.
fn are_neighbours(a: u8, b: u8) -> bool {
    const ROWS: [&[u8]; 3] = [b"qwertyuiop", b"asdfghjkl", b"zxcvbnm"];
    let place = |key: u8| {
        let find = |(row, keys): (usize, &&[u8])| Some((row, keys.iter().position(|one| *one == key)?));
        ROWS.iter().enumerate().find_map(find)
    };
    match (place(a), place(b)) {
        (Some((row, at)), Some((other, to))) if row == other => at.abs_diff(to) == 1,
        (Some((row, at)), Some((other, to))) if row.abs_diff(other) == 1 => {
            // Each row is half a key further right than the one above.
            let (upper, lower) = if row < other { (at, to) } else { (to, at) };
            upper == lower || upper == lower + 1
        }
        _ => false,
    }
}

/// The name in Latin letters, if all others in it look like one.
fn latin(name: &str) -> Option<String> {
    let letter = |c: char| match c {
        c if c.is_ascii() => Some(c),
        'а' | 'ɑ' | 'α' => Some('a'),
        'Ь' | 'ь' => Some('b'),
        'с' | 'ϲ' => Some('c'),
        'ԁ' => Some('d'),
        'е' | 'ҽ' => Some('e'),
        'ɡ' => Some('g'),
        'һ' => Some('h'),
        'і' | 'ı' | 'ⅰ' => Some('i'),
        'ј' => Some('j'),
        'κ' | 'к' => Some('k'),
        'ⅼ' | 'ӏ' => Some('l'),
        'ⅿ' => Some('m'),
        'ո' => Some('n'),
        'о' | 'ο' | 'օ' => Some('o'),
        'р' | 'ρ' => Some('p'),
        'ԛ' => Some('q'),
        'ѕ' => Some('s'),
        'υ' | 'ս' => Some('u'),
        'ν' | 'ѵ' => Some('v'),
        'ѡ' | 'ԝ' => Some('w'),
        'х' | 'χ' => Some('x'),
        'у' | 'γ' => Some('y'),
        '‐' | '‑' | '–' | '−' => Some('-'),
        c @ '\u{ff21}'..='\u{ff5a}' => char::from_u32(u32::from(c) - 0xfee0).map(|c| c.to_ascii_lowercase()),
        _ => None,
    };
    name.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ecosystem: Ecosystem, name: &str, want: Option<(&'static str, Way)>) {
        assert_eq!(lookalike(ecosystem, name), want.map(|(of, way)| Lookalike { of, way }), "{name}");
    }

    #[test]
    fn a_name_one_mistake_away_from_a_well_known_one_is_told() {
        use Ecosystem::{CratesIo, Npm, PyPi};
        check(Npm, "lodahs", Some(("lodash", Way::Swapped)));
        check(Npm, "crossenv", Some(("cross-env", Way::Separators))); // 2017
        check(Npm, "loadsh", Some(("lodash", Way::Swapped)));
        check(Npm, "expres", Some(("express", Way::Missing)));
        check(Npm, "dot-env", Some(("dotenv", Way::Separators)));
        check(Npm, "expresss", Some(("express", Way::Added)));
        check(Npm, "exprss", Some(("express", Way::Missing)));
        check(Npm, "webpavk", Some(("webpack", Way::Key)));
        check(Npm, "lоdash", Some(("lodash", Way::Homoglyph))); // a Cyrillic о
        check(Npm, "1odash", Some(("lodash", Way::Alike)));
        check(Npm, "@bable/core", Some(("@babel/core", Way::Swapped)));
        check(PyPi, "reqeusts", Some(("requests", Way::Swapped)));
        check(PyPi, "beautifulsoup", None); // an established name of its own
        check(PyPi, "djanga", Some(("django", Way::Other)));
        check(CratesIo, "rustdecimal", Some(("rust_decimal", Way::Separators))); // RUSTSEC-2022-0042
        check(CratesIo, "serde_jsom", Some(("serde_json", Way::Key)));
    }

    #[test]
    fn an_honest_name_is_not() {
        use Ecosystem::{CratesIo, Go, Npm, PyPi};
        for name in
            ["lodash", "preact", "react", "vue", "@types/node", "@types/nod", "webpack4", "left-pad", "ms", "", "a"]
        {
            check(Npm, name, None);
        }
        for name in ["requests", "urllib3", "urllib4", "attrs", "pyyaml"] {
            check(PyPi, name, None);
        }
        for name in ["serde", "tokio", "hyper", "md-5", "sha2", "sha3", "winit", "cbindgen"] {
            check(CratesIo, name, None);
        }
        check(Go, "github.com/sirupsen/logrus", None);
    }

    #[test]
    fn whatever_is_turned_away_at_once_looks_like_nothing() {
        let mut turned_away = 0;
        for (names, known) in
            [(&*NPM, include_str!("../../data/names/npm.txt")), (&*PYPI, include_str!("../../data/names/pypi.txt"))]
        {
            for (at, name) in known.lines().skip(1).enumerate().step_by(7).filter(|(_, name)| name.len() >= SHORTEST) {
                let edited = |from: usize, with: &[u8]| {
                    let mut edited = name.as_bytes().to_vec();
                    edited.splice(from..name.len().min(from + at % 3), with.iter().copied());
                    String::from_utf8(edited).unwrap()
                };
                for changed in
                    [edited(at % name.len(), b""), edited(at % name.len(), b"q"), edited(at % name.len(), b"1-")]
                {
                    if !names.near.holds(&changed) {
                        turned_away += 1;
                        assert_eq!(names.compare(&changed), None, "{changed}");
                    }
                }
            }
        }
        assert!(turned_away > 500, "{turned_away}");
    }

    #[test]
    fn nothing_one_edit_away_is_turned_away() {
        for name in include_str!("../../data/names/npm.txt").lines().skip(1).step_by(23) {
            let name = name.as_bytes();
            for at in 0..name.len() {
                let (before, behind) = (&name[..at], &name[at + 1..]);
                let swapped = match name.get(at + 1) {
                    Some(next) => [before, &[*next, name[at]], &name[at + 2..]].concat(),
                    None => name.to_vec(),
                };
                let changed = [
                    [before, behind].concat(),
                    [before, b"q", behind].concat(),
                    [before, b"q", &name[at..]].concat(),
                    [before, &name[at..=at], &name[at..]].concat(),
                    [name, b"q"].concat(),
                    swapped,
                ];
                for changed in changed.map(|changed| String::from_utf8(changed).unwrap()) {
                    assert!(NPM.near.holds(&changed), "{changed}");
                }
            }
        }
    }

    #[test]
    fn the_lists_are_sorted_names_without_repetition() {
        for list in [
            include_str!("../../data/names/npm.txt"),
            include_str!("../../data/names/npm-near.txt"),
            include_str!("../../data/names/pypi.txt"),
            include_str!("../../data/names/pypi-near.txt"),
            include_str!("../../data/names/crates.txt"),
            include_str!("../../data/names/crates-near.txt"),
        ] {
            let names: Vec<&str> = list.lines().skip(1).collect();
            assert!(names.is_sorted_by(|a, b| a < b));
            assert!(names.iter().all(|name| name.is_ascii() && !name.contains(char::is_whitespace)));
        }
    }
}
