//! A scan as server-sent events: its state at once, then every change, then the end.

use std::convert::Infallible;
use std::time::Duration;

use aiva_chassis::http::{Allowed, ApiError, Path};
use aiva_contracts::api::{Scan, scans::FollowScanPath};
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use tokio::sync::watch;
use uuid::Uuid;

use super::answer::{ReadScans, told};
use crate::scan;
use crate::service::Findings;

/// Another process may move the scan along without waking us, so we look at least this often.
const LOOK: Duration = Duration::from_secs(2);

/// `GET /v1/scans/{scan}/events`
pub(super) async fn follow_scan(
    _: Allowed<ReadScans>,
    State(app): State<Findings>,
    Path(path): Path<FollowScanPath>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let changes = app.follow();
    let scan = told(app.store.scan(path.scan).await)?;
    let follower = Follower { app, id: path.scan, changes, next: Some(scan), shown: None };
    let events = stream::unfold(follower, |mut follower| async move {
        let scan = follower.next().await?;
        let name = if scan::is_over(scan.state) { "end" } else { "progress" };
        let event = Event::default().event(name).json_data(&scan).ok()?;
        follower.shown = Some(scan);
        Some((Ok(event), follower))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

struct Follower {
    app: Findings,
    id: Uuid,
    changes: watch::Receiver<u64>,
    next: Option<Scan>,
    shown: Option<Scan>,
}

impl Follower {
    /// The next state to show; none after the end or when the scan is gone.
    async fn next(&mut self) -> Option<Scan> {
        if let Some(first) = self.next.take() {
            return Some(first);
        }
        if self.shown.as_ref().is_some_and(|shown| scan::is_over(shown.state)) {
            return None;
        }
        loop {
            // Either way we look; a closed channel only means that nobody will wake us.
            drop(tokio::time::timeout(LOOK, self.changes.changed()).await);
            let scan = self.app.store.scan(self.id).await.ok()?;
            if Some(&scan) != self.shown.as_ref() {
                return Some(scan);
            }
        }
    }
}
