//! The publishers: one for each state table combines the partial states that batches have stored into the flat rows that people read.
//!
//! Rows are absolute values under a `revision` that only grows. One worker at a time publishes a table, by a lease; what a
//! worker leaves behind when it dies, any other finds and publishes.

mod close;
mod combine;
mod halt;
mod idle;
mod known;
mod lease;
mod pace;
mod present;
mod ranks;
mod rebuild;
mod rows;
mod running;
mod sessions;
mod stored;
mod tables;
mod waiting;

pub use combine::waiting_for;
pub use running::{Finish, RunningPublishers, start};
pub use waiting::{Behind, Waiting};

use crate::fail_point::FailPoint;
use crate::progress::Progress;
use crate::stamp::PlanInForce;
use crate::store::{Store, StoreError, WRITE_CONFLICT};
use crate::stream::Stage;
use crate::topic::TopicInspector;
use combine::Combined;
use halt::Halt;
use idle::Quiet;
use known::KnownRows;
use lease::{Asked, Lease};
use model::clock::{PartitionClock, Watermark};
use model::rollup::StateTable;
use model::schema::Schema;
use pace::time_between_rounds;
use present::Present;
use rows::RowWriter;
use sessions::SessionWriter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A round of fewer groups tells nothing about what one takes.
const FEW: u32 = 1_000;
/// What publishing one group takes, until it is known.
const FIRST_COST: Duration = Duration::from_micros(40);
/// How often a publisher looks at the stream, and for what other workers may have left behind.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
const RETRY_PAUSE: Duration = Duration::from_secs(1);
const BUSY_PAUSE: Duration = Duration::from_millis(50);

/// What the publishers of all tables share.
#[derive(Clone)]
pub struct PublishContext {
    /// Where states and rows are.
    pub store: Store,
    /// The schema with the rollups.
    pub schema: Arc<Schema>,
    /// Set by the lanes.
    pub waiting: Arc<Waiting>,
    /// The plan that this worker counts under.
    pub plan: Arc<PlanInForce>,
    /// Set where another plan is in force, so that the worker looks at it.
    pub rejoin: Arc<AtomicBool>,
    /// What the run has done.
    pub progress: Arc<Progress>,
    /// Tells where the topic ends, which decides whether a partition is idle.
    pub inspector: TopicInspector,
    /// This worker, as it stands in leases.
    pub worker: String,
    /// Shortest interval between two rounds of a table.
    pub interval: Duration,
    /// Stored events that a rebuild counts in one transaction.
    pub rebuild_events: u32,
}

/// Publishes one state table.
struct Publisher {
    context: PublishContext,
    /// Place of the table in the plan.
    place: usize,
    known: KnownRows,
    present: Present,
    watermark: Watermark,
    quiet: Quiet,
    looked: Option<Instant>,
    /// Whether all rows are written, and the last windows are being closed.
    closing: bool,
    /// The watermark, and the table's revision, at which no row was open that the watermark had passed.
    closed: Option<(Watermark, i64)>,
    /// End of the last round.
    published: Instant,
    /// What publishing one group takes.
    cost: Duration,
    /// Parts of a rebuild that were counted since the last round.
    parts: u32,
    /// Why nothing is published, where it takes somebody to act.
    halt: Option<Halt>,
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
    /// What waits is put off.
    NotDue,
    /// A part of a rebuild was done.
    Rebuilt,
    /// Another worker publishes the table.
    Busy,
}

impl Publisher {
    fn new(context: PublishContext, place: usize) -> Self {
        Self {
            context,
            place,
            known: KnownRows::default(),
            present: Present::default(),
            watermark: Watermark::Unknown,
            quiet: Quiet::default(),
            looked: None,
            closing: false,
            closed: None,
            published: Instant::now(),
            cost: FIRST_COST,
            parts: 0,
            halt: None,
        }
    }

    /// Publishes until it is told to finish; returns why its rows are not written, where it takes somebody to act.
    async fn run(mut self, mut finished: watch::Receiver<Option<Finish>>) -> Option<String> {
        loop {
            let finish = *finished.borrow();
            // Whoever is told to finish publishes everything that waits by then.
            let last = finish.is_some();
            if last {
                self.context.waiting.notice_table(self.place);
            }
            let pause = if self.is_halted() {
                RETRY_PAUSE
            } else {
                let store = self.context.store.clone();
                let turn = store.release_abandoned_during(self.turn(last)).await;
                // Nothing was tried where it was not due, or where another worker has the table.
                if !matches!(turn, Ok(Turn::NotDue | Turn::Busy)) {
                    self.tell(turn.as_ref().err()).await;
                }
                if turn.as_ref().is_err_and(|error| error.code() == Some(WRITE_CONFLICT)) {
                    store.release_abandoned().await;
                }
                match turn {
                    Ok(Turn::Idle) if finish == Some(Finish::RowsAndWindows) && !self.closing => {
                        self.closing = true;
                        continue;
                    }
                    Ok(Turn::Idle) if last => return None,
                    Ok(Turn::Published { .. }) if last => continue,
                    Ok(Turn::Busy) => BUSY_PAUSE,
                    Ok(Turn::Rebuilt) => continue,
                    Ok(_) => self.context.interval,
                    Err(_) => RETRY_PAUSE,
                }
            };
            if last && let Some(halt) = &self.halt {
                return Some(halt.cause.clone());
            }
            if last {
                tokio::time::sleep(pause).await;
            } else {
                // The sender is only dropped after it has sent.
                let _ = tokio::time::timeout(pause, finished.changed()).await;
            }
        }
    }

    /// Publishes what waits, as much as one round takes; what fails waits on.
    async fn turn(&mut self, last: bool) -> Result<Turn, StoreError> {
        let waits = self.context.waiting.any(self.place);
        if waits && !last && !self.is_due() {
            return Ok(Turn::NotDue);
        }
        // Right before a round: that the stream is idle holds no longer than until the next record.
        let looked = self.look().await;
        if !waits && !looked {
            return Ok(Turn::Idle);
        }
        self.context.waiting.take(self.place);
        let turn = self.publish(looked).await;
        if turn.is_err() {
            self.known.forget();
            self.looked = None;
        }
        if matches!(turn, Err(_) | Ok(Turn::Busy | Turn::Rebuilt | Turn::Published { more: true })) {
            self.context.waiting.notice_table(self.place);
        }
        turn
    }

    /// Whether what waits may be published now.
    fn is_due(&self) -> bool {
        let waiting = &self.context.waiting;
        self.published.elapsed() >= time_between_rounds(self.cost * waiting.groups(self.place), waiting.is_behind())
    }

    async fn publish(&mut self, looked: bool) -> Result<Turn, StoreError> {
        let context = self.context.clone();
        let plan = context.schema.rollups();
        let table = &plan.tables()[self.place];
        let number = context.plan.now().plan;
        match Lease::take(&context.store, plan, table, &context.worker, number).await? {
            Asked::Taken(lease) => match lease.stage {
                None => {
                    self.check_present(&lease).await?;
                    self.publish_round(*lease, looked, None).await
                }
                Some(stage) => self.rebuild(*lease, stage).await,
            },
            Asked::Busy => Ok(Turn::Busy),
            Asked::OtherPlan => {
                if context.plan.now().plan == number {
                    context.rejoin.store(true, Ordering::Relaxed);
                }
                Ok(Turn::Idle)
            }
        }
    }

    /// Combines what waits into the rows, and closes windows where the publisher has just looked at the stream; `next` is the stage of the
    /// table once nothing more waits.
    async fn publish_round(
        &mut self,
        mut lease: Lease<'_>,
        looked: bool,
        next: Option<Stage>,
    ) -> Result<Turn, StoreError> {
        let (begun, context) = (Instant::now(), self.context.clone());
        let (store, plan) = (&context.store, context.schema.rollups());
        let table = &plan.tables()[self.place];
        FailPoint::LeaseTaken.reached();
        let in_order = lease.stage.is_none();
        self.known.hold_for(lease.revision);
        let closed = Some((self.watermark, lease.revision));
        let closes = in_order && looked && self.watermark != Watermark::Unknown && self.closed != closed;
        let combined = match lease.unfinished.take() {
            Some(states) => {
                tracing::info!(
                    table = table.id(),
                    revision = lease.revision,
                    "publishing a round that was not finished"
                );
                self.known.forget();
                combine::of_round(store, table, &states, lease.moment()).await?
            }
            None => {
                let (mut combined, mut turn) = (combine::waiting(store, table, lease.moment()).await?, Turn::Idle);
                if table.has_sessions() && !combined.states.is_empty() {
                    let groups = combined.part.take_groups();
                    let count = groups.len();
                    let writer = self.sessions(&context, table, &lease);
                    writer.write(&mut lease, groups, &combined.states).await?;
                    combined.states.clear();
                    self.note_round(begun, count);
                    turn = Turn::Published { more: combined.more };
                }
                if combined.states.is_empty() && !in_order {
                    let stage = if combined.more { lease.stage } else { next };
                    lease.finish_round(&[], stage).await?;
                    return Ok(Turn::Rebuilt);
                }
                if combined.states.is_empty() && !(closes && self.rows(&lease).has_windows_to_close().await?) {
                    self.closed = if closes { Some((self.watermark, lease.revision)) } else { self.closed };
                    lease.release().await?;
                    return Ok(turn);
                }
                lease.begin_round(&combined.states).await?;
                FailPoint::RoundWritten.reached();
                combined
            }
        };
        let Combined { part, states, more } = combined;
        let rows = self.rows(&lease);
        let count = rows.write(part, &states, &mut self.known, &mut lease).await?;
        FailPoint::RowsWritten.reached();
        if closes {
            rows.close_windows().await?;
            self.closed = Some((self.watermark, lease.revision));
        }
        self.known.advance(lease.revision);
        let stage = if more { lease.stage } else { next };
        lease.finish_round(&states, stage).await?;
        FailPoint::RoundClosed.reached();
        self.note_round(begun, count);
        tracing::debug!(table = table.id(), rows = count, batches = states.len(), more, took = ?begun.elapsed(), "published");
        Ok(if in_order { Turn::Published { more } } else { Turn::Rebuilt })
    }

    /// Writes rows under the revision of the round that was begun last.
    fn rows(&self, lease: &Lease<'_>) -> RowWriter {
        RowWriter {
            store: self.context.store.clone(),
            schema: Arc::clone(&self.context.schema),
            place: self.place,
            revision: lease.revision,
            after: lease.moment(),
            watermark: self.watermark,
            carrier: lease.carrier.clone(),
            in_order: lease.stage.is_none(),
            number: lease.number,
        }
    }

    /// The same for sessions, whose rounds are transactions.
    fn sessions<'a>(&self, context: &'a PublishContext, table: &'a StateTable, lease: &Lease<'_>) -> SessionWriter<'a> {
        SessionWriter {
            store: &context.store,
            plan: context.schema.rollups(),
            table,
            after: lease.moment(),
            watermark: self.watermark,
            carrier: lease.carrier.clone(),
            in_order: lease.stage.is_none(),
        }
    }

    /// A round with so many groups is over.
    fn note_round(&mut self, begun: Instant, groups: usize) {
        self.published = Instant::now();
        if let Some(groups) = u32::try_from(groups).ok().filter(|&groups| groups >= FEW) {
            self.cost = begun.elapsed() / groups;
        }
    }

    /// Looks, from time to time, how far the stream is; whether it was time to.
    async fn look(&mut self) -> bool {
        if !self.closing && self.looked.is_some_and(|looked| looked.elapsed() < LOOK_INTERVAL) {
            return false;
        }
        self.looked = Some(Instant::now());
        if let Some(watermark) = self.current_watermark().await {
            self.watermark = watermark;
        }
        true
    }

    /// The watermark over all partitions of the topic, whoever works on them; `None` where a side does not answer.
    ///
    /// A partition is idle when nothing was stored from it for the idle timeout although all of it has been read.
    async fn current_watermark(&mut self) -> Option<Watermark> {
        let ends = self.context.inspector.watermarks().await.ok()?;
        let positions = self.context.store.positions().await.ok()?;
        let plan = self.context.plan.now().plan;
        if positions.values().any(|position| position.plan > plan) {
            self.context.rejoin.store(true, Ordering::Relaxed);
        }
        let now = self.context.store.server_time().await.ok()?;
        let (timeout, seen) = (self.context.schema.idle_timeout_ms(), Instant::now());
        let quiet = &mut self.quiet;
        let clocks = ends.iter().map(|end| match positions.get(&end.partition) {
            Some(position) => {
                let quiet = quiet.is_quiet(position, now, seen, timeout);
                PartitionClock { clock: position.clock, idle: quiet && position.next >= end.high }
            }
            None => PartitionClock { clock: Default::default(), idle: end.low == end.high },
        });
        Some(Watermark::of(clocks, self.context.schema.allowed_lateness()))
    }
}
