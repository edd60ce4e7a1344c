//! What a scan could not read or judge, held against what it could not before. Pure.
//!
//! Entries are told from each other by name and requirement, wherever they are, so that those of a file that was moved are no news; files by
//! where they are and what is wrong with them.

use std::collections::{HashMap, HashSet};

use aiva_contracts::api::{DocumentInput, DocumentNotJudged, InputStatus};

/// What tells one gap from another, but for its place.
type Name = (String, String);

/// All gaps of a scan, with the files that they are in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Gaps(HashMap<Name, Vec<String>>);

/// Gaps that were not there before: the file, and what is open there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NewGaps(HashSet<(String, Name)>);

impl Gaps {
    /// Those of these files.
    pub(super) fn of(inputs: &[DocumentInput]) -> Self {
        let mut gaps: HashMap<Name, Vec<String>> = HashMap::new();
        for input in inputs {
            let entries = input.not_judged.iter().map(of_entry);
            let problems = input.problems.iter().map(|problem| of_file(input, &problem.message));
            let is_unread = input.status != InputStatus::Parsed;
            let file = (is_unread && input.problems.is_empty()).then(|| of_file(input, ""));
            let problems = problems.filter(|_| is_unread).chain(file);
            entries.chain(problems).for_each(|gap| gaps.entry(gap).or_default().push(input.path.clone()));
        }
        Self(gaps)
    }

    /// Those of which there are more than there were: one that is gone elsewhere answers for one that is here.
    pub(super) fn since(self, before: &Self) -> NewGaps {
        let mut new = HashSet::new();
        for (name, now) in self.0 {
            let mut gone: Vec<&str> = before.0.get(&name).into_iter().flatten().map(String::as_str).collect();
            let mut take = |path: Option<&str>| {
                let at = path.map_or(gone.len().checked_sub(1), |path| gone.iter().position(|one| *one == path));
                at.map(|at| gone.swap_remove(at)).is_some()
            };
            let elsewhere: Vec<String> = now.into_iter().filter(|path| !take(Some(path))).collect();
            let left = elsewhere.into_iter().filter(|_| !take(None));
            new.extend(left.map(|path| (path, name.clone())));
        }
        NewGaps(new)
    }
}

impl NewGaps {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an entry of a file is one of them.
    pub(super) fn has_entry(&self, input: &DocumentInput, entry: &DocumentNotJudged) -> bool {
        self.0.contains(&(input.path.clone(), of_entry(entry)))
    }

    /// Whether what is wrong with a file is one of them; nothing where all that is known is that it was not read.
    pub(super) fn has_problem(&self, input: &DocumentInput, message: &str) -> bool {
        self.0.contains(&(input.path.clone(), of_file(input, message)))
    }
}

fn of_entry(entry: &DocumentNotJudged) -> Name {
    (entry.name.clone(), entry.requirement.clone())
}

fn of_file(input: &DocumentInput, message: &str) -> Name {
    (input.path.clone(), message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_gone_elsewhere_answers_for_one_that_is_here() {
        let gaps = |paths: &[&str]| {
            let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            Gaps(HashMap::from([(("a".to_owned(), "^1".to_owned()), paths)]))
        };
        for (before, now, want) in [
            (&["x"][..], &["x"][..], &[][..]),
            (&["x"], &["y"], &[]),         // moved
            (&["x"], &["x", "y"], &["y"]), // copied: the old one is no news
            (&["x", "y"], &["y"], &[]),
            (&[], &["x"], &["x"]),
            (&["x"], &["y", "z"], &["z"]),
        ] {
            let NewGaps(new) = gaps(now).since(&gaps(before));
            let mut got: Vec<&str> = new.iter().map(|(path, _)| path.as_str()).collect();
            got.sort_unstable();
            assert_eq!(got, want, "{before:?} {now:?}");
        }
    }
}
