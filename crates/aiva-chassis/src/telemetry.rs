//! What the process tells operators: logs, metrics, traces.
//!
//! Promises: no secret, token, cookie or e-mail address leaves through any of them ([`redact`]); metric labels are route
//! templates and fixed words, never input ([`metrics`]); every line carries the request and correlation id of the span it
//! was written in ([`log`]).
//!
//! Start reading at [`init`].

pub mod line;
pub mod log;
pub mod metrics;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod redact;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};

use crate::clock::SharedClock;
use crate::config::server::{LogFormat, Telemetry};
pub use log::{Format, Output};

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter of the configuration is not one.
    #[error("log filter is not valid")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something in this process has set up logging before.
    #[error("logging is set up already")]
    Already(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// A further layer, such as the traces of [`otlp`].
pub type Extra = Box<dyn Layer<tracing_subscriber::Registry> + Send + Sync>;

/// Sets up logging for the process: filter, format, redaction, and an `extra` layer (traces).
///
/// # Errors
/// If the filter is not valid or logging is set up already.
pub fn init(settings: &Telemetry, clock: SharedClock, extra: Option<Extra>) -> Result<(), TelemetryError> {
    let format = match settings.log_format {
        LogFormat::Json => Format::Json,
        LogFormat::Pretty => Format::Pretty { colour: std::io::stderr().is_terminal() },
    };
    let lines = log::lines(format, clock, Output::stderr()).with_filter(filter(settings)?);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(extra).with(lines))?;
    crate::panic::install();
    Ok(())
}

/// What the settings let through. The libraries underneath are held to warnings unless `log_filter` names them.
///
/// # Errors
/// If `log_filter` is not a filter.
pub fn filter(settings: &Telemetry) -> Result<EnvFilter, TelemetryError> {
    let quiet = "h2=warn,hyper=warn,hyper_util=warn,rustls=warn,tower=warn,hickory_resolver=warn,hickory_proto=warn,opentelemetry=warn";
    let level = settings.log_level.as_str();
    let own = settings.log_filter.as_deref().unwrap_or_default();
    Ok(EnvFilter::builder().parse(format!("{level},{quiet},{own}"))?)
}
