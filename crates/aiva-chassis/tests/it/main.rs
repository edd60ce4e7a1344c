//! The chassis through its public face.

#![expect(clippy::unwrap_used, reason = "a test and its helpers stop at the first surprise")]

mod alert;
#[expect(unreachable_pub, reason = "public to the fuzz targets")]
#[path = "../../fuzz/src/lib.rs"]
mod checks;
mod config;
mod fuzz_corpus;
mod http;
mod shutdown;
mod workers;
