//! Tells people of new findings that are grave enough: what a scan found, what became known since, and what has come back.
//!
//! Promises: an alert follows the event, so it is told of what is in the store; told twice, it is one alert, because alerts of a
//! service and a level are joined within their window, the first by name and the others by how many. A store that does not
//! answer delays it and loses nothing.

use aiva_chassis::alert::{Alert, Alerts, Cause, Level as Grave};
use aiva_chassis::config::server::FindingLevel;
use aiva_contracts::envelope::{Envelope, EventMessage};
use aiva_contracts::message::findings::v1 as event;
use aiva_contracts::message::scan::v1::{FindingKind, Level};
use aiva_events::consume::{HandleError, Handler};
use async_trait::async_trait;

use crate::service::Findings;

/// A finding is new. Its page is `docs/runbooks/finding-opened.md`.
pub const OPENED: Cause = Cause::new("finding-opened");

/// What is older is not told as new, in microseconds: a day.
const OLDEST: i64 = 24 * 60 * 60 * 1_000_000;

/// The consumer of findings that begin.
pub struct FindingAlerts {
    /// Who knows the owners of a service.
    pub findings: Findings,
    /// Who tells people.
    pub alerts: Alerts,
    /// The least grave that is told.
    pub least: FindingLevel,
}

#[async_trait]
impl Handler for FindingAlerts {
    fn consumer(&self) -> &'static str {
        "findings.alerts"
    }

    fn types(&self) -> &'static [&'static str] {
        &[event::FindingOpened::TYPE, event::FindingReopened::TYPE]
    }

    async fn handle(&self, event: &Envelope) -> Result<(), HandleError> {
        let (finding, again) = match event.kind.as_str() {
            event::FindingOpened::TYPE => (event.decode::<event::FindingOpened>()?.finding, false),
            event::FindingReopened::TYPE => (event.decode::<event::FindingReopened>()?.finding, true),
            _ => (None, false),
        };
        let Some(finding) = finding else { return Ok(()) };
        // A consumer that is new hears all that is kept, and what was new a week ago is not.
        let age = self.findings.now().as_microsecond().saturating_sub(event.time_unix_micros);
        if age > OLDEST {
            return Ok(());
        }
        let is_malicious = finding.kind() == FindingKind::Malicious;
        let Some(level) = grave(finding.level(), is_malicious, self.least) else { return Ok(()) };
        // The service may have been deleted since: then nobody owns it.
        let owners = match self.findings.store.service(finding.service.clone()).await {
            Ok(service) => service.description.owners,
            Err(aiva_store::TxError::Refused(_)) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        self.alerts.raise(alert(&finding, level, again, &owners));
        Ok(())
    }
}

/// How loud it is, if it is told at all. What is malicious is in somebody's hands already.
fn grave(level: Level, is_malicious: bool, least: FindingLevel) -> Option<Grave> {
    let least = match least {
        FindingLevel::Off => return None,
        FindingLevel::Critical => Level::Critical,
        FindingLevel::High => Level::High,
        FindingLevel::Medium => Level::Medium,
        FindingLevel::Low => Level::Low,
    };
    if is_malicious {
        return Some(Grave::Critical);
    }
    (level >= least).then_some(match level {
        Level::Critical => Grave::Error,
        Level::High => Grave::Warning,
        _ => Grave::Info,
    })
}

fn alert(finding: &event::FindingSummary, level: Grave, again: bool, owners: &[String]) -> Alert {
    let severity = finding.level().as_str_name().trim_start_matches("LEVEL_").to_ascii_lowercase();
    let (service, state) = (&finding.service, if again { "reopened" } else { "new" });
    let package = format!("{} {}", finding.package_name, finding.version);
    let package = package.trim();
    let title = format!("{service}: {state} {severity} finding {} in {package}", finding.id);
    let mut alert = Alert::new(level, OPENED, title);
    alert.service = Some(service.clone());
    alert.about.clone_from(&severity);
    alert.text = format!("{} All of the service: /console/findings?service={service}", sentence(&finding.summary));
    let fields = [
        ("finding", finding.fingerprint.clone()),
        ("id", finding.id.clone()),
        ("package", package.to_owned()),
        ("path", finding.path.clone()),
        ("level", severity),
        ("owners", owners.join(", ")),
    ];
    alert.fields = fields.map(|(name, value)| (name.to_owned(), value)).to_vec();
    alert.fields.retain(|(_, value)| !value.is_empty());
    alert
}

fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_grave_enough() {
        for (level, malicious, least, want) in [
            (Level::Critical, false, FindingLevel::High, Some(Grave::Error)),
            (Level::High, false, FindingLevel::High, Some(Grave::Warning)),
            (Level::Medium, false, FindingLevel::High, None),
            (Level::Medium, false, FindingLevel::Low, Some(Grave::Info)),
            (Level::Unknown, false, FindingLevel::Low, None),
            (Level::Unknown, true, FindingLevel::Critical, Some(Grave::Critical)),
            (Level::Critical, true, FindingLevel::Off, None),
        ] {
            assert_eq!(grave(level, malicious, least), want, "{level:?} {malicious} {least:?}");
        }
    }

    #[test]
    fn an_alert_says_what_where_and_whose() {
        let finding = event::FindingSummary {
            fingerprint: "f1".to_owned(),
            service: "pay".to_owned(),
            id: "CVE-2021-23337".to_owned(),
            level: Level::High.into(),
            package_name: "lodash".to_owned(),
            version: "4.17.4".to_owned(),
            path: "web/package-lock.json".to_owned(),
            summary: "Command injection".to_owned(),
            ..event::FindingSummary::default()
        };
        let told = alert(&finding, Grave::Warning, false, &["#team-pay".to_owned()]);
        assert_eq!(told.title, "pay: new high finding CVE-2021-23337 in lodash 4.17.4");
        assert_eq!(told.text, "Command injection. All of the service: /console/findings?service=pay");
        assert!(told.fields.contains(&("owners".to_owned(), "#team-pay".to_owned())));
        // Others of this service and level are joined to it.
        let other = alert(&event::FindingSummary { id: "X".to_owned(), ..finding }, Grave::Warning, true, &[]);
        assert_eq!((other.service, other.about), (told.service, told.about));
        assert!(other.title.contains("reopened"));
    }
}
