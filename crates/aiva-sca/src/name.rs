//! How a package's name is spelled so that two spellings of one package are the same: as the index of advisories keeps it.
//!
//! Pure. Reports show names as files have them; only comparing goes through here. Requirements that name another package are taken apart here too.

use std::borrow::Cow;

use crate::package::Ecosystem;
use crate::purl::pypi_name;
use crate::version::Requirement;

/// The one spelling of a name.
///
/// PyPI: PEP 503. NuGet, Packagist and GitHub do not tell capitals from small letters. A Swift package is its repository's
/// address, without scheme and `.git`. A distribution's package has its release before it.
pub fn spelled(ecosystem: Ecosystem, name: &str) -> Cow<'_, str> {
    match ecosystem {
        Ecosystem::PyPi => {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
            if name.bytes().all(plain) { Cow::Borrowed(name) } else { Cow::Owned(pypi_name(name)) }
        }
        Ecosystem::NuGet | Ecosystem::Packagist | Ecosystem::GitHubActions => small(name),
        Ecosystem::SwiftUrl => Cow::Owned(repository(name).to_ascii_lowercase()),
        Ecosystem::System(system) => Cow::Owned(system.key(name).into_owned()),
        Ecosystem::CratesIo
        | Ecosystem::Npm
        | Ecosystem::Go
        | Ecosystem::Maven
        | Ecosystem::RubyGems
        | Ecosystem::Pub
        | Ecosystem::Hex
        | Ecosystem::ConanCenter
        | Ecosystem::Cran
        | Ecosystem::Hackage
        | Ecosystem::CocoaPods => Cow::Borrowed(name),
    }
}

fn small(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// `github.com/apple/swift-nio` of any address that git takes for it, `git@github.com:apple/swift-nio.git` too.
pub fn repository(address: &str) -> Cow<'_, str> {
    let (has_scheme, rest) = address.split_once("://").map_or((false, address), |(_, rest)| (true, rest));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let rest = rest.trim_end_matches('/');
    let rest = rest.strip_suffix(".git").unwrap_or(rest);
    match rest.split_once(':') {
        Some((host, path)) if !has_scheme && !host.contains('/') => Cow::Owned(format!("{host}/{path}")),
        _ => Cow::Borrowed(rest),
    }
}

/// Splits `name@rest` behind the name, which may have a scope.
pub(crate) fn split_name(text: &str) -> Option<(&str, &str)> {
    let at = memchr::memchr(b'@', text.as_bytes().get(1..)?)? + 1;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// What follows `npm:` in a requirement: another package with its range, or only a range (yarn's berry, bun).
pub(crate) fn behind_npm(text: &str) -> (Option<&str>, &str) {
    if let Some((name, range)) = split_name(text) {
        return (Some(name), range);
    }
    // Names may begin with a digit as well, and `next` is a package.
    let may_be_range = text.starts_with(|c: char| !c.is_alphabetic());
    match text == "latest" || may_be_range && Requirement::parse(Ecosystem::Npm, text).is_some() {
        true => (None, text),
        false => (Some(text), ""),
    }
}

/// A requirement without the `npm:` that a range may have before it.
pub(crate) fn plain_range(requirement: &str) -> &str {
    requirement.strip_prefix("npm:").filter(|text| behind_npm(text).0.is_none()).unwrap_or(requirement)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_package_are_one() {
        use Ecosystem::{GitHubActions, Maven, Npm, NuGet, Packagist, PyPi, RubyGems, SwiftUrl};
        for (ecosystem, name, want) in [
            (PyPi, "Flask_SQLAlchemy", "flask-sqlalchemy"),
            (PyPi, "flask", "flask"),
            (Npm, "JSONStream", "JSONStream"),
            (NuGet, "Newtonsoft.Json", "newtonsoft.json"),
            (Packagist, "Symfony/HTTP-Kernel", "symfony/http-kernel"),
            (Maven, "org.Apache:Thing", "org.Apache:Thing"),
            (RubyGems, "RedCloth", "RedCloth"),
            (GitHubActions, "Actions/Checkout", "actions/checkout"),
            (SwiftUrl, "https://github.com/Apple/swift-nio.git", "github.com/apple/swift-nio"),
            (SwiftUrl, "ssh://git@github.com/apple/swift-nio/", "github.com/apple/swift-nio"),
            (SwiftUrl, "git@github.com:apple/swift-nio.git", "github.com/apple/swift-nio"),
            (SwiftUrl, "github.com/apple/swift-nio", "github.com/apple/swift-nio"),
        ] {
            assert_eq!(spelled(ecosystem, name), want, "{name}");
        }
    }
}
