//! Orders of every ecosystem against second implementations and the specifications' own examples.

use std::cmp::Ordering;

use proptest::prelude::*;

use super::{Order, Version};
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
    // As node-semver takes them apart with `loose`: what cannot follow the third number begins with its last digit.
    check(
        Ecosystem::Npm,
        &[
            "1.1.1-1.10-.pre 1.1.11.10-.pre",
            "1.2.3--",
            "1.2.3--.pre 1.2.3-.pre",
            "1.2.3",
            "1.3.0-1.1 1.3.01.1 1.3.01.1+b",
            "1.3.0-1.a 1.3.01.a",
            "1.3.0",
        ],
    );
    unordered(Ecosystem::Npm, &["latest", "1.2.3.4", "1.2beta", "*", "^1.2.3", "file:../x"]);
    unordered(Ecosystem::Npm, &["1.2.3.4-x", "1.2.33-.", "1.2.33.", "1.2.33..a", "1.2.", "1.2..", "1.2.3.é"]);
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

/// What each tool says of its own versions. Where no line names a source, the tool itself was asked.
const LISTS: &[(Order, &str)] = &[
    (
        Order::Maven,
        "
        # Maven's ComparableVersionTest and the Version Order Specification
        1-alpha2snapshot < 1-alpha2
        1-alpha2 < 1-alpha-123
        1-alpha-123 < 1-beta-2
        1-beta-2 < 1-beta123
        1-beta123 < 1-m2
        1-m2 < 1-m11
        1-m11 < 1-rc
        1-rc = 1-cr
        1-cr2 = 1-rc2
        1-rc < 1-rc2
        1-rc2 < 1-rc123
        1-rc123 < 1-SNAPSHOT
        1-SNAPSHOT < 1
        1 < 1-sp
        1-sp < 1-sp2
        1-sp2 < 1-sp123
        1-sp123 < 1-abc
        1-abc < 1-def
        1-def < 1-pom-1
        1-pom-1 < 1-1-snapshot
        1-1-snapshot < 1-1
        1-1 < 1-2
        1-2 < 1-123
        2.0 < 2-1
        2-1 > 2.0.a
        2.0.a = 2.0.0.a
        2.0.2 < 2.0.123
        2.0.123 < 2.1.0
        2.1.0 < 2.1-a
        2.1-a < 2.1b
        2.1b < 2.1-c
        2.1-c < 2.1-1
        2.1-1 < 2.1.0.1
        2.1.0.1 < 2.2
        2.2 < 2.123
        11.a2 < 11.a11
        11.a11 < 11.b2
        11.m11 < 11
        11 < 11.a
        1 = 1.0.0-0.0.0
        1-foo = 1.0.0-foo.0.0
        1-1 = 1-ga-1
        1-1.foo-bar-1-baz-0.1 = 1-1.foo-bar1baz-.1
        1.0.0.Final = 1
        1.0.0.RELEASE = 1.0
        1.0.Alpha1 < 1.0
        1.0.0.Beta2 < 1.0.0.CR1
        1.foo = 1-foo
        1-foo < 1-1
        1-1 < 1.1
        6.1.0rc3 < 6.1H.5-beta
        12345678901234567890.1H.5-beta > 123456789012345.1H.5-beta
        9.4.43.v20210629 < 9.4.44.v20210927
        2.10.5.1 > 2.10.5
        3.0.0-SNAPSHOT < 3.0.0
        1.0.0.redhat-00001 > 1.0.0
        31.1-jre > 30.0-jre
        31.1-android < 31.1-jre
        ",
    ),
    (
        Order::Debian,
        "
        # dpkg's own test of version comparison
        0:0-0 = 0-0
        0 = 0-0
        1.0 = 1.0-0
        0:1 < 1:0
        1.0~rc1 < 1.0
        1.0~rc1~git1 < 1.0~rc1
        1.0~~ < 1.0~
        1.0 < 1.0a
        1.0a < 1.0+
        1.0a1 > 1.0a
        7.6p2-4 > 7.6-0
        1.0.3-3 > 1.0-1
        1.3 > 1.2.2-2
        1.3 < 1.3.1
        2:1.2.3 < 3:0
        1.2-1+deb12u1 > 1.2-1
        1.2-1~bpo12+1 < 1.2-1
        1.10 > 1.9
        1.010 = 1.10
        1.1.0+git1~1 < 1.1.0+git1
        20.04-0ubuntu1 < 20.04-0ubuntu1.1
        ",
    ),
    (
        Order::Rpm,
        "
        # rpm's tests/rpmvercmp.at
        1.0 = 1.0
        1.0 < 2.0
        2.0 > 1.0
        2.0.1 > 2.0
        2.0.1a > 2.0.1
        5.5p1 < 5.5p2
        5.5p10 > 5.5p1
        10xyz < 10.1xyz
        xyz10 < xyz10.1
        xyz.4 < 8
        5.5p2 < 5.6p1
        6.0.rc1 > 6.0
        10b2 > 10a1
        1.0aa > 1.0a
        10.0001 = 10.1
        10.0001 < 10.0039
        4.999.9 < 5.0
        20101121 < 20101122
        2_0 = 2.0
        a+ = a_
        +_ = _+
        1.0~rc1 < 1.0
        1.0~rc1 < 1.0~rc2
        1.0~rc1~git123 < 1.0~rc1
        1.0^ > 1.0
        1.0^git1 > 1.0
        1.0^git1 < 1.0.1
        1.0^git1 < 1.0^git2
        1.0^git1 < 1.01
        1.0^20160101 < 1.0.1
        1.0^20160101^git1 > 1.0^20160101
        1.0~rc1^git1 > 1.0~rc1
        1.0^git1~pre < 1.0^git1
        0:1.0-1 = 1.0-1
        1:0.9-1 > 1.0-1
        1.0-1.el9 < 1.0-1.el9_2.1
        1.0 < 1.0-1
        ",
    ),
    (
        Order::Alpine,
        "
        # apk-tools' test/version.data
        2.34 > 0.1.0_alpha
        0.1.0_alpha = 0.1.0_alpha
        0.1.0_alpha2 > 0.1.0_alpha
        1.1 > 1.1_alpha1
        1.3_alpha2 < 1.3_alpha3
        2.3.0b-r1 < 2.3.0b-r2
        3.1_p16 < 3.1_p17
        3.1_p17 > 1.06-r6
        1.06-r6 < 006
        2.01.01_alpha10 > 0.94
        1.0 > 0.99.3.20040818
        1.02.07 < 1.02.10-r1
        1.05 < 1.1
        ",
    ),
    (
        Order::RubyGems,
        "
        # rubygems' test_gem_version.rb
        1.0 = 1.0.0
        1 = 1.0
        1.0.a < 1.0
        1.0.a1 < 1.0.a2
        1.0.a10 > 1.0.a2
        1.a < 1
        1.0.0-1 = 1.0.0.pre.1
        1.0.0-1 < 1.0.0
        1.8.2.b9 < 1.8.2.b10
        1.8.2.a10 > 1.8.2.a9
        1.8.2.a < 1.8.2
        1.8.2 > 0.0.0
        1.8.2 > 1.8.2.a
        1.8.2.b > 1.8.2.a
        1.8.2.1 > 1.8.2
        1.0.0.a = 1.a
        1.a.0.1 > 1.a
        1.a.0.b < 1.a
        1.a.0.0.b > 1.a.0.b
        1.0.0.beta.2 < 1.0.0.beta.11
        5.2.4.rc1 < 5.2.4
        1.0.1 < 1.0.10
        ",
    ),
    (
        Order::Packagist,
        "
        # what Composer\\Semver\\Comparator says
        1 = 1.0
        1.0 = 1.0.0.0
        v1.0.0 = 1.0
        1.0 = 1.0-stable
        1.0dev < 1.0alpha
        1.0-dev < 1.0-alpha
        1.0alpha = 1.0a
        1.0-alpha1 < 1.0-alpha2
        1.0-alpha3.1 < 1.0-alpha31
        1.0-alpha < 1.0-beta
        1.0-beta < 1.0-RC
        1.0RC1 = 1.0-rc.1
        1.0.0-rC15-dev = 1.0.0.RC.15-dev
        1.0.0-rC15-dev < 1.0.0-RC15
        1.0-RC2 < 1.0
        1.0-p1 > 1.0
        1.0p1 = 1.0-pl1
        1.0.1 > 1.0p1
        4.4.10 > 4.4.9
        2.4.7-p3 < 2.4.7-p10
        2.0.0-beta.2 < 2.0.0-beta.11
        20100102-203040 = 20100102.203040
        20100102-203040 < 20100102-203040-p1
        2010-01-02 < 2010.01.03
        1.x-dev > 1.9.9
        1.x-dev < 2.0-dev
        # what Composer does not know, and advisories name
        1.0 > 1.0-whatever
        1.0_1 > 1.0
        ",
    ),
    (
        Order::NuGet,
        "
        1.0 = 1.0.0.0
        1.0.0-BETA = 1.0.0-beta
        1.0.0 = 1.0.0+build
        1.0.01 = 1.0.1.0
        1.0 < 1.0.0.1
        1.0.0.1-alpha < 1.0.0.1-pre
        1.0.0 < 1.0.0.1-alpha
        1.0.0-beta < 1.0.0-beta2
        1.0.0-beta.2 < 1.0.0-beta.11
        1.0.0-beta2 > 1.0.0-beta11
        ",
    ),
    (
        Order::Pub,
        "
        # pub_semver's version_test.dart
        1.0.0-alpha < 1.0.0-alpha.1
        1.0.0-beta.2 < 1.0.0-beta.11
        1.0.0-rc.1 < 1.0.0-rc.1+build.1
        1.0.0-rc.1+build.1 < 1.0.0
        1.0.0 < 1.0.0+0.3.7
        1.3.7+build < 1.3.7+build.2.b8f12d7
        1.3.7+build.2.b8f12d7 < 1.3.7+build.11.e0f985a
        1.2.3+900 < 1.2.3+a
        ",
    ),
    (Order::Hackage, "1.0 < 1.0.0\n1.2.3 < 1.10\n0.2 < 0.10\n1.0.0.1 > 1.0.0"),
    (Order::Cran, "0.01.0 = 0.1-0\n0.9 < 0.75\n0.1-2 < 0.2\n1.0 < 1.0-1\n0.1.0 < 0.1.0.0"),
    (
        Order::Cran,
        "
        # what R 4.2 says of versions of Matrix, lattice, MASS, Rcpp, BH, XML and packages in development
        0.0.0.9000 < 0.1
        0.1-1 > 0.1.0
        0.20-41 < 0.20-45
        0.20-45 < 0.22-5
        1.0.4.6 < 1.0.13
        1.0.13 < 1.0.13-1
        1.75.0-0 < 1.84.0-1
        3.99-0.14 < 7.3-58.3
        7.3-60 < 7.3-60.2
        2024.3-1 < 2024.12-1
        ",
    ),
    (
        Order::Conan,
        "
        1.1.1k < 1.1.1l
        1.1.1 < 1.1.1k
        1.1.1k < 1.1.2
        1.0 = 1
        1.2.0-rc1 < 1.2.0
        1.2.11 > 1.2.2
        1.0+1 > 1.0
        cci.20200101 < cci.20211118
        # what Conan 2 says of versions of OpenSSL, libjpeg, Abseil, Dear ImGui, Boost and portaudio
        1.1.1w < 1.1.2
        3.0.0-alpha1 < 3.0.0
        9b < 9c
        9f < cci.20200101
        cci.20211118 > 20211102.0
        20211102.0 < 20230125.3
        1.89.2-docking < 1.89.2
        1.79.0 > 1.79.0-rc1
        1.79.0-rc1 < v190600.20161030
        ",
    ),
    (
        Order::Semver,
        "
        # what Elixir 1.14 says, whose order Hex has
        1.7.0-rc.2 < 1.7.0-rc.10
        1.7.0-rc.10 < 1.7.0
        1.7.0 > 1.7.0-dev
        1.7.10 > 1.7.9
        1.0.0-alpha.1 > 1.0.0-alpha
        2.0.0+build = 2.0.0
        3.0.0-rc > 3.0.0-1
        ",
    ),
    (
        Order::Pep440,
        "
        # packaging 21's LegacyVersion
        2004d < 0.0.1.dev0
        0.1-bulbasaur < 0
        1.0-SNAPSHOT-x < 1.0.dev0
        2004e > 2004d
        1.0-x2 < 1.0-x10
        ",
    ),
];

#[test]
fn every_tool_finds_its_own_order() {
    for (order, list) in LISTS {
        let checked = order.check(list);
        assert!(checked.passed > 3, "{order:?} has its rows");
        assert_eq!(checked.missed, [], "{order:?}");
    }
}

#[test]
fn a_list_says_what_is_the_case_instead() {
    let checked = Order::Semver.check("1.0.0 > 2.0.0\n\n# 1 < 0\n// 1 < 0\n1.0.0 < x\n1.0.0 2.0.0\n1.0.0 = 1.0.0\n");
    let said: Vec<(usize, &str)> = checked.missed.iter().map(|miss| (miss.line, miss.instead.as_str())).collect();
    assert_eq!(
        said,
        [
            (1, "1.0.0 < 2.0.0"),
            (5, "\"x\" has no place in this order"),
            (6, "not a comparison; write two versions with <, = or > and blanks between"),
        ]
    );
    assert_eq!(checked.passed, 1);
}

#[test]
fn branches_of_composer_have_no_place_among_versions() {
    let checked = Order::Packagist.check("dev-master < 1.0\ndev-main = dev-main\n1.0.0@dev = 1.0\nmain < 1.0");
    let said: Vec<(usize, &str)> = checked.missed.iter().map(|miss| (miss.line, miss.instead.as_str())).collect();
    assert_eq!(
        said,
        [
            (1, "\"dev-master\" has no place in this order"),
            (2, "\"dev-main\" has no place in this order"),
            (4, "\"main\" has no place in this order"),
        ]
    );
}

#[test]
fn a_list_is_checked_by_the_order_that_matching_has() {
    let texts =
        ["1.0", "1.0.0", "v1", "1.0-rc1", "1.0-p1", "20100102-203040", "1.x-dev", "dev-main", "1.0-meh", "go1.21"];
    for ecosystem in Ecosystem::ALL.into_iter().filter(|one| *one != Ecosystem::PyPi) {
        for text in texts {
            assert_eq!(
                Version::parse(ecosystem, text),
                Version::parse_in(ecosystem.order(), text),
                "{ecosystem} {text}"
            );
        }
    }
}

#[test]
fn a_release_does_not_change_the_order() {
    for (name, order) in [
        ("Debian", Order::Debian),
        ("Ubuntu:22.04:LTS", Order::Debian),
        ("Alpine:v3.20", Order::Alpine),
        ("Red Hat:enterprise_linux:9::appstream", Order::Rpm),
        ("Maven", Order::Maven),
    ] {
        assert_eq!(Order::of(name), Some(order), "{name}");
    }
    assert_eq!(Order::of("Maven2"), None);
    assert!(Order::names().is_sorted());
    for ecosystem in Ecosystem::ALL.into_iter().filter(|ecosystem| ecosystem.has_advisories()) {
        assert_eq!(Order::of(ecosystem.osv_name()), Some(ecosystem.order()));
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
    fn python_reads_release_numbers_alone_as_among_others(text in "[0-9]{1,21}(\\.(0|[0-9]{1,12})){0,20}") {
        // What stands behind a `v` is not read the short way.
        prop_assert_eq!(Version::parse(Ecosystem::PyPi, &text), Version::parse(Ecosystem::PyPi, &format!("v{text}")));
    }

    #[test]
    fn a_key_is_appended_as_it_is_parsed(pep in PEP440, numbers in " ?[0-9]{1,4}(\\.[0-9]{1,4}){0,3} ?", text in "\\PC{0,12}") {
        for (ecosystem, text) in Ecosystem::ALL.into_iter().flat_map(|one| [(one, &pep), (one, &numbers), (one, &text)]) {
            let mut key = b"before".to_vec();
            let is_version = Version::push_key(ecosystem, text, &mut key);
            let parsed = Version::parse(ecosystem, text);
            prop_assert_eq!(is_version, parsed.is_some(), "{}", text);
            let own = parsed.map_or_else(Vec::new, Version::into_key);
            prop_assert_eq!(key, [&b"before"[..], &own].concat(), "{}", text);
        }
    }

    #[test]
    fn any_text_is_a_version_or_not_without_harm(text in "\\PC{0,40}") {
        for ecosystem in Ecosystem::ALL {
            let _ = Version::parse(ecosystem, &text);
        }
    }
}
