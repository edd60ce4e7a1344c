//! Package URLs and CVSS vectors.

use aiva_sca::name::repository;
use aiva_sca::package::Ecosystem;
use aiva_sca::purl;
use aiva_sca::severity::Cvss;

/// Writes a package URL of the name in the first line and the version in the second, and reads it back.
pub(crate) fn purl(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (name, version) = text.split_once('\n').unwrap_or((text, ""));
    for ecosystem in Ecosystem::LANGUAGES {
        let url = purl::purl(ecosystem, name, version);
        let legal = |b: u8| b.is_ascii_alphanumeric() || b".-_~:%/@".contains(&b);
        assert!(url.bytes().all(legal), "{url}");
        let rest = url.strip_prefix(&format!("pkg:{}", ecosystem.purl_type())).expect("the type comes first");
        let (path, tail) = rest.split_once('@').unwrap_or((rest, ""));
        let back = decoded(path.strip_prefix('/').unwrap_or(path));
        let parts = |name: &str| name.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
        let want = match ecosystem {
            Ecosystem::PyPi => purl::pypi_name(name),
            Ecosystem::Maven => parts(&name.replace(':', "/")),
            Ecosystem::Packagist | Ecosystem::Hex | Ecosystem::GitHubActions => parts(&name.to_lowercase()),
            Ecosystem::SwiftUrl => parts(&repository(name).to_lowercase()),
            _ => parts(name),
        };
        assert_eq!(back, want, "{url}");
        assert!(decoded(tail).ends_with(version), "{url} for {version:?}");
        assert_eq!(purl::pypi_name(&purl::pypi_name(name)), purl::pypi_name(name), "one spelling");
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = [bytes.next(), bytes.next()].map(|digit| char::from(digit.expect("two digits")).to_digit(16));
        let [Some(high), Some(low)] = digits else { panic!("{text}") };
        out.push((high * 16 + low) as u8);
    }
    String::from_utf8(out).expect("what was encoded was text")
}

/// Scores a vector; the order of its metrics does not count.
pub(crate) fn cvss(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(cvss) = text.parse::<Cvss>() else { return };
    assert!((0.0..=10.0).contains(&cvss.score.as_f64()), "{text}");
    let (edition, metrics) = match text.strip_prefix("CVSS:") {
        Some(rest) => rest.split_once('/').map(|(edition, rest)| (format!("CVSS:{edition}/"), rest)).expect("a slash"),
        None => (String::new(), text.trim_matches(['(', ')'])),
    };
    let turned: Vec<&str> = metrics.rsplit('/').collect();
    assert_eq!(format!("{edition}{}", turned.join("/")).parse(), Ok(cvss), "{text}");
}
