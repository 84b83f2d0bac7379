//! The stored form of a dead letter.

use crate::batch::DeadLetter;
use crate::store::Store;
use bson::oid::ObjectId;
use bson::raw::{RawBsonRef, RawDocumentBuf, cstr};
use bson::spec::BinarySubtype;
use bson::{Binary, DateTime, doc};
use model::layout::dead_letter_id;
use model::schema::Schema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A record that could not be used, as it is stored in `dead_letters`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    /// `topic/partition/offset`.
    #[serde(rename = "_id")]
    pub id: String,
    /// Kafka topic.
    pub topic: String,
    /// Consumer group whose counts have it.
    pub group: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// The record's timestamp in Kafka.
    pub timestamp: Option<DateTime>,
    /// The record's key.
    pub key: Option<Binary>,
    /// The record's payload, byte for byte.
    pub payload: Option<Binary>,
    /// The record's headers, in order.
    pub headers: Vec<Header>,
    /// Which step refused it: `decode`.
    pub stage: String,
    /// Code of the reason.
    pub reason: String,
    /// What is wrong, and where, as a sentence.
    pub message: String,
    /// Name of the schema that refused it.
    pub schema: String,
    /// Version of that schema: changes with its text.
    pub schema_version: String,
    /// Version of the program that refused it.
    pub program: String,
    /// When it was kept.
    pub written_at: DateTime,
    /// What a replay made of it; absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Settled>,
}

/// A header of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Its name; a record may have several of one name.
    pub name: String,
    /// Its value.
    pub value: Option<Binary>,
}

/// How a letter was settled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    /// When.
    pub at: DateTime,
    /// What the record became.
    pub outcome: Outcome,
    /// Version of the schema that could use it.
    pub schema_version: String,
    /// The transaction that did it.
    pub replay: ObjectId,
}

/// What a replay can make of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is an event now.
    Stored,
    /// An event with its id was there already.
    Duplicate,
    /// The schema's filter leaves it out.
    Filtered,
}

impl Outcome {
    /// The code in stored letters.
    pub fn code(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Duplicate => "duplicate",
            Self::Filtered => "filtered",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Letter {
    /// The letter of a record that `schema` refuses.
    pub(crate) fn new(store: &Store, schema: &Schema, letter: &DeadLetter) -> Self {
        let header =
            |(name, value): &(String, Option<Vec<u8>>)| Header { name: name.clone(), value: value.clone().map(binary) };
        Self {
            id: dead_letter_id(store.topic(), letter.at.partition, letter.at.offset),
            topic: store.topic().to_owned(),
            group: store.group().to_owned(),
            partition: letter.at.partition,
            offset: letter.at.offset,
            timestamp: letter.at.timestamp.map(DateTime::from_millis),
            key: letter.key.clone().map(binary),
            payload: letter.payload.clone().map(binary),
            headers: letter.headers.iter().map(header).collect(),
            stage: "decode".to_owned(),
            reason: letter.reject.reason.code().to_owned(),
            message: letter.reject.message.clone(),
            schema: schema.name().to_owned(),
            schema_version: schema.version().to_owned(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            written_at: DateTime::now(),
            settled: None,
        }
    }

    /// The update that keeps the letter, unless one with its id is kept already.
    pub(crate) fn upsert(&self) -> bson::error::Result<RawDocumentBuf> {
        let mut letter = bson::serialize_to_document(self)?;
        letter.remove("_id");
        let change = RawDocumentBuf::try_from(&doc! { "$setOnInsert": letter })?;
        let mut query = RawDocumentBuf::new();
        query.append(cstr!("_id"), self.id.as_str());
        let mut update = RawDocumentBuf::new();
        update.append(cstr!("q"), RawBsonRef::Document(&query));
        update.append(cstr!("u"), RawBsonRef::Document(&change));
        update.append(cstr!("upsert"), true);
        Ok(update)
    }
}

fn binary(bytes: Vec<u8>) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes }
}
