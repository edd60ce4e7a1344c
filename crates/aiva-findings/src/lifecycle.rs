//! The life of a finding: open, accepted until a date, fixed, reopened.
//!
//! Pure: a state and a fact make a change or none. Whoever stores the change writes its history entry and its event in
//! the same transaction. No fact makes a finding disappear.
//!
//! ```text
//!   (unknown) --seen--> Open ----covered----> Accepted
//!                        ^ ^---uncovered---------/  |
//!        gone            |                          |
//!   Open, Accepted ------+----> Fixed <----gone-----/
//!   Fixed --seen--> Reopened (or Accepted when covered)
//! ```

use aiva_contracts::api::{Acceptance, ChangeCause, FindingState};
use jiff::civil::Date;

/// Where a finding is in its life.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// It wants action.
    Open,
    /// Somebody chose not to act until a date.
    Accepted(Acceptance),
    /// A complete scan no longer sees it.
    Fixed,
    /// It was fixed and is back; it wants action.
    Reopened,
}

impl State {
    /// The state's word.
    pub fn word(&self) -> FindingState {
        match self {
            Self::Open => FindingState::Open,
            Self::Accepted(_) => FindingState::Accepted,
            Self::Fixed => FindingState::Fixed,
            Self::Reopened => FindingState::Reopened,
        }
    }
}

/// A step in a finding's life.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Where it was; none for a finding that nobody knew.
    pub from: Option<FindingState>,
    /// Where it is now.
    pub to: State,
    /// Why.
    pub cause: ChangeCause,
}

/// A scan saw it, and `cover` is the exception that covers it, if any.
pub fn seen(state: Option<&State>, cover: Option<Acceptance>, today: Date) -> Option<Change> {
    match state {
        Some(State::Open | State::Accepted(_) | State::Reopened) => covered(state?, cover, today),
        None | Some(State::Fixed) => {
            let from = state.map(State::word);
            Some(match (cover, from) {
                (Some(cover), from) => Change { from, to: State::Accepted(cover), cause: ChangeCause::Accepted },
                (None, None) => Change { from, to: State::Open, cause: ChangeCause::Observed },
                (None, from) => Change { from, to: State::Reopened, cause: ChangeCause::Observed },
            })
        }
    }
}

/// A complete scan that looked at its place did not see it.
pub fn gone(state: &State) -> Option<Change> {
    match state {
        State::Open | State::Accepted(_) | State::Reopened => {
            Some(Change { from: Some(state.word()), to: State::Fixed, cause: ChangeCause::Absent })
        }
        State::Fixed => None,
    }
}

/// The exceptions or the day changed: `cover` is what covers it now. What is fixed stays fixed.
pub fn covered(state: &State, cover: Option<Acceptance>, today: Date) -> Option<Change> {
    let from = Some(state.word());
    match (state, cover) {
        (State::Fixed, _) | (State::Open | State::Reopened, None) => None,
        (State::Open | State::Reopened, Some(cover)) => {
            Some(Change { from, to: State::Accepted(cover), cause: ChangeCause::Accepted })
        }
        (State::Accepted(now), Some(cover)) => {
            (*now != cover).then_some(Change { from, to: State::Accepted(cover), cause: ChangeCause::Accepted })
        }
        (State::Accepted(now), None) => {
            let cause = if today > now.expires { ChangeCause::Expired } else { ChangeCause::Withdrawn };
            Some(Change { from, to: State::Open, cause })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    const TODAY: Date = date(2026, 11, 21);

    fn until(expires: Date) -> Acceptance {
        Acceptance { owner: "ana".into(), reason: "r".into(), expires, exception: Some("e".into()) }
    }

    #[track_caller]
    fn check(change: Option<Change>, want: Option<(FindingState, ChangeCause)>) {
        assert_eq!(change.map(|change| (change.to.word(), change.cause)), want);
    }

    #[test]
    fn a_life_in_order() {
        use {ChangeCause as C, FindingState as F};
        let cover = until(date(2027, 1, 1));
        check(seen(None, None, TODAY), Some((F::Open, C::Observed)));
        check(seen(None, Some(cover.clone()), TODAY), Some((F::Accepted, C::Accepted)));
        check(seen(Some(&State::Open), None, TODAY), None);
        check(seen(Some(&State::Fixed), None, TODAY), Some((F::Reopened, C::Observed)));
        check(seen(Some(&State::Reopened), Some(cover.clone()), TODAY), Some((F::Accepted, C::Accepted)));
        check(seen(Some(&State::Accepted(cover.clone())), Some(cover.clone()), TODAY), None); // nothing new
        check(covered(&State::Accepted(cover.clone()), None, TODAY), Some((F::Open, C::Withdrawn)));
        check(covered(&State::Accepted(until(date(2026, 11, 20))), None, TODAY), Some((F::Open, C::Expired)));
        check(covered(&State::Fixed, Some(cover.clone()), TODAY), None); // nothing to accept
        check(gone(&State::Accepted(cover)), Some((F::Fixed, C::Absent)));
        check(gone(&State::Fixed), None);
    }

    #[derive(Debug, Clone)]
    enum Fact {
        Seen(Option<Acceptance>),
        Gone,
        Covered(Option<Acceptance>),
    }

    fn facts() -> impl Strategy<Value = Vec<Fact>> {
        let cover = prop::option::of((1i8..=28).prop_map(|day| until(date(2026, 12, day))));
        let fact = prop_oneof![cover.clone().prop_map(Fact::Seen), Just(Fact::Gone), cover.prop_map(Fact::Covered)];
        prop::collection::vec(fact, 0..40)
    }

    proptest! {
        /// Whatever happens, the history has no gap, no step to itself without cause, and the last fact decides.
        #[test]
        fn history_is_a_chain(facts in facts()) {
            let mut state: Option<State> = None;
            let mut fixed_before = false;
            for fact in facts {
                let change = match (&fact, &state) {
                    (Fact::Seen(cover), state) => seen(state.as_ref(), cover.clone(), TODAY),
                    (Fact::Gone, Some(state)) => gone(state),
                    (Fact::Covered(cover), Some(state)) => covered(state, cover.clone(), TODAY),
                    (_, None) => continue,
                };
                if let Some(change) = change {
                    prop_assert_eq!(change.from, state.as_ref().map(State::word));
                    prop_assert_ne!(Some(&change.to), state.as_ref());
                    fixed_before |= matches!(change.to, State::Fixed);
                    if matches!(change.to, State::Reopened) { prop_assert!(fixed_before); }
                    state = Some(change.to);
                }
                match (fact, &state) {
                    (Fact::Gone, Some(state)) => prop_assert_eq!(state, &State::Fixed),
                    (Fact::Seen(Some(cover)), Some(state)) => prop_assert_eq!(state, &State::Accepted(cover)),
                    (Fact::Seen(None), Some(state)) => prop_assert!(matches!(state, State::Open | State::Reopened)),
                    (Fact::Covered(None), Some(state)) => prop_assert!(!matches!(state, State::Accepted(_))),
                    _ => {}
                }
            }
        }
    }
}
