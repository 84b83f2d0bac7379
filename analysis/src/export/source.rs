//! The tables as MongoDB has them: where they come from, how far they are published, and what has changed.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::mpsc,
    thread,
};

use bson::{Document, RawDocumentBuf, doc};
use futures_util::{StreamExt, TryStreamExt};
use model::layout::{CatalogEntry, Column, EVENTS, ROLLUP_CATALOG, column};
use mongodb::Database;
use polars::prelude::{DataFrame, SortMultipleOptions};

use super::{
    manifest::{Origin, StoreIdentity},
    meaning,
    options::{Settings, Top},
};
use crate::load::{Comparison, Condition, FrameBuilder, Moment, Store, StoreError, TableInfo};

/// Batches on their way from MongoDB to the decoder.
const BATCHES_AHEAD: usize = 2;

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
    /// Name of its files, without the ending.
    pub stem: String,
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
    let stems = stems(&entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>());
    let tables = entries.into_iter().zip(stems).map(|(entry, stem)| {
        let origin = Origin { collection: uuid(&entry.name), definition: entry.definition_hash.clone() };
        SourceTable { info: TableInfo::new(entry, 0), origin, stem }
    });
    Ok(Catalog { store: identity, tables: tables.collect(), events: uuid(EVENTS) })
}

/// Names of files that differ by more than case, because Windows and macOS tell no others apart: of `Daily` and `daily` the second is
/// `daily_2`.
fn stems(tables: &[&str]) -> Vec<String> {
    let mut taken = HashSet::from([EVENTS.to_owned()]);
    let mut stems = Vec::with_capacity(tables.len());
    for (place, table) in tables.iter().enumerate() {
        let is_other = |stem: &str| {
            tables.iter().enumerate().any(|(other, name)| other != place && name.to_lowercase() == stem.to_lowercase())
        };
        let mut stem = (*table).to_owned();
        let mut number = 1;
        while taken.contains(&stem.to_lowercase()) || number > 1 && is_other(&stem) {
            number += 1;
            stem = format!("{table}_{number}");
        }
        taken.insert(stem.to_lowercase());
        stems.push(stem);
    }
    stems
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
    match &settings.top {
        Some(top) => largest(store, table, settings, top),
        None => ordered(store, table, settings, filter(settings)?),
    }
}

/// The rows of a revision after `revision`, in the table's order.
pub(crate) fn rows_since(
    store: &Store,
    table: &SourceTable,
    settings: &Settings,
    revision: i64,
) -> Result<DataFrame, StoreError> {
    let mut filter = filter(settings)?;
    filter.insert(column::REVISION, doc! { "$gt": revision });
    ordered(store, table, settings, filter)
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

fn largest(store: &Store, table: &SourceTable, settings: &Settings, top: &Top) -> Result<DataFrame, StoreError> {
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
    let by = top.by.as_deref().or(table.info.count_column()).unwrap_or(column::WINDOW_START);
    let names: Vec<&str> = wanted(table, settings).iter().map(|column| column.name.as_str()).collect();
    query.columns(names).top(top.rows, by).collect()
}

fn filter(settings: &Settings) -> Result<Document, StoreError> {
    let mut filter = range(column::WINDOW_START, settings)?;
    if settings.final_only {
        filter.insert(column::IS_FINAL, true);
    }
    Ok(filter)
}

/// The filter for the time range of the settings.
pub(crate) fn range(time: &str, settings: &Settings) -> Result<Document, StoreError> {
    let mut bounds = Document::new();
    for (operator, bound) in [("$gte", &settings.from), ("$lt", &settings.to)] {
        if let Some(bound) = bound {
            let moment: Moment = bound.parse()?;
            bounds.insert(operator, bson::DateTime::from_millis(moment.millis()));
        }
    }
    Ok(if bounds.is_empty() {
        doc! {}
    } else {
        doc! { time: bounds }
    })
}

/// The columns that the settings ask for.
fn wanted<'a>(table: &'a SourceTable, settings: &Settings) -> Vec<&'a Column> {
    let all = &table.info.columns;
    if settings.columns.is_empty() {
        return all.iter().collect();
    }
    let find = |name: &String| all.iter().find(|column| column.name == *name);
    settings.columns.iter().filter_map(find).collect()
}

/// Reads rows and puts them in order here: of 100,000 rows MongoDB needs longer to sort them, and to leave fields out, than to
/// send them as they are.
fn ordered(store: &Store, table: &SourceTable, settings: &Settings, filter: Document) -> Result<DataFrame, StoreError> {
    let name = &table.info.name;
    let wanted = wanted(table, settings);
    let order = meaning::identity(&table.info.columns);
    let mut columns: Vec<Column> = wanted.iter().copied().cloned().collect();
    columns.extend(order.iter().filter(|column| !wanted.contains(column)).map(|&column| column.clone()));
    let rows = unordered(store, name, &columns, filter)?;
    let by: Vec<&str> = order.iter().map(|column| column.name.as_str()).collect();
    let sorted = if by.is_empty() { Ok(rows) } else { rows.sort(by, SortMultipleOptions::default()) };
    let names = wanted.iter().map(|column| column.name.as_str());
    Ok(sorted.and_then(|rows| rows.select(names)).expect("these are columns of the frame"))
}

/// Rows as they come: MongoDB collects a batch while the one before it is decoded here.
fn unordered(store: &Store, name: &str, columns: &[Column], filter: Document) -> Result<DataFrame, StoreError> {
    let mut frame = FrameBuilder::of_columns(columns);
    thread::scope(|scope| {
        let (sender, batches) = mpsc::sync_channel(BATCHES_AHEAD);
        let (database, collection) = (store.handle(), name.to_owned());
        let read = async move {
            let mut batches = database.collection::<RawDocumentBuf>(&collection).find(filter).batch().await?;
            while let Some(batch) = batches.next().await.transpose()? {
                // The receiver goes only with an error of its own, which is the one to be told.
                if sender.send(batch).is_err() {
                    break;
                }
            }
            Ok(())
        };
        let reader = scope.spawn(move || store.wait(read));
        for batch in batches {
            let documents = batch.doc_slices().map_err(|error| store.explain(error, name))?;
            frame.extend(documents).map_err(|source| StoreError::Decode { table: name.to_owned(), source })?;
        }
        let read: mongodb::error::Result<()> = reader.join().expect("a reader returns its errors");
        read.map_err(|error| store.explain(error, name))
    })?;
    Ok(frame.finish().frame)
}

#[cfg(test)]
mod tests {
    use super::stems;

    #[test]
    fn no_two_files_differ_by_case_alone() {
        assert_eq!(stems(&["Daily", "by_month", "daily"]), ["Daily", "by_month", "daily_2"]);
        assert_eq!(stems(&["DAILY", "Daily", "daily", "daily_2"]), ["DAILY", "Daily_3", "daily_4", "daily_2"]);
        assert_eq!(stems(&["Events", "Größe", "GRÖSSE", "größe"]), ["Events_2", "Größe", "GRÖSSE", "größe_2"]);
    }
}
