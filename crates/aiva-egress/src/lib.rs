//! Where a service may call out: the guard around the outbound engine.
//!
//! Promises: a request connects only to an address that was checked; the proxy ([`proxy`]: absolute form, CONNECT, SOCKS5)
//! gives the same verdict and reason as the engine in `aiva-outbound`, which decides; what it refuses it refuses legibly.
//! [`service`] knows who calls ([`caller`]) and by which [`role`]; [`decision`] is the
//! record of one verdict, [`audit`] has records written in groups. [`selftest`] proves it on a corpus, [`smokescreen`] reads
//! another guard's rules. It never imports another guard, nor decides anything that the engine does not.

pub mod audit;
pub mod budget;
pub mod caller;
pub mod config;
pub mod decision;
pub mod events;
pub mod fetch;
pub mod grpc;
pub mod http;
pub mod mcp;
pub mod meters;
pub mod past;
pub mod ports;
pub mod proxy;
pub mod retention;
pub mod role;
pub mod selftest;
pub mod service;
pub mod smokescreen;
pub mod store;
pub mod token;
pub mod tunnel;
pub mod workers;
