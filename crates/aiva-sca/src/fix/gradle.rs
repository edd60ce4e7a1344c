//! One package moved in a `build.gradle` or a `build.gradle.kts`.
//!
//! Nothing is run. A version is replaced where a coordinate is written in plain strings, also where it is a variable that the file
//! sets to a string, or where the one literal of a `version { … }` block decides; of anything else is said that it is not edited.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::rc::Rc;

use super::ask::{Ask, Edited};
use super::edit::Pen;
use super::requirement::moved;
use super::rich::{Decided, decided};
use crate::inventory::literal::{self, Kind, Language, Token};
use crate::inventory::plugin_marker;

/// A version as it stands in the file: in a string, or a variable's name.
pub(super) enum Version {
    At(Range<usize>),
    Variable(String),
    /// Put together, as written.
    Computed(String),
}

/// A build that was read once for all packages that are looked for in it.
#[derive(Debug)]
pub(super) struct Build {
    tokens: Vec<Token>,
    /// Where variables are set to strings.
    set: HashMap<String, Vec<Range<usize>>>,
    /// The tokens from which on a package may be named.
    by_name: HashMap<String, Vec<usize>>,
    /// The modules whose version is a variable.
    by_variable: HashMap<String, Rc<[String]>>,
}

impl Build {
    pub(super) fn read(text: &str) -> Self {
        let (tokens, _) = literal::tokens(text, Language::Gradle);
        let set = assignments(&tokens);
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        let mut by_variable: HashMap<String, BTreeSet<String>> = HashMap::new();
        for (at, token) in tokens.iter().enumerate() {
            if let Some(name) = tokens.get(at..).and_then(named) {
                by_name.entry(name).or_default().push(at);
            }
            if let Some((variable, module)) = self::by_variable(token) {
                by_variable.entry(variable).or_default().insert(module);
            }
        }
        let listed = |(variable, modules): (_, BTreeSet<String>)| (variable, modules.into_iter().collect());
        Self { tokens, set, by_name, by_variable: by_variable.into_iter().map(listed).collect() }
    }

    /// Moves a package in the text that was read.
    pub(super) fn edit(&self, text: &str, ask: &Ask<'_>) -> Edited {
        let mut pen = Pen::new(ask);
        for at in self.by_name.get(ask.name).into_iter().flatten() {
            let Some(version) = self.tokens.get(*at..).and_then(|tokens| said_of(tokens, ask.name)) else { continue };
            let (places, property) = match self.places(version, ask) {
                Ok(places) => places,
                Err(reason) => {
                    pen.refuse(reason);
                    continue;
                }
            };
            for place in places {
                let old = text.get(place.clone()).unwrap_or_default();
                let rule = |old: &str, to: &str| moved(ask.ecosystem, old, to);
                let new = match &property {
                    Some(property) => pen.write_property(property, old, rule),
                    None => pen.write(ask.name, old, rule),
                };
                if let Some(new) = new {
                    let modules = property.as_ref().and_then(|property| self.by_variable.get(property));
                    pen.shared.extend(modules.map(|modules| (place.start, Rc::clone(modules))));
                    pen.put(place, new);
                }
            }
        }
        pen.edited()
    }

    /// Where a version stands, and the variable that it is.
    fn places(&self, version: Decided, ask: &Ask<'_>) -> Result<(Vec<Range<usize>>, Option<String>), String> {
        let (own, to) = (ask.name, ask.highest());
        let reason = match version {
            Decided::Once(Version::At(place)) => return Ok((vec![place], None)),
            Decided::Once(Version::Variable(name)) => {
                let name = name.rsplit('.').next().unwrap_or(&name).to_owned();
                let places = self.set.get(&name).cloned().unwrap_or_default();
                // The project's own version has that name, and of several variables nobody knows which one is meant.
                if places.len() < 2 && name != "version" {
                    return Ok((places, Some(name)));
                }
                format!("is the variable {name}, of which it is not sure where it is set")
            }
            Decided::Once(Version::Computed(written)) => format!("is put together ({written})"),
            Decided::Together(words) => format!("is said by {}", words.join(" and ")),
        };
        Err(format!("the version of {own} {reason}; move it to {to} by hand"))
    }
}

/// The package that may be named from the first of these tokens on.
fn named(tokens: &[Token]) -> Option<String> {
    let (first, rest) = tokens.split_first()?;
    if let Kind::Text { text, .. } = &first.kind {
        let mut parts = text.splitn(3, ':');
        return match (parts.next(), parts.next(), rest) {
            (Some(group), Some(artifact), _) => Some(format!("{group}:{artifact}")),
            (Some(group), None, [comma, second, ..]) if comma.is(',') => Some(format!("{group}:{}", second.text()?)),
            _ => None,
        };
    }
    match (first.word()?, rest) {
        ("group", [_, own, _, _, _, second, ..]) => Some(format!("{}:{}", own.text()?, second.text()?)),
        (word @ ("id" | "kotlin"), rest) => plugin(word, rest).map(|(name, _)| name),
        _ => None,
    }
}

/// The artifact of a plugin, and what stands behind its name.
fn plugin<'t>(word: &str, rest: &'t [Token]) -> Option<(String, &'t [Token])> {
    let (id, rest) = without(rest, '(').split_first()?;
    let id = if word == "id" { id.text()?.to_owned() } else { format!("org.jetbrains.kotlin.{}", id.text()?) };
    Some((plugin_marker(&id), rest))
}

/// What decides the version of a package that is named from the first of these tokens on.
fn said_of(tokens: &[Token], name: &str) -> Option<Decided> {
    let own = version_of(tokens, name);
    let is_named = own.is_some() || is_bare(tokens, name);
    is_named.then(|| decided(tokens, own)).flatten()
}

/// Whether a package is named without a version.
fn is_bare(tokens: &[Token], name: &str) -> bool {
    let Some((group, artifact)) = name.split_once(':') else { return false };
    match tokens {
        [first, ..] if first.text() == Some(name) => true,
        [first, comma, second, ..] if first.text() == Some(group) => comma.is(',') && second.text() == Some(artifact),
        [first, _, own, _, key, _, second, ..] if first.word() == Some("group") => {
            own.text() == Some(group) && key.word() == Some("name") && second.text() == Some(artifact)
        }
        _ => false,
    }
}

/// The version of a package that is named from the first of these tokens on, where its coordinate says one.
fn version_of(tokens: &[Token], name: &str) -> Option<Version> {
    let (group, artifact) = name.split_once(':')?;
    let (first, rest) = tokens.split_first()?;
    if let Kind::Text { text, .. } = &first.kind {
        // `"group:name:version:classifier@kind"`
        if let Some(version) = text.strip_prefix(name).and_then(|rest| rest.strip_prefix(':')) {
            return written(version, first.at + name.len() + 1);
        }
        // `"group", "name", "version"`
        return match rest {
            [a, second, b, third, ..] if text == group && second.text() == Some(artifact) && a.is(',') && b.is(',') => {
                whole(third)
            }
            _ => None,
        };
    }
    match (first.word()?, rest) {
        // `group: 'g', name: 'n', version: 'v'`
        ("group", rest) => {
            let [_, own, _, key, _, second, _, version, _, third, ..] = rest else { return None };
            let is_it = own.text() == Some(group) && second.text() == Some(artifact);
            let has_keys = key.word() == Some("name") && version.word() == Some("version");
            (is_it && has_keys).then(|| whole(third))?
        }
        // `id("x") version "1"`, `kotlin("jvm") version "1"`
        (word @ ("id" | "kotlin"), rest) => {
            let (own, rest) = plugin(word, rest)?;
            let (key, rest) = without(without(rest, ')'), '.').split_first()?;
            let is_it = key.word() == Some("version") && own == name;
            is_it.then(|| without(rest, '(').first().and_then(whole))?
        }
        _ => None,
    }
}

/// A variable that is the version of a coordinate, and its module.
fn by_variable(token: &Token) -> Option<(String, String)> {
    let Kind::Text { text, .. } = &token.kind else { return None };
    let (group, rest) = text.split_once(':')?;
    let (name, version) = rest.split_once(':')?;
    let Some(Version::Variable(variable)) = written(version, 0) else { return None };
    Some((variable.rsplit('.').next()?.to_owned(), format!("{group}:{name}")))
}

fn without(tokens: &[Token], mark: char) -> &[Token] {
    match tokens.split_first() {
        Some((first, rest)) if first.is(mark) => rest,
        _ => tokens,
    }
}

/// The version that a string begins with.
fn written(text: &str, at: usize) -> Option<Version> {
    let variable = text.strip_prefix('$').map(|rest| match rest.strip_prefix('{') {
        Some(inner) => inner.split_once('}').unwrap_or((inner, "")),
        None => rest.split_at(rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())),
    });
    if let Some((name, tail)) = variable {
        let is_path = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
        let is_all = tail.is_empty() || tail.starts_with([':', '@']);
        return Some(match is_path && is_all {
            true => Version::Variable(name.to_owned()),
            false => Version::Computed(text.to_owned()),
        });
    }
    let end = text.find([':', '@']).unwrap_or(text.len());
    let version = text.get(..end).unwrap_or_default();
    match version {
        "" => None,
        version if version.contains('$') => Some(Version::Computed(version.to_owned())),
        _ => Some(Version::At(at..at + end)),
    }
}

/// The version that a token is.
pub(super) fn whole(token: &Token) -> Option<Version> {
    match &token.kind {
        Kind::Text { text, .. } => written(text, token.at),
        Kind::Word(name) => Some(Version::Variable(name.clone())),
        Kind::Mark(_) | Kind::Break => None,
    }
}

/// Where variables are set to strings: `x = "1"`, `ext.x = "1"`, `extra["x"] = "1"`, `val x by extra("1")`.
fn assignments(tokens: &[Token]) -> HashMap<String, Vec<Range<usize>>> {
    let mut set: HashMap<String, Vec<Range<usize>>> = HashMap::new();
    for at in 0..tokens.len() {
        let (own, value) = match tokens.get(at..).unwrap_or_default() {
            [own, equals, value, ..] if equals.is('=') && own.word().is_some() => (own, value),
            [own, close, equals, value, ..] if close.is(']') && equals.is('=') && own.text().is_some() => (own, value),
            [own, by, extra, open, value, ..]
                if by.word() == Some("by") && extra.word() == Some("extra") && open.is('(') =>
            {
                (own, value)
            }
            _ => continue,
        };
        let name = own.text().or_else(|| own.word()?.rsplit('.').next());
        if let (Some(name), Some(text)) = (name, value.text()) {
            set.entry(name.to_owned()).or_default().push(value.at..value.at + text.len());
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use std::cell::OnceCell;
    use std::collections::BTreeSet;

    use super::super::ask::{Move, Stands};
    use super::*;
    use crate::package::Ecosystem;

    #[test]
    fn a_build_is_edited_where_the_version_stands() {
        let moves = [Move { from: "1.0".to_owned(), to: "1.2.6".to_owned() }];
        let lines = BTreeSet::new();
        for (name, text, want) in [
            ("g:a", "implementation 'g:a:1.0'", "implementation 'g:a:1.2.6'"),
            (
                "g:a",
                "implementation(platform(\"g:a:1.0:x@jar\")) // g:a:1.0",
                "implementation(platform(\"g:a:1.2.6:x@jar\")) // g:a:1.0",
            ),
            ("g:a", "implementation 'g:ab:1.0', 'g:a:1.0!!'", "implementation 'g:ab:1.0', 'g:a:1.2.6!!'"),
            ("g:a", "api group: 'g', name: 'a', version: '1.0'", "api group: 'g', name: 'a', version: '1.2.6'"),
            (
                "g:a",
                "api(group = \"g\", name = \"a\", version = v)\nval v = \"1.0\"",
                "api(group = \"g\", name = \"a\", version = v)\nval v = \"1.2.6\"",
            ),
            ("g:a", "api(\"g\", \"a\", \"1.0\")", "api(\"g\", \"a\", \"1.2.6\")"),
            (
                "g:a",
                "ext.v = '1.0'\napi \"g:a:$v\"\napi \"g:a:${ext.v}:sources\"",
                "ext.v = '1.2.6'\napi \"g:a:$v\"\napi \"g:a:${ext.v}:sources\"",
            ),
            (
                "g:a",
                "extra[\"v\"] = \"1.0\"; val w by extra(\"2\"); api(\"g:a:$v\")",
                "extra[\"v\"] = \"1.2.6\"; val w by extra(\"2\"); api(\"g:a:$v\")",
            ),
            ("g:a", "api \"g:a:$v.1\"", "refused: the version of g:a is put together ($v.1); move it to 1.2.6 by hand"),
            (
                "g:a",
                "version = '1.0'\napi \"g:a:$version\"",
                "refused: the version of g:a is the variable version, of which it is not sure where it is set; move it to 1.2.6 by hand",
            ),
            (
                "g:a",
                "def v = '1.0'\nb { v = '1.0' }\napi \"g:a:${X.v}\"",
                "refused: the version of g:a is the variable v, of which it is not sure where it is set; move it to 1.2.6 by hand",
            ),
            ("g:a", "api('g:a') { version { strictly('1.0') } }", "api('g:a') { version { strictly('1.2.6') } }"),
            (
                "g:a",
                "api(\"g:a\") {\n  exclude(group = \"x\")\n  version {\n    require(\"1.0\")\n    because(\"2.0\")\n  }\n}\napi(\"g:b\") { version { require(\"1.0\") } }",
                "api(\"g:a\") {\n  exclude(group = \"x\")\n  version {\n    require(\"1.2.6\")\n    because(\"2.0\")\n  }\n}\napi(\"g:b\") { version { require(\"1.0\") } }",
            ),
            ("g:a", "api 'g:a', { version { prefer '1.0' } }", "api 'g:a', { version { prefer '1.2.6' } }"),
            ("g:a", "api('g', 'a') { version { strictly '1.0' } }", "api('g', 'a') { version { strictly '1.2.6' } }"),
            (
                "g:a",
                "api(platform(group: 'g', name: 'a')) { version { strictly '1.0' } }",
                "api(platform(group: 'g', name: 'a')) { version { strictly '1.2.6' } }",
            ),
            (
                "g:a",
                "val v = \"1.0\"\nconstraints { api(\"g:a\") { version { strictly(v) } } }",
                "val v = \"1.2.6\"\nconstraints { api(\"g:a\") { version { strictly(v) } } }",
            ),
            (
                "g:a",
                "api('g:a') { version { strictly('[1.0, 2.0['); prefer('1.0') } }",
                "refused: the version of g:a is said by strictly and prefer; move it to 1.2.6 by hand",
            ),
            (
                "g:a",
                "api('g:a:1.0') { version { reject('1.1') } }",
                "refused: the version of g:a is said by the coordinate and reject; move it to 1.2.6 by hand",
            ),
            (
                "g:a",
                "api('g:a') { version { strictly(\"${v}.1\") } }",
                "refused: the version of g:a is put together (${v}.1); move it to 1.2.6 by hand",
            ),
            // Of another dependency, or of none.
            ("g:a", "api('g:a')\napi('g:b') { version { strictly('1.0') } }", "-"),
            ("g:a", "api('g:a') { transitive = false }\nversion { strictly('1.0') }", "-"),
            ("g:a", "api('g:a') { x { version { strictly('1.0') } } }", "-"),
            ("g:a", "api('g:a') { version { strictly('1.0'", "api('g:a') { version { strictly('1.2.6'"),
            ("g:a", "api('g:a:1.0') { transitive = false }", "api('g:a:1.2.6') { transitive = false }"),
            ("g:a", "api 'g:a'", "-"),
            ("g:a", "api 'g:a:1.1'", "-"),
            (
                "x.y:x.y.gradle.plugin",
                "plugins { id(\"x.y\") version \"1.0\"; id 'z' version '1.0' }",
                "plugins { id(\"x.y\") version \"1.2.6\"; id 'z' version '1.0' }",
            ),
            (
                "org.jetbrains.kotlin.jvm:org.jetbrains.kotlin.jvm.gradle.plugin",
                "plugins { kotlin(\"jvm\").version(\"1.0\") }",
                "plugins { kotlin(\"jvm\").version(\"1.2.6\") }",
            ),
        ] {
            let ask = Ask {
                ecosystem: Ecosystem::Maven,
                name,
                moves: &moves,
                lines: &lines,
                stands: Stands::Here,
                through: &[],
                sorted: OnceCell::new(),
            };
            let edited = Build::read(text).edit(text, &ask);
            let got = match edited {
                edited if !edited.refused.is_empty() => format!("refused: {}", edited.refused[0].reason),
                edited if edited.entries.is_empty() => "-".to_owned(),
                edited => edited.puts.applied(text),
            };
            assert_eq!(got, want, "{text}");
        }
    }
}
