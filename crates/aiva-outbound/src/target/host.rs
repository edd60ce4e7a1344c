//! Reads the host of an address, and its port: a name in A-labels or an address in its one spelling, nothing in between.
//!
//! What somebody's parser would turn into another host is refused: percent-encoding, compatibility characters, numbers
//! that are no canonical IPv4 address. Start reading at [`place_of`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Host, check_text};
use crate::reason::Reason;

pub(super) fn place_of(place: &str) -> Result<(Host, Option<u16>), Reason> {
    if let Some(rest) = place.strip_prefix('[') {
        let (inside, after) = rest.split_once(']').ok_or(Reason::HostAddress)?;
        let address: Ipv6Addr = inside.parse().map_err(|_| Reason::HostAddress)?;
        let port = match after {
            "" => None,
            after => port(after.strip_prefix(':').ok_or(Reason::HostAddress)?)?,
        };
        return Ok((Host::Address(IpAddr::V6(address)), port));
    }
    let (host, after) = match place.split_once(':') {
        Some((host, after)) => (host, port(after)?),
        None => (place, None),
    };
    Ok((self::host(host)?, after))
}

/// A name alone, as it is looked up; `None` for an address, and for what is more than a name or none.
pub(crate) fn name(text: &str) -> Option<String> {
    check_text(text).ok()?;
    if text.contains(['@', '/', '?', '#', ':', '[']) {
        return None;
    }
    match host(text) {
        Ok(Host::Name(name)) => Some(name),
        Ok(Host::Address(_)) | Err(_) => None,
    }
}

/// `None` for nothing after the colon, which means the default (RFC 3986 §3.2.3).
fn port(text: &str) -> Result<Option<u16>, Reason> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > 8 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Reason::Port);
    }
    match text.parse::<u32>().ok().and_then(|port| u16::try_from(port).ok()) {
        None | Some(0) => Err(Reason::Port),
        port => Ok(port),
    }
}

fn host(text: &str) -> Result<Host, Reason> {
    if text.contains('%') {
        return Err(Reason::HostEncoded);
    }
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() {
        return Err(Reason::NotUrl);
    }
    let name = ascii(text)?;
    if name.len() > 253 || !name.split('.').all(is_label) {
        return Err(Reason::HostName);
    }
    if ends_in_number(&name) {
        // Every other spelling of an IPv4 address is read differently by somebody (WHATWG URL, "ends in a number").
        return name.parse::<Ipv4Addr>().map(|a| Host::Address(IpAddr::V4(a))).map_err(|_| Reason::HostNumber);
    }
    Ok(Host::Name(name))
}

/// The name in A-labels (RFC 5890). A label that compatibility mapping would turn into another ASCII label is refused.
fn ascii(text: &str) -> Result<String, Reason> {
    let lower = text.to_ascii_lowercase();
    if lower.is_ascii() && !lower.contains("xn--") {
        return Ok(lower);
    }
    if text.contains(['\u{3002}', '\u{ff0e}', '\u{ff61}']) {
        return Err(Reason::HostUnicode);
    }
    let mut labels = Vec::new();
    for label in text.split('.') {
        let lower = label.to_ascii_lowercase();
        if label.is_ascii() && !lower.starts_with("xn--") {
            labels.push(lower);
            continue;
        }
        let mapped = idna::domain_to_ascii_strict(label).map_err(|_| Reason::HostUnicode)?;
        let (shown, valid) = idna::domain_to_unicode(&mapped);
        if !mapped.starts_with("xn--") || valid.is_err() || shown.is_ascii() {
            return Err(Reason::HostUnicode);
        }
        labels.push(mapped);
    }
    let name = labels.join(".");
    // Some rules are about all labels together (RFC 5893, right-to-left names).
    if name.contains("xn--") && idna::domain_to_ascii(text).ok().as_deref() != Some(name.as_str()) {
        return Err(Reason::HostUnicode);
    }
    Ok(name)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    hexadecimal || last.bytes().all(|b| b.is_ascii_digit())
}
