//! A letter as JSON, for scripts and exports.

use super::Letter;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bson::{Binary, DateTime};
use serde_json::{Map, Value, json};

/// The letter as one JSON object: times as RFC 3339; bytes as text where they are UTF-8, else the text is null and
/// `NAME_base64` has them.
pub fn object(letter: &Letter) -> Value {
    let mut object = json!({
        "id": letter.id,
        "topic": letter.topic,
        "group": letter.group,
        "partition": letter.partition,
        "offset": letter.offset,
        "timestamp": letter.timestamp.map(time),
    });
    let mut rest = json!({
        "headers": letter.headers.iter().map(|header| {
            let mut object = Map::from_iter([("name".to_owned(), Value::from(header.name.as_str()))]);
            insert_bytes(&mut object, "value", header.value.as_ref());
            Value::from(object)
        }).collect::<Vec<_>>(),
        "stage": letter.stage,
        "reason": letter.reason,
        "message": letter.message,
        "schema": letter.schema,
        "schema_version": letter.schema_version,
        "program": letter.program,
        "written_at": time(letter.written_at),
        "cut": letter.cut,
        "settled": letter.settled.as_ref().map(|settled| json!({
            "at": time(settled.at), "outcome": settled.outcome, "schema_version": settled.schema_version,
        })),
    });
    if let (Some(object), Some(rest)) = (object.as_object_mut(), rest.as_object_mut()) {
        insert_bytes(object, "key", letter.key.as_ref());
        insert_bytes(object, "payload", letter.payload.as_ref());
        object.append(rest);
    }
    object
}

fn insert_bytes(object: &mut Map<String, Value>, name: &str, bytes: Option<&Binary>) {
    let text = bytes.and_then(|bytes| std::str::from_utf8(&bytes.bytes).ok());
    object.insert(name.to_owned(), text.map_or(Value::Null, Value::from));
    if let (Some(bytes), None) = (bytes, text) {
        object.insert(format!("{name}_base64"), BASE64_STANDARD.encode(&bytes.bytes).into());
    }
}

/// A time as RFC 3339; one that the format cannot say (a year beyond 9999) as milliseconds.
pub fn time(time: DateTime) -> String {
    time.try_to_rfc3339_string().unwrap_or_else(|_| format!("{} ms", time.timestamp_millis()))
}
