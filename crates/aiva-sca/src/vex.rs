//! What others say of a vulnerability in a product (VEX): OpenVEX, CycloneDX VEX and CSAF, read into one kind of statement.
//!
//! Pure. A statement speaks of a finding when it names the advisory (or an alias) and the package: by package URL, with the
//! version where it gives one and with every qualifier that it gives. What cannot be matched surely does not speak: a wrong
//! match hides a vulnerability. Of several that speak the latest counts, in the same instant the last; but what a document rules
//! out and in the same instant does not is not ruled out, in whatever order it says so.
//!
//! Start reading at [`read`] and [`Statements::of`].

mod csaf;
mod cyclonedx;
mod openvex;
mod product;
mod reason;
mod vers;

use jiff::Timestamp;
use serde_json::Value;

pub use product::Product;

/// What a statement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The product is affected.
    Affected,
    /// Somebody is still looking.
    UnderInvestigation,
    /// The product is not affected; there is a reason.
    NotAffected,
    /// The version at hand has the fix.
    Fixed,
}

impl Status {
    /// Whether a finding of which this is said does not count.
    fn rules_out(self) -> bool {
        matches!(self, Self::NotAffected | Self::Fixed)
    }
}

/// One statement about one or more advisories and products.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Every name of the advisory.
    pub names: Vec<String>,
    /// What it speaks of.
    pub products: Vec<Product>,
    /// What it says.
    pub status: Status,
    /// The machine-readable reason.
    pub justification: Option<String>,
    /// The reason in prose.
    pub detail: Option<String>,
    /// When it was made; the epoch where nobody says.
    pub at: Timestamp,
}

/// A document of statements.
#[derive(Debug, Clone, PartialEq)]
pub struct Vex {
    /// Who says it.
    pub author: Option<String>,
    /// What is said.
    pub statements: Vec<Statement>,
    /// What could not be used, for a person.
    pub problems: Vec<String>,
}

/// Why a file is no VEX document.
#[derive(Debug, thiserror::Error)]
pub enum NotVex {
    /// Not JSON.
    #[error("not JSON")]
    Json(#[from] serde_json::Error),
    /// JSON of another kind.
    #[error("neither OpenVEX, nor a CycloneDX bill with analyses, nor CSAF")]
    Unknown,
}

/// Reads a document in any of the three forms.
pub fn read(text: &[u8]) -> Result<Vex, NotVex> {
    let value: Value = serde_json::from_slice(text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text))?;
    let context = value.get("@context").map(Value::to_string).unwrap_or_default();
    if context.contains("openvex") {
        Ok(openvex::read(&value))
    } else if value.get("bomFormat").and_then(Value::as_str) == Some("CycloneDX") {
        Ok(cyclonedx::read(&value))
    } else if value.pointer("/document/csaf_version").is_some() {
        Ok(csaf::read(&value))
    } else {
        Err(NotVex::Unknown)
    }
}

impl Vex {
    /// Takes a statement that says of what it speaks; `place` tells a person where it stands.
    fn take(&mut self, place: &str, statement: Statement) {
        if statement.names.is_empty() {
            self.problems.push(format!("{place} names no vulnerability: not used"));
        } else if statement.products.is_empty() {
            self.problems.push(format!("{place} names no product by a package URL: not used"));
        } else {
            self.statements.push(statement);
        }
    }
}

/// Where something stands in a document: the how manyth it is, and the vulnerability that it is about.
fn place(what: &str, number: usize, names: &[String]) -> String {
    match names.first() {
        Some(name) => format!("{what} {number}, on {},", crate::inventory::quote(name).trim_matches('"')),
        None => format!("{what} {number}"),
    }
}

/// All statements that a scan was given, with the document each comes from.
#[derive(Debug, Clone, Default)]
pub struct Statements {
    /// Document, statement, and whether it has spoken of anything.
    all: Vec<Given>,
}

type Given = (String, Option<String>, Statement, bool);

/// A statement that speaks of a finding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Said<'s> {
    /// The document's name.
    pub document: &'s str,
    /// Who says it.
    pub author: Option<&'s str>,
    /// What is said.
    pub statement: &'s Statement,
}

impl Statements {
    /// Adds a document.
    pub fn add(&mut self, document: &str, vex: Vex) {
        let author = vex.author;
        let with_origin = |statement| (document.to_owned(), author.clone(), statement, false);
        self.all.extend(vex.statements.into_iter().map(with_origin));
        self.all.sort_by_key(|(_, _, statement, _)| statement.at);
    }

    /// The statement that counts for a package with an advisory of these names. `product` restricts statements about parts of
    /// a product to that product.
    pub fn of<'n>(
        &mut self,
        names: impl Iterator<Item = &'n str> + Clone,
        purl: &str,
        product: Option<&str>,
    ) -> Option<Said<'_>> {
        let mut speak = Vec::new();
        for (at, (_, _, statement, used)) in self.all.iter_mut().enumerate() {
            let named = names.clone().any(|name| statement.names.iter().any(|other| other == name));
            if named && statement.products.iter().any(|one| one.is(purl, product)) {
                *used = true;
                speak.push(at);
            }
        }
        let spoken = speak.into_iter().filter_map(|at| self.all.get(at));
        let (document, author, statement, _) =
            spoken.reduce(|last, next| if holds(last, next) { last } else { next })?;
        Some(Said { document, author: author.as_deref(), statement })
    }

    /// How many statements have spoken of nothing.
    pub fn idle(&self) -> usize {
        self.all.iter().filter(|(_, _, _, used)| !used).count()
    }
}

/// Whether a statement still counts beside one that stands behind it: of one document at one instant neither is the later one.
fn holds((document, _, last, _): &Given, (other, _, next, _): &Given) -> bool {
    (document, last.at) == (other, next.at) && !last.status.rules_out() && next.status.rules_out()
}

/// A string at a pointer, if it is one and not empty.
fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

/// The list at a pointer; nothing where there is none.
fn list<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// A time as RFC 3339 writes it.
fn time(text: Option<&str>) -> Option<Timestamp> {
    text.and_then(|text| text.parse().ok())
}

#[cfg(test)]
mod tests;
