//! What every fuzz target does: feeds the bytes to one reader and holds it to what it promises.

include!("feed.rs");
