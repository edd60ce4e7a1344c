//! What every fuzz target does: feeds bytes to one parser and holds it to what it promises.
//!
//! The fuzzer runs these under its own runtime; `tests/it/fuzz_corpus.rs` includes this file and replays every corpus with
//! the ordinary test binary, so that a target and its replay can never say different things. Start reading at [`TARGETS`].

mod advisories;
mod delta;
mod installed;
mod readers;
mod requirements;
mod texts;
mod tree;
mod versions;

use aiva_sca::inventory::What;

/// A check: panics where a promise is broken.
pub type Check = fn(&[u8]);

/// Every target by name. Each has a binary in `fuzz_targets/` and a folder in `corpus/`.
pub const TARGETS: &[(&str, Check)] = &[
    ("cargo_lock", |bytes| readers::check("Cargo.lock", bytes)),
    ("cargo_toml", |bytes| readers::check("Cargo.toml", bytes)),
    ("go_mod", |bytes| readers::check("go.mod", bytes)),
    ("npm_lock", |bytes| readers::check("package-lock.json", bytes)),
    ("package_json", |bytes| readers::check("package.json", bytes)),
    ("pipfile", |bytes| readers::check("Pipfile", bytes)),
    ("pipfile_lock", |bytes| readers::check("Pipfile.lock", bytes)),
    ("pnpm_lock", |bytes| readers::check("pnpm-lock.yaml", bytes)),
    ("poetry_lock", |bytes| readers::check("poetry.lock", bytes)),
    ("pyproject", |bytes| readers::check("pyproject.toml", bytes)),
    ("requirements", |bytes| readers::check("requirements.txt", bytes)),
    ("uv_lock", |bytes| readers::check("uv.lock", bytes)),
    ("yarn_lock", |bytes| readers::check("yarn.lock", bytes)),
    ("bun_lock", |bytes| readers::check("bun.lock", bytes)),
    ("composer_lock", |bytes| readers::check("composer.lock", bytes)),
    ("deno_lock", |bytes| readers::check("deno.lock", bytes)),
    ("gemfile_lock", |bytes| readers::check("Gemfile.lock", bytes)),
    ("mix_lock", |bytes| readers::check("mix.lock", bytes)),
    ("package_resolved", |bytes| readers::check("Package.resolved", bytes)),
    ("pdm_lock", |bytes| readers::check("pdm.lock", bytes)),
    ("podfile_lock", |bytes| readers::check("Podfile.lock", bytes)),
    ("pubspec_lock", |bytes| readers::check("pubspec.lock", bytes)),
    ("pylock", |bytes| readers::check("pylock.toml", bytes)),
    ("vendor_modules", |bytes| readers::check("vendor/modules.txt", bytes)),
    ("workflow", |bytes| readers::check(".github/workflows/a.yml", bytes)),
    ("go_work", |bytes| readers::check("go.work", bytes)),
    ("cabal_freeze", |bytes| readers::check("cabal.project.freeze", bytes)),
    ("conan_lock", |bytes| readers::check("conan.lock", bytes)),
    ("deps_json", |bytes| readers::check("app.deps.json", bytes)),
    ("dotnet_project", |bytes| readers::check("app.csproj", bytes)),
    ("gradle_lock", |bytes| readers::check("gradle.lockfile", bytes)),
    ("nuget_lock", |bytes| readers::check("packages.lock.json", bytes)),
    ("packages_config", |bytes| readers::check("packages.config", bytes)),
    ("pom_xml", |bytes| readers::check("pom.xml", bytes)),
    ("renv_lock", |bytes| readers::check("renv.lock", bytes)),
    ("stack_lock", |bytes| readers::check("stack.yaml.lock", bytes)),
    ("verification_metadata", |bytes| readers::check("verification-metadata.xml", bytes)),
    ("setup_cfg", |bytes| readers::check("setup.cfg", bytes)),
    ("version_catalog", |bytes| readers::check("libs.versions.toml", bytes)),
    ("bill", |bytes| readers::check("bom.json", bytes)),
    ("dpkg_database", |bytes| installed::check("var/lib/dpkg/status", What::Dpkg, bytes)),
    ("apk_database", |bytes| installed::check("lib/apk/db/installed", What::Apk, bytes)),
    ("rpm_database", |bytes| installed::check("var/lib/rpm/rpmdb.sqlite", What::Rpm, bytes)),
    ("dist_info", |bytes| installed::check("a.dist-info/METADATA", What::Python, bytes)),
    ("node_package", |bytes| installed::check("node_modules/a/package.json", What::Node, bytes)),
    ("java_archive", |bytes| installed::check("a.jar", What::Jar, bytes)),
    ("program", |bytes| installed::check("bin/a", What::Program, bytes)),
    ("image", installed::image),
    ("composer_json", |bytes| readers::check("composer.json", bytes)),
    ("gemfile", |bytes| readers::check("Gemfile", bytes)),
    ("pnpm_workspace", |bytes| readers::check("pnpm-workspace.yaml", bytes)),
    ("pubspec_yaml", |bytes| readers::check("pubspec.yaml", bytes)),
    ("mix_exs", |bytes| readers::check("mix.exs", bytes)),
    ("deno_json", |bytes| readers::check("deno.json", bytes)),
    ("build_gradle", |bytes| readers::check("build.gradle", bytes)),
    ("tree", tree::check),
    ("dotnet_tree", |bytes| tree::check_named(tree::DOTNET, bytes)),
    ("node_tree", |bytes| tree::check_named(tree::NODE, bytes)),
    ("python_tree", |bytes| tree::check_named(tree::PYTHON, bytes)),
    ("version", versions::check),
    ("range", requirements::check),
    ("purl", texts::purl),
    ("cvss", texts::cvss),
    ("osv_record", advisories::record),
    ("zip", advisories::zip),
    ("index", advisories::index),
    ("delta", delta::check),
];

/// Feeds bytes to a target.
pub fn feed(target: &str, bytes: &[u8]) {
    let (_, check) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target has a check");
    check(bytes);
}
