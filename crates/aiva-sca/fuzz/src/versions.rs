//! Orders texts, one a line, and asks the ecosystems' own libraries the same.

use std::cmp::Ordering;
use std::str::FromStr;

use aiva_sca::version::{MAX_LENGTH, Order, Version};

const ORDERS: [Order; 15] = [
    Order::Semver,
    Order::Npm,
    Order::Go,
    Order::Pep440,
    Order::Maven,
    Order::Pub,
    Order::NuGet,
    Order::RubyGems,
    Order::Packagist,
    Order::Hackage,
    Order::Cran,
    Order::Conan,
    Order::Debian,
    Order::Rpm,
    Order::Alpine,
];

pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let texts: Vec<&str> = text.lines().take(3).collect();
    for order in ORDERS {
        let versions: Vec<Option<Version>> = texts.iter().map(|text| one(order, text)).collect();
        let checked = order.check(text);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let comparisons = lines.filter(|line| !line.starts_with('#') && !line.starts_with("//")).count();
        assert_eq!(checked.passed + checked.missed.len(), comparisons, "{order:?}: counted to the last line");
        total(order, &versions.into_iter().flatten().collect::<Vec<_>>());
    }
    for one in &texts {
        for other in &texts {
            beside_semver(one, other);
            beside_pep440(one, other);
        }
    }
}

fn one(order: Order, text: &str) -> Option<Version> {
    let version = Version::parse_in(order, text)?;
    // The empty key is the very beginning of an interval, before every version.
    assert!((1..=16 * MAX_LENGTH).contains(&version.key().len()), "{order:?} {text:?}");
    assert_eq!(Some(&version), Version::parse_in(order, &format!(" {text}\t")).as_ref(), "{order:?} {text:?}");
    Some(version)
}

/// A total order, though a version may have more than its key.
fn total(order: Order, versions: &[Version]) {
    for a in versions {
        for b in versions {
            assert_eq!(a.cmp(b), b.cmp(a).reverse(), "{order:?} {a:?} {b:?}");
            assert!(a.key() != b.key() || a == b || order == Order::Pep440, "{order:?} {a:?} {b:?}");
            for c in versions {
                assert!(!(a <= b && b <= c) || a <= c, "{order:?} {a:?} {b:?} {c:?}");
            }
        }
    }
}

fn key_order(order: Order, one: &str, other: &str) -> Ordering {
    let key = |text| {
        let version = Version::parse_in(order, text);
        version.unwrap_or_else(|| panic!("{order:?}: the other implementation reads {text:?}"))
    };
    key(one).key().cmp(key(other).key())
}

fn beside_semver(one: &str, other: &str) {
    let (Ok(a), Ok(b)) = (semver::Version::parse(one), semver::Version::parse(other)) else { return };
    if one.len().max(other.len()) <= MAX_LENGTH {
        assert_eq!(key_order(Order::Semver, one, other), a.cmp_precedence(&b), "{one:?} {other:?}");
    }
}

fn beside_pep440(one: &str, other: &str) {
    let parse = |text: &str| pep440_rs::Version::from_str(text).ok();
    let (Some(a), Some(b)) = (parse(one), parse(other)) else { return };
    if one.trim().len().max(other.trim().len()) <= MAX_LENGTH {
        assert_eq!(key_order(Order::Pep440, one, other), a.cmp(&b), "{one:?} {other:?}");
    }
}
