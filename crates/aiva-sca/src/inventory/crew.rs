//! Lets threads take work from a list, the caller's own among them, so that what it holds afterwards is in its own memory.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder};

/// Works on each item once, in their order, by so many threads; 0 for one a core. A thread that cannot be started is done without.
pub(crate) fn share<T: Sync>(threads: usize, items: &[T], work: &(dyn Fn(&T) + Sync)) {
    let most = match (threads, items) {
        (_, [] | [_]) => 1,
        (0, _) => thread::available_parallelism().map_or(1, NonZero::get),
        (threads, _) => threads,
    };
    let next = AtomicUsize::new(0);
    let take = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(item);
        }
    };
    thread::scope(|scope| {
        for _ in 1..most.min(items.len()) {
            drop(Builder::new().name("inventory".to_owned()).spawn_scoped(scope, take));
        }
        take();
    });
}
