//! Tests over every text that the list was made from.

use rayon::prelude::*;

use super::data::told;
use super::*;

/// Every licence of the list, with its text; those too that it has given up.
pub(super) fn texts() -> impl Iterator<Item = (&'static str, &'static str)> {
    let all = spdx::identifiers::LICENSES.iter().filter(|licence| licence.name != "NOASSERTION"); // no licence, no text
    all.filter_map(|licence| spdx::license_id(licence.name).map(|id| (id.name, id.text())))
}

/// How many of the texts are recognised after a change, in percent, as the very licence or one with the same words.
#[track_caller]
fn recognised(change: &str, least: usize, changed: impl Fn(&str) -> String + Sync) {
    use rayon::prelude::*;
    // A sample: the whole list takes most of a minute in an unoptimised build.
    let texts: Vec<(&str, &str)> = texts().step_by(6).collect();
    let all = texts.len();
    let wrong: Vec<String> = texts
        .into_par_iter()
        .filter_map(|(name, text)| match recognise(&changed(text)) {
            Ok(found) if found.licences.iter().any(|one| *one == told(name) || same_words(one, text)) => None,
            Ok(found) => Some(format!("{name} as {:?}", found.licences)),
            Err(_) => Some(format!("{name} not at all")),
        })
        .collect();
    let right = all - wrong.len();
    println!("{change}: {right} of {all}");
    assert!(right * 100 >= all * least, "{change}: {right} of {all}; {}", wrong.join(", "));
}

/// Licences whose text has the words of another one, and is told as that. What has been replaced stands in `data`.
const SAME_WORDS: [(&str, &str); 18] = [
    ("CAL-1.0-Combined-Work-Exception", "CAL-1.0"),
    ("GFDL-1.1-invariants", "GFDL-1.1-only"),
    ("GFDL-1.1-invariants-only", "GFDL-1.1-only"),
    ("GFDL-1.1-no-invariants", "GFDL-1.1-only"),
    ("GFDL-1.1-no-invariants-only", "GFDL-1.1-only"),
    ("GFDL-1.2-invariants", "GFDL-1.2-only"),
    ("GFDL-1.2-invariants-only", "GFDL-1.2-only"),
    ("GFDL-1.2-no-invariants", "GFDL-1.2-only"),
    ("GFDL-1.2-no-invariants-only", "GFDL-1.2-only"),
    ("GFDL-1.3-invariants", "GFDL-1.3-only"),
    ("GFDL-1.3-invariants-only", "GFDL-1.3-only"),
    ("GFDL-1.3-no-invariants", "GFDL-1.3-only"),
    ("GFDL-1.3-no-invariants-only", "GFDL-1.3-only"),
    ("MPL-2.0-no-copyleft-exception", "MPL-2.0"),
    ("OFL-1.0-RFN", "OFL-1.0"),
    ("OFL-1.0-no-RFN", "OFL-1.0"),
    ("OFL-1.1-RFN", "OFL-1.1"),
    ("OFL-1.1-no-RFN", "OFL-1.1"),
];

/// Paragraph by paragraph in lines of at most so many characters.
fn wrapped(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        for word in line.split_whitespace() {
            let length = word.chars().count();
            if column > 0 {
                let fits = column + 1 + length <= width;
                out.push(if fits { ' ' } else { '\n' });
                column = if fits { column + 1 } else { 0 };
            }
            out.push_str(word);
            column += length;
        }
        if line.trim().is_empty() || lines.peek().is_none() {
            out.push_str("\n\n");
            column = 0;
        }
    }
    out
}

#[test]
fn every_text_is_told_as_what_it_is() {
    let copyright = |text: &str| format!("Copyright (c) 2019-2026 Example Inc.\nAll rights reserved.\n\n{text}");
    type Change<'c> = &'c (dyn Fn(&str) -> String + Sync);
    let ways: [(&str, Change<'_>); 3] =
        [("as it is", &str::to_owned), ("rewrapped", &|text| wrapped(text, 60)), ("with a copyright", &copyright)];
    let texts: Vec<(&str, &str)> = texts().collect();
    let wrong: Vec<String> = texts
        .into_par_iter()
        .flat_map_iter(|(name, text)| ways.iter().map(move |(way, change)| (name, *way, change(text))))
        .filter_map(|(name, way, text)| {
            let want = told(name);
            let same = SAME_WORDS.iter().find(|(one, _)| *one == want);
            let want = same.map_or(&*want, |(_, other)| other);
            match recognise(&text) {
                Ok(found) if found.licences == [want] && found.rider.is_none() => None,
                other => Some(format!("{name} {way}: {other:?}")),
            }
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (one, other) in SAME_WORDS {
        assert!(same_words(one, spdx::license_id(other).unwrap().text()), "{one}, {other}");
    }
}

fn same_words(name: &str, text: &str) -> bool {
    spdx::license_id(name).is_some_and(|id| runs(id.text()) == runs(text))
}

#[test]
fn every_text_of_the_list_is_recognised_however_it_is_laid_out() {
    let wrapped = |width: usize| {
        move |text: &str| {
            let mut out = String::new();
            let mut column = 0;
            for word in text.split_whitespace() {
                if column + word.len() > width {
                    out.push_str("\n# ");
                    column = 0;
                }
                out.push_str(word);
                out.push(' ');
                column += word.len() + 1;
            }
            out
        }
    };
    recognised("capitals", 99, str::to_uppercase);
    recognised("wrapped as a comment", 95, wrapped(50));
    recognised("a tenth cut off", 90, |text| {
        let words: Vec<&str> = text.split_inclusive(char::is_whitespace).collect();
        words[..words.len() * 9 / 10].concat()
    });
    recognised("one word in fifty replaced", 85, |text| {
        let word = |(at, word): (usize, &str)| if at % 50 == 49 { "replaced ".to_owned() } else { word.to_owned() };
        text.split_inclusive(char::is_whitespace).enumerate().map(word).collect()
    });
}
