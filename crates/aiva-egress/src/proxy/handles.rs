//! Every open connection of one thread, so that any of them can be told to end.
//!
//! Connections end in three ways from outside: when the process stops (those that wait for a request at once, tunnels at the
//! end of the drain), when a new policy no longer allows an open tunnel, and when every place is taken and one that waits
//! must make way. Start reading at [`Handles::end_idle`].

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use super::judge::Permit;

/// How many connections of a thread are looked at for one that can make way: a bound on what a newcomer costs, some 20
/// microseconds. The next newcomer goes on where this one stopped.
const MOST_LOOKED_AT: usize = 1024;

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

    /// Resolves when it is told to.
    pub async fn ended(&self) {
        poll_fn(|context| self.poll_ended(context)).await;
    }

    fn doing(&self) -> MutexGuard<'_, Doing> {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All connections of one thread.
#[derive(Default)]
pub struct Handles {
    open: Mutex<BTreeMap<u64, Arc<Handle>>>,
    next: AtomicU64,
    /// Where to look next for one that makes way.
    oldest: AtomicU64,
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

    /// Ends one that waits for a request or for the rest of one, of the oldest that were not ended before; whether there was one.
    ///
    /// Who says a request at once is not among them before as many others have come as there are places.
    pub fn make_way(&self) -> bool {
        let open = self.lock();
        let from = self.oldest.load(Ordering::Relaxed);
        let around = open.range(from..).chain(open.range(..from)).take(MOST_LOOKED_AT);
        for (id, handle) in around {
            self.oldest.store(id + 1, Ordering::Relaxed);
            // Under its lock: it is busy, or it is ended.
            let doing = handle.doing();
            if matches!(*doing, Doing::Waiting) && !handle.ended.load(Ordering::Acquire) {
                handle.end();
                return true;
            }
        }
        false
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
