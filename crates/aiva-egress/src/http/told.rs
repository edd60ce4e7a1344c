//! Records in the words of the contract.

use aiva_contracts::api;

use crate::decision::{Ended, Form, MOST_ADDRESSES, Outcome, Place, Record};
use crate::service::records::{Answered, HostCount, Hour, NewHost, Summary};

fn clip(text: impl Into<String>, most: usize) -> String {
    let mut text = text.into();
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
    }
    text
}

pub(super) fn outcome(outcome: Outcome) -> api::DecisionOutcome {
    match outcome {
        Outcome::Allow => api::DecisionOutcome::Allow,
        Outcome::Deny => api::DecisionOutcome::Deny,
        Outcome::Unresolved => api::DecisionOutcome::Unresolved,
    }
}

pub(super) fn outcome_of(outcome: api::DecisionOutcome) -> Outcome {
    match outcome {
        api::DecisionOutcome::Allow => Outcome::Allow,
        api::DecisionOutcome::Deny => Outcome::Deny,
        api::DecisionOutcome::Unresolved => Outcome::Unresolved,
    }
}

fn form(form: Form) -> api::DecisionForm {
    match form {
        Form::Request => api::DecisionForm::Request,
        Form::Tunnel => api::DecisionForm::Tunnel,
        Form::Check => api::DecisionForm::Check,
        Form::Fetch => api::DecisionForm::Fetch,
    }
}

pub(super) fn form_of(form: api::DecisionForm) -> Form {
    match form {
        api::DecisionForm::Request => Form::Request,
        api::DecisionForm::Tunnel => Form::Tunnel,
        api::DecisionForm::Check => Form::Check,
        api::DecisionForm::Fetch => Form::Fetch,
    }
}

fn place(place: Place) -> api::DecisionPlace {
    api::DecisionPlace { scheme: place.scheme.into(), host: clip(place.host, 300), port: u32::from(place.port) }
}

fn end(ended: Ended) -> api::DecisionEnd {
    api::DecisionEnd {
        connected: ended.connected.map(|address| address.to_string()),
        upstream: ended.upstream.map(|upstream| clip(upstream, 100)),
        status: ended.status.map(u32::from),
        sent: ended.sent,
        received: ended.received,
        duration_ms: u64::try_from(ended.duration.as_millis()).unwrap_or(u64::MAX),
        protocol: ended.protocol.map(Into::into),
        sni: ended.sni.map(|name| clip(name, 300)),
        findings: ended
            .findings
            .into_iter()
            .take(100)
            .map(|found| api::InspectionFinding {
                reason: found.reason.into(),
                what: clip(found.what, 1000),
                enforced: found.enforced,
            })
            .collect(),
        failure: ended.failure.map(|failure| clip(failure, 200)),
        how: ended.how.map(Into::into),
    }
}

/// A decision as it was asked for.
pub(super) fn verdict(answered: Answered) -> api::Verdict {
    let (token, expires_at) = answered.token.unzip();
    api::Verdict {
        id: answered.id,
        outcome: outcome(answered.outcome),
        role: answered.role.to_string(),
        rule: clip(answered.rule, 600),
        reason: answered.reason.into(),
        connect_to: answered.connect_to.iter().map(ToString::to_string).collect(),
        token,
        expires_at,
    }
}

/// A record, with what would allow it for whoever may see that.
pub(super) fn decision(record: Record, sees_remedy: bool) -> api::Decision {
    let open = record.is_open();
    api::Decision {
        id: record.id,
        at: record.at,
        role: clip(&*record.who.role, 200),
        caller: clip(&*record.who.caller, 300),
        form: form(record.form),
        method: record.method,
        place: record.place.map(place),
        outcome: outcome(record.outcome),
        would_deny: record
            .would_deny
            .map(|would| api::WouldDeny { rule: clip(would.rule, 600), reason: would.reason.into() }),
        rule: clip(record.rule, 600),
        reason: record.reason.into(),
        remedy: record.remedy.filter(|_| sees_remedy).map(|remedy| clip(remedy, 1000)),
        addresses: record.addresses.iter().take(MOST_ADDRESSES).map(ToString::to_string).collect(),
        aliases: record.aliases.into_iter().take(32).collect(),
        rebound: record.rebound.map(|_| true),
        follows: record.follows,
        open,
        ended: record.ended.map(end),
    }
}

fn host_count(count: HostCount) -> api::HostCount {
    api::HostCount { role: count.role, host: count.host, reason: count.reason, count: count.count }
}

fn hour(hour: Hour) -> api::HourCount {
    api::HourCount {
        at: hour.at,
        allow: hour.count(Outcome::Allow),
        deny: hour.count(Outcome::Deny),
        unresolved: hour.count(Outcome::Unresolved),
    }
}

fn new_name(new: NewHost) -> api::NewName {
    api::NewName { role: new.role, host: new.host, at: new.at, decision: new.decision }
}

pub(super) fn summary(summary: Summary) -> api::EgressSummary {
    api::EgressSummary {
        roles: summary.roles,
        hours: summary.hours.into_iter().map(hour).collect(),
        destinations: summary.destinations.into_iter().map(host_count).collect(),
        denials: summary.denials.into_iter().map(host_count).collect(),
        first_seen: summary.first_seen.into_iter().map(new_name).collect(),
    }
}
