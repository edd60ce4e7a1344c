//! A damaged or forged index gives errors or the right answer, never a panic and never a wrong one; so does a list of EPSS or KEV.

use std::fs;
use std::io::Write as _;
use std::ops::Range;
use std::path::Path;
use std::sync::LazyLock;

use aiva_sca::advisory::{self, Index};
use aiva_sca::package::Ecosystem;
use aiva_sca::score::signals::{self, Signal, Signals};
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use proptest::prelude::*;
use tempfile::TempDir;

static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let dir = TempDir::new().unwrap();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/osv");
    advisory::import(&[samples], dir.path(), Timestamp::UNIX_EPOCH, &|_| {}).unwrap();
    fs::read(dir.path().join("advisories.index")).unwrap()
});

const NAMES: [(Ecosystem, &str, &str); 6] = [
    (Ecosystem::CratesIo, "aliased", "0.3.1"),
    (Ecosystem::CratesIo, "two-ranges", "2.0.0"),
    (Ecosystem::Npm, "evil", "1.0.0"),
    (Ecosystem::PyPi, "sample-package", "1.0rc1"),
    (Ecosystem::Go, "stdlib", "1.20.0"),
    (Ecosystem::Go, "example.com/none", "1.20.0"),
];

/// Every answer that an index gives, or `None` for an error.
fn answers(bytes: &[u8]) -> Option<Vec<Option<String>>> {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("advisories.index"), bytes).unwrap();
    let index = Index::open(dir.path()).ok()?;
    let _ = index.verify();
    let answer = |(ecosystem, name, version): (Ecosystem, &str, &str)| -> Option<String> {
        let mut told = String::new();
        if let Some(entry) = index.entry(ecosystem, name).ok()? {
            for advisory in entry.advisories() {
                let parsed = aiva_sca::version::Version::parse(ecosystem, version);
                let affects = advisory.affects(version, parsed.as_ref()).ok()?;
                told.push_str(&format!("{affects:?} {:?}\n", advisory.details().ok()?));
            }
        }
        Some(told)
    };
    Some(NAMES.into_iter().map(answer).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bytes_never_change_an_answer(flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..4)) {
        let mut bytes = BYTES.clone();
        for (at, bits) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
        }
        let sound = answers(&BYTES).unwrap();
        for (told, right) in answers(&bytes).into_iter().flatten().zip(sound) {
            prop_assert!(told.is_none() || told == right, "{:?} instead of {:?}", told, right);
        }
    }

    #[test]
    fn forged_packages_are_read_without_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = BYTES.clone();
        for (at, value) in changes {
            for (hot, _) in segments(&BYTES) {
                let at = hot.start + at.index(hot.len());
                bytes[at] = value;
            }
        }
        for (hot, pages) in segments(&BYTES) {
            let sums: Vec<u8> = bytes[hot].chunks(16 * 1024).flat_map(|page| sum(page).to_le_bytes()).collect();
            bytes[pages].copy_from_slice(&sums);
        }
        let _ = answers(&bytes);
    }

    #[test]
    fn cut_files_are_refused(length in any::<prop::sample::Index>()) {
        prop_assert!(answers(&BYTES[..length.index(BYTES.len())]).is_none());
    }

    #[test]
    fn a_list_that_was_cut_never_says_what_the_whole_one_does_not(length in any::<prop::sample::Index>()) {
        for (list, has_end) in lists() {
            let (rows, whole) = said(&list).unwrap();
            let cut = length.index(list.len());
            let Some((some, part)) = said(&list[..cut]) else { continue };
            prop_assert!(!has_end, "cut at {} it is taken for whole", cut);
            prop_assert!(some < rows);
            for (said, right) in part.into_iter().zip(&whole) {
                prop_assert!(said == Signal::default() || said == *right, "cut at {} it says {:?}", cut, said);
            }
        }
    }
}

/// EPSS and KEV in every form, and whether the form has an end that a cut takes away.
fn lists() -> [(Vec<u8>, bool); 5] {
    let epss = "#model_version:v2026.01.01,score_date:2026-11-20T00:00:00Z\ncve,epss,percentile\n\
                CVE-2021-44228,0.94358,0.99957\nCVE-2021-4422,0.00043,0.12345\n";
    let kev = "\"cveID\",\"shortDescription\",\"dateAdded\",\"knownRansomwareCampaignUse\"\r\n\
               \"CVE-2021-44228\",\"two\nlines, \"\"one\"\" of them quoted\",\"2021-12-10\",\"Known\"\r\n\
               CVE-2021-4422,plain,2022-01-05,Known\r\n";
    let epss_json = r#"{"status":"OK","data":[{"cve":"CVE-2021-44228","epss":"0.94358","percentile":"0.99957"}]}"#;
    let kev_json = r#"{"title":"CISA","vulnerabilities":[{"cveID":"CVE-2021-44228","dateAdded":"2021-12-10"}]}"#;
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(epss.as_bytes()).unwrap();
    [
        (epss.into(), false),
        (kev.into(), false),
        (epss_json.into(), true),
        (kev_json.into(), true),
        (packed.finish().unwrap(), true),
    ]
}

/// How many rows of a list are taken, and what they say; `None` where it is refused.
fn said(list: &[u8]) -> Option<(usize, Vec<Signal>)> {
    let dir = TempDir::new().unwrap();
    let taken = signals::import(list, dir.path()).ok()?;
    let signals = Signals::open(dir.path()).unwrap();
    let names = ["CVE-2021-44228", "CVE-2021-4422", "CVE-2021-442", "CVE-2021-44", "CVE-2021-4"];
    Some((taken.rows, names.map(|name| signals.of(name)).to_vec()))
}

#[test]
fn forged_checksums_do_not_lead_outside_the_file() {
    // A forger can make every checksum right. Each number of the directory is set to extremes, and the header signed anew.
    let at = usize::try_from(u64::from_le_bytes(BYTES[40..48].try_into().unwrap())).unwrap();
    let directory = String::from_utf8(BYTES[at..].to_vec()).unwrap();
    let mut tried = 0;
    for (start, _) in directory.match_indices(|c: char| c.is_ascii_digit()) {
        if directory.as_bytes()[start - 1].is_ascii_digit() {
            continue;
        }
        let end = start + directory[start..].find(|c: char| !c.is_ascii_digit()).unwrap();
        for value in ["0", "1", "3", "8", "64", "1048576", "4294967295", "9223372036854775807", "18446744073709551615"]
        {
            let forged = format!("{}{value}{}", &directory[..start], &directory[end..]);
            let mut bytes = BYTES[..at].to_vec();
            bytes.extend_from_slice(forged.as_bytes());
            let length = bytes.len() as u64;
            bytes[32..40].copy_from_slice(&length.to_le_bytes());
            bytes[48..56].copy_from_slice(&(forged.len() as u64).to_le_bytes());
            let sum = sum(&bytes[..56]) ^ sum(forged.as_bytes()).rotate_left(1);
            bytes[56..64].copy_from_slice(&sum.to_le_bytes());
            let _ = answers(&bytes);
            tried += 1;
        }
    }
    assert!(tried > 200, "{tried}");
}

/// Where each segment's packages and the checksums of their pages are.
fn segments(bytes: &[u8]) -> Vec<(Range<usize>, Range<usize>)> {
    let at = usize::try_from(u64::from_le_bytes(bytes[40..48].try_into().unwrap())).unwrap();
    let directory: serde_json::Value = serde_json::from_slice(&bytes[at..]).unwrap();
    let place = |value: &serde_json::Value| {
        let number = |name: &str| usize::try_from(value[name].as_u64().unwrap()).unwrap();
        number("offset")..number("offset") + number("length")
    };
    directory["segments"].as_array().unwrap().iter().map(|one| (place(&one["hot"]), place(&one["pages"]))).collect()
}

/// The file's checksum, written down a second time so that a change of it is noticed.
fn sum(bytes: &[u8]) -> u64 {
    rapidhash::v3::rapidhash_v3_seeded(bytes, &rapidhash::v3::RapidSecrets::seed(0x4149_5641))
}
