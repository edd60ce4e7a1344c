//! One package moved in a workflow or in what a `pnpm-workspace.yaml` forces.
//!
//! Only a release that stands there in plain text is rewritten; of anything else is said that it has to be moved by hand.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

use super::ask::{Ask, Edited};
use super::edit::{Pen, refusal};
use super::requirement::moved;
use super::spans::Lines;
use crate::package::Ecosystem;

/// A `pnpm-workspace.yaml`: the lines below `overrides` by name, and under which keys each anchor is referred to.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    by_name: HashMap<String, Vec<Range<usize>>>,
    aliases: HashMap<String, HashSet<Rc<str>>>,
}

impl Workspace {
    pub(super) fn read(text: &str) -> Self {
        let (mut read, mut in_table, mut at) = (Self::default(), false, 0);
        for whole in text.split_inclusive('\n') {
            let place = at..at + whole.len();
            at = place.end;
            read.refer(whole);
            let code = whole.trim_start();
            let (key, _) = entry(code);
            if code.len() == whole.len() && !code.trim().is_empty() && !code.starts_with('#') {
                in_table = key == "overrides";
            } else if in_table && code.len() < whole.len() {
                read.by_name.entry(key.to_owned()).or_default().push(place);
            }
        }
        read
    }

    /// Takes the anchors in that a line refers to.
    fn refer(&mut self, line: &str) {
        let mut words = line.split('*');
        let key = words.next().and_then(|begin| begin.split(':').next()).unwrap_or_default();
        let key: Rc<str> = key.trim().trim_matches(['"', '\'']).into();
        let is_end = |c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}');
        for anchor in words.filter_map(|word| word.split(is_end).next()) {
            self.aliases.entry(anchor.to_owned()).or_default().insert(Rc::clone(&key));
        }
    }

    /// Moves what is forced for a package in the text that was read.
    pub(super) fn edit(&self, text: &str, ask: &Ask<'_>) -> Edited {
        let mut pen = Pen::new(ask);
        for place in self.by_name.get(ask.name).into_iter().flatten() {
            let whole = text.get(place.clone()).unwrap_or_default();
            let (key, rest) = entry(whole.trim_start());
            let value = anchored(rest);
            let written = value.split(" #").next().unwrap_or_default().trim();
            let bare = written.trim_matches(['"', '\'']);
            // What is to be `-` pnpm leaves out.
            if bare.is_empty() || bare.starts_with('$') || bare == "-" {
                continue;
            }
            // An alias, a tag or a block is no version that stands here; an anchor's may be that of others.
            let anchor = rest.trim_start().strip_prefix('&').and_then(|named| named.split_whitespace().next());
            let keys = anchor.and_then(|own| self.aliases.get(own));
            let is_shared = keys.is_some_and(|keys| keys.iter().any(|key| **key != *ask.name));
            if written.starts_with(['&', '*', '!', '|', '>']) || is_shared {
                pen.refuse(refusal(key, rest.split(" #").next().unwrap_or_default().trim()));
            } else if let Some(new) = pen.write(key, bare, |old, to| moved(Ecosystem::Npm, old, to)) {
                let from = place.end - value.len() + value.find(bare).unwrap_or_default();
                pen.put(from..from + bare.len(), new);
            }
        }
        pen.edited()
    }
}

/// The key of a line without its quotes, and what stands behind it.
fn entry(code: &str) -> (&str, &str) {
    let (key, rest) = code.split_once(": ").unwrap_or((code.trim_end().trim_end_matches(':'), ""));
    (key.trim_matches(['"', '\'']), rest)
}

/// What stands behind an anchor, where there is one.
fn anchored(value: &str) -> &str {
    let named = value.trim_start().strip_prefix('&');
    named.map_or(value, |named| named.trim_start_matches(|c: char| !c.is_whitespace()))
}

/// `uses: owner/name/path@v1.2.3`, on the lines of the findings or below such a line. A commit is not moved: which one the release is,
/// nothing here says.
pub(super) fn workflow(text: &str, lines: &Lines, ask: &Ask<'_>) -> Edited {
    let mut pen = Pen::new(ask);
    let mut refused_at = BTreeMap::new();
    let value = |line: &'_ str| used(line).map(str::len);
    for (number, place) in lines.of(ask) {
        let known = pen.refused.len();
        let whole = text.get(place.clone()).unwrap_or_default();
        let opens = value(whole).filter(|length| stands_below(whole.get(whole.len() - length..).unwrap_or_default()));
        // The action may stand below its key.
        let below = opens.and_then(|_| lines.filled_after(number, text));
        let is_above = |line: &str| used(line).is_some_and(stands_below);
        let before = || lines.filled_before(number, text).and_then(|place| text.get(place));
        let is_below = below.is_some() || value(whole).is_none() && before().is_some_and(is_above);
        let place = below.unwrap_or(place);
        let line = text.get(place.clone()).unwrap_or_default();
        let length = if is_below { Some(line.len()) } else { value(line) };
        let new = length.and_then(|length| action(line, line.get(line.len() - length..)?, &mut pen));
        if let Some(new) = new {
            pen.put(place, new);
        }
        refused_at.extend(pen.refused.get(known).map(|refused| (number, refused.reason.clone())));
    }
    Edited { refused_at, ..pen.edited() }
}

/// What stands behind the key `uses` of a line, which may have quotes, and blanks before its colon.
fn used(line: &str) -> Option<&str> {
    line.match_indices("uses").find_map(|(at, key)| {
        let (before, behind) = (line.get(..at)?, line.get(at + key.len()..)?);
        let quote = before.chars().next_back().filter(|c| matches!(c, '"' | '\''));
        let (before, behind) = match quote {
            Some(quote) => (before.strip_suffix(quote)?, behind.strip_prefix(quote)?),
            None => (before, behind),
        };
        let is_begin = |c: char| c.is_whitespace() || matches!(c, '{' | ',');
        let value = behind.trim_start_matches([' ', '\t']).strip_prefix(':')?;
        // In braces nothing need stand behind the colon of a key in quotes.
        let is_key = quote.is_some() || value.chars().next().is_none_or(char::is_whitespace);
        (is_key && before.chars().next_back().is_none_or(is_begin)).then_some(value)
    })
}

/// Whether nothing stands behind a key but what opens a value on the next line: `>-`, `|`, an anchor.
fn stands_below(value: &str) -> bool {
    let value = anchored(value).split(" #").next().unwrap_or_default().trim();
    let sign = value.trim_start_matches(['>', '|']);
    value.is_empty() || sign.len() < value.len() && sign.bytes().all(|b| matches!(b, b'+' | b'-') || b.is_ascii_digit())
}

/// The line with the action moved; `value` is its end, behind `uses:`.
fn action(line: &str, value: &str, pen: &mut Pen<'_>) -> Option<String> {
    // An anchor stands before what it is for.
    let value = anchored(value).trim_start_matches([' ', '\t', '"', '\'']);
    let from = line.len() - value.len();
    let value = value.get(..value.find([' ', '\t', '"', '\'', '\r', '\n', ',', '}', ']']).unwrap_or(value.len()))?;
    let (action, release) = value.split_once('@')?;
    let (own, path) = action.split_at_checked(pen.ask.name.len())?;
    if !own.eq_ignore_ascii_case(pen.ask.name) || !(path.is_empty() || path.starts_with('/')) {
        return None;
    }
    if release.len() >= 40 && release.bytes().all(|b| b.is_ascii_hexdigit()) {
        let to = pen.ask.highest();
        pen.refuse(format!("{action} is pinned by a commit; pin that of its release {to}"));
        return None;
    }
    let mark = if release.starts_with('v') { "v" } else { "" };
    let new = pen.write(action, release, |_, to| Some(format!("{mark}{to}")))?;
    let (before, behind) = (line.get(..from)?, line.get(from + value.len()..)?);
    Some(format!(
        "{before}{action}@{new}{}",
        commented(behind, release.trim_start_matches('v'), new.trim_start_matches('v'))
    ))
}

/// What stands behind a release, with the release that a comment names moved along; any other comment stays, also one that names
/// another number.
fn commented(behind: &str, from: &str, to: &str) -> String {
    let stale = || {
        let (_, comment) = behind.split_once(" #")?;
        let said = comment.trim();
        let version = said.strip_prefix(['v', 'V']).unwrap_or(said);
        let is_version = version.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
        let begins = |whole: &str, part: &str| {
            whole.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let is_of_old = begins(from, version) || begins(version, from);
        // `v4` goes on to be true of 4.2.
        let at = behind.len() - comment.len() + comment.find(version)?;
        (is_version && is_of_old && !begins(to, version)).then_some(at..at + version.len())
    };
    let mut behind = behind.to_owned();
    if let Some(place) = stale() {
        behind.replace_range(place, to);
    }
    behind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_an_action_may_have_quotes_and_blanks() {
        for (line, want) in [
            ("      - uses: o/a@v1\n", Some(" o/a@v1\n")),
            ("uses : o/a@v1", Some(" o/a@v1")),
            ("- \"uses\": o/a@v1", Some(" o/a@v1")),
            ("- 'uses' :\to/a@v1", Some("\to/a@v1")),
            ("{id: d,\"uses\":\"o/a@v1\"}", Some("\"o/a@v1\"}")),
            ("{uses: o/a@v1}", Some(" o/a@v1}")),
            ("- name: it reuses: x, uses: o/a@v1", Some(" o/a@v1")),
            ("- uses:", Some("")),
            ("- uses:o/a@v1", None),
            ("- \"uses': o/a@v1", None),
            ("- reuses: o/a@v1", None),
            ("- uses-it: o/a@v1", None),
            ("uses", None),
        ] {
            assert_eq!(used(line), want, "{line}");
        }
    }

    #[test]
    fn a_comment_that_names_the_release_moves_with_it() {
        for (behind, want) in [
            (" # v3.1.0\n", " # v4.2.1\n"),
            ("\"  #  3.1.0 \r\n", "\"  #  4.2.1 \r\n"),
            (" # v3.1", " # v4.2.1"),
            (" # v3.1.0.7\n", " # v4.2.1\n"),
            (" # 18\n", " # 18\n"), // of something else
            (" # v3.2\n", " # v3.2\n"),
            (" # v4.2.1\n", " # v4.2.1\n"),
            (" # v3.1.0 or later\n", " # v3.1.0 or later\n"),
            (" # pinned\n", " # pinned\n"),
            (" #\n", " #\n"),
            (" # v1.\n", " # v1.\n"),
            ("\n", "\n"),
        ] {
            assert_eq!(commented(behind, "3.1.0", "4.2.1"), want, "{behind:?}");
        }
        assert_eq!(commented(" # v4", "4.1.0", "4.2.1"), " # v4", "still true");
    }
}
