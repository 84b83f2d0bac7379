//! Reads MongoDB's extended JSON (`mongoexport`, canonical and relaxed): `{"$oid": "65f1…"}` is a text, `{"$numberLong": "3"}` a number,
//! `{"$date": …}` an instant.

use serde::de::{DeserializeSeed, Deserializer, Visitor};
use std::fmt;

/// Type of a value, given by the only key of its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrapper {
    /// `$oid`, `$uuid`, `$symbol`
    Text,
    /// `$numberInt`, `$numberLong`, `$numberDouble`, `$numberDecimal`
    Number,
    /// `$date`
    Date,
    /// `$undefined`
    Undefined,
    /// Another type of MongoDB.
    Other,
}

/// Reads a key; `None` if it is not a key of extended JSON.
pub(super) struct WrapperSeed;

impl<'a> DeserializeSeed<'a> for WrapperSeed {
    type Value = Option<Wrapper>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for WrapperSeed {
    type Value = Option<Wrapper>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(match key {
            "$oid" | "$uuid" | "$symbol" => Some(Wrapper::Text),
            "$numberInt" | "$numberLong" | "$numberDouble" | "$numberDecimal" => Some(Wrapper::Number),
            "$date" => Some(Wrapper::Date),
            "$undefined" => Some(Wrapper::Undefined),
            "$binary" | "$timestamp" | "$regularExpression" | "$regex" | "$minKey" | "$maxKey" | "$code"
            | "$dbPointer" | "$ref" => Some(Wrapper::Other),
            _ => None,
        })
    }
}
