//! What a draft writes is what the document would be that it stands for.

use aiva_contracts::api::{
    DocumentMatch, DocumentPaths, DocumentPriority, DocumentStatement, DocumentTerm, FindingKind, Level, PackageScope,
    Severity, StatementStatus,
};

use super::super::{Draft, Results, Teller, document};
use super::{judge, results, seen, with_a_range};
use crate::observation::{Context, Observation};

/// All of an observation but the words that are only read.
fn outline(seen: &Observation) -> Observation {
    let (summary, description, reason) = Default::default();
    Observation { summary, description, reason, references: vec![], ..seen.clone() }
}

/// Tells observations, and takes those for one story that say the same of what belongs to one.
struct Plain;

impl Teller<Observation> for Plain {
    type Story = String;

    fn story(&self, seen: &Observation) -> String {
        let names = (&seen.id, &seen.aliases, seen.kind, &seen.severity, &seen.fixed_versions, &seen.last_affected);
        let words = (&seen.summary, &seen.description, &seen.references, &seen.symbols, seen.more_symbols);
        format!("{:?}", (names, words, &seen.reason, &seen.context.matched, &seen.context.priority))
    }

    fn whole(&self, seen: &Observation) -> Observation {
        seen.clone()
    }

    fn own(&self, seen: &Observation) -> Observation {
        let (kind, severity) = (FindingKind::Yanked, Severity { level: Level::Unknown, score: None, vector: None });
        let (fixed_versions, last_affected, symbols, more_symbols) = Default::default();
        let context = Context { matched: vec![], priority: None, ..seen.context.clone() };
        Observation { kind, severity, fixed_versions, last_affected, symbols, more_symbols, context, ..outline(seen) }
    }
}

#[track_caller]
fn check_written(results: Results) {
    let whole = document(results.clone(), &mut judge());
    let draft = Draft::new(results, &mut judge(), super::super::spot, outline, |_| true);
    let mut text = Vec::new();
    draft.write(&mut text, &Plain).unwrap();
    assert!(String::from_utf8(text).unwrap() == serde_json::to_string(&whole).unwrap());
    assert_eq!((draft.summary(), draft.inputs()), (&whole.summary, whole.inputs.as_slice()));
    let stand: Vec<_> = whole.findings.iter().map(|one| (super::super::standing(one), one.severity.level)).collect();
    assert_eq!(draft.standings().collect::<Vec<_>>(), stand);
}

/// Many findings of few advisories, some of them long, with and without each thing that may be left out.
#[test]
fn findings_of_one_story_are_written_as_if_each_were_told() {
    let mut results = results();
    results.findings = (0..1200_u32)
        .map(|number| {
            let story = number * 7 % 150;
            let mut one = seen(&format!("CVE-{story}"), &format!("p{}", number % 13), Level::High, Some(7.5));
            one.line = number;
            one.description = "a \"word\"\n".repeat(if story % 3 == 0 { 9_000 } else { 2 });
            one.last_affected = (story % 2 == 0).then(|| "1.2.3".to_owned());
            one.symbols = vec!["f::g".to_owned(); (story % 4) as usize];
            one.more_symbols = u64::from(story % 5);
            one.reason = "because".repeat((story % 3) as usize);
            let event = DocumentMatch { record: "R".into(), interval: "< 2".into(), events: vec!["fixed 2".into()] };
            one.context.matched = vec![event; (story % 3) as usize];
            one.context.column = (number % 4 > 0).then_some(number % 4);
            one.context.direct = (number % 3 > 0).then_some(number % 3 == 1);
            one.context.scope = (number % 5 > 0).then_some(PackageScope::Dev);
            let term = DocumentTerm { name: "depth".into(), value: (number % 2).to_string(), points: 1.5 };
            one.context.priority =
                (story % 7 > 0).then(|| DocumentPriority { score: f64::from(story % 90), terms: vec![term] });
            let paths = DocumentPaths { shortest: vec![vec![format!("root {number}")]], count: 1 };
            one.context.paths = (number % 6 > 0).then_some(paths);
            one
        })
        .collect();
    check_written(results);
}

#[test]
fn a_draft_writes_the_document_that_it_would_make() {
    let mut noted = results();
    noted.packages = Some(vec![]);
    noted.findings[0].context.known = Some(true);
    noted.findings[1].context.known = Some(false);
    noted.findings[2].context.statement = Some(DocumentStatement {
        status: StatementStatus::NotAffected,
        justification: None,
        detail: None,
        author: Some("ana".into()),
        document: "vex.json".into(),
    });
    let mut empty = results();
    empty.findings.clear();
    for results in [results(), noted, empty, with_a_range()] {
        check_written(results);
    }
}

#[test]
fn an_exception_for_what_is_left_out_is_in_use() {
    let draft = Draft::new(results(), &mut judge(), super::super::spot, outline, |seen| seen.name != "left-pad");
    assert_eq!(draft.standings().count(), 3);
    let idle: Vec<_> = draft.summary().exceptions.iter().map(|one| one.package.as_deref()).collect();
    assert_eq!((draft.summary().accepted, idle), (0, vec![Some("gone")]));
}
