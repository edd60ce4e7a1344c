//! The record of one decision: who asked for what, what was decided and why, and how it ended.
//!
//! Pure. Promises: a record never holds a path, a query or credentials, because they may be secrets; what could not be read
//! as an address leaves no text behind, only the reason. A refusal is complete when it is made; what was allowed is complete
//! when it has [`Ended`]. Ids are UUIDs of version 7 of the record's own time, so that their order is that of time.
//!
//! Start reading at [`Record::decided`].

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aiva_outbound::{Outcome as Decided, Reason, Target, Verdict};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::proxy::judge::Finished;
use crate::tunnel::inspect;

/// A word that is constant where it is made, and text where it was read back.
pub type Word = Cow<'static, str>;

/// The most characters of a method that a record holds.
const LONGEST_METHOD: usize = 32;

/// The most addresses of a name that a record holds.
pub const MOST_ADDRESSES: usize = 32;

/// The rule that stands in the record of a tunnel that was closed for what it opened with.
pub const INSPECTION: &str = "inspection";

macro_rules! words {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $of:literal])+ $variant:ident = $word:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[doc = $of])+ $variant,)+
        }

        impl $name {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The stable word.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// What the word stands for.
            pub fn of(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }
    };
}

words! {
    /// How it was asked.
    Form {
        /// An HTTP request through the proxy.
        Request = "request",
        /// A tunnel through the proxy.
        Tunnel = "tunnel",
        /// A question to the decision API.
        Check = "check",
        /// One hop of what we fetched for somebody.
        Fetch = "fetch",
    }
}

words! {
    /// What was decided.
    Outcome {
        /// It may leave.
        Allow = "allow",
        /// The policy refuses it.
        Deny = "deny",
        /// The DNS gave no address.
        Unresolved = "unresolved",
    }
}

/// On whose behalf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// The role whose rules were asked.
    #[serde(with = "text")]
    pub role: Arc<str>,
    /// The caller: its name in the configuration, else its address, else how it came.
    #[serde(with = "text")]
    pub caller: Arc<str>,
}

/// A shared text is written as any other.
mod text {
    use std::sync::Arc;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(deserializer).map(Arc::from)
    }
}

/// Where to: the part of an address that holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// `http` or `https`; a tunnel counts as `https`.
    pub scheme: Word,
    /// A name in lower case, or an address (IPv6 in brackets).
    pub host: String,
    /// The port.
    pub port: u16,
}

impl From<&Target> for Place {
    fn from(target: &Target) -> Self {
        let scheme = Cow::Borrowed(target.scheme().name());
        Self { scheme, host: target.host().text().into_owned(), port: target.port() }
    }
}

/// What an enforced role would have refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WouldDeny {
    /// By which rule.
    pub rule: String,
    /// Why.
    pub reason: Word,
}

/// A name that was public a while ago and is not any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebound {
    /// Some of its public addresses.
    pub was: Vec<IpAddr>,
    /// Some of those that it has now.
    pub now: Vec<IpAddr>,
}

/// Something that the look into a tunnel found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The stable word.
    pub reason: Word,
    /// What was there instead.
    pub what: String,
    /// Whether the tunnel was closed for it.
    pub enforced: bool,
}

/// How an allowed request ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ended {
    /// The address that was connected to.
    pub connected: Option<SocketAddr>,
    /// The proxy on the way out, and the status by which it refused, where it did.
    pub upstream: Option<String>,
    /// The status that the client got.
    pub status: Option<u16>,
    /// Bytes from the client, bodies only.
    pub sent: u64,
    /// Bytes to the client, bodies only.
    pub received: u64,
    /// From the decision to the end.
    pub duration: Duration,
    /// What was spoken inside the tunnel.
    pub protocol: Option<Word>,
    /// The name that the ClientHello asked for.
    pub sni: Option<String>,
    /// What the look inside found.
    pub findings: Vec<Finding>,
    /// The stable word of what failed.
    pub failure: Option<String>,
    /// How the tunnel ended.
    pub how: Option<Word>,
}

impl Ended {
    /// Why the guard took back what it had allowed, where it did: what the tunnel opened with.
    pub fn refused(&self) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.enforced)
    }
}

impl From<&Finished> for Ended {
    /// Without the duration, which whoever holds the record measures.
    fn from(finished: &Finished) -> Self {
        let finding = |found: &crate::tunnel::inspect::Finding| Finding {
            reason: Cow::Borrowed(found.reason),
            what: found.what.clone(),
            enforced: found.enforced,
        };
        Self {
            connected: finished.connected,
            upstream: finished.upstream.clone(),
            status: finished.status,
            sent: finished.sent,
            received: finished.received,
            duration: Duration::ZERO,
            protocol: finished.protocol.map(|protocol| Cow::Borrowed(protocol.name())),
            sni: finished.name.clone(),
            findings: finished.findings.iter().map(finding).collect(),
            failure: finished.failure.clone(),
            how: finished.end.map(|end| Cow::Borrowed(end.name())),
        }
    }
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// UUIDv7 of [`Record::at`].
    pub id: Uuid,
    /// When it was decided.
    pub at: Timestamp,
    /// On whose behalf.
    #[serde(flatten)]
    pub who: Who,
    /// How it was asked.
    pub form: Form,
    /// The request's method, where there is one to see.
    pub method: Option<String>,
    /// Where to; `None` where the text could not be read.
    pub place: Option<Place>,
    /// What was decided.
    pub outcome: Outcome,
    /// What an enforced role would have refused.
    pub would_deny: Option<WouldDeny>,
    /// Which rule decided.
    pub rule: String,
    /// The stable word of why.
    pub reason: Word,
    /// What would allow it. For operators only: a caller that reads it learns the policy.
    pub remedy: Option<String>,
    /// What the name meant, all that was judged up to [`MOST_ADDRESSES`].
    pub addresses: Vec<IpAddr>,
    /// Further names on the way (CNAME).
    pub aliases: Vec<String>,
    /// The name has turned from public to internal.
    pub rebound: Option<Rebound>,
    /// Of a fetch that was redirected, the record before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<Uuid>,
    /// How it ended; `None` while it is open, and always for a mere question and for what was refused before it began.
    pub ended: Option<Ended>,
}

impl Record {
    /// What the engine said of a target.
    pub fn decided(at: Timestamp, who: Who, form: Form, target: &Target, verdict: &Verdict) -> Self {
        let outcome = match verdict.outcome {
            Decided::Allowed => Outcome::Allow,
            Decided::Denied(_) => Outcome::Deny,
            Decided::Unresolved(_) => Outcome::Unresolved,
        };
        let would_deny = verdict.would_deny.as_ref().map(|refusal| WouldDeny {
            rule: refusal.rule.to_string(),
            reason: Cow::Borrowed(refusal.denial.reason.name()),
        });
        let (addresses, aliases) = match &verdict.answer {
            Some(answer) => (answer.addresses.iter().copied().take(MOST_ADDRESSES).collect(), answer.aliases.clone()),
            None => (verdict.connect_to.iter().map(SocketAddr::ip).collect(), Vec::new()),
        };
        let rebound =
            verdict.rebinding.as_ref().map(|turned| Rebound { was: turned.was.clone(), now: turned.now.clone() });
        Self {
            id: id(at),
            at,
            who,
            form,
            method: None,
            place: Some(target.into()),
            outcome,
            would_deny,
            rule: verdict.rule.to_string(),
            reason: Cow::Borrowed(verdict.reason()),
            remedy: verdict.remedy.clone(),
            addresses,
            aliases,
            rebound,
            follows: None,
            ended: None,
        }
    }

    /// A refusal that no target was needed for: a text that must not be read, or a bound of the role.
    pub fn refused(at: Timestamp, who: Who, form: Form, rule: impl Into<String>, reason: impl Into<Word>) -> Self {
        Self {
            id: id(at),
            at,
            who,
            form,
            method: None,
            place: None,
            outcome: Outcome::Deny,
            would_deny: None,
            rule: rule.into(),
            reason: reason.into(),
            remedy: None,
            addresses: Vec::new(),
            aliases: Vec::new(),
            rebound: None,
            follows: None,
            ended: None,
        }
    }

    /// A text that two parsers would not read alike. What it says is not kept.
    pub fn unreadable(at: Timestamp, who: Who, form: Form, reason: Reason) -> Self {
        Self::refused(at, who, form, "text", reason.name())
    }

    /// With where it was to go.
    #[must_use]
    pub fn to(mut self, target: &Target) -> Self {
        self.place = Some(target.into());
        self
    }

    /// With the request's method; what is longer than any method is cut.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        let end = method.char_indices().nth(LONGEST_METHOD).map_or(method.len(), |(end, _)| end);
        self.method = Some(method[..end].to_owned());
        self
    }

    /// It has ended like this. A tunnel that was closed for what it opened with is a refusal after all.
    pub fn end(&mut self, ended: Ended) {
        if let Some(found) = ended.refused()
            && self.outcome == Outcome::Allow
        {
            self.outcome = Outcome::Deny;
            self.rule = INSPECTION.to_owned();
            self.reason = found.reason.clone();
            self.remedy = Some(remedy(&self.who.role, found));
        }
        self.ended = Some(ended);
    }

    /// Whether it was an attempt at a metadata service.
    pub fn is_metadata(&self) -> bool {
        [Reason::NameMetadata.name(), Reason::AddressMetadata.name()].contains(&&*self.reason)
    }

    /// Whether somebody is waiting for it to end.
    pub fn is_open(&self) -> bool {
        self.outcome == Outcome::Allow && self.ended.is_none() && self.form != Form::Check
    }
}

/// What lets such an opening pass.
fn remedy(role: &str, found: &Finding) -> String {
    let key = match &*found.reason {
        inspect::NAME_MISMATCH => "sni",
        inspect::NAME_MISSING => "missing_sni",
        inspect::ECH => "ech",
        _ => "protocols",
    };
    format!("set inspection.{key} of the role {role} to \"report\", if tunnels may open with this ({})", found.what)
}

/// A new id of that time.
pub fn id(at: Timestamp) -> Uuid {
    let since = u64::try_from(at.as_second()).unwrap_or(0);
    let nanos = u32::try_from(at.subsec_nanosecond()).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, since, nanos))
}

/// The least id of that time: where records from then on begin.
pub fn first_id(at: Timestamp) -> Uuid {
    let millis = u64::try_from(at.as_millisecond()).unwrap_or(0);
    Uuid::from_u128(u128::from(millis) << 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who() -> Who {
        Who { role: Arc::from("default"), caller: Arc::from("127.0.0.1") }
    }

    #[test]
    fn a_record_holds_no_path_and_no_credentials() {
        let target = Target::parse("https://user:key@hooks.example.com:8443/T0/secret?token=abc").unwrap();
        let refusal = Verdict::refused(
            aiva_outbound::Policy::public()
                .judge(aiva_outbound::Question { target: &target, method: None }, std::time::SystemTime::UNIX_EPOCH)
                .err()
                .unwrap(),
            "hooks.example.com",
        );
        let record = Record::decided(Timestamp::UNIX_EPOCH, who(), Form::Request, &target, &refusal).method("POST");
        let text = serde_json::to_string(&record).unwrap();
        for secret in ["secret", "abc", "user", "key@"] {
            assert!(!text.contains(secret), "{secret:?} in {text}");
        }
        assert_eq!(record.place.unwrap().host, "hooks.example.com");
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let mut record = Record::refused(Timestamp::UNIX_EPOCH, who(), Form::Tunnel, "budget", "requests-exceeded");
        record.ended = Some(Ended { status: Some(200), how: Some("closed".into()), ..Ended::default() });
        record.rebound = Some(Rebound { was: vec![[93, 184, 216, 34].into()], now: vec![[10, 0, 0, 1].into()] });
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
    }

    #[test]
    fn ids_follow_the_records_own_time() {
        let early: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let late: Timestamp = "2026-01-01T00:00:00.001Z".parse().unwrap();
        assert!(id(early) < first_id(late) && first_id(early) <= id(early) && first_id(late) <= id(late));
    }

    #[test]
    fn every_word_is_read_back() {
        assert!(Form::ALL.iter().all(|form| Form::of(form.word()) == Some(*form)));
        assert!(Outcome::ALL.iter().all(|outcome| Outcome::of(outcome.word()) == Some(*outcome)));
        assert_eq!(Outcome::of("Allow"), None);
    }
}
