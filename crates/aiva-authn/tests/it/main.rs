//! Who gets in, through the crate's public face.

#![expect(clippy::unwrap_used, reason = "a test and its helpers stop at the first surprise")]

mod bootstrap;
mod console;
mod sessions;

use std::sync::{Arc, Mutex};

use aiva_chassis::clock::{Clock, SharedClock};
use jiff::{SignedDuration, Timestamp};

/// A clock that stands still until it is moved.
#[derive(Debug)]
struct Hands(Mutex<Timestamp>);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

fn clock() -> (Arc<Hands>, SharedClock) {
    let hands = Arc::new(Hands(Mutex::new(Timestamp::from_second(1_800_000_000).unwrap())));
    (Arc::clone(&hands), hands)
}

impl Hands {
    fn advance(&self, by: SignedDuration) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(by).unwrap();
    }
}
