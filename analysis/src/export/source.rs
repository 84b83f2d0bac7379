//! The tables as MongoDB has them: where they come from, how far they are published, and what has changed.

use std::collections::{BTreeMap, HashMap};

use bson::{Document, doc};
use futures_util::TryStreamExt;
use model::layout::{CatalogEntry, EVENTS, ROLLUP_CATALOG, column};
use mongodb::Database;
use polars::prelude::DataFrame;

use super::{
    manifest::{Origin, StoreIdentity},
    options::Settings,
};
use crate::load::{Comparison, Condition, Rollup, Store, StoreError, TableInfo};

/// All tables at one moment.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub store: StoreIdentity,
    pub tables: Vec<SourceTable>,
    /// UUID of the collection of events.
    pub events: String,
}

/// One table.
#[derive(Debug, Clone)]
pub(crate) struct SourceTable {
    pub info: TableInfo,
    pub origin: Origin,
}

/// A year of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Year {
    pub rows: u64,
    /// The newest revision of its rows.
    pub revision: Option<i64>,
}

/// Reads the catalog, and the UUIDs that MongoDB gave the collections.
pub(crate) fn catalog(store: &Store) -> Result<Catalog, StoreError> {
    let database = store.handle();
    let entries = async move {
        let uuids = collection_uuids(&database).await?;
        let catalog = database.collection::<CatalogEntry>(ROLLUP_CATALOG);
        let entries: Vec<CatalogEntry> = catalog.find(doc! {}).sort(doc! { "_id": 1 }).await?.try_collect().await?;
        Ok((uuids, entries))
    };
    let read: mongodb::error::Result<_> = store.wait(entries);
    let (uuids, entries) = match read {
        Ok(read) => read,
        // The store words it better: it knows which version of the catalog it reads.
        Err(error) => return store.tables().and(Err(store.explain(error, "the catalog"))),
    };
    let uuid = |name: &str| uuids.get(name).cloned().unwrap_or_default();
    let identity = StoreIdentity { database: store.database().to_owned(), catalog: uuid(ROLLUP_CATALOG) };
    let tables = entries.into_iter().map(|entry| {
        let origin = Origin { collection: uuid(&entry.name), definition: entry.definition_hash.clone() };
        SourceTable { info: TableInfo::new(entry, 0), origin }
    });
    Ok(Catalog { store: identity, tables: tables.collect(), events: uuid(EVENTS) })
}

async fn collection_uuids(database: &Database) -> mongodb::error::Result<HashMap<String, String>> {
    let collections: Vec<_> = database.list_collections().await?.try_collect().await?;
    let uuid = |collection: mongodb::results::CollectionSpecification| {
        let bytes = collection.info.uuid.map(|uuid| uuid.bytes).unwrap_or_default();
        (collection.name, super::manifest::hex(&bytes))
    };
    Ok(collections.into_iter().map(uuid).collect())
}

/// Rows in the collection, without reading them.
pub(crate) fn count(store: &Store, table: &SourceTable) -> Result<u64, StoreError> {
    let (database, name) = (store.handle(), table.info.name.clone());
    let counted = store.wait(async move { database.collection::<Document>(&name).estimated_document_count().await });
    counted.map_err(|error| store.explain(error, &table.info.name))
}

/// The rows that the settings let through, in the table's order.
pub(crate) fn rows(store: &Store, table: &SourceTable, settings: &Settings) -> Result<DataFrame, StoreError> {
    let mut query = selected(filtered(store, table, settings), table, settings);
    if let Some(top) = &settings.top {
        let by = top.by.as_deref().or(table.info.count_column()).unwrap_or(column::WINDOW_START);
        query = query.top(top.rows, by);
    }
    query.collect()
}

/// The rows of a revision after `revision`.
pub(crate) fn rows_since(
    store: &Store,
    table: &SourceTable,
    settings: &Settings,
    revision: i64,
) -> Result<DataFrame, StoreError> {
    let newer = Condition::new(column::REVISION, Comparison::Greater, revision);
    filtered(store, table, settings).filter(newer).collect()
}

/// The rows of one year.
pub(crate) fn rows_of_year(
    store: &Store,
    table: &SourceTable,
    settings: &Settings,
    year: &str,
) -> Result<DataFrame, StoreError> {
    let bound = |operator, date: &str| Condition::new(column::WINDOW_START, operator, date);
    let next = year.parse::<i32>().map_or_else(|_| year.to_owned(), |year| format!("{:04}", year + 1));
    let query = filtered(store, table, settings)
        .filter(bound(Comparison::AtLeast, year))
        .filter(bound(Comparison::Less, &next));
    selected(query, table, settings).collect()
}

/// The years of a table with how many rows they have and how new these are; counted in MongoDB.
pub(crate) fn years(store: &Store, table: &SourceTable) -> Result<BTreeMap<String, Year>, StoreError> {
    let (database, name) = (store.handle(), table.info.name.clone());
    let start = format!("${}", column::WINDOW_START);
    let pipeline = [doc! { "$group": {
        "_id": { "$dateToString": { "date": start, "format": "%Y" } },
        "rows": { "$sum": 1_i64 },
        "revision": { "$max": format!("${}", column::REVISION) },
    } }];
    let groups = store.wait(async move {
        let groups = database.collection::<Document>(&name).aggregate(pipeline).await?;
        groups.try_collect::<Vec<Document>>().await
    });
    let groups = groups.map_err(|error| store.explain(error, &table.info.name))?;
    let year = |group: Document| {
        let rows = group.get_i64("rows").ok().and_then(|rows| u64::try_from(rows).ok()).unwrap_or_default();
        let year = Year { rows, revision: group.get_i64("revision").ok() };
        Some((group.get_str("_id").ok()?.to_owned(), year))
    };
    Ok(groups.into_iter().filter_map(year).collect())
}

fn filtered(store: &Store, table: &SourceTable, settings: &Settings) -> Rollup {
    let mut query = store.rollup(&table.info.name);
    if let Some(from) = &settings.from {
        query = query.from(from.as_str());
    }
    if let Some(to) = &settings.to {
        query = query.to(to.as_str());
    }
    if settings.final_only {
        query = query.filter(Condition::new(column::IS_FINAL, Comparison::Equal, true));
    }
    query
}

fn selected(query: Rollup, table: &SourceTable, settings: &Settings) -> Rollup {
    if settings.columns.is_empty() {
        return query;
    }
    let known = |name: &&String| table.info.columns.iter().any(|column| column.name == **name);
    query.columns(settings.columns.iter().filter(known))
}
