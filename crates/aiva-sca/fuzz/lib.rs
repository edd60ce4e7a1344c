//! What every fuzz target does: feeds the bytes to the readers of its family and holds them to what they promise.
//!
//! Start reading at [`feed`]. Each target in `fuzz_targets/` is this with its own name.

use aiva_sca::inventory::Kind;
use aiva_sca::package::Status;

const FAMILIES: [(&str, &[&str]); 9] = include!("families.rs");

/// Feeds bytes to each reader of a family.
pub fn feed(family: &str, bytes: &[u8]) {
    let (_, files) = FAMILIES.iter().find(|(name, _)| *name == family).expect("a target has the name of a family");
    for file in *files {
        let kind = Kind::of("", file).expect("a family names known files");
        let reading = kind.read(bytes);
        assert!(reading.status == Status::Parsed || !reading.problems.is_empty(), "{file}: no reason given");
        assert!(reading.packages.iter().all(|p| !p.name.is_empty() && !p.version.is_empty() && p.line > 0), "{file}");
        assert!(reading.problems.len() <= 101, "{file}: problems are bounded");
    }
}
