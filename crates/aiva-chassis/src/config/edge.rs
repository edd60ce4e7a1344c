//! The one part of configuration that touches the machine: gathers what [`super::load`] wants.
//!
//! Promises: a file that was named must be there; one that was not named may be missing; variables that are not text are
//! left out; a secret file is at most 64 KiB.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The largest secret file that is read.
const SECRET_LIMIT: u64 = 64 << 10;

/// The process's environment, as far as it is text.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The name and text of the file: the one that was named, or `aiva.toml` of the current directory if it is there.
///
/// # Errors
/// If the named file is missing, or a file cannot be read as text. The message names the file.
pub fn file(named: Option<&Path>) -> io::Result<Option<(String, String)>> {
    let path = named.unwrap_or(Path::new("aiva.toml"));
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some((path.display().to_string(), text))),
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
    }
}

/// Opens a secret file; what [`super::Sources::open`] is given.
///
/// # Errors
/// If it cannot be read, is not text, or is too long for a secret.
pub fn secret(path: &str) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(SECRET_LIMIT + 1).read_to_string(&mut text)?;
    if text.len() as u64 > SECRET_LIMIT {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "too long for a secret"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_file_must_be_there_and_the_usual_one_need_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.toml");
        let error = file(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("x.toml"), "{error}");
        std::fs::write(&path, "[server]\n").unwrap();
        assert_eq!(file(Some(&path)).unwrap().unwrap().1, "[server]\n");
        assert!(file(None).unwrap().is_none(), "tests run in the crate's folder, where there is none");
    }

    #[test]
    fn a_secret_file_has_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "k".repeat(65536)).unwrap();
        assert_eq!(secret(path.to_str().unwrap()).unwrap().len(), 65536);
        std::fs::write(&path, "k".repeat(65537)).unwrap();
        assert_eq!(secret(path.to_str().unwrap()).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(environment().contains_key("PATH"));
    }
}
