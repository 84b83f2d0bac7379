//! Frames into frames: what a chart or a table needs before it can show a rollup.
//!
//! [`regroup`] adds rows up to fewer keys or longer windows by what each column means, [`unpivot`] turns the columns of a
//! histogram into rows, [`rounded`] makes long integers floats, [`keep_largest`] and [`keep_highest`] keep the groups that matter.

mod largest;
mod regroup;
mod rounded;
mod unpivot;

pub use largest::{keep_highest, keep_largest};
pub use regroup::{Every, regroup};
pub(crate) use rounded::has_long_digits;
pub use rounded::rounded;
pub use unpivot::{ColumnRange, unpivot};

use polars::prelude::PolarsError;

use crate::load::Moment;

/// Why a frame cannot be reshaped.
#[derive(Debug, thiserror::Error)]
pub enum ReshapeError {
    /// The frame has no such column.
    #[error("the frame has no column {column:?}; it has {}", known.join(", "))]
    NoColumn {
        /// What was asked for.
        column: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A text that is no range of columns.
    #[error("{0:?} is not a range of columns; write FIRST..LAST, such as rating_1..rating_10")]
    Range(String),
    /// The columns of a range have nothing in common, or the first comes after the last.
    #[error("{first}..{last} is not a histogram: its columns share no name before a number or stand in another order")]
    NoHistogram {
        /// First column.
        first: String,
        /// Last column.
        last: String,
    },
    /// A window of the rows is in two of the longer windows.
    #[error(
        "the window from {start} to {end} lies in two windows by {every}; take a table of shorter windows, such as days"
    )]
    Straddles {
        /// Start of the row's window.
        start: Moment,
        /// Its end.
        end: Moment,
        /// The longer windows.
        every: &'static str,
    },
    /// A sum of integers that no column of a frame holds.
    #[error("sums of {column:?} need more than 64 bits; make them floats, which keep 15 digits, with `rounded`")]
    TooLarge {
        /// The column.
        column: String,
    },
    /// polars refused, which the checks above should have prevented.
    #[error("the frame cannot be reshaped")]
    Frame(#[from] PolarsError),
}

impl ReshapeError {
    pub(crate) fn no_column(frame: &polars::prelude::DataFrame, column: &str) -> Self {
        let known = frame.get_column_names().iter().map(ToString::to_string).collect();
        Self::NoColumn { column: column.to_owned(), known }
    }
}
