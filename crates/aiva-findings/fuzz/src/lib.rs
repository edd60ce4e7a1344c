//! What every fuzz target does: feeds bytes to one parser of outside text and holds it to what it promises.
//!
//! The fuzzer runs these under its own runtime; `tests/it/fuzz_corpus.rs` includes this file and replays every corpus with
//! the ordinary test binary, so that a target and its replay can never say different things. Start reading at [`TARGETS`].

use aiva_contracts::api::ScanDocument;
use aiva_findings::glob::Glob;
use aiva_findings::observation::Observation;

/// A check: panics where a promise is broken.
pub type Check = fn(&[u8]);

/// Every target by name. Each has a binary in `fuzz_targets/` and a folder in `corpus/`.
pub const TARGETS: &[(&str, Check)] = &[("glob", glob), ("upload", upload)];

/// Feeds bytes to a target.
pub fn feed(target: &str, bytes: &[u8]) {
    let (_, check) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target has a check");
    check(bytes);
}

/// A pattern in the first line, a path in the second: the answer is that of the words in the module's header, read naively.
fn glob(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (pattern, path) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(glob) = Glob::new(pattern) else { return };
    assert_eq!(Glob::new(glob.as_str()).as_ref(), Ok(&glob), "printed and read again");
    let answer = glob.matches(path);
    // The naive reading tries everything, so it is asked only what is small.
    if pattern.len() <= 12 && path.len() <= 12 {
        let pieces: Vec<&str> = glob.as_str().split('/').collect();
        let parts: Vec<&str> = path.split('/').collect();
        let naive = (1..=parts.len()).any(|end| tree(&pieces, &parts[..end]));
        assert_eq!(answer, naive, "{pattern:?} on {path:?}");
    }
}

fn tree(pieces: &[&str], parts: &[&str]) -> bool {
    match (pieces, parts) {
        ([], []) => true,
        (["**", pieces @ ..], _) => (0..=parts.len()).any(|skipped| tree(pieces, &parts[skipped..])),
        ([piece, pieces @ ..], [part, parts @ ..]) => {
            let (piece, part): (Vec<char>, Vec<char>) = (piece.chars().collect(), part.chars().collect());
            within(&piece, &part) && tree(pieces, parts)
        }
        _ => false,
    }
}

fn within(piece: &[char], part: &[char]) -> bool {
    match (piece, part) {
        ([], []) => true,
        (['*', piece @ ..], _) => (0..=part.len()).any(|skipped| within(piece, &part[skipped..])),
        (['?', piece @ ..], [_, part @ ..]) => within(piece, part),
        ([c, piece @ ..], [d, part @ ..]) => c == d && within(piece, part),
        _ => false,
    }
}

/// A document that CI sends: refused, or every finding fits the contract afterwards and stays as it is.
fn upload(bytes: &[u8]) {
    let Ok(document) = serde_json::from_slice::<ScanDocument>(bytes) else { return };
    for finding in document.findings {
        let seen = Observation::from(finding);
        assert!(seen.id.chars().count() <= 200 && seen.path.chars().count() <= 1000, "{seen:?}");
        assert!(!seen.summary.contains(char::is_control) && !seen.description.contains('\0'), "{seen:?}");
        assert!(seen.severity.score.is_none_or(|score| (0.0..=10.0).contains(&score)), "{seen:?}");
        assert_eq!(seen.clone().bounded(), seen, "bounded once is bounded");
    }
}
