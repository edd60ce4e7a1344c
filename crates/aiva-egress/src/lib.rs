//! Where a service may call out: the guard around the outbound engine.
//!
//! Its turn has not come; this crate holds its place in the import graph. It will promise:
//!
//! - a proxy (absolute-form, CONNECT, SOCKS5), a decision API and a library with the same verdict and reason code for the
//!   same request, decided by `aiva-outbound`, which is already used for every call that AIVA itself makes;
//! - that a request connects only to an address that was checked, and never to an internal one but by a named exception
//!   with an owner and an expiry;
//! - a record of every decision: who, what, why, where to.
//!
//! It will never import another guard, nor decide anything that the engine in `aiva-outbound` does not.

pub mod config;
pub mod selftest;
pub mod smokescreen;
