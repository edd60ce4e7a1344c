//! The shared story: services, scans, findings and their lives, exceptions, read model, exports.
//!
//! Guards are heard of by event only; nothing here knows one. Where there is no server, the binary feeds a guard's results
//! through [`exception`] and [`export`], which are pure.
//!
//! Start reading at [`lifecycle`] for what can happen to a finding, at [`fingerprint`] for which finding it is, at
//! [`store`] for what is one transaction.

pub mod alerts;
mod contents;
pub mod events;
pub mod exception;
pub mod export;
pub mod fingerprint;
pub mod glob;
pub mod http;
pub mod lifecycle;
pub mod observation;
pub mod ports;
pub mod scan;
pub mod service;
pub mod store;
pub mod upload;
pub mod workers;
