//! Any YAML, told from the events of a full parser: what the fast path does not know.
//!
//! An alias is told with what stands at its anchor where that is known, and never expanded.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser};

use super::{Anchored, DEEPEST, ITEM, Visit};
use crate::inventory::reading::Fault;

enum Frame {
    Map { wants_key: bool },
    List,
}

/// Tells a document from the events of the parser.
pub(super) fn tell<'a, V: Visit<'a>>(text: &'a str, visitor: &mut V) -> Result<(), Fault> {
    let mut path: Vec<Cow<'a, str>> = Vec::new();
    let mut frames: Vec<Frame> = Vec::new();
    let mut parser = Parser::new_from_str(text);
    let lines = Lines::of(text);
    let mut first = true;
    // What is no scalar is told where it stands, and need not be known.
    let mut anchored: HashMap<usize, Anchored<'a>> = HashMap::new();
    let mut maps: HashMap<usize, Vec<Cow<'a, str>>> = HashMap::new();
    let mut lists: HashSet<usize> = HashSet::new();
    while let Some(event) = parser.next_event() {
        let (event, span) =
            event.map_err(|error| Fault::new(lines.at(error.marker()), format!("not YAML: {}", error.info())))?;
        let line = lines.at(&span.start);
        if matches!(frames.last(), Some(Frame::Map { wants_key: true })) {
            match event {
                Event::Scalar(key, ..) => {
                    path.push(key);
                    visitor.key(&path, line);
                    frames.pop();
                    frames.push(Frame::Map { wants_key: false });
                    continue;
                }
                Event::MappingEnd => {}
                _ => return Err(Fault::new(line, "a key that is not a scalar: no file of this kind has one")),
            }
        }
        let ended = match event {
            Event::DocumentStart(_) => {
                if !std::mem::take(&mut first) {
                    visitor.document();
                }
                false
            }
            Event::MappingStart(anchor, _) => {
                if anchor != 0 && visitor.keeps_map(&path) {
                    maps.insert(anchor, path.clone());
                }
                open(&mut frames, &mut path, Frame::Map { wants_key: true }, line)?;
                false
            }
            Event::SequenceStart(anchor, _) => {
                if anchor != 0 {
                    lists.insert(anchor);
                }
                open(&mut frames, &mut path, Frame::List, line)?;
                false
            }
            Event::MappingEnd | Event::SequenceEnd => {
                frames.pop();
                true
            }
            Event::Scalar(value, _, anchor, _) => {
                if matches!(frames.last(), Some(Frame::List)) {
                    path.push(Cow::Borrowed(ITEM));
                }
                if anchor != 0 {
                    anchored.insert(anchor, Anchored { value: value.clone(), key: path.last().cloned(), line });
                }
                visitor.scalar(&path, value, line);
                true
            }
            Event::Alias(anchor) => {
                if matches!(frames.last(), Some(Frame::List)) {
                    path.push(Cow::Borrowed(ITEM));
                }
                let is_known = match maps.get(&anchor) {
                    Some(meant) => visitor.alias_of_map(&path, meant, line),
                    None if lists.contains(&anchor) => visitor.alias_of_list(&path, line),
                    None => visitor.alias(&path, anchored.get(&anchor), line),
                };
                if !is_known {
                    return Err(Fault::new(line, "a YAML alias: no file of this kind has one, and it is not followed"));
                }
                true
            }
            _ => false,
        };
        if ended {
            match frames.last_mut() {
                Some(Frame::Map { wants_key }) => {
                    *wants_key = true;
                    path.pop();
                }
                Some(Frame::List) => {
                    path.pop();
                }
                None => path.clear(),
            }
        }
    }
    Ok(())
}

fn open<'a>(frames: &mut Vec<Frame>, path: &mut Vec<Cow<'a, str>>, frame: Frame, line: u32) -> Result<(), Fault> {
    if frames.len() >= DEEPEST {
        return Err(Fault::new(line, "nested too deeply"));
    }
    if matches!(frames.last(), Some(Frame::List)) {
        path.push(Cow::Borrowed(ITEM));
    }
    frames.push(frame);
    Ok(())
}

/// Where the lines of a text end, counted as everywhere else: to YAML a carriage return alone ends one as well.
struct Lines {
    /// In characters from the start.
    ends: Vec<usize>,
}

impl Lines {
    fn of(text: &str) -> Self {
        let ends = text.chars().enumerate().filter(|(_, c)| *c == '\n').map(|(at, _)| at);
        Self { ends: ends.collect() }
    }

    /// The line of a place, from 1. What is missing at the end is missing in the last line, not behind it.
    fn at(&self, place: &Marker) -> u32 {
        u32::try_from(self.ends.partition_point(|end| *end < place.index()) + 1).unwrap_or(u32::MAX)
    }
}
