//! Says at once of most names that no name of a list is one edit away.
//!
//! Two names that differ by one letter, or by two letters that are swapped, are equal once one letter of either is left out. So a
//! list is the hashes of its names and of all that is left of them without one letter, as a filter: what it turns away has no
//! neighbour for sure; what it lets through is to be compared. The same is asked of two other forms of a name, without separators
//! and as it looks. It costs a few nanoseconds a letter, however long the list is.

/// How many words the filter has: a few bits in a hundred are set by the lists that there are.
const WORDS: usize = 1 << 14;

/// A longer name is not looked at here.
const LONGEST: usize = 64;

/// Any odd number without a pattern.
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

/// The filter.
pub(super) struct Near {
    words: Box<[u64]>,
}

impl Near {
    /// Nothing is near to anything.
    pub(super) fn new() -> Self {
        Self { words: vec![0; WORDS].into() }
    }

    /// A name of the list.
    pub(super) fn add(&mut self, name: &str) {
        each_shortened(name.as_bytes(), |hash| {
            self.set(hash);
            true
        });
        self.set(hash(name.bytes()));
        self.set(hash(look(name)));
        self.set(hash(bare(name)));
    }

    /// Whether a name of the list may be this one or one edit away, or the same in one of the other forms.
    pub(super) fn holds(&self, name: &str) -> bool {
        let name = name.as_bytes();
        if name.len() > LONGEST {
            return true;
        }
        // Side by side: a letter waits for the one before it in its form, not for the other forms.
        let (mut whole, mut stripped, mut looks) = (0, 0, 0);
        let mut is_taken = false;
        for (at, byte) in name.iter().enumerate() {
            whole = with(whole, *byte);
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
        [whole, stripped, looks].into_iter().any(|hash| self.is_set(hash))
            || !each_shortened(name, |hash| !self.is_set(hash))
    }

    fn set(&mut self, hash: u64) {
        let (word, bits) = place(hash);
        if let Some(word) = self.words.get_mut(word) {
            *word |= bits;
        }
    }

    fn is_set(&self, hash: u64) -> bool {
        let (word, bits) = place(hash);
        self.words.get(word).is_some_and(|word| word & bits == bits)
    }
}

/// The word of a hash, and three bits in it.
fn place(hash: u64) -> (usize, u64) {
    let mixed = hash ^ (hash >> 32);
    let mixed = mixed.wrapping_mul(BASE);
    let bit = |from: u32| 1 << ((mixed >> from) & 63);
    ((mixed >> 50) as usize % WORDS, bit(32) | bit(38) | bit(44))
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

/// Gives the hash of what is left without each of the letters, until it is told `false`; whether it was not. Of a longer name than
/// [`LONGEST`] there are none.
fn each_shortened(name: &[u8], mut each: impl FnMut(u64) -> bool) -> bool {
    let mut before = [0; LONGEST];
    let Some(before) = before.get_mut(..name.len()) else { return true };
    let mut hash = 0;
    for (before, byte) in before.iter_mut().zip(name) {
        *before = hash;
        hash = with(hash, *byte);
    }
    // From the end: what follows the letter, and by how much it moves what comes before.
    let (mut behind, mut moved) = (0_u64, 1_u64);
    before.iter().zip(name).rev().all(|(before, byte)| {
        let goes_on = each(before.wrapping_mul(moved).wrapping_add(behind));
        behind = moved.wrapping_mul(u64::from(*byte) + 1).wrapping_add(behind);
        moved = moved.wrapping_mul(BASE);
        goes_on
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_name_has_the_hash_of_what_is_left() {
        for name in ["", "a", "ab", "lodash", "@babel/core", &"x1".repeat(32)] {
            let mut hashes = Vec::new();
            assert!(each_shortened(name.as_bytes(), |hash| {
                hashes.push(hash);
                true
            }));
            hashes.reverse();
            let left =
                |at: usize| name.bytes().enumerate().filter(move |(other, _)| *other != at).map(|(_, byte)| byte);
            assert_eq!(hashes, (0..name.len()).map(|at| hash(left(at))).collect::<Vec<_>>(), "{name}");
        }
        assert!(each_shortened(&[b'a'; LONGEST + 1], |_| false));
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
