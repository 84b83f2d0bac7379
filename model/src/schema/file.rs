//! The TOML form of a schema. Unknown keys are errors, so a typing mistake does not become a silent default.

use serde::{Deserialize, Serialize};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaFile {
    /// Name of the stream, and of the column that counts its records.
    pub stream: String,
    /// Number of this version of the schema, which rises with every change. A database that has had a newer version refuses this one. Without
    /// it, a schema that was never seen counts as newer.
    #[serde(default)]
    pub version: Option<u32>,
    /// The fields whose values identify an event; stored as its `_id`.
    pub id: Vec<String>,
    /// The `date` or `timestamp` field that says when the event happened.
    pub event_time: String,
    /// The record's member that `ingest produce` uses as the Kafka message key; none by default.
    #[serde(default)]
    pub message_key: Option<String>,
    /// IANA zone in which calendar windows over timestamps begin; `UTC` by default.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// How long after its end a window accepts records as on time: a duration such as `2h` or `7d`, or `unbounded`; `0s` by default.
    #[serde(default)]
    pub allowed_lateness: Option<String>,
    /// What happens to records that are late for all of their windows: `correct` (default) or `set_aside`.
    #[serde(default)]
    pub late_records: LateRule,
    /// Time without a stored event after which a partition no longer holds windows open; `60s` by default.
    #[serde(default)]
    pub idle_timeout: Option<String>,
    /// How far an event time may lie ahead of the Kafka timestamp, such as `1d`. Records beyond it are dead-letter records. No limit by default.
    #[serde(default)]
    pub max_ahead: Option<String>,
    /// What happens to records without a payload: `dead` (default) or `filtered`.
    #[serde(default)]
    pub tombstones: TombstoneRule,
    /// Decimal separator of numbers in texts: `.` (default, `1,234.5`) or `,` (`1.234,5`).
    #[serde(default)]
    pub decimal: Option<String>,
    /// Conditions that an event must meet. Other records are counted as filtered, whatever else is wrong with them.
    #[serde(default)]
    pub filter: Vec<FilterRule>,
    /// The fields, in the order in which they are stored.
    pub fields: toml::Table,
    /// The rollups.
    #[serde(default)]
    pub rollups: Vec<RollupRule>,
}

/// What happens to a record without a payload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TombstoneRule {
    /// It becomes a dead-letter record.
    #[default]
    Dead,
    /// It is counted as filtered.
    Filtered,
}

/// What happens to a record that is late for all of its windows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LateRule {
    /// It corrects its rows.
    #[default]
    Correct,
    /// It goes to the late side output, and its rows do not change.
    SetAside,
}

/// Types of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum TypeName {
    /// Text.
    #[serde(rename = "string")]
    String,
    /// 64-bit integer.
    #[serde(rename = "int")]
    Int,
    /// 64-bit floating-point number.
    #[serde(rename = "float")]
    Float,
    /// True or false.
    #[serde(rename = "bool")]
    Bool,
    /// A civil date.
    #[serde(rename = "date")]
    Date,
    /// An instant.
    #[serde(rename = "timestamp")]
    Timestamp,
    /// A list of texts.
    #[serde(rename = "string list")]
    StringList,
}

/// One field, `[fields.NAME]`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FieldRule {
    /// Type of the value; a derived field has its derivation's type.
    #[serde(default, rename = "type")]
    pub kind: Option<TypeName>,
    /// The record's member to read; the field's own name by default.
    #[serde(default)]
    pub from: Option<String>,
    /// Reads a list of two values (or a text `"0,1"`) into two fields of these names.
    #[serde(default)]
    pub pair: Option<[String; 2]>,
    /// Formats of a date or timestamp, tried in order: strftime patterns, `rfc3339`, `epoch_ms`, `epoch_s`.
    #[serde(default)]
    pub formats: Vec<String>,
    /// Texts that mean null; a blank text always does, except in a string.
    #[serde(default)]
    pub null: Vec<String>,
    /// Rejects records without a value; false by default, always true for the id and the event time.
    #[serde(default)]
    pub required: bool,
    /// Smallest and largest allowed number.
    #[serde(default)]
    pub range: Option<[toml::Value; 2]>,
    /// Decimal separator of this number in texts; that of the stream by default.
    #[serde(default)]
    pub decimal: Option<String>,
    /// Accepts a blank text as an id; false by default, which rejects it with `missing_id`.
    #[serde(default)]
    pub allow_blank: bool,
    /// Computes the value from another field.
    #[serde(default)]
    pub derive: Option<DeriveRule>,
    /// Name of the column that counts the values of this measure; `NAME_count` by default.
    #[serde(default)]
    pub counted_as: Option<String>,
}

/// A derivation, with the field that it depends on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum DeriveRule {
    /// Year of a date or timestamp, as int.
    Year(String),
    /// Month (1 to 12) of a date or timestamp, as int.
    Month(String),
    /// Third of the month (`1_10`, `11_20`, `21_31`) of a date or timestamp, as string.
    TenDay(String),
    /// The year in a title such as `Kill Bill: Vol. 2 (2004)` or `X (2019– )`, as int.
    TitleYear(String),
}

/// One condition, `[[filter]]`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FilterRule {
    /// The field to compare. An event without a value does not pass.
    pub field: String,
    /// Inclusive lower bound.
    #[serde(default)]
    pub at_least: Option<toml::Value>,
    /// Exclusive upper bound.
    #[serde(default)]
    pub below: Option<toml::Value>,
    /// Accepted values.
    #[serde(default)]
    pub one_of: Option<Vec<toml::Value>>,
}

/// One rollup, `[[rollups]]`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RollupRule {
    /// Name of the rollup and of its collection.
    pub name: String,
    /// `day`, `week`, `ten_day`, `month`, `quarter`, `year`, a duration such as `15m`, `1h every 15m` for hopping windows, or
    /// `session 30m` for sessions.
    pub window: String,
    /// Fields to group by within a window.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Number fields to aggregate.
    #[serde(default)]
    pub measures: Vec<String>,
    /// Fields whose distinct values are counted (estimated beyond 512).
    #[serde(default)]
    pub distinct: Vec<String>,
    /// Adds one column for each value of a measure with a small range; true by default if there are no keys.
    #[serde(default)]
    pub histogram: Option<bool>,
    /// Publishes only the first rows of each window.
    #[serde(default)]
    pub top: Option<TopRule>,
}

/// The first rows of each window.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TopRule {
    /// How many rows.
    pub rows: u32,
    /// The column that orders them, largest first; the count by default.
    #[serde(default)]
    pub by: Option<String>,
}
