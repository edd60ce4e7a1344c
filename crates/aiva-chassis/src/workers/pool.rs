//! A bounded pool: a queue and a number of workers.
//!
//! Promises: [`Pool::try_submit`] refuses at once when the queue is full and [`Pool::submit`] waits, except inside the pool's
//! own work, where waiting could be waiting for itself: there it refuses too. After [`Pool::close`], or when the pool's stage
//! of the shutdown begins, nothing new is taken (the item is handed back) and what was taken is finished. Every accepted item
//! gets exactly one outcome, at its [`Ticket`].
//!
//! Start reading at [`Pool::start`].

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Counts, Failure, Raised, Settings, attempt};
use crate::panic::{self, Entry, Panicked, Place};
use crate::shutdown::Stop;

tokio::task_local! {
    /// The pool whose work this is.
    static INSIDE: u64;
}

/// Why an item was not taken; it is handed back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused<I> {
    /// There is no room: try later, or answer "busy".
    #[error("the queue is full")]
    Full(I),
    /// The pool takes nothing any more.
    #[error("the pool is closed")]
    Closed(I),
}

impl<I> Refused<I> {
    /// The item.
    pub fn into_item(self) -> I {
        match self {
            Self::Full(item) | Self::Closed(item) => item,
        }
    }
}

/// Workers and their queue. Clones are one pool; it closes when the last clone is dropped.
pub struct Pool<I, O, E> {
    owner: Arc<Owner<I, O, E>>,
}

struct Owner<I, O, E>(Arc<Core<I, O, E>>);

/// One try at one item: the work's own result, unless it panicked.
type Try<O, E> = BoxFuture<'static, Result<Result<O, E>, Panicked>>;

struct Core<I, O, E> {
    id: u64,
    settings: Settings<E>,
    counts: Counts,
    work: Box<dyn Fn(I, CancellationToken) -> Try<O, E> + Send + Sync>,
    queue: Mutex<Queue<Job<I, O, E>>>,
    /// A permit for each free place in the queue; closed with the pool.
    room: Semaphore,
    /// A permit for each item in the queue, and one for each worker once the pool is closed.
    filled: Semaphore,
    cancel: CancellationToken,
    tracker: TaskTracker,
}

struct Queue<J> {
    jobs: VecDeque<J>,
    closed: bool,
}

struct Job<I, O, E> {
    item: I,
    cancel: CancellationToken,
    reply: oneshot::Sender<Result<O, Failure<E>>>,
    waiting: Raised,
}

impl<I, O, E> Pool<I, O, E>
where
    I: Clone + Send + 'static,
    O: Send + 'static,
    E: Send + 'static,
{
    /// Starts the workers. `name` is a metric label. The work gets the item and a token that tells when to give up; a
    /// cancelled item's future is dropped.
    pub fn start<F, Fut>(name: &'static str, settings: Settings<E>, stop: &Stop, work: F) -> Self
    where
        F: Fn(I, CancellationToken) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
    {
        let work = Arc::new(work);
        Self::run(name, settings, stop, move |item, cancel| {
            let (work, token) = (Arc::clone(&work), cancel.clone());
            Box::pin(async move {
                let run = panic::catch(Entry::Worker, || Place::new(name), async move { work(item, token).await });
                cancel.run_until_cancelled(run).await.unwrap_or(Err(Panicked))
            })
        })
    }

    /// Starts a pool for work that keeps a processor busy: each item runs on a thread that may block. A cancelled item is
    /// not interrupted: the work looks at its token.
    pub fn blocking<F>(name: &'static str, settings: Settings<E>, stop: &Stop, work: F) -> Self
    where
        F: Fn(I, &CancellationToken) -> Result<O, E> + Send + Sync + 'static,
    {
        let work = Arc::new(work);
        Self::run(name, settings, stop, move |item, cancel| {
            let work = Arc::clone(&work);
            let run = move || panic::catch_blocking(Entry::Worker, || Place::new(name), || work(item, &cancel));
            let joined = tokio::task::spawn_blocking(run);
            Box::pin(async move { joined.await.unwrap_or(Err(Panicked)) })
        })
    }

    fn run<F>(name: &'static str, settings: Settings<E>, stop: &Stop, work: F) -> Self
    where
        F: Fn(I, CancellationToken) -> Try<O, E> + Send + Sync + 'static,
    {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let core = Arc::new(Core {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            counts: Counts::of(name),
            work: Box::new(work),
            queue: Mutex::new(Queue { jobs: VecDeque::new(), closed: false }),
            room: Semaphore::new(settings.queue.max(1)),
            filled: Semaphore::new(0),
            cancel: CancellationToken::new(),
            tracker: TaskTracker::new(),
            settings,
        });
        for _ in 0..core.settings.workers {
            let (worker, held) = (Arc::clone(&core), stop.work(name));
            core.tracker.spawn(async move {
                let _held = held;
                while let Some(job) = worker.next().await {
                    worker.perform(job).await;
                }
            });
        }
        core.tracker.close();
        tokio::spawn(obey(Arc::clone(&core), stop.clone()));
        Self { owner: Arc::new(Owner(core)) }
    }

    /// Hands an item over, waiting for room; inside the pool's own work it refuses instead of waiting.
    ///
    /// # Errors
    /// [`Refused`] with the item.
    pub async fn submit(&self, item: I) -> Result<Ticket<O, E>, Refused<I>> {
        let core = self.core();
        if INSIDE.try_with(|id| *id == core.id).unwrap_or(false) {
            return self.try_submit(item);
        }
        match core.room.acquire().await {
            Ok(room) => {
                room.forget();
                core.enqueue(item)
            }
            Err(_) => Err(core.refuse(Refused::Closed(item))),
        }
    }

    /// Hands an item over if there is room.
    ///
    /// # Errors
    /// [`Refused`] with the item.
    pub fn try_submit(&self, item: I) -> Result<Ticket<O, E>, Refused<I>> {
        let core = self.core();
        match core.room.try_acquire() {
            Ok(room) => {
                room.forget();
                core.enqueue(item)
            }
            Err(tokio::sync::TryAcquireError::NoPermits) => Err(core.refuse(Refused::Full(item))),
            Err(tokio::sync::TryAcquireError::Closed) => Err(core.refuse(Refused::Closed(item))),
        }
    }

    /// Takes nothing new; what was taken is finished.
    pub fn close(&self) {
        self.core().close();
    }

    /// Takes nothing new and cancels what was taken.
    pub fn cancel(&self) {
        self.core().close();
        self.core().cancel.cancel();
    }

    /// Resolves when the pool is closed and everything it took has its outcome.
    pub async fn finished(&self) {
        self.core().tracker.wait().await;
    }

    fn core(&self) -> &Core<I, O, E> {
        &self.owner.0
    }
}

/// Closes the pool when its stage stops, and cancels the rest when the stage's time is over.
async fn obey<I, O, E>(core: Arc<Core<I, O, E>>, stop: Stop) {
    tokio::select! {
        () = core.tracker.wait() => return,
        () = stop.begun() => core.close(),
    }
    tokio::select! {
        () = core.tracker.wait() => {}
        () = stop.cut() => core.cancel.cancel(),
    }
}

impl<I, O, E> Core<I, O, E> {
    fn lock(&self) -> MutexGuard<'_, Queue<Job<I, O, E>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let mut queue = self.lock();
        if !queue.closed {
            queue.closed = true;
            self.room.close();
            self.filled.add_permits(self.settings.workers);
        }
    }

    /// Puts an item in the place that its caller holds, unless the pool was closed meanwhile.
    fn enqueue(&self, item: I) -> Result<Ticket<O, E>, Refused<I>> {
        let mut queue = self.lock();
        if queue.closed {
            return Err(self.refuse(Refused::Closed(item)));
        }
        let (reply, outcome) = oneshot::channel();
        let cancel = self.cancel.child_token();
        let ticket = Ticket { outcome, cancel: cancel.clone() };
        queue.jobs.push_back(Job { item, cancel, reply, waiting: Raised::on(&self.counts.waiting) });
        self.filled.add_permits(1);
        Ok(ticket)
    }

    fn refuse(&self, refused: Refused<I>) -> Refused<I> {
        self.counts.refused.inc();
        refused
    }

    /// The next item; `None` when the pool is closed and empty.
    async fn next(&self) -> Option<Job<I, O, E>> {
        self.filled.acquire().await.ok()?.forget();
        let job = self.lock().jobs.pop_front()?;
        self.room.add_permits(1);
        Some(job)
    }
}

impl<I: Clone, O, E> Core<I, O, E> {
    async fn perform(&self, job: Job<I, O, E>) {
        let Job { item, cancel, reply, waiting } = job;
        drop(waiting);
        let _running = Raised::on(&self.counts.running);
        let outcome = if cancel.is_cancelled() { Err(Failure::Cancelled) } else { self.work_on(item, &cancel).await };
        // What came to nothing because it was told to give up is cancelled, whatever it says itself.
        let outcome = if cancel.is_cancelled() && outcome.is_err() { Err(Failure::Cancelled) } else { outcome };
        self.counts.count(&outcome);
        let _nobody_waits = reply.send(outcome);
    }

    async fn work_on(&self, item: I, cancel: &CancellationToken) -> Result<O, Failure<E>> {
        let mut item = Some(item);
        let work = |attempt| {
            let item = if attempt < self.settings.tries { item.clone() } else { item.take() };
            let cancel = cancel.clone();
            async move {
                match item {
                    Some(item) => (self.work)(item, cancel).await,
                    None => Err(Panicked),
                }
            }
        };
        let tries = INSIDE.scope(self.id, attempt(&self.settings, &self.counts, work));
        tries.await
    }
}

impl<I, O, E> Drop for Owner<I, O, E> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<I, O, E> Clone for Pool<I, O, E> {
    fn clone(&self) -> Self {
        Self { owner: Arc::clone(&self.owner) }
    }
}

impl<I, O, E> fmt::Debug for Pool<I, O, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("workers", &self.owner.0.settings.workers).finish_non_exhaustive()
    }
}

/// The outcome of one item, when it is there. Dropping the ticket does not stop the work.
#[derive(Debug)]
pub struct Ticket<O, E> {
    outcome: oneshot::Receiver<Result<O, Failure<E>>>,
    cancel: CancellationToken,
}

impl<O, E> Ticket<O, E> {
    /// Gives the item up, whether it waits or runs.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }
}

impl<O, E> Future for Ticket<O, E> {
    type Output = Result<O, Failure<E>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // A reply that never comes means that the runtime went down with the worker.
        Pin::new(&mut self.outcome).poll(context).map(|outcome| outcome.unwrap_or(Err(Failure::Cancelled)))
    }
}
