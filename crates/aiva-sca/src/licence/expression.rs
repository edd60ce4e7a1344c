//! Reads what people write for a licence into terms that can be judged.
//!
//! SPDX expressions are read as the specification has them, then as registries have always accepted them (`MIT/Apache-2.0`,
//! `GPL-2.0+`, small letters), then by a table of free texts. What is none of these stays the words that it was.

use std::fmt;
use std::sync::Arc;

use spdx::expression::{ExprNode, Operator};
use spdx::{LicenseItem, LicenseReq, ParseMode};

use super::names;

/// Terms, with every identifier as the current SPDX list spells it.
#[derive(Clone)]
pub struct Expression {
    parsed: Arc<spdx::Expression>,
    text: String,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Expression {}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({self})")
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What some words mean.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    /// These terms.
    Clear(Expression),
    /// Any of these licences; the words do not say which.
    Unclear(&'static [&'static str]),
    /// That there are none (`UNKNOWN`), or that they stand elsewhere (`SEE LICENSE IN`).
    Silent,
    /// Nobody knows.
    Strange,
}

/// The longest text that is taken for a name; what is longer is the licence's own text.
const LONGEST: usize = 300;

/// What the words mean.
pub fn read(stated: &str) -> Meaning {
    let words = stated.trim().trim_matches(['"', '\'']);
    if words.is_empty() || names::is_silent(words) {
        return Meaning::Silent;
    }
    if words.len() > LONGEST || words.contains('\n') {
        return Meaning::Strange;
    }
    if let Some(expression) = Expression::parse(words) {
        return Meaning::Clear(expression);
    }
    match names::find(words) {
        Some(names::Name::Is(expression)) => Expression::parse(expression).map_or(Meaning::Strange, Meaning::Clear),
        Some(names::Name::OneOf(candidates)) => Meaning::Unclear(candidates),
        None => Meaning::Strange,
    }
}

impl Expression {
    /// An expression by the specification or as registries accept it.
    pub fn parse(text: &str) -> Option<Self> {
        // The parser recurses on nothing, but an absurd expression is no licence either.
        if text.len() > LONGEST {
            return None;
        }
        let parsed = [ParseMode::STRICT, ParseMode::LAX].into_iter().find_map(|mode| {
            // A lax reading may take `Apache` for one of its versions; the table is more careful.
            let careful = ParseMode { allow_imprecise_license_names: false, ..mode };
            spdx::Expression::parse_mode(text, careful).ok()
        });
        let parsed = parsed.or_else(|| spdx::Expression::parse_mode(&spelled(text), ParseMode::STRICT).ok())?;
        let modern = written(&parsed);
        let parsed = spdx::Expression::parse_mode(&modern, ParseMode::LAX).ok()?;
        Some(Self { text: written(&parsed), parsed: Arc::new(parsed) })
    }

    /// All of them at once.
    pub fn all_of(identifiers: &[&str]) -> Option<Self> {
        Self::parse(&identifiers.join(" AND "))
    }

    /// Whether the terms can be met with what `allows` lets through.
    pub fn is_met(&self, mut allows: impl FnMut(&Term) -> bool) -> bool {
        self.parsed.evaluate(|req| allows(&Term::of(req)))
    }

    /// Every licence in it, in the order written, once each.
    pub fn terms(&self) -> Vec<Term> {
        let mut terms: Vec<Term> = Vec::new();
        for one in self.parsed.requirements() {
            let term = Term::of(&one.req);
            if !terms.contains(&term) {
                terms.push(term);
            }
        }
        terms
    }

    /// Whether any of it may be chosen instead of another part.
    pub fn has_choice(&self) -> bool {
        self.parsed.iter().any(|node| matches!(node, ExprNode::Op(Operator::Or)))
    }
}

/// One licence of an expression, with the exception that comes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The SPDX identifier, such as `GPL-2.0-or-later`, or a `LicenseRef-`.
    pub licence: String,
    /// The identifier after `WITH`.
    pub exception: Option<String>,
}

impl Term {
    fn of(req: &LicenseReq) -> Self {
        let exception = req.addition.as_ref().map(ToString::to_string);
        Self { licence: modern(&req.license), exception }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.licence)?;
        self.exception.iter().try_for_each(|exception| write!(f, " WITH {exception}"))
    }
}

/// The current spelling: the GNU family has had `-only` and `-or-later` since version 3.0 of the list.
fn modern(item: &LicenseItem) -> String {
    let LicenseItem::Spdx { id, or_later } = item else { return item.to_string() };
    if !id.is_gnu() {
        return format!("{}{}", id.name, if *or_later { "+" } else { "" });
    }
    if id.name.ends_with("-only") || id.name.ends_with("-or-later") || id.name.contains("-invariants") {
        let base = id.name.strip_suffix("-only").filter(|_| *or_later);
        return base.map_or_else(|| id.name.to_owned(), |base| format!("{base}-or-later"));
    }
    match id.name.strip_suffix('+') {
        Some(base) => format!("{base}-or-later"),
        None => {
            let named = format!("{}-{}", id.name, if *or_later { "or-later" } else { "only" });
            // `GPL-2.0-with-classpath-exception` and its like have no such form.
            spdx::license_id(&named).map_or_else(|| id.name.to_owned(), |id| id.name.to_owned())
        }
    }
}

/// The expression in the usual notation, with as few brackets as it needs.
fn written(parsed: &spdx::Expression) -> String {
    let mut stack: Vec<(String, Option<Operator>)> = Vec::new();
    for node in parsed.iter() {
        match node {
            ExprNode::Req(one) => stack.push((Term::of(&one.req).to_string(), None)),
            ExprNode::Op(operator) => {
                let (Some(right), Some(left)) = (stack.pop(), stack.pop()) else { continue };
                let word = match operator {
                    Operator::And => "AND",
                    Operator::Or => "OR",
                };
                let side = |(text, inner): (String, Option<Operator>)| match inner {
                    Some(inner) if inner != *operator => format!("({text})"),
                    Some(_) | None => text,
                };
                stack.push((format!("{} {word} {}", side(left), side(right)), Some(*operator)));
            }
        }
    }
    stack.pop().map(|(text, _)| text).unwrap_or_default()
}

/// The same words with identifiers and operators in the letters of the list: `mit or apache-2.0`.
fn spelled(text: &str) -> String {
    let mut out = String::new();
    for word in text.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ").split_whitespace() {
        let upper = word.to_ascii_uppercase();
        let known = spdx::identifiers::LICENSES.iter().find(|licence| licence.name.eq_ignore_ascii_case(word));
        let word = match (&*upper, known) {
            ("AND" | "OR" | "WITH", _) => upper,
            (_, Some(licence)) => licence.name.to_owned(),
            _ => word.to_owned(),
        };
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&word);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &str, want: &str) {
        let got = match read(words) {
            Meaning::Clear(expression) => expression.to_string(),
            Meaning::Unclear(candidates) => format!("one of {}", candidates.join(", ")),
            Meaning::Silent => "silent".to_owned(),
            Meaning::Strange => "strange".to_owned(),
        };
        assert_eq!(got, want, "{words:?}");
    }

    #[test]
    fn expressions_are_read_as_the_list_and_the_registries_have_them() {
        check("MIT", "MIT");
        check("MIT OR Apache-2.0", "MIT OR Apache-2.0");
        check("MIT/Apache-2.0", "MIT OR Apache-2.0"); // crates.io before 2017
        check("(MIT AND (BSD-3-Clause OR ISC))", "MIT AND (BSD-3-Clause OR ISC)");
        check("apache-2.0 or mit", "Apache-2.0 OR MIT");
        check("GPL-2.0", "GPL-2.0-only");
        check("GPL-2.0+", "GPL-2.0-or-later");
        check("LGPL-3.0-or-later", "LGPL-3.0-or-later");
        check(
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
        );
        check("LicenseRef-Acme", "LicenseRef-Acme");
        check("UNLICENSED", "LicenseRef-UNLICENSED"); // npm's word for: no rights granted
    }

    #[test]
    fn free_words_mean_what_the_table_says_and_no_more() {
        check("Apache License, Version 2.0", "Apache-2.0");
        check("Apache 2", "Apache-2.0");
        check("The MIT License (MIT)", "MIT");
        check("License :: OSI Approved :: MIT License", "MIT");
        check("3-Clause BSD License", "BSD-3-Clause");
        check("License :: OSI Approved :: GNU General Public License v3 or later (GPLv3+)", "GPL-3.0-or-later");
        check("BSD", "one of BSD-2-Clause, BSD-3-Clause, BSD-4-Clause, 0BSD, BSD-1-Clause");
        check("License :: OSI Approved :: Apache Software License", "one of Apache-2.0, Apache-1.1, Apache-1.0");
        check("Our own licence, see the sales team", "strange");
    }

    #[test]
    fn silence_is_not_a_licence() {
        for words in
            ["", "  ", "UNKNOWN", "NOASSERTION", "SEE LICENSE IN LICENSE.md", "License :: OSI Approved", "Dual License"]
        {
            check(words, "silent");
        }
    }

    #[test]
    fn hostile_words_are_only_words() {
        for words in ["((((((((", "MIT OR", "AND", &"(".repeat(100_000), "MIT WITH", "\u{0}", "+"] {
            assert!(matches!(read(words), Meaning::Strange), "{words:.20}");
        }
    }
}
