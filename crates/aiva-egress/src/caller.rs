//! Who is calling: from what a connection and a request present to a caller of the configuration.
//!
//! Pure. Promises: a password is compared in constant time, as its SHA-256; one that is wrong is never taken for a
//! stranger; of networks the narrowest counts; who presents nothing that is known is nobody, and gets the default role. The
//! order is: password, certificate, user of this machine, source address. Start reading at [`Callers::who`].

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use aiva_outbound::Prefix;
use aiva_outbound::policy::{Block, BlockSet};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::config;
use crate::proxy::judge::Peer;
use crate::role::Role;

mod certificate;

pub use certificate::{Certificate, Outdated, Revoked, Standing};

/// The longest credentials that are read: a user's name and a password.
const MOST_CREDENTIALS: usize = 512;

type Hash = [u8; 32];

/// One caller.
pub struct Caller {
    /// Its name.
    pub name: Arc<str>,
    /// What it may reach.
    pub role: Arc<Role>,
    passwords: Vec<Hash>,
}

/// Who it is.
pub enum Who<'c> {
    /// This caller.
    Caller(&'c Arc<Caller>),
    /// Nobody that is known.
    Nobody,
    /// Somebody whose credentials are wrong.
    Wrong,
}

/// Everybody who is known.
#[derive(Default)]
pub struct Callers {
    by_name: HashMap<Arc<str>, Arc<Caller>>,
    common_names: HashMap<String, Arc<Caller>>,
    dns_names: HashMap<String, Arc<Caller>>,
    uris: HashMap<String, Arc<Caller>>,
    users: HashMap<u32, Arc<Caller>>,
    /// The caller of each block stands at its place.
    sources: (BlockSet, Vec<Arc<Caller>>),
}

impl Callers {
    /// Adds a caller as configured.
    pub fn add(&mut self, name: &str, config: &config::Caller, role: Arc<Role>) {
        let name: Arc<str> = Arc::from(name);
        let mut passwords: Vec<Hash> = config.password_sha256.iter().filter_map(|text| unhex(text)).collect();
        passwords.extend(config.password.iter().map(|password| Hash::from(Sha256::digest(password.expose()))));
        let caller = Arc::new(Caller { name: Arc::clone(&name), role, passwords });
        let all = |texts: &[String], map: &mut HashMap<String, Arc<Caller>>| {
            map.extend(texts.iter().map(|text| (text.clone(), Arc::clone(&caller))));
        };
        all(&config.certificate.common_names, &mut self.common_names);
        all(&config.certificate.uris, &mut self.uris);
        let lower: Vec<String> = config.certificate.dns_names.iter().map(|name| name.to_ascii_lowercase()).collect();
        all(&lower, &mut self.dns_names);
        self.users.extend(config.users.iter().map(|user| (*user, Arc::clone(&caller))));
        for network in &config.sources {
            let (address, length) = network.parts();
            // A network of the configuration has no more bits than its addresses.
            let Some(prefix) = Prefix::new(address, length) else { continue };
            self.sources.0.push(Block::from(prefix));
            self.sources.1.push(Arc::clone(&caller));
        }
        self.by_name.insert(name, caller);
    }

    /// Who presents this.
    pub fn who(&self, peer: &Peer, credentials: Option<&[u8]>) -> Who<'_> {
        match credentials {
            Some(credentials) => self.by_password(credentials).map_or(Who::Wrong, Who::Caller),
            None => self.by_connection(peer).map_or(Who::Nobody, Who::Caller),
        }
    }

    /// By what the connection itself shows.
    pub fn by_connection(&self, peer: &Peer) -> Option<&Arc<Caller>> {
        let by_certificate = peer.certificate.as_deref().and_then(|certificate| self.by_certificate(certificate));
        let by_user = || self.users.get(&peer.user?);
        by_certificate.or_else(by_user).or_else(|| self.by_source(peer.address?))
    }

    /// The caller of this name.
    pub fn named(&self, name: &str) -> Option<&Arc<Caller>> {
        self.by_name.get(name)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The caller of this name, as long as it has a password.
    pub fn with_password(&self, name: &str) -> Option<&Arc<Caller>> {
        self.by_name.get(name).filter(|caller| !caller.passwords.is_empty())
    }

    fn by_password(&self, credentials: &[u8]) -> Option<&Arc<Caller>> {
        let (scheme, encoded) = credentials.split_at_checked(6)?;
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return None;
        }
        let mut decoded = [0; MOST_CREDENTIALS];
        let length = STANDARD.decode_slice(encoded.trim_ascii(), &mut decoded).ok()?;
        let pair = decoded.get(..length)?;
        let colon = pair.iter().position(|byte| *byte == b':')?;
        let caller = self.by_name.get(std::str::from_utf8(pair.get(..colon)?).ok()?)?;
        let presented = Hash::from(Sha256::digest(pair.get(colon + 1..)?));
        let fits = caller.passwords.iter().fold(0, |fits, hash| fits | hash.ct_eq(&presented).unwrap_u8());
        (fits == 1).then_some(caller)
    }

    /// What says most about the workload first.
    fn by_certificate(&self, certificate: &Certificate) -> Option<&Arc<Caller>> {
        let uri = certificate.uris.iter().find_map(|uri| self.uris.get(uri));
        let dns = || certificate.dns_names.iter().find_map(|name| self.dns_names.get(name));
        uri.or_else(dns).or_else(|| certificate.common_names.iter().find_map(|name| self.common_names.get(name)))
    }

    fn by_source(&self, source: SocketAddr) -> Option<&Arc<Caller>> {
        let (blocks, callers) = &self.sources;
        if blocks.is_empty() {
            return None;
        }
        callers.get(blocks.find(source, |_| true)?.0)
    }
}

/// 64 hexadecimal digits; the configuration has refused everything else.
fn unhex(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (place, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(place * 2..place * 2 + 2)?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests;
