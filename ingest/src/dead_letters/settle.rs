//! What a transaction writes for dead letters that are decoded again.
//!
//! The positions do not move. Their counts do, so that every record stays in exactly one count (invariant I4), and being the
//! documents that every batch changes, they serialise this with the worker. The letters are changed only where they are still open, so
//! two replays at once settle each of them once.

use super::{Letter, Outcome};
use crate::batch::{Added, Batch, CommitPlan, Move};
use crate::commit::WriteAbort;
use crate::source::Record;
use crate::store::{Store, at_positions, check_writes};
use bson::oid::ObjectId;
use bson::{Bson, DateTime, Document, doc};
use model::decode::{Coordinates, DeadReason, Decoder, Reject};
use model::layout::{DEAD_LETTERS, OFFSETS};
use model::rollup::RollupPlan;
use model::schema::Schema;
use mongodb::ClientSession;

/// Letters that were decoded again, and the batch of their records.
#[derive(Debug)]
pub struct Settlement {
    id: ObjectId,
    batch: Batch,
    letters: Vec<Decoded>,
}

#[derive(Debug)]
struct Decoded {
    id: String,
    added: Added,
    /// How it was refused before.
    refused: [String; 2],
}

impl Settlement {
    /// Decodes letters again.
    pub(crate) fn new(decoder: &Decoder, letters: &[Letter]) -> Self {
        let mut batch = Batch::default();
        let letters = letters.iter().map(|letter| Decoded {
            id: letter.id.clone(),
            added: add(&mut batch, decoder, letter),
            refused: [letter.message.clone(), letter.schema_version.clone()],
        });
        let letters = letters.collect();
        Self { id: ObjectId::new(), batch, letters }
    }

    /// The records as a batch.
    pub(crate) fn batch(&self) -> &Batch {
        &self.batch
    }

    /// What tells this settlement from others in the letters that it settles.
    pub(crate) fn id(&self) -> ObjectId {
        self.id
    }

    /// Ids of the letters.
    pub(crate) fn letters(&self) -> Vec<&str> {
        self.letters.iter().map(|letter| letter.id.as_str()).collect()
    }

    /// Whether any letter can be used now.
    pub(crate) fn settles_any(&self) -> bool {
        self.letters.iter().any(|letter| letter.added != Added::Dead)
    }

    /// Writes counts and letters.
    pub(crate) async fn write(
        &self,
        store: &Store,
        schema: &Schema,
        plan: &CommitPlan<'_>,
        session: &mut ClientSession,
    ) -> Result<(), WriteAbort> {
        let positions = self.positions(store, schema.rollups(), plan);
        if update(store, session, OFFSETS, &positions).await? != positions.len() {
            return Err(WriteAbort::Fenced);
        }
        let letters = self.changes(schema, plan);
        if update(store, session, DEAD_LETTERS, &letters).await? != letters.len() {
            return Err(WriteAbort::DuplicateId("another replay has settled some of these letters".into()));
        }
        Ok(())
    }

    fn positions(&self, store: &Store, rollups: &RollupPlan, plan: &CommitPlan<'_>) -> Vec<Document> {
        let changed = plan.moves.iter().filter(|(_, to)| to.counts.dead < to.counts.read);
        changed
            .map(|(&partition, to)| {
                let mut query = counted_into(rollups);
                query.insert("_id", store.position_id(partition));
                doc! { "q": query, "u": recount(to) }
            })
            .collect()
    }

    fn changes(&self, schema: &Schema, plan: &CommitPlan<'_>) -> Vec<Document> {
        let mut stored = plan.stored.iter();
        let mut dead = self.batch.dead().iter();
        let changes = self.letters.iter().filter_map(|letter| {
            let change = match letter.added {
                Added::Event if stored.next() == Some(&true) => self.settled(Outcome::Stored, schema),
                Added::Event => self.settled(Outcome::Duplicate, schema),
                Added::Filtered => self.settled(Outcome::Filtered, schema),
                Added::Dead => {
                    let reject = &dead.next()?.reject;
                    let unchanged = letter.refused == [reject.message.as_str(), schema.version()];
                    if unchanged {
                        return None;
                    }
                    doc! {
                        "reason": reject.reason.code(), "message": &reject.message, "schema": schema.name(),
                        "schema_version": schema.version(), "program": env!("CARGO_PKG_VERSION"),
                    }
                }
            };
            Some(doc! { "q": { "_id": &letter.id, "settled": Bson::Null }, "u": { "$set": change } })
        });
        changes.collect()
    }

    fn settled(&self, outcome: Outcome, schema: &Schema) -> Document {
        doc! { "settled": {
            "at": DateTime::now(), "outcome": outcome.code(), "schema_version": schema.version(), "replay": self.id,
        } }
    }
}

/// A position whose partition's events are counted into exactly the tables of this plan, all of them completely.
///
/// A batch of another plan would leave its states in tables that nobody publishes, and out of those that are read.
fn counted_into(rollups: &RollupPlan) -> Document {
    let tables: Vec<&str> = rollups.tables().iter().map(|table| table.id()).collect();
    let all = tables.iter().map(|table| doc! { "tables": table });
    let mut conditions = vec![doc! { "tables": { "$size": i64::try_from(tables.len()).unwrap_or(i64::MAX) } }];
    conditions.extend(all);
    doc! { "$and": conditions, "rebuilding": { "$in": [Bson::Null, Bson::Array(Vec::new())] } }
}

fn recount(to: &Move) -> Document {
    let counts = to.counts;
    let increments = doc! {
        "counts.stored": counts.stored, "counts.duplicate": counts.duplicate,
        "counts.duplicate_changed": counts.duplicate_changed, "counts.filtered": counts.filtered,
        "counts.late": counts.late, "counts.set_aside": counts.set_aside, "counts.dead": counts.dead - counts.read,
    };
    let mut change = doc! { "$inc": increments };
    if let Some(clock) = to.clock.now() {
        change.insert("$max", doc! { "clock": DateTime::from_millis(clock) });
    }
    change
}

fn add(batch: &mut Batch, decoder: &Decoder, letter: &Letter) -> Added {
    let bytes = |part: &Option<bson::Binary>| part.as_ref().map(|part| part.bytes.clone());
    let headers: Vec<_> = letter.headers.iter().map(|header| (header.name.clone(), bytes(&header.value))).collect();
    let record = Record {
        at: Coordinates {
            partition: letter.partition,
            offset: letter.offset,
            timestamp: letter.timestamp.map(DateTime::timestamp_millis),
        },
        key: letter.key.as_ref().map(|key| key.bytes.as_slice()),
        payload: letter.payload.as_ref().map(|payload| payload.bytes.as_slice()),
        headers: &headers,
    };
    if letter.cut.is_none() {
        return batch.add(decoder, record, letter.offset);
    }
    // What is kept is not the record.
    let reason =
        DeadReason::ALL.into_iter().find(|reason| reason.code() == letter.reason).unwrap_or(DeadReason::TooLarge);
    batch.add_decoded(Err(Reject { reason, message: letter.message.clone() }), record, letter.offset)
}

/// Sends updates in one command; how many documents matched.
async fn update(
    store: &Store,
    session: &mut ClientSession,
    collection: &str,
    updates: &[Document],
) -> Result<usize, WriteAbort> {
    if updates.is_empty() {
        return Ok(0);
    }
    let command = doc! { "update": collection, "updates": updates };
    let answer = store.database().run_command(command).session(session).await.map_err(at_positions)?;
    check_writes(&answer)?;
    Ok(answer.get_i32("n").ok().and_then(|n| usize::try_from(n).ok()).unwrap_or_default())
}
