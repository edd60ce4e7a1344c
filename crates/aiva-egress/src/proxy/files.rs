//! How many files this process may have open: every client and every origin is one.

/// More are not asked for: some libraries walk through all that are possible.
#[cfg(unix)]
const MOST: u64 = 1 << 20;

/// Raises the soft limit of open files to the hard one, as far as that makes sense; what is in force afterwards, `None` where
/// there is no limit or it cannot be known.
#[cfg(unix)]
pub fn raise() -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    let soft = now.current?;
    let wanted = now.maximum.map_or(MOST, |hard| hard.min(MOST));
    let raised = wanted > soft
        && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: now.maximum })
            .inspect_err(|error| tracing::warn!(%error, soft, wanted, "the limit of open files stays as it is"))
            .is_ok();
    usize::try_from(if raised { wanted } else { soft }).ok()
}

/// Nothing is known.
#[cfg(not(unix))]
pub fn raise() -> Option<usize> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use rustix::process::{Resource, getrlimit};

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let before = getrlimit(Resource::Nofile);
        let files = super::raise();
        let after = getrlimit(Resource::Nofile);
        assert_eq!(after.maximum, before.maximum, "the hard limit is not ours");
        assert_eq!(files.map(|files| files as u64), after.current);
        let wanted = after.maximum.map_or(super::MOST, |hard| hard.min(super::MOST));
        assert_eq!(after.current, Some(wanted.max(before.current.unwrap_or(0))));
    }
}
