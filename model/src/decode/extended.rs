//! Reads MongoDB's extended JSON (`mongoexport`, canonical and relaxed): `{"$oid": "65f1…"}` is a text, `{"$numberLong": "3"}` a number,
//! `{"$date": …}` an instant.

use super::json::{Json, JsonSeed};
use serde::de::{DeserializeSeed, Deserializer, Visitor};
use std::borrow::Cow;
use std::fmt;

/// The plain value of an object of extended JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Plain<'a> {
    /// A text, such as that of `$oid`.
    Text(Cow<'a, str>),
    /// A number in its digits.
    Number(Cow<'a, str>),
    /// The instant of a `$date`, in milliseconds since 1970-01-01T00:00:00Z.
    Moment(i64),
    /// `$undefined`
    Null,
}

/// Reads an object as it stands in JSON; `None` if it is not one of extended JSON, or of a type without a plain value.
///
/// ```
/// use model::decode::extended::{Plain, plain};
/// assert_eq!(plain(r#"{"$date": "1970-01-01T00:00:01Z"}"#), Some(Plain::Moment(1_000)));
/// assert_eq!(plain(r#"{"$oid": "65f1"}"#), Some(Plain::Text("65f1".into())));
/// assert_eq!(plain(r#"{"name": "x"}"#), None);
/// ```
pub fn plain(json: &str) -> Option<Plain<'_>> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    match JsonSeed::TOP.deserialize(&mut deserializer).ok()? {
        Json::Str(text) => Some(Plain::Text(text)),
        Json::Number(digits) => Some(Plain::Number(digits)),
        Json::Int(number) => Some(Plain::Number(number.to_string().into())),
        Json::Float(number) => Some(Plain::Number(number.to_string().into())),
        Json::Moment(millis) => Some(Plain::Moment(millis)),
        Json::Null => Some(Plain::Null),
        Json::Bool(_) | Json::List(_) | Json::InnerList | Json::Object | Json::Extended => None,
    }
}

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
