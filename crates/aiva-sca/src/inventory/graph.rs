//! Who needs whom inside one lockfile: carries "direct" and the scope from the project's own requirements to the rest.
//!
//! Cycles are fine: each package is visited at most once for each scope.

use crate::package::{Package, Scope};

/// The scopes from the strongest claim to the weakest: what is needed at run time stays so, whoever else needs it.
const STRONGEST_FIRST: [Scope; 5] = [Scope::Runtime, Scope::Build, Scope::Optional, Scope::Peer, Scope::Dev];

/// The stronger of two scopes.
pub(crate) fn stronger(one: Scope, other: Scope) -> Scope {
    STRONGEST_FIRST.into_iter().find(|scope| *scope == one || *scope == other).unwrap_or_default()
}

/// Marks `roots` as direct and everything else as not, and gives each package the strongest scope that reaches it.
///
/// Packages that `stop` names (the project's own members) keep what they have and lead nowhere: their own requirements
/// are roots in their own right. Packages that no root reaches keep their scope.
pub(crate) fn spread(
    packages: &mut [Package],
    edges: &[(u32, u32)],
    roots: &[(u32, Scope)],
    stop: impl Fn(&Package) -> bool,
) {
    let next = outgoing(packages.len(), edges);
    for package in packages.iter_mut().filter(|package| !stop(package)) {
        package.direct = Some(false);
    }
    let mut seen = vec![false; packages.len()];
    for scope in STRONGEST_FIRST {
        let mut stack: Vec<u32> = roots.iter().filter(|root| root.1 == scope).map(|root| root.0).collect();
        while let Some(at) = stack.pop() {
            let index = at as usize;
            let (Some(package), Some(seen)) = (packages.get_mut(index), seen.get_mut(index)) else { continue };
            if std::mem::replace(seen, true) || stop(package) {
                continue;
            }
            package.scope = scope;
            stack.extend_from_slice(next.of(at));
        }
    }
    for (root, _) in roots {
        if let Some(package) = packages.get_mut(*root as usize) {
            package.direct = Some(true);
        }
    }
}

/// Edges grouped by where they start.
struct Outgoing {
    starts: Vec<u32>,
    targets: Vec<u32>,
}

impl Outgoing {
    fn of(&self, from: u32) -> &[u32] {
        let index = from as usize;
        let bounds = self.starts.get(index).zip(self.starts.get(index + 1));
        bounds.and_then(|(a, b)| self.targets.get(*a as usize..*b as usize)).unwrap_or_default()
    }
}

fn outgoing(packages: usize, edges: &[(u32, u32)]) -> Outgoing {
    let mut sorted: Vec<(u32, u32)> = edges.to_vec();
    sorted.sort_unstable();
    let mut starts = Vec::with_capacity(packages + 1);
    let mut at = 0;
    for from in 0..=packages {
        while sorted.get(at).is_some_and(|edge| (edge.0 as usize) < from) {
            at += 1;
        }
        starts.push(u32::try_from(at).unwrap_or(u32::MAX));
    }
    Outgoing { starts, targets: sorted.into_iter().map(|edge| edge.1).collect() }
}

/// An index into a list as the edges keep it.
pub(crate) fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
