//! Names and formats of the MongoDB collections, shared by the crate that writes and the crate that reads them.
//!
//! | collection | one document per | written |
//! | --- | --- | --- |
//! | [`EVENTS`] | stored event; `_id` is the event's id | in the batch's transaction |
//! | [`OFFSETS`] | group, topic and partition: the checkpoint | in the batch's transaction, first |
//! | [`LATE`] | late side output: a view of the stored events that are in no rollup | if the schema has `late_records = "set_aside"` |
//! | [`ROLLUP_STATES`] | state table and batch: [partial states](crate::rollup::partial) | in the batch's transaction; removed by the publisher |
//! | [`DEAD_LETTERS`] | dead-letter record | in the batch's transaction |
//! | [`STREAMS`] | stream: its fields, its rollups and the plan version | at start |
//! | [`ROLLUP_TABLES`] | state table: lease, publish cycle and backfill in progress | at start, and by the publisher |
//! | [`ROLLUP_CATALOG`] | rollup: its columns, definition and newest revision | at start, and by the publisher |
//! | [`OWNED_COLLECTIONS`] | collection that the program created, by name: its UUID | before and after the collection is created |
//! | the rollup's name | window and key: a flat row with its merged state | by the publisher |

use serde::{Deserialize, Serialize};

/// Fields and rollups of the stream.
pub const STREAMS: &str = "streams";
/// Stored events.
pub const EVENTS: &str = "events";
/// The late side output, a view of [`EVENTS`].
pub const LATE: &str = "late";
/// Checkpoints of partitions.
pub const OFFSETS: &str = "offsets";
/// Partial states that are not yet merged into rows.
pub const ROLLUP_STATES: &str = "rollup_states";
/// Dead-letter records.
pub const DEAD_LETTERS: &str = "dead_letters";
/// Leases, publish cycles and backfills of state tables.
pub const ROLLUP_TABLES: &str = "rollup_tables";
/// Descriptions of the rollups and their newest revisions.
pub const ROLLUP_CATALOG: &str = "rollup_catalog";
/// UUIDs of the collections that the program created. It changes, renames or drops no others.
pub const OWNED_COLLECTIONS: &str = "owned_collections";

/// Collections that every database of the product has. A rollup cannot have one of these names.
pub const RESERVED: [&str; 8] =
    [STREAMS, EVENTS, OFFSETS, ROLLUP_STATES, DEAD_LETTERS, ROLLUP_TABLES, ROLLUP_CATALOG, OWNED_COLLECTIONS];

/// Size limit of a stored event in bytes: MongoDB's 16 MiB for a document, minus room for a worker's marks.
pub const MOST_EVENT_BYTES: usize = (16 << 20) - (16 << 10);
/// Size limit in bytes of a text that is an event id or a key of a rollup: every row of its group and the indexes repeat it.
pub const MOST_KEY_BYTES: usize = 4 << 10;

/// Names of the columns that every rollup has.
pub mod column {
    /// First instant of the window (inclusive).
    pub const WINDOW_START: &str = "window_start";
    /// End of the window (exclusive).
    pub const WINDOW_END: &str = "window_end";
    /// Rank within the window, from 1; in rollups with `top`.
    pub const RANK: &str = "rank";
    /// Number of late records; they are part of the row.
    pub const LATE: &str = "late";
    /// True if no more records are expected for this window.
    pub const IS_FINAL: &str = "is_final";
    /// Revision of the publish cycle that last changed the row.
    pub const REVISION: &str = "revision";
    /// Time at which the row was last published.
    pub const UPDATED_AT: &str = "updated_at";
    /// The merged state that the row was computed from. Only for the publisher, not a column of the table.
    pub const STATE: &str = "_state";
}

/// Members of `src`, the origin of a stored event.
pub mod source {
    /// The embedded document.
    pub const FIELD: &str = "src";
    /// Kafka partition (Int32).
    pub const PARTITION: &str = "partition";
    /// Kafka offset (Int64).
    pub const OFFSET: &str = "offset";
    /// Kafka timestamp (Date); absent if the record has none.
    pub const TIMESTAMP: &str = "timestamp";
    /// True for events in the late side output, absent for others.
    pub const LATE: &str = "late";
    /// The partition's event clock when the event was stored (Date); only in events behind it by more than the allowed lateness.
    pub const CLOCK: &str = "clock";
    /// Plan tag: the plan version that the event was counted under (Int64); only in events stored during a backfill.
    pub const PLAN: &str = "plan";
}

/// BSON type of a column. A value has this type or is null.
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

/// Meaning of a column, which determines how a reader may aggregate it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnRole {
    /// First instant of the window.
    WindowStart,
    /// End of the window, exclusive.
    WindowEnd,
    /// A grouping key.
    Key,
    /// Rank within the window.
    Rank,
    /// Number of records; can be added up over rows.
    Count,
    /// Sum of a measure; can be added up over rows.
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
    /// Number of records with one value of a measure; can be added up over rows.
    Histogram,
    /// Estimated number of distinct values.
    Distinct,
    /// Number of late records.
    Late,
    /// Whether the row is final.
    IsFinal,
    /// The row's revision.
    Revision,
    /// Time at which the row was published.
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
    /// Name of the aggregated field, if the column is of a measure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<String>,
    /// Relative standard error of the values if they are estimates: 0.016 is 1.6 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative_error: Option<f64>,
}

/// A rollup's document in [`ROLLUP_CATALOG`].
///
/// Readers take names and types of columns from it. The publisher writes `published_revision`.
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
    /// Changes if the states must be counted again.
    pub definition_hash: String,
    /// The table's columns, in order.
    pub columns: Vec<Column>,
    /// Newest revision whose rows are all stored. An incremental reader reads up to it.
    #[serde(default)]
    pub published_revision: i64,
    /// Newest revision that deleted rows, because sessions were merged. A reader of an older revision must read the table again.
    #[serde(default)]
    pub removed_revision: i64,
}

/// Returns the `_id` of a checkpoint: `group/topic/partition`.
///
/// ```
/// assert_eq!(model::layout::position_id("rushes", "reviews", 3), "rushes/reviews/3");
/// ```
pub fn position_id(group: &str, topic: &str, partition: i32) -> String {
    format!("{group}/{topic}/{partition}")
}

/// Returns the `_id` of a dead-letter record: `topic/partition/offset`. Writing a record twice stores it once.
pub fn dead_letter_id(topic: &str, partition: i32, offset: i64) -> String {
    format!("{topic}/{partition}/{offset}")
}

/// Returns the `_id` of a dead-letter record after its partition's log restarted for the `times`-th time, because its offset then
/// belongs to another record. Topic names cannot contain `@`.
///
/// ```
/// assert_eq!(model::layout::earlier_dead_letter_id("reviews/0/17", 1), "reviews/0/17@1");
/// ```
pub fn earlier_dead_letter_id(id: &str, times: usize) -> String {
    format!("{id}@{times}")
}
