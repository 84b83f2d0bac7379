//! Explains a missing value: lists the keys of the record and finds the value inside of an envelope.

use super::json::quote;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

type Members<'a> = BTreeMap<String, &'a RawValue>;

const ENVELOPE: &str = "; its fields are in the envelope of ";
/// Maximum number of keys in a message.
const SHOWN: usize = 10;
/// Depth of objects that are searched for the value.
const LEVELS: usize = 4;

/// Returns why the record has no value of this name, as the end of a sentence that begins with the field.
pub(super) fn explain(payload: &[u8], name: &str) -> String {
    let Ok(members) = serde_json::from_slice::<Members<'_>>(payload) else { return String::new() };
    if let Some(value) = members.get(name) {
        let text = serde_json::from_str::<String>(value.get());
        let value = text.map_or_else(|_| shortened(value.get()), |text| quote(&text));
        return format!(": {} is {value}", quote(name));
    }
    let keys: Vec<_> = members.keys().take(SHOWN).map(|key| shortened(key)).collect();
    let more = if members.len() > SHOWN { format!(" and {} more", members.len() - SHOWN) } else { String::new() };
    let keys = if keys.is_empty() { "no keys".to_owned() } else { format!("{}{more}", keys.join(", ")) };
    format!(": the record has no key {}, it has {keys}{}{}", quote(name), path_hint(name), nested_hint(&members, name))
}

/// A name with dots may be meant as a path.
fn path_hint(name: &str) -> &'static str {
    if name.contains('.') { "; `from` is the name of one key, not a path into nested objects" } else { "" }
}

fn nested_hint(members: &Members<'_>, name: &str) -> String {
    let connect = members.contains_key("schema") && members.contains_key("payload");
    let inner: Members<'_> =
        members.get("payload").and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let is_change = |members: &Members<'_>| {
        members.contains_key("op") && (members.contains_key("after") || members.contains_key("before"))
    };
    if is_change(members) || is_change(&inner) {
        let unwrap = "let the connector unwrap it with the transform io.debezium.transforms.ExtractNewRecordState";
        let schemas = if connect { " and set value.converter.schemas.enable=false" } else { "" };
        return format!("{ENVELOPE}Debezium: {unwrap}{schemas}");
    }
    if connect {
        return format!("{ENVELOPE}Kafka Connect: set value.converter.schemas.enable=false");
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    match path_to(members, last, LEVELS) {
        Some(path) => {
            format!("; there is a {}, and values inside objects are not read: flatten the record", quote(&path))
        }
        None => String::new(),
    }
}

/// Returns the path of a key inside of the objects of a record.
fn path_to(members: &Members<'_>, name: &str, levels: usize) -> Option<String> {
    members.iter().take(100).find_map(|(key, raw)| {
        let inner: Members<'_> = serde_json::from_str(raw.get()).ok()?;
        if inner.contains_key(name) {
            return Some(format!("{key}.{name}"));
        }
        let path = if levels > 0 { path_to(&inner, name, levels - 1) } else { None };
        path.map(|path| format!("{key}.{path}"))
    })
}

/// Escapes control characters, so that a terminal does not interpret them.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((cut, _)) => format!("{}…", text[..cut].escape_debug()),
        None => text.escape_debug().to_string(),
    }
}
