//! Tunnels: what is looked at when one opens, and how its bytes are carried.
//!
//! - [`hello`] and [`sniff`]: pure readers of first bytes;
//! - [`inspect`]: what is wrong with an opening, by the role's levels;
//! - [`open`]: holds the opening back until there is a verdict;
//! - [`relay`]: carries the rest.

pub mod hello;
pub mod inspect;
pub mod open;
pub mod relay;
pub mod sniff;
