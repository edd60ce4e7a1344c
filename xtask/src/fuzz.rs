//! Runs the fuzz targets of every crate that has some, each for a while; CI only replays their corpora.
//!
//! What the fuzzer finds new goes below the target directory, not into the checkout; an input that breaks a promise lands
//! in the crate's `fuzz/artifacts/`, where cargo-fuzz says how to run it alone.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::process::{self, say};
use crate::testing;

/// How long each target runs without being told otherwise.
const MINUTES: u64 = 1;

/// The most memory that an input may make a reader use.
const MEGABYTES: u32 = 2048;

/// What is to be run.
#[derive(Debug, PartialEq, Eq)]
struct Wanted<'a> {
    target: Option<&'a str>,
    minutes: u64,
}

/// A target and the folder of its package.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    folder: PathBuf,
    name: String,
}

/// Runs one target, or each in turn.
pub(crate) fn verb(arguments: &[&str]) -> Result<()> {
    let wanted = Wanted::parse(arguments)?;
    let mut targets = targets(&process::root())?;
    if let Some(name) = wanted.target {
        let all = targets.iter().map(|target| target.name.as_str()).collect::<Vec<_>>().join(", ");
        targets.retain(|target| target.name == name);
        ensure!(!targets.is_empty(), "no fuzz target is called {name}; there are {all}");
    }
    ready()?;
    let work = testing::target_directory()?.join("fuzz");
    let mut broken = Vec::new();
    for target in &targets {
        if let Err(error) = run(target, wanted.minutes * 60, &work) {
            say(&format!("fuzz: {}: {error:#}", target.name));
            broken.push(target.name.as_str());
        }
    }
    ensure!(broken.is_empty(), "{} of {} targets found something: {}", broken.len(), targets.len(), broken.join(", "));
    say(&format!("fuzz: {} targets, {} minutes each, nothing found", targets.len(), wanted.minutes));
    Ok(())
}

impl<'a> Wanted<'a> {
    fn parse(arguments: &[&'a str]) -> Result<Self> {
        let mut wanted = Self { target: None, minutes: MINUTES };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match *argument {
                "--minutes" => wanted.minutes = rest.next().context("--minutes wants a number")?.parse()?,
                name if !name.starts_with('-') && wanted.target.is_none() => wanted.target = Some(name),
                _ => bail!("usage: cargo xtask fuzz [TARGET] [--minutes N]"),
            }
        }
        Ok(wanted)
    }
}

/// Every binary of every `crates/*/fuzz`, by folder and name.
fn targets(root: &Path) -> Result<Vec<Target>> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root.join("crates"))?
        .filter_map(|entry| Some(entry.ok()?.path().join("fuzz")))
        .filter(|folder| folder.join("Cargo.toml").is_file())
        .collect();
    folders.sort();
    let mut targets = Vec::new();
    for folder in folders {
        let metadata = cargo_metadata::MetadataCommand::new()
            .manifest_path(folder.join("Cargo.toml"))
            .no_deps()
            .exec()
            .with_context(|| folder.display().to_string())?;
        let bins = metadata.packages.iter().flat_map(|package| &package.targets).filter(|target| target.is_bin());
        let mut names: Vec<String> = bins.map(|target| target.name.clone()).collect();
        names.sort();
        targets.extend(names.into_iter().map(|name| Target { folder: folder.clone(), name }));
    }
    Ok(targets)
}

/// What is not there, with what brings it.
fn ready() -> Result<()> {
    let mut missing = Vec::new();
    if !process::has("cargo-fuzz") {
        missing.push("cargo install --locked cargo-fuzz");
    }
    if !process::has("c++") {
        missing.push("apt-get install g++   (or another C++ compiler, called c++)");
    }
    ensure!(missing.is_empty(), "fuzzing wants what is not installed. To have it:\n  {}", missing.join("\n  "));
    Ok(())
}

fn run(target: &Target, seconds: u64, work: &Path) -> Result<()> {
    let found = work.join("corpus").join(&target.name);
    std::fs::create_dir_all(&found)?;
    let path = |path: &Path| path.display().to_string();
    let (folder, into, found) = (path(&target.folder), path(&work.join("target")), path(&found));
    let (time, memory) = (format!("-max_total_time={seconds}"), format!("-rss_limit_mb={MEGABYTES}"));
    let kept = target.folder.join("corpus").join(&target.name);
    let kept_text = path(&kept);
    let mut arguments = vec!["fuzz", "run", "--fuzz-dir", &folder, "--target-dir", &into];
    arguments.extend([target.name.as_str(), &found]);
    if kept.is_dir() {
        arguments.push(&kept_text);
    }
    arguments.extend(["--", &time, &memory, "-timeout=20", "-print_final_stats=1"]);
    // The sanitizer is an unstable flag. The pinned toolchain has it behind this variable, so that no second one is needed.
    process::run("cargo", &arguments, &[("RUSTC_BOOTSTRAP", "1")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_come_in_any_order() {
        let wanted = |target, minutes| Wanted { target, minutes };
        assert_eq!(Wanted::parse(&[]).unwrap(), wanted(None, 1));
        assert_eq!(Wanted::parse(&["--minutes", "5", "go_mod"]).unwrap(), wanted(Some("go_mod"), 5));
        assert_eq!(Wanted::parse(&["go_mod", "--minutes", "5"]).unwrap(), wanted(Some("go_mod"), 5));
        for bad in [&["--minutes"][..], &["--minutes", "x"], &["a", "b"], &["--hours", "1"]] {
            assert!(Wanted::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_targets_of_every_crate_are_found() {
        let found = targets(&process::root()).unwrap();
        let manifests = std::fs::read_dir(process::root().join("crates")).unwrap().flatten();
        let folders = manifests.filter(|entry| entry.path().join("fuzz/Cargo.toml").is_file()).count();
        let mut with_targets: Vec<_> = found.iter().map(|target| target.folder.clone()).collect();
        with_targets.dedup();
        assert_eq!(with_targets.len(), folders, "a fuzz package without a target, or none found: {found:?}");
        assert!(found.iter().any(|target| target.name == "npm_lock"), "{found:?}");
    }
}
