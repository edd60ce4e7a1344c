//! What is set for names of secrets, in a line and in the lines below it that go with it.
//!
//! Linear in a line, however long; start reading at [`settings`].

use super::MASK;
use super::name::is_secret;
use super::value::{is_asked, is_said, quoted, shown, value, within};

/// What goes on in the next line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    /// A block scalar of YAML: lines that begin further to the right.
    Block(usize),
    /// What a name of YAML has in the lines below it: a text or a sequence, if no names are there.
    Below(usize),
    /// The items of a sequence of YAML: lines that begin with its sign there, or further to the right.
    Items(usize),
    /// A list.
    List,
    /// A string, up to these quotes.
    Text(&'static str),
    /// The text of an element, up to the next tag.
    Element,
}

/// A line with what is set for names of secrets masked: `_authToken=x`, `"password": "x"`, `token: x`, `<ApiKey>x</ApiKey>`. What the
/// lines before left open goes in, and what this one does comes out.
pub(super) fn settings(line: &str, open: Option<Open>) -> (String, Option<Open>) {
    let mut out = String::with_capacity(line.len());
    let (mut from, mut open) = match open {
        Some(open) => go_on(line, open, &mut out),
        None => (0, None),
    };
    let first = line.len() - line.trim_start_matches([' ', '-']).len();
    let mut tag = None;
    for (at, sign) in line.match_indices([':', '=', '<', '>']) {
        let Some(before) = line.get(from..at) else { continue };
        let (end, behind) = (at + sign.len(), line.get(at + sign.len()..).unwrap_or_default());
        if sign == "<" {
            tag = Some(end);
            continue;
        }
        if sign == ">" {
            let name = tag.take().and_then(|tag| line.get(tag..at)).unwrap_or_default();
            let name = name.split([' ', '\t']).next().unwrap_or_default();
            if !name.starts_with('/') && is_secret(name) {
                out.push_str(line.get(from..end).unwrap_or_default());
                let (taken, more) = go_on(behind, Open::Element, &mut out);
                (from, open) = (end + taken, open.or(more));
            }
            continue;
        }
        let quoted = before.trim_end();
        let is_quoted = quoted.ends_with(['"', '\'']);
        // `==` and `>=` set nothing, nor does the colon of `://` and of `group:name:1.0`.
        let sets = match sign {
            "=" => !behind.starts_with('=') && !before.ends_with(['=', '!', '<', '>', '~']),
            _ => behind.is_empty() || behind.starts_with([' ', '\t']) || is_quoted,
        };
        let name = quoted.trim_end_matches(['"', '\'']);
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let start = name.trim_end_matches(is_name).len();
        if !sets || !is_secret(name.get(start..).unwrap_or_default()) {
            continue;
        }
        let lead = behind.len() - behind.trim_start_matches([' ', '\t']).len();
        let rest = behind.get(lead..).unwrap_or_default();
        if rest.starts_with('[') {
            let first = end + lead + 1;
            out.push_str(line.get(from..first).unwrap_or_default());
            let (taken, more) = go_on(line.get(first..).unwrap_or_default(), Open::List, &mut out);
            (from, open) = (first + taken, open.or(more));
            continue;
        }
        let column = from + start - usize::from(is_quoted).min(start);
        if sign == ":" && opens_block(rest) {
            open = open.or(Some(Open::Block(column)));
            continue;
        }
        let lead = lead + if sign == ":" { marks(rest) } else { 0 };
        let rest = behind.get(lead..).unwrap_or_default();
        if sign == ":" && is_nothing(rest) {
            open = open.or((column <= first).then_some(Open::Below(column)));
            continue;
        }
        if let Some(quotes) = TRIPLE.into_iter().find(|quotes| rest.starts_with(quotes)) {
            let first = end + lead + quotes.len();
            out.push_str(line.get(from..first).unwrap_or_default());
            let (taken, more) = go_on(line.get(first..).unwrap_or_default(), Open::Text(quotes), &mut out);
            (from, open) = (first + taken, open.or(more));
            continue;
        }
        let value = value(rest);
        if !value.is_empty() {
            out.extend([line.get(from..end + lead + value.start).unwrap_or_default(), MASK]);
            from = end + lead + value.end;
        }
    }
    out.push_str(line.get(from..).unwrap_or_default());
    (out, open)
}

/// Quotes of strings that go over several lines.
const TRIPLE: [&str; 2] = ["\"\"\"", "'''"];

/// Masks what goes on at the beginning of a line; how much of it that is, and what goes on in the next one.
fn go_on(line: &str, open: Open, out: &mut String) -> (usize, Option<Open>) {
    let text = |end: Option<usize>, out: &mut String| {
        let inside = line.get(..end.unwrap_or(line.len())).unwrap_or_default();
        out.push_str(&shown(inside));
        (inside.len(), end.map_or(Some(open), |_| None))
    };
    match open {
        Open::Block(column) => {
            if !line.trim().is_empty() && indent(line) <= column {
                return (0, None);
            }
            text(None, out)
        }
        Open::Below(_) if is_nothing(line) => (0, Some(open)),
        Open::Below(column) => match opened_below(line, column) {
            Some(open) => go_on(line, open, out),
            None => (0, None),
        },
        Open::Items(column) => {
            let indent = indent(line);
            let item = line.get(indent..).unwrap_or_default();
            if is_nothing(line) {
                return (0, Some(open));
            }
            if indent < column || indent == column && !is_item(item) {
                return (0, None);
            }
            let inside = item.trim_start_matches(['-', ' ', '\t']);
            out.push_str(line.get(..line.len() - inside.len()).unwrap_or_default());
            item_of_yaml(inside, out);
            (line.len(), Some(open))
        }
        Open::Text(quotes) => text(line.find(quotes), out),
        Open::Element => text(line.find('<'), out),
        Open::List => items(line, out),
    }
}

/// What the first line below a name of YAML opens; nothing where that is a name again.
fn opened_below(line: &str, column: usize) -> Option<Open> {
    let indent = indent(line);
    let text = line.get(indent..)?;
    if is_item(text) {
        return (indent >= column).then_some(Open::Items(indent));
    }
    let is_name = match text.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            text.get(quoted(text, quote) + 1..).is_some_and(|behind| behind.trim_start().starts_with(':'))
        }
        _ => {
            let plain = text.split(" #").next().unwrap_or_default().trim_end();
            plain.contains(": ") || plain.ends_with(':')
        }
    };
    (indent > column && !is_name && !text.starts_with(['{', '<'])).then_some(Open::Block(column))
}

/// How much of a value of YAML are its anchor and its tag, with the white space behind them.
fn marks(rest: &str) -> usize {
    let mut at = 0;
    for _ in 0..2 {
        let Some(word) = rest.get(at..).filter(|rest| rest.starts_with(['&', '!'])).map(within) else { break };
        let length = word.find([' ', '\t']).unwrap_or(word.len());
        at += length + word.get(length..).map_or(0, |behind| behind.len() - behind.trim_start().len());
    }
    at
}

/// Masks an item of a sequence of YAML behind its sign, but packages with their versions and the quotes around it.
fn item_of_yaml(text: &str, out: &mut String) {
    let value = text.trim_end();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let inside = quote.and_then(|quote| value.get(1..)?.strip_suffix(quote)).unwrap_or(value);
    if is_said(inside) || is_asked(inside) || opens_block(value) {
        out.push_str(text);
        return;
    }
    let (before, behind) = value.split_once(inside).unwrap_or_default();
    out.extend([before, MASK, behind, text.get(value.len()..).unwrap_or_default()]);
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Whether a line has nothing, or only a comment.
fn is_nothing(line: &str) -> bool {
    let text = line.trim_start();
    text.is_empty() || text.starts_with('#')
}

/// Whether it begins with the sign of an item of a sequence.
fn is_item(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}

/// Masks the items of a list behind its bracket; how much of the text they are, without a comment, and whether it goes on.
fn items(text: &str, out: &mut String) -> (usize, Option<Open>) {
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        let length = match c {
            ']' => return (at, None),
            '#' => break,
            '"' | '\'' => {
                let length = quoted(rest, c);
                let inside = rest.get(1..length).unwrap_or_default();
                out.push(c);
                out.push_str(if is_said(inside) || is_asked(inside) { inside } else { MASK });
                let closes = rest.get(length..).is_some_and(|rest| rest.starts_with(c));
                out.extend(closes.then_some(c));
                length + usize::from(closes)
            }
            ',' => {
                out.push(c);
                1
            }
            c if c.is_whitespace() => {
                out.push(c);
                c.len_utf8()
            }
            _ => {
                let length = rest.find([',', ']', '#']).unwrap_or(rest.len());
                out.push_str(&shown(rest.get(..length).unwrap_or_default()));
                length
            }
        };
        at += length;
    }
    (at, Some(Open::List))
}

/// Whether nothing but the head of a block scalar is left of a line.
fn opens_block(rest: &str) -> bool {
    let head = rest
        .strip_prefix(['|', '>'])
        .map(|rest| rest.trim_start_matches(['+', '-', '1', '2', '3', '4', '5', '6', '7', '8', '9']));
    head.is_some_and(|left| {
        let comment = left.trim_start();
        comment.is_empty() || comment.starts_with('#') && comment.len() < left.len()
    })
}
