//! Holds what a server shows after a restart against what it had acknowledged before.
//!
//! Pure but for [`Shown::read`]. Effects are judged where a user sees them: each change of a service or a finding has exactly
//! one event, each requested scan exactly one end, each upload exactly one scan.
//!
//! Start reading at [`faults`].

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::product::Client;

const REQUESTED: &str = "aiva.scan.v1.ScanRequested";
const ENDS: &[&str] = &["aiva.scan.v1.ScanCompleted", "aiva.scan.v1.ScanFailed"];
const SERVICE_CHANGED: &str = "aiva.catalogue.v1.ServiceChanged";
const FINDING_CHANGES: &str = "aiva.findings.v1.";

/// What the server acknowledged.
#[derive(Debug, Default, Clone)]
pub(super) struct Promised {
    pub(super) services: BTreeMap<String, Service>,
    /// Scans that were asked for.
    pub(super) scans: BTreeSet<String>,
}

/// One service that was made over the API.
#[derive(Debug, Default, Clone)]
pub(super) struct Service {
    pub(super) version: u64,
    pub(super) owner: String,
    pub(super) uploads: usize,
    /// By the advisory's id.
    pub(super) findings: BTreeMap<String, Finding>,
}

/// One finding that was uploaded.
#[derive(Debug, Default, Clone)]
pub(super) struct Finding {
    /// Whether the last upload held it.
    pub(super) is_there: bool,
    /// The reason of its acceptance.
    pub(super) accepted: Option<String>,
}

/// What the server shows.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Version and owner by name.
    services: BTreeMap<String, (u64, String)>,
    findings: Vec<ShownFinding>,
    scans: BTreeMap<String, ShownScan>,
    /// How many exceptions there are for an advisory in a service.
    exceptions: BTreeMap<(String, String), usize>,
    dead_letters: usize,
}

#[derive(Debug, Clone)]
struct ShownFinding {
    fingerprint: String,
    service: String,
    id: String,
    state: String,
    revision: u64,
    reason: Option<String>,
}

#[derive(Debug)]
struct ShownScan {
    service: String,
    state: String,
    by: String,
}

/// How often each type of event was told of each subject, read on from where it was left.
#[derive(Debug, Default)]
pub(super) struct Told {
    counts: BTreeMap<String, BTreeMap<String, u64>>,
    newest: String,
}

/// Findings that no client touches: state and revision by fingerprint. Scans that are cut off must not change them.
pub(super) type Untouched = BTreeMap<String, (String, u64)>;

impl Told {
    /// Reads the events since the last time.
    pub(super) fn read_on(&mut self, client: &mut Client) -> Result<()> {
        let events = client.all("/v1/events", |event| event["id"] == self.newest.as_str())?;
        if let Some(newest) = events.first() {
            self.newest = text(newest, "/id")?;
        }
        for event in &events {
            self.note(&text(event, "/type")?, &text(event, "/subject")?);
        }
        Ok(())
    }

    fn note(&mut self, kind: &str, subject: &str) {
        *self.counts.entry(subject.to_owned()).or_default().entry(kind.to_owned()).or_default() += 1;
    }

    fn of(&self, subject: &str, is_wanted: impl Fn(&str) -> bool) -> u64 {
        let kinds = self.counts.get(subject).into_iter().flatten();
        kinds.filter(|(kind, _)| is_wanted(kind)).map(|(_, count)| count).sum()
    }
}

impl Shown {
    /// Asks for all of it.
    pub(super) fn read(client: &mut Client) -> Result<Self> {
        let mut shown = Self::default();
        for item in client.all("/v1/services", |_| false)? {
            let owner = item.pointer("/description/owners/0").and_then(Value::as_str).unwrap_or_default();
            shown.services.insert(text(&item, "/name")?, (number(&item, "/version")?, owner.to_owned()));
        }
        for item in client.all("/v1/findings", |_| false)? {
            shown.findings.push(ShownFinding {
                fingerprint: text(&item, "/fingerprint")?,
                service: text(&item, "/service")?,
                id: text(&item, "/id")?,
                state: text(&item, "/state")?,
                revision: number(&item, "/revision")?,
                reason: text(&item, "/acceptance/reason").ok(),
            });
        }
        for item in client.all("/v1/scans", |_| false)? {
            let scan = ShownScan {
                service: text(&item, "/service")?,
                state: text(&item, "/state")?,
                by: text(&item, "/requested_by")?,
            };
            shown.scans.insert(text(&item, "/id")?, scan);
        }
        for item in client.all("/v1/exceptions", |_| false)? {
            if let (Ok(service), Ok(id)) = (text(&item, "/match/service"), text(&item, "/match/id")) {
                *shown.exceptions.entry((service, id)).or_default() += 1;
            }
        }
        shown.dead_letters = client.all("/v1/dead-letters", |_| false)?.len();
        Ok(shown)
    }

    /// The findings of services that no client made.
    pub(super) fn untouched(&self, promised: &Promised) -> Untouched {
        let others = self.findings.iter().filter(|finding| !promised.services.contains_key(&finding.service));
        others.map(|finding| (finding.fingerprint.clone(), (finding.state.clone(), finding.revision))).collect()
    }

    /// Whether every scan has ended.
    pub(super) fn is_at_rest(&self) -> bool {
        self.scans.values().all(ShownScan::is_over)
    }
}

impl ShownScan {
    fn is_over(&self) -> bool {
        !matches!(self.state.as_str(), "requested" | "running")
    }

    fn is_upload(&self) -> bool {
        self.by == "upload"
    }
}

fn text(item: &Value, pointer: &str) -> Result<String> {
    let found = item.pointer(pointer).and_then(Value::as_str);
    Ok(found.with_context(|| format!("no text at {pointer} of {item}"))?.to_owned())
}

fn number(item: &Value, pointer: &str) -> Result<u64> {
    item.pointer(pointer).and_then(Value::as_u64).with_context(|| format!("no number at {pointer} of {item}"))
}

/// Everything that is wrong, each kind of fault once with its count and an example.
pub(super) fn faults(promised: &Promised, untouched: Option<&Untouched>, shown: &Shown, told: &Told) -> Vec<String> {
    let mut list = List::default();
    services(promised, shown, told, &mut list);
    findings(promised, shown, told, &mut list);
    scans(promised, shown, told, &mut list);
    if let Some(untouched) = untouched {
        let now = shown.untouched(promised);
        let changed = untouched.iter().filter(|(key, value)| now.get(*key) != Some(value)).map(|(key, _)| key);
        let new = now.keys().filter(|key| !untouched.contains_key(*key));
        changed.chain(new).for_each(|key| list.note("findings that nobody touched changed", key));
    }
    if shown.dead_letters > 0 {
        list.note("dead letters", &shown.dead_letters.to_string());
    }
    list.lines()
}

fn services(promised: &Promised, shown: &Shown, told: &Told, list: &mut List) {
    for (name, service) in &promised.services {
        match shown.services.get(name) {
            None => list.note("acknowledged services are missing", name),
            Some((version, owner)) if *version < service.version || *owner != service.owner => {
                list.note("acknowledged changes of services are missing", name);
            }
            Some((version, _)) if *version > service.version => list.note("changes of services were made twice", name),
            Some(_) => {}
        }
    }
    for (name, (version, _)) in &shown.services {
        let count = told.of(&format!("service/{name}"), |kind| kind == SERVICE_CHANGED);
        list.compare("changes of services", count, *version, name);
    }
    let known = |name: &str| shown.services.contains_key(name);
    told.strangers("service/", known).for_each(|name| list.note("events of services that are not there", name));
}

fn findings(promised: &Promised, shown: &Shown, told: &Told, list: &mut List) {
    let index: BTreeMap<_, _> =
        shown.findings.iter().map(|finding| ((finding.service.as_str(), finding.id.as_str()), finding)).collect();
    for (service, (id, finding)) in
        promised.services.iter().flat_map(|(name, service)| service.findings.iter().map(move |finding| (name, finding)))
    {
        let place = format!("{id} of {service}");
        let Some(found) = index.get(&(service.as_str(), id.as_str())) else {
            list.note("acknowledged findings are missing", &place);
            continue;
        };
        let fits = match (finding.is_there, &finding.accepted) {
            (false, _) => found.state == "fixed",
            (true, Some(reason)) => found.state == "accepted" && found.reason.as_ref() == Some(reason),
            (true, None) => matches!(found.state.as_str(), "open" | "reopened"),
        };
        if !fits {
            list.note("findings are not in their acknowledged state", &format!("{place} is {}", found.state));
        }
        let exceptions = shown.exceptions.get(&(service.clone(), id.clone())).copied().unwrap_or(0);
        match exceptions.cmp(&usize::from(finding.accepted.is_some())) {
            std::cmp::Ordering::Less => list.note("acknowledged exceptions are missing", &place),
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => list.note("exceptions were made twice", &place),
        }
    }
    for finding in &shown.findings {
        let count = told.of(&format!("finding/{}", finding.fingerprint), |kind| kind.starts_with(FINDING_CHANGES));
        list.compare("changes of findings", count, finding.revision, &finding.fingerprint);
    }
    let known: BTreeSet<_> = shown.findings.iter().map(|finding| finding.fingerprint.as_str()).collect();
    told.strangers("finding/", |name| known.contains(name))
        .for_each(|name| list.note("events of findings that are not there", name));
}

fn scans(promised: &Promised, shown: &Shown, told: &Told, list: &mut List) {
    for id in promised.scans.iter().filter(|id| !shown.scans.contains_key(*id)) {
        list.note("acknowledged scans are missing", id);
    }
    let mut uploads: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, scan) in &shown.scans {
        let subject = format!("scan/{id}");
        if !scan.is_over() {
            list.note("scans do not end", id);
        }
        if scan.is_upload() {
            *uploads.entry(&scan.service).or_default() += 1;
            continue;
        }
        list.compare("requests of scans", told.of(&subject, |kind| kind == REQUESTED), 1, id);
        match told.of(&subject, |kind| ENDS.contains(&kind)) {
            0 => list.note("requested scans were never answered", id),
            1 => {}
            _ => list.note("requested scans were answered twice", id),
        }
    }
    for (name, service) in &promised.services {
        match uploads.get(name.as_str()).copied().unwrap_or(0).cmp(&service.uploads) {
            std::cmp::Ordering::Less => list.note("acknowledged uploads are missing", name),
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => list.note("uploads were taken in twice", name),
        }
    }
    told.strangers("scan/", |id| shown.scans.contains_key(id))
        .for_each(|id| list.note("events of scans that are not there", id));
}

impl Told {
    /// The subjects of one kind that nobody knows.
    fn strangers<'t>(&'t self, prefix: &'t str, is_known: impl Fn(&str) -> bool) -> impl Iterator<Item = &'t str> {
        self.counts.keys().filter_map(move |subject| subject.strip_prefix(prefix)).filter(move |name| !is_known(name))
    }
}

/// Faults by what they are.
#[derive(Default)]
struct List(BTreeMap<String, (usize, String)>);

impl List {
    fn note(&mut self, what: &str, example: &str) {
        self.0.entry(what.to_owned()).or_insert_with(|| (0, example.to_owned())).0 += 1;
    }

    fn compare(&mut self, what: &str, events: u64, state: u64, example: &str) {
        match events.cmp(&state) {
            std::cmp::Ordering::Less => self.note(&format!("{what} have no event"), example),
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => self.note(&format!("{what} were told but not made"), example),
        }
    }

    fn lines(self) -> Vec<String> {
        self.0.into_iter().map(|(what, (count, example))| format!("{count} {what}, such as {example}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One service with one accepted finding and one scan, all well.
    fn sound() -> (Promised, Shown, Told) {
        let finding = Finding { is_there: true, accepted: Some("because".into()) };
        let findings = BTreeMap::from([("A-1".to_owned(), finding)]);
        let service = Service { version: 1, owner: "ana".into(), uploads: 1, findings };
        let promised = Promised {
            services: BTreeMap::from([("shop".to_owned(), service)]),
            scans: BTreeSet::from(["s1".to_owned()]),
        };
        let finding = ShownFinding {
            fingerprint: "f1".into(),
            service: "shop".into(),
            id: "A-1".into(),
            state: "accepted".into(),
            revision: 2,
            reason: Some("because".into()),
        };
        let scan = |by: &str| ShownScan { service: "shop".into(), state: "completed".into(), by: by.into() };
        let shown = Shown {
            services: BTreeMap::from([("shop".to_owned(), (1, "ana".to_owned()))]),
            findings: vec![finding],
            scans: BTreeMap::from([("s1".to_owned(), scan("token")), ("u1".to_owned(), scan("upload"))]),
            exceptions: BTreeMap::from([(("shop".to_owned(), "A-1".to_owned()), 1)]),
            dead_letters: 0,
        };
        let mut told = Told::default();
        for (kind, subject) in [
            (SERVICE_CHANGED, "service/shop"),
            ("aiva.findings.v1.FindingOpened", "finding/f1"),
            ("aiva.findings.v1.FindingAccepted", "finding/f1"),
            (REQUESTED, "scan/s1"),
            ("aiva.scan.v1.ScanStarted", "scan/s1"),
            (ENDS[0], "scan/s1"),
        ] {
            told.note(kind, subject);
        }
        (promised, shown, told)
    }

    #[track_caller]
    fn check(spoil: impl FnOnce(&mut Promised, &mut Shown, &mut Told), want: &[&str]) {
        let (mut promised, mut shown, mut told) = sound();
        spoil(&mut promised, &mut shown, &mut told);
        let found = faults(&promised, None, &shown, &told);
        assert_eq!(found.len(), want.len(), "{found:?}");
        assert!(want.iter().all(|want| found.iter().any(|found| found.contains(want))), "{found:?}");
    }

    #[test]
    fn each_fault_is_named() {
        check(|_, _, _| {}, &[]);
        check(|p, _, _| p.services.get_mut("shop").unwrap().version = 2, &["changes of services are missing"]);
        check(|p, _, _| p.services.get_mut("shop").unwrap().owner = "bo".into(), &["changes of services are missing"]);
        check(|p, _, _| p.services.get_mut("shop").unwrap().uploads = 2, &["uploads are missing"]);
        check(|p, _, _| p.services.get_mut("shop").unwrap().uploads = 0, &["uploads were taken in twice"]);
        check(|p, _, _| _ = p.scans.insert("s2".into()), &["acknowledged scans are missing"]);
        check(|_, s, _| s.services.clear(), &["acknowledged services are missing", "services that are not there"]);
        check(
            |_, s, _| s.services.get_mut("shop").unwrap().0 = 2,
            &["changes of services were made twice", "changes of services have no event"],
        );
        check(|_, s, _| s.findings[0].state = "open".into(), &["not in their acknowledged state"]);
        check(|_, s, _| s.findings[0].reason = None, &["not in their acknowledged state"]);
        check(|_, s, _| s.findings.clear(), &["findings are missing", "events of findings that are not there"]);
        check(|_, s, _| s.findings[0].revision = 1, &["changes of findings were told but not made"]);
        check(|_, s, _| s.findings[0].revision = 3, &["changes of findings have no event"]);
        check(|_, s, _| s.exceptions.clear(), &["exceptions are missing"]);
        check(|_, s, _| *s.exceptions.values_mut().next().unwrap() = 2, &["exceptions were made twice"]);
        check(|_, s, _| s.scans.get_mut("s1").unwrap().state = "running".into(), &["scans do not end"]);
        check(|_, s, _| s.dead_letters = 1, &["dead letters"]);
        check(|_, _, t| t.note(ENDS[1], "scan/s1"), &["answered twice"]);
        check(|_, _, t| _ = t.counts.get_mut("scan/s1").unwrap().remove(ENDS[0]), &["never answered"]);
        check(|_, _, t| t.note(SERVICE_CHANGED, "service/ghost"), &["services that are not there"]);
        check(|_, _, t| t.note(REQUESTED, "scan/ghost"), &["scans that are not there"]);
    }

    #[test]
    fn what_nobody_touched_stays_as_it_was() {
        let (promised, mut shown, told) = sound();
        let other =
            ShownFinding { service: "demo".into(), fingerprint: "f2".into(), revision: 0, ..shown.findings[0].clone() };
        shown.findings.push(other);
        let before = shown.untouched(&promised);
        assert_eq!(faults(&promised, Some(&before), &shown, &told), [""; 0]);
        shown.findings[1].state = "fixed".into();
        let found = faults(&promised, Some(&before), &shown, &told);
        assert!(found.len() == 1 && found[0].contains("nobody touched"), "{found:?}");
    }
}
