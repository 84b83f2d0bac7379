//! A lane: gathers the records of its partitions into a batch and commits it, one transaction in flight.
//!
//! A partition is in the same lane as long as it is assigned, so its batches commit in order; lanes run side by side, so that one decodes while
//! another waits for MongoDB. Errors from outside are waited out here, with growing pauses: meanwhile the lane takes no more
//! records, its queue fills, and the source pauses the partitions.

use crate::absent_fields::AbsentFields;
use crate::batch::{Added, Batch};
use crate::breaker::{Breaker, BreakerLimits};
use crate::commit::{BatchSink, Before, Committed, Committer, Landed, Outcome, Transient};
use crate::error::IngestError;
use crate::fail_point::FailPoint;
use crate::progress::Progress;
use crate::publish::{Behind, Waiting};
use crate::source::{Chunk, Fence, GroupPositions};
use crate::store::Obstacle;
use model::clock::EventClock;
use model::decode::Decoder;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Chunks that wait before a lane. Kafka delivers runs of one partition; a short queue would let one lane's run keep the others idle.
const QUEUE: usize = 12;
/// A stream that flows always has records that were not read yet; a partition is behind when it was never read to its end for so long.
const BEHIND_AFTER: Duration = Duration::from_secs(1);

/// What a lane is told, in order.
#[derive(Debug)]
pub enum LaneCommand {
    /// A partition is this lane's from now on.
    Begin {
        /// Partition.
        partition: i32,
        /// Generation of the assignment.
        generation: u64,
        /// Its stored position.
        next: i64,
        /// What else it is.
        before: Before,
    },
    /// Records of one of its partitions.
    Records(Chunk),
    /// The consumer stands at `next`, the end of a partition, or there where it began.
    ReachedEnd {
        /// Partition.
        partition: i32,
        /// Where the consumer stands.
        next: Option<i64>,
        /// Generation of the assignment.
        generation: u64,
        /// Whether the run wants no more of it: nothing is worth waiting for then.
        last: bool,
    },
    /// Commit what is open and forget all partitions; answered when done.
    Drain(oneshot::Sender<()>),
}

/// What all lanes share.
#[derive(Debug)]
pub struct LaneContext<S> {
    /// Decoder of the schema.
    pub decoder: Decoder,
    /// Writes the batches.
    pub committer: Committer<S>,
    /// Which assignment is in force.
    pub fence: Arc<Fence>,
    /// What the run has done.
    pub progress: Arc<Progress>,
    /// Wakes the publishers.
    pub waiting: Arc<Waiting>,
    /// Positions for the group.
    pub positions: GroupPositions,
    /// Set where the group must be joined again.
    pub rejoin: Arc<AtomicBool>,
    /// Limits of a batch.
    pub limits: BatchLimits,
    /// Limits of the dead letters.
    pub breaker: BreakerLimits,
    /// Looks for fields that no record has.
    pub absent_fields: Arc<AbsentFields>,
    /// Whether records can be late at all, so that an event from the future does harm.
    pub warns_of_clocks: bool,
    /// Where a failure that ends the run goes.
    pub failures: mpsc::UnboundedSender<IngestError>,
}

/// When a batch commits.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    /// Records.
    pub records: usize,
    /// Bytes of payload.
    pub bytes: usize,
    /// Age.
    pub age: Duration,
}

/// The lane of each partition of an assignment, given how many records of it wait. The longest go first, each to the lane that has least,
/// so that lanes end together; partitions that are read to their end are spread evenly.
pub fn share(backlogs: impl IntoIterator<Item = (i32, u64)>, lanes: usize) -> HashMap<i32, usize> {
    let mut backlogs: Vec<(i32, u64)> = backlogs.into_iter().collect();
    backlogs.sort_unstable_by_key(|&(partition, records)| (Reverse(records), partition));
    let mut loads = vec![0_u64; lanes];
    let lane_of = |(partition, records): (i32, u64)| {
        let (lane, load) = loads.iter_mut().enumerate().min_by_key(|(_, load)| **load)?;
        *load = load.saturating_add(records).saturating_add(1);
        Some((partition, lane))
    };
    backlogs.into_iter().filter_map(lane_of).collect()
}

/// Starts a lane; it ends when the sender is dropped. `seed` spreads its retries from those of other lanes and workers.
pub fn start<S: BatchSink>(
    context: Arc<LaneContext<S>>,
    seed: u64,
) -> (mpsc::Sender<LaneCommand>, tokio::task::JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let (partitions, batch) = (HashMap::new(), Batch::default());
    let lane = Lane { context, seed, partitions, batch, generation: 0, deadline: None };
    (sender, tokio::spawn(lane.run(receiver)))
}

struct Lane<S> {
    context: Arc<LaneContext<S>>,
    seed: u64,
    partitions: HashMap<i32, PartitionState>,
    batch: Batch,
    generation: u64,
    /// When the open batch commits at the latest.
    deadline: Option<Instant>,
}

struct PartitionState {
    /// Committed position.
    next: i64,
    /// Position after the records in the open batch.
    open: i64,
    /// Since when not all of it has been read.
    unread_since: Option<Instant>,
    /// Held while that lasts too long to be the newest records only.
    behind: Option<Behind>,
    before: Before,
    breaker: Breaker,
}

impl<S: BatchSink> Lane<S> {
    async fn run(mut self, mut commands: mpsc::Receiver<LaneCommand>) {
        loop {
            let command = match self.deadline {
                None => commands.recv().await,
                Some(deadline) => match tokio::time::timeout_at(deadline, commands.recv()).await {
                    Ok(command) => command,
                    Err(_) => {
                        self.commit().await;
                        continue;
                    }
                },
            };
            match command {
                Some(command) => self.handle(command).await,
                None => return,
            }
        }
    }

    async fn handle(&mut self, command: LaneCommand) {
        match command {
            LaneCommand::Begin { partition, generation, next, before } => {
                self.generation = generation;
                // How much waits is not known yet; most starts have a backlog.
                let (unread_since, behind) = (None, Some(self.context.waiting.behind()));
                let breaker = Breaker::default();
                let state = PartitionState { next, open: next, unread_since, behind, before, breaker };
                self.partitions.insert(partition, state);
            }
            LaneCommand::Records(chunk) => self.take(&chunk).await,
            LaneCommand::ReachedEnd { partition, next, generation, last } => {
                self.reach_end(partition, next, generation);
                if last {
                    self.commit().await;
                }
            }
            LaneCommand::Drain(done) => {
                self.commit().await;
                self.forget();
                // The worker that asked may be gone; then nobody waits.
                let _ = done.send(());
            }
        }
    }

    async fn take(&mut self, chunk: &Chunk) {
        if chunk.generation != self.generation {
            return;
        }
        self.note_unread(chunk.partition);
        for record in chunk.records() {
            let Some(partition) = self.partitions.get_mut(&chunk.partition) else { return };
            if record.at.offset < partition.open {
                // Another worker stored it in the meantime, and the position was read again.
                continue;
            }
            let added = self.batch.add(&self.context.decoder, record, partition.next);
            partition.open = record.at.offset + 1;
            if added == Added::Event {
                self.context.absent_fields.note(record.payload);
            }
            if let Some(problem) = partition.breaker.record(added, self.context.breaker) {
                self.trip(chunk.partition, &problem);
                return;
            }
            self.deadline.get_or_insert_with(|| Instant::now() + self.context.limits.age);
            if self.batch.records() >= self.context.limits.records || self.batch.bytes() >= self.context.limits.bytes {
                self.commit().await;
            }
        }
    }

    fn note_unread(&mut self, partition: i32) {
        let Some(partition) = self.partitions.get_mut(&partition) else { return };
        if partition.unread_since.get_or_insert_with(Instant::now).elapsed() > BEHIND_AFTER {
            partition.behind.get_or_insert_with(|| self.context.waiting.behind());
        }
    }

    fn reach_end(&mut self, partition: i32, next: Option<i64>, generation: u64) {
        let Some(state) = self.partitions.get_mut(&partition) else { return };
        if generation != self.generation {
            return;
        }
        state.unread_since = None;
        self.context.absent_fields.reached_end();
        if state.behind.take().is_some() {
            tracing::debug!(partition, "read to its end");
        }
        if let Some(next) = next.filter(|&next| next > state.open) {
            self.batch.advance(partition, state.next, next);
            state.open = next;
            self.deadline.get_or_insert_with(|| Instant::now() + self.context.limits.age);
        }
    }

    /// Ends the run without the open batch, so that its records are read again once the cause is mended.
    fn trip(&mut self, partition: i32, problem: &str) {
        let example = self
            .batch
            .dead()
            .last()
            .map_or_else(String::new, |letter| format!(" The last one: {}.", letter.reject.message));
        let text = format!(
            "partition {partition}: {problem}, so the schema does not fit the topic; nothing of this batch was stored.{example} \
             `ingest dead list` shows the letters kept before it. Correct the schema and run again (`ingest dead replay` then settles \
             those letters); where the topic is meant to be so, raise dead_in_a_row and dead_ratio"
        );
        self.fail(IngestError::TooManyDeadLetters(text));
        self.forget();
    }

    /// Commits the open batch: repeats while MongoDB is away, gives up where the partitions are no longer ours.
    async fn commit(&mut self) {
        self.deadline = None;
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return;
        }
        if let Some(letter) = batch.dead().first() {
            self.context.progress.dead(&letter.reject);
        }
        let begun = Instant::now();
        let before = batch.spans().keys().filter_map(|id| Some((*id, self.partitions.get(id)?.before))).collect();
        let mut backoff = Backoff::new(self.seed);
        while self.context.fence.permits(self.generation) {
            match self.context.committer.commit(&batch, &before).await {
                Outcome::Committed(committed) => {
                    let partitions: Vec<_> = committed.moves.keys().collect();
                    tracing::debug!(?partitions, records = batch.records(), took = ?begun.elapsed(), "committed");
                    return self.committed(committed);
                }
                Outcome::Fenced => return self.fenced(),
                Outcome::Unknown(committed, error) => {
                    tracing::info!(error, "the result of a commit is not known; reading the positions");
                    if self.landed(&committed).await {
                        return self.committed(committed);
                    }
                }
                Outcome::Fatal(problem) => {
                    self.fail(IngestError::Outside(format!("MongoDB refuses a batch, and will again: {problem}")));
                    return self.forget();
                }
                Outcome::Conflict(problem) => {
                    if backoff.pause == LONGEST_PAUSE {
                        tracing::warn!(problem, "a batch keeps meeting another one; trying again");
                    }
                    self.context.progress.retry("another batch with the same ids", &problem);
                }
                Outcome::Unreachable(transient) => self.wait_for(&transient),
            }
            backoff.wait().await;
        }
        tracing::info!("an open batch was dropped with its partitions; their new owner reads it again");
        self.forget();
    }

    fn committed(&mut self, committed: Committed) {
        for (id, to) in &committed.moves {
            if let Some(partition) = self.partitions.get_mut(id) {
                partition.next = to.next;
                if self.context.warns_of_clocks && is_far_ahead(to.clock) && !is_far_ahead(partition.before.clock) {
                    tracing::warn!(
                        partition = id,
                        clock_ms = to.clock.now(),
                        "an event is dated more than a day ahead: what comes after it counts as late. `max_ahead` in the schema makes such \
                         records dead letters"
                    );
                }
                partition.before.clock = to.clock;
            }
        }
        if let Some(change) = &committed.changed
            && self.context.progress.changed()
        {
            tracing::warn!(
                partition = change.partition,
                id = change.id,
                field = change.field,
                "a record has the id of a stored event but other contents; the stored event stays. Later ones are only counted \
                 (duplicate_changed). If they are updates, add to `id` what tells the versions apart"
            );
        }
        if self.context.progress.committed(&committed) {
            tracing::info!("MongoDB takes batches again");
        }
        let mut positions = self.context.positions.lock().unwrap_or_else(PoisonError::into_inner);
        positions.extend(committed.moves.iter().map(|(&partition, to)| (partition, to.next)));
        drop(positions);
        FailPoint::BatchNoted.reached();
        if committed.moves.values().any(|to| to.counts.stored > 0) {
            self.context.waiting.notice(&committed.groups);
        }
    }

    /// Asks until the store tells whether a commit without an answer landed.
    async fn landed(&self, committed: &Committed) -> bool {
        let mut backoff = Backoff::new(self.seed);
        while self.context.fence.permits(self.generation) {
            match self.context.committer.landed(&committed.moves).await {
                Ok(Landed::Yes) => return true,
                Ok(Landed::No) => return false,
                Ok(Landed::Unacknowledged) => self.wait_for(&Transient {
                    cause: Obstacle::NoMajority,
                    detail: "a commit is not acknowledged".to_owned(),
                }),
                Err(transient) => self.wait_for(&transient),
            }
            backoff.wait().await;
        }
        false
    }

    /// Tells what is waited for, once as long as it is the same.
    fn wait_for(&self, Transient { cause, detail }: &Transient) {
        if self.context.progress.retry(&cause.to_string(), detail) {
            tracing::warn!("waiting for {cause} ({detail})");
        } else {
            tracing::debug!(detail, "a batch could not be committed; trying again");
        }
    }

    /// Another worker moved a position, so the assignment is not what this worker thinks: joins the group anew, which reads the
    /// stored positions again.
    fn fenced(&mut self) {
        tracing::info!("a batch was dropped: another worker has moved the position; joining the group again");
        self.context.progress.fenced();
        self.context.rejoin.store(true, Ordering::Relaxed);
        self.forget();
    }

    fn forget(&mut self) {
        self.batch = Batch::default();
        self.deadline = None;
        self.partitions.clear();
    }

    fn fail(&self, error: IngestError) {
        // The worker may have stopped already; then its reason is the older one.
        let _ = self.context.failures.send(error);
    }
}

/// Whether a partition's clock is ahead of the wall's by more than a day. Only for a warning: nothing is decided by it.
fn is_far_ahead(clock: EventClock) -> bool {
    const DAY_MS: i64 = 86_400_000;
    clock.now().is_some_and(|time| time.saturating_sub(bson::DateTime::now().timestamp_millis()) > DAY_MS)
}

/// Growing pauses between tries.
#[derive(Debug)]
pub(crate) struct Backoff {
    pause: Duration,
    /// State of a linear congruential generator.
    jitter: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(rand::random())
    }
}

impl Backoff {
    /// Equal seeds give equal pauses, so that a simulated run can be repeated.
    pub(crate) fn new(seed: u64) -> Self {
        Self { pause: FIRST_PAUSE, jitter: seed }
    }

    /// Waits half of the pause and a random part of the other half, so that workers do not come back at once.
    pub(crate) async fn wait(&mut self) {
        // Knuth's MMIX multiplier and increment; the upper bits are the random ones.
        self.jitter = self.jitter.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let fraction = f64::from((self.jitter >> 32) as u32) / f64::from(u32::MAX);
        tokio::time::sleep(self.pause.mul_f64(0.5 + 0.5 * fraction)).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn partitions_without_a_backlog_are_spread_evenly() {
        let lanes = share((0..6).map(|partition| (partition, 0)), 3);
        assert_eq!(lanes, (0..6).map(|partition| (partition, partition as usize % 3)).collect());
    }

    #[test]
    fn long_partitions_do_not_share_a_lane_with_each_other() {
        let lanes = share([(0, 90), (1, 10), (2, 20), (3, 80), (4, 10), (5, 70)], 3);
        assert_eq!(lanes, HashMap::from([(0, 0), (3, 1), (5, 2), (2, 2), (1, 1), (4, 0)]));
    }

    proptest! {
        #[test]
        fn every_partition_has_a_lane_and_no_lane_has_far_more_than_it_must(
            backlogs in prop::collection::vec(0..1_000_000_u64, 0..40),
            lanes in 1..9_usize,
        ) {
            let shared = share((0..).zip(backlogs.iter().copied()), lanes);
            prop_assert_eq!(shared.len(), backlogs.len());
            let mut loads = vec![0; lanes];
            for (partition, records) in (0..).zip(&backlogs) {
                loads[shared[&partition]] += records + 1;
            }
            // Whichever came last to a lane came to the one with the least.
            let all: u64 = loads.iter().sum();
            let longest = backlogs.iter().max().map_or(0, |records| records + 1);
            prop_assert!(loads.iter().all(|&load| load <= all / lanes as u64 + longest));
        }
    }
}
