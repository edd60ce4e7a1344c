//! Writes and reads package URLs (purl-spec, ECMA-427).
//!
//! Reading is for the bills of materials of other tools: a URL names a package, or it says why it does not. It is never
//! taken for the name of another package, and what its qualifiers say of where it comes from is kept.

mod installed;

use crate::inventory::{host, without_secret};
use crate::name::repository;
use crate::package::{BuiltFrom, Ecosystem, Source};
use crate::system::System;

/// The package that a package URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Whose names and versions apply.
    pub ecosystem: Ecosystem,
    /// The name as advisories spell it.
    pub name: String,
    /// The version without Go's `v`; empty when the URL has none.
    pub version: String,
    /// Where it comes from, as the qualifiers have it.
    pub source: Source,
    /// The source package of what a system has installed, where the qualifiers name another one.
    pub built_from: Option<BuiltFrom>,
}

/// Why a package URL names no package that can be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotNamed {
    /// It breaks the rules of purl-spec.
    #[error("not a package URL; its form is pkg:TYPE/NAME@VERSION")]
    Malformed,
    /// Its type is none of the ecosystems that are known here.
    #[error("packages of this type are not judged by this release")]
    Foreign,
    /// A package of a distribution without a release.
    #[error("it names no release of its distribution (distro=debian-12), and advisories hold for one release")]
    NoRelease,
}

/// Reads a package URL.
pub fn read(url: &str) -> Result<Named, NotNamed> {
    let rest = url.strip_prefix("pkg:").ok_or(NotNamed::Malformed)?.trim_start_matches('/');
    let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
    let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
    let (kind, path) = rest.split_once('/').ok_or(NotNamed::Malformed)?;
    // An `@` before the last `/` is that of an npm scope that somebody forgot to encode.
    let (path, version) = path.rsplit_once('@').filter(|(_, version)| !version.contains('/')).unwrap_or((path, ""));
    let parts: Vec<String> = path
        .split('/')
        .filter(|part| !part.is_empty())
        .map(decode)
        .collect::<Option<_>>()
        .ok_or(NotNamed::Malformed)?;
    let version = decode(version).ok_or(NotNamed::Malformed)?;
    let Some((last, above)) = parts.split_last() else { return Err(NotNamed::Malformed) };
    if let Some(kind) = ["deb", "rpm", "apk"].into_iter().find(|known| known.eq_ignore_ascii_case(kind)) {
        return installed::read(kind, &above.join("/"), last, &version, qualifiers);
    }
    // A repository of GitHub is the action that it holds.
    let kind = if kind.eq_ignore_ascii_case("github") { "githubactions" } else { kind };
    let ecosystem = Ecosystem::LANGUAGES.into_iter().find(|known| known.purl_type().eq_ignore_ascii_case(kind));
    let ecosystem = ecosystem.ok_or(NotNamed::Foreign)?;
    let name = match ecosystem {
        Ecosystem::PyPi => pypi_name(last),
        Ecosystem::Maven if above.is_empty() => return Err(NotNamed::Malformed),
        Ecosystem::Maven => format!("{}:{last}", above.join("/")),
        _ => parts.join("/"),
    };
    let version = match ecosystem {
        Ecosystem::Go | Ecosystem::GitHubActions => version.strip_prefix('v').unwrap_or(&version).to_owned(),
        _ => version,
    };
    Ok(Named { ecosystem, name, version, source: source(qualifiers)?, built_from: None })
}

/// Hosts from which a package is the public one of its name.
const PUBLIC: &[&str] = &[
    "api.nuget.org",
    "center.conan.io",
    "center2.conan.io",
    "cran.r-project.org",
    "crates.io",
    "files.pythonhosted.org",
    "hackage.haskell.org",
    "hex.pm",
    "index.crates.io",
    "nuget.org",
    "packagist.org",
    "proxy.golang.org",
    "pub.dartlang.org",
    "pub.dev",
    "pypi.org",
    "registry.npmjs.org",
    "registry.yarnpkg.com",
    "repo.hex.pm",
    "repo.maven.apache.org",
    "repo.packagist.org",
    "repo1.maven.org",
    "rubygems.org",
    "static.crates.io",
    "www.nuget.org",
];

fn source(qualifiers: &str) -> Result<Source, NotNamed> {
    for (key, value) in qualifiers.split('&').filter_map(|one| one.split_once('=')) {
        let value = decode(value).ok_or(NotNamed::Malformed)?;
        let address = without_secret(&value).into_owned();
        let is_public = PUBLIC.contains(&host(&address));
        match key {
            "repository_url" | "download_url" if is_public => {}
            "repository_url" => return Ok(Source::PrivateRegistry(address)),
            "vcs_url" => return Ok(Source::Git(address.strip_prefix("git+").unwrap_or(&address).to_owned())),
            "download_url" if address.starts_with("file:") => return Ok(Source::Path(address)),
            "download_url" => return Ok(Source::Url(address)),
            _ => {}
        }
    }
    Ok(Source::Registry)
}

/// The text behind percent-encoding; nothing when it is no text, or would make a terminal obey.
pub(crate) fn decode(part: &str) -> Option<String> {
    let mut out = Vec::with_capacity(part.len());
    let mut bytes = part.bytes();
    while let Some(byte) = bytes.next() {
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        match byte {
            b'%' => out.push(u8::try_from(digit(bytes.next())? * 16 + digit(bytes.next())?).ok()?),
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).ok().filter(|text| !text.contains(char::is_control))
}

/// The package URL of a package version; without version when `version` is empty.
///
/// Names are expected as the advisories spell them. PyPI names are normalised again, because the type's rules demand it. Go
/// versions get their `v` back, except for the standard library, whose versions never had one.
///
/// A distribution's package says its release (`distro=debian-12`), and an RPM its epoch, as qualifiers.
pub fn purl(ecosystem: Ecosystem, name: &str, version: &str) -> String {
    if let Ecosystem::System(system) = ecosystem {
        return of_system(system, name, version);
    }
    let mut out = String::with_capacity(name.len() + version.len() + 16);
    out.push_str("pkg:");
    out.push_str(ecosystem.purl_type());
    match ecosystem {
        Ecosystem::PyPi => {
            out.push('/');
            encode(&mut out, &pypi_name(name));
        }
        Ecosystem::Maven => parts(&mut out, name, &['/', ':']),
        Ecosystem::Packagist | Ecosystem::Hex | Ecosystem::GitHubActions => {
            parts(&mut out, &name.to_lowercase(), &['/']);
        }
        Ecosystem::SwiftUrl => parts(&mut out, &repository(name).to_lowercase(), &['/']),
        Ecosystem::Npm
        | Ecosystem::CratesIo
        | Ecosystem::Go
        | Ecosystem::NuGet
        | Ecosystem::RubyGems
        | Ecosystem::Pub
        | Ecosystem::ConanCenter
        | Ecosystem::Cran
        | Ecosystem::Hackage
        | Ecosystem::CocoaPods
        | Ecosystem::System(_) => parts(&mut out, name, &['/']),
    }
    if !version.is_empty() {
        out.push('@');
        if ecosystem == Ecosystem::Go && is_module(name) && !version.starts_with('v') {
            out.push('v');
        }
        encode(&mut out, version);
    }
    out
}

/// The types `deb`, `rpm` and `apk` of purl-spec.
fn of_system(system: System, name: &str, version: &str) -> String {
    let kind = system.distribution().purl_type();
    let (vendor, release) = system.vendor();
    let mut out = format!("pkg:{kind}");
    parts(&mut out, vendor, &['/']);
    out.push('/');
    encode(&mut out, name);
    let (epoch, version) = match version.split_once(':') {
        Some((epoch, version)) if kind == "rpm" => (Some(epoch), version),
        _ => (None, version),
    };
    if !version.is_empty() {
        out.push('@');
        encode(&mut out, version);
    }
    if !release.is_empty() {
        out.push_str("?distro=");
        encode(&mut out, &release);
        if let Some(epoch) = epoch {
            out.push_str("&epoch=");
            encode(&mut out, epoch);
        }
    }
    out
}

/// Namespace and name, each encoded by itself.
fn parts(out: &mut String, name: &str, between: &[char]) {
    for part in name.split(between).filter(|part| !part.is_empty()) {
        out.push('/');
        encode(out, part);
    }
}

/// A PyPI name in the one spelling that counts (PEP 503): lower case, every run of `-`, `_` and `.` one dash.
pub fn pypi_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut dash = false;
    for c in name.trim().chars() {
        if matches!(c, '-' | '_' | '.') {
            dash = true;
            continue;
        }
        if dash {
            out.push('-');
            dash = false;
        }
        out.extend(c.to_lowercase());
    }
    if dash {
        out.push('-');
    }
    out
}

fn is_module(name: &str) -> bool {
    !matches!(name, "stdlib" | "toolchain")
}

/// Percent-encodes what purl-spec does not let stand: all but letters, digits and `.-_~`, with `:` left as it is.
fn encode(out: &mut String, part: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in part.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => out.push(char::from(byte)),
            _ => {
                out.push('%');
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use Ecosystem::Go;

    use super::*;
    use crate::name::spelled;

    #[track_caller]
    fn check(ecosystem: Ecosystem, name: &str, version: &str, want: &str) {
        assert_eq!(purl(ecosystem, name, version), want);
        let back = read(want).unwrap();
        assert_eq!((back.ecosystem, back.source), (ecosystem, Source::Registry), "{want}");
        assert_eq!(spelled(ecosystem, &back.name), spelled(ecosystem, name), "{want}");
        assert_eq!(back.version, if ecosystem == Go { version.trim_start_matches('v') } else { version }, "{want}");
    }

    #[test]
    fn what_others_wrote_is_read_or_turned_away_with_a_reason() {
        let named = |url: &str| read(url).map(|named| (named.name, named.version, named.source));
        let public = |name: &str, version: &str| Ok((name.to_owned(), version.to_owned(), Source::Registry));
        let from = |name: &str, source: Source| Ok((name.to_owned(), "1".to_owned(), source));
        for (url, want) in [
            ("pkg:npm/@scope/a", public("@scope/a", "")), // the scope was not encoded
            ("pkg:npm/@scope/a@1.0.0", public("@scope/a", "1.0.0")),
            ("pkg://NPM//a@1.0.0#sub/path", public("a", "1.0.0")),
            ("pkg:maven/g/a@1?type=jar&classifier=x", public("g:a", "1")),
            ("pkg:npm/a@1?repository_url=https%3A%2F%2Fregistry.npmjs.org%2Fa", public("a", "1")),
            (
                "pkg:npm/a@1?repository_url=https://u:p@npm.acme.example/r",
                from("a", Source::PrivateRegistry("https://npm.acme.example/r".into())),
            ),
            ("pkg:cargo/a@1?vcs_url=git%2Bhttps://x.example/a", from("a", Source::Git("https://x.example/a".into()))),
            ("pkg:cargo/a@1?download_url=file://.", from("a", Source::Path("file://.".into()))),
            (
                "pkg:pypi/a@1?download_url=https://x.example/a.whl",
                from("a", Source::Url("https://x.example/a.whl".into())),
            ),
            ("pkg:maven/a@1", Err(NotNamed::Malformed)), // an artifact has a group
            ("pkg:npm/a%0Ab@1", Err(NotNamed::Malformed)),
            ("pkg:npm/a%zz@1", Err(NotNamed::Malformed)),
            ("pkg:npm/a%ff@1", Err(NotNamed::Malformed)),
            ("pkg:npm/@1", Err(NotNamed::Malformed)),
            ("pkg:npm", Err(NotNamed::Malformed)),
            ("npm/a@1", Err(NotNamed::Malformed)),
            ("pkg:oci/debian@sha256:00?arch=i386", Err(NotNamed::Foreign)),
        ] {
            assert_eq!(named(url), want, "{url}");
        }
    }

    #[test]
    fn purls_follow_the_spec() {
        use Ecosystem::*;
        check(CratesIo, "rand", "0.7.2", "pkg:cargo/rand@0.7.2");
        check(CratesIo, "rand", "", "pkg:cargo/rand");
        check(CratesIo, "libgit2-sys", "0.17.0+1.8.1", "pkg:cargo/libgit2-sys@0.17.0%2B1.8.1");
        check(Npm, "foobar", "12.3.1", "pkg:npm/foobar@12.3.1");
        check(Npm, "@angular/animation", "12.3.1", "pkg:npm/%40angular/animation@12.3.1");
        check(Npm, "JSONStream", "1.0.0", "pkg:npm/JSONStream@1.0.0"); // old names keep their capitals: two packages
        check(PyPi, "Django_package", "1.11.1.dev1", "pkg:pypi/django-package@1.11.1.dev1");
        check(PyPi, "torch", "1.13.0+cu117", "pkg:pypi/torch@1.13.0%2Bcu117");
        check(PyPi, "x", "1!2.0", "pkg:pypi/x@1%212.0");
        check(Go, "github.com/gorilla/context", "1.1.1", "pkg:golang/github.com/gorilla/context@v1.1.1");
        check(Go, "gopkg.in/yaml.v2", "v2.2.8", "pkg:golang/gopkg.in/yaml.v2@v2.2.8");
        check(Go, "github.com/a/b", "2.0.0+incompatible", "pkg:golang/github.com/a/b@v2.0.0%2Bincompatible");
        check(Go, "stdlib", "1.21.3", "pkg:golang/stdlib@1.21.3");
        check(Maven, "org.apache.xmlgraphics:batik-anim", "1.9.1", "pkg:maven/org.apache.xmlgraphics/batik-anim@1.9.1");
        check(NuGet, "EnterpriseLibrary.Common", "6.0.1304", "pkg:nuget/EnterpriseLibrary.Common@6.0.1304");
        check(RubyGems, "ruby-advisory-db-check", "0.12.4", "pkg:gem/ruby-advisory-db-check@0.12.4");
        check(Packagist, "Laravel/laravel", "5.5.0", "pkg:composer/laravel/laravel@5.5.0");
        check(Pub, "characters", "1.2.0", "pkg:pub/characters@1.2.0");
        check(Hex, "jason", "1.1.2", "pkg:hex/jason@1.1.2");
        check(ConanCenter, "openssl", "3.0.3", "pkg:conan/openssl@3.0.3");
        check(Cran, "A3", "1.0.0", "pkg:cran/A3@1.0.0");
        check(Hackage, "AC-HalfInteger", "1.2.1", "pkg:hackage/AC-HalfInteger@1.2.1");
        check(
            SwiftUrl,
            "https://github.com/Alamofire/Alamofire.git",
            "5.4.3",
            "pkg:swift/github.com/alamofire/alamofire@5.4.3",
        );
        check(GitHubActions, "actions/checkout", "4.1.0", "pkg:githubactions/actions/checkout@4.1.0");
        check(CocoaPods, "GoogleUtilities/NSData+zlib", "7.5.2", "pkg:cocoapods/GoogleUtilities/NSData%2Bzlib@7.5.2");
    }

    #[test]
    fn packages_of_distributions_say_their_release() {
        for (system, name, version, want) in [
            ("Debian:12", "curl", "7.88.1-10+deb12u5", "pkg:deb/debian/curl@7.88.1-10%2Bdeb12u5?distro=debian-12"),
            ("Debian:12", "tar", "1:2.0~rc1-1", "pkg:deb/debian/tar@1:2.0~rc1-1?distro=debian-12"),
            ("Alpine:v3.19", "libcrypto3", "3.1.4-r5", "pkg:apk/alpine/libcrypto3@3.1.4-r5?distro=alpine-v3.19"),
            (
                "Red Hat:enterprise_linux:9::baseos",
                "bind-libs",
                "32:9.16.23-1.el9",
                "pkg:rpm/redhat/bind-libs@9.16.23-1.el9?distro=redhat-9&epoch=32",
            ),
            ("rpm:fedora:40", "curl", "8.6.0-7.fc40", "pkg:rpm/fedora/curl@8.6.0-7.fc40?distro=fedora-40"),
            (
                "Ubuntu:22.04:LTS",
                "libc6",
                "2.35-0ubuntu3",
                "pkg:deb/ubuntu/libc6@2.35-0ubuntu3?distro=ubuntu-22.04-LTS",
            ),
        ] {
            let ecosystem: Ecosystem = system.parse().unwrap();
            assert_eq!(purl(ecosystem, name, version), want);
            let back = read(want).unwrap();
            assert_eq!((back.ecosystem, back.name.as_str(), back.version.as_str()), (ecosystem, name, version));
        }
    }

    #[test]
    fn pypi_names_have_one_spelling() {
        for name in ["Friendly-Bard", "FRIENDLY_BARD", "friendly.bard", "friendly--_..bard"] {
            assert_eq!(pypi_name(name), "friendly-bard");
        }
        assert_eq!(pypi_name("zope.interface"), "zope-interface");
    }
}
