//! Writes the rows of sessions, which grow and are joined: a round is one transaction.
//!
//! A row that is joined to another one goes, so rows cannot be written one by one and again after a crash, as those of other windows
//! are. The transaction removes the partial states together with what they change, and moves the table's revision from the one under
//! which the rows were read: a publisher that has lost its lease in between changes nothing.

use super::combine::{WaitingState, these};
use super::lease::Lease;
use super::rows::ROWS_PER_COMMAND;
use crate::store::{COMMAND_BYTES, Corrupt, Moment, Store, StoreError, in_commands};
use bson::raw::{RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use bson::{Bson, DateTime, Document, doc};
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use model::clock::Watermark;
use model::layout::{ColumnRole, ROLLUP_CATALOG, ROLLUP_STATES, column};
use model::rollup::{Group, Groups, KeyValue, Rollup, RollupPlan, State, StateTable, join_sessions};
use model::window::Window;
use mongodb::{ClientSession, Collection};
use std::collections::HashMap;

/// Sessions of one round: their transaction must end long before the server gives up on it.
pub(super) const SESSIONS: usize = 5_000;
const QUERIES_IN_FLIGHT: usize = 8;

/// Writes the sessions of one state table.
pub(super) struct SessionWriter<'a> {
    pub(super) store: &'a Store,
    pub(super) plan: &'a RollupPlan,
    pub(super) table: &'a StateTable,
    /// Rows are read after it.
    pub(super) after: Moment,
    pub(super) watermark: Watermark,
    /// The collection whose rows carry the states.
    pub(super) carrier: String,
    /// Whether the rollups are as the plan says; while they are not, only the states are kept up to date.
    pub(super) in_order: bool,
}

/// Which rows a round replaces by which.
struct Change {
    joined: Groups,
    /// Those of the rows before that are no longer there.
    gone: Vec<RawDocumentBuf>,
    /// Ends of the final rows before, by `_id`.
    was_final: HashMap<Vec<u8>, i64>,
}

/// A row as it was read.
struct Stored {
    group: Group,
    state: State,
    is_final: bool,
}

impl SessionWriter<'_> {
    /// Adds what waited to the rows, under the next revision.
    pub(super) async fn write(
        &self,
        lease: &mut Lease<'_>,
        groups: Groups,
        states: &[WaitingState],
    ) -> Result<(), StoreError> {
        let change = self.change(join_sessions(groups)).await?;
        let mut session = self.store.client().start_session().await?;
        session.start_transaction().await?;
        let revision = lease.revision + 1;
        lease.move_revision(revision, &mut session).await?;
        let carrier = self.plan.group_rows(self.table).name();
        let written = self.plan.rollups_of(self.table).filter(|rollup| self.in_order || rollup.name() == carrier);
        for rollup in written {
            self.write_rows(rollup, &change, revision, &mut session).await?;
        }
        self.remove_states(states, &mut session).await?;
        if self.in_order {
            self.tell_readers(revision, !change.gone.is_empty(), &mut session).await?;
        }
        session.commit_transaction().await?;
        lease.revision = revision;
        Ok(())
    }

    /// The new sessions, joined to those that they overlap.
    async fn change(&self, groups: Groups) -> Result<Change, StoreError> {
        let queries: Vec<_> = groups.keys().map(|group| self.overlapping(group).boxed()).collect();
        let stored: Vec<Vec<Stored>> = stream::iter(queries).buffer_unordered(QUERIES_IN_FLIGHT).try_collect().await?;
        let mut joined = groups;
        let (mut before, mut was_final) = (HashMap::new(), HashMap::new());
        for row in stored.into_iter().flatten() {
            let id = row.group.row_id();
            // Two new sessions may overlap the same one.
            if before.insert(id.as_bytes().to_vec(), id.clone()).is_some() {
                continue;
            }
            if row.is_final {
                was_final.insert(id.into_bytes(), row.group.window.end);
            }
            match joined.get_mut(&row.group) {
                Some(state) => state.combine(&row.state),
                None => drop(joined.insert(row.group, row.state)),
            }
        }
        let joined = join_sessions(joined);
        for group in joined.keys() {
            before.remove(group.row_id().as_bytes());
        }
        Ok(Change { joined, gone: before.into_values().collect(), was_final })
    }

    /// The rows of the key that overlap a session: going back in time from its end, up to the first that ends before it begins.
    async fn overlapping(&self, new: &Group) -> Result<Vec<Stored>, StoreError> {
        let carrier = self.plan.group_rows(self.table);
        let mut filter = key_filter(carrier, &new.key);
        filter.insert(column::WINDOW_START, doc! { "$lt": DateTime::from_millis(new.window.end) });
        let rows: Collection<RawDocumentBuf> = self.store.collection(&self.carrier);
        let mut session = self.store.session_after(self.after).await?;
        let rows = rows.find(filter).sort(doc! { column::WINDOW_START: -1 }).batch_size(2);
        let mut cursor = rows.session(&mut session).await?;
        let mut found = Vec::new();
        while cursor.advance(&mut session).await? {
            let row = cursor.current();
            let row = self.read(row, &new.key).map_err(|problem| Corrupt::new(&self.carrier, row, problem))?;
            if row.group.window.end <= new.window.start {
                break;
            }
            found.push(row);
        }
        Ok(found)
    }

    fn read(&self, row: &RawDocument, key: &[KeyValue]) -> Result<Stored, Box<dyn std::error::Error>> {
        let moment = |name: &str| row.get_datetime(name).map(DateTime::timestamp_millis);
        let window = Window { start: moment(column::WINDOW_START)?, end: moment(column::WINDOW_END)? };
        let state = State::read(self.table, row.get_document(column::STATE)?)?;
        Ok(Stored { group: Group { window, key: key.into() }, state, is_final: row.get_bool(column::IS_FINAL)? })
    }

    async fn write_rows(
        &self,
        rollup: &Rollup,
        change: &Change,
        revision: i64,
        session: &mut ClientSession,
    ) -> Result<(), StoreError> {
        for gone in change.gone.chunks(ROWS_PER_COMMAND) {
            let ids: RawArrayBuf = gone.iter().map(|id| RawBsonRef::Document(id)).collect();
            let ids = Bson::try_from(RawBsonRef::Array(&ids))?;
            let rows: Collection<Document> = self.store.collection(self.collection(rollup));
            rows.delete_many(doc! { "_id": { "$in": ids } }).session(&mut *session).await?;
        }
        let updates: Vec<RawDocumentBuf> =
            change.joined.iter().map(|(group, state)| self.update(rollup, change, group, state, revision)).collect();
        for some in in_commands(&updates, COMMAND_BYTES) {
            let updates: RawArrayBuf = some.iter().map(|update| RawBsonRef::Document(update)).collect();
            let mut command = RawDocumentBuf::new();
            command.append(cstr!("update"), self.collection(rollup));
            command.append(cstr!("updates"), RawBsonRef::Array(&updates));
            let answer = self.store.database().run_raw_command(command).session(&mut *session).await?;
            StoreError::of_writes(self.collection(rollup), &answer)?;
        }
        Ok(())
    }

    /// The collection of a rollup's rows.
    fn collection<'n>(&'n self, rollup: &'n Rollup) -> &'n str {
        let carries = rollup.name() == self.plan.group_rows(self.table).name();
        if carries { &self.carrier } else { rollup.name() }
    }

    fn update(&self, rollup: &Rollup, change: &Change, group: &Group, state: &State, revision: i64) -> RawDocumentBuf {
        let mut row = RawDocumentBuf::new();
        rollup.append_columns(group, state, &mut row);
        if rollup.name() == self.plan.group_rows(self.table).name() {
            row.append(cstr!("_state"), RawBsonRef::Document(&state.to_document()));
        }
        row.append(cstr!("revision"), revision);
        row.append(cstr!("updated_at"), DateTime::now());
        row.append(cstr!("is_final"), self.is_final(change, group));
        let id = group.row_id();
        let mut query = RawDocumentBuf::new();
        query.append(cstr!("_id"), RawBsonRef::Document(&id));
        let mut set = RawDocumentBuf::new();
        set.append(cstr!("$set"), RawBsonRef::Document(&row));
        let mut update = RawDocumentBuf::new();
        update.append(cstr!("q"), RawBsonRef::Document(&query));
        update.append(cstr!("u"), RawBsonRef::Document(&set));
        update.append(cstr!("upsert"), true);
        update
    }

    /// A session that has become longer is another one: it is open again until the watermark has passed its new end.
    fn is_final(&self, change: &Change, group: &Group) -> bool {
        let end = group.window.end;
        let passed = self.watermark != Watermark::Idle && self.watermark.has_passed(end);
        passed || change.was_final.get(group.row_id().as_bytes()) == Some(&end)
    }

    async fn remove_states(&self, states: &[WaitingState], session: &mut ClientSession) -> Result<(), StoreError> {
        let partials: Collection<Document> = self.store.collection(ROLLUP_STATES);
        for some in states.chunks(ROWS_PER_COMMAND) {
            let these = these(self.table, some.iter().map(|state| state.id));
            let removed = partials.delete_many(these).session(&mut *session).await?;
            if usize::try_from(removed.deleted_count) != Ok(some.len()) {
                return Err(StoreError::LeaseLost(self.table.id().to_owned()));
            }
        }
        Ok(())
    }

    async fn tell_readers(&self, revision: i64, removed: bool, session: &mut ClientSession) -> Result<(), StoreError> {
        let names: Vec<&str> = self.plan.rollups_of(self.table).map(Rollup::name).collect();
        let mut newest = doc! { "published_revision": revision };
        if removed {
            newest.insert("removed_revision", revision);
        }
        let catalog: Collection<Document> = self.store.collection(ROLLUP_CATALOG);
        catalog.update_many(doc! { "_id": { "$in": names } }, doc! { "$max": newest }).session(session).await?;
        Ok(())
    }
}

/// The rows of a key, by its columns.
fn key_filter(rollup: &Rollup, key: &[KeyValue]) -> Document {
    let columns = rollup.columns().into_iter().filter(|column| column.role == ColumnRole::Key);
    columns.zip(key).map(|(column, value)| (column.name, value.to_bson())).collect()
}
