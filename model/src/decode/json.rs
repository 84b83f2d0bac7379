//! Reads from a JSON object only the fields that are wanted; the rest is skipped, still checked for being JSON.

use super::{DeadReason, Reject};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A value as it stands in the record; texts without escapes are borrowed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// A number that is no i64: with a fraction, an exponent, or too large.
    Float(f64),
    Str(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object,
}

impl Json<'_> {
    /// What it is, in words, with the value where it is short.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Bool(truth) => truth.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Str(text) => quote(text),
            Self::List(items) => format!("a list of {}", items.len()),
            Self::Object => "an object".into(),
        }
    }
}

/// A text in quotes, shortened to what a person needs to recognise it.
pub(super) fn quote(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{:?}…", &text[..cut]),
        None => format!("{text:?}"),
    }
}

/// Keeps the wanted fields of an object, each at its place.
#[derive(Debug, Clone, Default)]
pub(super) struct RecordReader {
    wanted: Vec<String>,
}

impl RecordReader {
    /// The place at which the field of this name is kept.
    pub(super) fn want(&mut self, name: &str) -> usize {
        self.wanted.iter().position(|wanted| wanted == name).unwrap_or_else(|| {
            self.wanted.push(name.to_owned());
            self.wanted.len() - 1
        })
    }

    /// Reads a record; a field that is not there is `None`, one that is there twice has its last value.
    pub(super) fn read<'a>(&self, payload: &'a [u8]) -> Result<Vec<Option<Json<'a>>>, Reject> {
        let mut deserializer = serde_json::Deserializer::from_slice(payload);
        let mut record = vec![None; self.wanted.len()];
        let found = deserializer.deserialize_any(RecordVisitor { wanted: &self.wanted, record: &mut record });
        match found.and_then(|other| deserializer.end().map(|()| other)) {
            Ok(None) => Ok(record),
            Ok(Some(other)) => Err(Reject::new(DeadReason::NotObject, format!("the record is {other}, not an object"))),
            Err(error) => Err(Reject::new(DeadReason::NotJson, format!("the record is not JSON: {error}"))),
        }
    }

    /// The place of `name`; fields usually come in the order of the schema, so the search begins after the last one found.
    fn place(wanted: &[String], name: &str, expected: usize) -> Option<usize> {
        if wanted.get(expected).is_some_and(|next| next == name) {
            return Some(expected);
        }
        wanted.iter().position(|wanted| wanted == name)
    }
}

/// Fills `record`; yields what the value is where it is no object.
struct RecordVisitor<'r, 'a> {
    wanted: &'r [String],
    record: &'r mut Vec<Option<Json<'a>>>,
}

macro_rules! not_an_object {
    ($($visit:ident: $type:ty => $what:expr),*) => {
        $(fn $visit<E>(self, _: $type) -> Result<Self::Value, E> {
            Ok(Some($what))
        })*
    };
}

impl<'a> Visitor<'a> for RecordVisitor<'_, 'a> {
    type Value = Option<&'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut expected = 0;
        while let Some(place) = map.next_key_seed(KeySeed { wanted: self.wanted, expected })? {
            match place {
                Some(place) => {
                    self.record[place] = Some(map.next_value_seed(JsonSeed)?);
                    expected = place + 1;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Some("a list"))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Some("null"))
    }

    not_an_object!(visit_bool: bool => "a boolean", visit_i64: i64 => "a number", visit_u64: u64 => "a number",
        visit_f64: f64 => "a number", visit_str: &str => "a text");
}

/// Finds a key's place without keeping the key.
struct KeySeed<'r> {
    wanted: &'r [String],
    expected: usize,
}

impl<'a> DeserializeSeed<'a> for KeySeed<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(RecordReader::place(self.wanted, name, self.expected))
    }
}

struct JsonSeed;

impl<'a> DeserializeSeed<'a> for JsonSeed {
    type Value = Json<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Json<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for JsonSeed {
    type Value = Json<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'a>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Json<'a>, E> {
        Ok(Json::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json<'a>, E> {
        Ok(Json::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json<'a>, E> {
        Ok(i64::try_from(number).map_or(Json::Float(number as f64), Json::Int))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json<'a>, E> {
        Ok(Json::Float(number))
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Json<'a>, E> {
        Ok(Json::Str(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'a>, E> {
        Ok(Json::Str(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<Json<'a>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(JsonSeed)? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Json<'a>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Json::Object)
    }
}
