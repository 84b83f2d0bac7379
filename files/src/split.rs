//! Where the fields of a CSV row begin and end (RFC 4180, with any line end).
//!
//! The scan can stop after any byte and go on when more of the stream is there. A quote that opens a field is closed by a
//! quote before the delimiter, a line end or the end of the stream; a text behind the closing quote makes the row bad. A
//! quote inside a field that does not begin with one is a character like any other.

/// A field of the row, by its place in the scanned bytes, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) start: usize,
    pub(super) end: usize,
    /// The field stands in quotes.
    pub(super) quoted: bool,
    /// A quote in the field is written as two.
    pub(super) doubled: bool,
}

/// How the scan of a row ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Split {
    /// The row, with its line end, takes this many bytes.
    Row(usize),
    /// The text in quotes that begins at `quote` has a closing quote before `at`, but goes on.
    Continued { quote: usize, at: usize },
    /// The stream ends inside the text in quotes that begins at `quote`.
    Open { quote: usize },
}

/// A scan of one row.
#[derive(Debug, Clone)]
pub(super) struct Splitter {
    delimiter: u8,
    at: usize,
    start: usize,
    doubled: bool,
    state: State,
    fields: Vec<Field>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Plain,
    Quoted,
    /// Behind a quote that closes the field, unless another one follows.
    Closing,
}

impl Splitter {
    pub(super) fn new(delimiter: u8) -> Self {
        Self { delimiter, at: 0, start: 0, doubled: false, state: State::Start, fields: Vec::new() }
    }

    /// Forgets the row.
    pub(super) fn reset(&mut self) {
        self.fields.clear();
        (self.at, self.state) = (0, State::Start);
    }

    /// Fields found so far.
    pub(super) fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Place of the quote that is open.
    pub(super) fn open_quote(&self) -> Option<usize> {
        matches!(self.state, State::Quoted | State::Closing).then(|| self.start - 1)
    }

    /// Goes on over `row`, the bytes from the row's first on; none if more bytes are needed. `at_end` says that the stream
    /// ends with them.
    pub(super) fn advance(&mut self, row: &[u8], at_end: bool) -> Option<Split> {
        loop {
            match self.state {
                State::Start => {
                    let first = row.get(self.at);
                    if first.is_none() && !at_end {
                        return None;
                    }
                    (self.state, self.doubled) = (State::Plain, false);
                    if first == Some(&b'"') {
                        self.state = State::Quoted;
                        self.at += 1;
                    }
                    self.start = self.at;
                }
                State::Plain => {
                    let found = memchr::memchr3(self.delimiter, b'\n', b'\r', &row[self.at..]);
                    self.at = found.map_or(row.len(), |found| self.at + found);
                    if let Some(split) = self.end_field(row, self.at, at_end)? {
                        return Some(split);
                    }
                }
                State::Quoted => match memchr::memchr(b'"', &row[self.at..]) {
                    Some(found) => {
                        self.at += found + 1;
                        self.state = State::Closing;
                    }
                    None => {
                        self.at = row.len();
                        return at_end.then_some(Split::Open { quote: self.start - 1 });
                    }
                },
                State::Closing if row.get(self.at) == Some(&b'"') => {
                    self.at += 1;
                    (self.state, self.doubled) = (State::Quoted, true);
                }
                State::Closing => {
                    if let Some(split) = self.end_field(row, self.at - 1, at_end)? {
                        return Some(split);
                    }
                }
            }
        }
    }

    /// Ends the field at `end` by what stands at `self.at`. None if more bytes are needed; a split if the row ends.
    fn end_field(&mut self, row: &[u8], end: usize, at_end: bool) -> Option<Option<Split>> {
        let quoted = self.state == State::Closing;
        let length = match row.get(self.at) {
            Some(byte) if *byte == self.delimiter => None,
            Some(b'\n') => Some(self.at + 1),
            Some(b'\r') if row.get(self.at + 1) == Some(&b'\n') => Some(self.at + 2),
            // The line feed may not have been read yet.
            Some(b'\r') if self.at + 1 == row.len() && !at_end => return None,
            Some(b'\r') => Some(self.at + 1),
            None if at_end => Some(self.at),
            None => return None,
            Some(_) => return Some(Some(Split::Continued { quote: self.start - 1, at: self.at })),
        };
        self.fields.push(Field { start: self.start, end, quoted, doubled: self.doubled });
        self.at += 1;
        self.state = State::Start;
        Some(length.map(Split::Row))
    }
}

/// Whether `text` is made of rows with `columns` fields each, at least `least` of them; what follows the last line end is
/// not looked at.
pub(super) fn are_rows(text: &[u8], delimiter: u8, columns: usize, least: usize) -> bool {
    let mut splitter = Splitter::new(delimiter);
    let (mut at, mut rows) = (0, 0);
    loop {
        splitter.reset();
        match splitter.advance(&text[at..], false) {
            Some(Split::Row(length)) if splitter.fields().len() == columns => {
                at += length;
                rows += 1;
            }
            Some(_) => return false,
            None => return rows >= least,
        }
    }
}

/// Line ends in `text`: line feeds, and carriage returns without one.
pub(super) fn line_ends(text: &[u8]) -> u64 {
    let returns = memchr::memchr_iter(b'\r', text).filter(|at| text.get(at + 1) != Some(&b'\n')).count();
    (memchr::memchr_iter(b'\n', text).count() + returns) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The fields of all rows, in pieces of `piece` bytes; the last is what ended the scan other than by a row.
    fn split(text: &[u8], piece: usize) -> (Vec<Vec<String>>, Option<Split>) {
        let mut splitter = Splitter::new(b',');
        let (mut rows, mut at) = (Vec::new(), 0);
        while at < text.len() {
            splitter.reset();
            let mut there = at;
            let split = loop {
                there = (there + piece).min(text.len());
                if let Some(split) = splitter.advance(&text[at..there], there == text.len()) {
                    break split;
                }
            };
            let Split::Row(length) = split else { return (rows, Some(split)) };
            let field = |field: &Field| String::from_utf8_lossy(&text[at + field.start..at + field.end]).into_owned();
            rows.push(splitter.fields().iter().map(field).collect());
            at += length;
        }
        (rows, None)
    }

    #[test]
    fn rows_end_with_any_line_end_in_pieces_of_any_size() {
        let cases: [(&[u8], &[&[&str]]); 8] = [
            (b"a,b\nc,d", &[&["a", "b"], &["c", "d"]]),
            (b"a,b\r\nc,d\r\n", &[&["a", "b"], &["c", "d"]]),
            (b"a,b\rc,d\r", &[&["a", "b"], &["c", "d"]]),
            (b"\"a\rb\",\"c\nd\"\re", &[&["a\rb", "c\nd"], &["e"]]),
            (b"a,\n", &[&["a", ""]]),
            (b",", &[&["", ""]]),
            (b"5\" pipe,a\"b", &[&["5\" pipe", "a\"b"]]),
            (b"\"\",\"a\"\"b\"", &[&["", "a\"\"b"]]),
        ];
        for (text, rows) in cases {
            for piece in 1..=text.len() {
                let seen = split(text, piece);
                assert_eq!(
                    (seen.0, seen.1),
                    (rows.iter().map(|row| row.iter().map(|s| (*s).to_owned()).collect()).collect(), None)
                );
            }
        }
    }

    #[test]
    fn quotes_that_do_not_fit_are_found_where_they_are() {
        for piece in 1..20 {
            assert_eq!(split(b"a,\"b\nc,d", piece), (vec![], Some(Split::Open { quote: 2 })));
            assert_eq!(split(b"a,\"b\"c,d\n", piece), (vec![], Some(Split::Continued { quote: 2, at: 5 })));
            assert_eq!(split(b"\"a\" ,b", piece).1, Some(Split::Continued { quote: 0, at: 3 }));
        }
    }

    #[test]
    fn lines_are_rows_or_text() {
        assert!(are_rows(b"1,2\n3,4\nhalf", b',', 2, 2));
        assert!(!are_rows(b"1,2\n3,4\nhalf", b',', 2, 3));
        assert!(!are_rows(b"1,2\nfine, he, said\n", b',', 2, 1));
        assert!(!are_rows(b"1,2\n\n3,4\n", b',', 2, 1));
        assert_eq!(line_ends(b"a\nb\r\nc\rd"), 3);
    }

    proptest! {
        #[test]
        fn what_is_written_is_split_again(rows in prop::collection::vec(prop::collection::vec("[a,\"\r\n é]{0,6}", 2..4), 1..6), piece in 1_usize..9) {
            let quoted = |text: &String| format!("\"{}\"", text.replace('"', "\"\""));
            let lines: Vec<_> = rows.iter().map(|row| row.iter().map(quoted).collect::<Vec<_>>().join(",")).collect();
            let (seen, rest) = split(lines.join("\r\n").as_bytes(), piece);
            let unpacked: Vec<Vec<_>> = seen.iter().map(|row| row.iter().map(|text| text.replace("\"\"", "\"")).collect()).collect();
            prop_assert_eq!((unpacked, rest), (rows, None));
        }

        #[test]
        fn pieces_make_no_difference(text in "[a,\"\r\n]{0,40}", piece in 1_usize..9) {
            prop_assert_eq!(split(text.as_bytes(), piece), split(text.as_bytes(), text.len().max(1)));
        }
    }
}
