//! Writes whole tables from the states that another table's rows carry, and puts them in their places.
//!
//! A table is written beside the one that is read, and then renamed over it: readers have the old rows with their old columns until then.
//! What is written twice is written alike, and a rename that was done is not done again, so a worker may die at any moment.

use super::PublishContext;
use super::lease::Lease;
use super::ranks::WINDOWS_PER_QUERY;
use super::rows::{ROWS_PER_COMMAND, RowWriter};
use crate::store::{Corrupt, Store, StoreError};
use crate::stream::{self, Stage, TableEntry, description, next_name, place_of};
use bson::raw::{RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use bson::{Bson, doc};
use futures_util::TryStreamExt;
use model::clock::Watermark;
use model::layout::{CatalogEntry, ROLLUP_CATALOG, ROLLUP_TABLES, column};
use model::rollup::{Group, Rollup, State, StateTable, partial};
use model::schema::Schema;
use model::window::Window;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) struct TableWriter<'a> {
    store: &'a Store,
    schema: &'a Arc<Schema>,
    /// Place of the table in the plan.
    place: usize,
    table: &'a StateTable,
    watermark: Watermark,
}

impl<'a> TableWriter<'a> {
    pub(super) fn new(context: &'a PublishContext, place: usize, watermark: Watermark) -> Self {
        let table = &context.schema.rollups().tables()[place];
        Self { store: &context.store, schema: &context.schema, place, table, watermark }
    }

    /// The rollups that are made of the table's states, and the hidden one that carries them, where there is one.
    fn rollups(&self) -> Vec<&'a Rollup> {
        let plan = self.schema.rollups();
        let mut rollups: Vec<_> = plan.rollups_of(self.table).collect();
        let carrier = plan.group_rows(self.table);
        if rollups.iter().all(|rollup| rollup.name() != carrier.name()) {
            rollups.push(carrier);
        }
        rollups
    }

    /// Writes every rollup that is not as the plan says.
    pub(super) async fn write(&self, lease: &mut Lease<'_>) -> Result<(), StoreError> {
        self.find_carrier(lease).await?;
        let carrier = self.schema.rollups().group_rows(self.table);
        let catalog = self.store.collection::<CatalogEntry>(ROLLUP_CATALOG);
        let mut session = self.store.session_after(lease.moment()).await?;
        let mut changed = Vec::new();
        for rollup in self.rollups() {
            let entry = catalog.find_one(doc! { "_id": rollup.name() });
            let stored = entry.session(&mut session).await?;
            let wanted = description(self.schema, rollup, lease.built, 0);
            let alike = stored.is_some_and(|stored| {
                stored.definition_hash == wanted.definition_hash && stored.columns == wanted.columns
            });
            let carries = rollup.name() == carrier.name();
            if if carries { lease.carrier != carrier.name() || !(alike || is_hidden(rollup)) } else { !alike } {
                changed.push(rollup);
            }
        }
        lease.next_revision().await?;
        // Drop what a failed attempt left behind: it must not be renamed.
        for rollup in self.rollups() {
            self.store.drop_owned(&next_name(rollup, lease.number)).await?;
        }
        for rollup in &changed {
            let next = next_name(rollup, lease.number);
            self.store.create_owned(&[&next]).await?;
            self.store.index(rollup, self.table, &next).await?;
        }
        let source = lease.carrier.clone();
        let windows = self.write_groups(&changed, &source, lease).await?;
        for rollup in changed.iter().filter(|rollup| rollup.top().is_some()) {
            self.write_ranked(rollup, &windows, &source, lease).await?;
        }
        let carries = changed.iter().find(|rollup| rollup.name() == carrier.name());
        let now = carries.map_or_else(|| lease.carrier.clone(), |rollup| next_name(rollup, lease.number));
        let stage = bson::serialize_to_bson(&Stage::Rename)?;
        lease.update(doc! { "$set": { "stage": stage, "carrier": now, "lease": Bson::Null } }).await
    }

    /// The plan may have changed just after the rows that carry the states had taken their place, and before that was written down.
    async fn find_carrier(&self, lease: &mut Lease<'_>) -> Result<(), StoreError> {
        if place_of(&lease.carrier) == lease.carrier {
            return Ok(());
        }
        if !self.store.database().list_collection_names().await?.contains(&lease.carrier) {
            lease.carrier = place_of(&lease.carrier).to_owned();
            lease.update(doc! { "$set": { "carrier": &lease.carrier } }).await?;
        }
        Ok(())
    }

    /// Makes rows from the states in the rows of `source`.
    fn writer(&self, source: &str, lease: &Lease<'_>) -> RowWriter {
        RowWriter {
            store: self.store.clone(),
            schema: Arc::clone(self.schema),
            place: self.place,
            revision: lease.revision,
            after: lease.moment(),
            watermark: self.watermark,
            carrier: source.to_owned(),
            in_order: false,
            number: lease.number,
        }
    }

    /// Writes the rollups that have a row for each group; returns the windows.
    async fn write_groups(
        &self,
        changed: &[&Rollup],
        source: &str,
        lease: &mut Lease<'_>,
    ) -> Result<BTreeSet<Window>, StoreError> {
        let writer = self.writer(source, lease);
        let carrier = self.schema.rollups().group_rows(self.table).name();
        let rollups: Vec<_> = changed.iter().filter(|rollup| rollup.top().is_none()).collect();
        let wanted = doc! { column::STATE: 1, column::IS_FINAL: 1, column::WINDOW_END: 1 };
        let rows = self.store.collection::<RawDocumentBuf>(source);
        let mut session = self.store.session_after(lease.moment()).await?;
        let rows = rows.find(doc! {}).sort(doc! { "_id": 1 }).projection(wanted);
        let mut cursor = rows.session(&mut session).await?;
        let mut windows = BTreeSet::new();
        let mut open: Vec<Vec<RawDocumentBuf>> = vec![Vec::new(); rollups.len()];
        while cursor.advance(&mut session).await? {
            let (group, state, was_final) = self.group(cursor.current(), source)?;
            let is_final = was_final || writer.is_final(group.window);
            windows.insert(group.window);
            for (rollup, open) in rollups.iter().zip(&mut open) {
                open.push(writer.new_row(&group.row_id(), is_final, |row| {
                    rollup.append_columns(&group, &state, row);
                    if rollup.name() == carrier {
                        row.append(cstr!("_state"), RawBsonRef::Document(&state.to_document()));
                    }
                }));
                if open.len() >= ROWS_PER_COMMAND {
                    self.insert(rollup, std::mem::take(open), lease).await?;
                }
            }
        }
        for (rollup, open) in rollups.iter().zip(open) {
            self.insert(rollup, open, lease).await?;
        }
        Ok(windows)
    }

    fn group(&self, row: &RawDocument, source: &str) -> Result<(Group, State, bool), StoreError> {
        let corrupt = |problem: String| StoreError::from(Corrupt::new(source, row, problem));
        let unreadable = || corrupt("it has no window, key or state".to_owned());
        let id = row.get_document("_id").map_err(|_| unreadable())?;
        let start = id.get_datetime("w").map_err(|_| unreadable())?;
        let key = id.get_array("k").ok().and_then(partial::key).ok_or_else(unreadable)?;
        let state = row.get_document(column::STATE).map_err(|_| unreadable())?;
        let state = State::read(self.table, state).map_err(|error| corrupt(error.to_string()))?;
        let start = start.timestamp_millis();
        let window = if self.table.has_sessions() {
            let end = row.get_datetime(column::WINDOW_END).map_err(|_| unreadable())?;
            Window { start, end: end.timestamp_millis() }
        } else {
            self.table.window_at(start)
        };
        let group = Group { window, key };
        Ok((group, state, row.get_bool(column::IS_FINAL).unwrap_or_default()))
    }

    /// Writes a rollup that has the first rows of each window.
    async fn write_ranked(
        &self,
        rollup: &Rollup,
        windows: &BTreeSet<Window>,
        source: &str,
        lease: &mut Lease<'_>,
    ) -> Result<(), StoreError> {
        let writer = self.writer(source, lease);
        let windows: Vec<_> = windows.iter().copied().collect();
        for some in windows.chunks(WINDOWS_PER_QUERY) {
            let mut rows = Vec::new();
            for (_, groups) in writer.first_groups(rollup, some).await? {
                rows.extend(rollup.ranked(groups).into_iter().map(|row| {
                    writer.new_row(&row.id, writer.is_final(row.window), |document| {
                        row.columns.iter().flatten().for_each(|(name, value)| document.append(name, value));
                    })
                }));
            }
            self.insert(rollup, rows, lease).await?;
        }
        Ok(())
    }

    async fn insert(
        &self,
        rollup: &Rollup,
        rows: Vec<RawDocumentBuf>,
        lease: &mut Lease<'_>,
    ) -> Result<(), StoreError> {
        if !rows.is_empty() {
            let collection = self.store.collection::<RawDocumentBuf>(&next_name(rollup, lease.number));
            collection.insert_many(rows).await?;
        }
        lease.renew().await
    }

    /// Puts what was written in its place, and describes it; false while another table reads its states from there.
    pub(super) async fn rename(&self, lease: &mut Lease<'_>) -> Result<bool, StoreError> {
        let rollups = self.rollups();
        let others = doc! { "_id": { "$ne": self.table.id() } };
        let mut session = self.store.session_after(lease.moment()).await?;
        let tables = self.store.collection::<TableEntry>(ROLLUP_TABLES);
        let mut others = tables.find(others).session(&mut session).await?;
        let others: Vec<TableEntry> = others.stream(&mut session).try_collect().await?;
        let mut read = others.iter().filter_map(|other| other.carrier.as_deref());
        // What is to be renamed may have been renamed already.
        if read
            .any(|carrier| rollups.iter().any(|rollup| rollup.name() == carrier || rollup.name() == place_of(carrier)))
        {
            return Ok(false);
        }
        for rollup in &rollups {
            self.store.rename_owned(&next_name(rollup, lease.number), rollup.name()).await?;
        }
        let catalog = self.store.collection::<CatalogEntry>(ROLLUP_CATALOG);
        for rollup in rollups.iter().filter(|rollup| !is_hidden(rollup)) {
            let entry = description(self.schema, rollup, lease.built, lease.revision);
            catalog.replace_one(doc! { "_id": rollup.name() }, entry).upsert(true).await?;
        }
        let carrier = self.schema.rollups().group_rows(self.table).name();
        let done = doc! {
            "$set": { "carrier": carrier, "lease": Bson::Null },
            "$unset": { "stage": "", "rebuild": "" },
        };
        lease.update(done).await?;
        stream::forget_unused(self.store, self.schema).await?;
        Ok(true)
    }
}

fn is_hidden(rollup: &Rollup) -> bool {
    rollup.name().contains('.')
}
