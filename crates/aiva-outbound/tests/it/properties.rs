//! Whatever the text, what is allowed is read alike by two parsers that are not ours; whatever the address, a second list
//! agrees. The promises are those of the fuzz targets, whose corpus is replayed here.

use proptest::prelude::*;

#[expect(unreachable_pub, reason = "the fuzz targets' library exports it")]
#[path = "../../fuzz/promises.rs"]
mod promises;

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
        "ß",
        "א",
        "xn--bcher-kva",
        "$",
        "~",
        "|",
        "'",
        "(",
        "+",
        "=",
        "!",
    ]);
    prop_oneof![
        prop::collection::vec(pieces.clone(), 0..12).prop_map(|parts| parts.concat()),
        prop::collection::vec(pieces, 0..8).prop_map(|parts| format!("http://{}", parts.concat())),
        any::<String>().prop_map(|text| format!("http://{text}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_we_allow_nobody_reads_as_another_host(text in texts()) {
        promises::feed("target", text.as_bytes());
        promises::feed("authority", text.strip_prefix("http://").unwrap_or(&text).as_bytes());
    }

    #[test]
    fn a_redirect_leads_everybody_to_the_same_place(location in texts(), path in "[a-z/.?]{0,8}") {
        let location = location.strip_prefix("http://").filter(|_| path.len() % 2 == 0).unwrap_or(&location);
        promises::feed("redirect", format!("https://example.com/{path}\n{location}").as_bytes());
    }

    #[test]
    fn a_second_list_of_addresses_agrees(
        address in prop_oneof![
            any::<[u8; 16]>().prop_map(|octets| octets.to_vec()),
            any::<[u8; 17]>().prop_map(|octets| octets.to_vec()),
            any::<[u8; 4]>().prop_map(|octets| octets.to_vec()),
            // Few bits set, so that the short blocks are hit.
            prop::collection::vec(prop::sample::select(vec![0u8, 1, 0x20, 0x64, 0xfe, 0xff, 0x5e, 0xa9, 127, 10]), 16),
        ],
        block in 0..EDGES.len(),
        beside in -2i8..=2,
    ) {
        promises::feed("address", &address);
        // Around the edges of every block that has a name.
        let edge = EDGES[block].parse::<std::net::Ipv6Addr>().unwrap();
        let near = u128::from(edge).wrapping_add_signed(i128::from(beside));
        promises::feed("address", &near.to_be_bytes());
    }
}

/// First and last addresses of special blocks, from the documents that made them.
const EDGES: &[&str] = &[
    "::",
    "::1",
    "::ffff:0:0",
    "::ffff:0:0:0",
    "64:ff9b::",
    "64:ff9b::ffff:ffff",
    "64:ff9b:1::",
    "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
    "100::",
    "100::1:0:0:0",
    "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2000::",
    "2001::",
    "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db8::",
    "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
    "2002::",
    "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2620:4f:8000::",
    "2620:4f:8000:ffff:ffff:ffff:ffff:ffff",
    "3fff::",
    "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
    "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "5f00::",
    "fc00::",
    "fe80::",
    "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fec0::",
    "ff00::",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];

#[test]
fn the_fuzz_corpus_holds_every_promise() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut fed = 0;
    for promise in ["target", "authority", "redirect", "address", "dns_message"] {
        for entry in std::fs::read_dir(folder.join(promise)).unwrap() {
            promises::feed(promise, &std::fs::read(entry.unwrap().path()).unwrap());
            fed += 1;
        }
    }
    assert!(fed > 40, "the corpus was read");
}
