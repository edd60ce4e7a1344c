//! Every open connection of each thread, so that any of them can be told to end.
//!
//! Connections end in three ways from outside: when the process stops (those that wait for a request at once, tunnels at the
//! end of the drain), when a new policy no longer allows an open tunnel, and when every place is taken and one that waits
//! must make way: the oldest of all threads. Start reading at [`Threads::make_way`].

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use super::judge::Permit;

/// How many connections of a thread are looked at for one that can make way: a bound on what a newcomer costs, some 20
/// microseconds. The next newcomer goes on where this one stopped.
const MOST_LOOKED_AT: usize = 1024;

/// How often a newcomer looks again because others were quicker.
const MOST_TRIES: usize = 8;

/// What a connection is doing.
#[derive(Default)]
enum Doing {
    /// Waiting for a request.
    #[default]
    Waiting,
    /// Serving one.
    Busy,
    /// Carrying a tunnel.
    Tunnel(Arc<dyn Permit>, SocketAddr),
}

/// One connection.
#[derive(Default)]
pub struct Handle {
    ended: AtomicBool,
    waker: AtomicWaker,
    doing: Mutex<Doing>,
}

impl Handle {
    /// It waits for a request.
    pub fn waits(&self) {
        *self.doing() = Doing::Waiting;
    }

    /// It serves a request. `false` if it was told to end before.
    pub fn is_busy(&self) -> bool {
        *self.doing() = Doing::Busy;
        !self.ended.load(Ordering::Acquire)
    }

    /// It carries a tunnel to this address.
    pub fn carries(&self, permit: Arc<dyn Permit>, connected: SocketAddr) {
        *self.doing() = Doing::Tunnel(permit, connected);
    }

    /// Tells it to end.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Whether it was told to.
    pub fn poll_ended(&self, context: &mut Context<'_>) -> Poll<()> {
        self.waker.register(context.waker());
        if self.ended.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Tells it to end if it waits for a request; whether it did, and was not told before.
    fn makes_way(&self) -> bool {
        // Under its lock: it is busy, or it is ended.
        let doing = self.doing();
        let can = self.can_make_way(&doing);
        if can {
            self.end();
        }
        can
    }

    fn can_make_way(&self, doing: &Doing) -> bool {
        matches!(doing, Doing::Waiting) && !self.ended.load(Ordering::Acquire)
    }

    /// Resolves when it is told to.
    pub async fn ended(&self) {
        poll_fn(|context| self.poll_ended(context)).await;
    }

    fn doing(&self) -> MutexGuard<'_, Doing> {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connections of all threads.
#[derive(Default)]
pub struct Threads {
    all: Mutex<Vec<Weak<Handles>>>,
    /// The number of the next connection. The threads count together: who is oldest is a question to all of them.
    next: Arc<AtomicU64>,
    /// Where to look next for one that makes way.
    oldest: AtomicU64,
}

impl Threads {
    /// One more thread.
    pub fn begin(&self) -> Arc<Handles> {
        let handles = Arc::new(Handles { next: Arc::clone(&self.next), ..Handles::default() });
        let mut all = self.lock();
        // A thread that was started again has left its old ones.
        all.retain(|handles| handles.strong_count() > 0);
        all.push(Arc::downgrade(&handles));
        handles
    }

    /// Ends one that waits for a request or for the rest of one, of the oldest that were not ended before; whether there was one.
    ///
    /// Who says a request at once is not among them before as many others have come as there are places that wait.
    pub fn make_way(&self) -> bool {
        let all: Vec<Arc<Handles>> = self.lock().iter().filter_map(Weak::upgrade).collect();
        // Again where the one that was found has begun a request meanwhile, or has made way for another.
        for _ in 0..MOST_TRIES {
            let from = self.oldest.load(Ordering::Relaxed);
            let looked: Vec<Look> = all.iter().map(|handles| handles.look(from)).collect();
            let age = |id: u64| id.wrapping_sub(from);
            let found = looked.iter().filter_map(|look| look.waiting.as_ref()).min_by_key(|(id, _)| age(*id));
            let Some((id, handle)) = found else {
                if let Some(last) = looked.iter().filter_map(|look| look.last).min_by_key(|last| age(*last)) {
                    self.oldest.store(last + 1, Ordering::Relaxed);
                }
                return false;
            };
            self.oldest.store(id + 1, Ordering::Relaxed);
            if handle.makes_way() {
                return true;
            }
        }
        false
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Handles>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a thread's connections are when they are looked through for one that can make way.
struct Look {
    /// The first that waits.
    waiting: Option<(u64, Arc<Handle>)>,
    /// The last that was looked at.
    last: Option<u64>,
}

/// All connections of one thread.
#[derive(Default)]
pub struct Handles {
    open: Mutex<BTreeMap<u64, Arc<Handle>>>,
    next: Arc<AtomicU64>,
    emptied: Notify,
}

impl Handles {
    /// A new connection; it is open until the registration is dropped.
    pub fn register(self: &Arc<Self>) -> Registration {
        let (id, handle) = (self.next.fetch_add(1, Ordering::Relaxed), Arc::new(Handle::default()));
        self.lock().insert(id, Arc::clone(&handle));
        Registration { id, handle, handles: Arc::clone(self) }
    }

    /// Ends those that wait for a request.
    pub fn end_idle(&self) {
        self.end_where(|doing| matches!(doing, Doing::Waiting));
    }

    /// Looks for the first that waits, from this number on and then from the beginning.
    fn look(&self, from: u64) -> Look {
        let open = self.lock();
        let mut last = None;
        let mut around =
            open.range(from..).chain(open.range(..from)).take(MOST_LOOKED_AT).inspect(|(id, _)| last = Some(**id));
        let waiting = around
            .find(|(_, handle)| handle.can_make_way(&handle.doing()))
            .map(|(id, handle)| (*id, Arc::clone(handle)));
        drop(around);
        Look { waiting, last }
    }

    /// Ends the tunnels that the policy in force no longer allows; how many.
    pub fn end_forbidden(&self) -> usize {
        // Judged outside the lock: a judge may take its time.
        let all: Vec<Arc<Handle>> = self.lock().values().cloned().collect();
        let is_forbidden = |handle: &&Arc<Handle>| {
            let (permit, connected) = match &*handle.doing() {
                Doing::Tunnel(permit, connected) => (Arc::clone(permit), *connected),
                Doing::Waiting | Doing::Busy => return false,
            };
            !permit.holds(connected)
        };
        all.iter().filter(is_forbidden).inspect(|handle| handle.end()).count()
    }

    /// Ends all.
    pub fn end_all(&self) {
        self.end_where(|_| true);
    }

    /// Resolves when none is open.
    pub async fn closed(&self) {
        loop {
            let mut emptied = std::pin::pin!(self.emptied.notified());
            emptied.as_mut().enable();
            if self.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn end_where(&self, which: impl Fn(&Doing) -> bool) {
        for handle in self.lock().values() {
            if which(&handle.doing()) {
                handle.end();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Handle>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a connection among the open ones.
pub struct Registration {
    id: u64,
    /// The connection.
    pub handle: Arc<Handle>,
    handles: Arc<Handles>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut open = self.handles.lock();
        open.remove(&self.id);
        if open.is_empty() {
            self.handles.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connections of two threads in the order in which they came: the thread, and whether it is busy.
    fn opened(rows: &[(usize, bool)]) -> (Threads, Vec<Registration>) {
        let threads = Threads::default();
        let each = [threads.begin(), threads.begin()];
        let opened = rows.iter().map(|(thread, is_busy)| {
            let registration = each[*thread].register();
            assert!(!is_busy || registration.handle.is_busy());
            registration
        });
        let opened = opened.collect();
        (threads, opened)
    }

    #[test]
    fn the_oldest_of_all_threads_makes_way() {
        // Where one thread has only the newest, that one is not the first to go.
        for (rows, order) in [
            (&[(0, false), (0, false), (1, false)][..], &[0, 1, 2][..]),
            (&[(1, false), (0, false), (1, false), (0, false)], &[0, 1, 2, 3]),
            (&[(0, true), (1, false), (0, false), (1, true)], &[1, 2]),
            (&[(0, true), (1, true)], &[]),
            (&[], &[]),
        ] {
            let (threads, opened) = opened(rows);
            for expected in order {
                assert!(threads.make_way());
                let ended = |at: &usize| opened[*at].handle.ended.load(Ordering::Acquire);
                assert!(ended(expected), "{rows:?}: {expected}");
                assert_eq!(
                    (0..opened.len()).filter(ended).count(),
                    order.iter().position(|at| at == expected).unwrap() + 1
                );
            }
            assert!(!threads.make_way(), "{rows:?}: nobody is left");
        }
    }

    #[test]
    fn one_that_waits_again_is_found_behind_more_than_are_looked_at_in_one_go() {
        let mut rows = vec![(0, true); 3 * MOST_LOOKED_AT];
        rows[2 * MOST_LOOKED_AT + 7].1 = false;
        let (threads, opened) = opened(&rows);
        let tries = (0..8).take_while(|_| !threads.make_way()).count();
        assert_eq!(tries, 2, "each goes on where the last has stopped");
        assert!(opened[2 * MOST_LOOKED_AT + 7].handle.ended.load(Ordering::Acquire));
        opened[0].handle.waits();
        assert!((0..8).any(|_| threads.make_way()), "and begins again at the oldest");
        assert!(opened[0].handle.ended.load(Ordering::Acquire));
    }
}
