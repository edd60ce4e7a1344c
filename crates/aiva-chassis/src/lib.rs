//! Running a service well: config, telemetry, panic containment, alerts, health, shutdown, workers, HTTP.
