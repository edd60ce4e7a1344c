//! What a service is built from: inventory, advisory index, matching.

pub mod inventory;
pub mod package;
