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

/// Largest letter that is kept whole: MongoDB's 16 MiB for a document, less the command around it.
const MOST_LETTER_BYTES: usize = 15 << 20;
/// What is kept of the parts of a larger one: enough to see what it is.
const MOST_PAYLOAD_BYTES: usize = 1 << 20;
const MOST_KEY_BYTES: usize = 64 << 10;
const MOST_HEADERS_BYTES: usize = 64 << 10;
/// What a header takes besides its name and value.
const HEADER_BYTES: usize = 64;

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
    /// What the whole record measures, where it was too large to be kept whole; absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
    /// What a replay made of it; absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Settled>,
}

/// What a list shows of a letter: not the record itself, which may be large.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct LetterSummary {
    /// `topic/partition/offset`.
    #[serde(rename = "_id")]
    pub id: String,
    /// The record's timestamp in Kafka.
    pub timestamp: Option<DateTime>,
    /// Code of the reason.
    pub reason: String,
    /// What is wrong, and where, as a sentence.
    pub message: String,
    /// What a replay made of it; absent while it is open.
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

/// What a record measures of which only the beginning is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Bytes of its key.
    pub key_bytes: i64,
    /// Bytes of its payload.
    pub payload_bytes: i64,
    /// Number of its headers.
    pub headers: i64,
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
            cut: None,
            settled: None,
        }
    }

    /// The update that keeps the letter, unless one with its id is kept already; the beginning of it, where MongoDB cannot hold the whole.
    pub(crate) fn upsert(&mut self) -> bson::error::Result<RawDocumentBuf> {
        let whole = self.update()?;
        if whole.as_bytes().len() <= MOST_LETTER_BYTES {
            return Ok(whole);
        }
        self.cut();
        self.update()
    }

    fn cut(&mut self) {
        let length = |part: &Option<Binary>| part.as_ref().map_or(0, |part| part.bytes.len());
        let (key, payload, headers) = (length(&self.key), length(&self.payload), self.headers.len());
        let whole = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
        self.cut = Some(Cut { key_bytes: whole(key), payload_bytes: whole(payload), headers: whole(headers) });
        for (part, most) in [(&mut self.key, MOST_KEY_BYTES), (&mut self.payload, MOST_PAYLOAD_BYTES)] {
            if let Some(part) = part {
                shorten(&mut part.bytes, most);
            }
        }
        let mut bytes = 0;
        let kept = self.headers.iter().take_while(|header| {
            bytes += header.name.len() + length(&header.value) + HEADER_BYTES;
            bytes <= MOST_HEADERS_BYTES
        });
        let kept = kept.count();
        self.headers.truncate(kept);
        let Self { partition, offset, .. } = self;
        self.message += &format!(
            "; of its {payload} bytes only the first {} are kept here, so it cannot be replayed: the whole record is at partition {partition}, \
             offset {offset} of the topic, as long as the topic keeps it",
            length(&self.payload),
        );
    }

    fn update(&self) -> bson::error::Result<RawDocumentBuf> {
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

/// The first bytes; of a text whole characters.
fn shorten(bytes: &mut Vec<u8>, most: usize) {
    if bytes.len() > most {
        let whole = match std::str::from_utf8(&bytes[..most]) {
            // Without a length it is the end that is missing, not a wrong byte.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => most,
        };
        bytes.truncate(whole);
    }
}

fn binary(bytes: Vec<u8>) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes }
}
