//! Why frames cannot be aggregated, and what to change.

use std::path::PathBuf;

use crate::load::Moment;

/// Why a frame cannot be aggregated.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    /// A text that is no window.
    #[error(
        "{0:?} is no window; use day, week, ten_day, month, quarter, year, a length such as \"15m\", \"1h every 15m\" for \
         windows that overlap, or \"session 30m\" for windows that end after a pause"
    )]
    Window(String),
    /// A row begins where no window of the given kind does.
    #[error("no window by {every} begins at {start}, as a row does; give the windows that the rows have")]
    NoStart {
        /// The kind of windows.
        every: String,
        /// Start of the row's window.
        start: Moment,
    },
    /// A text that is no time zone.
    #[error("{0:?} is no time zone; use an IANA name such as Asia/Seoul or Europe/Berlin")]
    TimeZone(String),
    /// A text that is no length of time.
    #[error("{0:?} is no length of time such as \"90s\", \"2h\" or \"7d\"")]
    Duration(String),
    /// Too many values for a histogram, or none.
    #[error("{column:?} from {first} to {last} is no range for a histogram, which has 1 to 64 values; use `measure`")]
    Histogram {
        /// The column.
        column: String,
        /// Smallest value.
        first: i64,
        /// Largest value.
        last: i64,
    },
    /// The frame has no such column.
    #[error("the frame has no column {column:?}; it has {}", known.join(", "))]
    NoColumn {
        /// What was asked for.
        column: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A column's type does not fit what it is used for.
    #[error("column {column:?} is {found}; {role} needs {expected}")]
    Type {
        /// The column.
        column: String,
        /// Its type in polars.
        found: String,
        /// What it is used for.
        role: &'static str,
        /// Types that fit.
        expected: String,
    },
    /// An instant or date that no calendar has.
    #[error(
        "column {column:?} holds {millis} milliseconds since 1970, which lies beyond the years -9998 to 9998; was it read with another unit?"
    )]
    Beyond {
        /// The column.
        column: String,
        /// Milliseconds since 1970-01-01T00:00:00Z.
        millis: i64,
    },
    /// A value that the histogram's range does not hold.
    #[error(
        "column {column:?} has the value {value}, which is outside {first} to {last}; widen the histogram or use `measure`"
    )]
    OutOfRange {
        /// The column.
        column: String,
        /// The value.
        value: i64,
        /// Smallest value of the range.
        first: i64,
        /// Largest value of the range.
        last: i64,
    },
    /// Filling would make more rows than a frame should have.
    #[error(
        "filling the windows by {every} for {keys} keys makes more than {most} rows; give a larger window, or fewer rows"
    )]
    TooMany {
        /// The window.
        every: String,
        /// Different keys of the frame.
        keys: usize,
        /// Rows that are allowed.
        most: usize,
    },
    /// An integer that does not fit into 64 bits with a sign.
    #[error("column {column:?} has the value {value}, which needs more than 63 bits; make it a text or a float")]
    TooLarge {
        /// The column.
        column: String,
        /// The value.
        value: String,
    },
    /// Two columns of the result would have one name.
    #[error("two columns would be named {0:?}; choose other names with `count_as` or `counted_as`")]
    Name(String),
    /// A column that would be added is there already.
    #[error("the frame has a column {0:?} already; drop it or give it another name")]
    Taken(String),
    /// A saved aggregation cannot be read.
    #[error("the saved windows cannot be used: {0}")]
    Saved(String),
    /// A file cannot be read or written.
    #[error("cannot {verb} {}", path.display())]
    File {
        /// `read` or `write`.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// polars refused, which the checks above should have prevented.
    #[error("the frame cannot be aggregated")]
    Frame(#[from] polars::prelude::PolarsError),
}

impl WindowError {
    pub(crate) fn no_column(frame: &polars::prelude::DataFrame, column: &str) -> Self {
        let known = frame.get_column_names().iter().map(ToString::to_string).collect();
        Self::NoColumn { column: column.to_owned(), known }
    }

    pub(crate) fn wrong_type(
        column: &polars::prelude::Column,
        role: &'static str,
        expected: impl Into<String>,
    ) -> Self {
        Self::Type {
            column: column.name().to_string(),
            found: column.dtype().to_string(),
            role,
            expected: expected.into(),
        }
    }
}
