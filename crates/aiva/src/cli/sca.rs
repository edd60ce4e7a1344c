//! `aiva sca`: what a developer asks of the dependency guard besides a scan.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use aiva_findings::export;
use aiva_sca::advisory::{Index, OpenError};
use aiva_sca::finding::Finding;
use aiva_sca::inventory::{self, Inventory};
use aiva_sca::scan::Judging;
use aiva_sca::version::Order;
use aiva_sca::why::{self, Place, Ways};
use anyhow::{Context as _, Result};

use serde_json::json;

use super::exit::Outcome;
use super::gaps::Gaps;
use super::progress::{Bar, Unit};
use super::terminal::{Terminal, complain, printable};
use super::{Global, Sca, WhyFormat, fix, gaps, licences};
use crate::failure::Failure;
use crate::settings;

pub(crate) fn run(command: &Sca, global: &Global, terminal: Terminal) -> Result<ExitCode> {
    match command {
        Sca::VersionOrder { ecosystem, file } => version_order(ecosystem, file, terminal),
        Sca::Licences { asked, format } => licences::licences(asked, *format, global, terminal),
        Sca::Notice { asked } => licences::notice(asked, global, terminal),
        Sca::Fix(fix) => fix::run(fix, global, terminal),
        Sca::Why { package, path, format, paths, exclude } => {
            let inventory = inventory(path, exclude, global, terminal)?;
            let places = why::why(&inventory.inputs, package, (*paths).max(1));
            let named = named(&inventory, &places, global)?;
            let found = why(&places, &named, *format, terminal)?;
            // A name without a version is at no place, but it is there; and what was not read may name it too.
            let open = why::unpinned(&inventory.inputs, package);
            open.iter().for_each(|line| complain(line));
            if places.is_empty() && open.is_empty() {
                terminal.note(&format!("no file here names {package}; write `name`, `name@version` or a package URL"));
            }
            let gaps = Gaps::of(&inventory);
            gaps.lines.iter().for_each(|line| complain(&format!("not read: {line}")));
            let is_open = places.is_empty() && (gaps.is_incomplete || !open.is_empty());
            Ok(if is_open { Outcome::Incomplete } else { found }.into())
        }
    }
}

fn version_order(ecosystem: &str, file: &Path, terminal: Terminal) -> Result<ExitCode> {
    let order = Order::of(ecosystem).ok_or_else(|| {
        let known: Vec<&str> = Order::names().collect();
        Failure::new(format!("no order of versions is known for {ecosystem:?}"))
            .hint(format!("write the ecosystem as OSV does: {}", known.join(", ")))
    })?;
    let list = read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let checked = order.check(&list);
    let mut said = String::new();
    for miss in &checked.missed {
        said.push_str(&format!("{}:{}: {} does not hold: {}\n", file.display(), miss.line, miss.text, miss.instead));
    }
    said.push_str(&format!("{} passed, {} failed\n", checked.passed, checked.missed.len()));
    terminal.print(&said)?;
    Ok(if checked.missed.is_empty() { Outcome::Clean } else { Outcome::Findings }.into())
}

/// Everything under a path, but for what the configuration and the flags leave out.
pub(crate) fn inventory(path: &Path, exclude: &[String], global: &Global, terminal: Terminal) -> Result<Inventory> {
    let found = settings::find(global, Vec::new())?;
    let options = found.loaded.config.sca.options(exclude);
    let bar = Bar::new(terminal, "reading", Unit::Things("file"));
    let result = inventory::walk(path, &options, &|progress| match progress {
        inventory::Progress::Found(found) => bar.set(found as u64, None),
        inventory::Progress::Read { done, total } => bar.set(done as u64, Some(total as u64)),
    });
    bar.done();
    let inventory = result?;
    if inventory.inputs.is_empty() {
        return Err(gaps::nothing(path, !options.exclude.is_empty(), &inventory.ignored_lockfiles).into());
    }
    Ok(inventory)
}

/// The findings at these places whose advisories name the affected functions. Without advisories there are none, and who brings a
/// package in is told all the same.
fn named(inventory: &Inventory, places: &[Place], global: &Global) -> Result<Vec<Finding>> {
    let found = settings::find(global, Vec::new())?;
    let folder = settings::data_directory(found.loaded.config.server.data_dir.as_deref())?.join("advisories");
    let index = match Index::open(&folder) {
        Ok(index) => index,
        Err(OpenError::Missing(_)) => return Ok(Vec::new()),
        Err(error) => {
            complain(&format!("warning: affected functions are not named: {error}"));
            return Ok(Vec::new());
        }
    };
    let judging = Judging::new(&index);
    let mut named = Vec::new();
    for input in inventory.inputs.iter().filter(|input| places.iter().any(|place| place.path == input.path)) {
        let judged = judging.judge(input).context("the advisories were not asked to the end")?;
        named.extend(judged.findings.into_iter().filter(|finding| finding.verdict.symbols.count() > 0));
    }
    Ok(named)
}

/// Those at one place.
fn at_place<'a>(named: &'a [Finding], place: &Place) -> impl Iterator<Item = &'a Finding> {
    let asked = (place.path.clone(), place.line, place.name.clone(), place.version.clone());
    named.iter().filter(move |finding| {
        (&*finding.path, finding.line, &*finding.name, &*finding.version) == (&*asked.0, asked.1, &*asked.2, &*asked.3)
    })
}

fn why(places: &[Place], named: &[Finding], format: WhyFormat, terminal: Terminal) -> Result<Outcome> {
    match format {
        WhyFormat::Json => {
            let answer: Vec<_> = places.iter().map(|one| place(one, named)).collect();
            terminal.print(&(serde_json::to_string_pretty(&answer)? + "\n"))?;
        }
        WhyFormat::Text => terminal.print(&places.iter().map(|one| told(one, named)).collect::<String>())?,
    }
    // As grep does it: nothing found is 1.
    Ok(if places.is_empty() { Outcome::Findings } else { Outcome::Clean })
}

fn place(place: &Place, named: &[Finding]) -> serde_json::Value {
    let mut answer = json!({
        "purl": place.purl, "name": place.name, "version": place.version, "ecosystem": place.ecosystem.osv_name(),
        "path": place.path, "line": place.line, "direct": place.direct, "scope": place.scope.name(),
    });
    if !place.aliases.is_empty() {
        answer["aliases"] = json!(place.aliases);
    }
    let functions: Vec<_> = at_place(named, place)
        .map(|finding| {
            let symbols = &finding.verdict.symbols;
            let mut one = json!({ "id": finding.verdict.id, "symbols": symbols.names });
            if symbols.more > 0 {
                one["more_symbols"] = json!(symbols.more);
            }
            one
        })
        .collect();
    if !functions.is_empty() {
        answer["advisories"] = json!(functions);
    }
    match &place.ways {
        Ways::Known(known) => {
            let shortest: Vec<Vec<&str>> =
                known.paths.iter().map(|path| path.iter().map(|step| &**step).collect()).collect();
            answer["paths"] = json!({ "shortest": shortest, "count": known.count, "depth": known.depth });
        }
        Ways::Unreached => answer["untold"] = json!(UNREACHED),
        Ways::Untold(reason) => answer["untold"] = json!(reason),
    }
    answer
}

const UNREACHED: &str = "nothing that the project asks for leads to it";

fn told(place: &Place, named: &[Finding]) -> String {
    let direct = match place.direct {
        Some(true) => "direct",
        Some(false) => "transitive",
        None => "direct or not: the file does not say",
    };
    let also =
        if place.aliases.is_empty() { String::new() } else { format!(" (here also {})", place.aliases.join(", ")) };
    let name = printable(&format!("{} {}{also}", place.name, place.version));
    let file = printable(&place.path);
    let mut text = format!("{name}  {file} line {}  ({direct}, {})\n", place.line, place.scope.name());
    match &place.ways {
        Ways::Known(known) => {
            for path in known.paths.iter() {
                text.push_str(&format!("  {}\n", printable(&path.join(" > "))));
            }
            let listed = known.paths.len() as u64;
            if known.count > listed {
                text.push_str(&format!("  and {} more; --paths lists more\n", known.count - listed));
            }
        }
        Ways::Unreached => text.push_str(&format!("  {UNREACHED}\n")),
        Ways::Untold(reason) => text.push_str(&format!("  {reason}\n")),
    }
    for finding in at_place(named, place) {
        let symbols = &finding.verdict.symbols;
        if let Some(functions) = export::spoken_symbols(&symbols.names, symbols.more) {
            text.push_str(&format!("  {}\n", printable(&format!("{}, {functions}", finding.verdict.id))));
        }
    }
    text
}

/// `-` is the standard input.
fn read(file: &Path) -> std::io::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(file)
}
