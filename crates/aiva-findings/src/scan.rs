//! The life of a scan: requested, running, then completed, failed or superseded; and what a scan looked at. Pure.

use aiva_contracts::api::{DocumentInput, InputStatus, Scan, ScanPhase, ScanState};
use aiva_contracts::message::scan::v1 as message;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// Something that happens to a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// A guard took it up, or told how far it is.
    Working,
    /// It saw all it was asked to see.
    Completed,
    /// It could not be run to its end.
    Failed,
    /// A newer one for the same service and guard takes its place.
    Superseded,
}

/// The state after a fact; none where a scan that has ended must not change any more.
pub fn next(state: ScanState, fact: Fact) -> Option<ScanState> {
    match state {
        ScanState::Requested | ScanState::Running => Some(match fact {
            Fact::Working => ScanState::Running,
            Fact::Completed => ScanState::Completed,
            Fact::Failed => ScanState::Failed,
            Fact::Superseded => ScanState::Superseded,
        }),
        ScanState::Completed | ScanState::Failed | ScanState::Superseded => None,
    }
}

/// Whether it has ended.
pub fn is_over(state: ScanState) -> bool {
    next(state, Fact::Working).is_none()
}

/// Who asks for a scan when advisories were replaced (api/proto: ScanRequested).
pub const BY_ADVISORIES: &str = "advisories";

/// Who brings a scan that ran elsewhere.
pub const BY_UPLOAD: &str = "upload";

/// The id of a new scan of a service whose last one is `last`: ids tell which of two scans is the later one, also where clocks differ.
pub fn id(fresh: Uuid, last: Option<Uuid>) -> Uuid {
    last.filter(|last| fresh <= *last).map_or(fresh, |last| Uuid::from_u128(last.as_u128() + 1))
}

/// Whether it ran elsewhere.
pub fn is_upload(scan: &Scan) -> bool {
    scan.watched.is_some() || scan.requested_by == BY_UPLOAD
}

/// Whether a service is judged again when advisories change. `last` is its last scan of everything. An upload that does not say what
/// its files list knows better than anything that was read before it, and nobody can judge it; where there was no scan, only
/// sources can be looked at.
pub fn is_judged_again(last: Option<&Scan>, has_sources: bool) -> bool {
    match last {
        Some(last) => !is_upload(last) || last.watched == Some(true),
        None => has_sources,
    }
}

/// Whether the daily schedule asks for another scan after the last one was requested.
pub fn is_due(last: Option<Timestamp>, now: Timestamp) -> bool {
    last.is_none_or(|last| now.duration_since(last) >= SignedDuration::from_hours(24))
}

/// The phase as the API spells it.
pub fn phase(phase: message::ScanPhase) -> ScanPhase {
    match phase {
        message::ScanPhase::Unspecified => ScanPhase::Waiting,
        message::ScanPhase::Discovering => ScanPhase::Discovering,
        message::ScanPhase::Reading => ScanPhase::Reading,
        message::ScanPhase::Matching => ScanPhase::Matching,
        message::ScanPhase::Reporting => ScanPhase::Reporting,
    }
}

/// Whether `path` is `place` or lies below it; `.` is everything.
pub fn lies_in(path: &str, place: &str) -> bool {
    let place = place.trim_end_matches('/');
    place == "." || path == place || path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'))
}

/// What a completed scan can vouch for: only there is a finding that it did not see gone.
#[derive(Debug, Clone)]
pub struct Sight {
    paths: Vec<String>,
    unread: Vec<String>,
}

impl Sight {
    /// A scan of `paths` (empty for everything) that saw these inputs.
    pub fn new(paths: Vec<String>, inputs: impl IntoIterator<Item = (String, InputStatus)>) -> Self {
        let unread =
            inputs.into_iter().filter(|(_, status)| *status != InputStatus::Parsed).map(|(path, _)| path).collect();
        Self { paths, unread }
    }

    /// Whether what was not seen at `path` is gone.
    pub fn covers(&self, path: &str) -> bool {
        (self.paths.is_empty() || self.paths.iter().any(|place| lies_in(path, place)))
            && !self.unread.iter().any(|unread| lies_in(path, unread))
    }
}

/// Whether every input was read and judged to its end, and no range leaves open whether it is affected.
pub fn is_complete(inputs: &[DocumentInput]) -> bool {
    inputs
        .iter()
        .all(|input| input.status == InputStatus::Parsed && input.not_judged.is_empty() && input.can_resolve.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_does_not_change() {
        for state in [ScanState::Completed, ScanState::Failed, ScanState::Superseded] {
            for fact in [Fact::Working, Fact::Completed, Fact::Failed, Fact::Superseded] {
                assert_eq!(next(state, fact), None);
            }
        }
        assert_eq!(next(ScanState::Requested, Fact::Completed), Some(ScanState::Completed)); // progress may be lost
    }

    #[test]
    fn only_what_was_read_is_vouched_for() {
        let inputs = [("a/x.lock".to_owned(), InputStatus::Failed), ("b".to_owned(), InputStatus::Failed)];
        let sight = Sight::new(vec![], inputs.clone());
        assert!(sight.covers("c/x.lock")); // not seen at all: the file is gone
        assert!(!sight.covers("a/x.lock"));
        assert!(!sight.covers("b/deep/x.lock")); // below a folder that could not be read
        assert!(sight.covers("bb/x.lock"));
        let part = Sight::new(vec!["c".into()], inputs);
        assert!(part.covers("c/x.lock") && !part.covers("d/x.lock") && !part.covers("cc"));
    }

    #[test]
    fn a_later_scan_has_a_greater_id() {
        let [one, two]: [Uuid; 2] = ["01900000-0000-7000-8000-000000000001", "01900000-0000-7000-8000-000000000005"]
            .map(|id| id.parse().unwrap());
        assert_eq!(id(two, None), two);
        assert_eq!(id(two, Some(one)), two);
        for fresh in [one, two] {
            let next = id(fresh, Some(two)); // the clock of another server is ahead
            assert!(next > two && next.get_version_num() == 7, "{next}");
        }
    }

    #[test]
    fn a_day_must_pass() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        assert!(is_due(None, now));
        assert!(is_due(Some("2026-11-20T12:00:00Z".parse().unwrap()), now));
        assert!(!is_due(Some("2026-11-20T12:00:01Z".parse().unwrap()), now));
    }
}
