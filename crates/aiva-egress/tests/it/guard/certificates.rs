//! Callers who are known by a certificate, until its authority takes it back.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use aiva_egress::config::{ExpiredList, ProxyTls};
use aiva_egress::proxy::tls::Tls;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Extra, client, connect, says, scene, strangers};
use crate::stage::PATIENCE;

/// An authority and what it signs, in files.
struct Authority {
    folder: tempfile::TempDir,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    certificate: rcgen::Certificate,
}

impl Authority {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::default();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        parameters.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
        let certificate = parameters.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.crt"), certificate.pem()).unwrap();
        let made = Self { folder, issuer: rcgen::Issuer::new(parameters, key), certificate };
        let (server, server_key) = made.sign(rcgen::SanType::DnsName("proxy.test".try_into().unwrap()), 1);
        std::fs::write(made.folder.path().join("proxy.crt"), server).unwrap();
        std::fs::write(made.folder.path().join("proxy.key"), server_key).unwrap();
        made.revoke(&[], 2099);
        made
    }

    /// A certificate and its key, PEM.
    fn sign(&self, name: rcgen::SanType, serial: u64) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::default();
        parameters.subject_alt_names = vec![name];
        parameters.serial_number = Some(serial.into());
        (parameters.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// A list of these, good until a year begins.
    fn revoke(&self, serials: &[u64], until: i32) {
        let day = |day| rcgen::date_time_ymd(2026, 1, day);
        let revoked = |serial: &u64| rcgen::RevokedCertParams {
            serial_number: (*serial).into(),
            revocation_time: day(1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = rcgen::CertificateRevocationListParams {
            this_update: day(1),
            next_update: rcgen::date_time_ymd(until, 1, 30),
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        std::fs::write(self.folder.path().join("ca.crl"), list.signed_by(&self.issuer).unwrap().pem().unwrap())
            .unwrap();
    }

    fn files(&self) -> ProxyTls {
        ProxyTls {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            certificate_file: "proxy.crt".into(),
            key_file: "proxy.key".into(),
            client_ca_files: vec!["ca.crt".into()],
            client_crl_files: vec!["ca.crl".into()],
            client_crl_expired: ExpiredList::Deny,
            require_client_certificate: false,
        }
    }

    /// What the proxy says to a client with this certificate.
    async fn asks(
        &self,
        proxy: SocketAddr,
        shows: Option<&(String, String)>,
    ) -> (String, Option<tokio_rustls::client::TlsStream<TcpStream>>) {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match shows {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
            }
        };
        let name = ServerName::try_from("proxy.test").unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        match connector.connect(name, client(proxy).await).await {
            Ok(mut stream) => {
                let answer = connect(&mut stream, "").await;
                (answer, Some(stream))
            }
            Err(_) => (String::new(), None),
        }
    }
}

#[tokio::test]
async fn a_certificate_opens_its_role_until_it_is_revoked() {
    let authority = Authority::new();
    let tls = Arc::new(Tls::read(authority.files(), authority.folder.path().to_path_buf()).unwrap());
    let text = "[egress.roles.default]\n[egress.roles.shop]\nmode = \"open\"\n\
                [egress.callers.shop]\ncertificate = { uris = [\"spiffe://example.com/shop\"] }";
    let scene = scene(text, Extra { tls: Some(Arc::clone(&tls)), ..Extra::default() }).await;
    let uri = |text: &str| rcgen::SanType::URI(text.try_into().unwrap());
    let shop = authority.sign(uri("spiffe://example.com/shop"), 7);
    let else_where = authority.sign(uri("spiffe://example.com/else"), 8);
    let stranger = Authority::new().sign(uri("spiffe://example.com/shop"), 7);
    let denied = "403 name-not-allowed";
    let check = async |rows: &[(Option<&(String, String)>, &str)]| {
        for (place, (shows, want)) in rows.iter().enumerate() {
            let (answer, _) = authority.asks(scene.addresses[1], *shows).await;
            assert!(says(&answer, want), "{place}: {answer:?}");
        }
    };
    let counted = ["certificate-unknown-authority", "certificate-revoked"].map(strangers);
    check(&[(Some(&shop), "200"), (Some(&else_where), denied), (None, denied), (Some(&stranger), "hung")]).await;
    let (_, standing) = authority.asks(scene.addresses[1], Some(&shop)).await;
    authority.revoke(&[7], 2099);
    tls.read_again().unwrap();
    scene.guard.revoke(tls.revoked());
    let mut rest = Vec::new();
    let mut standing = standing.unwrap();
    // Cut off without a goodbye is an end as well.
    let _end = timeout(PATIENCE, standing.read_to_end(&mut rest)).await.expect("the standing tunnel is closed");
    check(&[(Some(&shop), "hung"), (Some(&else_where), denied), (None, denied)]).await;
    assert!(strangers("certificate-unknown-authority") > counted[0] && strangers("certificate-revoked") > counted[1]);
    // A list that cannot be read leaves what was in force.
    std::fs::write(authority.folder.path().join("ca.crl"), "no list").unwrap();
    assert!(tls.read_again().is_err());
    check(&[(Some(&shop), "hung"), (Some(&else_where), denied)]).await;
}

#[tokio::test]
async fn a_revocation_list_past_its_time_is_believed_only_where_the_file_says_so() {
    let authority = Authority::new();
    let uri = rcgen::SanType::URI("spiffe://example.com/shop".try_into().unwrap());
    let shop = authority.sign(uri, 7);
    let text = "[egress.roles.default]\n[egress.roles.shop]\nmode = \"open\"\n\
                [egress.callers.shop]\ncertificate = { uris = [\"spiffe://example.com/shop\"] }";
    for (until, choice, lists, want) in [
        (2026, ExpiredList::Deny, 1, "403 revocation-list-expired"),
        (2026, ExpiredList::Warn, 1, "200"),
        (2099, ExpiredList::Deny, 0, "200"),
    ] {
        authority.revoke(&[], until);
        let files = ProxyTls { client_crl_expired: choice, ..authority.files() };
        let tls = Arc::new(Tls::read(files, authority.folder.path().to_path_buf()).unwrap());
        let scene = scene(text, Extra { tls: Some(Arc::clone(&tls)), ..Extra::default() }).await;
        scene.guard.revoke(tls.revoked());
        let (answer, _) = authority.asks(scene.addresses[1], Some(&shop)).await;
        assert!(says(&answer, want), "{until} {choice:?}: {answer:?}");
        assert_eq!(scene.guard.outdated_lists(), lists);
        // Who shows none is a stranger, as ever.
        let (answer, _) = authority.asks(scene.addresses[1], None).await;
        assert!(says(&answer, "403 name-not-allowed"), "{answer:?}");
    }
}
