//! Replays every input that the fuzz targets keep, with the targets' own checks.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use aiva_sca::inventory::Kind;

#[path = "../../fuzz/lib.rs"]
#[expect(unreachable_pub, reason = "the file is the root of the fuzz package, too")]
mod targets;

#[test]
fn every_kept_input_is_handled_as_promised() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (target, _) in targets::TARGETS {
        let mut replayed = 0;
        for entry in fs::read_dir(corpus.join(target)).unwrap() {
            targets::feed(target, &fs::read(entry.unwrap().path()).unwrap());
            replayed += 1;
        }
        assert!(replayed > 1, "the corpus of {target} is gone");
    }
}

#[test]
fn every_target_can_be_run_by_a_fuzzer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let listed: BTreeSet<String> = targets::TARGETS.iter().map(|(name, _)| format!("{name}.rs")).collect();
    let there: BTreeSet<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(listed, there);
}

#[test]
fn every_reader_is_fuzzed() {
    let source = include_str!("../../fuzz/lib.rs");
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
        assert!(Kind::of("", name).is_some() && source.contains(&format!("\"{name}\"")), "{name} is in no target");
    }
}
