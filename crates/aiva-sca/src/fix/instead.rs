//! What would force a version upon those whose own requirement shuts it out: an override, which is proposed and never made.
//!
//! Only where the lockfile says who asks and by which range: npm's and yarn's do. Of npm's the override is for those who ask, no more.
//! yarn's is for every copy, so there must be no other.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::ask::Move;
use super::keep::{Lock, who};
use super::{Case, Instead, Stay, ids};
use crate::inventory::Kind;

/// What to put into the manifest beside a lockfile, as it stands there, for a package that these sentences say who keeps.
pub(super) fn written(
    kind: Kind,
    lock: &Lock,
    name: &str,
    step: &Move,
    copies: usize,
    held: &BTreeSet<String>,
) -> Option<String> {
    let forced = json!({ name: step.to });
    let table = match kind {
        // npm has overrides from its 8.3 on, which writes no first format unless it is told to.
        Kind::PackageLock | Kind::Shrinkwrap if !lock.is_first_of_npm() => {
            let asking = held.iter().map(|said| Some((package(who(said))?.to_owned(), forced.clone())));
            json!({ "overrides": asking.collect::<Option<Map<String, Value>>>()? })
        }
        Kind::YarnLock if copies == 1 => json!({ "resolutions": forced }),
        _ => return None,
    };
    // As a member of the manifest's own object.
    let text = table.to_string();
    text.strip_prefix('{')?.strip_suffix('}').map(str::to_owned)
}

/// Every override that is proposed, once, with the findings that it ends.
pub(super) fn told(cases: &[Case<'_>]) -> Vec<Instead> {
    let mut all: Vec<Instead> = Vec::new();
    for case in cases.iter().filter(|case| matches!(case.stays, Some((Stay::Surely, _)))) {
        let Some(one) = &case.instead else { continue };
        let clears = ids(std::iter::once(case)).into_iter().map(str::to_owned).collect();
        all.push(Instead { clears, ..one.clone() });
    }
    all.sort();
    all
}

/// The name of `@s/x 1.0.0`; a folder has none that an override could say.
fn package(who: &str) -> Option<&str> {
    let (name, version) = who.split_once(' ')?;
    version.starts_with(|c: char| c.is_ascii_digit()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_is_for_those_who_shut_the_version_out() {
        let step = Move { from: "1.1.0".to_owned(), to: "1.2.6".to_owned() };
        let third = r#"{"lockfileVersion": 3}"#;
        let one = &["x 2.0.0 asks for a ~1.1.0"][..];
        for (kind, lock, copies, held, want) in [
            (Kind::PackageLock, third, 2, one, Some(r#""overrides":{"x":{"a":"1.2.6"}}"#)),
            (
                Kind::PackageLock,
                third,
                1,
                &["@s/y 1.0.0-rc.1 asks for a 1.1.0", "x 2.0.0 asks for a ~1.1.0"],
                Some(r#""overrides":{"@s/y":{"a":"1.2.6"},"x":{"a":"1.2.6"}}"#),
            ),
            (Kind::PackageLock, third, 1, &["../x (a folder that was not scanned) asks for a 1.1.0"], None),
            (Kind::PackageLock, r#"{"lockfileVersion": 1}"#, 1, one, None),
            (Kind::YarnLock, "__metadata:\n", 1, one, Some(r#""resolutions":{"a":"1.2.6"}"#)),
            (Kind::YarnLock, "__metadata:\n", 2, one, None),
            (Kind::PoetryLock, "", 1, one, None),
        ] {
            let held: BTreeSet<String> = held.iter().map(|said| (*said).to_owned()).collect();
            let got = written(kind, &Lock::new(lock.to_owned()), "a", &step, copies, &held);
            assert_eq!(got.as_deref(), want, "{kind:?} {held:?}");
        }
    }
}
