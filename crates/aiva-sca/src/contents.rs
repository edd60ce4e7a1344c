//! What an upload lists, put together from the parts in which it comes.
//!
//! Pure. Whatever a part says is data from outside: what this release does not know of it is a problem of its file, never a guess
//! and never silence.

use std::collections::{BTreeMap, HashMap, HashSet};

use aiva_contracts::message::scan::v1 as message;

use crate::inventory::Inventory;
use crate::left_out::LeftOut;
use crate::package::{
    BuiltFrom, Ecosystem, Input, Licenses, NotJudged, Origin, Package, Problem, Scope, Source, Status,
};
use crate::snapshot::{Kept, kind_of};

/// Everything that an upload lists, from all of its parts in their order.
///
/// # Errors
/// The first part that is none.
pub fn join<E>(parts: impl IntoIterator<Item = Result<message::ContentsUploaded, E>>) -> Result<Kept, E> {
    let mut files = Files::default();
    let (mut facts, mut left_out) = (Vec::new(), message::LeftOut::default());
    for part in parts {
        let part = part?;
        part.files.into_iter().for_each(|file| files.add(file));
        facts.extend(part.facts);
        let Some(more) = part.left_out else { continue };
        let lowest = more.lowest();
        left_out.unfixed |= more.unfixed;
        left_out.dev |= more.dev;
        if lowest != message::Level::Unspecified {
            left_out.set_lowest(lowest);
        }
        left_out.ignore.extend(more.ignore);
        left_out.ruled_out.extend(more.ruled_out);
    }
    let inputs = files.inputs.into_values().collect();
    Ok(Kept { inventory: Inventory { inputs, ..Inventory::default() }, facts, left_out: LeftOut::new(left_out) })
}

/// The files by path and kind, and the ecosystems by name.
#[derive(Default)]
struct Files {
    inputs: BTreeMap<(String, String), Input>,
    ecosystems: HashMap<String, Option<Ecosystem>>,
    /// Ecosystems that this release does not know, by the file that says them.
    noted: HashMap<String, HashSet<String>>,
}

impl Files {
    fn add(&mut self, file: message::ListedFile) {
        let Self { inputs, ecosystems, noted } = self;
        let status = status(file.status());
        let input = inputs.entry((file.path, file.kind)).or_insert_with_key(|(path, kind)| Input {
            path: path.clone(),
            kind: kind_of(kind),
            status,
            packages: Vec::new(),
            not_judged: Vec::new(),
            problems: Vec::new(),
            edges: Vec::new(),
            signs: Vec::new(),
            asks: Vec::new(),
        });
        input.problems.extend(file.problems.into_iter().map(|one| Problem { line: one.line, message: one.message }));
        let noted = noted.entry(input.path.clone()).or_default();
        let mut known = |name: &str, input: &mut Input| {
            let known = match ecosystems.get(name) {
                Some(known) => *known,
                None => *ecosystems.entry(name.to_owned()).or_insert(name.parse().ok()),
            };
            if known.is_none() && noted.len() < MOST_UNKNOWN && !noted.contains(name) {
                noted.insert(name.to_owned());
                unknown(name, input);
            }
            known
        };
        for one in file.packages {
            if let Some(ecosystem) = known(&one.ecosystem, input) {
                input.packages.push(package(ecosystem, one));
            }
        }
        for one in file.entries {
            if let Some(ecosystem) = known(&one.ecosystem, input) {
                input.not_judged.push(entry(ecosystem, one));
            }
        }
    }
}

/// More ecosystems than one file can have that this release does not know; whoever says more is no newer release.
const MOST_UNKNOWN: usize = 20;

/// A newer command line may know ecosystems that this server does not; what was found in such a file stays as it is.
fn unknown(ecosystem: &str, input: &mut Input) {
    let message = format!("this server does not know packages of {ecosystem:?}, so they are not judged again");
    input.problems.push(Problem { line: 0, message });
    if input.status == Status::Parsed {
        input.status = Status::Partial;
    }
}

fn package(ecosystem: Ecosystem, one: message::ListedPackage) -> Package {
    let (scope, kind) = (scope(&one.scope), one.source());
    let built_from = one.built_from.map(|source| BuiltFrom { name: source.name, version: source.version });
    let layer = (!one.layer.is_empty()).then_some(one.layer);
    let is_installed = built_from.is_some() || layer.is_some();
    Package {
        ecosystem,
        name: one.name.into(),
        version: one.version.into(),
        line: one.line,
        direct: one.direct,
        scope,
        source: match kind {
            message::PackageSource::Unspecified => Source::Registry,
            message::PackageSource::PrivateRegistry => Source::PrivateRegistry(one.address),
            message::PackageSource::Git => Source::Git(one.address),
            message::PackageSource::Path => Source::Path(one.address),
            message::PackageSource::Url => Source::Url(one.address),
        },
        licenses: Licenses::default(),
        origin: is_installed.then(|| Box::new(Origin { built_from, layer, ..Origin::default() })),
    }
}

fn entry(ecosystem: Ecosystem, one: message::ListedEntry) -> NotJudged {
    NotJudged {
        ecosystem,
        scope: scope(&one.scope),
        name: one.name.into(),
        requirement: one.requirement.into(),
        line: one.line,
        reason: one.reason.into(),
        is_range: one.is_range,
        is_settled: false,
        forced_by: None,
        elsewhere: None,
    }
}

fn scope(word: &str) -> Scope {
    let all = [Scope::Dev, Scope::Build, Scope::Optional, Scope::Peer];
    all.into_iter().find(|scope| scope.name() == word).unwrap_or(Scope::Runtime)
}

fn status(status: message::InputStatus) -> Status {
    match status {
        message::InputStatus::Parsed => Status::Parsed,
        message::InputStatus::Partial => Status::Partial,
        message::InputStatus::Unsupported => Status::Unsupported,
        message::InputStatus::Unspecified | message::InputStatus::Failed => Status::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(ecosystem: &str, name: &str, source: message::PackageSource) -> message::ListedPackage {
        let mut one = message::ListedPackage {
            ecosystem: ecosystem.to_owned(),
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            ..Default::default()
        };
        one.set_source(source);
        one
    }

    fn part(path: &str, packages: Vec<message::ListedPackage>) -> message::ContentsUploaded {
        let mut file = message::ListedFile {
            path: path.to_owned(),
            kind: "package-lock.json".to_owned(),
            packages,
            ..Default::default()
        };
        file.set_status(message::InputStatus::Parsed);
        message::ContentsUploaded { files: vec![file], ..Default::default() }
    }

    fn joined(parts: Vec<message::ContentsUploaded>) -> Kept {
        join(parts.into_iter().map(Ok::<_, std::convert::Infallible>)).unwrap()
    }

    #[test]
    fn a_file_that_goes_on_in_the_next_part_is_one_file() {
        let public = message::PackageSource::Unspecified;
        let parts = vec![
            part("b", vec![listed("npm", "one", public)]),
            part("a", vec![]),
            part("b", vec![listed("npm", "two", message::PackageSource::Git)]),
        ];
        let inputs = joined(parts).inventory.inputs;
        assert_eq!(
            inputs.iter().map(|input| (&*input.path, input.packages.len())).collect::<Vec<_>>(),
            [("a", 0), ("b", 2)]
        );
        assert_eq!(inputs[1].packages[1].source, Source::Git(String::new()), "no public package");
    }

    #[test]
    fn a_kind_of_file_keeps_its_name_however_many_there_are() {
        let parts = (0..1000).map(|at| {
            let mut part = part("a", vec![]);
            part.files[0].kind = format!("nimble-{at}.lock");
            part
        });
        let inputs = joined(parts.chain([part("a", vec![])]).collect()).inventory.inputs;
        assert_eq!(
            (inputs.len(), inputs[0].kind.as_ref(), inputs[1000].kind.as_ref()),
            (1001, "nimble-0.lock", "package-lock.json")
        );
        assert!(matches!(inputs[1000].kind, std::borrow::Cow::Borrowed(_)), "ours is not kept twice");
    }

    #[test]
    fn what_this_release_does_not_know_is_said() {
        let public = message::PackageSource::Unspecified;
        let kept = joined(vec![part(
            "a",
            vec![listed("Nim", "x", public), listed("Nim", "y", public), listed("npm", "z", public)],
        )]);
        let input = &kept.inventory.inputs[0];
        assert_eq!((input.packages.len(), input.problems.len(), input.status), (1, 1, Status::Partial));
        assert!(input.problems[0].message.contains("\"Nim\""), "{:?}", input.problems);
        let many: Vec<_> = (0..100_000).map(|at| listed(&format!("Nim{at}"), "x", public)).collect();
        let parts = many.chunks(500).map(|chunk| part("a", chunk.to_vec())).collect();
        assert_eq!(joined(parts).inventory.inputs[0].problems.len(), MOST_UNKNOWN);
    }
}
