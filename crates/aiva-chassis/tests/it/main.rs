//! The chassis through its public face.

#![expect(clippy::unwrap_used, reason = "a test and its helpers stop at the first surprise")]

mod alert;
mod config;
mod http;
mod shutdown;
mod workers;
