//! What a run did not read or could not judge, in words: the same for every command that reads a folder. Pure.

use aiva_sca::inventory::Inventory;
use aiva_sca::package::{Input, Status};
use aiva_sca::scan::ScanResult;

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
        for input in &inventory.inputs {
            gaps.lines.extend(unread(input));
        }
        let hidden = |path: &String| format!("{path}: hidden by git's ignore rules; name it to have it read");
        gaps.lines.extend(inventory.ignored_lockfiles.iter().map(hidden));
        let count = |status| inventory.inputs.iter().filter(|input| input.status == status).count();
        // A manifest that nobody reads beside a lockfile that was read is no gap; nothing read at all is one.
        let nothing_read = count(Status::Parsed) == 0 && count(Status::Unsupported) > 0;
        gaps.is_incomplete = count(Status::Partial) + count(Status::Failed) > 0 || nothing_read;
        gaps
    }

    /// And the entries that name no version.
    pub(crate) fn with_unpinned(mut self, inventory: &Inventory) -> Self {
        let all = inventory.inputs.iter().flat_map(|input| input.not_judged.iter().map(move |entry| (input, entry)));
        let lines = all.map(|(input, entry)| {
            let what = format!("{} {}", entry.name, entry.requirement);
            format!("{}:{}: {}: {}", input.path, entry.line, what.trim_end(), entry.reason)
        });
        let before = self.lines.len();
        self.lines.extend(lines);
        self.is_incomplete |= self.lines.len() > before;
        self
    }

    /// And what could not be judged.
    pub(crate) fn with_unjudged(mut self, result: &ScanResult) -> Self {
        let line = |entry: &aiva_sca::scan::Unjudged| {
            let what = format!("{} {}", entry.name, entry.requirement);
            format!("{}:{}: {}: {}", entry.path, entry.line, what.trim_end(), entry.reason)
        };
        self.lines.extend(result.not_judged.iter().map(line));
        self.is_incomplete |= !result.not_judged.is_empty();
        self
    }
}

fn unread(input: &Input) -> Vec<String> {
    if input.problems.is_empty() && input.status == Status::Unsupported {
        return vec![format!("{}: this release does not read {}", input.path, input.kind)];
    }
    let problem = |problem: &aiva_sca::package::Problem| match problem.line {
        0 => format!("{}: {}", input.path, problem.message),
        line => format!("{}:{line}: {}", input.path, problem.message),
    };
    input.problems.iter().map(problem).collect()
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
        let unread = ("setup.py", Kind::Unread("setup.py"), "");
        let said = "setup.py: setup.py is known, but this release does not read it";
        check(&[unread, ("requirements.txt", Kind::Requirements, "a==1.0\n")], &[said], false);
        check(&[unread], &[said], true);
        let cut = "package-lock.json:1: the file ends in the middle of JSON: it was cut off";
        check(&[("package-lock.json", Kind::PackageLock, "{\"lockfileVersion\": 3, \"packages\": {")], &[cut], true);
    }
}
