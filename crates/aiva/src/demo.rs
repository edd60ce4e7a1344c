//! The example company of `aiva up --demo`, packed into the binary and unpacked into the data directory.
//!
//! Never overwrites: what the newcomer changed there stays changed.

use std::io;
use std::path::{Path, PathBuf};

/// Every file below `examples/demo`, by its path there.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/demo.rs"));

/// Unpacks the company below `data/demo` and returns that folder.
pub(crate) fn unpack(data: &Path) -> io::Result<PathBuf> {
    let root = data.join("demo");
    for (name, bytes) in FILES {
        let path = root.join(name);
        if path.exists() {
            continue;
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, bytes)?;
    }
    Ok(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_newcomer_changed_stays_changed() {
        let data = tempfile::tempdir().expect("a folder");
        let root = unpack(data.path()).expect("unpacked");
        let config = root.join("aiva.toml");
        assert!(root.join("services/checkout/package-lock.json").is_file());
        std::fs::write(&config, "# mine\n").expect("written");
        unpack(data.path()).expect("unpacked again");
        assert_eq!(std::fs::read_to_string(&config).expect("read"), "# mine\n");
    }
}
