//! What is known of the versions of one package, ranked once for all that ask where one of them has to go.
//!
//! Pure. What is the best above each version is known from the end on, so that an answer costs one search.

use crate::version::{Requirement, Version};

/// A version that somebody could go to.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) version: Version,
    pub(super) text: String,
    /// How much is said of it.
    pub(super) count: usize,
    /// Whether it comes before a release.
    pub(super) is_early: bool,
    /// Whether it is of another flavour than the one that is asked about.
    pub(super) is_other: bool,
}

/// The versions of a package with the best of those that come after.
#[derive(Debug)]
pub(super) struct Ranked {
    all: Vec<Known>,
    /// From each of them on, which one is the best to somebody on a release, and to somebody who is on none.
    settled: Vec<Option<usize>>,
    early: Vec<Option<usize>>,
    /// The best of another flavour.
    other: Vec<Option<usize>>,
    /// Releases of which nothing is said.
    safe: Vec<Known>,
}

/// So many versions in a row that a requirement shuts out are its end, and not a hole in it.
const IN_A_ROW: usize = 8;

impl Ranked {
    /// Ranks versions that are in ascending order.
    pub(super) fn new(all: Vec<Known>) -> Self {
        let own = |cost: fn(&Known) -> (usize, bool)| best_from(&all, move |one| (!one.is_other).then(|| cost(one)));
        let settled = own(|one| (one.count, one.is_early));
        let early = own(|one| (one.count, false));
        let other = best_from(&all, |one| one.is_other.then_some((one.count, false)));
        let is_safe = |one: &Known| one.count == 0 && !one.is_early && !one.is_other;
        let safe = all.iter().filter(|one| is_safe(one)).cloned().collect();
        Self { settled, early, other, safe, all }
    }

    /// The least version above a key of which the least is said; to somebody on a release one that is a release as well, if there is a choice.
    pub(super) fn best(&self, floor: &[u8], is_settled: bool) -> Option<&Known> {
        self.above(floor, if is_settled { &self.settled } else { &self.early })
    }

    /// The same among those that are allowed. It ends where [`IN_A_ROW`] are not: of what is allowed behind them nothing is known.
    pub(super) fn best_among(&self, floor: &[u8], is_settled: bool, allows: &dyn Fn(&str) -> bool) -> Option<&Known> {
        let from = self.all.partition_point(|one| one.version.key() <= floor);
        let mut best: Option<((usize, bool), &Known)> = None;
        let mut shut = 0;
        for one in self.all.get(from..)?.iter().filter(|one| !one.is_other) {
            let cost = (one.count, is_settled && one.is_early);
            if best.is_some_and(|(least, _)| least <= cost) {
                continue;
            }
            if allows(&one.text) {
                (best, shut) = (Some((cost, one)), 0);
            } else {
                shut += 1;
            }
            if shut == IN_A_ROW {
                break;
            }
        }
        best.map(|(_, one)| one)
    }

    /// The same among those of another flavour.
    pub(super) fn other(&self, floor: &[u8]) -> Option<&Known> {
        self.above(floor, &self.other)
    }

    /// Whether this version is one of them.
    pub(super) fn has(&self, version: &Version) -> bool {
        self.all.binary_search_by(|one| one.version.cmp(version)).is_ok()
    }

    fn above(&self, floor: &[u8], best: &[Option<usize>]) -> Option<&Known> {
        let from = self.all.partition_point(|one| one.version.key() <= floor);
        self.all.get((*best.get(from)?)?)
    }

    /// The least release that a range allows and of which nothing is said.
    pub(super) fn least_safe(&self, range: &Requirement) -> Option<&str> {
        let (mut left, mut at) = (range.clone(), 0);
        loop {
            at = self.safe.partition_point(|one| one.version.key() < left.floor()).max(at);
            let next = self.safe.get(at)?;
            if left.holds(next.version.key()) {
                return Some(&next.text);
            }
            // It lies between two spans, or behind all of them.
            left = left.after(next.version.key())?;
            at += 1;
        }
    }
}

/// From each place on, where the least cost is; of equals the first.
fn best_from(all: &[Known], cost: impl Fn(&Known) -> Option<(usize, bool)>) -> Vec<Option<usize>> {
    let mut best: Option<((usize, bool), usize)> = None;
    let mut from: Vec<Option<usize>> = Vec::with_capacity(all.len());
    for (at, one) in all.iter().enumerate().rev() {
        if let Some(cost) = cost(one)
            && best.is_none_or(|(known, _)| cost <= known)
        {
            best = Some((cost, at));
        }
        from.push(best.map(|(_, at)| at));
    }
    from.reverse();
    from
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::package::Ecosystem;

    /// The plain way, which looks at every version: what is the best, and what is the best of another flavour.
    fn plainly<'k>(
        all: &'k [Known],
        floor: &[u8],
        is_settled: bool,
        now: usize,
    ) -> (Option<&'k Known>, Option<&'k Known>) {
        let mut other: Option<&Known> = None;
        let mut best: Option<((usize, bool), &Known)> = None;
        for one in all.iter().filter(|one| one.version.key() > floor && one.count < now) {
            if one.is_other {
                if other.is_none_or(|known| one.count < known.count) {
                    other = Some(one);
                }
                continue;
            }
            let cost = (one.count, is_settled && one.is_early);
            if best.is_none_or(|(known, _)| cost < known) {
                best = Some((cost, one));
            }
        }
        (best.map(|(_, one)| one), other)
    }

    fn least_safe_plainly<'k>(all: &'k [Known], range: &Requirement) -> Option<&'k str> {
        let is_safe = |one: &&Known| range.holds(one.version.key()) && !one.is_early && one.count == 0;
        all.iter().find(is_safe).map(|one| one.text.as_str())
    }

    fn texts<'k>(of: (Option<&'k Known>, Option<&'k Known>)) -> [Option<&'k str>; 2] {
        [of.0, of.1].map(|one| one.map(|one| one.text.as_str()))
    }

    fn known() -> impl Strategy<Value = Vec<Known>> {
        let one = (0_u8..20, 0_usize..4, any::<bool>(), any::<bool>()).prop_map(|(at, count, is_early, is_other)| {
            let text = format!("1.{at}{}", if is_early { "-b" } else { "" });
            let version = Version::parse(Ecosystem::NuGet, &text).unwrap();
            Known { version, text, count, is_early, is_other }
        });
        proptest::collection::vec(one, 0..16).prop_map(|mut all| {
            all.sort_by(|a, b| a.version.cmp(&b.version));
            all.dedup_by(|a, b| a.version == b.version);
            all
        })
    }

    proptest! {
        #[test]
        fn what_is_ranked_once_is_what_looking_at_every_version_finds(
            all in known(), at in 0_u8..21, is_settled: bool, now in 0_usize..5,
        ) {
            let ranked = Ranked::new(all.clone());
            for text in [String::new(), format!("1.{at}"), format!("1.{at}-b")] {
                let floor = Version::parse(Ecosystem::NuGet, &text).map(|version| version.key().to_vec());
                let floor = floor.unwrap_or_default();
                let better = |one: &&Known| one.count < now;
                let got = (ranked.best(&floor, is_settled).filter(better), ranked.other(&floor).filter(better));
                prop_assert_eq!(texts(got), texts(plainly(&all, &floor, is_settled, now)));
                // Somebody who allows what is below a version.
                let below = |text: &str| Version::parse(Ecosystem::NuGet, text) < Version::parse(Ecosystem::NuGet, "1.12");
                let of_those: Vec<Known> = all.iter().filter(|one| !one.is_other && below(&one.text)).cloned().collect();
                let got = ranked.best_among(&floor, is_settled, &below).filter(better);
                prop_assert_eq!(texts((got, None)), texts(plainly(&of_those, &floor, is_settled, now)));
            }
        }

        #[test]
        fn the_least_safe_release_is_the_one_that_looking_at_every_version_finds(
            all in known(), from in 0_u8..21, to in 0_u8..21, ends in 0_u8..4, hole in 0_u8..21,
        ) {
            let all: Vec<Known> = all.into_iter().map(|one| Known { is_other: false, ..one }).collect();
            let ranked = Ranked::new(all.clone());
            let (open, close) = (if ends < 2 { '[' } else { '(' }, if ends % 2 == 0 { ']' } else { ')' });
            for (ecosystem, text) in [
                (Ecosystem::NuGet, format!("{open}1.{from}.0,1.{to}.0{close}")),
                (Ecosystem::Maven, format!("{open}1.{from},1.{to}{close},(1.{hole},)")),
            ] {
                let all: Vec<Known> = all.iter().filter_map(|one| {
                    Some(Known { version: Version::parse(ecosystem, &one.text)?, ..one.clone() })
                }).collect();
                let ranked = if ecosystem == Ecosystem::NuGet { &ranked } else { &Ranked::new(all.clone()) };
                if let Some(range) = Requirement::parse(ecosystem, &text) {
                    prop_assert_eq!(ranked.least_safe(&range), least_safe_plainly(&all, &range), "{}", text);
                }
            }
        }
    }
}
