//! Counts over a window that moves with the time, without a lock.
//!
//! Promises: in no stretch of time as long as the window more is counted than the limit that the caller holds it against,
//! up to callers that count in the very same moment. The window is cut into [`PARTS`]; the part that has just left counts
//! until all of it has, so what was used is forgotten up to a sixteenth of the window late, never early. A clock that is set
//! back forgets nothing. Start reading at [`Sliding::sum`].

use std::sync::atomic::{AtomicU64, Ordering};

/// Into how many parts a window is cut.
pub(super) const PARTS: u64 = 16;

/// One more than a window has: the current part has only begun.
const SLOTS: usize = PARTS as usize + 1;

/// A slot holds the number of its part above and the count below.
const COUNT_BITS: u32 = 40;
const MOST: u64 = (1 << COUNT_BITS) - 1;
const TAGS: u64 = 1 << (64 - COUNT_BITS);

/// What was counted, by part.
#[derive(Default)]
pub(super) struct Sliding([AtomicU64; SLOTS]);

impl Sliding {
    /// Counts `amount` in this part.
    pub(super) fn add(&self, part: u64, amount: u64) {
        self.change(part, |count| count.saturating_add(amount).min(MOST));
    }

    /// Takes back what was counted in this part.
    pub(super) fn take_back(&self, part: u64, amount: u64) {
        self.change(part, |count| count.saturating_sub(amount));
    }

    /// What was counted in the window that ends with this part.
    pub(super) fn sum(&self, part: u64) -> u64 {
        self.live(part).map(|(_, count)| count).sum()
    }

    /// After how many parts less than `most` will be left, if nothing is added.
    pub(super) fn parts_until_below(&self, part: u64, most: u64) -> u64 {
        let mut live: Vec<(u64, u64)> = self.live(part).collect();
        live.sort_unstable_by_key(|(age, _)| std::cmp::Reverse(*age));
        let mut left: u64 = live.iter().map(|(_, count)| count).sum();
        for (age, count) in live {
            left -= count;
            if left < most {
                return (PARTS + 1).saturating_sub(age);
            }
        }
        PARTS + 1
    }

    /// Age in parts and count of every part that the window still has.
    fn live(&self, part: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().filter_map(move |slot| {
            let held = slot.load(Ordering::Relaxed);
            let age = (part % TAGS).wrapping_sub(held >> COUNT_BITS) % TAGS;
            (age <= PARTS && held & MOST > 0).then_some((age, held & MOST))
        })
    }

    fn change(&self, part: u64, to: impl Fn(u64) -> u64) {
        let Some(slot) = usize::try_from(part % SLOTS as u64).ok().and_then(|at| self.0.get(at)) else { return };
        let tag = part % TAGS;
        let change = |held: u64| {
            // What an earlier part left here has gone out of the window.
            let count = if held >> COUNT_BITS == tag { held & MOST } else { 0 };
            Some(tag << COUNT_BITS | to(count))
        };
        let _always = slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_leaves_when_all_of_its_part_has() {
        let sliding = Sliding::default();
        let start = 1_000_000_000_000;
        sliding.add(start, 5);
        sliding.add(start + 3, 2);
        for (after, want) in [(3, 7), (PARTS, 7), (PARTS + 1, 2), (PARTS + 3, 2), (PARTS + 4, 0)] {
            assert_eq!(sliding.sum(start + after), want, "{after} parts later");
        }
        assert_eq!(sliding.parts_until_below(start + 3, 6), PARTS + 1 - 3, "the five have to go");
        assert_eq!(sliding.parts_until_below(start + 3, 1), PARTS + 1, "all have to go");
        sliding.take_back(start + 3, 1);
        assert_eq!(sliding.sum(start + 3), 6);
    }

    #[test]
    fn a_slot_is_taken_over_and_nothing_overflows() {
        let sliding = Sliding::default();
        sliding.add(3, u64::MAX);
        sliding.add(3, u64::MAX);
        assert_eq!(sliding.sum(3), MOST);
        // The same slot, a round later.
        sliding.add(3 + PARTS + 1, 1);
        assert_eq!(sliding.sum(3 + PARTS + 1), 1);
    }
}
