//! CVSS scores against a second implementation: `cvss.tsv` holds random vectors of every edition with the scores that the
//! `cvss` package of Red Hat's product security gives them.

use aiva_sca::severity::Cvss;

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
