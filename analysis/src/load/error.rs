//! Why a table could not be read, and what to do about it.

use std::path::PathBuf;

use model::layout::ColumnType;
use model::mongodb_reason::{CHECK_THE_USER, last_attempt, remedy};
use mongodb::error::{Error, ErrorKind};

use super::{DecodeError, MomentError};

/// Why a table could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The configuration file cannot be used.
    #[error("{} {problem}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Where and why, without the line itself, which may hold a password.
        problem: String,
    },
    /// The address cannot be read.
    #[error("the MongoDB address cannot be used ({reason}); it looks like mongodb://HOST:PORT")]
    Address {
        /// What is wrong with it, without the address, which may hold a password.
        reason: String,
    },
    /// No server answered in time.
    #[error("cannot reach MongoDB at {hosts}: {reason}; {}", remedy(reason))]
    Unreachable {
        /// `host:port` of each server in the address.
        hosts: String,
        /// What the last attempt ended with.
        reason: String,
    },
    /// The server does not know the user.
    #[error("MongoDB at {hosts} refuses the user: {reason}; {CHECK_THE_USER}")]
    Refused {
        /// `host:port` of each server in the address.
        hosts: String,
        /// What the server said.
        reason: String,
    },
    /// The catalog has no such table.
    #[error("no table {name:?} in database {database:?}; {}", known_tables(known))]
    NoTable {
        /// What was asked for.
        name: String,
        /// Where it was looked for.
        database: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The table has no such column.
    #[error("{table} has no column {column:?}; it has {}", known.join(", "))]
    NoColumn {
        /// The table.
        table: String,
        /// What was asked for.
        column: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A column is named twice.
    #[error("column {column:?} is asked for twice; a frame has a column once")]
    AskedTwice {
        /// The column.
        column: String,
    },
    /// A condition compares a column with a value of another type.
    #[error("{table}.{column} holds {}; {value:?} is none", plural(*kind))]
    Value {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        kind: ColumnType,
        /// The value as it was given.
        value: String,
    },
    /// A bound of the time range is no date.
    #[error(transparent)]
    Moment(#[from] MomentError),
    /// A row contradicts the catalog.
    #[error("{table} cannot be read; {}", remedy_of_decode(table))]
    Decode {
        /// The table.
        table: String,
        /// Row and column.
        source: DecodeError,
    },
    /// A document of the catalog has another shape than this version reads.
    #[error("the catalog of database {database:?} cannot be read; is it of another version of ingest?")]
    Catalog {
        /// The database.
        database: String,
        /// What is wrong with it.
        source: DriverError,
    },
    /// MongoDB refused or broke off a query.
    #[error("reading {what} from MongoDB failed")]
    Query {
        /// Table or catalog.
        what: String,
        /// MongoDB's own words.
        source: DriverError,
    },
    /// There are no events whose look could tell the columns.
    #[error(
        "there are no events in database {database:?} yet, so their columns are unknown: `ingest run` stores some, or give a schema"
    )]
    NoEvents {
        /// The database.
        database: String,
    },
    /// A time range was given, and no column or several could be meant.
    #[error("which column is the event time? name it with `time`, or give a schema; there are {}", known.join(", "))]
    NoTime {
        /// The columns.
        known: Vec<String>,
    },
    /// A column of the events holds values of several types.
    #[error("an event does not fit the others; leave the column out with `columns`, or filter such events out")]
    Event {
        /// Row and column.
        source: DecodeError,
    },
    /// Several groups have stored events into one database.
    #[error("events were stored by the groups {}; name the one to follow with `group`", groups.join(", "))]
    SeveralGroups {
        /// Their names.
        groups: Vec<String>,
    },
    /// Events of several topics were stored into one database.
    #[error(
        "events were stored from the topics {}, and which are new cannot be told; read them again with `collect`, or give each topic a \
         database of its own",
        topics.join(", ")
    )]
    SeveralTopics {
        /// Their names.
        topics: Vec<String>,
    },
    /// Rows could not be put together, which the checks before should have prevented.
    #[error("the rows cannot be put together")]
    Frame(#[from] polars::prelude::PolarsError),
    /// No thread could be started for the connection.
    #[error("cannot start a thread for the connection to MongoDB")]
    Thread(#[source] std::io::Error),
}

/// What MongoDB or its driver said, without the labels and codes that the driver adds for programs.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.kind)]
pub struct DriverError(Box<Error>);

impl From<Error> for DriverError {
    fn from(error: Error) -> Self {
        Self(Box::new(error))
    }
}

/// What to do about a row with other types than its table.
fn remedy_of_decode(table: &str) -> String {
    match table {
        model::layout::EVENTS => {
            "give the schema by which they were stored: `--schema`, or `schema` in rushes.toml".to_owned()
        }
        table => format!("`ingest rebuild {table}` writes it again"),
    }
}

impl StoreError {
    /// Refuses columns of which one is named twice.
    pub(crate) fn unless_once(columns: &[String]) -> Result<(), Self> {
        repeated(columns).map_or(Ok(()), |column| Err(Self::AskedTwice { column: column.to_owned() }))
    }

    /// Sorts a driver error by who must act.
    pub(crate) fn from_driver(error: Error, hosts: &str, what: &str) -> Self {
        match *error.kind {
            ErrorKind::ServerSelection { ref message, .. } => {
                Self::Unreachable { hosts: hosts.to_owned(), reason: last_attempt(message).to_owned() }
            }
            ErrorKind::Authentication { ref message, .. } => {
                Self::Refused { hosts: hosts.to_owned(), reason: message.clone() }
            }
            _ => Self::Query { what: what.to_owned(), source: error.into() },
        }
    }
}

/// A name that comes twice.
pub(crate) fn repeated(names: &[String]) -> Option<&str> {
    let comes_twice = |(place, name): &(usize, &String)| names[..*place].contains(name);
    names.iter().enumerate().find(comes_twice).map(|(_, name)| name.as_str())
}

fn known_tables(known: &[String]) -> String {
    if known.is_empty() {
        "the database has none yet: `ingest run` writes them (in a notebook `Worker::start()?`)".to_owned()
    } else {
        format!("there are {}", known.join(", "))
    }
}

fn plural(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::String => "texts",
        ColumnType::Int => "integers",
        ColumnType::Float => "numbers",
        ColumnType::Bool => "true or false",
        ColumnType::Date => "dates",
        ColumnType::Timestamp => "instants",
        ColumnType::StringList => "lists of texts",
    }
}
