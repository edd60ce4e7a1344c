//! Follows `-r` and `-c` of requirements files, and the requirements files that setuptools is told to take what is dynamic from.
//!
//! Only files below the root are followed, each is read once, and a circle ends where it closes. A constraints file asks for
//! nothing itself: its pins say which version the others' open requirements get.

use std::cell::LazyCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use smol_str::SmolStr;

use super::crew;
use super::find::Found;
use super::join::{above, folder, place};
use super::kind::Kind;
use super::reading::{Include, Reading, quote};
use super::walk::{Options, bytes, is_within, read_file};
use crate::package::Status;

/// Files that one tree may add by including them: more than that is not a project.
const MOST: usize = 1_000;

/// Which files must be read together, as pairs of places among them, because one of the two takes the other in, or both take in a
/// third that is nowhere among them. `None` where that cannot be told: then all files belong together.
pub(crate) fn ties(root: &Path, files: &[Found], options: &Options) -> Option<Vec<(usize, usize)>> {
    let locked: HashSet<&str> =
        files.iter().filter(|found| locks_projects(found)).map(|found| folder(&found.path)).collect();
    // Beside and below a lockfile it tells more than what is dynamic.
    let is_free = |found: &Found| !above(folder(&found.path)).any(|at| locked.contains(at));
    let asks = |found: &Found| found.kind == Kind::Requirements || found.kind == Kind::PyProject && is_free(found);
    let asking: Vec<(usize, &Found)> = files.iter().enumerate().filter(|(_, found)| asks(found)).collect();
    let starts = Mutex::new(Vec::new());
    crew::share(options.threads, &asking, &|(at, found)| {
        let may_ask = |text: &Vec<u8>| match found.kind {
            // The tables may be written in any way.
            Kind::PyProject => {
                [&b"setuptools"[..], b"dynamic"].iter().all(|word| memchr::memmem::find(text, word).is_some())
            }
            _ => may_include(text),
        };
        let text = bytes(&found.file, options.largest_file).ok().flatten().filter(may_ask);
        if let Some(text) = text {
            let includes = found.kind.read(&text).links.includes;
            let start = (*at, folder(&found.path).to_owned(), includes);
            starts.lock().unwrap_or_else(PoisonError::into_inner).push(start);
        }
    });
    let mut starts: Vec<(usize, String, Vec<Include>)> = starts.into_inner().unwrap_or_else(PoisonError::into_inner);
    starts.sort_unstable_by_key(|(at, ..)| *at);
    let known: HashMap<&str, usize> = asking.iter().map(|(at, found)| (found.path.as_str(), *at)).collect();
    let compiled = |(at, found): &(usize, &Found)| Some((*at, *known.get(compiled(&found.path)?.as_str())?));
    let mut ties: Vec<(usize, usize)> = asking.iter().filter_map(compiled).collect();
    if starts.iter().all(|(_, _, includes)| includes.is_empty()) {
        return Some(ties);
    }
    let known: HashMap<&str, usize> = files.iter().enumerate().map(|(at, found)| (found.path.as_str(), at)).collect();
    let real_root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let mut fresh: HashMap<String, usize> = HashMap::new();
    let mut open = starts;
    while let Some((at, from, includes)) = open.pop() {
        for (path, file) in includes.iter().filter_map(|include| resolve(root, &real_root, &from, include).ok()) {
            if let Some(target) = known.get(path.as_str()) {
                // A file of another kind has ties of its own.
                let is_list = files.get(*target).is_some_and(|found| found.kind == Kind::Requirements);
                if !is_list && files.get(at).is_some_and(|found| found.kind == Kind::PyProject) {
                    continue; // It is not followed.
                }
                is_list.then_some(())?;
                ties.push((at, *target));
            } else if let Some(other) = fresh.get(&path) {
                ties.push((at, *other));
            } else if fresh.len() < MOST {
                let more = read_file(&file, Kind::Requirements, options).links.includes;
                open.push((at, folder(&path).to_owned(), more));
                fresh.insert(path, at);
            } else {
                return None; // Which of them are left out is decided in the order of all files.
            }
        }
    }
    Some(ties)
}

/// The file that pip-compile and uv make of a `requirements.in`.
fn compiled(path: &str) -> Option<String> {
    path.strip_suffix(".in").map(|stem| format!("{stem}.txt"))
}

/// What is compiled says the versions: what it was compiled from asks for nothing more, and says what is direct.
pub(crate) fn settle_compiled(readings: &mut [(Found, Reading)]) {
    let places: HashMap<String, usize> =
        readings.iter().enumerate().map(|(at, (found, _))| (found.path.clone(), at)).collect();
    for at in 0..readings.len() {
        let Some((found, _)) = readings.get(at).filter(|(found, _)| found.kind == Kind::Requirements) else { continue };
        let target = compiled(&found.path).and_then(|path| places.get(&path).copied());
        let is_read = |(_, reading): &(Found, Reading)| matches!(reading.status, Status::Parsed | Status::Partial);
        let Some(target) = target.filter(|target| readings.get(*target).is_some_and(is_read)) else { continue };
        let mut listed: HashSet<SmolStr> = HashSet::new();
        if let Some((_, reading)) = readings.get(target) {
            listed.extend(reading.packages.iter().map(|package| package.name.clone()));
            listed.extend(reading.not_judged.iter().map(|entry| entry.name.clone()));
        }
        let mut asked: HashSet<SmolStr> = HashSet::new();
        if let Some((_, reading)) = readings.get_mut(at) {
            // What a stale one lacks is judged by what is asked for.
            let compiled = |name: &SmolStr| listed.contains(name);
            asked
                .extend(reading.packages.extract_if(.., |package| compiled(&package.name)).map(|package| package.name));
            asked.extend(reading.not_judged.extract_if(.., |entry| compiled(&entry.name)).map(|entry| entry.name));
            reading.links.signs.clear();
        }
        let Some((_, reading)) = readings.get_mut(target) else { continue };
        for package in reading.packages.iter_mut().filter(|package| asked.contains(package.name.as_str())) {
            package.direct = Some(true);
        }
    }
}

/// Which files, below the root, the requirements of this path take in, whatever their names are: who lays a tree down lays them down
/// too. What was taken in itself is a list (`is_list`), whatever its name is.
pub fn taken_in(path: &str, text: &[u8], is_list: bool) -> Vec<String> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let kind = match Kind::of(folder, name) {
        _ if is_list => Kind::Requirements,
        Some(kind @ (Kind::Requirements | Kind::PyProject)) => kind,
        _ => return Vec::new(),
    };
    if kind == Kind::Requirements && !may_include(text) {
        return Vec::new();
    }
    let includes = kind.read(text).links.includes;
    includes.iter().filter_map(|include| place(folder, &include.path)).collect()
}

/// Whether some line of a file may begin with an option that takes in another.
fn may_include(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // UTF-16 is rare enough to be read whole.
    if matches!(text, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
        return true;
    }
    let begins_line = |at: usize| {
        let before = text.get(..at).unwrap_or_default();
        let start = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
        std::str::from_utf8(before.get(start..).unwrap_or_default()).is_ok_and(|before| before.trim().is_empty())
    };
    ["-r", "-c", "--r", "--c"].iter().any(|option| memchr::memmem::find_iter(text, option).any(begins_line))
}

/// Reads what is included and not yet read, and applies constraints.
pub(crate) fn follow(root: &Path, readings: &mut Vec<(Found, Reading)>, options: &Options) {
    let mut known: HashMap<String, usize> = HashMap::new();
    for (at, (found, _)) in readings.iter().enumerate() {
        known.insert(found.path.clone(), at);
    }
    // Asked for each group of the tree, of which few include anything.
    let real_root = LazyCell::new(|| root.canonicalize().unwrap_or_else(|_| root.to_owned()));
    let mut edges: Vec<Vec<(usize, bool)>> = Vec::new();
    let mut added: HashSet<usize> = HashSet::new();
    let is_locked = readings.iter().any(|(found, _)| locks_projects(found));
    let mut at = 0;
    while at < readings.len() {
        let Some((found, reading)) = readings.get_mut(at) else { break };
        let from = folder(&found.path).to_owned();
        let mut targets = Vec::new();
        let mut fresh = Vec::new();
        let is_project = found.kind == Kind::PyProject;
        let includes = if is_project && is_locked { Vec::new() } else { std::mem::take(&mut reading.links.includes) };
        for include in includes {
            match resolve(root, &real_root, &from, &include) {
                Err(message) => reading.problem(include.line, message),
                Ok((path, _)) if is_project && !may_be_list(&path) => {
                    let message = format!("{} is a file of another kind: not read as requirements", quote(&path));
                    reading.problem(include.line, message);
                }
                Ok((path, file)) => targets.push((path, file, include)),
            }
        }
        let mut too_many = Vec::new();
        for (path, file, include) in targets {
            let target = match known.get(&path) {
                Some(target) => *target,
                None if added.len() >= MOST => {
                    too_many.push(include);
                    continue;
                }
                None => {
                    let target = readings.len();
                    let reading = read_file(&file, Kind::Requirements, options);
                    readings.push((Found { path: path.clone(), file, kind: Kind::Requirements }, reading));
                    known.insert(path, target);
                    added.insert(target);
                    target
                }
            };
            fresh.push((target, include.constraint));
        }
        if let Some((_, reading)) = readings.get_mut(at) {
            for Include { path, line, .. } in too_many {
                let message = format!("{} is not read: {MOST} files are included already", quote(&path));
                reading.problem(line, message);
            }
        }
        edges.push(fresh);
        at += 1;
    }
    constrain(readings, &edges, &added);
}

/// Whether it pins what `pyproject.toml` asks for.
fn locks_projects(found: &Found) -> bool {
    found.kind.locks() == Some(Kind::PyProject)
}

/// Whether a path is not known as something else than a list of requirements.
fn may_be_list(path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    Kind::of(folder, name).is_none_or(|kind| kind == Kind::Requirements)
}

/// The file that is meant, as a path below the root.
fn resolve(root: &Path, real_root: &Path, from: &str, include: &Include) -> Result<(String, PathBuf), String> {
    let asked = &include.path;
    let what = quote(asked);
    if asked.contains("://") {
        return Err(format!("{what} is not fetched: save it beside this file to have it read"));
    }
    let outside = || format!("{what} is outside of the scanned folder: not read");
    let path = place(from, asked).ok_or_else(outside)?;
    let file = root.join(&path);
    let unread = |error| format!("{what} is included, but could not be read: {error}");
    if !is_within(real_root, &file).map_err(unread)? {
        return Err(outside());
    }
    if !file.is_file() {
        return Err(format!("{what} is included, but is not a file"));
    }
    Ok((path, file))
}

fn constrain(readings: &mut [(Found, Reading)], edges: &[Vec<(usize, bool)>], added: &HashSet<usize>) {
    let has_constraints = edges.iter().flatten().any(|(_, constraint)| *constraint);
    if !has_constraints {
        return;
    }
    let mut required: HashSet<usize> = HashSet::new();
    let mut constraints: BTreeSet<usize> = BTreeSet::new();
    for start in 0..edges.len() {
        if edges.get(start).is_none_or(Vec::is_empty) {
            continue;
        }
        let (asking, pinning) = reach(edges, start);
        let mut pins: HashSet<SmolStr> = HashSet::new();
        for at in &pinning {
            let packages = readings.get(*at).map(|(_, reading)| reading.packages.as_slice()).unwrap_or_default();
            pins.extend(packages.iter().map(|package| package.name.clone()));
        }
        let mut wanted: HashSet<SmolStr> = HashSet::new();
        for at in &asking {
            let Some((_, reading)) = readings.get_mut(*at) else { continue };
            reading.not_judged.retain(|entry| {
                let pinned = pins.contains(entry.name.as_str());
                if pinned {
                    wanted.insert(entry.name.clone());
                }
                !pinned
            });
        }
        for at in &pinning {
            let Some((_, reading)) = readings.get_mut(*at) else { continue };
            for package in reading.packages.iter_mut().filter(|package| wanted.contains(package.name.as_str())) {
                package.direct = Some(true);
            }
        }
        required.extend(asking);
        constraints.extend(pinning);
    }
    for at in constraints {
        if added.contains(&at)
            && !required.contains(&at)
            && let Some((_, reading)) = readings.get_mut(at)
        {
            reading.not_judged.clear();
        }
    }
}

/// Files that ask (through `-r`) and files that only constrain, from one file on.
fn reach(edges: &[Vec<(usize, bool)>], start: usize) -> (BTreeSet<usize>, BTreeSet<usize>) {
    let (mut asking, mut pinning) = (BTreeSet::new(), BTreeSet::new());
    let mut stack = vec![(start, false)];
    while let Some((at, constraint)) = stack.pop() {
        let new = if constraint { pinning.insert(at) } else { asking.insert(at) };
        if new {
            let next = edges.get(at).map(Vec::as_slice).unwrap_or_default();
            stack.extend(next.iter().map(|(to, only)| (*to, constraint || *only)));
        }
    }
    (asking, pinning)
}
