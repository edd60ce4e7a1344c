//! Names that were found to look like nothing, so that the next file that has them does not ask again.
//!
//! Each thread has its own room, which does not grow: a name takes the place of the one that had it. A name is known again by 64 bits
//! of a keyed hash whose key nobody outside knows, so nobody can make a name that passes for another one.

use std::cell::RefCell;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// How many names there is room for: 256 KiB.
const PLACES: usize = 1 << 15;

struct Honest {
    /// 0 where nothing is known.
    places: Vec<u64>,
    hasher: RandomState,
}

thread_local! {
    static HONEST: RefCell<Honest> = RefCell::new(Honest { places: vec![0; PLACES], hasher: RandomState::new() });
}

/// Whether a name looks like none of a list. `ask` is asked where that is not known; it must always give the same answer.
pub(super) fn is_honest(list: u8, name: &str, ask: impl FnOnce() -> bool) -> bool {
    HONEST.with_borrow_mut(|Honest { places, hasher }| {
        // In one piece where it can be: what is written apart is gathered first.
        let mut hasher = hasher.build_hasher();
        hasher.write(name.as_bytes());
        hasher.write_u8(list);
        let hash = hasher.finish();
        let Some(place) = places.get_mut(hash as usize % PLACES) else { return ask() };
        if *place == hash && hash != 0 {
            return true;
        }
        let is_honest = ask();
        if is_honest {
            *place = hash;
        }
        is_honest
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_honest_is_asked_once_and_what_is_not_each_time() {
        assert!(is_honest(1, "left-pad", || true));
        assert!(is_honest(1, "left-pad", || unreachable!()));
        assert!(!is_honest(2, "left-pad", || false), "another list");
        assert!(is_honest(1, "left-pad", || unreachable!()));
        assert!(!is_honest(1, "lodahs", || false));
        assert!(!is_honest(1, "lodahs", || false));
    }

    #[test]
    fn names_of_one_place_take_turns() {
        for _ in 0..2 {
            for number in 0..3 * PLACES {
                let name = format!("name-{number}");
                assert_eq!(is_honest(1, &name, || number % 3 != 0), number % 3 != 0, "{name}");
            }
        }
    }
}
