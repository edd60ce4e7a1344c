//! Recognises a licence by its text.
//!
//! Every text of the SPDX list is known as the set of its runs of three words, hashed; the sets are kept as one inverted index
//! (run to licences), so that a text costs one look-up a run, whatever the length of the list. Line breaks, capitals,
//! punctuation, list markers, comment signs and copyright lines do not count. The likeness is Dice's: 1 for the text itself.
//!
//! The data is made from the list by [`compile`]; a test holds that the committed file is what it makes.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

use super::rider::{COMMONS_CLAUSE, COMMONS_CLAUSE_NAME, Known, harmless, rider};

/// A likeness from which on the whole text is that licence.
pub const WHOLE: f32 = 0.9;

/// The part of a licence that must be there for it to be in the text beside others.
const PART: f32 = 0.93;

/// How much of that part no licence that was found before it has: MIT-0 is not found in MIT, ISC shares four words in ten with MIT
/// and OpenSSL.
const OF_ITS_OWN: f32 = 0.55;

/// How much of a short text is there where it stands beside a licence.
const MOST: f32 = 0.7;

/// A licence of fewer runs is not looked for inside a longer text: it would be found by chance.
const SHORTEST_PART: u32 = 30;

/// The most licences that one text is taken apart into.
const MOST_PARTS: usize = 8;

static LIST: LazyLock<List> = LazyLock::new(|| {
    List::open(include_bytes!("../../data/licences.bin")).expect("the committed list is what `compile` made")
});

/// The runs of texts that may stand beside a licence.
static HARMLESS: LazyLock<Vec<Vec<u32>>> = LazyLock::new(|| harmless().map(runs).collect());

/// What a text is.
#[derive(Debug, Clone, PartialEq)]
pub struct Recognised {
    /// SPDX identifiers; several when the text holds several licences.
    pub licences: Vec<&'static str>,
    /// The likeness of the least certain of them, 0 to 1.
    pub confidence: f32,
    /// What the text says besides that changes their terms, from its beginning: with that it is none of them alone.
    pub rider: Option<String>,
}

/// The licences whose text this is; `Err` has the nearest one, which it is not.
pub fn recognise(text: &str) -> Result<Recognised, Option<(&'static str, f32)>> {
    LIST.recognise(text)
}

/// A text of more words that is no known licence is taken for a licence that is not known.
const REMARK: usize = 100;

/// Whether a text in a licence file that is no known licence is not meant as one: a few words that forbid and demand nothing, such
/// as those that point at the files beside it.
pub fn is_remark(text: &str) -> bool {
    let words = words(text);
    if words.len() >= REMARK {
        return false;
    }
    let in_order = in_order(&words);
    let beside = sorted(HARMLESS.iter().filter(|text| is_in(text, &in_order)).flatten().copied().collect());
    rider(&words, &LIST.known(&words, &in_order, &[], &beside)).is_none()
}

/// Known licences by the runs of words in them.
#[derive(Debug, Default)]
struct List {
    names: Vec<String>,
    sizes: Vec<u32>,
    /// Sorted.
    runs: Vec<u32>,
    /// Beside each run: which of `groups`.
    group_of: Vec<u32>,
    /// Sets of licences that share runs.
    groups: Vec<Vec<u16>>,
}

impl List {
    fn recognise(&'static self, text: &str) -> Result<Recognised, Option<(&'static str, f32)>> {
        let words = words(text);
        let in_order = in_order(&words);
        let mut runs = sorted(in_order.clone());
        let shared = self.shared(&runs);
        let length = runs.len() as f32;
        let dice = |at: usize| 2.0 * shared[at] as f32 / (length + self.sizes[at] as f32);
        let best = (0..self.names.len()).max_by(|a, b| dice(*a).total_cmp(&dice(*b)).then(b.cmp(a)));
        let Some(best) = best.filter(|best| shared[*best] > 0) else { return Err(None) };
        let mut found = Recognised { licences: Vec::new(), confidence: 1.0, rider: None };
        if dice(best) >= WHOLE {
            found.licences.push(&self.names[best]);
            found.confidence = dice(best);
            runs.retain(|run| !self.has(*run, best));
        }
        // Several licences in one file, or one among other words: the one with the most in common is taken out first.
        while found.licences.len() < MOST_PARTS {
            let left = self.shared(&runs);
            let of_it = |count: u32, at: usize| count as f32 / self.sizes[at].max(1) as f32;
            let part = |at: usize| of_it(shared[at], at);
            let fits = |at: &usize| {
                self.sizes[*at] >= SHORTEST_PART && part(*at) >= PART && of_it(left[*at], *at) >= OF_ITS_OWN
            };
            // What it has that the text has not counts against it: MIT is in the text of JSON, and in most texts only MIT is.
            let worth = |at: usize| i64::from(left[at] + shared[at]) - i64::from(self.sizes[at]);
            let next = (0..self.names.len()).filter(fits).max_by_key(|at| (worth(*at), std::cmp::Reverse(*at)));
            let Some(next) = next else { break };
            let name = self.names[next].as_str();
            if !found.licences.contains(&name) {
                found.licences.push(name);
            }
            found.confidence = found.confidence.min(part(next));
            runs.retain(|run| !self.has(*run, next));
        }
        if found.licences.is_empty() {
            return Err(Some((&self.names[best], dice(best))));
        }
        let clause = clause_in(&in_order);
        found.rider = rider(&words, &self.known(&words, &in_order, &found.licences, clause));
        // Most texts have none: the texts that may stand beside are read only where there seems to be one.
        if found.rider.is_some() {
            let beside = HARMLESS.iter().filter(|text| is_in(text, &in_order)).flatten();
            let besides = sorted(clause.iter().chain(beside).copied().collect());
            found.rider = rider(&words, &self.known(&words, &in_order, &found.licences, &besides));
        }
        if !clause.is_empty() {
            found.licences.push(COMMONS_CLAUSE_NAME);
        }
        Ok(found)
    }

    /// Which words are in a run that one of these licences has, or among the other known runs, and which begin a usual wording.
    fn known(&self, words: &[String], in_order: &[u32], licences: &[&str], others: &[u32]) -> Known {
        let mut known = vec![false; words.len()];
        let is_usual = |run: &u32| others.binary_search(run).is_ok() || !self.licences(*run).is_empty();
        let usual = in_order.iter().map(is_usual).collect();
        for (at, run) in in_order.iter().enumerate() {
            let of_them = |one: &u16| self.names.get(usize::from(*one)).is_some_and(|name| licences.contains(&&**name));
            if others.binary_search(run).is_ok() || self.licences(*run).iter().any(of_them) {
                known.iter_mut().skip(at).take(RUN).for_each(|known| *known = true);
            }
        }
        Known { words: known, usual }
    }

    /// How many of the runs each licence has.
    fn shared(&self, runs: &[u32]) -> Vec<u32> {
        let mut shared = vec![0; self.names.len()];
        for run in runs {
            for licence in self.licences(*run) {
                shared[usize::from(*licence)] += 1;
            }
        }
        shared
    }

    fn licences(&self, run: u32) -> &[u16] {
        match self.runs.binary_search(&run) {
            Ok(at) => &self.groups[self.group_of[at] as usize],
            Err(_) => &[],
        }
    }

    fn has(&self, run: u32, licence: usize) -> bool {
        self.licences(run).iter().any(|one| usize::from(*one) == licence)
    }

    /// Reads what [`compile`] wrote; `None` if it is anything else.
    fn open(bytes: &[u8]) -> Option<Self> {
        let (size, packed) = bytes.split_at_checked(4)?;
        let mut data = vec![0; u32::from_le_bytes(size.try_into().ok()?) as usize];
        let read = libdeflater::Decompressor::new().deflate_decompress(packed, &mut data).ok()?;
        let mut input = Input(data.get(..read)?);
        let mut list = Self::default();
        for _ in 0..input.number()? {
            let length = input.number()? as usize;
            list.names.push(String::from_utf8(input.take(length)?.to_vec()).ok()?);
            list.sizes.push(input.number()?);
        }
        for _ in 0..input.number()? {
            let mut group = Vec::new();
            for _ in 0..input.number()? {
                let licence = u16::try_from(input.number()?).ok()?;
                group.push(Some(licence).filter(|one| usize::from(*one) < list.names.len())?);
            }
            list.groups.push(group);
        }
        let runs = input.number()?;
        let mut last = 0_u32;
        for _ in 0..runs {
            last = last.checked_add(input.number()?)?;
            list.runs.push(last);
        }
        for _ in 0..runs {
            let group = input.number()?;
            list.group_of.push(Some(group).filter(|group| (*group as usize) < list.groups.len())?);
        }
        Some(list)
    }
}

/// Makes the data from names and texts. Names with the same words in their texts come as one, under the name that grants the
/// least: the text of the GPL says nothing of later versions, so it is `-only`.
pub fn compile<'t>(texts: impl Iterator<Item = (&'t str, &'t str)>) -> Vec<u8> {
    let mut by_runs: BTreeMap<Vec<u32>, &str> = BTreeMap::new();
    let all = texts.flat_map(|(name, text)| forms(name, text).map(move |form| (name, form)));
    let all: Vec<(String, &str)> = all.map(|(name, text)| (strictest(name), text)).collect();
    for (name, text) in &all {
        let runs = runs(text);
        if runs.is_empty() {
            continue;
        }
        let kept = by_runs.entry(runs).or_insert(name);
        let order = |name: &str| (!name.ends_with("-only"), name.len(), name.to_owned());
        if order(name) < order(kept) {
            *kept = name;
        }
    }
    let mut licences: Vec<(&str, Vec<u32>)> = by_runs.into_iter().map(|(runs, name)| (name, runs)).collect();
    licences.sort_unstable();
    let mut holders: BTreeMap<u32, Vec<u16>> = BTreeMap::new();
    for (at, (_, runs)) in (0_u16..).zip(&licences) {
        runs.iter().for_each(|run| holders.entry(*run).or_default().push(at));
    }
    let mut how_often: BTreeMap<&[u16], u32> = BTreeMap::new();
    holders.values().for_each(|group| *how_often.entry(group).or_default() += 1);
    let mut groups: Vec<(&[u16], u32)> = how_often.into_iter().collect();
    groups.sort_by_key(|(group, times)| (std::cmp::Reverse(*times), group.to_vec()));
    let number_of: BTreeMap<&[u16], u32> = (0..).zip(&groups).map(|(number, (group, _))| (*group, number)).collect();

    let mut out = Output(Vec::new());
    out.count(licences.len());
    for (name, runs) in &licences {
        out.count(name.len());
        out.0.extend_from_slice(name.as_bytes());
        out.count(runs.len());
    }
    out.count(groups.len());
    for (group, _) in &groups {
        out.count(group.len());
        group.iter().for_each(|licence| out.number(u32::from(*licence)));
    }
    out.count(holders.len());
    let mut last = 0;
    for run in holders.keys() {
        out.number(run - last);
        last = *run;
    }
    holders.values().for_each(|group| out.number(number_of[&group[..]]));
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::best());
    let mut packed = vec![0; compressor.deflate_compress_bound(out.0.len())];
    let length = compressor.deflate_compress(&out.0, &mut packed).unwrap_or_default();
    packed.truncate(length);
    let size = u32::try_from(out.0.len()).unwrap_or_default();
    [&size.to_le_bytes()[..], &packed].concat()
}

/// The name of the family that grants the least: a bare text of the GPL, LGPL, AGPL or GFDL says nothing of later versions,
/// and the list's texts of `-only` and `-or-later` differ in nothing but how they were typed.
fn strictest(name: &str) -> String {
    name.strip_suffix("-or-later").map_or_else(|| name.to_owned(), |base| format!("{base}-only"))
}

/// After this line a text says how to apply the licence, and no more of the licence (SPDX matching guidelines, section B.12).
const END: &str = "END OF TERMS AND CONDITIONS";

/// Notices that stand for the whole licence, where its text says so itself: how they begin and end.
const NOTICES: [(&str, &str, &str); 2] = [
    ("Apache-2.0", "Licensed under the Apache License, Version 2.0", "limitations under the License."),
    ("MPL-2.0", "This Source Code Form is subject to the terms of the Mozilla", "mozilla.org/MPL/2.0/."),
];

/// The LGPL from version 3 on is a supplement to the GPL, whose text the list appends; COPYING.LESSER is the supplement alone.
const SUPPLEMENT: &str = "LGPL-3.0";

/// The forms in which a licence's text is found: whole, without what only says how to apply it or is another licence, and as
/// its notice.
fn forms<'t>(name: &str, text: &'t str) -> impl Iterator<Item = &'t str> {
    let terms = text.find(END).map(|end| &text[..end + END.len()]);
    let notice = NOTICES.iter().find(|(of, ..)| *of == name).and_then(|(_, from, to)| {
        let rest = &text[text.rfind(from)?..];
        Some(&rest[..rest.find(to)? + to.len()])
    });
    let supplement = name.starts_with(SUPPLEMENT).then(|| text.rfind("GNU GENERAL PUBLIC LICENSE")).flatten();
    let supplement = supplement.map(|end| &text[..end]);
    [Some(text), terms, notice, supplement].into_iter().flatten()
}

/// How many words make a run.
pub(super) const RUN: usize = 3;

/// The runs in a text; sorted, once each.
fn runs(text: &str) -> Vec<u32> {
    sorted(in_order(&words(text)))
}

/// The runs of three words, hashed.
fn in_order(words: &[String]) -> Vec<u32> {
    let run = |run: &[String]| {
        // The hash is on disk: fixed seed, and the function never changes within its major version.
        let hash = rapidhash_v3_seeded(run.join(" ").as_bytes(), &RapidSecrets::seed(0x61_69_76_61));
        (hash >> 32) as u32
    };
    words.windows(RUN.min(words.len().max(1))).map(run).collect()
}

fn sorted(mut runs: Vec<u32>) -> Vec<u32> {
    runs.sort_unstable();
    runs.dedup();
    runs
}

/// The runs of the Commons Clause where it is in the text; else none.
fn clause_in(in_order: &[u32]) -> &'static [u32] {
    static CLAUSE: LazyLock<Vec<u32>> = LazyLock::new(|| runs(COMMONS_CLAUSE));
    if is_in(&CLAUSE, in_order) { &CLAUSE } else { &[] }
}

/// Whether most of a short text is among these runs.
fn is_in(text: &[u32], in_order: &[u32]) -> bool {
    let have: HashSet<&u32> = in_order.iter().collect();
    let shared = text.iter().filter(|run| have.contains(run)).count();
    shared as f32 >= text.len() as f32 * MOST
}

/// The words that count, in one spelling.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for line in text.lines() {
        if is_notice(line) {
            continue;
        }
        for raw in line.split_whitespace().filter(|raw| !is_marker(raw)) {
            let parts = raw.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
            words.extend(parts.map(|part| spelling(&part.to_lowercase()).to_owned()));
        }
    }
    words
}

/// A line of somebody's copyright, which is another one in every package.
fn is_notice(line: &str) -> bool {
    let line = line.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '©').to_lowercase();
    let Some(rest) =
        line.strip_prefix("copyright").or_else(|| line.strip_prefix('©')).or_else(|| line.strip_prefix("(c)"))
    else {
        return line.trim_end_matches('.') == "all rights reserved";
    };
    let rest = rest.trim_start();
    ["(c)", "©", "&copy;", "<", "[", "{", "by ", "year", ":"].iter().any(|begin| rest.starts_with(begin))
        || rest.starts_with(|c: char| c.is_ascii_digit())
}

/// `1.`, `(a)`, `iv)`: what counts the points of a list.
fn is_marker(raw: &str) -> bool {
    let inner = raw.strip_prefix('(').unwrap_or(raw);
    let Some(inner) = inner.strip_suffix(['.', ')']) else { return false };
    let inner = inner.trim_end_matches('.');
    let digits = !inner.is_empty() && inner.len() <= 2 && inner.bytes().all(|b| b.is_ascii_digit());
    let roman = (2..=4).contains(&inner.len()) && inner.bytes().all(|b| matches!(b, b'i' | b'v' | b'x'));
    let letter = inner.len() == 1 && inner.bytes().all(|b| b.is_ascii_alphabetic());
    digits || roman || letter
}

/// Spellings that the SPDX matching guidelines take for the same word (section B.8), and one author as several.
fn spelling(word: &str) -> &str {
    match word {
        "licence" => "license",
        "licences" => "licenses",
        "licenced" => "licensed",
        "sublicence" => "sublicense",
        "organisation" => "organization",
        "authorised" => "authorized",
        "acknowledgement" => "acknowledgment",
        "analogue" => "analog",
        "artefact" => "artifact",
        "favour" => "favor",
        "favourite" => "favorite",
        "fulfil" => "fulfill",
        "fulfilment" => "fulfillment",
        "initialise" => "initialize",
        "judgment" => "judgement",
        "labour" => "labor",
        "modelled" => "modeled",
        "authors" => "author",
        "contributors" => "contributor",
        "disclaim" => "disclaims",
        "holders" | "owner" | "owners" => "holder",
        "practise" => "practice",
        "programme" => "program",
        "realise" => "realize",
        "recognise" => "recognize",
        "whilst" => "while",
        "wilful" => "willful",
        word => word,
    }
}

/// Numbers of one to five bytes.
struct Input<'d>(&'d [u8]);

impl<'d> Input<'d> {
    fn take(&mut self, length: usize) -> Option<&'d [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        let mut number = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = *self.take(1)?.first()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(number).ok();
            }
        }
        None
    }
}

struct Output(Vec<u8>);

impl Output {
    fn number(&mut self, mut number: u32) {
        while number > 0x7f {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn count(&mut self, count: usize) {
        self.number(u32::try_from(count).unwrap_or(u32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every licence that the list still recommends, with its text.
    fn texts() -> impl Iterator<Item = (&'static str, &'static str)> {
        let current = spdx::identifiers::LICENSES.iter().filter(|licence| licence.flags & 0x4 == 0);
        let current = current.filter(|licence| licence.name != "NOASSERTION"); // no licence, no text
        current.filter_map(|licence| spdx::license_id(licence.name).map(|id| (id.name, id.text())))
    }

    #[test]
    fn the_committed_list_is_what_its_texts_make() {
        let made = compile(texts());
        let committed = include_bytes!("../../data/licences.bin");
        if made != committed {
            let at = std::env::temp_dir().join("licences.bin");
            std::fs::write(&at, &made).unwrap();
            panic!("crates/aiva-sca/data/licences.bin is of another list: copy {} there", at.display());
        }
    }

    /// How many of the texts are recognised after a change, in percent, as the very licence or one with the same words.
    #[track_caller]
    fn recognised(change: &str, least: usize, changed: impl Fn(&str) -> String + Sync) {
        use rayon::prelude::*;
        // A sample: the whole list takes most of a minute in an unoptimised build.
        let texts: Vec<(&str, &str)> = texts().step_by(if least == 100 { 1 } else { 6 }).collect();
        let all = texts.len();
        let wrong: Vec<String> = texts
            .into_par_iter()
            .filter_map(|(name, text)| match recognise(&changed(text)) {
                Ok(found) if found.licences.iter().any(|one| *one == strictest(name) || same_words(one, text)) => None,
                Ok(found) => Some(format!("{name} as {:?}", found.licences)),
                Err(_) => Some(format!("{name} not at all")),
            })
            .collect();
        let right = all - wrong.len();
        println!("{change}: {right} of {all}");
        assert!(right * 100 >= all * least, "{change}: {right} of {all}; {}", wrong.join(", "));
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
        recognised("as it is", 100, str::to_owned);
        recognised("capitals", 99, str::to_uppercase);
        recognised("wrapped as a comment", 95, wrapped(50));
        recognised("own copyright", 99, |text| {
            format!("Copyright (c) 2019-2026 Example Inc.\nAll rights reserved.\n\n{text}")
        });
        recognised("a tenth cut off", 90, |text| {
            let words: Vec<&str> = text.split_inclusive(char::is_whitespace).collect();
            words[..words.len() * 9 / 10].concat()
        });
        recognised("one word in fifty replaced", 85, |text| {
            let word = |(at, word): (usize, &str)| if at % 50 == 49 { "replaced ".to_owned() } else { word.to_owned() };
            text.split_inclusive(char::is_whitespace).enumerate().map(word).collect()
        });
    }

    #[test]
    fn several_licences_in_one_file_are_all_told() {
        let text = |name: &str| spdx::license_id(name).unwrap().text();
        let both = format!("Choose what you like.\n\n{}\n\n-----\n\n{}", text("MIT"), text("Apache-2.0"));
        let found = recognise(&both).unwrap();
        assert_eq!(found.licences, ["Apache-2.0", "MIT"]);
    }

    #[test]
    fn a_licence_is_not_taken_for_another_that_has_more_in_it() {
        let text = |name: &str| spdx::license_id(name).unwrap().text();
        let apache = text("Apache-2.0");
        let terms = &apache[..apache.find(END).unwrap()];
        let header = "Copyright 2020 Somebody\n\n   Licensed under the Apache License, Version 2.0 (the \"License\");\n   you may not use this \
                      file except in compliance with the License.\n   You may obtain a copy of the License at\n\n       \
                      http://www.apache.org/licenses/LICENSE-2.0\n\n   Unless required by applicable law or agreed to in writing, \
                      software\n   distributed under the License is distributed on an \"AS IS\" BASIS,\n   WITHOUT WARRANTIES OR \
                      CONDITIONS OF ANY KIND, either express or implied.\n   See the License for the specific language governing \
                      permissions and\n   limitations under the License.\n";
        let lesser = text("LGPL-3.0-only");
        let lesser = &lesser[..lesser.rfind("GNU GENERAL PUBLIC LICENSE").unwrap()];
        let around =
            "These parts were taken over from elsewhere and are under terms of their own, which follow. ".repeat(6);
        for (what, text, want) in [
            ("Apache without its appendix", terms.to_owned(), &["Apache-2.0"][..]),
            ("Apache whole", apache.to_owned(), &["Apache-2.0"]),
            ("its notice", header.to_owned(), &["Apache-2.0"]),
            ("MIT among other words", format!("{around}\n\n{}\n\n{around}", text("MIT")), &["MIT"]),
            ("JSON among other words", format!("{around}\n\n{}\n\n{around}", text("JSON")), &["JSON"]),
            ("Apache without its appendix, and MIT", format!("{terms}\n\n{}", text("MIT")), &["Apache-2.0", "MIT"]),
            (
                "ISC of several authors beside MIT",
                format!(
                    "{}\n\nsrc/b.c:\n{}",
                    text("MIT"),
                    text("ISC")
                        .replace("in all copies", "in all copies and in the documentation")
                        .replace("THE AUTHOR DISCLAIMS", "THE AUTHORS DISCLAIM")
                        .replace("THE AUTHOR BE", "THE AUTHORS BE")
                ),
                &["MIT", "ISC"],
            ),
            ("Pixar", text("Pixar").to_owned(), &["Pixar"]),
            ("LGPL without the GPL", lesser.to_owned(), &["LGPL-3.0-only"]),
            ("LGPL with the GPL", format!("{lesser}\n\n{}", text("GPL-3.0-only")), &["LGPL-3.0-only"]),
            ("GPL with the LGPL", format!("{}\n\n{lesser}", text("GPL-3.0-only")), &["LGPL-3.0-only"]),
            ("GPL, typed so", text("GPL-3.0-or-later").to_owned(), &["GPL-3.0-only"]),
            ("GPL, typed so", text("GPL-2.0-or-later").to_owned(), &["GPL-2.0-only"]),
            ("GPL, typed so", text("GPL-1.0-or-later").to_owned(), &["GPL-1.0-only"]),
            ("LGPL, typed so", text("LGPL-2.1-or-later").to_owned(), &["LGPL-2.1-only"]),
            ("AGPL, typed so", text("AGPL-3.0-or-later").to_owned(), &["AGPL-3.0-only"]),
            ("GFDL, typed so", text("GFDL-1.3-or-later").to_owned(), &["GFDL-1.3-only"]),
        ] {
            let got = recognise(&text).map(|found| found.licences);
            assert_eq!(got.as_deref(), Ok(want), "{what}");
        }
    }

    #[test]
    fn words_that_change_the_terms_are_told_and_others_are_not() {
        let mit = spdx::license_id("MIT").unwrap().text();
        let names = "Ana Alder <ana@example.org>\nBo Birch (may 2019)\nCleo Cedar\nDan Dogwood\nEve Elm\n".repeat(4);
        let military = "The Software may not be used by any military organisation.";
        let among = mit.replace("THE SOFTWARE IS PROVIDED", &format!("{military}\n\nTHE SOFTWARE IS PROVIDED"));
        assert_ne!(among, mit);
        for (what, text, licences, rider) in [
            ("alone", mit.to_owned(), &["MIT"][..], false),
            (
                "title, copyright",
                format!("# The MIT License (MIT)\n\nCopyright (c) 2020 Ana\n\n{mit}"),
                &["MIT"],
                false,
            ),
            ("authors", format!("{mit}\n\nAuthors:\n{names}"), &["MIT"], false),
            ("after", format!("{mit}\n\n{military}"), &["MIT"], true),
            ("before", format!("{military}\n\n{mit}"), &["MIT"], true),
            ("no selling", mit.replace("and/or sell", "but not to sell"), &["MIT"], true),
            (
                "reciprocal",
                format!(
                    "{mit}\n\nWhoever distributes a work that contains src/core has to publish its complete source code.\n"
                ),
                &["MIT"],
                true,
            ),
            ("short", format!("{mit}\n\nNot for commercial use.\n"), &["MIT"], true),
            ("among", among, &["MIT"], true),
            (
                "commons clause",
                format!("{COMMONS_CLAUSE}\n\nSoftware: X\nLicense: MIT\nLicensor: Ana Ltd\n\n{mit}"),
                &["MIT", COMMONS_CLAUSE_NAME],
                false,
            ),
            (
                "commons clause and more",
                format!("{mit}\n\n{COMMONS_CLAUSE}\n\n{military}"),
                &["MIT", COMMONS_CLAUSE_NAME],
                true,
            ),
        ] {
            let got = recognise(&text).unwrap();
            assert_eq!((&got.licences[..], got.rider.is_some()), (licences, rider), "{what}: {:?}", got.rider);
        }
    }

    #[test]
    fn a_few_words_that_change_nothing_are_a_remark() {
        for (text, want) in [
            ("", true),
            ("MIT OR Apache-2.0", true),
            (
                "This project is dual-licensed under the Unlicense and MIT licenses.\n\nYou may use this code under either.",
                true,
            ),
            (
                "Licensed under the MIT license <LICENSE-MIT>, at your option. All files in the project carrying such\nnotice may \
                 not be copied, modified, or distributed except according to those terms.",
                true,
            ),
            ("The files under ee/ may be used only with a paid subscription.", false),
            ("You may not copy this.", true), // too short to tell it from another wording
            ("No commercial use.", false),
            (&"anything goes ".repeat(60), false),
        ] {
            assert_eq!(is_remark(text), want, "{text:.60}");
        }
    }

    #[test]
    fn what_is_no_licence_is_not_taken_for_one() {
        for text in [
            "",
            "MIT",
            "one two",
            "This program does nothing and comes with a readme of its own.",
            &"the software is provided ".repeat(40_000),
            include_str!("recognise.rs"),
        ] {
            assert!(recognise(text).is_err(), "{text:.40}");
        }
    }
}
