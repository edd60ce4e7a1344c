//! A batch of items taken through stages, each with its own concurrency.
//!
//! Promises: a stage starts no more items than it has workers and pulls from the stage before only as it finishes, so a slow
//! stage slows the ones before it (back-pressure) and memory stays bounded; order is kept or not, stage by stage; every
//! failed item is in the report with its stage, and the others go on; cancelling stops pulling and drops what runs.
//!
//! Start reading at [`Pipeline::over`]; nothing runs before [`Pipeline::run`].

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Counts, Failure, Raised, Settings, attempt};
use crate::panic::{self, Entry, Panicked, Place};

/// Whether results leave a stage in the order in which the items came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they came: a slow item holds up the results behind it.
    Kept,
    /// As they are done.
    Free,
}

/// One item that did not make it.
#[derive(Debug, thiserror::Error)]
#[error("{stage}: item {item}")]
pub struct StageError<E> {
    /// The stage that it failed in.
    pub stage: &'static str,
    /// Its place among the items that reached the stage, from 0.
    pub item: u64,
    /// Why.
    pub failure: Failure<E>,
}

/// What became of the batch.
#[derive(Debug)]
pub struct Report<T, E> {
    /// What came out of the last stage.
    pub outputs: Vec<T>,
    /// Every item that was lost on the way.
    pub errors: Vec<StageError<E>>,
    /// Whether it was cancelled before the end.
    pub cancelled: bool,
}

/// How far a pipeline is; cheap to clone and to read while it runs.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Mutex<Vec<StageCount>>>);

/// How far one stage is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageProgress {
    /// Its name.
    pub stage: &'static str,
    /// Items that it was given.
    pub started: u64,
    /// Items that it is done with, well or not.
    pub finished: u64,
    /// Items that it lost.
    pub failed: u64,
}

#[derive(Debug, Clone)]
struct StageCount(&'static str, Arc<Figures>);

#[derive(Debug, Default)]
struct Figures {
    started: AtomicU64,
    finished: AtomicU64,
    failed: AtomicU64,
}

impl Progress {
    /// Every stage in order.
    pub fn stages(&self) -> Vec<StageProgress> {
        let read = |StageCount(stage, figures): &StageCount| StageProgress {
            stage,
            started: figures.started.load(Ordering::Relaxed),
            finished: figures.finished.load(Ordering::Relaxed),
            failed: figures.failed.load(Ordering::Relaxed),
        };
        lock(&self.0).iter().map(read).collect()
    }

    fn stage(&self, name: &'static str) -> Arc<Figures> {
        let figures = Arc::<Figures>::default();
        lock(&self.0).push(StageCount(name, Arc::clone(&figures)));
        figures
    }
}

/// Items on their way through stages. All stages share one error type.
pub struct Pipeline<T, E> {
    items: BoxStream<'static, T>,
    errors: Arc<Mutex<Vec<StageError<E>>>>,
    progress: Progress,
    cancel: CancellationToken,
}

impl<T, E> std::fmt::Debug for Pipeline<T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline").field("progress", &self.progress).finish_non_exhaustive()
    }
}

impl<T: Send + 'static, E: Send + 'static> Pipeline<T, E> {
    /// A pipeline over items that are at hand or made lazily.
    pub fn over<I>(items: I, cancel: CancellationToken) -> Self
    where
        I: IntoIterator<Item = T>,
        I::IntoIter: Send + 'static,
    {
        Self::from_stream(stream::iter(items), cancel)
    }

    /// A pipeline over items that arrive.
    pub fn from_stream(items: impl Stream<Item = T> + Send + 'static, cancel: CancellationToken) -> Self {
        let items = items.take_until(cancel.clone().cancelled_owned()).boxed();
        Self { items, errors: Arc::default(), progress: Progress::default(), cancel }
    }

    /// Fan-in: the items of both, as they come. The stages and errors of both are in one report.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let Self { items, errors: theirs, progress, cancel } = other;
        lock(&self.progress.0).extend(lock(&progress.0).iter().cloned());
        // The other side's errors are all there when its last item has come.
        let ours = Arc::clone(&self.errors);
        let hand_over = stream::once(async move {
            let late = std::mem::take(&mut *lock(&theirs));
            lock(&ours).extend(late);
            None
        });
        let items =
            items.take_until(cancel.cancelled_owned()).map(Some).chain(hand_over).filter_map(std::future::ready);
        Self { items: stream::select(self.items, items).boxed(), ..self }
    }

    /// Fan-out: works on `settings.workers` items at once, as tasks of their own.
    #[must_use]
    pub fn stage<O, F, Fut>(self, name: &'static str, settings: Settings<E>, order: Order, work: F) -> Pipeline<O, E>
    where
        T: Clone,
        O: Send + 'static,
        F: Fn(T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
    {
        let work = Arc::new(work);
        self.run_stage(name, settings, order, move |item| {
            let work = Arc::clone(&work);
            panic::catch(Entry::Worker, move || Place::new(name), async move { work(item).await })
        })
    }

    /// The same for work that keeps a processor busy: each item runs on a thread that may block. Cancelling does not
    /// interrupt an item that runs.
    #[must_use]
    pub fn stage_blocking<O, F>(
        self,
        name: &'static str,
        settings: Settings<E>,
        order: Order,
        work: F,
    ) -> Pipeline<O, E>
    where
        T: Clone,
        O: Send + 'static,
        F: Fn(T) -> Result<O, E> + Send + Sync + 'static,
    {
        let work = Arc::new(work);
        self.run_stage(name, settings, order, move |item| {
            let work = Arc::clone(&work);
            let run = move || panic::catch_blocking(Entry::Worker, || Place::new(name), || work(item));
            async move { tokio::task::spawn_blocking(run).await.unwrap_or(Err(Panicked)) }
        })
    }

    /// Takes lists apart: each item of each list goes on by itself, in order.
    #[must_use]
    pub fn flatten<O>(self) -> Pipeline<O, E>
    where
        T: IntoIterator<Item = O>,
        T::IntoIter: Send,
        O: Send + 'static,
    {
        let Self { items, errors, progress, cancel } = self;
        Pipeline { items: items.flat_map(stream::iter).boxed(), errors, progress, cancel }
    }

    /// Puts up to `size` items together.
    #[must_use]
    pub fn batch(self, size: usize) -> Pipeline<Vec<T>, E> {
        let Self { items, errors, progress, cancel } = self;
        Pipeline { items: items.chunks(size.max(1)).boxed(), errors, progress, cancel }
    }

    /// How far the stages are, to be read while it runs.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Runs everything and collects what comes out.
    pub async fn run(self) -> Report<T, E> {
        let mut outputs = Vec::new();
        let Report { errors, cancelled, .. } = self.each(|item| outputs.push(item)).await;
        Report { outputs, errors, cancelled }
    }

    /// Runs everything and hands each result over as it comes; the report has the errors.
    pub async fn each(mut self, mut take: impl FnMut(T)) -> Report<T, E> {
        while let Some(item) = self.items.next().await {
            take(item);
        }
        drop(self.items);
        let errors = std::mem::take(&mut *lock(&self.errors));
        Report { outputs: Vec::new(), errors, cancelled: self.cancel.is_cancelled() }
    }

    fn run_stage<O, F, Fut>(self, name: &'static str, settings: Settings<E>, order: Order, work: F) -> Pipeline<O, E>
    where
        T: Clone,
        O: Send + 'static,
        F: Fn(T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Result<O, E>, Panicked>> + Send + 'static,
    {
        let Self { items, errors, progress, cancel } = self;
        let (figures, workers) = (progress.stage(name), settings.workers);
        let stage = Arc::new(StageWork { settings, counts: Counts::of(name), work });
        let kept = Arc::clone(&errors);
        let started = items.map(move |item| {
            let number = figures.started.fetch_add(1, Ordering::Relaxed);
            let (stage, figures, kept) = (Arc::clone(&stage), Arc::clone(&figures), Arc::clone(&kept));
            let task = Task(tokio::spawn(async move { stage.perform(item).await }));
            async move {
                let outcome = task.await;
                figures.finished.fetch_add(1, Ordering::Relaxed);
                match outcome {
                    Ok(output) => Some(output),
                    Err(failure) => {
                        figures.failed.fetch_add(1, Ordering::Relaxed);
                        lock(&kept).push(StageError { stage: name, item: number, failure });
                        None
                    }
                }
            }
        });
        let done = match order {
            Order::Kept => started.buffered(workers).boxed(),
            Order::Free => started.buffer_unordered(workers).boxed(),
        };
        let items = done.filter_map(std::future::ready).take_until(cancel.clone().cancelled_owned()).boxed();
        Pipeline { items, errors, progress, cancel }
    }
}

struct StageWork<E, F> {
    settings: Settings<E>,
    counts: Counts,
    work: F,
}

impl<E, F> StageWork<E, F> {
    async fn perform<T, O, Fut>(&self, item: T) -> Result<O, Failure<E>>
    where
        T: Clone,
        F: Fn(T) -> Fut,
        Fut: Future<Output = Result<Result<O, E>, Panicked>>,
    {
        let _running = Raised::on(&self.counts.running);
        let mut item = Some(item);
        let work = |attempt| {
            let item = if attempt < self.settings.tries { item.clone() } else { item.take() };
            let work = item.map(&self.work);
            async move {
                match work {
                    Some(work) => work.await,
                    None => Err(Panicked),
                }
            }
        };
        let outcome = attempt(&self.settings, &self.counts, work).await;
        self.counts.count(&outcome);
        outcome
    }
}

/// A spawned item that is dropped with its pipeline.
struct Task<O, E>(JoinHandle<Result<O, Failure<E>>>);

impl<O, E> Future for Task<O, E> {
    type Output = Result<O, Failure<E>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|joined| joined.unwrap_or(Err(Failure::Cancelled)))
    }
}

impl<O, E> Drop for Task<O, E> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
