//! One package moved in a manifest that is a program: a `Gemfile`, a `mix.exs`, a workflow.
//!
//! Nothing is run. Only a call that names the package and its versions in plain strings is rewritten; of anything else is said
//! that it has to be moved by hand.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use super::ask::{Ask, Edited};
use super::edit::{Pen, refusal};
use super::requirement::{moved, moved_all};
use super::spans::{Lines, Spans};
use crate::package::Ecosystem;

/// A string in the text: where its content begins and ends, without the quotes.
struct Literal {
    from: usize,
    end: usize,
}

/// Every `gem "name"` with its requirements, also on the lines that follow and in a list.
pub(super) fn gemfile(text: &str, name: &str, to: &str) -> Result<Option<String>, String> {
    let mut after = text.to_owned();
    let mut asked = false;
    for start in calls(text).collect::<Vec<_>>().into_iter().rev() {
        let Some(own) = literal(text, start).filter(|own| text.get(own.from..own.end) == Some(name)) else { continue };
        let mut all: Vec<Literal> = Vec::new();
        let mut at = own.end + 1;
        while let Some(next) = argument(text, at) {
            at = next.end + 1;
            all.push(next);
        }
        let options = statement(text, at);
        if ["git", "github", "gist", "path"].iter().any(|key| has_option(options, key)) {
            continue; // no release of the registry
        }
        let parts: Vec<&str> = all.iter().filter_map(|one| text.get(one.from..one.end)).collect();
        if parts.iter().any(|part| part.contains("#{") || part.contains('\\')) {
            return Err(format!("the version of {name} is computed; move it to {to} by hand"));
        }
        let new = moved_all(Ecosystem::RubyGems, &parts, to)
            .ok_or_else(|| format!("{name} is asked for as {parts:?}, which no version can be put into"))?;
        let quote = text.get(own.end..=own.end).unwrap_or("\"");
        let written: Vec<String> = new.iter().map(|part| format!("{quote}{part}{quote}")).collect();
        match (all.first(), all.last()) {
            (Some(first), Some(last)) => after.replace_range(first.from - 1..last.end + 1, &written.join(", ")),
            _ => after.insert_str(own.end + 1, &format!(", {}", written.join(", "))),
        }
        asked = true;
    }
    Ok(asked.then_some(after))
}

/// Every `{:name, "requirement"`.
pub(super) fn mix_exs(text: &str, name: &str, to: &str) -> Result<Option<String>, String> {
    let mut after = text.to_owned();
    let mut asked = false;
    let needle = format!("{{:{name},");
    for (at, _) in text.match_indices(&needle).collect::<Vec<_>>().into_iter().rev() {
        let line = text.get(..at).unwrap_or_default().rsplit('\n').next().unwrap_or_default();
        if line.contains('#') {
            continue; // a comment, as far as anybody can tell
        }
        let from = at + needle.len();
        let blank = text.get(from..).map_or(0, |rest| rest.len() - rest.trim_start().len());
        let Some(own) = literal(text, from + blank) else { continue }; // by git or path
        let requirement = text.get(own.from..own.end).unwrap_or_default();
        let parts: Vec<&str> = requirement.split(" and ").map(str::trim).collect();
        let new = moved_all(Ecosystem::Hex, &parts, to).ok_or_else(|| refusal(name, requirement))?;
        after.replace_range(own.from..own.end, &new.join(" and "));
        asked = true;
    }
    Ok(asked.then_some(after))
}

/// Where the first argument of each `gem` call begins.
fn calls(text: &str) -> impl Iterator<Item = usize> {
    let mut line = 0;
    text.split_inclusive('\n').filter_map(move |whole| {
        let start = line;
        line += whole.len();
        let code = whole.trim_start();
        let rest = code.strip_prefix("gem")?;
        let argument = rest.trim_start_matches([' ', '\t', '(']);
        (argument.len() < rest.len()).then(|| start + whole.len() - argument.len())
    })
}

/// The string that begins here.
fn literal(text: &str, at: usize) -> Option<Literal> {
    let rest = text.get(at..)?;
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let length = rest.get(1..)?.find([quote, '\n'])?;
    text.get(at + 1 + length..)?.starts_with(quote).then_some(Literal { from: at + 1, end: at + 1 + length })
}

/// The next argument, where it is a string, also as the item of a list.
fn argument(text: &str, at: usize) -> Option<Literal> {
    let rest = text.get(at..)?;
    let after = rest.trim_start().strip_prefix(',')?.trim_start();
    let after = after.strip_prefix('[').map_or(after, str::trim_start);
    let own = literal(text, at + rest.len() - after.len())?;
    // `"group" => :x` is a key and no requirement.
    let next = text.get(own.end + 1..)?.trim_start();
    (!next.starts_with("=>") && !next.starts_with(':')).then_some(own)
}

/// What is left of a call: its line, and those after it as long as each ends with a comma.
fn statement(text: &str, at: usize) -> &str {
    let rest = text.get(at..).unwrap_or_default();
    let mut end = 0;
    for line in rest.split_inclusive('\n') {
        end += line.len();
        if !line.trim_end().ends_with(',') {
            break;
        }
    }
    rest.get(..end).unwrap_or_default()
}

/// `key: x`, `:key => x`.
fn has_option(options: &str, key: &str) -> bool {
    let words = options.split(|c: char| !c.is_alphanumeric() && !matches!(c, ':' | '_'));
    let (new, old) = (format!("{key}:"), format!(":{key}"));
    words.into_iter().any(|word| word == new || word == old)
}

/// `name: requirement` and `name:` with a `version:` below it, in a `pubspec.yaml`.
pub(super) fn pubspec(text: &str, name: &str, to: &str) -> Result<Option<String>, String> {
    let mut out = String::with_capacity(text.len() + 8);
    let mut asked = false;
    let (mut in_table, mut inner) = (false, None::<usize>);
    for whole in text.split_inclusive('\n') {
        let code = whole.trim_start();
        let indent = whole.len() - code.len();
        let key = code.split(':').next().unwrap_or_default().trim_matches(['"', '\'']);
        let is_blank = code.trim().is_empty() || code.starts_with('#');
        if !is_blank && indent == 0 {
            in_table = matches!(key, "dependencies" | "dev_dependencies" | "dependency_overrides");
            inner = None;
        } else if !is_blank && in_table {
            if inner.is_some_and(|above| indent <= above) {
                inner = None;
            }
            let is_own = key == name && inner.is_none();
            let is_version = inner.is_some() && key == "version";
            if let Some((new, has_value)) = (is_own || is_version).then(|| value(whole, name, to)).transpose()? {
                if is_own && !has_value {
                    inner = Some(indent);
                } else {
                    asked = true;
                    out.push_str(&new);
                    continue;
                }
            }
        }
        out.push_str(whole);
    }
    Ok(asked.then_some(out))
}

/// A `pnpm-workspace.yaml`: the lines below `overrides` by name, and under which keys each anchor is referred to.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    by_name: HashMap<String, Vec<Range<usize>>>,
    aliases: HashMap<String, HashSet<String>>,
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
        let key = line.split(':').next().unwrap_or_default().trim().trim_matches(['"', '\'']);
        let is_end = |c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}');
        for anchor in line.split('*').skip(1).filter_map(|word| word.split(is_end).next()) {
            self.aliases.entry(anchor.to_owned()).or_default().insert(key.to_owned());
        }
    }

    /// Moves what is forced for a package in the text that was read.
    pub(super) fn edit(&self, text: &str, ask: &Ask<'_>) -> Edited {
        let (mut pen, mut spans) = (Pen::new(ask), Spans::default());
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
            let is_shared = keys.is_some_and(|keys| keys.iter().any(|key| key != ask.name));
            if written.starts_with(['&', '*', '!', '|', '>']) || is_shared {
                pen.refused.push(refusal(key, rest.split(" #").next().unwrap_or_default().trim()));
            } else if let Some(new) = pen.write(key, bare, |old, to| moved(Ecosystem::Npm, old, to)) {
                let from = place.end - value.len() + value.find(bare).unwrap_or_default();
                spans.put(from..from + bare.len(), new, ask.highest());
            }
        }
        pen.put(spans)
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

/// The line with another value, and whether it has one at all.
fn value(line: &str, name: &str, to: &str) -> Result<(String, bool), String> {
    let colon = line.find(':').map_or(line.len(), |at| at + 1);
    let (key, rest) = line.split_at_checked(colon).unwrap_or((line, ""));
    let written = rest.split(" #").next().unwrap_or_default().trim();
    if written.is_empty() || written.starts_with('#') {
        return Ok((line.to_owned(), false));
    }
    let bare = written.trim_matches(['"', '\'']);
    let new = moved(Ecosystem::Pub, bare, to).ok_or_else(|| refusal(name, bare))?;
    let is_quoted = written != bare || new.starts_with(['>', '<']) || new.contains(' ');
    let quote = if written.starts_with('"') { "\"" } else { "'" };
    let new = if is_quoted { format!("{quote}{new}{quote}") } else { new };
    Ok((format!("{key}{}", rest.replacen(written, &new, 1)), true))
}

/// `uses: owner/name/path@v1.2.3`, on the lines of the findings or below such a line. A commit is not moved: which one the release is,
/// nothing here says.
pub(super) fn workflow(text: &str, lines: &Lines, ask: &Ask<'_>) -> Edited {
    let (mut pen, mut spans) = (Pen::new(ask), Spans::default());
    let mut refused_at = BTreeMap::new();
    let value = |line: &'_ str| line.split_once("uses:").map(|(_, value)| value.len());
    for (number, place) in lines.of(ask) {
        let known = pen.refused.len();
        let whole = text.get(place.clone()).unwrap_or_default();
        let opens = value(whole).filter(|length| stands_below(whole.get(whole.len() - length..).unwrap_or_default()));
        // The action may stand below its key.
        let below = opens.and_then(|_| lines.filled_after(number, text));
        let is_above = |line: &str| line.split_once("uses:").is_some_and(|(_, value)| stands_below(value));
        let before = || lines.filled_before(number, text).and_then(|place| text.get(place));
        let is_below = below.is_some() || value(whole).is_none() && before().is_some_and(is_above);
        let place = below.unwrap_or(place);
        let line = text.get(place.clone()).unwrap_or_default();
        let length = if is_below { Some(line.len()) } else { value(line) };
        let new = length.and_then(|length| action(line, line.get(line.len() - length..)?, &mut pen));
        if let Some(new) = new {
            spans.put(place, new, ask.highest());
        }
        refused_at.extend(pen.refused.get(known).map(|reason| (number, reason.clone())));
    }
    Edited { refused_at, ..pen.put(spans) }
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
        pen.refused.push(format!("{action} is pinned by a commit; pin that of its release {to}"));
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

    type Edit = fn(&str, &str, &str) -> Result<Option<String>, String>;

    #[track_caller]
    fn check(edit: Edit, text: &str, want: Result<Option<&str>, &str>) {
        let got = edit(text, "rack", "2.2.8");
        assert_eq!(got.as_ref().map(Option::as_deref).map_err(String::as_str), want, "{text}");
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

    #[test]
    fn a_gemfile_keeps_everything_else() {
        for (text, want) in [
            ("gem \"rack\", \"~> 2.2\" # web\n", Some("gem \"rack\", \"~> 2.2\", \">= 2.2.8\" # web\n")),
            ("gem 'rack', '2.2.3', require: false\n", Some("gem 'rack', '2.2.8', require: false\n")),
            ("  gem(\"rack\", \"~> 2.2.0\")\n", Some("  gem(\"rack\", \"~> 2.2.8\")\n")),
            ("gem \"rack\"\n", Some("gem \"rack\", \">= 2.2.8\"\n")),
            ("gem \"rack\", [\"~> 1.6\", \"< 2\"]\n", Some("gem \"rack\", [\"~> 2.2\", \">= 2.2.8\"]\n")),
            (
                "gem \"rack\",\n    \">= 2.0\",\n    require: false\n",
                Some("gem \"rack\",\n    \">= 2.2.8\",\n    require: false\n"),
            ),
            ("gem \"rack\", group: :test\n", Some("gem \"rack\", \">= 2.2.8\", group: :test\n")),
            ("gem \"rack\", \"2.0\", \"group\" => :test\n", Some("gem \"rack\", \"2.2.8\", \"group\" => :test\n")),
            ("gem \"rack\", git: \"https://x.example/rack.git\"\n", None),
            ("gem \"rack\",\n  :path => \"../rack\"\n", None),
            ("gem \"rack-test\", \"1.0\"\n# gem \"rack\", \"1.0\"\ngemspec\n", None),
        ] {
            check(gemfile, text, Ok(want));
        }
        check(
            gemfile,
            "gem \"rack\", \"~> #{RACK}\"\n",
            Err("the version of rack is computed; move it to 2.2.8 by hand"),
        );
    }

    #[test]
    fn a_mix_exs_keeps_everything_else() {
        for (text, want) in [
            ("[{:rack, \"~> 2.2.1\"}, {:b, \"~> 1.0\"}]", Some("[{:rack, \"~> 2.2.8\"}, {:b, \"~> 1.0\"}]")),
            ("{:rack, \"~> 2.0\", only: :dev}", Some("{:rack, \"~> 2.0 and >= 2.2.8\", only: :dev}")),
            ("{:rack, \">= 1.0.0 and < 2.0.0\"}", Some("{:rack, \">= 2.2.8\"}")),
            ("{:rack, \"2.0.0\"}", Some("{:rack, \"2.2.8\"}")),
            ("{:rack, git: \"https://x.example/r\"}", None),
            ("# {:rack, \"~> 2.0\"}\n", None),
        ] {
            check(mix_exs, text, Ok(want));
        }
        let either = "{:rack, \"~> 1.0 or ~> 2.0\"}";
        check(mix_exs, either, Err("rack is asked for as \"~> 1.0 or ~> 2.0\", which no version can be put into"));
    }

    #[test]
    fn a_pubspec_keeps_everything_else() {
        for (text, want) in [
            ("dependencies:\n  rack: ^2.0.0 # web\n", Some("dependencies:\n  rack: ^2.2.8 # web\n")),
            ("dependencies:\n  rack: '>=2.0.0 <3.0.0'\n", Some("dependencies:\n  rack: '>=2.2.8 <3.0.0'\n")),
            ("dev_dependencies:\n  rack: any\n", Some("dev_dependencies:\n  rack: ^2.2.8\n")),
            ("dependencies:\n  rack: 2.0.0\n", Some("dependencies:\n  rack: 2.2.8\n")),
            (
                "dependencies:\n  rack:\n    hosted: https://x.example\n    version: ^2.0.0\n  b: ^1.0.0\n",
                Some("dependencies:\n  rack:\n    hosted: https://x.example\n    version: ^2.2.8\n  b: ^1.0.0\n"),
            ),
            ("dependencies:\n  rack:\n    path: ../rack\n  b:\n    version: ^1.0.0\n", None),
            ("rack: ^1.0.0\nversion: 1.0.0\n", None),
        ] {
            check(pubspec, text, Ok(want));
        }
        let flow = "dependencies:\n  rack: {git: x}\n";
        check(pubspec, flow, Err("rack is asked for as \"{git: x}\", which no version can be put into"));
    }
}
