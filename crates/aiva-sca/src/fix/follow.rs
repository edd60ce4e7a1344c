//! What moves with what brings it: a locked version that no step moves by itself, while a step moves a package on every way to it.
//!
//! What that package asks for at its new version is not known without asking a registry. So it is not said that such a version goes,
//! nor that it stays: it is said which step may take it along.

use std::collections::BTreeMap;

use super::{Case, Stay, Step};

/// Marks those cases, once it is known what goes.
pub(super) fn mark(cases: &mut [Case<'_>]) {
    let label = |case: &Case<'_>| (case.path.to_owned(), format!("{} {}", case.name, case.version));
    let going: BTreeMap<(String, String), Step> =
        cases.iter().filter_map(|case| Some((label(case), case.step.clone()?))).collect();
    if going.is_empty() {
        return;
    }
    for case in cases {
        let Some((stay, reason)) = &case.stays else { continue };
        let Some((mover, step)) = mover(case, &going) else { continue };
        let moves = format!("{mover}, which brings it, moves to {} with `{}`", step.to, step.command);
        case.stays = Some(match stay {
            Stay::Surely => (Stay::Follows, format!("{reason}; but {moves}")),
            Stay::Follows | Stay::Perhaps => {
                (Stay::Follows, format!("{moves}; what comes with that, nothing here says"))
            }
        });
    }
}

/// What brings a version in and moves; `None` where something else brings it too, or the project asks for it itself.
fn mover<'g>(case: &Case<'_>, going: &'g BTreeMap<(String, String), Step>) -> Option<(String, &'g Step)> {
    let mut first = None;
    for finding in &case.findings {
        let is_asked = case.is_asked || finding.direct == Some(true);
        let introduced = finding.introduced.as_ref().filter(|_| !is_asked)?;
        if introduced.paths.len() as u64 != introduced.count {
            return None; // not all of the ways are known
        }
        for path in introduced.paths.iter() {
            let (_, before) = path.split_last()?;
            let found = before.iter().find_map(|step| {
                let (key, known) = going.get_key_value(&(case.path.to_owned(), step.to_string()))?;
                Some((key.1.clone(), known))
            })?;
            first.get_or_insert(found);
        }
    }
    first
}
