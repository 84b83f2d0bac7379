//! Writes the rows of one round: adds what is new to the state that a row carries, and replaces the row.

use super::combine::{self, WaitingState};
use super::known::{Known, KnownRows};
use super::lease::Lease;
use crate::fail_point::FailPoint;
use crate::store::{COMMAND_BYTES, Moment, Store, StoreError, check_write_concern, in_commands, meets_id};
use bson::raw::{CStr, RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use bson::{Bson, DateTime, Document, doc};
use model::clock::Watermark;
use model::layout::ROLLUP_TABLES;
use model::rollup::partial::Part;
use model::rollup::{Group, Groups, Rollup, RollupPlan, Row, State, StateTable};
use model::schema::Schema;
use model::window::Window;
use mongodb::ClientSession;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use tokio::task::{JoinError, JoinSet};

pub(super) const ROWS_PER_COMMAND: usize = 1_000;
const WRITES_IN_FLIGHT: usize = 3;

/// Writes rows of one state table under one revision.
#[derive(Clone)]
pub(super) struct RowWriter {
    pub(super) store: Store,
    pub(super) schema: Arc<Schema>,
    /// Place of the table in the plan.
    pub(super) place: usize,
    pub(super) revision: i64,
    /// Rows are read after it.
    pub(super) after: Moment,
    pub(super) watermark: Watermark,
    /// The collection whose rows carry the states.
    pub(super) carrier: String,
    /// Whether the rollups are as the plan says; while they are not, only the states are kept up to date.
    pub(super) in_order: bool,
    /// Number of the plan.
    pub(super) number: i64,
}

/// What a group's row becomes.
pub(super) struct Change {
    pub(super) group: Group,
    /// What is added.
    pub(super) state: State,
    pub(super) known: Known,
}

impl RowWriter {
    pub(super) fn plan(&self) -> &RollupPlan {
        self.schema.rollups()
    }

    pub(super) fn table(&self) -> &StateTable {
        &self.plan().tables()[self.place]
    }

    /// Writes everything that a round changes, beginning with the first part of it; returns of how many groups.
    pub(super) async fn write(
        &self,
        first: Part,
        states: &[WaitingState],
        known: &mut KnownRows,
        lease: &mut Lease<'_>,
    ) -> Result<usize, StoreError> {
        let (mut windows, mut count) = (BTreeSet::new(), 0);
        let mut next = Some(first);
        while let Some(mut part) = next {
            // Combining the next part takes a processor, too; the task ends with the set.
            let groups = part.take_groups();
            count += groups.len();
            let mut reading = JoinSet::new();
            if let Some(next) = part.next() {
                let (reader, states) = (self.clone(), states.to_vec());
                reading.spawn(async move {
                    combine::fill(next, &reader.store, reader.table(), &states, reader.after).await
                });
            }
            self.write_part(groups, &mut windows, known, lease).await?;
            next = reading.join_next().await.map(done).transpose()?;
        }
        for rollup in self.ranked() {
            self.write_ranked(rollup, &windows, known.ranks(rollup)).await?;
        }
        Ok(count)
    }

    /// Writes the rows of some groups; `windows` are those of all parts so far.
    async fn write_part(
        &self,
        groups: Groups,
        windows: &mut BTreeSet<Window>,
        known: &mut KnownRows,
        lease: &mut Lease<'_>,
    ) -> Result<(), StoreError> {
        let new: BTreeSet<Window> = groups.keys().map(|group| group.window).collect();
        for rollup in self.ranked() {
            self.begin_ranks(rollup, &new, known.ranks(rollup)).await?;
        }
        windows.extend(new);
        let mut groups: Vec<_> = groups.into_iter().collect();
        // Neighbours in the index are written together.
        groups.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let mut groups = groups.into_iter();
        // Building rows takes a processor as long as storing them; the tasks end with the set.
        let mut writes = JoinSet::new();
        loop {
            let some: Vec<Change> =
                groups.by_ref().take(ROWS_PER_COMMAND).map(|change| Change::new(change, known)).collect();
            if !some.is_empty() {
                let writer = self.clone();
                writes.spawn(async move { writer.write_groups(some).await });
                if writes.len() < WRITES_IN_FLIGHT {
                    continue;
                }
            }
            let Some(written) = writes.join_next().await else { break };
            for (group, state) in done(written)? {
                for rollup in self.ranked() {
                    known.ranks(rollup).offer(rollup, &group, &state);
                }
                known.note(group, state);
            }
            FailPoint::SomeRowsWritten.reached();
            lease.renew().await?;
        }
        Ok(())
    }

    /// Writes the rows of some groups; returns the states that they have now.
    async fn write_groups(&self, changes: Vec<Change>) -> Result<Vec<(Group, State)>, StoreError> {
        let carrier = self.plan().group_rows(self.table());
        let (new, mut there): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| change.known == Known::Nothing);
        let (mut written, met) = self.insert(carrier, new).await?;
        there.extend(met);
        let (changed, had) = self.add_to_stored(there).await?;
        self.update(carrier, &changed).await?;
        written.extend(changed);
        written.extend(had);
        for rollup in self.others() {
            self.update(rollup, &written).await?;
        }
        Ok(written)
    }

    /// Rollups of the same groups besides the one whose rows carry the states.
    fn others(&self) -> impl Iterator<Item = &Rollup> {
        let carrier = self.plan().group_rows(self.table()).name();
        let all = self.plan().rollups_of(self.table()).filter(|_| self.in_order);
        all.filter(move |rollup| rollup.top().is_none() && rollup.name() != carrier)
    }

    /// Rollups of which only the first rows of a window are published.
    fn ranked(&self) -> impl Iterator<Item = &Rollup> {
        self.plan().rollups_of(self.table()).filter(|rollup| self.in_order && rollup.top().is_some())
    }

    /// Inserts rows that are probably new; returns what was written, and what was there already.
    async fn insert(
        &self,
        carrier: &Rollup,
        new: Vec<Change>,
    ) -> Result<(Vec<(Group, State)>, Vec<Change>), StoreError> {
        if new.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let mut rows = Vec::with_capacity(new.len());
        for change in &new {
            let row = self.new_row(&change.group.row_id(), self.is_final(change.group.window), |row| {
                carrier.append_columns(&change.group, &change.state, row);
                row.append(cstr!("_state"), RawBsonRef::Document(&change.state.to_document()));
            });
            rows.push(row);
        }
        let met = self.insert_rows(carrier, &rows).await?;
        let (mut written, mut there) = (Vec::with_capacity(new.len()), Vec::new());
        for (at, change) in new.into_iter().enumerate() {
            if met.contains(&at) {
                there.push(Change { known: Known::Row, ..change });
            } else {
                written.push((change.group, change.state));
            }
        }
        Ok((written, there))
    }

    /// A row that is not there yet, whole.
    pub(super) fn new_row(
        &self,
        id: &RawDocument,
        is_final: bool,
        columns: impl FnOnce(&mut RawDocumentBuf),
    ) -> RawDocumentBuf {
        let mut row = RawDocumentBuf::new();
        row.append(cstr!("_id"), RawBsonRef::Document(id));
        columns(&mut row);
        self.append_revision(&mut row);
        row.append(cstr!("is_final"), is_final);
        row
    }

    /// Inserts rows; returns the places of those that were there already.
    async fn insert_rows(&self, rollup: &Rollup, rows: &[RawDocumentBuf]) -> Result<HashSet<usize>, StoreError> {
        let (mut met, mut before) = (HashSet::new(), 0);
        for some in in_commands(rows, COMMAND_BYTES) {
            let command = self.command(rollup, cstr!("insert"), cstr!("documents"), some);
            // A row that is there already ends the transaction; each row's own write then tells which ones are.
            if !self.run_at_once(&command).await {
                met.extend(self.run(rollup, command).await?.into_iter().map(|place| before + place));
            }
            before += some.len();
        }
        Ok(met)
    }

    /// The collection of a rollup's rows.
    fn collection<'n>(&'n self, rollup: &'n Rollup) -> &'n str {
        let carries = rollup.name() == self.plan().group_rows(self.table()).name();
        if carries { &self.carrier } else { rollup.name() }
    }

    async fn update(&self, rollup: &Rollup, groups: &[(Group, State)]) -> Result<(), StoreError> {
        let carries = rollup.name() == self.plan().group_rows(self.table()).name();
        let updates = groups.iter().map(|(group, state)| {
            let mut set = RawDocumentBuf::new();
            rollup.append_columns(group, state, &mut set);
            if carries {
                set.append(cstr!("_state"), RawBsonRef::Document(&state.to_document()));
            }
            self.replacement(&group.row_id(), group.window, set)
        });
        self.replace(rollup, &updates.collect::<Vec<_>>()).await
    }

    /// Writes ranked rows; those of `new` were never written before, as far as is known.
    pub(super) async fn write_ranked_rows(
        &self,
        rollup: &Rollup,
        new: &[Row],
        there: &[Row],
    ) -> Result<(), StoreError> {
        let mut there: Vec<&Row> = there.iter().collect();
        for some in new.chunks(ROWS_PER_COMMAND) {
            let rows = some.iter().map(|Row { id, window, columns }| {
                let append = |row: &mut RawDocumentBuf| {
                    columns.iter().flatten().for_each(|(name, value)| row.append(name, value))
                };
                self.new_row(id, self.is_final(*window), append)
            });
            let met = self.insert_rows(rollup, &rows.collect::<Vec<_>>()).await?;
            there.extend(met.into_iter().map(|place| &some[place]));
        }
        for some in there.chunks(ROWS_PER_COMMAND) {
            let updates = some.iter().map(|row| self.replacement(&row.id, row.window, row.columns.clone()));
            self.replace(rollup, &updates.collect::<Vec<_>>()).await?;
        }
        Ok(())
    }

    /// Replaces a row unless it has a revision as large; what is final stays final.
    fn replacement(&self, id: &RawDocument, window: Window, mut set: RawDocumentBuf) -> RawDocumentBuf {
        self.append_revision(&mut set);
        let mut older = RawDocumentBuf::new();
        older.append(cstr!("$lt"), self.revision);
        let mut query = RawDocumentBuf::new();
        query.append(cstr!("_id"), RawBsonRef::Document(id));
        query.append(cstr!("revision"), RawBsonRef::Document(&older));
        let mut finality = RawDocumentBuf::new();
        finality.append(cstr!("is_final"), self.is_final(window));
        let mut change = RawDocumentBuf::new();
        change.append(cstr!("$set"), RawBsonRef::Document(&set));
        change.append(cstr!("$max"), RawBsonRef::Document(&finality));
        let mut update = RawDocumentBuf::new();
        update.append(cstr!("q"), RawBsonRef::Document(&query));
        update.append(cstr!("u"), RawBsonRef::Document(&change));
        update.append(cstr!("upsert"), true);
        update
    }

    async fn replace(&self, rollup: &Rollup, updates: &[RawDocumentBuf]) -> Result<(), StoreError> {
        for some in in_commands(updates, COMMAND_BYTES) {
            let command = self.command(rollup, cstr!("update"), cstr!("updates"), some);
            if !self.run_at_once(&command).await {
                // Where the revision is as large, the update does not match and the upsert meets the row: it stays as it is.
                self.run(rollup, command).await?;
            }
        }
        Ok(())
    }

    /// Runs a command as one transaction, which costs the server less than a write of its own for each row; false where it is not
    /// certain to have succeeded. Doing it again then is no harm: rows of this revision are left alone.
    async fn run_at_once(&self, command: &RawDocumentBuf) -> bool {
        let run = async {
            let mut session = self.store.client().start_session().await?;
            session.start_transaction().await?;
            self.check_plan(Some(&mut session)).await?;
            let answer = self.store.database().run_raw_command(command.clone()).session(&mut session).await?;
            let is_met = answer.contains_key("writeErrors");
            if !is_met {
                session.commit_transaction().await?;
            }
            Ok::<_, StoreError>(!is_met)
        };
        run.await.unwrap_or_default()
    }

    /// Fails where another plan is in force: a collection may be another table's by now, in which these rows would stay.
    async fn check_plan(&self, session: Option<&mut ClientSession>) -> Result<(), StoreError> {
        let tables = self.store.collection::<Document>(ROLLUP_TABLES);
        // Without the round's states, of which there may be thousands.
        let entry =
            tables.find_one(doc! { "_id": self.table().id(), "plan": self.number }).projection(doc! { "_id": 1 });
        let entry = match session {
            Some(session) => entry.session(session).await?,
            None => entry.await?,
        };
        entry.map(drop).ok_or_else(|| StoreError::OtherPlan(self.table().id().to_owned()))
    }

    pub(super) fn append_revision(&self, row: &mut RawDocumentBuf) {
        row.append(cstr!("revision"), self.revision);
        row.append(cstr!("updated_at"), DateTime::now());
    }

    /// Whether the watermark has passed a window that is being written. A stream that was idle a moment ago is not while it has
    /// new rows: these are closed when it is idle again.
    pub(super) fn is_final(&self, window: Window) -> bool {
        self.watermark != Watermark::Idle && self.watermark.has_passed(self.table().window().ends_at(window))
    }

    fn command(&self, rollup: &Rollup, verb: &CStr, list: &CStr, members: &[RawDocumentBuf]) -> RawDocumentBuf {
        let members: RawArrayBuf = members.iter().map(|member| RawBsonRef::Document(member)).collect();
        let mut command = RawDocumentBuf::new();
        command.append(verb, self.collection(rollup));
        command.append(list, RawBsonRef::Array(&members));
        command.append(cstr!("ordered"), false);
        command
    }

    /// Runs a write command; returns the places of the members whose rows were there already.
    async fn run(&self, rollup: &Rollup, command: RawDocumentBuf) -> Result<HashSet<usize>, StoreError> {
        self.check_plan(None).await?;
        let answer = self.store.database().run_raw_command(command).await?;
        check_write_concern(&answer)?;
        let mut met = HashSet::new();
        for error in answer.get_array("writeErrors").into_iter().flatten().filter_map(Bson::as_document) {
            match error.get_i32("index").map(usize::try_from) {
                Ok(Ok(place)) if meets_id(error) => {
                    met.insert(place);
                }
                _ => return Err(StoreError::of_write(self.collection(rollup), error)),
            }
        }
        Ok(met)
    }
}

/// What a task has done; its panic is the publisher's. Nothing but the end of its set cancels it.
fn done<T>(task: Result<T, JoinError>) -> T {
    task.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

impl Change {
    fn new((group, state): (Group, State), known: &KnownRows) -> Self {
        Self { known: known.get(&group), group, state }
    }
}
