//! How the result of a scan is written, and where to.
//!
//! Pure until the last step: a form is made whole before the first byte is written.

use std::io::Write as _;
use std::path::Path;

use aiva_chassis::clock::{Clock as _, SystemClock};
use aiva_findings::export::{self, Tool};
use anyhow::Result;

use super::super::table::{self, Look};
use super::super::terminal::Terminal;
use super::super::{Format, Scan};
use super::{Report, shown};
use crate::failure::Failure;

/// Writes the report in the form that was asked for.
pub(super) fn write(scan: &Scan, report: &Report, terminal: Terminal) -> Result<()> {
    let text = text(scan, report, terminal)?;
    match &scan.output {
        None => Ok(terminal.print(&text)?),
        Some(path) => write_whole(path, &text)
            .map_err(|error| Failure::new(format!("cannot write {}", path.display())).because(error).into()),
    }
}

fn text(scan: &Scan, report: &Report, terminal: Terminal) -> Result<String> {
    let document = &report.document;
    let tool = Tool { version: env!("CARGO_PKG_VERSION"), at: SystemClock.now() };
    Ok(match scan.format {
        Format::Json => serde_json::to_string(document)? + "\n",
        Format::Sarif => serde_json::to_string_pretty(&export::sarif(document, tool))? + "\n",
        Format::Gitlab => serde_json::to_string_pretty(&export::gitlab(document, tool))? + "\n",
        Format::Junit => export::junit(document),
        Format::Github => export::annotations(document) + &plain(report),
        Format::Markdown => export::markdown(document),
        Format::Html => export::html(document, &target(&scan.path), tool),
        Format::Table => {
            let to_terminal = scan.output.is_none();
            let look = Look { colour: terminal.colour && to_terminal, width: terminal.width.filter(|_| to_terminal) };
            table::render(&shown::view(report), look)
        }
    })
}

/// The table as the log of a build shows it, after the annotations.
fn plain(report: &Report) -> String {
    let table = table::render(&shown::view(report), Look { colour: false, width: None });
    // What begins with two colons would be a command to the runner.
    table.lines().map(|line| format!("{}\n", line.replace("::", ":\u{200b}:"))).collect()
}

/// The name of what was scanned: the folder's or file's own, not the way to it.
fn target(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    whole.file_name().unwrap_or(whole.as_os_str()).to_string_lossy().into_owned()
}

/// All of the file or none of it: a reader never sees half a report.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.exists() && !path.is_file() {
        return std::fs::write(path, text); // a device or a pipe cannot be replaced
    }
    let mut file = tempfile::Builder::new().permissions(ordinary()).tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

fn ordinary() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::Permissions::from_mode(0o644)
}
