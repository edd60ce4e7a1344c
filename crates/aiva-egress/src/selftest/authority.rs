//! A certificate authority of one run, for origins in memory: it signs whatever name is asked for and is trusted by nobody
//! but this run's client.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The authority cannot be made: the machine has no randomness, or the library changed under us.
#[derive(Debug, thiserror::Error)]
#[error("no certificates can be made for the origins: {0}")]
pub struct NoAuthority(String);

/// Signs for any name.
#[derive(Clone)]
pub struct Authority(Arc<Inner>);

struct Inner {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// One key for all origins: they keep no secret.
    leaf: KeyPair,
}

impl Authority {
    /// A new one.
    pub fn new() -> Result<Self, NoAuthority> {
        let failed = |error: rcgen::Error| NoAuthority(error.to_string());
        let mut params = CertificateParams::new(Vec::new()).map_err(failed)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().map_err(failed)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(failed)?;
        let leaf = KeyPair::generate().map_err(failed)?;
        Ok(Self(Arc::new(Inner { issuer, leaf })))
    }

    /// Its certificate.
    pub fn pem(&self) -> String {
        self.0.issuer.pem()
    }

    /// How an origin at this address speaks TLS.
    pub fn origin(&self, address: IpAddr) -> Result<Arc<ServerConfig>, NoAuthority> {
        let names = Names { authority: self.clone(), address };
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| NoAuthority(error.to_string()))?;
        Ok(Arc::new(config.with_no_client_auth().with_cert_resolver(Arc::new(names))))
    }

    fn certify(&self, name: Option<&str>, address: IpAddr) -> Option<CertifiedKey> {
        let mut params = CertificateParams::new(Vec::new()).ok()?;
        params.subject_alt_names.push(SanType::IpAddress(address));
        if let Some(name) = name {
            params.subject_alt_names.push(SanType::DnsName(name.to_owned().try_into().ok()?));
        }
        let certificate = params.signed_by(&self.0.leaf, &self.0.issuer).ok()?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.0.leaf.serialize_der()));
        let key = aws_lc_rs::sign::any_supported_type(&key).ok()?;
        Some(CertifiedKey::new(vec![certificate.der().clone()], key))
    }
}

/// A certificate for whoever is asked for.
struct Names {
    authority: Authority,
    address: IpAddr,
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "any name at {}", self.address)
    }
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.authority.certify(hello.server_name(), self.address).map(Arc::new)
    }
}
