//! The scalars that configuration is made of, each with one way to write it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::Date;

use super::read::Leaf;
use super::source::Bare;
use crate::config_words;

config_words! {
    /// What the settings are held to.
    pub enum Profile {
        /// Unsafe settings are warnings.
        Development = "development",
        /// Unsafe settings are refused.
        Production = "production",
    }
}

fn quoted(text: &str) -> String {
    // Nearly all text is, and lists may be long.
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'));
    if is_plain { format!("\"{text}\"") } else { toml_edit::Value::from(text).to_string() }
}

fn parsed<T: FromStr>(text: &str) -> Result<T, String>
where
    T::Err: fmt::Display,
{
    text.parse().map_err(|error: T::Err| error.to_string())
}

macro_rules! quoted_leaf {
    ($($type:ty = $what:literal, $parse:expr;)+) => {$(
        impl Leaf for $type {
            const WHAT: &'static str = $what;

            fn from_text(text: &str) -> Result<Self, String> {
                $parse(text)
            }

            fn show(&self) -> String {
                quoted(&self.to_string())
            }
        }
    )+};
}

quoted_leaf! {
    String = "a string", |text: &str| Ok::<_, String>(text.to_owned());
    SocketAddr = "an IP address and port, like \"127.0.0.1:8080\"", |text| parsed::<SocketAddr>(text).map_err(|_| String::new());
    IpAddr = "an IP address", |text| parsed::<IpAddr>(text).map_err(|_| String::new());
    Network = "a network, like \"10.0.0.0/8\"", Network::parse;
    HttpUrl = "an http or https URL", HttpUrl::parse;
    ByteSize = "a size, like \"64KiB\" or \"10MB\"", ByteSize::parse;
}

macro_rules! bare_leaf {
    ($($type:ty = $bare:ident, $what:literal;)+) => {$(
        impl Leaf for $type {
            const WHAT: &'static str = $what;
            const BARE: Bare = Bare::$bare;

            fn from_text(text: &str) -> Result<Self, String> {
                parsed(text)
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

bare_leaf! {
    bool = Bool, "true or false";
    u16 = Integer, "an integer from 0 to 65535";
    u32 = Integer, "an integer from 0 to 4294967295";
    u64 = Integer, "a positive integer";
    usize = Integer, "a positive integer";
    i64 = Integer, "an integer";
    f64 = Float, "a number";
    Date = Date, "a date, like 2027-01-31";
}

impl Leaf for PathBuf {
    const WHAT: &'static str = "a path";

    fn from_text(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err(String::new()) } else { Ok(Self::from(text)) }
    }

    fn show(&self) -> String {
        quoted(&self.display().to_string())
    }
}

/// Units of time, longest first, with their length in milliseconds.
const TIMES: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Leaf for Duration {
    const WHAT: &'static str = "a duration, like \"250ms\", \"30s\" or \"1h30m\"";

    fn from_text(text: &str) -> Result<Self, String> {
        let mut rest = text;
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or("a unit is missing")?;
            let count: u64 = rest[..digits].parse().map_err(|_| String::new())?;
            let after = &rest[digits..];
            let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
            let (_, length) = TIMES.iter().find(|(unit, _)| *unit == &after[..end]).ok_or("unknown unit")?;
            total = count.checked_mul(*length).and_then(|part| total.checked_add(part)).ok_or("too long")?;
            rest = &after[end..];
        }
        if text.is_empty() { Err(String::new()) } else { Ok(Self::from_millis(total)) }
    }

    fn show(&self) -> String {
        let mut left = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        let mut out = String::new();
        for (unit, length) in TIMES {
            if left >= length {
                out.push_str(&format!("{}{unit}", left / length));
                left %= length;
            }
        }
        quoted(if out.is_empty() { "0s" } else { &out })
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// Units of size, largest first.
const SIZES: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

impl ByteSize {
    /// As a length in memory.
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or("a unit is missing")?;
        let count: u64 = text[..digits].parse().map_err(|_| String::new())?;
        let unit = text[digits..].trim_start();
        let (_, length) = SIZES.iter().find(|(name, _)| *name == unit).ok_or("unknown unit")?;
        count.checked_mul(*length).map(Self).ok_or_else(|| "too large".to_owned())
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = SIZES.iter().find(|(_, length)| self.0 != 0 && self.0.is_multiple_of(*length));
        let (unit, length) = exact.copied().unwrap_or(("B", 1));
        write!(f, "{}{unit}", self.0 / length)
    }
}

/// A range of addresses: `10.0.0.0/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether the address lies in it. An IPv4 address in IPv6 clothing counts as what it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = |address: IpAddr| match address {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)) << 96, 4),
            IpAddr::V6(v6) => (u128::from(v6), 6),
        };
        let ((mine, family), (theirs, other)) = (bits(self.address), bits(address.to_canonical()));
        family == other && (mine ^ theirs).leading_zeros() >= u32::from(self.prefix)
    }

    /// Whether it is every address there is.
    pub fn is_everything(&self) -> bool {
        self.prefix == 0
    }

    /// The first address of the range and the length of its prefix.
    pub fn parts(&self) -> (IpAddr, u8) {
        (self.address, self.prefix)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| String::new())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix: u8 = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| String::new())?,
            None => most,
        };
        let network = Self { address, prefix };
        if prefix > most {
            return Err(format!("the prefix is at most {most}"));
        }
        match network.stray_bits() {
            true => Err("there are bits set beyond the prefix".to_owned()),
            false => Ok(network),
        }
    }

    fn stray_bits(&self) -> bool {
        let prefix = u32::from(self.prefix);
        match self.address {
            IpAddr::V4(v4) => u32::from(v4).checked_shl(prefix).unwrap_or(0) != 0,
            IpAddr::V6(v6) => u128::from(v6).checked_shl(prefix).unwrap_or(0) != 0,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// An `http` or `https` URL with a host and without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl(http::Uri);

impl HttpUrl {
    /// The URL as text.
    pub fn as_uri(&self) -> &http::Uri {
        &self.0
    }

    /// Whether it is encrypted, or does not leave the machine.
    pub fn is_private(&self) -> bool {
        let host = self.0.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        self.0.scheme_str() == Some("https")
            || host == "localhost"
            || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    fn parse(text: &str) -> Result<Self, String> {
        let url: http::Uri = text.parse().map_err(|_| String::new())?;
        if !matches!(url.scheme_str(), Some("http" | "https")) || url.host().is_none_or(str::is_empty) {
            return Err(String::new());
        }
        if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err("credentials do not belong in a URL".to_owned());
        }
        Ok(Self(url))
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_read_back_what_they_show() {
        for (text, millis, shown) in
            [("250ms", 250, "250ms"), ("90s", 90_000, "1m30s"), ("1h30m", 5_400_000, "1h30m"), ("0s", 0, "0s")]
        {
            let duration = Duration::from_text(text).unwrap();
            assert_eq!((duration.as_millis(), duration.show()), (millis, format!("\"{shown}\"")), "{text}");
        }
        for wrong in ["", "30", "s", "30 s", "1.5h", "30sec", "99999999999999999999s", "9999999999999999w"] {
            assert!(Duration::from_text(wrong).is_err(), "{wrong}");
        }
        for (text, bytes, shown) in [("64KiB", 65536, "64KiB"), ("10MB", 10_000_000, "10MB"), ("0B", 0, "0B")] {
            let size = ByteSize::from_text(text).unwrap();
            assert_eq!((size.0, size.to_string()), (bytes, shown.to_owned()));
        }
        for wrong in ["", "10", "KiB", "1.5MB", "10mb", "99999999999999GiB"] {
            assert!(ByteSize::from_text(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn networks_hold_their_addresses_and_no_others() {
        let network = |text: &str| Network::from_text(text).unwrap();
        for (text, address, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true), // v4 in v6 clothing
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("fd00::/8", "fd12::1", true),
            ("::/0", "10.0.0.1", false), // another family
            ("0.0.0.0/0", "8.8.8.8", true),
        ] {
            assert_eq!(network(text).contains(address.parse().unwrap()), inside, "{address} in {text}");
        }
        for wrong in ["10.0.0.1/8", "10.0.0.0/33", "fe80::/129", "10.0.0/8", "10.0.0.0/", ""] {
            assert!(Network::from_text(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn urls_have_a_host_and_no_credentials() {
        for (text, private) in [("https://a.example/x", true), ("http://[::1]:4318", true), ("http://10.0.0.1/", false)]
        {
            assert_eq!(HttpUrl::from_text(text).unwrap().is_private(), private, "{text}");
        }
        for wrong in ["ftp://a.example", "/x", "https://", "https://user:pw@a.example", "a.example"] {
            assert!(HttpUrl::from_text(wrong).is_err(), "{wrong}");
        }
    }
}
