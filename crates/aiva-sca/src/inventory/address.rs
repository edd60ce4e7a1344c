//! Addresses as they may be shown: without the credentials that lockfiles of private registries carry.

use std::borrow::Cow;

/// The address without user and password. `git@host` stays: a user name alone on ssh is no secret.
pub(crate) fn without_secret(address: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = address.split_once("://") else { return Cow::Borrowed(address) };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((user, host)) = authority.rsplit_once('@') else { return Cow::Borrowed(address) };
    if scheme.ends_with("ssh") && !user.contains(':') {
        return Cow::Borrowed(address);
    }
    let path = rest.get(authority.len()..).unwrap_or_default();
    Cow::Owned(format!("{scheme}://{host}{path}"))
}

/// The host of an address, without port and credentials.
pub(crate) fn host(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    host.split(':').next().unwrap_or_default()
}
