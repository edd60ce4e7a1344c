//! Advisories: where they come from and how they are kept.

pub mod update;
