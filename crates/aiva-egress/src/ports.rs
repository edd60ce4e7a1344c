//! What the records and the decision API need from the world.
//!
//! [`Decide`] is whoever holds the roles; [`Journal`] is where records are kept.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use aiva_outbound::resolve::Resolver;
use aiva_outbound::{Engine, Host, Policy, Question, Target, Verdict};
use aiva_store::StoreError;
use async_trait::async_trait;
use http::Method;
use jiff::Timestamp;
use uuid::Uuid;

use crate::budget::Budget;
use crate::decision::{Ended, Record};
use crate::meters::Meters;
use crate::proxy::judge::Bounds;
use crate::role::upstream::{Route, Upstreams};

/// What a role goes by, as it is in force now.
#[derive(Clone)]
pub struct Rules {
    /// The role's name.
    pub role: Arc<str>,
    /// What it may reach, this process's own addresses among what it may not.
    pub policy: Arc<Policy>,
    /// Who looks names up for it.
    pub resolver: Arc<dyn Resolver>,
    /// The one engine of the process.
    pub engine: Arc<Engine>,
    /// Its bounds in time and size.
    pub bounds: Bounds,
    /// Every upstream there is: none of them is a destination.
    pub upstreams: Arc<Upstreams>,
    /// The upstream that it goes through, where it does.
    pub route: Option<Arc<Route>>,
    /// What all of its callers together may use, where that is limited.
    pub budget: Option<Budget>,
    /// Whether what its lists or budget refuse is only told of.
    pub tells: bool,
    /// What is counted of it.
    pub meters: Meters,
}

impl Rules {
    /// What the proxy would say to the same request of the same role.
    pub async fn decide(&self, target: &Target, method: Option<&Method>) -> Verdict {
        let verdict = self.engine.decide(&self.policy, &*self.resolver, Question { target, method }).await;
        self.upstreams.shut(&self.policy, target, verdict).await
    }
}

/// Whoever holds the roles.
///
/// Every adapter promises: the same rules as the proxy's, as they are at the moment of the call; a verdict of
/// [`Rules::decide`] is the proxy's verdict, word for word.
pub trait Decide: Send + Sync + 'static {
    /// The rules of that role, or of the role that unknown callers get; `None` where there is no such role.
    fn rules(&self, role: Option<&str>) -> Option<Rules>;

    /// The names of all roles.
    fn roles(&self) -> Vec<Arc<str>>;
}

/// What is written in one transaction.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// New records, complete or open.
    pub records: Vec<Record>,
    /// The ends of records that were written open before.
    pub ends: Vec<End>,
}

/// The end of a record that was written open before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The record's id.
    pub id: Uuid,
    /// When it was decided.
    pub at: Timestamp,
    /// By which role.
    pub role: Arc<str>,
    /// How it ended.
    pub ended: Ended,
}

impl Group {
    /// How many rows it means.
    pub fn len(&self) -> usize {
        self.records.len() + self.ends.len()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.ends.is_empty()
    }
}

/// Where records are kept.
///
/// Every adapter promises: a group is written whole or not at all; one that is handed in again, because nobody knows
/// whether it was written, changes nothing the second time.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Writes a group and answers when it is on the disk.
    async fn write(&self, group: Arc<Group>) -> Result<(), StoreError>;
}

/// What a decision token binds its bearer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// The role that it was decided by.
    pub role: Arc<str>,
    /// The host as it was decided on: a name in lower case, or an address.
    pub host: Host,
    /// The port.
    pub port: u16,
    /// The addresses that were checked.
    pub addresses: Vec<IpAddr>,
}

/// Why a text is no token that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// Nobody with our key has signed it.
    #[error("it is no decision token of this service")]
    Invalid,
    /// It was one.
    #[error("the decision token has run out")]
    Expired,
}

/// Reads the decision tokens that this service has given out.
///
/// Every adapter promises: only what was signed with its own key and what has not run out is read; that it has run out is said
/// of its own tokens only; the comparison takes the same time wherever the difference is.
pub trait Tokens: Send + Sync + 'static {
    /// What the token binds to.
    ///
    /// # Errors
    /// Why it does not count.
    fn read(&self, token: &[u8], now: Timestamp) -> Result<Pinned, BadToken>;
}

/// How an address is told in a record.
pub fn caller(address: Option<IpAddr>) -> Cow<'static, str> {
    address.map_or(Cow::Borrowed("local"), |address| Cow::Owned(address.to_string()))
}
