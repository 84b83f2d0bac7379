//! The publishers: one for each state table combines the partial states that batches have stored into the flat rows that people read.
//!
//! Rows are absolute values under a `revision` that only grows. One worker at a time publishes a table, by a lease; what a
//! worker leaves behind when it dies, any other finds and publishes.

mod combine;
mod known;
mod lease;
mod ranks;
mod rows;

pub use combine::waiting_for;

use crate::store::Store;
use crate::topic::TopicInspector;
use bson::DateTime;
use combine::Combined;
use known::KnownRows;
use lease::Lease;
use model::clock::{PartitionClock, Watermark};
use model::rollup::RollupPlan;
use model::schema::Schema;
use mongodb::error::Error;
use rows::RowWriter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Publishing one table takes at most this share of the time, so that a large table leaves the ingest its share; a small one
/// is published at every interval.
const SHARE: f64 = 0.1;
/// How often a publisher looks at the stream, and for what other workers may have left behind.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
const RETRY_PAUSE: Duration = Duration::from_secs(1);
const BUSY_PAUSE: Duration = Duration::from_millis(50);

/// Tells the publishers that partial states wait.
#[derive(Debug)]
pub struct Waiting(Vec<AtomicBool>);

impl Waiting {
    /// One for each table of the plan; at first something may wait that an earlier worker has left.
    pub fn new(plan: &RollupPlan) -> Self {
        Self(plan.tables().iter().map(|_| AtomicBool::new(true)).collect())
    }

    /// A batch has stored partial states.
    pub fn notice(&self) {
        self.0.iter().for_each(|table| table.store(true, Ordering::Release));
    }

    fn notice_table(&self, table: usize) {
        self.0[table].store(true, Ordering::Release);
    }

    fn take(&self, table: usize) -> bool {
        self.0[table].swap(false, Ordering::AcqRel)
    }
}

/// What the publishers of all tables share.
#[derive(Clone)]
pub struct PublishContext {
    /// Where states and rows are.
    pub store: Store,
    /// The schema with the rollups.
    pub schema: Arc<Schema>,
    /// Set by the lanes.
    pub waiting: Arc<Waiting>,
    /// Tells where the topic ends, which decides whether a partition is idle.
    pub inspector: TopicInspector,
    /// This worker, as it stands in leases.
    pub worker: String,
    /// Shortest interval between two rounds of a table.
    pub interval: Duration,
}

/// The publishers that run beside the lanes, one for each state table.
#[derive(Debug)]
pub struct RunningPublishers {
    finish: watch::Sender<bool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// Starts a publisher for each state table of the schema.
pub fn start(context: &PublishContext) -> RunningPublishers {
    let (finish, finished) = watch::channel(false);
    let tables = 0..context.schema.rollups().tables().len();
    let tasks =
        tables.map(|place| tokio::spawn(Publisher::new(context.clone(), place).run(finished.clone()))).collect();
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

/// Publishes one state table.
struct Publisher {
    context: PublishContext,
    /// Place of the table in the plan.
    place: usize,
    known: KnownRows,
    watermark: Watermark,
    looked: Option<Instant>,
}

/// How a turn of a publisher ended.
enum Turn {
    /// Nothing waits.
    Idle,
    /// A round was published.
    Published {
        /// More waited than a round takes.
        more: bool,
    },
    /// Another worker publishes the table.
    Busy,
}

impl Publisher {
    fn new(context: PublishContext, place: usize) -> Self {
        Self { context, place, known: KnownRows::default(), watermark: Watermark::Unknown, looked: None }
    }

    async fn run(mut self, mut finished: watch::Receiver<bool>) {
        loop {
            // Whoever is told to finish publishes everything that waits by then.
            let last = *finished.borrow();
            if last {
                self.context.waiting.notice_table(self.place);
            }
            let begun = Instant::now();
            let pause = match self.turn().await {
                Ok(Turn::Idle) if last => return,
                Ok(Turn::Published { .. }) if last => continue,
                Ok(Turn::Busy) => BUSY_PAUSE,
                Ok(_) => self.context.interval.max(begun.elapsed().mul_f64(1.0 / SHARE - 1.0)),
                Err(error) => {
                    tracing::warn!(%error, "a rollup could not be published; trying again");
                    RETRY_PAUSE
                }
            };
            if last {
                tokio::time::sleep(pause).await;
            } else {
                // The sender is only dropped after it has sent.
                let _ = tokio::time::timeout(pause, finished.changed()).await;
            }
        }
    }

    /// Publishes what waits, as much as one round takes; what fails waits on.
    async fn turn(&mut self) -> Result<Turn, Error> {
        let (looked, turned) = self.look().await;
        if !self.context.waiting.take(self.place) && !looked {
            return Ok(Turn::Idle);
        }
        let turn = self.publish(turned).await;
        if turn.is_err() {
            self.known.forget();
            self.looked = None;
        }
        if matches!(turn, Err(_) | Ok(Turn::Busy | Turn::Published { more: true })) {
            self.context.waiting.notice_table(self.place);
        }
        turn
    }

    async fn publish(&mut self, turned: bool) -> Result<Turn, Error> {
        let begun = Instant::now();
        let Self { context, known, .. } = self;
        let (store, plan) = (&context.store, context.schema.rollups());
        let table = &plan.tables()[self.place];
        let Some(mut lease) = Lease::take(store, plan, table, &context.worker).await? else { return Ok(Turn::Busy) };
        known.hold_for(lease.revision);
        let combined = match lease.unfinished.take() {
            Some(states) => {
                tracing::info!(
                    table = table.id(),
                    revision = lease.revision,
                    "publishing a round that was not finished"
                );
                known.forget();
                combine::of_round(store, table, &states).await?
            }
            None => {
                let combined = combine::waiting(store, table).await?;
                if combined.states.is_empty() && !turned {
                    lease.release().await?;
                    return Ok(Turn::Idle);
                }
                lease.begin_round(&combined.states).await?;
                combined
            }
        };
        let Combined { states, groups, more } = combined;
        let count = groups.len();
        let (store, schema) = (context.store.clone(), Arc::clone(&context.schema));
        let writer =
            RowWriter { store, schema, place: self.place, revision: lease.revision, watermark: self.watermark };
        writer.write(groups, known, &mut lease).await?;
        if turned {
            writer.close_windows().await?;
        }
        known.advance(lease.revision);
        lease.finish_round(&states).await?;
        tracing::debug!(table = table.id(), rows = count, batches = states.len(), more, took = ?begun.elapsed(), "published");
        Ok(Turn::Published { more })
    }

    /// Looks, from time to time, how far the stream is: whether it was time to, and whether more windows may be final than before.
    async fn look(&mut self) -> (bool, bool) {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK_INTERVAL) {
            return (false, false);
        }
        self.looked = Some(Instant::now());
        match self.current_watermark().await {
            Some(watermark) if watermark != self.watermark => {
                self.watermark = watermark;
                (true, watermark != Watermark::Unknown)
            }
            _ => (true, false),
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
