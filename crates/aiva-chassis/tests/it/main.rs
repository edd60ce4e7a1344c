//! The chassis through its public face.

mod config;
mod http;
mod shutdown;
mod workers;
