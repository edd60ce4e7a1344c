//! Reads records as databases write them, faster than by [`serde`], which is asked about everything else.
//!
//! It knows less and never more: what it reads, serde reads the same; what is odd (`None`) is for serde to read or to refuse with a
//! reason. Start reading at [`record`].

use super::json::Reader;
use super::specific::{Affects, Count, Import, Imports, Names, Specific, Word};
use super::{Affected, Event, Package, Range, Record, Reference, Severity, Text};

/// Reads an object's members into the fields of a value; answers which of them were there. What is there twice is odd.
macro_rules! members {
    ($reader:ident, $into:ident, { $($name:literal => $field:ident: $read:expr,)* }) => {{
        #[derive(Default)]
        struct Seen { $($field: bool,)* }
        let mut seen = Seen::default();
        $reader.object(|reader, name| {
            match name {
                $($name => {
                    if std::mem::replace(&mut seen.$field, true) {
                        return None;
                    }
                    $into.$field = $read(reader)?;
                })*
                _ => reader.skip()?,
            }
            Some(())
        })?;
        seen
    }};
}

/// Reads one record.
pub(super) fn record(text: &str) -> Option<Record<'_>> {
    let reader = &mut Reader::new(text);
    let mut one = Record::default();
    let seen = members!(reader, one, {
        "id" => id: string,
        "modified" => modified: string,
        "published" => published: |r| or_default(r, string),
        "withdrawn" => withdrawn: optional,
        "aliases" => aliases: |r| list(r, string),
        "upstream" => upstream: |r| list(r, string),
        "related" => related: |r| list(r, string),
        "summary" => summary: |r| or_default(r, string),
        "details" => details: |r| or_default(r, string),
        "severity" => severity: |r| list(r, severity),
        "affected" => affected: |r| list(r, affected),
        "references" => references: |r| list(r, reference),
        "database_specific" => database_specific: |r| or_default(r, specific),
    });
    let is_whole = seen.id && seen.modified && reader.peek().is_none();
    is_whole.then_some(one)
}

fn affected<'a>(reader: &mut Reader<'a>) -> Option<Affected<'a>> {
    let mut one = Affected::default();
    members!(reader, one, {
        "package" => package: |r| or_default(r, |r| package(r).map(Some)),
        "severity" => severity: |r| list(r, severity),
        "ranges" => ranges: |r| list(r, range),
        "versions" => versions: |r| list(r, string),
        "ecosystem_specific" => ecosystem_specific: |r| or_default(r, specific),
        "database_specific" => database_specific: |r| or_default(r, specific),
    });
    Some(one)
}

fn package<'a>(reader: &mut Reader<'a>) -> Option<Package<'a>> {
    let mut one = Package::default();
    let seen = members!(reader, one, { "ecosystem" => ecosystem: string, "name" => name: string, });
    (seen.ecosystem && seen.name).then_some(one)
}

fn range<'a>(reader: &mut Reader<'a>) -> Option<Range<'a>> {
    let mut one = Range::default();
    let seen = members!(reader, one, { "type" => kind: string, "events" => events: |r| list(r, event), });
    seen.kind.then_some(one)
}

fn event<'a>(reader: &mut Reader<'a>) -> Option<Event<'a>> {
    let mut one = Event::default();
    members!(reader, one, {
        "introduced" => introduced: optional,
        "fixed" => fixed: optional,
        "last_affected" => last_affected: optional,
        "limit" => limit: optional,
    });
    Some(one)
}

fn severity<'a>(reader: &mut Reader<'a>) -> Option<Severity<'a>> {
    let mut one = Severity::default();
    let seen = members!(reader, one, { "type" => kind: string, "score" => score: string, });
    (seen.kind && seen.score).then_some(one)
}

fn reference<'a>(reader: &mut Reader<'a>) -> Option<Reference<'a>> {
    let mut one = Reference::default();
    let seen = members!(reader, one, { "type" => kind: |r| or_default(r, string), "url" => url: string, });
    seen.url.then_some(one)
}

fn specific<'a>(reader: &mut Reader<'a>) -> Option<Specific<'a>> {
    let mut one = Specific::default();
    members!(reader, one, {
        "severity" => severity: word,
        "informational" => informational: word,
        "cvss" => cvss: word,
        "imports" => imports: |r| loose_list(r, import).map(Imports),
        "affects" => affects: affects,
        "affected_functions" => affected_functions: names,
        "cwe_ids" => cwe_ids: names,
        "malicious-packages-origins" => malicious_origins: |r| loose_list(r, Reader::skip).map(|all| Count(all.len())),
    });
    Some(one)
}

fn import<'a>(reader: &mut Reader<'a>) -> Option<Import<'a>> {
    let mut one = Import::default();
    if !reader.has(b'{')? {
        return Some(one);
    }
    members!(reader, one, {
        "path" => path: word,
        "symbols" => symbols: names,
        "attribute" => attribute: word,
        "modules" => modules: names,
    });
    Some(one)
}

fn affects<'a>(reader: &mut Reader<'a>) -> Option<Affects<'a>> {
    let mut one = Affects::default();
    if reader.has(b'{')? {
        members!(reader, one, { "functions" => functions: names, });
    }
    Some(one)
}

fn names<'a>(reader: &mut Reader<'a>) -> Option<Names<'a>> {
    let words = loose_list(reader, word)?.into_iter().filter_map(|Word(name)| name);
    Some(Names(words.filter(|name| !name.trim().is_empty()).collect()))
}

fn word<'a>(reader: &mut Reader<'a>) -> Option<Word<'a>> {
    Some(Word(if reader.has(b'"')? { Some(reader.string()?) } else { None }))
}

/// A list where one stands; anything else is as good as an empty one.
fn loose_list<'a, T>(reader: &mut Reader<'a>, read: impl Fn(&mut Reader<'a>) -> Option<T>) -> Option<Vec<T>> {
    if reader.has(b'[')? { list(reader, read) } else { Some(Vec::new()) }
}

/// A list, or `null` for an empty one.
fn list<'a, T>(reader: &mut Reader<'a>, read: impl Fn(&mut Reader<'a>) -> Option<T>) -> Option<Vec<T>> {
    or_default(reader, |reader| {
        let mut all = Vec::new();
        reader.array(|reader| {
            all.push(read(reader)?);
            Some(())
        })?;
        Some(all)
    })
}

fn string<'a>(reader: &mut Reader<'a>) -> Option<Text<'a>> {
    reader.string().map(Text)
}

fn optional<'a>(reader: &mut Reader<'a>) -> Option<Option<Text<'a>>> {
    or_default(reader, |reader| string(reader).map(Some))
}

fn or_default<'a, T: Default>(reader: &mut Reader<'a>, read: impl Fn(&mut Reader<'a>) -> Option<T>) -> Option<T> {
    if reader.peek()? == b'n' {
        reader.literal("null")?;
        return Some(T::default());
    }
    read(reader)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WHOLE: &str = r#"{
        "id": "A-1", "modified": "2026-01-01T00:00:00Z", "published": null, "withdrawn": null, "schema_version": "1.7.3",
        "aliases": ["CVE-2026-1", "GHSA-é"], "upstream": [], "related": null, "credits": [{"name": "x", "contact": []}],
        "summary": "Tab\tquote\"é\u00e9\ud83d\ude00 end", "details": "\\\/\b\f\n\r\u0000",
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N"}],
        "affected": [{
            "package": {"ecosystem": "npm", "name": "left", "purl": "pkg:npm/left"},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.2"}, {"limit": null}, {}]}],
            "versions": ["1.0", "1.1"],
            "ecosystem_specific": {"imports": [{"path": "a", "symbols": ["B", " ", null]}, "c", null], "affects": {"functions": ["f"]}},
            "database_specific": {"cvss": null, "score": [-1.5e+3, 0, 12, 0.5, true, false], "severity": ["x"], "affects": "x"}
        }, {"package": null}],
        "references": [{"type": "WEB", "url": "https://example.org"}, {"url": ""}],
        "database_specific": {"severity": "HIGH", "affected_functions": ["a.b"], "informational": {"a": {"b": []}},
            "cwe_ids": ["CWE-506", null], "malicious-packages-origins": [{"source": "x", "versions": ["1"]}, null]}
    }"#;

    /// Answers whether it was read; if it was, serde reads the same.
    #[track_caller]
    fn is_plain(text: &str) -> bool {
        let read = record(text);
        if read.is_some() {
            assert_eq!(read, serde_json::from_str(text).ok(), "{text}");
        }
        read.is_some()
    }

    #[test]
    fn what_databases_write_is_read() {
        assert!(is_plain(WHOLE));
        assert!(is_plain(&WHOLE.replace(['\n', '\r'], "")));
        assert!(is_plain(r#"{"id":"A","modified":""}"#));
    }

    #[test]
    fn what_is_odd_is_left_to_serde() {
        for (member, why) in [
            (r#""id": "B""#, "twice"),
            (r#""\u0069d": "B""#, "an escape in a name"),
            (r#""aliases": "CVE-2026-1""#, "no list"),
            (r#""aliases": [1]"#, "no texts"),
            (r#""aliases": ["a",]"#, "a comma too many"),
            (r#""aliases": ["a" "b"]"#, "a comma too few"),
            (r#""summary": "\x""#, "no escape"),
            (r#""summary": "\ud800""#, "half a character"),
            (r#""summary": "\ud800\u0041""#, "half a character"),
            (r#""summary": "\u00g0""#, "no digits"),
            ("\"summary\": \"a\tb\"", "a control character"),
            (r#""other": 01"#, "no number"),
            (r#""other": 1."#, "no number"),
            (r#""other": -"#, "no number"),
            (r#""other": 1e"#, "no number"),
            (r#""other": nul"#, "no word"),
            (r#""other": "\q""#, "no escape where nothing is kept"),
            (r#""affected": [["npm", "left"]]"#, "a struct as a list, which serde reads"),
            (r#""affected": [{"package": {"name": "left"}}]"#, "a package without ecosystem"),
            (r#""affected": [{"ranges": [{"events": []}]}]"#, "a range without type"),
            (r#""references": [{"type": "WEB"}]"#, "a reference without address"),
            (r#""severity": [{"score": "x"}]"#, "a score without type"),
            (r#""database_specific": {"severity": 1e999}"#, "a number that no f64 holds"),
        ] {
            assert!(!is_plain(&format!(r#"{{"id": "A", "modified": "", {member}}}"#)), "{why}: {member}");
        }
        for text in ["", "{", "[]", r#"{"id": "A"}"#, r#"{"modified": ""}"#, r#"{"id": "A", "modified": ""} x"#] {
            assert!(!is_plain(text), "{text}");
        }
        let deep = format!(r#"{{"id": "A", "modified": "", "other": {}}}"#, "[".repeat(100_000));
        assert!(!is_plain(&deep));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_damaged_record_is_read_as_serde_reads_it(at in 0..WHOLE.len(), length in 0_usize..4, new in "[\\PC\"\\\\{},:\\[\\]0-9\t]{0,2}") {
            let bytes = WHOLE.as_bytes();
            let end = (at + length).min(bytes.len());
            let text = [&bytes[..at], new.as_bytes(), &bytes[end..]].concat();
            if let Ok(text) = std::str::from_utf8(&text) {
                is_plain(text);
            }
        }
    }
}
