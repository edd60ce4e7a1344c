//! Takes what must not be seen out of text that is about to be logged, shown or sent.
//!
//! Promises: values of fields with a telling name (`password`, `authorization`, `cookie`, ...), bearer and basic credentials,
//! JSON web tokens, well-known key formats, passwords in URLs and e-mail addresses are replaced; everything else is left as
//! it is, and text without any of it is not copied. It is a net under [`crate::secret::Secret`], not a replacement for it.
//!
//! Start reading at [`text`].

use std::borrow::Cow;

/// What stands in for something that was taken out.
pub const MASK: &str = "[redacted]";

/// Parts of a field's name that tell of a secret. Compared without `-` and `_`, in lower case.
const TELLING: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "authorization",
    "cookie",
    "credential",
    "privatekey",
    "accesskey",
    "sessionid",
    "otp",
    "dsn",
];

/// Names that contain a telling part and yet are harmless, because they count or name rather than hold.
const HARMLESS: [&str; 6] = ["tokens", "secretname", "tokentype", "tokenkind", "passwordless", "tokenid"];

/// Starts of well-known credentials, each followed by at least 12 characters of a credential's alphabet.
const PREFIXES: [&str; 14] = [
    "eyJ",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "sk-",
    "sk_live_",
    "AKIA",
    "ASIA",
    "npm_",
    "pypi-",
];

/// Whether a field of this name holds what must not be seen.
pub fn is_telling(name: &str) -> bool {
    let mut plain = [0u8; 48];
    let mut length = 0;
    for byte in name.bytes().filter(|b| b.is_ascii_alphanumeric()).take(plain.len()) {
        plain[length] = byte.to_ascii_lowercase();
        length += 1;
    }
    let Ok(plain) = std::str::from_utf8(&plain[..length]) else { return false };
    TELLING.iter().any(|part| plain.contains(part) && (*part != "otp" || plain == "otp" || plain == "totp"))
        && !HARMLESS.contains(&plain)
}

/// The text without what must not be seen.
pub fn text(input: &str) -> Cow<'_, str> {
    if !may_tell(input) {
        return Cow::Borrowed(input);
    }
    let mut out = String::with_capacity(input.len());
    let mut rest = input;
    while !rest.is_empty() {
        let word_at = rest.find(|c| !is_gap(c)).unwrap_or(rest.len());
        let (gap, after) = rest.split_at(word_at);
        out.push_str(gap);
        let word_end = after.find(is_gap).unwrap_or(after.len());
        let (word, next) = after.split_at(word_end);
        rest = next;
        if let Some(taken) = secret_after(word, &mut rest) {
            out.push_str(&taken);
        } else {
            push_word(&mut out, word);
        }
    }
    if out == input { Cow::Borrowed(input) } else { Cow::Owned(out) }
}

/// A cheap look whether anything in the text could need work at all.
fn may_tell(input: &str) -> bool {
    input.bytes().any(|b| matches!(b, b'@' | b'=' | b':' | b'_' | b'-')) || {
        input.contains("eyJ") || input.contains("AKIA") || input.contains("ASIA") || starts_scheme(input)
    }
}

fn starts_scheme(input: &str) -> bool {
    input.split(is_gap).any(is_scheme)
}

/// Splits words; a colon or an equals sign stays in the word, since `name=value` is read as one.
fn is_gap(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | '(' | ')' | '{' | '}' | '<' | '>' | '&' | '?' | '[' | ']')
}

fn is_scheme(word: &str) -> bool {
    word.eq_ignore_ascii_case("bearer") || word.eq_ignore_ascii_case("basic") || word.eq_ignore_ascii_case("dpop")
}

/// `name=value`, `name: value`, `"name": "value"` and `Bearer value`, where the name tells of a secret. Eats the value from
/// `rest` and returns what to write instead of the whole.
fn secret_after(word: &str, rest: &mut &str) -> Option<String> {
    if is_scheme(word) {
        let (gap, value, next) = value_in(rest, " \t")?;
        if value.len() < 8 {
            return None;
        }
        *rest = next;
        return Some(format!("{word}{gap}{MASK}"));
    }
    let sign = word.find(['=', ':']);
    let (name, inside) = match sign {
        Some(at) => (&word[..at], &word[at + 1..]),
        None => (word, ""),
    };
    if !is_telling(name) || inside.starts_with("//") {
        return None;
    }
    if sign.is_some() && !inside.is_empty() {
        eat_scheme(inside, rest);
        return Some(format!("{}{MASK}", &word[..=sign?]));
    }
    // The value is the next word, after nothing but quotes, blanks and (without a sign so far) one sign.
    let allowed = if sign.is_some() { " \t\"'" } else { " \t\"':=" };
    let (gap, value, next) = value_in(rest, allowed)?;
    if sign.is_none() && !gap.contains([':', '=']) {
        return None;
    }
    *rest = next;
    eat_scheme(value, rest);
    Some(format!("{word}{gap}{MASK}"))
}

/// After `authorization: Bearer`, the credential is one word further on.
fn eat_scheme(value: &str, rest: &mut &str) {
    if is_scheme(value)
        && let Some((_, _, next)) = value_in(rest, " \t")
    {
        *rest = next;
    }
}

/// A gap made only of `allowed`, the word after it, and what follows.
fn value_in<'a>(rest: &'a str, allowed: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let at = rest.find(|c| !allowed.contains(c)).filter(|at| *at > 0)?;
    let (gap, after) = rest.split_at(at);
    let end = after.find(is_gap).unwrap_or(after.len());
    (end > 0).then(|| (gap, &after[..end], &after[end..]))
}

/// Writes a word, with any credential, URL password or e-mail address in it replaced.
fn push_word(out: &mut String, word: &str) {
    if let Some((scheme, after)) = word.split_once("://")
        && let Some((user, host)) = after.split_once('@')
        && !user.contains('/')
    {
        let name = user.split(':').next().filter(|_| user.contains(':')).unwrap_or("");
        let host = if is_email(&format!("x@{host}")) || !host.contains('@') { host } else { MASK };
        out.push_str(scheme);
        out.push_str("://");
        out.push_str(name);
        out.push(':');
        out.push_str(MASK);
        out.push('@');
        out.push_str(host);
        return;
    }
    if let Some((head, tail)) = word.split_once(['=', ':'])
        && !tail.is_empty()
        && !tail.starts_with("//")
    {
        out.push_str(head_or_mask(head));
        out.push_str(&word[head.len()..=head.len()]);
        push_word(out, tail);
        return;
    }
    out.push_str(head_or_mask(word));
}

fn head_or_mask(word: &str) -> &str {
    let bare = word.trim_end_matches(['.', ':', '!']);
    if is_credential(bare) || is_email(bare) { MASK } else { word }
}

fn is_credential(word: &str) -> bool {
    PREFIXES.iter().any(|prefix| {
        word.strip_prefix(prefix).is_some_and(|rest| {
            rest.len() >= 12
                && rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'='))
                && rest.bytes().any(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
        })
    })
}

fn is_email(word: &str) -> bool {
    let Some((local, domain)) = word.split_once('@') else { return false };
    let local_ok = !local.is_empty() && local.bytes().all(|b| b.is_ascii_alphanumeric() || b"._%+-".contains(&b));
    let Some((name, top)) = domain.rsplit_once('.') else { return false };
    let domain_ok = !name.is_empty() && domain.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b));
    local_ok && domain_ok && top.len() >= 2 && top.bytes().all(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, want: &str) {
        assert_eq!(text(input), want, "{input}");
    }

    #[test]
    fn what_tells_is_taken_out() {
        check("password=hunter2 user=ana", "password=[redacted] user=ana");
        check("password: hunter2, next", "password: [redacted], next");
        check(r#"{"client_secret":"abc","id":"7"}"#, r#"{"client_secret":"[redacted]","id":"7"}"#);
        check("Authorization: Bearer abc.def.ghi", "Authorization: [redacted]");
        check("sent Bearer abcdefgh12345 to peer", "sent Bearer [redacted] to peer");
        check("set-cookie: sid=abc; Path=/", "set-cookie: [redacted]; Path=/");
        check("postgres://aiva:s3cret@db:5432/x", "postgres://aiva:[redacted]@db:5432/x");
        check("https://tok@example.org/a", "https://:[redacted]@example.org/a");
        check("mail to ana.b+c@example.co.uk failed", "mail to [redacted] failed");
        check("owner=ana@example.com.", "owner=[redacted]");
        check("jwt eyJhbGciOiJFUzI1NiJ9.e30.c2ln seen", "jwt [redacted] seen");
        check("key AKIAIOSFODNN7EXAMPLE leaked", "key [redacted] leaked");
        check("GET /cb?code=1&access_token=xyz", "GET /cb?code=1&access_token=[redacted]");
    }

    #[test]
    fn what_does_not_tell_is_left_alone() {
        for input in [
            "GET /v1/findings/{id} 200 in 3 ms",
            "token expired: try again",
            "left-pad@1.3.0 is vulnerable: CVE-2026-0001",
            "pkg:npm/%40scope/name@1.0.0",
            "tokens=512 time=2026-11-21T04:34:49Z",
            "at crates/aiva-chassis/src/panic.rs:12:5",
            "größe: zwölf @ home",
            "",
        ] {
            assert!(matches!(text(input), Cow::Borrowed(_)), "{input} became {}", text(input));
        }
    }

    proptest::proptest! {
        #[test]
        fn it_never_panics_and_settles(input in "\\PC{0,80}") {
            let once = text(&input).into_owned();
            let twice = text(&once).into_owned();
            proptest::prop_assert_eq!(text(&twice), twice.as_str());
        }

        #[test]
        fn a_password_field_never_survives(value in "[a-z0-9]{12,24}", sign in "=|: |:|\": \"") {
            let input = format!("x \"password{sign}{value}\" y");
            proptest::prop_assert!(!text(&input).contains(&value));
        }
    }
}
