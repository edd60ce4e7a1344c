//! Why a connection ended before it could ask for anything: nobody knows who it is.
//!
//! There is no request yet, so there is no record; what is known stands in the log and is counted.

use std::io;

use rustls::{CertificateError, Error};

/// What was wrong with how a connection began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// An address that counts as a balancer's speaks no PROXY protocol.
    NoPreface,
    /// Its certificate is on a revocation list.
    Revoked,
    /// No revocation list speaks of its certificate, or the one that does has expired.
    Unvouched,
    /// Its certificate has expired, or is not good yet.
    Expired,
    /// No configured authority has signed its certificate.
    UnknownAuthority,
    /// It shows no certificate, and one is required.
    NoCertificate,
    /// Its certificate cannot be used for another reason.
    BadCertificate,
    /// It speaks something else than TLS.
    NotTls,
    /// It left during the handshake, or does not believe us.
    Broken,
}

impl Stranger {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::NoPreface,
        Self::Revoked,
        Self::Unvouched,
        Self::Expired,
        Self::UnknownAuthority,
        Self::NoCertificate,
        Self::BadCertificate,
        Self::NotTls,
        Self::Broken,
    ];

    /// Of a handshake that failed.
    pub fn of(error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(Error::InvalidCertificate(wrong)) => match wrong {
                CertificateError::Revoked => Self::Revoked,
                CertificateError::UnknownRevocationStatus
                | CertificateError::ExpiredRevocationList
                | CertificateError::ExpiredRevocationListContext { .. } => Self::Unvouched,
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => Self::Expired,
                // Another authority of the same name is another authority.
                CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::UnknownAuthority,
                _ => Self::BadCertificate,
            },
            Some(Error::NoCertificatesPresented) => Self::NoCertificate,
            Some(Error::InvalidMessage(_)) => Self::NotTls,
            _ => Self::Broken,
        }
    }

    /// The stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoPreface => "no-proxy-protocol",
            Self::Revoked => "certificate-revoked",
            Self::Unvouched => "certificate-not-on-lists",
            Self::Expired => "certificate-expired",
            Self::UnknownAuthority => "certificate-unknown-authority",
            Self::NoCertificate => "certificate-missing",
            Self::BadCertificate => "certificate-bad",
            Self::NotTls => "not-tls",
            Self::Broken => "handshake-broken",
        }
    }

    /// Whether somebody wanted in and was refused, rather than left or knocked at the wrong door.
    pub const fn is_refused(self) -> bool {
        !matches!(self, Self::NotTls | Self::Broken)
    }
}
