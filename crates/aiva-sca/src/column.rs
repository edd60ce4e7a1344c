//! Where in its line a package is named. Pure; only a whole name counts, so that `net` is not found in `golang.org/x/net`.

use crate::package::Ecosystem;

/// The column of a package's name in a line, in characters from 1; `None` where the line does not spell it out.
pub fn column(ecosystem: Ecosystem, name: &str, line: &str) -> Option<u32> {
    let same = |a: u8, b: u8| match ecosystem {
        Ecosystem::PyPi => fold(a) == fold(b),
        _ => a == b,
    };
    let (text, wanted) = (line.as_bytes(), name.as_bytes());
    if wanted.is_empty() {
        return None;
    }
    let found = text.windows(wanted.len()).enumerate().find(|(at, window)| {
        window.iter().zip(wanted).all(|(a, b)| same(*a, *b))
            && starts(text.get(..*at).unwrap_or_default())
            && ends(text.get(at + wanted.len()..).unwrap_or_default())
    });
    let before = line.get(..found?.0)?;
    u32::try_from(before.chars().count() + 1).ok()
}

/// PyPI names in any spelling are one.
fn fold(byte: u8) -> u8 {
    match byte {
        b'_' | b'.' => b'-',
        byte => byte.to_ascii_lowercase(),
    }
}

fn starts(before: &[u8]) -> bool {
    match before.last() {
        Some(b'/') => {
            before.ends_with(b"node_modules/") || !before.iter().rev().nth(1).is_some_and(|byte| is_of_name(*byte))
        }
        Some(byte) => !is_of_name(*byte),
        None => true,
    }
}

/// A version may follow the name with only an `@` or a `/` between.
fn ends(after: &[u8]) -> bool {
    match after {
        [b'/', next, ..] => next.is_ascii_digit(),
        [b'-' | b'.' | b'_', ..] => false,
        [byte, ..] => !byte.is_ascii_alphanumeric(),
        [] => true,
    }
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ecosystem: Ecosystem, name: &str, line: &str, want: Option<u32>) {
        assert_eq!(column(ecosystem, name, line), want, "{name} in {line}");
    }

    #[test]
    fn only_a_whole_name_counts() {
        use Ecosystem::{CratesIo, Go, Npm, PyPi};
        check(CratesIo, "rustls", "name = \"rustls\"", Some(9));
        check(CratesIo, "rustls", "name = \"rustls-webpki\"", None);
        check(Npm, "qs", "    \"node_modules/express/node_modules/qs\": {", Some(40));
        check(Npm, "@s/c", "    \"node_modules/@s/c\": {", Some(19));
        check(Npm, "c", "    \"node_modules/@s/c\": {", None);
        check(Npm, "left-pad", "left-pad@^1.0.0, left-pad@~1.1:", Some(1));
        check(Npm, "a", "  /a/1.0.0:", Some(4));
        check(Npm, "é", "  é:", Some(3));
        check(Go, "golang.org/x/net", "\tgolang.org/x/net v0.1.0 // indirect", Some(2));
        check(Go, "golang.org/x/net", "\tgolang.org/x/net/http v0.1.0", None);
        check(PyPi, "zope-interface", "Zope.Interface==5.0", Some(1));
        check(PyPi, "", "x", None);
    }
}
