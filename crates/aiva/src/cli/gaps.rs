//! What a run did not read or could not judge, in words: the same for every command that reads a folder.

use std::collections::HashMap;
use std::path::Path;

use aiva_findings::export;
use aiva_sca::inventory::Inventory;
use aiva_sca::package::{NO_MIRROR, Status};
use aiva_sca::scan::{ScanResult, Unjudged};

use crate::failure::Failure;

/// What was left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Gaps {
    /// One sentence each.
    pub(crate) lines: Vec<String>,
    /// Whether the answer may lack something for it (exit code 3).
    pub(crate) is_incomplete: bool,
}

impl Gaps {
    /// What was not read.
    pub(crate) fn of(inventory: &Inventory) -> Self {
        let mut gaps = Self::default();
        let inputs = inventory.inputs.iter().map(|input| Unread {
            path: &input.path,
            kind: (input.status == Status::Unsupported).then_some(&*input.kind),
            problems: input.problems.iter().map(|problem| (problem.line, problem.message.as_str())).collect(),
        });
        gaps.lines.extend(unread(&inputs.collect::<Vec<_>>()));
        gaps.lines.extend(inventory.ignored_lockfiles.iter().map(|path| hidden(path)));
        gaps.is_incomplete = inventory.inputs.iter().any(|input| input.status != Status::Parsed);
        gaps
    }

    /// And the entries that name no version.
    pub(crate) fn with_unpinned(mut self, inventory: &Inventory) -> Self {
        let all = inventory.inputs.iter().flat_map(|input| input.not_judged.iter().map(move |entry| (input, entry)));
        let entries = all.filter(|(_, entry)| !entry.is_settled).map(|(input, entry)| Open {
            path: &input.path,
            line: entry.line,
            name: &entry.name,
            requirement: &entry.requirement,
            reason: &entry.reason,
            registry: entry.registry(),
        });
        let before = self.lines.len();
        self.lines.extend(unjudged(&entries.collect::<Vec<_>>()));
        self.is_incomplete |= self.lines.len() > before;
        self
    }

    /// And what could not be judged.
    pub(crate) fn with_unjudged(mut self, result: &ScanResult) -> Self {
        fn open(entry: &Unjudged) -> Open<'_> {
            let Unjudged { path, line, name, requirement, reason, registry, .. } = entry;
            Open { path, line: *line, name, requirement, reason, registry: registry.as_deref() }
        }
        self.lines.extend(unjudged(&result.not_judged.iter().map(open).collect::<Vec<_>>()));
        self.is_incomplete |= !result.not_judged.is_empty();
        self
    }
}

/// What was not read of a file.
#[derive(Debug)]
pub(crate) struct Unread<'p> {
    /// Where it is.
    pub(crate) path: &'p str,
    /// Its kind, if this release does not read that.
    pub(crate) kind: Option<&'p str>,
    /// Lines and what is wrong there.
    pub(crate) problems: Vec<(u32, &'p str)>,
}

impl Unread<'_> {
    /// What is said of the whole file, if it is not read at all.
    fn whole(&self) -> Option<(&str, &str)> {
        match *self.problems {
            [(0, said)] => self.kind.map(|kind| (kind, said)),
            _ => None,
        }
    }
}

/// Files of one kind that are named one by one.
const NAMED: usize = 5;

/// What was not read, one sentence each. Of many files that are not read for the same reason the first is named, with their number.
pub(crate) fn unread(files: &[Unread<'_>]) -> Vec<String> {
    let mut counts: HashMap<(&str, &str), usize> = HashMap::new();
    for same in files.iter().filter_map(Unread::whole) {
        *counts.entry(same).or_default() += 1;
    }
    let mut lines = Vec::new();
    for file in files {
        let many = file.whole().and_then(|(_, said)| Some((said, counts.get_mut(&file.whole()?)?)));
        match many {
            Some((_, 0)) => {}
            Some((said, count)) if *count > NAMED => {
                lines.push(at(file.path, 0, &format!("{said} (and {} more such files)", *count - 1)));
                *count = 0; // Said for all.
            }
            _ => lines.extend(file.problems.iter().map(|(line, said)| at(file.path, *line, said))),
        }
        if let Some(kind) = file.kind.filter(|_| file.problems.is_empty()) {
            lines.push(format!("{}: this release does not read {kind}", file.path));
        }
    }
    lines
}

/// An entry that nobody could judge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Open<'o> {
    /// Where it is.
    pub(crate) path: &'o str,
    /// The line that names it.
    pub(crate) line: u32,
    /// The package.
    pub(crate) name: &'o str,
    /// What is asked of it.
    pub(crate) requirement: &'o str,
    /// Why it was not judged.
    pub(crate) reason: &'o str,
    /// The registry that is no known mirror, where that is why.
    pub(crate) registry: Option<&'o str>,
}

impl<'o> Open<'o> {
    /// The file and the registry, of which nearly all packages of a file come.
    fn origin(&self) -> Option<(&'o str, &'o str)> {
        Some((self.path, self.registry?))
    }
}

/// What nobody could judge, one sentence each; many of one registry in one.
pub(crate) fn unjudged(entries: &[Open<'_>]) -> Vec<String> {
    let mut counts: HashMap<(&str, &str), usize> = HashMap::new();
    for of in entries.iter().filter_map(Open::origin) {
        *counts.entry(of).or_default() += 1;
    }
    let mut lines = Vec::new();
    for entry in entries {
        let Open { path, line, name, requirement, reason, .. } = *entry;
        match entry.origin().and_then(|of| Some((of.1, counts.get_mut(&of)?))) {
            Some((_, 0)) => {}
            Some((registry, count)) if *count > NAMED => {
                lines.push(at(path, 0, &format!("{count} packages come from {registry}{NO_MIRROR}")));
                *count = 0; // Said for all.
            }
            _ => lines.push(at(path, line, &format!("{}: {reason}", export::spoken_entry(name, requirement)))),
        }
    }
    lines
}

/// A file that git does not show.
pub(crate) fn hidden(path: &str) -> String {
    format!("{path}: hidden by git's ignore rules; name it to have it read")
}

/// A sentence about a place; line 0 is the whole file.
pub(crate) fn at(path: &str, line: u32, said: &str) -> String {
    if line == 0 { format!("{path}: {said}") } else { format!("{path}:{line}: {said}") }
}

/// There was nothing to read below a path, though somebody asked for it; `excludes` tells whether patterns took something out.
pub(crate) fn nothing(path: &Path, excludes: bool, hidden: &[String]) -> Failure {
    const NAMED: usize = 3;
    let failure = Failure::new(format!("there is no manifest, lockfile or bill of materials in {}", path.display()));
    let named = hidden.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if path.join("oci-layout").is_file() {
        failure.hint("it is a container image (OCI layout): scan it with `aiva scan --image`")
    } else if !hidden.is_empty() {
        failure
            .because(format!("git's ignore rules hide {} of them: {named}", hidden.len()))
            .hint("name a hidden file to have it read")
    } else if excludes {
        failure.hint("look at what `--exclude` and `sca.exclude` of the configuration leave out")
    } else {
        failure.hint("name another folder, or a file; `aiva scan --installed` reads what is installed there, --image a container image")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aiva_sca::inventory::{Kind, single_input};

    #[track_caller]
    fn check(files: &[(&str, Kind, &str)], want: &[&str], is_incomplete: bool) {
        let input = |(path, kind, text): &(&str, Kind, &str)| single_input(path, *kind, kind.read(text.as_bytes()));
        let inventory = Inventory { inputs: files.iter().map(input).collect(), ..Inventory::default() };
        let got = Gaps::of(&inventory).with_unpinned(&inventory);
        assert_eq!(
            (got.lines.iter().map(String::as_str).collect::<Vec<_>>(), got.is_incomplete),
            (want.to_vec(), is_incomplete)
        );
    }

    #[test]
    fn nothing_that_was_left_out_is_passed_over() {
        check(&[("requirements.txt", Kind::Requirements, "a==1.0\n")], &[], false);
        let range = "requirements.txt:1: a >=1: a range, not a pinned version; a lockfile would pin it";
        check(&[("requirements.txt", Kind::Requirements, "a>=1\n")], &[range], true);
        let unread = |path| (path, Kind::of("", "bun.lockb").unwrap(), "");
        let said =
            "this release does not read bun.lockb; `bun install --save-text-lockfile` writes bun.lock, which is read";
        check(
            &[unread("bun.lockb"), ("requirements.txt", Kind::Requirements, "a==1.0\n")],
            &[&format!("bun.lockb: {said}")],
            true,
        );
        let few = ["a", "b", "c", "d", "e"].map(unread);
        check(&few, &few.map(|(path, ..)| format!("{path}: {said}")).each_ref().map(String::as_str), true);
        let many = ["a", "b", "c", "d", "e", "f"].map(unread);
        check(&many, &[&format!("a: {said} (and 5 more such files)")], true);
        let elsewhere = |names: &[&str]| {
            let lines: String = names.iter().map(|name| format!("{name}>=1\n")).collect();
            format!("--index-url https://user:secret@pypi.corp.example/simple\n{lines}")
        };
        let of_one = elsewhere(&["a"]);
        let said = "requirements.txt:2: a >=1: it comes from https://pypi.corp.example/simple, which is not known as a mirror \
                    (`sca.mirrors` in aiva.toml), so a public name may be another package there";
        check(&[("requirements.txt", Kind::Requirements, &of_one)], &[said], true);
        let of_many = elsewhere(&["a", "b", "c", "d", "e", "f"]);
        let said = said.replace("2: a >=1: it comes", " 6 packages come");
        check(&[("requirements.txt", Kind::Requirements, &of_many)], &[&said], true);
        let cut = "package-lock.json:1: the file ends in the middle of JSON: it was cut off";
        check(&[("package-lock.json", Kind::PackageLock, "{\"lockfileVersion\": 3, \"packages\": {")], &[cut], true);
    }
}
