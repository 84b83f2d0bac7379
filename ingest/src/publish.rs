//! The publisher: combines the states of touched windows over all partitions into the flat rows that people read.
//!
//! Rows are absolute values under a `revision` that only grows, so publishing twice, or by two workers, gives the same rows. One
//! worker at a time publishes a rollup, by a lease in the catalog; a row is only ever replaced by one of a larger revision. What
//! was touched but not published when a worker dies is found again: every state remembers the position that last changed it, and
//! the catalog the position up to which each partition is published.

mod round;
mod touched;

pub use touched::Touched;

use crate::store::Store;
use crate::topic::TopicInspector;
use bson::{DateTime, doc};
use model::clock::{PartitionClock, Watermark};
use model::layout::ROLLUP_CATALOG;
use model::rollup::Rollup;
use model::schema::Schema;
use mongodb::error::Error;
use round::{KnownRows, Round};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use touched::Pending;

/// Publishing one rollup takes at most this share of the time, so that a large table leaves the ingest its share; a small one
/// is published at every interval.
const SHARE: f64 = 0.1;
const WATERMARK_INTERVAL: Duration = Duration::from_secs(5);
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// What the publishers of all rollups share.
#[derive(Clone)]
pub struct PublishContext {
    /// Where states and rows are.
    pub store: Store,
    /// The schema with the rollups.
    pub schema: Arc<Schema>,
    /// What the lanes have changed.
    pub touched: Arc<Touched>,
    /// Tells where the topic ends, which decides whether a partition is idle.
    pub inspector: TopicInspector,
    /// This worker, as it stands in leases.
    pub worker: String,
    /// Shortest interval between two publications of a rollup.
    pub interval: Duration,
}

/// The publishers that run beside the lanes, one for each rollup.
#[derive(Debug)]
pub struct RunningPublishers {
    finish: watch::Sender<bool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// Starts a publisher for each rollup of the schema.
pub fn start(context: &PublishContext) -> RunningPublishers {
    let (finish, finished) = watch::channel(false);
    let rollups = 0..context.schema.rollups().rollups().len();
    let tasks =
        rollups.map(|place| tokio::spawn(Publisher::new(context.clone(), place).run(finished.clone()))).collect();
    RunningPublishers { finish, tasks }
}

impl RunningPublishers {
    /// Publishes what is left, and ends; gives up after `patience`, where there is a limit to it.
    pub async fn finish(self, patience: Option<Duration>) {
        let _ = self.finish.send(true);
        let deadline = patience.map(|patience| tokio::time::Instant::now() + patience);
        for mut task in self.tasks {
            let late = match deadline {
                Some(deadline) => tokio::time::timeout_at(deadline, &mut task).await.is_err(),
                None => (&mut task).await.is_err(),
            };
            if late {
                tracing::warn!("not everything could be published in time; the next worker publishes it");
                task.abort();
            }
        }
    }
}

/// Publishes one rollup.
struct Publisher {
    context: PublishContext,
    /// Place of the rollup in the plan.
    place: usize,
    known: KnownRows,
    watermark: Watermark,
    watermark_read: Option<Instant>,
}

impl Publisher {
    fn new(context: PublishContext, place: usize) -> Self {
        Self { context, place, known: KnownRows::default(), watermark: Watermark::Unknown, watermark_read: None }
    }

    async fn run(mut self, mut finished: watch::Receiver<bool>) {
        loop {
            // Whoever is told to finish publishes once more what came until then.
            let last = *finished.borrow();
            let begun = Instant::now();
            let pause = match self.publish_pending().await {
                Ok(()) if last => return,
                Ok(()) => self.context.interval.max(begun.elapsed().mul_f64(1.0 / SHARE - 1.0)),
                Err(error) => {
                    tracing::warn!(%error, "a rollup could not be published; trying again");
                    RETRY_PAUSE
                }
            };
            if last {
                tokio::time::sleep(pause.min(RETRY_PAUSE)).await;
            } else {
                // The sender is only dropped after it has sent.
                let _ = tokio::time::timeout(pause, finished.changed()).await;
            }
        }
    }

    /// Publishes everything touched so far; what fails stays touched.
    async fn publish_pending(&mut self) -> Result<(), Error> {
        let turned = self.read_watermark().await;
        let pending = self.context.touched.take(self.place);
        if pending.is_empty() && !turned {
            return Ok(());
        }
        let published = self.publish(&pending, turned).await;
        if published.is_err() {
            self.context.touched.put_back(self.place, pending);
            self.watermark_read = None;
        }
        published
    }

    async fn publish(&mut self, pending: &Pending, turned: bool) -> Result<(), Error> {
        let begun = Instant::now();
        let plan = self.context.schema.rollups();
        let rollup: &Rollup = &plan.rollups()[self.place];
        let round = Round::begin(&self.context.store, plan, rollup, &self.context.worker).await?;
        round.publish(&pending.windows, self.watermark, &mut self.known).await?;
        if turned {
            round.close_windows(self.watermark).await?;
        }
        round.finish(&pending.positions).await?;
        tracing::debug!(rollup = rollup.name(), windows = pending.windows.len(), took = ?begun.elapsed(), "published");
        Ok(())
    }

    /// Reads how far the stream is; true where more windows may be final than before.
    async fn read_watermark(&mut self) -> bool {
        if self.watermark_read.is_some_and(|read| read.elapsed() < WATERMARK_INTERVAL) {
            return false;
        }
        self.watermark_read = Some(Instant::now());
        match self.current_watermark().await {
            Some(watermark) if watermark != self.watermark => {
                self.watermark = watermark;
                watermark != Watermark::Unknown
            }
            _ => false,
        }
    }

    /// The watermark over all partitions of the topic, whoever works on them; `None` where a side does not answer.
    ///
    /// A partition is idle when nothing was stored from it for the idle timeout although all of it has been read.
    async fn current_watermark(&self) -> Option<Watermark> {
        let ends = self.context.inspector.watermarks().await.ok()?;
        let positions = self.context.store.positions().await.ok()?;
        let now = DateTime::now().timestamp_millis();
        let clocks = ends.iter().map(|end| match positions.get(&end.partition) {
            Some(position) => {
                let quiet = position
                    .updated_at
                    .is_none_or(|at| now - at.timestamp_millis() > self.context.schema.idle_timeout_ms());
                PartitionClock { clock: position.clock, idle: quiet && position.next >= end.high }
            }
            None => PartitionClock { clock: Default::default(), idle: end.low == end.high },
        });
        Some(Watermark::of(clocks, self.context.schema.allowed_lateness()))
    }
}

/// Reports the states of a partition that were changed but not published before its last worker went away.
///
/// # Errors
/// The driver's error; the caller decides whether to retry.
pub async fn recover(
    store: &Store,
    schema: &Schema,
    touched: &Touched,
    partition: i32,
    next: i64,
) -> Result<(), Error> {
    let field = format!("published.{partition}");
    let behind =
        doc! { "stream": schema.stream(), "$or": [{ &field: { "$lt": next } }, { &field: { "$exists": false } }] };
    let catalog = store.collection::<bson::Document>(ROLLUP_CATALOG);
    if catalog.find_one(behind).await?.is_some() {
        let states = round::unpublished(store, schema, partition).await?;
        if !states.is_empty() {
            tracing::info!(partition, states = states.len(), "publishing what the last worker did not");
        }
        touched.add_states(&states, &[(partition, next)]);
    }
    Ok(())
}
