//! The embedded store and the data directory. What both engines share is tested through `aiva-events`.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test, in its helpers too")]

mod directory;
mod sqlite;
