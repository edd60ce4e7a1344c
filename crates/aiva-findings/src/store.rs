//! Where findings are kept. The embedded store is the only adapter so far, so there is no port trait yet.

pub mod sqlite;
