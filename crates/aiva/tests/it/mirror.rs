//! A mirror of OSV's exports on this machine, over TLS with an authority of its own, and with the manners it is told to have.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::program::World;

/// How one answer is given.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Manner {
    /// Breaks off after so many bytes of the body.
    Cut(usize),
    /// One byte a time.
    Trickle,
    /// Says that there are so many bytes more than there are.
    More(usize),
    /// Says that there are so many bytes less.
    Less(usize),
    /// Answers with this status and no body.
    Status(u16),
    /// Sends the caller to a cloud's metadata service.
    Elsewhere,
}

#[derive(Default)]
struct Shelf {
    files: BTreeMap<String, Vec<u8>>,
    /// For the answers with a body to come; well-mannered when there is none left.
    manners: VecDeque<Manner>,
    /// Path, then the headers that a download depends on.
    asked: Vec<String>,
}

/// The mirror; it answers until the test ends.
pub(crate) struct Mirror {
    port: u16,
    authority: String,
    shelf: Arc<Mutex<Shelf>>,
}

impl Mirror {
    /// A mirror without any file.
    pub(crate) fn start() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (shelf, config) = (Arc::new(Mutex::new(Shelf::default())), Arc::new(config));
        let held = Arc::clone(&shelf);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (held, config) = (Arc::clone(&held), Arc::clone(&config));
                std::thread::spawn(move || answer(stream, config, &held));
            }
        });
        Self { port, authority: authority.pem(), shelf }
    }

    /// A world whose configuration trusts the mirror, may call it, and takes its advisories from it.
    pub(crate) fn world(&self) -> World {
        let world = World::new();
        world.write("mirror.pem", &self.authority);
        world.write(
            "aiva.toml",
            &format!(
                "[outbound]\nextra_ca_files = [\"mirror.pem\"]\n[[outbound.exceptions]]\nnetwork = \"127.0.0.1/32\"\n\
                 ports = [{port}]\nreason = \"mirror\"\n[sca]\nadvisories_from = \"{url}\"\n",
                port = self.port,
                url = self.url(),
            ),
        );
        world
    }

    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub(crate) fn put(&self, ecosystem: &str, zip: Vec<u8>) {
        self.shelf.lock().unwrap().files.insert(format!("/{}/all.zip", ecosystem.replace(" ", "%20")), zip);
    }

    /// Any other file.
    pub(crate) fn put_file(&self, path: &str, bytes: &[u8]) {
        self.shelf.lock().unwrap().files.insert(path.to_owned(), bytes.to_vec());
    }

    /// How the next answers with a body are given.
    pub(crate) fn behave(&self, manners: impl IntoIterator<Item = Manner>) {
        self.shelf.lock().unwrap().manners = manners.into_iter().collect();
    }

    /// What was asked for since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.shelf.lock().unwrap().asked)
    }
}

/// One request a connection. A client that goes away is none of the mirror's business.
fn answer(stream: TcpStream, config: Arc<ServerConfig>, shelf: &Mutex<Shelf>) {
    let Ok(connection) = ServerConnection::new(config) else { return };
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        match stream.read_line(&mut line) {
            Ok(2..) if line.trim().is_empty() => break,
            Ok(1..) => head.push(line.trim().to_owned()),
            _ => return,
        }
    }
    let (status, fields, body, manner) = decide(&head, &mut shelf.lock().unwrap());
    let _gone = send(stream.get_mut(), status, &fields, &body, manner);
}

fn decide(head: &[String], shelf: &mut Shelf) -> (u16, String, Vec<u8>, Option<Manner>) {
    let path = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
    let header = |name: &str| {
        head.iter().find_map(|line| {
            let (field, value) = line.split_once(": ")?;
            field.eq_ignore_ascii_case(name).then_some(value)
        })
    };
    let (known, range) = (header("if-none-match"), header("range").filter(|_| header("if-range").is_some()));
    // It is looked for everywhere; only where there is one it is of interest.
    if path.ends_with("/modified_id.csv") && !shelf.files.contains_key(&path) {
        return (404, String::new(), Vec::new(), None);
    }
    shelf.asked.push([Some(path.as_str()), known, range].into_iter().flatten().collect::<Vec<_>>().join(" "));
    let Some(file) = shelf.files.get(&path).cloned() else { return (404, String::new(), Vec::new(), None) };
    let tag = format!("\"{:x}\"", file.iter().fold(7_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte)));
    let mut fields = format!("etag: {tag}\r\n");
    if known == Some(tag.as_str()) {
        return (304, fields, Vec::new(), None);
    }
    let manner = shelf.manners.pop_front();
    if let Some(Manner::Status(status)) = manner {
        return (status, fields, Vec::new(), None);
    }
    if let Some(Manner::Elsewhere) = manner {
        fields.push_str("location: http://169.254.169.254/\r\n");
        return (302, fields, Vec::new(), None);
    }
    let from = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    match from.filter(|_| header("if-range") == Some(tag.as_str())) {
        Some(from) if from >= file.len() => (416, fields, Vec::new(), None),
        Some(from) => {
            fields.push_str(&format!("content-range: bytes {from}-{}/{}\r\n", file.len() - 1, file.len()));
            (206, fields, file[from..].to_vec(), manner)
        }
        None => (200, fields, file, manner),
    }
}

fn send(out: &mut impl Write, status: u16, fields: &str, body: &[u8], manner: Option<Manner>) -> std::io::Result<()> {
    let length = match manner {
        Some(Manner::More(bytes)) => body.len() + bytes,
        Some(Manner::Less(bytes)) => body.len() - bytes,
        _ => body.len(),
    };
    let length = if status == 304 { String::new() } else { format!("content-length: {length}\r\n") };
    out.write_all(format!("HTTP/1.1 {status} x\r\n{fields}{length}connection: close\r\n\r\n").as_bytes())?;
    match manner {
        Some(Manner::Cut(bytes)) => out.write_all(&body[..bytes])?,
        Some(Manner::Trickle) => {
            for byte in body {
                out.write_all(&[*byte])?;
                out.flush()?;
            }
        }
        _ => out.write_all(body)?,
    }
    out.flush()
}
