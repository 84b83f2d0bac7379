//! A real mongod for the tests of this crate, and databases as `ingest` leaves them.

#![allow(dead_code, reason = "not every test program uses all of it")]

pub mod proxy;

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

use bson::{Bson, Document, doc};
use model::layout::{CatalogEntry, Column, ColumnRole, ColumnType, EVENTS, OFFSETS, ROLLUP_CATALOG, position_id};
use mongodb::{Client, Database};
use stack::{Stack, StackOptions};
use tokio::runtime::Runtime;

/// Address of the server that the environment names, or of one that is started once and ends with this program.
pub fn uri() -> &'static str {
    static URI: OnceLock<String> = OnceLock::new();
    URI.get_or_init(|| {
        let start = || {
            let options = StackOptions { kafka: false, reuse_environment: true, ..StackOptions::default() };
            let stack = runtime().block_on(Stack::start(options)).expect("a mongod for the tests");
            let uri = stack.mongodb_uri().expect("mongod was asked for").to_owned();
            // Dropping it would end the server; the guardian ends it with this process.
            std::mem::forget(stack);
            uri
        };
        // On a thread of its own: a runtime cannot block inside another one.
        std::thread::spawn(start).join().expect("mongod starts")
    })
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// A database that no other test uses, dropped at the end.
pub struct TestDatabase {
    runtime: Option<Runtime>,
    database: Database,
}

impl TestDatabase {
    /// An empty database.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("analysis_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let runtime = runtime();
        let client = runtime.block_on(Client::with_uri_str(uri())).expect("a client");
        Self { runtime: Some(runtime), database: client.database(&name) }
    }

    pub fn name(&self) -> &str {
        self.database.name()
    }

    /// Writes a rollup as the publisher does: rows, then the catalog's document.
    pub fn publish(&self, entry: &CatalogEntry, rows: &[Document]) {
        self.block_on(async {
            let collection = self.database.collection::<Document>(&entry.name);
            collection.delete_many(doc! {}).await.expect("emptied");
            if !rows.is_empty() {
                collection.insert_many(rows).await.expect("inserted");
            }
            let catalog = self.database.collection::<CatalogEntry>(ROLLUP_CATALOG);
            catalog.replace_one(doc! { "_id": &entry.name }, entry).upsert(true).await.expect("catalogued");
        });
    }

    /// Writes rows over those of the same `_id`, and moves the published revision, as a round of the publisher does.
    pub fn republish(&self, table: &str, revision: i64, rows: &[Document]) {
        self.block_on(async {
            let collection = self.database.collection::<Document>(table);
            for row in rows {
                let mut row = row.clone();
                row.insert("revision", revision);
                let id = doc! { "_id": row.get("_id").cloned() };
                collection.replace_one(id, row).upsert(true).await.expect("written");
            }
            let newest = doc! { "$set": { "revision": revision, "published_revision": revision } };
            let catalog = self.database.collection::<Document>(ROLLUP_CATALOG);
            catalog.update_one(doc! { "_id": table }, newest).await.expect("catalogued");
        });
    }

    /// Removes rows under a revision, as the publisher does with sessions that it joins to others.
    pub fn remove(&self, table: &str, revision: i64, rows: Document) {
        self.block_on(async {
            self.database.collection::<Document>(table).delete_many(rows).await.expect("removed");
            let newest = doc! { "$set": { "published_revision": revision, "removed_revision": revision } };
            let catalog = self.database.collection::<Document>(ROLLUP_CATALOG);
            catalog.update_one(doc! { "_id": table }, newest).await.expect("catalogued");
        });
    }

    /// Stores events of a partition at these offsets and moves its position, as the worker does.
    pub fn store_events(&self, partition: i32, events: &[(i64, Document)], next: i64) {
        let stored = |(offset, event): &(i64, Document)| {
            let mut event = event.clone();
            event.insert("src", doc! { "partition": partition, "offset": offset });
            event
        };
        self.block_on(async {
            if !events.is_empty() {
                let collection = self.database.collection::<Document>(EVENTS);
                collection.insert_many(events.iter().map(stored)).await.expect("stored");
            }
            self.move_position("rushes", partition, next, events.len() as i64).await;
        });
    }

    /// Moves a position of a group.
    pub fn set_position(&self, group: &str, partition: i32, next: i64) {
        self.block_on(self.move_position(group, partition, next, 0));
    }

    /// Counts events as stored in a partition whose position stays where it is.
    pub fn count_stored(&self, group: &str, partition: i32, stored: i64) {
        self.block_on(async {
            let positions = self.database.collection::<Document>(OFFSETS);
            let id = doc! { "_id": position_id(group, "reviews", partition) };
            positions.update_one(id, doc! { "$inc": { "counts.stored": stored } }).await.expect("counted");
        });
    }

    /// Says that a partition's position is one of another topic.
    pub fn rename_topic(&self, group: &str, partition: i32, topic: &str) {
        self.block_on(async {
            let positions = self.database.collection::<Document>(OFFSETS);
            let id = doc! { "_id": position_id(group, "reviews", partition) };
            positions.update_one(id, doc! { "$set": { "topic": topic } }).await.expect("renamed");
        });
    }

    /// Removes a position of a group.
    pub fn forget_position(&self, group: &str, partition: i32) {
        self.block_on(async {
            let positions = self.database.collection::<Document>(OFFSETS);
            positions.delete_one(doc! { "_id": position_id(group, "reviews", partition) }).await.expect("removed");
        });
    }

    async fn move_position(&self, group: &str, partition: i32, next: i64, stored: i64) {
        let change = doc! {
            "$set": { "group": group, "topic": "reviews", "partition": partition, "next": next },
            "$inc": { "counts.stored": stored },
        };
        let positions = self.database.collection::<Document>(OFFSETS);
        let id = doc! { "_id": position_id(group, "reviews", partition) };
        positions.update_one(id, change).upsert(true).await.expect("moved");
    }

    /// What the server did to answer reads while `action` ran: its profile of them.
    pub fn profiled(&self, action: impl FnOnce()) -> Vec<Document> {
        let profile = |level: i32| {
            self.block_on(async {
                self.database.run_command(doc! { "profile": level }).await.expect("profiled");
            });
        };
        profile(2);
        action();
        profile(0);
        self.block_on(async {
            let reads = doc! { "op": { "$in": ["query", "command"] }, "planSummary": { "$exists": true } };
            let reads = self.database.collection::<Document>("system.profile").find(reads).await.expect("a profile");
            futures_util::TryStreamExt::try_collect(reads).await.expect("a profile")
        })
    }

    /// Makes an index, as the worker does.
    pub fn index(&self, table: &str, column: &str) {
        let index = doc! { "createIndexes": table, "indexes": [{ "key": { column: 1 }, "name": column }] };
        self.block_on(async {
            self.database.run_command(index).await.expect("indexed");
        });
    }

    /// Empties a collection.
    pub fn empty(&self, collection: &str) {
        self.block_on(async {
            self.database.collection::<Document>(collection).delete_many(doc! {}).await.expect("emptied");
        });
    }

    /// Writes a document of the catalog as it is.
    pub fn catalogue(&self, document: Document) {
        self.block_on(async {
            self.database.collection(ROLLUP_CATALOG).insert_one(document).await.expect("catalogued");
        });
    }

    fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.as_ref().expect("taken only at the end").block_on(work)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // The server is private to the tests; a database that stays behind does no harm.
            let _ = runtime.block_on(async { self.database.drop().await });
            runtime.shutdown_background();
        }
    }
}

/// Midnight of a day counted from 1970-01-01.
pub fn day(days: i64) -> Bson {
    Bson::DateTime(bson::DateTime::from_millis(days * 86_400_000))
}

/// The catalog's entry of a table of reviews.
pub fn entry(
    name: &str,
    window: &str,
    published_revision: i64,
    columns: &[(&str, ColumnType, ColumnRole, Option<&str>)],
) -> CatalogEntry {
    let column = |&(name, kind, role, measure): &(&str, ColumnType, ColumnRole, Option<&str>)| Column {
        name: name.to_owned(),
        kind,
        role,
        measure: measure.map(str::to_owned),
        relative_error: None,
    };
    CatalogEntry {
        name: name.to_owned(),
        stream: "reviews".to_owned(),
        window: window.to_owned(),
        time_zone: "UTC".to_owned(),
        definition_hash: "test".to_owned(),
        columns: columns.iter().map(column).collect(),
        published_revision,
        removed_revision: 0,
    }
}

/// Films by day: 2 a day from 2018-12-30 on, alternating; every fifth row has no mean.
pub fn movies_by_day(days: i64) -> (CatalogEntry, Vec<Document>) {
    let entry = entry(
        "movies_by_day",
        "day",
        3,
        &[
            ("window_start", ColumnType::Date, ColumnRole::WindowStart, None),
            ("movie", ColumnType::String, ColumnRole::Key, None),
            ("reviews", ColumnType::Int, ColumnRole::Count, None),
            ("rated", ColumnType::Int, ColumnRole::Count, Some("rating")),
            ("rating_sum", ColumnType::Int, ColumnRole::Sum, Some("rating")),
            ("rating_mean", ColumnType::Float, ColumnRole::Mean, Some("rating")),
            ("is_final", ColumnType::Bool, ColumnRole::IsFinal, None),
            ("updated_at", ColumnType::Timestamp, ColumnRole::UpdatedAt, None),
        ],
    );
    let row = |number: i64| {
        let (start, movie) = (17_895 + number / 2, if number % 2 == 0 { "Up (2009)" } else { "기생충, \"2019\"" });
        let rated = if number % 5 == 0 { 0 } else { 1 + number % 7 };
        doc! {
            "_id": { "window_start": day(start), "movie": movie },
            "window_start": day(start),
            "movie": movie,
            "reviews": 2 + number % 7,
            "rated": rated,
            "rating_sum": rated * 8,
            "rating_mean": (rated > 0).then_some(8.0),
            "is_final": number % 2 == 0,
            "updated_at": bson::DateTime::from_millis(1_600_000_000_123),
        }
    };
    // Backwards, so that the order of the answer is not the order of insertion.
    (entry, (0..days * 2).rev().map(row).collect())
}

/// Ratings 1 to 3 by month, two months.
pub fn ratings_by_month() -> (CatalogEntry, Vec<Document>) {
    let entry = entry(
        "ratings_by_month",
        "month",
        3,
        &[
            ("window_start", ColumnType::Date, ColumnRole::WindowStart, None),
            ("reviews", ColumnType::Int, ColumnRole::Count, None),
            ("rating_1", ColumnType::Int, ColumnRole::Histogram, Some("rating")),
            ("rating_2", ColumnType::Int, ColumnRole::Histogram, Some("rating")),
            ("rating_3", ColumnType::Int, ColumnRole::Histogram, Some("rating")),
        ],
    );
    let row = |start: i64, counts: [i64; 3]| {
        doc! {
            "_id": { "window_start": day(start) },
            "window_start": day(start),
            "reviews": counts.iter().sum::<i64>(),
            "rating_1": counts[0], "rating_2": counts[1], "rating_3": counts[2],
        }
    };
    (entry, vec![row(17_897, [1, 2, 3]), row(17_928, [4, 5, 6])])
}
