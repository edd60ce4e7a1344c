//! What a `Gemfile`, a `mix.exs` or a `pubspec.yaml` asks for, read once for all packages, and where each requirement stands.
//!
//! Nothing is run. Only what names the package and its versions in plain strings is rewritten; of anything else is said that it has to
//! be moved by hand.

use std::collections::HashMap;
use std::ops::Range;

mod ruby;

use self::ruby::{calls, has_option, literal, requirements, statement};
use super::ask::{Ask, Edited, Stands};
use super::edit::{Pen, holds, refusal};
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
    /// Code that would have to be run.
    Computed,
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
        let mut is_written = false;
        for asking in all {
            match asking.form.moved(ask.name, ask.highest()) {
                Ok((new, lost)) => {
                    pen.put(asking.at.clone(), new);
                    drops.extend(lost);
                    is_written = true;
                }
                // The command is enough.
                Err(_) if ask.stands == Stands::Locked && asking.form.allows(ask.highest()) => {}
                Err(reason) => return Err(reason),
            }
        }
        pen.entries.iter_mut().for_each(|entry| entry.is_kept = !is_written);
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
            let (all, is_computed) = requirements(text, own.end + 1);
            let at = all.last().unwrap_or(&own).end + 1;
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
            let form = if is_computed { Form::Computed } else { Form::Gem { parts, quote } };
            self.put(text.get(own.from..own.end).unwrap_or_default(), form, place);
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
                let start = from + 1 + blank;
                let Some(own) = literal(text, start) else {
                    // `@version`; behind a key or in a list stands where it comes from.
                    let said = rest.trim_start();
                    if said.starts_with('@') {
                        self.put(name, Form::Computed, start..start);
                    }
                    continue;
                };
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
    /// Whether it allows a version as it is.
    fn allows(&self, to: &str) -> bool {
        match self {
            Self::Gem { parts, .. } => parts.iter().all(|part| holds(Ecosystem::RubyGems, part, to)),
            Self::Computed => false,
            Self::Mix { requirement, .. } => holds(Ecosystem::Hex, requirement, to),
            Self::Pub { written } => holds(Ecosystem::Pub, written.trim_matches(['"', '\'']), to),
        }
    }

    /// What stands there after a move, and the upper bounds that go.
    fn moved(&self, name: &str, to: &str) -> Result<(String, Vec<String>), String> {
        let computed = || format!("the version of {name} is computed; move it to {to} by hand");
        match self {
            Self::Computed => Err(computed()),
            Self::Gem { parts, quote } => {
                if parts.iter().any(|part| part.contains("#{") || part.contains('\\')) {
                    return Err(computed());
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
        let got = edited(kind, text, Stands::Here);
        let got = got.map(|edited| (!edited.entries.is_empty()).then(|| edited.puts.applied(text)));
        assert_eq!(got.as_ref().map(Option::as_deref).map_err(String::as_str), want, "{text}");
    }

    fn edited(kind: Kind, text: &str, stands: Stands) -> Result<Edited, String> {
        let moves = [Move { from: "2.0.0".to_owned(), to: "2.2.8".to_owned() }];
        let ask = Ask {
            ecosystem: Ecosystem::RubyGems,
            name: "rack",
            moves: &moves,
            lines: &BTreeSet::new(),
            stands,
            through: &[],
            sorted: OnceCell::new(),
        };
        Declared::read(kind, text).edit(&ask)
    }

    #[test]
    fn what_allows_the_version_and_cannot_be_moved_is_kept_for_the_command() {
        for (kind, text, want) in [
            (Kind::MixExs, "{:rack, \"~> 1.0 or ~> 2.0\"}", Ok(true)),
            (Kind::MixExs, "[{:rack, \"~> 1.0 or ~> 2.0\"}, {:rack, \"~> 2.2.1\"}]", Ok(false)),
            (Kind::MixExs, "{:rack, \"~> 1.0 or ~> 2.1.0\"}", Err(())),
            (Kind::Gemfile, "gem \"rack\", \">= 2\", RACK\n", Err(())),
        ] {
            let got = edited(kind, text, Stands::Locked);
            let got = got.map(|edited| edited.entries.iter().all(|entry| entry.is_kept)).map_err(drop);
            assert_eq!(got, want, "{text}");
        }
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
            ("gem 'rack', '2.2.3', :require => false\n", Some("gem 'rack', '2.2.8', :require => false\n")),
            ("gem 'rack', **OPTIONS\n", Some("gem 'rack', '>= 2.2.8', **OPTIONS\n")),
            ("gem 'rack', '2.2.3' if ENV['X']\n", Some("gem 'rack', '2.2.8' if ENV['X']\n")),
            (
                "gem 'rack', # web\n  '2.2.3', # x\n  require: X\n",
                Some("gem 'rack', # web\n  '2.2.8', # x\n  require: X\n"),
            ),
            ("gem('rack', [\n  '2.2.3',\n],\n)\n", Some("gem('rack', [\n  '2.2.8',\n],\n)\n")),
            ("gem \"rack\", group: :test\n", Some("gem \"rack\", \">= 2.2.8\", group: :test\n")),
            ("gem \"rack\", \"2.0\", \"group\" => :test\n", Some("gem \"rack\", \"2.2.8\", \"group\" => :test\n")),
            ("gem \"rack\", git: \"https://x.example/rack.git\"\n", None),
            ("gem \"rack\",\n  :path => \"../rack\"\n", None),
            ("gem \"rack-test\", \"1.0\"\n# gem \"rack\", \"1.0\"\ngemspec\n", None),
        ] {
            check(Kind::Gemfile, text, Ok(want));
        }
        for computed in [
            "\"~> #{RACK}\"",
            "RACK",
            "Our::RACK",
            "rack, require: false",
            "ENV.fetch(\"RACK\", \"2.2.3\")",
            "*%w(2.2.3)",
            "*RACK",
            "%q(2.2.3)",
            ":rack",
            "\"~> 2.2\", RACK",
            "\"~> 2.2\",\n  # ours\n  RACK",
            "[\"~> 2.2\", RACK]",
            "[\"~> 2.2\"] + RACK",
            "\"~> \" + RACK",
            "\"~> 2.\" \"2\"",
            "\"~> 2.2\" \\\n  \".3\"",
            "[\"~> 2.2\"",
        ] {
            let text = format!("gem \"rack\", {computed}\n");
            check(Kind::Gemfile, &text, Err("the version of rack is computed; move it to 2.2.8 by hand"));
        }
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
        let computed = "{:rack, @rack, only: :dev}";
        check(Kind::MixExs, computed, Err("the version of rack is computed; move it to 2.2.8 by hand"));
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
