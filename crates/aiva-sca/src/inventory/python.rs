//! What all of Python's formats share: how names are spelled, which indexes are public, how archives are listed.

use smol_str::{SmolStr, SmolStrBuilder};

use super::address::{host, without_secret};
use super::reading::{Fault, Reading};
use super::signs::Listed;
use super::toml::Toml;
use crate::package::{Ecosystem, NotJudged, Source};
use crate::version::Version;

/// A name as PEP 503 normalises it: small letters, runs of `-`, `_` and `.` become one `-`.
pub(crate) fn normalise(name: &str) -> SmolStr {
    let mut normal = SmolStrBuilder::new();
    let mut gap = false;
    for char in name.trim().chars() {
        if matches!(char, '-' | '_' | '.') {
            gap = true;
            continue;
        }
        if std::mem::take(&mut gap) {
            normal.push('-');
        }
        normal.push(char.to_ascii_lowercase());
    }
    if gap {
        normal.push('-');
    }
    normal.finish()
}

/// Hosts of the public index; the last is a mirror of all of it.
const PUBLIC: &[&str] =
    &["pypi.org", "pypi.python.org", "files.pythonhosted.org", "pypi.io", "pypi.tuna.tsinghua.edu.cn"];

/// The source behind the address of an index. An address that takes its parts from the environment says nothing.
pub(crate) fn index(address: &str) -> Source {
    if PUBLIC.contains(&host(address)) || address.is_empty() {
        return Source::Registry;
    }
    Source::PrivateRegistry(without_secret(address).into_owned())
}

/// Where a direct reference (PEP 508) leads.
pub(crate) fn source(address: &str) -> Source {
    let plain = without_secret(address).into_owned();
    let is_git = ["git+", "hg+", "svn+", "bzr+", "git@", "git:"].iter().any(|start| plain.starts_with(start));
    match () {
        () if is_git || plain.ends_with(".git") => Source::Git(plain),
        () if plain.starts_with("file:") || !plain.contains("://") => Source::Path(plain),
        () => Source::Url(plain),
    }
}

/// The name and version in the name of an archive of PyPI's, where the address is one: a release of the public index, however it is
/// asked for.
pub(crate) fn archive_of_release(address: &str) -> Option<(&str, &str)> {
    if !PUBLIC.contains(&host(address)) {
        return None;
    }
    let file = address.split(['?', '#']).next()?.rsplit('/').next()?;
    let (name, version) = match file.strip_suffix(".whl") {
        Some(wheel) => {
            let (name, rest) = wheel.split_once('-')?;
            (name, rest.split('-').next()?)
        }
        None => {
            [".tar.gz", ".zip", ".tar.bz2", ".tgz"].iter().find_map(|end| file.strip_suffix(end))?.rsplit_once('-')?
        }
    };
    // `django-1.0-1`: which dash stands before the version is not certain.
    (!has_number(name) && exact(version)).then_some((name, version))
}

/// Whether a number follows a dash, as a version does.
fn has_number(stem: &str) -> bool {
    stem.as_bytes().windows(2).any(|two| matches!(two, [b'-', digit] if digit.is_ascii_digit()))
}

/// The version of a package that is taken from an address of PyPI's: its archive says it.
pub(crate) fn released<'a>(address: &'a str, name: &str) -> Option<&'a str> {
    let (own, version) = archive_of_release(address)?;
    (normalise(own) == normalise(name)).then_some(version)
}

/// A source that is an address of PyPI's is the public index, where the archive is of the version that the file says, if it says one.
pub(crate) fn or_released(source: Source, name: &str, said: Option<&str>) -> Source {
    let key = |version: &str| Version::parse(Ecosystem::PyPi, version);
    let is_it = |version: &str| said.is_none_or(|said| said == version || key(said) == key(version));
    match source {
        Source::Url(address) if released(&address, name).is_some_and(is_it) => Source::Registry,
        other => other,
    }
}

/// Whether the address is that of an archive of another package: wheels and source archives begin with the name.
pub(crate) fn is_of_another(address: &str, name: &str) -> bool {
    let file = address.split(['?', '#']).next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let ends = [".whl", ".tar.gz", ".zip", ".tar.bz2", ".tgz"];
    let Some(stem) = ends.iter().find_map(|end| file.strip_suffix(end)) else { return false };
    if begins_with(stem, name) {
        return false; // as nearly all
    }
    // `v1.0.tar.gz` names no package.
    if !has_number(stem) {
        return false;
    }
    let own = normalise(name);
    !normalise(stem).strip_prefix(own.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Whether a file's name begins with that of a package, sign by sign, and goes on with another part.
fn begins_with(stem: &str, name: &str) -> bool {
    let is_gap = |byte: u8| matches!(byte, b'-' | b'_' | b'.');
    let Some((begin, rest)) = stem.as_bytes().split_at_checked(name.len()) else { return false };
    let mut pairs = begin.iter().zip(name.as_bytes());
    let same = pairs.all(|(one, other)| one.eq_ignore_ascii_case(other) || is_gap(*one) && is_gap(*other));
    same && rest.first().is_none_or(|byte| is_gap(*byte))
}

/// One archive in TOML: `{ url = "…", hash = "sha256:…" }`. With a name, an archive of another package is noted.
pub(crate) fn archive(toml: &mut Toml<'_>, name: Option<&str>, listed: &mut Listed) -> Result<(), Fault> {
    if !toml.is_table() {
        return toml.skip();
    }
    toml.table(|toml, key| {
        match key {
            "url" => {
                if let Some(url) = toml.string()? {
                    address(&url, name, listed);
                }
            }
            "hash" => toml.string()?.iter().for_each(|hash| listed.hash(hash)),
            "hashes" => hashes(toml, listed)?,
            _ => toml.skip()?,
        }
        Ok(())
    })
}

/// Hashes by their algorithms: `{ sha256 = "…" }` (PEP 751).
pub(crate) fn hashes(toml: &mut Toml<'_>, listed: &mut Listed) -> Result<(), Fault> {
    if !toml.is_table() {
        return toml.skip();
    }
    toml.table(|toml, algorithm| {
        hash(algorithm, toml.string()?.as_deref(), listed);
        Ok(())
    })
}

/// Notes a hash of this algorithm.
pub(crate) fn hash(algorithm: &str, value: Option<&str>, listed: &mut Listed) {
    if let Some(value) = value {
        listed.hash(&format!("{algorithm}:{value}"));
    }
}

/// Archives with their hashes, or hashes alone.
pub(crate) fn files(toml: &mut Toml<'_>, name: Option<&str>, listed: &mut Listed) -> Result<(), Fault> {
    if !toml.is_array() {
        return toml.skip();
    }
    toml.array(|toml| {
        if toml.is_table() {
            return archive(toml, name, listed);
        }
        toml.string()?.iter().for_each(|hash| listed.hash(hash));
        Ok(())
    })
}

/// Notes where an archive is, and whether that is another package's.
pub(crate) fn address(url: &str, name: Option<&str>, listed: &mut Listed) {
    listed.address(url);
    if name.is_some_and(|name| is_of_another(url, name)) {
        listed.elsewhere(url);
    }
}

/// Adds an entry that comes from an address and has no version.
pub(crate) fn outside(name: &str, address: &str, line: u32, reading: &mut Reading) {
    let entry = unversioned(name, address, line);
    // `app-1.0-py3-none-any.whl` is no name.
    if !entry.name.ends_with("-whl") && !entry.name.ends_with("-gz") && !entry.name.ends_with("-zip") {
        reading.outside(Ecosystem::PyPi, &entry.name, source(address), line);
    }
    reading.not_judged.push(entry);
}

/// An entry that comes from an address and has no version.
pub(crate) fn unversioned(name: &str, address: &str, line: u32) -> NotJudged {
    let reason = "from an address, not from an index: it has no version";
    NotJudged::new(Ecosystem::PyPi, normalise(name), without_secret(address), line, reason)
}

/// Whether a version after `==` is one exact version: no wildcard, nothing that is not a version.
pub(crate) fn exact(version: &str) -> bool {
    version.starts_with(|c: char| c.is_ascii_digit() || c == 'v')
        && version.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'-' | b'_' | b'!'))
}

/// Whether a text says versions, as PEP 440, pipenv and Poetry write it: an operator or none, and what begins as a version does. What
/// is empty allows any.
pub(crate) fn is_specifier(text: &str) -> bool {
    let mut waits = false; // An operator, for its version.
    for word in text.split(|c: char| matches!(c, ',' | '|') || c.is_whitespace()).filter(|word| !word.is_empty()) {
        let version = word.trim_start_matches(['<', '>', '=', '!', '~', '^']);
        let has_operator = version.len() < word.len();
        if waits && has_operator {
            return false;
        }
        let number = version.strip_prefix(['v', 'V']).unwrap_or(version);
        // Whatever stands behind `===` is compared as it is written; between two versions `-` makes a range.
        let is_version = number.starts_with(|c: char| c.is_ascii_digit())
            || version == "*"
            || word == "-"
            || word.starts_with("===")
            || waits && text.contains("===");
        if !version.is_empty() && !is_version {
            return false;
        }
        waits = version.is_empty();
    }
    !waits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_begins_with_the_name_of_its_package() {
        for (address, name, is_other) in [
            ("https://files.pythonhosted.org/packages/a/b/idna-3.4.tar.gz", "idna", false),
            ("https://files.pythonhosted.org/packages/a/b/other-3.4.tar.gz", "idna", true),
            ("https://files.pythonhosted.org/packages/a/b/idnaa-3.4-py3-none-any.whl", "idna", true),
            ("https://a.example/zope.interface-5.4.0-cp39-cp39-win32.whl#sha256=00", "zope-interface", false),
            ("https://a.example/Flask_Login-0.6.tar.gz?x=1", "flask-login", false),
            ("https://a.example/download/1234", "idna", false),
        ] {
            assert_eq!(is_of_another(address, name), is_other, "{address}");
        }
    }

    #[test]
    fn a_specifier_begins_as_versions_do() {
        for text in [
            "",
            "*",
            "1.2",
            "v1",
            "==1.*",
            ">= 1.2, <2",
            ">=1.2 <2",
            "^1.2||~2",
            "1.0 - 2.0",
            "===foo",
            "=== foo",
            "<2,>=1!1.0",
            "!=1.0,",
            "5.1 | *",
            "<>1.0",
            "==*",
            ">=3.0,\n<4",
            ">=\u{a0}3.0\r\n",
        ] {
            assert!(is_specifier(text), "{text}");
        }
        for text in ["nonsense", "==", ">=1,<", "> =1", "1.0, latest", "==x", "@ 1", "{1}", "\u{661}"] {
            assert!(!is_specifier(text), "{text}");
        }
    }
}
