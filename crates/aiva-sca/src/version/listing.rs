//! Lists of comparisons, a line each: `1.0-rc1 < 1.0`. They prove an order against whatever the list was made with.
//!
//! Blank lines and lines that start with `#` or `//` do not count. A line that cannot be read, or that names a version which the
//! order does not know, does not hold.

use std::cmp::Ordering;

use super::{Order, Version};

/// A line that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// Counted from 1.
    pub line: usize,
    /// As it stands in the list.
    pub text: String,
    /// What is the case instead.
    pub instead: String,
}

/// What became of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// Lines that hold.
    pub passed: usize,
    /// Lines that do not.
    pub missed: Vec<Miss>,
}

impl Order {
    /// Checks every line of a list.
    pub fn check(self, list: &str) -> Checked {
        let mut checked = Checked::default();
        for (index, text) in list.lines().enumerate() {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') || text.starts_with("//") {
                continue;
            }
            match self.check_line(text) {
                Ok(()) => checked.passed += 1,
                Err(instead) => checked.missed.push(Miss { line: index + 1, text: text.to_owned(), instead }),
            }
        }
        checked
    }

    fn check_line(self, text: &str) -> Result<(), String> {
        let mut words = text.split_whitespace();
        let (Some(left), Some(sign), Some(right), None) = (words.next(), words.next(), words.next(), words.next())
        else {
            return Err("not a comparison; write two versions with <, = or > and blanks between".to_owned());
        };
        let claimed = match sign {
            "<" => Ordering::Less,
            "=" | "==" => Ordering::Equal,
            ">" => Ordering::Greater,
            _ => return Err(format!("{sign:?} is none of <, = and >")),
        };
        let version =
            |text: &str| Version::parse_in(self, text).ok_or_else(|| format!("{text:?} has no place in this order"));
        let found = version(left)?.cmp(&version(right)?);
        if found == claimed {
            return Ok(());
        }
        let sign = match found {
            Ordering::Less => '<',
            Ordering::Equal => '=',
            Ordering::Greater => '>',
        };
        Err(format!("{left} {sign} {right}"))
    }
}
