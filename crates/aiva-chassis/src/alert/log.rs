//! The sink that is always there: a line in the log.

use async_trait::async_trait;

use super::{AlertSink, Level, Message, SinkError};

/// Writes alerts to the log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Log;

#[async_trait]
impl AlertSink for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    async fn deliver(&self, message: &Message) -> Result<(), SinkError> {
        let Message { id, alert, suppressed, .. } = message;
        let (level, cause, runbook) = (alert.level.name(), alert.cause.slug(), alert.cause.runbook());
        let (title, text, service) = (&alert.title, &alert.text, alert.service.as_deref());
        let fields: Vec<String> = alert.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let fields = fields.join(" ");
        macro_rules! line {
            ($write:ident) => {
                tracing::$write!(%id, level, cause, service, title, text, fields, suppressed, runbook, "alert")
            };
        }
        match alert.level {
            Level::Info => line!(info),
            Level::Warning => line!(warn),
            Level::Error | Level::Critical => line!(error),
        }
        Ok(())
    }
}
