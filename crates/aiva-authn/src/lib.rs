//! Who may come in: this guard will promise sign-in, MFA, OAuth 2.0 and OIDC, and tokens for people and services.
//!
//! What it promises today, so that no installation is ever open: one random token per installation ([`bootstrap`]), a
//! one-time link into the console ([`link`]), console sessions ([`session`]), and [`Door`], which tells from them who sent a
//! request. All secrets are random, compared in constant time, and kept as a hash wherever they need not be shown again.
//! There are no accounts and no roles yet: whoever holds the token may do everything.
//!
//! Start reading at [`door::Door`].

pub mod bootstrap;
mod destination;
pub mod door;
pub mod http;
pub mod link;
mod origin;
pub mod session;
pub mod throttle;

pub use door::Door;
