//! Writes one JSON object, quickly: for log lines and for the access log.
//!
//! Promises: always valid JSON on one line, whatever the text holds; text fields are redacted by name and by content.

use std::fmt::{self, Write};

use super::redact;

/// A JSON object under construction.
#[derive(Debug, Default)]
pub struct Line(String);

impl Line {
    /// An empty object.
    pub fn new() -> Self {
        Self(String::with_capacity(256))
    }

    /// Adds a text, redacted.
    pub fn text(&mut self, name: &str, text: &str) -> &mut Self {
        let shown = if redact::is_telling(name) { redact::MASK.into() } else { redact::text(text) };
        self.fixed(name, &shown)
    }

    /// Adds a text that needs no redaction: a fixed word, a route template, an id of our own making.
    pub fn fixed(&mut self, name: &str, text: &str) -> &mut Self {
        self.name(name);
        quote(&mut self.0, text);
        self
    }

    /// Adds something that shows itself as a JSON number or `true`, `false`, `null`.
    pub fn bare(&mut self, name: &str, value: impl fmt::Display) -> &mut Self {
        self.name(name);
        let _infallible = write!(self.0, "{value}");
        self
    }

    /// Adds a number; JSON has no infinities, so those become `null`.
    pub fn number(&mut self, name: &str, value: f64) -> &mut Self {
        if value.is_finite() { self.bare(name, value) } else { self.bare(name, "null") }
    }

    /// Adds fields that another line has made.
    pub fn join(&mut self, fields: &Self) -> &mut Self {
        if !fields.0.is_empty() {
            self.separate();
            self.0.push_str(&fields.0);
        }
        self
    }

    /// Whether it has no field yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The finished object with the end of the line.
    pub fn finish(&self) -> String {
        format!("{{{}}}\n", self.0)
    }

    fn name(&mut self, name: &str) {
        self.separate();
        quote(&mut self.0, name);
        self.0.push(':');
    }

    fn separate(&mut self) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
    }
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..=0x1f => "",
            _ => continue,
        };
        out.push_str(&text[plain..at]);
        if escape.is_empty() {
            let _infallible = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(escape);
        }
        plain = at + 1;
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn any_text_makes_one_line_of_json(name in "[a-z]{1,8}", text in "(?s).{0,40}") {
            let mut line = Line::new();
            line.fixed(&name, &text).bare("n", 7);
            let written = line.finish();
            proptest::prop_assert_eq!(written.matches('\n').count(), 1);
            let read: serde_json::Value = serde_json::from_str(&written).unwrap();
            if name != "n" {
                proptest::prop_assert_eq!(read[&name].as_str(), Some(text.as_str()));
            }
        }
    }

    #[test]
    fn telling_fields_and_odd_numbers() {
        let mut line = Line::new();
        line.text("password", "hunter2").text("note", "mail ana@example.com").number("x", f64::NAN).number("y", 0.5);
        assert_eq!(line.finish(), "{\"password\":\"[redacted]\",\"note\":\"mail [redacted]\",\"x\":null,\"y\":0.5}\n");
    }
}
