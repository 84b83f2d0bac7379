//! Whether the lines of a text in quotes are rows of the file that an open quote took in.
//!
//! A text over several lines is legal, so the number of fields in its lines proves nothing alone. The first field does: rows
//! that follow each other have keys that count up, or codes and dates that are written alike. A number with thousands
//! (`10,000 sold`) is no key.

use super::split::{Split, Splitter};

/// Lines that have to be rows, without a space behind a delimiter, before they are doubted whatever their first field is.
const MANY: usize = 10;

/// What the lines have in common.
#[derive(Debug)]
struct Evidence {
    lines: usize,
    /// Number that the key of the line before is.
    last: Option<u64>,
    is_increasing: bool,
    is_consecutive: bool,
    /// A line begins with a number that has thousands.
    is_grouped: bool,
    /// The keys are codes or dates, written alike.
    is_alike: bool,
    /// No field begins with a space.
    is_tight: bool,
}

/// How far the lines of a text are rows of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    /// They are text.
    Text,
    /// They have the form of rows, which a text may have, too.
    Form,
    /// They are rows.
    Rows,
}

/// How far all of `lines` are rows of `columns` fields that stand between the rows with the keys `keys`, of which the second
/// is absent at the end of the file.
pub(super) fn likeness(lines: &[u8], delimiter: u8, columns: usize, keys: Option<(&[u8], Option<&[u8]>)>) -> Likeness {
    let mut splitter = Splitter::new(delimiter);
    let last = keys.and_then(|(key, _)| number(key));
    let shape = keys.and_then(|(key, _)| shape(key));
    let mut seen = Evidence {
        lines: 0,
        last,
        is_increasing: last.is_some(),
        is_consecutive: last.is_some(),
        is_grouped: false,
        is_alike: shape.is_some(),
        is_tight: true,
    };
    let mut at = 0;
    while at < lines.len() {
        splitter.reset();
        let line = &lines[at..];
        let Some(Split::Row(length)) = splitter.advance(line, true) else { return Likeness::Text };
        let mut fields = splitter.fields().iter().map(|field| &line[field.start..field.end]);
        let (Some(first), Some(second), true) = (fields.next(), fields.next(), splitter.fields().len() == columns)
        else {
            return Likeness::Text;
        };
        seen.is_tight &= !second.starts_with(b" ") && fields.all(|field| !field.starts_with(b" "));
        seen.is_alike &= self::shape(first) == shape;
        seen.add(number(first), second);
        at += length;
    }
    let next = keys.and_then(|(_, next)| next).and_then(number);
    if seen.lines > 0 && (seen.is_enough(columns) || seen.leads_to(next)) {
        Likeness::Rows
    } else if seen.lines > 0 && seen.is_tight {
        Likeness::Form
    } else {
        Likeness::Text
    }
}

impl Evidence {
    fn add(&mut self, key: Option<u64>, second: &[u8]) {
        let digits = second.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.is_grouped |= digits == 3;
        self.is_increasing &= key > self.last && key.is_some();
        self.is_consecutive &= self.is_increasing && key == self.last.and_then(|last| last.checked_add(1));
        self.last = key;
        self.lines += 1;
    }

    /// The keys count up one by one to that of the next row.
    fn leads_to(&self, next: Option<u64>) -> bool {
        self.is_consecutive
            && !self.is_grouped
            && next.is_some()
            && next == self.last.and_then(|last| last.checked_add(1))
    }

    /// One line is enough only if it has several delimiters.
    fn is_enough(&self, columns: usize) -> bool {
        let is_several = self.lines > 1 || (self.lines == 1 && columns > 2);
        let is_counting = self.is_consecutive || (self.is_increasing && self.lines > 1 && !self.is_grouped);
        is_several && (is_counting || self.is_alike) || (self.lines >= MANY && self.is_tight)
    }
}

fn number(key: &[u8]) -> Option<u64> {
    std::str::from_utf8(key).ok().filter(|key| key.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

/// How a code or a date is written, with one sign for a run of digits or of letters; none for a number or a word.
fn shape(key: &[u8]) -> Option<Vec<u8>> {
    let mut shape: Vec<u8> = key
        .iter()
        .map(|byte| match byte {
            b'0'..=b'9' => b'0',
            b'a'..=b'z' | b'A'..=b'Z' => b'a',
            other => *other,
        })
        .collect();
    shape.dedup();
    (shape.len() > 1 && shape.contains(&b'0') && !shape.contains(&b' ')).then_some(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_follow_by_their_keys_and_texts_do_not() {
        let many = "a,b\n".repeat(MANY);
        let prose = "Roses, red\n".repeat(2 * MANY);
        for (key, lines, columns, expected) in [
            ("2", "3,fine\n4,monitor 24\"", 2, Likeness::Rows),
            ("2", "5,fine\n9,monitor 24\"", 2, Likeness::Rows),
            ("2", "3,100\n4,200", 2, Likeness::Rows),
            ("2", "3,fine,\"\"\"", 3, Likeness::Text),
            ("2", "3,fine,24\"", 3, Likeness::Rows),
            ("n9", "n10,fine\nn11,24\"", 2, Likeness::Rows),
            ("2024-05-01", "2024-05-02,fine\n2024-05-02,24\"", 2, Likeness::Rows),
            ("key", &many, 2, Likeness::Rows),
            ("key", &prose, 2, Likeness::Text),
            ("5", "6,000 units", 2, Likeness::Form),
            ("5", "10,000 in May\n20,000 in June", 2, Likeness::Form),
            ("57", "1,apples\n2,pears\n3,milk", 2, Likeness::Form),
            ("2", "3,fine\n3,again", 2, Likeness::Form),
            ("2", "3,fine\n4,one,two", 2, Likeness::Text),
            ("2", "3,fine\n\n4,fine", 2, Likeness::Text),
            ("key", "a,b\nc,d", 2, Likeness::Form),
            ("n9", "Dear Sir, hello\nyours, me", 2, Likeness::Text),
            ("2", "", 2, Likeness::Text),
        ] {
            let found = likeness(lines.as_bytes(), b',', columns, Some((key.as_bytes(), None)));
            assert_eq!(found, expected, "{key}: {lines}");
        }
        assert_eq!(likeness(b"3,fine\n4,fine", b',', 2, None), Likeness::Form);
    }

    #[test]
    fn one_line_is_a_row_if_the_next_row_counts_on() {
        let found = |key: &str, line: &str, next: &str| {
            likeness(line.as_bytes(), b',', 2, Some((key.as_bytes(), Some(next.as_bytes()))))
        };
        assert_eq!(found("1", "2,closes\"", "3"), Likeness::Rows);
        assert_eq!(found("1", "2,closes\"", "2"), Likeness::Form);
        assert_eq!(found("5", "6,000 units\"", "6"), Likeness::Form);
        assert_eq!(found("5", "6, of them\"", "6"), Likeness::Text);
        assert_eq!(found("n1", "n2,closes\"", "n3"), Likeness::Form);
    }
}
