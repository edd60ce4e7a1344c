//! The egress guard's integration tests.

#![expect(clippy::unwrap_used, reason = "a test and its helpers stop at the first surprise")]

#[macro_use]
mod engines;

mod fetch;
mod fuzz_corpus;
mod grpc;
mod guard;
mod hostile;
mod http2;
mod proxy;
mod readers;
mod rebinding;
mod records;
mod resolver;
mod roles;
mod selftest;
mod stage;
mod tokens;
mod upstream;
