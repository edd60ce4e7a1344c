//! Names that belong to somebody: which registry packages of a namespace must come from.
//!
//! Pure. A package of the namespace that comes from another place is what dependency confusion looks like: whoever publishes the
//! name there decides what is installed. Folders of the project itself are no other place.
//!
//! Start reading at [`Namespace::judge`].

use super::rule::Rule;
use crate::name::spelled;
use crate::package::{Ecosystem, Package, Source};
use crate::severity::Level;

/// The names of one owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// Whose names they are.
    pub ecosystem: Ecosystem,
    /// A name, or the beginning of names with `*` at the end.
    pub pattern: String,
    /// The address of the registry that they come from, or the name that the package manager has for it; [`PUBLIC`] where they are
    /// the owner's in public.
    pub registry: String,
    /// How bad it is when one comes from elsewhere.
    pub level: Level,
}

/// How the ecosystem's public registry is named.
const PUBLIC: &str = "public";

/// Files that name every registry but the public one, so that no other address is the public one.
const TELLING: [&str; 14] = [
    "Cargo.lock",
    "Cargo.toml",
    "Gemfile.lock",
    "Pipfile.lock",
    "bun.lock",
    "composer.lock",
    "deno.lock",
    "gems.locked",
    "mix.lock",
    "npm-shrinkwrap.json",
    "package-lock.json",
    "poetry.lock",
    "pubspec.lock",
    "uv.lock",
];

impl Namespace {
    /// Whether a name lies in it.
    pub fn holds(&self, ecosystem: Ecosystem, name: &str) -> bool {
        if ecosystem != self.ecosystem {
            return false;
        }
        let name = spelled(ecosystem, name);
        match self.pattern.strip_suffix('*') {
            Some(start) => {
                // Where separators are alike, a namespace that ends with one begins with any of them.
                let small = start.to_lowercase();
                let is_pypi = ecosystem == Ecosystem::PyPi;
                let start = if is_pypi { small.replace(['_', '.'], "-") } else { start.to_owned() };
                let folds = matches!(ecosystem, Ecosystem::NuGet | Ecosystem::Packagist | Ecosystem::GitHubActions);
                name.starts_with(if folds { &small } else { &start })
            }
            None => name == spelled(ecosystem, &self.pattern),
        }
    }

    /// Whether whoever has these names has them at the public registry too.
    pub fn is_public(&self) -> bool {
        self.registry == PUBLIC
    }

    /// What is wrong about the way by which a package of it comes; `None` where all is well.
    pub fn judge(&self, kind: &str, package: &Package) -> Option<(Rule, Level, String)> {
        let wanted = &self.registry;
        let wanted_words = if self.is_public() { "the public registry" } else { wanted };
        let belongs = format!("names like {} come from {wanted_words}", self.pattern);
        let confusion =
            |from: String| Some((Rule::DependencyConfusion, self.level, format!("{belongs}, this one {from}")));
        if let Some(address) = package.mirror().filter(|_| !self.is_public()) {
            return if is_below(address, wanted) { None } else { confusion(format!("from {address}")) };
        }
        match &package.source {
            Source::Path(_) => None,
            Source::Registry if self.is_public() => None,
            Source::PrivateRegistry(address) if is_below(address, wanted) => None,
            Source::PrivateRegistry(address) => confusion(format!("from {address}")),
            Source::Git(address) => confusion(format!("from the git repository {address}")),
            // A registry may serve its archives at any address of its own.
            Source::Url(address) if is_below(address, wanted) => None,
            Source::Url(address) => confusion(format!("from {address}")),
            Source::Registry if TELLING.contains(&kind) => {
                confusion(format!("from the public registry, as {kind} has it"))
            }
            Source::Registry => {
                let reason = format!("{belongs}; {kind} does not say where it comes from");
                Some((Rule::NamespaceUnproven, Rule::NamespaceUnproven.level(), reason))
            }
        }
    }
}

/// Whether an address is that of a registry, or of something in it.
fn is_below(address: &str, registry: &str) -> bool {
    let plain = |text: &str| {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest).trim_end_matches('/');
        let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
        let host = host.to_ascii_lowercase();
        path.map_or_else(|| host.clone(), |path| format!("{host}/{path}"))
    };
    let (address, registry) = (plain(address), plain(registry));
    address.strip_prefix(&registry).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::Origin;

    fn namespace(ecosystem: Ecosystem, pattern: &str) -> Namespace {
        let registry = "https://npm.acme.example/repo/".to_owned();
        Namespace { ecosystem, pattern: pattern.to_owned(), registry, level: Level::High }
    }

    #[test]
    fn a_name_lies_in_a_namespace_by_the_rules_of_its_ecosystem() {
        use Ecosystem::{Go, Maven, Npm, NuGet, Packagist, PyPi};
        for (ecosystem, pattern, name, want) in [
            (Npm, "@acme/*", "@acme/core", true),
            (Npm, "@acme/*", "@acmeX/core", false),
            (Npm, "@acme/core", "@acme/core", true),
            (Npm, "@acme/core", "@acme/core2", false),
            (Npm, "acme-*", "acme-x", true),
            (Npm, "acme-*", "Acme-x", false),
            (PyPi, "acme_*", "Acme.Core", true), // PEP 503
            (PyPi, "acme-*", "acme-core", true),
            (PyPi, "acme-*", "acmecore", false),
            (Maven, "com.acme:*", "com.acme:core", true),
            (Maven, "com.acme*", "com.acme.web:core", true),
            (Maven, "com.acme:*", "com.acme.web:core", false),
            (NuGet, "Acme.*", "acme.Core", true),
            (Packagist, "acme/*", "Acme/core", true),
            (Go, "github.com/acme/*", "github.com/acme/x", true),
        ] {
            assert_eq!(namespace(ecosystem, pattern).holds(ecosystem, name), want, "{pattern} {name}");
        }
        assert!(!namespace(Npm, "*").holds(PyPi, "x"), "another ecosystem");
    }

    #[test]
    fn only_the_registry_itself_and_the_project_are_fine() {
        let rule = |kind: &str, source: Source| {
            let package = Package { source, ..Package::new(Ecosystem::Npm, "@acme/core", "1.0.0", 1) };
            namespace(Ecosystem::Npm, "@acme/*").judge(kind, &package).map(|(rule, level, _)| (rule, level))
        };
        let confusion = Some((Rule::DependencyConfusion, Level::High));
        let private = |address: &str| Source::PrivateRegistry(address.to_owned());
        assert_eq!(rule("package-lock.json", private("https://npm.acme.example/repo")), None);
        assert_eq!(rule("package-lock.json", private("https://NPM.acme.example/repo/sub")), None);
        assert_eq!(rule("package-lock.json", Source::Path("core".to_owned())), None);
        assert_eq!(rule("package-lock.json", private("https://npm.acme.example.evil.example/repo")), confusion);
        assert_eq!(rule("package-lock.json", private("https://npm.acme.example/repository")), confusion);
        assert_eq!(rule("package-lock.json", Source::Registry), confusion);
        let mirrored = |address: &str| {
            let origin = Origin { mirror: Some(address.into()), ..Origin::default() };
            let package =
                Package { origin: Some(Box::new(origin)), ..Package::new(Ecosystem::Npm, "@acme/core", "1.0.0", 1) };
            namespace(Ecosystem::Npm, "@acme/*")
                .judge("package-lock.json", &package)
                .map(|(rule, level, _)| (rule, level))
        };
        assert_eq!(mirrored("https://npm.acme.example/repo/npm"), None);
        assert_eq!(mirrored("https://mirror.example/npm"), confusion);
        assert_eq!(rule("package-lock.json", Source::Git("https://example.com/x.git".to_owned())), confusion);
        // Names that are the project's own in public, too.
        let own = |source: Source| {
            let package = Package { source, ..Package::new(Ecosystem::Npm, "@acme/core", "1.0.0", 1) };
            let namespace = Namespace { registry: PUBLIC.to_owned(), ..namespace(Ecosystem::Npm, "@acme/*") };
            namespace.judge("package-lock.json", &package).map(|(rule, level, _)| (rule, level))
        };
        assert_eq!(own(Source::Registry), None);
        assert_eq!(own(Source::Path("core".to_owned())), None);
        assert_eq!(own(private("https://npm.acme.example/public")), confusion);
        assert_eq!(own(Source::Git("https://example.com/x.git".to_owned())), confusion);
        let unproven = Some((Rule::NamespaceUnproven, Level::Informational));
        assert_eq!(rule("pnpm-lock.yaml", Source::Registry), unproven);
    }
}
