//! Where a value ends that is no JSON, if its quotes and brackets can be trusted.
//!
//! A bare word (`NaN`, `None`, a name without quotes, a text in single quotes), a bad escape, a control character, a byte
//! that is no text, and a comma, a colon or a value too many or too few leave all quotes and brackets in their places. They
//! are accepted here, so the value ends where its bracket closes, whatever objects are nested in it.
//!
//! A quote too many or too few turns strings inside out: what was between two strings becomes a string, and what was in one
//! becomes a word. So a word next to a string is a fault, which the next field name shows at the latest. A bracket too many
//! or too few is a fault where it does not match, or where an object stands in the place of a field name.

use super::structure::pass_string;
use serde::de::IgnoredAny;

/// How the parse of a value ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The value has this length.
    End(usize),
    /// The byte at this index does not fit; a quote or a bracket before it is wrong.
    Fault(usize),
}

/// A parse that is under way over one value; it can stop after any byte.
#[derive(Debug)]
pub(super) struct Tolerant {
    /// Bytes of the value seen so far.
    at: usize,
    /// The brackets that are open; true for an object.
    open: Vec<bool>,
    last: Last,
    /// What comes next, or came last, is a field name.
    is_name: bool,
    is_in_string: bool,
    is_escaped: bool,
}

/// What came last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// An opening bracket, a colon, a comma, or nothing yet.
    Open,
    /// A word or number that begins at this index.
    Word(usize),
    String,
    /// An object or array.
    Closed,
}

impl Tolerant {
    /// A parse of a value that begins with a quote or an opening bracket.
    pub(super) fn new() -> Self {
        Self { at: 0, open: Vec::new(), last: Last::Open, is_name: false, is_in_string: false, is_escaped: false }
    }

    /// Goes on over `value`, the bytes from the value's first on; none if more bytes are needed.
    pub(super) fn advance(&mut self, value: &[u8]) -> Option<Verdict> {
        while self.at < value.len() {
            if self.is_in_string {
                self.is_in_string = !pass_string(value, &mut self.at, &mut self.is_escaped);
            } else if self.take(value) {
                self.at += 1;
            } else {
                return Some(Verdict::Fault(self.at));
            }
            if self.open.is_empty() && !self.is_in_string {
                return Some(Verdict::End(self.at));
            }
        }
        None
    }

    /// Takes the byte outside of strings that is next; false if it does not fit.
    fn take(&mut self, value: &[u8]) -> bool {
        let is_object = self.open.last() == Some(&true);
        match (value[self.at], self.last) {
            (byte, _) if byte.is_ascii_whitespace() => true,
            (b'"', last) => self.open_string(last, is_object, value),
            (b'{' | b'[', last) => {
                self.open.push(value[self.at] == b'{');
                let fits = match last {
                    Last::Open => !self.is_name,
                    // Without the colon, or the comma, between.
                    Last::String => self.is_name,
                    Last::Closed => !is_object,
                    Last::Word(_) => false,
                };
                (self.last, self.is_name) = (Last::Open, value[self.at] == b'{');
                fits
            }
            (b'}' | b']', _) => {
                (self.last, self.is_name) = (Last::Closed, false);
                self.open.pop() == Some(value[self.at] == b'}')
            }
            (b',', _) => {
                (self.last, self.is_name) = (Last::Open, is_object);
                true
            }
            (b':', Last::String | Last::Word(_)) if self.is_name => {
                (self.last, self.is_name) = (Last::Open, false);
                true
            }
            (byte, Last::Open) => {
                self.last = Last::Word(self.at);
                byte != b':'
            }
            (_, Last::Word(_)) => true,
            (_, Last::String | Last::Closed) => false,
        }
    }

    /// Opens a string; false if one cannot stand here, even if a comma or colon was left out before it.
    fn open_string(&mut self, last: Last, is_object: bool, value: &[u8]) -> bool {
        let fits = match last {
            Last::Open => true,
            Last::String | Last::Closed => {
                self.is_name = is_object && !self.is_name;
                true
            }
            Last::Word(start) => {
                let is_value = !self.is_name && is_scalar(&value[start..self.at]);
                self.is_name = is_object;
                is_value
            }
        };
        (self.last, self.is_in_string) = (Last::String, true);
        fits
    }
}

/// Whether `word` is a number, `true`, `false` or `null`.
fn is_scalar(word: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn verdict(text: &str) -> Option<Verdict> {
        Tolerant::new().advance(text.as_bytes())
    }

    #[test]
    fn what_is_wrong_within_or_between_tokens_does_not_move_the_end() {
        for value in [
            r#"{"a": NaN}"#,
            r#"{"a": -Infinity, "i": [{"id": 1}, {"id": None}]}"#,
            r#"{a: 1, b_c: [x, {id: 2}]}"#,
            "{'a': 'it is', 'b': {'id': 3}}",
            r#"{"a": 2024-05-01T10:30:00Z, "b": [{}]}"#,
            r#"{"a": “curly”, "b": 1}"#,
            r#"{"a": "\x \d", "b": "\\"}"#,
            "{\"a\": \"line\nend\", \"b\": \"\0\"}",
            r#"{"a": , "b": 1,, "c": [1,,2,], }"#,
            r#"{"a": 1 "b": true "c": "x" "d": {} "e": [] "f": 2}"#,
            r#"{"a" [{"id": 1}], "b" {"c": 2}, "d" "e"}"#,
            r#"[{"a": NaN} {"a": 1}, "x" "y"]"#,
            r#""\x""#,
        ] {
            let followed = format!(r#"{value}, {{"a": 1}}"#);
            assert_eq!(verdict(&followed), Some(Verdict::End(value.len())), "{value}");
            assert_eq!(verdict(&value[..value.len() - 1]), None, "{value}");
        }
    }

    #[test]
    fn a_wrong_quote_or_bracket_is_a_fault() {
        for value in [
            r#"{"id": 2, "text": "one " quote"}, {"id": 3}"#,
            r#"{"id": 2, "text": "no end}, {"id": 3, "text": "x"}"#,
            r#"{"id": 2, "text": no start"}, {"id": 3}"#,
            r#"{"id": 2, "text": "two""}, {"id": 3}"#,
            r#"{"id": 2", "text": "x"}, {"id": 3}"#,
            r#"{"id": 2, "text": "back\"}, {"id": 3}"#,
            r#"{"id: 2, "text": "x"}, {"id": 3}"#,
            r#"{"id": 2, "list": [1, 2}, {"id": 3}"#,
            r#"{"id": 2, "list": [{"a": 1], "b": 2}"#,
            r#"{"id": 2, "object": {"a": 1}, {"id": 3}"#,
            r#"{"id": 2, {"text": "x"}, {"id": 3}"#,
            r#"{"id": [2, "text": "x"}, {"id": 3}"#,
            r#"{"id" 3}"#,
        ] {
            assert!(matches!(verdict(value), Some(Verdict::Fault(_))), "{value}: {:?}", verdict(value));
        }
    }

    proptest! {
        #[test]
        fn it_goes_on_after_any_byte(text in "[\\[\\]{}\",: a1\\\\\n]{1,60}", first in prop::sample::select(vec!["{", "[", "\""])) {
            let text = [first, &text].concat();
            let mut parse = Tolerant::new();
            let found = (1..=text.len()).find_map(|length| parse.advance(&text.as_bytes()[..length]));
            prop_assert_eq!(found, verdict(&text));
        }
    }
}
