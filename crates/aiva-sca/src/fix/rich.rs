//! The `version { strictly("1") }` in the block behind a dependency of a gradle build: which literal in it decides.
//!
//! Pure, over tokens. What is said in several places at once is moved by hand: which of them is meant, nobody can tell.

use super::gradle::{Version, whole};
use crate::inventory::literal::{Kind, Token};

/// No more of what stands behind a coordinate is looked at, so that the work grows with the text.
const MOST_TOKENS: usize = 500;

/// What the version of a dependency is.
pub(super) enum Decided {
    /// Said in one place.
    Once(Version),
    /// Said by these words together.
    Together(Vec<String>),
}

/// The version of a dependency whose coordinate is the first of these tokens and says `own`; `None` where nothing says one.
pub(super) fn decided(tokens: &[Token], own: Option<Version>) -> Option<Decided> {
    let rich = said(tokens);
    let mut words: Vec<String> = rich.iter().map(|(word, _)| (*word).to_owned()).collect();
    let mut versions: Vec<Version> = rich.into_iter().filter_map(|(_, version)| version).collect();
    match own {
        Some(own) if words.is_empty() => return Some(Decided::Once(own)),
        Some(_) => words.insert(0, "the coordinate".to_owned()),
        None => {}
    }
    match (words.len(), versions.pop()) {
        (0, _) => None,
        (1, Some(version)) => Some(Decided::Once(version)),
        _ => Some(Decided::Together(words)),
    }
}

/// The words of the block with their versions; none where there is no such block.
fn said(tokens: &[Token]) -> Vec<(&str, Option<Version>)> {
    let near = tokens.get(..MOST_TOKENS.min(tokens.len())).unwrap_or_default();
    let Some(inner) = block(near) else { return Vec::new() };
    let mut all = Vec::new();
    let mut is_closed = near.len() == tokens.len();
    let mut depth = 0_u32;
    // The depth at which `version { … }` is open.
    let mut within = None;
    for (at, token) in inner.iter().enumerate() {
        match &token.kind {
            Kind::Mark('{') => {
                depth += 1;
                let before = at.checked_sub(1).and_then(|at| inner.get(at)).and_then(Token::word);
                if depth == 1 && before == Some("version") {
                    within = Some(depth);
                }
            }
            Kind::Mark('}') => {
                let Some(less) = depth.checked_sub(1) else {
                    is_closed = true; // the block itself
                    break;
                };
                depth = less;
                within = within.filter(|open| *open <= depth);
            }
            Kind::Word(word) if within == Some(depth) => {
                let value = inner.get(at + 1..).unwrap_or_default();
                let value = if value.first().is_some_and(|token| token.is('(')) { value.get(1..) } else { Some(value) };
                let value = value.and_then(<[Token]>::first);
                match word.as_str() {
                    "strictly" | "require" | "prefer" => all.push((word.as_str(), value.and_then(whole))),
                    "reject" | "rejectAll" => all.push((word.as_str(), None)),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    if !is_closed {
        all.push(("a long block", None));
    }
    all
}

/// What stands in the block behind a statement.
fn block(tokens: &[Token]) -> Option<&[Token]> {
    let mut last = None;
    for (at, token) in tokens.iter().enumerate() {
        match &token.kind {
            Kind::Mark('{') => return tokens.get(at + 1..),
            Kind::Mark('}' | ';') => return None,
            // A statement goes on behind a comma, and in front of its closing bracket.
            Kind::Break => {
                let next = tokens.get(at + 1..)?.iter().find(|token| token.kind != Kind::Break)?;
                let goes_on = last.is_some_and(|last: &Token| last.is(',') || last.is('(')) || next.is(')');
                if !goes_on {
                    return None;
                }
            }
            _ => last = Some(token),
        }
    }
    None
}
