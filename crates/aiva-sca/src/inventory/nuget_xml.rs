//! `packages.config`, project files (`*.csproj`, `*.fsproj`, `*.vbproj`) and what they share (`Directory.Packages.props`,
//! `Directory.Build.props` and `.targets`): what a .NET project asks NuGet for.
//!
//! `packages.config` pins. In a project file a bare version is the lowest that will do, so only `[1.2.3]` pins; everything
//! else is a range. Versions that MSBuild computes are listed as not judged.
//!
//! `Update` says another version of what stands before it in the file, `Remove` takes it away; where it is not sure that it does, the
//! entry is listed as not judged. What a `Directory.Build.targets` does to a project, [`msbuild_targets`](super::msbuild_targets) knows.
//! What stands in a `<Target>` runs while the project is built, when the packages are restored already: it changes nothing, and what
//! it asks for is listed as not judged. Only where a target of the file may run before that ([`restores`]) it counts as if under a condition.

mod elements;

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use smol_str::SmolStr;

pub(super) use elements::{CUT, bounded};
use elements::{Does, Found, elements};

use super::msbuild::{Layers, Properties, Resolved};
use super::msbuild_hooks::restores;
use super::reading::{Declared, Reading, quote};
use crate::package::{Ecosystem, NotJudged, Package, Scope};

/// Of how many elements of one package an update is looked at: more than a few are conditions' doing.
const MOST_SAME: usize = 32;

/// What is left once every element did what it does, in the order of the file.
fn settled(found: Vec<Found>) -> Vec<Found> {
    let mut all: Vec<Option<Found>> = Vec::new();
    // The places of what is there, by element and name.
    let mut there: HashMap<&str, BTreeMap<String, Vec<usize>>> = HashMap::new();
    for one in found {
        if one.is_late {
            all.push(Some(one));
            continue;
        }
        let names = there.entry(one.element).or_default();
        let key = one.name.to_lowercase();
        match one.does {
            Does::Include => {
                names.entry(key).or_default().push(all.len());
                all.push(Some(one));
            }
            Does::Update => {
                let places = names.get(&key).map(Vec::as_slice).unwrap_or_default();
                // Of another file, what it says besides a version is nothing to judge.
                if places.is_empty() && one.version.is_none() {
                    continue;
                }
                if places.is_empty() || !one.is_sure && one.version.is_some() {
                    all.push(Some(one)); // Of another file, or beside what it may change.
                    continue;
                }
                for at in places.iter().take(MOST_SAME) {
                    let Some(Some(known)) = all.get_mut(*at) else { continue };
                    known.is_dev |= one.is_dev && one.is_sure;
                    if let Some(version) = &one.version {
                        (known.version, known.line) = (Some(version.clone()), one.line);
                    }
                }
            }
            Does::Remove if one.is_sure => {
                for at in names.remove(&key).unwrap_or_default() {
                    if let Some(gone) = all.get_mut(at) {
                        *gone = None;
                    }
                }
            }
            Does::Remove => {
                // Told once: more of that kind need not look again.
                let meant: Vec<usize> = match literal(&key) {
                    Some(start) => {
                        let is_meant = |name: &&String| name.starts_with(start);
                        let range = (Bound::Included(start), Bound::Unbounded);
                        let all = names.range::<str, _>(range).map(|(name, _)| name).take_while(is_meant);
                        let all: Vec<String> = all.cloned().collect();
                        all.iter().filter_map(|name| names.remove(name)).flatten().collect()
                    }
                    None => names.remove(&key).unwrap_or_default(),
                };
                let reason = if one.is_in_target { HOOKED } else { MAY_GO };
                for at in meant {
                    if let Some(Some(known)) = all.get_mut(at) {
                        known.may_go = Some(reason);
                    }
                }
            }
        }
    }
    all.into_iter().flatten().collect()
}

/// What a file changes of packages that another one asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// Their name in small letters, or what it begins with.
    pub(super) name: String,
    /// Whether the rest of the name is computed, and may be any.
    pub(super) is_start: bool,
    /// Another version; `None` where they are taken away.
    pub(super) version: Option<SmolStr>,
    /// The line that says so, from 1.
    pub(super) line: u32,
    /// Whether it is so in every build.
    pub(super) is_sure: bool,
}

/// All that a file changes, in its order, its targets only where one of the tree hooks into restore. What is wrong with it is told of
/// where it is read.
pub(super) fn changes(text: &str, hooks: bool) -> Vec<Change> {
    let all = elements(text, &["PackageReference"], "Project", hooks, &mut Reading::default()).into_iter();
    let is_change = |one: &Found| match one.does {
        Does::Include => false,
        Does::Update => one.version.is_some(),
        Does::Remove => true,
    };
    let change = |one: Found| {
        let name = one.name.to_lowercase();
        let (name, is_start) = literal(&name).map_or((name.clone(), false), |start| (start.to_owned(), true));
        let version = one.version.filter(|_| one.does == Does::Update);
        Change { name, is_start, version, line: one.line, is_sure: one.is_sure }
    };
    all.filter(is_change).map(change).collect()
}

/// What stands in a name that MSBuild computes.
const COMPUTING: [char; 5] = ['$', '@', '%', '*', '?'];

/// With what a name begins that is computed; it may be any that begins so.
fn literal(name: &str) -> Option<&str> {
    name.find(COMPUTING).and_then(|at| name.get(..at))
}

/// Reads a `packages.config`.
pub(crate) fn read_config(text: &str) -> Reading {
    let mut reading = Reading::default();
    let all = elements(text, &["package"], "packages", false, &mut reading);
    for found in all.into_iter().filter(|found| found.does == Does::Include) {
        let Some(version) = found.version.filter(|version| !version.is_empty()) else {
            reading.problem(found.line, format!("{} has no version", quote(&found.name)));
            continue;
        };
        if version.ends_with(CUT) {
            reading.problem(
                found.line,
                format!("{} has more text in the place of its version than any", quote(&found.name)),
            );
            continue;
        }
        let scope = if found.is_dev { Scope::Dev } else { Scope::Runtime };
        let package = Package::new(Ecosystem::NuGet, found.name, version, found.line);
        reading.packages.push(Package { scope, ..package });
    }
    reading.close()
}

/// Why nothing is judged of a reference without a version.
pub(crate) const KEPT_ELSEWHERE: &str = "its version is kept in another file, and no Directory.Packages.props is here";

/// Why nothing is judged of a version that is put together.
pub(crate) const COMPUTED: &str = "MSBuild computes its version";

/// The file that keeps versions for the projects at and below its folder.
pub(crate) const CENTRAL: &str = "Directory.Packages.props";

/// Why nothing is judged of what something may take away.
const MAY_GO: &str = "a `Remove` that is computed or under a condition may take it away";

/// The same of a target that runs before the packages are restored, or may.
const HOOKED: &str = "a `Remove` in a <Target> may take it away, and a target here hooks into restore";

/// Why nothing is judged of what only a build asks for.
const LATE: &str = "a <Target> asks for it while the project is built, and packages are restored before that";

/// How many packages an element may ask for: each that it names in each version.
const MOST_PAIRS: usize = 256;

/// Why nothing is judged of several packages that have more versions together.
const PRODUCT: &str = "one long list of versions for many packages: write an element for each";

/// Why nothing is judged of a version that was cut.
const TOO_LONG: &str = "more text in the place of its version than any version has";

/// Reads a project file or a `Directory.Packages.props`.
pub(crate) fn read_project(text: &str) -> Reading {
    read_restoring(text, restores(text))
}

/// The same where it is known whether its targets may run before the packages are restored.
pub(super) fn read_restoring(text: &str, restores: bool) -> Reading {
    let mut reading = Reading::default();
    let names =
        &["PackageReference", "PackageVersion", "GlobalPackageReference", "PackageDownload", "DotNetCliToolReference"];
    let found = settled(elements(text, names, "Project", restores, &mut reading));
    let is_computed = |found: &Found| found.version.as_deref().is_some_and(|version| version.contains("$("));
    let properties =
        if found.iter().any(is_computed) { Layers::of(Properties::of(text).certain()) } else { Layers::default() };
    let mut known = Resolved::default();
    for found in found {
        let scope = if found.is_dev { Scope::Dev } else { Scope::Runtime };
        let version = found.version.unwrap_or_default();
        let version = known.of(&properties, &version).filter(|_| version.contains("$(")).unwrap_or(version);
        if found.is_certain && found.may_go.is_none() {
            let requirement = if version.contains(['$', '@', CUT]) { SmolStr::default() } else { version.clone() };
            reading.links.declared.push(Declared::new(found.name.to_lowercase(), requirement, scope, found.line));
        }
        let is_product = found.of > 1 && version.contains("];[") && found.of * version.split(';').count() > MOST_PAIRS;
        let reason = found.is_late.then_some(LATE).or(found.may_go).or(is_product.then_some(PRODUCT));
        if let Some(reason) = reason {
            let entry = NotJudged::new(Ecosystem::NuGet, found.name, version, found.line, reason);
            reading.not_judged.push(NotJudged { scope, ..entry });
            continue;
        }
        ask(&mut reading, &found.name, &version, scope, found.line);
    }
    reading.close()
}

/// Adds one reference with its version.
pub(super) fn ask(reading: &mut Reading, name: &str, version: &SmolStr, scope: Scope, line: u32) {
    // Only what is downloaded may name several versions.
    let pins: Vec<&str> = match version.contains("];[") {
        true => version.split(';').filter_map(pinned).collect(),
        false => pinned(version).into_iter().collect(),
    };
    if !pins.is_empty() {
        let pinned = |pin: &str| Package::new(Ecosystem::NuGet, name, pin, line);
        let all = pins.into_iter().map(|pin| Package { scope, direct: Some(true), ..pinned(pin) });
        return reading.packages.extend(all);
    }
    let (is_range, reason) = match version.as_str() {
        "" => (false, KEPT_ELSEWHERE),
        version if version.ends_with(CUT) => (false, TOO_LONG),
        version if version.contains("$(") || version.contains("@(") => (false, COMPUTED),
        _ => (true, "the lowest version that will do, not a pinned one; packages.lock.json would pin it"),
    };
    let entry = NotJudged::new(Ecosystem::NuGet, name, version.clone(), line, reason);
    reading.not_judged.push(NotJudged { scope, is_range, ..entry });
}

/// `1.2.3` of `[1.2.3]`.
fn pinned(version: &str) -> Option<&str> {
    let inner = version.strip_prefix('[')?.strip_suffix(']')?.trim();
    (!inner.is_empty() && !inner.contains([',', '*', '$'])).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::elements::LONGEST;
    use super::*;

    fn project(items: &str) -> Reading {
        read_project(&format!(
            "<Project><PropertyGroup><V>[1,2)</V></PropertyGroup><ItemGroup>{items}</ItemGroup></Project>"
        ))
    }

    #[test]
    fn names_of_one_element_share_its_version() {
        let long = format!("[1.0,{})", "9".repeat(500));
        let computed = format!("$(V){long}");
        for version in [&long, &computed] {
            for items in [
                format!("<PackageReference Include=\"a;b;c\" Version=\"{version}\"/>"),
                format!("<PackageReference Include=\"a;b;c\"><Version>{version}</Version></PackageReference>"),
            ] {
                let reading = project(&items);
                let texts = reading.not_judged.iter().map(|one| &one.requirement);
                let texts: Vec<&SmolStr> =
                    texts.chain(reading.links.declared.iter().map(|one| &one.requirement)).collect();
                let first = texts.first().map(|text| text.as_ptr());
                assert!(texts.iter().all(|text| Some(text.as_ptr()) == first), "{items}");
                assert!(texts.len() >= 3 && texts.iter().all(|text| text.len() > 500), "{items}");
            }
        }
    }

    #[test]
    fn what_is_computed_may_go_only_if_it_begins_so() {
        for (removed, want) in [("System.*", true), ("a.$(X)", false), ("@(All)", false), ("b?", true), ("A?", false)] {
            let items = format!(
                "<PackageReference Include=\"a.b\" Version=\"[1.0]\"/><PackageReference Remove=\"{removed}\"/>"
            );
            assert_eq!(project(&items).packages.len(), usize::from(want), "{removed}");
        }
    }

    #[test]
    fn more_text_than_a_version_has_is_not_kept() {
        let (long, several) = ("9".repeat(LONGEST + 1), "[1.0];[2.0]");
        let many = format!("{}[1.0]", "[1.0];".repeat(128));
        for (items, want) in [
            (format!("<PackageReference Include=\"a\" Version=\"{long}\"/>"), TOO_LONG),
            (format!("<PackageReference Include=\"a\" Version=\"[{long}]\"/>"), TOO_LONG),
            (format!("<PackageReference Include=\"a\" Version=\"$(V){long}\"/>"), TOO_LONG),
            (format!("<PackageDownload Include=\"a;b\" Version=\"{many}\"/>"), PRODUCT),
        ] {
            let reading = project(&items);
            let told: Vec<&str> = reading.not_judged.iter().map(|one| &*one.reason).collect();
            assert!(!told.is_empty() && told.iter().all(|reason| *reason == want), "{told:?}");
            assert!(
                reading.packages.is_empty()
                    && reading.not_judged.iter().all(|one| one.requirement.len() <= many.len() && !one.is_range)
            );
        }
        let one = project(&format!("<PackageDownload Include=\"a\" Version=\"{several}\"/>"));
        assert_eq!(one.packages.len(), 2);
        let pairs = project(&format!("<PackageDownload Include=\"a;b\" Version=\"{several}\"/>"));
        let pairs: Vec<String> = pairs.packages.iter().map(|one| format!("{} {}", one.name, one.version)).collect();
        assert_eq!(pairs, ["a 1.0", "a 2.0", "b 1.0", "b 2.0"]);
        let pins = read_config(&format!("<packages><package id=\"a\" version=\"{long}\"/></packages>"));
        assert_eq!((pins.packages.len(), pins.problems.len()), (0, 1));
    }
}
