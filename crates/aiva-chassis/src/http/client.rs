//! The caller's address: the peer of the connection, or what trusted proxies say about it.
//!
//! `X-Forwarded-For` is read from the right; each trusted hop may name the one before it, and the first address that is not
//! trusted is the caller. What stands left of it was written by strangers and is ignored.

use std::net::{IpAddr, Ipv6Addr};

use http::HeaderMap;

use crate::config::types::Network;

/// The caller behind `peer`.
pub fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let mut client = peer.to_canonical();
    let is_trusted = |address| trusted.iter().any(|network| network.contains(address));
    if trusted.is_empty() || !is_trusted(client) {
        return client;
    }
    let values: Vec<&str> = headers.get_all("x-forwarded-for").iter().filter_map(|v| v.to_str().ok()).collect();
    for hop in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        let Some(named) = hop_address(hop.trim()) else { break };
        client = named;
        if !is_trusted(client) {
            break;
        }
    }
    client
}

/// An address as proxies write it: bare, with a port, or in brackets.
fn hop_address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
        return Some(socket.ip().to_canonical());
    }
    let inside = text.strip_prefix('[')?.strip_suffix(']')?;
    inside.parse::<Ipv6Addr>().ok().map(|v6| IpAddr::V6(v6).to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Leaf;
    use http::HeaderValue;

    #[track_caller]
    fn check(peer: &str, forwarded: &[&str], want: &str) {
        let trusted: Vec<Network> =
            ["10.0.0.0/8", "fd00::/8", "127.0.0.1"].map(|n| Network::from_text(n).unwrap()).to_vec();
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_str(value).unwrap());
        }
        assert_eq!(address(peer.parse().unwrap(), &headers, &trusted).to_string(), want, "{peer} {forwarded:?}");
    }

    #[test]
    fn only_trusted_hops_may_name_the_caller() {
        check("203.0.113.9", &["198.51.100.1"], "203.0.113.9"); // a stranger claims to be a proxy
        check("10.1.2.3", &["198.51.100.1"], "198.51.100.1");
        check("10.1.2.3", &["1.2.3.4, 198.51.100.1"], "198.51.100.1"); // the caller wrote 1.2.3.4 itself
        check("10.1.2.3", &["1.2.3.4", "198.51.100.1, 10.9.9.9"], "198.51.100.1"); // two headers are one list
        check("10.1.2.3", &[], "10.1.2.3");
        check("10.1.2.3", &["unknown"], "10.1.2.3");
        check("10.1.2.3", &["garbage, 10.4.4.4"], "10.4.4.4");
        check("127.0.0.1", &["198.51.100.1:4711"], "198.51.100.1");
        check("fd00::1", &["[2001:db8::7]"], "2001:db8::7");
        check("::ffff:10.1.2.3", &["::ffff:198.51.100.1"], "198.51.100.1"); // v4 in v6 clothing
    }
}
