//! Whatever the text, what is allowed is read alike by a parser that is not ours, and nothing panics.

use aiva_outbound::{Host, Target};
use proptest::prelude::*;

/// Texts made of the pieces that parsers trip over.
fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "http",
        "https",
        ":",
        "/",
        "//",
        "@",
        "[",
        "]",
        "::1",
        "127.0.0.1",
        "0x7f",
        ".",
        "..",
        "example.com",
        "%",
        "%00",
        "%2e",
        "\\",
        "\t",
        "\n",
        " ",
        "#",
        "?",
        "&",
        "80",
        "443",
        "99999",
        "-",
        "_",
        "xn--",
        "ü",
        "１",
        "。",
        "\u{ad}",
        "\u{200d}",
        "localhost",
        ",",
        ";",
        "a",
        "\u{0}",
        "ſ",
        "*",
    ]);
    prop_oneof![
        prop::collection::vec(pieces.clone(), 0..12).prop_map(|parts| parts.concat()),
        prop::collection::vec(pieces, 0..8).prop_map(|parts| format!("http://{}", parts.concat())),
        any::<String>().prop_map(|text| format!("http://{text}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn what_we_allow_nobody_reads_as_another_host(text in texts()) {
        let Ok(ours) = Target::parse(&text) else { return Ok(()) };
        let theirs = url::Url::parse(&text);
        prop_assert!(theirs.is_ok(), "WHATWG refuses {text:?}, we read {ours}");
        let theirs = theirs.unwrap();
        let host = theirs.host_str().unwrap_or_default();
        let host = host.strip_suffix('.').unwrap_or(host);
        let same = match ours.host() {
            Host::Name(name) => name == host,
            Host::Address(address) => host.trim_matches(['[', ']']).parse() == Ok(*address),
        };
        prop_assert!(same, "{text:?}: we read {}, WHATWG {host}", ours.host());
        prop_assert_eq!(theirs.port_or_known_default(), Some(ours.port()), "{:?}", text);
    }

    #[test]
    fn a_target_reads_back_as_itself(text in texts()) {
        let Ok(once) = Target::parse(&text) else { return Ok(()) };
        let again = Target::parse(&once.to_string());
        prop_assert_eq!(again.map(|target| target.to_string()), Ok(once.to_string()));
    }
}
