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

/// How many blanks a text begins with.
pub(super) fn indent(text: &[u8]) -> usize {
    let (steps, rest) = text.as_chunks::<STEP>();
    for (at, step) in steps.iter().enumerate() {
        let other = u64::from_le_bytes(*step) ^ (u64::from(b' ') * LOWEST);
        if other != 0 {
            return at * STEP + (other.trailing_zeros() / 8) as usize;
        }
    }
    steps.len() * STEP + rest.iter().take_while(|byte| **byte == b' ').count()
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
