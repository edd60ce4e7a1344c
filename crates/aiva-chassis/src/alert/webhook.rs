//! Alerts as JSON to any receiver, signed as Standard Webhooks says (standardwebhooks.com, 1.0.0).
//!
//! The receiver checks `webhook-signature`: `v1,` and the base64 of HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`
//! with the shared key. Old timestamps and ids that it has seen are replays.

use aiva_outbound::Client;
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderName;
use serde_json::{Map, Value, json};
use sha2::Sha256;

use super::post::post;
use super::{AlertSink, Message, SinkError};
use crate::clock::SharedClock;
use crate::resilience::Verdict;
use crate::secret::Secret;

/// Posts alerts.
#[derive(Clone)]
pub struct Webhook {
    client: Client,
    url: String,
    key: Option<Secret>,
    clock: SharedClock,
}

impl Webhook {
    /// Without a key the posts are not signed. The clock stamps each try.
    pub fn new(client: Client, url: impl Into<String>, key: Option<Secret>, clock: SharedClock) -> Self {
        Self { client, url: url.into(), key, clock }
    }
}

#[async_trait]
impl AlertSink for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    async fn deliver(&self, message: &Message) -> Result<(), SinkError> {
        let body = body(message).to_string().into_bytes();
        let id = message.id.to_string();
        let stamp = self.clock.now().as_second().to_string();
        let mut request = self.client.post(self.url.as_str());
        if let Some(key) = &self.key {
            let signature = sign(key, &id, &stamp, &body).ok_or_else(|| SinkError {
                reason: "the webhook key cannot be used".to_owned(),
                verdict: Verdict::Permanent,
            })?;
            request = request.header(HeaderName::from_static("webhook-signature"), signature);
        }
        let request = request
            .header(HeaderName::from_static("webhook-id"), id)
            .header(HeaderName::from_static("webhook-timestamp"), stamp);
        post(request, body).await
    }
}

fn body(message: &Message) -> Value {
    let Message { id, at, alert, suppressed } = message;
    let fields: Map<String, Value> =
        alert.fields.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
    json!({
        "schema": "aiva.alert/1",
        "id": id.to_string(),
        "at": at.to_string(),
        "level": alert.level.name(),
        "cause": alert.cause.slug(),
        "runbook": alert.cause.runbook(),
        "title": alert.title,
        "text": alert.text,
        "service": alert.service,
        "fields": fields,
        "trace": alert.trace,
        "suppressed": suppressed,
    })
}

fn sign(key: &Secret, id: &str, stamp: &str, body: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).ok()?;
    mac.update(format!("{id}.{stamp}.").as_bytes());
    mac.update(body);
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_another_implementation_makes() {
        // python3: base64(hmac.new(b"key", b"id.1700000000.{}", "sha256").digest())
        let signature = sign(&Secret::new("key"), "id", "1700000000", b"{}");
        assert_eq!(signature.as_deref(), Some("v1,/Hqug/JsMUvI3mrKxx95W1oU9WZJN5/KNqtUvtF4fLc="));
    }
}
