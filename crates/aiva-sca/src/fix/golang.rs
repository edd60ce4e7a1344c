//! One module moved in a `go.mod`, or the standard library.

use std::collections::HashSet;

use super::ask::{Ask, Edited, Entry};
use super::spans::Lines;

/// What of a `go.mod` concerns all its lines.
#[derive(Debug)]
pub(super) struct Module {
    lines: Lines,
    names_toolchain: bool,
    /// What is replaced, and by what.
    replaced: HashSet<String>,
}

impl Module {
    pub(super) fn read(text: &str) -> Self {
        let mut replaced = HashSet::new();
        let mut in_block = false;
        for line in text.lines() {
            let code = line.split("//").next().unwrap_or_default();
            let mut words = code.split_whitespace().peekable();
            let is_start = words.next_if(|word| matches!(*word, "replace" | "replace(")).is_some_and(|_| !in_block);
            if is_start || in_block {
                in_block = (in_block || code.trim_end().ends_with('(')) && words.peek() != Some(&")");
                replaced.extend(words.map(|word| bare(word).to_owned()));
            }
        }
        let names_toolchain = text.lines().any(|line| line.split_whitespace().next() == Some("toolchain"));
        Self { lines: Lines::read(text), names_toolchain, replaced }
    }
}

/// `module v1.2.3`, alone or in a block. The standard library is that of the `toolchain` line, which is written where there is
/// none: the `go` line is the least that builds the module, for everybody who uses it, and stays.
pub(super) fn go_mod(text: &str, module: &Module, ask: &Ask<'_>) -> Edited {
    let mut edited = Edited::default();
    let is_toolchain = matches!(ask.name, "stdlib" | "toolchain");
    let to = ask.highest();
    // A line that is replaced is no line that builds.
    if module.replaced.contains(ask.name) {
        edited.refused.push(format!("{} is replaced; move the replacement to v{to} by hand", ask.name).into());
        return edited;
    }
    for (_, place) in module.lines.of(ask) {
        let whole = text.get(place.clone()).unwrap_or_default();
        let code = whole.split("//").next().unwrap_or_default();
        let mut words = code.split_whitespace().filter(|word| *word != "require");
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let new = match (first, second) {
            ("go", _) if is_toolchain && !module.names_toolchain => {
                let end = if whole.ends_with("\r\n") { "\r\n" } else { "\n" };
                let line = whole.trim_end_matches(['\n', '\r']);
                Some(format!("{line}{end}{end}toolchain go{to}{end}"))
            }
            ("toolchain", version) if is_toolchain => Some(whole.replacen(version, &format!("go{to}"), 1)),
            (own, version) if bare(own) == ask.name && version.starts_with('v') => {
                Some(whole.replacen(version, &format!("v{to}"), 1))
            }
            _ => None,
        };
        if let Some(new) = new {
            if edited.entries.is_empty() {
                edited.entries.push(Entry { at: Some(place.start), ..ask.whole() });
            }
            edited.puts.put(place, new, to);
        }
    }
    edited
}

/// A word without its quotes, of which a `go.mod` has two.
fn bare(word: &str) -> &str {
    word.trim_matches(['"', '`'])
}
