//! Windowed aggregation of frames that keep coming: the cost of an update follows the update.
//!
//! A [`Spec`] says what is aggregated: a column of times, windows, keys, and measures. [`Windowed`] takes frames with
//! [`update`](Windowed::update), in any order of time, and gives the table so far as a [`snapshot`](Windowed::snapshot) or only the
//! rows that have [changed](Windowed::changes). Windows and states are those of `ingest`'s rollups (crate `model`), so both give the
//! same rows for the same events.
//!
//! What people do with such tables next stands beside it: the [change to the window before](change), a [moving mean](moving_mean),
//! the [`share`] of a total, [running totals](cumulative), the [largest of each window](top_per_window), and
//! [rows for windows without events](fill_windows).
//!
//! ```
//! use analysis::{polars::prelude::{df, DataType, IntoLazy, col}, window::{Spec, Windowed}};
//!
//! let days = |days: &[i32], ratings: &[i64]| {
//!     let frame = df!("day" => days, "rating" => ratings)?;
//!     frame.lazy().with_column(col("day").cast(DataType::Date)).collect()
//! };
//! let mut months = Windowed::new(Spec::new("day", "month")?.histogram("rating", 1, 10)?);
//! months.update(&days(&[18_262, 18_300], &[8, 10])?)?; // 1 January and 8 February 2020
//! months.update(&days(&[18_290], &[9])?)?;             // 29 January
//! let table = months.snapshot()?;
//! assert_eq!(table.column("rating_mean")?.f64()?.get(0), Some(8.5));
//! assert_eq!(months.changes()?.updated.height(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod assign;
mod error;
mod keys;
mod measure;
mod rows;
mod saved;
mod series;
mod spec;
mod windowed;

pub use error::WindowError;
pub use series::{change, cumulative, fill_windows, moving_mean, share, top_per_window};
pub use spec::Spec;
pub use windowed::{Changes, Windowed};
