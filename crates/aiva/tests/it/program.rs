//! Runs the binary.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder with a data directory beside what is scanned.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Runs `aiva` here with a data directory of its own.
    pub(crate) fn aiva(&self, args: &[&str]) -> Run {
        let out = command(self.folder.path()).args(args).arg("--data-dir").arg(self.path("data")).output().unwrap();
        Run(out)
    }

    /// Imports the demo's advisories.
    pub(crate) fn with_advisories(self) -> Self {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/demo/advisories");
        let run = self.aiva(&["advisories", "import", demo.to_str().unwrap()]);
        assert_eq!(run.code(), 0, "{}", run.err());
        self
    }
}

/// The binary, with nothing of the caller's environment that could change what it does.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aiva"));
    command.current_dir(folder).env_clear().env("HOME", folder).env("TERM", "dumb");
    command
}

pub(crate) struct Run(Output);

impl Run {
    pub(crate) fn code(&self) -> i32 {
        self.0.status.code().unwrap()
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.0.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.out()))
    }
}
