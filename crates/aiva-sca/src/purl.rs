//! Writes package URLs (purl-spec, ECMA-427) .
//!
//! Only writing: nothing in AIVA takes a decision from a package URL that somebody else wrote.

use crate::name::repository;
use crate::package::Ecosystem;

/// The package URL of a package version; without version when `version` is empty.
///
/// Names are expected as the advisories spell them. PyPI names are normalised again, because the type's rules demand it. Go
/// versions get their `v` back, except for the standard library, whose versions never had one.
pub fn purl(ecosystem: Ecosystem, name: &str, version: &str) -> String {
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
        | Ecosystem::CocoaPods => parts(&mut out, name, &['/']),
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
    use super::*;

    #[track_caller]
    fn check(ecosystem: Ecosystem, name: &str, version: &str, want: &str) {
        assert_eq!(purl(ecosystem, name, version), want);
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
    fn pypi_names_have_one_spelling() {
        for name in ["Friendly-Bard", "FRIENDLY_BARD", "friendly.bard", "friendly--_..bard"] {
            assert_eq!(pypi_name(name), "friendly-bard");
        }
        assert_eq!(pypi_name("zope.interface"), "zope-interface");
    }
}
