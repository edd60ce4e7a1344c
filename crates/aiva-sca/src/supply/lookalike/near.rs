//! Says at once of most names that no name of a list is one edit away.
//!
//! Two names that differ by one letter, or by two letters that are swapped, are equal once one letter of either is left out. So a
//! list is the hashes of its names and of all that is left of them without one letter, as a filter: what it turns away has no
//! neighbour for sure; what it lets through is to be compared. The same is asked of two other forms of a name, without separators
//! and as it looks. It costs a few nanoseconds a letter, however long the list is.
//!
//! One edit is at one place, so it leaves the first letters of a name as they are, or the last ones. A letter is left out to see only
//! where the others are shared with a name of the list: of most names none, or half of them.

use std::ops::Range;

/// How many words the filter has: a few bits in a hundred are set by the lists that there are.
const WORDS: usize = 1 << 14; // a power of two, as is the other

/// The same of the filter of beginnings and ends, which stays near to the processor.
const SHARED_WORDS: usize = 1 << 12;

/// A longer name is not looked at here.
const LONGEST: usize = 64;

/// Any odd number without a pattern.
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

/// The filter.
pub(super) struct Near {
    words: Box<[u64]>,
    /// Beginnings and ends, each for the length of the names that are asked for.
    shared: Box<[u64]>,
}

impl Near {
    /// Nothing is near to anything.
    pub(super) fn new() -> Self {
        Self { words: vec![0; WORDS].into(), shared: vec![0; SHARED_WORDS].into() }
    }

    /// A name of the list.
    pub(super) fn add(&mut self, name: &str) {
        each_shortened(name.as_bytes(), 0..name.len(), |hash| {
            set(&mut self.words, hash);
            true
        });
        for hash in [hash(name.bytes()), hash(look(name)), hash(bare(name))] {
            set(&mut self.words, hash);
        }
        let name = name.as_bytes();
        for length in name.len().saturating_sub(1)..=name.len() + 1 {
            let kept = kept(length);
            let (first, last) = (name.get(..kept), name.len().checked_sub(kept).and_then(|from| name.get(from..)));
            for hash in [first.map(|part| beginning(part, length)), last.map(|part| end(part, length))] {
                hash.into_iter().for_each(|hash| set(&mut self.shared, hash));
            }
        }
    }

    /// Whether a name of the list may be this one or one edit away, or the same in one of the other forms.
    pub(super) fn holds(&self, name: &str) -> bool {
        let name = name.as_bytes();
        if name.len() > LONGEST {
            return true;
        }
        // Side by side: a letter waits for the one before it in its form, not for the other forms.
        let (mut stripped, mut looks) = (0, 0);
        let mut is_taken = false;
        for (at, byte) in name.iter().enumerate() {
            if !is_separator(*byte) {
                stripped = with(stripped, *byte);
            }
            if is_taken {
                is_taken = false;
            } else {
                let (letter, takes_next) = looks_like(*byte, name.get(at + 1).copied());
                looks = with(looks, letter);
                is_taken = takes_next;
            }
        }
        if is_set(&self.words, stripped) || is_set(&self.words, looks) {
            return true;
        }
        let changed = self.may_be_changed(name);
        !changed.is_empty()
            && (is_set(&self.words, hash(name.iter().copied()))
                || !each_shortened(name, changed, |hash| !is_set(&self.words, hash)))
    }

    /// Where an edit of a name of the list may have been: not among the letters that none of them has there.
    fn may_be_changed(&self, name: &[u8]) -> Range<usize> {
        let (kept, length) = (kept(name.len()), name.len());
        let (Some(first), Some(last)) = (name.get(..kept), name.get(length - kept..)) else { return 0..length };
        match (is_set(&self.shared, beginning(first, length)), is_set(&self.shared, end(last, length))) {
            (true, true) => 0..length,
            (true, false) => length - kept..length,
            (false, true) => 0..kept,
            (false, false) => 0..0,
        }
    }
}

/// How many letters at the beginning, or at the end, of a name of this length one edit leaves as they are: it touches two that stand
/// together at most, and there are two at least between the both.
fn kept(length: usize) -> usize {
    length.saturating_sub(2) / 2
}

fn beginning(part: &[u8], length: usize) -> u64 {
    hash(part.iter().copied()).wrapping_add(2 * length as u64)
}

fn end(part: &[u8], length: usize) -> u64 {
    hash(part.iter().copied()).wrapping_add(2 * length as u64 + 1).rotate_left(32)
}

fn set(words: &mut [u64], hash: u64) {
    let (word, bits) = place(hash, words.len());
    if let Some(word) = words.get_mut(word) {
        *word |= bits;
    }
}

fn is_set(words: &[u64], hash: u64) -> bool {
    let (word, bits) = place(hash, words.len());
    words.get(word).is_some_and(|word| word & bits == bits)
}

/// The word of a hash, of so many, and three bits in it.
fn place(hash: u64, words: usize) -> (usize, u64) {
    let mixed = hash ^ (hash >> 32);
    let mixed = mixed.wrapping_mul(BASE);
    let bit = |from: u32| 1 << ((mixed >> from) & 63);
    ((mixed >> 50) as usize & (words - 1), bit(32) | bit(38) | bit(44))
}

/// The name with letters that look nearly the same made one.
pub(super) fn look(name: &str) -> impl Iterator<Item = u8> {
    let mut letters = name.bytes().peekable();
    std::iter::from_fn(move || {
        let (letter, takes_next) = looks_like(letters.next()?, letters.peek().copied());
        if takes_next {
            letters.next();
        }
        Some(letter)
    })
}

/// The name without separators; the slash of a scope is one that stays.
pub(super) fn bare(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(|letter| !is_separator(*letter))
}

/// What a letter looks like, and whether it does so together with the next one.
fn looks_like(letter: u8, next: Option<u8>) -> (u8, bool) {
    match (letter, next) {
        (b'r', Some(b'n')) => (b'm', true),
        (b'v', Some(b'v')) => (b'w', true),
        (b'0', _) => (b'o', false),
        (b'1' | b'i', _) => (b'l', false),
        (other, _) => (other, false),
    }
}

fn is_separator(letter: u8) -> bool {
    matches!(letter, b'-' | b'_' | b'.')
}

/// The hash of a name, or of one of its forms.
pub(super) fn hash(text: impl Iterator<Item = u8>) -> u64 {
    text.fold(0, with)
}

fn with(hash: u64, byte: u8) -> u64 {
    hash.wrapping_mul(BASE).wrapping_add(u64::from(byte) + 1)
}

/// Gives the hash of what is left without each of some letters, until it is told `false`; whether it was not. Of a longer name than
/// [`LONGEST`] there are none.
fn each_shortened(name: &[u8], letters: Range<usize>, mut each: impl FnMut(u64) -> bool) -> bool {
    let whole = hash(name.iter().copied());
    let mut before = 0;
    for (at, byte) in name.iter().enumerate().take(letters.end) {
        let with_it = with(before, *byte);
        // By how much what stands behind the letter moves what stands before it.
        let Some(moved) = POWERS.get(name.len() - 1 - at) else { return true };
        if letters.contains(&at) && !each(whole.wrapping_sub(with_it.wrapping_sub(before).wrapping_mul(*moved))) {
            return false;
        }
        before = with_it;
    }
    true
}

/// Those of [`BASE`], from 1 on.
const POWERS: [u64; LONGEST] = {
    let (mut powers, mut at) = ([1_u64; LONGEST], 1);
    while at < LONGEST {
        powers[at] = powers[at - 1].wrapping_mul(BASE);
        at += 1;
    }
    powers
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_name_has_the_hash_of_what_is_left() {
        for name in ["", "a", "ab", "lodash", "@babel/core", &"x1".repeat(32)] {
            let mut hashes = Vec::new();
            assert!(each_shortened(name.as_bytes(), 0..name.len(), |hash| {
                hashes.push(hash);
                true
            }));
            let left =
                |at: usize| name.bytes().enumerate().filter(move |(other, _)| *other != at).map(|(_, byte)| byte);
            assert_eq!(hashes, (0..name.len()).map(|at| hash(left(at))).collect::<Vec<_>>(), "{name}");
        }
        assert!(each_shortened(&[b'a'; LONGEST + 1], 0..LONGEST, |_| false));
    }

    #[test]
    fn most_names_are_turned_away_and_no_neighbour_is() {
        let mut near = Near::new();
        for name in ["lodash", "express", "react-dom"] {
            near.add(name);
        }
        for name in [
            "l0dash",
            "1odash",
            "reactdom",
            "react.d-om",
            "lodash",
            "lodahs",
            "odash",
            "lodasch",
            "lodesh",
            "xpress",
            "raect-dom",
            &"a".repeat(65),
        ] {
            assert!(near.holds(name), "{name}");
        }
        for name in ["lodsah2", "vue", "", "express-x", "reactdom12"] {
            assert!(!near.holds(name), "{name}");
        }
    }
}
