//! The names in a client's certificate, read once for each connection, and the certificates that were taken back.
//!
//! Promises: whether a certificate is to be believed was decided by TLS before; what cannot be read has no names. A list that
//! comes later counts for connections that stand as well; so does the end of one that was not replaced in time.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

use x509_parser::extensions::GeneralName;
use x509_parser::{parse_x509_certificate, parse_x509_crl};

/// What a certificate says of its holder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificate {
    /// URIs, SPIFFE ids among them.
    pub uris: Vec<String>,
    /// DNS names, in lower case.
    pub dns_names: Vec<String>,
    /// Common names of the subject.
    pub common_names: Vec<String>,
    /// By what a revocation list knows it.
    mark: Mark,
}

/// The issuer's name (DER) and the serial number.
type Mark = (Vec<u8>, Vec<u8>);

impl Certificate {
    /// From DER.
    pub fn read(der: &[u8]) -> Self {
        let mut names = Self::default();
        let Ok((_, certificate)) = parse_x509_certificate(der) else { return names };
        names.mark = (certificate.issuer().as_raw().to_vec(), serial(certificate.raw_serial()));
        let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
        names.common_names = common.map(str::to_owned).collect();
        if let Ok(Some(extension)) = certificate.subject_alternative_name() {
            for name in &extension.value.general_names {
                match name {
                    GeneralName::URI(uri) => names.uris.push((*uri).to_owned()),
                    GeneralName::DNSName(name) => names.dns_names.push(name.to_ascii_lowercase()),
                    _ => {}
                }
            }
        }
        names
    }
}

/// What is made of a certificate whose authority's revocation list is past its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outdated {
    /// It does not count: nobody knows whether it was taken back since.
    #[default]
    Deny,
    /// It counts by the old list.
    Warn,
}

/// What the revocation lists say of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing against it.
    Good,
    /// It was taken back.
    Revoked,
    /// The list that would say so is past its time.
    Unknown,
}

/// Certificates that were taken back, and until when the lists that say so hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revoked {
    marks: HashSet<Mark>,
    /// By issuer; one whose list names no end has none.
    ends: HashMap<Vec<u8>, SystemTime>,
    outdated: Outdated,
}

impl Revoked {
    /// From revocation lists (DER), whose signatures TLS looks at. `None` when one cannot be read.
    pub fn read<'l>(lists: impl IntoIterator<Item = &'l [u8]>, outdated: Outdated) -> Option<Self> {
        let mut all = Self { outdated, ..Self::default() };
        for list in lists {
            let (_, list) = parse_x509_crl(list).ok()?;
            let issuer = list.issuer().as_raw();
            all.marks.extend(list.iter_revoked_certificates().map(|one| (issuer.to_vec(), serial(one.raw_serial()))));
            if let Some(next) = list.next_update() {
                let since = Duration::from_secs(u64::try_from(next.timestamp()).unwrap_or(0));
                let end = SystemTime::UNIX_EPOCH + since;
                // Of several lists of one issuer the latest counts.
                let known = all.ends.entry(issuer.to_vec()).or_insert(end);
                *known = end.max(*known);
            }
        }
        Some(all)
    }

    /// What is to be made of this one.
    pub fn standing(&self, certificate: &Certificate, now: SystemTime) -> Standing {
        let is_past = || self.ends.get(&certificate.mark.0).is_some_and(|end| *end <= now);
        if self.marks.contains(&certificate.mark) {
            Standing::Revoked
        } else if self.outdated == Outdated::Deny && is_past() {
            Standing::Unknown
        } else {
            Standing::Good
        }
    }

    /// How many lists are past their time.
    pub fn outdated(&self, now: SystemTime) -> usize {
        self.ends.values().filter(|end| **end <= now).count()
    }

    /// When the next one is.
    pub fn next_end(&self, now: SystemTime) -> Option<SystemTime> {
        self.ends.values().copied().filter(|end| *end > now).min()
    }
}

/// Without the zero that says that a number is positive.
fn serial(raw: &[u8]) -> Vec<u8> {
    let zeros = raw.iter().take_while(|byte| **byte == 0).count();
    raw[zeros..].to_vec()
}
