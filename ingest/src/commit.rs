//! One transaction: positions first, then events, states and dead letters (invariants I1 to I5).
//!
//! Which ids are stored already is looked up before the transaction, so that it overlaps with other lanes, and only for those that
//! [may be](crate::known_ids). Where the insert meets one all the same (a duplicate key, or a write conflict with a lane that stores it
//! just now), the transaction is aborted and the batch is tried again with a new look-up.

mod outcome;
mod sink;

pub use outcome::{CommitError, Committed, Landed, Outcome, Transient, WriteAbort};
pub use sink::{BatchSink, Durability, PositionMove};

use crate::batch::{Batch, Move, StoredEvents};
use crate::dead_letters::Settlement;
use crate::fail_point::FailPoint;
use crate::known_ids::KnownIds;
use crate::stamp::PlanInForce;
use crate::store::{Obstacle, Position};
use bson::oid::ObjectId;
use bson::raw::{RawBsonRef, RawDocumentBuf, cstr};
use model::clock::EventClock;
use model::rollup::{Changes, RollupPlan, partial};
use model::schema::Schema;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What a partition was before a batch, beside its position.
#[derive(Debug, Clone, Copy, Default)]
pub struct Before {
    /// Its event clock.
    pub clock: EventClock,
    /// How many losses were accepted in it.
    pub gaps: usize,
}

/// Writes batches of one schema into one sink.
#[derive(Debug)]
pub struct Committer<S> {
    sink: S,
    schema: Arc<Schema>,
    plan: Arc<PlanInForce>,
    worker: String,
    timeout: Duration,
    known: KnownIds,
}

/// What a transaction is for.
#[derive(Clone, Copy)]
enum Purpose<'a> {
    /// The batch was read from Kafka: its positions move.
    Advance,
    /// The batch was made of dead letters: they are settled, and no position moves.
    Settle(&'a Settlement),
}

impl<S: BatchSink> Committer<S> {
    /// A committer; `worker` stands in the positions it moves, `timeout` bounds one try.
    pub fn new(sink: S, schema: Arc<Schema>, plan: Arc<PlanInForce>, worker: String, timeout: Duration) -> Self {
        Self { sink, schema, plan, worker, timeout, known: KnownIds::default() }
    }

    /// Tries to commit a batch once; `before` is what its partitions were before it.
    pub async fn commit(&self, batch: &Batch, before: &HashMap<i32, Before>) -> Outcome {
        self.attempt(batch, before, Purpose::Advance).await
    }

    /// Tries once to store what dead letters became, and that they are settled; [`Outcome::Fenced`] where a position does not
    /// allow it.
    pub(crate) async fn settle(&self, settlement: &Settlement, before: &HashMap<i32, Before>) -> Outcome {
        // Its ids are old ones: any of them may be stored.
        self.known.missed();
        self.attempt(settlement.batch(), before, Purpose::Settle(settlement)).await
    }

    async fn attempt(&self, batch: &Batch, before: &HashMap<i32, Before>, purpose: Purpose<'_>) -> Outcome {
        let deadline = Instant::now() + self.timeout;
        let no_answer = || format!("no answer within {} s", self.timeout.as_secs());
        // Until here nothing can have been stored: dropping the transaction aborts it.
        let ids = batch.ids();
        let mut written = timeout_at(deadline, self.write(batch, &ids, before, purpose)).await;
        if let Ok(Err(WriteAbort::DuplicateId(_))) = written {
            self.known.missed();
            written = timeout_at(deadline, self.write(batch, &ids, before, purpose)).await;
        }
        let (mut transaction, committed) = match written {
            Ok(Ok(written)) => written,
            Ok(Err(abort)) => {
                // Positions are moved by their owner alone, so a conflict there is with one that is dead, or thinks it still is; or with a
                // replay, which is short.
                if matches!(abort, WriteAbort::PositionsHeld(_)) {
                    self.sink.release_abandoned().await;
                }
                return abort.into();
            }
            Err(_) => return Outcome::Unreachable(Transient { cause: Obstacle::Away, detail: no_answer() }),
        };
        match timeout_at(deadline, self.sink.commit(&mut transaction)).await {
            Ok(Ok(())) => {
                FailPoint::CommitAnswered.reached();
                self.known.stored(&ids);
                Outcome::Committed(committed)
            }
            Ok(Err(CommitError::Unknown(detail))) => Outcome::Unknown(committed, detail),
            Ok(Err(CommitError::Aborted(abort))) => abort.into(),
            Err(_) => Outcome::Unknown(committed, no_answer()),
        }
    }

    /// Whether this worker's commit with these moves is in the store.
    ///
    /// # Errors
    /// The positions could not be read; nothing is known then.
    pub async fn landed(&self, moves: &BTreeMap<i32, Move>) -> Result<Landed, Transient> {
        let is_in = |stored: &BTreeMap<i32, Position>| {
            let ours = |position: &Position, to: &Move| position.next == to.next && position.worker == self.worker;
            moves.iter().all(|(partition, to)| stored.get(partition).is_some_and(|position| ours(position, to)))
        };
        // What the primary has without its majority stays or goes with the next election: until then neither is known, and trying
        // again would meet the position where this worker has moved it.
        if !is_in(&self.sink.positions(Durability::Local).await?) {
            return Ok(Landed::No);
        }
        Ok(if is_in(&self.sink.positions(Durability::Majority).await?) { Landed::Yes } else { Landed::Unacknowledged })
    }

    /// Writes everything inside a transaction that is still open.
    async fn write(
        &self,
        batch: &Batch,
        ids: &[RawDocumentBuf],
        before: &HashMap<i32, Before>,
        purpose: Purpose<'_>,
    ) -> Result<(S::Transaction, Committed), WriteAbort> {
        let stored = self.stored(batch, ids).await?;
        let before = |partition| before.get(&partition).copied().unwrap_or_default();
        let counting = self.plan.now();
        let plan = batch
            .plan(&self.schema, ids, &stored, |partition| before(partition).clock, counting.stamp())
            .map_err(|error| WriteAbort::Fatal(error.to_string()))?;
        FailPoint::BatchPlanned.reached();
        let mut transaction = self.sink.begin().await?;
        match purpose {
            Purpose::Advance => {
                let moves = plan.moves.iter().map(|(&partition, &to)| PositionMove {
                    partition,
                    to,
                    gaps: before(partition).gaps,
                    plan: counting.plan,
                });
                let moves: Vec<PositionMove> = moves.collect();
                self.sink.move_positions(&mut transaction, &self.worker, &moves).await?;
                FailPoint::PositionsMoved.reached();
                self.sink.insert_dead_letters(&mut transaction, batch.dead()).await?;
                FailPoint::DeadLettersInserted.reached();
            }
            Purpose::Settle(settlement) => self.sink.settle(&mut transaction, settlement, &plan).await?,
        }
        self.sink.insert_events(&mut transaction, &plan.documents).await?;
        FailPoint::EventsInserted.reached();
        let rollups = self.schema.rollups();
        // For the publisher to combine.
        let states = partial_states(rollups, &plan.changes, counting.stamp());
        self.sink.insert_states(&mut transaction, states).await?;
        FailPoint::StatesInserted.reached();
        let groups = plan.changes.tables(rollups).map(|(_, groups)| u32::try_from(groups.len()).unwrap_or(u32::MAX));
        let groups = groups.collect();
        Ok((transaction, Committed { moves: plan.moves, groups, changed: plan.changed }))
    }

    /// Which of the ids are in the store. Of those the events are read, to see whether the repeats are the same; for new ids the index
    /// alone answers.
    async fn stored(&self, batch: &Batch, ids: &[RawDocumentBuf]) -> Result<StoredEvents, WriteAbort> {
        let mut stored = StoredEvents::default();
        let doubtful = self.known.doubtful(ids);
        if !doubtful.is_empty() {
            self.sink.find_events(&doubtful, |event| stored.add(batch, ids, event)).await?;
        }
        Ok(stored)
    }
}

/// The documents of partial states that hold these changes; `stamp` tells a rebuild which of them are counted under its plan.
pub(crate) fn partial_states(plan: &RollupPlan, changes: &Changes, stamp: Option<i64>) -> Vec<RawDocumentBuf> {
    let mut documents = Vec::new();
    for (table, groups) in changes.tables(plan) {
        for states in partial::write(table, &groups) {
            let mut id = RawDocumentBuf::new();
            id.append(cstr!("t"), table.id());
            id.append(cstr!("i"), ObjectId::new());
            let mut document = RawDocumentBuf::new();
            document.append(cstr!("_id"), RawBsonRef::Document(&id));
            if let Some(stamp) = stamp {
                document.append(cstr!("plan"), stamp);
            }
            states.append_to(&mut document);
            documents.push(document);
        }
    }
    documents
}
