//! A scan's result as a person likes to read it: the worst first, grouped by file, and what could not be judged said.
//!
//! Pure: [`View`] in, text out. Without a width (a pipe) nothing is cut; on a terminal only the summary column gives way.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::terminal::printable;

/// Everything that is shown.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// One row a finding and place.
    pub(crate) rows: Vec<Row>,
    /// Entries without a pin that can resolve to an affected version, one sentence each.
    pub(crate) possible: Vec<String>,
    /// Files that were not read to the end, and entries that nobody could judge, one sentence each.
    pub(crate) gaps: Vec<String>,
    /// Files read.
    pub(crate) files: usize,
    /// Packages judged.
    pub(crate) packages: usize,
    /// Entries not judged.
    pub(crate) not_judged: usize,
    /// Whether there was anything to judge by.
    pub(crate) has_advisories: bool,
    /// Findings left out by an exception or a flag, with the reason.
    pub(crate) left_out: Vec<(usize, &'static str)>,
    /// How many of the rows the baseline has too, where there is one.
    pub(crate) known: Option<usize>,
    /// How fresh the advisories are: `4,291 Go, 1,206 crates.io; 2 days old`.
    pub(crate) advisories: String,
}

/// One finding at one place.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// `critical` … `informational`.
    pub(crate) level: String,
    /// The CVE where there is one.
    pub(crate) id: String,
    /// `vulnerability`, `malicious`, ….
    pub(crate) kind: String,
    /// The package's name.
    pub(crate) name: String,
    /// The version that is installed.
    pub(crate) version: String,
    /// The nearest version that mends it.
    pub(crate) fixed: Option<String>,
    /// Where there is none, the version after which none is affected.
    pub(crate) last_affected: Option<String>,
    /// The file.
    pub(crate) path: String,
    /// Its line.
    pub(crate) line: u32,
    /// One line.
    pub(crate) summary: String,
    /// Whether the baseline has it too, where there is one.
    pub(crate) known: Option<bool>,
    /// 0 to 100, where it was worked out.
    pub(crate) priority: Option<f64>,
}

const LEVELS: [&str; 6] = ["critical", "high", "medium", "low", "unknown", "informational"];

/// How the text may look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// Whether to colour levels.
    pub(crate) colour: bool,
    /// Columns, where there is a terminal.
    pub(crate) width: Option<usize>,
}

impl Look {
    fn paint(self, level: &str, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match level {
            "critical" => "1;37;41",
            "high" => "1;31",
            "medium" => "33",
            "low" => "36",
            "bold" => "1",
            "good" => "32",
            _ => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// The whole text, ending in a new line.
pub(crate) fn render(view: &View, look: Look) -> String {
    let mut out = String::new();
    let mut files: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in &view.rows {
        files.entry(&row.path).or_default().push(row);
    }
    for (path, mut rows) in files {
        rows.sort_by(|a, b| {
            let order = b.priority.unwrap_or(0.0).total_cmp(&a.priority.unwrap_or(0.0));
            order.then_with(|| (rank(&a.level), &a.name, &a.id, a.line).cmp(&(rank(&b.level), &b.name, &b.id, b.line)))
        });
        let count = if rows.len() == 1 { "1 finding".to_owned() } else { format!("{} findings", rows.len()) };
        line(&mut out, &format!("{}  {count}", look.paint("bold", &printable(path))));
        write_rows(&mut out, &rows, look);
        out.push('\n');
    }
    write_list(&mut out, "Can resolve to an affected version", &view.possible, look);
    write_list(&mut out, "Not judged", &view.gaps, look);
    write_closing(&mut out, view, look);
    out
}

/// A summary that has less room than this gets a line of its own.
const LEAST_SUMMARY: usize = 20;

fn write_rows(out: &mut String, rows: &[&Row], look: Look) {
    let cells: Vec<[String; 6]> = rows.iter().map(|row| cells(row)).collect();
    let mut widths = [0; 5];
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let before: usize = widths.iter().sum::<usize>() + 2 * widths.len() + 2;
    if let Some(columns) = look.width.filter(|columns| *columns < before + LEAST_SUMMARY) {
        cells.iter().zip(rows).for_each(|(cells, row)| write_narrow(out, cells, row, columns, look));
        return;
    }
    let room = look.width.map(|columns| columns.saturating_sub(before));
    for (row, cells) in rows.iter().zip(&cells) {
        let mut text = String::from("  ");
        for (position, (cell, width)) in cells.iter().zip(widths).enumerate() {
            let padding = " ".repeat(width - cell.width() + 2);
            let cell = if position == 0 { look.paint(&row.level, cell) } else { cell.clone() };
            text.push_str(&cell);
            text.push_str(&padding);
        }
        let summary = &cells[5];
        text.push_str(&room.map_or_else(|| summary.clone(), |room| cut(summary, room)));
        line(out, &text);
    }
}

/// A terminal that the columns do not fit in gets two lines a finding, each no wider than it is.
fn write_narrow(out: &mut String, cells: &[String; 6], row: &Row, columns: usize, look: Look) {
    let [level, id, package, fixed, place, summary] = cells;
    let rest = cut(&format!("{id}  {package}"), columns.saturating_sub(level.width() + 4));
    line(out, &format!("  {}  {rest}", look.paint(&row.level, level)));
    line(out, &format!("    {}", cut(&format!("{fixed}, {place}: {summary}"), columns.saturating_sub(4))));
}

fn cells(row: &Row) -> [String; 6] {
    let fixed = match (&row.fixed, &row.last_affected) {
        (Some(version), _) => format!("fixed {}", printable(version)),
        (None, Some(version)) => format!("later than {}", printable(version)),
        (None, None) => "no fix".to_owned(),
    };
    let kind = if row.kind == "vulnerability" { String::new() } else { format!("{}: ", row.kind) };
    let new = if row.known == Some(false) { "new: " } else { "" };
    let level = match row.priority {
        Some(priority) => format!("{} {priority:.0}", row.level),
        None => row.level.clone(),
    };
    [
        level,
        printable(&row.id),
        format!("{} {}", printable(&row.name), printable(&row.version)),
        fixed,
        format!("line {}", row.line),
        format!("{new}{kind}{}", printable(&row.summary)),
    ]
}

fn write_list(out: &mut String, title: &str, sentences: &[String], look: Look) {
    const SHOWN: usize = 20;
    if sentences.is_empty() {
        return;
    }
    line(out, &look.paint("bold", title));
    for sentence in sentences.iter().take(SHOWN) {
        line(out, &format!("  {}", printable(sentence)));
    }
    if sentences.len() > SHOWN {
        line(out, &format!("  and {} more; `--format json` lists all", sentences.len() - SHOWN));
    }
    out.push('\n');
}

fn write_closing(out: &mut String, view: &View, look: Look) {
    let counts: Vec<String> = LEVELS
        .iter()
        .filter_map(|level| {
            let count = view.rows.iter().filter(|row| row.level == *level).count();
            (count > 0).then(|| look.paint(level, &format!("{count} {level}")))
        })
        .collect();
    let files = if view.files == 1 { "1 file".to_owned() } else { format!("{} files", grouped(view.files)) };
    let packages =
        if view.packages == 1 { "1 package".to_owned() } else { format!("{} packages", grouped(view.packages)) };
    let mut scope = format!("{packages} in {files}");
    if view.not_judged > 0 {
        let entries = if view.not_judged == 1 { "entry" } else { "entries" };
        write!(scope, ", {} {entries} not judged", grouped(view.not_judged)).expect("writing to a String cannot fail");
    }
    match view.possible.len() {
        0 => {}
        1 => scope.push_str(", 1 entry can resolve to an affected version"),
        count => write!(scope, ", {} entries can resolve to an affected version", grouped(count))
            .expect("writing to a String cannot fail"),
    }
    if let Some(known) = view.known {
        write!(scope, ", {known} known from the baseline").expect("writing to a String cannot fail");
    }
    for (count, reason) in &view.left_out {
        write!(scope, ", {count} left out ({reason})").expect("writing to a String cannot fail");
    }
    if counts.is_empty() {
        let nothing = if view.files == 0 && view.gaps.is_empty() {
            "No manifest or lockfile found.".to_owned()
        } else if view.packages + view.possible.len() == 0 || !view.has_advisories {
            "Nothing could be judged.".to_owned()
        } else if view.not_judged > 0 {
            look.paint("good", "No known vulnerability in what could be judged.")
        } else if !view.possible.is_empty() {
            look.paint("good", "No known vulnerability in what is pinned.")
        } else {
            look.paint("good", "No known vulnerability.")
        };
        line(out, &format!("{nothing} {scope}."));
    } else {
        line(
            out,
            &format!(
                "{} finding{}: {}. {scope}.",
                view.rows.len(),
                if view.rows.len() == 1 { "" } else { "s" },
                counts.join(", ")
            ),
        );
    }
    if !view.advisories.is_empty() {
        line(out, &format!("Advisories: {}.", view.advisories));
    }
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

fn rank(level: &str) -> usize {
    LEVELS.iter().position(|known| *known == level).unwrap_or(LEVELS.len())
}

/// `12,345`
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn cut(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mut used = 1;
    let mut out = String::new();
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        out.push(c);
    }
    format!("{}…", out.trim_end())
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;

    fn row(level: &str, id: &str, name: &str, summary: &str) -> Row {
        Row {
            level: level.to_owned(),
            id: id.to_owned(),
            kind: "vulnerability".to_owned(),
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            fixed: Some("1.0.1".to_owned()),
            last_affected: None,
            path: "Cargo.lock".to_owned(),
            line: 7,
            summary: summary.to_owned(),
            known: None,
            priority: None,
        }
    }

    const PIPE: Look = Look { colour: false, width: None };

    #[test]
    fn the_worst_comes_first_and_nothing_is_cut_in_a_pipe() {
        let long = "a ".repeat(200);
        let view = View {
            rows: vec![row("low", "CVE-1", "b", "small"), row("critical", "CVE-2", "a", &long)],
            files: 1,
            packages: 1_234,
            ..View::default()
        };
        let text = render(&view, PIPE);
        assert!(text.find("critical") < text.find("low"), "{text}");
        assert!(text.contains(long.trim_end()), "{text}");
        assert!(text.contains("2 findings: 1 critical, 1 low. 1,234 packages in 1 file."), "{text}");
        assert!(text.contains("fixed 1.0.1") && text.contains("line 7"), "{text}");
    }

    #[test]
    fn a_terminal_cuts_only_the_summary() {
        let view = View { rows: vec![row("high", "CVE-1", "a", &"word ".repeat(60))], ..View::default() };
        for columns in [40, 60, 80, 200] {
            let text = render(&view, Look { colour: false, width: Some(columns) });
            let longest = text.lines().filter(|line| line.starts_with("  ")).map(UnicodeWidthStr::width).max();
            assert!(longest <= Some(columns), "{columns}: {text}");
            assert!(text.contains('…') && text.contains("CVE-1"), "{columns}: {text}");
        }
    }

    #[test]
    fn a_hostile_name_cannot_drive_the_terminal() {
        let view = View { rows: vec![row("high", "CVE-1", "a\u{1b}[2J\u{202e}", "x\ny")], ..View::default() };
        let text = render(&view, PIPE);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
        assert!(text.contains("x y"), "{text}");
    }

    #[test]
    fn nothing_found_is_never_said_of_nothing_judged() {
        let rows = [
            ((0, 0, 0, true), "No manifest or lockfile found."),
            ((1, 0, 4, true), "Nothing could be judged. 0 packages in 1 file, 4 entries not judged."),
            ((2, 3, 0, true), "No known vulnerability. 3 packages in 2 files."),
            (
                (2, 3, 1, true),
                "No known vulnerability in what could be judged. 3 packages in 2 files, 1 entry not judged.",
            ),
            ((2, 3, 3, false), "Nothing could be judged. 3 packages in 2 files, 3 entries not judged."),
        ];
        for ((files, packages, not_judged, has_advisories), want) in rows {
            let text = render(&View { files, packages, not_judged, has_advisories, ..View::default() }, PIPE);
            assert!(text.contains(want), "{text}");
        }
    }
}
