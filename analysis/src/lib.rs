//! Rollups as DataFrames, and what one does with them: tables, charts, files for Tableau.
//!
//! | module | turns | into |
//! | --- | --- | --- |
//! | [`load`] | rollups and events in MongoDB | a typed [`DataFrame`](polars::prelude::DataFrame); filter, columns and limit run in the database; [`load::Follow`] brings only what is new |
//! | [`load::read_file`] | a CSV, JSON or Parquet file | a typed frame, without MongoDB |
//! | [`window`] | frames that keep coming | rows per window and key, for the cost of what is new |
//! | [`reshape`] | a frame | a frame: months into years, `rating_1..rating_10` into rows, the largest of a column |
//! | [`sql`](mod@sql) | frames, files, rollups | a frame, by a query in SQL |
//! | [`chart`] | a frame | a [`chart::Figure`]: one drawing as SVG or PNG |
//! | [`show`] | a frame | a [`show::Table`] for a terminal or a notebook |
//! | [`export`] | rollups | CSV files that Tableau opens without a question |
//! | [`notebook`] | all of that | one prelude for notebooks, with the worker and live charts |
//!
//! Made for notebooks as much as for programs: values are owned (no lifetimes), calls block (no `async`, also inside a
//! running tokio runtime), errors are `Result`s whose text says what to do. polars is re-exported, so that a notebook
//! uses the same version.
//!
//! ```no_run
//! use analysis::{chart::Figure, load::Store};
//!
//! let store = Store::connect("mongodb://127.0.0.1:27017", "rushes")?;
//! let months = store.rollup("reviews_by_month").from("2010").collect()?;
//! Figure::line(&months).y("rating_mean").title("Mean rating").save("rating.svg")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(missing_docs)]

pub mod chart;
pub mod export;
pub mod load;
pub mod notebook;
pub mod reshape;
pub mod show;
pub mod sql;
pub mod window;

mod cell;
mod format;
mod whole_file;

pub use polars;
