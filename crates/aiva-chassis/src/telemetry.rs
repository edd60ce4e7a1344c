//! What the process tells operators: logs, metrics, traces.
//!
//! Promises: no secret, token, cookie or e-mail address leaves through any of them ([`redact`]); metric labels are route
//! templates and fixed words, never input ([`metrics`]).

pub mod metrics;
pub mod redact;
