//! The few regular expressions that the contract may use: a chain of character classes, each repeated.
//!
//! `^[a-z0-9][a-z0-9-]{0,62}$`. Matching is greedy without going back, so a class of variable length must not be followed
//! by one that shares a character with it; such a pattern is refused.

use anyhow::{Context, Result, bail, ensure};

/// One class and how often it may stand.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) not: bool,
    pub(super) ranges: Vec<(char, char)>,
    pub(super) min: usize,
    pub(super) max: usize,
}

pub(super) fn parse(pattern: &str) -> Result<Vec<Piece>> {
    let inner = pattern
        .strip_prefix('^')
        .and_then(|rest| rest.strip_suffix('$'))
        .with_context(|| format!("`{pattern}` is not anchored at both ends"))?;
    let mut rest = inner;
    let mut pieces: Vec<Piece> = Vec::new();
    while !rest.is_empty() {
        let (piece, left) = piece(rest).with_context(|| format!("`{pattern}` at `{rest}`"))?;
        if let Some(last) = pieces.last()
            && last.min != last.max
            && overlap(last, &piece)
        {
            bail!("`{pattern}`: two neighbours share characters and the first has no fixed length");
        }
        pieces.push(piece);
        rest = left;
    }
    Ok(pieces)
}

fn piece(text: &str) -> Result<(Piece, &str)> {
    let body = text.strip_prefix('[').context("only character classes are covered")?;
    let (not, mut rest) = body.strip_prefix('^').map_or((false, body), |rest| (true, rest));
    let mut ranges = Vec::new();
    while !rest.starts_with(']') {
        let (low, left) = character(rest)?;
        rest = left;
        let mut high = low;
        if let Some(left) = rest.strip_prefix('-')
            && !left.starts_with(']')
        {
            (high, rest) = character(left)?;
        }
        ensure!(low <= high, "a range that goes down");
        ranges.push((low, high));
    }
    let rest = &rest[1..];
    ensure!(!ranges.is_empty(), "an empty class");
    let (min, max, rest) = repetition(rest)?;
    Ok((Piece { not, ranges, min, max }, rest))
}

fn character(text: &str) -> Result<(char, &str)> {
    let mut chars = text.chars();
    let first = chars.next().context("a class without an end")?;
    if first != '\\' {
        return Ok((first, chars.as_str()));
    }
    match chars.next().context("an escape without an end")? {
        'x' => {
            let digits = chars.as_str().get(..2).context("\\x wants two digits")?;
            let code = u8::from_str_radix(digits, 16).context("\\x wants two hex digits")?;
            Ok((char::from(code), &chars.as_str()[2..]))
        }
        plain @ ('\\' | '-' | ']' | '[' | '^') => Ok((plain, chars.as_str())),
        other => bail!("the escape \\{other} is not covered"),
    }
}

fn repetition(text: &str) -> Result<(usize, usize, &str)> {
    if let Some(rest) = text.strip_prefix('*') {
        return Ok((0, usize::MAX, rest));
    }
    if let Some(rest) = text.strip_prefix('+') {
        return Ok((1, usize::MAX, rest));
    }
    let Some(rest) = text.strip_prefix('{') else { return Ok((1, 1, text)) };
    let (counts, rest) = rest.split_once('}').context("a count without an end")?;
    let (min, max) = counts.split_once(',').unwrap_or((counts, counts));
    Ok((min.parse()?, max.parse()?, rest))
}

/// Whether any character fits both; two negated classes always share one.
fn overlap(a: &Piece, b: &Piece) -> bool {
    let fits = |piece: &Piece, c: char| piece.not != piece.ranges.iter().any(|(low, high)| (*low..=*high).contains(&c));
    (a.not && b.not) || ('\0'..='\u{17f}').any(|c| fits(a, c) && fits(b, c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_of_classes_is_read() {
        let name = parse(r"^[a-z0-9][a-z0-9._-]{0,62}$").unwrap();
        assert_eq!(name.len(), 2);
        assert_eq!(name[1].ranges, [('a', 'z'), ('0', '9'), ('.', '.'), ('_', '_'), ('-', '-')]);
        assert_eq!((name[1].min, name[1].max), (0, 62));
        let line = parse(r"^[^\x00-\x1F\x7F\\]*$").unwrap();
        assert!(line[0].not && line[0].ranges == [('\0', '\u{1f}'), ('\u{7f}', '\u{7f}'), ('\\', '\\')]);
    }

    #[test]
    fn what_is_not_covered_is_refused() {
        for pattern in ["[a]", "^a$", "^(a|b)$", "^[a-z]*[a-z0-9]$", r"^[\d]$", "^[z-a]$", "^[]$", "^[a"] {
            assert!(parse(pattern).is_err(), "{pattern}");
        }
    }
}
