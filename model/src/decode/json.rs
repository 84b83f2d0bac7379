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
    /// A list inside a list: of no field's type, so its items are not kept, however deep they go.
    InnerList,
    Object,
}

impl Json<'_> {
    /// What it is, in words, with the value where it is short.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Bool(truth) => truth.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) if *number != 0.0 && !(1e-5..1e16).contains(&number.abs()) => {
                format!("about {number:e}")
            }
            Self::Float(number) => number.to_string(),
            Self::Str(text) => quote(text),
            Self::List(items) => format!("a list of {}", items.len()),
            Self::InnerList => "a list".into(),
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
        let mut reading = None;
        let visitor = RecordVisitor { wanted: &self.wanted, record: &mut record, reading: &mut reading };
        let found = deserializer.deserialize_any(visitor);
        match found.and_then(|other| deserializer.end().map(|()| other)) {
            Ok(None) => Ok(record),
            Ok(Some(other)) => Err(Reject::new(DeadReason::NotObject, format!("the record is {other}, not an object"))),
            Err(error) => Err(refuse(&error, payload, reading.map(|place| self.wanted[place].as_str()))),
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

/// What the parser says, with the field that it was reading and the text around the place.
fn refuse(error: &serde_json::Error, payload: &[u8], field: Option<&str>) -> Reject {
    const SHOWN: usize = 20;
    let Some(field) = field else {
        return Reject::new(DeadReason::NotJson, format!("the record is not JSON: {error}"));
    };
    let line_start =
        payload.split_inclusive(|&byte| byte == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len);
    let place = (line_start.sum::<usize>() + error.column()).min(payload.len());
    // The parser has no name for this error but its text.
    if error.to_string().starts_with("number out of range") {
        let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
        let before = payload[..place].iter().rev().take_while(|byte| is_part(byte)).count();
        let after = payload[place..].iter().take_while(|byte| is_part(byte)).count();
        let number: String =
            payload[place - before..place + after].iter().copied().take(SHOWN).map(char::from).collect();
        let message = format!("{field} is {number}, beyond any number that can be stored");
        return Reject::new(DeadReason::OutOfRange, message);
    }
    let around = &payload[place.saturating_sub(SHOWN)..payload.len().min(place + SHOWN)];
    let around = String::from_utf8_lossy(around);
    Reject::new(DeadReason::NotJson, format!("the record is not JSON: {error}, in {field}, near {around:?}"))
}

/// Fills `record`; yields what the value is where it is no object.
struct RecordVisitor<'r, 'a> {
    wanted: &'r [String],
    record: &'r mut Vec<Option<Json<'a>>>,
    /// The place of the value that is being read.
    reading: &'r mut Option<usize>,
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
                    *self.reading = Some(place);
                    self.record[place] = Some(map.next_value_seed(JsonSeed { inside: false })?);
                    *self.reading = None;
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

/// Reads a value. What is nested deeper than a list of values is skipped without recursion, so that no record overflows the stack.
#[derive(Clone, Copy)]
struct JsonSeed {
    /// The value is an item of a list.
    inside: bool,
}

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
        if self.inside {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Json::InnerList);
        }
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(JsonSeed { inside: true })? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Json<'a>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Json::Object)
    }
}
