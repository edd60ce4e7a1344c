//! The licences of a project for people and programs: what they ask in return, and the texts to ship (NOTICE).
//!
//! Pure: it says what [`super::survey`] found. A package that several lockfiles name is one package here.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::expression::Term;
use super::obligation::{self, Reach};
use super::policy::{Policy, Verdict};
use super::survey::Licensed;
use super::{How, Licence};
use crate::package::Scope;
use crate::purl::purl;

/// How to write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns.
    Table,
    /// One object, `aiva.licences/1`.
    Json,
    /// One row a package, RFC 4180.
    Csv,
    /// Tables for a pull request or a wiki.
    Markdown,
}

/// Everything that the report says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The format's name.
    pub schema: &'static str,
    /// One a set of terms, those with the most to do first.
    pub licences: Vec<Terms>,
    /// One a package version, by name.
    pub packages: Vec<Row>,
}

/// A set of terms and who is under it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Terms {
    /// The expression, or why there is none.
    pub licence: String,
    /// How far it reaches, at the mildest choice that the policy allows.
    pub reach: &'static str,
    /// What to do.
    pub obligations: Vec<&'static str>,
    /// `name version`, by name.
    pub packages: Vec<String>,
}

/// One package version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The ecosystem as OSV names it.
    pub ecosystem: &'static str,
    /// The package URL.
    pub purl: String,
    /// The expression, or why there is none.
    pub licence: String,
    /// `stated`, `recognised`, `unclear` or `unknown`.
    pub evidence: &'static str,
    /// The likeness in percent, where the text was recognised.
    pub confidence: Option<u8>,
    /// The file that says so.
    pub from: String,
    /// `allowed`, `denied`, `unclear` or `unknown` by the policy.
    pub verdict: &'static str,
    /// The lockfiles that name it.
    pub paths: Vec<String>,
    /// Whether it is only needed to develop or test.
    pub only_dev: bool,
}

/// What the survey and the policy say.
pub fn report(policy: &Policy, licensed: &[Licensed<'_>]) -> Report {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    let mut terms: BTreeMap<String, (Obligation, Vec<String>)> = BTreeMap::new();
    for one in licensed {
        let package = one.package;
        let purl = purl(package.ecosystem, &package.name, &package.version);
        let row = rows.entry(purl.clone()).or_insert_with(|| {
            let obligation = Obligation::of(policy, &one.licence);
            let under = terms.entry(one.licence.to_string()).or_insert_with(|| (obligation, Vec::new()));
            under.1.push(format!("{} {}", package.name, package.version));
            row(policy, one, purl)
        });
        row.only_dev &= package.scope == Scope::Dev;
        if row.paths.last().is_none_or(|last| last != one.path) {
            row.paths.push(one.path.to_owned());
        }
    }
    let mut packages: Vec<Row> = rows.into_values().collect();
    packages.sort();
    let mut licences: Vec<(Reach, Terms)> = terms
        .into_iter()
        .map(|(licence, (obligation, mut packages))| {
            packages.sort();
            let Obligation { reach, demands } = obligation;
            (reach, Terms { licence, reach: reach.name(), obligations: demands, packages })
        })
        .collect();
    licences.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| one.licence.cmp(&other.licence)));
    Report { schema: "aiva.licences/1", licences: licences.into_iter().map(|(_, terms)| terms).collect(), packages }
}

fn row(policy: &Policy, one: &Licensed<'_>, purl: String) -> Row {
    let (evidence, confidence) = match &one.licence {
        Licence::Known { evidence, .. } => match evidence.how {
            How::Stated => ("stated", None),
            How::Recognised(likeness) => ("recognised", Some((likeness * 100.0) as u8)),
        },
        Licence::Unclear { .. } => ("unclear", None),
        Licence::Unknown(_) => ("unknown", None),
    };
    Row {
        name: one.package.name.to_string(),
        version: one.package.version.to_string(),
        ecosystem: one.package.ecosystem.osv_name(),
        purl,
        licence: one.licence.to_string(),
        evidence,
        confidence,
        from: one.licence.from().to_owned(),
        verdict: match policy.judge(&one.package.name, &one.licence) {
            Verdict::Allowed => "allowed",
            Verdict::Denied(_) => "denied",
            Verdict::Unclear => "unclear",
            Verdict::Unknown => "unknown",
        },
        paths: Vec::new(),
        only_dev: true,
    }
}

/// What a whole expression asks.
struct Obligation {
    reach: Reach,
    demands: Vec<&'static str>,
}

impl Obligation {
    fn of(policy: &Policy, licence: &Licence) -> Self {
        let Some(expression) = licence.expression() else {
            return Self { reach: Reach::Unread, demands: vec!["find out what the licence is"] };
        };
        let mut terms = expression.terms();
        // Where one may choose, the mildest side that the policy lets through and that meets the whole is what it costs. In whatever
        // order the sides are written, it is the same one.
        if expression.has_choice() {
            if expression.is_met(|term| policy.allows(term)) {
                terms.retain(|term| policy.allows(term));
            }
            terms.sort_by_cached_key(|term| {
                let asked = obligation::of(term);
                (asked.reach, asked.demands.len(), term.to_string())
            });
            let needed = (1..=terms.len()).find(|count| expression.is_met(|term| terms[..*count].contains(term)));
            terms.truncate(needed.unwrap_or(terms.len()));
            let meets = |kept: &[Term]| expression.is_met(|term| kept.contains(term));
            let mut at = 0;
            while at < terms.len() {
                let mut fewer = terms.clone();
                fewer.remove(at);
                if !fewer.is_empty() && meets(&fewer) { terms = fewer } else { at += 1 }
            }
        }
        let mut whole = Self { reach: Reach::Free, demands: Vec::new() };
        for one in terms.iter().map(obligation::of) {
            whole.reach = whole.reach.max(one.reach);
            one.demands.iter().for_each(|demand| {
                if !whole.demands.contains(demand) {
                    whole.demands.push(demand);
                }
            });
        }
        whole
    }
}

impl Report {
    /// The report in this format.
    pub fn write(&self, format: Format) -> String {
        match format {
            Format::Table => self.table() + "\n" + &self.summary(),
            Format::Json => serde_json::to_string_pretty(self).unwrap_or_default() + "\n",
            Format::Csv => self.csv(),
            Format::Markdown => self.markdown(),
        }
    }

    fn unsettled(&self) -> impl Iterator<Item = &Row> {
        self.packages.iter().filter(|row| row.evidence == "unknown" || row.evidence == "unclear")
    }

    fn refused(&self) -> impl Iterator<Item = &Row> {
        self.packages.iter().filter(|row| row.verdict == "denied")
    }

    fn summary(&self) -> String {
        let total = self.packages.len();
        let (unsettled, refused) = (self.unsettled().count(), self.refused().count());
        let known = total - unsettled;
        format!("{total} packages, {known} with a known licence, {unsettled} without; {refused} not allowed\n")
    }

    /// The table without the sentence that sums it up.
    pub fn table(&self) -> String {
        let known = || self.licences.iter().filter(|terms| !is_unsettled(terms));
        let width = known().map(|terms| terms.licence.chars().count()).max().unwrap_or(0).clamp(7, 48);
        let mut out = format!("{:<width$}  {:>8}  {:<16}  {}\n", "LICENCE", "PACKAGES", "REACH", "YOU MUST");
        for terms in known() {
            let demands =
                if terms.obligations.is_empty() { "nothing".to_owned() } else { terms.obligations.join("; ") };
            let _ =
                writeln!(out, "{:<width$}  {:>8}  {:<16}  {demands}", terms.licence, terms.packages.len(), terms.reach);
        }
        let list = |out: &mut String, title: &str, rows: &mut dyn Iterator<Item = &Row>| {
            let mut rows = rows.peekable();
            if rows.peek().is_some() {
                let _ = writeln!(out, "\n{title}");
            }
            rows.for_each(|row| {
                let _ = writeln!(out, "  {} {} ({}): {}", row.name, row.version, row.ecosystem, row.licence);
            });
        };
        list(&mut out, "Not allowed", &mut self.refused());
        list(&mut out, "Without a known licence", &mut self.unsettled());
        out
    }

    fn markdown(&self) -> String {
        let cell = |text: &str| text.replace('|', "\\|");
        let mut out = "# Licences\n\n".to_owned() + &self.summary();
        out.push_str("\n| licence | reach | you must | packages |\n| --- | --- | --- | --- |\n");
        for terms in self.licences.iter().filter(|terms| !is_unsettled(terms)) {
            let (demands, packages) = (terms.obligations.join("; "), terms.packages.join(", "));
            let _ = writeln!(out, "| {} | {} | {demands} | {} |", cell(&terms.licence), terms.reach, cell(&packages));
        }
        let mut unsettled = self.unsettled().peekable();
        if unsettled.peek().is_some() {
            out.push_str("\n## Without a known licence\n\n| package | why |\n| --- | --- |\n");
        }
        unsettled.for_each(|row| {
            let _ = writeln!(out, "| {} {} | {} |", cell(&row.name), cell(&row.version), cell(&row.licence));
        });
        out
    }

    fn csv(&self) -> String {
        let mut out =
            "ecosystem,name,version,purl,licence,evidence,confidence,from,verdict,only_dev,paths\r\n".to_owned();
        for row in &self.packages {
            let confidence = row.confidence.map(|percent| percent.to_string()).unwrap_or_default();
            let (only_dev, paths) = (row.only_dev.to_string(), row.paths.join(" "));
            let cells = [
                row.ecosystem,
                &row.name,
                &row.version,
                &row.purl,
                &row.licence,
                row.evidence,
                &confidence,
                &row.from,
                row.verdict,
                &only_dev,
                &paths,
            ];
            out.push_str(&cells.map(csv_cell).join(","));
            out.push_str("\r\n");
        }
        out
    }
}

fn is_unsettled(terms: &Terms) -> bool {
    terms.licence.starts_with("unknown: ") || terms.licence.starts_with("unclear: ")
}

/// A cell that no spreadsheet takes for a formula.
fn csv_cell(text: &str) -> String {
    let safe = if text.starts_with(['=', '+', '-', '@', '\t']) { format!("'{text}") } else { text.to_owned() };
    if safe.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", safe.replace('"', "\"\"")) } else { safe }
}

/// A NOTICE: every package with its licence, then every text and every NOTICE file once, with the packages that ship it.
pub fn notice(licensed: &[Licensed<'_>]) -> String {
    let mut packages: BTreeMap<(&str, &str), &Licensed<'_>> = BTreeMap::new();
    for one in licensed {
        let kept = packages.entry((&one.package.name, &one.package.version)).or_insert(one);
        if kept.texts.is_empty() {
            *kept = one;
        }
    }
    let mut out =
        "THIRD-PARTY NOTICES\n\nThis software contains the following packages under their own licences.\n\n".to_owned();
    // A licence that several packages share is there once; so is a NOTICE, which says itself that it is one.
    let mut texts: BTreeMap<(&str, bool), Vec<String>> = BTreeMap::new();
    let mut without = Vec::new();
    for ((name, version), one) in &packages {
        let label = format!("{name} {version}");
        let _ = writeln!(out, "- {label}: {}", one.licence);
        if one.texts.is_empty() {
            without.push(label.clone());
        }
        let all = one.texts.iter().map(|text| (text, false)).chain(one.notices.iter().map(|text| (text, true)));
        all.for_each(|(text, is_notice)| {
            texts.entry((text.text.trim_end(), is_notice)).or_default().push(label.clone());
        });
    }
    if !without.is_empty() {
        out.push_str("\nNo licence text of these was found on this machine; add it before you ship:\n\n");
        without.iter().for_each(|label| {
            let _ = writeln!(out, "- {label}");
        });
    }
    let mut texts: Vec<((&str, bool), Vec<String>)> = texts.into_iter().collect();
    texts.sort_by(|((a, of_a), one), ((b, of_b), other)| one.cmp(other).then_with(|| (of_a, a).cmp(&(of_b, b))));
    for ((text, is_notice), mut labels) in texts {
        labels.dedup();
        let title = if is_notice { ": NOTICE" } else { "" };
        let _ = write!(out, "\n{}\n{}{title}\n\n{text}\n", "-".repeat(78), labels.join(", "));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::licence::Evidence;
    use crate::licence::expression::Expression;

    #[test]
    fn a_choice_asks_what_its_mildest_allowed_side_asks() {
        const NOTICE: &str = "ship its text and copyright notices";
        let apache = &[NOTICE, "pass its NOTICE file on", "say what you changed"][..];
        for (allow, words, want) in [
            (&[][..], "MIT OR Apache-2.0", &[NOTICE][..]),
            (&[], "Apache-2.0 OR MIT", &[NOTICE]),
            (&["Apache-2.0"], "MIT OR Apache-2.0", apache),
            (&["Apache-2.0"], "Apache-2.0 OR MIT", apache),
            (&["Zlib"], "MIT OR Apache-2.0", &[NOTICE]), // allows neither
            (&["MIT", "Apache-2.0"], "(MIT OR Zlib) AND Apache-2.0", apache),
            (&[], "(MIT OR Zlib) AND Apache-2.0", apache),
            (&["Apache-2.0"], "MIT AND Apache-2.0", apache), // no choice
        ] {
            let policy = Policy { allow: allow.iter().map(|one| one.parse().unwrap()).collect(), ..Policy::default() };
            let evidence = Evidence { from: String::new(), how: How::Stated };
            let licence = Licence::Known { expression: Expression::parse(words).unwrap(), evidence };
            assert_eq!(Obligation::of(&policy, &licence).demands, want, "allow {allow:?}: {words}");
        }
    }
}
