//! Holds the readers of what is installed to what every reader promises.

use std::fs;

use aiva_sca::inventory::{self, Options, What, read_installed};
use aiva_sca::package::Status;

/// Reads bytes as the file of this path.
pub(crate) fn check(path: &str, what: What, bytes: &[u8]) {
    let Some(piece) = read_installed(path, what, bytes) else { return };
    for (place, reading) in &piece.readings {
        assert!(!place.contains(char::is_control), "{path}: a terminal would obey {place:?}");
        assert!(reading.status == Status::Parsed || !reading.problems.is_empty(), "{path}{place}: no reason given");
        assert!(reading.problems.len() <= 101, "{path}{place}: problems are bounded");
        for package in &reading.packages {
            assert!(!package.name.is_empty() && !package.version.is_empty() && package.line > 0, "{path}: {package:?}");
            let from = package.built_from();
            assert!(from.is_none_or(|from| !from.name.is_empty() && !from.version.is_empty()), "{path}: {package:?}");
        }
        for entry in &reading.not_judged {
            assert!(!entry.name.is_empty() && !entry.reason.is_empty(), "{path}: {entry:?}");
        }
        for problem in &reading.problems {
            assert!((1..1000).contains(&problem.message.chars().count()), "{path}: {problem:?}");
            assert!(!problem.message.contains(char::is_control), "{path}: a terminal would obey {problem:?}");
        }
    }
}

/// Reads bytes as an image in a tar. Whatever its layers hold goes through the readers above.
pub(crate) fn image(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("image.tar");
    fs::write(&file, bytes).expect("the file can be written");
    let Ok(inventory) = inventory::image(&file, None, &Options::default(), &|_| {}) else { return };
    for input in &inventory.inputs {
        assert!(input.status == Status::Parsed || !input.problems.is_empty(), "{}: no reason given", input.path);
        for package in &input.packages {
            let layer = package.origin.as_ref().and_then(|origin| origin.layer.as_deref());
            assert!(layer.is_some_and(|layer| layer.starts_with("layer ")), "{}: {package:?}", input.path);
        }
    }
}
