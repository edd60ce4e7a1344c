//! What the fuzz targets do: feed bytes to a parser and hold it to what it promises.
//!
//! The replay test (`tests/it/fuzz_corpus.rs`) includes this file, so CI holds every kept input to the same promises without a
//! fuzzer. Start reading at [`TARGETS`].

use std::fs;
use std::path::Path;

use aiva_sca::advisory::{self, Index, osv};
use aiva_sca::inventory::Kind;
use aiva_sca::package::{Ecosystem, Status};
use aiva_sca::purl::{purl, pypi_name};
use aiva_sca::severity::Cvss;
use aiva_sca::version::{Order, Version};

/// A target's name, and what it does with an input.
type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 14] = [
    ("cargo_lock", |bytes| read(&["Cargo.lock"], bytes)),
    ("python_lock", |bytes| read(&["poetry.lock", "uv.lock"], bytes)),
    ("manifest", |bytes| read(&["Cargo.toml", "Pipfile", "pyproject.toml"], bytes)),
    ("npm_lock", |bytes| read(&["package-lock.json", "package.json"], bytes)),
    ("pipfile_lock", |bytes| read(&["Pipfile.lock"], bytes)),
    ("yarn_lock", |bytes| read(&["yarn.lock"], bytes)),
    ("pnpm_lock", |bytes| read(&["pnpm-lock.yaml"], bytes)),
    ("requirements", |bytes| read(&["requirements.txt"], bytes)),
    ("go_mod", |bytes| read(&["go.mod"], bytes)),
    ("version", version),
    ("cvss", cvss),
    ("osv_record", osv_record),
    ("osv_zip", osv_zip),
    ("index", index),
];

/// Feeds bytes to a target by its name.
pub fn feed(target: &str, bytes: &[u8]) {
    let (_, run) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target of this name");
    run(bytes);
}

/// Every reading says what is wrong, names what it lists, and is bounded.
fn read(files: &[&str], bytes: &[u8]) {
    for file in files {
        let kind = Kind::of("", file).expect("the name of a known file");
        let reading = kind.read(bytes);
        assert!(reading.status == Status::Parsed || !reading.problems.is_empty(), "{file}: no reason given");
        assert!(reading.packages.iter().all(|p| !p.name.is_empty() && !p.version.is_empty() && p.line > 0), "{file}");
        assert!(reading.problems.len() <= 101, "{file}: problems are bounded");
    }
}

/// Blanks around a version mean nothing, its key is bounded, and a list of comparisons is counted to the last line.
fn version(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for name in Order::names() {
        let order = Order::of(name).expect("a name that it knows");
        let lines =
            text.lines().filter(|l| !l.trim().is_empty() && !l.trim().starts_with('#') && !l.trim().starts_with("//"));
        let checked = order.check(&text);
        assert_eq!(checked.passed + checked.missed.len(), lines.count(), "{name}");
        for word in text.split_whitespace() {
            let parsed = Version::parse_in(order, word);
            assert_eq!(parsed, Version::parse_in(order, &format!(" {word} ")), "{name}: {word}");
            assert!(
                parsed.is_none_or(|version| version.key().len() <= 16 * aiva_sca::version::MAX_LENGTH),
                "{name}: {word}"
            );
        }
    }
    for ecosystem in Ecosystem::ALL {
        let _ = purl(ecosystem, &text, &text);
    }
    assert_eq!(pypi_name(&pypi_name(&text)), pypi_name(&text), "normalising twice changes nothing");
}

/// A vector has a score between 0 and 10 or is none.
fn cvss(bytes: &[u8]) {
    if let Ok(cvss) = String::from_utf8_lossy(bytes).parse::<Cvss>() {
        assert!((0.0..=10.0).contains(&cvss.score.as_f64()), "{cvss:?}");
    }
}

/// One record, alone and imported.
fn osv_record(bytes: &[u8]) {
    let _ = osv::parse(bytes);
    import("npm/record.json", bytes);
}

/// A zip of records: an error or an index that is whole.
fn osv_zip(bytes: &[u8]) {
    import("npm/all.zip", bytes);
}

fn import(name: &str, bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder for the input");
    let (source, target) = (folder.path().join("source"), folder.path().join("target"));
    let file = source.join(name);
    fs::create_dir_all(file.parent().expect("a folder in the name")).expect("a folder for the source");
    fs::create_dir_all(&target).expect("a folder for the index");
    fs::write(&file, bytes).expect("the input written");
    if advisory::import(&[source], &target, jiff::Timestamp::UNIX_EPOCH, &|_| {}).is_ok() {
        let index = Index::open(&target).expect("an index that was just written");
        index.verify().expect("a whole index");
        ask(&target);
    }
}

/// A file that claims to be an index: errors or answers.
fn index(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder for the input");
    fs::write(folder.path().join("advisories.index"), bytes).expect("the input written");
    ask(folder.path());
}

fn ask(folder: &Path) {
    let Ok(index) = Index::open(folder) else { return };
    let _ = index.verify();
    for ecosystem in Ecosystem::ALL {
        for name in ["a", "left-pad", "evil", "requests", "stdlib"] {
            let Ok(Some(entry)) = index.entry(ecosystem, name) else { continue };
            for advisory in entry.advisories() {
                let _ = advisory.affects("1.0.0", Version::parse(ecosystem, "1.0.0").as_ref());
                let _ = advisory.details();
            }
        }
    }
}
