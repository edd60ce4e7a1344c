//! CVSS scores against a second implementation: `cvss.tsv` holds random vectors of every edition with the scores that the
//! `cvss` package of Red Hat's product security gives them. And against FIRST's own examples: `first.tsv` has those of the CVSS 2.0
//! guide (section 3.3, also with the temporal metrics that stand there, which leave the base score as it is), and of the documents
//! of examples of 3.0, 3.1 and 4.0.

use aiva_sca::severity::Cvss;

#[test]
fn scores_are_those_of_the_examples_of_first() {
    let rows = include_str!("../data/first.tsv");
    for row in rows.lines() {
        let [about, vector, want] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("three columns: {row}") };
        let score = vector.parse::<Cvss>().map(|cvss| cvss.score.to_string());
        assert_eq!(score.as_deref(), Ok(want), "{about} {vector}");
    }
    let of = |edition: &str| rows.lines().filter(|row| row.split('\t').any(|cell| cell.starts_with(edition))).count();
    assert_eq!([of("AV:"), of("CVSS:3.0/"), of("CVSS:3.1/"), of("CVSS:4.0/")], [6, 21, 31, 40]);
}

#[test]
fn scores_agree_with_a_second_implementation() {
    let rows = include_str!("../data/cvss.tsv");
    let mut wrong = Vec::new();
    for row in rows.lines() {
        let (vector, want) = row.split_once('\t').unwrap();
        match vector.parse::<Cvss>() {
            Ok(cvss) if cvss.score.to_string() == want => {}
            other => wrong.push(format!("{vector} is {want}, not {other:?}")),
        }
    }
    assert!(rows.lines().count() > 500);
    assert!(wrong.is_empty(), "{} wrong: {:#?}", wrong.len(), &wrong[..wrong.len().min(10)]);
}
