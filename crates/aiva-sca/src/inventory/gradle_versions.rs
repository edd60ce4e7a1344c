//! What a gradle build says of versions elsewhere than in a coordinate: in variables and in the block behind a dependency
//! (`version { strictly("1") }`). What `constraints` say is in [`gradle_constraints`](super::gradle_constraints).
//!
//! Pure: [`build_gradle`](super::build_gradle) walks the file and hands over what it meets.

use std::collections::HashMap;

use super::literal::Token;

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

    /// Whether nothing but what it says will do.
    pub(super) fn is_strict(&self) -> bool {
        self.strictly.is_some()
    }

    /// Whether all that is said is what would be best: any other version that is asked for comes before it.
    pub(super) fn is_preference(&self, coordinate: Option<&Written>) -> bool {
        self.strictly.is_none() && self.require.is_none() && coordinate.is_none() && self.prefer.is_some()
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
