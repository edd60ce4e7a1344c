//! What findings do without being asked: scan every service daily, and end acceptances on their day.
//!
//! The caller owns the task: it restarts or awaits it, and ends it by dropping the future.

use std::time::Duration;

use aiva_contracts::api::Guard;

use crate::service::Findings;

/// How often the schedule looks whether something is due.
pub const EVERY: Duration = Duration::from_secs(60);

/// Looks at once and then every minute, for good. A fault of the store is logged and tried again at the next look.
pub async fn schedule(app: Findings, guard: Guard) {
    let mut look = tokio::time::interval(EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        tick(&app, guard).await;
    }
}

async fn tick(app: &Findings, guard: Guard) {
    match app.schedule(guard).await {
        Ok(0) => {}
        Ok(scans) => tracing::info!(scans, "daily scans requested"),
        Err(error) => tracing::error!(error = %error, "cannot request daily scans"),
    }
    match app.store.rejudge(app.now()).await {
        Ok(0) => {}
        Ok(findings) => tracing::info!(findings, "findings changed by exceptions of today"),
        Err(error) => tracing::error!(error = %error, "cannot hold findings against exceptions"),
    }
}
