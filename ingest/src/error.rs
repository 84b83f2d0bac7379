//! What can stop the worker, sorted by who must act.
//!
//! Data that cannot be used is no error: it becomes a dead letter. What is outside (a broker or MongoDB away, an election) is
//! retried by the code that meets it; only when it cannot be waited for does it arrive here.

use model::mongodb_reason::{CHECK_THE_USER, last_attempt, remedy};
use model::mongodb_uri::mask;
use mongodb::error::{Error, ErrorKind, WriteFailure};

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
            let said = without_command(&refused.message);
            format!("MongoDB at {host} does not allow this: {said}; the user needs the role readWrite on the database")
        }
        ErrorKind::InvalidArgument { message, .. } => format!("the connection string {host} is not usable: {message}"),
        _ => format!("MongoDB at {host}: {}", brief(error)),
    }
}

/// What a driver's error says, in one line: without its labels and the server's answer, which the driver prints as bytes.
pub fn brief(error: &Error) -> String {
    let coded = |message: &str, code: i32, name: Option<&str>| match name.filter(|name| !name.is_empty()) {
        Some(name) => format!("{} (code {code}, {name})", without_command(message)),
        None => format!("{} (code {code})", without_command(message)),
    };
    let said = match error.kind.as_ref() {
        ErrorKind::Command(refused) => coded(&refused.message, refused.code, Some(&refused.code_name)),
        ErrorKind::Write(WriteFailure::WriteError(refused)) => {
            coded(&refused.message, refused.code, refused.code_name.as_deref())
        }
        ErrorKind::Write(WriteFailure::WriteConcernError(failed)) => {
            coded(&failed.message, failed.code, Some(&failed.code_name))
        }
        ErrorKind::InsertMany(many) => match (many.write_errors.as_deref(), &many.write_concern_error) {
            (Some([first, ..]), _) => coded(&first.message, first.code, first.code_name.as_deref()),
            (_, Some(failed)) => coded(&failed.message, failed.code, Some(&failed.code_name)),
            _ => "an insert failed".to_owned(),
        },
        ErrorKind::ServerSelection { message, .. } => last_attempt(message).to_owned(),
        ErrorKind::Custom(_) => error.get_custom::<String>().cloned().unwrap_or_else(|| error.kind.to_string()),
        kind => kind.to_string(),
    };
    shortened(&said)
}

/// The server often repeats the whole command after what it says.
fn without_command(message: &str) -> &str {
    message.split(" { ").next().unwrap_or_default()
}

/// Its first line, as much of it as a person reads.
fn shortened(text: &str) -> String {
    const MOST: usize = 300;
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// Codes of a server that does not let the user do something: Unauthorized, and Atlas's own.
const NOT_ALLOWED: [i32; 2] = [13, 8000];

fn unreachable(host: &str, reason: &str) -> String {
    format!("cannot reach MongoDB at {host}: {reason}; {}", remedy(reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::{Document, doc};

    fn sent<T: serde::de::DeserializeOwned>(kind: impl Fn(T) -> ErrorKind, document: Document) -> Error {
        kind(bson::deserialize_from_document(document).expect("an error of the server")).into()
    }

    #[test]
    fn an_error_of_the_server_is_one_readable_line() {
        let long = format!("Invalid namespace: {}", "x".repeat(5_000));
        let write = |message: &str| doc! { "index": 0, "code": 11000, "codeName": "DuplicateKey", "errmsg": message };
        let cases = [
            sent(
                ErrorKind::Command,
                doc! { "code": 73, "codeName": "InvalidNamespace", "errmsg": "Invalid namespace" },
            ),
            sent(ErrorKind::Command, doc! { "code": 73, "codeName": "", "errmsg": &long }),
            sent(
                ErrorKind::Command,
                doc! { "code": 1, "codeName": "X", "errmsg": "no: { insert: \"e\", data: BinData(0) }" },
            ),
            sent(|error| ErrorKind::Write(WriteFailure::WriteError(error)), write("E11000 duplicate key")),
            sent(ErrorKind::InsertMany, doc! { "writeErrors": [write(&long)] }),
            Error::custom("a row was met\nand more".to_owned()),
        ];
        for error in cases {
            let said = brief(&error);
            assert!(!said.is_empty() && said.chars().count() <= 301 && !said.contains(['\n', '{']), "{said}");
            assert!(!said.contains("labels") && !said.contains("server response"), "{said}");
        }
    }
}
