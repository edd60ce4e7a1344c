//! A mirror of the advisory exports on loopback, over HTTPS, that can misbehave.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// What a request asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
}

/// What is sent back, byte by byte; then the connection closes.
type Answer = dyn Fn(&Asked, usize) -> Vec<u8> + Send + Sync;

/// The mirror; it answers until the test's process ends.
pub(crate) struct Mirror {
    pub(crate) url: String,
    /// The certificate authority to trust, PEM.
    pub(crate) authority: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Mirror {
    /// Answers every request with what the function says; it is told how many requests came before.
    pub(crate) fn start(answer: Arc<Answer>) -> Self {
        let key = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let authority = key.cert.pem();
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![key.cert.der().clone()], private)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, count) = (Arc::clone(&asked), Arc::new(AtomicUsize::new(0)));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, answer, seen, count) =
                    (Arc::clone(&config), Arc::clone(&answer), Arc::clone(&seen), Arc::clone(&count));
                std::thread::spawn(move || {
                    let connection = rustls::ServerConnection::new(config).unwrap();
                    let mut stream = rustls::StreamOwned::new(connection, stream);
                    let Some(request) = read(&mut stream) else { return };
                    seen.lock().unwrap().push(request.clone());
                    let before = count.fetch_add(1, Ordering::SeqCst);
                    // The other side may have gone away on purpose.
                    let _ = stream.write_all(&answer(&request, before));
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                });
            }
        });
        Self { url, authority, asked }
    }

    /// The requests so far for paths that contain this.
    pub(crate) fn asked(&self, part: &str) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|asked| asked.path.contains(part)).cloned().collect()
    }
}

fn read(stream: &mut impl Read) -> Option<Asked> {
    let mut lines = BufReader::new(stream).lines();
    let mut asked = Asked { path: lines.next()?.ok()?.split(' ').nth(1)?.to_owned(), headers: HashMap::new() };
    for line in lines {
        let line = line.ok()?;
        if line.is_empty() {
            return Some(asked);
        }
        let (name, value) = line.split_once(':')?;
        asked.headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    None
}

/// A whole answer.
pub(crate) fn whole(bytes: &[u8], etag: &str) -> Vec<u8> {
    response("200 OK", &[("ETag", etag), ("Content-Length", &bytes.len().to_string())], bytes)
}

/// An answer with exactly these headers and bytes.
pub(crate) fn response(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    [text.as_bytes(), body].concat()
}
