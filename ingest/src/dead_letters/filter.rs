//! Which letters are meant, and reading them.

use super::{Letter, LetterSummary};
use crate::error::IngestError;
use crate::store::Store;
use bson::{Bson, DateTime, Document, doc};
use futures_util::TryStreamExt;
use model::layout::DEAD_LETTERS;
use mongodb::options::IndexOptions;
use mongodb::{Cursor, IndexModel};
use serde::Serialize;

/// Which letters of the topic and group are meant; the default means all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LetterFilter {
    /// Codes of reasons; any of them. Empty means every reason.
    pub reasons: Vec<String>,
    /// Partitions; any of them. Empty means every partition.
    pub partitions: Vec<i32>,
    /// Earliest timestamp of the record in Kafka, inclusive.
    pub from: Option<DateTime>,
    /// Latest timestamp, exclusive.
    pub to: Option<DateTime>,
    /// Whether it must be open or settled.
    pub state: Option<LetterState>,
}

/// Whether a replay has settled a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LetterState {
    /// It still cannot be used.
    Open,
    /// A replay has settled it.
    Settled,
}

/// How many letters have one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReasonCount {
    /// The reason's code.
    pub reason: String,
    /// Letters that still cannot be used.
    pub open: i64,
    /// Letters that a replay has settled.
    pub settled: i64,
}

impl LetterFilter {
    fn query(&self, store: &Store) -> Document {
        let mut query = doc! { "topic": store.topic(), "group": store.group() };
        if !self.reasons.is_empty() {
            query.insert("reason", doc! { "$in": &self.reasons });
        }
        if !self.partitions.is_empty() {
            query.insert("partition", doc! { "$in": &self.partitions });
        }
        let mut time = Document::new();
        time.extend(self.from.map(|from| ("$gte".to_owned(), Bson::DateTime(from))));
        time.extend(self.to.map(|to| ("$lt".to_owned(), Bson::DateTime(to))));
        if !time.is_empty() {
            query.insert("timestamp", time);
        }
        match self.state {
            Some(LetterState::Open) => query.insert("settled", Bson::Null),
            Some(LetterState::Settled) => query.insert("settled", doc! { "$ne": Bson::Null }),
            None => None,
        };
        query
    }
}

/// Makes the index by which letters are found, sorted and counted.
///
/// # Errors
/// The driver's error.
pub async fn create_index(store: &Store) -> mongodb::error::Result<()> {
    // What a filter can name is in it, so that counting reads no payloads.
    let keys = doc! {
        "topic": 1, "partition": 1, "offset": 1, "group": 1, "reason": 1, "timestamp": 1, "settled.outcome": 1,
    };
    let options = IndexOptions::builder().name("letters".to_owned()).build();
    let index = IndexModel::builder().keys(keys).options(options).build();
    store.collection::<Document>(DEAD_LETTERS).create_index(index).await.map(drop)
}

/// The letters in the order of partition and offset; 0 means without limit.
///
/// # Errors
/// [`IngestError::Outside`] where MongoDB does not answer.
pub async fn find(store: &Store, filter: &LetterFilter, limit: i64) -> Result<Cursor<Letter>, IngestError> {
    find_as(store, filter, limit, Document::new()).await
}

/// The same letters without their records.
///
/// # Errors
/// As [`find`].
pub async fn summaries(store: &Store, filter: &LetterFilter, limit: i64) -> Result<Cursor<LetterSummary>, IngestError> {
    let shown = doc! { "timestamp": 1, "reason": 1, "message": 1, "settled": 1 };
    find_as(store, filter, limit, shown).await
}

/// The members of the letters that `shown` names; all of them where it names none.
async fn find_as<T: Send + Sync>(
    store: &Store,
    filter: &LetterFilter,
    limit: i64,
    shown: Document,
) -> Result<Cursor<T>, IngestError> {
    let letters = store.collection::<T>(DEAD_LETTERS);
    let found = letters.find(filter.query(store)).projection(shown);
    let sorted = found.sort(doc! { "topic": 1, "partition": 1, "offset": 1 }).limit(limit);
    sorted.await.map_err(|error| store.outside(&error))
}

/// How many letters have which reason, the most frequent first.
///
/// # Errors
/// [`IngestError::Outside`] where MongoDB does not answer.
pub async fn count(store: &Store, filter: &LetterFilter) -> Result<Vec<ReasonCount>, IngestError> {
    let is_open = doc! { "$lte": ["$settled.outcome", Bson::Null] };
    let pipeline = [
        doc! { "$match": filter.query(store) },
        doc! { "$group": {
            "_id": "$reason",
            "open": { "$sum": { "$cond": [&is_open, 1_i64, 0_i64] } },
            "settled": { "$sum": { "$cond": [&is_open, 0_i64, 1_i64] } },
        } },
        doc! { "$sort": { "open": -1, "settled": -1, "_id": 1 } },
    ];
    let counted = async {
        let cursor = store.collection::<Document>(DEAD_LETTERS).aggregate(pipeline).await?;
        cursor.try_collect::<Vec<Document>>().await
    };
    let counted = counted.await.map_err(|error| store.outside(&error))?;
    let count = |document: &Document| {
        Some(ReasonCount {
            reason: document.get_str("_id").ok()?.to_owned(),
            open: document.get_i64("open").ok()?,
            settled: document.get_i64("settled").ok()?,
        })
    };
    Ok(counted.iter().filter_map(count).collect())
}

/// How many letters a group has kept of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The topic.
    pub topic: String,
    /// The group that kept them.
    pub group: String,
    /// Open and settled ones.
    pub letters: i64,
}

/// What all groups have kept in this database, of any topic: a record that several groups read is kept by the first of them alone.
///
/// # Errors
/// [`IngestError::Outside`] where MongoDB does not answer.
pub async fn kept(store: &Store) -> Result<Vec<Kept>, IngestError> {
    let pipeline = [
        // With a condition on the topic the index alone answers.
        doc! { "$match": { "topic": { "$gte": "" } } },
        doc! { "$group": { "_id": { "topic": "$topic", "group": "$group" }, "letters": { "$sum": 1_i64 } } },
        doc! { "$sort": { "_id": 1 } },
    ];
    let counted = async {
        let cursor = store.collection::<Document>(DEAD_LETTERS).aggregate(pipeline).await?;
        cursor.try_collect::<Vec<Document>>().await
    };
    let counted = counted.await.map_err(|error| store.outside(&error))?;
    let kept = |document: &Document| {
        let id = document.get_document("_id").ok()?;
        Some(Kept {
            topic: id.get_str("topic").ok()?.to_owned(),
            group: id.get_str("group").ok()?.to_owned(),
            letters: document.get_i64("letters").ok()?,
        })
    };
    Ok(counted.iter().filter_map(kept).collect())
}

/// The letter with this id.
///
/// # Errors
/// [`IngestError::Outside`] where MongoDB does not answer, or there is no such letter.
pub async fn get(store: &Store, id: &str) -> Result<Letter, IngestError> {
    let letters = store.collection::<Letter>(DEAD_LETTERS);
    let found = letters.find_one(doc! { "_id": id }).await.map_err(|error| store.outside(&error))?;
    found.ok_or_else(|| {
        IngestError::Outside(format!(
            "there is no dead letter {id} in the database {}; `ingest dead list` shows their ids",
            store.database().name()
        ))
    })
}
