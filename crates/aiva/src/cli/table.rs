//! A scan's result as a person likes to read it: the worst first, grouped by file, and what could not be judged said.
//!
//! Pure: [`View`] in, text out. Without a width (a pipe) nothing is cut but a reason that nobody would read; on a terminal only the
//! summary column gives way.

mod reason;

use std::collections::BTreeMap;

use aiva_findings::export::Clean;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr};

use self::reason::Reasons;
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
    /// Exceptions that have run out or cover nothing, one sentence each.
    pub(crate) idle: Vec<String>,
    /// The summary, for who wants one.
    pub(crate) closing: Option<Closing>,
}

/// What is said at the end.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    /// Files read.
    pub(crate) files: usize,
    /// Packages judged.
    pub(crate) packages: usize,
    /// Entries not judged.
    pub(crate) not_judged: usize,
    /// What may be said where there are no rows.
    pub(crate) clean: Clean,
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
    /// Whether a version can mend it at all.
    pub(crate) is_of_versions: bool,
    /// Where there is none, the version after which none is affected.
    pub(crate) last_affected: Option<String>,
    /// The file.
    pub(crate) path: String,
    /// Its line.
    pub(crate) line: u32,
    /// One line.
    pub(crate) summary: String,
    /// What a rule of our own saw, where one did.
    pub(crate) reason: Option<String>,
    /// Whether the baseline has it too, where there is one.
    pub(crate) known: Option<bool>,
    /// 0 to 100, where it was worked out.
    pub(crate) priority: Option<f64>,
    /// The same before it was cut at 100, which decides the order.
    pub(crate) sum: f64,
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
            let order = b.sum.total_cmp(&a.sum);
            order.then_with(|| (rank(&a.level), &a.name, &a.id, a.line).cmp(&(rank(&b.level), &b.name, &b.id, b.line)))
        });
        let count = counted(rows.len(), "finding");
        line(&mut out, &format!("{}  {count}", look.paint("bold", &printable(path))));
        write_rows(&mut out, &rows, look);
        out.push('\n');
    }
    write_list(&mut out, "Can resolve to an affected version", &view.possible, look);
    write_list(&mut out, "Not judged", &view.gaps, look);
    write_list(&mut out, "Exceptions that do nothing", &view.idle, look);
    if let Some(closing) = &view.closing {
        write_closing(&mut out, view, closing, look);
    }
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
    let reasons = Reasons::of(rows);
    let before: usize = widths.iter().sum::<usize>() + 2 * widths.len() + 2;
    let narrow = look.width.filter(|columns| *columns < before + LEAST_SUMMARY);
    let room = look.width.map(|columns| columns.saturating_sub(before));
    for (row, cells) in rows.iter().zip(&cells) {
        match narrow {
            Some(columns) => write_narrow(out, cells, row, columns, look),
            None => write_wide(out, cells, row, (widths, room), look),
        }
        if let Some(reason) = reasons.below(row) {
            wrapped(out, "    ", &printable(&reason), look);
        }
    }
    for reason in reasons.once() {
        wrapped(out, "    ", &printable(&reason), look);
    }
}

fn write_wide(
    out: &mut String,
    cells: &[String; 6],
    row: &Row,
    (widths, room): ([usize; 5], Option<usize>),
    look: Look,
) {
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

/// A terminal that the columns do not fit in gets two lines a finding, or three, each no wider than it is.
fn write_narrow(out: &mut String, cells: &[String; 6], row: &Row, columns: usize, look: Look) {
    let [level, id, package, fixed, place, summary] = cells;
    let room = columns.saturating_sub(level.width() + 4);
    let fits = id.width() + 2 + package.width() <= room;
    let rest = if fits { format!("{id}  {package}") } else { cut(id, room) };
    line(out, &format!("  {}  {rest}", look.paint(&row.level, level)));
    let below = |text: &str| format!("    {}", cut(text, columns.saturating_sub(4)));
    if !fits {
        line(out, &below(package));
    }
    line(out, &below(&format!("{fixed}, {place}: {summary}")));
}

fn cells(row: &Row) -> [String; 6] {
    let fixed = match (&row.fixed, &row.last_affected) {
        (Some(version), _) => format!("fixed {}", printable(version)),
        (None, Some(version)) => format!("later than {}", printable(version)),
        (None, None) if row.is_of_versions => "no fix".to_owned(),
        (None, None) => "-".to_owned(),
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
        wrapped(out, "  ", &printable(sentence), look);
    }
    if sentences.len() > SHOWN {
        line(out, &format!("  and {} more; `--format json` lists all", sentences.len() - SHOWN));
    }
    out.push('\n');
}

fn write_closing(out: &mut String, view: &View, closing: &Closing, look: Look) {
    let counts: Vec<String> = LEVELS
        .iter()
        .filter_map(|level| {
            let count = view.rows.iter().filter(|row| row.level == *level).count();
            (count > 0).then(|| look.paint(level, &format!("{count} {level}")))
        })
        .collect();
    let mut scope = format!("{} in {}", counted(closing.packages, "package"), counted(closing.files, "file"));
    let mut add = |part: String| scope.push_str(&format!(", {part}"));
    if closing.not_judged > 0 {
        add(format!("{} not judged", counted(closing.not_judged, "entry")));
    }
    if !view.possible.is_empty() {
        add(format!("{} can resolve to an affected version", counted(view.possible.len(), "entry")));
    }
    if let Some(known) = closing.known {
        add(format!("{known} known from the baseline"));
    }
    for (count, reason) in &closing.left_out {
        add(format!("{count} left out ({reason})"));
    }
    let verdict = match (counts.as_slice(), closing.clean) {
        ([], clean @ (Clean::Empty | Clean::Unjudged)) => format!("{}.", clean.words()),
        ([], clean) => look.paint("good", &format!("{}.", clean.words())),
        (counts, _) => format!("{}: {}.", counted(view.rows.len(), "finding"), counts.join(", ")),
    };
    wrapped(out, "", &format!("{verdict} {scope}."), look);
    if !closing.advisories.is_empty() {
        wrapped(out, "", &format!("Advisories: {}.", closing.advisories), look);
    }
}

/// `1 entry`, `2,000 entries`
pub(crate) fn counted(count: usize, thing: &str) -> String {
    match thing.strip_suffix('y') {
        _ if count == 1 => format!("1 {thing}"),
        Some(stem) => format!("{} {stem}ies", grouped(count)),
        None => format!("{} {thing}s", grouped(count)),
    }
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

/// A sentence between words, over as many lines as a terminal needs, the further ones set in.
fn wrapped(out: &mut String, indent: &str, text: &str, look: Look) {
    let Some(columns) = look.width else { return line(out, &format!("{indent}{text}")) };
    let mut now = indent.to_owned();
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && shown_width(&now) + 1 + shown_width(word) > columns {
            line(out, &now);
            now = format!("{indent}  ");
            is_empty = true;
        }
        if !is_empty {
            now.push(' ');
        }
        now.push_str(word);
        is_empty = false;
    }
    line(out, &now);
}

/// How wide a text is on a terminal, without what paints it.
fn shown_width(text: &str) -> usize {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().map_or(0, UnicodeWidthStr::width);
    first + parts.map(|part| part.split_once('m').map_or(0, |(_, rest)| rest.width())).sum::<usize>()
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
    use super::*;

    pub(super) fn row(level: &str, id: &str, name: &str, summary: &str) -> Row {
        Row {
            level: level.to_owned(),
            id: id.to_owned(),
            kind: "vulnerability".to_owned(),
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            fixed: Some("1.0.1".to_owned()),
            is_of_versions: true,
            last_affected: None,
            path: "Cargo.lock".to_owned(),
            line: 7,
            summary: summary.to_owned(),
            reason: None,
            known: None,
            priority: None,
            sum: 0.0,
        }
    }

    const PIPE: Look = Look { colour: false, width: None };

    #[test]
    fn the_worst_comes_first_and_nothing_is_cut_in_a_pipe() {
        let long = "a ".repeat(200);
        let view = View {
            rows: vec![row("low", "CVE-1", "b", "small"), row("critical", "CVE-2", "a", &long)],
            closing: Some(Closing { files: 1, packages: 1_234, ..Closing::default() }),
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
        let closing = Closing { advisories: "1 npm, ".repeat(40), ..Closing::default() };
        let view = View {
            rows: vec![row("high", "CVE-2026-12345", "@scope/some-long-name", &"word ".repeat(60))],
            gaps: vec!["go.mod:7: ".to_owned() + &"word ".repeat(60)],
            closing: Some(closing),
            ..View::default()
        };
        for (columns, colour) in [(40, false), (60, true), (80, false), (200, true)] {
            let text = render(&view, Look { colour, width: Some(columns) });
            let longest = text.lines().map(shown_width).max();
            assert!(longest <= Some(columns), "{columns}: {text}");
            for part in ["…", "CVE-2026-12345", "@scope/some-long-name 1.0.0"] {
                assert!(text.contains(part), "{columns}: {text}");
            }
            assert!(text.matches("word").count() >= 60, "only the summary: {text}");
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
            ((0, 0, 0, Clean::Empty), "No manifest or lockfile found."),
            ((1, 0, 4, Clean::Unjudged), "Nothing could be judged. 0 packages in 1 file, 4 entries not judged."),
            ((2, 3, 0, Clean::Whole), "No known vulnerability. 3 packages in 2 files."),
            (
                (2, 3, 1, Clean::InPart),
                "No known vulnerability in what could be judged. 3 packages in 2 files, 1 entry not judged.",
            ),
        ];
        for ((files, packages, not_judged, clean), want) in rows {
            let closing = Some(Closing { files, packages, not_judged, clean, ..Closing::default() });
            let text = render(&View { closing, ..View::default() }, PIPE);
            assert!(text.contains(want), "{text}");
        }
        assert_eq!(render(&View::default(), PIPE), ""); // whoever wants no summary
    }
}
