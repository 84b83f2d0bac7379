//! From JSON bytes to a stored document, in one pass and without a tree of the record.
//!
//! `json` reads only the fields that the schema names, borrowing texts from the record; `convert` gives each its type; what
//! is left is written as BSON. A record that cannot be used is a [`Reject`] with a reason code and a sentence.

mod convert;
mod json;

use crate::layout::{MOST_EVENT_BYTES, MOST_KEY_BYTES};
use crate::schema::{Comparable, Derivation, Field, Filter, Place, Schema, SchemaError, Source};
use bson::raw::{CString, RawArrayBuf, RawBsonRef, RawDocumentBuf};
use convert::{Converter, Value};
use json::RecordReader;
use std::fmt;

/// Coordinates of a record in Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coordinates {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Kafka timestamp in milliseconds, where the record has one.
    pub timestamp: Option<i64>,
}

/// What a usable record becomes.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// An event to store.
    Event(Event),
    /// Left out by the schema's filter, or an expected tombstone.
    Filtered,
}

/// A decoded record.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The document to store; its first element is `_id`.
    pub document: RawDocumentBuf,
    /// Event time in milliseconds.
    pub event_time: i64,
}

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
    /// The event time has no value, or none that can be read.
    NoEventTime,
    /// A required field has no value.
    MissingField,
    /// A value is not of the field's type.
    WrongType,
    /// A number is outside the field's range, or beyond what its type can hold; a time is beyond the calendar.
    OutOfRange,
    /// The event, or the value of an id or a key, is larger than MongoDB or its rows can hold.
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

    /// The code in dead letters and counts.
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

    /// What usually mends it, as a sentence.
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
    /// What is wrong, for a person.
    pub message: String,
}

impl Reject {
    fn new(reason: DeadReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// Turns records of one schema into documents.
///
/// ```
/// use model::{decode::{Coordinates, Decoded, Decoder}, schema::{IMDB_REVIEW, Schema}};
/// let decoder = Decoder::new(&Schema::parse("imdb-review", IMDB_REVIEW)?)?;
/// let at = Coordinates { partition: 0, offset: 7, timestamp: None };
/// let json = br#"{"review_id": "rw1", "movie": "Up (2009)", "rating": "8", "review_date": "24 July 2010", "helpful": ["1", "2"]}"#;
/// let Decoded::Event(event) = decoder.decode(Some(json), at).unwrap() else { panic!("no filter is set") };
/// assert_eq!(event.document.get_i64("rating").unwrap(), 8);
/// assert_eq!(event.document.get_str("_id").unwrap(), "rw1");
/// assert_eq!(decoder.decode(Some(b"[]"), at).unwrap_err().to_string(), "not_object: the record is a list, not an object");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Decoder {
    reader: RecordReader,
    fields: Vec<FieldDecoder>,
    id_members: Vec<usize>,
    event_time: usize,
    max_ahead_ms: Option<i64>,
    filters: Vec<Filter>,
    filters_tombstones: bool,
}

#[derive(Debug, Clone)]
struct FieldDecoder {
    field: Field,
    /// Name in the document.
    name: CString,
    converter: Converter,
    input: Input,
    /// It is a part of the id, or a key of a rollup.
    names: bool,
}

#[derive(Debug, Clone, Copy)]
enum Input {
    /// The value that the reader keeps at this place.
    Record(usize),
    /// An item of the list at this place.
    Item(usize, usize),
    Derived(usize, Derivation),
}

impl Decoder {
    /// Compiles the decoder of a schema.
    ///
    /// # Errors
    /// [`SchemaError`] where a field's name cannot be stored (it holds a NUL character).
    pub fn new(schema: &Schema) -> Result<Self, SchemaError> {
        let mut reader = RecordReader::default();
        let fields = schema.fields.iter().enumerate().map(|(at, field)| {
            let input = match &field.source {
                Source::Record(name) => Input::Record(reader.want(name)),
                Source::Item { field, item } => Input::Item(reader.want(field), *item),
                Source::Derived { of, how } => Input::Derived(*of, *how),
            };
            let name = CString::try_from(field.name.as_str())
                .map_err(|_| SchemaError::new(&schema.name, &field.name, "a name cannot hold a NUL character"))?;
            let converter = Converter::new(field, &schema.time_zone);
            let names = schema.id.contains(&at) || schema.rollups.has_key(&field.name);
            Ok(FieldDecoder { field: field.clone(), name, converter, input, names })
        });
        Ok(Self {
            fields: fields.collect::<Result<_, SchemaError>>()?,
            reader,
            id_members: schema.id.clone(),
            event_time: schema.event_time,
            max_ahead_ms: schema.max_ahead_ms,
            filters: schema.filters.clone(),
            filters_tombstones: schema.tombstones == crate::schema::Tombstones::Filtered,
        })
    }

    /// Decodes the payload of one record.
    ///
    /// # Errors
    /// [`Reject`] where the record cannot be used.
    pub fn decode(&self, payload: Option<&[u8]>, at: Coordinates) -> Result<Decoded, Reject> {
        let Some(payload) = payload else {
            return if self.filters_tombstones {
                Ok(Decoded::Filtered)
            } else {
                Err(Reject::new(DeadReason::NullPayload, "the record has no payload"))
            };
        };
        let record = self.reader.read(payload)?;
        let mut values: Vec<Value<'_>> = Vec::with_capacity(self.fields.len());
        for decoder in &self.fields {
            let value = match decoder.input {
                Input::Record(place) => decoder.converter.convert(record[place].as_ref()),
                Input::Item(place, item) => decoder.converter.convert_item(record[place].as_ref(), item),
                // Filled in below: the field it is made of may come later.
                Input::Derived(..) => Ok(Value::Null),
            };
            values.push(value.map_err(|reject| self.name_place(decoder, reject))?);
        }
        self.derive(&mut values);
        self.check_required(&values)?;
        self.check_names(&values)?;
        if !self.filters.iter().all(|filter| passes(filter, &values[filter.field])) {
            return Ok(Decoded::Filtered);
        }
        let Value::Millis(event_time) = values[self.event_time] else {
            return Err(Reject::new(DeadReason::NoEventTime, "the record has no event time"));
        };
        self.check_ahead(event_time, at)?;
        let document = self.write(&values, at, payload.len());
        self.check_size(&document)?;
        Ok(Decoded::Event(Event { document, event_time }))
    }

    /// An unreadable event time has its own reason: it is what decides the window.
    fn name_place(&self, decoder: &FieldDecoder, reject: Reject) -> Reject {
        let reason = match reject.reason {
            DeadReason::WrongType if decoder.field.name == self.fields[self.event_time].field.name => {
                DeadReason::NoEventTime
            }
            reason => reason,
        };
        Reject::new(reason, format!("{} {}", decoder.field.name, reject.message))
    }

    fn derive(&self, values: &mut [Value<'_>]) {
        for (at, decoder) in self.fields.iter().enumerate() {
            if let Input::Derived(of, how) = decoder.input {
                values[at] = convert::derive(how, &values[of], self.fields[of].converter.zone());
            }
        }
    }

    fn check_required(&self, values: &[Value<'_>]) -> Result<(), Reject> {
        for (at, (decoder, value)) in self.fields.iter().zip(values).enumerate() {
            if decoder.field.required && matches!(value, Value::Null) {
                let reason = if self.id_members.contains(&at) {
                    DeadReason::MissingId
                } else if at == self.event_time {
                    DeadReason::NoEventTime
                } else {
                    DeadReason::MissingField
                };
                return Err(Reject::new(reason, format!("{} has no value", decoder.field.name)));
            }
        }
        Ok(())
    }

    /// An event from the future would make everything after it late. The record's own timestamp is what time it was: a clock on a wall would
    /// judge differently when the record is read again.
    fn check_ahead(&self, event_time: i64, at: Coordinates) -> Result<(), Reject> {
        let (Some(most), Some(sent)) = (self.max_ahead_ms, at.timestamp) else { return Ok(()) };
        if event_time.saturating_sub(sent) <= most {
            return Ok(());
        }
        let message = format!(
            "{} is {}, which is ahead of the record's Kafka timestamp {} by more than `max_ahead` of the schema",
            self.fields[self.event_time].field.name,
            convert::written(event_time),
            convert::written(sent),
        );
        Err(Reject::new(DeadReason::OutOfRange, message))
    }

    /// What names an event or a row is in its index and, many times, in the tables.
    fn check_names(&self, values: &[Value<'_>]) -> Result<(), Reject> {
        let length = |value: &Value<'_>| if let Value::Str(text) = value { text.len() } else { 0 };
        let named = self.fields.iter().zip(values).filter(|(decoder, _)| decoder.names);
        match named.map(|(decoder, value)| (decoder, length(value))).find(|(_, length)| *length > MOST_KEY_BYTES) {
            None => Ok(()),
            Some((decoder, length)) => Err(Reject::new(
                DeadReason::TooLarge,
                format!(
                    "{} has {length} bytes; the value of an id or of a rollup's key has at most {MOST_KEY_BYTES}",
                    decoder.field.name
                ),
            )),
        }
    }

    /// A document that MongoDB does not take would stop its batch, and with it the partition, for ever.
    fn check_size(&self, document: &RawDocumentBuf) -> Result<(), Reject> {
        let bytes = document.as_bytes().len();
        if bytes <= MOST_EVENT_BYTES {
            return Ok(());
        }
        let sizes =
            document.iter_elements().flatten().map(|element| (element.size(), element.key().as_str().to_owned()));
        let largest = sizes.max().map_or_else(String::new, |(size, name)| format!("; {name} alone has {size}"));
        let message = format!("the event has {bytes} bytes, MongoDB stores at most {MOST_EVENT_BYTES}{largest}");
        Err(Reject::new(DeadReason::TooLarge, message))
    }

    fn write(&self, values: &[Value<'_>], at: Coordinates, payload: usize) -> RawDocumentBuf {
        let mut document = empty_document(payload + 128);
        match self.id_members[..] {
            [only] => append(&mut document, bson::raw::cstr!("_id"), &values[only]),
            _ => {
                let mut id = RawDocumentBuf::new();
                for &member in &self.id_members {
                    append(&mut id, &self.fields[member].name, &values[member]);
                }
                document.append(bson::raw::cstr!("_id"), RawBsonRef::Document(&id));
            }
        }
        for (decoder, value) in self.fields.iter().zip(values) {
            if decoder.field.place == Place::Top {
                append(&mut document, &decoder.name, value);
            }
        }
        let mut source = RawDocumentBuf::new();
        source.append(bson::raw::cstr!("partition"), at.partition);
        source.append(bson::raw::cstr!("offset"), at.offset);
        if let Some(timestamp) = at.timestamp {
            source.append(bson::raw::cstr!("timestamp"), bson::DateTime::from_millis(timestamp));
        }
        document.append(bson::raw::cstr!("src"), RawBsonRef::Document(&source));
        document
    }
}

/// An empty document with room for `capacity` bytes, so that it does not grow in steps.
fn empty_document(capacity: usize) -> RawDocumentBuf {
    let mut bytes = Vec::with_capacity(capacity);
    bytes.extend_from_slice(&[5, 0, 0, 0, 0]);
    RawDocumentBuf::from_bytes(bytes).expect("five bytes with their length are the empty document")
}

fn append(document: &mut RawDocumentBuf, name: impl AsRef<bson::raw::CStr>, value: &Value<'_>) {
    match value {
        Value::Null => document.append(name, RawBsonRef::Null),
        Value::Bool(truth) => document.append(name, *truth),
        Value::Int(number) => document.append(name, *number),
        Value::Float(number) => document.append(name, *number),
        Value::Millis(millis) => document.append(name, bson::DateTime::from_millis(*millis)),
        Value::Str(text) => document.append(name, RawBsonRef::String(text)),
        Value::List(items) => {
            let mut array = RawArrayBuf::new();
            items.iter().for_each(|item| array.push(RawBsonRef::String(item)));
            document.append(name, RawBsonRef::Array(&array));
        }
    }
}

fn passes(filter: &Filter, value: &Value<'_>) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let order = |bound: &Comparable| match (value, bound) {
        (Value::Int(number) | Value::Millis(number), Comparable::Int(bound)) => Some(number.cmp(bound)),
        (Value::Float(number), Comparable::Float(bound)) => number.partial_cmp(bound),
        (Value::Bool(truth), Comparable::Bool(bound)) => Some(truth.cmp(bound)),
        (Value::Str(text), Comparable::String(bound)) => Some(text.as_ref().cmp(bound.as_str())),
        _ => None,
    };
    filter.at_least.as_ref().is_none_or(|bound| matches!(order(bound), Some(Equal | Greater)))
        && filter.below.as_ref().is_none_or(|bound| order(bound) == Some(Less))
        && filter.one_of.as_ref().is_none_or(|all| all.iter().any(|bound| order(bound) == Some(Equal)))
}

#[cfg(test)]
mod bad_neighbours;
#[cfg(test)]
mod tests;
