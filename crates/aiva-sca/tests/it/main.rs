//! Promises of the crate, checked through its public API.

mod inventory;
mod inventory_damage;
mod inventory_tables;
mod inventory_walk;
mod severity;
