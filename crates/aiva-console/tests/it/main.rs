//! The console as people and browsers see it, over a fake API that answers as the contract says.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod browser;
mod company;
mod headers;
mod hostile;
mod pages;
