//! The schema compiler: a text becomes a schema that holds together, or an error that names the place.
//!
//! Input: the TOML. A second part behind a line `---` is a record to decode.

use std::collections::BTreeSet;

use model::decode::{Coordinates, Decoded, Decoder};
use model::layout::RESERVED;
use model::schema::{Place, Schema, SchemaError};
use model::window::Window;

use crate::Input;

/// Event times at the ends of the calendar and at its middle.
const TIMES: [i64; 4] = [-377_705_116_800_000, -1, 0, 253_402_300_799_999];

/// The keys of the file, with which an error begins if it is not one of the TOML itself.
const KEYS: [&str; 13] = [
    "stream",
    "id",
    "event_time",
    "message_key",
    "time_zone",
    "allowed_lateness",
    "late_records",
    "idle_timeout",
    "max_ahead",
    "tombstones",
    "filter",
    "fields",
    "rollups",
];

/// Compiles the schema.
pub fn run(input: &[u8]) {
    let Some(text) = Input::new(input).text() else { return };
    let (toml, record) = text.split_once("\n---\n").unwrap_or((text, "{}"));
    match Schema::parse("fuzz", toml) {
        Ok(schema) => {
            check_schema(&schema);
            check_rollups(&schema);
            check_decoder(&schema, record);
            let again = Schema::parse("fuzz", toml).expect("a schema compiles each time");
            assert_eq!(again.version(), schema.version());
        }
        Err(error) => check_error(&error),
    }
}

fn check_error(error: &SchemaError) {
    let message = error.to_string();
    let about = message.strip_prefix("schema fuzz: ").expect("an error names the schema");
    let key = about.split(['.', ':', ' ', '[']).next().unwrap_or_default();
    assert!(KEYS.contains(&key) || about.starts_with("TOML parse error at line"), "no key is named: {message}");
}

fn check_schema(schema: &Schema) {
    let names: BTreeSet<&str> = schema.fields().iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names.len(), schema.fields().len(), "two fields have one name");
    let storable = |name: &str| !name.is_empty() && !name.starts_with('$') && !name.contains(['.', '\0']);
    assert!(names.iter().all(|name| storable(name) && !["_id", "src"].contains(name)), "{names:?}");
    let ids: Vec<&str> = schema.id_names().collect();
    assert!(!ids.is_empty() && ids.iter().all(|name| names.contains(name)), "the id is {ids:?}");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "a field is in the id twice: {ids:?}");
    assert!(schema.fields().iter().all(|field| field.place == Place::Top || ids.contains(&field.name.as_str())));
    assert!(schema.event_time().required && names.contains(schema.event_time().name.as_str()));
    assert!(schema.idle_timeout_ms() >= 0);
}

fn check_rollups(schema: &Schema) {
    let plan = schema.rollups();
    let mut names = BTreeSet::new();
    for rollup in plan.rollups() {
        assert!(names.insert(rollup.name().to_ascii_lowercase()) && !RESERVED.contains(&rollup.name()), "{names:?}");
        let columns = rollup.columns();
        let names: BTreeSet<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names.len(), columns.len(), "two columns have one name: {names:?}");
    }
    let ids: BTreeSet<&str> = plan.tables().iter().map(|table| table.id()).collect();
    assert_eq!(ids.len(), plan.tables().len(), "two state tables have one name");
    for table in plan.tables() {
        TIMES.iter().for_each(|time| check_windows(table.window(), *time));
    }
}

fn check_windows(spec: &model::window::WindowSpec, time: i64) {
    let (mut windows, mut last) = (0, None::<Window>);
    spec.for_each(time, |window| {
        assert!(window.start <= window.end, "{:?} at {time} gives {window:?}", spec.kind());
        assert!(last.is_none_or(|last| last.start < window.start), "{:?} at {time}: {window:?}", spec.kind());
        (windows, last) = (windows + 1, Some(window));
    });
    assert!((1..=1_000).contains(&windows), "{:?} at {time}: {windows} windows", spec.kind());
}

fn check_decoder(schema: &Schema, record: &str) {
    let decoder = Decoder::new(schema).expect("a schema that compiles has a decoder");
    let at = Coordinates { partition: 0, offset: 0, timestamp: Some(0) };
    if let Ok(Decoded::Event(event)) = decoder.decode(Some(record.as_bytes()), at) {
        for field in schema.fields().iter().filter(|field| field.required) {
            let value = field.value_in(&event.document);
            assert!(value.is_some_and(|value| value != bson::raw::RawBsonRef::Null), "{} has no value", field.name);
        }
    }
}
