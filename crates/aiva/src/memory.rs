//! Memory that was freed goes back to the system before something else needs room.
//!
//! An allocator keeps what is freed for what comes next. Where a command reads much and then makes a report of it, what the reading
//! left lies in other pieces than the report asks for, and the peak would be the sum of both.

use tikv_jemalloc_ctl::{Access as _, AsName as _, arenas};

/// Whether the thread that asks keeps pieces that it freed.
const KEEPS: &str = "thread.tcache.enabled\0";

/// Gives back what is freed now. It costs a call to the system for each piece: for commands that have just freed megabytes.
pub(crate) fn give_back() {
    // A thread that stops keeping pieces for itself gives up those that it has.
    if let Ok(true) = KEEPS.name().update(false) {
        _ = KEEPS.name().write(true);
    }
    let count = arenas::narenas::read().unwrap_or(0);
    for arena in 0..count {
        // An arena that decays at once gives back all that it has. One that does not exist yet has nothing, and says so.
        let name = format!("arena.{arena}.dirty_decay_ms\0");
        let before: Result<isize, _> = name.name().update(0);
        if let Ok(before) = before {
            _ = name.name().write(before);
        }
    }
}
