//! The program as people and scripts run it: the real binary, folders of its own, loopback only.

#![expect(clippy::unwrap_used, reason = "a test and its helpers stop at the first surprise")]

mod clients;
mod deploy;
mod egress;
mod garbage;
mod grpc;
mod mcp;
mod mirror;
mod postgres;
mod program;
mod roles;
mod scan;
mod server;
mod update;
mod uploads;
mod versions;
mod watch;
