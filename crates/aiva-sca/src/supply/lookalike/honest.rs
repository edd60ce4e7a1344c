//! Names that were found to look like nothing, so that the next file that has them does not ask again.
//!
//! There is one room for all threads, and it does not grow: a name takes the place of the one that had it. A name is known again by 64
//! bits of a keyed hash whose key nobody outside knows, so nobody can make a name that passes for another one.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many names there is room for: 256 KiB.
const PLACES: usize = 1 << 15;

static HONEST: LazyLock<Honest> = LazyLock::new(Honest::default);

struct Honest {
    /// 0 where nothing is known. Each says all there is to say of its name, so in which order they are seen does not matter.
    places: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl Default for Honest {
    fn default() -> Self {
        Self { places: std::iter::repeat_with(AtomicU64::default).take(PLACES).collect(), hasher: RandomState::new() }
    }
}

impl Honest {
    fn is_honest(&self, list: u8, name: &str, ask: impl FnOnce() -> bool) -> bool {
        // In one piece where it can be: what is written apart is gathered first.
        let mut hasher = self.hasher.build_hasher();
        hasher.write(name.as_bytes());
        hasher.write_u8(list);
        let hash = hasher.finish();
        let Some(place) = self.places.get(hash as usize % PLACES) else { return ask() };
        if hash != 0 && place.load(Ordering::Relaxed) == hash {
            return true;
        }
        let is_honest = ask();
        if is_honest {
            place.store(hash, Ordering::Relaxed);
        }
        is_honest
    }
}

/// Whether a name looks like none of a list. `ask` is asked where that is not known; it must always give the same answer.
pub(super) fn is_honest(list: u8, name: &str, ask: impl FnOnce() -> bool) -> bool {
    HONEST.is_honest(list, name, ask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_honest_is_asked_once_and_what_is_not_each_time() {
        let honest = Honest::default();
        assert!(honest.is_honest(1, "left-pad", || true));
        assert!(honest.is_honest(1, "left-pad", || unreachable!()));
        assert!(!honest.is_honest(2, "left-pad", || false), "another list");
        assert!(honest.is_honest(1, "left-pad", || unreachable!()));
        assert!(!honest.is_honest(1, "lodahs", || false));
        assert!(!honest.is_honest(1, "lodahs", || false));
    }

    #[test]
    fn names_of_one_place_take_turns() {
        let honest = Honest::default();
        for _ in 0..2 {
            for number in 0..3 * PLACES {
                let name = format!("name-{number}");
                assert_eq!(honest.is_honest(1, &name, || number % 3 != 0), number % 3 != 0, "{name}");
            }
        }
    }
}
