//! Fields of an event in their checked form.

use crate::layout::ColumnType;
use crate::number::Mark;
use bson::raw::{RawBsonRef, RawDocument};

/// Location of a field in a stored event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// It is the `_id` itself.
    Id,
    /// A member of the `_id` document.
    IdMember,
    /// A field of its own.
    Top,
}

/// One field of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Name, unique in the schema.
    pub name: String,
    /// Type and format.
    pub kind: FieldKind,
    /// Origin of its value.
    pub source: Source,
    /// Location in a stored event.
    pub place: Place,
    /// True if a record without a value is rejected.
    pub required: bool,
    /// Texts that mean null.
    pub null_words: Vec<String>,
    /// Decimal separator of numbers in texts.
    pub decimal: Mark,
    /// True if a blank text is a valid id.
    pub allow_blank: bool,
    /// Name of the column that counts the values of this measure.
    pub counted_as: String,
}

/// Type of a field with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldKind {
    /// Text.
    String,
    /// Integer within an inclusive range.
    Int(NumberRange<i64>),
    /// Finite number within an inclusive range.
    Float(NumberRange<f64>),
    /// True or false.
    Bool,
    /// Civil date in one of these formats.
    Date(Vec<DateFormat>),
    /// Instant in one of these formats.
    Timestamp(Vec<DateFormat>),
    /// A list of texts.
    StringList,
}

/// An inclusive range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberRange<T> {
    /// Smallest allowed value.
    pub first: T,
    /// Largest allowed value.
    pub last: T,
}

/// Format of a date or timestamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DateFormat {
    /// A strftime pattern.
    Pattern(String),
    /// `2020-02-29T12:00:00Z`.
    Rfc3339,
    /// Milliseconds since 1970, as a number or a text.
    EpochMillis,
    /// Seconds since 1970, as a number or a text.
    EpochSeconds,
}

/// Origin of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The record's member with this name.
    Record(String),
    /// One item of a list, or of a text with commas.
    Item {
        /// Name of the record's member.
        field: String,
        /// 0 or 1.
        item: usize,
    },
    /// Computed from another field.
    Derived {
        /// Index of the other field in the schema.
        of: usize,
        /// How.
        how: Derivation,
    },
}

/// Computation of a derived value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Derivation {
    /// Year of a date.
    Year,
    /// Month of a date.
    Month,
    /// Third of a date's month.
    TenDay,
    /// Year in a title.
    TitleYear,
}

/// A condition on one field. An event without a value does not pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// Index of the field in the schema.
    pub field: usize,
    /// Inclusive lower bound.
    pub at_least: Option<Comparable>,
    /// Exclusive upper bound.
    pub below: Option<Comparable>,
    /// Allowed values; `None` allows all.
    pub one_of: Option<Vec<Comparable>>,
}

/// A value that a filter compares with: dates and timestamps are milliseconds.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub enum Comparable {
    /// Integer, date or timestamp.
    Int(i64),
    /// Number.
    Float(f64),
    /// Text.
    String(String),
    /// True or false.
    Bool(bool),
}

impl FieldKind {
    /// Returns the column type of the stored value.
    pub fn column_type(&self) -> ColumnType {
        match self {
            Self::String => ColumnType::String,
            Self::Int(_) => ColumnType::Int,
            Self::Float(_) => ColumnType::Float,
            Self::Bool => ColumnType::Bool,
            Self::Date(_) => ColumnType::Date,
            Self::Timestamp(_) => ColumnType::Timestamp,
            Self::StringList => ColumnType::StringList,
        }
    }

    /// Returns the type's name in schemas.
    pub fn name(&self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Bool => "bool",
            Self::Date(_) => "date",
            Self::Timestamp(_) => "timestamp",
            Self::StringList => "string list",
        }
    }
}

impl Field {
    /// Returns the value in a stored event, if there is one.
    pub fn value_in<'a>(&self, event: &'a RawDocument) -> Option<RawBsonRef<'a>> {
        match self.place {
            Place::Id => event.get("_id").ok()?,
            Place::IdMember => event.get_document("_id").ok()?.get(&self.name).ok()?,
            Place::Top => event.get(&self.name).ok()?,
        }
    }

    /// Returns the path of the value in a stored event in MongoDB's notation.
    pub fn path(&self) -> String {
        match self.place {
            Place::Id => "_id".to_owned(),
            Place::IdMember => format!("_id.{}", self.name),
            Place::Top => self.name.clone(),
        }
    }
}
