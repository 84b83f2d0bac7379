//! Whether a slice is one valid JSON value, and its key, in one pass and without building the value.

use super::error::not_text;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::str::Utf8Error;

/// Checks records and remembers the key of the last valid one.
#[derive(Debug)]
pub(super) struct Checker {
    key_field: Option<String>,
    key: Option<String>,
    /// Name of the encoding, for messages.
    encoding: &'static str,
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
    pub(super) fn new(key_field: Option<&str>, encoding: &'static str) -> Self {
        Self { key_field: key_field.map(str::to_owned), key: None, encoding }
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
            Err(error) => return Err(self.no_text(record, error)),
        };
        self.key = self.parse(text).map_err(|error| syntax_fault(record, &error))?;
        Ok(())
    }

    /// The key of a valid value.
    fn parse(&self, text: &str) -> serde_json::Result<Option<String>> {
        let mut json = serde_json::Deserializer::from_str(text);
        let key = match &self.key_field {
            Some(field) if text.starts_with('{') => json.deserialize_map(KeyOf(field)),
            _ => json.deserialize_ignored_any(IgnoredAny).map(|_| None),
        }?;
        json.end().map(|()| key)
    }

    /// A fault in the syntax before the bytes that are no text comes first, because recovery starts at the first fault.
    fn no_text(&self, record: &[u8], error: Utf8Error) -> Fault {
        let valid = &record[..error.valid_up_to()];
        match std::str::from_utf8(valid).map(|text| self.parse(text)) {
            Ok(Err(syntax)) if !syntax.is_eof() => syntax_fault(valid, &syntax),
            // A character that is cut off at the end may be whole once more of the stream is there.
            _ => Fault {
                at: valid.len(),
                reason: format!("it {}", not_text(self.encoding)),
                is_incomplete: error.error_len().is_none(),
            },
        }
    }
}

fn syntax_fault(record: &[u8], error: &serde_json::Error) -> Fault {
    let line = error.line().saturating_sub(1);
    let line_start = match line {
        0 => 0,
        _ => memchr::memchr_iter(b'\n', record).nth(line - 1).map_or(0, |newline| newline + 1),
    };
    let at = (line_start + error.column().saturating_sub(1)).min(record.len());
    let text = error.to_string();
    let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
    let reason = match word_at(record, at) {
        Some(word) if FOREIGN.contains(&word) => format!("{word} is not JSON; write null, or a text in quotes"),
        _ => reason.to_owned(),
    };
    Fault { at, reason, is_incomplete: error.is_eof() }
}

/// Words that other languages have for a value.
const FOREIGN: [&str; 9] = ["NaN", "nan", "Infinity", "inf", "Inf", "None", "True", "False", "undefined"];

/// The word of ASCII letters in which `at` stands, or behind the sign there.
fn word_at(record: &[u8], at: usize) -> Option<&str> {
    let at = at + usize::from(record.get(at) == Some(&b'-'));
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic();
    let start = record[..at.min(record.len())].iter().rposition(|byte| !is_letter(byte)).map_or(0, |before| before + 1);
    let end = record[start..].iter().position(|byte| !is_letter(byte)).map_or(record.len(), |end| start + end);
    std::str::from_utf8(&record[start..end]).ok()
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
        let mut checker = Checker::new(Some("movie"), "UTF-8");
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
        let fault = |json: &[u8]| Checker::new(Some("movie"), "UTF-8").check(json).unwrap_err();
        assert_eq!(fault(br#"{"a": }"#), Fault { at: 6, reason: "expected value".into(), is_incomplete: false });
        assert_eq!(fault(b"{\"a\":\n 1,\n x}").at, 11);
        let no_text = fault(b"{\"a\": \"\xff\"}");
        assert_eq!((no_text.at, no_text.is_incomplete), (7, false));
        assert!(no_text.reason.contains("--encoding"), "{no_text:?}");
        assert_eq!(fault(b"{\"a\": ?, \"b\": \"\xff\"}").at, 6);
        assert!(fault(br#"{"a": "b"#).is_incomplete);
        assert!(fault(b"{\"a\": \"x\ny\"}").reason.contains("control character"));
        assert_eq!(fault(b"oops").reason, "expected value");
        for (record, word) in [
            (br#"{"a": NaN}"#.as_slice(), "NaN"),
            (br#"{"a": -Infinity, "b": 1}"#, "Infinity"),
            (br#"[1, nan]"#, "nan"),
            (br#"{"a": None}"#, "None"),
            (b"True", "True"),
        ] {
            assert!(fault(record).reason.starts_with(&format!("{word} is not JSON")), "{:?}", fault(record));
        }
    }

    #[test]
    fn depth_is_no_limit() {
        let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
        assert_eq!(Checker::new(None, "UTF-8").check(&deep), Ok(()));
    }
}
