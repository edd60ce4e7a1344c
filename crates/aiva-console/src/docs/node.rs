//! Reads a YAML document that we wrote ourselves into a tree that keeps the order of its keys.
//!
//! Not a general loader: anchors and several documents are refused, and every scalar is text. `api/openapi.yaml` uses
//! neither, and what it means by a number is of no interest to a page of documentation.

use saphyr_parser::{Event, Parser};

/// A piece of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// Any scalar, as written.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<(String, Node)>),
}

/// Why a document cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// Not YAML.
    #[error("not a YAML document: {0}")]
    Syntax(String),
    /// YAML, but more than this reader takes.
    #[error("{0} is not supported here")]
    Unsupported(&'static str),
}

static NOTHING: Node = Node::Map(Vec::new());

impl Node {
    /// Reads the whole document.
    pub(crate) fn read(text: &str) -> Result<Self, ReadError> {
        let mut open: Vec<Half> = Vec::new();
        for event in Parser::new_from_str(text) {
            let (event, _) = event.map_err(|error| ReadError::Syntax(error.to_string()))?;
            let done = match event {
                Event::Alias(_) => return Err(ReadError::Unsupported("an alias")),
                Event::MappingStart(..) => {
                    open.push(Half::Map(Vec::new(), None));
                    continue;
                }
                Event::SequenceStart(..) => {
                    open.push(Half::List(Vec::new()));
                    continue;
                }
                Event::Scalar(value, ..) => Self::Text(value.into_owned()),
                Event::MappingEnd | Event::SequenceEnd => match open.pop() {
                    Some(Half::Map(pairs, _)) => Self::Map(pairs),
                    Some(Half::List(items)) => Self::List(items),
                    None => return Err(ReadError::Syntax("an end without a start".into())),
                },
                Event::Nothing
                | Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(_)
                | Event::DocumentEnd => continue,
            };
            match open.last_mut() {
                None => return Ok(done),
                Some(half) => half.take(done)?,
            }
        }
        Err(ReadError::Syntax("an empty document".into()))
    }

    /// The value under `key`; an empty mapping if there is none, so that lookups can be chained.
    pub(crate) fn at(&self, key: &str) -> &Self {
        self.pairs().iter().find(|(name, _)| name == key).map_or(&NOTHING, |(_, node)| node)
    }

    /// Whether `key` is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.pairs().iter().any(|(name, _)| name == key)
    }

    /// The scalar, or an empty text.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::List(_) | Self::Map(_) => "",
        }
    }

    /// The sequence, or none.
    pub(crate) fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            Self::Text(_) | Self::Map(_) => &[],
        }
    }

    /// The mapping, or none.
    pub(crate) fn pairs(&self) -> &[(String, Self)] {
        match self {
            Self::Map(pairs) => pairs,
            Self::Text(_) | Self::List(_) => &[],
        }
    }

    /// What a local reference (`#/components/...`) points to, or the node itself.
    pub(crate) fn follow<'a>(&'a self, root: &'a Self) -> &'a Self {
        match self.at("$ref").text().strip_prefix("#/") {
            Some(path) => path.split('/').fold(root, |node, key| node.at(&key.replace("~1", "/").replace("~0", "~"))),
            None => self,
        }
    }
}

enum Half {
    Map(Vec<(String, Node)>, Option<String>),
    List(Vec<Node>),
}

impl Half {
    fn take(&mut self, node: Node) -> Result<(), ReadError> {
        match self {
            Self::List(items) => items.push(node),
            Self::Map(pairs, key) => match (key.take(), node) {
                (Some(key), node) => pairs.push((key, node)),
                (None, Node::Text(text)) => *key = Some(text),
                (None, Node::List(_) | Node::Map(_)) => {
                    return Err(ReadError::Unsupported("a key that is not a scalar"));
                }
            },
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_references_are_kept() {
        let root = Node::read("z: 1\na: [x, {b: 'c'}]\nr: {$ref: '#/a'}\n\"200\": yes\n").unwrap();
        assert_eq!(root.pairs().iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["z", "a", "r", "200"]);
        assert_eq!(root.at("r").follow(&root).items().len(), 2);
        assert_eq!(root.at("a").items()[1].at("b").text(), "c");
        assert_eq!(root.at("none").at("deeper").text(), "");
    }

    #[test]
    fn what_is_not_supported_is_refused() {
        for bad in ["", "a: &x 1\nb: *x", "[a", "? [a]\n: b", "a: b: c"] {
            assert!(Node::read(bad).is_err(), "{bad}");
        }
    }
}
