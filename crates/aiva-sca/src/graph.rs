//! Who needs whom in one lockfile, and how a package comes in: all shortest paths from every root.
//!
//! Roots are the project's own packages (workspace members, path dependencies) and what the project asks for directly that
//! none of those needs. A path leads through no other own package: that one is a root itself. Cycles are fine; each question
//! visits only what leads to the package.

use crate::package::{Input, Package, Source};

/// What one input says of who needs whom.
#[derive(Debug)]
pub struct Graph<'a> {
    packages: &'a [Package],
    needs: Grouped,
    needed_by: Grouped,
    roots: Vec<bool>,
    own: Vec<bool>,
}

/// How a package comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Indexes of packages, the root first; each root's shortest paths, the shortest of all first.
    pub shortest: Vec<Vec<usize>>,
    /// How many there are, listed or not.
    pub count: u64,
    /// How many packages the shortest of all names; 1 for a root.
    pub depth: usize,
}

impl<'a> Graph<'a> {
    /// The graph of an input; `None` where its format has none, or the file names no edge.
    pub fn of(input: &'a Input) -> Option<Self> {
        if input.edges.is_empty() {
            return None;
        }
        let packages = input.packages.as_slice();
        let needs = Grouped::new(packages.len(), input.edges.iter().copied());
        let needed_by = Grouped::new(packages.len(), input.edges.iter().map(|(from, to)| (*to, *from)));
        let own: Vec<bool> = packages.iter().map(is_own).collect();
        let is_root = |(at, package): (usize, &Package)| {
            let of_own = || needed_by.of(at).any(|by| own.get(by) == Some(&true));
            own.get(at) == Some(&true) || (package.direct == Some(true) && !of_own())
        };
        let roots = packages.iter().enumerate().map(is_root).collect();
        Some(Self { packages, needs, needed_by, roots, own })
    }

    /// What a package needs itself, each once, ascending.
    pub fn needs(&self, from: usize) -> impl Iterator<Item = usize> {
        self.needs.of(from)
    }

    /// All roots, ascending.
    pub fn roots(&self) -> impl Iterator<Item = usize> {
        self.roots.iter().enumerate().filter(|(_, root)| **root).map(|(at, _)| at)
    }

    /// One who answers how packages come in.
    pub fn walker(&self) -> Walker<'_, 'a> {
        let size = self.packages.len();
        Walker { graph: self, distance: vec![FAR; size], ways: vec![0; size], order: Vec::new(), room: Room::default() }
    }

    fn is_root(&self, at: usize) -> bool {
        self.roots.get(at).copied().unwrap_or(false)
    }

    fn is_own(&self, at: usize) -> bool {
        self.own.get(at).copied().unwrap_or(false)
    }

    fn name(&self, at: usize) -> &str {
        self.packages.get(at).map_or("", |package| &package.name)
    }
}

/// The distance of what does not lead to the package at hand.
const FAR: u32 = u32::MAX;

/// Answers one question after another: what it needs room for is kept, and each question costs what leads to its package.
#[derive(Debug)]
pub struct Walker<'g, 'a> {
    graph: &'g Graph<'a>,
    /// The steps that a package is away from the one at hand.
    distance: Vec<u32>,
    /// How many shortest ways there are from a package to the one at hand.
    ways: Vec<u64>,
    /// What leads to the package at hand, the nearest first.
    order: Vec<usize>,
    room: Room,
}

/// What paths are listed with.
#[derive(Debug, Default)]
struct Room {
    roots: Vec<usize>,
    path: Vec<usize>,
    /// The steps that are left to take from each package of the path, one behind the other.
    left: Vec<usize>,
    /// Where each package's steps begin.
    starts: Vec<usize>,
}

impl Walker<'_, '_> {
    /// How a package comes in; at most `most` paths are listed. `None` where no root leads to it.
    pub fn paths(&mut self, to: usize, most: usize) -> Option<Paths> {
        if to >= self.distance.len() {
            return None;
        }
        self.reach(to);
        let mut room = std::mem::take(&mut self.room);
        let found = self.found(to, most, &mut room);
        self.room = room;
        for at in self.order.drain(..) {
            self.distance[at] = FAR;
        }
        found
    }

    /// Finds what leads to a package, and in how many ways.
    fn reach(&mut self, to: usize) {
        self.distance[to] = 0;
        self.order.push(to);
        let mut next = 0;
        while let Some(at) = self.order.get(next).copied() {
            next += 1;
            // What needs an own package leads to that package, not through it.
            if at != to && self.graph.is_own(at) {
                continue;
            }
            let further = self.distance[at] + 1;
            for by in self.graph.needed_by.of(at) {
                if self.distance[by] == FAR {
                    self.distance[by] = further;
                    self.order.push(by);
                }
            }
        }
        for at in &self.order {
            let ways = |next: usize| self.ways[next];
            let count = if *at == to { 1 } else { self.forward(*at, to).map(ways).fold(0, u64::saturating_add) };
            self.ways[*at] = count;
        }
    }

    fn found(&self, to: usize, most: usize, room: &mut Room) -> Option<Paths> {
        let mut roots = std::mem::take(&mut room.roots);
        roots.clear();
        roots.extend(self.order.iter().copied().filter(|at| self.graph.is_root(*at)));
        roots.sort_unstable_by_key(|at| (self.distance[*at], self.graph.name(*at), *at));
        let depth = roots.first().map(|first| self.distance[*first] as usize + 1);
        let count = roots.iter().fold(0_u64, |sum, at| sum.saturating_add(self.ways[*at]));
        let mut shortest = Vec::with_capacity(most.min(usize::try_from(count).unwrap_or(most)));
        for root in &roots {
            if shortest.len() >= most {
                break;
            }
            self.list(*root, to, &mut shortest, most, room);
        }
        room.roots = roots;
        Some(Paths { shortest, count, depth: depth? })
    }

    /// The next steps of the shortest paths.
    fn forward(&self, at: usize, to: usize) -> impl Iterator<Item = usize> {
        let here = self.distance[at];
        self.graph.needs.of(at).filter(move |next| {
            let through_own = *next != to && self.graph.is_own(*next);
            // What is far is no step away from anything.
            !through_own && self.distance[*next].wrapping_add(1) == here && here != 0
        })
    }

    fn list(&self, root: usize, to: usize, listed: &mut Vec<Vec<usize>>, most: usize, room: &mut Room) {
        if root == to {
            listed.push(vec![root]);
            return;
        }
        // An explicit stack: a hostile file can nest deeper than ours.
        let Room { path, left, starts, .. } = room;
        path.clear();
        left.clear();
        starts.clear();
        path.push(root);
        starts.push(0);
        self.sort_onto(left, root, to);
        while let Some(start) = starts.last().copied() {
            if listed.len() >= most {
                return;
            }
            match left.pop() {
                Some(step) if left.len() >= start => {
                    path.push(step);
                    if step == to {
                        listed.push(path.clone());
                        path.pop();
                    } else {
                        starts.push(left.len());
                        self.sort_onto(left, step, to);
                    }
                }
                other => {
                    left.extend(other);
                    starts.pop();
                    path.pop();
                }
            }
        }
    }

    /// Puts the next steps behind others, by name, the first one last, to be popped.
    fn sort_onto(&self, steps: &mut Vec<usize>, at: usize, to: usize) {
        let start = steps.len();
        steps.extend(self.forward(at, to));
        if let Some(next @ [_, _, ..]) = steps.get_mut(start..) {
            next.sort_unstable_by(|a, b| (self.graph.name(*b), *b).cmp(&(self.graph.name(*a), *a)));
        }
    }
}

/// Whether a package is the project's own.
fn is_own(package: &Package) -> bool {
    matches!(package.source, Source::Path(_))
}

/// Why a kind of file tells nothing of who needs whom; `None` where it does.
pub fn without_graph(kind: &str) -> Option<&'static str> {
    match kind {
        "Cargo.lock"
        | "package-lock.json"
        | "npm-shrinkwrap.json"
        | "pnpm-lock.yaml"
        | "yarn.lock"
        | "poetry.lock"
        | "uv.lock"
        | "bun.lock"
        | "composer.lock"
        | "deno.lock"
        | "Gemfile.lock"
        | "gems.locked"
        | "mix.lock"
        | "pdm.lock"
        | "packages.lock.json"
        | "Podfile.lock"
        | "conan.lock"
        | "renv.lock"
        | "deps.json"
        | "bill of materials" => None,
        "Pipfile.lock" => Some("Pipfile.lock lists packages, but not which of them needs which"),
        "go.mod" => Some("go.mod lists modules, but not which of them needs which; `go mod why` asks the sources"),
        "requirements.txt" => Some("a requirements file lists packages, but not which of them needs which"),
        "package.json" | "Cargo.toml" | "pyproject.toml" | "Pipfile" | "setup.cfg" | "pom.xml" | "csproj"
        | "composer.json" | "Gemfile" | "pubspec.yaml" | "mix.exs" | "deno.json" | "build.gradle" => {
            Some("a manifest lists only what the project itself asks for")
        }
        _ => Some("this file lists packages, but not which of them needs which"),
    }
}

/// Numbers grouped by a number, each once: a compressed sparse row.
#[derive(Debug)]
struct Grouped {
    starts: Vec<u32>,
    members: Vec<u32>,
}

impl Grouped {
    fn new(groups: usize, pairs: impl Iterator<Item = (u32, u32)> + Clone) -> Self {
        let inside = |(from, to): &(u32, u32)| (*from as usize) < groups && (*to as usize) < groups;
        let mut starts = vec![0_u32; groups + 1];
        for (from, _) in pairs.clone().filter(inside) {
            starts[from as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut free = starts.clone();
        let mut members = vec![0_u32; starts.last().copied().unwrap_or(0) as usize];
        for (from, to) in pairs.filter(inside) {
            let slot = &mut free[from as usize];
            members[*slot as usize] = to;
            *slot += 1;
        }
        for group in starts.windows(2) {
            members[group[0] as usize..group[1] as usize].sort_unstable();
        }
        Self { starts, members }
    }

    fn of(&self, group: usize) -> impl Iterator<Item = usize> {
        let bounds = self.starts.get(group).zip(self.starts.get(group + 1));
        let members = bounds.and_then(|(from, to)| self.members.get(*from as usize..*to as usize)).unwrap_or_default();
        let mut last = None;
        members.iter().filter(move |member| last.replace(**member) != Some(**member)).map(|member| *member as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::{Ecosystem, Licenses, Scope, Status};

    /// `a*` is own, `a!` is direct; edges as `a>b`.
    fn input(packages: &str, edges: &str) -> Input {
        let names: Vec<&str> = packages.split(' ').collect();
        let bare = |name: &str| name.trim_end_matches(['*', '!']).to_owned();
        let at = |name: &str| u32::try_from(names.iter().position(|one| bare(one) == name).unwrap()).unwrap();
        Input {
            path: "x".into(),
            kind: "Cargo.lock".into(),
            status: Status::Parsed,
            packages: names
                .iter()
                .map(|name| Package {
                    ecosystem: Ecosystem::CratesIo,
                    name: bare(name).into(),
                    version: "1.0.0".into(),
                    line: 1,
                    direct: Some(name.ends_with(['*', '!'])),
                    scope: Scope::Runtime,
                    source: if name.ends_with('*') { Source::Path(String::new()) } else { Source::Registry },
                    licenses: Licenses::default(),
                    origin: None,
                })
                .collect(),
            not_judged: Vec::new(),
            problems: Vec::new(),
            edges: edges
                .split_whitespace()
                .map(|edge| edge.split_once('>').unwrap())
                .map(|(a, b)| (at(a), at(b)))
                .collect(),
            signs: Vec::new(),
            asks: Vec::new(),
        }
    }

    #[track_caller]
    fn check(packages: &str, edges: &str, to: &str, want: &[&str]) {
        let input = input(packages, edges);
        let graph = Graph::of(&input).unwrap();
        let at = input.packages.iter().position(|package| package.name == to).unwrap();
        let Some(paths) = graph.walker().paths(at, 100) else { return assert!(want.is_empty(), "no path to {to}") };
        let name = |at: &usize| input.packages[*at].name.as_str();
        let got: Vec<String> =
            paths.shortest.iter().map(|path| path.iter().map(name).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(got, want, "{packages} / {edges}");
        assert_eq!(paths.count, want.len() as u64);
        assert_eq!(paths.depth, want[0].split(' ').count());
        let fewer = graph.walker().paths(at, 1).unwrap();
        assert_eq!((fewer.shortest.len(), fewer.count), (1, paths.count));
    }

    #[test]
    fn every_root_tells_its_shortest_ways() {
        check("a! b c", "a>b b>c", "c", &["a b c"]);
        check("a! b! c", "a>c b>c", "c", &["a c", "b c"]);
        check("a! x y c", "a>x a>y x>c y>c", "c", &["a x c", "a y c"]); // two of one length
        check("a! x c", "a>x x>c a>c", "c", &["a c"]); // the longer way is no reason
        check("a! b", "a>b", "a", &["a"]);
        check("a! b c", "a>b b>a b>c", "c", &["a b c"]); // a cycle ends
        check("a! b c", "a>b", "c", &[]); // nobody asks for it
        check("app* lib* x c", "app>lib app>x lib>c x>c", "c", &["lib c", "app x c"]); // not app > lib > c
        check("app* b! c", "app>b b>c", "c", &["app b c"]); // what an own package needs is no root
        check("a! b! c", "a>b b>c a>c", "c", &["a c", "b c"]);
    }

    #[test]
    fn one_question_does_not_change_the_next() {
        let input = input("a! b! c d e", "a>c b>c c>d d>e b>e e>b");
        let graph = Graph::of(&input).unwrap();
        let mut walker = graph.walker();
        for at in [4, 2, 0, 3, 1, 4, 3] {
            assert_eq!(walker.paths(at, 10), graph.walker().paths(at, 10), "{at}");
        }
    }

    #[test]
    fn edges_that_lead_nowhere_are_passed_over() {
        let mut input = input("a! b", "a>b");
        input.edges.extend([(9, 0), (0, 9), (0, 1), (0, 1)]);
        let graph = Graph::of(&input).unwrap();
        let mut walker = graph.walker();
        assert_eq!(walker.paths(1, 10).unwrap().shortest, [[0, 1]]);
        assert_eq!(walker.paths(7, 10), None);
        assert_eq!(walker.paths(0, 10).unwrap().shortest, [[0]]);
        assert_eq!(graph.needs(0).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_ladder_of_diamonds_is_counted_not_listed() {
        let mut names = vec!["s!".to_owned()];
        let mut edges = Vec::new();
        for step in 0..80 {
            let from = if step == 0 { "s".to_owned() } else { format!("j{}", step - 1) };
            names.extend([format!("l{step}"), format!("r{step}"), format!("j{step}")]);
            for side in ["l", "r"] {
                edges.extend([format!("{from}>{side}{step}"), format!("{side}{step}>j{step}")]);
            }
        }
        let input = input(&names.join(" "), &edges.join(" "));
        let graph = Graph::of(&input).unwrap();
        let paths = graph.walker().paths(input.packages.len() - 1, 5).unwrap();
        assert_eq!((paths.shortest.len(), paths.count, paths.depth), (5, u64::MAX, 161)); // 2^80, saturated
    }
}
