//! One table an ecosystem, from its own documentation.

use super::Requirement;
use super::tests::check;
use crate::package::Ecosystem;
use crate::version::Version;

#[track_caller]
fn refused(ecosystem: Ecosystem, texts: &[&str]) {
    for text in texts {
        assert_eq!(Requirement::parse(ecosystem, text), None, "{text}");
    }
}

#[test]
fn maven_ranges() {
    let maven = Ecosystem::Maven;
    check(maven, "(,1.0]", &["0.1", "1.0", "1.0-SNAPSHOT"], &["1.0.1", "1.1"]);
    check(maven, "1.0", &["1.0", "1.0.0"], &["1.1", "0.9"]); // soft: what a direct dependency gets
    check(maven, "[1.0]", &["1.0"], &["1.0.1", "0.9"]);
    check(maven, "[1.2,1.3]", &["1.2", "1.2.9", "1.3"], &["1.1", "1.3.1"]);
    check(maven, "[1.0,2.0)", &["1.0", "1.9", "2.0-SNAPSHOT"], &["2.0", "1.0-rc1"]); // a snapshot comes before its release
    check(maven, "[1.5,)", &["1.5", "9"], &["1.4.9"]);
    check(maven, "(,1.0],[1.2,)", &["1.0", "1.2", "3"], &["1.1"]);
    check(maven, "(,1.1),(1.1,)", &["1.0", "1.2"], &["1.1"]);
    check(maven, " [ 1.0 , 2.0 ) ", &["1.5"], &["2.0"]);
    check(maven, "(,)", &["0.1", "99"], &[]);
    check(maven, "1.3.+", &["1.3", "1.3.9", "1.3.0-alpha1"], &["1.4", "1.2.9"]); // gradle's
    check(maven, "1.+", &["1.0", "1.99"], &["2.0", "0.9"]);
    check(maven, "+", &["0.1", "99"], &[]);
    refused(maven, &["", "LATEST", "RELEASE", "latest.release", "(1.0)", "[1.0", "[1,2)x", "[2,1]", "[1,2),", "${v}"]);
}

#[test]
fn nuget_ranges() {
    let nuget = Ecosystem::NuGet;
    // The table of learn.microsoft.com/nuget/concepts/package-versioning.
    check(nuget, "1.0", &["1.0.0", "1.0.0.1", "5.0"], &["0.9", "1.0.0-beta"]);
    check(nuget, "[1.0,)", &["1.0", "9.0"], &["0.9"]);
    check(nuget, "(1.0,)", &["1.0.1"], &["1.0"]);
    check(nuget, "[1.0]", &["1.0", "1.0.0.0"], &["1.0.1"]);
    check(nuget, "(,1.0]", &["0.1", "1.0"], &["1.0.1"]);
    check(nuget, "(,1.0)", &["0.9"], &["1.0"]);
    check(nuget, "[1.0,2.0]", &["1.0", "2.0"], &["2.0.1"]);
    check(nuget, "(1.0,2.0)", &["1.5"], &["1.0", "2.0"]);
    check(nuget, "[1.0,2.0)", &["1.0", "1.9"], &["2.0"]);
    check(nuget, "*", &["0.1", "99"], &[]);
    check(nuget, "1.*", &["1.0", "1.9.9"], &["2.0.0", "2.0.0-a", "0.9"]);
    check(nuget, "1.1.*", &["1.1.0", "1.1.9"], &["1.2.0", "1.0.9"]);
    check(nuget, "1.2.*-*", &["1.2.0-alpha", "1.2.9"], &["1.3.0-alpha", "1.1"]);
    check(nuget, "*-*", &["0.1-a", "9"], &[]);
    check(nuget, "1.0.0-rc*", &["1.0.0-rc1", "1.0.0"], &["1.0.0-alpha", "1.0.1"]);
    check(nuget, "1.0.0-*", &["1.0.0-alpha", "1.0.0"], &["1.0.1", "0.9"]);
    check(nuget, "[1.*, 2.0.0)", &["1.0.0", "1.9"], &["2.0.0", "0.9"]);
    refused(nuget, &["", "(1.0)", "[1.0", "$(Version)", "[1,2,3]", "1.*.2", "x"]);
}

#[test]
fn rubygems_requirements() {
    let gems = Ecosystem::RubyGems;
    check(gems, "~> 2.2", &["2.2", "2.9.9", "2.2.1"], &["3.0", "2.1", "3.0.0.pre", "2.2.rc1"]);
    check(gems, "~> 2.2.0", &["2.2.0", "2.2.99"], &["2.3.0", "2.3.0.beta1"]);
    check(gems, "~> 2", &["2.0", "2.9"], &["3.0"]);
    check(gems, "~> 2.2.rc1", &["2.2.rc1", "2.2", "2.9"], &["2.2.beta", "3.0"]); // bumped without the letters
    check(gems, ">= 1.0, < 2", &["1.0", "1.9"], &["2.0", "0.9"]);
    check(gems, ">= 1.0, != 1.5", &["1.4", "1.6"], &["1.5", "1.5.0"]);
    check(gems, "1.2.3", &["1.2.3"], &["1.2.4"]);
    check(gems, "= 1.2.3", &["1.2.3", "1.2.3.0"], &["1.2.4"]);
    check(gems, "> 1.0, <= 1.2", &["1.1", "1.2"], &["1.0", "1.2.1"]);
    check(gems, "", &["0.1", "99"], &[]);
    refused(gems, &["~>", ">= x", "=> 1", "~> x"]);
}

#[test]
fn composer_constraints() {
    let composer = Ecosystem::Packagist;
    check(composer, "1.0.2", &["1.0.2", "v1.0.2", "1.0.2.0"], &["1.0.3"]);
    // Without a stability, what comes before the release is only taken where the whole project allows it.
    check(composer, ">=1.0", &["1.0", "1.0.0", "2.0"], &["0.9.9", "1.0.0-beta1", "1.0.0-dev"]);
    check(composer, ">=1.0@beta", &["1.0", "1.0.0-RC1", "1.0.0-beta1"], &["1.0.0-alpha3"]);
    check(composer, "^1.12.0@stable", &["1.12", "v1.13.0-stable", "1.12.0+build"], &["1.12.0-dev", "1.12.0-rc1"]);
    check(composer, "^2.0-RC2", &["2.0", "2.0.0-RC3"], &["2.0.0-RC1", "3.0.0-dev"]);
    check(composer, "1.12.*", &["1.12.0", "1.12.7"], &["1.12.0-dev", "1.13.0-dev"]);
    check(composer, ">=1.0 <2.0", &["1.0", "1.9.9"], &["2.0", "2.0.0-alpha1", "2.0.0"]);
    check(composer, ">=1.0,<1.1 || >=1.2", &["1.0.5", "1.2", "9.0"], &["1.1", "1.1.5", "0.9"]);
    check(composer, ">=1.0 <1.1|>=1.2", &["1.0.5", "1.2"], &["1.1.0"]);
    check(composer, "1.0 - 2.0", &["1.0", "2.0", "2.0.9"], &["2.1", "2.1.0-beta", "0.9"]);
    check(composer, "1.0.0 - 2.1.0", &["1.0.0", "2.1.0"], &["2.1.1"]);
    check(composer, "1.0.*", &["1.0", "1.0.99"], &["1.1", "0.9", "1.1.0-RC1"]);
    check(composer, "1.x", &["1.0", "1.99"], &["2.0"]);
    check(composer, "*", &["0.1", "99"], &[]);
    check(composer, "~1.2", &["1.2", "1.9"], &["2.0", "1.1", "2.0.0-beta"]);
    check(composer, "~1.2.3", &["1.2.3", "1.2.9"], &["1.3", "1.2.2"]);
    check(composer, "~1", &["1.0", "1.9"], &["2.0"]);
    check(composer, "^1.2.3", &["1.2.3", "1.9"], &["2.0.0", "1.2.2"]);
    check(composer, "^0.3", &["0.3.0", "0.3.9"], &["0.4.0", "0.2.9"]);
    check(composer, "^0.0.3", &["0.0.3"], &["0.0.4", "0.1"]);
    check(composer, "^0", &["0.0.1", "0.9"], &["1.0"]);
    check(composer, "^7.2|^8.0", &["7.2.0", "8.9"], &["7.1", "9.0"]);
    check(composer, ">= 1.0", &["1.0"], &["0.9"]);
    check(composer, "^1.0@beta", &["1.0.0-beta1", "1.5"], &["2.0"]);
    check(composer, "@dev", &["0.1", "99"], &[]);
    check(composer, ">=1.0 !=1.0.5", &["1.0.4", "1.0.6"], &["1.0.5", "1.0.5.0"]);
    check(composer, "<1.0.0-beta2", &["1.0.0-beta1", "0.9"], &["1.0.1", "1.1"]);
    check(composer, ">1.2", &["1.2.1", "1.3"], &["1.2", "1.2.0", "1.1"]);
    check(composer, "<=1.2", &["1.2", "1.2.0", "1.1"], &["1.2.1", "1.3"]);
    for none in ["dev-main", "1.x-dev", "dev-fix as 1.0", "self.version", "", "dev-main#abc", "^", ">=x", "1.0 - x"] {
        refused(composer, &[none]);
    }
}

#[test]
fn pub_constraints() {
    let dart = Ecosystem::Pub;
    check(dart, "any", &["0.0.1", "99.0.0"], &[]);
    check(dart, "", &["0.0.1"], &[]);
    check(dart, "^1.3.0", &["1.3.0", "1.9.9"], &["2.0.0", "2.0.0-dev", "1.2.9"]);
    check(dart, "^0.1.2", &["0.1.2", "0.1.9"], &["0.2.0", "1.0.0"]);
    check(dart, "^0.0.1", &["0.0.1", "0.0.9"], &["0.1.0"]); // not as npm has it
    check(dart, "1.2.3", &["1.2.3"], &["1.2.4"]);
    check(dart, ">=1.2.3 <2.0.0", &["1.2.3", "1.9.9"], &["2.0.0", "2.0.0-dev.1", "1.2.2"]);
    check(dart, ">=1.2.3<2.0.0", &["1.2.3"], &["2.0.0"]);
    check(dart, ">=2.0.0-dev.1 <2.0.0", &["2.0.0-dev.1", "2.0.0-dev.9"], &["2.0.0"]);
    check(dart, ">1.0.0", &["1.0.1"], &["1.0.0"]);
    check(dart, "<=1.0.0", &["1.0.0"], &["1.0.1"]);
    refused(dart, &["1.2", "^1", "latest", ">= x", "~1.0.0"]);
}

#[test]
fn hex_requirements() {
    let hex = Ecosystem::Hex;
    check(hex, "~> 2.0.0", &["2.0.0", "2.0.9"], &["2.1.0", "2.1.0-rc.0"]);
    check(hex, "~> 2.1", &["2.1.0", "2.9.9"], &["3.0.0", "3.0.0-rc.0", "2.0.9"]);
    check(hex, "~> 2.1.3-dev", &["2.1.3-dev", "2.1.3", "2.1.9"], &["2.2.0", "2.1.2"]);
    check(hex, "~> 2.1-dev", &["2.1.0-dev", "2.9.0"], &["3.0.0"]);
    check(hex, ">= 1.0.0 and < 2.0.0", &["1.0.0", "1.9.9"], &["2.0.0", "0.9.0"]);
    check(hex, "~> 1.0 or ~> 3.0", &["1.0.0", "3.5.0"], &["2.0.0", "4.0.0"]);
    check(hex, ">= 1.0.0 and < 1.2.0 or >= 2.0.0", &["1.1.9", "2.0.0"], &["1.2.0"]);
    check(hex, "1.2.3", &["1.2.3"], &["1.2.4"]);
    check(hex, "== 1.2.3", &["1.2.3"], &["1.2.4"]);
    check(hex, ">= 0.0.0 and != 1.5.0", &["1.4.0", "1.6.0"], &["1.5.0"]);
    check(hex, "", &["0.0.1", "99.0.0"], &[]);
    refused(hex, &["~> 2", ">= 1.0", "~> x", "and", "1.2.3 and", "or 1.0.0", ">= 1.0.0 < 2.0.0"]);
}

#[test]
fn others_have_no_ranges() {
    refused(Ecosystem::Go, &["1.0.0", "", "*"]);
    refused(Ecosystem::CocoaPods, &["~> 1.0"]);
}

#[test]
fn nothing_panics_and_everything_that_is_read_is_whole() {
    // Every prefix and every splice of the forms that the syntaxes know, in each of the syntaxes.
    let forms =
        ["[1.0,2.0)", "(,1.0],[1.2,)", "1.*-*", "~> 2.2.rc1", ">=1.0,<1.1 || >=1.2", "1.0 - 2.0", "^1.2.3-beta.1@dev"];
    for ecosystem in Ecosystem::ALL {
        for form in forms {
            for other in forms {
                for at in 0..=form.len() {
                    let text = format!("{}{}", &form[..at], &other[at.min(other.len())..]);
                    if let Some(read) = Requirement::parse(ecosystem, &text) {
                        assert_eq!(read.from(read.floor()).as_ref(), Some(&read), "{ecosystem} {text:?}");
                    }
                }
            }
        }
        let huge = format!("^{0}.{0}.{0}", u64::MAX);
        assert!(
            Requirement::parse(ecosystem, &huge)
                .is_none_or(|read| Version::parse(ecosystem, "0").is_some() || !read.floor().is_empty())
        );
    }
}
