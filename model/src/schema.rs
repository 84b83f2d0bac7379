//! What a stream's records are: fields, types, id, event time, filter and rollups, read from TOML and checked once at start.
//!
//! [`mod@file`] is the TOML as it is written; [`Schema`] is what is left once every name and type has been checked against the others.
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

/// The built-in schema of the Kaggle IMDb reviews, as a TOML text that can be copied.
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

/// What a record without payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tombstones {
    /// Unusable: a dead letter.
    Dead,
    /// Expected, and left out.
    Filtered,
}

impl Schema {
    /// Reads and checks a schema; `name` stands in error messages.
    ///
    /// # Errors
    /// [`SchemaError`] names the schema, the place and what is allowed there.
    pub fn parse(name: &str, toml: &str) -> Result<Self, SchemaError> {
        let file: file::SchemaFile =
            toml::from_str(toml).map_err(|error| SchemaError::new(name, "", error.to_string()))?;
        let schema = compile::compile(name, version_of(toml), &file)?;
        Ok(Self { definition: definition_of(name, toml)?, ..schema })
    }

    /// The name it was read under: a preset's name or a file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What tells this text from every other: 16 hexadecimal digits that change with any change of the TOML.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// A fingerprint of what the schema says: 16 hexadecimal digits that comments, layout and the order of the keys do not change.
    pub fn definition(&self) -> &str {
        &self.definition
    }

    /// The `version` that the schema states, if it does.
    pub fn number(&self) -> Option<u32> {
        self.number
    }

    /// The stream's name, which is also the name of the column that counts its records.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// All fields of an event, in the order of the TOML.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Names of the fields that identify an event.
    pub fn id_names(&self) -> impl Iterator<Item = &str> {
        self.id.iter().map(|&at| self.fields[at].name.as_str())
    }

    /// The field that holds the event time.
    pub fn event_time(&self) -> &Field {
        &self.fields[self.event_time]
    }

    /// The record's field that the producer takes as the message key.
    pub fn message_key(&self) -> Option<&str> {
        self.message_key.as_deref()
    }

    /// What a record without payload is.
    pub fn tombstones(&self) -> Tombstones {
        self.tombstones
    }

    /// Whether it says how numbers in texts are written (`decimal`), for the stream or for a field.
    pub fn states_decimal(&self) -> bool {
        self.states_decimal
    }

    /// How long after its end a window still takes records as in time.
    pub fn allowed_lateness(&self) -> AllowedLateness {
        self.allowed_lateness
    }

    /// What becomes of a record that comes after every one of its windows has closed.
    pub fn late_records(&self) -> LateRecords {
        self.late_records
    }

    /// Whether a new event is set aside, given its partition's clock before it.
    pub fn sets_aside(&self, event_time: i64, clock: EventClock) -> bool {
        self.late_records == LateRecords::SetAside && self.rollups.has_closed(event_time, clock, self.allowed_lateness)
    }

    /// After so many milliseconds without a record a partition is idle.
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

/// A hash that is stored, with dead letters: it must never be computed differently.
fn version_of(toml: &str) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(toml.as_bytes()))
}

/// A hash that is stored, in the lineage of a stream's schemas: it must never be computed differently.
fn definition_of(name: &str, toml: &str) -> Result<String, SchemaError> {
    let refused = |problem: String| SchemaError::new(name, "", problem);
    let table: toml::Table = toml::from_str(toml).map_err(|error| refused(error.to_string()))?;
    let text =
        serde_json::to_string(&in_order(toml::Value::Table(table))).map_err(|error| refused(error.to_string()))?;
    Ok(format!("{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes())))
}

/// The value with the keys of all its tables sorted.
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
