//! The functions that a record names as affected, in one spelling for all databases: what an importer writes, a dot (`::` in
//! Rust), the function.
//!
//! Bounded: at most [`MOST`] names of at most [`LONGEST`] characters for a package, in the record's order, each once. How many
//! more there are is counted.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::osv;

/// The most names that are kept of a package.
pub(crate) const MOST: usize = 50;
/// The most characters of a name, and of the path before it.
const LONGEST: usize = 200;

/// The names, and how many more there are.
pub(super) fn symbols<'a>(parts: &[&'a osv::Affected<'a>]) -> (Vec<Cow<'a, str>>, u64) {
    let mut seen: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut names = Vec::new();
    for (path, name) in parts.iter().flat_map(|part| named(&part.ecosystem_specific)) {
        // Cut before it is looked at: a path may stand before a hundred thousand names.
        if seen.insert((cut(path), cut(name))) && names.len() < MOST {
            names.push(spelled(cut(path), name));
        }
    }
    let more = (seen.len() - names.len()) as u64;
    (names, more)
}

/// What stands before each name, and the name.
fn named<'a>(specific: &'a osv::Specific<'a>) -> impl Iterator<Item = (&'a str, &'a str)> {
    let imports = specific.imports.0.iter().flat_map(|import| {
        let path = import.path.get().unwrap_or_default().trim();
        let symbols = import.symbols.0.iter().map(move |symbol| (path, symbol.trim()));
        // Without an attribute the whole module is meant, which names no function; the same is a Go path without symbols.
        let attribute = import.attribute.get().map(str::trim).filter(|attribute| !attribute.is_empty());
        let attributes = attribute
            .into_iter()
            .flat_map(|attribute| import.modules.0.iter().map(move |module| (module.trim(), attribute)));
        symbols.chain(attributes)
    });
    let functions = specific.affects.functions.0.iter().chain(&specific.affected_functions.0);
    imports.chain(functions.map(|function| ("", function.trim())))
}

fn spelled<'a>(path: &'a str, name: &'a str) -> Cow<'a, str> {
    let whole = if path.is_empty() { Cow::Borrowed(name) } else { Cow::Owned([path, ".", cut(name)].concat()) };
    if whole.len() <= LONGEST {
        return whole;
    }
    match whole.char_indices().nth(LONGEST) {
        Some(_) => Cow::Owned(whole.chars().take(LONGEST - 1).chain(['…']).collect()),
        None => whole,
    }
}

fn cut(text: &str) -> &str {
    if text.len() <= LONGEST {
        return text;
    }
    text.char_indices().nth(LONGEST).map_or(text, |(end, _)| text.get(..end).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a record says whose package has this `ecosystem_specific`.
    fn read(specific: &str) -> (Vec<String>, u64) {
        let text = format!(
            r#"{{"id": "A-1", "modified": "2026-01-01T00:00:00Z", "affected": [{{"ecosystem_specific": {specific}}}]}}"#
        );
        let record = osv::parse(text.as_bytes()).unwrap();
        let parts: Vec<_> = record.affected.iter().collect();
        let (names, more) = symbols(&parts);
        (names.into_iter().map(Cow::into_owned).collect(), more)
    }

    #[track_caller]
    fn check(specific: &str, want: &[&str]) {
        let want: Vec<String> = want.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(read(specific), (want, 0), "{specific}");
    }

    #[test]
    fn every_database_has_its_shape() {
        // Go: the methods of a type stand behind a dot.
        check(
            r#"{"imports": [{"path": "example.org/left/pad", "symbols": ["Pad", "Conn.Close"], "goos": ["windows"]}]}"#,
            &["example.org/left/pad.Pad", "example.org/left/pad.Conn.Close"],
        );
        check(r#"{"imports": [{"path": "example.org/left"}], "custom_ranges": [{"type": "ECOSYSTEM"}]}"#, &[]); // all of it
        // RustSec, with the field that it keeps for older readers.
        check(
            r#"{"affected_functions": null, "affects": {"arch": [], "functions": ["left::Pad::pad"], "os": ["windows"]}}"#,
            &["left::Pad::pad"],
        );
        check(r#"{"affected_functions": null, "affects": {"arch": ["x86"], "functions": [], "os": []}}"#, &[]);
        // GHSA.
        check(r#"{"affected_functions": ["left.pad", "(left).pad"]}"#, &["left.pad", "(left).pad"]);
        check(r#"{"affected_functions": [""]}"#, &[]);
        // PyPA: one attribute in several modules; none for a whole module.
        check(
            r#"{"imports": [{"attribute": "Pad", "modules": ["left", "left.pad"]}, {"attribute": "", "modules": ["right"]}]}"#,
            &["left.Pad", "left.pad.Pad"],
        );
        check("{}", &[]);
        check("null", &[]);
    }

    #[test]
    fn each_name_comes_once_in_the_order_of_the_record() {
        check(
            r#"{"imports": [{"path": "m", "symbols": ["B", "A", "B"]}, {"path": "n", "symbols": ["A"]}], "affected_functions": ["x", "x"]}"#,
            &["m.B", "m.A", "n.A", "x"],
        );
    }

    #[test]
    fn what_has_another_shape_names_nothing_and_spoils_nothing() {
        for odd in [
            r#"{"imports": "all"}"#,
            r#"{"imports": {"path": "m", "symbols": ["A"]}}"#,
            r#"{"imports": [1, null, "m", ["A"], {"path": 3, "symbols": {"A": 1}}]}"#,
            r#"{"affects": ["A"], "affected_functions": {"A": true}}"#,
            r#"{"affects": {"functions": "A"}, "affected_functions": 1.5}"#,
            r#"{"affects": 7, "affected_functions": [1, null, ["A"], {}]}"#,
        ] {
            check(odd, &[]);
        }
    }

    #[test]
    fn a_hostile_record_is_cut_and_says_so() {
        let many: Vec<String> = (0..100_000).map(|at| format!("\"f{at}\"")).collect();
        let (names, more) = read(&format!(r#"{{"affects": {{"functions": [{}]}}}}"#, many.join(",")));
        assert_eq!((names.len(), &*names[49], more), (MOST, "f49", 99_950));
        let long = "x".repeat(1 << 20);
        let (names, more) = read(&format!(r#"{{"imports": [{{"path": "{long}", "symbols": [{}]}}]}}"#, many.join(",")));
        assert_eq!((names.len(), more), (MOST, 99_950));
        assert!(names.iter().all(|name| name.chars().count() == LONGEST && name.ends_with('…')));
        let (names, _) = read(&format!(r#"{{"affected_functions": ["é{long}"]}}"#));
        assert_eq!(names[0].chars().count(), LONGEST);
    }
}
