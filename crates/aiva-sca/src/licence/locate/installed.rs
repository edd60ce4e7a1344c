//! The folders of a project's installed packages, by their names: `node_modules`, virtual environments.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::folders;

/// The folders of a project's installed packages, by name.
#[derive(Debug, Default)]
pub(super) struct Installed {
    pub(super) folders: HashMap<String, Vec<PathBuf>>,
}

impl Installed {
    /// Every package folder below a `node_modules`, nested ones and pnpm's store included.
    pub(super) fn npm(modules: &Path) -> Self {
        let mut this = Self::default();
        this.add_modules(modules, 0);
        for stored in folders(&modules.join(".pnpm")) {
            this.add_modules(&stored.join("node_modules"), 1);
        }
        this
    }

    fn add_modules(&mut self, modules: &Path, depth: usize) {
        const DEEPEST: usize = 12;
        if depth > DEEPEST {
            return;
        }
        for folder in folders(modules) {
            let Some(name) = folder.file_name().and_then(|name| name.to_str()).map(str::to_owned) else { continue };
            if name.starts_with('@') {
                for inner in folders(&folder) {
                    let Some(own) = inner.file_name().and_then(|own| own.to_str()).map(str::to_owned) else { continue };
                    self.add_package(format!("{name}/{own}"), inner, depth);
                }
            } else if !name.starts_with('.') {
                self.add_package(name, folder, depth);
            }
        }
    }

    fn add_package(&mut self, name: String, folder: PathBuf, depth: usize) {
        self.add_modules(&folder.join("node_modules"), depth + 1);
        self.folders.entry(name).or_default().push(folder);
    }

    /// The `.dist-info` folders of the virtual environments in a folder.
    pub(super) fn python(dir: &Path) -> Self {
        let mut this = Self::default();
        for environment in [".venv", "venv", "env", ".env", "virtualenv"] {
            let lib = dir.join(environment).join("lib");
            let versions = folders(&lib).into_iter().map(|version| version.join("site-packages"));
            versions.for_each(|packages| this.add_distributions(&packages));
        }
        this.add_distributions(&dir.join("site-packages"));
        this
    }

    fn add_distributions(&mut self, packages: &Path) {
        for folder in folders(packages) {
            let Some(stem) = folder.file_name().and_then(|name| name.to_str()?.strip_suffix(".dist-info")) else {
                continue;
            };
            let name = stem.split('-').next().unwrap_or(stem);
            self.folders.entry(normal(name)).or_default().push(folder);
        }
    }
}

/// PEP 503.
fn normal(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}
