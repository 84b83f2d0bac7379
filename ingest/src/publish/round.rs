//! One publication of one rollup.

use super::touched::Windows;
use crate::store::Store;
use bson::raw::{CStr, RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use bson::{Bson, DateTime, Document, doc};
use futures_util::TryStreamExt;
use futures_util::stream::FuturesUnordered;
use model::clock::Watermark;
use model::layout::{ROLLUP_CATALOG, ROLLUP_STATES, column};
use model::rollup::{KeyValue, Rollup, RollupPlan, Row, Rows, State, StateKey, StateTable};
use model::schema::Schema;
use model::window::Window;
use mongodb::error::Error;
use mongodb::options::ReturnDocument;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

/// A publisher that does not come back within this time has lost its lease.
const LEASE_MS: i64 = 30_000;
const LEASE_PAUSE: Duration = Duration::from_millis(20);
/// Up to here a window's touched keys are read one by one, beyond as the whole window.
const KEYS_ONE_BY_ONE: usize = 64;
const RANGES_PER_QUERY: usize = 64;
const ROWS_PER_COMMAND: usize = 1_000;
const WRITES_IN_FLIGHT: usize = 3;
const STATES_PER_ANSWER: u32 = 5_000;
/// Hashes of rows that are remembered: 16 MB at most.
const ROWS_KNOWN: usize = 1_000_000;
const DUPLICATE_KEY: i32 = 11000;

/// A publication under way: this worker has the lease, and the rows it writes have its revision.
pub(super) struct Round<'a> {
    store: &'a Store,
    rollup: &'a Rollup,
    table: &'a StateTable,
    worker: &'a str,
    revision: i64,
}

impl<'a> Round<'a> {
    /// Waits for the lease and takes the next revision.
    pub(super) async fn begin(
        store: &'a Store,
        plan: &'a RollupPlan,
        rollup: &'a Rollup,
        worker: &'a str,
    ) -> Result<Self, Error> {
        let free = doc! { "$or": [
            { "lease": Bson::Null },
            { "lease.worker": worker },
            { "$expr": { "$lt": ["$lease.until", "$$NOW"] } },
        ] };
        let take = vec![doc! { "$set": {
            "revision": { "$add": ["$revision", 1_i64] },
            "lease": { "worker": worker, "until": { "$add": ["$$NOW", LEASE_MS] } },
        } }];
        let catalog = store.collection::<Document>(ROLLUP_CATALOG);
        loop {
            let mut filter = free.clone();
            filter.insert("_id", rollup.name());
            let taken =
                catalog.find_one_and_update(filter, take.clone()).return_document(ReturnDocument::After).await?;
            if let Some(entry) = taken {
                let revision = entry.get_i64("revision").map_err(Error::custom)?;
                return Ok(Self { store, rollup, table: &plan.tables()[rollup.table()], worker, revision });
            }
            tokio::time::sleep(LEASE_PAUSE).await;
        }
    }

    /// Writes the rows of the touched windows: reads and combines some while others are on their way.
    pub(super) async fn publish(
        &self,
        windows: &Windows,
        watermark: Watermark,
        known: &mut KnownRows,
    ) -> Result<(), Error> {
        let ranges: Vec<Document> = windows.iter().flat_map(|(window, keys)| self.ranges(*window, keys)).collect();
        let mut writes = FuturesUnordered::new();
        // A window's ranges must not be cut apart where its rows are ranked; such a window has exactly one.
        for some in ranges.chunks(RANGES_PER_QUERY) {
            let mut rows = Vec::new();
            for (window, groups) in self.groups(some).await? {
                let is_final = watermark.has_passed(self.table.window().ends_at(window));
                rows.extend(self.rows(window, groups, windows.get(&window)).into_iter().map(|row| (row, is_final)));
            }
            for rows in rows.chunks(ROWS_PER_COMMAND) {
                let (new, old): (Vec<_>, Vec<_>) = rows.iter().partition(|(row, _)| known.insert(&row.id));
                // A row that is there although this worker does not know it is met by the update.
                let inserts = (!new.is_empty()).then(|| (self.insert_command(&new), self.update_command(&new)));
                let updates = (!old.is_empty()).then(|| self.update_command(&old));
                writes.push(self.write(inserts, updates));
                if writes.len() >= WRITES_IN_FLIGHT {
                    writes.try_next().await?;
                }
            }
        }
        while writes.try_next().await?.is_some() {}
        Ok(())
    }

    /// The ranges of `_id` that hold the states of a window's touched keys.
    fn ranges(&self, window: Window, keys: &HashSet<Box<[KeyValue]>>) -> Vec<Document> {
        let prefix = doc! { "r": self.table.id(), "w": DateTime::from_millis(window.start) };
        let range = |first: Document, last: (&str, Bson)| {
            let mut end = first.clone();
            end.insert(last.0, last.1);
            doc! { "_id": { "$gte": first, "$lt": end } }
        };
        if self.rollup.top().is_some() || keys.len() > KEYS_ONE_BY_ONE {
            return vec![range(prefix, ("k", Bson::MaxKey))];
        }
        keys.iter()
            .map(|key| {
                let mut first = prefix.clone();
                first.insert("k", key_array(key));
                range(first, ("p", Bson::MaxKey))
            })
            .collect()
    }

    /// The states in these ranges, combined over partitions.
    async fn groups(&self, ranges: &[Document]) -> Result<BTreeMap<Window, Rows>, Error> {
        let states = self.store.collection::<RawDocumentBuf>(ROLLUP_STATES);
        let mut cursor = states.find(doc! { "$or": ranges.to_vec() }).batch_size(STATES_PER_ANSWER).await?;
        let mut groups: BTreeMap<Window, HashMap<Box<[KeyValue]>, State>> = BTreeMap::new();
        while cursor.advance().await? {
            let (window, key) = place(self.table, cursor.current())?;
            let state = State::read(self.table, cursor.current()).map_err(Error::custom)?;
            match groups.entry(window).or_default().entry(key) {
                Entry::Occupied(mut sum) => sum.get_mut().combine(&state),
                Entry::Vacant(first) => {
                    first.insert(state);
                }
            }
        }
        Ok(groups.into_iter().map(|(window, groups)| (window, groups.into_iter().collect())).collect())
    }

    /// The rows to write: of the touched keys, or all ranks.
    fn rows(&self, window: Window, mut groups: Rows, touched: Option<&HashSet<Box<[KeyValue]>>>) -> Vec<Row> {
        if self.rollup.top().is_none() {
            groups.retain(|(key, _)| touched.is_none_or(|keys| keys.contains(key)));
        }
        self.rollup.rows(window, groups)
    }

    /// Rows that are probably not there yet.
    fn insert_command(&self, rows: &[&(Row, bool)]) -> RawDocumentBuf {
        let mut documents = RawArrayBuf::new();
        for (row, is_final) in rows {
            let mut document = RawDocumentBuf::new();
            document.append(cstr!("_id"), RawBsonRef::Document(&row.id));
            self.append_columns(&mut document, row);
            document.append(cstr!("is_final"), *is_final);
            documents.push(RawBsonRef::Document(&document));
        }
        self.command(cstr!("insert"), cstr!("documents"), &documents)
    }

    /// Replaces rows unless they have a larger revision; what is final stays final.
    fn update_command(&self, rows: &[&(Row, bool)]) -> RawDocumentBuf {
        let mut updates = RawArrayBuf::new();
        for (row, is_final) in rows {
            let mut set = RawDocumentBuf::new();
            self.append_columns(&mut set, row);
            let mut older = RawDocumentBuf::new();
            older.append(cstr!("$lt"), self.revision);
            let mut query = RawDocumentBuf::new();
            query.append(cstr!("_id"), RawBsonRef::Document(&row.id));
            query.append(cstr!("revision"), RawBsonRef::Document(&older));
            let mut finality = RawDocumentBuf::new();
            finality.append(cstr!("is_final"), *is_final);
            let mut change = RawDocumentBuf::new();
            change.append(cstr!("$set"), RawBsonRef::Document(&set));
            change.append(cstr!("$max"), RawBsonRef::Document(&finality));
            let mut update = RawDocumentBuf::new();
            update.append(cstr!("q"), RawBsonRef::Document(&query));
            update.append(cstr!("u"), RawBsonRef::Document(&change));
            update.append(cstr!("upsert"), true);
            updates.push(RawBsonRef::Document(&update));
        }
        self.command(cstr!("update"), cstr!("updates"), &updates)
    }

    /// The row's columns but `is_final`, which an update must not take back.
    fn append_columns(&self, document: &mut RawDocumentBuf, row: &Row) {
        for column in row.columns.iter().flatten() {
            document.append(column.0, column.1);
        }
        document.append(cstr!("revision"), self.revision);
        document.append(cstr!("updated_at"), DateTime::now());
    }

    fn command(&self, verb: &CStr, list: &CStr, members: &RawArrayBuf) -> RawDocumentBuf {
        let mut command = RawDocumentBuf::new();
        command.append(verb, self.rollup.name());
        command.append(list, RawBsonRef::Array(members));
        command.append(cstr!("ordered"), false);
        command
    }

    async fn write(
        &self,
        inserts: Option<(RawDocumentBuf, RawDocumentBuf)>,
        updates: Option<RawDocumentBuf>,
    ) -> Result<(), Error> {
        if let Some((inserts, otherwise)) = inserts
            && !self.run(inserts).await?
        {
            self.run(otherwise).await?;
        }
        if let Some(updates) = updates {
            self.run(updates).await?;
        }
        Ok(())
    }

    /// Runs a write command; false where rows were there already.
    ///
    /// Of an update that means a larger revision: it does not match, so the upsert finds its `_id` taken, and the row stays.
    async fn run(&self, command: RawDocumentBuf) -> Result<bool, Error> {
        let answer = self.store.database().run_raw_command(command).await?;
        let errors = answer.get_array("writeErrors").map(Vec::as_slice).unwrap_or_default();
        let real =
            errors.iter().filter_map(Bson::as_document).find(|error| error.get_i32("code").ok() != Some(DUPLICATE_KEY));
        match real {
            Some(error) => Err(Error::custom(format!(
                "{}: {}",
                self.rollup.name(),
                error.get_str("errmsg").unwrap_or("unknown error")
            ))),
            None => Ok(errors.is_empty()),
        }
    }

    /// Marks the rows whose windows the watermark has passed.
    pub(super) async fn close_windows(&self, watermark: Watermark) -> Result<(), Error> {
        let passed = match watermark {
            Watermark::Unknown => return Ok(()),
            Watermark::At(time) => doc! { "$lte": DateTime::from_millis(self.table.window().label_of(time)) },
            Watermark::Idle => doc! { "$exists": true },
        };
        let open = doc! { column::IS_FINAL: false, column::WINDOW_END: passed };
        let close = doc! { "$set": { column::IS_FINAL: true, column::REVISION: self.revision, column::UPDATED_AT: DateTime::now() } };
        self.store.collection::<Document>(self.rollup.name()).update_many(open, close).await.map(drop)
    }

    /// Tells readers that the revision is complete, notes how far each partition is published, and gives the lease back.
    pub(super) async fn finish(self, positions: &BTreeMap<i32, i64>) -> Result<(), Error> {
        let mut newest = doc! { "published_revision": self.revision };
        newest.extend(positions.iter().map(|(partition, &next)| (format!("published.{partition}"), Bson::Int64(next))));
        let ours = doc! { "_id": self.rollup.name(), "lease.worker": self.worker };
        let update = doc! { "$max": newest, "$set": { "lease": Bson::Null } };
        self.store.collection::<Document>(ROLLUP_CATALOG).update_one(ours, update).await.map(drop)
    }
}

/// The states of a partition that changed after they were last published.
pub(super) async fn unpublished(store: &Store, schema: &Schema, partition: i32) -> Result<Vec<StateKey>, Error> {
    let plan = schema.rollups();
    let catalog: Vec<Document> =
        store.collection::<Document>(ROLLUP_CATALOG).find(doc! {}).await?.try_collect().await?;
    let published = |name: &str| {
        let entry = catalog.iter().find(|entry| entry.get_str("_id").ok() == Some(name));
        entry.and_then(|entry| entry.get_document("published").ok()?.get_i64(partition.to_string()).ok()).unwrap_or(0)
    };
    let mut found = Vec::new();
    for (at, table) in plan.tables().iter().enumerate() {
        let rollups = plan.rollups().iter().filter(|rollup| rollup.table() == at);
        let since = rollups.map(|rollup| published(rollup.name())).min().unwrap_or(0);
        let filter = doc! {
            "_id": { "$gte": { "r": table.id() }, "$lt": { "r": table.id(), "w": Bson::MaxKey } },
            "_id.p": partition,
            "at": { "$gt": since },
        };
        let mut cursor =
            store.collection::<RawDocumentBuf>(ROLLUP_STATES).find(filter).projection(doc! { "_id": 1 }).await?;
        while cursor.advance().await? {
            let (window, key) = place(table, cursor.current())?;
            found.push(StateKey { table: at, partition, window, key });
        }
    }
    Ok(found)
}

/// The window and key of a stored state.
fn place(table: &StateTable, stored: &RawDocument) -> Result<(Window, Box<[KeyValue]>), Error> {
    let unreadable = || Error::custom(format!("{ROLLUP_STATES}: a state has no readable _id: {stored:?}"));
    let id = stored.get_document("_id").map_err(|_| unreadable())?;
    let start = id.get_datetime("w").map_err(|_| unreadable())?;
    let keys = id.get_array("k").map_err(|_| unreadable())?;
    let key =
        keys.into_iter().map(|value| KeyValue::from_bson(value.ok()?)).collect::<Option<_>>().ok_or_else(unreadable)?;
    Ok((table.window_at(start.timestamp_millis()), key))
}

/// Rows that this worker has written, so that it inserts a new row, which costs the server less than an upsert.
///
/// Only a guess, by a hash of the row's identity: an insert that finds the row there is followed by the update.
#[derive(Debug, Default)]
pub(super) struct KnownRows(HashSet<u64>);

impl KnownRows {
    /// Notes a row; true where it is new.
    fn insert(&mut self, id: &RawDocumentBuf) -> bool {
        if self.0.len() >= ROWS_KNOWN {
            self.0.clear();
        }
        self.0.insert(xxhash_rust::xxh3::xxh3_64(id.as_bytes()))
    }
}

fn key_array(key: &[KeyValue]) -> Vec<Bson> {
    key.iter().map(KeyValue::to_bson).collect()
}
