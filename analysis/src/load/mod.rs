//! Rollups and events from MongoDB, and files, as typed frames.
//!
//! A [`Store`] knows the tables from the catalog that the publisher writes. A [`Rollup`] is a query under construction: time
//! range, [`Condition`]s, columns, order and limit become one MongoDB `find`, so that only what is asked for travels. The
//! batches of the answer are decoded from raw BSON straight into typed columns: `int` is Int64, `float` Float64, `string`
//! String, `bool` Boolean, `date` Date, `timestamp` Datetime in milliseconds without a zone (always UTC). Nulls stay null.
//! [`Events`] are asked in the same way. A [`Follow`] keeps either up to date by reading only what is new.
//!
//! [`read_file`] and [`TableFile`] read CSV, JSON and Parquet into the same types, without MongoDB.

mod catalog;
mod columns;
mod condition;
mod connection;
mod decode;
mod error;
mod events;
mod fields;
mod files;
mod find;
mod follow;
mod follow_events;
mod follow_rollup;
mod growing;
mod moment;
mod pieces;
mod positions;
mod progress;
mod query;
mod rollup;
mod store;

pub use ::files::{Decimal, Delimiter, Encoding, Form, Format};
pub use catalog::TableInfo;
pub(crate) use columns::Builder as ColumnBuilder;
pub use condition::{Comparison, Condition, ConditionError};
pub use connection::Connection;
pub use decode::DecodeError;
pub(crate) use decode::FrameBuilder;
pub use error::{DriverError, StoreError};
pub use events::Events;
pub(crate) use files::{FileColumn, Guess, typed_text};
pub use files::{FileError, TableFile, read_file};
pub use follow::{Follow, Refresh};
pub use moment::{Moment, MomentError};
pub use progress::Progress;
pub use rollup::Rollup;
pub use store::Store;

pub use model::layout::{Column, ColumnRole, ColumnType};

#[cfg(test)]
pub(crate) use query::tests;
