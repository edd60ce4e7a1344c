//! Names that were found to look like nothing, so that the next file that has them does not ask again.
//!
//! Each thread has its own room, which does not grow: a name takes the place of the one that had it.

use std::cell::RefCell;
use std::hash::BuildHasher;

use rapidhash::fast::RandomState;

/// How many names there is room for.
const PLACES: usize = 1 << 12;

/// A longer name is asked about each time.
const LONGEST: usize = 64;

/// A list of well-known names, by its number, and a name that looks like none of them.
type Place = Option<(u8, Box<str>)>;

struct Honest {
    places: Vec<Place>,
    hasher: RandomState,
}

thread_local! {
    static HONEST: RefCell<Honest> =
        RefCell::new(Honest { places: vec![None; PLACES], hasher: RandomState::default() });
}

/// Whether a name looks like none of a list. `ask` is asked where that is not known; it must always give the same answer.
pub(super) fn is_honest(list: u8, name: &str, ask: impl FnOnce() -> bool) -> bool {
    if name.len() > LONGEST {
        return ask();
    }
    HONEST.with_borrow_mut(|Honest { places, hasher }| {
        let at = hasher.hash_one(name) as usize % PLACES;
        let Some(place) = places.get_mut(at) else { return ask() };
        if place.as_ref().is_some_and(|(of, known)| *of == list && **known == *name) {
            return true;
        }
        let is_honest = ask();
        if is_honest {
            *place = Some((list, name.into()));
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
