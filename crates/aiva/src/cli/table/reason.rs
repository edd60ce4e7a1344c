//! Why a rule of our own speaks of a package: which words stand below its row, and which are said once for all rows of the rule.
//!
//! Pure. Advisories need none of it: what is wrong with a version is in their summary.

use std::collections::BTreeMap;

use super::Row;

/// Who writes a lockfile may put a book into it; nobody reads more than this.
const MOST: usize = 400;

/// How much of the end is kept then: it names the command that mends it.
const END: usize = 80;

/// The reasons of the rows of one file.
#[derive(Debug, Default)]
pub(super) struct Reasons<'r> {
    /// By rule, where all of its rows give the same: that, and how many they are.
    shared: BTreeMap<&'r str, (&'r str, usize)>,
}

impl<'r> Reasons<'r> {
    /// Looks at all rows of a file.
    pub(super) fn of(rows: &[&'r Row]) -> Self {
        let mut all: BTreeMap<&str, Option<(&str, usize)>> = BTreeMap::new();
        for (id, reason) in rows.iter().filter_map(|row| Some((row.id.as_str(), row.reason.as_deref()?))) {
            let seen = all.entry(id).or_insert(Some((reason, 0)));
            *seen = seen.filter(|(first, _)| *first == reason).map(|(first, count)| (first, count + 1));
        }
        let shared = all.into_iter().filter_map(|(id, seen)| Some((id, seen.filter(|(_, count)| *count > 1)?)));
        Self { shared: shared.collect() }
    }

    /// What stands below a row.
    pub(super) fn below(&self, row: &Row) -> Option<String> {
        let reason = row.reason.as_deref().filter(|_| !self.shared.contains_key(row.id.as_str()));
        reason.map(bounded)
    }

    /// What stands below all rows, a sentence a rule.
    pub(super) fn once(&self) -> impl Iterator<Item = String> {
        self.shared.iter().map(|(id, (reason, count))| format!("all {count} {id}: {}", bounded(reason)))
    }
}

/// The beginning and the end of what is too long.
fn bounded(reason: &str) -> String {
    let count = reason.chars().count();
    if count <= MOST {
        return reason.to_owned();
    }
    let start: String = reason.chars().take(MOST - END - 1).collect();
    let end: String = reason.chars().skip(count - END).collect();
    format!("{start}…{end}")
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use super::super::{Look, View, render, shown_width};
    use super::*;

    const DIFFERS: &str = "packages/web/package.json asks for \"^5.0.0 || ^6.1.0\", package-lock.json has 4.2.3; \
                           `npm install` mends that";

    fn rule(id: &str, name: &str, reason: &str) -> Row {
        let summary = "manifest and lockfile disagree".to_owned();
        Row { reason: Some(reason.to_owned()), fixed: None, summary, ..row("informational", id, name, "") }
    }

    fn lines(rows: Vec<Row>, columns: Option<usize>, colour: bool) -> Vec<String> {
        let view = View { rows, ..View::default() };
        render(&view, Look { colour, width: columns }).lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_whole_reason_stands_below_its_row() {
        for columns in [40, 60, 80, 100, 120].map(Some).into_iter().chain([None]) {
            for colour in [false, true] {
                let rows = vec![rule("supply-not-locked", "color", DIFFERS), row("high", "CVE-1", "later", "bad")];
                let shown = lines(rows, columns, colour);
                let text = shown.join("\n");
                let longest = shown.iter().map(|line| shown_width(line)).max();
                assert!(columns.is_none_or(|columns| longest <= Some(columns)), "{columns:?}: {text}");
                let starts = |line: &String, word: &str| line.starts_with(&format!("    {word}"));
                let first = shown.iter().position(|line| starts(line, "packages/web")).expect("a line of its own");
                let above = shown[..first].iter().rposition(|line| line.contains("color 1.0.0")).expect("its row");
                assert!(first - above <= 2 && !text[..text.find("color").unwrap()].contains("asks for"), "{text}");
                let after = shown[first..].iter().skip(1).take_while(|line| line.starts_with("      "));
                let words: Vec<&str> = shown[first..=first].iter().chain(after).map(|line| line.trim()).collect();
                assert_eq!(words.join(" "), DIFFERS, "{columns:?}");
            }
        }
    }

    #[test]
    fn what_all_rows_of_a_rule_say_is_said_once() {
        const SAME: &str = "it runs a script of its own when it is installed";
        let many = |count: usize| (0..count).map(|at| rule("supply-install-script", &format!("p{at}"), SAME));
        let count =
            |rows: Vec<Row>, words: &str| lines(rows, None, false).iter().filter(|line| line.contains(words)).count();
        let once = format!("    all 200 supply-install-script: {SAME}");
        assert_eq!(lines(many(200).collect(), None, false).iter().filter(|line| **line == once).count(), 1);
        assert_eq!(count(many(200).collect(), SAME), 1);
        assert_eq!(count(many(1).collect(), &format!("    {SAME}")), 1); // one row has it below itself
        // Another rule's reasons are its own; another reason of the same rule would leave the reader guessing.
        assert_eq!(count(many(200).chain([rule("supply-not-locked", "p7", DIFFERS)]).collect(), SAME), 1);
        assert_eq!(count(many(199).chain([rule("supply-install-script", "p7", "two scripts")]).collect(), SAME), 199);
        // Each file has its own.
        let elsewhere = many(2).map(|row| Row { path: "b/package-lock.json".to_owned(), ..row });
        assert_eq!(count(many(2).chain(elsewhere).collect(), SAME), 2);
        assert_eq!(count(vec![row("high", "CVE-1", "a", "x"), row("high", "CVE-1", "b", "x")], "all 2"), 0);
    }

    #[test]
    fn a_long_or_hostile_reason_does_no_harm() {
        let book = format!("a asks for \"{}\", b has 2; `c` mends\u{1b}[2J that", "é ".repeat(100_000));
        for columns in [None, Some(60)] {
            let text = lines(vec![rule("supply-not-locked", "a", &book)], columns, true).join("\n");
            assert!(text.chars().count() < 1_000 && text.contains("…") && !text.contains("\u{1b}[2J"), "{text}");
            assert!(text.contains("a asks for") && text.contains("mends"), "{text}");
        }
        assert_eq!(bounded(&"é".repeat(MOST)).chars().count(), MOST);
        assert_eq!(bounded(&"é".repeat(MOST + 1)).chars().count(), MOST);
    }
}
