//! What a service runs on: the settings of its AWS, Azure and GCP accounts, held against published controls.
//!
//! Its turn has not come; this crate holds its place in the import graph. It will promise:
//!
//! - collectors that read an account's inventory through `aiva-outbound` and keep the vendors' wire formats to themselves;
//! - rules that are data, compiled to predicates, each naming its control (CIS and others), what it read and how to mend it;
//! - findings as events, so that a public load balancer and a vulnerable library are one story about one service.
//!
//! It will never import another guard, nor change anything in an account.
