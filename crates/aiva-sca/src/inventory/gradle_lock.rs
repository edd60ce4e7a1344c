//! `gradle.lockfile` and `buildscript-gradle.lockfile`: one artifact a line with the configurations that resolve to it.
//!
//! `group:name:version=configuration,configuration`. The line `empty=` closes the file: gradle always writes it. Before gradle 7
//! there was a file for each configuration, named after it: artifacts alone, and nothing at the end.

use super::door;
use super::graph::index;
use super::reading::{Reading, quote};
use crate::package::{Ecosystem, Package, Scope};

/// Reads a `gradle.lockfile`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let lines = || {
        let all = text.lines().enumerate().map(|(number, line)| (line.trim(), index(number + 1)));
        all.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'))
    };
    let is_of_one = lines().next().is_some() && lines().all(|(line, _)| !line.contains('='));
    let mut has_end = is_of_one;
    for (line, number) in lines() {
        let (artifact, configurations) = match line.split_once('=') {
            Some(parts) => parts,
            None if is_of_one => (line, ""),
            None => {
                reading.problem(number, format!("not a line of a gradle.lockfile: {}", quote(line)));
                continue;
            }
        };
        if artifact == "empty" {
            has_end = true;
            continue;
        }
        let parts: Vec<&str> = artifact.split(':').collect();
        let [group, name, version] = parts.as_slice() else {
            reading.problem(number, format!("not an artifact with its version: {}", quote(artifact)));
            continue;
        };
        let package = Package::new(Ecosystem::Maven, format!("{group}:{name}"), *version, number);
        reading.packages.push(Package { scope: scope(configurations), ..package });
    }
    if !has_end {
        reading.problem(door::last_line(text), "no `empty=` at the end: not a gradle.lockfile, or it was cut off");
    } else if door::is_cut(text) {
        reading.problem(door::last_line(text), door::CUT);
    }
    reading.close()
}

/// For tests, if only configurations of tests resolve to it; for building, if only tools do.
fn scope(configurations: &str) -> Scope {
    let all = || configurations.split(',').map(str::to_ascii_lowercase);
    if all().all(|one| one.contains("test")) {
        return Scope::Dev;
    }
    let is_tool = |one: &str| {
        [
            "annotationprocessor",
            "kapt",
            "ksp",
            "checkstyle",
            "pmd",
            "spotbugs",
            "jacoco",
            "detekt",
            "ktlint",
            "classpath",
        ]
        .iter()
        .any(|tool| one.starts_with(tool) || one.ends_with("annotationprocessor"))
            && !one.ends_with("compileclasspath")
            && !one.ends_with("runtimeclasspath")
    };
    if all().all(|one| is_tool(&one) || one.contains("test")) { Scope::Build } else { Scope::Runtime }
}
