//! Batches in MongoDB: the pipeline's port over the driver, with the meaning of each error of the server.

use super::{COMMAND_BYTES, DUPLICATE_KEY, Obstacle, Position, Store, WRITE_CONFLICT, error_code, in_commands};
use crate::batch::{CommitPlan, DeadLetter};
use crate::commit::{BatchSink, CommitError, Durability, PositionMove, Transient, WriteAbort};
use crate::dead_letters::{Letter, Settlement};
use crate::error::brief;
use crate::fail_point::FailPoint;
use bson::raw::{RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use bson::{Bson, DateTime, Document, doc};
use futures_util::TryStreamExt;
use model::layout::{DEAD_LETTERS, EVENTS, OFFSETS, ROLLUP_STATES};
use model::schema::Schema;
use mongodb::ClientSession;
use mongodb::error::{Error, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The driver holds a command's documents in memory twice.
const EVENT_BYTES: usize = 2 << 20;
const COMMIT_PAUSE: Duration = Duration::from_millis(100);
/// Requests to commit before the result is called unknown; the driver itself repeats each once.
const COMMIT_TRIES: u32 = 5;

/// Commits the batches of one schema into MongoDB.
#[derive(Debug, Clone)]
pub struct MongoSink {
    store: Store,
    schema: Arc<Schema>,
}

impl MongoSink {
    /// A sink over a connected store.
    pub fn new(store: Store, schema: Arc<Schema>) -> Self {
        Self { store, schema }
    }

    /// Sends updates in as few commands as their size allows.
    async fn update_in_commands(
        &self,
        session: &mut ClientSession,
        collection: &str,
        updates: &[RawDocumentBuf],
    ) -> Result<(), WriteAbort> {
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

impl BatchSink for MongoSink {
    type Transaction = ClientSession;

    async fn begin(&self) -> Result<ClientSession, WriteAbort> {
        let mut session = self.store.client().start_session().await?;
        session.start_transaction().await?;
        Ok(session)
    }

    async fn find_events(
        &self,
        ids: &[&RawDocumentBuf],
        mut found: impl FnMut(&RawDocument) + Send,
    ) -> Result<(), WriteAbort> {
        let mut values = RawArrayBuf::new();
        for id in ids {
            if let Ok(Some(value)) = id.get("_id") {
                values.push(value);
            }
        }
        let values =
            Bson::try_from(RawBsonRef::Array(&values)).map_err(|error| WriteAbort::Fatal(error.to_string()))?;
        let filter = doc! { "_id": { "$in": values } };
        let mut events = self.store.collection::<RawDocumentBuf>(EVENTS).find(filter).await?;
        while let Some(event) = events.try_next().await? {
            found(&event);
        }
        Ok(())
    }

    async fn move_positions(
        &self,
        session: &mut ClientSession,
        worker: &str,
        moves: &[PositionMove],
    ) -> Result<(), WriteAbort> {
        let updates: Vec<Document> = moves.iter().map(|one| position_update(&self.store, worker, one)).collect();
        let command = doc! { "update": OFFSETS, "updates": updates };
        let answer = self.store.database().run_command(command).session(session).await.map_err(at_positions)?;
        check_writes(&answer)?;
        let matched = answer.get_i32("n").unwrap_or_default();
        if usize::try_from(matched) == Ok(moves.len()) { Ok(()) } else { Err(WriteAbort::Fenced) }
    }

    async fn insert_events(
        &self,
        session: &mut ClientSession,
        events: &[Cow<'_, RawDocumentBuf>],
    ) -> Result<(), WriteAbort> {
        let collection = self.store.collection::<RawDocumentBuf>(EVENTS);
        for some in in_commands(events, EVENT_BYTES) {
            collection.insert_many(some.iter().map(Cow::as_ref)).session(&mut *session).await.map_err(at_events)?;
        }
        Ok(())
    }

    async fn insert_states(&self, session: &mut ClientSession, states: Vec<RawDocumentBuf>) -> Result<(), WriteAbort> {
        if !states.is_empty() {
            self.store.collection::<RawDocumentBuf>(ROLLUP_STATES).insert_many(states).session(session).await?;
        }
        Ok(())
    }

    async fn insert_dead_letters(&self, session: &mut ClientSession, letters: &[DeadLetter]) -> Result<(), WriteAbort> {
        let keep = |letter: &DeadLetter| Letter::new(&self.store, &self.schema, letter).upsert();
        let updates = letters.iter().map(keep).collect::<Result<Vec<_>, _>>();
        let updates = updates.map_err(|error| WriteAbort::Fatal(error.to_string()))?;
        self.update_in_commands(session, DEAD_LETTERS, &updates).await
    }

    async fn settle(
        &self,
        session: &mut ClientSession,
        settlement: &Settlement,
        plan: &CommitPlan<'_>,
    ) -> Result<(), WriteAbort> {
        settlement.write(&self.store, &self.schema, plan, session).await
    }

    async fn commit(&self, session: &mut ClientSession) -> Result<(), CommitError> {
        let is_unknown = |error: &Error| error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT);
        for _ in 1..COMMIT_TRIES {
            match FailPoint::CommitSent.reached_during(session.commit_transaction().into_future()).await {
                Err(error) if is_unknown(&error) => tokio::time::sleep(COMMIT_PAUSE).await,
                other => return Ok(other.map_err(WriteAbort::from)?),
            }
        }
        match session.commit_transaction().await {
            Err(error) if is_unknown(&error) => Err(CommitError::Unknown(brief(&error))),
            other => Ok(other.map_err(WriteAbort::from)?),
        }
    }

    async fn positions(&self, durability: Durability) -> Result<BTreeMap<i32, Position>, Transient> {
        let positions = match durability {
            Durability::Local => self.store.newest_positions().await,
            Durability::Majority => self.store.positions().await,
        };
        positions
            .map_err(|error| Transient { cause: Obstacle::of(&error).unwrap_or(Obstacle::Away), detail: brief(&error) })
    }

    async fn release_abandoned(&self) {
        self.store.release_abandoned().await;
    }
}

/// The update of one position, which matches nothing unless the position is where the move expects it.
///
/// A position that is elsewhere belongs to another worker (invariant I3), one with another plan to workers whose rollups are others, and
/// one with more gaps is of a log that has begun again.
fn position_update(store: &Store, worker: &str, one: &PositionMove) -> Document {
    let PositionMove { partition, to, gaps, plan } = one;
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
    let mut update = doc! { "$set": { "next": to.next, "worker": worker }, "$inc": increments, "$currentDate": now };
    if let Some(clock) = to.clock.now() {
        // A dead letter that was replayed meanwhile may have set it further.
        update.insert("$max", doc! { "clock": DateTime::from_millis(clock) });
    }
    // One gap more, and the same number is an offset of another log.
    let expected = doc! {
        "_id": store.position_id(*partition), "next": to.from, "plan": plan,
        format!("gaps.{gaps}"): { "$exists": false },
    };
    doc! { "q": expected, "u": update }
}

/// An error of the insert of events: one whose id is there already is to be looked up.
fn at_events(error: Error) -> WriteAbort {
    if error_code(&error) == Some(DUPLICATE_KEY) { WriteAbort::DuplicateId(brief(&error)) } else { error.into() }
}

/// An error at the positions: a conflict there is with a transaction that is still open.
pub(crate) fn at_positions(error: Error) -> WriteAbort {
    if error_code(&error) == Some(WRITE_CONFLICT) { WriteAbort::PositionsHeld(brief(&error)) } else { error.into() }
}

impl From<Error> for WriteAbort {
    fn from(error: Error) -> Self {
        if matches!(error_code(&error), Some(DUPLICATE_KEY | WRITE_CONFLICT)) {
            return Self::Conflict(brief(&error));
        }
        match Obstacle::of(&error) {
            Some(cause) => Self::Transient(Transient { cause, detail: brief(&error) }),
            None => Self::Fatal(brief(&error)),
        }
    }
}

/// Checks the answer to a command that may have written only in part; such an answer is no error of its own.
pub(crate) fn check_writes(answer: &Document) -> Result<(), WriteAbort> {
    let errors = answer.get_array("writeErrors").ok();
    let Some(Bson::Document(error)) = errors.and_then(|errors| errors.first()) else { return Ok(()) };
    let message = error.get_str("errmsg").unwrap_or("unknown").to_owned();
    Err(match error.get_i32("code") {
        Ok(DUPLICATE_KEY | WRITE_CONFLICT) => WriteAbort::Conflict(message),
        _ => WriteAbort::Fatal(message),
    })
}
