//! Replays the corpus of every fuzz target with the checks that the fuzzer runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::checks::{TARGETS, feed};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// Names of what is in a folder.
fn names(folder: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(fuzz().join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn every_corpus_file_keeps_the_promises_of_its_target() {
    for (target, _) in TARGETS {
        let mut replayed = 0;
        for entry in std::fs::read_dir(fuzz().join("corpus").join(target)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let kept = std::panic::catch_unwind(|| feed(target, &bytes));
            assert!(kept.is_ok(), "{} breaks a promise", path.display());
            replayed += 1;
        }
        assert!(replayed > 1, "the corpus of {target} is gone");
    }
}

#[test]
fn every_target_has_a_binary_and_a_corpus_and_nothing_else_does() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("fuzz_targets"), targets);
    assert_eq!(names("corpus"), targets);
}
