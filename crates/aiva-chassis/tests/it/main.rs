//! The chassis through its public face.

mod config;
mod workers;
