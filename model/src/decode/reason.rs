//! Reasons of dead-letter records.

use std::fmt;

/// Why a record cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeadReason {
    /// The record has no payload.
    NullPayload,
    /// The payload is not JSON.
    NotJson,
    /// The payload is JSON, but not an object.
    NotObject,
    /// A field of the id has no value.
    MissingId,
    /// The event time is missing or cannot be read.
    NoEventTime,
    /// A required field has no value.
    MissingField,
    /// A value is not of the field's type.
    WrongType,
    /// A number is outside of the field's range or its type; a time is outside of the calendar.
    OutOfRange,
    /// The event, an id or a key is larger than MongoDB or a row can store.
    TooLarge,
}

impl DeadReason {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::NullPayload,
        Self::NotJson,
        Self::NotObject,
        Self::MissingId,
        Self::NoEventTime,
        Self::MissingField,
        Self::WrongType,
        Self::OutOfRange,
        Self::TooLarge,
    ];

    /// Returns the code in dead-letter records and counts.
    pub fn code(self) -> &'static str {
        match self {
            Self::NullPayload => "null_payload",
            Self::NotJson => "not_json",
            Self::NotObject => "not_object",
            Self::MissingId => "missing_id",
            Self::NoEventTime => "no_event_time",
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::OutOfRange => "out_of_range",
            Self::TooLarge => "too_large",
        }
    }

    /// Returns the usual fix, as a sentence.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::NullPayload => "where tombstones are expected, write `tombstones = \"filtered\"` in the schema",
            Self::NotJson | Self::NotObject => "correct it where the records are made, and send them again",
            Self::MissingId | Self::MissingField => {
                "correct it where the records are made, or name the field that has the value with `from` in the schema"
            }
            Self::NoEventTime => "add the form to `formats` in the schema, or correct it where the records are made",
            Self::WrongType => {
                "add the word to `null` or the form to `formats` in the schema, or correct the field's `type`"
            }
            Self::OutOfRange => {
                "widen `range` in the schema, or correct it where the records are made; a number that no int can hold may be a float or a string"
            }
            Self::TooLarge => {
                "leave the large field out of the schema, or have the records made smaller, and send them again"
            }
        }
    }
}

impl fmt::Display for DeadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A record that cannot be used, with a sentence that names the field and the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Reject {
    /// The reason's code.
    pub reason: DeadReason,
    /// Description of the problem, for people.
    pub message: String,
}

impl Reject {
    pub(super) fn new(reason: DeadReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}
