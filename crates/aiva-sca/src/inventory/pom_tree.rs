//! What the `pom.xml` files of one tree inherit from each other: properties and managed versions of parents, and of imported BOMs.
//!
//! A parent is looked for where `relativePath` says, then by its coordinates among all files of the tree; a BOM by its coordinates.
//! Nothing is fetched and nothing outside of the root is read: a parent or a BOM that is not here is named in what depends on it.
//! Circles end where they close, chains after [`DEEPEST`] steps, and one file inherits at most [`MOST_MANAGED`] versions.
//!
//! Start reading at [`settle`].

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::find::Found;
use super::join::{folder, inside, named_from};
use super::kind::Kind;
use super::pom_xml::{self, Dependency, Inherited, Pom};
use super::reading::Reading;
use super::walk::{Options, read_within};

/// The longest chain of parents, and of BOMs that import BOMs.
const DEEPEST: usize = 32;

/// More managed versions than the largest BOMs have.
const MOST_MANAGED: usize = 100_000;

/// Parents under another name than `pom.xml` that are read besides.
const MOST_OTHERS: usize = 200;

/// Gives every `pom.xml` what it inherits.
pub(crate) fn settle(root: &Path, readings: &mut [(Found, Reading)], options: &Options) {
    let wants = |pom: &Pom| !pom.parent.artifact.is_empty() || pom.managed.iter().any(|one| one.scope == "import");
    let is_needed = readings.iter().any(|(_, reading)| reading.links.pom.as_deref().is_some_and(wants));
    if !is_needed {
        return;
    }
    let mut tree = Tree::default();
    for (found, reading) in readings.iter() {
        if let Some(pom) = &reading.links.pom {
            tree.add(&found.path, (**pom).clone());
        }
    }
    tree.read_others(root, options);
    for (found, reading) in readings {
        let Some(at) = tree.by_path.get(&found.path).copied() else { continue };
        let Some(pom) = reading.links.pom.take().filter(|pom| wants(pom)) else { continue };
        let settled = pom.settled(&tree.inherited(at));
        *reading = settled;
    }
}

/// Which `pom.xml` may give which its versions.
pub(crate) struct Sources(Tree);

impl Sources {
    /// Of all files of the tree; `read` gives the text of one.
    pub(crate) fn of<'p>(paths: impl Iterator<Item = &'p str>, read: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut tree = Tree::default();
        let mut open: Vec<String> = paths.map(str::to_owned).collect();
        let most = open.len() + MOST_OTHERS;
        open.reverse();
        while let Some(path) = open.pop().filter(|_| tree.poms.len() < most) {
            if tree.by_path.contains_key(&path) {
                continue;
            }
            let Some(pom) = read(&path).and_then(|text| pom_xml::read(&text).links.pom) else { continue };
            tree.add(&path, *pom);
            open.extend(tree.said(tree.poms.len() - 1).filter(|said| said.ends_with(".xml")));
        }
        Self(tree)
    }

    /// The files that a file takes in, the nearest first: its parents, then the BOMs that it and they import.
    pub(crate) fn of_file(&self, path: &str) -> Vec<String> {
        let Self(tree) = self;
        let Some(at) = tree.by_path.get(path).copied() else { return Vec::new() };
        let (mut all, mut next) = (tree.chain(at).0, 0);
        while let Some(one) = all.get(next).copied().filter(|_| all.len() < MOST_OTHERS) {
            next += 1;
            let managed = tree.poms.get(one).map(|pom| pom.managed.as_slice()).unwrap_or_default();
            for bom in managed.iter().filter(|one| one.scope == "import") {
                let key = (bom.group.clone(), bom.artifact.clone());
                let found = tree.by_name.get(&key).and_then(|all| all.first().copied());
                for one in found.map(|found| tree.chain(found).0).unwrap_or_default() {
                    if !all.contains(&one) {
                        all.push(one);
                    }
                }
            }
        }
        all.into_iter().filter(|one| *one != at).filter_map(|one| tree.paths.get(one).cloned()).collect()
    }
}

#[derive(Default)]
struct Tree {
    poms: Vec<Pom>,
    paths: Vec<String>,
    by_path: HashMap<String, usize>,
    /// By group and artifact.
    by_name: HashMap<(String, String), Vec<usize>>,
    /// What importing a BOM gives.
    boms: HashMap<usize, HashMap<String, Dependency>>,
}

impl Tree {
    fn add(&mut self, path: &str, pom: Pom) {
        let at = self.poms.len();
        let (group, _) = pom.coordinates();
        self.by_name.entry((group, pom.own.artifact.clone())).or_default().push(at);
        self.by_path.insert(path.to_owned(), at);
        self.paths.push(path.to_owned());
        self.poms.push(pom);
    }

    /// A `relativePath` may name a file that is no `pom.xml`.
    fn read_others(&mut self, root: &Path, options: &Options) {
        let Ok(real_root) = root.canonicalize() else { return };
        let (mut at, mut read) = (0, 0);
        while at < self.poms.len() {
            let said = self.said(at);
            at += 1;
            let Some(path) = said.filter(|path| !self.by_path.contains_key(path) && path.ends_with(".xml")) else {
                continue;
            };
            if read >= MOST_OTHERS {
                return;
            }
            let Some(reading) = read_within(&real_root, &root.join(&path), Kind::PomXml, options) else { continue };
            read += 1;
            if let Some(pom) = reading.links.pom {
                self.add(&path, *pom);
            }
        }
    }

    /// The path at which a file says that its parent is; `None` where it has none, or says that it is not on disk.
    fn said(&self, at: usize) -> Option<String> {
        let pom = self.poms.get(at).filter(|pom| !pom.parent.artifact.is_empty())?;
        let said = pom.relative_path.as_deref().unwrap_or("../pom.xml");
        if said.is_empty() {
            return None;
        }
        let path = named_from(folder(self.paths.get(at)?), said)?;
        // A folder stands for the `pom.xml` in it.
        let inside = inside(&path, "pom.xml");
        Some(if path.ends_with(".xml") && !self.by_path.contains_key(&inside) { path } else { inside })
    }

    /// The parent of a file, if it is here.
    fn parent(&self, at: usize) -> Option<usize> {
        let pom = self.poms.get(at)?;
        let wanted = &pom.parent;
        let is_it = |other: usize| {
            let known = self.poms.get(other)?;
            let (group, version) = known.coordinates();
            let fits = |own: &str, asked: &str| own == asked || own.contains("${") || asked.contains("${");
            let is_it =
                known.own.artifact == wanted.artifact && group == wanted.group && fits(&version, &wanted.version);
            (is_it && other != at).then_some(other)
        };
        let said = self.said(at).and_then(|path| self.by_path.get(&path).copied()).and_then(is_it);
        said.or_else(|| {
            let key = (wanted.group.clone(), wanted.artifact.clone());
            self.by_name.get(&key)?.iter().find_map(|other| is_it(*other))
        })
    }

    /// The file with its parents, the nearest first, and the parent that is not here, if one is not.
    fn chain(&self, at: usize) -> (Vec<usize>, Option<String>) {
        let (mut chain, mut seen, mut next) = (Vec::new(), HashSet::new(), at);
        loop {
            chain.push(next);
            seen.insert(next);
            let Some(pom) = self.poms.get(next).filter(|pom| !pom.parent.artifact.is_empty()) else {
                return (chain, None);
            };
            match self.parent(next).filter(|parent| !seen.contains(parent) && chain.len() < DEEPEST) {
                Some(parent) => next = parent,
                None => {
                    let Dependency { group, artifact, version, .. } = &pom.parent;
                    return (chain, Some(format!("the parent {group}:{artifact}:{version}")));
                }
            }
        }
    }

    /// Everything that a file inherits.
    fn inherited(&mut self, at: usize) -> Inherited {
        self.gathered(at, &mut vec![at])
    }

    fn gathered(&mut self, at: usize, open: &mut Vec<usize>) -> Inherited {
        let (chain, missing) = self.chain(at);
        let mut inherited =
            Inherited { missing: missing.into_iter().collect(), is_looked_up: true, ..Inherited::default() };
        let parents = chain.iter().skip(1).filter_map(|parent| self.poms.get(*parent));
        for parent in parents {
            for (name, value) in &parent.properties {
                inherited.properties.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        let Some(whole) = self.poms.get(at).map(|pom| pom.with(&inherited.properties)) else { return inherited };
        // What the chain declares itself comes before what it imports, the nearest first.
        let declared: Vec<(bool, Dependency)> = chain
            .iter()
            .filter_map(|one| Some((*one == at, self.poms.get(*one)?)))
            .flat_map(|(is_own, pom)| pom.managed.iter().map(move |one| (is_own, one.clone())))
            .collect();
        for (_, one) in declared.iter().filter(|(is_own, one)| !is_own && one.scope != "import") {
            let version = whole.resolved(&one.version).unwrap_or_else(|| one.version.clone());
            inherited.add(whole.name(one), Dependency { version, ..one.clone() });
        }
        let own: HashSet<String> = declared
            .iter()
            .filter(|(is_own, one)| *is_own && one.scope != "import")
            .map(|(_, one)| whole.name(one))
            .collect();
        for (is_own, one) in declared.iter().filter(|(_, one)| one.scope == "import") {
            let version = whole.resolved(&one.version);
            match self.bom(&whole.name(one), version.as_deref(), open) {
                Some(managed) => {
                    for (name, managed) in managed.into_iter().filter(|(name, _)| !own.contains(name)) {
                        inherited.add(name, managed);
                    }
                    if *is_own {
                        inherited.found.push(one.clone());
                    }
                }
                None => {
                    let version = version.as_deref().unwrap_or(&one.version);
                    inherited.missing.push(format!("the BOM {}:{version}", whole.name(one)));
                }
            }
        }
        inherited
    }

    /// What importing a BOM manages, with its own properties put in; `None` where it is not here.
    fn bom(&mut self, name: &str, version: Option<&str>, open: &mut Vec<usize>) -> Option<HashMap<String, Dependency>> {
        let (group, artifact) = name.split_once(':')?;
        let candidates = self.by_name.get(&(group.to_owned(), artifact.to_owned()))?;
        let at = candidates.iter().copied().find(|at| {
            let known = self.poms.get(*at).map(|pom| pom.coordinates().1).unwrap_or_default();
            known.contains("${") || version.is_none_or(|version| version == known)
        })?;
        if let Some(known) = self.boms.get(&at) {
            return Some(known.clone());
        }
        if open.contains(&at) || open.len() >= DEEPEST {
            return None;
        }
        open.push(at);
        let inherited = self.gathered(at, open);
        open.pop();
        let whole = self.poms.get(at)?.with(&inherited.properties);
        let mut managed: HashMap<String, Dependency> = HashMap::new();
        for one in whole.managed.iter().filter(|one| one.scope != "import") {
            if let Some(version) = whole.resolved(&one.version) {
                managed.entry(whole.name(one)).or_insert(Dependency { version, ..one.clone() });
            }
        }
        for (name, one) in inherited.managed {
            if !one.version.contains("${") {
                managed.entry(name).or_insert(one);
            }
        }
        // Kept in any case: in a circle the first to enter it decides, which the order of the files settles.
        self.boms.insert(at, managed.clone());
        Some(managed)
    }
}

impl Inherited {
    fn add(&mut self, name: String, one: Dependency) {
        if self.managed.len() < MOST_MANAGED {
            self.managed.entry(name).or_insert(one);
        }
    }
}
