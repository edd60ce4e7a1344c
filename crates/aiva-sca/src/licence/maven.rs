//! What a POM of Maven's local repository says of the licence: its `<licenses>`, and whom to ask if it has none.
//!
//! Pure. Maven has it that of several licences one may choose; a URL counts where the name beside it is none that we know.

use super::expression::{Meaning, read as meaning};
use super::locate::joined;
use super::names;
use crate::inventory::xml::{self, Visit};

/// What counts of a POM.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pom {
    /// In the order written.
    licences: Vec<Named>,
    /// The POM that this one takes from what it does not say itself.
    pub(super) parent: Option<Coordinates>,
}

/// Where a POM is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Coordinates {
    pub(super) group: String,
    pub(super) artifact: String,
    pub(super) version: String,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Named {
    name: String,
    url: String,
}

impl Coordinates {
    /// Of a package named `group:artifact`.
    pub(super) fn of(name: &str, version: &str) -> Option<Self> {
        let (group, artifact) = name.split_once(':')?;
        Some(Self { group: group.to_owned(), artifact: artifact.to_owned(), version: version.to_owned() })
    }

    /// The POM's path below a repository; none where a part is no name.
    pub(super) fn path(&self) -> Option<String> {
        let Self { group, artifact, version } = self;
        let is_name = |part: &str| {
            !part.is_empty() && !part.starts_with('.') && !part.contains(['/', '\\', ':', '\0']) && !part.contains("..")
        };
        let are_names = [group, artifact, version].iter().all(|part| is_name(part));
        are_names.then(|| format!("{}/{artifact}/{version}/{artifact}-{version}.pom", group.replace('.', "/")))
    }
}

/// Reads a POM; of one that ends too early or is no XML from some point on what stood before that.
pub(super) fn read(text: &str) -> Pom {
    let mut pom = Pom::default();
    let _ = xml::tell(text, &mut pom);
    pom
}

impl Visit for Pom {
    fn open(&mut self, path: &[String], _attributes: &[(String, String)], _line: u32) {
        match words(path)[..] {
            ["project", "licenses", "license"] => self.licences.push(Named::default()),
            ["project", "parent"] => self.parent = Some(Coordinates::default()),
            _ => {}
        }
    }

    fn close(&mut self, path: &[String], text: &str, _line: u32) {
        let place = match (&words(path)[..], self.licences.last_mut(), &mut self.parent) {
            (["project", "licenses", "license", "name"], Some(last), _) => &mut last.name,
            (["project", "licenses", "license", "url"], Some(last), _) => &mut last.url,
            (["project", "parent", "groupId"], _, Some(parent)) => &mut parent.group,
            (["project", "parent", "artifactId"], _, Some(parent)) => &mut parent.artifact,
            (["project", "parent", "version"], _, Some(parent)) => &mut parent.version,
            _ => return,
        };
        text.clone_into(place);
    }
}

fn words(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

impl Pom {
    /// The licences in one field's words; none where it says nothing.
    pub(super) fn stated(&self) -> Option<String> {
        let all: Vec<String> = self.licences.iter().filter_map(Named::words).collect();
        joined(&all, " OR ")
    }
}

impl Named {
    fn words(&self) -> Option<String> {
        if let Meaning::Clear(expression) = meaning(&self.name) {
            return Some(expression.to_string());
        }
        let by_url = names::find_url(&self.url);
        let words = by_url.or_else(|| [&self.name, &self.url].into_iter().find(|words| !words.is_empty()).cloned());
        words.map(|words| words.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(licences: &str, want: Option<&str>) {
        assert_eq!(read(&format!("<project><licenses>{licences}</licenses></project>")).stated().as_deref(), want);
    }

    #[test]
    fn a_licence_is_told_by_its_name_or_its_url_and_several_are_a_choice() {
        let licence = |name: &str, url: &str| format!("<license><name>{name}</name><url>{url}</url></license>");
        let apache = licence("The Apache Software License, Version 2.0", "");
        check(&apache, Some("Apache-2.0"));
        check(
            &licence("Apache Public License 2.0", "http://www.apache.org/licenses/LICENSE-2.0.txt"),
            Some("Apache-2.0"),
        );
        check(&licence("", "https://opensource.org/licenses/MIT"), Some("MIT"));
        check(&licence("BSD", "http://asm.ow2.org/license.html"), Some("BSD")); // can mean several
        check(&licence("Acme\n  Terms", "/LICENSE.txt"), Some("Acme Terms"));
        check(&(apache.clone() + &licence("MIT License", "")), Some("Apache-2.0 OR MIT"));
        check(&(apache + &licence("Acme Terms", "")), Some("Apache-2.0 OR (Acme Terms)"));
        check("", None);
        check("<license/>", None);
    }

    #[test]
    fn what_is_missing_is_asked_of_the_parent() {
        let pom = read(
            "<project><parent><groupId>org.a</groupId><artifactId>p</artifactId><version>1</version></parent>\
             <dependencies><dependency><licenses><license><name>MIT</name></license></licenses></dependency></dependencies>&oops;",
        );
        assert_eq!((pom.stated(), pom.parent.and_then(|one| one.path())), (None, Some("org/a/p/1/p-1.pom".to_owned())));
    }

    #[test]
    fn coordinates_lead_nowhere_else() {
        for (name, version) in
            [("..:a", "1"), ("g:../a", "1"), ("g:a", "../../1"), ("g:", "1"), ("a", "1"), ("/etc:a", "1")]
        {
            assert_eq!(Coordinates::of(name, version).and_then(|one| one.path()), None, "{name} {version}");
        }
    }
}
