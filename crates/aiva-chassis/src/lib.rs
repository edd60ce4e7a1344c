//! Running a service well: config, telemetry, panic containment, alerts, health, shutdown, workers, HTTP.

pub mod alert;
pub mod clock;
pub mod config;
pub mod health;
pub mod http;
pub mod panic;
pub mod resilience;
pub mod secret;
pub mod shutdown;
pub mod telemetry;
pub mod workers;
