//! An upload as it is taken in: the document of the contract, but that what its files list is packed while it is read.
//!
//! Pure. A document lists hundreds of thousands of packages, and their plain form is many times as large as their text. So one
//! file's list at a time is read, held to the bounds of the contract and packed as the events carry it; the rest of the document
//! is as it came. Start reading at [`Upload::new`].

use std::fmt;

use aiva_chassis::http::Turn;
use aiva_contracts::api::{
    DocumentAdvisories, DocumentFinding, DocumentInput, DocumentLeftOut, DocumentListing, DocumentPackage,
    DocumentSchema, DocumentSummary, ScanDocument,
};
use aiva_contracts::bounds::{Check, MOST, Violation, present};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::contents::{self, Listing};

/// The most files of one document that list something (api: DocumentContents).
const MOST_FILES: usize = 200_000;

/// A [`ScanDocument`] whose contents are packed; not yet held to all bounds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Received {
    schema: DocumentSchema,
    advisories: DocumentAdvisories,
    inputs: Vec<DocumentInput>,
    #[serde(default, deserialize_with = "present")]
    packages: Option<Vec<DocumentPackage>>,
    findings: Vec<DocumentFinding>,
    summary: DocumentSummary,
    #[serde(default, deserialize_with = "present")]
    contents: Option<Contents>,
}

/// What the files list, packed, and what broke a bound on the way.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) files: Vec<Listing>,
    pub(crate) left_out: Option<DocumentLeftOut>,
    violations: Vec<Violation>,
}

/// An upload that keeps the contract.
#[derive(Debug)]
pub struct Upload {
    pub(crate) inputs: Vec<DocumentInput>,
    pub(crate) findings: Vec<DocumentFinding>,
    pub(crate) summary: DocumentSummary,
    /// When the newest advisories were imported that it was judged by; 0 if by none.
    pub(crate) knowledge_unix_micros: i64,
    /// What the files list, as parts of events; nothing where the document does not say.
    pub(crate) parts: Option<Vec<Vec<u8>>>,
    /// Others wait for as long as this is in memory.
    _turn: Option<Turn>,
}

impl Upload {
    /// Holds a document to the contract; `turn` is given back when the upload is dropped.
    ///
    /// # Errors
    /// Everything that breaks a bound.
    pub fn new(received: Received, turn: Option<Turn>) -> Result<Self, Vec<Violation>> {
        let Received { schema, advisories, inputs, packages, findings, summary, mut contents } = received;
        let rest = ScanDocument { schema, advisories, inputs, packages, findings, summary, contents: None };
        let mut violations = rest.violations();
        let ScanDocument { advisories, inputs, findings, summary, .. } = rest;
        if let Some(contents) = &mut contents {
            violations.append(&mut contents.violations);
        }
        if let Some(contents) = contents.as_ref().filter(|_| violations.is_empty()) {
            violations.extend(contents::stray(&inputs, &contents.files));
        }
        if !violations.is_empty() {
            return Err(violations);
        }
        let imported = advisories.ecosystems.iter().map(|held| held.imported_at.as_microsecond());
        let knowledge_unix_micros = imported.max().unwrap_or(0);
        let parts = contents.map(|contents| contents::parts(&inputs, &findings, contents));
        Ok(Self { inputs, findings, summary, knowledge_unix_micros, parts, _turn: turn })
    }
}

impl<'de> Deserialize<'de> for Contents {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

/// Reads the two fields of contents.
struct Fields;

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Field {
    Files,
    LeftOut,
}

impl<'de> Visitor<'de> for Fields {
    type Value = Contents;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("struct DocumentContents")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Contents, A::Error> {
        let (mut files, mut left_out) = (None, None);
        while let Some(field) = map.next_key()? {
            match field {
                Field::Files if files.is_some() => return Err(A::Error::duplicate_field("files")),
                Field::Files => files = Some(map.next_value::<Files>()?),
                Field::LeftOut if left_out.is_some() => return Err(A::Error::duplicate_field("left_out")),
                Field::LeftOut => left_out = Some(map.next_value::<DocumentLeftOut>()?),
            }
        }
        let Files { files, mut violations } = files.ok_or_else(|| A::Error::missing_field("files"))?;
        let found = left_out.iter().flat_map(Check::violations);
        violations.extend(found.map(|found| below("/contents/left_out", found)));
        Ok(Contents { files, left_out, violations })
    }
}

/// The lists of all files, packed one after the other.
#[derive(Default)]
struct Files {
    files: Vec<Listing>,
    violations: Vec<Violation>,
}

impl<'de> Deserialize<'de> for Files {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Each)
    }
}

/// Reads and packs each file's list.
struct Each;

impl<'de> Visitor<'de> for Each {
    type Value = Files;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Files, A::Error> {
        let mut all = Files::default();
        while let Some(listing) = list.next_element::<DocumentListing>()? {
            let at = all.files.len();
            if at == MOST_FILES {
                let message = format!("has more than {MOST_FILES} items");
                all.violations.push(Violation { pointer: "/contents/files".to_owned(), message });
            }
            if all.violations.len() < MOST {
                let found = listing.violations().into_iter();
                all.violations.extend(found.map(|found| below(&format!("/contents/files/{at}"), found)));
            }
            // What breaks a bound is refused as a whole, so that its lists need no room.
            all.files.push(if all.violations.is_empty() { Listing::of(listing) } else { Listing::default() });
        }
        Ok(all)
    }
}

fn below(place: &str, found: Violation) -> Violation {
    Violation { pointer: format!("{place}{}", found.pointer), ..found }
}
