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

struct Hooks(bool);

impl Visit for Hooks {
    fn open(&mut self, path: &[String], attributes: &[(String, String)], _: u32) {
        let is_restore = |name: &str| {
            let name = name.to_ascii_lowercase();
            ["restore", "collectpackage", "collectcentralpackage", "$("].iter().any(|part| name.contains(part))
        };
        self.0 |= match path {
            [_] => attribute(attributes, "initialtargets").is_some_and(|names| !names.is_empty()),
            [.., element] if element == "Target" => ["beforetargets", "aftertargets", "name"]
                .iter()
                .any(|key| attribute(attributes, key).is_some_and(is_restore)),
            _ => false,
        };
    }

    fn close(&mut self, _: &[String], _: &str, _: u32) {}
}
