//! One request to one target: judged, resolved, judged again, connected, answered.
//!
//! No connection, new or idle, is used whose address the engine did not allow for this very request. What is not safe to
//! repeat never goes over an idle connection, which the other side may have closed. Start reading at [`Client::hop`].

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::pool::{Key, Sender};
use super::{Client, Error, Inner, Response, after, connect};
use crate::engine::Outcome;
use crate::judge::Question;
use crate::policy::Reason;
use crate::target::Target;

impl Client {
    /// One request to one target: judged, resolved, judged again, connected, answered.
    pub(super) async fn hop(
        &self,
        target: &Target,
        method: &Method,
        headers: &HeaderMap,
        body: &Bytes,
        deadline: Instant,
    ) -> Result<Response, Error> {
        let allowed = self.judge(target, method).await?;
        let key = |address: SocketAddr| Key { scheme: target.scheme(), host: target.host().clone(), address };
        let request = || self.head(target, method, headers, body);
        // An idle connection may have been closed by the other side just now: only what is safe to repeat goes there.
        if method.is_idempotent()
            && let Some((address, mut sender)) = self.0.pool.take(&allowed, key)
        {
            match self.exchange(target, &mut sender, request()?, deadline).await {
                Err(Error::Broken { .. }) => {}
                answer => return Ok(self.response(answer?, target, key(address), sender, deadline)),
            }
        }
        let to = format!("{}:{}", target.host(), target.port());
        let limit = deadline.min(after(self.0.limits.connect));
        let connecting = self.0.connector.connect(target, &allowed);
        let late = |_| Error::Timeout { to: to.clone(), stage: "connecting" };
        let (address, mut sender) = timeout_at(limit, connecting).await.map_err(late)??;
        let response = self.exchange(target, &mut sender, request()?, deadline).await?;
        Ok(self.response(response, target, key(address), sender, deadline))
    }

    /// The addresses that this request may connect to.
    async fn judge(&self, target: &Target, method: &Method) -> Result<Vec<SocketAddr>, Error> {
        let Inner { engine, policy, resolver, observer, .. } = &*self.0;
        let verdict = engine.decide(policy, &**resolver, Question::new(target).method(method)).await;
        if let Some(observer) = observer {
            observer(target, &verdict);
        }
        match verdict.outcome {
            Outcome::Allowed => Ok(verdict.connect_to),
            Outcome::Denied(denial) => Err(Error::Denied { url: target.origin(), denial }),
            Outcome::Unresolved(error) => Err(Error::Resolve(error)),
        }
    }

    async fn exchange(
        &self,
        target: &Target,
        sender: &mut Sender,
        request: http::Request<Full<Bytes>>,
        deadline: Instant,
    ) -> Result<http::Response<Incoming>, Error> {
        let to = format!("{}:{}", target.host(), target.port());
        let limit = deadline.min(after(self.0.limits.first_byte));
        match timeout_at(limit, sender.send_request(request)).await {
            Err(_) => Err(Error::Timeout { to, stage: "waiting for the answer" }),
            Ok(Err(error)) => Err(Error::Broken { to, reason: error.to_string() }),
            Ok(Ok(response)) => Ok(response),
        }
    }

    fn head(
        &self,
        target: &Target,
        method: &Method,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<http::Request<Full<Bytes>>, Error> {
        let mut request = http::Request::new(Full::new(body.clone()));
        *request.method_mut() = method.clone();
        *request.uri_mut() = target
            .path_and_query()
            .parse()
            .map_err(|_| Error::Text { url: target.origin(), reason: Reason::NotUrl })?;
        *request.headers_mut() = headers.clone();
        let host = HeaderValue::from_str(&target.authority()).map_err(|_| Error::Header("host".to_owned()))?;
        request.headers_mut().insert(HOST, host);
        request.headers_mut().entry(USER_AGENT).or_insert_with(|| self.0.user_agent.clone());
        if let Some(credentials) = target.credentials()
            && !headers.contains_key(AUTHORIZATION)
        {
            let mut value = connect::basic(credentials).ok_or_else(|| Error::Header("authorization".to_owned()))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
    }

    fn response(
        &self,
        response: http::Response<Incoming>,
        target: &Target,
        key: Key,
        sender: Sender,
        deadline: Instant,
    ) -> Response {
        let (head, body) = response.into_parts();
        Response {
            status: head.status,
            headers: head.headers,
            url: target.to_string(),
            address: key.address.ip(),
            body,
            to: format!("{}:{}", target.host(), target.port()),
            idle: self.0.limits.idle,
            deadline,
            most: self.0.caps.body,
            left: self.0.caps.body,
            connection: Some((self.clone(), key, sender)),
        }
    }
}
