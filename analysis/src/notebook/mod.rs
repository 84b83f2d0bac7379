//! What a notebook has at hand: `use analysis::notebook::*;` is the prelude of the kernel "Rust (Rushes)".
//!
//! Everything that a first look needs goes by one name here: the [`Store`] and what it answers, [`Figure`], [`Table`], the
//! reshaping functions, windows over frames ([`Windowed`]), polars' frames and expressions, the worker ([`Worker`]), the command line ([`ingest`]) and charts that
//! follow the stream ([`live`]). A cell's last value is shown without further ado, be it a frame, a list of tables or a
//! `Result` ([`CellOutput`]).
//!
//! ```no_run
//! use analysis::notebook::*;
//!
//! let worker = Worker::start()?;
//! worker.catch_up()?;
//! let months = connect()?.rollup("reviews_by_month").collect()?;
//! Figure::line(&months).y("rating_mean").evcxr_display();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod live;
mod output;
mod page;
mod panic;
mod program;
mod server;
mod worker;

pub use error::NotebookError;
pub use live::{Live, live};
pub use output::CellOutput;
pub use panic::tell_panics_briefly;
pub use program::{Said, ingest};
pub use worker::{Worker, WorkerStatus};

pub use crate::chart::{Figure, Grid, Kind};
pub use crate::export::export;
pub use crate::load::{
    ColumnType, Comparison, Condition, Connection, FileError, Rollup, Store, StoreError, TableFile, TableInfo,
    read_file,
};
pub use crate::reshape::{ColumnRange, Every, keep_highest, keep_largest, regroup, unpivot};
pub use crate::show::{Table, View};
pub use crate::sql::{Sql, SqlError, sql};
pub use crate::window::{Spec, Windowed, change, cumulative, fill_windows, moving_mean, share, top_per_window};
pub use polars::df;
pub use polars::prelude::{
    DataFrame, DataType, Expr, IntoLazy, LazyFrame, NamedFrom, Series, SortMultipleOptions, col, lit, when,
};

use std::env;

/// Connects to the database that `ingest` writes: the one of `MONGODB_URI` and `RUSHES_DATABASE`, else of `rushes.toml`, else
/// `rushes` on this machine. [`Connection`] takes another one.
///
/// # Errors
/// As [`Connection::open`].
pub fn connect() -> Result<Store, StoreError> {
    Connection::new().open()
}

/// A parameter of the notebook: the environment's variable `name`, or `default` where it is not set. Reports that run by the
/// clock set it from outside.
///
/// ```
/// assert_eq!(analysis::notebook::parameter("A_YEAR_THAT_IS_NOT_SET", "2019"), "2019");
/// ```
pub fn parameter(name: &str, default: &str) -> String {
    env::var(name).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned())
}
