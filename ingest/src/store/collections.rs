//! What must exist before the first batch: collections, because a transaction that creates one may conflict with another, and indexes.

use super::ownership::{Adoption, Registry, late_filter, late_pipeline};
use super::{Standing, Store, StoreError, error_code};
use crate::dead_letters;
use bson::{Bson, Document, doc};
use futures_util::future::try_join_all;
use model::late::LateRecords;
use model::layout::{ColumnRole, EVENTS, LATE, RESERVED, column};
use model::rollup::{Rollup, StateTable};
use model::schema::Schema;
use mongodb::IndexModel;
use mongodb::options::IndexOptions;
use std::collections::BTreeSet;

/// A database in which nothing is in the way.
#[derive(Debug)]
pub(crate) struct Ground {
    registry: Registry,
    /// What an earlier version of the program has made.
    adoption: Option<Adoption>,
    /// Names of what existed before the registry was read again.
    before: BTreeSet<String>,
}

impl Ground {
    /// Names of the collections that are not marked yet, although this program has made them.
    pub(crate) fn unmarked(&self) -> impl Iterator<Item = &str> {
        self.adoption.iter().flat_map(Adoption::names)
    }

    /// Reads again what exists, after the catalog: another worker may create, rename or drop collections in between.
    pub(crate) async fn refresh(&mut self, store: &Store) -> mongodb::error::Result<()> {
        let registry = store.registry().await?;
        self.before.extend(std::mem::replace(&mut self.registry, registry).existing().map(str::to_owned));
        Ok(())
    }

    /// Whether there is or was a moment ago a collection or view of that name.
    pub(crate) fn exists(&self, name: &str) -> bool {
        self.before.contains(name) || self.registry.existing().any(|existing| existing == name)
    }

    /// Whether a collection is somebody else's, and stays so.
    pub(crate) fn is_left(&self, name: &str) -> bool {
        matches!(self.registry.standing(name), Standing::Foreign(_)) && self.unmarked().all(|unmarked| unmarked != name)
    }
}

impl Store {
    /// Refuses a database in which a collection is in the way that this program did not create.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] names the collections.
    pub(crate) async fn check_ownership(&self, schema: &Schema) -> Result<Ground, StoreError> {
        let registry = self.registry().await?;
        let adoption = self.unmarked(&registry, schema).await?;
        let unmarked: Vec<&str> = adoption.iter().flat_map(Adoption::names).collect();
        registry.foreign(self, names(schema).into_iter().filter(|name| !unmarked.contains(name)))?;
        if schema.late_records() == LateRecords::SetAside && registry.late_view() == Some(false) {
            return Err(registry.in_the_way(self, LATE).into());
        }
        Ok(Ground { registry, adoption, before: BTreeSet::new() })
    }

    /// Marks what an earlier version of the program has made, and creates what is missing, except the collections in `later`.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] where a collection has come in the way meanwhile.
    pub(crate) async fn prepare(&self, schema: &Schema, ground: Ground, later: &[String]) -> Result<(), StoreError> {
        let Ground { registry, adoption, .. } = ground;
        if let Some(adoption) = adoption {
            self.adopt(&registry, &adoption).await?;
        }
        self.create_needed(schema, later).await?;
        if schema.late_records() == LateRecords::SetAside {
            self.prepare_late(&registry).await?;
        }
        dead_letters::filter::create_index(self).await?;
        let plan = schema.rollups();
        // An index on a collection that does not exist would create it.
        let there = plan.rollups().iter().filter(|rollup| !later.iter().any(|name| name == rollup.name()));
        let indexes = there.map(|rollup| self.index(rollup, &plan.tables()[rollup.table()], rollup.name()));
        try_join_all(indexes).await.map(drop)
    }

    /// Creates the missing collections that a schema needs, except those in `later`.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] if one is somebody else's.
    pub(crate) async fn create_needed(&self, schema: &Schema, later: &[String]) -> Result<(), StoreError> {
        let now: Vec<&str> =
            names(schema).into_iter().filter(|name| !later.iter().any(|other| other == name)).collect();
        self.create_owned(&now).await
    }

    /// The view of events that were set aside, and an index that has these alone.
    async fn prepare_late(&self, registry: &Registry) -> Result<(), StoreError> {
        let options = IndexOptions::builder().name(LATE.to_owned()).partial_filter_expression(late_filter()).build();
        let keys = late_filter().into_iter().map(|(mark, _)| (mark, Bson::Int32(1))).collect();
        let index = IndexModel::builder().keys(Document::clone(&keys)).options(options).build();
        self.collection::<Document>(EVENTS).create_index(index).await?;
        if registry.late_view().is_some() {
            return Ok(());
        }
        let view = self.database.create_collection(LATE).view_on(EVENTS.to_owned()).pipeline(late_pipeline());
        match view.await {
            // Another worker that starts now was quicker.
            Err(error) if error_code(&error) == Some(super::NAMESPACE_EXISTS) => Ok(()),
            created => Ok(created?),
        }
    }

    /// The indexes of a rollup's rows in `collection`.
    ///
    /// # Errors
    /// The driver's error.
    pub(crate) async fn index(&self, rollup: &Rollup, table: &StateTable, collection: &str) -> Result<(), StoreError> {
        let named = |name: &str| IndexOptions::builder().name(name.to_owned());
        let by_revision = named(column::REVISION).build();
        // The publisher looks for open rows whose windows have ended; of the other columns only the window is asked for often, and `_id`
        // begins with it.
        let open = named("open").partial_filter_expression(doc! { column::IS_FINAL: false }).build();
        let mut indexes = vec![
            IndexModel::builder().keys(doc! { column::REVISION: 1 }).options(by_revision).build(),
            IndexModel::builder().keys(doc! { column::IS_FINAL: 1, column::WINDOW_END: 1 }).options(open).build(),
        ];
        if table.has_sessions() {
            // The publisher looks for the sessions of a key at a time.
            let keys = rollup.columns().into_iter().filter(|column| column.role == ColumnRole::Key);
            let names = keys.map(|key| key.name).chain([column::WINDOW_START.to_owned()]);
            let by_key: Document = names.map(|name| (name, Bson::Int32(1))).collect();
            indexes.push(IndexModel::builder().keys(by_key).build());
        }
        self.collection::<Document>(collection).create_indexes(indexes).await?;
        Ok(())
    }
}

/// Names of the collections that a schema needs, without the registry.
pub(super) fn names(schema: &Schema) -> Vec<&str> {
    let plan = schema.rollups();
    let carriers = plan.tables().iter().map(|table| plan.group_rows(table).name());
    let published = plan.rollups().iter().map(Rollup::name);
    let mut names: Vec<&str> = RESERVED.into_iter().chain(published).chain(carriers).collect();
    names.sort_unstable();
    names.dedup();
    names
}
