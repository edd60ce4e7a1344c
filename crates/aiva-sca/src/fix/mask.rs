//! Lines of a manifest as they are shown: without the credentials of the addresses in them, and of settings.
//!
//! What is masked is what the print would give away, also more than that: every value in the query of an address, and whatever is set
//! for a name that speaks of a secret. The files keep what they have.

use std::borrow::Cow;
use std::ops::Range;

/// What stands in the place of credentials.
const MASK: &str = "***";

/// Words of which the last one of a name tells that its value is a secret.
const SECRETS: [&str; 15] = [
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
];

/// Words that make a secret of the `key` behind them.
const OF_KEYS: [&str; 5] = ["api", "access", "secret", "private", "auth"];

/// A line with the credentials in it masked.
pub fn masked(line: &str) -> Cow<'_, str> {
    let shown = settings(&masked_addresses(line));
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
        let is_ssh = line.get(from..at).is_some_and(|before| before.ends_with("ssh"));
        address(line.get(start..end).unwrap_or_default(), is_ssh, &mut out);
        from = end;
    }
    out.push_str(line.get(from..).unwrap_or_default());
    out
}

/// An address behind its `://`, and what comes behind it.
fn address(text: &str, is_ssh: bool, out: &mut String) {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '`' | '<' | '>' | '\\');
    let authority = text.get(..text.find(is_end).unwrap_or(text.len())).unwrap_or_default();
    let secret = authority.rsplit_once('@').map(|(user, _)| user);
    let secret = secret.filter(|user| !user.is_empty() && (user.contains(':') || !is_ssh));
    out.push_str(secret.map_or("", |_| MASK));
    let rest = text.get(secret.map_or(0, str::len)..).unwrap_or_default();
    let is_out = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>');
    let (whole, behind) = rest.split_at_checked(rest.find(is_out).unwrap_or(rest.len())).unwrap_or((rest, ""));
    match whole.split_once('?') {
        Some((path, query)) => {
            out.push_str(path);
            values(query, out);
        }
        None => out.push_str(whole),
    }
    out.push_str(behind);
}

/// A query, behind its `?`, with its values masked; what stands behind `#` is none of it.
fn values(query: &str, out: &mut String) {
    let (query, fragment) = query.split_at_checked(query.find('#').unwrap_or(query.len())).unwrap_or((query, ""));
    let mut sign = '?';
    for part in query.split(['&', ';']) {
        out.push(sign);
        sign = '&';
        match part.split_once('=') {
            Some((name, value)) if !value.is_empty() => {
                // What closes the place that the address stands in.
                let end = value.trim_end_matches([',', ':', ')', ']', '}']).len();
                out.extend([name, "=", MASK, value.get(end..).unwrap_or_default()]);
            }
            _ => out.push_str(part),
        }
    }
    out.push_str(fragment);
}

/// A line with what is set for names of secrets masked: `_authToken=x`, `"password": "x"`, `token: x`.
fn settings(line: &str) -> String {
    let (mut out, mut from) = (String::with_capacity(line.len()), 0);
    for (at, sign) in line.match_indices([':', '=']) {
        let Some(before) = line.get(from..at) else { continue };
        let behind = line.get(at + sign.len()..).unwrap_or_default();
        let is_quoted = before.trim_end().ends_with(['"', '\'']);
        // `==` and `>=` set nothing, nor does the colon of `://` and of `group:name:1.0`.
        let sets = match sign {
            "=" => !behind.starts_with('=') && !before.ends_with(['=', '!', '<', '>', '~']),
            _ => behind.starts_with([' ', '\t']) || is_quoted,
        };
        let name = before.trim_end().trim_end_matches(['"', '\'']);
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let name = name.get(name.trim_end_matches(is_name).len()..).unwrap_or_default();
        if !sets || !is_secret(name) {
            continue;
        }
        let value = value(behind);
        if !value.is_empty() {
            let end = at + sign.len();
            out.extend([line.get(from..end + value.start).unwrap_or_default(), MASK]);
            from = end + value.end;
        }
    }
    out.push_str(line.get(from..).unwrap_or_default());
    out
}

/// Where a value stands, without its quotes; nowhere where it is none, or a version: packages have such names too.
fn value(behind: &str) -> Range<usize> {
    let lead = behind.len() - behind.trim_start_matches([' ', '\t']).len();
    let rest = behind.get(lead..).unwrap_or_default();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
    let (start, end) = match quote {
        Some(quote) => (1, rest.get(1..).and_then(|inside| inside.find(quote)).map_or(rest.len(), |end| end + 1)),
        None => (0, rest.find([' ', '\t', ',', ';', '}', ']', ')', '"', '\'']).unwrap_or(rest.len())),
    };
    let value = rest.get(start..end).unwrap_or_default();
    let is_reference = value.starts_with("${") || value.starts_with("$(") || value == MASK;
    let opens = quote.is_none() && value.starts_with(['{', '[', '|', '>', '&', '*', '#', '^', '~', '<']);
    let is_said = is_reference || opens || is_requirement(value) || matches!(value, "true" | "false" | "null");
    if is_said { 0..0 } else { lead + start..lead + end }
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
    use super::*;

    #[track_caller]
    fn check(rows: &[(&str, &str)]) {
        for (line, want) in rows {
            assert_eq!(masked(line), *want, "{line}");
            assert_eq!(masked(want), *want, "nothing is masked twice");
        }
    }

    #[test]
    fn credentials_are_masked_wherever_an_address_stands() {
        check(&[
            (" --index-url https://user:token@host/simple", " --index-url https://***@host/simple"),
            ("-a @ git+https://ghp_x@github.com/o/a@v1", "-a @ git+https://***@github.com/o/a@v1"),
            ("\"a\": \"git+ssh://git@h/a\", b = 'ssh://u:p@h'", "\"a\": \"git+ssh://git@h/a\", b = 'ssh://***@h'"),
            ("x http://a:b@c http://d:e@f#g@h", "x http://***@c http://***@f#g@h"),
            ("https://h/@scope/a?x", "https://h/@scope/a?x"),
            ("https://u:p%40q@x@h:80/", "https://***@h:80/"),
            ("https://@h ://", "https://@h ://"),
            ("a==1.0 # me@example.com", "a==1.0 # me@example.com"),
            ("ü://ü:ö@ä", "ü://***@ä"),
            ("\"url\": \"https:\\/\\/u:ghp_x@h\\/a\"", "\"url\": \"https:\\/\\/***@h\\/a\""),
        ]);
    }

    #[test]
    fn values_of_a_query_are_masked() {
        check(&[
            ("\"a\": \"https://h/a.tgz?token=abc\",", "\"a\": \"https://h/a.tgz?token=***\","),
            ("a @ https://h/a?api_key=x&v=1#sha256=ab", "a @ https://h/a?api_key=***&v=***#sha256=ab"),
            ("https://h/?X-Amz-Signature=ab&x&y= z=1", "https://h/?X-Amz-Signature=***&x&y= z=1"),
            ("https://u:p@h?t=1 https://h/?t=2", "https://***@h?t=*** https://h/?t=***"),
            ("<https://h/?t=1>'https://h?t=2'", "<https://h/?t=***>'https://h?t=***'"),
            ("https:\\/\\/h\\/?t=1", "https:\\/\\/h\\/?t=***"),
            ("https://h/?to=https://u:p@h/?x=1", "https://h/?to=***://***@h/?x=***"),
            ("a?b=c", "a?b=c"), // no address
            ("{a: https://h/?t=1}, x https://h/?t=2: why", "{a: https://h/?t=***}, x https://h/?t=***: why"),
            ("https://ü/?ö=ä", "https://ü/?ö=***"),
        ]);
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
}
