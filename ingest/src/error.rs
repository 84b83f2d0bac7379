//! What can stop the worker, sorted by who must act.
//!
//! Data that cannot be used is no error: it becomes a dead letter. What is outside (a broker or MongoDB away, an election) is
//! retried by the code that meets it; only when it cannot be waited for does it arrive here.

use model::mongodb_reason::{CHECK_THE_USER, last_attempt, remedy};
use model::mongodb_uri::mask;
use mongodb::error::{Error, ErrorKind};

/// Why the worker stopped, or could not start.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The configuration or the schema: the user corrects it.
    #[error("{0}")]
    Usage(String),
    /// Something outside is not there or refuses: the message says which, and what to do.
    #[error("{0}")]
    Outside(String),
    /// The stored position does not fit the topic: the user decides.
    #[error("{0}")]
    LostOffsets(String),
    /// Too many records cannot be used: the user looks at the dead letters or the schema.
    #[error("{0}")]
    TooManyDeadLetters(String),
    /// The program contradicts itself; please report it.
    #[error("this is a bug of ingest, please report it: {0}")]
    Bug(String),
}

/// A MongoDB error as a person reads it: which server, what, and what to do about the usual ones.
pub fn explain_mongodb(uri: &str, error: &Error) -> String {
    let host = mask(uri);
    match error.kind.as_ref() {
        ErrorKind::ServerSelection { message, .. } => unreachable(&host, last_attempt(message)),
        ErrorKind::Io(_) => unreachable(&host, &error.kind.to_string()),
        ErrorKind::Authentication { message, .. } => {
            format!("MongoDB at {host} refuses the user: {message}; {CHECK_THE_USER}")
        }
        ErrorKind::Command(refused) if NOT_ALLOWED.contains(&refused.code) => {
            // The server repeats the whole command.
            let said = refused.message.split(" { ").next().unwrap_or_default();
            format!("MongoDB at {host} does not allow this: {said}; the user needs the role readWrite on the database")
        }
        ErrorKind::InvalidArgument { message, .. } => format!("the connection string {host} is not usable: {message}"),
        _ => format!("MongoDB at {host}: {error}"),
    }
}

/// Codes of a server that does not let the user do something: Unauthorized, and Atlas's own.
const NOT_ALLOWED: [i32; 2] = [13, 8000];

fn unreachable(host: &str, reason: &str) -> String {
    format!("cannot reach MongoDB at {host}: {reason}; {}", remedy(reason))
}
