//! Whom to trust.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// The certificate authorities that a client trusts. Loading them takes milliseconds, so it waits for the first use.
#[derive(Clone)]
pub struct Tls {
    extra: Vec<CertificateDer<'static>>,
    system: bool,
    config: Arc<OnceLock<Result<Arc<ClientConfig>, TlsError>>>,
}

/// Why nobody can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file of extra authorities.
    #[error("cannot use the certificates in {path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The machine has none, and none were given.
    #[error("no certificate authority is known on this machine; install its ca-certificates")]
    NoRoots,
    /// The provider cannot do what is asked.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

impl Tls {
    /// The system's authorities; Mozilla's where the system has none.
    pub fn system() -> Self {
        Self { extra: Vec::new(), system: true, config: Arc::default() }
    }

    /// Only those that are added.
    pub fn none() -> Self {
        Self { system: false, ..Self::system() }
    }

    /// Trusts the authorities of a PEM file as well.
    pub fn with_file(self, path: impl Into<PathBuf>) -> Result<Self, TlsError> {
        let path = path.into();
        let wrong = |reason: String| TlsError::File { path: path.clone(), reason };
        let pem = std::fs::read(&path).map_err(|error| wrong(error.to_string()))?;
        self.with_pem(&pem).map_err(wrong)
    }

    /// Trusts the authorities of a PEM text as well.
    pub fn with_pem(mut self, pem: &[u8]) -> Result<Self, String> {
        let before = self.extra.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            self.extra.push(certificate.map_err(|error| error.to_string())?);
        }
        if self.extra.len() == before {
            return Err("it holds no certificate".to_owned());
        }
        self.config = Arc::default();
        Ok(self)
    }

    /// What a TLS client is set up with; made at the first call.
    ///
    /// # Errors
    /// When nobody can be trusted.
    pub fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        self.config.get_or_init(|| self.load()).clone()
    }

    fn load(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let mut roots = RootCertStore::empty();
        if self.system {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            }
        }
        for certificate in &self.extra {
            roots.add(certificate.clone()).map_err(|error| TlsError::Setup(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(TlsError::NoRoots);
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Setup(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }
}
