//! Replays every file of the fuzz corpus, and every start of it, through the reader of its target.

use std::path::Path;

#[expect(unreachable_pub, reason = "public to the fuzz targets")]
mod feed {
    include!("../../fuzz/feed.rs");
}

use feed::{TARGETS, feed};

#[test]
fn the_corpus_holds() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    for target in TARGETS {
        assert!(fuzz.join(format!("fuzz_targets/{target}.rs")).is_file(), "{target} is fuzzed by nothing");
        let files = std::fs::read_dir(fuzz.join("corpus").join(target)).unwrap();
        let mut replayed = 0;
        for file in files {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            for end in 0..=bytes.len() {
                feed(target, &bytes[..end]);
            }
            replayed += 1;
        }
        assert!(replayed >= 4, "{target} has next to no corpus");
    }
}
