//! GitHub workflows and composite actions: the actions that their steps use.
//!
//! An action is pinned by a release (`@v4.1.0`) or by a commit whose comment says which release it is (`@8e5e7e5 # v4.1.0`,
//! as Dependabot and Renovate write it). A branch or a moving tag (`@v4`) is no version: it is listed as not judged.
//!
//! A step, a list or an action at an anchor is listed once, where it stands; an alias adds nothing to it. Only an alias that names an
//! action which stands elsewhere (`uses: *checkout`, with the action in `env`) is put in, up to a bound for the file.

use std::borrow::Cow;
use std::collections::HashMap;

use super::ending;
use super::reading::{Reading, quote};
use super::yaml::{self, Anchored, Visit};
use crate::package::{Ecosystem, Fact, NotJudged, Package, Sign};

/// Where `uses` stands: in a step, in a job that calls another workflow, in a composite action.
#[derive(Default)]
struct Uses {
    found: Vec<(String, u32)>,
    /// The lines of those that an alias stands for, by the line of the alias.
    written: HashMap<u32, u32>,
    /// How many bytes aliases were put in for.
    put_in: usize,
    /// Steps that are no step: a word where keys belong.
    words: Vec<(String, u32)>,
    /// What aliases stand for and is not read.
    unread: Vec<(&'static str, u32)>,
}

/// The most bytes that aliases of one file may stand for.
const MOST_PUT_IN: usize = 64 * 1024;

impl<'a> Visit<'a> for Uses {
    fn key(&mut self, _: yaml::Path<'_, 'a>, _: u32) {}

    fn scalar(&mut self, path: yaml::Path<'_, 'a>, value: Cow<'a, str>, line: u32) {
        let value = value.trim(); // A block has a line end.
        let is_image = || matches!(path, [runs, image] if runs == "runs" && image == "image");
        if path.last().is_some_and(|key| key == "uses") || (is_image() && value.starts_with(IMAGE)) {
            self.found.push((value.to_owned(), line));
        } else if is_step(path) {
            self.words.push((value.to_owned(), line));
        }
    }

    fn reads_block(&self, path: yaml::Path<'_, 'a>) -> bool {
        path.last().is_some_and(|key| key == "uses") || is_step(path)
    }

    fn alias(&mut self, path: yaml::Path<'_, 'a>, meant: Option<&Anchored<'a>>, line: u32) -> bool {
        let is_use = path.last().is_some_and(|key| key == "uses");
        match meant {
            Some(one) if is_use && one.key.as_deref() == Some("uses") => {} // It is listed there.
            Some(one) if is_use && self.put_in + one.value.len() <= MOST_PUT_IN => {
                self.put_in += one.value.len();
                self.found.push((one.value.clone().into_owned(), line));
                self.written.insert(line, one.line);
            }
            Some(_) if is_use => {
                self.unread.push(("the action of this alias is not read: the aliases stand for too much text", line));
            }
            Some(_) if is_step(path) => self.unread.push(("not a step: an alias for a word", line)),
            None if is_use => self.unread.push(("an alias for something else than the name of an action", line)),
            Some(_) | None => {} // A step or a list, which is listed where it stands; or of no interest.
        }
        true
    }
}

/// Whether a place is that of a step, which is no scalar: of a job's, or of an action's.
fn is_step(path: yaml::Path<'_, '_>) -> bool {
    match path {
        [jobs, _, steps, item] => jobs == "jobs" && steps == "steps" && item == yaml::ITEM,
        [runs, steps, item] => runs == "runs" && steps == "steps" && item == yaml::ITEM,
        _ => false,
    }
}

/// Reads a workflow or an action's description.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let (uses, fault) = yaml::tell(text, Uses::default);
    if let Some(fault) = fault {
        reading.fault(fault);
    }
    for (word, line) in uses.words {
        reading.problem(line, format!("not a step: {}", quote(&word)));
    }
    for (message, line) in uses.unread {
        reading.problem(line, message);
    }
    let lines: Vec<&str> = text.lines().collect();
    if let Some(last) = ending::open_line(text).filter(|last| may_be_half(last)) {
        let is_use = uses.found.last().is_some_and(|(_, line)| *line as usize == lines.len());
        if is_use || !last.contains(' ') {
            ending::doubt(text, &mut reading);
        }
    }
    for (value, line) in uses.found {
        let at = uses.written.get(&line).copied().unwrap_or(line);
        let written = lines.get(at.saturating_sub(1) as usize).copied().unwrap_or_default();
        action(&value, comment(written), line, &mut reading);
    }
    reading.close()
}

fn action(value: &str, comment: &str, line: u32, reading: &mut Reading) {
    if value.starts_with("./") || value.starts_with("../") || value.contains("${{") {
        return; // Of this repository, or known only when it runs.
    }
    if let Some(reference) = value.strip_prefix(IMAGE) {
        return image(reference, line, reading);
    }
    let Some((path, reference)) = value.split_once('@') else {
        return reading.problem(line, format!("the action {} names no version", quote(value)));
    };
    let parts: Vec<&str> = path.split('/').collect();
    let [owner, repository, ..] = parts.as_slice() else {
        return reading.problem(line, format!("not an action: {}", quote(value)));
    };
    if owner.is_empty() || repository.is_empty() || reference.is_empty() {
        return reading.problem(line, format!("not an action: {}", quote(value)));
    }
    let name = format!("{owner}/{repository}");
    let is_commit = reference.len() >= 40 && reference.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_commit {
        let (ecosystem, name, fact) =
            (Ecosystem::GitHubActions, name.clone(), Fact::MovingAction(reference.to_owned()));
        let version = release(reference).unwrap_or_default().to_owned();
        reading.links.signs.push(Sign { ecosystem, name: name.into(), version: version.into(), line, fact });
    }
    let said = if is_commit { comment } else { reference };
    match release(said) {
        Some(version) => {
            let package = Package::new(Ecosystem::GitHubActions, name, version, line);
            reading.packages.push(Package { direct: Some(true), ..package });
        }
        None => {
            let reason = match is_commit {
                true => "a commit; a comment such as `# v4.1.0` would say which release it is",
                false => "a branch or a tag that moves, not a released version",
            };
            reading.not_judged.push(NotJudged::new(Ecosystem::GitHubActions, name, reference, line, reason));
        }
    }
}

/// What stands before the reference of a container image.
const IMAGE: &str = "docker://";

/// An image that a step runs in: no package, but a tag of it moves as that of an action does.
fn image(reference: &str, line: u32, reading: &mut Reading) {
    if reference.contains("@sha256:") {
        return;
    }
    let tag = reference.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
    let (name, tag) = tag.unwrap_or((reference, "latest"));
    let (name, fact) = (format!("{IMAGE}{name}"), Fact::MovingAction(tag.to_owned()));
    let ecosystem = Ecosystem::GitHubActions;
    reading.links.signs.push(Sign { ecosystem, name: name.into(), version: String::new().into(), line, fact });
}

/// Whether a last line without its line break may be half of a `uses`: what stands behind `@` is neither a release nor a whole commit,
/// or the key itself is not there to its end. Actions by a branch or a moving tag are not judged in any case.
fn may_be_half(last: &str) -> bool {
    let plain = last.trim_start_matches("- ");
    let Some(value) = plain.strip_prefix("uses:") else { return "uses:".starts_with(plain) };
    let (value, comment) =
        value.split_once(" #").map_or((value, None), |(value, comment)| (value, Some(comment.trim())));
    let value = value.trim().trim_matches(['"', '\'']);
    let Some((_, reference)) = value.split_once('@') else {
        return !value.starts_with("./") && !value.starts_with("docker:");
    };
    let is_commit = matches!(reference.len(), 40 | 64) && reference.bytes().all(|b| b.is_ascii_hexdigit());
    match comment {
        Some(comment) => is_commit && release(comment).is_none(),
        None => !is_commit && release(reference).is_none(),
    }
}

/// `1.2.3` of `v1.2.3`, also behind `tag=` or a name; a release has three numbers.
pub(super) fn release(text: &str) -> Option<&str> {
    let word = text.split_whitespace().next()?;
    let word = word.rsplit(['=', '/']).next()?;
    let version = word.strip_prefix(['v', 'V']).unwrap_or(word);
    let core = version.split(['-', '+']).next()?;
    let numbers: Vec<&str> = core.split('.').collect();
    let whole = numbers.len() == 3 && numbers.iter().all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    whole.then_some(version)
}

/// What stands behind ` #` in a line.
fn comment(line: &str) -> &str {
    line.split_once(" #").map_or("", |(_, comment)| comment.trim())
}
