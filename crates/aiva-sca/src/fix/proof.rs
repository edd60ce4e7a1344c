//! Reads a manifest again as it will be, with the reader that read it before: whether each edit does what is said of it, and
//! nothing else.
//!
//! Pure, one rule for all formats: of a package that was moved every entry that is new has the new version, and none is left that
//! asks for the affected one; all other packages stay as they are; and nothing is read worse than before.
//!
//! Start reading at [`faults`].

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::desk::Draft;
use super::spans::Spans;
use crate::inventory::{Kind, Reading, Tell};
use crate::name::spelled;
use crate::package::{Ecosystem, Problem, Status};
use crate::scan::range_of;
use crate::version::{Requirement, Version};

/// What stands in the way of edits.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Faults {
    /// By package, as the plan names it.
    pub(super) by_name: BTreeMap<String, String>,
    /// What no single package is at fault for.
    pub(super) whole: Option<String>,
}

impl Faults {
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty() && self.whole.is_none()
    }
}

/// A text and what was read of it.
pub(super) struct Read<'t> {
    text: &'t str,
    reading: Reading,
    entries: Entries,
}

/// What a file says of each package.
type Entries = BTreeMap<(Ecosystem, String), BTreeSet<Entry>>;

/// One place that names a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    line: u32,
    /// A version, or a requirement as written.
    said: String,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    Pin,
    Range,
    /// Something that is not judged.
    Other,
}

impl<'t> Read<'t> {
    pub(super) fn of(kind: Kind, text: &'t str, tell: &dyn Tell) -> Self {
        let reading = kind.read_as(text.as_bytes(), tell);
        let mut entries = Entries::new();
        for one in &reading.packages {
            let entry = Entry { line: one.line, said: one.version.to_string(), form: Form::Pin };
            entries.entry(key(one.ecosystem, &one.name)).or_default().insert(entry);
        }
        for one in &reading.not_judged {
            let form = if one.is_range { Form::Range } else { Form::Other };
            let entry = Entry { line: one.line, said: one.requirement.to_string(), form };
            entries.entry(key(one.ecosystem, &one.name)).or_default().insert(entry);
        }
        Self { text, reading, entries }
    }
}

/// The go command comes with its standard library.
fn key(ecosystem: Ecosystem, name: &str) -> (Ecosystem, String) {
    match (ecosystem, name) {
        (Ecosystem::Go, "toolchain") => (ecosystem, "stdlib".to_owned()),
        _ => (ecosystem, spelled(ecosystem, name).into_owned()),
    }
}

/// What stands in the way of the edits that made the one of the other. What turns out to move along the drafts are told.
pub(super) fn faults(
    path: &str,
    (before, after): (&Read<'_>, &Read<'_>),
    bumps: &mut BTreeMap<String, Draft>,
    puts: &Spans,
) -> Faults {
    let lines = Lines::of(before.text, after.text);
    let nothing = BTreeSet::new();
    let mut found = Faults::default();
    let moves = moves(bumps, puts);
    let known = known(bumps);
    let mut by_line: BTreeMap<u32, &str> = BTreeMap::new();
    let mut along: BTreeSet<String> = BTreeSet::new();
    for name in before.entries.keys().chain(after.entries.keys()).collect::<BTreeSet<_>>() {
        let was = before.entries.get(name).unwrap_or(&nothing);
        let is = after.entries.get(name).unwrap_or(&nothing);
        let (kept, new): (Vec<_>, Vec<_>) =
            is.iter().partition(|entry| was.contains(&Entry { line: lines.before(entry.line), ..(*entry).clone() }));
        match moves.get(name) {
            Some(one) => {
                by_line.extend(is.iter().map(|entry| (entry.line, one.name)));
                if let Some(reason) = one.fault(path, was, &kept, &new) {
                    found.by_name.insert(one.name.to_owned(), reason);
                }
            }
            None if new.is_empty() && kept.len() == was.len() || known.contains(name) => {}
            None if moves.values().any(|one| one.is_shared && new.iter().any(|entry| one.reaches(entry))) => {
                along.insert(name.1.clone());
            }
            None => {
                let line = new.first().copied().or(was.first()).map_or(0, |entry| entry.line);
                let reason = format!("the edit would change {} at {path}:{line} as well, so it is not made", name.1);
                found.whole.get_or_insert(reason);
            }
        }
    }
    for problem in worse(before, after, &lines) {
        let at = if problem.line == 0 { path.to_owned() } else { format!("{path}:{}", problem.line) };
        let reason = format!("the edit would leave a problem at {at} ({}), so it is not made", problem.message);
        match by_line.get(&problem.line) {
            Some(name) => drop(found.by_name.entry((*name).to_owned()).or_insert(reason)),
            None => drop(found.whole.get_or_insert(reason)),
        }
    }
    let along: Rc<[String]> = along.into_iter().collect();
    let shared = bumps.values_mut().filter(|draft| draft.entries.iter().any(|entry| entry.property.is_some()));
    shared.for_each(|draft| draft.found = Rc::clone(&along));
    found
}

/// Who is known to have a version from a place where one was put.
fn known(bumps: &BTreeMap<String, Draft>) -> BTreeSet<(Ecosystem, String)> {
    let places = bumps.values().filter_map(|draft| Some((draft.ecosystem?, &draft.shared)));
    let lists: BTreeMap<usize, (Ecosystem, &Rc<[String]>)> = places
        .flat_map(|(ecosystem, shared)| shared.iter().map(move |(at, names)| (*at, (ecosystem, names))))
        .collect();
    lists.into_values().flat_map(|(ecosystem, names)| names.iter().map(move |name| key(ecosystem, name))).collect()
}

/// What the file will be read worse in.
fn worse(before: &Read<'_>, after: &Read<'_>, lines: &Lines) -> Vec<Problem> {
    let was: BTreeSet<(u32, &str)> =
        before.reading.problems.iter().map(|problem| (problem.line, problem.message.as_str())).collect();
    let is_new = |problem: &&Problem| {
        let line = if problem.line == 0 { 0 } else { lines.before(problem.line) };
        !was.contains(&(line, problem.message.as_str()))
    };
    let mut worse: Vec<Problem> = after.reading.problems.iter().filter(is_new).cloned().collect();
    let rank = |reading: &Reading| match reading.status {
        Status::Parsed => 0,
        Status::Partial => 1,
        Status::Unsupported | Status::Failed => 2,
    };
    if worse.is_empty() && rank(&after.reading) > rank(&before.reading) {
        worse.push(Problem { line: 0, message: format!("it would be {} only", after.reading.status.name()) });
    }
    worse
}

/// What was moved of one package.
struct Moved<'d> {
    name: &'d str,
    ecosystem: Ecosystem,
    /// What has to go, as written or locked.
    from: BTreeSet<&'d str>,
    /// The versions that stand there now.
    to: BTreeSet<&'d str>,
    /// Whether one of them is a property.
    is_shared: bool,
}

fn moves<'d>(bumps: &'d BTreeMap<String, Draft>, puts: &'d Spans) -> BTreeMap<(Ecosystem, String), Moved<'d>> {
    let known = bumps.iter().filter_map(|(name, draft)| Some((name.as_str(), draft.ecosystem?, draft)));
    let mut moves: BTreeMap<_, Moved<'_>> = BTreeMap::new();
    for (name, ecosystem, draft) in known {
        let (from, to, is_shared) = (BTreeSet::new(), BTreeSet::new(), false);
        let one = moves.entry(key(ecosystem, name)).or_insert(Moved { name, ecosystem, from, to, is_shared });
        one.from.extend(draft.serves.iter().map(|(_, version)| version.as_str()));
        for entry in &draft.entries {
            one.to.insert(entry.stands(puts));
            one.is_shared |= entry.property.is_some();
        }
    }
    moves
}

impl Moved<'_> {
    /// What is wrong with the entries of the package.
    fn fault(&self, path: &str, was: &BTreeSet<Entry>, kept: &[&Entry], new: &[&Entry]) -> Option<String> {
        let name = self.name;
        let to = self.to.iter().copied().collect::<Vec<_>>().join(", ");
        let staying = kept.iter().find(|entry| self.asks_still(entry));
        if let Some(Entry { line, said, .. }) = new.iter().find(|entry| !self.reaches(entry)).or(staying) {
            let said = format!("{name} {said}");
            let said = said.trim_end();
            return Some(format!("{path}:{line} would still ask for {said}, so nothing else of it is moved to {to}"));
        }
        let is_there = || new.iter().chain(kept).any(|entry| self.reaches(entry));
        // Where nothing changed, its version is said somewhere else.
        let Entry { line, .. } = was.first().filter(|_| kept.len() < was.len() && !is_there())?;
        Some(format!("{path}:{line} would not be read as {name} {to} after the edit, so it is not made"))
    }

    /// Whether an entry has one of the new versions, or nothing below the highest of them.
    fn reaches(&self, entry: &Entry) -> bool {
        let mut to = self.to.iter().filter_map(|to| Version::parse(self.ecosystem, to));
        match entry.form {
            // Composer's branches stand beside a version.
            Form::Other => self.to.iter().any(|to| entry.said.contains(to)),
            Form::Pin => {
                let pin = Version::parse(self.ecosystem, &entry.said);
                self.to.contains(&*entry.said) || pin.is_some_and(|pin| to.any(|to| to == pin))
            }
            Form::Range => {
                let Some(range) = self.range(entry) else { return false };
                let to: Vec<Version> = to.collect();
                to.iter().any(|to| range.holds(to.key())) || to.iter().max().is_some_and(|to| to.key() <= range.floor())
            }
        }
    }

    /// Whether an entry asks for what has to go, and not for what it goes to. Aliases and steps of workflows stand side by side, and
    /// each of them is told of by itself.
    fn asks_still(&self, entry: &Entry) -> bool {
        let is_alone = matches!(self.ecosystem, Ecosystem::Npm | Ecosystem::GitHubActions);
        let asks = || {
            let range = self.range(entry).filter(|_| entry.form == Form::Range);
            let mut from = self.from.iter().filter_map(|from| Version::parse(self.ecosystem, from));
            range.is_some_and(|range| from.any(|from| range.holds(from.key())))
        };
        !is_alone && !self.reaches(entry) && (self.from.contains(&*entry.said) || asks())
    }

    fn range(&self, entry: &Entry) -> Option<Requirement> {
        Requirement::parse(self.ecosystem, range_of(&entry.said))
    }
}

/// Which line of a text is which of the text before: by line, its number there, and 0 where it was not there.
struct Lines(Vec<u32>);

impl Lines {
    /// An edit changes lines in place and adds a few, so both are walked side by side: where two lines differ, those were added that
    /// stand before the old one's words, if there are no more of them than the text has grown by; else the line was changed.
    fn of(before: &str, after: &str) -> Self {
        let (was, is): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
        let mut numbers = Vec::with_capacity(is.len());
        let (mut old, mut new) = (0, 0);
        while new < is.len() {
            let (left, grown) = (was.len() - old, (is.len() - new).saturating_sub(was.len() - old));
            let gone = left.saturating_sub(is.len() - new);
            let added = was.get(old).map_or(Some(grown), |line| (0..=grown).find(|by| is.get(new + by) == Some(line)));
            let dropped = (0..=gone).find(|by| was.get(old + by) == is.get(new));
            let (added, dropped) = (added.unwrap_or(0), if added.is_none() { dropped.unwrap_or(0) } else { 0 });
            numbers.extend(std::iter::repeat_n(0, added));
            (old, new) = (old + dropped, new + added);
            if new < is.len() {
                numbers.push(if old < was.len() { u32::try_from(old + 1).unwrap_or_default() } else { 0 });
                (old, new) = ((old + 1).min(was.len()), new + 1);
            }
        }
        Self(numbers)
    }

    /// Its number before; 0 where it was not there.
    fn before(&self, line: u32) -> u32 {
        (line as usize).checked_sub(1).and_then(|at| self.0.get(at)).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Alone;

    /// What stands in the way of moving `a` (or `g:a`) from 1.0 to 2.0.
    #[track_caller]
    fn check(kind: Kind, before: &str, after: &str, want: &str) {
        let (ecosystem, name) = match kind {
            Kind::BuildGradle => (Ecosystem::Maven, "g:a"),
            Kind::PackageJson => (Ecosystem::Npm, "a"),
            _ => (Ecosystem::PyPi, "a"),
        };
        let entry = super::super::ask::Entry {
            key: name.to_owned(),
            old: "1.0".to_owned(),
            to: "2.0".to_owned(),
            held: ["1.0".to_owned()].into(),
            is_kept: false,
            property: before.contains("$v").then(|| "v".to_owned()),
            at: None,
        };
        let draft = Draft {
            entries: vec![entry],
            ecosystem: Some(ecosystem),
            serves: BTreeSet::from([("f".to_owned(), "1.0".to_owned())]),
            ..Draft::default()
        };
        let mut bumps = BTreeMap::from([(name.to_owned(), draft)]);
        let read = |text| Read::of(kind, text, &Alone);
        let found = faults("f", (&read(before), &read(after)), &mut bumps, &Spans::default());
        let along = bumps[name].found.iter().map(|name| format!("along {name}"));
        let got: Vec<String> =
            found.by_name.into_values().chain(found.whole.map(|whole| format!("all: {whole}"))).chain(along).collect();
        assert_eq!(got.join("; "), want, "{before} -> {after}");
    }

    #[test]
    fn an_edit_does_what_is_said_of_it_and_nothing_else() {
        use Kind::{BuildGradle, Requirements};
        let left = "f:2 would still ask for a 1.0, so nothing else of it is moved to 2.0";
        for (before, after, want) in [
            ("a==1.0\nb==1\n", "a==2.0\nb==1\n", ""),
            ("a>=0.5\n", "a>=2.0\n", ""),
            ("a==1.0\na==1.0; os_name == 'nt'\n", "a==2.0\na==1.0; os_name == 'nt'\n", left),
            ("a==1.0\na<2\n", "a==2.0\na<2\n", "f:2 would still ask for a <2, so nothing else of it is moved to 2.0"),
            ("a==1.0\na<3\n", "a==2.0\na<3\n", ""), // that allows it
            ("a==1.0\n", "a==2.0\na==1.0\n", left),
            ("a==1.0\n", "a==1.5\n", "f:1 would still ask for a 1.5, so nothing else of it is moved to 2.0"),
            ("a==1.0\n", "# a==2.0\n", "f:1 would not be read as a 2.0 after the edit, so it is not made"),
            (
                "a==1.0\n",
                "c==2.0\n",
                "f:1 would not be read as a 2.0 after the edit, so it is not made; all: the edit would change c at f:1 as well, so it is not made",
            ),
            ("a==1.0\nb==1.0\n", "a==2.0\nb==2.0\n", "all: the edit would change b at f:2 as well, so it is not made"),
            ("b==1\na==1.0\n", "b==1\n\na==2.0\n", ""), // lines may move
            ("c==1\nb==1\na==1.0\n", "\nc==1\n# b\nb==1\na==2.0\n", ""),
            ("\nb==1\na==1.0\n", "b==1\na==2.0\n", ""),
            (
                "a==1.0\n",
                "a==2.0\n-r\n",
                "all: the edit would leave a problem at f:2 (an option that pip does not take here: \"-r\"), so it is not made",
            ),
            // Another problem on a line that had one is new.
            (
                "a==1.0\n-q\n",
                "a==2.0\n-r\n",
                "all: the edit would leave a problem at f:2 (an option that pip does not take here: \"-r\"), so it is not made",
            ),
        ] {
            check(Requirements, before, after, want);
        }
        let build = |first: &str, second: &str| format!("dependencies {{\n{first}\n{second}\n}}\n");
        for (first, second, new, want) in [
            ("api 'g:a:1.0'", "api 'g:b:1.0'", "api 'g:a:2.0'", ""),
            (
                "api 'g:a:1.0'",
                "api 'g:b:1.0'",
                "api 'g:a:2.0",
                "f:2 would not be read as g:a 2.0 after the edit, so it is not made; all: the edit would change g:b at f:3 as well, so it is not made",
            ),
            (
                "ext.v = '1.0'; api \"g:a:$v\"",
                "api group: 'g', name: 'b', version: v",
                "ext.v = '2.0'; api \"g:a:$v\"",
                "along g:b",
            ),
        ] {
            check(BuildGradle, &build(first, second), &build(new, second), want);
        }
        let package = |table: &str| format!("{{\"dependencies\": {{{table}}}}}");
        // Each alias is one of its own.
        check(
            Kind::PackageJson,
            &package(r#""a": "1.0", "x": "npm:a@1.0""#),
            &package(r#""a": "2.0", "x": "npm:a@1.0""#),
            "",
        );
    }
}
