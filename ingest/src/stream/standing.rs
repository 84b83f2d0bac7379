//! What is stored of a stream's rollups, and what a schema would change of it. Nothing is written here.

mod gone;

pub(super) use gone::Recovery;

use super::compatible::StoredSchema;
use super::coverage::{Coverage, label, lost_windows};
use super::entry::{Stage, StoredRollup, StoredStream, TableEntry, description};
use super::lineage::Lineage;
use super::switch::{Consent, Unprepared};
use crate::error::IngestError;
use crate::store::{Store, StoreError};
use bson::{Document, doc};
use futures_util::TryStreamExt;
use model::layout::{CatalogEntry, OFFSETS, ROLLUP_CATALOG, ROLLUP_TABLES, STREAMS};
use model::rollup::{Rollup, StateTable};
use model::schema::Schema;
use mongodb::error::Error;
use std::collections::{BTreeMap, BTreeSet};

/// What is stored of a stream's rollups.
pub(super) struct Standing {
    pub(super) stream: Option<StoredStream>,
    /// Another stream of this database.
    other: Option<String>,
    tables: BTreeMap<String, TableEntry>,
    catalog: BTreeMap<String, CatalogEntry>,
    /// Whether anything was ever read, so that there may be events.
    pub(super) stored_events: bool,
}

/// What a table needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing is stored: its rollups are as the plan says from the beginning.
    Begin,
    /// Nothing, or what it waits for already.
    Nothing,
    /// Its states are there, but some of its rollups differ.
    Write,
    /// The stored events must be counted.
    Count,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Change {
    /// Number of the plan that it begins with; `None` where there is none yet.
    pub(super) from: Option<i64>,
    /// By place of the table.
    pub(super) needs: Vec<Need>,
    /// Rollups that are no more.
    pub(super) removed: Vec<String>,
    /// Tables that are no more.
    pub(super) removed_tables: Vec<String>,
    /// Those, and earlier ones whose partial states may still be there.
    pub(super) unused_tables: Vec<String>,
    /// Collections that nothing of the new plan writes.
    pub(super) unused: Vec<String>,
    /// No row that is there has this revision.
    pub(super) revision: i64,
    pub(super) schema: StoredSchema,
    pub(super) lineage: Lineage,
    /// Events that were counted and are no longer stored.
    pub(super) missing: i64,
}

impl Standing {
    pub(super) async fn read(store: &Store, schema: &Schema) -> Result<Self, Error> {
        let by_stream = doc! { "stream": schema.stream() };
        let catalog: Vec<CatalogEntry> = store.collection(ROLLUP_CATALOG).find(by_stream).await?.try_collect().await?;
        let tables: Vec<TableEntry> = store.collection(ROLLUP_TABLES).find(doc! {}).await?.try_collect().await?;
        let streams = store.collection::<Document>(STREAMS);
        let other = streams.find_one(doc! { "_id": { "$ne": schema.stream() } }).await?;
        Ok(Self {
            stream: StoredStream::read(store, schema).await?,
            other: other.and_then(|other| other.get_str("_id").ok().map(str::to_owned)),
            tables: tables.into_iter().map(|table| (table.id.clone(), table)).collect(),
            catalog: catalog.into_iter().map(|entry| (entry.name.clone(), entry)).collect(),
            stored_events: store.collection::<Document>(OFFSETS).find_one(doc! {}).await?.is_some(),
        })
    }

    pub(super) fn check(&self, store: &Store, schema: &Schema) -> Result<(), IngestError> {
        let database = store.database().name();
        if let Some(other) = &self.other {
            return Err(IngestError::Usage(format!(
                "the database {database} holds the stream {other}, and {} is another one: their events would be mixed up. Use a database \
                 for each stream (--database)",
                schema.stream()
            )));
        }
        match &self.stream {
            Some(stream) if self.stored_events => stream.schema.joined_with(schema, database).map(drop),
            _ => Ok(()),
        }
    }

    /// Refuses a schema that was replaced by another one. As long as nothing was read, there is nothing to undo.
    pub(super) fn check_lineage(&self, store: &Store, schema: &Schema) -> Result<(), IngestError> {
        match &self.stream {
            Some(stream) if self.stored_events => stream.check_lineage(schema, store.database().name()),
            _ => Ok(()),
        }
    }

    /// What is to be changed; `None` where the plan in force is that of the schema. The rows of the tables in `lost` cannot be used.
    pub(super) fn change(&self, schema: &Schema, again: &[&StateTable], lost: &BTreeSet<String>) -> Option<Change> {
        let plan = schema.rollups();
        let needs: Vec<_> = plan
            .tables()
            .iter()
            .map(|table| {
                let under_way = self.tables.get(table.id()).is_some_and(|entry| entry.stage.is_some());
                let asked = again.iter().any(|other| other.id() == table.id());
                let is_counted = (asked && !under_way) || lost.contains(table.id());
                if is_counted && self.stored_events { Need::Count } else { self.need(schema, table) }
            })
            .collect();
        let removed: Vec<_> = self.catalog.keys().filter(|name| plan.find(name).is_none()).cloned().collect();
        let in_plan = |id: &String| plan.tables().iter().any(|table| table.id() == id);
        let removed_tables: Vec<_> = self.tables.keys().filter(|id| !in_plan(id)).cloned().collect();
        let same = self.stream.as_ref().is_some_and(|stream| stream.has_plan_of(schema))
            && needs.iter().all(|need| *need == Need::Nothing)
            && removed.is_empty()
            && removed_tables.is_empty();
        if same {
            return None;
        }
        let newest = self.tables.values().map(|table| table.revision);
        let published = self.catalog.values().map(|entry| entry.published_revision);
        let revision = newest.chain(published).max().map_or(0, |revision| revision + 1);
        let unused = self.unused(schema, &removed, &removed_tables);
        let from = self.stream.as_ref().map(|stream| stream.plan);
        let before = self.stream.iter().flat_map(|stream| &stream.unused_tables);
        let unused_tables = before.filter(|id| !in_plan(id)).chain(&removed_tables).cloned().collect();
        Some(Change {
            from,
            needs,
            removed,
            removed_tables,
            unused_tables,
            unused,
            revision,
            schema: self.fields(schema),
            lineage: self.stream.as_ref().map_or_else(|| Lineage::of(schema), |stream| stream.lineage_with(schema)),
            missing: 0,
        })
    }

    /// How many of the counted events are no longer stored, where the change counts them again.
    ///
    /// # Errors
    /// [`Unprepared::Refused`] where a rollup that is there would lose them, unless the user agrees.
    pub(super) async fn missing(
        &self,
        store: &Store,
        schema: &Schema,
        change: &Change,
        consent: Consent,
    ) -> Result<i64, Unprepared> {
        if change.places(Need::Count).next().is_none() {
            return Ok(0);
        }
        let coverage = Coverage::read(store).await.map_err(StoreError::from)?;
        for name in change.rollups_that(schema, Need::Count) {
            match self.counted_before(name) {
                Some((table, rollup)) if !consent.lost_history && coverage.missing() > table.missing => {
                    let windows = lost_windows(store, schema, table, rollup).await?;
                    return Err(Unprepared::Refused(would_lose(name, coverage, table.missing, windows)));
                }
                None if coverage.missing() > 0 => tracing::warn!(
                    rollup = name,
                    missing = coverage.missing(),
                    "events are no longer stored: the new rollup begins without them"
                ),
                _ => {}
            }
        }
        Ok(coverage.missing())
    }

    /// The table and the description of a rollup that is there.
    fn counted_before(&self, name: &str) -> Option<(&TableEntry, &CatalogEntry)> {
        let rollups = &self.stream.as_ref()?.rollups;
        let definition = rollups.iter().find_map(|rollup: &StoredRollup| rollup.definition_of(name))?;
        let is_of = |table: &&TableEntry| {
            definition.strip_prefix(table.id.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(" top "))
        };
        let table = self.tables.values().filter(is_of).max_by_key(|table| table.id.len())?;
        Some((table, self.catalog.get(name)?))
    }

    /// What the stored events hold, and those to come.
    pub(super) fn fields(&self, schema: &Schema) -> StoredSchema {
        let stored = self.stream.as_ref().filter(|_| self.stored_events);
        let joined = stored.and_then(|stream| stream.schema.joined_with(schema, "").ok());
        joined.unwrap_or_else(|| StoredSchema::of(schema))
    }

    fn need(&self, schema: &Schema, table: &StateTable) -> Need {
        let plan = schema.rollups();
        let Some(entry) = self.tables.get(table.id()) else {
            return if self.stored_events { Need::Count } else { Need::Begin };
        };
        match entry.stage {
            Some(Stage::Count | Stage::Drain) => return Need::Nothing,
            // What was written already may have been for another plan.
            Some(Stage::Write | Stage::Rename)
                if self.stream.as_ref().is_some_and(|stream| stream.has_plan_of(schema)) =>
            {
                return Need::Nothing;
            }
            _ => {}
        }
        let carrier = plan.group_rows(table).name();
        let differs = |rollup: &Rollup| {
            let wanted = description(schema, rollup, entry.built, 0);
            !self.catalog.get(rollup.name()).is_some_and(|stored| describes_alike(stored, &wanted))
        };
        let moved = entry.carrier.as_deref().is_some_and(|stored| stored != carrier);
        if entry.stage.is_some() || moved || plan.rollups_of(table).any(differs) { Need::Write } else { Need::Nothing }
    }

    fn unused(&self, schema: &Schema, removed: &[String], removed_tables: &[String]) -> Vec<String> {
        let before = self.stream.iter().flat_map(|stream| stream.unused.iter().cloned());
        let hidden = removed_tables.iter().filter_map(|id| self.tables[id].carrier.clone());
        let hidden = hidden.filter(|carrier| carrier.contains('.'));
        let moved =
            self.tables.values().filter_map(|table| table.carrier.clone()).filter(|name| name.ends_with(".groups"));
        let mut unused: BTreeSet<_> = before.chain(removed.iter().cloned()).chain(hidden).chain(moved).collect();
        for name in collections_of(schema) {
            unused.remove(name);
        }
        unused.into_iter().collect()
    }
}

fn would_lose(rollup: &str, coverage: Coverage, before: i64, windows: Option<BTreeMap<i64, i64>>) -> IngestError {
    let (lost, counted) = (coverage.missing() - before, coverage.counted - before);
    let ends =
        windows.and_then(|windows| Some((label(*windows.first_key_value()?.0), label(*windows.last_key_value()?.0))));
    let windows = match ends {
        Some((first, last)) if first == last => format!("its window {first}"),
        Some((first, last)) => format!("its windows from {first} to {last}"),
        None => "its rows".to_owned(),
    };
    IngestError::Usage(format!(
        "{rollup} has counted {counted} events, and {lost} of them are no longer stored, because of retention or a delete: counted again, \
         {windows} would have fewer or go ({counted} → {} events). Leave the rollup as it is, or accept that with --accept-lost-history",
        counted - lost
    ))
}

fn describes_alike(stored: &CatalogEntry, wanted: &CatalogEntry) -> bool {
    stored.definition_hash == wanted.definition_hash && stored.columns == wanted.columns
}

/// The collections that the rollups of a schema are in.
fn collections_of(schema: &Schema) -> impl Iterator<Item = &str> {
    let plan = schema.rollups();
    let carriers = plan.tables().iter().map(|table| plan.group_rows(table).name());
    plan.rollups().iter().map(Rollup::name).chain(carriers)
}

impl Change {
    pub(super) fn places(&self, need: Need) -> impl Iterator<Item = usize> {
        self.needs.iter().enumerate().filter(move |(_, of_table)| **of_table == need).map(|(place, _)| place)
    }

    pub(super) fn rollups_that<'s>(&self, schema: &'s Schema, need: Need) -> impl Iterator<Item = &'s str> {
        let places: Vec<_> = self.places(need).collect();
        let rollups = schema.rollups().rollups().iter();
        rollups.filter(move |rollup| places.contains(&rollup.table())).map(Rollup::name)
    }

    pub(super) fn tell(&self) {
        if self.from.is_some() {
            tracing::info!(
                "the rollups of this stream have changed; workers that were started before must have the same schema"
            );
        }
        for name in &self.removed {
            tracing::warn!(
                rollup = name,
                "the schema no longer has this rollup: its table is removed; it can be made again from the stored events"
            );
        }
    }

    pub(super) fn number(&self) -> i64 {
        self.from.map_or(0, |plan| plan + 1)
    }
}
