//! `build.gradle` and `build.gradle.kts`: the coordinates that a gradle build names, as far as they are literals.
//!
//! The file is a program, and nothing of it is run. Read are blocks of `dependencies` and `plugins`; a version may be a variable
//! that the file sets to a literal. Other projects and files of the build are no packages, and what the version catalog names is
//! listed there. Anything computed makes the file partial and is named by its line.

use std::collections::HashMap;

use super::gradle_constraints::{Mark, Marks, constrain};
use super::gradle_versions::{MANAGED, Pending, Rich, Written, variables};
use super::literal::{self, Kind, Language, Token, by_commas, unwrapped};
use super::reading::{Declared, Reading, quote};
use super::version_catalog::{in_brackets, is_fixed, marker};
use crate::package::{Ecosystem, NotJudged, Package, Scope};

#[derive(Default)]
struct Build {
    reading: Reading,
    /// The names of the blocks around, outermost first.
    blocks: Vec<String>,
    /// The numbers of the blocks around, by which two of one name are told apart.
    numbers: Vec<u32>,
    /// How many blocks were opened.
    opened: u32,
    /// What variables are set to; nothing where they are set more than once.
    variables: HashMap<String, Option<String>>,
    /// Versions of Spring's `dependencyManagement`.
    managed: HashMap<String, String>,
    /// Dependencies with a block behind them that is not closed yet, outermost first.
    pending: Vec<Pending>,
    /// What the block behind the dependency in hand says of its version.
    rich: Rich,
    /// What `constraints` ask for.
    constraints: Reading,
    /// The block around the dependencies and the configuration of the one in hand.
    configuration: (String, String),
    /// Of versions that are written: for which project and configuration, and how strictly.
    marks: Marks,
}

/// Reads a `build.gradle` or a `build.gradle.kts`.
pub(crate) fn read(text: &str) -> Reading {
    let (tokens, fault) = literal::tokens(text, Language::Gradle);
    let mut build = Build { variables: variables(&tokens), ..Build::default() };
    // Managed versions may stand below what they manage.
    for is_first in [true, false] {
        build.blocks.clear();
        build.numbers.clear();
        build.run(&tokens, is_first);
    }
    let mut reading = build.reading;
    if !build.constraints.packages.is_empty() || !build.constraints.not_judged.is_empty() {
        constrain(&mut reading, build.constraints, &build.marks);
    }
    if let Some(fault) = fault {
        reading.fault(fault);
    } else if !build.blocks.is_empty() {
        let line = tokens.iter().rev().find(|token| token.kind != Kind::Break).map_or(1, |token| token.line);
        reading.problem(line, "a block is not closed: the file may have been cut off");
    }
    reading.close()
}

/// What a build does not get from a repository.
const LOCAL: [&str; 9] = [
    "project",
    "files",
    "fileTree",
    "gradleApi",
    "localGroovy",
    "gradleTestKit",
    "gradleKotlinDsl",
    "testFixtures",
    "dependencies.create",
];

/// How deep blocks may be nested.
const DEEPEST: usize = 128;

/// What gives modules another version than the one that is asked for, in a `resolutionStrategy`.
const FORCES: [&str; 6] = ["force", "forcedModules", "setForcedModules", "useVersion", "useTarget", "substitute"];

impl Build {
    fn run(&mut self, tokens: &[Token], is_first: bool) {
        let mut statement: Vec<Token> = Vec::new();
        let mut depth = 0_u32;
        for token in tokens {
            match token.kind {
                Kind::Mark('(' | '[') => depth += 1,
                Kind::Mark(')' | ']') => depth = depth.saturating_sub(1),
                _ => {}
            }
            match token.kind {
                Kind::Mark('{') if self.blocks.len() >= DEEPEST => {
                    if !is_first {
                        self.reading.problem(token.line, "blocks are nested too deeply: the rest is not read");
                    }
                    break;
                }
                Kind::Mark('{') => {
                    let name = statement.first().and_then(Token::word).unwrap_or_default().to_owned();
                    self.open(&statement, token.line, is_first);
                    self.blocks.push(name);
                    self.opened = self.opened.saturating_add(1);
                    self.numbers.push(self.opened);
                    (statement, depth) = (Vec::new(), 0);
                }
                Kind::Mark('}') => {
                    self.statement(&std::mem::take(&mut statement), is_first);
                    self.blocks.pop();
                    self.numbers.pop();
                    self.close();
                    depth = 0;
                }
                Kind::Break | Kind::Mark(';') if depth == 0 => {
                    self.statement(&std::mem::take(&mut statement), is_first);
                }
                Kind::Break => {}
                _ => statement.push(token.clone()),
            }
        }
        self.statement(&statement, is_first);
        // A file that was cut off closes nothing.
        while let Some(last) = self.pending.last() {
            self.blocks.truncate(last.depth);
            self.numbers.truncate(last.depth);
            self.close();
        }
    }

    fn outer(&self, above: usize) -> &str {
        self.blocks.len().checked_sub(above).and_then(|at| self.blocks.get(at)).map_or("", String::as_str)
    }

    /// The word that gives modules another version, if a statement begins with one.
    fn force<'t>(&self, first: &'t Token) -> Option<&'t str> {
        let whole = first.word()?;
        let word = whole.rsplit('.').next().filter(|word| FORCES.contains(word))?;
        let is_strategy = |name: &str| name.contains("resolutionStrategy") || name.contains("dependencySubstitution");
        (is_strategy(whole) || self.blocks.iter().any(|block| is_strategy(block))).then_some(word)
    }

    fn is_managing(&self) -> bool {
        self.blocks.iter().any(|block| block == "dependencyManagement")
    }

    fn in_dependencies(&self) -> bool {
        let last = self.outer(1);
        (last == "dependencies" || last.ends_with(".dependencies")) && !self.is_managing()
    }

    fn in_constraints(&self) -> bool {
        let (last, outer) = (self.outer(1), self.outer(2));
        let is_nested = last == "constraints" && (outer == "dependencies" || outer.ends_with(".dependencies"));
        (is_nested || last.ends_with("dependencies.constraints")) && !self.is_managing()
    }

    /// The block of the project that a dependency is of, where that is sure: the one around a plain `dependencies`.
    fn project(&self) -> Option<u32> {
        let at = self.blocks.iter().rposition(|block| block == "dependencies")?;
        Some(at.checked_sub(1).and_then(|above| self.numbers.get(above)).copied().unwrap_or_default())
    }

    /// A statement with a block behind it: `implementation("g:a:1") { … }`, `if (x) { … }`.
    fn open(&mut self, tokens: &[Token], line: u32, is_first: bool) {
        if !self.in_dependencies() && !self.in_constraints() {
            return self.statement(tokens, is_first);
        }
        match tokens {
            [first] if matches!(first.word(), Some("constraints" | "modules" | "components")) => {}
            _ if is_first => {}
            // The block may say the version.
            [_, _, ..] if self.is_named(tokens) => {
                // Groovy may take the block as its last argument.
                let tokens = if let [all @ .., last] = tokens
                    && last.is(',')
                {
                    all
                } else {
                    tokens
                };
                let (depth, statement) = (self.blocks.len(), tokens.to_vec());
                self.pending.push(Pending { depth, statement, rich: Rich::default() });
            }
            _ => self.reading.problem(line, "dependencies are computed in a block here: not read"),
        }
    }

    /// A block ended: what it stood behind is read with what it said.
    fn close(&mut self) {
        if let Some(ended) = self.pending.pop_if(|last| last.depth >= self.blocks.len()) {
            self.rich = ended.rich;
            self.statement(&ended.statement, false);
            self.rich = Rich::default();
        }
    }

    /// `strictly("1")` in the `version` of the block behind a dependency.
    fn version(&mut self, first: &Token, rest: &[Token]) {
        let value = match unwrapped(rest) {
            [value] => self.text(value).ok_or_else(|| shown(value)),
            // A call: what it comes to is not known.
            [call, ..] => Err(shown(call)),
            [] => return,
        };
        if let (Some(word), Some(last)) = (first.word(), self.pending.last_mut()) {
            last.rich.set(word, value);
        }
    }

    /// Whether a string, a local thing or the catalog is what is asked for.
    fn is_named(&self, tokens: &[Token]) -> bool {
        let Some((first, rest)) = tokens.split_first() else { return false };
        let is_name = first.word().is_some_and(|word| !matches!(word, "if" | "for" | "while" | "when" | "else"));
        let inner = unwrapped(rest);
        let has_text = inner.iter().any(|token| matches!(token.kind, Kind::Text { .. }));
        let is_call = inner.first().and_then(Token::word).is_some_and(|word| LOCAL.contains(&word) || is_catalog(word));
        (is_name || first.text().is_some())
            && (has_text || is_call)
            && first.word().is_none_or(|word| !word.contains('.') && !word.ends_with("Of"))
    }

    fn statement(&mut self, tokens: &[Token], is_first: bool) {
        let Some((first, rest)) = tokens.split_first() else { return };
        if is_first {
            if self.is_managing() && matches!(first.word(), Some("dependency")) {
                let coordinate = unwrapped(rest).first().and_then(|token| self.text(token));
                if let Some((module, version)) = coordinate.as_deref().and_then(|text| text.rsplit_once(':')) {
                    self.managed.insert(module.to_owned(), version.to_owned());
                }
            }
            return;
        }
        if self.outer(1) == "plugins" {
            return self.plugin(first, rest);
        }
        if let Some(word) = self.force(first) {
            let message = format!("`{word}` decides versions here: those below may be others");
            return self.reading.problem(first.line, message);
        }
        if self.outer(1) == "version" && self.pending.last().is_some_and(|last| last.depth + 2 == self.blocks.len()) {
            return self.version(first, rest);
        }
        if !self.in_dependencies() && !self.in_constraints() {
            return;
        }
        let configuration = first.word().or(first.text()).unwrap_or_default();
        let scope = self.scope(configuration);
        let inner = usize::from(self.outer(1) == "constraints");
        self.configuration = (self.outer(2 + inner).to_owned(), configuration.to_owned());
        if matches!(configuration, "" | "val" | "var" | "def" | "if" | "for" | "add")
            || rest.first().is_some_and(|token| token.is('=') || token.is('.'))
        {
            return self.reading.problem(first.line, "a dependency is computed here: not read");
        }
        self.notation(unwrapped(rest), scope, first.line);
    }

    /// What a configuration is for. Those of a multiplatform build say it by the block.
    fn scope(&self, configuration: &str) -> Scope {
        let inner = usize::from(self.outer(1) == "constraints");
        let lower = format!("{} {}", configuration, self.outer(1 + inner)).to_ascii_lowercase();
        let block = self.outer(2 + inner).to_ascii_lowercase();
        if lower.contains("test") || block.contains("test") {
            return Scope::Dev;
        }
        let is_tool = ["annotationprocessor", "kapt", "ksp", "compileonly", "classpath", "developmentonly"]
            .iter()
            .any(|tool| lower.contains(tool));
        if is_tool { Scope::Build } else { Scope::Runtime }
    }

    fn notation(&mut self, tokens: &[Token], scope: Scope, line: u32) {
        let parts = by_commas(tokens);
        let named = |key: &str| {
            parts.iter().find_map(|part| match part {
                [own, sign, value] if own.word() == Some(key) && (sign.is(':') || sign.is('=')) => Some(value),
                _ => None,
            })
        };
        if let (Some(group), Some(name)) = (named("group"), named("name")) {
            let (group, name) = (self.text(group), self.text(name));
            let version = named("version").map(|token| (self.text(token), token));
            return match (group, name) {
                (Some(group), Some(name)) => {
                    let version = version.map(|(text, token)| text.ok_or_else(|| shown(token)));
                    self.settle(format!("{group}:{name}"), version, scope, line);
                }
                _ => self.reading.problem(line, "the name of a dependency is computed"),
            };
        }
        let texts: Option<Vec<&Token>> =
            parts.iter().map(|part| if let [one] = part { Some(one) } else { None }).collect();
        let texts = texts.filter(|texts| texts.iter().all(|one| matches!(one.kind, Kind::Text { .. })));
        if let Some(texts) = texts {
            // Kotlin takes group, name and version one by one.
            let is_apart = (2..=3).contains(&texts.len()) && texts.iter().all(|one| !shown(one).contains(':'));
            if is_apart {
                let joined = texts.iter().map(|one| shown(one)).collect::<Vec<_>>().join(":");
                return self.coordinate(&joined, scope, line);
            }
            for token in texts {
                self.coordinate(&shown(token), scope, token.line);
            }
            return;
        }
        let Some(head) = tokens.first() else { return };
        match head.word() {
            Some(word) if is_catalog(word) => {
                self.reading.links.catalog.get_or_insert(line);
            }
            Some("platform" | "enforcedPlatform" | "testFixtures") if tokens.len() > 2 => {
                let inner = unwrapped(tokens.get(1..).unwrap_or_default());
                self.notation(inner, scope, line);
            }
            Some(word) if LOCAL.contains(&word) || word.starts_with("projects.") || word.starts_with("sourceSets.") => {
            }
            Some("kotlin") => {
                let inner = by_commas(unwrapped(tokens.get(1..).unwrap_or_default()));
                let text = |at: usize| inner.get(at).and_then(|part| part.first()).and_then(|token| self.text(token));
                match text(0) {
                    Some(module) => {
                        let version = text(1).map(Ok);
                        self.settle(format!("org.jetbrains.kotlin:kotlin-{module}"), version, scope, line);
                    }
                    None => self.reading.problem(line, "the name of a dependency is computed"),
                }
            }
            _ => self.reading.problem(line, "a dependency is computed here: not read"),
        }
    }

    /// `group:name:version:classifier@kind`
    fn coordinate(&mut self, text: &str, scope: Scope, line: u32) {
        let plain = text.split('@').next().unwrap_or(text);
        // A colon may stand in `${…}`.
        let mut parts: Vec<String> = vec![String::new()];
        let mut depth = 0_u32;
        for c in plain.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                ':' if depth == 0 => {
                    parts.push(String::new());
                    continue;
                }
                _ => {}
            }
            if let Some(last) = parts.last_mut() {
                last.push(c);
            }
        }
        let (Some(group), Some(name)) = (parts.first(), parts.get(1)) else {
            return self.reading.problem(line, format!("not a coordinate: {}", quote(text)));
        };
        let (Some(group), Some(name)) = (self.resolved(group), self.resolved(name)) else {
            return self.reading.problem(line, format!("the name of a dependency is computed: {}", quote(text)));
        };
        if group.is_empty() || name.is_empty() {
            return self.reading.problem(line, format!("not a coordinate: {}", quote(text)));
        }
        let version = parts.get(2).filter(|version| !version.is_empty());
        let version = version.map(|version| self.resolved(version).ok_or_else(|| version.clone()));
        self.settle(format!("{group}:{name}"), version, scope, line);
    }

    /// An artifact with its version, or with what is written for one that cannot be known.
    fn settle(&mut self, name: String, version: Option<Written>, scope: Scope, line: u32) {
        let is_constraint = self.in_constraints();
        let is_strict = self.rich.is_strict() || matches!(&version, Some(Ok(version)) if version.contains("!!"));
        let is_preference = self.rich.is_preference(version.as_ref());
        let mark =
            Mark { project: self.project(), configuration: self.configuration.clone(), is_strict, is_preference };
        self.marks.insert((name.clone(), line, is_constraint), mark);
        let version = self.rich.over(version).or_else(|| self.managed.get(&name).cloned().map(Ok));
        let written = match &version {
            Some(Ok(text) | Err(text)) => text.clone(),
            None => String::new(),
        };
        let reading = if is_constraint { &mut self.constraints } else { &mut self.reading };
        // A constraint asks for nothing that is not there anyway.
        if !is_constraint {
            reading.links.declared.push(Declared::new(&name, &written, scope, line));
        }
        let reason = match version {
            Some(Ok(version)) => {
                let plain = version.split("!!").next().unwrap_or_default();
                if is_fixed(plain) {
                    let package = Package::new(Ecosystem::Maven, name, plain, line);
                    return reading.packages.push(Package { scope, direct: Some(true), ..package });
                }
                return reading.range(Ecosystem::Maven, name, in_brackets(plain), scope, line);
            }
            Some(Err(_)) => "a variable that this file does not set",
            None => MANAGED,
        };
        let entry = NotJudged::new(Ecosystem::Maven, name, written, line, reason);
        reading.not_judged.push(NotJudged { scope, ..entry });
    }

    /// `id("x") version "1"`, `id 'x' version '1'`, `kotlin("jvm") version "1"`; without a version it is gradle's own.
    fn plugin(&mut self, first: &Token, rest: &[Token]) {
        let at = rest.iter().position(|token| token.word() == Some("version"));
        let before = unwrapped(rest.get(..at.unwrap_or(rest.len())).unwrap_or_default());
        let id = match first.word() {
            Some("alias") => {
                self.reading.links.catalog.get_or_insert(first.line);
                return;
            }
            Some("id") => before.iter().find_map(|token| self.text(token)),
            Some("kotlin") => {
                before.iter().find_map(|token| self.text(token)).map(|id| format!("org.jetbrains.kotlin.{id}"))
            }
            _ => return,
        };
        let Some(at) = at else { return };
        let version = rest.get(at + 1..).unwrap_or_default().iter().find(|token| !token.is('('));
        let Some(id) = id else { return self.reading.problem(first.line, "the name of a plugin is computed") };
        let version = version.map(|token| match &token.kind {
            Kind::Word(name) => self.variable(name).ok_or_else(|| name.clone()),
            _ => self.text(token).ok_or_else(|| shown(token)),
        });
        self.settle(marker(&id), version, Scope::Build, first.line);
    }

    /// The string of a token with its variables put in.
    fn text(&self, token: &Token) -> Option<String> {
        match &token.kind {
            Kind::Text { text, is_computed: false } => Some(text.clone()),
            Kind::Text { text, .. } => self.resolved(text),
            Kind::Word(name) => self.variable(name),
            Kind::Mark(_) | Kind::Break => None,
        }
    }

    fn variable(&self, path: &str) -> Option<String> {
        self.variables.get(path.rsplit('.').next().unwrap_or(path))?.clone()
    }

    /// `$name` and `${a.name}` put in; `None` where one of them is not a literal of this file.
    fn resolved(&self, text: &str) -> Option<String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let (name, tail) = match after.strip_prefix('{') {
                Some(inner) => inner.split_once('}')?,
                None => after.split_at(after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len())),
            };
            let is_path = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
            out.push_str(&self.variable(name.trim()).filter(|_| is_path)?);
            rest = tail;
            if out.len() > 1024 {
                return None;
            }
        }
        out.push_str(rest);
        Some(out)
    }
}

/// The string as it is written, whatever is put into it.
fn shown(token: &Token) -> String {
    match &token.kind {
        Kind::Text { text, .. } => text.clone(),
        Kind::Word(word) => word.clone(),
        Kind::Mark(_) | Kind::Break => String::new(),
    }
}

/// `libs.okhttp`: gradle's name for its version catalog.
fn is_catalog(word: &str) -> bool {
    word.starts_with("libs.")
        || word.split('.').next().is_some_and(|first| first.ends_with("Libs") && word.contains('.'))
}
