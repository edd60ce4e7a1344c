//! pub's constraints (dart.dev/tools/pub/dependencies, `pub_semver`): `any`, `^1.2.3`, comparisons that must all hold, and a bare
//! version for itself. `<2.0.0` leaves out the pre-releases of 2.0.0, unless the lower end is one of them.

use super::Span;
use super::written::{before, between, compared, key, signed};
use crate::package::Ecosystem::Pub;

const SIGNS: [&str; 5] = [">=", "<=", ">", "<", "^"];

pub(super) fn parse(text: &str) -> Option<Vec<Vec<Span>>> {
    let text = text.trim();
    if text == "any" || text.is_empty() {
        return Some(Vec::new());
    }
    let pairs = signed(text, &SIGNS)?;
    let floors = || pairs.iter().filter(|(sign, _)| sign.starts_with('>')).map(|(_, version)| *version);
    pairs.iter().map(|(sign, version)| one(sign, version, floors())).collect()
}

fn one<'t>(sign: &str, version: &str, mut floors: impl Iterator<Item = &'t str>) -> Option<Vec<Span>> {
    let numbers = numbers(version)?;
    Some(match sign {
        "^" => {
            let next = match numbers {
                [0, minor, _] => format!("0.{}.0-0", minor.checked_add(1)?),
                [major, ..] => format!("{}.0.0-0", major.checked_add(1)?),
            };
            between(before(Pub, version)?, Some(before(Pub, &next)?))
        }
        "<" if !version.contains(['-', '+']) => {
            let is_own =
                |floor: &str| floor.split('+').next().is_some_and(|floor| floor.starts_with(&format!("{version}-")));
            let end = if floors.any(is_own) { before(Pub, version)? } else { before(Pub, &format!("{version}-0"))? };
            between(super::everything().0, Some(end))
        }
        sign => compared(sign, key(Pub, version)?),
    })
}

/// All three numbers: pub takes no less.
fn numbers(version: &str) -> Option<[u64; 3]> {
    let core = version.split(['-', '+']).next()?;
    let parts: Vec<u64> = core.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    parts.try_into().ok()
}
