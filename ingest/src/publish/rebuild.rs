//! Counts the stored events into a table, part by part, and then puts the rollups that are made of it in their places.
//!
//! A part is one transaction: what its events add, as partial states like those of a batch, and the id of the last event. So a part
//! that was cut short leaves nothing behind, and whoever has the lease next goes on after the last whole one. Events that a worker has
//! counted into the table itself carry the number of a plan as new as the table's, and are left out.

use super::lease::Lease;
use super::tables::TableWriter;
use super::{Publisher, Turn, combine};
use crate::commit::partial_states;
use crate::stamp::{clock_of, was_counted_under};
use crate::store::{Corrupt, StoreError};
use crate::stream::{self, Stage};
use bson::raw::{RawDocument, RawDocumentBuf};
use bson::{Bson, Document, doc};
use model::late::is_set_aside;
use model::layout::{EVENTS, OFFSETS, ROLLUP_STATES, source};
use model::rollup::{Changes, Facts, RollupPlan};

/// A part ends with so many groups at the latest: about 20 MB in one transaction.
const GROUPS_PER_PART: usize = 50_000;
/// Rows that change with every part are written once for so many.
const PARTS_PER_ROUND: u32 = 8;
const FETCHED_AT_ONCE: u32 = 5_000;

/// What the events of a part add.
#[derive(Default)]
struct Part {
    changes: Changes,
    events: i64,
    last: Option<Bson>,
    /// No event comes after it.
    is_last: bool,
}

impl Publisher {
    /// Does the next thing that a table waits for.
    pub(super) async fn rebuild(&mut self, lease: Lease<'_>, stage: Stage) -> Result<Turn, StoreError> {
        // Rows under other names, and states from the beginning: nothing that is remembered holds.
        self.known.forget();
        let table = self.context.schema.rollups().tables()[self.place].id();
        self.context.progress.rebuilding(table, lease.rebuild.counted, lease.rebuild.of);
        match stage {
            Stage::Count if self.parts >= PARTS_PER_ROUND => {
                self.parts = 0;
                self.publish_round(lease, false, Some(Stage::Count)).await
            }
            Stage::Count => {
                self.parts += 1;
                self.count_part(lease).await
            }
            Stage::Drain => {
                self.end_counting().await?;
                self.publish_round(lease, false, Some(Stage::Write)).await
            }
            Stage::Write if lease.unfinished.is_some() => self.publish_round(lease, false, Some(Stage::Write)).await,
            Stage::Write => self.write_tables(lease).await,
            Stage::Rename => self.rename_tables(lease).await,
        }
    }

    async fn count_part(&self, mut lease: Lease<'_>) -> Result<Turn, StoreError> {
        let (store, plan) = (&self.context.store, self.context.schema.rollups().only(self.place));
        if lease.rebuild.after.is_none() {
            self.begin_counting(&mut lease).await?;
        }
        let part = self.read_part(&plan, &lease).await?;
        let mut session = store.client().start_session().await?;
        session.start_transaction().await?;
        let documents = partial_states(&plan, &part.changes, Some(lease.built));
        if !documents.is_empty() {
            let states = store.collection::<RawDocumentBuf>(ROLLUP_STATES);
            states.insert_many(documents).session(&mut session).await?;
        }
        let mut set = doc! { "lease": Bson::Null };
        if let Some(last) = part.last {
            set.insert("rebuild.after", last);
        }
        if part.is_last {
            set.insert("stage", bson::serialize_to_bson(&Stage::Drain)?);
        }
        let change = doc! { "$set": set, "$inc": { "rebuild.counted": part.events } };
        lease.update_within(&mut session, change).await?;
        session.commit_transaction().await?;
        let table = plan.tables()[0].id();
        self.context.progress.recounted(part.events);
        self.context.progress.rebuilding(table, lease.rebuild.counted + part.events, lease.rebuild.of);
        Ok(Turn::Rebuilt)
    }

    /// Before the first event is read: no position may have an older plan, and nothing of before may wait to be combined.
    async fn begin_counting(&self, lease: &mut Lease<'_>) -> Result<(), StoreError> {
        let (store, schema) = (&self.context.store, &self.context.schema);
        let table = &schema.rollups().tables()[self.place];
        stream::raise_positions(store, schema, lease.number).await?;
        let mut before = combine::waiting_for(table);
        before.insert("plan", doc! { "$not": { "$gte": lease.built } });
        store.collection::<Document>(ROLLUP_STATES).delete_many(before).await?;
        store.create_owned(&[&lease.carrier]).await?;
        store.index(schema.rollups().group_rows(table), table, &lease.carrier).await?;
        let of = store.collection::<Document>(EVENTS).estimated_document_count().await?;
        lease.rebuild.of = i64::try_from(of).unwrap_or(i64::MAX);
        tracing::info!(table = table.id(), events = of, "counting the stored events");
        lease.update(doc! { "$set": { "rebuild.of": lease.rebuild.of } }).await
    }

    async fn read_part(&self, plan: &RollupPlan, lease: &Lease<'_>) -> Result<Part, StoreError> {
        let schema = &self.context.schema;
        let (table, time) = (&plan.tables()[0], schema.event_time());
        let filter = lease.rebuild.after.as_ref().map_or_else(Document::new, |after| doc! { "_id": { "$gt": after } });
        let mut wanted: Document = plan.paths(table).into_iter().map(|path| (path, Bson::Int32(1))).collect();
        wanted.insert(time.path(), 1);
        wanted.insert(source::FIELD, 1);
        // Members of the id are there with it.
        let wanted: Document = wanted.into_iter().filter(|(path, _)| !path.starts_with("_id")).collect();
        let events = self.context.store.collection::<RawDocumentBuf>(EVENTS);
        let limit = i64::from(self.context.rebuild_events);
        let found = events.find(filter).sort(doc! { "_id": 1 }).projection(wanted).limit(limit);
        let mut session = self.context.store.session_after(lease.moment()).await?;
        let mut cursor = found.batch_size(FETCHED_AT_ONCE).session(&mut session).await?;
        let mut part = Part::default();
        while cursor.advance(&mut session).await? {
            let event = cursor.current();
            part.add(plan, event, schema, lease.built)?;
            if part.changes.groups() >= GROUPS_PER_PART {
                return Ok(part);
            }
        }
        part.is_last = part.events < limit;
        Ok(part)
    }

    /// Positions tell that no rebuild needs their events any more.
    async fn end_counting(&self) -> Result<(), StoreError> {
        let table = self.context.schema.rollups().tables()[self.place].id();
        let positions = self.context.store.collection::<Document>(OFFSETS);
        positions.update_many(doc! { "rebuilding": table }, doc! { "$pull": { "rebuilding": table } }).await?;
        Ok(())
    }

    async fn write_tables(&self, mut lease: Lease<'_>) -> Result<Turn, StoreError> {
        let table = &self.context.schema.rollups().tables()[self.place];
        tracing::info!(table = table.id(), "writing the rollups that have changed");
        TableWriter::new(&self.context, self.place, self.watermark).write(&mut lease).await?;
        Ok(Turn::Rebuilt)
    }

    async fn rename_tables(&self, mut lease: Lease<'_>) -> Result<Turn, StoreError> {
        let table = &self.context.schema.rollups().tables()[self.place];
        let writer = TableWriter::new(&self.context, self.place, self.watermark);
        if !writer.rename(&mut lease).await? {
            lease.release().await?;
            return Ok(Turn::Busy);
        }
        self.context.progress.rebuilt(table.id());
        tracing::info!(table = table.id(), "the rollups are as the schema says");
        Ok(Turn::Rebuilt)
    }
}

impl Part {
    fn add(
        &mut self,
        plan: &RollupPlan,
        event: &RawDocument,
        schema: &model::schema::Schema,
        built: i64,
    ) -> Result<(), StoreError> {
        let corrupt = |problem: String| StoreError::from(Corrupt::new(EVENTS, event, problem));
        let id = event.get("_id").ok().flatten().ok_or_else(|| corrupt("it has no _id".to_owned()))?;
        self.last = Some(Bson::try_from(id)?);
        self.events += 1;
        if was_counted_under(event, built) || is_set_aside(event) {
            return Ok(());
        }
        let time = schema.event_time().value_in(event).and_then(|time| time.as_datetime());
        let time = time.ok_or_else(|| corrupt(format!("it has no {}", schema.event_time().name)))?;
        let facts = Facts::read(plan, event).map_err(|error| corrupt(error.to_string()))?;
        let mut clock = clock_of(event);
        self.changes.add(plan, time.timestamp_millis(), &facts, &mut clock, schema.allowed_lateness());
        Ok(())
    }
}
