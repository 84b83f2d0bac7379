//! Why the store did not do what a start or a publisher asked of it.

use super::obstacle::Obstacle;
use super::ownership::ForeignCollections;
use super::{DUPLICATE_KEY, WRITE_CONFLICT, error_code};
use crate::error::brief;
use bson::raw::{RawBsonRef, RawDocument};
use bson::{Bson, Document};
use mongodb::error::Error;

/// Why the store did not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The driver or the server says why.
    #[error("{}", brief(.0))]
    Driver(#[from] Error),
    /// The answer was good, but too few members of the replica set have the write.
    #[error("no majority has acknowledged a write: {0}")]
    NotAcknowledged(String),
    /// Another worker has the lease of the table, or has published its last round.
    #[error("{0}: another worker publishes it now")]
    LeaseLost(String),
    /// Another plan of rollups is in force.
    #[error("{0}: another plan of rollups is in force")]
    OtherPlan(String),
    /// A stored document cannot be read.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// A document of the same `_id` is there already.
    #[error("{0}: another worker has written the same document")]
    Met(String),
    /// The server refuses to store a document, and will again.
    #[error("MongoDB refuses a write to the collection {collection}: {problem} (code {code})")]
    Refused {
        /// The collection.
        collection: String,
        /// The server's code.
        code: i32,
        /// What the server says.
        problem: String,
    },
    /// A collection is in the way that this program did not create.
    #[error(transparent)]
    Foreign(#[from] ForeignCollections),
    /// A collection that holds rows does not exist.
    #[error("the collection {0} no longer exists: it was renamed or dropped")]
    Gone(String),
    /// A value cannot be written as BSON.
    #[error("a value cannot be written as BSON: {0}")]
    Unwritable(#[from] bson::error::Error),
}

/// A stored document that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the document {id} of the collection {collection} cannot be read: {problem}")]
pub struct Corrupt {
    /// The collection.
    pub collection: String,
    /// The document's `_id`, as extended JSON.
    pub id: String,
    /// What is wrong with it.
    pub problem: String,
}

/// What can be done about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prospect {
    /// It passes by itself.
    Waits(Obstacle),
    /// Another worker was quicker: what is stored must be read again.
    Overtaken,
    /// It stays until somebody acts.
    Lasts,
}

impl StoreError {
    /// What can be done about it.
    pub(crate) fn prospect(&self) -> Prospect {
        match self {
            Self::Driver(error) => match (error_code(error), Obstacle::of(error)) {
                (Some(WRITE_CONFLICT | DUPLICATE_KEY), _) => Prospect::Overtaken,
                (_, Some(obstacle)) => Prospect::Waits(obstacle),
                _ => Prospect::Lasts,
            },
            Self::NotAcknowledged(_) => Prospect::Waits(Obstacle::NoMajority),
            Self::LeaseLost(_) | Self::OtherPlan(_) | Self::Met(_) => Prospect::Overtaken,
            Self::Refused { code: WRITE_CONFLICT, .. } => Prospect::Overtaken,
            Self::Refused { code, problem, .. } => {
                Obstacle::of_code(*code, problem).map_or(Prospect::Lasts, Prospect::Waits)
            }
            Self::Corrupt(_) | Self::Foreign(_) | Self::Gone(_) | Self::Unwritable(_) => Prospect::Lasts,
        }
    }

    /// The first write of a command that was refused, where one was.
    ///
    /// # Errors
    /// [`StoreError::Refused`].
    pub(crate) fn of_writes(collection: &str, answer: &Document) -> Result<(), Self> {
        let errors = answer.get_array("writeErrors").into_iter().flatten().filter_map(Bson::as_document);
        errors.map(|error| Err(Self::of_write(collection, error))).next().unwrap_or(Ok(()))
    }

    /// One error of a list of writes.
    pub(crate) fn of_write(collection: &str, error: &Document) -> Self {
        if meets_id(error) {
            return Self::Met(collection.to_owned());
        }
        let failing = error.get_document("errInfo").ok().and_then(|info| info.get("failingDocumentId"));
        let id = failing.map_or_else(String::new, |id| format!(", document {}", json(id)));
        Self::Refused {
            collection: collection.to_owned(),
            code: error.get_i32("code").unwrap_or_default(),
            problem: format!("{}{id}", error.get_str("errmsg").unwrap_or("unknown error")),
        }
    }

    /// The server's code, where it refused something.
    pub(crate) fn code(&self) -> Option<i32> {
        match self {
            Self::Driver(error) => error_code(error),
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}

impl Corrupt {
    /// The document `document` of a collection, with what is wrong with it.
    pub(crate) fn new(collection: &str, document: &RawDocument, problem: impl ToString) -> Self {
        let id = document.get("_id").ok().flatten().unwrap_or(RawBsonRef::Null);
        let id = Bson::try_from(id).map_or_else(|error| error.to_string(), |id| json(&id).to_string());
        Self { collection: collection.to_owned(), id, problem: problem.to_string() }
    }
}

/// Whether a write has failed because a document of the same `_id` is there. A key of another unique index, which somebody has made, is no
/// such thing: the document is not stored.
pub(crate) fn meets_id(error: &Document) -> bool {
    let is_of_id = || error.get_document("keyPattern").map_or(true, |key| key.contains_key("_id"));
    error.get_i32("code").ok() == Some(DUPLICATE_KEY) && is_of_id()
}

/// An `_id` as extended JSON, with dates that can be read.
fn json(id: &Bson) -> serde_json::Value {
    match id {
        Bson::DateTime(at) => at.try_to_rfc3339_string().map_or_else(
            |_| serde_json::json!({ "$date": at.timestamp_millis() }),
            |at| serde_json::json!({ "$date": at }),
        ),
        Bson::Array(values) => values.iter().map(json).collect(),
        Bson::Document(members) => {
            serde_json::Value::Object(members.iter().map(|(name, value)| (name.clone(), json(value))).collect())
        }
        other => serde_json::to_value(other).unwrap_or_else(|_| other.to_string().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: i32, problem: &str) -> StoreError {
        StoreError::Refused { collection: "by_hour".into(), code, problem: problem.into() }
    }

    #[test]
    fn each_error_is_waited_for_read_again_or_told() {
        for (error, prospect) in [
            (StoreError::LeaseLost("t".into()), Prospect::Overtaken),
            (StoreError::OtherPlan("t".into()), Prospect::Overtaken),
            (refused(WRITE_CONFLICT, "conflict"), Prospect::Overtaken),
            (StoreError::NotAcknowledged("timed out".into()), Prospect::Waits(Obstacle::NoMajority)),
            (refused(10107, "not primary"), Prospect::Waits(Obstacle::Away)),
            (refused(1, "28: No space left on device"), Prospect::Waits(Obstacle::DiskFull)),
            (refused(DUPLICATE_KEY, "E11000"), Prospect::Lasts),
            (StoreError::Met("by_hour".into()), Prospect::Overtaken),
            (StoreError::Gone("by_hour".into()), Prospect::Lasts),
            (refused(121, "Document failed validation"), Prospect::Lasts),
            (refused(10334, "BSONObj size is invalid"), Prospect::Lasts),
            (refused(8000, "you are over your space quota"), Prospect::Lasts),
            (StoreError::Driver(Error::custom("anything else")), Prospect::Lasts),
            (
                StoreError::Driver(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()),
                Prospect::Waits(Obstacle::Away),
            ),
        ] {
            assert_eq!(error.prospect(), prospect, "{error}");
        }
    }

    #[test]
    fn only_a_key_of_the_id_says_that_the_document_is_there() {
        let error = |code: i32, key: Document| bson::doc! { "code": code, "index": 0, "keyPattern": key };
        assert!(meets_id(&error(DUPLICATE_KEY, bson::doc! { "_id": 1 })));
        assert!(meets_id(&bson::doc! { "code": DUPLICATE_KEY }));
        assert!(!meets_id(&error(DUPLICATE_KEY, bson::doc! { "sensor": 1 })));
        assert!(!meets_id(&error(121, bson::doc! { "_id": 1 })));
    }

    #[test]
    fn a_corrupt_document_is_named() {
        let row = bson::rawdoc! { "_id": { "w": bson::DateTime::from_millis(0), "k": ["a"] }, "_state": 1 };
        let corrupt = Corrupt::new("by_hour", &row, "no state");
        assert_eq!((corrupt.collection.as_str(), corrupt.problem.as_str()), ("by_hour", "no state"));
        let id: serde_json::Value = serde_json::from_str(&corrupt.id).unwrap();
        assert_eq!(id, serde_json::json!({ "w": { "$date": "1970-01-01T00:00:00Z" }, "k": ["a"] }));
    }
}
