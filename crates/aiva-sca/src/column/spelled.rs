//! Which words of a line name a package: its whole name, else the part of it that the format writes there, else the entry's own
//! name where that is another one. Pure; the first of these that the line has.

use crate::package::Ecosystem;

/// Where in the line, in bytes.
pub(super) fn at(ecosystem: Ecosystem, name: &str, version: &str, line: &str) -> Option<usize> {
    if name.is_empty() {
        return None;
    }
    with_version(ecosystem, name, version, line)
        .or_else(|| in_part(ecosystem, name, line))
        .or_else(|| as_entry(ecosystem, name, line))
}

/// Where the whole name stands: of more than one place the first with the version between it and the next, else the first.
fn with_version(ecosystem: Ecosystem, name: &str, version: &str, line: &str) -> Option<usize> {
    let mut places = wholes(ecosystem, name, line);
    let first = places.next()?;
    let mut place = first;
    // One alone is not looked at any further.
    let mut next = places.next();
    if version.is_empty() || next.is_none() {
        return Some(first);
    }
    loop {
        if says(line.get(place + name.len()..next.unwrap_or(line.len())).unwrap_or_default(), version) {
            return Some(place);
        }
        let Some(at) = next else { return Some(first) };
        (place, next) = (at, places.next());
    }
}

/// Whether this version stands in a text, and not as a part of another one.
fn says(text: &str, version: &str) -> bool {
    text.match_indices(version).any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default();
        let before = before.strip_suffix('v').unwrap_or(before);
        let mut after = text.get(at + version.len()..).unwrap_or_default().chars();
        let goes_on = match after.next() {
            Some('.' | '-' | '+') => after.next().is_some_and(char::is_alphanumeric),
            next => next.is_some_and(is_word),
        };
        !before.ends_with(is_word) && !goes_on
    })
}

/// The first place where the whole name stands.
fn whole(ecosystem: Ecosystem, name: &str, line: &str) -> Option<usize> {
    wholes(ecosystem, name, line).next()
}

fn wholes<'t>(ecosystem: Ecosystem, name: &'t str, line: &'t str) -> impl Iterator<Item = usize> + 't {
    let (text, wanted) = (line.as_bytes(), name.as_bytes());
    let windows = text.windows(wanted.len().max(1)).enumerate();
    let is_whole = move |(at, window): &(usize, &[u8])| {
        window.iter().zip(wanted).all(|(a, b)| same(ecosystem, *a, *b))
            && starts(ecosystem, text.get(..*at).unwrap_or_default())
            && ends(ecosystem, text.get(at + wanted.len()..).unwrap_or_default())
    };
    windows.filter(is_whole).map(|(at, _)| at)
}

/// The part of a name that formats write apart from the rest: an artifact without its group, a package without its scope or host.
fn in_part(ecosystem: Ecosystem, name: &str, line: &str) -> Option<usize> {
    if ecosystem == Ecosystem::Maven {
        let (group, artifact) = name.split_once(':')?;
        if let Some(plugin) = artifact.strip_suffix(".gradle.plugin").filter(|plugin| *plugin == group) {
            return whole(ecosystem, plugin, line)
                .or_else(|| kotlin(plugin.strip_prefix("org.jetbrains.kotlin.")?, line));
        }
        return named(ecosystem, artifact, line).or_else(|| kotlin(artifact.strip_prefix("kotlin-")?, line));
    }
    // The address at npm of JSR's `@std/path`.
    if let Some((scope, own)) = name.strip_prefix("@jsr/").and_then(|name| name.split_once("__")) {
        return whole(ecosystem, &format!("@{scope}/{own}"), line);
    }
    let (_, last) = name.rsplit_once('/')?;
    named(ecosystem, last, line)
}

/// A part of a name, best where it is the value of a key: `group: 'commons-io', name: 'commons-io'`.
fn named(ecosystem: Ecosystem, part: &str, line: &str) -> Option<usize> {
    let is_value = |at: &usize| line.get(..*at).is_some_and(is_after_key);
    wholes(ecosystem, part, line).find(is_value).or_else(|| whole(ecosystem, part, line))
}

/// `kotlin("stdlib")`, Kotlin's own way to name its artifacts and plugins.
fn kotlin(short: &str, line: &str) -> Option<usize> {
    line.find(&format!("kotlin(\"{short}\"")).map(|at| at + "kotlin(\"".len())
}

/// The keys whose value is a name.
const KEYS: [&str; 2] = ["name", "artifactId"];

/// Whether a text ends with a key, and no more than what stands between a key and its value.
fn is_after_key(before: &str) -> bool {
    let key =
        before.trim_end_matches(|char: char| char.is_whitespace() || matches!(char, '"' | '\'' | '=' | ':' | '>'));
    key.len() < before.len() && KEYS.iter().any(|one| key.ends_with(one))
}

/// What the entry calls itself where that is not the package's name: an alias, a folder, a name with a property in it, Go.
fn as_entry(ecosystem: Ecosystem, name: &str, line: &str) -> Option<usize> {
    let begin = line.len() - line.trim_start().len();
    let trimmed = line.trim();
    if ecosystem == Ecosystem::Go && matches!(name, "stdlib" | "toolchain") {
        return ["go ", "toolchain "].iter().any(|word| trimmed.starts_with(word)).then_some(begin);
    }
    if ecosystem == Ecosystem::Npm && trimmed.starts_with('"') && trimmed.ends_with("\": {") {
        const MODULES: &str = "node_modules/";
        return Some(trimmed.rfind(MODULES).map_or(begin + 1, |at| begin + at + MODULES.len()));
    }
    // Two names on a line leave open which one it is.
    let mut values = KEYS.iter().flat_map(|key| line.match_indices(key)).filter_map(|(at, key)| {
        let rest = line.get(at + key.len()..)?;
        let value =
            rest.trim_start_matches(|char: char| char.is_whitespace() || matches!(char, '"' | '\'' | '=' | ':' | '>'));
        let is_key = line.get(..at).is_some_and(|before| !before.ends_with(is_word));
        let is_set = rest.starts_with(['"', '\'', '=', ':', '>', ' ']) && !value.is_empty();
        (is_key && is_set && !line.get(..at)?.ends_with('/')).then_some(line.len() - value.len())
    });
    values.next().filter(|_| values.next().is_none())
}

fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.')
}

/// Where names are one in any case, files write them as they like.
fn same(ecosystem: Ecosystem, a: u8, b: u8) -> bool {
    match ecosystem {
        Ecosystem::PyPi => fold(a) == fold(b),
        Ecosystem::NuGet | Ecosystem::Packagist | Ecosystem::SwiftUrl | Ecosystem::GitHubActions => {
            a.eq_ignore_ascii_case(&b)
        }
        _ => a == b,
    }
}

/// PyPI names in any spelling are one.
fn fold(byte: u8) -> u8 {
    match byte {
        b'_' | b'.' => b'-',
        byte => byte.to_ascii_lowercase(),
    }
}

fn starts(ecosystem: Ecosystem, before: &[u8]) -> bool {
    match before.last() {
        Some(b'/') => {
            before.ends_with(b"node_modules/") || !before.iter().rev().nth(1).is_some_and(|byte| is_of_name(*byte))
        }
        // cabal's `any.aeson`: as a library and in build scripts.
        Some(b'.') if ecosystem == Ecosystem::Hackage => before.ends_with(b"any."),
        Some(byte) => !is_of_name(*byte),
        None => true,
    }
}

/// A version may follow the name with only an `@` or a `/` between.
fn ends(ecosystem: Ecosystem, after: &[u8]) -> bool {
    match after {
        // A part of a pod, a folder of an action, a version that is a word.
        [b'/', ..] if is_parted(ecosystem) => true,
        [b'/', next, ..] => next.is_ascii_digit(),
        // `acme-missiles-0.3`: no part of a name there is a number.
        [b'-', next, ..] if ecosystem == Ecosystem::Hackage => next.is_ascii_digit(),
        [b'-' | b'.' | b'_', ..] => false,
        [byte, ..] => !byte.is_ascii_alphanumeric(),
        [] => true,
    }
}

fn is_parted(ecosystem: Ecosystem) -> bool {
    matches!(ecosystem, Ecosystem::CocoaPods | Ecosystem::GitHubActions | Ecosystem::ConanCenter)
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@')
}
