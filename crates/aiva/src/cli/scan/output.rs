//! How the result of a scan is written, and where to.
//!
//! A file gets all of it or nothing. Only the document itself is written while it is made; every other form is made whole first.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::path::Path;

use aiva_chassis::clock::{Clock as _, SystemClock};
use aiva_findings::export::{self, Document, Tool};
use aiva_sca::inventory::{self, FileId};
use aiva_sca::licence::survey::{Depth, survey};
use aiva_sca::sbom::{self, Bom, Made};
use anyhow::Result;
use jiff::Timestamp;

use super::super::table::{self, Look};
use super::super::terminal::{BUFFER, Terminal};
use super::super::{Format, Scan};
use super::{Report, shown};
use crate::failure::Failure;
use crate::settings;

/// Writes the report in the form that was asked for.
pub(super) fn write(scan: &Scan, report: &Report, terminal: Terminal) -> Result<()> {
    let form = Form::of(scan, report, terminal)?;
    match &scan.output {
        None => Ok(terminal.write(|out| form.write(out))?),
        Some(path) => write_whole(path, |out| form.write(out))
            .map_err(|error| Failure::new(format!("cannot write {}", path.display())).because(error).into()),
    }
}

/// The regular file that the report goes to, if it is there already: the shell makes it before it starts us (`> bom.json`).
pub(super) fn file(scan: &Scan) -> Option<FileId> {
    let metadata = match &scan.output {
        Some(path) => fs::metadata(path).ok()?,
        None => File::from(io::stdout().as_fd().try_clone_to_owned().ok()?).metadata().ok()?,
    };
    metadata.is_file().then(|| FileId::of(&metadata))
}

/// What is written.
enum Form<'r> {
    /// The document itself, which may be long: written as it is made.
    Document(&'r Report),
    /// A form that is made whole before its first byte is written.
    Text(String),
}

impl<'r> Form<'r> {
    fn of(scan: &Scan, report: &'r Report, terminal: Terminal) -> Result<Self> {
        let tool = Tool { version: env!("CARGO_PKG_VERSION"), at: SystemClock.now() };
        Ok(Self::Text(match scan.format {
            Format::Json => return Ok(Self::Document(report)),
            Format::Sarif => serde_json::to_string_pretty(&export::sarif(&of_repository(scan, report), tool))? + "\n",
            Format::Gitlab => serde_json::to_string_pretty(&export::gitlab(&of_repository(scan, report), tool))? + "\n",
            Format::Cyclonedx | Format::CyclonedxXml | Format::Spdx | Format::Spdx3 => {
                let target = target(&scan.path);
                let made = Made { target: &target, version: tool.version, at: dated(tool.at)? };
                let licensed = survey(&scan.path, &report.inputs, &settings::caches(), Depth::Licences);
                let bom = Bom::new(&report.inputs, report.document(), made).with_licences(&licensed);
                match scan.format {
                    Format::Cyclonedx => serde_json::to_string_pretty(&sbom::cyclonedx(&bom))? + "\n",
                    Format::Spdx => serde_json::to_string_pretty(&sbom::spdx(&bom))? + "\n",
                    Format::Spdx3 => serde_json::to_string_pretty(&sbom::spdx3(&bom))? + "\n",
                    _ => sbom::cyclonedx_xml(&bom),
                }
            }
            Format::Junit => export::junit(report.document()),
            Format::Github => export::annotations(&of_repository(scan, report)) + &plain(scan, report, terminal),
            Format::Markdown => export::markdown(report.document()),
            Format::Html => export::html(report.document(), &target(&scan.path), tool),
            Format::Table => {
                let to_terminal = scan.output.is_none();
                let colour = terminal.colour && to_terminal;
                let look = Look { colour, width: terminal.width.filter(|_| to_terminal) };
                table::render(&shown::view(scan, report, terminal), look)
            }
        }))
    }

    fn write(&self, mut out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Document(report) => {
                if report.draft.takes_threads() {
                    // This thread makes findings as the others do, instead of waiting for one more: what it freed before is used again.
                    drop(rayon::ThreadPoolBuilder::new().use_current_thread().build_global());
                }
                report.draft.write(&mut out, *report)?;
                out.write_all(b"\n")
            }
            Self::Text(text) => out.write_all(text.as_bytes()),
        }
    }
}

/// The document as a service that has the whole repository must read it: with paths from the repository's root, where a part
/// of it was scanned.
fn of_repository<'r>(scan: &Scan, report: &'r Report) -> Cow<'r, Document> {
    // What is in an image or a root file system is no file of the repository.
    let is_system = scan.image || scan.rootfs || inventory::is_root(&scan.path);
    match part(&scan.path).filter(|_| !is_system) {
        Some(part) => Cow::Owned(export::below(report.document(), &part)),
        None => Cow::Borrowed(report.document()),
    }
}

/// The way from the root of the git repository to what is scanned; `None` where that is the root, or no repository.
fn part(path: &Path) -> Option<String> {
    let whole = path.canonicalize().ok()?;
    let folder = if whole.is_dir() { whole.as_path() } else { whole.parent()? };
    // A work tree of its own has a file of that name.
    let root = folder.ancestors().find(|folder| folder.join(".git").exists())?;
    let part = folder.strip_prefix(root).ok()?.to_str()?;
    (!part.is_empty()).then(|| part.to_owned())
}

/// The time that a bill bears: that of the build where one is set (reproducible-builds.org, `SOURCE_DATE_EPOCH`).
fn dated(now: Timestamp) -> Result<Timestamp> {
    let Some(said) = std::env::var_os("SOURCE_DATE_EPOCH").filter(|said| !said.is_empty()) else { return Ok(now) };
    let second = said.to_str().and_then(|said| said.parse().ok());
    let time = second.and_then(|second| Timestamp::from_second(second).ok());
    Ok(time.ok_or_else(|| Failure::new("SOURCE_DATE_EPOCH is no time").hint("it counts seconds since 1970"))?)
}

/// The table as the log of a build shows it, after the annotations.
fn plain(scan: &Scan, report: &Report, terminal: Terminal) -> String {
    let table = table::render(&shown::view(scan, report, terminal), Look { colour: false, width: None });
    // What begins with two colons would be a command to the runner.
    table.lines().map(|line| format!("{}\n", line.replace("::", ":\u{200b}:"))).collect()
}

/// The name of what was scanned: the folder's or file's own, not the way to it.
fn target(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    whole.file_name().unwrap_or(whole.as_os_str()).to_string_lossy().into_owned()
}

/// All of the file or none of it: a reader never sees half a report.
fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.exists() && !path.is_file() {
        // A device or a pipe cannot be replaced.
        return buffered(File::options().write(true).truncate(true).open(path)?, write);
    }
    let mut file = tempfile::Builder::new().permissions(ordinary()).tempfile_in(folder)?;
    buffered(&mut file, write)?;
    file.persist(path)?;
    Ok(())
}

fn buffered(out: impl Write, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = io::BufWriter::with_capacity(BUFFER, out);
    write(&mut out)?;
    out.flush()
}

fn ordinary() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::Permissions::from_mode(0o644)
}
