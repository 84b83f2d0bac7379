//! Whether a slice is one valid JSON value, and its key, in one pass and without building the value.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::str::Utf8Error;

/// Checks records and remembers the key of the last valid one.
#[derive(Debug)]
pub(super) struct Checker {
    key_field: Option<String>,
    key: Option<String>,
}

/// Why a slice is not one valid JSON value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Index of the byte that makes no sense; everything before it is the beginning of a valid value.
    pub(super) at: usize,
    pub(super) reason: String,
    /// The slice is the beginning of a valid value: only its end is missing.
    pub(super) is_incomplete: bool,
}

impl Checker {
    pub(super) fn new(key_field: Option<&str>) -> Self {
        Self { key_field: key_field.map(str::to_owned), key: None }
    }

    /// Key of the last record that was found valid.
    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Checks `record`, which begins and ends with a byte of the value itself.
    pub(super) fn check(&mut self, record: &[u8]) -> Result<(), Fault> {
        self.key = None;
        let text = match std::str::from_utf8(record) {
            Ok(text) => text,
            Err(error) => return Err(not_utf8(record, error)),
        };
        let mut json = serde_json::Deserializer::from_str(text);
        let key = match &self.key_field {
            Some(field) if record.first() == Some(&b'{') => json.deserialize_map(KeyOf(field)),
            _ => json.deserialize_ignored_any(IgnoredAny).map(|_| None),
        };
        let key = key.and_then(|key| json.end().map(|()| key));
        self.key = key.map_err(|error| syntax_fault(record, &error))?;
        Ok(())
    }
}

/// A fault in the syntax before the bytes that are not UTF-8 comes first, because recovery starts at the first fault.
fn not_utf8(record: &[u8], error: Utf8Error) -> Fault {
    let valid = &record[..error.valid_up_to()];
    match serde_json::from_slice::<IgnoredAny>(valid) {
        Err(syntax) if !syntax.is_eof() => syntax_fault(valid, &syntax),
        // A character that is cut off at the end may be whole once more of the stream is there.
        _ => Fault { at: valid.len(), reason: "not UTF-8".to_owned(), is_incomplete: error.error_len().is_none() },
    }
}

fn syntax_fault(record: &[u8], error: &serde_json::Error) -> Fault {
    let line = error.line().saturating_sub(1);
    let line_start = match line {
        0 => 0,
        _ => memchr::memchr_iter(b'\n', record).nth(line - 1).map_or(0, |newline| newline + 1),
    };
    let text = error.to_string();
    let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
    Fault {
        at: (line_start + error.column().saturating_sub(1)).min(record.len()),
        reason: reason.to_owned(),
        is_incomplete: error.is_eof(),
    }
}

/// Visits an object, keeps the text of one field, passes over the others. A field that comes twice counts by its last
/// value, as most readers of JSON have it.
struct KeyOf<'a>(&'a str);

impl<'de> Visitor<'de> for KeyOf<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut key = None;
        while let Some(is_key) = map.next_key_seed(IsField(self.0))? {
            if is_key {
                key = key_text(map.next_value::<&RawValue>()?.get());
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(key)
    }
}

struct IsField<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for IsField<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for IsField<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

fn key_text(raw: &str) -> Option<String> {
    match raw.as_bytes().first()? {
        b'"' => serde_json::from_str(raw).ok(),
        b'{' | b'[' | b'n' => None,
        _ => Some(raw.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(json: &str) -> Option<String> {
        let mut checker = Checker::new(Some("movie"));
        checker.check(json.as_bytes()).unwrap();
        checker.key().map(str::to_owned)
    }

    #[test]
    fn the_key_is_the_text_of_the_field() {
        assert_eq!(key(r#"{"id": 1, "movie": "Été (2004)"}"#).as_deref(), Some("Été (2004)"));
        assert_eq!(key(r#"{"movie": "a \"b\" \u00e9", "n": 2}"#).as_deref(), Some("a \"b\" é"));
        assert_eq!(key(r#"{"movie": 12.50}"#).as_deref(), Some("12.50"));
        assert_eq!(key(r#"{"movie": true}"#).as_deref(), Some("true"));
        assert_eq!(key(r#"{"movie": "first", "movie": "last"}"#).as_deref(), Some("last"));
        assert_eq!(key(r#"{"mov\u0069e": "escaped name"}"#).as_deref(), Some("escaped name"));
        assert_eq!(key(r#"{"movie": ""}"#).as_deref(), Some(""));
    }

    #[test]
    fn null_missing_nested_and_other_values_have_no_key() {
        for json in
            [r#"{"movie": null}"#, "{}", r#"{"movie": {"a": 1}}"#, r#"{"a": {"movie": "x"}}"#, "12", r#""movie""#]
        {
            assert_eq!(key(json), None, "{json}");
        }
    }

    #[test]
    fn a_fault_says_where_and_why() {
        let fault = |json: &[u8]| Checker::new(Some("movie")).check(json).unwrap_err();
        assert_eq!(fault(br#"{"a": }"#), Fault { at: 6, reason: "expected value".into(), is_incomplete: false });
        assert_eq!(fault(b"{\"a\":\n 1,\n x}").at, 11);
        assert_eq!(fault(b"{\"a\": \"\xff\"}"), Fault { at: 7, reason: "not UTF-8".into(), is_incomplete: false });
        assert_eq!(fault(b"{\"a\": ?, \"b\": \"\xff\"}").at, 6);
        assert!(fault(br#"{"a": "b"#).is_incomplete);
        assert!(fault(b"{\"a\": \"x\ny\"}").reason.contains("control character"));
        assert_eq!(fault(b"oops").reason, "expected value");
    }

    #[test]
    fn depth_is_no_limit() {
        let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
        assert_eq!(Checker::new(None).check(&deep), Ok(()));
    }
}
