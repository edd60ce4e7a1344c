//! What a gradle build says of versions elsewhere than in a coordinate: in variables, in the block behind a dependency
//! (`version { strictly("1") }`) and in `constraints`.
//!
//! Pure: [`build_gradle`](super::build_gradle) walks the file and hands over what it meets.

use std::collections::{HashMap, HashSet};

use super::literal::Token;
use super::reading::Reading;
use crate::package::{NotJudged, Package};

/// Why nothing is judged of a dependency without a version.
pub(super) const MANAGED: &str = "its version is managed by a platform or a plugin";

/// A version, or how one that cannot be known is written.
pub(super) type Written = Result<String, String>;

/// A dependency whose block is not closed yet.
pub(super) struct Pending {
    /// How many blocks are around it.
    pub(super) depth: usize,
    pub(super) statement: Vec<Token>,
    pub(super) rich: Rich,
}

/// What the `version` of such a block says.
#[derive(Debug, Clone, Default)]
pub(super) struct Rich {
    strictly: Option<Written>,
    require: Option<Written>,
    prefer: Option<Written>,
}

impl Rich {
    /// Takes in `strictly("1")`, `require("1")` or `prefer("1")`.
    pub(super) fn set(&mut self, word: &str, version: Written) {
        match word {
            "strictly" => self.strictly = Some(version),
            "require" => self.require = Some(version),
            "prefer" => self.prefer = Some(version),
            _ => {}
        }
    }

    /// The version that counts, beside that of the coordinate (gradle, "Declaring Rich Versions").
    pub(super) fn over(&self, coordinate: Option<Written>) -> Option<Written> {
        self.strictly.clone().or(self.require.clone()).or(coordinate).or(self.prefer.clone())
    }
}

/// `x = "1"`, `val x = "1"`, `ext.x = '1'`, `extra["x"] = "1"`, `val x by extra("1")`.
pub(super) fn variables(tokens: &[Token]) -> HashMap<String, Option<String>> {
    let mut set: HashMap<String, Option<String>> = HashMap::new();
    let mut note = |name: &str, value: &str| {
        let name = name.rsplit('.').next().unwrap_or(name).to_owned();
        let again = set.get(&name).is_some_and(|known| known.as_deref() != Some(value));
        set.insert(name, (!again).then(|| value.to_owned()));
    };
    let mut depth = 0_i32;
    for (at, token) in tokens.iter().enumerate() {
        depth += i32::from(token.is('(')) - i32::from(token.is(')'));
        let next = tokens.get(at + 1..).unwrap_or_default();
        match (next, token) {
            // In brackets it would name an argument.
            ([equals, value, ..], name) if depth <= 0 && equals.is('=') => {
                if let (Some(name), Some(value)) = (name.word(), value.text()) {
                    note(name, value);
                }
            }
            ([close, equals, value, ..], name) if close.is(']') && equals.is('=') => {
                if let (Some(name), Some(value)) = (name.text(), value.text()) {
                    note(name, value);
                }
            }
            ([by, extra, open, value, ..], name) if by.word() == Some("by") && open.is('(') => {
                if let (Some(name), Some("extra"), Some(value)) = (name.word(), extra.word(), value.text()) {
                    note(name, value);
                }
            }
            _ => {}
        }
    }
    set
}

/// Adds what `constraints` ask for. A dependency without a version takes the first of its name; the rest are entries of their own, of
/// which it is not known whether anything asks for them directly.
pub(super) fn constrain(reading: &mut Reading, constraints: Reading) {
    let mut first: HashMap<String, Asked> = HashMap::new();
    let mut all: Vec<Asked> = constraints.packages.into_iter().map(Asked::Pin).collect();
    all.extend(constraints.not_judged.into_iter().filter(|entry| entry.reason != MANAGED).map(Asked::Open));
    all.sort_by_key(Asked::line);
    for one in &all {
        first.entry(one.name().to_owned()).or_insert_with(|| one.clone());
    }
    let mut told: HashSet<(String, String)> =
        reading.packages.iter().map(|package| (package.name.clone(), package.version.clone())).collect();
    for entry in std::mem::take(&mut reading.not_judged) {
        match first.get(&entry.name).filter(|_| entry.reason == MANAGED) {
            Some(Asked::Pin(pin)) => {
                told.insert((pin.name.clone(), pin.version.clone()));
                let (scope, line) = (entry.scope, entry.line);
                reading.packages.push(Package { scope, line, direct: Some(true), ..pin.clone() });
            }
            Some(Asked::Open(open)) => {
                told.insert((open.name.clone(), open.requirement.clone()));
                let (scope, line) = (entry.scope, entry.line);
                reading.not_judged.push(NotJudged { scope, line, ..open.clone() });
            }
            None => reading.not_judged.push(entry),
        }
    }
    for one in all {
        if !told.insert((one.name().to_owned(), one.version().to_owned())) {
            continue;
        }
        match one {
            Asked::Pin(pin) => reading.packages.push(Package { direct: None, ..pin }),
            Asked::Open(open) => reading.not_judged.push(open),
        }
    }
    reading.packages.sort_by_key(|package| package.line);
    reading.not_judged.sort_by_key(|entry| entry.line);
}

/// What one constraint asks for.
#[derive(Clone)]
enum Asked {
    Pin(Package),
    Open(NotJudged),
}

impl Asked {
    fn name(&self) -> &str {
        match self {
            Self::Pin(pin) => &pin.name,
            Self::Open(open) => &open.name,
        }
    }

    fn version(&self) -> &str {
        match self {
            Self::Pin(pin) => &pin.version,
            Self::Open(open) => &open.requirement,
        }
    }

    fn line(&self) -> u32 {
        match self {
            Self::Pin(pin) => pin.line,
            Self::Open(open) => open.line,
        }
    }
}
