//! What the TOML manifests share: a document with its lines, and its tables whatever way they are written.

use toml_edit::{Document, Item, TableLike, Value};

use super::reading::Fault;

/// A TOML manifest that knows the line of everything in it.
pub(crate) struct Manifest {
    document: Document<String>,
    breaks: Vec<usize>,
}

impl Manifest {
    /// Reads a manifest, or says why it is none.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let breaks: Vec<usize> = memchr::memchr_iter(b'\n', text.as_bytes()).collect();
        match Document::parse(text.to_owned()) {
            Ok(document) => Ok(Self { document, breaks }),
            Err(error) => {
                let line = error.span().map_or(0, |span| line(&breaks, span.start));
                Err(Fault::new(line, format!("not TOML: {}", error.message().replace('\n', "; "))))
            }
        }
    }

    /// The table at this path.
    pub(crate) fn table(&self, path: &[&str]) -> Option<&dyn TableLike> {
        let mut table: &dyn TableLike = self.document.as_table();
        for part in path {
            table = table.get(part)?.as_table_like()?;
        }
        Some(table)
    }

    /// The string at this path.
    pub(crate) fn string(&self, path: &[&str]) -> Option<&str> {
        let (last, path) = path.split_last()?;
        self.table(path)?.get(last)?.as_str()
    }

    /// The keys of a table with their values and lines.
    pub(crate) fn entries<'t>(&'t self, table: &'t dyn TableLike) -> impl Iterator<Item = (&'t str, &'t Item, u32)> {
        table.iter().map(move |(key, item)| (key, item, self.line(table, key, item)))
    }

    /// The line of a key of a table that has this value.
    pub(crate) fn line(&self, table: &dyn TableLike, key: &str, item: &Item) -> u32 {
        let span = table.key(key).and_then(toml_edit::Key::span).or_else(|| item.span());
        span.map_or(0, |span| line(&self.breaks, span.start))
    }

    /// The values of an array with their lines.
    pub(crate) fn values<'t>(&'t self, item: &'t Item) -> impl Iterator<Item = (&'t Value, u32)> {
        let values = item.as_array().into_iter().flat_map(toml_edit::Array::iter);
        values.map(|value| (value, value.span().map_or(0, |span| line(&self.breaks, span.start))))
    }

    /// The strings of an array with their lines.
    pub(crate) fn strings<'t>(&'t self, item: &'t Item) -> impl Iterator<Item = (&'t str, u32)> {
        self.values(item).filter_map(|(value, line)| Some((value.as_str()?, line)))
    }
}

fn line(breaks: &[usize], at: usize) -> u32 {
    u32::try_from(breaks.partition_point(|end| *end < at) + 1).unwrap_or(u32::MAX)
}
