//! Decodes JSON bytes into a document to store, in one pass and without a tree of the record.
//!
//! `json` reads only the fields of the schema and borrows texts from the record. `convert` converts each to its type. The values are
//! written as BSON. A record that cannot be used becomes a [`Reject`] with a reason code and a sentence.

mod absent;
mod convert;
pub mod extended;
mod json;
mod not_json;
mod pair;
pub mod presence;
mod reason;
mod times;

use crate::calendar::{DAY_MS, label_in};
use crate::layout::{MOST_EVENT_BYTES, MOST_KEY_BYTES};
use crate::moment;
use crate::schema::{Comparable, Derivation, Field, Filter, Place, Schema, SchemaError, Source};
use bson::raw::{CString, RawArrayBuf, RawBsonRef, RawDocumentBuf};
use convert::{Converter, Value};
use json::{Json, RecordReader};
pub use reason::{DeadReason, Reject};

/// Coordinates of a record in Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coordinates {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Kafka timestamp in milliseconds, if the record has one.
    pub timestamp: Option<i64>,
}

/// The result of decoding a usable record.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// An event to store.
    Event(Event),
    /// Excluded by the schema's filter, or an expected tombstone.
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

/// Decodes records of one schema.
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
    /// True if it is part of the id or a key of a rollup.
    names: bool,
}

#[derive(Debug, Clone, Copy)]
enum Input {
    /// The value with this index in the reader.
    Record(usize),
    /// An item of the list with this index.
    Item(usize, usize),
    Derived(usize, Derivation),
}

impl Decoder {
    /// Compiles the decoder of a schema.
    ///
    /// # Errors
    /// [`SchemaError`] if a field's name contains a NUL character, which cannot be stored.
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
            if let (Input::Record(place) | Input::Item(place, _), true) = (input, converter.needs_digits()) {
                reader.keep_digits(place);
            }
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
    /// [`Reject`] if the record cannot be used.
    pub fn decode(&self, payload: Option<&[u8]>, at: Coordinates) -> Result<Decoded, Reject> {
        let Some(payload) = payload else {
            return if self.filters_tombstones {
                Ok(Decoded::Filtered)
            } else {
                Err(Reject::new(DeadReason::NullPayload, "the record has no payload"))
            };
        };
        let record = self.reader.read(payload)?;
        if self.leaves_out(&record)? {
            return Ok(Decoded::Filtered);
        }
        let mut values: Vec<Value<'_>> = Vec::with_capacity(self.fields.len());
        for decoder in &self.fields {
            let value = match decoder.input {
                Input::Record(place) => decoder.converter.convert(record[place].as_ref()),
                Input::Item(place, item) => decoder.converter.convert_item(record[place].as_ref(), item),
                // Set below, because the field it depends on may come later.
                Input::Derived(..) => Ok(Value::Null),
            };
            values.push(value.map_err(|reject| self.name_place(decoder, reject))?);
        }
        self.derive(&mut values);
        self.check_required(&values, payload)?;
        self.check_names(&values)?;
        let Value::Millis(event_time) = values[self.event_time] else {
            return Err(Reject::new(DeadReason::NoEventTime, "the record has no event time"));
        };
        self.check_ahead(event_time, at)?;
        self.check_civil(event_time)?;
        let document = self.write(&values, at, payload.len());
        self.check_size(&document)?;
        Ok(Decoded::Event(Event { document, event_time }))
    }

    /// Returns true if a filter excludes the record. Other problems of the record do not matter then, because it is not for this stream. A
    /// condition on a value that cannot be read is undecided, unless the value can certainly not pass: an object instead of a number, or a
    /// text that is not listed.
    fn leaves_out(&self, record: &[Option<Json<'_>>]) -> Result<bool, Reject> {
        let mut undecided = None;
        for filter in &self.filters {
            let decoder = &self.fields[filter.field];
            match self.value_for_filter(decoder, record) {
                Ok(value) if passes(filter, &value) => {}
                Err(reject) if self.may_pass(filter, decoder, record) => {
                    undecided = undecided.or_else(|| Some(self.name_place(decoder, reject)));
                }
                Ok(_) | Err(_) => return Ok(true),
            }
        }
        undecided.map_or(Ok(false), Err)
    }

    /// Returns true if a value that cannot be read might be meant as one that passes.
    fn may_pass(&self, filter: &Filter, decoder: &FieldDecoder, record: &[Option<Json<'_>>]) -> bool {
        let is_of_another_kind = match decoder.input {
            Input::Record(place) => {
                record[place].as_ref().is_some_and(|json| decoder.converter.is_of_another_kind(json))
            }
            Input::Item(..) | Input::Derived(..) => false,
        };
        !is_of_another_kind && (filter.one_of.is_none() || !decoder.converter.has_one_form())
    }

    fn value_for_filter<'a>(&self, decoder: &FieldDecoder, record: &[Option<Json<'a>>]) -> Result<Value<'a>, Reject> {
        match decoder.input {
            Input::Record(place) => decoder.converter.convert_any(record[place].as_ref()),
            Input::Item(place, item) => decoder.converter.convert_any_item(record[place].as_ref(), item),
            // Derived fields depend on no derived field.
            Input::Derived(of, how) => {
                let of = &self.fields[of];
                Ok(convert::derive(how, &self.value_for_filter(of, record)?, of.converter.zone()))
            }
        }
    }

    /// An unreadable event time has a reason of its own, because it determines the window.
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

    fn check_required(&self, values: &[Value<'_>], payload: &[u8]) -> Result<(), Reject> {
        for (at, (decoder, value)) in self.fields.iter().zip(values).enumerate() {
            let name = &decoder.field.name;
            match value {
                Value::Null if decoder.field.required => {
                    let reason = if self.id_members.contains(&at) {
                        DeadReason::MissingId
                    } else if at == self.event_time {
                        DeadReason::NoEventTime
                    } else {
                        DeadReason::MissingField
                    };
                    let why = match decoder.input {
                        Input::Record(place) | Input::Item(place, _) => {
                            absent::explain(payload, self.reader.name(place))
                        }
                        Input::Derived(of, _) => {
                            format!(": {} has none, or none that it can be made from", self.fields[of].field.name)
                        }
                    };
                    return Err(Reject::new(reason, format!("{name} has no value{why}")));
                }
                Value::Str(text) if decoder.names && is_blank(text) && self.is_no_id(at) => {
                    let message = format!(
                        "{name} is {}, which identifies nothing; if blank ids are meant, set `allow_blank = true` in the schema",
                        json::quote(text)
                    );
                    return Err(Reject::new(DeadReason::MissingId, message));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns true if a blank text does not count as an id in the field with this index.
    fn is_no_id(&self, at: usize) -> bool {
        self.id_members.contains(&at) && !self.fields[at].field.allow_blank
    }

    /// An event time in the future would make all later records late. It is compared with the record's timestamp, not with the system
    /// clock, so reading the record again gives the same result.
    fn check_ahead(&self, event_time: i64, at: Coordinates) -> Result<(), Reject> {
        let (Some(most), Some(sent)) = (self.max_ahead_ms, at.timestamp) else { return Ok(()) };
        if event_time.saturating_sub(sent) <= most {
            return Ok(());
        }
        let message = format!(
            "{} is {}, which is ahead of the record's Kafka timestamp {} by more than `max_ahead` of the schema",
            self.fields[self.event_time].field.name,
            times::written(event_time),
            times::written(sent),
        );
        Err(Reject::new(DeadReason::OutOfRange, message))
    }

    /// Windows are labelled by civil time in the schema's zone, which may leave the calendar although UTC does not.
    fn check_civil(&self, event_time: i64) -> Result<(), Reject> {
        if (moment::FIRST + DAY_MS..=moment::LAST - DAY_MS).contains(&event_time) {
            return Ok(());
        }
        let decoder = &self.fields[self.event_time];
        let zone = decoder.converter.zone();
        if moment::held(label_in(zone, event_time)).is_ok() {
            return Ok(());
        }
        let message = format!(
            "{} is {}, which in the schema's zone {} is outside the years -9999 to 9999 (make it a date, or leave out the time of day)",
            decoder.field.name,
            times::written(event_time),
            zone.iana_name().unwrap_or("UTC"),
        );
        Err(Reject::new(DeadReason::OutOfRange, message))
    }

    /// Ids and keys are limited, because indexes and rows repeat them.
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

    /// A document that MongoDB refuses would block its batch, and so its partition, forever.
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

/// Returns true if a text has only blanks, control characters and characters without width.
fn is_blank(text: &str) -> bool {
    let shows_nothing = |character: char| {
        character.is_whitespace()
            || character.is_control()
            || matches!(character, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
    };
    text.chars().all(shows_nothing)
}

/// Creates an empty document with room for `capacity` bytes.
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
mod forms;
#[cfg(test)]
mod sentences;
#[cfg(test)]
mod tests;
