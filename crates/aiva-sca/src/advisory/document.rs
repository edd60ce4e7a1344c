//! The documents in an index's blocks: what is known of an advisory beyond what is needed to match it, in a plain binary form.
//!
//! Texts and lists stand behind their lengths, in the order of the fields; an absent text is an empty list. Reading checks every
//! length, so that a forged document is no document.

use std::borrow::Cow;

use super::index::{Details, PackageDetails};
use super::layout::{Cursor, push_bytes, push_varint};

type Text<'a> = Cow<'a, str>;

/// Appends a document.
pub(super) fn write(out: &mut Vec<u8>, details: &Details<'_>) {
    let Details { id, aliases, related, summary, description, references, published, modified, packages } = details;
    push_varint(out, packages.len() as u64);
    for PackageDetails { name, ranges, fixed, vectors, word, undecidable, symbols, more_symbols } in packages {
        push_bytes(out, name.as_bytes());
        for list in [ranges, fixed, vectors] {
            push_list(out, list);
        }
        push_list(out, word.as_slice());
        push_list(out, undecidable);
        push_list(out, symbols);
        push_varint(out, *more_symbols);
    }
    push_bytes(out, id.as_bytes());
    push_list(out, aliases);
    push_list(out, related);
    push_bytes(out, summary.as_bytes());
    push_bytes(out, description.as_bytes());
    push_list(out, references);
    push_list(out, published.as_slice());
    push_bytes(out, modified.as_bytes());
}

fn push_list(out: &mut Vec<u8>, texts: &[Text<'_>]) {
    push_varint(out, texts.len() as u64);
    texts.iter().for_each(|text| push_bytes(out, text.as_bytes()));
}

/// Reads a document; `None` if it is none.
pub(super) fn read(document: &[u8]) -> Option<Details<'static>> {
    let mut cursor = Cursor(document);
    let packages = packages(&mut cursor)?;
    let details = Details {
        id: text(&mut cursor)?,
        aliases: list(&mut cursor)?,
        related: list(&mut cursor)?,
        summary: text(&mut cursor)?,
        description: text(&mut cursor)?,
        references: list(&mut cursor)?,
        published: list(&mut cursor)?.pop(),
        modified: text(&mut cursor)?,
        packages,
    };
    cursor.0.is_empty().then_some(details)
}

/// The packages that a document is about, which stand at its start.
pub(super) fn packages(cursor: &mut Cursor<'_>) -> Option<Vec<PackageDetails<'static>>> {
    (0..cursor.length()?)
        .map(|_| {
            Some(PackageDetails {
                name: text(cursor)?,
                ranges: list(cursor)?,
                fixed: list(cursor)?,
                vectors: list(cursor)?,
                word: list(cursor)?.pop(),
                undecidable: list(cursor)?,
                symbols: list(cursor)?,
                more_symbols: cursor.varint()?,
            })
        })
        .collect()
}

fn text(cursor: &mut Cursor<'_>) -> Option<Text<'static>> {
    std::str::from_utf8(cursor.bytes()?).ok().map(|text| Cow::Owned(text.to_owned()))
}

fn list(cursor: &mut Cursor<'_>) -> Option<Vec<Text<'static>>> {
    (0..cursor.length()?).map(|_| text(cursor)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_as_it_was_written_and_not_at_all_where_it_was_cut() {
        let texts = |count: usize| (0..count).map(|at| Cow::Owned("é".repeat(at * 70))).collect::<Vec<Text<'_>>>();
        let package = |word: Option<&'static str>| PackageDetails {
            name: "left".into(),
            ranges: texts(3),
            fixed: texts(0),
            vectors: texts(1),
            word: word.map(Cow::Borrowed),
            undecidable: texts(2),
            symbols: texts(3),
            more_symbols: 300,
        };
        let details = Details {
            id: "A-1".into(),
            aliases: texts(2),
            related: Vec::new(),
            summary: "".into(),
            description: "long ".repeat(100).into(),
            references: texts(4),
            published: None,
            modified: "2026-01-01T00:00:00Z".into(),
            packages: vec![package(None), package(Some("HIGH"))],
        };
        for details in [details.clone(), Details { published: Some("2025".into()), packages: Vec::new(), ..details }] {
            let mut bytes = Vec::new();
            write(&mut bytes, &details);
            assert_eq!(read(&bytes), Some(details));
            assert!((0..bytes.len()).all(|length| read(&bytes[..length]).is_none()));
            bytes.push(0);
            assert_eq!(read(&bytes), None);
        }
    }
}
