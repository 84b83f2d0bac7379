//! Names and shapes of the MongoDB collections, so that the crate that writes them and the crate that reads them agree.
//!
//! | collection | one document per | written |
//! | --- | --- | --- |
//! | [`EVENTS`] | stored event; `_id` is the event's id | in the batch's transaction |
//! | [`OFFSETS`] | group, topic and partition: the position | in the batch's transaction, first |
//! | [`LATE`] | view of the stored events that are in no rollup, because they came too late | where the schema sets them aside |
//! | [`ROLLUP_STATES`] | state table and batch: [partial states](crate::rollup::partial) | in the batch's transaction; removed by the publisher |
//! | [`DEAD_LETTERS`] | record that could not be used | in the batch's transaction |
//! | [`STREAMS`] | stream: its fields, its rollups and the number of the plan in force | at start |
//! | [`ROLLUP_TABLES`] | state table: who publishes it, the round and the rebuild under way | at start, and by the publisher |
//! | [`ROLLUP_CATALOG`] | rollup: its columns, definition and newest revision | at start, and by the publisher |
//! | [`OWNED_COLLECTIONS`] | collection that the program created, by name: its UUID | before and after the collection is created |
//! | the rollup's name | window and key: a flat row, with its combined state | by the publisher |

use serde::{Deserialize, Serialize};

/// What the stored events of a stream are, and which rollups are made of them.
pub const STREAMS: &str = "streams";
/// Stored events.
pub const EVENTS: &str = "events";
/// The stored events that came too late, where the schema sets those aside: a view.
pub const LATE: &str = "late";
/// How far each partition is.
pub const OFFSETS: &str = "offsets";
/// Partial states that wait to be combined into rows.
pub const ROLLUP_STATES: &str = "rollup_states";
/// Records that could not be used, with the reason.
pub const DEAD_LETTERS: &str = "dead_letters";
/// Who publishes each state table.
pub const ROLLUP_TABLES: &str = "rollup_tables";
/// What each rollup is and how far it is published.
pub const ROLLUP_CATALOG: &str = "rollup_catalog";
/// The UUIDs of the collections that the program created: it changes, renames or drops no others.
pub const OWNED_COLLECTIONS: &str = "owned_collections";

/// The collections that every database of the product has; a rollup may not take one of these names.
pub const RESERVED: [&str; 8] =
    [STREAMS, EVENTS, OFFSETS, ROLLUP_STATES, DEAD_LETTERS, ROLLUP_TABLES, ROLLUP_CATALOG, OWNED_COLLECTIONS];

/// Largest event that is stored, in bytes: MongoDB's 16 MiB for a document, less what a worker may mark it with.
pub const MOST_EVENT_BYTES: usize = (16 << 20) - (16 << 10);
/// Longest text, in bytes, that is an event's id or a key of a rollup: it stands in every row of its group, twice, and in indexes.
pub const MOST_KEY_BYTES: usize = 4 << 10;

/// Names of the columns that every rollup has.
pub mod column {
    /// First instant of the window (inclusive).
    pub const WINDOW_START: &str = "window_start";
    /// End of the window (exclusive).
    pub const WINDOW_END: &str = "window_end";
    /// Place within the window, from 1; in rollups with `top`.
    pub const RANK: &str = "rank";
    /// Records that came after their window had closed; they are part of the row.
    pub const LATE: &str = "late";
    /// No more records are expected for this window.
    pub const IS_FINAL: &str = "is_final";
    /// Grows with each change of the row.
    pub const REVISION: &str = "revision";
    /// When the row was last published.
    pub const UPDATED_AT: &str = "updated_at";
    /// The combined state that a row was made from, for the publisher alone: not a column of the table.
    pub const STATE: &str = "_state";
}

/// Where an event came from: `src` of a stored event.
pub mod source {
    /// The embedded document.
    pub const FIELD: &str = "src";
    /// Kafka partition (Int32).
    pub const PARTITION: &str = "partition";
    /// Kafka offset (Int64).
    pub const OFFSET: &str = "offset";
    /// Kafka timestamp (Date), absent where the record has none.
    pub const TIMESTAMP: &str = "timestamp";
    /// True where the event came too late and is in no rollup, absent elsewhere.
    pub const LATE: &str = "late";
    /// The partition's event clock when the event was stored (Date), in events that came behind it by more than the allowed lateness.
    pub const CLOCK: &str = "clock";
    /// Number of the plan of rollups that the event was counted under (Int64), in events that were stored during a rebuild.
    pub const PLAN: &str = "plan";
}

/// BSON type of a column: one type, or null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// String.
    String,
    /// Int64.
    Int,
    /// Double.
    Float,
    /// Boolean.
    Bool,
    /// Date without a time of day: a BSON Date at 00:00 UTC.
    Date,
    /// An instant: a BSON Date in milliseconds.
    Timestamp,
    /// Array of strings; in events only, never in a rollup.
    StringList,
}

/// What a column means, which decides how a reader may aggregate it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnRole {
    /// First instant of the window.
    WindowStart,
    /// End of the window, exclusive.
    WindowEnd,
    /// A grouping key.
    Key,
    /// Place within the window.
    Rank,
    /// A number of records; sums over rows are meaningful.
    Count,
    /// Sum of a measure; sums over rows are meaningful.
    Sum,
    /// Arithmetic mean of a measure.
    Mean,
    /// Sample standard deviation of a measure.
    Stddev,
    /// Smallest value of a measure.
    Min,
    /// Largest value of a measure.
    Max,
    /// A quantile of a measure.
    Quantile,
    /// Number of records with one value of a measure; sums over rows are meaningful.
    Histogram,
    /// Estimated number of distinct values.
    Distinct,
    /// Records that came late.
    Late,
    /// Whether the window is closed.
    IsFinal,
    /// The row's revision.
    Revision,
    /// When the row was published.
    UpdatedAt,
}

/// One column of a rollup's table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Name, unique in its table.
    pub name: String,
    /// Type of every value that is not null.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// Meaning.
    pub role: ColumnRole,
    /// The measured field, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<String>,
    /// Standard error of the values as a share of the value, where they are estimates: 0.016 is 1.6 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative_error: Option<f64>,
}

/// A rollup's document in [`ROLLUP_CATALOG`].
///
/// Readers take the names and types of the columns from here; `published_revision` is the publisher's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CatalogEntry {
    /// Name of the rollup and of its collection.
    #[serde(rename = "_id")]
    pub name: String,
    /// The stream it belongs to.
    pub stream: String,
    /// Window as in the schema: `month`, `15m`, `1h every 15m`.
    pub window: String,
    /// IANA zone in which calendar windows begin.
    pub time_zone: String,
    /// Changes when states must be rebuilt.
    pub definition_hash: String,
    /// The table's columns, in order.
    pub columns: Vec<Column>,
    /// Newest revision whose rows are all there: what an incremental reader may read up to.
    #[serde(default)]
    pub published_revision: i64,
    /// Newest revision at which rows were removed, because sessions were joined: who has read the table before it reads it anew.
    #[serde(default)]
    pub removed_revision: i64,
}

/// The `_id` of a position: `group/topic/partition`.
///
/// ```
/// assert_eq!(model::layout::position_id("rushes", "reviews", 3), "rushes/reviews/3");
/// ```
pub fn position_id(group: &str, topic: &str, partition: i32) -> String {
    format!("{group}/{topic}/{partition}")
}

/// The `_id` of a dead letter: `topic/partition/offset`, so that writing it twice is one letter.
pub fn dead_letter_id(topic: &str, partition: i32, offset: i64) -> String {
    format!("{topic}/{partition}/{offset}")
}

/// The `_id` that a dead letter gets when its partition's log begins again, for the `times`-th time: its offset stands for another
/// record then. No topic's name holds an `@`.
///
/// ```
/// assert_eq!(model::layout::earlier_dead_letter_id("reviews/0/17", 1), "reviews/0/17@1");
/// ```
pub fn earlier_dead_letter_id(id: &str, times: usize) -> String {
    format!("{id}@{times}")
}
