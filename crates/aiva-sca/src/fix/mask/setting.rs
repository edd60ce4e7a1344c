//! What is set for names of secrets, in a line and in the lines below it that go with it.
//!
//! Linear in a line, however long: the end of a value is sought within a bound, and behind that all is masked.

use std::ops::Range;

use super::MASK;

/// Words of which the last one of a name tells that its value is a secret.
const SECRETS: [&str; 20] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "pass",
    "token",
    "authtoken",
    "accesstoken",
    "secret",
    "secrets",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "auth",
    "authorization",
    "credential",
    "credentials",
    "bearer",
    "signature",
];

/// Words that make a secret of the `key` behind them.
const OF_KEYS: [&str; 5] = ["api", "access", "secret", "private", "auth"];

/// What goes on in the next line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    /// A block scalar of YAML: lines that begin further to the right.
    Block(usize),
    /// A list.
    List,
    /// A string, up to these quotes.
    Text(&'static str),
    /// The text of an element, up to the next tag.
    Element,
}

/// Within how much of a line the end of a value is sought.
const BOUND: usize = 4096;

/// A line with what is set for names of secrets masked: `_authToken=x`, `"password": "x"`, `token: x`, `<ApiKey>x</ApiKey>`. What the
/// lines before left open goes in, and what this one does comes out.
pub(super) fn settings(line: &str, open: Option<Open>) -> (String, Option<Open>) {
    let mut out = String::with_capacity(line.len());
    let (mut from, mut open) = match open {
        Some(open) => go_on(line, open, &mut out),
        None => (0, None),
    };
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
            _ => behind.starts_with([' ', '\t']) || is_quoted,
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
        if sign == ":" && opens_block(rest) {
            open = open.or(Some(Open::Block(from + start - usize::from(is_quoted).min(start))));
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
            let indent = line.len() - line.trim_start_matches(' ').len();
            if !line.trim().is_empty() && indent <= column {
                return (0, None);
            }
            text(None, out)
        }
        Open::Text(quotes) => text(line.find(quotes), out),
        Open::Element => text(line.find('<'), out),
        Open::List => items(line, out),
    }
}

/// A text with everything in it masked but the white space around it.
fn shown(text: &str) -> String {
    let value = text.trim();
    if is_said(value) { text.to_owned() } else { text.replacen(value, MASK, 1) }
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

/// Where the string that begins with a quote ends, at its closing one. A backslash takes its meaning from what follows it, and so does a
/// single quote from another.
fn quoted(text: &str, quote: char) -> usize {
    let mut chars = within(text).char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        match c {
            '\\' => drop(chars.next()),
            '\'' if quote == c && at > 1 && next == Some(c) => drop(chars.next()),
            c if c == quote => return at,
            _ => {}
        }
    }
    text.len()
}

/// The beginning of a text.
fn within(text: &str) -> &str {
    text.get(..text.floor_char_boundary(BOUND)).unwrap_or(text)
}

/// Where a value stands, without its quotes; nowhere where it is none, or a version: packages have such names too.
fn value(rest: &str) -> Range<usize> {
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
    let start = usize::from(quote.is_some());
    let opens = quote.is_none() && rest.starts_with(['{', '|', '>', '&', '#', '^', '~', '<']);
    if opens || is_reference(rest.get(start..).unwrap_or_default()) {
        return 0..0;
    }
    let end = match quote {
        Some(quote) => quoted(rest, quote),
        None => {
            let near = within(rest);
            let comment = [" #", "\t#"].into_iter().filter_map(|sign| near.find(sign)).min();
            let end = near.find([',', ';']).into_iter().chain(comment).min().unwrap_or(rest.len());
            // What closes the place that it stands in.
            rest.get(..end).map_or(0, |value| value.trim_end_matches([' ', '\t', '}', ']', ')', '"', '\'']).len())
        }
    };
    let value = rest.get(start..end).unwrap_or_default();
    let is_none = quote.is_none() && value.starts_with('*');
    if is_said(value) || is_none { 0..0 } else { start..end }
}

fn is_reference(value: &str) -> bool {
    value.starts_with("${") || value.starts_with("$(")
}

/// Whether a value may be shown.
fn is_said(value: &str) -> bool {
    let is_plain = matches!(value, "" | MASK | "true" | "false" | "null");
    is_plain || is_reference(value) || is_requirement(value)
}

/// Whether it is a package with its versions, as lists of them have it.
fn is_asked(value: &str) -> bool {
    let (name, versions) =
        value.split_at_checked(value.find(['=', '<', '>', '~', '!']).unwrap_or(0)).unwrap_or_default();
    let versions = versions.split(';').next().unwrap_or_default().trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '[' | ']' | ',' | ' ');
    !name.is_empty() && name.chars().all(is_name) && is_requirement(versions)
}

/// Whether it is nothing but versions with their operators. A number of four digits or more is none.
fn is_requirement(value: &str) -> bool {
    let is_version = |one: &str| {
        let one = one.trim_start_matches(['^', '~', '<', '>', '=', '!', 'v']);
        let end = one.find(['-', '+']).unwrap_or(one.len());
        let parts = one.get(..end).unwrap_or_default();
        let is_part =
            |part: &str| part.len() < 4 && part.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'x' | b'*'));
        one.len() <= 24 && parts.split('.').all(is_part)
    };
    value.contains(|c: char| c.is_ascii_digit() || c == '*') && value.split([' ', ',', '|', '&']).all(is_version)
}

/// Whether the last word of a name speaks of a secret; words are parted by signs or begin with a capital letter.
fn is_secret(name: &str) -> bool {
    let mut words: Vec<String> = Vec::new();
    let mut is_small = false;
    for c in name.chars() {
        let is_sign = !c.is_ascii_alphanumeric();
        if words.is_empty() || is_sign || is_small && c.is_ascii_uppercase() {
            words.push(String::new());
        }
        is_small = c.is_ascii_lowercase();
        if let Some(word) = words.last_mut().filter(|_| !is_sign) {
            word.push(c.to_ascii_lowercase());
        }
    }
    match words.as_slice() {
        [.., of, key] if key == "key" => OF_KEYS.contains(&of.as_str()),
        [.., last] => SECRETS.contains(&last.as_str()),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Secrets, masked};

    #[track_caller]
    fn check(rows: &[(&str, &str)]) {
        for (line, want) in rows {
            assert_eq!(masked(line), *want, "{line}");
            assert_eq!(masked(want), *want, "nothing is masked twice");
        }
    }

    #[test]
    fn what_is_set_for_a_secret_is_masked() {
        check(&[
            ("//registry.npmjs.org/:_authToken=npm_abc", "//registry.npmjs.org/:_authToken=***"),
            ("_password = cGFzcw==", "_password = ***"),
            ("password = \"a b\" # x", "password = \"***\" # x"),
            ("  \"token\" : \"abc\",", "  \"token\" : \"***\","),
            ("    token: ghp_abc # x", "    token: *** # x"),
            ("with: {token: 'abc', ref: main}", "with: {token: '***', ref: main}"),
            ("auth = { api-key = 'x', token = 'y' }", "auth = { api-key = '***', token = '***' }"),
            ("x.apiKey = \"k\"; y.secret='s'", "x.apiKey = \"***\"; y.secret='***'"),
            ("AWS_SECRET_ACCESS_KEY=abc", "AWS_SECRET_ACCESS_KEY=***"),
            ("password = \"open", "password = \"***"),
            ("Password=\"p;q\" Username=\"u\"", "Password=\"***\" Username=\"u\""),
            (r#""password": "ab\"cdSECRET", x"#, r#""password": "***", x"#),
            ("password = 'it''sSECRET' # x", "password = '***' # x"),
            ("auth: Basic dXNlcjpw # x", "auth: *** # x"),
            ("token: Bearer x", "token: ***"),
            ("password = my secret phrase; x", "password = ***; x"),
            ("{token: abc}", "{token: ***}"),
            ("Authorization: Basic x", "Authorization: ***"),
            ("gpg.credentials = \"x\", bearer: y", "gpg.credentials = \"***\", bearer: ***"),
            ("x-signature=ab", "x-signature=***"),
            ("\"npmToken\": [\"S\", \"T\\\"U\"], \"a\": [\"b\"]", "\"npmToken\": [\"***\", \"***\"], \"a\": [\"b\"]"),
            ("tokens: [a], token: [a b, c]", "tokens: [a], token: [***, ***]"),
            ("auth = [\"pyjwt[crypto]>=1.0,<2\", 'x==1.0; y']", "auth = [\"pyjwt[crypto]>=1.0,<2\", 'x==1.0; y']"),
            ("auth = [\"cGFzcw==\"] # token=a b", "auth = [\"***\"] # token=***"),
            ("<NuGetPassword>a b</NuGetPassword><b>c</b>", "<NuGetPassword>***</NuGetPassword><b>c</b>"),
            ("<ApiKey x=\"y\">k", "<ApiKey x=\"y\">***"),
            ("<db.password>p</db.password>", "<db.password>***</db.password>"),
            ("<io.token>1.0</io.token><token>${v}</token>", "<io.token>1.0</io.token><token>${v}</token>"),
            ("<token/> <a>b</a>", "<token/> <a>b</a>"),
            // None of these is one.
            ("token: ${{ secrets.X }}", "token: ${{ secrets.X }}"),
            ("id-token: write-all", "id-token: ***"), // more than what is one
            ("fetch-depth: 0", "fetch-depth: 0"),
            ("token==1.0", "token==1.0"),
            ("\"jsonwebtoken\": \"github:x/y\"", "\"jsonwebtoken\": \"github:x/y\""),
            ("csrf-token = \"9\"", "csrf-token = \"9\""),
            ("\"csrf-token\": \"^1.2.0 || ~3.0.0-rc.1\"", "\"csrf-token\": \"^1.2.0 || ~3.0.0-rc.1\""),
            ("api(\"io.token:jjwt:0.9\")", "api(\"io.token:jjwt:0.9\")"),
            ("password: 12345", "password: ***"),
            ("password = \"1a2b.3c\"", "password = \"***\""),
            ("\"token\":\"abc\"", "\"token\":\"***\""),
            ("cache-key: abc", "cache-key: abc"),
            ("token>=1.0", "token>=1.0"),
            ("tokenizers = \"^1.0\"", "tokenizers = \"^1.0\""),
            ("password: 12", "password: 12"),
            ("token = { version = \"1\" }", "token = { version = \"1\" }"),
            ("tokens:", "tokens:"),
            ("ü: ö = ä", "ü: ö = ä"),
        ]);
    }

    #[test]
    fn lines_below_that_go_with_it_are_masked() {
        for (text, want) in [
            ("a:\n  npm-token: >-\n    S\n\n    T u\n  b: c\n", "a:\n  npm-token: >-\n    ***\n\n    ***\n  b: c\n"),
            ("- token: | # x\n   S\n  b: c", "- token: | # x\n   ***\n  b: c"),
            (
                "\"npmToken\": [\n  \"S\",\n  \"T\"\n],\n\"a\": [\n  \"b\"",
                "\"npmToken\": [\n  \"***\",\n  \"***\"\n],\n\"a\": [\n  \"b\"",
            ),
            ("auth = [ # why\n  \"pyjwt==1.0\", # token=x\n]", "auth = [ # why\n  \"pyjwt==1.0\", # token=***\n]"),
            ("password = \"\"\"\nS\nT\"\"\"\nb = 1", "password = \"\"\"\n***\n***\"\"\"\nb = 1"),
            ("<password>\n  S\n</password>\n<a>\n b\n</a>", "<password>\n  ***\n</password>\n<a>\n b\n</a>"),
            ("<auth>\n  <user>u</user>", "<auth>\n  <user>u</user>"),
            ("token: >=1\n  b: c", "token: >=1\n  b: c"),
        ] {
            let secrets = Secrets::of(&[text]);
            for sign in ["+", "-", " "] {
                let shown = |line: &str| secrets.masked(&format!("{sign}{line}"))[1..].to_owned();
                assert_eq!(text.lines().map(shown).collect::<Vec<_>>(), want.lines().collect::<Vec<_>>(), "{text}");
            }
        }
    }

    /// Each beginning is judged before the end is sought; and where that is far away, it is not sought.
    #[test]
    fn a_long_line_is_gone_through_once() {
        for part in [
            "token={",
            "token=[#",
            "token=${",
            "token='1 ",
            "token=\"\"\"",
            "<token>",
            "token: >",
            "<",
            "token=1 ",
            "\"\"=",
        ] {
            let line = part.repeat(1 << 16);
            let start = std::time::Instant::now();
            let shown = masked(&line);
            assert!(shown.len() <= line.len(), "{part}");
            assert!(start.elapsed().as_secs() < 20, "{part} takes {:?}", start.elapsed());
        }
        let far = format!("password = \"{}\" SECRET", "ä".repeat(4096));
        assert_eq!(masked(&far), "password = \"***");
    }
}
