//! Addresses as they may be shown: without the credentials that lockfiles of private registries carry.

use std::borrow::Cow;

/// What of a query says which of several things is meant, and is no secret.
const HARMLESS: [&str; 9] = ["branch", "commit", "egg", "path", "ref", "rev", "revision", "subdirectory", "tag"];

/// The address without user and password, and without the values of a query that may be one. `git@host` stays: a user name alone on
/// ssh is no secret.
pub(crate) fn without_secret(address: &str) -> Cow<'_, str> {
    without_query(without_user(address))
}

fn without_user(address: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = address.split_once("://") else { return Cow::Borrowed(address) };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((user, host)) = authority.rsplit_once('@') else { return Cow::Borrowed(address) };
    if scheme.ends_with("ssh") && !user.contains(':') {
        return Cow::Borrowed(address);
    }
    let path = rest.get(authority.len()..).unwrap_or_default();
    Cow::Owned(format!("{scheme}://{host}{path}"))
}

fn without_query(address: Cow<'_, str>) -> Cow<'_, str> {
    let Some((before, query)) = address.split_once('?').filter(|(before, _)| before.contains("://")) else {
        return address;
    };
    let (query, fragment) = query.find('#').map_or((query, ""), |at| query.split_at(at));
    let shown = query.split('&').map(|part| match part.split_once('=') {
        Some((name, value)) if !value.is_empty() && !HARMLESS.contains(&name) => Cow::Owned(format!("{name}=***")),
        _ => Cow::Borrowed(part),
    });
    let shown = shown.collect::<Vec<_>>().join("&");
    if shown == query { address } else { Cow::Owned(format!("{before}?{shown}{fragment}")) }
}

/// The host of an address, without port and credentials.
pub(crate) fn host(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    host.split(':').next().unwrap_or_default()
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
            (">=1,<2?x=1", ">=1,<2?x=1"),
            ("^1.2", "^1.2"),
        ] {
            assert_eq!(without_secret(address), shown);
        }
    }
}
