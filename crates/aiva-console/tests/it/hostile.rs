//! Whatever text is in the data, it changes no tag and no attribute of a page.

use proptest::prelude::*;

use crate::company::{Texts, console, open, person};
use crate::headers::addresses;

/// The tags of a page with the names of their attributes, without any text or value.
fn skeleton(page: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut letters = page.chars();
    while letters.by_ref().any(|c| c == '<') {
        let (mut tag, mut quoted) = (String::new(), false);
        for c in letters.by_ref() {
            match c {
                '"' => quoted = !quoted,
                '>' if !quoted => break,
                c if !quoted => tag.push(c),
                _ => {}
            }
        }
        tags.push(tag);
    }
    tags
}

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<script>alert(1)</script>".to_owned()),
        Just("\"><img src=x onerror=alert(1)>".to_owned()),
        Just("' onmouseover='alert(1)".to_owned()),
        Just("</textarea></title><!--".to_owned()),
        Just("javascript:alert(1)".to_owned()),
        Just("&lt;&#x3c;&quot;".to_owned()),
        "[<>&\"'`=/ a-z\u{202e}\u{0}-\u{1f}]{1,12}",
    ];
    prop::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat())
}

#[test]
fn the_skeleton_sees_what_gets_through() {
    assert_ne!(skeleton("<p title=\"a\">b</p>"), skeleton("<p title=\"a\" onclick=\"x\">b</p>"));
    assert_eq!(skeleton("<p title=\"a>b\">c</p>"), skeleton("<p title=\"\">d</p>"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_text_becomes_markup(summary in hostile(), reason in hostile(), path in hostile()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let plain = console(person(&[]), &Texts::default());
            let reference = "https://example.com/\"><script>".to_owned();
            let odd = console(person(&[]), &Texts { summary, reason, path, reference });
            for address in addresses() {
                let (want, got) = (open(&plain, &address).await, open(&odd, &address).await);
                assert_eq!(want.0, got.0, "{address}");
                assert_eq!(skeleton(&want.2), skeleton(&got.2), "{address}");
            }
        });
    }
}
