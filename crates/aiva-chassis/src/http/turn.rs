//! Large bodies take turns: only so many of them are in memory at once, however many callers send one.
//!
//! A body is large when it says so in `Content-Length`, or when more than that has come of it. The others wait before they are
//! read, so that they stay with their senders; who has waited long enough is told to come back. What is made of a large body
//! keeps its [`Turn`] for as long as it is about as large.
//!
//! Start reading at [`Turns::read`].

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http::StatusCode;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{extract::broken_body, problem::ApiError};

/// Who comes when all turns are taken is asked to come back after this long.
const COME_BACK: Duration = Duration::from_secs(10);

/// The turns of one kind of body; clones share them.
#[derive(Debug, Clone)]
pub struct Turns {
    free: Arc<Semaphore>,
    small: usize,
    wait: Duration,
}

/// The right to have a large body in memory; the next one is let in when it is dropped.
#[derive(Debug)]
pub struct Turn {
    _seat: OwnedSemaphorePermit,
}

impl Turns {
    /// At most `most` bodies of more than `small` bytes at once; others wait so long at most.
    pub fn new(most: usize, small: usize, wait: Duration) -> Self {
        Self { free: Arc::new(Semaphore::new(most)), small, wait }
    }

    /// The whole body, within the limit of the route, and the turn of one that is large.
    ///
    /// # Errors
    /// 503 when no turn came in time; what [`super::extract::read`] refuses.
    pub async fn read(&self, mut body: Body) -> Result<(Vec<u8>, Option<Turn>), ApiError> {
        let said = body.size_hint().exact().map_or(0, |said| usize::try_from(said).unwrap_or(usize::MAX));
        let mut turn = None;
        if said > self.small {
            turn = Some(self.take().await?);
        }
        let mut bytes = Vec::with_capacity(said);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|error| broken_body(&error))?.into_data() else { continue };
            if turn.is_none() && bytes.len() + data.len() > self.small {
                turn = Some(self.take().await?);
            }
            bytes.extend_from_slice(&data);
        }
        Ok((bytes, turn))
    }

    async fn take(&self) -> Result<Turn, ApiError> {
        match tokio::time::timeout(self.wait, Arc::clone(&self.free).acquire_owned()).await {
            Ok(Ok(seat)) => Ok(Turn { _seat: seat }),
            Ok(Err(_)) | Err(_) => Err(ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "other large bodies are being taken in; nothing was done, send it again later",
            )
            .with_retry_after(COME_BACK)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::stream;

    /// A body of so many bytes that says its length, or one that comes in pieces and does not.
    fn body(length: usize, says: bool) -> Body {
        if says {
            return Body::from(vec![b' '; length]);
        }
        let pieces: Vec<Result<Bytes, std::io::Error>> =
            vec![b' '; length].chunks(7).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        Body::from_stream(stream::iter(pieces))
    }

    #[tokio::test(start_paused = true)]
    async fn large_bodies_wait_for_their_turn_and_small_ones_do_not() {
        let turns = Turns::new(2, 10, Duration::from_secs(5));
        for says in [true, false] {
            let first = turns.read(body(11, says)).await.unwrap();
            let second = turns.read(body(30, says)).await.unwrap();
            assert_eq!((first.0.len(), second.0.len()), (11, 30), "{says}");
            assert!(turns.read(body(10, says)).await.unwrap().1.is_none(), "{says}: a small one has no turn");
            let started = tokio::time::Instant::now();
            let refused = turns.read(body(11, says)).await.unwrap_err();
            assert_eq!((refused.status().as_u16(), refused.code()), (503, "busy"), "{says}");
            assert_eq!(refused.headers()[0].1, "10", "{says}: it says when to come back");
            assert_eq!(started.elapsed(), Duration::from_secs(5), "{says}");
            let (waiting, _) = tokio::join!(turns.read(body(12, says)), async {
                tokio::time::sleep(Duration::from_secs(4)).await;
                drop(second);
            });
            assert!(waiting.unwrap().1.is_some(), "{says}: a turn that comes free is taken");
            drop(first);
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_gives_its_turn_back() {
        let turns = Turns::new(1, 2, Duration::ZERO);
        let broken = stream::iter([Ok(Bytes::from_static(b"1234")), Err(std::io::Error::other("gone"))]);
        assert_eq!(turns.read(Body::from_stream(broken)).await.unwrap_err().status().as_u16(), 400);
        assert!(turns.read(body(3, true)).await.unwrap().1.is_some());
    }
}
