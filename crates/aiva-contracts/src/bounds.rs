//! Checks a value against the bounds that the contract states: lengths, ranges, counts, patterns.
//!
//! Types already say what JSON can say; this says the rest, with a JSON pointer for each field that does not fit. At most
//! [`MOST`] violations are collected, so that a hostile document cannot make a large answer.

use std::fmt;

use serde::{Deserialize, Deserializer};

/// How many violations are told of one value.
pub const MOST: usize = 50;

/// A field that breaks a bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer (RFC 6901) to the field.
    pub pointer: String,
    /// What is wrong, for a person; repeats nothing of the value.
    pub message: String,
}

/// A value whose contract has bounds.
pub trait Check {
    /// Tells `checker` of everything that breaks a bound.
    fn check(&self, checker: &mut Checker);

    /// Everything that breaks a bound; empty for a good value.
    fn violations(&self) -> Vec<Violation> {
        let mut checker = Checker::default();
        self.check(&mut checker);
        checker.found
    }
}

/// The bounds of a text.
#[derive(Debug)]
pub struct Text {
    /// The fewest characters.
    pub min: usize,
    /// The most characters.
    pub max: usize,
    /// What the characters may be, one class after the other.
    pub pattern: Option<&'static [Piece]>,
}

/// A character class and how often it may stand.
#[derive(Debug)]
pub struct Piece {
    /// Everything but the ranges.
    pub not: bool,
    /// The characters of the class, first to last.
    pub ranges: &'static [(char, char)],
    /// The fewest.
    pub min: usize,
    /// The most.
    pub max: usize,
}

/// Walks a value and remembers where it is.
#[derive(Debug, Default)]
pub struct Checker {
    pointer: String,
    found: Vec<Violation>,
}

impl Checker {
    /// Checks what lies below `name`.
    pub fn at(&mut self, name: &str, check: impl FnOnce(&mut Self)) {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        check(self);
        self.pointer.truncate(length);
    }

    /// Checks each item of a list.
    pub fn each<T>(&mut self, items: &[T], mut check: impl FnMut(&mut Self, &T)) {
        for (index, item) in items.iter().enumerate() {
            if self.found.len() >= MOST {
                return;
            }
            self.at(&index.to_string(), |c| check(c, item));
        }
    }

    /// Checks a text.
    pub fn text(&mut self, value: &str, bounds: &Text) {
        let length = if value.len() <= bounds.max && bounds.min == 0 { value.len() } else { value.chars().count() };
        if length < bounds.min {
            self.add(format!("is shorter than {} characters", bounds.min));
        } else if length > bounds.max {
            self.add(format!("is longer than {} characters", bounds.max));
        } else if bounds.pattern.is_some_and(|pieces| !fits(value, pieces)) {
            self.add("holds characters that are not allowed here".to_owned());
        }
    }

    /// Checks the key of a map: 1 to 128 characters without control characters.
    pub fn key(&mut self, key: &str) {
        if key.is_empty() || key.chars().count() > 128 || key.chars().any(char::is_control) {
            self.add("has a key that is empty, too long or holds control characters".to_owned());
        }
    }

    /// Checks a whole number.
    pub fn integer<N: Copy + Into<i128>>(&mut self, value: &N, minimum: i128, maximum: i128) {
        let value: i128 = (*value).into();
        if !(minimum..=maximum).contains(&value) {
            self.add(format!("is not between {minimum} and {maximum}"));
        }
    }

    /// Checks a number.
    pub fn number(&mut self, value: &f64, minimum: f64, maximum: f64) {
        if !(minimum..=maximum).contains(value) {
            self.add(format!("is not between {minimum} and {maximum}"));
        }
    }

    /// Checks how many items there are.
    pub fn count(&mut self, items: usize, maximum: usize) {
        if items > maximum {
            self.add(format!("has more than {maximum} items"));
        }
    }

    fn add(&mut self, message: String) {
        if self.found.len() < MOST {
            self.found.push(Violation { pointer: self.pointer.clone(), message });
        }
    }
}

/// Greedy, class by class; the generator refuses patterns for which that is not enough.
fn fits(value: &str, pieces: &[Piece]) -> bool {
    let mut rest = value.chars().peekable();
    for piece in pieces {
        let mut count = 0;
        while count < piece.max
            && rest.next_if(|c| piece.not != piece.ranges.iter().any(|(low, high)| (low..=high).contains(&c))).is_some()
        {
            count += 1;
        }
        if count < piece.min {
            return false;
        }
    }
    rest.next().is_none()
}

/// Reads a field that may be absent but not null; used by generated code and by those who read a type of the
/// contract in another way.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads a field that may be null but not absent; used by generated code.
pub(crate) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// A word that the contract does not know at this place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownWord;

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown word")
    }
}

impl std::error::Error for UnknownWord {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{AcceptFinding, CreateService, DocumentPackage, Severity, StartScan};
    use serde_json::{from_value, json};

    #[test]
    fn a_field_is_absent_or_there_but_not_null() {
        assert!(from_value::<StartScan>(json!({"service": "a"})).is_ok());
        assert!(from_value::<StartScan>(json!({"service": "a", "guard": "sca"})).is_ok());
        assert!(from_value::<StartScan>(json!({"service": "a", "guard": null})).is_err());
        assert!(from_value::<StartScan>(json!({"service": "a", "gaurd": "sca"})).is_err()); // unknown
        assert!(from_value::<Severity>(json!({"level": "low", "score": null, "vector": null})).is_ok());
        assert!(from_value::<Severity>(json!({"level": "low", "score": null})).is_err()); // null must be said
    }

    #[test]
    fn every_broken_bound_has_its_pointer() {
        let broken: CreateService = from_value(json!({
            "name": "Bad Name",
            "description": {"owners": [""], "source": ["a", "b\u{0}"], "cloud": {"aws_account": "12", "tags": {"k/1": "\n"}}}
        }))
        .unwrap();
        let pointers: Vec<String> = broken.violations().into_iter().map(|v| v.pointer).collect();
        assert_eq!(
            pointers,
            [
                "/name",
                "/description/owners/0",
                "/description/source/1",
                "/description/cloud/aws_account",
                "/description/cloud/tags/k~11"
            ]
        );
    }

    #[test]
    fn a_hostile_list_makes_no_large_answer() {
        let package = DocumentPackage {
            purl: String::new(),
            path: "a".into(),
            line: 1,
            direct: None,
            scope: crate::api::PackageScope::Runtime,
            source: None,
            licenses: vec!["\0".into(); 90],
        };
        assert_eq!(package.violations().len(), MOST);
    }

    #[test]
    fn length_counts_characters_not_bytes() {
        let accept =
            |owner: String| AcceptFinding { owner, reason: "r".into(), expires: jiff::civil::date(2027, 1, 1) };
        assert_eq!(accept("é".repeat(200)).violations(), []);
        assert_eq!(accept("é".repeat(201)).violations().len(), 1);
    }
}
