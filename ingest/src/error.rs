//! What can stop the worker, sorted by who must act.
//!
//! Data that cannot be used is no error: it becomes a dead letter. What is outside (a broker or MongoDB away, an election) is
//! retried by the code that meets it; only when it cannot be waited for does it arrive here.

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
pub fn explain_mongodb(uri: &str, error: &mongodb::error::Error) -> String {
    use mongodb::error::ErrorKind;
    let host = crate::config::mask_uri(uri);
    match error.kind.as_ref() {
        ErrorKind::ServerSelection { .. } | ErrorKind::Io(_) => {
            format!("cannot reach MongoDB at {host}: {error}; is it running? `stack up` starts one")
        }
        ErrorKind::Authentication { .. } => {
            format!("MongoDB at {host} refused the user: {error}; check the connection string")
        }
        ErrorKind::InvalidArgument { message, .. } => format!("the connection string {host} is not usable: {message}"),
        _ => format!("MongoDB at {host}: {error}"),
    }
}
