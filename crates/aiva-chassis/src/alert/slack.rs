//! Alerts in a Slack channel, as blocks.
//!
//! The lengths are Slack's (Block Kit reference): a header of 150 characters, sections of 3,000, ten fields of 2,000. What
//! comes from the alert cannot make links, mentions or code fences of its own.

use aiva_outbound::Client;
use async_trait::async_trait;
use serde_json::{Value, json};

use super::post::post;
use super::{AlertSink, Level, Message, SinkError};
use crate::secret::Secret;

/// How much of a trace is shown.
const TRACE: usize = 1_000;

/// Posts to an incoming webhook.
#[derive(Clone)]
pub struct Slack {
    client: Client,
    webhook: Secret,
}

impl Slack {
    /// `webhook` is the incoming webhook's URL.
    pub fn new(client: Client, webhook: Secret) -> Self {
        Self { client, webhook }
    }
}

#[async_trait]
impl AlertSink for Slack {
    fn name(&self) -> &'static str {
        "slack"
    }

    async fn deliver(&self, message: &Message) -> Result<(), SinkError> {
        post(self.client.post(self.webhook.expose()), blocks(message).to_string().into_bytes()).await
    }
}

const fn icon(level: Level) -> &'static str {
    match level {
        Level::Info => ":information_source:",
        Level::Warning => ":warning:",
        Level::Error => ":red_circle:",
        Level::Critical => ":rotating_light:",
    }
}

fn blocks(message: &Message) -> Value {
    let alert = &message.alert;
    let title = format!("{} {}", icon(alert.level), alert.title);
    let mut blocks = vec![json!({
        "type": "header",
        "text": { "type": "plain_text", "emoji": true, "text": cut(&title, 150) },
    })];
    let mut section = |text: String| blocks.push(json!({ "type": "section", "text": mrkdwn(text) }));
    if !alert.text.is_empty() {
        section(escaped(&alert.text, 3_000, 3_000));
    }
    if message.suppressed > 0 {
        section(format!("It happened *{}* more times.", message.suppressed));
    }
    if let Some(trace) = &alert.trace {
        section(format!("```{}```", escaped(&trace.replace("```", "'''"), TRACE, 2_990)));
    }
    let named = alert.service.iter().map(|service| ("service", service.as_str()));
    let named = named.chain(alert.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let fields: Vec<Value> = named
        .take(10)
        .map(|(name, value)| mrkdwn(format!("*{}*\n{}", escaped(name, 100, 500), escaped(value, 1_000, 1_400))))
        .collect();
    if !fields.is_empty() {
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    let context = format!("{} · {} · {}", alert.level.name(), alert.cause.runbook(), message.at);
    blocks.push(json!({ "type": "context", "elements": [mrkdwn(context)] }));
    // The text is what a notification shows.
    json!({ "text": escaped(&title, 150, 1_000), "blocks": blocks })
}

fn mrkdwn(text: String) -> Value {
    json!({ "type": "mrkdwn", "text": text })
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Slack's own escapes; at most `most` characters of the text, and `room` with the escapes.
fn escaped(text: &str, most: usize, room: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for c in cut(text, most).chars() {
        let piece = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            _ => "",
        };
        used += piece.len().max(1);
        if used > room.saturating_sub(1) {
            out.push('…');
            break;
        }
        if piece.is_empty() { out.push(c) } else { out.push_str(piece) }
    }
    out
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::super::{Alert, Cause};
    use super::*;

    fn message(alert: Alert) -> Message {
        Message { id: Uuid::nil(), at: Timestamp::UNIX_EPOCH, alert, suppressed: 0 }
    }

    #[test]
    fn a_trace_is_cut_at_a_thousand_characters() {
        let trace = |text: &str| {
            let alert = Alert { trace: Some(text.to_owned()), ..Alert::new(Level::Error, Cause::new("test"), "t") };
            let blocks = blocks(&message(alert));
            let text = blocks["blocks"][1]["text"]["text"].as_str().unwrap().to_owned();
            assert!(text.chars().count() <= 3_000, "Slack would refuse it");
            text.trim_matches('`').to_owned()
        };
        assert_eq!(trace(&"ü".repeat(1_000)), "ü".repeat(1_000));
        assert_eq!(trace(&"ü".repeat(1_001)), "ü".repeat(999) + "…");
        assert!(trace(&"<".repeat(5_000)).starts_with("&lt;&lt;"));
        assert_eq!(trace("a```b"), "a'''b");
    }

    #[test]
    fn each_level_has_its_icon_and_nothing_can_mention_everybody() {
        for (level, icon) in [
            (Level::Info, ":information_source: "),
            (Level::Warning, ":warning: "),
            (Level::Error, ":red_circle: "),
            (Level::Critical, ":rotating_light: "),
        ] {
            let alert = Alert { text: "<!channel> & co".to_owned(), ..Alert::new(level, Cause::new("test"), "T") };
            let blocks = blocks(&message(alert));
            assert_eq!(blocks["blocks"][0]["text"]["text"], format!("{icon}T"));
            assert_eq!(blocks["blocks"][1]["text"]["text"], "&lt;!channel&gt; &amp; co");
        }
    }
}
