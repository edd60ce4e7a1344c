//! Which addresses are public, and what the others are.
//!
//! Pure. The table comes from IANA's special-purpose registries (`data/special-purpose.csv`, generated into
//! [`registry`]). An address that carries an IPv4 address inside (mapped, translated, NAT64, ISATAP, ...) is judged by
//! what it carries. Start reading at [`classify`].

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

mod registry;

/// As of when IANA's registries are in the table.
pub use registry::DATE as REGISTRY_DATE;

/// What kind of address it is; only [`Class::Public`] may be reached without a named exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Reachable by anyone on the Internet.
    Public,
    /// A cloud's own service for this machine; credentials live there. Beats every allow.
    Metadata,
    /// This machine (RFC 1122, RFC 4291).
    Loopback,
    /// This link (RFC 3927, RFC 4291).
    LinkLocal,
    /// A private network (RFC 1918, RFC 4193).
    Private,
    /// Behind a carrier's NAT (RFC 6598).
    Shared,
    /// "This network", the unspecified address (RFC 791).
    ThisNetwork,
    /// IETF protocol assignments and services (RFC 6890).
    Protocol,
    /// Examples in books (RFC 5737, RFC 3849, RFC 9637).
    Documentation,
    /// Measuring devices (RFC 2544).
    Benchmarking,
    /// Many at once (RFC 5771).
    Multicast,
    /// Everybody on the link (RFC 8190).
    Broadcast,
    /// Nobody (RFC 6666).
    Discard,
    /// Not assigned for use (RFC 1112); in IPv6 all outside 2000::/3.
    Reserved,
    /// A deprecated or local way of carrying IPv4 in IPv6: 6to4, Teredo, IPv4-compatible, IPv4-translated.
    Transition,
}

impl Class {
    /// A stable word for reasons and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Metadata => "metadata",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link-local",
            Self::Private => "private",
            Self::Shared => "shared",
            Self::ThisNetwork => "this-network",
            Self::Protocol => "protocol",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Discard => "discard",
            Self::Reserved => "reserved",
            Self::Transition => "transition",
        }
    }
}

/// The class of an address. `nat64` are the operator's own NAT64 prefixes (RFC 6052 §2.2), beside 64:ff9b::/96.
pub fn classify(address: IpAddr, nat64: &[Prefix]) -> Class {
    match canonical(address) {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => classify_v6(address, nat64),
    }
}

/// The address as a socket would use it: IPv4-mapped IPv6 is IPv4 (RFC 4291 §2.5.5.2).
pub fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// Every IPv4 address that this one may carry to a translator or tunnel; IPv4 carries nothing.
///
/// Several where the form does not say its own length: a prefix inside 64:ff9b:1::/48 may be of any that RFC 6052 knows.
pub fn embedded(address: IpAddr, nat64: &[Prefix]) -> Vec<Ipv4Addr> {
    let IpAddr::V6(v6) = address else { return Vec::new() };
    let octets = v6.octets();
    let at = |start: usize| vec![Ipv4Addr::new(octets[start], octets[start + 1], octets[start + 2], octets[start + 3])];
    if is_translated(v6, nat64) {
        let known = nat64.iter().chain(&WELL_KNOWN_NAT64).filter(|prefix| prefix.contains(address));
        return known.filter_map(|prefix| carried(v6, prefix.length)).collect();
    }
    match v6.segments() {
        // IPv4-mapped and IPv4-translated (RFC 4291 §2.5.5.2, RFC 2765 §2.1).
        [0, 0, 0, 0, 0, 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => at(12),
        // IPv4-compatible, long deprecated and still understood (RFC 4291 §2.5.5.1).
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => at(12),
        [0x64, 0xff9b, 1, ..] => [48, 56, 64, 96].into_iter().filter_map(|length| carried(v6, length)).collect(),
        [0x2002, ..] => at(2),
        // Teredo hides the client's address by inverting it (RFC 4380 §4).
        [0x2001, 0, ..] => at(12).into_iter().map(|hidden| Ipv4Addr::from(!u32::from(hidden))).collect(),
        // ISATAP (RFC 5214 §6.1), with and without the universal bit.
        [.., 0 | 0x200, 0x5efe, _, _] => at(12),
        _ => Vec::new(),
    }
}

/// Whether a translator, the well-known one or one of the operator's, sends it on as IPv4.
pub(crate) fn is_nat64(address: IpAddr, nat64: &[Prefix]) -> bool {
    matches!(address, IpAddr::V6(address) if is_translated(address, nat64))
}

/// 64:ff9b::/96 (RFC 6052 §2.1).
const WELL_KNOWN_NAT64: [Prefix; 1] =
    [Prefix { address: IpAddr::V6(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0)), length: 96 }];

/// Whether a translator sends it on as IPv4.
fn is_translated(address: Ipv6Addr, nat64: &[Prefix]) -> bool {
    nat64.iter().chain(&WELL_KNOWN_NAT64).any(|prefix| prefix.contains(IpAddr::V6(address)))
}

/// The IPv4 address in an address of a NAT64 prefix of this length (RFC 6052 §2.2); `None` for a length that it does not
/// know.
fn carried(address: Ipv6Addr, length: u8) -> Option<Ipv4Addr> {
    let o = address.octets();
    let octets = match length {
        32 => [o[4], o[5], o[6], o[7]],
        40 => [o[5], o[6], o[7], o[9]],
        48 => [o[6], o[7], o[9], o[10]],
        56 => [o[7], o[9], o[10], o[11]],
        64 => [o[9], o[10], o[11], o[12]],
        96 => [o[12], o[13], o[14], o[15]],
        _ => return None,
    };
    Some(Ipv4Addr::from(octets))
}

fn classify_v4(address: Ipv4Addr) -> Class {
    longest(registry::V4, u32::from(address)).unwrap_or(Class::Public)
}

fn classify_v6(address: Ipv6Addr, nat64: &[Prefix]) -> Class {
    let listed = longest(registry::V6, u128::from(address));
    let carried: Vec<Class> = embedded(IpAddr::V6(address), nat64).into_iter().map(classify_v4).collect();
    // First, since a metadata service beats every allow, in whatever clothes.
    if listed == Some(Class::Metadata) || carried.contains(&Class::Metadata) {
        return Class::Metadata;
    }
    let inner = carried.iter().copied().find(|class| *class != Class::Public);
    if is_translated(address, nat64) {
        // What it carries is what it is. The operator's prefix may well lie in a block that is otherwise special.
        return if carried.is_empty() { Class::Transition } else { inner.unwrap_or(Class::Public) };
    }
    if let Some(class) = listed {
        return class;
    }
    if address.segments()[0] & 0xe000 != 0x2000 {
        // Global unicast is 2000::/3 (RFC 4291 §2.4, IANA's IPv6 address space registry).
        return if carried.is_empty() { Class::Reserved } else { Class::Transition };
    }
    inner.unwrap_or(Class::Public)
}

/// The class of the narrowest block that holds the number. Blocks are sorted by start, wide before narrow.
fn longest<N: Ord + Copy>(blocks: &[(N, N, Class)], number: N) -> Option<Class> {
    let end = blocks.partition_point(|(first, ..)| *first <= number);
    blocks[..end].iter().rev().find(|(_, last, _)| number <= *last).map(|(.., class)| *class)
}

/// An address block in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

/// Text that is no address block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address block; write 10.0.0.0/8, 2001:db8::/32 or a single address")]
pub struct NotPrefix(pub String);

impl Prefix {
    /// A block of the first `length` bits of `address`; `None` when that is more bits than it has.
    ///
    /// A block of IPv4-mapped addresses is the IPv4 block that it means, since addresses are canonical when they are
    /// compared; otherwise it would match nothing.
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        if canonical(address) != address {
            return Self::new(canonical(address), length.checked_sub(96)?);
        }
        let bits = if address.is_ipv4() { 32 } else { 128 };
        (length <= bits).then_some(Self { address, length })
    }

    /// How many bits of it count.
    pub const fn length(&self) -> u8 {
        self.length
    }

    /// Whether it is a block of IPv4 addresses.
    pub const fn is_ipv4(&self) -> bool {
        self.address.is_ipv4()
    }

    /// The same block, written with its first address.
    #[must_use]
    pub fn masked(self) -> Self {
        let address = match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.length)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from(u32::from(address) & mask))
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.length)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(address) & mask))
            }
        };
        Self { address, ..self }
    }

    /// Whether the address lies inside. IPv4 never lies in an IPv6 block: canonicalise first.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - u32::from(self.length);
                u64::from(u32::from(own) ^ u32::from(other)) >> shift == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let difference = u128::from(own) ^ u128::from(other);
                self.length == 0 || difference >> (128 - u32::from(self.length)) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Prefix {
    type Err = NotPrefix;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotPrefix(text.to_owned());
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let full = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(length) if length.bytes().all(|b| b.is_ascii_digit()) => length.parse().map_err(|_| wrong())?,
            Some(_) => return Err(wrong()),
            None => full,
        };
        Self::new(address, length).ok_or_else(wrong)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, want: Class) {
        let nat64: Vec<Prefix> = ["2001:470:64::/96", "2001:470:99::/48", "64:ff9b:1:64::/96", "fd00:64::/96"]
            .map(|text| text.parse().unwrap())
            .to_vec();
        assert_eq!(classify(address.parse().unwrap(), &nat64), want, "{address}");
    }

    #[test]
    fn every_block_starts_and_ends_where_iana_says() {
        for (address, want) in [
            ("9.255.255.255", Class::Public),
            ("10.0.0.0", Class::Private),
            ("10.255.255.255", Class::Private),
            ("11.0.0.0", Class::Public),
            ("100.63.255.255", Class::Public),
            ("100.64.0.0", Class::Shared),
            ("100.127.255.255", Class::Shared),
            ("100.128.0.0", Class::Public),
            ("172.15.255.255", Class::Public),
            ("172.31.255.255", Class::Private),
            ("172.32.0.0", Class::Public),
            ("239.255.255.255", Class::Multicast),
            ("240.0.0.0", Class::Reserved),
            ("255.255.255.254", Class::Reserved),
            ("255.255.255.255", Class::Broadcast),
            ("1fff:ffff::", Class::Reserved),
            ("2000::", Class::Public),
            ("2606:4700:4700::1111", Class::Public),
            ("3ffe:ffff::", Class::Public),
            ("3fff:fff:ffff::", Class::Documentation),
            ("4000::", Class::Reserved),
        ] {
            check(address, want);
        }
    }

    #[test]
    fn a_metadata_service_is_never_just_private() {
        for address in ["169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"] {
            check(address, Class::Metadata);
        }
        for address in [
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "::ffff:0:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "64:ff9b:1:a9fe:a9:fe00::", // the /48 form (RFC 6052 §2.2)
            "64:ff9b:1:64::a9fe:a9fe",
            "fd00:64::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "2001:0:4136:e378:8000:63bf:5601:5601",
            "fe80::5efe:a9fe:a9fe",
        ] {
            check(address, Class::Metadata);
        }
    }

    #[test]
    fn an_address_inside_an_address_decides() {
        for (address, want) in [
            ("::ffff:8.8.8.8", Class::Public),
            ("::ffff:127.0.0.1", Class::Loopback),
            ("64:ff9b::808:808", Class::Public),
            ("64:ff9b::a00:1", Class::Private),
            ("64:ff9b:1::808:808", Class::Transition),
            ("2001:470:64::a9fe:a9fe", Class::Metadata),
            ("2001:470:64::808:808", Class::Public),
            ("2001:470:99:a00:0:100::", Class::Private), // 10.0.0.1 in a /48 (RFC 6052 §2.4)
            ("::127.0.0.1", Class::Transition),
            ("::8.8.8.8", Class::Transition),
            ("::ffff:0:127.0.0.1", Class::Transition),
            ("2002:7f00:1::", Class::Transition),
            ("2001:0:1::", Class::Transition),
            // The operator's own prefix, inside blocks that are otherwise special.
            ("64:ff9b:1:64::808:808", Class::Public),
            ("64:ff9b:1:64::a00:1", Class::Private),
            ("fd00:64::808:808", Class::Public),
            ("fd00:64::7f00:1", Class::Loopback),
            ("2a00:1450:4001::5efe:7f00:1", Class::Loopback),
            ("2a00:1450:4001:0:200:5efe:a9fe:a9fe", Class::Metadata),
            ("2a00:1450:4001::5efe:808:808", Class::Public),
        ] {
            check(address, want);
        }
    }

    #[test]
    fn a_block_is_a_whole_number_of_bits() {
        let prefix: Prefix = "10.0.0.0/7".parse().unwrap();
        assert!(prefix.contains("11.1.2.3".parse().unwrap()) && !prefix.contains("12.0.0.0".parse().unwrap()));
        let all: Prefix = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("255.255.255.255".parse().unwrap()) && !all.contains("::1".parse().unwrap()));
        let all: Prefix = "::/0".parse().unwrap();
        assert!(all.contains("ffff::".parse().unwrap()));
        let mapped: Prefix = "::ffff:10.0.0.0/104".parse().unwrap();
        assert!(mapped.contains("10.1.2.3".parse().unwrap()) && mapped.to_string() == "10.0.0.0/8");
        assert!("::ffff:10.0.0.0/64".parse::<Prefix>().is_err());
        for text in ["", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "::/129", "010.0.0.0/8", "10/8"] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
    }
}
