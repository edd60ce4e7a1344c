//! Lines of a manifest as they are shown: without the credentials of the addresses in them, and of settings.
//!
//! What is masked is what the print would give away, also more than that: the values in the query of an address but those that say
//! which of several things is meant, and whatever is set for a name that speaks of a secret. The files keep what they have.

use std::borrow::Cow;
use std::collections::HashMap;

use setting::settings;

use crate::inventory::{MASK, masked_query, user};

mod name;
mod setting;
#[cfg(test)]
mod tests;
mod value;

/// What lines of a file hold that only the lines before them tell to be secret.
#[derive(Debug, Default)]
pub struct Secrets(HashMap<String, String>);

impl Secrets {
    /// Those of several texts.
    pub fn of(texts: &[&str]) -> Self {
        let mut all = HashMap::new();
        for text in texts {
            let mut open = None;
            for line in text.lines() {
                let was = open;
                let (shown, is) = settings(&masked_addresses(line), was);
                open = is;
                if was.is_some() && shown != line {
                    all.insert(line.to_owned(), shown);
                }
            }
        }
        Self(all)
    }

    /// A line of a difference of the texts, with the credentials in it masked.
    pub fn masked<'l>(&self, line: &'l str) -> Cow<'l, str> {
        let (sign, text) = line.split_at_checked(1).unwrap_or(("", line));
        let known = self.0.get(text).filter(|_| matches!(sign, " " | "+" | "-"));
        known.map_or_else(|| masked(line), |shown| Cow::Owned(format!("{sign}{shown}")))
    }
}

/// A line with the credentials in it masked.
pub fn masked(line: &str) -> Cow<'_, str> {
    let (shown, _) = settings(&masked_addresses(line), None);
    if shown == line { Cow::Borrowed(line) } else { Cow::Owned(shown) }
}

/// A line with the credentials and the query of every address in it masked. A user of ssh is none.
pub fn masked_addresses(line: &str) -> String {
    // As JSON may write it, each slash has a backslash before it.
    let sign = |at: usize| {
        let behind = line.get(at..).unwrap_or_default();
        ["://", ":\\/\\/"].into_iter().find(|sign| behind.starts_with(sign)).map(|sign| at + sign.len())
    };
    let mut all = line.match_indices(':').filter_map(|(at, _)| Some((at, sign(at)?))).peekable();
    let (mut out, mut from) = (String::with_capacity(line.len()), 0);
    while let Some((at, start)) = all.next() {
        let end = all.peek().map_or(line.len(), |(next, _)| *next);
        out.push_str(line.get(from..start).unwrap_or_default());
        let scheme = line.get(from..at).unwrap_or_default();
        address(scheme, line.get(start..end).unwrap_or_default(), &mut out);
        from = end;
    }
    out.push_str(line.get(from..).unwrap_or_default());
    out
}

/// An address behind its `://`, and what comes behind it.
fn address(scheme: &str, text: &str, out: &mut String) {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '`' | '<' | '>');
    let authority = text.get(..until(text, is_end)).unwrap_or_default();
    let secret = user(scheme, authority).filter(|user| !user.is_empty());
    out.push_str(secret.map_or("", |_| MASK));
    let rest = text.get(secret.map_or(0, str::len)..).unwrap_or_default();
    let is_out = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>');
    let (whole, behind) = rest.split_at_checked(until(rest, is_out)).unwrap_or((rest, ""));
    match whole.split_once('?') {
        Some((path, query)) => {
            out.extend([path, "?", &*masked_query(query)]);
        }
        None => out.push_str(whole),
    }
    out.push_str(behind);
}

/// Where the first of what ends a text is. A backslash takes its meaning from a quote, and is of the slash behind it.
fn until(text: &str, is_end: impl Fn(char) -> bool) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next).filter(|_| c == '\\');
        if is_end(c) || next.is_some_and(|next| !matches!(next, '"' | '\'') && is_end(next)) {
            return at;
        }
        if next.is_some() {
            chars.next();
        }
    }
    text.len()
}
