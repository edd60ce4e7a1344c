//! Runs the binary.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// After this a run counts as hanging.
const PATIENCE: Duration = Duration::from_secs(300);

/// The most memory that a process had at once, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Peak(pub(crate) u64);

impl Peak {
    /// As the kernel counts it (proc(5), `VmHWM`); zero where there is no such count.
    fn of(process: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        Self(line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or(0) * 1024)
    }
}

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

    /// Runs `aiva` here with some variables set.
    pub(crate) fn aiva_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Run {
        let mut command = command(self.folder.path());
        command.envs(variables.iter().copied()).args(args).arg("--data-dir").arg(self.path("data"));
        Run(command.output().unwrap())
    }

    /// Runs `aiva` here and watches its memory. A run that does not end is killed, which fails the test.
    pub(crate) fn watched(&self, args: &[&str]) -> (Run, Peak) {
        let (out, err) = (self.path("watched.out"), self.path("watched.err"));
        let mut command = command(self.folder.path());
        command.args(args).arg("--data-dir").arg(self.path("data")).stdin(Stdio::null());
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        let mut child = command.spawn().unwrap();
        let (mut peak, since) = (Peak(0), Instant::now());
        let status = loop {
            peak = peak.max(Peak::of(child.id()));
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if since.elapsed() > PATIENCE {
                child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let (stdout, stderr) = (std::fs::read(out).unwrap(), std::fs::read(err).unwrap());
        (Run(Output { status, stdout, stderr }), peak)
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
    pub(crate) fn new(out: Output) -> Self {
        Self(out)
    }

    pub(crate) fn code(&self) -> i32 {
        self.0.status.code().unwrap_or_else(|| panic!("ended by a signal: {}", self.err()))
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

/// A zip of these entries; what is long is deflated.
pub(crate) fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in entries {
        let method =
            if text.len() > 1 << 20 { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
        archive.start_file(*name, zip::write::SimpleFileOptions::default().compression_method(method)).unwrap();
        archive.write_all(text).unwrap();
    }
    archive.finish().unwrap().into_inner()
}
