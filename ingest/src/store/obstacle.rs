//! What outside keeps MongoDB from taking a write, and passes: it is waited for, and told in a sentence that says who must act.

use super::error_code;
use mongodb::error::{
    Error, ErrorKind, RETRYABLE_WRITE_ERROR, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT,
    WriteFailure,
};
use std::fmt;

/// Why a write is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The server cannot be reached, is choosing a primary, or is overloaded.
    Away,
    /// Its disk is full.
    DiskFull,
    /// Too few members of the replica set have acknowledged the write in time.
    NoMajority,
}

/// Codes of the server that pass without anybody changing the write: timeouts, elections, shutdowns, overload, and a command whose
/// session another worker has ended because nothing happened in it (`abandoned.rs`).
const PASSING: [i32; 17] = [6, 7, 24, 46, 50, 89, 91, 134, 189, 202, 262, 365, 10107, 11600, 11601, 11602, 13435];
const FILE_STREAM_FAILED: i32 = 39;
const OUT_OF_DISK_SPACE: i32 = 14031;

impl Obstacle {
    /// The obstacle that an error tells of; `None` where trying again would not help.
    pub fn of(error: &Error) -> Option<Self> {
        let labels = [TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT, RETRYABLE_WRITE_ERROR];
        let code = error_code(error);
        match error.kind.as_ref() {
            _ if is_full(code, &error.to_string()) => Some(Self::DiskFull),
            ErrorKind::Write(WriteFailure::WriteConcernError(_)) => Some(Self::NoMajority),
            ErrorKind::InsertMany(error) if error.write_concern_error.is_some() => Some(Self::NoMajority),
            ErrorKind::Io(_) | ErrorKind::ServerSelection { .. } | ErrorKind::ConnectionPoolCleared { .. } => {
                Some(Self::Away)
            }
            _ if labels.iter().any(|label| error.contains_label(label)) => Some(Self::Away),
            _ if code.is_some_and(|code| PASSING.contains(&code)) => Some(Self::Away),
            _ => None,
        }
    }
}

impl Obstacle {
    /// The same of one write of a command, by the server's code and text.
    pub(super) fn of_code(code: i32, text: &str) -> Option<Self> {
        if is_full(Some(code), text) {
            return Some(Self::DiskFull);
        }
        PASSING.contains(&code).then_some(Self::Away)
    }
}

/// The storage engine has several codes for it, and one text: the operating system's.
fn is_full(code: Option<i32>, text: &str) -> bool {
    matches!(code, Some(OUT_OF_DISK_SPACE | FILE_STREAM_FAILED)) || text.contains("No space left on device")
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Away => "MongoDB: it does not answer or is choosing a primary; `ingest check` says what is wrong with it",
            Self::DiskFull => "MongoDB: its disk is full; make room on it or give it a larger one, then the worker goes on by itself",
            Self::NoMajority => {
                "MongoDB: too few members of its replica set acknowledge writes; start those that are down, or wait for those that are \
                 behind (`rs.status()` in mongosh names them), then the worker goes on by itself"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::doc;

    /// An error as the server sends it.
    fn sent<T: serde::de::DeserializeOwned>(kind: impl Fn(T) -> ErrorKind, document: bson::Document) -> Error {
        kind(bson::deserialize_from_document(document).expect("an error of the server")).into()
    }

    #[test]
    fn what_passes_is_told_from_what_does_not() {
        let command = |code: i32| sent(ErrorKind::Command, doc! { "code": code, "codeName": "Any", "errmsg": "any" });
        assert_eq!(Obstacle::of(&command(OUT_OF_DISK_SPACE)), Some(Obstacle::DiskFull));
        assert_eq!(Obstacle::of(&command(FILE_STREAM_FAILED)), Some(Obstacle::DiskFull));
        assert_eq!(Obstacle::of(&command(10107)), Some(Obstacle::Away), "not writable primary");
        assert_eq!(Obstacle::of(&command(13)), None, "unauthorized");
        let failed =
            doc! { "code": 64, "codeName": "WriteConcernFailed", "errmsg": "waiting for replication timed out" };
        let write = sent(|error| ErrorKind::Write(WriteFailure::WriteConcernError(error)), failed.clone());
        assert_eq!(Obstacle::of(&write), Some(Obstacle::NoMajority));
        let many = sent(ErrorKind::InsertMany, doc! { "writeErrors": [], "writeConcernError": failed });
        assert_eq!(Obstacle::of(&many), Some(Obstacle::NoMajority));
    }

    #[test]
    fn a_full_disk_is_known_by_its_text_too() {
        let error = Error::from(std::io::Error::other("28: No space left on device"));
        assert_eq!(Obstacle::of(&error), Some(Obstacle::DiskFull));
        let error = Error::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert_eq!(Obstacle::of(&error), Some(Obstacle::Away));
        assert_eq!(Obstacle::of(&Error::custom("a row was met")), None);
    }
}
