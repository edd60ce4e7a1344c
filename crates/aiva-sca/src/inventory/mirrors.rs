//! Registries that serve the packages of the public one under their own names: the well-known, and those that the configuration names.
//!
//! Pure. What comes from a mirror is judged as the public package; where it came from is kept, because a policy about names still asks
//! for it. Start reading at [`Mirrors::settle`].

use std::collections::BTreeSet;
use std::str::FromStr;

use super::address::Place;
use crate::package::{Fact, Input, Package, Source};

/// Hosts that serve nothing but mirrors of public registries.
const WELL_KNOWN: &[&str] = &[
    "goproxy.cn",
    "mirrors.aliyun.com",
    "mirrors.cloud.tencent.com",
    "mirrors.tuna.tsinghua.edu.cn",
    "mirrors.ustc.edu.cn",
    "repo.huaweicloud.com",
    "rsproxy.cn",
];

/// The registry behind a host, or behind a folder of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// In small letters.
    host: String,
    port: Option<u16>,
    path: Vec<String>,
}

/// Why a text names no registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MirrorError {
    /// There is none.
    #[error("there is no host; write a host with a folder, as npm.example.com/npm-remote")]
    NoHost,
    /// It would be kept with the configuration.
    #[error("it must have no user and no password; credentials in lockfiles are passed over")]
    Credentials,
    /// A number was expected.
    #[error("the port is no number from 1 to 65535")]
    Port,
    /// A folder is compared name by name.
    #[error("only a host and a folder are compared: no query, no pattern, no space")]
    Sign,
}

impl FromStr for Mirror {
    type Err = MirrorError;

    fn from_str(text: &str) -> Result<Self, MirrorError> {
        let text = text.trim();
        if text.contains(|c: char| matches!(c, '?' | '#' | '*' | '\\') || c.is_whitespace() || c.is_control()) {
            return Err(MirrorError::Sign);
        }
        let place = Place::of(text);
        if place.user.is_some() {
            return Err(MirrorError::Credentials);
        }
        if place.host.is_empty() || place.host.starts_with('.') {
            return Err(MirrorError::NoHost);
        }
        let port = place.port().ok_or(MirrorError::Port)?;
        let path: Vec<String> = place.path().map(str::to_owned).collect();
        if path.iter().any(|part| part == "." || part == "..") {
            return Err(MirrorError::Sign);
        }
        Ok(Self { host: place.host.to_ascii_lowercase(), port, path })
    }
}

impl Mirror {
    /// Whether an address is that of this registry, or of something in it.
    fn holds(&self, place: &Place<'_>) -> bool {
        let mut path = place.path();
        place.host.eq_ignore_ascii_case(&self.host)
            && place.port() == Some(self.port)
            && self.path.iter().all(|part| path.next() == Some(part))
            && !path.any(|part| part == "..")
    }
}

/// All mirrors that are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mirrors(Vec<Mirror>);

impl Mirrors {
    /// The well-known ones and these.
    pub fn new(named: Vec<Mirror>) -> Self {
        Self(named)
    }

    /// Those that this input was settled by, as far as it needed them.
    pub(crate) fn of(input: &Input) -> Self {
        let entries = input.not_judged.iter().filter(|entry| entry.is_range);
        let entries = entries.filter_map(|entry| Some(&*entry.elsewhere.as_ref()?.registry));
        let named: BTreeSet<&str> = input.packages.iter().filter_map(Package::mirror).chain(entries).collect();
        Self(named.into_iter().filter_map(|one| one.parse().ok()).collect())
    }

    /// Whether an address is that of a mirror.
    fn hold(&self, address: &str) -> bool {
        // Package managers take these for `/` and `..`: what they mean is not what stands there.
        if address.contains('\\') || address.to_ascii_lowercase().contains("%2e") {
            return false;
        }
        let place = Place::of(address);
        let is_known = WELL_KNOWN.iter().any(|host| place.host.eq_ignore_ascii_case(host));
        is_known && place.port() == Some(None) || self.0.iter().any(|mirror| mirror.holds(&place))
    }

    /// Makes what comes from mirrors what the public registry has, each with the place that it came from.
    pub(crate) fn settle(&self, input: &mut Input) {
        // Neighbours nearly always come from the same place.
        let mut before: (String, bool) = Default::default();
        let mut holds = |address: &str| {
            if before.0 != address {
                before = (address.to_owned(), self.hold(address));
            }
            before.1
        };
        for package in &mut input.packages {
            if let Source::PrivateRegistry(address) = &package.source
                && holds(address)
            {
                let address = std::mem::take(&mut package.source);
                if let Source::PrivateRegistry(address) = address {
                    package.origin.get_or_insert_default().mirror = Some(address.into());
                }
            }
        }
        for entry in &mut input.not_judged {
            if entry.elsewhere.as_ref().is_some_and(|elsewhere| holds(&elsewhere.registry)) {
                entry.make_public();
            }
        }
        let is_mirrored = |fact: &Fact| matches!(fact, Fact::Outside(Source::PrivateRegistry(at)) if self.hold(at));
        input.signs.retain(|sign| !is_mirrored(&sign.fact));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_mirror_s_by_whole_segments() {
        for (mirror, address, want) in [
            ("npm.corp.example/api/npm-remote", "https://npm.corp.example/api/npm-remote", true),
            ("npm.corp.example/api/npm-remote/", "https://NPM.corp.example/api/npm-remote/sub", true),
            ("https://npm.corp.example/", "http://user:secret@npm.corp.example/any", true),
            ("npm.corp.example/api/npm-remote", "https://npm.corp.example/api/npm-remote2", false),
            ("npm.corp.example/api/npm-remote", "https://npm.corp.example/api", false),
            ("npm.corp.example", "https://npm.corp.example.evil.example/", false),
            ("npm.corp.example", "https://evil.example/npm.corp.example", false),
            ("npm.corp.example", "https://npm.corp.example@evil.example/", false),
            ("npm.corp.example/a", "https://npm.corp.example/a/../b", false),
            ("npm.corp.example/a", "https://npm.corp.example/a/%2e%2E/b", false),
            ("npm.corp.example/a", "https://npm.corp.example/a/..\\b", false),
            ("npm.corp.example/a", "https://evil.example\\@npm.corp.example/a/b", false),
            ("npm.corp.example:8443", "https://npm.corp.example:8443/x", true),
            ("npm.corp.example:8443", "https://npm.corp.example/x", false),
            ("npm.corp.example", "https://npm.corp.example:8443/x", false),
            ("npm.corp.example:443", "https://npm.corp.example/x", true),
            ("[::1]:81/a", "http://[::1]:81/a/b", true),
            ("corp", "corp", true),                              // A name that a tool has for it.
            ("other", "sparse+https://rsproxy.cn/index/", true), // well known
            ("other", "https://rsproxy.cn.example/index/", false),
        ] {
            let mirrors = Mirrors::new(vec![mirror.parse().unwrap()]);
            assert_eq!(mirrors.hold(address), want, "{mirror} {address}");
        }
    }

    #[test]
    fn what_names_no_registry_is_refused() {
        for (text, want) in [
            ("", MirrorError::NoHost),
            ("https://", MirrorError::NoHost),
            ("/npm", MirrorError::NoHost),
            ("https://user:secret@npm.example", MirrorError::Credentials),
            ("npm.example:x", MirrorError::Port),
            ("npm.example:0/a", MirrorError::Port),
            ("npm.example:99999", MirrorError::Port),
            ("*.example", MirrorError::Sign),
            ("npm.example/a b", MirrorError::Sign),
            ("npm.example/a/../b", MirrorError::Sign),
            ("npm.example?x=1", MirrorError::Sign),
        ] {
            assert_eq!(text.parse::<Mirror>(), Err(want), "{text}");
        }
    }
}
