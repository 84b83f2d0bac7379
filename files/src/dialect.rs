//! The delimiter and the decimal mark of a CSV file, from its first rows.

use super::error::Trouble;
use super::form::Delimiter;
use super::reading::Column;
use super::split::{Split, Splitter};

/// Rows that are looked at.
const ROWS: usize = 200;
const CANDIDATES: [Delimiter; 4] = [Delimiter::COMMA, Delimiter::SEMICOLON, Delimiter::TAB, Delimiter::PIPE];
/// Delimiters that hardly ever stand in a text.
const RARE: [u8; 4] = [b'^', b'~', 0x01, 0x1f];
/// Characters that stand in texts, too, so that they are only pointed out.
const POSSIBLE: [u8; 6] = [b':', b' ', b'#', b'/', b'=', b'&'];
/// Rows that a possible delimiter has to split like the header.
const CONVINCING: usize = 2;

/// How the first rows split by a delimiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fit {
    pub(super) delimiter: Delimiter,
    /// Rows behind the header.
    pub(super) rows: usize,
    /// Those with as many fields as the header.
    pub(super) even: usize,
}

impl Fit {
    /// All rows have as many fields as the header, and there are some.
    pub(super) fn is_table(self) -> bool {
        self.rows > 0 && self.even == self.rows
    }
}

/// The delimiter that splits the header in `text` and, of the rows behind it, the most evenly; none if the header is one
/// column by any. `at_end` says that the stream ends with `text`; `preferred` wins a tie.
///
/// # Errors
/// Two delimiters split all rows equally well.
pub(super) fn delimiter(text: &[u8], at_end: bool, preferred: Option<Delimiter>) -> Result<Option<Fit>, Trouble> {
    let mut best: Option<Fit> = None;
    let mut rival = None;
    for fit in CANDIDATES.into_iter().filter_map(|delimiter| fit(text, at_end, delimiter)) {
        let is_better =
            best.is_none_or(|best| fit.even * best.rows > best.even * fit.rows || best.rows == 0 && fit.rows > 0);
        let is_equal = best.is_some_and(|best| fit.even * best.rows == best.even * fit.rows);
        match best {
            Some(best) if is_equal && preferred != Some(fit.delimiter) => {
                rival = (preferred != Some(best.delimiter)).then_some((best.delimiter, fit.delimiter));
            }
            _ if is_better || is_equal => (best, rival) = (Some(fit), None),
            _ => {}
        }
    }
    match rival {
        Some((one, other)) => Err(Trouble::AmbiguousDelimiter(one, other)),
        None => Ok(best),
    }
}

/// How `text` splits by `delimiter`; none if its header does not.
fn fit(text: &[u8], at_end: bool, delimiter: Delimiter) -> Option<Fit> {
    let mut columns = 0;
    let (mut rows, mut even) = (0, 0);
    each_row(text, at_end, delimiter, |fields| match columns {
        0 => columns = fields.len(),
        _ => {
            rows += 1;
            even += usize::from(fields.len() == columns);
        }
    });
    (columns > 1).then_some(Fit { delimiter, rows, even })
}

/// The one of the rare delimiters that splits the header and all first rows alike.
pub(super) fn rare(text: &[u8], at_end: bool) -> Option<Delimiter> {
    only(text, at_end, &RARE, 1)
}

/// A character that would split the header and all first rows alike, and may be between the fields.
pub(super) fn possible(text: &[u8], at_end: bool) -> Option<Delimiter> {
    only(text, at_end, &POSSIBLE, CONVINCING)
}

fn only(text: &[u8], at_end: bool, bytes: &[u8], rows: usize) -> Option<Delimiter> {
    let delimiters = bytes.iter().filter_map(|byte| Delimiter::of(*byte));
    let mut fits = delimiters.filter_map(|delimiter| fit(text, at_end, delimiter));
    fits.find(|fit| fit.is_table() && fit.rows >= rows).map(|fit| fit.delimiter)
}

/// What the cells of each column are in the first rows that have as many fields as the header.
pub(super) fn columns(text: &[u8], at_end: bool, delimiter: Delimiter) -> Vec<Column> {
    let mut columns = Vec::new();
    each_row(text, at_end, delimiter, |fields| {
        if columns.is_empty() {
            columns = vec![Column::default(); fields.len()];
        } else if fields.len() == columns.len() {
            columns.iter_mut().zip(fields).for_each(|(column, cell)| column.add(cell));
        }
    });
    columns
}

/// Hands on the first rows, of which the last may be cut off unless the stream ends with `text`.
fn each_row(text: &[u8], at_end: bool, delimiter: Delimiter, mut each: impl FnMut(&[&str])) {
    let mut splitter = Splitter::new(delimiter.byte());
    let mut at = 0;
    for _ in 0..ROWS {
        at += blank(&text[at..]);
        splitter.reset();
        let rest = &text[at..];
        let Some(Split::Row(length)) = (!rest.is_empty()).then(|| splitter.advance(rest, at_end)).flatten() else {
            return;
        };
        let field =
            |field: &super::split::Field| std::str::from_utf8(&rest[field.start..field.end]).unwrap_or_default();
        each(&splitter.fields().iter().map(field).collect::<Vec<_>>());
        at += length;
    }
}

/// Bytes of the line ends with which `text` begins.
pub(super) fn blank(text: &[u8]) -> usize {
    text.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}

/// The delimiter that a first line `sep=;` names, as Excel writes and reads it, and the length of the line.
pub(super) fn named_in_file(text: &[u8]) -> Option<(Delimiter, usize)> {
    let line = &text[..memchr::memchr2(b'\r', b'\n', text)?];
    let unquoted = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match unquoted {
        [s, e, p, b'=', delimiter] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") => {
            Some((Delimiter::of(*delimiter)?, line.len()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<Delimiter> {
        delimiter(text.as_bytes(), true, None).unwrap().map(|fit| fit.delimiter)
    }

    #[test]
    fn the_delimiter_is_the_one_that_splits_header_and_rows_alike() {
        for (text, expected) in [
            ("id,day\n1,2\n", Some(Delimiter::COMMA)),
            ("id;day;amount\nu1;2024;1,5\n", Some(Delimiter::SEMICOLON)),
            ("id\tday\n1\t2,3;4\n", Some(Delimiter::TAB)),
            ("id|day\n1|2\n", Some(Delimiter::PIPE)),
            ("id,text\n1,hello; world\n2,a; b; c\n", Some(Delimiter::COMMA)),
            ("id,\"a;b\"\n1,2\n", Some(Delimiter::COMMA)),
            ("id^n\n1^2\n", None),
            ("id;name, first;x\n1;2;3\n", Some(Delimiter::SEMICOLON)),
            ("id;price, EUR;x\n1;2;3\n1;2,5;3\n", Some(Delimiter::SEMICOLON)),
            ("review\nfine; really, fine\n", None),
            ("id;day", Some(Delimiter::SEMICOLON)),
            ("", None),
        ] {
            assert_eq!(found(text), expected, "{text:?}");
        }
    }

    #[test]
    fn two_delimiters_that_fit_alike_are_not_chosen_between() {
        for text in ["id;a,b\n1;2,5\n", "a,b;c\n", "id;price, EUR\n1;2,5\n2;3,5\n"] {
            assert!(matches!(delimiter(text.as_bytes(), true, None), Err(Trouble::AmbiguousDelimiter(..))), "{text:?}");
        }
        let preferred = delimiter(b"a,b\tc\n1,2\t3\n", true, Some(Delimiter::TAB)).unwrap();
        assert_eq!(preferred.map(|fit| fit.delimiter), Some(Delimiter::TAB));
    }

    #[test]
    fn other_delimiters_are_found_or_pointed_out() {
        let found = |text: &str| (rare(text.as_bytes(), true), possible(text.as_bytes(), true));
        assert_eq!(found("id^n\n1^2\n"), (Delimiter::of(b'^'), None));
        assert_eq!(found("id\u{1}n\n1\u{1}2\n"), (Delimiter::of(1), None));
        assert_eq!(found("id:n\n1:2\n2:3\n"), (None, Delimiter::of(b':')));
        assert_eq!(found("id n\n1 2\n2 3\n"), (None, Delimiter::of(b' ')));
        for text in ["id:n\n1:2\n", "id^n\n1\n", "film\nLove: a story\n", "id n\n1 2\n2\n", "id\n1\n2\n", ""] {
            assert_eq!(found(text), (None, None), "{text:?}");
        }
    }

    #[test]
    fn a_file_may_name_its_delimiter() {
        assert_eq!(named_in_file(b"sep=;\r\nid;day\r\n"), Some((Delimiter::SEMICOLON, 5)));
        assert_eq!(named_in_file(b"\"SEP=\t\"\nid\tday\n"), Some((Delimiter::TAB, 7)));
        assert_eq!(named_in_file(b"sep=\n"), None);
        assert_eq!(named_in_file(b"separator,day\n"), None);
    }
}
