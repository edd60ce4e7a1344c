//! A `requirements.txt` that was compiled: what it was made from has to allow the version too, or the next compile takes it back.
//!
//! pip-compile and uv write the command that made a file into its head, with what it was made from. The command is put together anew
//! from its words: they come out of a file that anybody may have written.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::ask::{Ask, Entry, Stands};
use super::constraints::{Constraints, Said};
use super::desk::Desk;
use super::edit::holds;
use super::here::highest;
use super::mask::masked;
use super::{Case, Group, Run, Stay, Step, kind_of, quoted};
use crate::inventory::{Kind, place};
use crate::package::Input;

/// Has what a requirements file was compiled from allow the version too. Whether nothing else is to be done to it: that cannot be, or the
/// file has hashes, and only what made it can make it again.
pub(super) fn move_sources(group: &mut Group<'_>, inputs: &[Input], desk: &mut Desk<'_>) -> bool {
    let Ok(sheet) = desk.sheet(group.path, group.kind) else { return false };
    let lines = group.lines();
    let (is_hashed, is_own) = {
        let text: Vec<&str> = sheet.before.lines().collect();
        let meant = || lines.iter().filter_map(|line| Some((*line, text.get((*line as usize).checked_sub(1)?)?)));
        let is_hashed = meant().any(|(_, line)| line.trim_end().ends_with('\\') || line.contains(" --hash"));
        (is_hashed, meant().all(|(line, _)| is_asked_by_sources(&text, line)))
    };
    let Some(made) = Compiled::of(group.path, &sheet.before, inputs) else { return false };
    let to = highest(group).to_owned();
    let read = desk.read;
    let lists = desk.constraints.get_or_insert_with(|| Rc::new(Constraints::of(inputs, read))).clone();
    let mut unread = made.unread;
    let (mut asks, mut held) = (false, None);
    for path in made.constraints {
        match lists.has(&path) {
            true => held = held.or_else(|| lists.held_by(&path, group, inputs, &to)),
            false => unread.push(path),
        }
    }
    for (path, kind) in made.sources {
        let said = if kind == Kind::Requirements { lists.said(&path, group, inputs, &to) } else { Said::default() };
        held = held.or(said.held.clone());
        match held.is_none().then(|| source(group, &path, kind, &to, said, desk)) {
            Some(Ok(does)) => asks |= does,
            Some(Err(reason)) => held = Some(format!("{path}: {reason}; {} is made from that", group.path)),
            None => {}
        }
    }
    if let Some(reason) = held {
        group.cases.iter_mut().for_each(|case| case.stays = Some((Stay::Surely, reason.clone())));
        return true;
    }
    if let Some(path) = unread.first() {
        let doubt = format!("it is made from {path}, which was not read here: the next compile may take it back");
        group.doubt = Some(doubt);
    }
    let Some((folder, command)) = made.again else { return false };
    if !is_hashed {
        group.again = Some(Run { folder, command, clears: Vec::new(), brought_by: Vec::new() });
        return false;
    }
    // What others ask for too they may shut out.
    let direct = |case: &Case<'_>| asks || case.findings.iter().any(|finding| finding.direct == Some(true));
    let is_sure = is_own && group.doubt.is_none() && group.cases.iter().all(direct);
    let command = upgrading(&command, group.name, Some(&*to).filter(|_| is_sure));
    let reason = |to: &str| format!("nothing here says whether what asks for it allows {to}");
    for (case, step) in group.cases.iter_mut().zip(&group.moves) {
        case.step = is_sure.then(|| Step { to: step.to.clone(), command: command.clone() });
        let reason = || (Stay::Perhaps, group.doubt.clone().unwrap_or_else(|| reason(&step.to)));
        case.stays = (!is_sure).then(reason);
    }
    let sure = group.cases.iter().filter(|case| case.stays.is_none());
    let clears = super::ids(sure).into_iter().map(str::to_owned).collect();
    group.again = Some(Run { folder, command, clears, brought_by: Vec::new() });
    true
}

/// Whether the comments below a pin say that the sources alone ask for it: `# via -r requirements.in`, `# via shop (pyproject.toml)`.
fn is_asked_by_sources(text: &[&str], line: u32) -> bool {
    let below = text.get(line as usize..).unwrap_or_default().iter().map(|line| line.trim());
    let of_pin = below.skip_while(|line| line.starts_with("--hash")).map_while(|line| line.strip_prefix('#'));
    let who = of_pin.map(|line| line.trim().strip_prefix("via").unwrap_or(line).trim()).filter(|who| !who.is_empty());
    let mut who = who.peekable();
    who.peek().is_some() && who.all(|who| who.starts_with("-r ") || who.starts_with("-c ") || who.ends_with(')'))
}

/// Moves the package in a file that another one is made from, where it shuts the version out; whether it asks for it, or why that cannot be.
fn source(
    group: &Group<'_>,
    path: &str,
    kind: Kind,
    to: &str,
    said: Said,
    desk: &mut Desk<'_>,
) -> Result<bool, String> {
    let none = BTreeSet::new();
    let whole = Ask {
        ecosystem: group.ecosystem,
        name: group.name,
        moves: &group.moves,
        lines: &none,
        stands: Stands::Locked,
        through: &[],
        sorted: OnceCell::new(),
    };
    let (mut asks, mut files) = (said.asks, said.lines);
    if kind != Kind::Requirements {
        let looked = desk.look(path, kind, &whole)?;
        asks = !looked.entries.is_empty();
        let shuts = |entry: &Entry| !holds(group.ecosystem, &entry.old, to);
        if looked.entries.iter().any(shuts) {
            files.insert(path.to_owned(), BTreeSet::new());
        }
    }
    for (file, lines) in files {
        let stands = if lines.is_empty() { Stands::Locked } else { Stands::HereSomehow };
        let ask = Ask { lines: &lines, stands, ..whole.clone() };
        let edited = desk.edit(&file, kind, &ask, group.path)?;
        if let Some(refused) = edited.refused.into_iter().next() {
            return Err(refused.reason);
        }
        if edited.entries.is_empty() {
            return Err(format!("its entry is not edited; move it to {to} by hand"));
        }
    }
    Ok(asks)
}

/// How a file was made.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Compiled {
    /// What it was made from, as paths below the root.
    sources: Vec<(String, Kind)>,
    /// What constrained that.
    constraints: Vec<String>,
    /// What it was made from and is not among the inputs.
    unread: Vec<String>,
    /// What makes it again, where its head says so: the folder and the command.
    again: Option<(String, String)>,
}

impl Compiled {
    /// How the file at `path` was made; `None` where nothing says that it was compiled.
    fn of(path: &str, text: &str, inputs: &[Input]) -> Option<Self> {
        let source = |path: &str| {
            inputs.iter().find(|input| input.path == path).and_then(|input| Some((path.to_owned(), kind_of(input)?)))
        };
        // As the reader has it: what was compiled of a file stands beside it.
        let beside = |path: &str| source(&format!("{}.in", path.strip_suffix(".txt")?));
        let Some(command) = head(text) else {
            return Some(Self { sources: vec![beside(path)?], ..Self::default() });
        };
        let alone = || Self { sources: beside(path).into_iter().collect(), ..Self::default() };
        let Some(words) = words(command) else { return Some(alone()) };
        let Some(top) = ran_in(path, &words) else { return Some(alone()) };
        let mut made = Self::default();
        for (named, is_constraint) in files(&words) {
            let Some(at) = place(&top, named).filter(|at| at != path) else { continue };
            match source(&at) {
                _ if is_constraint => made.constraints.push(at),
                Some(source) => made.sources.push(source),
                None => made.unread.push(at),
            }
        }
        let command: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        let is_known = command.starts_with(&["pip-compile".to_owned()])
            || command.starts_with(&["uv", "pip", "compile"].map(str::to_owned));
        let command = command.join(" ");
        // One with a secret is in the file, and nowhere else.
        let is_open = words.iter().all(|word| masked(word) == word.as_str()) && masked(&command) == command;
        made.again = (is_known && is_open).then_some((top, command));
        Some(made)
    }
}

/// The command that stands in the head of a compiled file.
fn head(text: &str) -> Option<&str> {
    let text = text.trim_start_matches('\u{feff}');
    let mut comments = text.lines().map_while(|line| line.strip_prefix('#')).map(str::trim).take(16);
    comments.find(|line| line.contains("autogenerated by"))?;
    comments.find(|line| !line.is_empty() && !line.ends_with(':'))
}

/// The words of a command as a shell takes them; `None` where that needs more than quotes.
fn words(command: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut open, mut is_word) = (Vec::new(), String::new(), None, false);
    for c in command.chars() {
        match (open, c) {
            (_, '\\' | '$' | '`') => return None,
            (Some(quote), c) if c == quote => open = None,
            (None, '\'' | '"') => (open, is_word) = (Some(c), true),
            (None, c) if c.is_whitespace() => {
                if std::mem::take(&mut is_word) {
                    words.push(std::mem::take(&mut word));
                }
            }
            (_, c) => {
                word.push(c);
                is_word = true;
            }
        }
    }
    words.extend(is_word.then_some(word));
    open.is_none().then_some(words)
}

/// The files that a compile reads, and whether they only constrain.
fn files(words: &[String]) -> Vec<(&str, bool)> {
    const CONSTRAIN: [&str; 3] = ["-c", "--constraint", "--constraints"];
    let is_file = |word: &str| [".in", ".txt", ".toml", "setup.py", "setup.cfg"].iter().any(|end| word.ends_with(end));
    let (mut files, mut before) = (Vec::new(), "");
    for word in words {
        let (option, value) = match word.split_once('=').filter(|_| word.starts_with("--")) {
            Some(split) => split,
            None => (before, word.as_str()),
        };
        if !value.starts_with('-') && is_file(value) && !matches!(option, "-o" | "--output-file") {
            files.push((value, CONSTRAIN.contains(&option)));
        }
        before = if word.starts_with('-') && !word.contains('=') { word } else { "" };
    }
    files
}

/// The folder that a compile ran in: its output is named from there.
fn ran_in(path: &str, words: &[String]) -> Option<String> {
    let mut all = words.iter();
    let mut output = None;
    while let Some(word) = all.next() {
        output = match word.as_str() {
            "-o" | "--output-file" => all.next().map(String::as_str),
            word => word.strip_prefix("--output-file=").or(output),
        };
    }
    // Without one pip-compile writes beside what it reads.
    let made = |word: &String| word.strip_suffix(".in").map(|stem| format!("{stem}.txt"));
    let output = output.map(str::to_owned).or_else(|| words.iter().find_map(made))?;
    let top = path.strip_suffix(output.trim_start_matches("./"))?;
    if top.is_empty() { Some(String::new()) } else { top.strip_suffix('/').map(str::to_owned) }
}

/// The same command where a package moves: to a version that it is known to get, or as far as those who ask for it allow.
fn upgrading(command: &str, name: &str, to: Option<&str>) -> String {
    let raised = to.map_or_else(|| name.to_owned(), |to| format!("{name}=={to}"));
    format!("{command}{UPGRADE}{}", quoted(&raised))
}

pub(super) const UPGRADE: &str = " --upgrade-package ";

/// Whether a command that makes a file again was taken into the one before it: one of them raises all packages.
pub(super) fn goes_with(before: &mut String, command: &str) -> bool {
    let mut known = before.split(UPGRADE);
    let own = known.next();
    let Some((_, raised)) = command.split_once(UPGRADE).filter(|(same, _)| Some(*same) == own) else { return false };
    if !known.any(|one| one == raised) {
        before.push_str(UPGRADE);
        before.push_str(raised);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::single_input;

    #[test]
    fn the_head_of_a_compiled_file_says_what_it_was_made_from() {
        let inputs: Vec<Input> = [
            ("requirements.in", Kind::Requirements),
            ("requirements/dev.in", Kind::Requirements),
            ("pyproject.toml", Kind::PyProject),
            ("app/pyproject.toml", Kind::PyProject),
        ]
        .map(|(path, kind)| single_input(path, kind, kind.read(b"")))
        .into();
        let uv = "# This file was autogenerated by uv via the following command:\n#    ";
        let pip =
            "#\n# This file is autogenerated by pip-compile with Python 3.12\n# by the following command:\n#\n#    ";
        for (path, tool, command, want) in [
            ("requirements.txt", "", "", "from requirements.in"),
            ("other.txt", "", "", "not made"),
            (
                "requirements.txt",
                uv,
                "uv pip compile requirements.in -o requirements.txt",
                "from requirements.in ; again in : uv pip compile requirements.in -o requirements.txt",
            ),
            (
                "requirements/dev.txt",
                uv,
                "uv pip compile dev.in -o dev.txt",
                "from requirements/dev.in ; again in requirements: uv pip compile dev.in -o dev.txt",
            ),
            (
                "requirements/dev.txt",
                pip,
                "pip-compile requirements/dev.in",
                "from requirements/dev.in ; again in : pip-compile requirements/dev.in",
            ),
            (
                "requirements/dev.txt",
                pip,
                "pip-compile --output-file=requirements/dev.txt --strip-extras requirements.in ./requirements/dev.in",
                "from requirements.in requirements/dev.in ; again in : pip-compile '--output-file=requirements/dev.txt' --strip-extras \
                 requirements.in ./requirements/dev.in",
            ),
            (
                "app/lock.txt",
                pip,
                "pip-compile --output-file=lock.txt pyproject.toml",
                "from app/pyproject.toml ; again in app: pip-compile '--output-file=lock.txt' pyproject.toml",
            ),
            // Not all of it is here.
            (
                "requirements.txt",
                pip,
                "pip-compile --constraint=limits.txt -c more.txt --output-file=requirements.txt requirements.in dev.in",
                "from requirements.in ; by limits.txt more.txt ; unread dev.in ; again in : pip-compile '--constraint=limits.txt' -c more.txt \
                 '--output-file=requirements.txt' requirements.in dev.in",
            ),
            // As a shell takes it, and no further.
            (
                "requirements.txt",
                pip,
                "pip-compile --pip-args='--retries 10' requirements.in",
                "from requirements.in ; again in : pip-compile '--pip-args=--retries 10' requirements.in",
            ),
            (
                "requirements.txt",
                uv,
                "uv pip compile requirements.in -o requirements.txt && id",
                "from requirements.in ; again in : uv pip compile requirements.in -o requirements.txt '&&' id",
            ),
            ("requirements.txt", uv, "uv pip compile requirements.in $(id)", "from requirements.in"),
            ("requirements.txt", uv, "uv pip compile requirements.in; id", "from requirements.in"),
            ("requirements.txt", uv, "make lock", "from requirements.in"),
            // Secrets stay in the file.
            (
                "requirements.txt",
                pip,
                "pip-compile --index-url=https://u:s3cret@pypi.example/simple requirements.in",
                "from requirements.in",
            ),
            (
                "requirements.txt",
                pip,
                "pip-compile --pip-args='--index-url https://u:s3cret@pypi.example/simple' requirements.in",
                "from requirements.in",
            ),
        ] {
            let head = if tool.is_empty() { String::new() } else { format!("{tool}{command}\n#\n") };
            let got = Compiled::of(path, &format!("{head}flask==2.2.2\n"), &inputs).map(|one| {
                let sources: Vec<String> = one.sources.into_iter().map(|(path, _)| path).collect();
                let mut parts = vec![format!("from {}", sources.join(" "))];
                for (word, files) in [("by", one.constraints), ("unread", one.unread)] {
                    parts.extend((!files.is_empty()).then(|| format!("{word} {}", files.join(" "))));
                }
                parts.extend(one.again.map(|(folder, command)| format!("again in {folder}: {command}")));
                parts.join(" ; ")
            });
            assert_eq!(got.as_deref().unwrap_or("not made"), want, "{path} {command}");
        }
    }

    #[test]
    fn one_command_raises_all_packages() {
        let mut command = upgrading("pip-compile a.in", "flask", Some("2.2.5"));
        for (next, goes, want) in [
            (
                upgrading("pip-compile a.in", "jinja2", Some("3.1.6")),
                true,
                "pip-compile a.in --upgrade-package 'flask==2.2.5' --upgrade-package 'jinja2==3.1.6'",
            ),
            (
                upgrading("pip-compile a.in", "jinja2", Some("3.1.6")),
                true,
                "pip-compile a.in --upgrade-package 'flask==2.2.5' --upgrade-package 'jinja2==3.1.6'",
            ),
            (
                upgrading("pip-compile b.in", "jinja2", Some("3.1.6")),
                false,
                "pip-compile a.in --upgrade-package 'flask==2.2.5' --upgrade-package 'jinja2==3.1.6'",
            ),
        ] {
            assert_eq!((goes_with(&mut command, &next), command.as_str()), (goes, want));
        }
    }
}
