//! Addresses as they may be shown: without the credentials that lockfiles of private registries carry.
//!
//! The one place that knows which parts of an address are secret, for reports and for printed differences.

use std::borrow::Cow;

/// What of a query says which of several things is meant, and is no secret.
const HARMLESS: [&str; 9] = ["branch", "commit", "egg", "path", "ref", "rev", "revision", "subdirectory", "tag"];

/// What is shown instead of a secret.
pub(crate) const MASK: &str = "***";

/// The address without user and password, and without the values of a query that may be one. `git@host` stays: a user name alone on
/// ssh is no secret.
pub(crate) fn without_secret(address: &str) -> Cow<'_, str> {
    without_query(without_user(address))
}

fn without_user(address: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = address.split_once("://") else { return Cow::Borrowed(address) };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some(user) = user(scheme, authority) else { return Cow::Borrowed(address) };
    Cow::Owned(format!("{scheme}://{}", rest.get(user.len() + 1..).unwrap_or_default()))
}

fn without_query(address: Cow<'_, str>) -> Cow<'_, str> {
    let Some((before, query)) = address.split_once('?').filter(|(before, _)| before.contains("://")) else {
        return address;
    };
    match masked_query(query) {
        Cow::Borrowed(_) => address,
        Cow::Owned(shown) => Cow::Owned(format!("{before}?{shown}")),
    }
}

/// What stands before the `@` of an authority and may not be shown: a token, or a user with a password.
pub(crate) fn user<'a>(scheme: &str, authority: &'a str) -> Option<&'a str> {
    let (user, _) = authority.rsplit_once('@')?;
    (user.contains(':') || !scheme.ends_with("ssh")).then_some(user)
}

/// What stands behind the `?` of an address with the values masked that may be a secret; what stands behind `#` is none of them.
pub(crate) fn masked_query(text: &str) -> Cow<'_, str> {
    let (query, fragment) = text.split_at_checked(text.find('#').unwrap_or(text.len())).unwrap_or((text, ""));
    let mut out = String::with_capacity(text.len());
    for part in query.split_inclusive(['&', ';']) {
        let (part, sign) = part.split_at(part.trim_end_matches(['&', ';']).len());
        match part.split_once('=') {
            Some((name, value)) if !is_harmless(name, value) => {
                out.extend([name, "=", MASK, behind(value)]);
            }
            // An escape may be the sign of a value, as some write JSON.
            None if part.contains('\\') => out.push_str(MASK),
            _ => out.push_str(part),
        }
        out.push_str(sign);
    }
    out.push_str(fragment);
    if out == text { Cow::Borrowed(text) } else { Cow::Owned(out) }
}

/// Whether a value may be shown: there is none, or it is a plain one of a name that says which of several things is meant.
fn is_harmless(name: &str, value: &str) -> bool {
    let value = value.strip_suffix(behind(value)).unwrap_or(value);
    // What is written with an escape may be a part of its own, and what has a colon an address of its own.
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '@' | '+' | '~' | '%');
    let lower = || value.to_ascii_lowercase();
    value.is_empty() || HARMLESS.contains(&name) && value.chars().all(is_plain) && !lower().contains("%3a")
}

/// What closes the place that an address stands in.
fn behind(value: &str) -> &str {
    value.get(value.trim_end_matches([',', ':', ')', ']', '}']).len()..).unwrap_or_default()
}

/// The host of an address, without port and credentials.
pub(crate) fn host(address: &str) -> &str {
    Place::of(address).host
}

/// The parts of an address, or of a host with a folder.
pub(crate) struct Place<'a> {
    pub(crate) user: Option<&'a str>,
    pub(crate) host: &'a str,
    port: &'a str,
    path: &'a str,
}

impl<'a> Place<'a> {
    pub(crate) fn of(address: &'a str) -> Self {
        let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        // Those who download take a backslash for a slash.
        let (authority, path) = rest.split_once(['/', '\\']).unwrap_or((rest, ""));
        let (user, authority) = match authority.rsplit_once('@') {
            Some((user, authority)) => (Some(user), authority),
            None => (None, authority),
        };
        // The colons of `[::1]` are its own.
        let end = authority.rfind(']').map_or(0, |at| at + 1);
        let colon = authority.get(end..).and_then(|rest| rest.find(':')).map_or(authority.len(), |at| end + at);
        let (host, port) = authority.split_at_checked(colon).unwrap_or((authority, ""));
        Self { user, host, port, path }
    }

    /// The port; the usual ones of the web are none, and what is no port is no answer.
    pub(crate) fn port(&self) -> Option<Option<u16>> {
        match self.port.strip_prefix(':') {
            None => Some(None),
            Some(digits) => match digits.parse::<u16>().ok()? {
                0 => None,
                80 | 443 => Some(None),
                port => Some(Some(port)),
            },
        }
    }

    pub(crate) fn path(&self) -> impl Iterator<Item = &'a str> {
        self.path.split('/').filter(|part| !part.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        for (address, shown) in [
            ("https://a.example/x.tgz", "https://a.example/x.tgz"),
            ("https://me:secret@a.example/x.tgz", "https://a.example/x.tgz"),
            ("ssh://git@a.example/x", "ssh://git@a.example/x"),
            ("https://a.example/x.tgz?token=secret", "https://a.example/x.tgz?token=***"),
            ("https://me@a.example/x?a=1&rev=main&b=#sum", "https://a.example/x?a=***&rev=main&b=#sum"),
            ("git+https://a.example/x?tag=v1#0123", "git+https://a.example/x?tag=v1#0123"),
            ("https://a.example/x?flag", "https://a.example/x?flag"),
            ("https://a.example/x#y?z=1", "https://a.example/x#y?z=***"),
            ("https://a.example/x?ref=v1;token=secret", "https://a.example/x?ref=v1;token=***"),
            ("https://a.example/x?branch=feature%2Fx&path=@b/c", "https://a.example/x?branch=feature%2Fx&path=@b/c"),
            ("https://a.example/x?path=https://u:p@b", "https://a.example/x?path=***"),
            ("https://a.example/x?path=https%3A%2F%2Fu%3ap@b", "https://a.example/x?path=***"),
            (">=1,<2?x=1", ">=1,<2?x=1"),
            ("^1.2", "^1.2"),
        ] {
            assert_eq!(without_secret(address), shown);
        }
    }

    #[test]
    fn a_host_ends_where_those_who_download_end_it() {
        for (address, want) in [
            ("https://me:secret@a.example:80/x", "a.example"),
            ("http://[::1]:8080/x", "[::1]"),
            ("https://evil.example\\@registry.npmjs.org/d/-/d-1.0.0.tgz", "evil.example"),
        ] {
            assert_eq!(host(address), want, "{address}");
        }
    }
}
