//! The licence of every package that a scan read, and what the policy says of each.
//!
//! What the lockfile states costs nothing and comes first; then the package's own manifest, if a local cache has this very
//! version; then its licence files. Start reading at [`survey`].

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::expression::{Expression, Meaning, read};
use super::locate::{Caches, Finder, Own, Text, joined, places};
use super::policy::{Exception, Idle, OnUnknown, Policy, Verdict};
use super::recognise::{is_remark, recognise};
use super::{Evidence, How, Licence, Unknown};
use crate::finding::{self, Finding, Kind};
use crate::inventory;
use crate::package::{Ecosystem, Input, Package, Source};
use crate::purl::purl;
use crate::severity::{Level, Severity};

/// A package at one place, with its licence.
#[derive(Debug, Clone, PartialEq)]
pub struct Licensed<'a> {
    /// The lockfile, relative to the root.
    pub path: &'a str,
    /// The package.
    pub package: &'a Package,
    /// Its licence.
    pub licence: Licence,
    /// Its licence files, where they were read.
    pub texts: Arc<[Text]>,
    /// Its NOTICE files, where they were read.
    pub notices: Arc<[Text]>,
}

/// How much to look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Only what is needed to know the licence.
    Licences,
    /// The licence files of all packages as well, for a NOTICE.
    Texts,
}

/// The licence of each package of the inputs, in their order. Members of the project itself have none here: they are ours.
pub fn survey<'a>(root: &Path, inputs: &'a [Input], caches: &Caches, depth: Depth) -> Vec<Licensed<'a>> {
    let mut finder = Finder::new(root, caches);
    let mut known: HashMap<Asked<'_>, Looked> = HashMap::new();
    let mut all = Vec::new();
    for input in inputs {
        let folder = input.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for package in input.packages.iter().filter(|package| !is_ours(package)) {
            let asked = (folder, package.ecosystem, &*package.name, &*package.version, &package.licenses[..]);
            let Looked { licence, texts, notices } =
                known.entry(asked).or_insert_with(|| look(&mut finder, input, package, depth)).clone();
            all.push(Licensed { path: &input.path, package, licence, texts, notices });
        }
    }
    all
}

/// What was found of one package.
#[derive(Clone)]
struct Looked {
    licence: Licence,
    texts: Arc<[Text]>,
    notices: Arc<[Text]>,
}

/// What the answer depends on.
type Asked<'a> = (&'a str, Ecosystem, &'a str, &'a str, &'a [String]);

fn is_ours(package: &Package) -> bool {
    matches!(package.source, Source::Path(_))
}

/// Go's own licence, the same in every release: `stdlib` is in no module cache, and comes with whatever installs Go.
fn of_go() -> Looked {
    let from = "go.dev/LICENSE".to_owned();
    let text = Text { from: from.clone(), text: include_str!("../../data/go-licence.txt").to_owned() };
    let licence = stated("BSD-3-Clause", &from).unwrap_or(Licence::Unknown(Unknown::NotStated));
    Looked { licence, texts: Arc::new([text]), notices: Arc::new([]) }
}

fn look(finder: &mut Finder<'_>, input: &Input, package: &Package, depth: Depth) -> Looked {
    if package.ecosystem == Ecosystem::Go && matches!(&*package.name, "stdlib" | "toolchain") {
        return of_go();
    }
    // npm and Composer have it that of several one may choose; a bill does not say, so all of them hold.
    let with = if input.kind == inventory::Kind::Bill.name() { " AND " } else { " OR " };
    let locked = joined(package.licenses.iter(), with).and_then(|words| stated(&words, &input.path));
    match locked {
        Some(licence @ Licence::Known { .. }) if depth == Depth::Licences => {
            Looked { licence, texts: Arc::new([]), notices: Arc::new([]) }
        }
        locked => {
            let own = finder.find(&input.path, package);
            let licence = settle(locked, own.as_ref(), package);
            let Own { texts, notices, .. } = own.unwrap_or_default();
            Looked { licence, texts: texts.into(), notices: notices.into() }
        }
    }
}

/// The surest answer of what the lockfile and the package say.
fn settle(locked: Option<Licence>, own: Option<&Own>, package: &Package) -> Licence {
    if let Some(Licence::Known { .. }) = locked {
        return locked.unwrap_or(Licence::Unknown(Unknown::NotStated));
    }
    let manifest = own.and_then(|own| own.stated.as_ref()).and_then(|(words, from)| stated(words, from));
    let Some(own) = own else {
        let looked = places(package.ecosystem.purl_type());
        return locked.unwrap_or(Licence::Unknown(Unknown::NotInstalled { looked }));
    };
    match manifest.or(locked) {
        Some(known @ Licence::Known { .. }) => known,
        // The text decides between the licences that the words can mean.
        Some(Licence::Unclear { stated, candidates, from }) => match by_text(&own.texts) {
            Some(known) if known.expression().is_some_and(|one| candidates.contains(&one.to_string().as_str())) => {
                known
            }
            _ => Licence::Unclear { stated, candidates, from },
        },
        Some(unknown) => by_text(&own.texts).filter(|found| found.expression().is_some()).unwrap_or(unknown),
        None => by_text(&own.texts).unwrap_or(Licence::Unknown(Unknown::NotStated)),
    }
}

/// What the words in a field for the licence say; `None` if nothing.
fn stated(words: &str, from: &str) -> Option<Licence> {
    let from = from.to_owned();
    match read(words) {
        Meaning::Clear(expression) => {
            Some(Licence::Known { expression, evidence: Evidence { from, how: How::Stated } })
        }
        Meaning::Unclear(candidates) => Some(Licence::Unclear { stated: words.trim().to_owned(), candidates, from }),
        Meaning::Silent => None,
        // The whole text in a field for its name.
        Meaning::Strange if words.len() > 400 => by_text(&[Text { from, text: words.to_owned() }]),
        Meaning::Strange => {
            let stated = words.trim().chars().take(200).collect();
            Some(Licence::Unknown(Unknown::NotUnderstood { stated, from }))
        }
    }
}

/// What the licence files say. Several files hold together: nothing in them says that one may choose.
fn by_text(texts: &[Text]) -> Option<Licence> {
    let mut all: Vec<&'static str> = Vec::new();
    let (mut from, mut confidence) = (Vec::new(), 1.0_f32);
    let (mut nearest, mut rider, mut unread) = (None, None, None);
    for text in texts {
        match recognise(&text.text) {
            Ok(found) => {
                from.push(text.from.as_str());
                confidence = confidence.min(found.confidence);
                rider = rider.or(found.rider.map(|words| (text.from.clone(), words)));
                found.licences.into_iter().for_each(|one| {
                    if !all.contains(&one) {
                        all.push(one);
                    }
                });
            }
            Err(near) => {
                if !is_remark(&text.text) && !is_list(&text.from) {
                    unread = unread.or(Some(text.from.clone()));
                }
                nearest = nearest.or(near.map(|(name, likeness)| (name, (likeness * 100.0) as u8)));
            }
        }
    }
    // The LGPL from version 3 on is a supplement to the GPL and comes with its text: both together are the LGPL.
    if all.contains(&"LGPL-3.0-only") {
        all.retain(|one| *one != "GPL-3.0-only");
    }
    // An exception in a file of its own.
    let with: Vec<&str> = all.iter().filter_map(|one| one.split_once(" WITH ")).map(|(base, _)| base).collect();
    all.retain(|one| !with.contains(one));
    if let Some(expression) = Expression::all_of(&all).filter(|_| !all.is_empty()) {
        if let Some((from, rider)) = rider {
            return Some(Licence::Unknown(Unknown::Changed { from, base: expression, rider }));
        }
        if let Some(from) = unread {
            return Some(Licence::Unknown(Unknown::Unread { from, base: expression }));
        }
        let evidence = Evidence { from: from.join(", "), how: How::Recognised(confidence) };
        return Some(Licence::Known { expression, evidence });
    }
    let first = texts.first()?;
    Some(Licence::Unknown(Unknown::NotRecognised { from: first.from.clone(), nearest }))
}

/// Whether a file is by its name a list of people, patents or notices, such as `LICENSE-AUTHORS`.
fn is_list(from: &str) -> bool {
    let name = from.rsplit(['/', '\\']).next().unwrap_or(from).to_ascii_lowercase();
    ["notice", "authors", "contributors", "patents"].iter().any(|word| name.contains(word))
}

/// The exceptions of the policy that let none of these through.
pub fn idle<'p>(policy: &'p Policy, licensed: &[Licensed<'_>]) -> Vec<(&'p Exception, Idle)> {
    let packages: Vec<(&str, &Licence)> =
        licensed.iter().map(|one| (one.package.name.as_str(), &one.licence)).collect();
    policy.idle(&packages)
}

/// What the policy refuses, as findings.
pub fn judge(policy: &Policy, licensed: &[Licensed<'_>]) -> Vec<Finding> {
    licensed.iter().filter_map(|one| refused(policy, one)).collect()
}

fn refused(policy: &Policy, one: &Licensed<'_>) -> Option<Finding> {
    let package = one.package;
    let (id, level, summary) = match policy.judge(&package.name, &one.licence) {
        Verdict::Allowed => return None,
        Verdict::Denied(terms) => {
            let id = format!("license-denied:{}", terms.join("+").replace(' ', "-"));
            (id, Level::High, format!("licence not allowed: {}", terms.join(", ")))
        }
        Verdict::Unclear => {
            ("license-unclear".to_owned(), Level::Low, "licence not clear enough to be allowed".to_owned())
        }
        Verdict::Unknown => {
            let level = if policy.unknown == OnUnknown::Deny { Level::Medium } else { Level::Informational };
            ("license-unknown".to_owned(), level, "licence unknown".to_owned())
        }
    };
    let reason = match &one.licence {
        Licence::Known { expression, evidence: Evidence { from, how: How::Stated } } => {
            format!("{from} says {expression}")
        }
        Licence::Known { expression, evidence: Evidence { from, how: How::Recognised(confidence) } } => {
            format!("{from} is {:.0} % the text of {expression}", confidence * 100.0)
        }
        Licence::Unclear { stated, candidates, from } => {
            format!("{from} says {stated:?}, which is one of {}", candidates.join(", "))
        }
        Licence::Unknown(why) => why.to_string(),
    };
    Some(finding::of_rule(
        one.path,
        package,
        purl(package.ecosystem, &package.name, &package.version),
        finding::Rule {
            id: id.chars().take(200).collect(),
            kind: Kind::License,
            severity: Severity::of_level(level),
            summary,
            description: "The policy in `[sca.licences]` decides which licences may be used. Take another package, \
                          allow the licence there, or make an exception with an owner, a reason and a last day."
                .to_owned(),
            reason,
        },
    ))
}
