//! The embedded store and the data directory. What both engines share is tested through `aiva-events`.

mod directory;
mod sqlite;
