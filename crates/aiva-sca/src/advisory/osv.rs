//! OSV records (ossf.github.io/osv-schema, 1.7), borrowed from the JSON text that they were read from.
//!
//! Only what AIVA uses; unknown fields are passed over, `null` stands for absent. [`parse`] refuses what is not a record, with a
//! reason that names the field.

mod json;
mod plain;
mod specific;

use std::borrow::Cow;

use serde::de::Deserializer;
use serde::{Deserialize, Serialize};

pub use self::specific::{Affects, Count, Import, Imports, Names, Specific, Word};

/// Why a text is not an OSV record.
#[derive(Debug, thiserror::Error)]
pub enum NotOsv {
    /// Not UTF-8.
    #[error("not an OSV record: {0}")]
    Text(#[from] std::str::Utf8Error),
    /// Not JSON, or a field of another type than the schema says.
    #[error("not an OSV record: {0}")]
    Json(#[from] serde_json::Error),
    /// An empty `id`.
    #[error("not an OSV record: its id is empty")]
    NoId,
}

/// Reads one record.
pub fn parse(text: &[u8]) -> Result<Record<'_>, NotOsv> {
    // Checked once as a whole, which costs less than string by string.
    let text = std::str::from_utf8(text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text))?;
    let record: Record<'_> = match plain::record(text) {
        Some(record) => {
            debug_assert_eq!(serde_json::from_str(text).ok().as_ref(), Some(&record), "both read the same");
            record
        }
        None => serde_json::from_str(text)?,
    };
    if record.id.trim().is_empty() {
        return Err(NotOsv::NoId);
    }
    Ok(record)
}

/// A string that is copied only if the JSON escapes something in it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// One advisory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "fields are named and meant as in the schema")]
pub struct Record<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub modified: Text<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub published: Text<'a>,
    #[serde(borrow, default)]
    pub withdrawn: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub aliases: Vec<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub upstream: Vec<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub related: Vec<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub summary: Text<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub details: Text<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub severity: Vec<Severity<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub affected: Vec<Affected<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub references: Vec<Reference<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub database_specific: Specific<'a>,
}

/// What one package has to do with the advisory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "fields are named and meant as in the schema")]
pub struct Affected<'a> {
    #[serde(borrow, default)]
    pub package: Option<Package<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub severity: Vec<Severity<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub ranges: Vec<Range<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub versions: Vec<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub ecosystem_specific: Specific<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub database_specific: Specific<'a>,
}

/// Which package.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "fields are named and meant as in the schema")]
pub struct Package<'a> {
    #[serde(borrow)]
    pub ecosystem: Text<'a>,
    #[serde(borrow)]
    pub name: Text<'a>,
}

/// Events on one version line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "fields are named and meant as in the schema")]
pub struct Range<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub events: Vec<Event<'a>>,
}

/// One event; exactly one field is set in a valid record, several are read as several events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "fields are named and meant as in the schema")]
pub struct Event<'a> {
    #[serde(borrow, default)]
    pub introduced: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub fixed: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub last_affected: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub limit: Option<Text<'a>>,
}

/// A severity in some notation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "fields are named and meant as in the schema")]
pub struct Severity<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow)]
    pub score: Text<'a>,
}

/// Where to read on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "fields are named and meant as in the schema")]
pub struct Reference<'a> {
    #[serde(borrow, default, rename = "type", deserialize_with = "or_default")]
    pub kind: Text<'a>,
    #[serde(borrow)]
    pub url: Text<'a>,
}

fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
