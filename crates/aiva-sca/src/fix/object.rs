//! One package moved in a `package.json` or a `composer.json`, everything else left to the byte.

use super::ask::{Ask, Edited};
use super::edit::{Pen, holds};
use super::requirement::moved;
use crate::package::Ecosystem;

/// The tables of a `package.json`.
pub(super) const TABLES: [&str; 4] = ["dependencies", "devDependencies", "optionalDependencies", PEERS];

/// What the dependant has to bring: a range that already allows the version is left as wide as it is.
const PEERS: &str = "peerDependencies";

/// Walks the top level of the object and rewrites requirements where they stand, and what a `package.json` forces upon every copy.
pub(super) fn package_json(text: &str, tables: &[&str], ask: &Ask<'_>) -> Result<Edited, String> {
    serde_json::from_str::<serde_json::Value>(text).map_err(|error| format!("not JSON: {error}"))?;
    let (mut spots, is_node) = (Vec::new(), ask.ecosystem == Ecosystem::Npm);
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
                    if !is_forced || value.starts_with('"') && !value.starts_with("\"$") {
                        spots.push((from, scanner.at, name.to_owned(), is_peer));
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
            "overrides" | "resolutions" if is_node => entries(scanner, false, true),
            "pnpm" if is_node => scanner.object(&mut |scanner, key| match key {
                "overrides" => entries(scanner, false, true),
                _ => scanner.value(),
            }),
            _ => scanner.value(),
        }
    });
    let (mut after, mut pen) = (text.to_owned(), Pen::new(ask));
    for (from, end, key, is_peer) in spots.into_iter().rev() {
        let quoted = text.get(from..end).unwrap_or_default();
        let requirement: Option<String> = serde_json::from_str(quoted).ok();
        if !is_own(ask, &key, requirement.as_deref().unwrap_or_default()) {
            continue;
        }
        let Some(requirement) = requirement else {
            pen.refused.push(format!("the requirement of {key} is not a string"));
            continue;
        };
        if is_peer && holds(ask.ecosystem, &requirement, ask.highest()) {
            continue;
        }
        if let Some(new) = pen.write(&key, &requirement, |old, to| moved(ask.ecosystem, old, to)) {
            after.replace_range(from..end, &serde_json::Value::from(new).to_string());
        }
    }
    pen.entries.reverse();
    Ok(pen.done(after))
}

/// Whether an entry of a `package.json` is about the package: an alias is about the one behind it.
fn is_own(ask: &Ask<'_>, key: &str, requirement: &str) -> bool {
    match ask.ecosystem {
        Ecosystem::Packagist => key.eq_ignore_ascii_case(ask.name),
        _ => match requirement.trim().strip_prefix("npm:") {
            Some(alias) => {
                alias.rsplit_once('@').filter(|(name, _)| !name.is_empty()).map_or(alias, |split| split.0) == ask.name
            }
            None => key == ask.name,
        },
    }
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
