//! Layers of configuration, laid over each other into one tree of values that remember where they came from.
//!
//! Promises: nothing is interpreted here but the file's syntax; a later layer replaces a value whole (lists are not joined).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serializer;
use toml_edit::{Document, Item, TableLike};

use super::read::{Alias, Shape};
use super::{Problem, Sources};

/// The layer, and the place in it, that a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The declaration itself.
    Default,
    /// A line of the file, from 1.
    File {
        /// The file's name as the caller gave it.
        name: Arc<str>,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable.
    Env(String),
    /// A command-line flag.
    Flag(String),
}

impl Origin {
    /// Whether values come as bare text, as they do from the environment and from flags.
    pub(super) fn is_loose(&self) -> bool {
        matches!(self, Self::Env(_) | Self::Flag(_))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Env(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

pub(super) fn as_text<S: Serializer>(origin: &Origin, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(origin)
}

/// A value given on the command line.
#[derive(Debug, Clone)]
pub struct Flag {
    /// As the user typed it: `--listen`.
    pub name: String,
    /// The key it sets: `server.listen`.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// A value and its origin.
#[derive(Debug, Clone)]
pub struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// A value before it has a type.
#[derive(Debug, Clone)]
pub enum Value {
    /// A string, or anything from the environment or a flag.
    Text(String),
    /// A bare number, boolean or date of the file, as it is written.
    Bare(Bare, String),
    /// An array.
    List(Vec<Node>),
    /// A table.
    Table(BTreeMap<String, Node>),
}

/// The kinds of scalar that TOML writes without quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bare {
    /// `5`
    Integer,
    /// `0.5`
    Float,
    /// `true`
    Bool,
    /// `2027-01-31`
    Date,
    /// Needs quotes.
    None,
}

impl Value {
    /// What a person calls it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Bare(Bare::Integer, _) => "an integer",
            Self::Bare(Bare::Float, _) => "a number",
            Self::Bare(Bare::Bool, _) => "a boolean",
            Self::Bare(Bare::Date | Bare::None, _) => "a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// What a default may be written as.
impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bare(Bare::Bool, value.to_string())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Bare(Bare::Integer, value.to_string())
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Bare(Bare::Integer, value.to_string())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Bare(Bare::Float, format!("{value:?}"))
    }
}

impl<const N: usize> From<[i32; N]> for Value {
    fn from(items: [i32; N]) -> Self {
        Self::List(items.map(|item| Node { value: item.into(), origin: Origin::Default }).into())
    }
}

impl<const N: usize> From<[&str; N]> for Value {
    fn from(items: [&str; N]) -> Self {
        Self::List(items.map(|item| Node { value: item.into(), origin: Origin::Default }).into())
    }
}

/// The layers of `sources` laid over each other; defaults are not in it.
pub(super) fn tree(sources: &Sources<'_>, shape: &Shape, problems: &mut Vec<Problem>) -> Node {
    let mut root = Node { value: Value::Table(BTreeMap::new()), origin: Origin::Default };
    if let Some((name, text)) = sources.file {
        match parse(name, text) {
            Ok(table) => root.value = Value::Table(table),
            Err(problem) => problems.push(problem),
        }
    }
    let mut aliases = Vec::new();
    shape.aliases(&mut Vec::new(), &mut aliases);
    for (path, Alias { name, merge }) in aliases {
        if let Some(value) = sources.env.get(name).filter(|value| !value.is_empty()) {
            let value = merge(value, below(&root, &path));
            lay(&mut root, &path, value, Origin::Env(name.to_owned()), problems);
        }
    }
    for (name, value) in &sources.env {
        if let Some(key) = name.strip_prefix("AIVA__") {
            let path: Vec<String> = key.split("__").map(str::to_lowercase).collect();
            lay(&mut root, &path, value.clone(), Origin::Env(name.clone()), problems);
        }
    }
    for flag in &sources.flags {
        let path: Vec<String> = flag.key.split('.').map(str::to_owned).collect();
        lay(&mut root, &path, flag.value.clone(), Origin::Flag(flag.name.clone()), problems);
    }
    root
}

/// The text that the layers so far hold at `path`.
fn below<'a>(root: &'a Node, path: &[String]) -> Option<&'a str> {
    let mut node = root;
    for key in path {
        let Value::Table(table) = &node.value else { return None };
        node = table.get(key)?;
    }
    match &node.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// Sets one value, making the tables above it.
fn lay(root: &mut Node, path: &[String], text: String, origin: Origin, problems: &mut Vec<Problem>) {
    let Some((last, above)) = path.split_last() else { return };
    let mut node = root;
    for (depth, key) in above.iter().enumerate() {
        let Value::Table(table) = &mut node.value else { return blocked(&path[..depth], origin, problems) };
        let empty = || Node { value: Value::Table(BTreeMap::new()), origin: origin.clone() };
        node = table.entry(key.clone()).or_insert_with(empty);
    }
    let Value::Table(table) = &mut node.value else { return blocked(above, origin, problems) };
    table.insert(last.clone(), Node { value: Value::Text(text), origin });
}

fn blocked(path: &[String], origin: Origin, problems: &mut Vec<Problem>) {
    let message = "holds a value or a list, so nothing can be set inside it from here".to_owned();
    problems.push(Problem { origin, key: path.join("."), message });
}

fn parse(name: &str, text: &str) -> Result<BTreeMap<String, Node>, Problem> {
    let lines = Lines::of(name, text);
    match Document::parse(text) {
        Ok(document) => Ok(table(document.as_table(), &lines, 1)),
        Err(error) => Err(Problem {
            origin: lines.origin(error.span().map(|span| span.start), 1),
            key: String::new(),
            message: error.message().replace('\n', ", "),
        }),
    }
}

fn table(table: &dyn TableLike, lines: &Lines, above: usize) -> BTreeMap<String, Node> {
    let mut nodes = BTreeMap::new();
    for (key, item) in table.iter() {
        let span = table.get_key_value(key).and_then(|(key, _)| key.span()).or_else(|| item.span());
        let line = lines.line(span.map(|span| span.start), above);
        if let Some(value) = item_value(item, lines, line) {
            nodes.insert(key.to_owned(), Node { value, origin: lines.at(line) });
        }
    }
    nodes
}

fn item_value(item: &Item, lines: &Lines, line: usize) -> Option<Value> {
    match item {
        Item::None => None,
        Item::Value(value) => Some(scalar(value, lines, line)),
        Item::Table(inner) => Some(Value::Table(table(inner, lines, line))),
        Item::ArrayOfTables(tables) => Some(Value::List(
            tables
                .iter()
                .map(|inner| {
                    let line = lines.line(inner.span().map(|span| span.start), line);
                    Node { value: Value::Table(table(inner, lines, line)), origin: lines.at(line) }
                })
                .collect(),
        )),
    }
}

fn scalar(value: &toml_edit::Value, lines: &Lines, line: usize) -> Value {
    use toml_edit::Value as Toml;
    match value {
        Toml::String(text) => Value::Text(text.value().clone()),
        Toml::Integer(number) => Value::Bare(Bare::Integer, number.value().to_string()),
        Toml::Float(number) => Value::Bare(Bare::Float, number.value().to_string()),
        Toml::Boolean(flag) => Value::Bare(Bare::Bool, flag.value().to_string()),
        Toml::Datetime(date) => Value::Bare(Bare::Date, date.value().to_string()),
        Toml::InlineTable(inner) => Value::Table(table(inner, lines, line)),
        Toml::Array(items) => Value::List(
            items
                .iter()
                .map(|item| {
                    let line = lines.line(item.span().map(|span| span.start), line);
                    Node { value: scalar(item, lines, line), origin: lines.at(line) }
                })
                .collect(),
        ),
    }
}

/// Where the lines of the file begin.
struct Lines {
    name: Arc<str>,
    starts: Vec<usize>,
}

impl Lines {
    fn of(name: &str, text: &str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { name: Arc::from(name), starts }
    }

    fn line(&self, offset: Option<usize>, otherwise: usize) -> usize {
        offset.map_or(otherwise, |offset| self.starts.partition_point(|start| *start <= offset))
    }

    fn at(&self, line: usize) -> Origin {
        Origin::File { name: Arc::clone(&self.name), line }
    }

    fn origin(&self, offset: Option<usize>, otherwise: usize) -> Origin {
        self.at(self.line(offset, otherwise))
    }
}
