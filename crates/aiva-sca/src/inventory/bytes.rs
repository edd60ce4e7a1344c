//! Looks for bytes in short pieces of text: keys, names, versions, lines.
//!
//! What is found within the first bytes is found without the start that a search through long texts takes.

/// So many bytes are looked at at once.
const STEP: usize = 8;

/// How far a short piece goes.
const SHORT: usize = 2 * STEP;

/// Each byte of a word its lowest bit, or its highest.
const LOWEST: u64 = 0x0101_0101_0101_0101;
const HIGHEST: u64 = 0x8080_8080_8080_8080;

/// How many entries of a usual length a text may have, for room that is made at once. No more than a large file has: room that a
/// stranger's file does not fill is taken for nothing.
pub(super) fn entries_in(text: &str, usual: usize) -> usize {
    const MOST: usize = 1 << 16;
    (text.len() / usual).min(MOST)
}

/// Where the first of three bytes is.
#[inline]
pub(super) fn first_of(text: &[u8], wanted: [u8; 3]) -> Option<usize> {
    let [a, b, c] = wanted.map(|byte| u64::from(byte) * LOWEST);
    // The lowest marked byte is one that is equal; those above it need not be.
    let equal = |word: u64, all: u64| (word ^ all).wrapping_sub(LOWEST) & !(word ^ all) & HIGHEST;
    let (steps, _) = text.get(..SHORT.min(text.len()))?.as_chunks::<STEP>();
    for (at, step) in steps.iter().enumerate() {
        let word = u64::from_le_bytes(*step);
        let found = equal(word, a) | equal(word, b) | equal(word, c);
        if found != 0 {
            return Some(at * STEP + (found.trailing_zeros() / 8) as usize);
        }
    }
    let from = steps.len() * STEP;
    let [a, b, c] = wanted;
    memchr::memchr3(a, b, c, text.get(from..)?).map(|at| from + at)
}

/// Where a text in quotes is no longer plain: at its closing quote, a backslash or a line end.
#[inline]
pub(super) fn end_of_plain(text: &[u8]) -> Option<usize> {
    // One comparison finds the quote and the line end, and a blank or two that go by: few have any.
    let below = u64::from(b'"' + 1) * LOWEST;
    let backslash = u64::from(b'\\') * LOWEST;
    let mut from = 0;
    while from < SHORT
        && let Some(step) = text.get(from..).and_then(|rest| rest.first_chunk::<STEP>())
    {
        let word = u64::from_le_bytes(*step);
        let other = word ^ backslash;
        // The lowest marked byte is one that is meant; those above it need not be.
        let found = ((word.wrapping_sub(below) & !word) | (other.wrapping_sub(LOWEST) & !other)) & HIGHEST;
        if found != 0 {
            from += (found.trailing_zeros() / 8) as usize;
            match text.get(from) {
                Some(b'"' | b'\\' | b'\n') => return Some(from),
                _ => break,
            }
        }
        from += STEP;
    }
    memchr::memchr3(b'"', b'\\', b'\n', text.get(from..)?).map(|at| from + at)
}

/// How many blanks a text begins with.
#[inline]
pub(super) fn indent(text: &[u8]) -> usize {
    let mut from = 0;
    while let Some(step) = text.get(from..).and_then(|rest| rest.first_chunk::<STEP>()) {
        let other = u64::from_le_bytes(*step) ^ (u64::from(b' ') * LOWEST);
        if other != 0 {
            return from + (other.trailing_zeros() / 8) as usize;
        }
        from += STEP;
    }
    from + text.get(from..).unwrap_or_default().iter().take_while(|byte| **byte == b' ').count()
}

/// The lines of a text, without what ends them; the last one is what follows the last line end, even where that is nothing.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let ends = memchr::memchr_iter(b'\n', text.as_bytes()).chain(std::iter::once(text.len()));
    let mut from = 0;
    ends.map(move |end| {
        let line = text.get(from..end).unwrap_or_default();
        from = end + 1;
        line.strip_suffix('\r').unwrap_or(line)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_finds_what_a_walk_over_the_bytes_finds(text in proptest::collection::vec(prop_oneof![
            4 => b'a'..=b'c', 1 => 0x7f_u8..=0x82, 1 => Just(b'"'), 1 => Just(b'!'), 1 => Just(b'#')
        ], 0..80)) {
            for wanted in [*b"\"\\\n", *b"!!!", [0x80, 0x81, 0x7f], *b"xyz"] {
                let walked = text.iter().position(|byte| wanted.contains(byte));
                prop_assert_eq!(first_of(&text, wanted), walked);
            }
        }

        #[test]
        fn plain_text_ends_where_a_walk_over_the_bytes_ends(text in proptest::collection::vec(prop_oneof![
            8 => b'a'..=b'c', 1 => 0x5b_u8..=0x5d, 1 => b' '..=b'#', 1 => 0x7f_u8..=0xff, 1 => 0_u8..=0x20
        ], 0..40)) {
            let walked = text.iter().position(|byte| b"\"\\\n".contains(byte));
            prop_assert_eq!(end_of_plain(&text), walked);
        }

        #[test]
        fn an_indent_is_what_a_trim_takes(text in " {0,20}[a\t ]{0,4} {0,9}") {
            prop_assert_eq!(indent(text.as_bytes()), text.len() - text.trim_start_matches(' ').len());
        }

        #[test]
        fn lines_are_those_of_a_split(text in "[ab\r\n]{0,20}") {
            let split: Vec<&str> = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
            prop_assert_eq!(lines(&text).collect::<Vec<_>>(), split);
        }
    }
}
