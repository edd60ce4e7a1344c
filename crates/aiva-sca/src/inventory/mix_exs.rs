//! `mix.exs`: the dependencies of an Elixir project, as far as they are literals.
//!
//! The file is a program. What is read is the list in `deps`, in each of its clauses: tuples of a name, a requirement and options. An
//! entry or a clause that is computed, and a list that is put together from others, make the file partial and are named by their line.

use super::address::without_secret;
use super::door;
use super::mix_lock::{Term, Terms};
use super::reading::{Declared, Reading, quote};
use crate::package::{Ecosystem, NotJudged, Package, Scope, Source};

const COMPUTED: &str = "its dependencies are computed: there is no literal list of them in `deps`";

/// Reads a `mix.exs`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let code = without_comments(text);
    let clauses = clauses(&code);
    for clause in &clauses {
        if let Clause::Literal(at) = clause {
            entries(&code, *at, &mut reading);
        }
    }
    let is_some_literal = clauses.iter().any(|clause| matches!(clause, Clause::Literal(_)));
    match inline(&code).filter(|_| !is_some_literal) {
        Some(at) => entries(&code, at, &mut reading),
        None if clauses.is_empty() && code.contains("deps") => {
            let line = line_of(&code, code.find("deps").unwrap_or(0));
            reading.problem(line, COMPUTED);
        }
        None if !code.contains("defmodule") => reading.problem(1, "no module: not a mix.exs"),
        None => {
            let message = if is_some_literal { "what this clause of `deps` lists is computed" } else { COMPUTED };
            for clause in &clauses {
                if let Clause::Computed(at) = clause {
                    reading.problem(line_of(&code, *at), message);
                }
            }
        }
    }
    if !is_closed(&code) {
        reading.problem(door::last_line(text), "the module is not closed by its `end`: the file may have been cut off");
    }
    reading.close()
}

/// Whether the last line closes the module: `end` in the column of `defmodule`. Where it stands elsewhere, as many blocks must be closed
/// as are opened.
fn is_closed(code: &str) -> bool {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let Some(head) = code.lines().find(|line| line.trim_start().starts_with("defmodule")) else { return true };
    let last = code.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if last.trim() == "end" && indent(last) == indent(head) {
        return true;
    }
    let words = || code.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | ':' | '.' | '?' | '!')));
    let opened = words().filter(|word| matches!(*word, "do" | "fn")).count();
    opened.max(1) <= words().filter(|word| *word == "end").count()
}

/// The same text with blanks where comments stand, so that places stay.
fn without_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let mut in_string = false;
        let mut in_comment = false;
        let mut escaped = false;
        for c in line.chars() {
            match c {
                '"' if !in_comment && !escaped => in_string = !in_string,
                '#' if !in_string => in_comment = true,
                _ => {}
            }
            escaped = c == '\\' && !escaped;
            if in_comment && c != '\n' && c != '\r' {
                code.extend(std::iter::repeat_n(' ', c.len_utf8()));
            } else {
                code.push(c);
            }
        }
    }
    code
}

/// One clause of the function `deps`.
enum Clause {
    /// Where its list begins.
    Literal(usize),
    /// Where its head begins.
    Computed(usize),
}

/// The clauses of `deps`, of any arguments: which of them holds where is not told, so that all do. A head without a body says only what
/// the arguments are if nobody gives them.
fn clauses(code: &str) -> Vec<Clause> {
    let mut clauses = Vec::new();
    let heads = code.match_indices("def").filter(|(at, _)| !code.get(..*at).is_some_and(|own| own.ends_with(is_word)));
    for (at, word) in heads {
        let after = code.get(at + word.len()..).unwrap_or_default();
        let after = after.strip_prefix('p').unwrap_or(after);
        let Some(rest) = after.trim_start_matches([' ', '\t']).strip_prefix("deps") else { continue };
        if after.starts_with(is_word) || rest.starts_with(is_word) {
            continue;
        }
        let Some(body) = body(rest) else { continue };
        if clauses.len() == MOST_CLAUSES {
            clauses.push(Clause::Computed(at));
            break;
        }
        let is_list = body.starts_with('[');
        clauses.push(if is_list { Clause::Literal(code.len() - body.len()) } else { Clause::Computed(at) });
    }
    clauses
}

/// What is beyond them counts as computed: no list is read that often.
const MOST_CLAUSES: usize = 32;

/// A head is not longer than that, in bytes: its arguments and its guard.
const LONGEST_HEAD: usize = 512;

/// What follows the `do` of a head, from behind its name.
fn body(after: &str) -> Option<&str> {
    let mut open = 0_usize;
    for (at, c) in after.char_indices().take_while(|(at, _)| *at < LONGEST_HEAD) {
        match c {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open = open.saturating_sub(1),
            'd' if open == 0 => {
                let is_begun = after.get(..at).is_none_or(|before| before.ends_with([' ', '\t', '\n', ',', ')']));
                let rest = after.get(at..).and_then(|rest| rest.strip_prefix("do")).filter(|_| is_begun);
                if let Some(rest) = rest.filter(|rest| !rest.starts_with(is_word)) {
                    return Some(rest.strip_prefix(':').unwrap_or(rest).trim_start());
                }
                // The next function.
                if is_begun && after.get(at..).is_some_and(|rest| rest.starts_with("def")) {
                    return None;
                }
            }
            _ => {}
        }
    }
    None
}

/// Where the list begins that stands at `deps:` in `project`.
fn inline(code: &str) -> Option<usize> {
    let mut places = code.match_indices("deps: [").map(|(at, _)| at);
    let own = places.find(|at| !code.get(..*at).is_some_and(|before| before.ends_with(is_word)))?;
    Some(own + "deps: ".len())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '?' | '!')
}

fn entries(code: &str, start: usize, reading: &mut Reading) {
    let mut terms = Terms::at(code, start + 1, line_of(code, start));
    loop {
        if terms.takes(b"]") {
            break;
        }
        terms.gap();
        let (from, line) = (terms.place(), terms.line());
        match terms.term() {
            Ok(Term::Tuple(parts, line)) => entry(parts, line, reading),
            Ok(_) => reading.problem(line, "not a dependency that could be read: it is computed"),
            Err(fault) => {
                reading.fault(fault);
                // The next entry that begins a line of its own.
                let rest = code.get(from + 1..).unwrap_or_default();
                let next = rest.match_indices('\n').map(|(at, _)| at).find(|at| {
                    rest.get(at + 1..).is_some_and(|line| line.trim_start_matches([' ', '\t']).starts_with('{'))
                });
                let Some(next) = next.map(|at| from + 1 + at) else { return };
                terms =
                    Terms::at(code, next, line + line_of(code.get(from..next).unwrap_or_default(), next - from) - 1);
                continue;
            }
        }
        if !terms.takes(b",") && terms.peek() != Some(b']') {
            return reading.problem(terms.line(), "the list of dependencies is computed or was cut off here");
        }
    }
    if terms.takes(b"++") || terms.takes(b"|>") {
        reading.problem(terms.line(), "more dependencies are computed and added to the list");
    }
}

fn entry(parts: Vec<Term>, line: u32, reading: &mut Reading) {
    let mut parts = parts.into_iter();
    let Some(Term::Atom(name)) = parts.next() else {
        return reading.problem(line, "a dependency whose name is computed");
    };
    if name.is_empty() {
        return reading.problem(line, "a dependency without a name");
    }
    let mut is_computed = false;
    let mut requirement = String::new();
    let mut options = Vec::new();
    for part in parts {
        match part {
            Term::Text(text) => requirement = text,
            Term::List(more) => options.extend(more),
            Term::Pair(..) => options.push(part),
            _ => {
                is_computed = true;
                reading.problem(line, format!("the requirement of {} is computed", quote(&name)));
            }
        }
    }
    let text = |key: &str| {
        options.iter().find_map(|option| match option {
            Term::Pair(own, value) if own == key => match &**value {
                Term::Text(text) | Term::Atom(text) => Some(text.clone()),
                _ => Some(String::new()),
            },
            _ => None,
        })
    };
    let only: Vec<String> = options.iter().filter_map(only).flatten().collect();
    let is_dev = !only.is_empty() && only.iter().all(|one| matches!(one.as_str(), "dev" | "test"));
    let scope = if is_dev { Scope::Dev } else { Scope::Runtime };
    reading.links.declared.push(Declared::new(&name, &requirement, scope, line));
    if text("targets").is_some() || text("optional").is_some() {
        reading.links.conditional.push(name.clone());
    }
    if text("path").is_some() || text("in_umbrella").is_some_and(|word| word == "true") {
        reading.outside(Ecosystem::Hex, &name, Source::Path(text("path").unwrap_or_default()), line);
        return reading.links.supplied.push(name);
    }
    let name = text("hex").filter(|real| !real.is_empty()).unwrap_or(name);
    let git = ["git", "github"].into_iter().find_map(text);
    let elsewhere = text("organization").or_else(|| text("repo")).filter(|repository| repository != "hexpm");
    let (is_git, is_elsewhere) = (git.is_some(), elsewhere.is_some());
    let (place, reason) = match (git, elsewhere) {
        (Some(address), _) => (without_secret(&address).into_owned(), "a git dependency, not a released version"),
        (_, Some(repository)) => (repository, "from another repository, where a public name may be another package"),
        _ if is_computed => (requirement, "its requirement is computed"),
        _ if is_pin(&requirement) => {
            let version = requirement.trim_start_matches('=').trim();
            let package = Package::new(Ecosystem::Hex, name, version, line);
            return reading.packages.push(Package { scope, direct: Some(true), ..package });
        }
        _ => return reading.range(Ecosystem::Hex, name, requirement, scope, line),
    };
    match (is_git, is_elsewhere) {
        (true, _) => reading.outside(Ecosystem::Hex, &name, Source::Git(place.clone()), line),
        (_, true) => reading.outside(Ecosystem::Hex, &name, Source::PrivateRegistry(place.clone()), line),
        _ => {}
    }
    let entry = NotJudged::new(Ecosystem::Hex, name, place, line, reason);
    reading.not_judged.push(NotJudged { scope, ..entry });
}

/// `only: :dev`, `only: [:dev, :test]`.
fn only(option: &Term) -> Option<Vec<String>> {
    let Term::Pair(key, value) = option else { return None };
    let atoms = |terms: &[Term]| {
        terms.iter().map(|term| if let Term::Atom(name) = term { name.clone() } else { String::new() }).collect()
    };
    (key == "only").then(|| match &**value {
        Term::Atom(name) => vec![name.clone()],
        Term::List(terms) => atoms(terms),
        _ => vec![String::new()],
    })
}

fn is_pin(requirement: &str) -> bool {
    let version = requirement.trim_start_matches("==").trim();
    version.starts_with(|c: char| c.is_ascii_digit()) && !version.contains(' ')
}

fn line_of(text: &str, at: usize) -> u32 {
    let lines = memchr::memchr_iter(b'\n', text.as_bytes().get(..at).unwrap_or_default()).count();
    u32::try_from(lines + 1).unwrap_or(u32::MAX)
}
