//! The decoder: a record becomes an event whose values read back to the text of the record, or is refused with a reason.
//!
//! Input: schema, then the record.

use std::{borrow::Cow, collections::BTreeSet, fmt, sync::LazyLock};

use bson::raw::RawBsonRef;
use model::decode::{DeadReason, Event, Reject};
use model::schema::{Derivation, Field, FieldKind, IMDB_REVIEW, Source};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Stream, quoted};
use crate::Input;
use crate::exact::{Decimal, meaning};

/// Every type, an id of two fields, a filter, ranges and words for null.
const EVERY_TYPE: &str = r#"
stream = "readings"
id = ["sensor", "number"]
event_time = "at"
time_zone = "America/St_Johns"
[[filter]]
field = "number"
at_least = -1000
below = 9007199254740995
[fields]
sensor = { type = "string" }
number = { type = "int" }
at = { type = "timestamp", formats = ["rfc3339", "%d.%m.%Y %H:%M", "epoch_ms"] }
day = { type = "date", formats = ["%Y-%m-%d", "%d %B %Y"], null = ["never", ""] }
share = { type = "float", from = "Share %", range = [-1.5, 1e300] }
small = { type = "int", range = [-5, 5] }
good = { type = "bool" }
tags = { type = "string list" }
low_high = { type = "float", pair = ["low", "high"] }
year = { derive = { year = "at" } }
"#;

static STREAMS: LazyLock<[Stream; 3]> = LazyLock::new(|| {
    let readings = include_str!("../../../schemas/readings.toml");
    [Stream::new(IMDB_REVIEW), Stream::new(EVERY_TYPE), Stream::new(readings)]
});

/// The members of an object, each as its text, in their order.
#[derive(Debug)]
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    /// The text of the last member of this name.
    fn of(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(member, _)| member == name).map(|(_, value)| value.get())
    }

    fn has_repeats(&self) -> bool {
        self.0.iter().map(|(name, _)| name).collect::<BTreeSet<_>>().len() < self.0.len()
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Decodes the record.
pub fn run(input: &[u8]) {
    let mut input = Input::new(input);
    let stream = &STREAMS[input.choose(STREAMS.len())];
    let record = input.rest();
    let decoded = stream.decode(record);
    assert_eq!(decoded, stream.decode(record), "a record is decoded alike each time");
    let members: Option<Members<'_>> = serde_json::from_slice(record).ok();
    match (&decoded, &members) {
        (Ok(Some(event)), Some(members)) => check_event(stream, event, members),
        // A text that no field reads may hold bytes that are not UTF-8.
        (Ok(_), None) => assert!(std::str::from_utf8(record).is_err(), "what is not a JSON object was decoded"),
        (Ok(None), Some(_)) => {}
        (Err(reject), _) => check_reject(stream, reject, members.is_some()),
    }
    if let Some(members) = members.filter(|members| !members.has_repeats()) {
        check_rewritten(stream, &decoded, &members);
    }
}

/// The order of the members and the blanks between them mean nothing.
fn check_rewritten(stream: &Stream, decoded: &Result<Option<Event>, Reject>, members: &Members<'_>) {
    let rewritten: Vec<String> =
        members.0.iter().rev().map(|(name, value)| format!("{} :\t{value}", quoted(name))).collect();
    let again = stream.decode(format!("{{ {}\n}}", rewritten.join(" , ")).as_bytes());
    let reason = |decoded: &Result<Option<Event>, Reject>| decoded.as_ref().map_err(|reject| reject.reason).cloned();
    assert_eq!(reason(&again), reason(decoded), "the same members in another order");
}

fn check_reject(stream: &Stream, reject: &Reject, is_object: bool) {
    let names_field = || {
        stream.schema.fields().iter().any(|field| {
            let source = match &field.source {
                Source::Record(name) | Source::Item { field: name, .. } => name,
                Source::Derived { .. } => &field.name,
            };
            [&field.name, source].iter().any(|name| reject.message.contains(*name))
        })
    };
    match reject.reason {
        DeadReason::NullPayload => panic!("a record with a payload was taken for a tombstone"),
        DeadReason::NotJson => {}
        DeadReason::NotObject => assert!(!is_object, "an object is refused: {reject}"),
        _ => assert!(names_field(), "no field is named: {reject}"),
    }
}

/// Of a member that is there twice the last text is the value.
fn check_event(stream: &Stream, event: &Event, members: &Members<'_>) {
    for field in stream.schema.fields() {
        let stored = field.value_in(&event.document).unwrap_or(RawBsonRef::Null);
        match &field.source {
            Source::Record(name) => match members.of(name) {
                Some(raw) => check_value(stream, field, stored, raw),
                None => assert_eq!(stored, RawBsonRef::Null, "{name} of nothing"),
            },
            Source::Item { field: name, item } => match members.of(name) {
                Some(raw) => check_item(stream, field, stored, raw, *item),
                None => assert_eq!(stored, RawBsonRef::Null, "{name} of nothing"),
            },
            Source::Derived { of, how } => check_derived(stream, event, *of, *how, stored),
        }
    }
    let time = stream.schema.event_time().value_in(&event.document).and_then(|value| value.as_datetime());
    assert_eq!(time.map(bson::DateTime::timestamp_millis), Some(event.event_time), "the event time is its field");
}

/// A field's value against the text of the record's member.
fn check_value(stream: &Stream, field: &Field, stored: RawBsonRef<'_>, raw: &str) {
    let what = || format!("{} = {raw} became {stored:?}", field.name);
    let text = unquoted(raw);
    if let RawBsonRef::Null = stored {
        let is_word = |text: &String| text.trim().is_empty() || field.null_words.contains(text);
        let is_nothing = raw == "null" || raw.contains("$undefined") || text.as_ref().is_some_and(is_word);
        return assert!(is_nothing && !field.required, "{}", what());
    }
    let plain = unwrapped(raw).or(text).unwrap_or_else(|| raw.to_owned());
    let number = || if raw.starts_with(['"', '{']) { meaning(&plain, '.') } else { Decimal::parse(&plain) };
    match (&field.kind, stored) {
        (FieldKind::String, RawBsonRef::String(text)) => assert_eq!(text, plain, "{}", what()),
        (FieldKind::Int(range), RawBsonRef::Int64(int)) => {
            assert_eq!(number(), Some(Decimal::from(i128::from(int))), "{}", what());
            assert!((range.first..=range.last).contains(&int), "{}", what());
        }
        (FieldKind::Float(range), RawBsonRef::Double(float)) => {
            assert_eq!(number().map(|meant| meant.nearest_float()), Some(float), "{}", what());
            assert!((range.first..=range.last).contains(&float), "{}", what());
        }
        (FieldKind::Bool, RawBsonRef::Boolean(truth)) => {
            let words = if truth { ["true", "1", "yes", "y", "t"] } else { ["false", "0", "no", "n", "f"] };
            let plain = plain.trim().to_lowercase();
            let number = Decimal::parse(&plain) == Some(Decimal::from(i128::from(truth)));
            assert!(number || words.contains(&plain.as_str()), "{}", what());
        }
        (FieldKind::Date(_), RawBsonRef::DateTime(day)) => {
            assert_eq!(day.timestamp_millis().rem_euclid(86_400_000), 0, "{}", what());
        }
        (FieldKind::Timestamp(_), RawBsonRef::DateTime(_)) => {}
        (FieldKind::StringList, RawBsonRef::Array(items)) => {
            let items = items.into_iter().map(|item| item.expect("the decoder writes a document"));
            let items: Vec<&str> = items.map(|item| item.as_str().expect("a list of texts")).collect();
            if let Ok(texts) = serde_json::from_str::<Vec<Cow<'_, str>>>(raw) {
                assert_eq!(items, texts, "{}", what());
            }
        }
        _ => panic!("{}: {} is no value of the type", stream.schema.name(), what()),
    }
}

/// One of two values, from a list or from a text.
fn check_item(stream: &Stream, field: &Field, stored: RawBsonRef<'_>, raw: &str, item: usize) {
    if let Ok(items) = serde_json::from_str::<[&RawValue; 2]>(raw) {
        check_value(stream, field, stored, items[item].get());
    } else if raw == "null" {
        assert_eq!(stored, RawBsonRef::Null, "{} of nothing", field.name);
    }
}

fn check_derived(stream: &Stream, event: &Event, of: usize, how: Derivation, stored: RawBsonRef<'_>) {
    let source = &stream.schema.fields()[of];
    let Some(moment) = source.value_in(&event.document).and_then(|value| value.as_datetime()) else { return };
    let Ok(instant) = jiff::Timestamp::from_millisecond(moment.timestamp_millis()) else { return };
    let zone = match source.kind {
        FieldKind::Date(_) => jiff::tz::TimeZone::UTC,
        _ => stream.schema.time_zone().clone(),
    };
    let date = instant.to_zoned(zone).date();
    match how {
        Derivation::Year => assert_eq!(stored, RawBsonRef::Int64(date.year().into()), "the year of {date}"),
        Derivation::Month => assert_eq!(stored, RawBsonRef::Int64(date.month().into()), "the month of {date}"),
        Derivation::TenDay => {
            let expected = ["1_10", "11_20", "21_31"][(usize::from(date.day().unsigned_abs()) - 1).min(29) / 10];
            assert_eq!(stored, RawBsonRef::String(expected), "the third of {date}");
        }
        _ => {}
    }
}

/// A text without its quotes and escapes.
fn unquoted(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

/// The value in one of MongoDB's wrappers, as `{"$numberLong": "7"}`.
fn unwrapped(raw: &str) -> Option<String> {
    let members: Members<'_> = serde_json::from_str(raw).ok()?;
    let (name, value) = members.0.into_iter().next()?;
    name.starts_with('$').then(|| unquoted(value.get()).unwrap_or_else(|| value.get().to_owned()))
}
