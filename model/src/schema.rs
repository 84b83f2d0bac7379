//! The schema of a stream: fields, types, id, event time, filters and rollups. `docs/schema.md` is the reference.
//!
//! [`mod@file`] mirrors the TOML file. [`Schema`] is the checked form: every name is resolved and every type matches its use.
//! A schema is compiled into a [`Decoder`](crate::decode::Decoder) and a [`RollupPlan`].

mod compile;
mod error;
mod field;
pub mod file;
pub(crate) mod names;
mod range;

pub use error::SchemaError;
pub use field::{Comparable, DateFormat, Derivation, Field, FieldKind, Filter, NumberRange, Place, Source};

use crate::clock::{AllowedLateness, EventClock};
use crate::late::LateRecords;
use crate::rollup::RollupPlan;
use jiff::tz::TimeZone;

/// The built-in schema of the Kaggle IMDb reviews, as TOML.
pub const IMDB_REVIEW: &str = include_str!("../../schemas/imdb-review.toml");

/// A checked schema.
///
/// ```
/// use model::schema::Schema;
/// let schema = Schema::parse("imdb-review", model::schema::IMDB_REVIEW).unwrap();
/// assert_eq!((schema.stream(), schema.message_key()), ("reviews", Some("movie")));
/// ```
#[derive(Debug, Clone)]
pub struct Schema {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) definition: String,
    pub(crate) number: Option<u32>,
    pub(crate) stream: String,
    pub(crate) fields: Vec<Field>,
    pub(crate) id: Vec<usize>,
    pub(crate) event_time: usize,
    pub(crate) message_key: Option<String>,
    pub(crate) filters: Vec<Filter>,
    pub(crate) tombstones: Tombstones,
    pub(crate) states_decimal: bool,
    pub(crate) time_zone: TimeZone,
    pub(crate) allowed_lateness: AllowedLateness,
    pub(crate) late_records: LateRecords,
    pub(crate) idle_timeout_ms: i64,
    pub(crate) max_ahead_ms: Option<i64>,
    pub(crate) rollups: RollupPlan,
}

/// How a record without payload is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tombstones {
    /// As a dead-letter record.
    Dead,
    /// As filtered.
    Filtered,
}

impl Schema {
    /// Reads and checks a schema. `name` appears in error messages.
    ///
    /// # Errors
    /// [`SchemaError`] names the schema, the place and what is allowed there.
    pub fn parse(name: &str, toml: &str) -> Result<Self, SchemaError> {
        let file: file::SchemaFile =
            toml::from_str(toml).map_err(|error| SchemaError::new(name, "", error.to_string()))?;
        let schema = compile::compile(name, version_of(toml), &file)?;
        Ok(Self { definition: definition_of(name, toml)?, ..schema })
    }

    /// Returns the name of the preset or file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns a hash of the TOML text, as 16 hexadecimal digits.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns a hash of the schema's contents, as 16 hexadecimal digits. It ignores comments, layout and the order of keys.
    pub fn definition(&self) -> &str {
        &self.definition
    }

    /// Returns the `version` that the schema states, if any.
    pub fn number(&self) -> Option<u32> {
        self.number
    }

    /// Returns the stream's name, which is also the name of the column that counts its records.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// Returns all fields of an event in the order of the TOML.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Returns the field with this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Returns the names of the fields that identify an event.
    pub fn id_names(&self) -> impl Iterator<Item = &str> {
        self.id.iter().map(|&at| self.fields[at].name.as_str())
    }

    /// The field that holds the event time.
    pub fn event_time(&self) -> &Field {
        &self.fields[self.event_time]
    }

    /// Returns the record's member that the producer uses as the message key.
    pub fn message_key(&self) -> Option<&str> {
        self.message_key.as_deref()
    }

    /// How a record without payload is treated.
    pub fn tombstones(&self) -> Tombstones {
        self.tombstones
    }

    /// Returns true if the schema sets `decimal`, for the stream or for a field.
    pub fn states_decimal(&self) -> bool {
        self.states_decimal
    }

    /// How long after its end a window still accepts records as on time.
    pub fn allowed_lateness(&self) -> AllowedLateness {
        self.allowed_lateness
    }

    /// What happens to a record that arrives after all of its windows have closed.
    pub fn late_records(&self) -> LateRecords {
        self.late_records
    }

    /// Returns true if a new event goes to the late side output, given its partition's clock before the event.
    pub fn sets_aside(&self, event_time: i64, clock: EventClock) -> bool {
        self.late_records == LateRecords::SetAside && self.rollups.has_closed(event_time, clock, self.allowed_lateness)
    }

    /// Returns the milliseconds without a stored event after which a partition is idle.
    pub fn idle_timeout_ms(&self) -> i64 {
        self.idle_timeout_ms
    }

    /// The zone in which calendar windows over timestamps begin.
    pub fn time_zone(&self) -> &TimeZone {
        &self.time_zone
    }

    /// The rollups and the states they need.
    pub fn rollups(&self) -> &RollupPlan {
        &self.rollups
    }
}

/// Stored with dead-letter records, so the computation must never change.
fn version_of(toml: &str) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(toml.as_bytes()))
}

/// Stored in the schema history of a stream, so the computation must never change.
fn definition_of(name: &str, toml: &str) -> Result<String, SchemaError> {
    let refused = |problem: String| SchemaError::new(name, "", problem);
    let table: toml::Table = toml::from_str(toml).map_err(|error| refused(error.to_string()))?;
    let text =
        serde_json::to_string(&in_order(toml::Value::Table(table))).map_err(|error| refused(error.to_string()))?;
    Ok(format!("{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes())))
}

/// Returns the value with the keys of all tables sorted.
fn in_order(value: toml::Value) -> toml::Value {
    match value {
        toml::Value::Array(values) => toml::Value::Array(values.into_iter().map(in_order).collect()),
        toml::Value::Table(table) => {
            let sorted: std::collections::BTreeMap<_, _> = table.into_iter().collect();
            toml::Value::Table(sorted.into_iter().map(|(key, value)| (key, in_order(value))).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
