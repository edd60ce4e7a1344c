//! A requirement moved to a version: the operator stays, an upper bound that would shut the version out goes.

use std::collections::HashSet;

use crate::name::behind_npm;
use crate::package::Ecosystem;
use crate::scan::range_of;
use crate::version::{Requirement, Version};

/// The requirement that allows nothing below `to`; `None` where the text is none that can be moved (an address, a workspace).
pub(super) fn moved(ecosystem: Ecosystem, text: &str, to: &str) -> Option<String> {
    let trimmed = text.trim();
    let target = Version::parse(ecosystem, to)?;
    if is_at_least(ecosystem, trimmed, &target) {
        return Some(text.to_owned());
    }
    if let Some((versions, branches)) = parted(trimmed).filter(|_| ecosystem == Ecosystem::Packagist) {
        return Some(format!("{} || {branches}", moved(ecosystem, &versions, to)?));
    }
    match ecosystem {
        Ecosystem::Npm => npm(trimmed, to),
        Ecosystem::CratesIo => bounds(ecosystem, trimmed, to, &target, "", &["^", "~", ">=", "="]),
        Ecosystem::PyPi => bounds(ecosystem, trimmed, to, &target, ">=", &["^", "~=", "~", ">=", "===", "=="]),
        Ecosystem::Packagist => packagist(trimmed, to),
        Ecosystem::Pub => dart(trimmed, to, &target),
        Ecosystem::Maven | Ecosystem::NuGet => return interval(ecosystem, trimmed, to, &target),
        _ => None,
    }
    // What does not hold the version that it was made for is no help.
    .filter(|new| {
        Requirement::parse(ecosystem, range_of(new)).is_some_and(|requirement| requirement.holds(target.key()))
    })
}

/// Whether a requirement allows nothing below a version: it is never lowered to that.
fn is_at_least(ecosystem: Ecosystem, text: &str, target: &Version) -> bool {
    Requirement::parse(ecosystem, range_of(text)).is_some_and(|range| range.floor() >= target.key())
}

/// Maven's, NuGet's and gradle's intervals; a bare version is replaced. An upper bound that lies above the version stays. What is there is
/// never lowered: two packages may share it.
fn interval(ecosystem: Ecosystem, text: &str, to: &str, target: &Version) -> Option<String> {
    let (plain, strictly) = text.strip_suffix("!!").map_or((text, ""), |plain| (plain, "!!"));
    if plain.starts_with("latest.") || matches!(plain, "LATEST" | "RELEASE") {
        return None;
    }
    let is_bare = plain.starts_with(|c: char| c.is_ascii_alphanumeric()) && !plain.contains([',', '*', '+', ' ']);
    if is_bare {
        let is_later = Version::parse(ecosystem, plain).is_some_and(|known| known >= *target);
        return Some(if is_later { text.to_owned() } else { format!("{to}{strictly}") });
    }
    if !plain.starts_with(|c: char| c.is_ascii_digit() || "[](*+".contains(c)) {
        return None;
    }
    let inner = plain.strip_prefix(['[', '(', ']']).and_then(|rest| rest.strip_suffix([']', ')', '[']));
    // Blanks stay where they are.
    let blank = |part: &str| part.get(..part.len() - part.trim_start().len()).unwrap_or_default().to_owned();
    let written = |part: &str| format!("{}{to}{}", blank(part), part.get(part.trim_end().len()..).unwrap_or_default());
    let raw: Vec<&str> = inner.map(|inner| inner.split(',').collect()).unwrap_or_default();
    let new = match inner.map(|_| raw.iter().map(|part| part.trim()).collect::<Vec<_>>()).as_deref() {
        Some([lower, ..]) if Version::parse(ecosystem, lower).is_some_and(|lower| lower >= *target) => {
            return Some(text.to_owned());
        }
        Some([_]) => format!("[{}]", written(raw.first().copied().unwrap_or_default())),
        Some([_, upper]) => {
            let lower = written(raw.first().copied().unwrap_or_default());
            let (ceiling, blank) =
                (raw.last().copied().unwrap_or_default(), blank(raw.last().copied().unwrap_or_default()));
            let close = plain.chars().last().unwrap_or(')');
            let end = Version::parse(ecosystem, upper).filter(|_| !upper.is_empty());
            let is_open = end.is_some_and(|end| if close == ']' { *target <= end } else { *target < end });
            if is_open { format!("[{lower},{ceiling}{close}") } else { format!("[{lower},{blank})") }
        }
        Some(_) => format!("[{to},)"),
        None => to.to_owned(), // `1.*`, `1.+`: as much of a pin as the file had
    };
    Some(format!("{new}{strictly}"))
}

/// Requirements that hold all at once (RubyGems: several strings; Hex: `and`), moved. A `~>` that says less than the whole version
/// stays as wide as it is and gets the version beside it as the least.
pub(super) fn moved_all(ecosystem: Ecosystem, parts: &[&str], to: &str) -> Option<Vec<String>> {
    let target = Version::parse(ecosystem, to)?;
    if parts.iter().any(|part| is_at_least(ecosystem, part, &target)) {
        return Some(parts.iter().map(|part| (*part).to_owned()).collect());
    }
    let holds = |part: &str| Requirement::parse(ecosystem, part).map(|requirement| requirement.holds(target.key()));
    let least = format!(">= {to}");
    let mut kept: Vec<String> = Vec::new();
    let mut has_least = parts.is_empty();
    for part in parts.iter().map(|part| part.trim()) {
        if part.contains(" or ") {
            return None; // which of the two is meant to stay, nobody can tell
        }
        let is_held = holds(part)?;
        let operator = part.get(..part.find(|c: char| c.is_ascii_digit())?)?.trim();
        let numbers = part.get(operator.len()..)?.trim().split('.').count();
        match operator {
            "" | "=" | "==" => {
                kept = vec![if operator.is_empty() { to.to_owned() } else { format!("{operator} {to}") }];
                has_least = false;
                break;
            }
            "~>" if numbers == to.split('.').count() => kept.push(format!("~> {to}")),
            "~>" => {
                let wide = || to.split('.').take(numbers).collect::<Vec<_>>().join(".");
                kept.push(if is_held { part.to_owned() } else { format!("~> {}", wide()) });
                has_least = true;
            }
            ">" | ">=" => has_least = true,
            _ if is_held => kept.push(part.to_owned()), // `<`, `<=`, `!=`
            _ => has_least |= kept.is_empty(),
        }
    }
    if has_least {
        let after = kept.iter().take_while(|part| part.starts_with("~>")).count();
        kept.insert(after, least);
    }
    (kept.iter().all(|part| holds(part) == Some(true)) && !kept.is_empty()).then_some(kept)
}

/// Composer's alternatives that are versions, and those that are branches, where there are both: those are no versions to move.
fn parted(text: &str) -> Option<(String, String)> {
    let all = text.split('|').map(str::trim).filter(|one| !one.is_empty());
    let (branches, versions): (Vec<&str>, Vec<&str>) =
        all.partition(|one| one.starts_with("dev-") || one.ends_with("-dev"));
    (!branches.is_empty() && !versions.is_empty()).then(|| (versions.join(" || "), branches.join(" || ")))
}

/// Composer's constraints.
fn packagist(text: &str, to: &str) -> Option<String> {
    Requirement::parse(Ecosystem::Packagist, text)?;
    if text.contains('@') {
        return None; // a stability flag is a choice that a version alone does not make
    }
    Some(match single(text) {
        Some(("~" | ">=", written, version)) if !version.contains('*') => format!("{written}{to}"),
        Some(("" | "=" | "==", written, version)) if !version.contains('*') && !version.ends_with(".x") => {
            format!("{written}{to}")
        }
        _ => format!("^{to}"),
    })
}

/// pub's constraints: what has a lower and an upper end keeps the upper one if the version lies below it.
fn dart(text: &str, to: &str, target: &Version) -> Option<String> {
    if !matches!(text, "" | "any") {
        Requirement::parse(Ecosystem::Pub, text)?;
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return Some(to.to_owned());
    }
    let upper = text.split_whitespace().find(|part| part.starts_with('<'));
    let is_open = |part: &&str| {
        Requirement::parse(Ecosystem::Pub, part).is_some_and(|requirement| requirement.holds(target.key()))
    };
    Some(match upper.filter(is_open) {
        Some(upper) => format!(">={to} {upper}"),
        None if text.starts_with(">=") && !text.contains('<') => format!(">={to}"),
        None => format!("^{to}"),
    })
}

fn npm(text: &str, to: &str) -> Option<String> {
    if let Some(alias) = text.strip_prefix("npm:") {
        return match behind_npm(alias) {
            (Some(name), range) if !range.is_empty() => Some(format!("npm:{name}@{}", npm(range, to)?)),
            (Some(_), _) => None,
            (None, range) => Some(format!("npm:{}", npm(range, to)?)),
        };
    }
    if text.contains([':', '/']) {
        return None;
    }
    Some(match single(text) {
        Some(("^" | "~" | ">=", written, _)) => format!("{written}{to}"),
        // With less than three numbers it is a range.
        Some(("" | "=", written, version))
            if !version.contains(['x', 'X', '*']) && version.matches('.').count() == 2 =>
        {
            format!("{written}{to}")
        }
        // Anything wider: what npm itself would write.
        _ => format!("^{to}"),
    })
}

/// The operator of what has one version, all that stands before that (`= `, `v`), and the version.
fn single(text: &str) -> Option<(&str, &str, &str)> {
    let (written, version) = text.split_at_checked(text.find(|c: char| c.is_ascii_digit())?)?;
    let operator = written.trim_end().trim_end_matches(['v', 'V']).trim_end();
    (!version.contains([' ', ',', '|'])).then_some((operator, written, version))
}

/// Comma-separated bounds, as cargo and PEP 440 write them.
fn bounds(ecosystem: Ecosystem, text: &str, to: &str, target: &Version, bare: &str, lower: &[&str]) -> Option<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut moved = false;
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty() && *part != "*") {
        let operator: String = part.chars().take_while(|c| !c.is_alphanumeric() && *c != '.' && *c != '*').collect();
        let operator = operator.trim();
        let version = part.get(operator.len()..)?;
        let blank = version.get(..version.len() - version.trim_start().len()).unwrap_or_default();
        let version = version.trim();
        if let Some(prefix) = version.strip_suffix(".*").filter(|_| operator == "==") {
            let length = prefix.split('.').count();
            kept.extend((!moved).then(|| same_prefix(to, length)));
            moved = true;
        } else if operator.is_empty() || lower.contains(&operator) || operator == ">" {
            let operator = if operator == ">" { ">=" } else { operator };
            kept.extend((!moved).then(|| format!("{operator}{blank}{to}")));
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

/// `==2.31.*`, and the version itself as the least: the prefix lets what comes before it in.
fn same_prefix(to: &str, length: usize) -> String {
    let prefix: Vec<&str> = to.split('.').take(length).collect();
    format!("=={}.*,>={to}", prefix.join("."))
}

/// The upper bounds that a text lost, as they were written.
pub(super) fn dropped(before: &str, after: &str) -> Vec<String> {
    let kept: HashSet<String> = upper_bounds(after).collect();
    upper_bounds(before).filter(|bound| !kept.contains(bound)).collect()
}

/// `<2`, and the ends of intervals in the same words: `[1,2)`.
fn upper_bounds(text: &str) -> impl Iterator<Item = String> {
    let is_end = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '+' | '*');
    let intervals = text.match_indices(',').filter_map(move |(at, _)| {
        let rest = text.get(at + 1..)?.trim_start_matches(' ');
        let (version, close) = rest.split_at_checked(rest.find(is_end)?)?;
        let operator = match close.chars().next()? {
            ']' => "<=",
            ')' | '[' => "<",
            _ => return None,
        };
        version.starts_with(|c: char| c.is_ascii_digit()).then(|| format!("{operator}{version}"))
    });
    let compared = text.match_indices('<').filter_map(move |(at, _)| {
        let rest = text.get(at + 1..)?;
        let operator = if rest.starts_with('=') { "<=" } else { "<" };
        let version = rest.trim_start_matches('=').trim_start();
        let version = version.get(..version.find(is_end).unwrap_or(version.len()))?;
        version.starts_with(|c: char| c.is_ascii_digit()).then(|| format!("{operator}{version}"))
    });
    compared.chain(intervals)
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
            ("=1.0.0", "=1.2.6"),
            ("= v1.0.0", "= v1.2.6"),
            ("v1.0.0", "v1.2.6"),
            ("=1.0", "^1.2.6"),
            ("~ 1.0.0", "~ 1.2.6"),
            ("npm:real@= 1.0.0", "npm:real@= 1.2.6"),
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
            (">= 1.0, < 2", ">= 1.2.6, < 2"),
            ("*", "1.2.6"),
        ] {
            check(CratesIo, text, "1.2.6", Some(want));
        }
        for (text, want) in [
            ("==1.0", "==1.2.6"),
            (">=1.0,<2", ">=1.2.6,<2"),
            (">=1.0,<1.2,!=1.1", ">=1.2.6,!=1.1"),
            ("==1.1.*", "==1.2.*,>=1.2.6"),
            ("==1.*", "==1.*,>=1.2.6"),
            ("~=1.0", "~=1.2.6"),
            ("<2", ">=1.2.6,<2"),
            ("", ">=1.2.6"),
        ] {
            check(PyPi, text, "1.2.6", Some(want));
        }
        check(PyPi, "==2.19.*", "2.31.0", Some("==2.31.*,>=2.31.0"));
        use Ecosystem::{Packagist, Pub};
        for (text, want) in [
            ("^1.0", Some("^1.2.6")),
            ("~1.0", Some("~1.2.6")),
            ("1.0.0", Some("1.2.6")),
            ("=1.0.0", Some("=1.2.6")),
            ("== v1.0.0", Some("== v1.2.6")),
            (">=1.0", Some(">=1.2.6")),
            (">= 1.0", Some(">= 1.2.6")),
            ("1.*", Some("^1.2.6")),
            ("~0.5 || ^1.0", Some("^1.2.6")),
            ("*", Some("^1.2.6")),
            ("dev-main", None),
            ("^1.0 || dev-main", Some("^1.2.6 || dev-main")),
            ("1.x-dev|~0.5|^1.0", Some("^1.2.6 || 1.x-dev")),
            ("1.0@beta", None),
        ] {
            check(Packagist, text, "1.2.6", want);
        }
        for (text, want) in [
            ("^1.0.0", "^1.2.6"),
            ("any", "^1.2.6"),
            ("1.0.0", "1.2.6"),
            (">=1.0.0 <2.0.0", ">=1.2.6 <2.0.0"),
            (">=1.0.0 <1.2.0", "^1.2.6"),
            (">=1.0.0", ">=1.2.6"),
        ] {
            check(Pub, text, "1.2.6", Some(want));
        }
        check(PyPi, ">=1.0,!=1.2.6", "1.2.6", None); // it would not hold the version
        for ecosystem in [Ecosystem::Maven, Ecosystem::NuGet] {
            for (text, want) in [
                ("1.0", Some("1.2.6")),
                ("2.0", Some("2.0")),
                ("1.0-beta", Some("1.2.6")),
                ("[1.0]", Some("[1.2.6]")),
                ("[1.3]", Some("[1.3]")),
                ("[2.0,3.0)", Some("[2.0,3.0)")),
                ("[1.0,2.0)", Some("[1.2.6,2.0)")),
                ("[1.0, 1.2]", Some("[1.2.6, )")),
                ("[1.0, 2.0)", Some("[1.2.6, 2.0)")),
                ("[ 1.0 , )", Some("[ 1.2.6 , )")),
                ("[ 1.0 ]", Some("[ 1.2.6 ]")),
                ("(,1.1),(1.1,)", Some("[1.2.6,)")),
                ("1.*", Some("1.2.6")),
                ("$x", None),
            ] {
                check(ecosystem, text, "1.2.6", want);
            }
        }
        check(Ecosystem::Maven, "[1.0, 2.0[", "1.2.6", Some("[1.2.6, 2.0["));
        check(Ecosystem::Maven, "1.0!!", "1.2.6", Some("1.2.6!!"));
        check(Ecosystem::Maven, "1.+", "1.2.6", Some("1.2.6"));
        check(Ecosystem::Maven, "latest.release", "1.2.6", None);
    }

    #[test]
    fn an_upper_bound_that_goes_is_told() {
        for (before, after, want) in [
            ("requests>=2.0,<2.20", "requests>=2.31.0", "<2.20"),
            ("a >=2,<= 2.11 ; python_version < '3.8'", "a >=2.11.3 ; python_version < '3.8'", "<=2.11"),
            ("\">=1 <2\"", "\"^1.2.6\"", "<2"),
            ("Version=\"[1.0, 1.2]\"", "Version=\"[1.2.6,)\"", "<=1.2"),
            ("strictly '[1.0,1.2['", "strictly '[1.2.6,)'", "<1.2"),
            ("[1.0,2.0)", "[1.2.6,2.0)", ""),
            ("[1, 2] x", "[1, 2] y", ""),
            (">=1.0,<2", ">=1.2.6,<2", ""),
            ("==1.0", "==1.2.6", ""),
        ] {
            assert_eq!(dropped(before, after).join(" "), want, "{before}");
        }
    }
}
