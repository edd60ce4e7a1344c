//! Measures the advisory index: its build, a cold open, an update beside readers, the memory of lookups. One step a run, so that
//! each has a process of its own; `benches/sca/index.sh` puts them together and `benches/sca/INDEX.md` says what they mean.
//!
//! `index_bench generate EXPORTS OUT RECORDS` multiplies real exports: each record again and again under other ids and names.
//! The others print one line each: what was measured, the figure, the target.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aiva_sca::advisory::{self, Change, Fold, Index};
use aiva_sca::package::Ecosystem;
use aiva_sca::version::Version;
use jiff::Timestamp;

/// The product's allocator.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The exports that are multiplied, and the version that each one's packages are asked about.
const ECOSYSTEMS: [(Ecosystem, &str); 4] =
    [(Ecosystem::Npm, "1.0.0"), (Ecosystem::PyPi, "1.0"), (Ecosystem::Go, "1.0.0"), (Ecosystem::CratesIo, "0.1.0")];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["generate", exports, out, records] => generate(Path::new(exports), Path::new(out), records.parse().unwrap()),
        ["build", sources, dir] => build(Path::new(sources), Path::new(dir)),
        ["open", dir] => open(Path::new(dir)),
        ["size", dir] => size(Path::new(dir)),
        ["fold", dir] => fold(Path::new(dir)),
        ["update", names, dir, records, round] => {
            update(Path::new(names), Path::new(dir), records.parse().unwrap(), round);
        }
        ["look", names, dir] => look(Path::new(names), Path::new(dir)),
        other => panic!("see the head of this file; there is no {other:?}"),
    }
}

/// The real records of an export.
fn records(exports: &Path, ecosystem: Ecosystem) -> Vec<String> {
    let file = File::open(exports.join(ecosystem.osv_name()).join("all.zip")).unwrap();
    let mut zip = zip::ZipArchive::new(file).unwrap();
    let mut texts = Vec::with_capacity(zip.len());
    for at in 0..zip.len() {
        let mut text = String::new();
        zip.by_index(at).unwrap().read_to_string(&mut text).unwrap();
        texts.push(text);
    }
    texts
}

/// A record under another id, about other packages, with another CVE.
fn copy(text: &str, number: usize) -> (String, String) {
    let record: serde_json::Value = serde_json::from_str(text).unwrap();
    let id = record["id"].as_str().unwrap();
    let names = record["affected"].as_array().into_iter().flatten().filter_map(|one| one["package"]["name"].as_str());
    let aliases = record["aliases"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
    let mut copied = text.replace(&format!("\"{id}\""), &format!("\"{id}-{number}\""));
    let mut seen = Vec::new();
    for name in names.chain(aliases).filter(|name| *name != "stdlib" && *name != "toolchain") {
        if !seen.contains(&name) {
            copied = copied.replace(&format!("\"{name}\""), &format!("\"{name}-{number}\""));
            seen.push(name);
        }
    }
    (format!("{id}-{number}"), copied)
}

fn generate(exports: &Path, out: &Path, wanted: usize) {
    let all = ECOSYSTEMS.map(|(ecosystem, _)| (ecosystem, records(exports, ecosystem)));
    let real: usize = all.iter().map(|(_, texts)| texts.len()).sum();
    let mut names = BufWriter::new(File::create(out.join("names")).unwrap());
    let mut written = 0;
    for (at, (ecosystem, texts)) in all.iter().enumerate() {
        let folder = out.join(ecosystem.osv_name());
        fs::create_dir_all(&folder).unwrap();
        let mut zip = zip::ZipWriter::new(BufWriter::new(File::create(folder.join("all.zip")).unwrap()));
        // Each ecosystem keeps its share; the last one takes what is left.
        let share = if at + 1 == all.len() { wanted - written } else { wanted * texts.len() / real };
        for number in 0..share {
            let (id, text) = copy(&texts[number % texts.len()], number / texts.len());
            zip.start_file(format!("{id}.json"), zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
            let record: serde_json::Value = serde_json::from_str(&text).unwrap();
            let own = record["affected"][0]["package"]["ecosystem"].as_str() == Some(ecosystem.osv_name());
            if let Some(name) = record["affected"][0]["package"]["name"].as_str().filter(|_| own) {
                writeln!(names, "{}\t{name}\t{id}", ecosystem.osv_name()).unwrap();
            }
        }
        zip.finish().unwrap().flush().unwrap();
        written += share;
    }
    println!("{written} records of {real} real ones in {}", out.display());
}

fn build(sources: &Path, dir: &Path) {
    let before = cpu();
    let began = Instant::now();
    let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    let report = advisory::import(&[sources.to_owned()], dir, now, &|_| {}).unwrap();
    let (wall, used) = (began.elapsed().as_secs_f64(), cpu() - before);
    let records: u64 = report.imported.iter().map(|one| one.records + one.withdrawn).sum();
    assert_eq!(report.bad_count, 0);
    println!("build of {records} records: {used:.2} CPU s ({wall:.2} s wall, peak {} MiB); target 8 CPU s", peak());
}

/// The hot part is named in the directory at the end of the file.
fn size(dir: &Path) {
    let bytes = fs::read(dir.join("advisories.index")).unwrap();
    let number = |at: usize| usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap();
    let directory: serde_json::Value = serde_json::from_slice(&bytes[number(40)..number(40) + number(48)]).unwrap();
    let segments = directory["segments"].as_array().unwrap();
    let hot: u64 = segments.iter().map(|segment| segment["hot"]["length"].as_u64().unwrap()).sum();
    println!("size: hot part {} MiB of {} MiB; target 64 MiB", hot >> 20, bytes.len() >> 20);
}

/// A record of the generated exports, changed: one more end of its range.
fn changed(line: &str, number: usize, round: &str) -> (Ecosystem, Change) {
    let (ecosystem, rest) = line.split_once('\t').unwrap();
    let (name, id) = rest.split_once('\t').unwrap();
    let kind = if ecosystem == "PyPI" { "ECOSYSTEM" } else { "SEMVER" };
    // Of twenty records seventeen change, two are new and one goes.
    let id = if number % 20 < 2 { format!("{id}-new-{round}") } else { id.to_owned() };
    let text = format!(
        "{{\"id\":\"{id}\",\"modified\":\"2026-11-21T12:00:0{}Z\",\"summary\":\"Changed in round {round}\",\"details\":\"{}\",\
         \"affected\":[{{\"package\":{{\"ecosystem\":\"{ecosystem}\",\"name\":\"{name}\"}},\"ranges\":[{{\"type\":\"{kind}\",\
         \"events\":[{{\"introduced\":\"0\"}},{{\"fixed\":\"9.{number}.0\"}}]}}]}}]}}",
        number % 10,
        "Told at some length. ".repeat(40),
    );
    let record = (number % 20 != 19).then(|| text.into_bytes());
    let modified = "2026-11-21T12:00:00Z".parse().unwrap();
    (ecosystem.parse().unwrap(), Change { id, modified, record })
}

fn update(names: &Path, dir: &Path, records: usize, round: &str) {
    let lines = fs::read_to_string(names).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    let first = round.parse::<usize>().unwrap() * 7;
    let mut changes: BTreeMap<Ecosystem, Vec<Change>> = BTreeMap::new();
    for number in 0..records {
        let (ecosystem, change) =
            changed(lines[(first + number * (lines.len() / records)) % lines.len()], number, round);
        changes.entry(ecosystem).or_default().push(change);
    }
    let done = AtomicBool::new(false);
    let (began, before) = (Instant::now(), cpu());
    let (wall, reads, longest) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut reads, mut longest) = (0_u64, Duration::ZERO);
            let mut index = Index::open(dir).unwrap();
            while !done.load(Ordering::Relaxed) {
                let one = Instant::now();
                if index.changed() {
                    index = Index::open(dir).unwrap();
                }
                assert!(index.entry(Ecosystem::PyPi, "django-0").unwrap().is_some());
                longest = longest.max(one.elapsed());
                reads += 1;
                std::thread::sleep(Duration::from_micros(200));
            }
            (reads, longest)
        });
        let report = advisory::amend(dir, &changes, &[], "2026-11-21T13:00:00Z".parse().unwrap()).unwrap();
        let wall = began.elapsed();
        assert_eq!(report.bad_count, 0, "{:?}", report.bad);
        done.store(true, Ordering::Relaxed);
        let (reads, longest) = reader.join().unwrap();
        (wall, reads, longest)
    });
    println!(
        "update of {records} records: {:.0} ms ({:.2} CPU s with the reader); {reads} reads meanwhile, the longest {:.2} ms; \
         target 200 ms",
        millis(wall),
        cpu() - before,
        millis(longest)
    );
}

fn fold(dir: &Path) {
    let began = Instant::now();
    let before = cpu();
    assert!(advisory::fold(dir, Fold::Always).unwrap());
    println!("fold: {:.2} CPU s ({:.2} s wall, peak {} MiB)", cpu() - before, began.elapsed().as_secs_f64(), peak());
}

fn open(dir: &Path) {
    let began = Instant::now();
    let index = Index::open(dir).unwrap();
    let opened = began.elapsed();
    let known = index.entry(Ecosystem::PyPi, "django-0").unwrap().is_some();
    let asked = began.elapsed();
    println!(
        "open cold: {:.2} ms, with the first lookup ({known}) {:.2} ms; target 5 ms",
        millis(opened),
        millis(asked)
    );
}

/// Asks about every name there is and about as many that are not.
fn look(names: &Path, dir: &Path) {
    let names = BufReader::new(File::open(names).unwrap());
    let before = peak();
    let index = Index::open(dir).unwrap();
    let began = cpu();
    let (mut asked, mut affected) = (0_u64, 0_u64);
    for line in names.lines() {
        let line = line.unwrap();
        let mut words = line.split('\t');
        let (ecosystem, name) = (words.next().unwrap(), words.next().unwrap());
        if matches!(name, "stdlib" | "toolchain") {
            continue; // All copies of their records are about one package.
        }
        let ecosystem: Ecosystem = ecosystem.parse().unwrap();
        let version = ECOSYSTEMS.iter().find(|(one, _)| *one == ecosystem).unwrap().1;
        let parsed = Version::parse(ecosystem, version);
        for name in [name, &format!("{name}-not")] {
            asked += 1;
            if let Some(entry) = index.entry(ecosystem, name).unwrap() {
                for advisory in entry.advisories() {
                    affected += u64::from(advisory.affects(version, parsed.as_ref()).unwrap() != advisory::Affects::No);
                }
            }
        }
    }
    let used = (cpu() - began) * 1e6 / asked as f64;
    println!(
        "look: {asked} lookups ({affected} hits), {used:.2} CPU us each; peak {} MiB, {} MiB of it by them; target 50 MiB",
        peak(),
        peak() - before
    );
}

fn millis(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// CPU seconds of this process, all threads, user and system.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// The most memory that this process ever had, in MiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}
