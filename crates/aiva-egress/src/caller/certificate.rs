//! The names in a client's certificate, read once for each connection.
//!
//! Promises: whether the certificate is to be believed was decided by TLS before; what cannot be read has no names.

use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

/// What a certificate says of its holder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificate {
    /// URIs, SPIFFE ids among them.
    pub uris: Vec<String>,
    /// DNS names, in lower case.
    pub dns_names: Vec<String>,
    /// Common names of the subject.
    pub common_names: Vec<String>,
}

impl Certificate {
    /// From DER.
    pub fn read(der: &[u8]) -> Self {
        let mut names = Self::default();
        let Ok((_, certificate)) = parse_x509_certificate(der) else { return names };
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
