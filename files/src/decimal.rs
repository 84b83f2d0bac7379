//! Numbers in CSV cells whose decimal mark is a comma.
//!
//! | | decimal point | decimal comma |
//! | --- | --- | --- |
//! | `1234` | 1234 | 1234 |
//! | `1.234,56`, `0,5`, `12,00` | no number | 1234.56, 0.5, 12.00 |
//! | `1,234.56`, `0.5`, `12.00` | a number | no number |
//! | `1,234`, `1.234` | **1234, 1.234** | **1.234, 1234** |
//!
//! The last line is why a file of unknown decimal mark must not be guessed at: both readings are numbers. Thousands may also
//! be grouped by spaces or apostrophes in a number with a decimal comma; without one, `170 123 456` may be a telephone number.
//! An IPv4 address is no number.

use std::fmt;
use std::str::FromStr;

/// The decimal mark of numbers in CSV cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decimal {
    /// `1234.56` or `1,234.56`.
    Point,
    /// `1234,56` or `1.234,56`; such cells are handed on as `1234.56`.
    Comma,
}

impl FromStr for Decimal {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "." | "point" => Ok(Self::Point),
            "," | "comma" => Ok(Self::Comma),
            _ => Err("write . or , (or point, comma)"),
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Point => "decimal point",
            Self::Comma => "decimal comma",
        })
    }
}

/// What a cell says of the decimal mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// It is no number, or the same number with either mark.
    None,
    Point,
    Comma,
    /// It is a number with either mark, and not the same one.
    Both,
}

/// What `cell` says of the decimal mark.
pub(super) fn evidence(cell: &str) -> Evidence {
    if !may_have_mark(cell) || memchr::memchr2(b'.', b',', cell.as_bytes()).is_none() {
        return Evidence::None;
    }
    match (number(cell, b'.', &[","]), number(cell, b',', GROUPING)) {
        (Some(point), Some(comma)) if point != comma => Evidence::Both,
        (Some(_), None) => Evidence::Point,
        (None, Some(_)) => Evidence::Comma,
        _ => Evidence::None,
    }
}

/// The number with a decimal comma that `cell` is, written with a decimal point and without grouping; none if it is no
/// number, or is written so already.
pub(super) fn normalised(cell: &str) -> Option<String> {
    let number = may_have_mark(cell).then(|| number(cell, b',', GROUPING))??;
    (number != cell.trim_ascii()).then_some(number)
}

/// Whether `cell` is a number, with either mark.
pub(super) fn is_number(cell: &str) -> bool {
    number(cell, b'.', &[","]).is_some() || number(cell, b',', GROUPING).is_some()
}

/// What groups thousands where the decimal mark is a comma: a point, spaces, apostrophes.
const GROUPING: &[&str] = &[".", " ", "\u{a0}", "\u{202f}", "'", "\u{2019}"];

/// Cheap to refuse, because most cells are texts or whole numbers.
fn may_have_mark(cell: &str) -> bool {
    const LONGEST: usize = 64;
    let starts = cell.trim_ascii_start().as_bytes().first();
    let is_start = starts.is_some_and(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b',' | b'.'));
    is_start && cell.len() <= LONGEST && cell.bytes().any(|byte| !byte.is_ascii_digit())
}

/// The number in `cell`, with a point for `mark` and its groups joined.
fn number(cell: &str, mark: u8, grouping: &[&str]) -> Option<String> {
    let text = cell.trim_ascii();
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let sign = &text[..text.len() - unsigned.len()];
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => unsigned.split_at(at),
        None => (unsigned, ""),
    };
    let (whole, fraction) = match mantissa.find(char::from(mark)) {
        Some(at) => (&mantissa[..at], Some(&mantissa[at + 1..])),
        None => (mantissa, None),
    };
    let whole = ungrouped(whole, grouping, fraction.is_some())?;
    let is_number = fraction.is_none_or(is_digits) && (exponent.is_empty() || is_exponent(exponent));
    let fraction = fraction.map(|digits| format!(".{digits}")).unwrap_or_default();
    is_number.then(|| format!("{sign}{whole}{fraction}{exponent}"))
}

/// `whole` without the marks between its thousands. `has_fraction` rules out an IPv4 address, and allows no digit at all.
fn ungrouped(whole: &str, grouping: &[&str], has_fraction: bool) -> Option<String> {
    if is_digits(whole) || (whole.is_empty() && has_fraction) {
        return Some(whole.to_owned());
    }
    let mark = grouping.iter().find(|mark| whole.contains(**mark))?;
    let groups: Vec<_> = whole.split(mark).collect();
    let (first, rest) = groups.split_first()?;
    let is_grouped = (1..=3).contains(&first.len())
        && is_digits(first)
        && !first.starts_with('0')
        && rest.iter().all(|group| group.len() == 3 && is_digits(group));
    let is_safe = has_fraction || matches!(*mark, "." | ",");
    let is_address =
        *mark == "." && !has_fraction && groups.len() == 4 && groups.iter().all(|group| group.parse::<u8>().is_ok());
    (is_grouped && is_safe && !is_address).then(|| groups.concat())
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_exponent(text: &str) -> bool {
    let digits = &text[1..];
    is_digits(digits.strip_prefix(['-', '+']).unwrap_or(digits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cells_say_what_their_decimal_mark_is() {
        let cases = [
            (
                Evidence::None,
                vec![
                    "",
                    "12",
                    "-7",
                    "abc",
                    "1.2.3",
                    "01.05.2024",
                    "2024-05-01",
                    "192.168.100.200",
                    "1e5",
                    "1,2,3",
                    "12:30",
                ],
            ),
            (
                Evidence::Comma,
                vec![
                    "0,5",
                    "12,00",
                    "1.234,56",
                    "-1.234.567,8",
                    "0,123",
                    "1.234.567",
                    "1 234,5",
                    "1'234,5",
                    "1\u{202f}234,5",
                    "1,5E+03",
                    ",5",
                ],
            ),
            (Evidence::Point, vec!["0.5", "12.00", "1,234.56", "1,234,567", "0.123", "1.5e3", ".5"]),
            (Evidence::Both, vec!["1,234", "1.234", "-12.345", "123,456"]),
        ];
        for (expected, cells) in cases {
            for cell in cells {
                assert_eq!(evidence(cell), expected, "{cell}");
            }
        }
    }

    #[test]
    fn numbers_with_a_decimal_comma_are_written_with_a_point() {
        let cases = [
            ("1.234,56", "1234.56"),
            ("0,5", "0.5"),
            ("12,00", "12.00"),
            ("1.234", "1234"),
            ("1,500", "1.500"),
            (" -1.234.567,8 ", "-1234567.8"),
            ("1\u{a0}234,5", "1234.5"),
            ("1,5E+03", "1.5E+03"),
        ];
        for (cell, number) in cases {
            assert_eq!(normalised(cell).as_deref(), Some(number), "{cell}");
        }
        for cell in [
            "",
            "12",
            "-7",
            "12.5",
            "1.23",
            "01.05.2024",
            "10.100.200.250",
            "1.234,56 €",
            "a,b",
            "1,2,3",
            "1.2345,6",
            "0.123",
            " 12 ",
            "170 123 456",
            "+49170123456",
        ] {
            assert_eq!(normalised(cell), None, "{cell}");
        }
    }

    proptest! {
        #[test]
        fn a_number_written_with_groups_and_a_comma_is_that_number(whole in 0_u64..1_000_000_000_000, fraction in "[0-9]{0,6}", negative in any::<bool>()) {
            let digits = whole.to_string();
            let grouped: Vec<_> = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group)).collect();
            let sign = if negative { "-" } else { "" };
            let (comma, point) = if fraction.is_empty() { (String::new(), String::new()) } else { (format!(",{fraction}"), format!(".{fraction}")) };
            let expected = format!("{sign}{digits}{point}");
            let is_address = grouped.len() == 4 && fraction.is_empty() && grouped.iter().all(|group| group.parse::<u8>().is_ok());
            prop_assume!(!is_address);
            let marks = if fraction.is_empty() { &GROUPING[..1] } else { GROUPING };
            for mark in marks {
                let cell = format!("{sign}{}{comma}", grouped.join(mark));
                prop_assert_eq!(normalised(&cell).unwrap_or(cell), expected.clone());
            }
        }

        #[test]
        fn any_text_is_taken(cell in "[-+0-9.,eE' é]{0,12}") {
            if let Some(number) = normalised(&cell) {
                prop_assert!(number.parse::<f64>().is_ok(), "{cell} became {number}");
            }
        }
    }
}
