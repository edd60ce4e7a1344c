//! What a manifest's ranges allow: a requirement in the first line, versions in the next two.

use aiva_sca::package::Ecosystem;
use aiva_sca::version::{Requirement, Version};

pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.lines();
    let asked = lines.next().unwrap_or_default();
    let versions: Vec<&str> = lines.take(2).collect();
    for ecosystem in Ecosystem::ALL {
        let Some(requirement) = Requirement::parse(ecosystem, asked) else { continue };
        assert_eq!(requirement.from(requirement.floor()).as_ref(), Some(&requirement), "{ecosystem} {asked:?}");
        for version in versions.iter().filter_map(|text| Version::parse(ecosystem, text)) {
            let key = version.key();
            let rest = requirement.from(key);
            assert_eq!(
                requirement.holds(key),
                rest.as_ref().is_some_and(|rest| rest.holds(key)),
                "{ecosystem} {asked:?}"
            );
            assert!(!requirement.holds(key) || requirement.floor() <= key, "{ecosystem} {asked:?}");
        }
    }
    for text in versions {
        beside_cargo(asked, text);
    }
}

/// Pre-releases are left out: an advisory's range counts them, cargo's rule for choosing one does not.
fn beside_cargo(asked: &str, text: &str) {
    let (Ok(theirs), Ok(version)) = (semver::VersionReq::parse(asked), semver::Version::parse(text)) else { return };
    let is_final = version.pre.is_empty() && theirs.comparators.iter().all(|one| one.pre.is_empty());
    let Some(ours) = Requirement::parse(Ecosystem::CratesIo, asked).filter(|_| is_final) else { return };
    let Some(key) = Version::parse(Ecosystem::CratesIo, text) else { return };
    assert_eq!(ours.holds(key.key()), theirs.matches(&version), "{asked:?} and {text}");
}
