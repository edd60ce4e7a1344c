//! A requirement moved to a version: the operator stays, an upper bound that would shut the version out goes.

use crate::package::Ecosystem;
use crate::version::{Requirement, Version};

/// The requirement that allows nothing below `to`; `None` where the text is none that can be moved (an address, a workspace).
pub(super) fn moved(ecosystem: Ecosystem, text: &str, to: &str) -> Option<String> {
    let trimmed = text.trim();
    let target = Version::parse(ecosystem, to)?;
    match ecosystem {
        Ecosystem::Npm => npm(trimmed, to),
        Ecosystem::CratesIo => bounds(ecosystem, trimmed, to, &target, "", &["^", "~", ">=", "="]),
        Ecosystem::PyPi => bounds(ecosystem, trimmed, to, &target, ">=", &["^", "~=", "~", ">=", "===", "=="]),
        _ => None,
    }
    // What does not hold the version that it was made for is no help.
    .filter(|new| {
        let range = new
            .strip_prefix("npm:")
            .map_or(new.as_str(), |alias| alias.rsplit_once('@').map_or("", |(_, range)| range));
        Requirement::parse(ecosystem, range).is_some_and(|requirement| requirement.holds(target.key()))
    })
}

fn npm(text: &str, to: &str) -> Option<String> {
    if let Some(alias) = text.strip_prefix("npm:") {
        let (name, range) = alias.rsplit_once('@').filter(|(name, _)| !name.is_empty())?;
        return Some(format!("npm:{name}@{}", npm(range, to)?));
    }
    if text.contains([':', '/']) {
        return None;
    }
    let plain = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    Some(match text {
        one if !one.contains(' ') && one.strip_prefix('^').is_some_and(plain) => format!("^{to}"),
        one if !one.contains(' ') && one.strip_prefix('~').is_some_and(plain) => format!("~{to}"),
        one if !one.contains(' ') && one.strip_prefix(">=").is_some_and(|rest| plain(rest.trim())) => format!(">={to}"),
        one if plain(one) && !one.contains([' ', 'x', 'X', '*', '|']) && one.matches('.').count() == 2 => to.to_owned(),
        // Anything wider: what npm itself would write.
        _ => format!("^{to}"),
    })
}

/// Comma-separated bounds, as cargo and PEP 440 write them.
fn bounds(ecosystem: Ecosystem, text: &str, to: &str, target: &Version, bare: &str, lower: &[&str]) -> Option<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut moved = false;
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty() && *part != "*") {
        let operator: String = part.chars().take_while(|c| !c.is_alphanumeric() && *c != '.' && *c != '*').collect();
        let operator = operator.trim();
        let version = part.get(operator.len()..)?.trim();
        if operator.is_empty() || lower.contains(&operator) || operator == ">" {
            let operator = if operator == ">" { ">=" } else { operator };
            kept.extend((!moved).then(|| format!("{operator}{to}")));
            moved = true;
        } else if operator == "<" || operator == "<=" {
            let end = Version::parse(ecosystem, version.trim_end_matches(".*"))?;
            let open = if operator == "<" { *target < end } else { *target <= end };
            kept.extend(open.then(|| part.to_owned()));
        } else {
            kept.push(part.to_owned()); // `!=`
        }
    }
    if !moved {
        kept.insert(0, format!("{bare}{to}"));
    }
    let separator = if text.contains(", ") { ", " } else { "," };
    Some(kept.join(separator))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ecosystem: Ecosystem, text: &str, to: &str, want: Option<&str>) {
        assert_eq!(moved(ecosystem, text, to).as_deref(), want, "{ecosystem} {text} to {to}");
    }

    #[test]
    fn the_operator_stays_and_a_bound_that_shuts_out_goes() {
        use Ecosystem::{CratesIo, Npm, PyPi};
        for (text, want) in [
            ("^1.0.0", "^1.2.6"),
            ("~1.0.0", "~1.2.6"),
            ("1.0.0", "1.2.6"),
            (">=1.0.0", ">=1.2.6"),
            (">=1.0.0 <2", "^1.2.6"),
            ("1.x", "^1.2.6"),
            ("*", "^1.2.6"),
            ("", "^1.2.6"),
            ("^0.9 || ^1.0", "^1.2.6"),
            ("npm:real@^1.0.0", "npm:real@^1.2.6"),
        ] {
            check(Npm, text, "1.2.6", Some(want));
        }
        for text in ["workspace:*", "file:../a", "git+https://x/y", "github:a/b", "https://x/y.tgz"] {
            check(Npm, text, "1.2.6", None);
        }
        for (text, want) in [
            ("1.0", "1.2.6"),
            ("^1.0", "^1.2.6"),
            ("~1.0", "~1.2.6"),
            ("=1.0.0", "=1.2.6"),
            (">=1, <2", ">=1.2.6, <2"),
            (">=1, <1.2", ">=1.2.6"),
            ("*", "1.2.6"),
        ] {
            check(CratesIo, text, "1.2.6", Some(want));
        }
        for (text, want) in [
            ("==1.0", "==1.2.6"),
            (">=1.0,<2", ">=1.2.6,<2"),
            (">=1.0,<1.2,!=1.1", ">=1.2.6,!=1.1"),
            ("~=1.0", "~=1.2.6"),
            ("<2", ">=1.2.6,<2"),
            ("", ">=1.2.6"),
        ] {
            check(PyPi, text, "1.2.6", Some(want));
        }
        check(PyPi, ">=1.0,!=1.2.6", "1.2.6", None); // it would not hold the version
    }
}
