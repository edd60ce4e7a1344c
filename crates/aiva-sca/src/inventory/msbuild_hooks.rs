//! Whether a `<Target>` may run before the packages of a project are restored. Nearly all run while the project is built, which is later.

use super::xml::{self, Visit, attribute};

/// Whether an element stands in a `<Target>`.
pub(super) fn is_in_target(path: &[String]) -> bool {
    path.iter().any(|element| element == "Target")
}

/// Whether any target of a file may run before the packages are restored: it hooks into what NuGet runs then, takes the name of
/// that, or runs first of all. By what it depends on any other may run with it.
pub(super) fn restores(text: &str) -> bool {
    let mut hooks = Hooks(false);
    // What is wrong with the file is told of where it is read.
    memchr::memmem::find(text.as_bytes(), b"<Target").is_some() && xml::tell(text, &mut hooks).is_ok() && hooks.0
}

/// How the names of the targets begin that NuGet runs on its way to the packages, in small letters.
const ON_THE_WAY: [&str; 13] = [
    "_generaterestore",
    "_generateprojectrestoregraph",
    "_generatedotnetclitool",
    "_loadrestoregraph",
    "_filterrestoregraph",
    "_getrestore",
    "_getallrestoreproject",
    "_isprojectrestoresupported",
    "collectpackage",
    "collectcentralpackage",
    "collectprunepackage",
    "collectframeworkreferences",
    "generaterestoregraph",
];

/// Whether one of these names is that of such a target, or may be.
fn is_on_the_way(name: &str) -> bool {
    ON_THE_WAY.iter().any(|start| name.starts_with(start)) || name.contains("$(")
}

struct Hooks(bool);

impl Visit for Hooks {
    fn open(&mut self, path: &[String], attributes: &[(String, String)], _: u32) {
        let any = |key: &str, is: fn(&str) -> bool| {
            let names = attribute(attributes, key).unwrap_or_default().to_ascii_lowercase();
            names.split(';').map(str::trim).any(is)
        };
        // Behind `Restore` itself the packages are there.
        let is_restore = |name: &str| name == "restore" || is_on_the_way(name);
        self.0 |= match path {
            [_] => attribute(attributes, "initialtargets").is_some_and(|names| !names.is_empty()),
            [.., element] if element == "Target" => {
                any("beforetargets", is_restore) || any("name", is_restore) || any("aftertargets", is_on_the_way)
            }
            _ => false,
        };
    }

    fn close(&mut self, _: &[String], _: &str, _: u32) {}
}
