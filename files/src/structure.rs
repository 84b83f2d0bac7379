//! Where a JSON value ends, by its brackets and quotes alone.
//!
//! The scan can stop after any byte and go on when more of the stream is there. It does not judge: a value that is
//! structurally complete may still be broken, which [`check`](super::check) finds out.

/// The byte order mark in UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What may stand between values: white space, commas, and the record separator of RFC 7464.
pub(super) fn is_separator(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b',' | 0x1e)
}

/// Length of what stands before the next value: separators, and the byte order marks of files that were joined.
pub(super) fn separators(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        at += bytes[at..].iter().take_while(|byte| is_separator(**byte)).count();
        if !bytes[at..].starts_with(BYTE_ORDER_MARK) {
            return at;
        }
        at += BYTE_ORDER_MARK.len();
    }
}

/// Whether more bytes may make a byte order mark of `bytes`, or there are none.
pub(super) fn is_cut_mark(bytes: &[u8]) -> bool {
    bytes.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(bytes)
}

/// Moves `at` behind the closing quote of the string in which it is, or to the end of `value`; true if the quote is there.
pub(super) fn pass_string(value: &[u8], at: &mut usize, is_escaped: &mut bool) -> bool {
    if std::mem::take(is_escaped) {
        *at += 1;
        return false;
    }
    let found = memchr::memchr2(b'"', b'\\', &value[*at..]);
    *at = found.map_or(value.len(), |found| *at + found + 1);
    let last = found.map(|_| value[*at - 1]);
    *is_escaped = last == Some(b'\\');
    last == Some(b'"')
}

/// Whether a value that begins with `first` ends with a closing byte of its own.
pub(super) fn is_closed(first: u8) -> bool {
    matches!(first, b'{' | b'[' | b'"')
}

/// A scan that is under way over one value.
#[derive(Debug)]
pub(super) struct Scan {
    /// Bytes of the value seen so far.
    at: usize,
    depth: u32,
    kind: Kind,
    is_in_string: bool,
    is_escaped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An object, an array or a string: it ends with its closing byte.
    Closed,
    /// Anything else: it ends before a comma, a bracket or the next object, white space included.
    Bare,
    /// A closing bracket that nothing opened: junk of one byte.
    Stray,
}

impl Scan {
    /// A scan of the value that begins with `first`.
    pub(super) fn of(first: u8) -> Self {
        let kind = match first {
            _ if is_closed(first) => Kind::Closed,
            b'}' | b']' | b',' => Kind::Stray,
            _ => Kind::Bare,
        };
        Self { at: 0, depth: 0, kind, is_in_string: false, is_escaped: false }
    }

    /// Goes on over `value`, the bytes from the value's first on; the length of the value when its end is there.
    pub(super) fn advance(&mut self, value: &[u8]) -> Option<usize> {
        match self.kind {
            Kind::Closed => self.advance_closed(value),
            Kind::Bare => self.advance_bare(value),
            Kind::Stray => Some(1),
        }
    }

    /// Forgets the first `count` bytes, which the caller has consumed and which have been seen.
    pub(super) fn forget(&mut self, count: usize) {
        self.at -= count;
    }

    fn advance_closed(&mut self, value: &[u8]) -> Option<usize> {
        while self.at < value.len() {
            if self.is_in_string {
                self.is_in_string = !pass_string(value, &mut self.at, &mut self.is_escaped);
            } else {
                self.pass_structure(value);
            }
            if self.depth == 0 && !self.is_in_string && is_closing(value[self.at - 1]) {
                return Some(self.at);
            }
        }
        None
    }

    /// Moves behind the next opening quote, or behind the bracket that closes the value, or to the end of `value`.
    fn pass_structure(&mut self, value: &[u8]) {
        for (passed, byte) in value[self.at..].iter().enumerate() {
            match byte {
                b'"' => self.is_in_string = true,
                b'{' | b'[' => {
                    self.depth += 1;
                    continue;
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth > 0 {
                        continue;
                    }
                }
                _ => continue,
            }
            self.at += passed + 1;
            return;
        }
        self.at = value.len();
    }

    fn advance_bare(&mut self, value: &[u8]) -> Option<usize> {
        let end = value[self.at..].iter().position(|byte| matches!(byte, b',' | b']' | b'{' | b'}'));
        if end.is_none() {
            self.at = value.len();
        }
        end.map(|passed| self.at + passed)
    }
}

fn is_closing(byte: u8) -> bool {
    matches!(byte, b'"' | b'}' | b']')
}

/// Where in `value` the last string before `until` begins, or 0; the bytes until there are the beginning of a valid value.
pub(super) fn last_string_before(value: &[u8], until: usize) -> usize {
    let mut last = 0;
    let mut at = 0;
    while let Some(quote) = memchr::memchr(b'"', &value[at..until]).map(|found| at + found) {
        last = quote;
        let mut scan = Scan::of(b'"');
        match scan.advance(&value[quote..until]) {
            Some(length) => at = quote + length,
            None => break,
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end_of(text: &str) -> Option<usize> {
        Scan::of(text.as_bytes()[0]).advance(text.as_bytes())
    }

    #[test]
    fn a_value_ends_with_its_closing_byte() {
        assert_eq!(end_of(r#"{"a": "}"}, "#), Some(10));
        assert_eq!(end_of(r#"{"a": [1, {"b": "\"]}"}]} x"#), Some(25));
        assert_eq!(end_of(r#""a\\" , "#), Some(5));
        assert_eq!(end_of("[[], []]]"), Some(8));
        assert_eq!(end_of(r#"{"a": "b"#), None);
    }

    #[test]
    fn a_bare_value_ends_before_the_next() {
        assert_eq!(end_of("12 , 3"), Some(3));
        assert_eq!(end_of("not a record {"), Some(13));
        assert_eq!(end_of("} , x"), Some(1));
        assert_eq!(end_of("nul"), None);
    }

    #[test]
    fn it_goes_on_after_any_byte() {
        let text = r#"{"a": "x\\\"y", "b": [{"c": "\\"}, 1]} "#.as_bytes();
        let mut scan = Scan::of(b'{');
        let ends: Vec<_> = (1..=text.len()).filter_map(|length| scan.advance(&text[..length])).collect();
        assert_eq!(ends.first(), Some(&(text.len() - 1)));
    }

    #[test]
    fn marks_between_joined_files_are_separators() {
        for (bytes, length) in [
            (b"".as_slice(), 0),
            (b" ,\n{", 3),
            (b"\xef\xbb\xbf{", 3),
            (b"\n\xef\xbb\xbf \xef\xbb\xbf[", 8),
            (b" \xef\xbb", 1),
            (b"\xef\xbb{", 0),
        ] {
            assert_eq!(separators(bytes), length, "{bytes:?}");
        }
        assert!(is_cut_mark(b"") && is_cut_mark(b"\xef\xbb") && !is_cut_mark(b"\xef{") && !is_cut_mark(b"{"));
    }

    #[test]
    fn the_last_string_is_found() {
        let value = br#"{"a": "b", "c\"d": 1 x"#;
        assert_eq!(last_string_before(value, value.len()), 11);
        assert_eq!(last_string_before(value, 4), 1);
        assert_eq!(last_string_before(value, 1), 0);
    }
}
