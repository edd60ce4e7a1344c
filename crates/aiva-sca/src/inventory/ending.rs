//! What the end of a file that people write tells: whether its last line may be half a line.
//!
//! Tools end their files with a line break, so that one which is missing means a cut ([`door::is_cut`](super::door::is_cut)). People
//! often leave it out. Of their files only a last line is doubted that stops where nothing whole stops (`==`, a comma, an open
//! quote), or where something whole seldom does: within a version of fewer than three numbers. Pure.

use super::door;
use super::reading::Reading;

/// What is said of a last line that may be half of one.
pub(crate) const HALF: &str = "the last line has no line break and may be half of one: it may have been cut off; end it with a line break if it is whole";

/// The last line, without blanks around it, where nothing ends it.
pub(crate) fn open_line(text: &str) -> Option<&str> {
    let last = text.rsplit('\n').next().unwrap_or(text).trim();
    (door::is_cut(text) && !last.is_empty()).then_some(last)
}

/// Notes that the last line may be half of one.
pub(crate) fn doubt(text: &str, reading: &mut Reading) {
    reading.problem(door::last_line(text), HALF);
}

/// Whether a text that ends with a version may stop there: after three numbers or more, a pre-release or a wildcard.
pub(crate) fn is_full(text: &str) -> bool {
    if text.ends_with('*') {
        return true;
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '!' | '_');
    let start = text
        .rfind(|c| !is_part(c))
        .map_or(0, |at| at + text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8));
    let version = text.get(start..).unwrap_or_default();
    version.split('.').filter(|part| part.starts_with(|c: char| c.is_ascii_digit())).count() >= 3 && ends_whole(version)
}

/// Whether a text does not stop in the middle of something: at a sign that asks for more, or with a quote or a bracket open.
pub(crate) fn ends_whole(text: &str) -> bool {
    let asks = |c: char| {
        matches!(c, '=' | '<' | '>' | '~' | '!' | '^' | ',' | '.' | '-' | '+' | '|' | '&' | ':' | '@' | '/' | '\\')
    };
    let count = |sign: char| text.chars().filter(|c| *c == sign).count();
    !text.ends_with(asks)
        && count('"').is_multiple_of(2)
        && count('\'').is_multiple_of(2)
        && count('(') == count(')')
        && count('[') == count(']')
        && count('{') == count('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_may_stop_after_three_numbers() {
        for (text, want) in [
            ("jinja2==2.10.1", true),
            ("jinja2==2.10", false),
            ("jinja2==2.10.", false),
            ("jinja2==2.10.1rc1", true),
            ("jinja2==2.*", true),
            ("flask>=2.0.1,<3", false),
            ("flask", false),
            ("ä1.2.3", true),
            ("", false),
        ] {
            assert_eq!(is_full(text), want, "{text}");
        }
    }

    #[test]
    fn only_the_last_line_without_its_break_is_open() {
        for (text, want) in [("a\nb", Some("b")), ("a\nb\n", None), ("", None), ("a\n  ", None), ("a\r\nb ", Some("b"))]
        {
            assert_eq!(open_line(text), want, "{text:?}");
        }
    }
}
