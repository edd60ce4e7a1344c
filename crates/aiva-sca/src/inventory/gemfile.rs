//! `Gemfile`: what a Ruby project asks Bundler for, as far as it is literal.
//!
//! The file is a program. Lines of `gem` with literals are read, with the groups, sources and folders around them; a condition, a
//! `gemspec`, and whatever is computed make the file partial and are named by their line.

use super::address::{host, without_secret};
use super::door;
use super::ending;
use super::literal::{self, Kind, Language, Token, by_commas, unwrapped};
use super::reading::{Declared, Reading, quote};
use crate::package::{Ecosystem, NotJudged, Package, Scope, Source};

/// What stands around a line, up to its `end`.
#[derive(Clone)]
enum Block {
    /// Whether all of its groups are for development.
    Group(bool),
    /// Gems of another source.
    Source(String),
    /// Gems of a repository.
    Git(String),
    /// Gems of the project.
    Path,
    /// Changes nothing that matters here.
    Plain,
    /// Ruby that defines something: what it says is no dependency.
    Opaque,
}

#[derive(Default)]
struct Gemfile {
    reading: Reading,
    blocks: Vec<Block>,
    /// The source of every gem, where it is not the public one.
    source: Option<String>,
}

/// Reads a `Gemfile`.
pub(crate) fn read(text: &str) -> Reading {
    let (tokens, fault) = literal::tokens(text, Language::Ruby);
    let mut gemfile = Gemfile::default();
    for statement in statements(&tokens) {
        gemfile.statement(statement);
    }
    if let Some(fault) = fault {
        gemfile.reading.fault(fault);
    } else if !gemfile.blocks.is_empty() {
        let line = tokens.iter().rev().find(|token| token.kind != Kind::Break).map_or(1, |token| token.line);
        gemfile.reading.problem(line, "a block without its `end`: the file may have been cut off");
    } else if asks_for_more(&tokens) {
        gemfile.reading.problem(door::last_line(text), "the last line asks for more: the file may have been cut off");
    } else if ending::open_line(text).is_some() && may_be_half(&tokens) {
        ending::doubt(text, &mut gemfile.reading);
    }
    gemfile.reading.close()
}

/// Whether the last line ends with a comma, or within a bracket.
fn asks_for_more(tokens: &[Token]) -> bool {
    let last = tokens.iter().rev().find(|token| token.kind != Kind::Break);
    let depth = |open: char, close: char| {
        let count = |sign: char| tokens.iter().filter(|token| token.is(sign)).count();
        count(open) > count(close)
    };
    last.is_some_and(|last| last.is(',')) || depth('(', ')') || depth('[', ']') || depth('{', '}')
}

/// Whether the last line is of a gem and ends with a word or a sign: `group: :de`, `gem "a", req`. What is in quotes or brackets is whole.
fn may_be_half(tokens: &[Token]) -> bool {
    let Some(last) = statements(tokens).pop() else { return false };
    let is_gem = last.iter().find(|token| token.kind != Kind::Break).is_some_and(|first| first.word() == Some("gem"));
    let ends = |token: &Token| {
        let is_value = matches!(token.word(), Some("true" | "false" | "nil"));
        is_value || matches!(token.kind, Kind::Text { .. } | Kind::Mark(')' | ']' | '}'))
    };
    is_gem && !last.iter().rev().find(|token| token.kind != Kind::Break).is_some_and(ends)
}

/// Tokens up to the end of a line, unless a bracket is open or a comma asks for more.
fn statements(tokens: &[Token]) -> Vec<&[Token]> {
    let mut depth = 0_i32;
    let mut after_comma = false;
    let split = tokens.split(|token| {
        let ends = token.kind == Kind::Break && depth <= 0 && !after_comma || token.is(';') && depth <= 0;
        match token.kind {
            Kind::Mark('(' | '[' | '{') => depth += 1,
            Kind::Mark(')' | ']' | '}') => depth -= 1,
            _ => {}
        }
        if token.kind != Kind::Break {
            after_comma = token.is(',');
        }
        ends
    });
    split.filter(|statement| statement.iter().any(|token| token.kind != Kind::Break)).collect()
}

/// Words that open a block by standing first.
const OPENERS: [&str; 9] = ["if", "unless", "case", "begin", "while", "until", "for", "def", "class"];

impl Gemfile {
    fn statement(&mut self, tokens: &[Token]) {
        let tokens: Vec<Token> = tokens.iter().filter(|token| token.kind != Kind::Break).cloned().collect();
        let Some((first, rest)) = tokens.split_first() else { return };
        let word = first.word().unwrap_or_default();
        if word == "end" {
            self.blocks.pop();
            return;
        }
        let opens = rest.iter().any(|token| token.word() == Some("do")) || OPENERS.contains(&word);
        if self.blocks.iter().any(|block| matches!(block, Block::Opaque)) {
            if opens {
                self.blocks.push(Block::Opaque);
            }
            return;
        }
        let argument = unwrapped(rest.split(|token| token.word() == Some("do")).next().unwrap_or_default());
        let named = argument.first().and_then(Token::text).unwrap_or_default();
        let block = match word {
            "gem" => {
                self.gem(rest, first.line);
                Block::Plain
            }
            "source" if opens => Block::Source(named.to_owned()),
            "source" => {
                self.source = (!is_public(named)).then(|| named.to_owned());
                if named.is_empty() && argument.iter().all(|token| token.word() != Some("rubygems")) {
                    self.reading.problem(first.line, "the source of the gems is computed");
                }
                Block::Plain
            }
            "group" => Block::Group(is_dev(argument)),
            "git" | "github" => Block::Git(named.to_owned()),
            "path" => Block::Path,
            "git_source" => Block::Opaque,
            "platforms" | "platform" | "install_if" | "ruby" | "require" | "plugin" | "else" | "elsif" | "when" => {
                Block::Plain
            }
            "gemspec" => {
                self.reading.problem(first.line, "the dependencies of the gemspec are not in this file");
                Block::Plain
            }
            "def" | "class" => {
                self.reading.problem(first.line, "Ruby code, which is not run");
                Block::Opaque
            }
            _ if OPENERS.contains(&word) => {
                self.reading.problem(first.line, "a condition decides about what follows; it is listed all the same");
                Block::Plain
            }
            _ => {
                let said = first.word().map(quote).unwrap_or_else(|| "a line".to_owned());
                self.reading.problem(first.line, format!("not a literal dependency, so not read: {said}"));
                Block::Plain
            }
        };
        if opens {
            self.blocks.push(block);
        }
    }

    fn gem(&mut self, tokens: &[Token], line: u32) {
        let modifier = tokens.iter().position(|token| matches!(token.word(), Some("if" | "unless")));
        if modifier.is_some() {
            self.reading.problem(line, "a condition decides about this gem; it is listed all the same");
        }
        let tokens = unwrapped(tokens.get(..modifier.unwrap_or(tokens.len())).unwrap_or_default());
        let mut arguments = by_commas(tokens).into_iter();
        let name = match arguments.next() {
            Some([token]) => token.text().filter(|name| !name.is_empty()),
            _ => None,
        };
        let Some(name) = name else {
            return self.reading.problem(line, "the name of a gem is computed");
        };
        let mut gem = Gem { is_dev: self.in_dev(), ..Gem::default() };
        for argument in arguments.filter(|argument| !argument.is_empty()) {
            gem.argument(argument);
        }
        self.settle(name, gem, line);
    }

    fn in_dev(&self) -> bool {
        let last =
            self.blocks.iter().rev().find_map(|block| if let Block::Group(dev) = block { Some(*dev) } else { None });
        last.unwrap_or(false)
    }

    fn settle(&mut self, name: &str, gem: Gem, line: u32) {
        let scope = if gem.is_dev { Scope::Dev } else { Scope::Runtime };
        let requirement = gem.requirements.join(", ");
        self.reading.links.declared.push(Declared::new(name, &requirement, scope, line));
        let around = |wanted: fn(&Block) -> Option<String>| self.blocks.iter().rev().find_map(wanted);
        let git = gem.git.or_else(|| around(|block| if let Block::Git(at) = block { Some(at.clone()) } else { None }));
        let source =
            gem.source.or_else(|| around(|block| if let Block::Source(at) = block { Some(at.clone()) } else { None }));
        if gem.is_path || self.blocks.iter().any(|block| matches!(block, Block::Path)) {
            return self.reading.outside(Ecosystem::RubyGems, name, Source::Path(String::new()), line);
        }
        let elsewhere = source.filter(|at| !is_public(at)).or_else(|| self.source.clone());
        let from: fn(&str) -> Option<Source> = match (&git, &elsewhere) {
            (Some(_), _) => |place| Some(Source::Git(place.to_owned())),
            (_, Some(_)) => |place| Some(Source::PrivateRegistry(place.to_owned())),
            _ => |_| None,
        };
        let is_registry = git.is_none() && elsewhere.is_some() && !gem.is_computed;
        let (place, reason) = match (git, elsewhere) {
            (Some(address), _) => (without_secret(&address).into_owned(), "a git dependency, not a released version"),
            (_, Some(address)) => {
                (without_secret(&address).into_owned(), "from another source, where a public name may be another gem")
            }
            _ if gem.is_computed => {
                self.reading.problem(line, format!("what is asked of {} is computed", quote(name)));
                (requirement.clone(), "its requirement is computed")
            }
            _ => match pinned(&gem.requirements) {
                Some(version) => {
                    let package = Package::new(Ecosystem::RubyGems, name, version, line);
                    return self.reading.packages.push(Package { scope, direct: Some(true), ..package });
                }
                None => {
                    return self.reading.range(Ecosystem::RubyGems, name, requirement, scope, line);
                }
            },
        };
        if let Some(source) = from(&place) {
            self.reading.outside(Ecosystem::RubyGems, name, source, line);
        }
        let entry = NotJudged::new(Ecosystem::RubyGems, name, place.as_str(), line, reason);
        let entry = if is_registry { entry.of_registry(&place, requirement) } else { entry };
        self.reading.not_judged.push(NotJudged { scope, ..entry });
    }
}

#[derive(Default)]
struct Gem {
    requirements: Vec<String>,
    is_dev: bool,
    git: Option<String>,
    source: Option<String>,
    is_path: bool,
    is_computed: bool,
}

impl Gem {
    fn argument(&mut self, tokens: &[Token]) {
        // `key: value`, `"key": value` and `:key => value`.
        let (key, value) = match tokens {
            [key, colon, value @ ..] if colon.is(':') => (key.word().or(key.text()), value),
            [colon, key, equals, more, value @ ..] if colon.is(':') && equals.is('=') && more.is('>') => {
                (key.word(), value)
            }
            _ => (None, tokens),
        };
        let Some(key) = key else { return self.requirement(tokens) };
        let text = || value.first().and_then(Token::text).unwrap_or_default().to_owned();
        match key {
            "group" | "groups" => self.is_dev = is_dev(value),
            "git" | "github" | "gist" | "bitbucket" | "gitlab" => self.git = Some(text()),
            "path" => self.is_path = true,
            "source" => self.source = Some(text()),
            _ => {}
        }
    }

    fn requirement(&mut self, tokens: &[Token]) {
        let inner = match tokens {
            [open, inner @ .., close] if open.is('[') && close.is(']') => inner,
            tokens => tokens,
        };
        for token in inner.iter().filter(|token| !token.is(',') && token.kind != Kind::Break) {
            match token.text() {
                Some(text) => self.requirements.push(text.trim().to_owned()),
                None => self.is_computed = true,
            }
        }
    }
}

/// Whether every group that is named is one for development.
fn is_dev(tokens: &[Token]) -> bool {
    let tokens = match tokens {
        [open, inner @ .., close] if open.is('[') && close.is(']') => inner,
        tokens => tokens,
    };
    // `optional: true` is no group: only what follows a colon, or is a string, names one.
    let mut names = Vec::new();
    for argument in by_commas(tokens) {
        match argument {
            [_, colon, ..] if colon.is(':') => {}
            argument => names.extend(argument.iter().filter_map(|token| token.word().or(token.text()))),
        }
    }
    !names.is_empty() && names.iter().all(|name| matches!(*name, "development" | "test"))
}

fn is_public(address: &str) -> bool {
    matches!(host(address), "rubygems.org" | "index.rubygems.org" | "")
}

/// The version, if one is asked for and no other.
fn pinned(requirements: &[String]) -> Option<&str> {
    let [one] = requirements else { return None };
    let version = one.strip_prefix('=').unwrap_or(one).trim();
    let is_version = version.starts_with(|c: char| c.is_ascii_digit())
        && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    is_version.then_some(version)
}
