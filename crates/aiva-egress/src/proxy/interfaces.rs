//! Where a listener is really reached: one that listens everywhere has an address on every interface.

use std::net::{IpAddr, SocketAddr};

/// The listeners' addresses, and for those that listen everywhere those of every interface as well. An interface that cannot
/// be asked for has none; loopback stands for itself.
pub fn reached_at(listening: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut all = listening.to_vec();
    let everywhere: Vec<&SocketAddr> = listening.iter().filter(|address| address.ip().is_unspecified()).collect();
    if everywhere.is_empty() {
        return all;
    }
    let found = if_addrs::get_if_addrs()
        .inspect_err(|error| tracing::warn!(%error, "the addresses of this machine's interfaces cannot be read"))
        .unwrap_or_default();
    let mut addresses: Vec<IpAddr> = found.iter().map(if_addrs::Interface::ip).collect();
    addresses.sort();
    addresses.dedup();
    for listener in everywhere {
        // A socket on all IPv6 addresses takes IPv4 as well.
        let fits = |address: &&IpAddr| listener.is_ipv6() || address.is_ipv4();
        all.extend(addresses.iter().filter(fits).map(|address| SocketAddr::new(*address, listener.port())));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_reached_on_every_interface() {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let one = addresses(&["127.0.0.1:80", "192.0.2.1:81"]);
        assert_eq!(reached_at(&one), one);
        let v4 = reached_at(&addresses(&["0.0.0.0:80"]));
        assert!(v4.contains(&"127.0.0.1:80".parse().unwrap()) && v4.iter().all(SocketAddr::is_ipv4), "{v4:?}");
        assert!(reached_at(&addresses(&["[::]:80"])).contains(&"127.0.0.1:80".parse().unwrap()));
    }
}
