//! What a `Gemfile`, a `mix.exs` or a `pubspec.yaml` asks for, read once for all packages, and where each requirement stands.
//!
//! Nothing is run. Only what names the package and its versions in plain strings is rewritten; of anything else is said that it has to
//! be moved by hand.

use std::collections::HashMap;
use std::ops::Range;

use super::ask::{Ask, Edited};
use super::edit::{Pen, refusal};
use super::requirement::{dropped, moved, moved_all};
use crate::inventory::Kind;
use crate::package::Ecosystem;

/// What a manifest asks for, by package.
#[derive(Debug, Default)]
pub(super) struct Declared(HashMap<String, Vec<Asking>>);

/// A requirement, and where it stands.
#[derive(Debug)]
struct Asking {
    form: Form,
    /// With its quotes; empty where one is to be put.
    at: Range<usize>,
}

/// How a requirement is written.
#[derive(Debug)]
enum Form {
    /// Strings of Ruby in these quotes, none or more; behind the name where there is none.
    Gem { parts: Vec<String>, quote: char },
    /// Words of Elixir in their quotes.
    Mix { requirement: String, quote: char },
    /// A value of YAML.
    Pub { written: String },
}

impl Declared {
    pub(super) fn read(kind: Kind, text: &str) -> Self {
        let mut read = Self::default();
        match kind {
            Kind::Gemfile => read.gemfile(text),
            Kind::MixExs => read.mix_exs(text),
            _ => read.pubspec(text),
        }
        read
    }

    /// Moves a package in the text that was read; an error says why none of its requirements is.
    pub(super) fn edit(&self, ask: &Ask<'_>) -> Result<Edited, String> {
        let mut pen = Pen::new(ask);
        let mut drops = Vec::new();
        let all = self.0.get(ask.name).map(Vec::as_slice).unwrap_or_default();
        pen.entries.extend((!all.is_empty()).then(|| ask.whole()));
        for asking in all {
            let (new, lost) = asking.form.moved(ask.name, ask.highest())?;
            pen.put(asking.at.clone(), new);
            drops.extend(lost);
        }
        let edited = pen.edited();
        Ok(Edited { drops: drops.into_iter().collect(), ..edited })
    }

    fn put(&mut self, name: &str, form: Form, at: Range<usize>) {
        self.0.entry(name.to_owned()).or_default().push(Asking { form, at });
    }

    /// Every `gem "name"` with its requirements, also on the lines that follow and in a list.
    fn gemfile(&mut self, text: &str) {
        let mut starts = calls(text).peekable();
        while let Some(start) = starts.next() {
            let Some(own) = literal(text, start) else { continue };
            let mut all: Vec<Literal> = Vec::new();
            let mut at = own.end + 1;
            while let Some(next) = argument(text, at) {
                at = next.end + 1;
                all.push(next);
            }
            // No call goes on behind where the next one begins.
            let end = starts.peek().copied().unwrap_or(text.len());
            let options = statement(text.get(..end).unwrap_or_default(), at);
            if ["git", "github", "gist", "path"].iter().any(|key| has_option(options, key)) {
                continue; // no release of the registry
            }
            let quote = text.get(own.end..).and_then(|rest| rest.chars().next()).unwrap_or('"');
            let place = match (all.first(), all.last()) {
                (Some(first), Some(last)) => first.from - 1..last.end + 1,
                _ => own.end + 1..own.end + 1,
            };
            let parts = all.iter().filter_map(|one| text.get(one.from..one.end)).map(str::to_owned).collect();
            self.put(text.get(own.from..own.end).unwrap_or_default(), Form::Gem { parts, quote }, place);
        }
    }

    /// Every `{:name, "requirement"`.
    fn mix_exs(&mut self, text: &str) {
        let mut line = 0;
        for whole in text.split_inclusive('\n') {
            // What follows is a comment, as far as anybody can tell.
            let code = whole.split('#').next().unwrap_or_default();
            for (at, _) in code.match_indices("{:") {
                let rest = code.get(at + 2..).unwrap_or_default();
                let is_end = |c: char| c.is_whitespace() || matches!(c, ',' | '{' | '}' | '"' | '\'');
                let name = rest.get(..rest.find(is_end).unwrap_or(rest.len())).unwrap_or_default();
                let from = line + at + 2 + name.len();
                let Some(rest) = text.get(from..).and_then(|rest| rest.strip_prefix(',')) else { continue };
                let blank = rest.len() - rest.trim_start().len();
                let Some(own) = literal(text, from + 1 + blank) else { continue }; // by git or path
                let requirement = text.get(own.from..own.end).unwrap_or_default().to_owned();
                let quote = if text.get(own.end..).is_some_and(|rest| rest.starts_with('\'')) { '\'' } else { '"' };
                self.put(name, Form::Mix { requirement, quote }, own.from - 1..own.end + 1);
            }
            line += whole.len();
        }
    }

    /// `name: requirement` and `name:` with a `version:` below it.
    fn pubspec(&mut self, text: &str) {
        let (mut in_table, mut inner) = (false, None::<(usize, &str)>);
        let mut at = 0;
        for whole in text.split_inclusive('\n') {
            let line = at;
            at += whole.len();
            let code = whole.trim_start();
            let indent = whole.len() - code.len();
            if code.is_empty() || code.starts_with('#') {
                continue;
            }
            let key = code.split(':').next().unwrap_or_default().trim_matches(['"', '\'']);
            if indent == 0 {
                in_table = matches!(key, "dependencies" | "dev_dependencies" | "dependency_overrides");
                inner = None;
            }
            if indent == 0 || !in_table {
                continue;
            }
            inner = inner.filter(|(above, _)| indent > *above);
            match (inner, value(whole)) {
                (None, None) => inner = Some((indent, key)),
                (None, Some((place, written))) => {
                    self.put(key, Form::Pub { written: written.to_owned() }, line + place.start..line + place.end);
                }
                (Some((_, name)), Some((place, written))) if key == "version" => {
                    self.put(name, Form::Pub { written: written.to_owned() }, line + place.start..line + place.end);
                }
                _ => {}
            }
        }
    }
}

impl Form {
    /// What stands there after a move, and the upper bounds that go.
    fn moved(&self, name: &str, to: &str) -> Result<(String, Vec<String>), String> {
        match self {
            Self::Gem { parts, quote } => {
                if parts.iter().any(|part| part.contains("#{") || part.contains('\\')) {
                    return Err(format!("the version of {name} is computed; move it to {to} by hand"));
                }
                let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
                let new = moved_all(Ecosystem::RubyGems, &parts, to)
                    .ok_or_else(|| format!("{name} is asked for as {parts:?}, which no version can be put into"))?;
                let written: Vec<String> = new.iter().map(|part| format!("{quote}{part}{quote}")).collect();
                let before = if parts.is_empty() { ", " } else { "" };
                Ok((format!("{before}{}", written.join(", ")), dropped(&parts.join("\n"), &new.join("\n"))))
            }
            Self::Mix { requirement, quote } => {
                let parts: Vec<&str> = requirement.split(" and ").map(str::trim).collect();
                let new = moved_all(Ecosystem::Hex, &parts, to).ok_or_else(|| refusal(name, requirement))?;
                let new = new.join(" and ");
                let lost = dropped(requirement, &new);
                Ok((format!("{quote}{new}{quote}"), lost))
            }
            Self::Pub { written } => {
                let bare = written.trim_matches(['"', '\'']);
                let new = moved(Ecosystem::Pub, bare, to).ok_or_else(|| refusal(name, bare))?;
                let lost = dropped(bare, &new);
                let is_quoted = written != bare || new.starts_with(['>', '<']) || new.contains(' ');
                let quote = if written.starts_with('"') { "\"" } else { "'" };
                Ok((if is_quoted { format!("{quote}{new}{quote}") } else { new }, lost))
            }
        }
    }
}

/// A string in the text: where its content begins and ends, without the quotes.
struct Literal {
    from: usize,
    end: usize,
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

/// The value of a line of YAML and where it stands; `None` where there is none.
fn value(line: &str) -> Option<(Range<usize>, &str)> {
    let (_, rest) = line.split_once(':')?;
    let written = rest.split(" #").next().unwrap_or_default().trim();
    if written.is_empty() || written.starts_with('#') {
        return None;
    }
    let from = line.len() - rest.trim_start().len();
    Some((from..from + written.len(), written))
}

#[cfg(test)]
mod tests {
    use std::cell::OnceCell;
    use std::collections::BTreeSet;

    use super::*;
    use crate::fix::ask::{Move, Stands};

    #[track_caller]
    fn check(kind: Kind, text: &str, want: Result<Option<&str>, &str>) {
        let moves = [Move { from: "2.0.0".to_owned(), to: "2.2.8".to_owned() }];
        let ask = Ask {
            ecosystem: Ecosystem::RubyGems,
            name: "rack",
            moves: &moves,
            lines: &BTreeSet::new(),
            stands: Stands::Here,
            through: &[],
            sorted: OnceCell::new(),
        };
        let got = Declared::read(kind, text).edit(&ask);
        let got = got.map(|edited| (!edited.entries.is_empty()).then(|| edited.puts.applied(text)));
        assert_eq!(got.as_ref().map(Option::as_deref).map_err(String::as_str), want, "{text}");
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
            check(Kind::Gemfile, text, Ok(want));
        }
        check(
            Kind::Gemfile,
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
            check(Kind::MixExs, text, Ok(want));
        }
        let either = "{:rack, \"~> 1.0 or ~> 2.0\"}";
        check(Kind::MixExs, either, Err("rack is asked for as \"~> 1.0 or ~> 2.0\", which no version can be put into"));
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
            check(Kind::PubspecYaml, text, Ok(want));
        }
        let flow = "dependencies:\n  rack: {git: x}\n";
        check(Kind::PubspecYaml, flow, Err("rack is asked for as \"{git: x}\", which no version can be put into"));
    }
}
