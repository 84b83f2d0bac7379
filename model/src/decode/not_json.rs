//! Explains a payload that is not JSON: the format it looks like, or where the parser stopped.

use super::json::quote;
use super::{DeadReason, Reject};

/// Returns the reject for a parser's error; `field` is the field that was being read.
pub(super) fn reject(error: &serde_json::Error, payload: &[u8], field: Option<&str>) -> Reject {
    let not_json = |message: String| Reject::new(DeadReason::NotJson, message);
    if let Some(what) = other_format(payload) {
        return not_json(format!("the record is not JSON: {what}"));
    }
    let place = place_of(error, payload);
    let (key, word) = word_at(payload, place);
    let name = field.map_or_else(|| quote(&key), ToOwned::to_owned);
    let is_too_large =
        word.parse::<f64>().is_ok_and(f64::is_infinite) && word.ends_with(|last: char| last.is_ascii_digit());
    // The parser computes the size of numbers only in wanted fields.
    if let Some(field) = field.filter(|_| is_too_large) {
        let message = format!("{field} is {}, beyond any number that can be stored", shortened(&word));
        return Reject::new(DeadReason::OutOfRange, message);
    }
    if is_word_of_another_language(&word) {
        return not_json(format!(
            "the record is not JSON: {name} is {word}, which JSON does not have; write null instead"
        ));
    }
    let around = &payload[place.saturating_sub(SHOWN)..payload.len().min(place + SHOWN)];
    let around = String::from_utf8_lossy(around);
    let field = field.map_or_else(String::new, |field| format!(", in {field}"));
    not_json(format!("the record is not JSON: {error}{field}, near {around:?}"))
}

/// Returns the reject for a payload that is JSON, but `what` instead of an object.
pub(super) fn not_object(what: &str, payload: &[u8]) -> Reject {
    let is_encoded_twice =
        serde_json::from_slice::<String>(payload).is_ok_and(|text| text.trim_start().starts_with('{'));
    let hint = if is_encoded_twice { ": it is an object in a text, encoded as JSON twice" } else { "" };
    Reject::new(DeadReason::NotObject, format!("the record is {what}, not an object{hint}"))
}

const SHOWN: usize = 20;

/// Recognises other formats by their first bytes.
fn other_format(payload: &[u8]) -> Option<String> {
    let json = "; set the producer's serializer (for Kafka Connect `value.converter`) to plain JSON";
    Some(match payload {
        [] => "its value is empty (0 bytes)".to_owned(),
        [0, b'{' | b'[', 0, ..] => "it is UTF-16; have it written in UTF-8".to_owned(),
        [0, a, b, c, d, ..] => {
            let schema = u32::from_be_bytes([*a, *b, *c, *d]);
            format!(
                "it is in the Confluent wire format (Avro, Protobuf or JSON of a schema registry) with schema id {schema}{json}"
            )
        }
        [3, 0 | 5, rest @ ..] if rest.len() > 16 => {
            format!("it looks like the wire format of the AWS Glue Schema Registry{json}")
        }
        [b'O', b'b', b'j', 1, ..] => format!("it is an Avro file{json}"),
        [0x1f, 0x8b, ..] => "it is compressed with gzip; leave compression to Kafka (`compression.type`)".to_owned(),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            "it is compressed with zstd; leave compression to Kafka (`compression.type`)".to_owned()
        }
        [0xef, 0xbb, 0xbf, ..] => "it begins with a byte order mark; have it written without one".to_owned(),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'{', 0, ..] => "it is UTF-16; have it written in UTF-8".to_owned(),
        [b'{', b'\'', ..] => {
            "its texts are in single quotes, as Python prints a dict; have it written by json.dumps".to_owned()
        }
        blank if blank.iter().all(u8::is_ascii_whitespace) => "its value is blank".to_owned(),
        _ => return None,
    })
}

/// Returns the number of bytes before the parser's error.
fn place_of(error: &serde_json::Error, payload: &[u8]) -> usize {
    let lines = payload.split_inclusive(|&byte| byte == b'\n').take(error.line().saturating_sub(1));
    (lines.map(<[u8]>::len).sum::<usize>() + error.column()).min(payload.len())
}

/// Returns the word at an offset, and the key before it if the word is a value.
fn word_at(payload: &[u8], place: usize) -> (String, String) {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-._".contains(byte);
    let start = place - payload[..place].iter().rev().take_while(|byte| is_part(byte)).count();
    let end = place + payload[place..].iter().take_while(|byte| is_part(byte)).count();
    let before = payload[..start].trim_ascii_end();
    let key = before.strip_suffix(b":").map(<[u8]>::trim_ascii_end).and_then(|key| key.strip_suffix(b"\""));
    let key = key.and_then(|key| key.rsplit(|&byte| byte == b'"').next()).unwrap_or(b"a value");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(key), text(&payload[start..end]))
}

fn is_word_of_another_language(word: &str) -> bool {
    let lower = word.trim_start_matches(['+', '-']).to_ascii_lowercase();
    matches!(lower.as_str(), "nan" | "inf" | "infinity" | "none" | "nil" | "undefined")
        || matches!(word, "True" | "False" | "TRUE" | "FALSE" | "NULL" | "Null")
}

fn shortened(word: &str) -> &str {
    word.get(..SHOWN).unwrap_or(word)
}
