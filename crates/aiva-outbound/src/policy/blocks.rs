//! Sets of address blocks, found by their lengths: one step for each length that occurs, however many the blocks.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use crate::address::{NotPrefix, Prefix, canonical};

/// One entry: a block of addresses, on all ports or one.
///
/// On an allow list it opens what is not public, and then somebody answers for it and it ends some day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The addresses.
    pub prefix: Prefix,
    /// This port only. On an allow list that opens the port as well.
    pub port: Option<u16>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// From then on it is as if it were not there.
    pub expires: Option<SystemTime>,
}

impl Block {
    pub(super) fn is_live(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|end| now < end)
    }

    fn holds(&self, address: SocketAddr) -> bool {
        self.prefix.contains(address.ip()) && self.port.is_none_or(|port| port == address.port())
    }
}

impl From<Prefix> for Block {
    fn from(prefix: Prefix) -> Self {
        Self { prefix, port: None, owner: None, expires: None }
    }
}

/// `10.0.0.0/8`, `10.0.0.0/8:443`, `fd00::/8`, `[fd00::/8]:443`.
impl FromStr for Block {
    type Err = NotPrefix;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotPrefix(text.to_owned());
        let (prefix, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (prefix, port) = rest.split_once(']').ok_or_else(wrong)?;
                (prefix, Some(port.strip_prefix(':').ok_or_else(wrong)?))
            }
            None if text.matches(':').count() == 1 => {
                let (prefix, port) = text.split_once(':').ok_or_else(wrong)?;
                (prefix, Some(port))
            }
            None => (text, None),
        };
        let port = match port {
            None => None,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => match digits.parse() {
                Ok(0) | Err(_) => return Err(wrong()),
                Ok(port) => Some(port),
            },
            Some(_) => return Err(wrong()),
        };
        Ok(Self { port, ..Self::from(prefix.parse::<Prefix>().map_err(|_| wrong())?) })
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            None => write!(f, "{}", self.prefix),
            Some(port) if self.prefix.is_ipv4() => write!(f, "{}:{port}", self.prefix),
            Some(port) => write!(f, "[{}]:{port}", self.prefix),
        }
    }
}

/// A list of blocks.
#[derive(Clone, Default)]
pub struct BlockSet {
    /// Shared with the verdicts that name them.
    entries: Vec<Arc<Block>>,
    /// By length, narrow before wide: the entries of each block of that length.
    lengths: Vec<(u8, HashMap<Prefix, Vec<usize>>)>,
}

impl BlockSet {
    /// Adds a block at the end.
    pub fn push(&mut self, block: Block) {
        let place = self.entries.len();
        let length = block.prefix.length();
        let at = self.lengths.partition_point(|(known, _)| *known > length);
        if self.lengths.get(at).is_none_or(|(known, _)| *known != length) {
            self.lengths.insert(at, (length, HashMap::new()));
        }
        self.lengths[at].1.entry(block.prefix.masked()).or_default().push(place);
        self.entries.push(Arc::new(block));
    }

    /// The narrowest block that holds the address and is wanted, and its place in the list.
    pub fn find(&self, address: SocketAddr, wanted: impl Fn(&Block) -> bool) -> Option<(usize, &Arc<Block>)> {
        let ip = canonical(address.ip());
        for (length, blocks) in &self.lengths {
            let Some(key) = Prefix::new(ip, *length) else { continue };
            for place in blocks.get(&key.masked()).into_iter().flatten() {
                let block = &self.entries[*place];
                if block.holds(SocketAddr::new(ip, address.port())) && wanted(block) {
                    return Some((*place, block));
                }
            }
        }
        None
    }

    pub(crate) fn holds(&self, ip: IpAddr, port: u16, now: SystemTime) -> Option<(usize, &Arc<Block>)> {
        self.find(SocketAddr::new(ip, port), |block| block.is_live(now))
    }

    /// The blocks, in the list's order.
    pub fn entries(&self) -> &[Arc<Block>] {
        &self.entries
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl fmt::Debug for BlockSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.entries).finish()
    }
}

impl<B: Into<Block>> Extend<B> for BlockSet {
    fn extend<I: IntoIterator<Item = B>>(&mut self, all: I) {
        all.into_iter().for_each(|block| self.push(block.into()));
    }
}

impl<B: Into<Block>> FromIterator<B> for BlockSet {
    fn from_iter<I: IntoIterator<Item = B>>(all: I) -> Self {
        let mut set = Self::default();
        set.extend(all);
        set
    }
}

impl<B: Into<Block>> From<Vec<B>> for BlockSet {
    fn from(all: Vec<B>) -> Self {
        all.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_reads_back_as_written() {
        for text in ["10.0.0.0/8", "10.0.0.0/8:443", "fd00::/8", "[fd00::/8]:443"] {
            assert_eq!(text.parse::<Block>().unwrap().to_string(), text);
        }
        for text in ["", "10.0.0.0/8:", "10.0.0.0/8:0", "10.0.0.0/8:+1", "[fd00::/8]443", "[fd00::/8", "fd00::/8]:1"] {
            assert!(text.parse::<Block>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_narrowest_block_is_found() {
        let blocks = ["0.0.0.0/0", "10.0.0.0/8", "10.9.0.0/16:443", "10.9.0.0/16", "fd00::/8"];
        let set: BlockSet = blocks.iter().map(|text| text.parse::<Block>().unwrap()).collect();
        for (address, want) in [
            ("10.9.1.1:443", Some(2)),
            ("10.9.1.1:80", Some(3)),
            ("10.8.1.1:80", Some(1)),
            ("11.0.0.1:80", Some(0)),
            ("[::ffff:10.8.1.1]:80", Some(1)),
            ("[fd00::1]:80", Some(4)),
            ("[2001::1]:80", None),
        ] {
            assert_eq!(set.find(address.parse().unwrap(), |_| true).map(|(place, _)| place), want, "{address}");
        }
    }
}
