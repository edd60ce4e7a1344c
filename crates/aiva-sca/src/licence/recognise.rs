//! Recognises a licence by its text.
//!
//! Every text of the SPDX list is known as the set of its runs of three words, hashed; the sets are kept as one inverted index
//! (run to licences), so that a text costs one look-up a run, whatever the length of the list. What counts as a word stands in
//! `words`. The likeness is Dice's: 1 for the text itself.
//!
//! The data is made from the list by [`compile`]; a test holds that the committed file is what it makes.

mod data;
#[cfg(test)]
mod texts;
mod words;

use std::collections::HashSet;
use std::sync::LazyLock;

pub use data::compile;
pub(super) use words::RUN;
use words::{in_order, runs, sorted, words};

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
    /// SPDX identifiers, one perhaps `WITH` an exception; several when the text holds several licences.
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
                let is_long = self.sizes[*at] >= SHORTEST_PART && !self.names[*at].contains(" WITH ");
                is_long && part(*at) >= PART && of_it(left[*at], *at) >= OF_ITS_OWN
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_list_is_what_its_texts_make() {
        let made = compile(texts::texts());
        let committed = include_bytes!("../../data/licences.bin");
        if made != committed {
            let at = std::env::temp_dir().join("licences.bin");
            std::fs::write(&at, &made).unwrap();
            panic!("crates/aiva-sca/data/licences.bin is of another list: copy {} there", at.display());
        }
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
        let terms = &apache[..apache.find("END OF TERMS").unwrap()];
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
            // As it is in most places: the list has what it is for behind it, and without that 2.0 was nearer.
            ("AFL 2.1", text("AFL-2.1").split("END OF").next().unwrap().to_owned(), &["AFL-2.1"]),
            (
                "ISC, its holders rewrapped",
                format!(
                    "ISC License:\n\nCopyright (c) 2004-2010 by Internet Systems Consortium, Inc.\n(\"ISC\") Copyright (c) \
                     1995-2003 by Internet Software\nConsortium\n\n{}",
                    text("ISC").split("<owner>").nth(1).unwrap()
                ),
                &["ISC"],
            ),
            (
                "GPL, and an exception that the list has as a licence of its own",
                format!("{}\n\n{}", text("GPL-2.0-only"), text("GPL-2.0-with-classpath-exception")),
                &["GPL-2.0-only"],
            ),
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
                "in a notice",
                format!("{mit}\n\nThe Software is copyright 2020 Acme and may not be sold.\n"),
                &["MIT"],
                true,
            ),
            (
                "behind a notice",
                format!("{mit}\n\nThe Software, Copyright (c) 2020 Acme, may not be used commercially.\n"),
                &["MIT"],
                true,
            ),
            ("below a notice", format!("{mit}\n\nCopyright (c) 2020\nNOT FOR COMMERCIAL USE\n"), &["MIT"], true),
            (
                "as a name",
                format!("{mit}\n\nCopyright (c) 2020\nCommercial Use Requires A Licence. Military Use Is Forbidden.\n"),
                &["MIT"],
                true,
            ),
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
