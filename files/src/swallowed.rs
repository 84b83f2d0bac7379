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

/// Returns true if all of `lines` are rows of `columns` fields that follow the row with the key `key`.
pub(super) fn follow(lines: &[u8], delimiter: u8, columns: usize, key: Option<&[u8]>) -> bool {
    let mut splitter = Splitter::new(delimiter);
    let last = key.and_then(number);
    let shape = key.and_then(shape);
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
        let Some(Split::Row(length)) = splitter.advance(line, true) else { return false };
        let mut fields = splitter.fields().iter().map(|field| &line[field.start..field.end]);
        let (Some(first), Some(second), true) = (fields.next(), fields.next(), splitter.fields().len() == columns)
        else {
            return false;
        };
        seen.is_tight &= !second.starts_with(b" ") && fields.all(|field| !field.starts_with(b" "));
        seen.is_alike &= self::shape(first) == shape;
        seen.add(number(first), second);
        at += length;
    }
    seen.is_enough(columns)
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
            ("2", "3,fine\n4,monitor 24\"", 2, true),
            ("2", "5,fine\n9,monitor 24\"", 2, true),
            ("2", "3,100\n4,200", 2, true),
            ("2", "3,fine,\"\"\"", 3, false),
            ("2", "3,fine,24\"", 3, true),
            ("n9", "n10,fine\nn11,24\"", 2, true),
            ("2024-05-01", "2024-05-02,fine\n2024-05-02,24\"", 2, true),
            ("key", &many, 2, true),
            ("key", &prose, 2, false),
            ("5", "6,000 units", 2, false),
            ("5", "10,000 in May\n20,000 in June", 2, false),
            ("57", "1,apples\n2,pears\n3,milk", 2, false),
            ("2", "3,fine\n3,again", 2, false),
            ("2", "3,fine\n4,one,two", 2, false),
            ("2", "3,fine\n\n4,fine", 2, false),
            ("key", "a,b\nc,d", 2, false),
            ("n9", "Dear Sir, hello\nyours, me", 2, false),
            ("2", "", 2, false),
        ] {
            assert_eq!(follow(lines.as_bytes(), b',', columns, Some(key.as_bytes())), expected, "{key}: {lines}");
        }
        assert!(!follow(b"3,fine\n4,fine", b',', 2, None));
    }
}
