//! Where a service may call out: the guard around the outbound engine.
//!
//! Promises: a request connects only to an address that was checked; the proxy ([`proxy`]: absolute form and CONNECT) gives
//! the same verdict and reason as the engine in `aiva-outbound`, which decides; what it refuses it refuses legibly.
//! [`selftest`] proves it on a corpus, [`smokescreen`] reads another guard's rules.
//!
//! Still to come: callers with roles of their own, the decision API, a record of every decision. It will never import
//! another guard, nor decide anything that the engine does not.

pub mod config;
pub mod default_role;
pub mod proxy;
pub mod selftest;
pub mod smokescreen;
pub mod tunnel;
