//! Turns OSV's events into intervals of version keys, so that the index need not replay them.
//!
//! The schema's algorithm ("Evaluation"): sort the events, walk them up to the version, and the last one decides; `limit` bounds
//! the whole range. Here the walk is done once for all versions. An event at a version takes effect at it, except
//! `last_affected`, which takes effect just after it. Events at the same place keep the record's order.

use super::layout::{Interval, Upper};
use super::osv::{Event, Range, Text};
use crate::package::Ecosystem;
use crate::version::Version;

/// A bound that the ecosystem's rules cannot order, so that the range says nothing sure about any version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Undecidable(pub(super) String);

/// An interval and how it is written for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Affected {
    pub(super) interval: Interval<Vec<u8>>,
    pub(super) text: String,
}

/// Intervals that are asked about many versions: however many they are, none costs more than a search.
pub(super) struct Held<'a> {
    /// By their lower ends, each with the place of the one that reaches furthest among it and those before it.
    intervals: Vec<(&'a Interval<Vec<u8>>, usize)>,
    /// The one that held the version before: lists go by release lines.
    last: usize,
}

impl<'a> Held<'a> {
    /// Of intervals that ascend by their lower ends.
    pub(super) fn of(ascending: &'a [Affected]) -> Self {
        let mut intervals: Vec<(&Interval<Vec<u8>>, usize)> = Vec::with_capacity(ascending.len());
        let mut furthest = 0;
        for (at, Affected { interval, .. }) in ascending.iter().enumerate() {
            let before = intervals.get(furthest).map(|(before, _)| &before.upper);
            if before.is_none_or(|before| reach(before) < reach(&interval.upper)) {
                furthest = at;
            }
            intervals.push((interval, furthest));
        }
        Self { intervals, last: 0 }
    }

    /// Whether any of them holds the version of this key.
    pub(super) fn contain(&mut self, key: &[u8]) -> bool {
        let holds = |at: usize| self.intervals.get(at).is_some_and(|(interval, _)| interval.contains(key, None));
        if holds(self.last) {
            return true;
        }
        let begun = self.intervals.partition_point(|(interval, _)| interval.has_begun(key));
        let Some((_, furthest)) = begun.checked_sub(1).and_then(|at| self.intervals.get(at)) else { return false };
        let held = holds(*furthest);
        if held {
            self.last = *furthest;
        }
        held
    }
}

/// What sorts upper ends by how far they reach.
fn reach(upper: &Upper<Vec<u8>>) -> (bool, &[u8], bool) {
    match upper {
        Upper::Open => (true, &[], false),
        Upper::UpTo(end) => (false, end, true),
        Upper::Before(end) => (false, end, false),
    }
}

/// The affected intervals of a range, ascending. GIT ranges and types unknown to the schema have none.
pub(super) fn intervals(ecosystem: Ecosystem, range: &Range<'_>) -> Result<Vec<Affected>, Undecidable> {
    if !matches!(&*range.kind, "SEMVER" | "ECOSYSTEM") {
        return Ok(Vec::new());
    }
    let (mut steps, limit) = steps(ecosystem, &range.events)?;
    // As in `Interval::has_begun`, the beginning is told from the others before bytes are compared.
    steps.sort_by(|a, b| (!a.key.is_empty(), &a.key, a.after).cmp(&(!b.key.is_empty(), &b.key, b.after)));
    let mut found = Vec::new();
    let mut open: Option<&Step<'_>> = None;
    for step in &steps {
        match (open, step.opens) {
            (None, true) => open = Some(step),
            (Some(start), false) => {
                found.extend(between(start, Some(step), limit.as_ref()));
                open = None;
            }
            (Some(_), true) | (None, false) => {}
        }
    }
    if let Some(start) = open {
        found.extend(between(start, None, limit.as_ref()));
    }
    Ok(found)
}

struct Step<'a> {
    /// Empty for "0", which comes before every version.
    key: Vec<u8>,
    after: bool,
    opens: bool,
    text: &'a str,
}

/// The events as steps, and the highest limit if there is one: a version is in bounds if it is below any of them.
fn steps<'a>(ecosystem: Ecosystem, events: &'a [Event<'a>]) -> Result<(Vec<Step<'a>>, Option<Step<'a>>), Undecidable> {
    let mut steps = Vec::with_capacity(events.len());
    let mut limits = Vec::new();
    let mut unlimited = false;
    for event in events {
        let step = |text: &'a Text<'a>, opens, after| {
            let key = if &**text == "0" && opens { Some(Vec::new()) } else { key(ecosystem, text) };
            key.map(|key| Step { key, after, opens, text }).ok_or_else(|| Undecidable(text.to_string()))
        };
        if let Some(text) = &event.introduced {
            steps.push(step(text, true, false)?);
        }
        if let Some(text) = &event.fixed {
            steps.push(step(text, false, false)?);
        }
        if let Some(text) = &event.last_affected {
            steps.push(step(text, false, true)?);
        }
        match &event.limit {
            Some(text) if &**text == "*" => unlimited = true,
            Some(text) => limits.push(step(text, false, false)?),
            None => {}
        }
    }
    let limit = limits.into_iter().max_by(|a, b| a.key.cmp(&b.key)).filter(|_| !unlimited);
    Ok((steps, limit))
}

fn key(ecosystem: Ecosystem, text: &str) -> Option<Vec<u8>> {
    Version::parse(ecosystem, text).map(Version::into_key)
}

fn between(start: &Step<'_>, end: Option<&Step<'_>>, limit: Option<&Step<'_>>) -> Option<Affected> {
    let end = match (end, limit) {
        (Some(end), Some(limit)) if (&limit.key, false) < (&end.key, end.after) => Some(limit),
        (None, limit) => limit,
        (end, _) => end,
    };
    let upper = match end {
        None => Upper::Open,
        Some(end) if end.after => Upper::UpTo(end.key.clone()),
        Some(end) => Upper::Before(end.key.clone()),
    };
    // Introduced and fixed at one version: nothing is affected.
    if matches!(&upper, Upper::Before(end) if !start.key.is_empty() && *end <= start.key) {
        return None;
    }
    let from = if start.key.is_empty() { [""; 2] } else { [">= ", start.text] };
    let to = end.map_or([""; 2], |end| [if end.after { "<= " } else { "< " }, end.text]);
    let text = match (start.key.is_empty(), end) {
        (true, None) => "all versions".to_owned(),
        (false, Some(_)) => [from[0], from[1], ", ", to[0], to[1]].concat(),
        (true, Some(_)) | (false, None) => [from[0], from[1], to[0], to[1]].concat(),
    };
    Some(Affected { interval: Interval { lower: start.key.clone(), upper }, text })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::*;

    /// The schema's algorithm, word for word, over the semver crate's order.
    fn replay(version: &semver::Version, events: &[(u8, semver::Version)]) -> bool {
        let limits: Vec<_> = events.iter().filter(|(kind, _)| *kind == 3).collect();
        if !limits.is_empty() && !limits.iter().any(|(_, limit)| version < limit) {
            return false;
        }
        let mut sorted = events.to_vec();
        sorted.sort_by(|a, b| a.1.cmp(&b.1));
        sorted.iter().fold(false, |affected, (kind, at)| match kind {
            0 if version >= at => true,
            1 if version >= at => false,
            2 if version > at => false,
            _ => affected,
        })
    }

    fn event(kind: u8, at: &semver::Version) -> Event<'static> {
        let text = Some(Text(Cow::Owned(at.to_string())));
        match kind {
            0 => Event { introduced: text, ..Event::default() },
            1 => Event { fixed: text, ..Event::default() },
            2 => Event { last_affected: text, ..Event::default() },
            _ => Event { limit: text, ..Event::default() },
        }
    }

    fn parse(text: &str) -> semver::Version {
        text.parse().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn intervals_say_what_replaying_the_events_says(
            // Every version once: the schema leaves open which of two events at one version comes first.
            events in prop::collection::btree_map("[0-4]\\.[0-2]\\.0(-[ab])?", 0_u8..4, 0..7),
            asked in prop::collection::vec("[0-5]\\.[0-2]\\.[01](-[abc])?", 1..20),
        ) {
            let events: Vec<(u8, semver::Version)> = events.iter().map(|(at, kind)| (*kind, parse(at))).collect();
            let range = Range {
                kind: Text("SEMVER".into()),
                events: events.iter().rev().map(|(kind, at)| event(*kind, at)).collect(),
            };
            let intervals = intervals(Ecosystem::CratesIo, &range).unwrap();
            for text in asked {
                let version = Version::parse(Ecosystem::CratesIo, &text).unwrap();
                let inside = intervals.iter().any(|one| one.interval.contains(version.key(), None));
                prop_assert_eq!(inside, replay(&parse(&text), &events), "{} in {:?}", text, range);
            }
        }

        #[test]
        fn any_intervals_hold_what_one_of_them_holds(
            ends in prop::collection::vec(("[0-4]\\.[0-2]\\.0", 0_u8..3, "[0-4]\\.[0-2]\\.0"), 0..7),
            asked in prop::collection::vec("[0-5]\\.[0-2]\\.[01]", 1..20),
        ) {
            let key = |text: &str| key(Ecosystem::CratesIo, text).unwrap();
            let mut ranges: Vec<Affected> = ends.iter().map(|(lower, kind, upper)| {
                let upper = [Upper::Open, Upper::Before(key(upper)), Upper::UpTo(key(upper))][usize::from(*kind)].clone();
                Affected { interval: Interval { lower: key(lower), upper }, text: String::new() }
            }).collect();
            ranges.sort_by(|a, b| a.interval.lower.cmp(&b.interval.lower));
            let mut held = Held::of(&ranges);
            for text in asked {
                let key = key(&text);
                let want = ranges.iter().any(|one| one.interval.contains(&key, None));
                prop_assert_eq!(held.contain(&key), want, "{} in {:?}", text, ranges);
            }
        }
    }
}
