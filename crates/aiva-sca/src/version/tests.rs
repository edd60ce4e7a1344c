//! Orders of every ecosystem against second implementations and the specifications' own examples.

use std::cmp::Ordering;

use proptest::prelude::*;

use super::Version;
use crate::package::Ecosystem;

/// Every version sorts after the one before it; a group in one string, separated by blanks, is one version in many spellings.
#[track_caller]
fn check(ecosystem: Ecosystem, ascending: &[&str]) {
    let groups: Vec<Vec<&str>> = ascending.iter().map(|group| group.split(' ').collect()).collect();
    for (i, left) in groups.iter().enumerate() {
        for (j, right) in groups.iter().enumerate() {
            for a in left {
                for b in right {
                    let keys =
                        [a, b].map(|v| Version::parse(ecosystem, v).unwrap_or_else(|| panic!("{v} is a version")));
                    assert_eq!(keys[0].cmp(&keys[1]), i.cmp(&j), "{a} against {b}");
                }
            }
        }
    }
}

#[track_caller]
fn unordered(ecosystem: Ecosystem, texts: &[&str]) {
    for text in texts {
        assert_eq!(Version::parse(ecosystem, text), None, "{text}");
    }
}

#[test]
fn crates_are_ordered_as_semver_says() {
    check(
        Ecosystem::CratesIo,
        &[
            "0.0.0-0",
            "0.0.0 0 0.0 0.0.0+build",
            "0.9.0",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0 v1.0.0 1 1.0 1.0.0+21AF26D3",
            "1.0.1",
            "1.2.0",
            "1.10.0",
            "1.255.0",
            "1.256.0",
            "2.0.0--",
            "2.0.0",
            "18446744073709551615.0.0",
            "18446744073709551616.0.0", // one more than fits
            "99999999999999999999999.0.0",
        ],
    );
    unordered(
        Ecosystem::CratesIo,
        &["", " ", "x", "1.2.3.4", "1.2.3beta", "1..3", "1.2.3-", "1.2.3-a..b", "1.2.3+", "1.2.3-é"],
    );
}

#[test]
fn npm_is_read_loosely() {
    check(
        Ecosystem::Npm,
        &[
            "1.2.3-alpha",
            "1.2.3-beta 1.2.3beta v1.2.3-beta =1.2.3-beta",
            "1.2.3-beta.2 1.2.3beta.2 1.2.3-beta.02",
            "1.2.3 =v1.2.3 1.2.3+build.7 01.02.03",
            "1.2.4",
        ],
    );
    unordered(Ecosystem::Npm, &["latest", "1.2.3.4", "1.2beta", "*", "^1.2.3", "file:../x"]);
}

#[test]
fn go_knows_pseudo_versions_and_its_own_tags() {
    check(
        Ecosystem::Go,
        &[
            "0.0.0-20170915032832-14c0d48ead0c v0.0.0-20170915032832-14c0d48ead0c",
            "0.0.0-20191109021931-daa7c04131f5",
            "0.0.0",
            "1.2.3-pre",
            "1.2.3-pre.0.20191109021931-daa7c04131f5",
            "1.2.3",
            "1.2.4-0.20191109021931-daa7c04131f5",
            "1.2.4 v1.2.4+incompatible",
            "1.20.14 go1.20.14",
            "1.21.0-beta.1 1.21beta1",
            "1.21.0-rc.1 go1.21rc1 1.21rc1",
            "1.21.0-rc.2 go1.21rc2",
            "1.21.0 go1.21 1.21 go1.21.0",
            "1.21.1",
        ],
    );
    unordered(Ecosystem::Go, &["devel", "(devel)", "1.21rc", "1.21x1", "master", "go"]);
}

#[test]
fn python_is_ordered_as_pep_440_says() {
    check(
        Ecosystem::PyPi,
        &[
            "0.9 0.9.0 00.09",
            "1.dev0 1.0.dev0 1.0dev 1.0-dev0 1.0_DEV0",
            "1.0a1.dev1",
            "1.0a1 1.0alpha1 1.0-alpha.1 1.0_a-1 1.0.A1 v1.0a1",
            "1.0a2.dev456",
            "1.0a2",
            "1.0a12",
            "1.0b1.dev1",
            "1.0b1 1.0-beta_1",
            "1.0b2",
            "1.0b2.post345.dev456",
            "1.0b2.post345",
            "1.0rc1.dev1",
            "1.0rc1 1.0c1 1.0pre1 1.0preview1 1.0-rc-1",
            "1.0 1 1.0.0 1.0.0.0 v1.0",
            "1.0+abc.5",
            "1.0+abc.7 1.0+ABC-7 1.0+abc_7",
            "1.0+5",
            "1.0.post1.dev2",
            "1.0.post1 1.0-1 1.0-r1 1.0.rev1 1.0post1 1.0_post_1",
            "1.0.15",
            "1.1.dev1",
            "1.1",
            "2004.1",
            "1!0.5",
            "1!1.0",
            "20!0",
        ],
    );
    unordered(
        Ecosystem::PyPi,
        &["2004d", "1.0-SNAPSHOT-x", "1.0+", "1.0+a..b", "x", "1.0.*", ">=1.0", "1.0-dev-r3", "!1"],
    );
}

#[test]
fn a_local_version_knows_its_public_part() {
    let local = Version::parse(Ecosystem::PyPi, "1.13.0+cu117").unwrap();
    let public = Version::parse(Ecosystem::PyPi, "1.13").unwrap();
    assert_eq!(local.public_key(), Some(public.key()));
    assert_eq!(public.public_key(), None);
}

#[test]
fn endless_texts_are_no_versions() {
    let long = format!("1.0.{}", "9".repeat(300));
    for ecosystem in Ecosystem::ALL {
        unordered(ecosystem, &[&long]);
    }
}

fn order(ecosystem: Ecosystem, a: &str, b: &str) -> Option<Ordering> {
    Some(Version::parse(ecosystem, a)?.cmp(&Version::parse(ecosystem, b)?))
}

const SEMVER: &str = "(0|[1-9][0-9]{0,2}|1[0-9]{17})\\.(0|[1-3])\\.(0|[1-3])(-(0|[1-9][0-9]?|[a-c-]{1,2}|[0-9]a)(\\.(0|[1-9]|a|b0)){0,2})?(\\+[a-z0-9-]{1,2}(\\.[a-z0-9])?)?";
const PEP440: &str = "(v)?([0-2]!)?[0-3]{1,2}(\\.[0-3]){0,3}([-_.]?(a|b|c|rc|alpha|beta|pre|preview|RC)([-_.]?[0-9]{1,2})?)?(-[0-9]|[-_.]?(post|rev|r)([-_.]?[0-9])?)?([-_.]?dev([-_.]?[0-9])?)?(\\+[a-z0-9]{1,2}([-_.][a-z0-9]{1,2}){0,2})?";

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn crates_agree_with_the_semver_crate(a in SEMVER, b in SEMVER) {
        if let (Ok(x), Ok(y)) = (semver::Version::parse(&a), semver::Version::parse(&b)) {
            prop_assert_eq!(order(Ecosystem::CratesIo, &a, &b), Some(x.cmp_precedence(&y)), "{} {}", a, b);
            prop_assert_eq!(order(Ecosystem::Go, &a, &b), Some(x.cmp_precedence(&y)), "{} {}", a, b);
        }
    }

    #[test]
    fn npm_agrees_with_nodejs_semver(a in SEMVER, b in SEMVER) {
        if let (Ok(x), Ok(y)) = (nodejs_semver::Version::parse(&a), nodejs_semver::Version::parse(&b)) {
            prop_assert_eq!(order(Ecosystem::Npm, &a, &b), Some(x.cmp(&y)), "{} {}", a, b);
        }
    }

    #[test]
    fn python_agrees_with_pep440_rs(a in PEP440, b in PEP440) {
        let x: Result<pep440_rs::Version, _> = a.parse();
        let y: Result<pep440_rs::Version, _> = b.parse();
        if let (Ok(x), Ok(y)) = (x, y) {
            prop_assert_eq!(order(Ecosystem::PyPi, &a, &b), Some(x.cmp(&y)), "{} {}", a, b);
            prop_assert_eq!(order(Ecosystem::PyPi, &a, &x.to_string()), Some(Ordering::Equal), "{} {}", a, x);
        }
    }

    #[test]
    fn python_accepts_what_pep440_rs_accepts(a in "[0-9v!.abcdeoprstv+_-]{1,12}") {
        let theirs = a.parse::<pep440_rs::Version>().is_ok();
        prop_assert_eq!(Version::parse(Ecosystem::PyPi, &a).is_some(), theirs, "{}", a);
    }

    #[test]
    fn any_text_is_a_version_or_not_without_harm(text in "\\PC{0,40}") {
        for ecosystem in Ecosystem::ALL {
            let _ = Version::parse(ecosystem, &text);
        }
    }
}
