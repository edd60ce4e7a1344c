//! One typed tree of configuration, declared once, read from a file, the environment and flags.
//!
//! Promises: later layers win (defaults, file, usual environment names such as `DATABASE_URL`, `AIVA__SECTION__KEY`, flags);
//! every mistake is reported at once, each with the line, variable or flag it came from; an unknown key is a mistake; a
//! secret is never printed, and never stands in the file itself; the production profile refuses what is unsafe. Types,
//! documentation, defaults and the annotated example come from one declaration ([`crate::config_section!`]).
//!
//! Pure but for [`edge`]: the caller brings the file's text, the variables, the flags, and a function that opens secret
//! files.
//!
//! Start reading at [`load`].

pub mod edge;
pub mod example;
pub mod read;
pub mod section;
pub mod server;
pub mod services;
pub mod source;
pub mod types;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::Serialize;

pub use example::example;
pub use read::{Field, Leaf, Reader, Section};
pub use source::{Flag, Origin};
pub use types::{ByteSize, HttpUrl, Network, Profile};

/// Everything that configuration is read from.
pub struct Sources<'a> {
    /// The file's name, for messages, and its text.
    pub file: Option<(&'a str, &'a str)>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// Values given on the command line.
    pub flags: Vec<Flag>,
    /// Opens a file that a secret is kept in.
    pub open: &'a dyn Fn(&str) -> std::io::Result<String>,
}

impl fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("file", &self.file.map(|(name, _)| name)).finish_non_exhaustive()
    }
}

/// A configuration that holds, with the story of every value.
#[derive(Debug, Clone)]
pub struct Loaded<T> {
    /// The tree.
    pub config: T,
    /// Every value with its source, in the order of declaration.
    pub entries: Vec<Entry>,
    /// What is unsafe, though the development profile lets it pass.
    pub warnings: Vec<Problem>,
}

/// One value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// `server.listen`, `services[0].name`.
    pub key: String,
    /// The value as TOML; a secret is masked.
    pub value: String,
    /// Which layer it came from.
    #[serde(serialize_with = "source::as_text")]
    pub source: Origin,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub origin: Origin,
    /// Which key; empty if the file as a whole is meant.
    pub key: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.origin, self.key.as_str()) {
            (Origin::Default, "") => write!(f, "{}", self.message),
            (Origin::Default, key) => write!(f, "{key}: {}", self.message),
            (origin, "") => write!(f, "{origin}: {}", self.message),
            (origin, key) => write!(f, "{origin}: {key}: {}", self.message),
        }
    }
}

/// All that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// Never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problems: Vec<String> = self.problems.iter().map(ToString::to_string).collect();
        write!(f, "{}", problems.join("\n"))
    }
}

/// Reads the whole tree `T`, whose fields are the sections.
///
/// # Errors
/// Every problem that was found, not only the first.
pub fn load<T: Section + Field>(sources: &Sources<'_>) -> Result<Loaded<T>, ConfigError> {
    let mut problems = Vec::new();
    let tree = source::tree(sources, &T::shape(), &mut problems);
    let mut reader = Reader::new(sources, problems);
    let config = T::read(Some(&tree), &mut reader);
    let read::Finished { entries, mut problems, hazards, advice, production } = reader.finish();
    let mut warnings = if production {
        problems.extend(hazards.into_iter().map(|mut hazard| {
            hazard.message.push_str(" (refused by server.profile = \"production\")");
            hazard
        }));
        Vec::new()
    } else {
        hazards
    };
    warnings.extend(advice);
    match config {
        Some(config) if problems.is_empty() => Ok(Loaded { config, entries, warnings }),
        _ => Err(ConfigError { problems }),
    }
}

impl<T> Loaded<T> {
    /// The effective values as TOML-like lines, each with its source; what `aiva config print` shows.
    pub fn print(&self) -> String {
        let lines: Vec<(String, String)> =
            self.entries.iter().map(|e| (format!("{} = {}", e.key, e.value), e.source.to_string())).collect();
        let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0).min(72);
        let mut out = String::new();
        for (line, source) in lines {
            let _infallible = writeln!(out, "{line:width$}  # {source}");
        }
        out
    }
}
