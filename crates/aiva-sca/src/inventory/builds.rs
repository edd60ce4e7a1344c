//! Which `Directory.Build.props` and `.targets` the projects of a tree take in, as far as their files say: found out once for the tree.
//!
//! A project takes in the nearest of each at or above its folder, unless it, or such a file, or one that it takes in, says otherwise:
//! what cannot be read may. Start reading at
//! [`Builds::reaches_all`].

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::find::Found;
use super::join::{above, folder, inside, named_from};
use super::kind::Kind;
use super::msbuild_hooks::{is_in_target, restores};
use super::msbuild_targets::Changes;
use super::walk::{Options, text_within};
use super::workspaces::Known;
use super::xml::{self, Visit, attribute};

/// The file that comes behind the project.
pub(super) const TARGETS: &str = "Directory.Build.targets";

/// The file that comes before the project.
pub(super) const PROPS: &str = "Directory.Build.props";

/// What MSBuild is told as on its command line.
const RESPONSE: &str = "Directory.Build.rsp";

/// What the files of .NET's projects say of each other, by their paths below the root.
#[derive(Debug, Default)]
pub(super) struct Builds {
    targets: BTreeSet<String>,
    /// Those that say which targets are taken in, if any, or take in a file that may.
    choosing: BTreeSet<String>,
    /// By the props that are named where they stand, who names them.
    importers: HashMap<String, Vec<String>>,
    /// Those that name props in a way that is computed.
    computing: BTreeSet<String>,
    /// Whether a target of any of them may run before the packages are restored.
    pub(super) hooks: bool,
    /// What each `Directory.Build.targets` changes, by its path.
    pub(super) changes: Known<Option<Changes>>,
}

impl Builds {
    /// Of all files of the tree; what leads out of it is not read.
    pub(super) fn of(root: &Path, files: &[Found], options: &Options) -> Self {
        let mut builds = Self::default();
        let Ok(real_root) = root.canonicalize() else { return builds };
        let mut all = HashMap::new();
        for found in files.iter().filter(|found| found.kind == Kind::DotnetProject) {
            if is_named(&found.path, TARGETS) {
                builds.targets.insert(found.path.clone());
            }
            if let Some(text) = text_within(&real_root, &found.file, options) {
                builds.hooks |= restores(&text);
                all.insert(found.path.clone(), Said::of(&text));
            }
        }
        // Of others each is read once: whoever takes it in says what it says.
        let mut others = HashMap::new();
        let mut may_choose = |path: &str| {
            *others.entry(path.to_owned()).or_insert_with(|| {
                let text = text_within(&real_root, &root.join(path), options);
                text.is_none_or(|text| Said::of(&text).may_choose())
            })
        };
        for (path, said) in &all {
            builds.add(path, said);
            // Targets come when it is chosen already.
            let mut others = said.others.iter().map(|named| named_from(folder(path), named));
            let takes_in = |named: Option<String>| named.is_none_or(|named| may_choose(&named));
            if !is_named(path, TARGETS) && (said.takes_unknown || others.any(takes_in)) {
                builds.choosing.insert(path.clone());
            }
        }
        let folders: BTreeSet<&str> = all.keys().flat_map(|path| above(folder(path))).collect();
        for path in folders.into_iter().map(|at| inside(at, RESPONSE)).filter(|path| root.join(path).is_file()) {
            let text = text_within(&real_root, &root.join(&path), options).map(|text| text.to_ascii_lowercase());
            if text.is_none_or(|text| text.contains("directorybuildtargets") || text.contains('@')) {
                builds.choosing.insert(path);
            }
        }
        builds
    }

    fn add(&mut self, path: &str, said: &Said) {
        if said.chooses {
            self.choosing.insert(path.to_owned());
        }
        if said.computes {
            self.computing.insert(path.to_owned());
        }
        for named in said.props.iter().filter_map(|named| named_from(folder(path), named)) {
            self.importers.entry(named).or_default().push(path.to_owned());
        }
    }

    /// Whether the project or any props that it may take in say which targets follow it.
    pub(super) fn chooses(&self, project: &str) -> bool {
        // Of the props further up any may be taken in by the nearest.
        let says = |at: &str| [PROPS, RESPONSE].iter().any(|name| self.choosing.contains(&inside(at, name)));
        self.choosing.contains(project) || above(folder(project)).any(says)
    }

    /// Whether every project that takes in these props takes in these targets behind them, which are the nearest at or above.
    pub(super) fn reaches_all(&self, targets: &str, props: &str) -> bool {
        let own = folder(props);
        let start = if own.is_empty() { String::new() } else { format!("{own}/") };
        let has_below = |all: &BTreeSet<String>, but: &str| {
            let mut below = all.range(start.clone()..).take_while(|path| path.starts_with(&start));
            below.any(|path| path != but)
        };
        let named = self.importers.get(props).map(Vec::as_slice).unwrap_or_default();
        let mut outside = self.computing.iter().chain(named).filter(|path| !path.starts_with(&start));
        !has_below(&self.targets, targets)
            && !has_below(&self.choosing, "")
            && !self.chooses(props)
            && outside.next().is_none()
    }
}

/// Whether this is the name of a file.
pub(super) fn is_named(path: &str, name: &str) -> bool {
    path.rsplit('/').next() == Some(name)
}

/// The properties by which a build takes in other targets, or none.
const CHOOSING: [&str; 2] = ["ImportDirectoryBuildTargets", "DirectoryBuildTargetsPath"];

/// What a file says of those.
#[derive(Default)]
struct Said {
    /// The props that it takes in by name.
    props: Vec<String>,
    /// Whether it takes in props in a way that is computed.
    computes: bool,
    /// Whether it says which targets are taken in, if any.
    chooses: bool,
    /// Other files that it takes in by name.
    others: Vec<String>,
    /// Whether it takes in another file in a way that is computed, and not one of those that come with MSBuild.
    takes_unknown: bool,
}

/// What files that come with MSBuild, or with Visual Studio, are named by: they choose nothing.
const OF_TOOLS: [&str; 5] =
    ["$(msbuildtools", "$(msbuildbinpath", "$(msbuildextensions", "$(vstoolspath", "$(msbuildsdkspath"];

impl Said {
    fn of(text: &str) -> Self {
        let mut said = Self::default();
        // What is wrong with the file is told of where it is read; what it says before that counts.
        let _ = xml::tell(text, &mut said);
        said
    }

    /// Whether a file that says this may choose the targets of who takes it in; what it takes in is not followed.
    fn may_choose(&self) -> bool {
        self.chooses || self.computes || self.takes_unknown || !self.others.is_empty()
    }
}

impl Visit for Said {
    fn open(&mut self, path: &[String], attributes: &[(String, String)], _: u32) {
        let Some(element) = path.last() else { return };
        self.chooses |= CHOOSING.iter().any(|name| element.eq_ignore_ascii_case(name)) && !is_in_target(path);
        let file = attribute(attributes, "project").filter(|_| element == "Import");
        let Some(file) = file.map(|file| file.replace('\\', "/")) else { return };
        // Those further up are taken in by who is below them.
        let goes_up = file.contains("OfFileAbove") && (file.contains(PROPS) || file.contains(TARGETS));
        let is_of_tools = || {
            let file = file.to_ascii_lowercase();
            OF_TOOLS.iter().any(|start| file.starts_with(start))
        };
        if goes_up || attribute(attributes, "sdk").is_some() || is_of_tools() {
            return;
        }
        let is_props = is_named(&file, PROPS);
        let file = file.strip_prefix("$(MSBuildThisFileDirectory)").unwrap_or(&file);
        if !file.contains(['$', '*']) {
            self.props.extend(is_props.then(|| file.to_owned()));
            self.others.push(file.to_owned());
        } else if is_props {
            self.computes = true;
        } else {
            self.takes_unknown = true;
        }
    }

    fn close(&mut self, _: &[String], _: &str, _: u32) {}
}
