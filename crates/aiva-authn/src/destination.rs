//! Where signing in leads to: the page that was asked for, and never another site.
//!
//! What comes in a link is whatever somebody wrote there. Only paths of our own pages are obeyed, so that a link to the
//! sign-in page cannot send a person elsewhere afterwards (an open redirect); everything else leads to the start.

use http::HeaderValue;

/// The longest address that is worth coming back to.
const LONGEST: usize = 2_000;
/// The start of the console.
const START: &str = "/";

/// A path of our own pages, with its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination(Option<String>);

impl Destination {
    /// What was asked for, if it is a page of ours.
    pub(crate) fn asked(text: Option<&str>) -> Self {
        Self(text.filter(|text| is_ours(text)).map(str::to_owned))
    }

    /// The value for the form; nothing for the start.
    pub(crate) fn field(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The `Location`.
    pub(crate) fn header(&self) -> HeaderValue {
        let text = self.0.as_deref().unwrap_or(START);
        HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(START))
    }
}

fn is_ours(text: &str) -> bool {
    let path = text.split_once('?').map_or(text, |(path, _)| path);
    let inside = path == "/console" || path == "/docs" || path.starts_with("/console/");
    let doors = path.starts_with("/console/sign-");
    // A browser reads a backslash as a slash, and takes dots and control bytes out before it goes anywhere.
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let climbs = path.contains("//") || path.contains("/.") || path.to_ascii_lowercase().contains("%2e");
    text.len() <= LONGEST && inside && !doors && plain && !climbs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_are_come_back_to() {
        for ours in
            ["/console", "/console/findings?level=high&q=a%20b", "/console/services/a.b", "/docs", "/console?x=//y"]
        {
            assert_eq!(Destination::asked(Some(ours)).header(), ours);
        }
        let long = format!("/console/{}", "a".repeat(LONGEST));
        for other in [
            "",
            "/",
            "console",
            "https://evil.test/console",
            "//evil.test/console",
            "/\\evil.test",
            "/console\\..\\x",
            "/console//evil.test",
            "/console/../v1/services",
            "/console/%2e%2e//evil.test",
            "/console\nSet-Cookie: a=b",
            "/console/\u{e9}",
            "/consoles",
            "/console/sign-out",
            "/console/sign-in?to=/console/sign-in",
            "javascript:alert(1)",
            "/v1/services",
            &long,
        ] {
            assert_eq!(Destination::asked(Some(other)).header(), START, "{other:?}");
        }
        assert_eq!(Destination::asked(None).header(), START);
    }
}
