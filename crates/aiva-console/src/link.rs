//! Builds the addresses that pages link to; every part of them is percent-encoded here and nowhere else.

use std::fmt::Write as _;

/// An address inside this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    text: String,
    asked: bool,
}

impl Link {
    /// Starts at a fixed path.
    pub(crate) fn to(path: &'static str) -> Self {
        Self { text: path.to_owned(), asked: false }
    }

    /// Adds one path segment.
    pub(crate) fn segment(mut self, segment: &str) -> Self {
        self.text.push('/');
        self.text.push_str(&encode(segment));
        self
    }

    /// Adds a fixed last part, such as `/exceptions`.
    pub(crate) fn then(mut self, path: &'static str) -> Self {
        self.text.push_str(path);
        self
    }

    /// Adds a query parameter, unless its value is empty.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        if !value.is_empty() {
            self.text.push(if self.asked { '&' } else { '?' });
            self.asked = true;
            let _ = write!(self.text, "{name}={}", encode(value)); // writing to a String cannot fail
        }
        self
    }

    /// The finished address.
    pub(crate) fn into_string(self) -> String {
        self.text
    }
}

impl maud::Render for Link {
    fn render_to(&self, buffer: &mut String) {
        self.text.as_str().render_to(buffer);
    }
}

fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}"); // writing to a String cannot fail
            }
        }
    }
    out
}

/// The address if a reader may be sent there: `http` and `https` only, so that `javascript:` never becomes a link.
pub(crate) fn external(url: &str) -> Option<&str> {
    let lower = url.get(..8).unwrap_or(url).to_ascii_lowercase();
    let web = lower.starts_with("https://") || lower.starts_with("http://");
    (web && !url.chars().any(|c| c.is_control() || c.is_whitespace())).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_encoded() {
        let link = Link::to("/console/services")
            .segment("a b/..?")
            .then("/scans")
            .with("q", "x&y=1")
            .with("none", "")
            .with("l", "é");
        assert_eq!(link.into_string(), "/console/services/a%20b%2F..%3F/scans?q=x%26y%3D1&l=%C3%A9");
    }

    #[test]
    fn only_the_web_is_linked() {
        for good in ["https://example.com/a", "http://example.com", "HTTPS://EXAMPLE.COM"] {
            assert_eq!(external(good), Some(good));
        }
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            " https://a",
            "https://a\nb",
            "ftp://a",
            "//a",
            "",
            "http",
            "jav\tascript:x",
        ] {
            assert_eq!(external(bad), None, "{bad}");
        }
    }
}
