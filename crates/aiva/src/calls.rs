//! How AIVA itself calls out: one client made of `[outbound]`, and sca's port for downloads over it.

use std::path::Path;

use aiva_chassis::config::HttpUrl;
use aiva_chassis::config::server::Outbound;
use aiva_outbound::client::{Client, Error, Response, Tls, TlsError, Upstream};
use aiva_outbound::policy::{Exception, Names, Opens, Policy, Ports};
use aiva_outbound::{Host, Target};
use aiva_sca::ports::{Answer, Body, Fetch, FetchError, Fetched, Request, Wanted};
use async_trait::async_trait;
use http::header::{CONTENT_RANGE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE};

/// Who we say that we are.
const USER_AGENT: &str = concat!("aiva/", env!("CARGO_PKG_VERSION"));

/// The policy of our own calls: the addresses come from the operator's configuration, so any port; nothing internal but
/// what `[outbound]` names.
pub(crate) fn policy(outbound: &Outbound) -> Policy {
    let mut policy = Policy::public();
    policy.ports = Ports::Any;
    for (place, exception) in outbound.exceptions.iter().enumerate() {
        let host = exception.host.as_deref().and_then(Names::new);
        let network = exception.network.as_ref().and_then(|network| {
            let (address, length) = network.parts();
            aiva_outbound::Prefix::new(address, length)
        });
        let opens = [host.map(Opens::Host), network.map(Opens::Block)];
        policy.exceptions.extend(opens.into_iter().flatten().map(|opens| Exception {
            name: format!("outbound.exceptions[{place}]").into(),
            opens,
            ports: exception.ports.clone(),
            owner: String::new(),
            reason: exception.reason.clone(),
            expires: None,
        }));
    }
    policy
}

/// Lets the one server that the operator typed be internal: a console on localhost, a mirror on this machine.
pub(crate) fn admit(policy: &mut Policy, url: &str) {
    match Target::parse(url).map(|target| target.host().clone()) {
        Ok(Host::Name(name)) => {
            policy.exceptions.extend(Names::new(&name).map(|names| Exception::host("the server", names)));
        }
        Ok(Host::Address(address)) => {
            let bits = if address.is_ipv4() { 32 } else { 128 };
            policy.allow_blocks.extend(aiva_outbound::Prefix::new(address, bits));
        }
        // The client refuses it in a moment, with the reason.
        Err(_) => {}
    }
}

/// Whom to trust: the machine's authorities, and those that the configuration adds.
pub(crate) fn tls(outbound: &Outbound, base: &Path) -> Result<Tls, TlsError> {
    let mut tls = Tls::system();
    for file in &outbound.extra_ca_files {
        tls = tls.with_file(base.join(file))?;
    }
    Ok(tls)
}

/// The client.
pub(crate) fn client(outbound: &Outbound, policy: Policy, base: &Path) -> Result<Client, TlsError> {
    let mut builder = Client::builder(policy).tls(tls(outbound, base)?).user_agent(USER_AGENT);
    if let Some(proxy) = &outbound.proxy {
        builder = builder.upstream(upstream(proxy, outbound));
    }
    Ok(builder.build())
}

fn upstream(proxy: &HttpUrl, outbound: &Outbound) -> Upstream {
    let uri = proxy.as_uri();
    Upstream {
        address: uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned(),
        port: uri.port_u16().unwrap_or(80),
        credentials: outbound.proxy_credentials.as_ref().map(|secret| secret.expose().to_owned()),
    }
}

/// sca's downloads over the checked client.
pub(crate) struct Downloads(pub(crate) Client);

#[async_trait]
impl Fetch for Downloads {
    async fn fetch(&self, request: &Request) -> Result<Fetched, FetchError> {
        let mut call = self.0.get(request.url.as_str());
        match &request.wanted {
            Wanted::Everything => {}
            Wanted::IfChanged(etag) => call = call.header(IF_NONE_MATCH, etag),
            Wanted::Rest { offset, etag } => {
                call = call.header(RANGE, format!("bytes={offset}-")).header(IF_RANGE, etag);
            }
        }
        let response = call.send().await.map_err(|error| fault(error, &request.url))?;
        let answer = match response.status.as_u16() {
            200 => Answer::Whole,
            206 => Answer::From(range_start(&response)?),
            304 => Answer::Unchanged,
            status => return Err(FetchError::Status { status }),
        };
        let etag = response.headers.get(ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        Ok(Fetched {
            answer,
            length: response.length(),
            etag,
            body: Box::new(Download { response, url: request.url.clone() }),
        })
    }
}

struct Download {
    response: Response,
    url: String,
}

#[async_trait]
impl Body for Download {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, FetchError> {
        let chunk = self.response.chunk().await.map_err(|error| fault(error, &self.url))?;
        Ok(chunk.map(|bytes| bytes.to_vec()))
    }
}

/// `bytes 100-199/200` (RFC 9110 §14.4).
fn range_start(response: &Response) -> Result<u64, FetchError> {
    let range = response.headers.get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    let start = range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
    start.ok_or_else(|| FetchError::Interrupted("206 without a readable Content-Range".to_owned()))
}

fn fault(error: Error, url: &str) -> FetchError {
    match error {
        Error::Resolve(error) => FetchError::Offline { host: host(url), reason: error.to_string() },
        Error::Connect { to, reason } => FetchError::Offline { host: to, reason },
        Error::Broken { .. } | Error::Timeout { .. } => FetchError::Interrupted(error.to_string()),
        Error::Text { .. }
        | Error::Denied { .. }
        | Error::Tls { .. }
        | Error::TooLarge { .. }
        | Error::ContentType { .. }
        | Error::Header(_) => FetchError::Refused(error.to_string()),
    }
}

fn host(url: &str) -> String {
    Target::parse(url).map_or_else(|_| url.to_owned(), |target| target.host().to_string())
}
