//! TLS to the proxy itself, from files that are read again when they change.
//!
//! Promises: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1; a client's certificate is believed when one of the authorities signed it and no
//! revocation list names it; where there are lists, a certificate that none speaks of is refused. A list that is past its time
//! ends no handshake: who calls is then told why it gets nowhere ([`Revoked`]). Files that cannot be used
//! leave what was in force; new ones count for new connections, and nothing is resumed from before. Start reading at
//! [`Tls::read`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use crate::caller::{Outdated, Revoked};
use crate::config::{ExpiredList, ProxyTls};

/// Why TLS cannot be offered with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, unreadable or not PEM.
    #[error("cannot read {file}")]
    File {
        /// Which one.
        file: PathBuf,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// There is nothing of what there should be in a file.
    #[error("{file} holds no {what}")]
    Empty {
        /// Which one.
        file: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// Certificate and key do not fit together, or an authority is none.
    #[error("the certificates cannot be used")]
    Unusable(#[from] rustls::Error),
    /// A revocation list that TLS can read and we cannot.
    #[error("a revocation list cannot be read")]
    Revoked,
    /// Authorities and revocation lists do not fit together.
    #[error("the revocation lists cannot be used")]
    Clients(#[from] VerifierBuilderError),
}

/// TLS as it is offered now.
pub struct Tls {
    files: ProxyTls,
    base: PathBuf,
    current: ArcSwap<ServerConfig>,
    revoked: ArcSwap<Revoked>,
}

impl Tls {
    /// Reads the files; relative names start from `base`. Blocks.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn read(files: ProxyTls, base: PathBuf) -> Result<Self, TlsError> {
        let (config, revoked) = config(&files, &base)?;
        let (current, revoked) = (ArcSwap::from_pointee(config), ArcSwap::from_pointee(revoked));
        Ok(Self { files, base, current, revoked })
    }

    /// Reads the files again. Blocks.
    ///
    /// # Errors
    /// When they cannot be used; what was in force stays.
    pub fn read_again(&self) -> Result<(), TlsError> {
        let (config, revoked) = config(&self.files, &self.base)?;
        self.current.store(Arc::new(config));
        self.revoked.store(Arc::new(revoked));
        Ok(())
    }

    /// The files, to be watched.
    pub fn files(&self) -> Vec<PathBuf> {
        let pair = [&self.files.certificate_file, &self.files.key_file];
        let clients = self.files.client_ca_files.iter().chain(&self.files.client_crl_files);
        pair.into_iter().chain(clients).map(|file| self.base.join(file)).collect()
    }

    /// The certificates that were taken back.
    pub fn revoked(&self) -> Arc<Revoked> {
        self.revoked.load_full()
    }

    /// For one connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }
}

fn config(files: &ProxyTls, base: &Path) -> Result<(ServerConfig, Revoked), TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain: Vec<CertificateDer<'static>> = all(base.join(&files.certificate_file), "certificate")?;
    let key_file = base.join(&files.key_file);
    let key = PrivateKeyDer::from_pem_file(&key_file).map_err(|source| TlsError::File { file: key_file, source })?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let mut lists = Vec::new();
    for file in &files.client_crl_files {
        lists.extend(all::<CertificateRevocationListDer<'static>>(base.join(file), "revocation list")?);
    }
    let outdated = match files.client_crl_expired {
        ExpiredList::Deny => Outdated::Deny,
        ExpiredList::Warn => Outdated::Warn,
    };
    let revoked = Revoked::read(lists.iter().map(AsRef::as_ref), outdated).ok_or(TlsError::Revoked)?;
    let builder = match clients(files, base, lists, provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((config, revoked))
}

fn clients(
    files: &ProxyTls,
    base: &Path,
    lists: Vec<CertificateRevocationListDer<'static>>,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    if files.client_ca_files.is_empty() {
        return Ok(None);
    }
    let mut roots = RootCertStore::empty();
    for file in &files.client_ca_files {
        for certificate in all::<CertificateDer<'static>>(base.join(file), "certificate")? {
            roots.add(certificate)?;
        }
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .with_crls(lists)
        .only_check_end_entity_revocation();
    let builder = if files.require_client_certificate { builder } else { builder.allow_unauthenticated() };
    Ok(Some(builder.build()?))
}

fn all<T: PemObject>(file: PathBuf, what: &'static str) -> Result<Vec<T>, TlsError> {
    let read = T::pem_file_iter(&file).and_then(Iterator::collect::<Result<Vec<T>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(TlsError::Empty { file, what }),
        Ok(found) => Ok(found),
        Err(source) => Err(TlsError::File { file, source }),
    }
}
