//! Opens connections: to the checked addresses in turn, through a proxy where one is configured, with TLS by name.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::HeaderValue;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use super::dial::{Connection, Dial, first};
use super::pool::Sender;
use super::{Error, Tls};
use crate::target::{Host, Scheme, Target};

/// The longest answer of a proxy to CONNECT.
const MOST_PROXY_HEAD: usize = 8 * 1024;

/// A proxy on the way: it is asked to CONNECT to the checked address.
#[derive(Clone)]
pub struct Upstream {
    /// Where it listens. The operator named it, so it need not be public.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// `user:password`, where it wants them.
    pub credentials: Option<String>,
}

pub(crate) struct Connector {
    dial: Arc<dyn Dial>,
    tls: Tls,
    upstream: Option<Upstream>,
}

impl Connector {
    pub(crate) fn new(dial: Arc<dyn Dial>, tls: Tls, upstream: Option<Upstream>) -> Self {
        Self { dial, tls, upstream }
    }

    /// A connection that is ready for a request, and the address that it leads to: one of those allowed.
    pub(super) async fn connect(&self, target: &Target, allowed: &[SocketAddr]) -> Result<(SocketAddr, Sender), Error> {
        let (address, stream) = self.open(target, allowed).await?;
        Ok((address, shake(stream, target).await?))
    }

    /// A connection to one of the allowed addresses, inside TLS where the scheme wants it.
    pub(crate) async fn open(
        &self,
        target: &Target,
        allowed: &[SocketAddr],
    ) -> Result<(SocketAddr, Connection), Error> {
        let (address, stream) = match &self.upstream {
            None => first(&self.dial, allowed).await.map_err(|error| refused(target, &error))?,
            Some(upstream) => self.through(upstream, target, allowed).await?,
        };
        Ok(match target.scheme() {
            Scheme::Http => (address, stream),
            Scheme::Https => (address, self.encrypted(stream, target).await?),
        })
    }

    async fn encrypted(&self, stream: Connection, target: &Target) -> Result<Connection, Error> {
        let failed = |reason: String| Error::Tls { to: to(target), reason };
        let config = self.tls.config().map_err(|error| failed(error.to_string()))?;
        let name = match target.host() {
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|error| failed(error.to_string()))?,
            Host::Address(address) => ServerName::IpAddress((*address).into()),
        };
        match TlsConnector::from(config).connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            // What rustls refuses comes as invalid data and will not pass by itself; the rest is the network's doing.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(failed(error.to_string())),
            Err(error) => Err(refused(target, &error)),
        }
    }

    async fn through(
        &self,
        upstream: &Upstream,
        target: &Target,
        allowed: &[SocketAddr],
    ) -> Result<(SocketAddr, Connection), Error> {
        let failed =
            |reason: String| Error::Connect { to: format!("proxy {}:{}", upstream.address, upstream.port), reason };
        let own = tokio::net::lookup_host((upstream.address.as_str(), upstream.port));
        let own: Vec<SocketAddr> = own.await.map_err(|error| failed(error.to_string()))?.collect();
        let mut last = failed("no address".to_owned());
        for address in allowed {
            let (_, mut stream) = first(&self.dial, &own).await.map_err(|error| failed(error.to_string()))?;
            match tunnel(&mut stream, upstream, *address).await {
                Ok(()) => return Ok((*address, stream)),
                Err(error) => last = failed(format!("{} for {}", error, to(target))),
            }
        }
        Err(last)
    }
}

/// `Basic` credentials (RFC 7617) of a percent-encoded `user:password`.
pub(super) fn basic(credentials: &str) -> Option<HeaderValue> {
    let decoded = decode(credentials)?;
    let decoded = if decoded.contains(&b':') { decoded } else { [decoded, b":".to_vec()].concat() };
    HeaderValue::from_str(&format!("Basic {}", base64(&decoded))).ok()
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            out.push(byte);
        }
    }
    Some(out)
}

/// RFC 4648 §4. Twelve lines are cheaper for a library with few dependencies than another crate.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for position in 0..4 {
            let index = (bits >> (18 - 6 * position)) & 63;
            out.push(if position <= chunk.len() { char::from(ALPHABET[index as usize]) } else { '=' });
        }
    }
    out
}

/// Asks a proxy for a tunnel to an address (RFC 9110 §9.3.6).
async fn tunnel(stream: &mut Connection, upstream: &Upstream, address: SocketAddr) -> io::Result<()> {
    let place = match address.ip() {
        IpAddr::V4(ip) => format!("{ip}:{}", address.port()),
        IpAddr::V6(ip) => format!("[{ip}]:{}", address.port()),
    };
    let mut head = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n");
    if let Some(value) = upstream.credentials.as_deref().and_then(basic) {
        head.push_str(&format!("Proxy-Authorization: {}\r\n", value.to_str().unwrap_or_default()));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= MOST_PROXY_HEAD {
            return Err(io::Error::other("the proxy's answer is too long"));
        }
        // Byte by byte, so that nothing of what follows in the tunnel is swallowed.
        answer.push(stream.read_u8().await?);
    }
    let line = String::from_utf8_lossy(answer.split(|b| *b == b'\r').next().unwrap_or_default()).into_owned();
    match line.split(' ').nth(1) {
        Some(status) if status.len() == 3 && status.starts_with('2') => Ok(()),
        _ => Err(io::Error::other(format!("the proxy refused: {line}"))),
    }
}

async fn shake(stream: Connection, target: &Target) -> Result<Sender, Error> {
    let broken = |error: hyper::Error| Error::Broken { to: to(target), reason: error.to_string() };
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Ends when the sender is dropped or the other side closes; its errors reach the sender.
    tokio::spawn(connection);
    Ok(sender)
}

fn to(target: &Target) -> String {
    format!("{}:{}", target.host(), target.port())
}

fn refused(target: &Target, error: &io::Error) -> Error {
    Error::Connect { to: to(target), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_decoded_and_encoded() {
        let rows = [("user:pass", "Basic dXNlcjpwYXNz"), ("a", "Basic YTo="), ("u:p%40s", "Basic dTpwQHM=")];
        for (text, want) in rows {
            assert_eq!(basic(text).unwrap(), want, "{text}");
        }
        assert!(basic("u:%zz").is_none());
    }
}
