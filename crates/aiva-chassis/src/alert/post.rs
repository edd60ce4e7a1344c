//! One POST of JSON to a receiver of alerts, and what its answer means.

use std::time::Duration;

use aiva_outbound::client::Request;
use http::header::{CONTENT_TYPE, RETRY_AFTER};

use super::SinkError;
use crate::resilience::Verdict;

/// How long one try may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The longest wait that a receiver may ask for.
const LONGEST_WAIT: u64 = 3600;

/// Posts; a redirect is not followed, since the signature and the address are for this receiver alone.
pub(super) async fn post(request: Request, body: Vec<u8>) -> Result<(), SinkError> {
    let request = request.header(CONTENT_TYPE, "application/json").body(body).redirects(0).timeout(LIMIT);
    let response = request.send().await.map_err(|error| SinkError {
        verdict: if error.is_transient() { Verdict::Transient } else { Verdict::Permanent },
        reason: error.to_string(),
    })?;
    let status = response.status.as_u16();
    let asked = response.headers.get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse::<u64>().ok());
    let verdict = match (status, asked) {
        (200..=299, _) => return Ok(()),
        (429 | 503, Some(seconds)) => Verdict::After(Duration::from_secs(seconds.min(LONGEST_WAIT))),
        (408 | 425 | 429 | 500..=599, _) => Verdict::Transient,
        _ => Verdict::Permanent,
    };
    Err(SinkError { reason: format!("the receiver answered {status}"), verdict })
}
