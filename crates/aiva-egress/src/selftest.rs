//! Proves the guard on cases: every question of a corpus, asked of every form of the guard, in a world that the case brings.
//!
//! Promises: no name is looked up and no address dialled outside this process; a case that a form cannot carry is counted,
//! by kind, never passed over; the closing line says `N passed, M failed, K skipped`. Start reading at [`Plan::run`].

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use aiva_outbound::policy::{Mixed, Mode, Policy, Ports};

mod api;
pub mod authority;
pub mod case;
mod engine;
mod judge;
mod library;
mod proxy;
pub mod score;
pub mod world;
pub mod zone;

use authority::Authority;
use case::{Case, Overrides, Tier, Via};
use score::{Outcome, Score};

/// A way to ask the guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// The engine decides.
    Engine,
    /// A proxy on loopback is asked.
    Proxy,
    /// A client of the library calls.
    Library,
    /// The decision API is asked.
    Api,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Engine, Self::Proxy, Self::Library, Self::Api];

    /// As on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Proxy => "proxy",
            Self::Library => "library",
            Self::Api => "api",
        }
    }
}

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The cases.
    pub cases: Vec<Case>,
    /// How to ask.
    pub forms: Vec<Form>,
    /// Only these cases.
    pub tier: Option<Tier>,
    /// The role of a user, whom the refusals of the corpus are asked of instead of the cases' own policies.
    pub role: Option<Policy>,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// By form, in the order of the plan.
    pub forms: Vec<(Form, Tally)>,
}

/// What came of one form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// As expected, mismatches among them.
    pub passed: usize,
    /// Bypasses, false blocks and further checks that did not hold.
    pub failures: Vec<Remark>,
    /// Refused as expected, but as the other class.
    pub mismatches: Vec<Remark>,
    /// What this form cannot carry, by kind.
    pub skipped: BTreeMap<String, usize>,
}

/// Something to be said about a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The case.
    pub id: String,
    /// What it tries.
    pub kind: String,
    /// What it asks, as far as it fits on a line.
    pub input: String,
    /// What happened.
    pub what: String,
    /// Why the case is there.
    pub why: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.id, self.input, self.what)?;
        if self.why.is_empty() { Ok(()) } else { write!(f, " ({})", self.why) }
    }
}

impl Tally {
    fn count(&mut self, case: &Case, score: Score) {
        let remark = |what: String| {
            let text: String = case.input.chars().take(120).collect();
            let cut = if text.len() < case.input.len() { "..." } else { "" };
            let input = format!("\"{}\"{cut}", text.escape_debug());
            Remark { id: case.id.clone(), kind: case.kind.clone(), input, what, why: case.why.clone() }
        };
        match score {
            Score::Passed => self.passed += 1,
            Score::Mismatch(what) => {
                self.passed += 1;
                self.mismatches.push(remark(what));
            }
            Score::Failed(what) => self.failures.push(remark(what)),
        }
    }

    /// How many were skipped.
    pub fn skipped(&self) -> usize {
        self.skipped.values().sum()
    }
}

impl Report {
    /// Whether nothing failed.
    pub fn holds(&self) -> bool {
        self.forms.iter().all(|(_, tally)| tally.failures.is_empty())
    }
}

/// The closing line.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |count: fn(&Tally) -> usize| self.forms.iter().map(|(_, tally)| count(tally)).sum::<usize>();
        let failed = sum(|tally| tally.failures.len());
        write!(f, "{} passed, {failed} failed, {} skipped", sum(|tally| tally.passed), sum(Tally::skipped))
    }
}

/// Why a plan cannot be run at all.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Nothing to run.
    #[error("there is no case to run")]
    NoCase,
    /// The machine does not let us.
    #[error(transparent)]
    Authority(#[from] authority::NoAuthority),
    /// No socket on loopback.
    #[error("nothing can listen on loopback")]
    Loopback(#[from] io::Error),
}

impl Plan {
    /// Runs every case in every form; `progress` hears of each.
    pub async fn run(&self, progress: &(dyn Fn(usize) + Sync)) -> Result<Report, PlanError> {
        let cases: Vec<&Case> = self.cases.iter().filter(|case| self.wants(case)).collect();
        if cases.is_empty() {
            return Err(PlanError::NoCase);
        }

        let authority = Authority::new()?;
        let mut report = Report::default();
        let mut done = 0;
        for form in &self.forms {
            let mut tally = Tally::default();
            for case in &cases {
                let policy = self.role.clone().unwrap_or_else(|| policy(&case.policy));
                match ask(*form, case, &policy, &authority).await? {
                    None => *tally.skipped.entry(case.kind.clone()).or_default() += 1,
                    Some(outcome) => tally.count(case, score::score(case, &outcome)),
                }
                done += 1;
                progress(done);
            }
            report.forms.push((*form, tally));
        }
        Ok(report)
    }

    /// How many questions will be asked.
    pub fn questions(&self) -> usize {
        self.cases.iter().filter(|case| self.wants(case)).count() * self.forms.len()
    }

    /// A user's role is asked only what every role must refuse: what a case's own policy says is that policy's affair.
    fn wants(&self, case: &Case) -> bool {
        let own = self.role.is_none() || (case.expect != case::Expect::Allow && case.policy.is_empty());
        own && self.tier.is_none_or(|tier| tier == case.tier)
    }
}

async fn ask(form: Form, case: &Case, policy: &Policy, authority: &Authority) -> io::Result<Option<Outcome>> {
    if !carries(form, case) {
        return Ok(None);
    }
    match form {
        Form::Engine => Ok(Some(engine::run(case, policy).await)),
        Form::Proxy => proxy::run(case, policy).await,
        Form::Library => library::run(case, policy, authority).await.map(Some),
        Form::Api => api::run(case, policy).await.map(Some),
    }
}

/// Whether a form can ask this at all; the proxy may still find that it cannot.
fn carries(form: Form, case: &Case) -> bool {
    let bytes = case.via == Via::Raw || case.tunnel_first.is_some();
    match form {
        Form::Proxy => true,
        Form::Engine | Form::Library | Form::Api => !bytes,
    }
}

/// The default role with what a case changes in it.
fn policy(overrides: &Overrides) -> Policy {
    let mut policy = Policy::public();
    policy.mode = match overrides.mode {
        Some(case::Mode::Enforce) => Mode::Enforce,
        Some(case::Mode::Report) => Mode::Report,
        None | Some(case::Mode::Open) => Mode::Open,
    };
    policy.allow_names.extend(overrides.allow_domains.iter().cloned());
    policy.deny_names.extend(overrides.deny_domains.iter().cloned());
    policy.allow_blocks.extend(overrides.allow_cidrs.iter().copied());
    policy.deny_blocks.extend(overrides.deny_cidrs.iter().copied());
    policy.nat64.clone_from(&overrides.nat64_prefixes);
    policy.mixed = match overrides.dns_mixed {
        Some(case::Mixed::Filter) => Mixed::Filter,
        None | Some(case::Mixed::Deny) => Mixed::Deny,
    };
    if let Some(ports) = &overrides.ports {
        policy.ports = Ports::Only(ports.clone());
    }
    policy
}
