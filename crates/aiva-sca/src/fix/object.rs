//! What a `package.json` and a `composer.json` ask for, and where each requirement stands.

use std::ops::Range;

use super::entries::{Entries, Form, Spot};
use crate::inventory::{Kind, Tell, is_read_table};
use crate::name::behind_npm;

/// The tables of a `package.json`.
const TABLES: [&str; 4] = ["dependencies", "devDependencies", "optionalDependencies", PEERS];

/// What the dependant has to bring: a range that already allows the version is left as wide as it is.
const PEERS: &str = "peerDependencies";

/// The requirements of a `package.json` or a `composer.json` where they stand, and what the first forces upon every copy, which it does
/// not as that of a member of a workspace.
pub(super) fn entries(text: &str, kind: Kind, tell: &dyn Tell) -> Result<Entries, String> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| format!("not JSON: {error}"))?;
    let is_node = kind == Kind::PackageJson;
    let forces = |table: &str| is_node && is_read_table(text, table) && !tell.is_member();
    let tables = if is_node { &TABLES[..] } else { &["require", "require-dev"] };
    let mut spots = Vec::new();
    let mut scanner = Scanner { text, at: 0 };
    scanner.object(&mut |scanner, table| {
        let mut entries = |scanner: &mut Scanner<'_>, is_peer: bool, is_forced: bool| {
            scanner.object(&mut |scanner, key| {
                scanner.blank();
                // To yarn `**/a` is every copy.
                let name = if is_forced { key.strip_prefix("**/").unwrap_or(key) } else { key };
                let mut spot = |scanner: &mut Scanner<'_>| {
                    scanner.blank();
                    let from = scanner.at;
                    scanner.value()?;
                    let value = text.get(from..scanner.at).unwrap_or_default();
                    // What pnpm leaves out is to be `-`.
                    let is_version = value.starts_with('"') && !value.starts_with("\"$") && value != "\"-\"";
                    if !is_forced || is_version {
                        spots.push(self::spot(name, value, from..scanner.at, is_peer, is_node));
                    }
                    Some(())
                };
                // In a package's own table `.` is the package.
                match is_forced && scanner.next() == Some(b'{') {
                    true => {
                        scanner.object(&mut |scanner, key| if key == "." { spot(scanner) } else { scanner.value() })
                    }
                    false => spot(scanner),
                }
            })
        };
        match table {
            _ if tables.contains(&table) => entries(scanner, table == PEERS, false),
            "overrides" | "resolutions" if forces(table) => entries(scanner, false, true),
            "pnpm" if forces(table) => scanner.object(&mut |scanner, key| match key {
                "overrides" => entries(scanner, false, true),
                _ => scanner.value(),
            }),
            _ => scanner.value(),
        }
    });
    Ok(Entries::of(spots))
}

/// An entry: an alias of npm's is about the package behind it.
fn spot(key: &str, value: &str, at: Range<usize>, is_peer: bool, is_node: bool) -> Spot {
    let said: Option<String> = serde_json::from_str(value).ok();
    let alias = said.as_deref().and_then(behind_alias).filter(|_| is_node);
    let name = match alias {
        Some(name) => name.to_owned(),
        None if is_node => key.to_owned(),
        None => key.to_ascii_lowercase(),
    };
    Spot {
        name,
        key: key.to_owned(),
        said,
        read: None,
        kept_in: None,
        at,
        form: Form::Json { is_peer },
        property: None,
    }
}

/// The package behind an alias of npm's.
pub(super) fn behind_alias(said: &str) -> Option<&str> {
    behind_npm(said.trim().strip_prefix("npm:")?).0
}

/// Steps over JSON that is known to be sound.
struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl Scanner<'_> {
    fn blank(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn next(&mut self) -> Option<u8> {
        self.blank();
        self.text.as_bytes().get(self.at).copied()
    }

    fn string(&mut self) -> Option<String> {
        self.blank();
        let from = self.at;
        self.at += 1;
        loop {
            match self.text.as_bytes().get(self.at)? {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        serde_json::from_str(self.text.get(from..self.at)?).ok()
    }

    fn object(&mut self, each: &mut dyn FnMut(&mut Self, &str) -> Option<()>) -> Option<()> {
        if self.next()? != b'{' {
            return self.value();
        }
        self.at += 1;
        loop {
            match self.next()? {
                b'}' => break,
                b',' => self.at += 1,
                _ => {
                    let key = self.string()?;
                    self.next().filter(|next| *next == b':')?;
                    self.at += 1;
                    each(self, &key)?;
                }
            }
        }
        self.at += 1;
        Some(())
    }

    fn value(&mut self) -> Option<()> {
        match self.next()? {
            b'"' => self.string().map(drop),
            b'{' | b'[' => {
                let mut depth = 0_usize;
                loop {
                    match self.next()? {
                        b'"' => self.string().map(drop)?,
                        open @ (b'{' | b'[' | b'}' | b']') => {
                            self.at += 1;
                            depth = if matches!(open, b'{' | b'[') { depth + 1 } else { depth - 1 };
                            if depth == 0 {
                                return Some(());
                            }
                        }
                        _ => self.at += 1,
                    }
                }
            }
            _ => {
                let rest = self.text.get(self.at..)?;
                self.at += rest.find([',', '}', ']']).unwrap_or(rest.len());
                Some(())
            }
        }
    }
}
