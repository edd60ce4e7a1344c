//! Clients of a server that is about to die: they make services, upload scans, accept findings, ask for scans, and keep
//! books on what was acknowledged.
//!
//! A deed whose answer was lost is repeated after the restart, under the same key: done or not before, it must succeed and
//! be there once. Each client has services of its own, so that its books say exactly what must be there.

use serde_json::{Value, json};

use super::Dice;
use super::audit::{Promised, Service};
use crate::product::{Answer, Call, Client, Lost};

/// Services that the demo brings, with something to scan.
const DEMO: &[&str] = &["checkout", "storefront", "catalog", "recommender", "ledger"];

/// How many services one client makes.
const MOST_SERVICES: usize = 12;

/// How many different advisories are uploaded.
const ADVISORIES: u64 = 10;

/// Something that a client wants done.
#[derive(Debug, Clone)]
enum Deed {
    Create { service: String, owner: String },
    Edit { service: String, owner: String, version: u64 },
    Upload { service: String, ids: Vec<String> },
    Accept { service: String, id: String, fingerprint: String, reason: String },
    Scan { service: &'static str },
}

/// How many of each were acknowledged.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) services: usize,
    pub(super) edits: usize,
    pub(super) uploads: usize,
    pub(super) findings: usize,
    pub(super) exceptions: usize,
    pub(super) scans: usize,
    /// Answers that a kill took, each repeated with success.
    pub(super) lost: usize,
}

/// One client and its books.
pub(super) struct Ledger {
    number: usize,
    dice: Dice,
    deeds: u64,
    pub(super) promised: Promised,
    pub(super) counts: Counts,
    doubt: Option<(Deed, String)>,
}

impl Ledger {
    pub(super) fn new(number: usize, seed: u64) -> Self {
        let (promised, counts) = Default::default();
        Self { number, dice: Dice::new(seed), deeds: 0, promised, counts, doubt: None }
    }

    /// Does deed after deed until the server is gone.
    ///
    /// # Errors
    /// What a live server should not have answered.
    pub(super) fn work(&mut self, mut client: Client) -> Result<(), String> {
        loop {
            let Ok(deed) = self.choose(&mut client) else { return Ok(()) };
            self.deeds += 1;
            let key = format!("kill-{}-{}", self.number, self.deeds);
            match client.call(&deed.call(&key)) {
                Ok(answer) => self.keep(deed, &answer)?,
                Err(Lost) => {
                    self.doubt = Some((deed, key));
                    return Ok(());
                }
            }
        }
    }

    /// Repeats the deed whose answer was lost.
    ///
    /// # Errors
    /// The repetition was refused, or the server is gone again.
    pub(super) fn repeat(&mut self, client: &mut Client) -> Result<(), String> {
        let Some((deed, key)) = self.doubt.clone() else { return Ok(()) };
        let gone = |Lost| "the server did not answer a repeated call".to_owned();
        let answer = client.call(&deed.call(&key)).map_err(gone)?;
        let answer = match &deed {
            // Somebody was quicker, and it can only have been the lost call.
            Deed::Edit { service, .. } if answer.status == 412 => {
                client.call(&Call::get(format!("/v1/services/{service}"))).map_err(gone)?
            }
            _ => answer,
        };
        self.counts.lost += 1;
        self.doubt = None;
        self.keep(deed, &answer)
    }

    fn choose(&mut self, client: &mut Client) -> Result<Deed, Lost> {
        let owner = format!("#team-{}", self.dice.below(1_000_000));
        let mine: Vec<String> = self.promised.services.keys().cloned().collect();
        let Some(service) = self.dice.pick(&mine).cloned() else { return Ok(self.create(owner)) };
        Ok(match self.dice.below(8) {
            0 if mine.len() < MOST_SERVICES => self.create(owner),
            0 | 1 => {
                let version = self.promised.services.get(&service).map_or(1, |known| known.version);
                Deed::Edit { service, owner, version }
            }
            2 | 3 => match self.acceptable(client, &service)? {
                Some((id, fingerprint)) => {
                    Deed::Accept { service, id, fingerprint, reason: format!("reason {}", self.dice.below(1_000_000)) }
                }
                None => self.upload(service),
            },
            4 => Deed::Scan { service: self.dice.pick(DEMO).copied().unwrap_or(DEMO[0]) },
            _ => self.upload(service),
        })
    }

    fn create(&self, owner: String) -> Deed {
        Deed::Create { service: format!("client{}-{}", self.number, self.promised.services.len()), owner }
    }

    fn upload(&mut self, service: String) -> Deed {
        let ids = (0..ADVISORIES).filter(|_| self.dice.below(2) == 0).map(|id| format!("KILL-{id}")).collect();
        Deed::Upload { service, ids }
    }

    /// A finding of the service that is open: its advisory and its fingerprint.
    fn acceptable(&mut self, client: &mut Client, service: &str) -> Result<Option<(String, String)>, Lost> {
        let known = self.promised.services.get(service).into_iter().flat_map(|service| &service.findings);
        let open: Vec<String> = known
            .filter(|(_, finding)| finding.is_there && finding.accepted.is_none())
            .map(|(id, _)| id.clone())
            .collect();
        let Some(id) = self.dice.pick(&open) else { return Ok(None) };
        let page = client.call(&Call::get(format!("/v1/findings?service={service}&id={id}")))?;
        let fingerprint = page.body.pointer("/items/0/fingerprint").and_then(Value::as_str);
        Ok(fingerprint.map(|fingerprint| (id.clone(), fingerprint.to_owned())))
    }

    /// Enters what was acknowledged.
    fn keep(&mut self, deed: Deed, answer: &Answer) -> Result<(), String> {
        if !(200..300).contains(&answer.status) {
            return Err(format!("{deed:?} was answered {}: {}", answer.status, answer.body));
        }
        let services = &mut self.promised.services;
        match deed {
            Deed::Create { service, owner } => {
                services.insert(service, Service { version: 1, owner, ..Service::default() });
                self.counts.services += 1;
            }
            Deed::Edit { service, owner, version } => {
                let known = services.entry(service).or_default();
                (known.version, known.owner) = (version + 1, owner);
                self.counts.edits += 1;
            }
            Deed::Upload { service, ids } => {
                let known = services.entry(service).or_default();
                known.uploads += 1;
                known.findings.values_mut().for_each(|finding| finding.is_there = false);
                for id in &ids {
                    known.findings.entry(id.clone()).or_default().is_there = true;
                }
                self.counts.uploads += 1;
                self.counts.findings += ids.len();
            }
            Deed::Accept { service, id, reason, .. } => {
                services.entry(service).or_default().findings.entry(id).or_default().accepted = Some(reason);
                self.counts.exceptions += 1;
            }
            Deed::Scan { .. } => {
                let id = answer.body["id"].as_str().ok_or_else(|| format!("a scan without an id: {}", answer.body))?;
                self.promised.scans.insert(id.to_owned());
                self.counts.scans += 1;
            }
        }
        Ok(())
    }
}

impl Deed {
    fn call(&self, key: &str) -> Call {
        let post = |path: String, body: Value| Call {
            method: "POST",
            path,
            key: Some(key.to_owned()),
            expects: None,
            body: Some(body),
        };
        match self {
            Self::Create { service, owner } => {
                post("/v1/services".to_owned(), json!({"name": service, "description": described(owner)}))
            }
            Self::Edit { service, owner, version } => Call {
                method: "PUT",
                path: format!("/v1/services/{service}"),
                key: None,
                expects: Some(*version),
                body: Some(described(owner)),
            },
            Self::Upload { service, ids } => post(format!("/v1/services/{service}/uploads"), document(ids)),
            Self::Accept { fingerprint, reason, .. } => {
                let body = json!({"owner": "ana@larkspur.example", "reason": reason, "expires": next_year()});
                post(format!("/v1/findings/{fingerprint}/accept"), body)
            }
            Self::Scan { service } => post("/v1/scans".to_owned(), json!({"service": service})),
        }
    }
}

fn described(owner: &str) -> Value {
    json!({"owners": [owner], "source": []})
}

/// A day within the two years that an acceptance may last.
#[expect(clippy::disallowed_methods, reason = "a developer's tool; the server judges by the same clock")]
fn next_year() -> String {
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    format!("{}-06-30", 1970 + seconds / 31_556_952 + 1)
}

/// A scan's result with these advisories, each in a package of its own.
fn document(ids: &[String]) -> Value {
    let findings: Vec<Value> = ids
        .iter()
        .map(|id| {
            let package = id.to_lowercase();
            json!({
                "id": id, "aliases": [], "fingerprint": "0".repeat(32), "purl": format!("pkg:cargo/{package}@1.0.0"),
                "name": package, "version": "1.0.0", "ecosystem": "crates.io", "path": "Cargo.lock", "line": 1,
                "kind": "vulnerability", "severity": {"level": "high", "score": null, "vector": null},
                "fixed_versions": ["1.0.1"], "summary": "for the kill test", "description": "", "references": [],
            })
        })
        .collect();
    let counts = json!({
        "critical": 0, "high": ids.len(), "medium": 0, "low": 0, "unknown": 0, "informational": 0,
    });
    json!({
        "schema": "aiva.scan/1",
        "advisories": {"state": "current", "ecosystems": []},
        "inputs": [{
            "path": "Cargo.lock", "kind": "Cargo.lock", "status": "parsed", "packages": ids.len(), "not_judged": [],
            "problems": [],
        }],
        "findings": findings,
        "summary": {
            "findings": counts, "accepted": 0, "packages": ids.len(), "not_judged": 0, "exceptions": [],
            "inputs": {"parsed": 1, "partial": 0, "unsupported": 0, "failed": 0, "ignored": 0},
        },
    })
}
