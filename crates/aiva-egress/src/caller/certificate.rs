//! The names in a client's certificate, read once for each connection, and the certificates that were taken back.
//!
//! Promises: whether a certificate is to be believed was decided by TLS before; what cannot be read has no names. A list that
//! comes later counts for connections that stand as well.

use std::collections::HashSet;

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

/// Certificates that were taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revoked(HashSet<Mark>);

impl Revoked {
    /// From revocation lists (DER), whose signatures TLS looks at. `None` when one cannot be read.
    pub fn read<'l>(lists: impl IntoIterator<Item = &'l [u8]>) -> Option<Self> {
        let mut all = HashSet::new();
        for list in lists {
            let (_, list) = parse_x509_crl(list).ok()?;
            let issuer = list.issuer().as_raw();
            all.extend(list.iter_revoked_certificates().map(|one| (issuer.to_vec(), serial(one.raw_serial()))));
        }
        Some(Self(all))
    }

    /// Whether this one was.
    pub fn holds(&self, certificate: &Certificate) -> bool {
        !self.0.is_empty() && self.0.contains(&certificate.mark)
    }
}

/// Without the zero that says that a number is positive.
fn serial(raw: &[u8]) -> Vec<u8> {
    let zeros = raw.iter().take_while(|byte| **byte == 0).count();
    raw[zeros..].to_vec()
}
