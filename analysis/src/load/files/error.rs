//! Why a file could not be read as a frame, and what to do about it.

use std::path::PathBuf;

use crate::format;

/// Columns of the terminal that a value may take in a message.
const MOST_OF_VALUE: usize = 60;

/// Why a file could not be read as a frame.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read as records, or one of its records cannot.
    #[error(transparent)]
    Input(#[from] ::files::FileError),
    /// A pipe cannot be read.
    // Who meant another folder sees from the whole path which one this is.
    #[error("cannot read {}: {source}", std::path::absolute(path).unwrap_or_else(|_| path.clone()).display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// There is not even a header.
    #[error("{} is empty; a CSV file begins with a line of column names", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file has no such column.
    #[error("{} has no column {column:?}; it has {}", path.display(), known.join(", "))]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        column: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A column is named twice.
    #[error("{}: column {column:?} is asked for twice; a frame has a column once", path.display())]
    AskedTwice {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
    },
    /// A value does not have the type that was asked for.
    #[error(
        "{}, row {row}, column {column:?}: {value} is no {expected}; mend the file, or read the column as `ColumnType::String`",
        path.display()
    )]
    Value {
        /// The file.
        path: PathBuf,
        /// Row from 1.
        row: u64,
        /// The column.
        column: String,
        /// The type that was asked for.
        expected: &'static str,
        /// The value as it is written, shortened.
        value: String,
    },
    /// A record of a JSON file is not an object.
    #[error("{}, record {row}: {reason}; a file holds objects {{…}}, one after the other or in one array", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Record from 1.
        row: u64,
        /// What is wrong with it, and where.
        reason: String,
    },
    /// Another program wrote to the file between its two readings, of which the first found all fields.
    #[error("{} changed while it was read: record {row} has the new field {column:?}; read it again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// Record from 1.
        row: u64,
        /// The field.
        column: String,
    },
    /// A record has two values of one name, as a member `b` of `a` and a field `a.b` are.
    #[error("{}, record {row}: there are two values for {column:?}; give one of them another name", path.display())]
    TwoValues {
        /// The file.
        path: PathBuf,
        /// Record from 1.
        row: u64,
        /// The name.
        column: String,
    },
    /// The schema takes a record for unusable.
    #[error("{}, record {row}: {reason}; mend the record or the schema, or read the file without one", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Record from 1.
        row: u64,
        /// The schema's words.
        reason: String,
    },
    /// The schema cannot be compiled.
    #[error(transparent)]
    Schema(#[from] model::schema::SchemaError),
    /// The file is no Parquet file, or a broken one, or compressed in another way.
    #[error("{} cannot be read as Parquet: {reason}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A column of a Parquet file has a type that frames here do not have.
    #[error("{}: column {column:?} holds {kind}, which is not read; name the other columns with `columns`", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Its type.
        kind: String,
    },
    /// Types were given for a file that has its own.
    #[error("{} has types of its own; leave `column_type` and `schema` out", path.display())]
    OwnTypes {
        /// The file.
        path: PathBuf,
    },
}

/// A value in a message.
pub(super) fn shown(value: &str) -> String {
    format::shortened(&format::one_line(&format!("{value:?}")), MOST_OF_VALUE)
}
