//! `cargo xtask compare-cargo-audit`: are our findings on real Cargo.lock files those of cargo-audit?
//!
//! cargo-audit reads a git tree of Markdown advisories, we read OSV. So that both judge by the same facts, the OSV records
//! of crates.io are written as such a tree first. Every difference is printed; one that nobody explained is a failure.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process;

/// Compares on every lockfile given. `advisories` is the `all.zip` of crates.io.
pub(crate) fn run(advisories: &str, locks: &[&str]) -> Result<()> {
    let work = tempfile::tempdir()?;
    let tree = work.path().join("advisory-db");
    let written = write_tree(Path::new(advisories), &tree)?;
    process::say(&format!("{written} advisories written as a cargo-audit tree"));
    let target = crate::testing::target_directory()?;
    let aiva = crate::testing::product(&target)?.display().to_string();
    let index = work.path().join("data").display().to_string();
    process::output(&aiva, &["advisories", "import", "--quiet", "--data-dir", &index, advisories])?;
    let mut unexplained = 0;
    for lock in locks {
        let theirs = theirs(&tree, lock)?;
        let ours = ours(&aiva, &index, lock)?;
        process::say(&format!("{lock}: cargo-audit {}, aiva {}", theirs.len(), ours.len()));
        for row in theirs.difference(&ours) {
            process::say(&format!("  only cargo-audit: {row}"));
            unexplained += 1;
        }
        for row in ours.difference(&theirs) {
            process::say(&format!("  only aiva: {row}"));
            unexplained += 1;
        }
    }
    if unexplained > 0 {
        bail!("{unexplained} differences");
    }
    process::say(&format!("{} lockfiles, no difference", locks.len()));
    Ok(())
}

/// Findings as `RUSTSEC-… package version`.
fn theirs(tree: &Path, lock: &str) -> Result<BTreeSet<String>> {
    let tree = tree.display().to_string();
    let out = std::process::Command::new("cargo-audit")
        .args(["audit", "--no-fetch", "--stale", "--json", "--db", &tree, "--file", lock])
        .current_dir(Path::new(&tree))
        .output()
        .context("cannot start cargo-audit; install it (`cargo install cargo-audit --locked`)")?;
    let report: Value = serde_json::from_slice(&out.stdout)
        .with_context(|| format!("cargo-audit on {lock}: {}", String::from_utf8_lossy(&out.stderr)))?;
    let vulnerabilities = report.pointer("/vulnerabilities/list").and_then(Value::as_array).into_iter().flatten();
    let warnings = report.get("warnings").and_then(Value::as_object).into_iter().flat_map(|kinds| kinds.values());
    let warnings = warnings.filter_map(Value::as_array).flatten();
    let rows = vulnerabilities.chain(warnings).filter_map(|row| {
        let text = |pointer: &str| row.pointer(pointer).and_then(Value::as_str);
        Some(format!("{} {} {}", text("/advisory/id")?, text("/package/name")?, text("/package/version")?))
    });
    Ok(rows.collect())
}

fn ours(aiva: &str, data: &str, lock: &str) -> Result<BTreeSet<String>> {
    let out = std::process::Command::new(aiva)
        .args(["scan", lock, "--format", "json", "--fail-on", "none", "--data-dir", data])
        .output()
        .context("cannot start aiva")?;
    let document: Value = serde_json::from_slice(&out.stdout)
        .with_context(|| format!("aiva on {lock}: {}", String::from_utf8_lossy(&out.stderr)))?;
    let mut rows = BTreeSet::new();
    for finding in document["findings"].as_array().into_iter().flatten() {
        let ids = finding["aliases"].as_array().into_iter().flatten().chain([&finding["id"]]).filter_map(Value::as_str);
        for id in ids.filter(|id| id.starts_with("RUSTSEC-")) {
            let text = |key: &str| finding[key].as_str().unwrap_or_default();
            rows.insert(format!("{id} {} {}", text("name"), text("version")));
        }
    }
    Ok(rows)
}

/// Writes the records of an OSV zip as the git tree that cargo-audit opens.
fn write_tree(zip: &Path, tree: &Path) -> Result<usize> {
    let file = std::fs::File::open(zip).with_context(|| zip.display().to_string())?;
    let mut archive = zip::ZipArchive::new(file).with_context(|| zip.display().to_string())?;
    let mut written = 0;
    for position in 0..archive.len() {
        let mut text = String::new();
        archive.by_index(position)?.read_to_string(&mut text)?;
        let record: Value = serde_json::from_str(&text)?;
        let id = record["id"].as_str().context("a record without an id")?;
        if !id.starts_with("RUSTSEC-") {
            continue;
        }
        for affected in record["affected"].as_array().into_iter().flatten() {
            let Some(package) = affected.pointer("/package/name").and_then(Value::as_str) else { continue };
            let folder = tree.join("crates").join(package);
            std::fs::create_dir_all(&folder)?;
            std::fs::write(folder.join(format!("{id}.md")), advisory(&record, affected, id, package)?)?;
            written += 1;
        }
    }
    std::fs::write(tree.join("audit.toml"), "")?;
    let tree = tree.display().to_string();
    let config = ["-c", "user.name=compare", "-c", "user.email=compare@localhost"];
    process::output("git", &["init", "--quiet", &tree])?;
    process::output("git", &["-C", &tree, "add", "--all"])?;
    let commit =
        [&["-C", tree.as_str()][..], &config[..], &["commit", "--quiet", "--message", "advisories"][..]].concat();
    process::output("git", &commit)?;
    Ok(written)
}

/// One advisory in RustSec's own format (advisory-db, EXAMPLE_ADVISORY.md).
fn advisory(record: &Value, affected: &Value, id: &str, package: &str) -> Result<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut out = format!("```toml\n[advisory]\nid = {id:?}\npackage = {package:?}\n");
    let day = |value: &Value| text(value).chars().take(10).collect::<String>();
    writeln!(out, "date = {:?}", day(&record["published"]))?;
    if let Some(kind) = affected.pointer("/database_specific/informational").and_then(Value::as_str) {
        writeln!(out, "informational = {kind:?}")?;
    }
    if record["withdrawn"].is_string() {
        writeln!(out, "withdrawn = {:?}", day(&record["withdrawn"]))?;
    }
    let mut patched = Vec::new();
    let mut unaffected = Vec::new();
    let events: Vec<(&str, &str)> = affected["ranges"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|range| range["type"] == "SEMVER")
        .flat_map(|range| range["events"].as_array().into_iter().flatten())
        .filter_map(Value::as_object)
        .flat_map(|event| event.iter().filter_map(|(kind, version)| Some((kind.as_str(), version.as_str()?))))
        .collect();
    for (position, (kind, version)) in events.iter().enumerate() {
        let next = events[position + 1..].iter().find(|(kind, _)| *kind == "introduced");
        match (*kind, next) {
            ("introduced", _) if position == 0 && !matches!(*version, "0" | "0.0.0-0") => {
                unaffected.push(format!("< {version}"));
            }
            ("fixed", Some((_, until))) => patched.push(format!(">= {version}, < {until}")),
            ("fixed", None) => patched.push(format!(">= {version}")),
            _ => {}
        }
    }
    writeln!(out, "[versions]\npatched = {patched:?}\nunaffected = {unaffected:?}\n```\n")?;
    writeln!(out, "# {}\n\nSee the OSV record.", text(&record["summary"]).replace('\n', " "))?;
    Ok(out)
}
