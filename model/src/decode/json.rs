//! Reads only the wanted fields of a JSON object. The rest is skipped, but must be valid JSON.

use super::extended::{Wrapper, WrapperSeed};
use super::{Reject, not_json};
use crate::moment;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// A value of the record. Texts without escapes are borrowed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// A number that is not an i64: it has a fraction or an exponent, or is too large.
    Float(f64),
    /// The digits of a number, for fields that need all of them and for MongoDB's extended JSON.
    Number(Cow<'a, str>),
    Str(Cow<'a, str>),
    /// A `$date` of MongoDB's extended JSON, in milliseconds.
    Moment(i64),
    List(Vec<Json<'a>>),
    /// A list inside of a list. No field has this type, so its items are not kept.
    InnerList,
    Object,
    /// A value of MongoDB's extended JSON of another type, such as `$binary`.
    Extended,
}

impl Json<'_> {
    /// Describes the value in words, with the value itself if it is short.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Bool(truth) => truth.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) if *number != 0.0 && !(1e-5..1e16).contains(&number.abs()) => {
                format!("about {number:e}")
            }
            Self::Float(number) => number.to_string(),
            Self::Number(digits) if !digits.bytes().all(|byte| byte.is_ascii_graphic()) => quote(digits),
            Self::Number(digits) => shortened(digits),
            Self::Str(text) => quote(text),
            Self::Moment(millis) => super::times::written(*millis),
            Self::List(items) => format!("a list of {}", items.len()),
            Self::InnerList => "a list".into(),
            Self::Object => "an object".into(),
            Self::Extended => "a value of MongoDB's extended JSON that has no type here".into(),
        }
    }

    /// Returns true if it contains a number that an f64 may not represent exactly.
    fn has_float(&self) -> bool {
        match self {
            Self::Float(_) => true,
            Self::List(items) => items.iter().any(|item| matches!(item, Self::Float(_))),
            _ => false,
        }
    }
}

const SHOWN: usize = 60;

/// Quotes and shortens a text for a message.
pub(super) fn quote(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{:?}…", &text[..cut]),
        None => format!("{text:?}"),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}

/// Reads the wanted fields of an object, each with an index.
#[derive(Debug, Clone, Default)]
pub(super) struct RecordReader {
    wanted: Vec<Wanted>,
}

#[derive(Debug, Clone)]
struct Wanted {
    name: String,
    /// Keep numbers as digits if an f64 may not represent them exactly.
    by_digits: bool,
}

impl RecordReader {
    /// Returns the index of the field with this name, adding it if it is new.
    pub(super) fn want(&mut self, name: &str) -> usize {
        self.wanted.iter().position(|wanted| wanted.name == name).unwrap_or_else(|| {
            self.wanted.push(Wanted { name: name.to_owned(), by_digits: false });
            self.wanted.len() - 1
        })
    }

    /// Keeps the numbers of the field with this index as digits.
    pub(super) fn keep_digits(&mut self, place: usize) {
        self.wanted[place].by_digits = true;
    }

    /// Returns the name of the field with this index.
    pub(super) fn name(&self, place: usize) -> &str {
        &self.wanted[place].name
    }

    /// Reads a record. A missing field is `None`; a repeated one has its last value.
    pub(super) fn read<'a>(&self, payload: &'a [u8]) -> Result<Vec<Option<Json<'a>>>, Reject> {
        let mut deserializer = serde_json::Deserializer::from_slice(payload);
        let mut reading = Reading { record: vec![None; self.wanted.len()], ..Reading::default() };
        let visitor = RecordVisitor { wanted: &self.wanted, reading: &mut reading };
        let found = deserializer.deserialize_any(visitor);
        match found.and_then(|other| deserializer.end().map(|()| other)) {
            Ok(None) => {}
            Ok(Some(other)) => return Err(not_json::not_object(other, payload)),
            Err(error) => {
                let field = reading.place.map(|place| self.name(place));
                return Err(not_json::reject(&error, payload, field));
            }
        }
        for &(place, key_end) in &reading.floats {
            if let Some(value) = &mut reading.record[place]
                && let Some(raw) = raw_value(payload, key_end, self.name(place))
            {
                keep_digits(value, raw);
            }
        }
        Ok(reading.record)
    }

    /// Finds the index of `name`. Fields usually come in the order of the schema, so the search begins after the last match.
    fn place(wanted: &[Wanted], name: &str, expected: usize) -> Option<usize> {
        if wanted.get(expected).is_some_and(|next| next.name == name) {
            return Some(expected);
        }
        wanted.iter().position(|wanted| wanted.name == name)
    }
}

/// The state of reading a record.
#[derive(Default)]
struct Reading<'a> {
    record: Vec<Option<Json<'a>>>,
    /// Index of the current value.
    place: Option<usize>,
    /// Indexes of values that need their digits, with the address after the key, if the key has no escapes.
    floats: Vec<(usize, Option<usize>)>,
}

/// Returns the text of a number or list in the payload, which is known to be valid JSON.
fn raw_value<'a>(payload: &'a [u8], key_end: Option<usize>, name: &str) -> Option<&'a str> {
    let Some(key_end) = key_end else {
        // The key has escapes.
        let members: BTreeMap<String, &RawValue> = serde_json::from_slice(payload).ok()?;
        return members.get(name).map(|raw| raw.get());
    };
    let rest = payload.get(key_end - payload.as_ptr().addr()..)?;
    let colon = rest.iter().position(|&byte| byte == b':')?;
    let value = rest[colon + 1..].trim_ascii_start();
    if value.starts_with(b"[") {
        return <&RawValue>::deserialize(&mut serde_json::Deserializer::from_slice(value)).ok().map(RawValue::get);
    }
    let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let end = value.iter().position(|byte| !is_part(byte)).unwrap_or(value.len());
    std::str::from_utf8(&value[..end]).ok()
}

fn keep_digits<'a>(value: &mut Json<'a>, raw: &'a str) {
    match value {
        Json::Float(_) => *value = Json::Number(Cow::Borrowed(raw)),
        Json::List(items) => {
            let raw: Vec<&'a RawValue> = serde_json::from_str(raw).unwrap_or_default();
            for (item, raw) in items.iter_mut().zip(raw).filter(|(item, _)| matches!(item, Json::Float(_))) {
                keep_digits(item, raw.get());
            }
        }
        _ => {}
    }
}

/// Fills `reading`. Returns a description of the value if it is not an object.
struct RecordVisitor<'r, 'a> {
    wanted: &'r [Wanted],
    reading: &'r mut Reading<'a>,
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
        let reading = self.reading;
        while let Some(key) = map.next_key_seed(KeySeed { wanted: self.wanted, expected })? {
            let Some(Key { place, end }) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            reading.place = Some(place);
            let value = map.next_value_seed(JsonSeed::TOP)?;
            if self.wanted[place].by_digits && value.has_float() {
                reading.floats.retain(|(before, _)| *before != place);
                reading.floats.push((place, end));
            }
            reading.record[place] = Some(value);
            reading.place = None;
            expected = place + 1;
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

/// A wanted key.
struct Key {
    place: usize,
    /// Address after the key in the payload, if the key has no escapes.
    end: Option<usize>,
}

/// Finds the index of a key without copying the key.
struct KeySeed<'r> {
    wanted: &'r [Wanted],
    expected: usize,
}

impl<'a> DeserializeSeed<'a> for KeySeed<'_> {
    type Value = Option<Key>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for KeySeed<'_> {
    type Value = Option<Key>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_borrowed_str<E>(self, name: &'a str) -> Result<Self::Value, E> {
        let place = RecordReader::place(self.wanted, name, self.expected);
        Ok(place.map(|place| Key { place, end: Some(name.as_ptr().addr() + name.len()) }))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(RecordReader::place(self.wanted, name, self.expected).map(|place| Key { place, end: None }))
    }
}

/// Reads a value. Deeper nesting than any type has is skipped without recursion, so no record overflows the stack.
#[derive(Clone, Copy)]
pub(super) struct JsonSeed {
    /// Levels of nesting that are still read: an item of a list, and a number inside of a `$date`.
    levels: u8,
}

impl JsonSeed {
    /// Of a field's value.
    pub(super) const TOP: Self = Self { levels: 2 };

    fn inside(self) -> Self {
        Self { levels: self.levels.saturating_sub(1) }
    }
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
        if self.levels < Self::TOP.levels {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Json::InnerList);
        }
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.inside())? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'a>>(self, map: A) -> Result<Json<'a>, A::Error> {
        self.object(map)
    }
}

impl JsonSeed {
    /// Kept out of the code for scalars, which nearly all values are.
    #[inline(never)]
    fn object<'a, A: MapAccess<'a>>(self, mut map: A) -> Result<Json<'a>, A::Error> {
        let mut value: Option<(Wrapper, Json<'a>)> = None;
        let mut is_wrapper = self.levels > 0;
        while let Some(key) = map.next_key_seed(WrapperSeed)? {
            match key.filter(|key| is_wrapper && value.as_ref().is_none_or(|(before, _)| before == key)) {
                Some(wrapper) => {
                    // Only a date may contain a number in extended JSON.
                    let inner = if wrapper == Wrapper::Date { self.inside() } else { Self { levels: 0 } };
                    value = Some((wrapper, unwrapped(wrapper, map.next_value_seed(inner)?)));
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                    is_wrapper = false;
                }
            }
        }
        Ok(value.filter(|_| is_wrapper).map_or(Json::Object, |(_, value)| value))
    }
}

/// Returns the value inside of a wrapper of MongoDB's extended JSON.
fn unwrapped<'a>(wrapper: Wrapper, inner: Json<'a>) -> Json<'a> {
    let moment = |millis: i64| moment::held(millis).map_or(Json::Extended, Json::Moment);
    match (wrapper, inner) {
        (Wrapper::Text, text @ Json::Str(_)) => text,
        (Wrapper::Number, Json::Str(digits)) => Json::Number(digits),
        (Wrapper::Number, number @ (Json::Int(_) | Json::Float(_))) => number,
        (Wrapper::Date, Json::Int(millis)) => moment(millis),
        (Wrapper::Date, Json::Number(digits)) => digits.parse().map_or(Json::Extended, moment),
        (Wrapper::Date, Json::Str(text)) => moment::parse(&text).map_or(Json::Str(text), Json::Moment),
        (Wrapper::Undefined, _) => Json::Null,
        _ => Json::Extended,
    }
}
