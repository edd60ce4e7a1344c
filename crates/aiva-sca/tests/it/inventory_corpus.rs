//! Replays every file of the fuzz corpus through the readers of its family.

use std::path::Path;

use aiva_sca::inventory::Kind;
use aiva_sca::package::Status;

const FAMILIES: [(&str, &[&str]); 9] = include!("../../fuzz/families.rs");

#[test]
fn every_corpus_file_is_read_as_promised() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (family, files) in FAMILIES {
        let mut replayed = 0;
        for entry in std::fs::read_dir(corpus.join(family)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            for file in files {
                let reading = Kind::of("", file).unwrap().read(&bytes);
                let what = format!("{} as {file}: {reading:?}", path.display());
                assert!(reading.status == Status::Parsed || !reading.problems.is_empty(), "{what}");
                assert!(
                    reading.packages.iter().all(|p| !p.name.is_empty() && !p.version.is_empty() && p.line > 0),
                    "{what}"
                );
                assert!(reading.problems.len() <= 101, "{what}");
            }
            replayed += 1;
        }
        assert!(replayed > 1, "the corpus of {family} is gone");
    }
}

#[test]
fn every_reader_has_a_target() {
    for name in [
        "Cargo.lock",
        "Cargo.toml",
        "Pipfile",
        "Pipfile.lock",
        "go.mod",
        "package-lock.json",
        "package.json",
        "pnpm-lock.yaml",
        "poetry.lock",
        "pyproject.toml",
        "requirements.txt",
        "uv.lock",
        "yarn.lock",
    ] {
        assert!(FAMILIES.iter().any(|(_, files)| files.contains(&name)), "{name} is not fuzzed");
    }
    for (family, _) in FAMILIES {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz/fuzz_targets/{family}.rs"));
        assert!(target.is_file(), "{family} has no target");
    }
}
