//! Who may be called: the data of a role, as an operator writes it. The judging is in [`crate::judge`].
//!
//! Pure. Lists of names and blocks index themselves as they grow, so that a policy is ready as soon as it is written.

use std::net::SocketAddr;

use http::Method;

use crate::address::Prefix;
use crate::target::Scheme;

mod blocks;
mod exception;
mod names;
mod paths;

pub use blocks::{Block, BlockSet};
pub use exception::{Exception, Exceptions, Opens};
pub use names::{NameSet, Names};
pub use paths::PathPrefix;

pub use crate::reason::{Denial, Reason, Refusal, Rule};

/// What the lists of a role are for. What holds for every role (text, metadata services, this process, internal names and
/// addresses, a failing DNS) holds in every mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Any public name that is not denied; the allow list of names counts for nothing, all other lists hold.
    #[default]
    Open,
    /// What only the role's own lists refuse passes, and is told in [`crate::Verdict::would_deny`].
    Report,
    /// Only allowed names.
    Enforce,
}

impl Mode {
    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Report => "report",
            Self::Enforce => "enforce",
        }
    }
}

/// What to do with an answer that has public and other addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mixed {
    /// Refuse: a name that points inside does so on purpose.
    #[default]
    Deny,
    /// Use the public ones.
    Filter,
}

/// Which ports may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ports {
    /// Any.
    Any,
    /// These.
    Only(Vec<u16>),
}

impl Ports {
    /// Whether the port is one of them.
    pub fn hold(&self, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::Only(ports) => ports.contains(&port),
        }
    }
}

/// A policy. Start from [`Policy::public`] and add to it.
#[derive(Debug, Clone)]
pub struct Policy {
    /// What the lists are for.
    pub mode: Mode,
    /// Names that may be called, unless the mode is [`Mode::Open`]. An entry that names an internal zone lets its names be
    /// looked up; where they point is judged all the same.
    pub allow_names: NameSet,
    /// Names that may never be called.
    pub deny_names: NameSet,
    /// Blocks that may be called although they are not public.
    pub allow_blocks: BlockSet,
    /// Blocks that may never be called.
    pub deny_blocks: BlockSet,
    /// Named ways to internal places: a mirror, a webhook of one's own.
    pub exceptions: Exceptions,
    /// Which ports.
    pub ports: Ports,
    /// Which schemes.
    pub schemes: Vec<Scheme>,
    /// Which methods, in plain HTTP, where they are seen; none means any.
    pub methods: Vec<Method>,
    /// Below which paths, in plain HTTP, where they are seen; none means any.
    pub paths: Vec<PathPrefix>,
    /// What to do with mixed answers.
    pub mixed: Mixed,
    /// The operator's NAT64 prefixes.
    pub nat64: Vec<Prefix>,
    /// This process's own listening addresses. One that listens everywhere stands for loopback; the addresses of the
    /// machine's interfaces are for the caller to add.
    pub own: Vec<SocketAddr>,
    /// Whether a redirect may lead from https to http.
    pub downgrade: bool,
}

impl Policy {
    /// Any public name on ports 80 and 443.
    pub fn public() -> Self {
        Self {
            mode: Mode::Open,
            allow_names: NameSet::default(),
            deny_names: NameSet::default(),
            allow_blocks: BlockSet::default(),
            deny_blocks: BlockSet::default(),
            exceptions: Exceptions::default(),
            ports: Ports::Only(vec![80, 443]),
            schemes: vec![Scheme::Http, Scheme::Https],
            methods: Vec::new(),
            paths: Vec::new(),
            mixed: Mixed::Deny,
            nat64: Vec::new(),
            own: Vec::new(),
            downgrade: false,
        }
    }
}
