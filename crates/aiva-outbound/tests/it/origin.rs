//! An origin in memory: whoever connects to whatever address gets the script's answers in turn, inside TLS if it wants.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use aiva_outbound::client::{Connection, Dial};
use async_trait::async_trait;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio_rustls::TlsAcceptor;

/// Certifies whatever name or address is asked for.
#[derive(Debug)]
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    key: KeyPair,
}

impl Authority {
    /// An authority, and its certificate in PEM.
    pub(crate) fn new() -> (Self, String) {
        let (own, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&own).unwrap();
        (Self { issuer: Issuer::new(params, own), key }, certificate.pem())
    }

    fn certify(&self, name: String) -> Arc<CertifiedKey> {
        let params = CertificateParams::new(vec![name]).unwrap();
        let certificate = params.signed_by(&self.key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).unwrap();
        Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key))
    }
}

#[derive(Debug)]
struct At(Arc<Authority>, IpAddr);

impl ResolvesServerCert for At {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.certify(hello.server_name().map_or_else(|| self.1.to_string(), str::to_owned)))
    }
}

pub(crate) struct Origin {
    authority: Arc<Authority>,
    script: Arc<Vec<String>>,
    fail_first: bool,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    dialled: Vec<IpAddr>,
    answered: usize,
    last: String,
}

impl Origin {
    pub(crate) fn new(authority: Authority, script: Vec<String>, fail_first: bool) -> Self {
        let (authority, script) = (Arc::new(authority), Arc::new(script));
        Self { authority, script, fail_first, state: Arc::default() }
    }

    /// The script from its first line.
    pub(crate) fn begin(&self) {
        *self.state.lock().unwrap() = State::default();
    }

    /// Every address that somebody connected to.
    pub(crate) fn dialled(&self) -> Vec<IpAddr> {
        self.state.lock().unwrap().dialled.clone()
    }

    pub(crate) fn last_request(&self) -> String {
        self.state.lock().unwrap().last.clone()
    }
}

#[async_trait]
impl Dial for Origin {
    async fn dial(&self, address: SocketAddr) -> io::Result<Connection> {
        let attempts = {
            let mut state = self.state.lock().unwrap();
            state.dialled.push(address.ip());
            state.dialled.len()
        };
        if self.fail_first && attempts == 1 {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (near, far) = tokio::io::duplex(64 * 1024);
        let (script, state) = (Arc::clone(&self.script), Arc::clone(&self.state));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(At(Arc::clone(&self.authority), address.ip())));
        tokio::spawn(accept(far, TlsAcceptor::from(Arc::new(config)), script, state));
        Ok(Box::new(near))
    }
}

async fn accept(mut stream: DuplexStream, tls: TlsAcceptor, script: Arc<Vec<String>>, state: Arc<Mutex<State>>) {
    let Ok(first) = stream.read_u8().await else { return };
    let (read, write) = tokio::io::split(stream);
    let stream = tokio::io::join(io::Cursor::new([first]).chain(read), write);
    // A TLS handshake record (RFC 8446 §5.1); no HTTP method starts with it.
    if first == 0x16 {
        if let Ok(stream) = tls.accept(stream).await {
            answer(stream, &script, &state).await;
        }
    } else {
        answer(stream, &script, &state).await;
    }
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, script: &[String], state: &Mutex<State>) {
    let mut head = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        head.push(byte);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let line = {
            let mut state = state.lock().unwrap();
            state.last = String::from_utf8_lossy(&head).into_owned();
            state.answered += 1;
            script[(state.answered - 1).min(script.len() - 1)].clone()
        };
        head.clear();
        if stream.write_all(line.as_bytes()).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}
