//! One transaction: positions first, then events, states and dead letters (invariants I1 to I5).
//!
//! Which ids are stored already is looked up before the transaction, so that it overlaps with other lanes, and only for those that
//! [may be](crate::known_ids). Where the insert meets one all the same (a duplicate key, or a write conflict with a lane that stores it
//! just now), the transaction is aborted and the batch is tried again with a new look-up.

mod outcome;

pub use outcome::{Committed, Landed, Outcome};
pub(crate) use outcome::{Stop, check_writes};

use crate::batch::{Batch, CommitPlan, DeadLetter, Move, StoredEvents};
use crate::dead_letters::{Letter, Settlement};
use crate::fail_point::FailPoint;
use crate::known_ids::KnownIds;
use crate::stamp::{Counting, PlanInForce};
use crate::store::{COMMAND_BYTES, Obstacle, Position, Store, in_commands};
use bson::oid::ObjectId;
use bson::raw::{RawArrayBuf, RawBsonRef, RawDocumentBuf, cstr};
use bson::{Bson, DateTime, Document, doc};
use futures_util::TryStreamExt;
use model::clock::EventClock;
use model::layout::{DEAD_LETTERS, EVENTS, OFFSETS, ROLLUP_STATES};
use model::rollup::{Changes, RollupPlan, partial};
use model::schema::Schema;
use mongodb::ClientSession;
use mongodb::error::{Error, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use outcome::{classify, held, repeat};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The driver holds a command's documents in memory twice.
const EVENT_BYTES: usize = 2 << 20;
const COMMIT_PAUSE: Duration = Duration::from_millis(100);

/// What a partition was before a batch, beside its position.
#[derive(Debug, Clone, Copy, Default)]
pub struct Before {
    /// Its event clock.
    pub clock: EventClock,
    /// How many losses were accepted in it.
    pub gaps: usize,
}

/// Writes batches of one schema into one store.
#[derive(Debug, Clone)]
pub struct Committer {
    store: Store,
    schema: Arc<Schema>,
    plan: Arc<PlanInForce>,
    worker: String,
    timeout: Duration,
    known: Arc<KnownIds>,
}

/// What a transaction is for.
#[derive(Clone, Copy)]
enum Purpose<'a> {
    /// The batch was read from Kafka: its positions move.
    Advance,
    /// The batch was made of dead letters: they are settled, and no position moves.
    Settle(&'a Settlement),
}

impl Committer {
    /// A committer; `worker` stands in the positions it moves, `timeout` bounds one try.
    pub fn new(store: Store, schema: Arc<Schema>, plan: Arc<PlanInForce>, worker: String, timeout: Duration) -> Self {
        Self { store, schema, plan, worker, timeout, known: Arc::default() }
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
        let no_answer = || Error::custom(format!("no answer within {} s", self.timeout.as_secs()));
        // Until here nothing can have been stored: dropping the session aborts the transaction.
        let ids = batch.ids();
        let mut written = timeout_at(deadline, self.write(batch, &ids, before, purpose)).await;
        if let Ok(Err(Stop::Repeat(_))) = written {
            self.known.missed();
            written = timeout_at(deadline, self.write(batch, &ids, before, purpose)).await;
        }
        let (mut session, committed) = match written {
            Ok(Ok(written)) => written,
            Ok(Err(stop)) => {
                // Positions are moved by their owner alone, so a conflict there is with one that is dead, or thinks it still is; or with a
                // replay, which is short.
                if matches!(stop, Stop::Held(_)) {
                    self.store.release_abandoned().await;
                }
                return stop.into();
            }
            Err(_) => return Outcome::Unreachable(Obstacle::Away, no_answer()),
        };
        match timeout_at(deadline, finish(&mut session)).await {
            Ok(Ok(())) => {
                FailPoint::CommitAnswered.reached();
                self.known.stored(&ids);
                Outcome::Committed(committed)
            }
            Ok(Err(error)) if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) => {
                Outcome::Unknown(committed, error)
            }
            Ok(Err(error)) => classify(error),
            Err(_) => Outcome::Unknown(committed, no_answer()),
        }
    }

    /// Whether this worker's commit with these moves is in the store.
    ///
    /// # Errors
    /// The driver's error; nothing is known then.
    pub async fn landed(&self, moves: &BTreeMap<i32, Move>) -> Result<Landed, Error> {
        let is_in = |stored: &BTreeMap<i32, Position>| {
            let ours = |position: &Position, to: &Move| position.next == to.next && position.worker == self.worker;
            moves.iter().all(|(partition, to)| stored.get(partition).is_some_and(|position| ours(position, to)))
        };
        // What the primary has without its majority stays or goes with the next election: until then neither is known, and trying
        // again would meet the position where this worker has moved it.
        if !is_in(&self.store.newest_positions().await?) {
            return Ok(Landed::No);
        }
        Ok(if is_in(&self.store.positions().await?) { Landed::Yes } else { Landed::Unacknowledged })
    }

    /// Writes everything inside a transaction that is still open.
    async fn write(
        &self,
        batch: &Batch,
        ids: &[RawDocumentBuf],
        before: &HashMap<i32, Before>,
        purpose: Purpose<'_>,
    ) -> Result<(ClientSession, Committed), Stop> {
        let stored = self.stored(batch, ids).await?;
        let clock = |partition| before.get(&partition).copied().unwrap_or_default().clock;
        let counting = self.plan.now();
        let plan = batch
            .plan(&self.schema, ids, &stored, clock, counting.stamp())
            .map_err(|error| Stop::Fatal(error.to_string()))?;
        FailPoint::BatchPlanned.reached();
        let mut session = self.store.client().start_session().await?;
        session.start_transaction().await?;
        match purpose {
            Purpose::Advance => {
                self.move_positions(&mut session, &plan.moves, before, counting.plan).await.map_err(held)?;
                FailPoint::PositionsMoved.reached();
                self.add_letters(&mut session, batch.dead()).await?;
                FailPoint::DeadLettersInserted.reached();
            }
            Purpose::Settle(settlement) => {
                settlement.write(&self.store, &self.schema, &plan, &mut session).await.map_err(held)?;
            }
        }
        let events = self.store.collection::<RawDocumentBuf>(EVENTS);
        for some in in_commands(&plan.documents, EVENT_BYTES) {
            events.insert_many(some.iter().map(Cow::as_ref)).session(&mut session).await.map_err(repeat)?;
        }
        FailPoint::EventsInserted.reached();
        let groups = self.add_states(&mut session, &plan, counting).await?;
        FailPoint::StatesInserted.reached();
        Ok((session, Committed { moves: plan.moves, groups, changed: plan.changed }))
    }

    /// Which of the ids are in the store. Of those the events are read, to see whether the repeats are the same; for new ids the index
    /// alone answers.
    async fn stored(&self, batch: &Batch, ids: &[RawDocumentBuf]) -> Result<StoredEvents, Error> {
        let mut stored = StoredEvents::default();
        let doubtful = self.known.doubtful(ids);
        if doubtful.is_empty() {
            return Ok(stored);
        }
        let mut values = RawArrayBuf::new();
        for id in doubtful {
            if let Ok(Some(value)) = id.get("_id") {
                values.push(value);
            }
        }
        let filter = doc! { "_id": { "$in": Bson::try_from(RawBsonRef::Array(&values)).map_err(Error::custom)? } };
        let mut found = self.store.collection::<RawDocumentBuf>(EVENTS).find(filter).await?;
        while let Some(event) = found.try_next().await? {
            stored.add(batch, ids, &event);
        }
        Ok(stored)
    }

    /// Moves every position from where this worker last saw it. One that is elsewhere belongs to another worker (invariant I3), one with
    /// another plan to workers whose rollups are others, and one with more gaps is of a log that has begun again.
    async fn move_positions(
        &self,
        session: &mut ClientSession,
        moves: &BTreeMap<i32, Move>,
        before: &HashMap<i32, Before>,
        plan: i64,
    ) -> Result<(), Stop> {
        let updates: Vec<Document> = moves
            .iter()
            .map(|(&partition, to)| {
                let set = doc! { "next": to.next, "worker": &self.worker };
                // The server's clock, which all workers share: whether a partition is idle is judged by it.
                let mut now = doc! { "updated_at": true };
                let counts = to.counts;
                if counts.stored > 0 {
                    now.insert("stored_at", true);
                }
                let increments = doc! {
                    "counts.read": counts.read, "counts.stored": counts.stored, "counts.duplicate": counts.duplicate,
                    "counts.duplicate_changed": counts.duplicate_changed,
                    "counts.filtered": counts.filtered, "counts.dead": counts.dead, "counts.late": counts.late,
                    "counts.set_aside": counts.set_aside,
                };
                let mut update = doc! { "$set": set, "$inc": increments, "$currentDate": now };
                if let Some(clock) = to.clock.now() {
                    // A dead letter that was replayed meanwhile may have set it further.
                    update.insert("$max", doc! { "clock": DateTime::from_millis(clock) });
                }
                let gaps = before.get(&partition).copied().unwrap_or_default().gaps;
                // One gap more, and the same number is an offset of another log.
                let mine = doc! {
                    "_id": self.store.position_id(partition), "next": to.from, "plan": plan, format!("gaps.{gaps}"): { "$exists": false },
                };
                doc! { "q": mine, "u": update }
            })
            .collect();
        let command = doc! { "update": OFFSETS, "updates": updates };
        let answer = self.store.database().run_command(command).session(&mut *session).await?;
        check_writes(&answer)?;
        let matched = answer.get_i32("n").unwrap_or_default();
        if usize::try_from(matched) == Ok(moves.len()) { Ok(()) } else { Err(Stop::Fenced) }
    }

    /// Stores what the batch adds to the rollups, for the publisher to combine; returns how many groups of each table that are.
    async fn add_states(
        &self,
        session: &mut ClientSession,
        plan: &CommitPlan<'_>,
        counting: Counting,
    ) -> Result<Vec<u32>, Stop> {
        let rollups = self.schema.rollups();
        let documents = partial_states(rollups, &plan.changes, counting.stamp());
        if !documents.is_empty() {
            let states = self.store.collection::<RawDocumentBuf>(ROLLUP_STATES);
            states.insert_many(documents).session(session).await?;
        }
        let groups = plan.changes.tables(rollups).map(|(_, groups)| u32::try_from(groups.len()).unwrap_or(u32::MAX));
        Ok(groups.collect())
    }

    /// Keeps the records that could not be used; one that another group of this database has kept before stays as it is.
    async fn add_letters(&self, session: &mut ClientSession, letters: &[DeadLetter]) -> Result<(), Stop> {
        let keep = |letter: &DeadLetter| Letter::new(&self.store, &self.schema, letter).upsert();
        let updates = letters.iter().map(keep).collect::<Result<Vec<_>, _>>();
        let updates = updates.map_err(|error| Stop::Fatal(error.to_string()))?;
        self.update_in_commands(session, DEAD_LETTERS, &updates).await
    }

    /// Sends updates in as few commands as their size allows.
    async fn update_in_commands(
        &self,
        session: &mut ClientSession,
        collection: &str,
        updates: &[RawDocumentBuf],
    ) -> Result<(), Stop> {
        for some in in_commands(updates, COMMAND_BYTES) {
            let array: RawArrayBuf = some.iter().map(|update| RawBsonRef::Document(update)).collect();
            let mut command = RawDocumentBuf::new();
            command.append(cstr!("update"), collection);
            command.append(cstr!("updates"), RawBsonRef::Array(&array));
            let answer = self.store.database().run_raw_command(command).session(&mut *session).await?;
            check_writes(&answer)?;
        }
        Ok(())
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

/// Commits; the driver asks once more by itself, and this some more times, where the result is unknown.
async fn finish(session: &mut ClientSession) -> Result<(), Error> {
    const TRIES: u32 = 5;
    for _ in 1..TRIES {
        match FailPoint::CommitSent.reached_during(session.commit_transaction().into_future()).await {
            Err(error) if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) => {
                tokio::time::sleep(COMMIT_PAUSE).await
            }
            other => return other,
        }
    }
    session.commit_transaction().await
}
