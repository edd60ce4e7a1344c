//! Talking to a running server as any other client of its API.
//!
//! An upload is sent packed, and as it is to a server that does not unpack; where others have their turn, it waits.

use std::io::{BufWriter, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use aiva_authn::bootstrap::TokenFile;
use aiva_contracts::api::{Problem, Scan};
use aiva_findings::export::Document;
use aiva_outbound::client::Response;
use aiva_store::directory::{self, DataDirectory};
use anyhow::Result;
use axum::body::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use serde::de::DeserializeOwned;

use super::Server;
use super::terminal::Terminal;
use crate::calls;
use crate::failure::Failure;
use crate::settings::{self, Found, Settings};

/// The most that is read of an answer.
const MOST_ANSWER: usize = 32 << 20;

/// The most that is read of an answer to an agent: what a fetch may bring, in base64.
const MOST_EXCHANGED: usize = 128 << 20;

/// How often an upload waits for a server that is busy.
const MOST_WAITS: u32 = 12;

/// The longest that it waits at a time, whatever the server asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Where a server says in its data directory how it is reached from this machine.
const ANNOUNCED: &str = "server-url";

/// Says it. A server that listens everywhere is reached over the loopback.
pub(crate) fn announce(directory: &DataDirectory, scheme: &str, mut address: SocketAddr) -> Result<()> {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    Ok(directory.write_secret(ANNOUNCED, format!("{scheme}://{address}").as_bytes())?)
}

/// What the server that holds this data directory said; nothing where none does.
fn announced(data: &Path) -> Option<String> {
    directory::holder(data)?;
    let url = std::fs::read_to_string(data.join(ANNOUNCED)).ok()?;
    (!url.is_empty()).then_some(url)
}

/// A server's API, with the token to call it.
pub(crate) struct Api {
    client: aiva_outbound::Client,
    server: String,
    token: String,
}

impl Api {
    /// The API at `server`.
    pub(crate) fn new(server: &str, token: &str, settings: &Settings, base: &Path) -> Result<Self> {
        let mut policy = calls::policy(&settings.outbound);
        calls::admit(&mut policy, server);
        let client = calls::client(&settings.outbound, policy, base)?;
        Ok(Self { client, server: server.trim_end_matches('/').to_owned(), token: token.trim().to_owned() })
    }

    /// The API of the server that the flags name, else of the one that runs on the data directory here, else where the
    /// configuration says; with `AIVA_TOKEN`, else the token of the data directory.
    pub(crate) fn of(server: &Server, found: &Found) -> Result<Self> {
        let settings = &found.loaded.config;
        let data = settings::data_directory(settings.server.data_dir.as_deref())?;
        let configured = || format!("http://{}", settings.server.listen);
        let url = server.server.clone().or_else(|| announced(&data)).unwrap_or_else(configured);
        let token = match std::env::var("AIVA_TOKEN") {
            Ok(token) => token,
            Err(_) => TokenFile::within(&data).show()?.expose().to_owned(),
        };
        Self::new(&url, &token, settings, &found.base)
    }

    /// GET, decoded.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.decode(self.ask(self.client.get(self.url(path))).await?).await
    }

    /// POST of a JSON document under one key, however often it has to be sent; the answer decoded.
    async fn bring<T: DeserializeOwned>(&self, path: &str, document: &Document, terminal: Terminal) -> Result<T> {
        let key = uuid::Uuid::now_v7().to_string();
        let request = || {
            let request = self.client.post(self.url(path)).header(CONTENT_TYPE, "application/json");
            let request = request.header(http::HeaderName::from_static("idempotency-key"), &key);
            request.timeout(Duration::from_secs(300))
        };
        let mut body = Bytes::from(packed(document)?);
        let (mut is_packed, mut waits) = (true, 0);
        loop {
            let request = if is_packed { request().header(CONTENT_ENCODING, "gzip") } else { request() };
            let response = self.send(request.body(body.clone())).await?;
            match response.status.as_u16() {
                // A server that does not unpack says that this is no JSON.
                400 | 415 if is_packed => {
                    body = serde_json::to_vec(document)?.into();
                    is_packed = false;
                }
                503 if waits < MOST_WAITS => {
                    let wait = wait(&response);
                    if waits == 0 {
                        terminal.note("the server is busy; the upload is sent again when it has room");
                    }
                    waits += 1;
                    drop(response);
                    tokio::time::sleep(wait).await;
                }
                _ => return self.decode(self.good(response, None).await?).await,
            }
        }
    }

    /// POST without a body, decoded.
    pub(crate) async fn make<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.decode(self.ask(self.client.post(self.url(path))).await?).await
    }

    /// GET whose answer is read as it comes.
    pub(crate) async fn stream(&self, path: &str) -> Result<Response> {
        self.ask(self.client.get(self.url(path))).await
    }

    /// POST whose answer's body does not matter.
    pub(crate) async fn post_only(&self, path: &str) -> Result<()> {
        self.ask(self.client.post(self.url(path)).header(CONTENT_TYPE, "application/json")).await.map(drop)
    }

    /// POST of a message of the Model Context Protocol in this version; the answer as text, whatever it says. A refusal that
    /// is JSON-RPC's own is an answer too.
    pub(crate) async fn exchange(&self, path: &str, version: Option<&str>, body: String) -> Result<String> {
        let mut request = self.client.post(self.url(path)).header(CONTENT_TYPE, "application/json");
        request = request.header(ACCEPT, "application/json, text/event-stream");
        if let Some(version) = version {
            request = request.header(http::HeaderName::from_static("mcp-protocol-version"), version);
        }
        let response = self.told(request.body(body).timeout(Duration::from_secs(300)), Some(400)).await?;
        Ok(String::from_utf8(response.bytes(MOST_EXCHANGED).await?)?)
    }

    /// The address of a path on this server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server)
    }

    async fn ask(&self, request: aiva_outbound::client::Request) -> Result<Response> {
        self.told(request, None).await
    }

    /// An answer that is good, or of this status.
    async fn told(&self, request: aiva_outbound::client::Request, also: Option<u16>) -> Result<Response> {
        self.good(self.send(request).await?, also).await
    }

    /// An answer, whatever it says.
    async fn send(&self, request: aiva_outbound::client::Request) -> Result<Response> {
        let request = request.header(AUTHORIZATION, format!("Bearer {}", self.token));
        let answered = request.send().await.map_err(|error| {
            Failure::new(format!("the server {} did not answer", self.server))
                .because(error)
                .hint("start it with `aiva up`, or say where it is with --server")
        });
        Ok(answered?)
    }

    /// The answer if it is good, or of this status.
    async fn good(&self, response: Response, also: Option<u16>) -> Result<Response> {
        if response.status.is_success() || also == Some(response.status.as_u16()) {
            return Ok(response);
        }
        let status = response.status;
        let body = response.bytes(MOST_ANSWER).await.unwrap_or_default();
        let problem: Option<Problem> = serde_json::from_slice(&body).ok();
        let failure = match &problem {
            Some(problem) => Failure::new(format!("the server refused ({}): {}", problem.code, problem.detail)),
            None => Failure::new(format!("the server answered {status}")),
        };
        Err(match problem.and_then(|problem| problem.hint) {
            Some(hint) => failure.hint(hint),
            None if status.as_u16() == 401 => {
                failure.hint("`aiva token show` on the server prints the token; put it into AIVA_TOKEN")
            }
            None if status.as_u16() == 413 => failure.hint(
                "make several services of what is scanned, and scan each part by itself: aiva scan PART --service NAME --upload ...",
            ),
            None => failure,
        }
        .into())
    }

    async fn decode<T: DeserializeOwned>(&self, response: Response) -> Result<T> {
        let body = response.bytes(MOST_ANSWER).await?;
        serde_json::from_slice(&body).map_err(|error| {
            Failure::new(format!("{} did not answer as an AIVA server of this release does", self.server))
                .because(error)
                .into()
        })
    }
}

/// The document as gzip. It is never there in its plain form: that has tens of MiB for a large repository.
fn packed(document: &Document) -> Result<Vec<u8>> {
    let mut text = BufWriter::with_capacity(64 << 10, GzEncoder::new(Vec::new(), Compression::fast()));
    serde_json::to_writer(&mut text, document)?;
    text.flush()?;
    let encoder = text.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    Ok(encoder.finish()?)
}

/// How long a server that is busy asks to wait.
fn wait(response: &Response) -> Duration {
    let said = response.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(said.unwrap_or(5)).min(LONGEST_WAIT)
}

/// Sends a scan's document to a server.
pub(crate) fn upload(
    server: &str,
    service: &str,
    document: &Document,
    settings: &Settings,
    base: &Path,
    terminal: Terminal,
) -> Result<()> {
    let token = std::env::var("AIVA_TOKEN").map_err(|_| {
        Failure::new("the result was not uploaded: AIVA_TOKEN is not set")
            .hint("put the server's token into AIVA_TOKEN; `aiva token show` on the server prints it")
    })?;
    let api = Api::new(server, &token, settings, base)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let scan: Scan = runtime.block_on(api.bring(&format!("/v1/services/{service}/uploads"), document, terminal))?;
    terminal.note(&format!("uploaded as scan {} of {service}", scan.id));
    Ok(())
}
