//! What holds for every input, whoever made it: fuzz targets feed arbitrary bytes, ordinary tests replay the corpus and
//! what proptest thinks of. Whoever breaks a promise panics.
//!
//! Two other parsers stand beside ours: WHATWG's (`url`) and that of RFC 3986 and 3987 (`iri-string`). They may refuse what
//! we read, but must not read another host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aiva_outbound::address::{Class, Prefix, canonical, classify, embedded};
use aiva_outbound::resolve::{Answer, MOST_ADDRESSES};
use aiva_outbound::{Host, Target};
use iri_string::types::{IriReferenceStr, IriStr};

/// Feeds one input to a promise.
pub fn feed(promise: &str, bytes: &[u8]) {
    let text = std::str::from_utf8(bytes);
    match promise {
        "target" => text.map_or((), target),
        "authority" => text.map_or((), authority),
        "redirect" => text.map_or((), redirect),
        "address" => address(bytes),
        "dns_message" => dns_message(bytes),
        other => panic!("no promise is called {other}"),
    }
}

/// A URL that we allow is read as the same place by everybody, and reads back as itself.
fn target(text: &str) {
    let Ok(ours) = Target::parse(text) else { return };
    let whatwg = url::Url::parse(text);
    let whatwg = whatwg.unwrap_or_else(|error| panic!("WHATWG refuses {text:?} ({error}), we read {ours}"));
    same_as_whatwg(text, &ours, &whatwg);
    if let Ok(rfc) = IriStr::new(text) {
        let parts = rfc.authority_components();
        let parts = parts.unwrap_or_else(|| panic!("RFC 3986 sees no host in {text:?}, we read {ours}"));
        same_as_rfc(text, &ours, parts.host(), parts.port());
    }
    if let Ok(uri) = ours.to_string().parse::<http::Uri>() {
        assert_eq!(uri.host(), Some(ours.host().to_string().as_str()), "{text:?}");
    }
    let again = Target::parse(&ours.to_string());
    assert_eq!(again.map(|target| target.to_string()), Ok(ours.to_string()), "{text:?}");
}

/// The authority of a CONNECT request is the same place as in a URL.
fn authority(text: &str) {
    let Ok((host, port)) = Target::parse_authority(text) else { return };
    let inside = Target::parse(&format!("https://{text}/"));
    let inside = inside.unwrap_or_else(|reason| panic!("{text:?} is an authority, but in a URL {reason}"));
    assert_eq!((inside.host(), inside.port(), inside.credentials()), (&host, port, None), "{text:?}");
    target(&format!("https://{text}/"));
    if let Ok(theirs) = text.parse::<http::uri::Authority>() {
        assert!(is_same(&host, &theirs.host().to_ascii_lowercase()), "{text:?}: we read {host}, http {theirs}");
        assert_eq!(theirs.port_u16(), Some(port), "{text:?}");
    }
}

/// A redirect (first line: from where; second: to where) leads everybody to the same place.
fn redirect(text: &str) {
    let Some((base, location)) = text.split_once('\n') else { return };
    let Ok(from) = Target::parse(base) else { return };
    let Ok(ours) = from.join(location) else { return };
    let whatwg = url::Url::parse(base).and_then(|url| url.join(location));
    let whatwg = whatwg.unwrap_or_else(|error| panic!("WHATWG refuses {text:?} ({error}), we read {ours}"));
    same_as_whatwg(text, &ours, &whatwg);
    let Ok(rfc) = IriReferenceStr::new(location) else { return };
    match rfc.authority_components() {
        Some(parts) => same_as_rfc(text, &ours, parts.host(), parts.port()),
        None => {
            assert!(rfc.scheme_str().is_none(), "RFC 3986 sees no host in {text:?}, we read {ours}");
            assert!(ours.same_origin(&from), "RFC 3986 stays where it is in {text:?}, we go to {ours}");
        }
    }
}

fn same_as_whatwg(text: &str, ours: &Target, theirs: &url::Url) {
    let host = theirs.host_str().unwrap_or_default();
    assert!(is_same(ours.host(), host), "{text:?}: we read {}, WHATWG {host}", ours.host());
    assert_eq!(theirs.port_or_known_default(), Some(ours.port()), "{text:?}");
    assert_eq!(theirs.scheme(), ours.scheme().name(), "{text:?}");
}

fn same_as_rfc(text: &str, ours: &Target, host: &str, port: Option<&str>) {
    let ascii = idna::domain_to_ascii(host).unwrap_or_else(|_| host.to_ascii_lowercase());
    assert!(is_same(ours.host(), &ascii), "{text:?}: we read {}, RFC 3986 {host}", ours.host());
    let port = match port {
        None | Some("") => ours.scheme().default_port(),
        Some(digits) => digits.parse().unwrap_or_else(|_| panic!("{text:?}: RFC 3986 reads port {digits}")),
    };
    assert_eq!(port, ours.port(), "{text:?}");
}

fn is_same(ours: &Host, theirs: &str) -> bool {
    let theirs = theirs.strip_suffix('.').unwrap_or(theirs);
    match ours {
        Host::Name(name) => name == theirs,
        Host::Address(address) => theirs.trim_matches(['[', ']']).parse() == Ok(*address),
    }
}

/// An address is public exactly when a second list, typed from the RFCs by hand, says so. After 16 bytes: one more makes a
/// NAT64 prefix of the operator's out of the address itself, of that length.
fn address(bytes: &[u8]) {
    let (address, rest) = match *bytes {
        [a, b, c, d] => (IpAddr::from([a, b, c, d]), None),
        [ref sixteen @ .., length] if sixteen.len() == 16 => (v6(sixteen), Some(length)),
        ref sixteen if sixteen.len() == 16 => (v6(sixteen), None),
        _ => return,
    };
    let nat64: Vec<Prefix> = rest.and_then(|length| Prefix::new(address, length)).into_iter().collect();
    let class = classify(address, &nat64);
    let carried = embedded(address, &nat64);
    if nat64.is_empty() {
        let public = match address {
            IpAddr::V4(v4) => is_public_v4(v4),
            IpAddr::V6(v6) => is_public_v6(v6),
        };
        assert_eq!(class == Class::Public, public, "{address} is {}", class.name());
    } else if class == Class::Public && canonical(address).is_ipv6() {
        assert!(carried.iter().all(|inner| is_public_v4(*inner)), "{address} carries {carried:?}");
    }
    // What is public in IPv6 never carries a metadata service.
    if carried.iter().any(|inner| classify(IpAddr::V4(*inner), &[]) == Class::Metadata) {
        assert_eq!(class, Class::Metadata, "{address}");
    }
}

fn v6(sixteen: &[u8]) -> IpAddr {
    let mut octets = [0; 16];
    octets.copy_from_slice(sixteen);
    IpAddr::from(octets)
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        [0 | 10 | 127 | 224..=255, ..]
            | [100, 64..=127, ..]
            | [168, 63, 129, 16]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 0, 0 | 2, _]
            | [192, 31, 196, _]
            | [192, 52, 193, _]
            | [192, 88, 99, _]
            | [192, 168, ..]
            | [192, 175, 48, _]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let low = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, a, b] | [0x64, 0xff9b, 0, 0, 0, 0, a, b] => is_public_v4(low(a, b)),
        [0..=0x1fff | 0x4000..=0xffff, ..] => false,
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x2620, 0x4f, 0x8000, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [_, _, _, _, 0 | 0x200, 0x5efe, a, b] => is_public_v4(low(a, b)),
        _ => true,
    }
}

/// A DNS message gives a bounded answer whose names compare as the policy's do, or none.
fn dns_message(bytes: &[u8]) {
    let Ok(answer) = Answer::from_wire("example.com", bytes) else { return };
    assert!(answer.addresses.len() <= MOST_ADDRESSES && answer.aliases.len() <= 16);
    for (place, alias) in answer.aliases.iter().enumerate() {
        assert!(!alias.ends_with('.') || alias.ends_with("\\."), "{alias:?}");
        assert!(alias.is_ascii() && !alias.bytes().any(|byte| byte.is_ascii_uppercase()), "{alias:?}");
        assert!(!answer.aliases[..place].contains(alias) && alias != "example.com", "{alias:?}");
    }
}
