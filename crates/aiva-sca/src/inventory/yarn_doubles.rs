//! What berry lists besides the packages: patched ones beside those they patch, and the project itself.

use rapidhash::RapidHashMap;

use super::graph::index;
use super::reading::Reading;
use super::yarn_lock::is_own;
use crate::package::Package;

/// Berry lists a patched package beside the one it patches; that is one package. The patch's place stays in the graph.
pub(super) fn drop_patches(patches: &[u32], reading: &mut Reading) {
    if patches.is_empty() {
        return;
    }
    let mut is_patch = vec![false; reading.packages.len()];
    for patch in patches {
        if let Some(flag) = is_patch.get_mut(*patch as usize) {
            *flag = true;
        }
    }
    let identity = |package: &Package| (package.name.clone(), package.version.clone());
    let whole = reading.packages.iter().enumerate().filter(|(at, _)| is_patch.get(*at) == Some(&false));
    let bases: RapidHashMap<_, u32> = whole.map(|(at, package)| (identity(package), index(at))).collect();
    let base = |(at, package): (usize, &Package)| match is_patch.get(at) {
        Some(true) => bases.get(&identity(package)).copied().unwrap_or(index(at)),
        _ => index(at),
    };
    let moved: Vec<u32> = reading.packages.iter().enumerate().map(base).collect();
    let kept: Vec<bool> = moved.iter().enumerate().map(|(at, to)| index(at) == *to).collect();
    let mut places = Vec::with_capacity(kept.len());
    let mut next = 0;
    for keep in &kept {
        places.push(next);
        next += u32::from(*keep);
    }
    let place = |at: u32| {
        let at = moved.get(at as usize).copied().unwrap_or(at);
        places.get(at as usize).copied().unwrap_or(at)
    };
    let mut flags = kept.iter();
    reading.packages.retain(|_| flags.next().copied().unwrap_or(true));
    for edge in &mut reading.links.edges {
        *edge = (place(edge.0), place(edge.1));
    }
    for descriptor in &mut reading.links.descriptors {
        descriptor.package = place(descriptor.package);
    }
}

/// The project itself is no package of its own, as little as in the lockfiles of others: it has said what is direct.
pub(super) fn drop_root(line: u32, reading: &mut Reading) {
    let is_root = |package: &Package| package.line == line && is_own(package);
    let Some(at) = reading.packages.iter().position(is_root) else { return };
    reading.packages.remove(at);
    let root = index(at);
    let place = |at: u32| at - u32::from(at > root);
    reading.links.edges.retain(|edge| edge.0 != root && edge.1 != root);
    for edge in &mut reading.links.edges {
        *edge = (place(edge.0), place(edge.1));
    }
    reading.links.descriptors.retain(|one| one.package != root);
    for one in &mut reading.links.descriptors {
        one.package = place(one.package);
    }
}
