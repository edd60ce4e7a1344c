//! What the two publications say in all their forms is kept, and how much of it is told.

use super::*;
use jiff::civil::date;

const EPSS_CSV: &str = "#model_version:v2026.01.01,score_date:2026-11-20T00:00:00Z\ncve,epss,percentile\n\
                        CVE-2021-44228,0.94358,0.99957\nCVE-2019-0001,0.00043,0.1\nnonsense,1,2\n";
const EPSS_JSON: &str = r#"{"status":"OK","data":[{"cve":"CVE-2021-44228","epss":"0.94358","percentile":"0.99957","date":"2026-11-20"},
                               {"cve":"CVE-2019-0001","epss":0.00043,"percentile":0.1}]}"#;
const KEV_CSV: &str = "\"cveID\",\"vendorProject\",\"product\",\"vulnerabilityName\",\"dateAdded\",\"shortDescription\",\"knownRansomwareCampaignUse\"\n\
                       \"CVE-2021-44228\",\"Apache\",\"Log4j2\",\"a, \"\"b\"\"\",\"2021-12-10\",\"two\nlines\",\"Known\"\n";
const KEV_JSON: &str = r#"{"title":"CISA","catalogVersion":"2026","count":1,"vulnerabilities":[{"cveID":"CVE-2021-44228",
                              "dateAdded":"2021-12-10","knownRansomwareCampaignUse":"Known"}]}"#;

fn gzip(text: &str) -> Vec<u8> {
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::default());
    let mut packed = vec![0; compressor.gzip_compress_bound(text.len())];
    let length = compressor.gzip_compress(text.as_bytes(), &mut packed).unwrap();
    packed.truncate(length);
    packed
}

#[test]
fn all_forms_say_the_same_in_any_order() {
    let epss: [Vec<u8>; 3] = [EPSS_CSV.into(), EPSS_JSON.into(), gzip(EPSS_CSV)];
    let kev: [Vec<u8>; 2] = [KEV_CSV.into(), KEV_JSON.into()];
    for one in &epss {
        for other in &kev {
            for order in [[one, other], [other, one]] {
                let folder = tempfile::tempdir().unwrap();
                for text in order {
                    assert!(is_signals(text));
                    import(text, folder.path()).unwrap();
                }
                let signals = Signals::open(folder.path()).unwrap();
                let worst = signals.of("CVE-2021-44228");
                assert_eq!(worst.epss, Some(Epss { probability: 0.94358, percentile: 0.99957 }));
                assert_eq!(worst.kev, Some(Kev { added: date(2021, 12, 10), ransomware: true }));
                assert_eq!(signals.of("CVE-2019-0001").kev, None);
                assert_eq!(signals.of("CVE-2019-0001").epss.unwrap().probability, 0.00043);
                assert_eq!(signals.of("CVE-2019-0002"), Signal::default());
                assert_eq!(signals.of("GHSA-x"), Signal::default());
            }
        }
    }
}

#[test]
fn what_is_listed_no_more_goes() {
    let folder = tempfile::tempdir().unwrap();
    import(KEV_JSON.as_bytes(), folder.path()).unwrap();
    import(EPSS_JSON.as_bytes(), folder.path()).unwrap();
    import(KEV_JSON.replace("44228", "1").as_bytes(), folder.path()).unwrap();
    let signals = Signals::open(folder.path()).unwrap();
    assert_eq!(signals.of("CVE-2021-44228").kev, None);
    assert!(signals.of("CVE-2021-44228").epss.is_some() && signals.of("CVE-2021-1").kev.is_some());
}

#[test]
fn other_files_and_damage_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cut = gzip(EPSS_CSV);
    for text in [&b"{}"[..], b"", b"a,b\n", b"\x1f\x8b", &cut[..cut.len() - 9], br#"{"id": "GHSA-1", "affected": []}"#]
    {
        assert!(!is_signals(text), "{text:?}");
        assert!(import(text, folder.path()).is_err(), "{text:?}");
    }
    assert!(matches!(import(b"cve,epss,percentile\nx,y,z\n", folder.path()), Err(SignalError::Empty)));
    let taken = import(EPSS_CSV.as_bytes(), folder.path()).unwrap();
    assert_eq!((taken.feed, taken.rows, taken.bad), (Feed::Epss, 2, 1));
    let path = folder.path().join(FILE);
    let sound = fs::read(&path).unwrap();
    for at in 0..sound.len() {
        let mut broken = sound.clone();
        broken[at] ^= 1;
        fs::write(&path, &broken).unwrap();
        assert!(Signals::open(folder.path()).is_none(), "{at}");
        fs::write(&path, &sound[..at]).unwrap();
        assert!(Signals::open(folder.path()).is_none(), "{at}");
    }
}

#[test]
fn how_much_is_held_is_told_with_its_day() {
    let folder = tempfile::tempdir().unwrap();
    let held = |feed| Signals::open(folder.path()).and_then(|signals| signals.held(feed));
    let want = |rows, day| Some(Held { rows, day });
    assert_eq!(held(Feed::Epss), None);
    import(EPSS_CSV.as_bytes(), folder.path()).unwrap();
    assert_eq!((held(Feed::Epss), held(Feed::Kev)), (want(2, Some(date(2026, 11, 20))), None));
    import(KEV_CSV.as_bytes(), folder.path()).unwrap();
    assert_eq!((held(Feed::Epss), held(Feed::Kev)), (want(2, Some(date(2026, 11, 20))), want(1, None)));
    let released = KEV_JSON.replace("\"count\"", "\"dateReleased\":\"2026-11-21T14:00:03.2Z\",\"count\"");
    import(released.as_bytes(), folder.path()).unwrap();
    import(gzip(&EPSS_JSON.replace("2026-11-20", "2026-11-22")).as_slice(), folder.path()).unwrap();
    assert_eq!(held(Feed::Epss), want(2, Some(date(2026, 11, 22))));
    assert_eq!(held(Feed::Kev), want(1, Some(date(2026, 11, 21))));
    assert_eq!(Signals::open(folder.path()).unwrap().of("CVE-0-0"), Signal::default());
    // As releases before this one wrote it: the rows without the days.
    let path = folder.path().join(FILE);
    let now = fs::read(&path).unwrap();
    let rows = &now[HEADER + ROW..];
    fs::write(&path, [&MAGIC[..], &rapidhash_v3(rows).to_le_bytes(), rows].concat()).unwrap();
    assert_eq!((held(Feed::Epss), held(Feed::Kev)), (want(2, None), want(1, None)));
}
