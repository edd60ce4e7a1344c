//! A base with changes answers as a base that was imported with the changes in it, however they came and whether they were folded.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use aiva_sca::advisory::{self, Amended, Change, Fold, Index, OpenError};
use aiva_sca::package::{Ecosystem, Input, NotJudged, Package, Status};
use aiva_sca::scan::scan;
use aiva_sca::version::Version;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

const ECOSYSTEMS: [Ecosystem; 4] = [Ecosystem::CratesIo, Ecosystem::Npm, Ecosystem::PyPi, Ecosystem::Go];
const VERSIONS: [&str; 12] =
    ["0", "0.3.1", "0.3.4", "1.0.0", "1.2.3", "1.2.3-beta.2", "1.5.0", "2.0.0", "2.3.9", "9.9.9", "1!0.5", "2004d"];

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

/// The sample records, each with its ecosystem.
fn samples() -> Vec<(Ecosystem, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/osv");
    let mut all = Vec::new();
    for ecosystem in ECOSYSTEMS {
        let mut files: Vec<PathBuf> =
            fs::read_dir(folder.join(ecosystem.osv_name())).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        all.extend(files.iter().map(|file| (ecosystem, serde_json::from_slice(&fs::read(file).unwrap()).unwrap())));
    }
    all
}

/// What a record's source has of it at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Absent,
    AsItIs,
    /// About other packages too, with another end.
    Otherwise,
    /// About a package that another record is about.
    OfAnother,
    Withdrawn,
    NoRecord,
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![
        2 => Just(Told::Absent),
        4 => Just(Told::AsItIs),
        3 => Just(Told::Otherwise),
        2 => Just(Told::OfAnother),
        2 => Just(Told::Withdrawn),
        1 => Just(Told::NoRecord),
    ]
}

fn text(told: Told, record: &Value) -> Option<Vec<u8>> {
    let mut record = record.clone();
    match told {
        Told::Absent => return None,
        Told::NoRecord => return Some(b"{\"name\": 1}".to_vec()),
        Told::AsItIs => {}
        Told::Withdrawn => record["withdrawn"] = json!("2026-05-05T00:00:00Z"),
        Told::OfAnother => {
            for affected in record["affected"].as_array_mut().unwrap() {
                affected["package"]["name"] = json!("shared");
            }
            record["modified"] = json!("2026-03-03T00:00:00Z");
        }
        Told::Otherwise => {
            let affected = record["affected"].as_array_mut().unwrap();
            let mut other = affected[0].clone();
            other["package"]["name"] = json!("another");
            other["ranges"] = json!([{"type": "SEMVER", "events": [{"introduced": "1.0.0"}, {"fixed": "9.0.0"}]}]);
            affected.push(other);
            record["summary"] = json!("told otherwise");
            record["modified"] = json!("2026-04-04T00:00:00Z");
        }
    }
    Some(serde_json::to_vec(&record).unwrap())
}

/// Imports these texts, with one record an ecosystem that is always there.
fn import(texts: &[(Ecosystem, Vec<u8>)], dir: &Path) {
    let sources = TempDir::new().unwrap();
    for ecosystem in ECOSYSTEMS {
        let folder = sources.path().join(ecosystem.osv_name());
        fs::create_dir(&folder).unwrap();
        let name = ecosystem.osv_name();
        for anchor in 0..3 {
            let record = json!({"id": format!("ANCHOR-{anchor}"), "modified": "2020-01-01T00:00:00Z",
                "affected": [{"package": {"ecosystem": name, "name": "anchor"}, "versions": ["1.0.0"]}]});
            fs::write(folder.join(format!("anchor-{anchor}.json")), record.to_string()).unwrap();
        }
    }
    for (at, (ecosystem, text)) in texts.iter().enumerate() {
        fs::write(sources.path().join(ecosystem.osv_name()).join(format!("{at}.json")), text).unwrap();
    }
    // An ecosystem that is mostly bad records is refused as no export; the anchors are not enough against that.
    for ecosystem in ECOSYSTEMS {
        for more in 0..20 {
            let record = json!({"id": format!("FILL-{more}"), "modified": "2020-01-01T00:00:00Z",
                "affected": [{"package": {"ecosystem": ecosystem.osv_name(), "name": "fill"}, "versions": ["1.0.0"]}]});
            let path = sources.path().join(ecosystem.osv_name()).join(format!("fill-{more}.json"));
            fs::write(path, record.to_string()).unwrap();
        }
    }
    advisory::import(&[sources.path().to_owned()], dir, now(), &|_| {}).unwrap();
}

/// Everything that an index says.
fn answers(dir: &Path, names: &[(Ecosystem, String)]) -> Vec<String> {
    let index = Index::open(dir).unwrap();
    index.verify().unwrap();
    let mut said: Vec<String> = index.ecosystems().iter().map(|one| format!("{one:?}")).collect();
    let mut packages = Vec::new();
    let mut open = Vec::new();
    for (ecosystem, name) in names {
        let Some(entry) = index.entry(*ecosystem, name).unwrap() else {
            said.push(format!("{ecosystem} {name}: nothing"));
            continue;
        };
        let mut advisories: Vec<String> = entry
            .advisories()
            .iter()
            .map(|advisory| {
                let affects = VERSIONS
                    .map(|version| advisory.affects(version, Version::parse(*ecosystem, version).as_ref()).unwrap());
                format!("{:?} {:?} {affects:?}", advisory.kind(), advisory.details().unwrap())
            })
            .collect();
        advisories.sort();
        said.push(format!("{ecosystem} {name}: {advisories:#?}"));
        packages.extend(VERSIONS.map(|version| Package::new(*ecosystem, name, version, 1)));
        open.push(NotJudged { is_range: true, ..NotJudged::new(*ecosystem, name, ">=1.0.0", 1, "") });
    }
    let input = Input {
        path: "lock".to_owned(),
        kind: "Cargo.lock".into(),
        status: Status::Parsed,
        packages,
        not_judged: open,
        problems: Vec::new(),
        edges: Vec::new(),
        signs: Vec::new(),
        asks: Vec::new(),
    };
    let result = scan(&[input], &index).unwrap();
    said.push(format!("{:#?} {:#?} {:#?}", result.findings, result.not_judged, result.can_resolve));
    said
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changes_count_as_if_they_had_been_imported(
        histories in prop::collection::vec(prop::collection::vec(told(), 4), 23),
        folds in prop::collection::vec(any::<bool>(), 3),
    ) {
        let samples = samples();
        let mut names: Vec<(Ecosystem, String)> = Vec::new();
        for (ecosystem, record) in &samples {
            let affected = record["affected"].as_array().into_iter().flatten();
            names.extend(affected.filter_map(|one| Some((*ecosystem, one["package"]["name"].as_str()?.to_owned()))));
            names.extend(["shared", "another", "anchor", "none"].map(|name| (*ecosystem, name.to_owned())));
        }
        names.sort();
        names.dedup();
        let at = |step: usize| -> Vec<(Ecosystem, Vec<u8>)> {
            let texts = samples.iter().zip(&histories);
            texts.filter_map(|((ecosystem, record), history)| Some((*ecosystem, text(history[step], record)?))).collect()
        };
        let (grown, whole) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        import(&at(0), grown.path());
        for step in 1..4 {
            let epoch = Index::open(grown.path()).unwrap().epoch();
            let mut changes: BTreeMap<Ecosystem, Vec<Change>> = BTreeMap::new();
            for ((ecosystem, record), history) in samples.iter().zip(&histories).filter(|(_, h)| h[step] != h[step - 1]) {
                let text = text(history[step], record);
                let is_record = text.as_ref().and_then(|text| serde_json::from_slice::<Value>(text).ok());
                let modified = is_record.as_ref().and_then(|record| record["modified"].as_str()?.parse().ok());
                changes.entry(*ecosystem).or_default().push(Change {
                    id: record["id"].as_str().unwrap().to_owned(),
                    modified: modified.unwrap_or_default(),
                    record: text,
                });
            }
            advisory::amend(grown.path(), &changes, &ECOSYSTEMS, now()).unwrap();
            let before = answers(grown.path(), &names);
            let index = Index::open(grown.path()).unwrap();
            prop_assert_eq!(index.epoch(), epoch + 1);
            prop_assert!(index.changed_since(epoch).unwrap().is_some());
            if folds[step - 1] {
                prop_assert!(advisory::fold(grown.path(), Fold::Always).unwrap());
                prop_assert_eq!(Index::open(grown.path()).unwrap().epoch(), epoch + 1);
                prop_assert_eq!(&answers(grown.path(), &names), &before);
            }
        }
        import(&at(3), whole.path());
        prop_assert_eq!(answers(grown.path(), &names), answers(whole.path(), &names));
    }
}

fn change(id: &str, name: &str, fixed: &str) -> Change {
    let record = json!({"id": id, "modified": "2026-06-06T00:00:00Z", "affected": [{"package":
        {"ecosystem": "npm", "name": name}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": fixed}]}]}]});
    Change { id: id.to_owned(), modified: now(), record: Some(record.to_string().into_bytes()) }
}

fn amend(dir: &Path, changes: Vec<Change>) -> Vec<Amended> {
    advisory::amend(dir, &[(Ecosystem::Npm, changes)].into(), &[], now()).unwrap().amended
}

fn npm(names: &[&str]) -> Option<std::collections::BTreeSet<(Ecosystem, String)>> {
    Some(names.iter().map(|name| (Ecosystem::Npm, (*name).to_owned())).collect())
}

#[test]
fn the_packages_that_changed_since_a_version_are_known() {
    let dir = TempDir::new().unwrap();
    import(&[], dir.path());
    let first = Index::open(dir.path()).unwrap();
    let amended = amend(dir.path(), vec![change("A", "a", "2.0.0"), change("B", "b", "2.0.0")]);
    assert_eq!((amended[0].changed, amended[0].ended), (2, 0));
    assert!(first.changed());
    assert!(first.entry(Ecosystem::Npm, "a").unwrap().is_none(), "an open index stays as it is");
    let second = Index::open(dir.path()).unwrap();
    assert!(!second.changed());
    // B moves to another package, so that both are touched; A stays.
    amend(dir.path(), vec![change("B", "c", "2.0.0")]);
    let gone = Change { id: "A".to_owned(), modified: now(), record: None };
    let third = Index::open(dir.path()).unwrap();
    let amended = amend(dir.path(), vec![gone]);
    assert_eq!((amended[0].changed, amended[0].ended), (0, 1));
    let fourth = Index::open(dir.path()).unwrap();
    let since = |index: &Index| fourth.changed_since(index.epoch()).unwrap();
    assert_eq!(since(&first), npm(&["a", "b", "c"]));
    assert_eq!(since(&second), npm(&["a", "b", "c"]));
    assert_eq!(since(&third), npm(&["a"]));
    assert_eq!(since(&fourth), npm(&[]));
    advisory::confirm(dir.path(), &[Ecosystem::Npm], now()).unwrap();
    let confirmed = Index::open(dir.path()).unwrap();
    assert_eq!((confirmed.epoch(), confirmed.changed_since(fourth.epoch()).unwrap()), (fourth.epoch() + 1, npm(&[])));
    // After a fold nobody knows any more, except whoever has seen it all.
    assert!(advisory::fold(dir.path(), Fold::Always).unwrap());
    let folded = Index::open(dir.path()).unwrap();
    assert!(confirmed.changed() && !dir.path().join("advisories.delta").exists());
    assert_eq!(folded.changed_since(confirmed.epoch()).unwrap(), npm(&[]));
    assert_eq!(folded.changed_since(fourth.epoch()).unwrap(), None);
}

#[test]
fn changes_pile_up_only_so_far() {
    let dir = TempDir::new().unwrap();
    import(&[], dir.path());
    amend(dir.path(), vec![change("A", "a", "2.0.0")]);
    assert!(!advisory::fold(dir.path(), Fold::IfDue).unwrap());
    amend(dir.path(), (0..1_001).map(|at| change(&format!("B-{at}"), "b", "2.0.0")).collect());
    assert!(advisory::fold(dir.path(), Fold::IfDue).unwrap());
    let index = Index::open(dir.path()).unwrap();
    assert_eq!(index.entry(Ecosystem::Npm, "b").unwrap().unwrap().advisories().len(), 1_001);
    assert!(!advisory::fold(dir.path(), Fold::IfDue).unwrap());
}

#[test]
fn changes_of_what_is_not_there_are_refused() {
    let dir = TempDir::new().unwrap();
    let changes = [(Ecosystem::Maven, vec![change("A", "a", "2.0.0")])].into();
    assert!(advisory::amend(dir.path(), &changes, &[], now()).is_err());
    import(&[], dir.path());
    let error = advisory::amend(dir.path(), &changes, &[], now()).unwrap_err();
    assert!(error.to_string().contains("nothing on Maven"), "{error}");
    assert!(!dir.path().join("advisories.delta").exists());
    assert!(fs::read_dir(dir.path()).unwrap().all(|entry| !entry.unwrap().path().ends_with(".advisories.delta.new")));
}

#[test]
fn what_is_no_record_is_named_and_counts_no_more() {
    let dir = TempDir::new().unwrap();
    import(&[], dir.path());
    amend(dir.path(), vec![change("A", "a", "2.0.0")]);
    let changes = [
        Change { record: Some(b"{".to_vec()), ..change("A", "a", "2.0.0") },
        Change { id: "B".to_owned(), ..change("C", "a", "2.0.0") },
    ];
    let report = advisory::amend(dir.path(), &[(Ecosystem::Npm, changes.to_vec())].into(), &[], now()).unwrap();
    assert_eq!(report.bad_count, 2);
    assert!(report.bad[1].entry == "npm/B" && report.bad[1].reason.contains("it is C"), "{report:?}");
    assert!(Index::open(dir.path()).unwrap().entry(Ecosystem::Npm, "a").unwrap().is_none());
}

/// A folder with a base and a delta, and their bytes.
fn both() -> (TempDir, Vec<u8>, Vec<u8>) {
    let dir = TempDir::new().unwrap();
    import(&[], dir.path());
    amend(dir.path(), vec![change("A", "anchor", "2.0.0"), change("ANCHOR-0", "moved", "3.0.0")]);
    let read = |name| fs::read(dir.path().join(name)).unwrap();
    let (base, delta) = (read("advisories.index"), read("advisories.delta"));
    (dir, base, delta)
}

#[test]
fn a_delta_that_is_cut_is_refused() {
    let (dir, _, delta) = both();
    for length in (0..delta.len()).step_by(7) {
        fs::write(dir.path().join("advisories.delta"), &delta[..length]).unwrap();
        assert!(matches!(Index::open(dir.path()), Err(OpenError::Damaged { .. })), "{length}");
    }
}

#[test]
fn a_flipped_delta_never_changes_an_answer() {
    let (dir, _, delta) = both();
    let names: Vec<(Ecosystem, &str)> = ["anchor", "moved", "fill", "none"].map(|name| (Ecosystem::Npm, name)).to_vec();
    let ask = || -> Option<Vec<Option<String>>> {
        let index = Index::open(dir.path()).ok()?;
        let _ = index.verify();
        let _ = index.changed_since(1);
        let answer = |(ecosystem, name): &(Ecosystem, &str)| {
            let mut told: Vec<String> = Vec::new();
            if let Some(entry) = index.entry(*ecosystem, name).ok()? {
                for advisory in entry.advisories() {
                    told.push(format!("{:?}", advisory.details().ok()?));
                }
            }
            Some(told.join("\n"))
        };
        Some(names.iter().map(answer).collect())
    };
    let right = ask().unwrap();
    for at in 0..delta.len() {
        let mut bytes = delta.clone();
        bytes[at] ^= 0x11;
        fs::write(dir.path().join("advisories.delta"), &bytes).unwrap();
        for (told, right) in ask().into_iter().flatten().zip(&right) {
            assert!(told.is_none() || told == *right, "byte {at}: {told:?} instead of {right:?}");
        }
    }
}

#[test]
fn a_delta_counts_only_beside_its_own_base() {
    let (dir, base, delta) = both();
    let path = |name: &str| dir.path().join(name);
    // A base of later: the delta is old, and nobody reads it.
    advisory::fold(dir.path(), Fold::Always).unwrap();
    let later = fs::read(path("advisories.index")).unwrap();
    fs::write(path("advisories.delta"), &delta).unwrap();
    let index = Index::open(dir.path()).unwrap();
    assert!(!index.changed());
    assert!(index.entry(Ecosystem::Npm, "moved").unwrap().is_some());
    // A change of now takes its place.
    amend(dir.path(), vec![change("Z", "z", "2.0.0")]);
    assert!(index.changed());
    let newest = fs::read(path("advisories.delta")).unwrap();
    assert!(Index::open(dir.path()).unwrap().entry(Ecosystem::Npm, "z").unwrap().is_some());
    // A base of before: changes are missing that were there, and that is said.
    fs::write(path("advisories.index"), &base).unwrap();
    let error = Index::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("its changes belong to another one"), "{error}");
    // Mixed up.
    fs::write(path("advisories.index"), &newest).unwrap();
    assert!(Index::open(dir.path()).unwrap_err().to_string().contains("it holds changes of another one"));
    fs::write(path("advisories.index"), &later).unwrap();
    fs::write(path("advisories.delta"), &later).unwrap();
    assert!(Index::open(dir.path()).unwrap_err().to_string().contains("do not say what they change"));
    // An import heals it, and its version is later than any before.
    import(&[], dir.path());
    let healed = Index::open(dir.path()).unwrap();
    assert!(healed.epoch() > index.epoch());
    assert!(!path("advisories.delta").exists());
}

#[test]
fn readers_never_see_half_of_it() {
    let dir = TempDir::new().unwrap();
    import(&[], dir.path());
    // Each round moves one record from one package to the other, so that every state has it in exactly one.
    let done = std::sync::atomic::AtomicBool::new(false);
    amend(dir.path(), vec![change("M", "left", "2.0.0")]);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let (mut seen, mut last) = (0, 0);
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        let index = Index::open(dir.path()).unwrap();
                        let has = |name| index.entry(Ecosystem::Npm, name).unwrap().is_some();
                        assert!(has("left") != has("right"), "{}", index.epoch());
                        assert!(index.epoch() >= last);
                        last = index.epoch();
                        seen += 1;
                    }
                    seen
                })
            })
            .collect();
        for round in 0..40 {
            amend(dir.path(), vec![change("M", if round % 2 == 0 { "right" } else { "left" }, "2.0.0")]);
            if round % 5 == 4 {
                advisory::fold(dir.path(), Fold::Always).unwrap();
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(readers.into_iter().map(|reader| reader.join().unwrap()).sum::<u32>() > 0);
    });
}
