//! Why SQL gave no answer, and what to do about it.

use model::layout::EVENTS;
use rusqlite::{Error, ErrorCode};

use crate::{
    format::{one_line, shortened},
    load::{FileError, StoreError},
};

/// Why SQL gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The query cannot be understood.
    #[error("{reason}, at: {place}")]
    Query {
        /// SQLite's words.
        reason: String,
        /// The rest of the query from there, shortened.
        place: String,
    },
    /// A statement that gives no rows.
    #[error("only queries can be asked: one SELECT …, or WITH … SELECT …")]
    NotAQuery,
    /// There is no such table.
    #[error("there is no table {table:?}; there are {}{}", listed(known), about_events(table))]
    NoTable {
        /// What was asked for.
        table: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A frame, file or rollup cannot be a table.
    #[error("{table:?} cannot be a table: {reason}")]
    Table {
        /// Its name.
        table: String,
        /// SQLite's words.
        reason: String,
    },
    /// A column has a type that SQL has not.
    #[error(
        "{table}.{column} holds {} that SQL has no type for; name the columns that you need, without it: SELECT {} FROM {table}",
        if kind.is_empty() { "values" } else { kind },
        others.join(", ")
    )]
    Column {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What it holds, as far as that is known.
        kind: String,
        /// The columns that can be read.
        others: Vec<String>,
    },
    /// The query may mean either of two columns.
    #[error(
        "{table} has the columns {first} and {second}, which SQL does not tell apart; the second is called {name} here"
    )]
    Case {
        /// The table.
        table: String,
        /// The column that keeps its name.
        first: String,
        /// The other column.
        second: String,
        /// Its name in the query.
        name: String,
    },
    /// A join by the names of columns, of which one is a time and another is not, or is one of another form.
    #[error(
        "{column} of {first} and of {second} are a date, an instant or a text, which USING and NATURAL compare by letters; \
         write ON {first}.{column} = {second}.{column}"
    )]
    Joined {
        /// The column.
        column: String,
        /// A table where it is a date or an instant.
        first: String,
        /// One where it is something else.
        second: String,
    },
    /// The query cannot be checked for texts that would count as numbers.
    #[error("the query nests too many expressions in one another; write a part of it as WITH name AS (SELECT …)")]
    Unchecked,
    /// The query takes too long.
    #[error(
        "the query was stopped after {steps} steps: it joins every row with every other, or its recursion does not end; \
         join by a column, or end the recursion with WHERE or LIMIT"
    )]
    Endless {
        /// Steps of SQLite's machine.
        steps: u64,
    },
    /// The answer has too many rows.
    #[error("the answer has more than {rows} rows, too many for the memory; add LIMIT or WHERE, or group them")]
    Large {
        /// Rows so far.
        rows: usize,
    },
    /// Two columns of the answer have one name.
    #[error("two columns of the answer are called {column:?}; name one of them otherwise: … AS other_name")]
    Repeated {
        /// The name.
        column: String,
    },
    /// A column of the answer holds bytes.
    #[error(
        "column {column:?} of the answer holds bytes, which no column of a frame does; make it a text: hex({column})"
    )]
    Bytes {
        /// The column.
        column: String,
    },
    /// The query was understood, but failed.
    #[error("the query failed: {0}")]
    Run(String),
    /// A rollup cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Columns of the terminal that a query may take in a message.
const MOST_OF_QUERY: usize = 40;

impl SqlError {
    pub(super) fn run(error: Error) -> Self {
        Self::Run(reason(&error))
    }

    /// Of a query under way.
    pub(super) fn of_run(error: Error, most_steps: u64) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => Self::Endless { steps: most_steps },
            _ => Self::run(error),
        }
    }

    pub(super) fn of_statement(error: Error, query: &str, known: impl FnOnce() -> Vec<String>) -> Self {
        let words = reason(&error);
        if let Some(table) = words.strip_prefix("no such table: ") {
            return Self::NoTable { table: table.to_owned(), known: known() };
        }
        match error {
            Error::SqlInputError { error, .. } | Error::SqliteFailure(error, _)
                if error.code == ErrorCode::AuthorizationForStatementDenied =>
            {
                Self::NotAQuery
            }
            Error::MultipleStatement | Error::Empty => Self::NotAQuery,
            Error::SqlInputError { offset, .. } => {
                let rest = usize::try_from(offset).ok().and_then(|offset| query.get(offset..)).unwrap_or(query);
                Self::Query { reason: words, place: shortened(&one_line(rest), MOST_OF_QUERY) }
            }
            _ => Self::Run(words),
        }
    }
}

/// SQLite's words.
pub(super) fn reason(error: &Error) -> String {
    match error {
        Error::SqliteFailure(_, Some(words)) => words.clone(),
        Error::SqlInputError { msg, .. } => msg.clone(),
        error => error.to_string(),
    }
}

fn listed(known: &[String]) -> String {
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}

/// All of them at once may be more than fits into memory.
fn about_events(table: &str) -> &'static str {
    match table {
        EVENTS => "; read the columns that are needed with `store.events()`, and give that frame as a table",
        _ => "",
    }
}
