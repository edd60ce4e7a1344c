//! Forgets records after their time, and tells each hour what was refused.
//!
//! The caller owns the task: it restarts it, and ends it by the stop.

use std::time::Duration;

use aiva_chassis::clock::SharedClock;
use aiva_chassis::shutdown::Stop;
use aiva_store::StoreError;

use crate::store::Store;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(5 * 60);

/// Looks at once and then every five minutes until the stop. A fault of the store is logged and tried again then.
pub async fn keep(store: Store, keep: Duration, clock: SharedClock, stop: Stop) {
    loop {
        if let Err(error) = look(&store, keep, &clock).await {
            tracing::warn!(error = %error, "records of egress decisions cannot be looked after now");
        }
        if !stop.sleep(EVERY).await {
            return;
        }
    }
}

async fn look(store: &Store, keep: Duration, clock: &SharedClock) -> Result<(), StoreError> {
    store.roll_up().await?;
    if let Ok(before) = clock.now().checked_sub(keep) {
        let gone = store.sweep(before).await?;
        if gone > 0 {
            tracing::info!(records = gone, "records of egress decisions have reached their age");
        }
    }
    Ok(())
}
