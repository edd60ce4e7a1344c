//! Where in its line a package is named. Pure; only a whole name counts, so that `net` is not found in `golang.org/x/net`.

use crate::finding::Finding;
use crate::inventory::western;
use crate::package::Ecosystem;

mod spelled;

/// Lines that are longer are not looked into: no person does.
const LONGEST: usize = 4_096;

/// Sets the columns of findings, all of one file, from the file's bytes.
pub fn set(text: &[u8], findings: &mut [Finding]) {
    let mut by_line: Vec<&mut Finding> = findings.iter_mut().filter(|finding| finding.line > 0).collect();
    by_line.sort_by_key(|finding| finding.line);
    // XML in an old encoding has characters that are no UTF-8.
    let is_western = text.starts_with(b"<?xml") && std::str::from_utf8(text).is_err();
    let western = if is_western { western(text) } else { None };
    let text = western.as_deref().map_or(text, str::as_bytes);
    let mut lines = Lines { rest: text, number: 0, current: None };
    for finding in by_line {
        let line = lines.at(finding.line).filter(|line| line.len() <= LONGEST);
        finding.column = line.and_then(|line| column(finding.ecosystem, &finding.name, &finding.version, line));
    }
}

/// The lines of a file, each sought from the one before.
struct Lines<'t> {
    /// What follows the current line.
    rest: &'t [u8],
    number: u32,
    current: Option<&'t [u8]>,
}

/// How much is passed over at once.
const STRETCH: usize = 4_096;

impl<'t> Lines<'t> {
    /// The line of this number, from 1; none before one that was asked for, and none that is no text.
    fn at(&mut self, number: u32) -> Option<&'t str> {
        if self.number < number {
            self.pass(number - 1 - self.number);
            if self.rest.is_empty() {
                return None;
            }
            let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
            let (line, rest) = self.rest.split_at(end);
            (self.current, self.rest) = (Some(line), rest.get(1..).unwrap_or_default());
            self.number = number;
        }
        let line = self.current.filter(|_| self.number == number)?;
        std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).ok()
    }

    /// Passes over so many lines. Line breaks are counted by the stretch, which costs far less than to look for each.
    fn pass(&mut self, lines: u32) {
        let mut left = lines as usize;
        while left > 0 && !self.rest.is_empty() {
            let (stretch, rest) = self.rest.split_at(STRETCH.min(self.rest.len()));
            let breaks = memchr::memchr_iter(b'\n', stretch).count();
            if breaks < left {
                (self.rest, left) = (rest, left - breaks);
                continue;
            }
            let last = memchr::memchr_iter(b'\n', stretch).nth(left - 1).unwrap_or(0);
            self.rest = self.rest.get(last + 1..).unwrap_or_default();
            return;
        }
    }
}

/// The column of a package's name in a line, in characters from 1: of the whole name, of the part of it that stands there, or of what
/// the entry is called there; `None` where the line has none of these. A name that stands there more than once is pointed at where this
/// version follows it.
pub fn column(ecosystem: Ecosystem, name: &str, version: &str, line: &str) -> Option<u32> {
    let before = line.get(..spelled::at(ecosystem, name, version, line)?)?;
    u32::try_from(before.chars().count() + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ecosystem: Ecosystem, name: &str, line: &str, want: Option<u32>) {
        assert_eq!(column(ecosystem, name, "", line), want, "{name} in {line}");
    }

    #[test]
    fn xml_in_an_old_encoding_is_counted_in_characters() {
        let text =
            b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<!-- \xe9\xe8 --><artifactId>guava</artifactId>\n";
        let text = western(text).expect("it says so");
        let mut lines = Lines { rest: text.as_bytes(), number: 0, current: None };
        let line = lines.at(2).expect("there is one");
        assert_eq!(column(Ecosystem::Maven, "guava", "", line), Some(24));
        let windows = b"<?xml version=\"1.0\" encoding=\"windows-1252\"?>\x80\x9f\xe9";
        assert!(western(windows).expect("it says so").ends_with("€Ÿé"));
    }

    #[test]
    fn a_line_is_found_by_its_number() {
        let long = "x".repeat(3_000);
        for end in ["\n", "\r\n"] {
            let mut text: String = (1..=40).map(|number| format!("{long} {number}{end}{end}")).collect();
            text.push_str("the last");
            let mut lines = Lines { rest: text.as_bytes(), number: 0, current: None };
            for number in [1, 1, 2, 5, 6, 79, 79, 81] {
                let want = match number {
                    81 => "the last".to_owned(),
                    even if even % 2 == 0 => String::new(),
                    odd => format!("{long} {}", odd / 2 + 1),
                };
                assert_eq!(lines.at(number), Some(&*want), "{number}");
            }
            for beyond in [80, 82, 83, 100_000] {
                assert_eq!(lines.at(beyond), None, "{beyond}");
            }
        }
        let mut lines = Lines { rest: b"a\nb\n", number: 0, current: None };
        assert_eq!((lines.at(3), lines.at(4)), (None, None));
    }

    #[test]
    fn only_a_whole_name_counts() {
        use Ecosystem::{CratesIo, Go, Npm, PyPi};
        check(CratesIo, "rustls", "name = \"rustls\"", Some(9));
        check(CratesIo, "rustls", "rustls-webpki = \"1\"", None);
        check(Npm, "qs", "    \"node_modules/express/node_modules/qs\": {", Some(40));
        check(Npm, "@s/c", "    \"node_modules/@s/c\": {", Some(19));
        check(Npm, "c", "    node_modules/@s/c:", None);
        check(Npm, "left-pad", "left-pad@^1.0.0, left-pad@~1.1:", Some(1));
        check(Npm, "a", "  /a/1.0.0:", Some(4));
        check(Npm, "é", "  é:", Some(3));
        check(Go, "golang.org/x/net", "\tgolang.org/x/net v0.1.0 // indirect", Some(2));
        check(Go, "golang.org/x/net", "\tgolang.org/x/net/http v0.1.0", None);
        check(PyPi, "zope-interface", "Zope.Interface==5.0", Some(1));
        check(PyPi, "", "x", None);
    }

    #[test]
    fn of_two_entries_in_a_line_the_one_with_the_version_counts() {
        let python = "[\"django==3.2.0 ; python_version < '3.10'\", \"Django==4.2.0 ; python_version >= '3.10'\"]";
        for (version, line, want) in [
            ("3.2.0", python, 3),
            ("4.2.0", python, 46),
            ("5.0", python, 3),
            ("", python, 3),
            ("2.0", "django==2.0.1, django==12.0, django==2.0-rc1, django==2.0", 47),
            ("2.0", "django==1.0, django==v2.0", 14),
            ("2.0", "django==2.0, django==2.0", 1),
            ("2.0", "django, x==2.0", 1),
        ] {
            assert_eq!(column(Ecosystem::PyPi, "django", version, line), Some(want), "{version} in {line}");
        }
    }
}
