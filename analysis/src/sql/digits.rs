//! Numbers of more digits than 64 bits hold, which are texts in a table, in the order of numbers.

use std::cmp::Ordering;

use polars::prelude::Column;
use rusqlite::{Connection, Result};

/// The collation of columns of such numbers.
pub(super) const COLLATION: &str = "rushes_digits";

/// Adds the collation to a database.
pub(super) fn add_to(connection: &Connection) -> Result<()> {
    connection.create_collation(COLLATION, compare)
}

/// Whether all texts are numbers in plain digits, of which one is too long for a number.
pub(super) fn are_long(column: &Column) -> bool {
    let Ok(texts) = column.str() else { return false };
    let mut is_long = false;
    let all = texts.iter().flatten().all(|text| {
        is_long |= text.parse::<i64>().is_err();
        Digits::read(text).is_some()
    });
    all && is_long
}

/// `-18446744073709551616.5` in its parts.
struct Digits<'a> {
    is_negative: bool,
    /// Without zeros at its beginning.
    whole: &'a str,
    /// Without zeros at its end.
    fraction: &'a str,
}

impl<'a> Digits<'a> {
    /// `None` for a text that is no number, and for one with zeros before it, which is a code.
    fn read(text: &'a str) -> Option<Self> {
        let (is_negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let is_number = all(whole) && all(fraction) && (whole == "0" || !whole.starts_with('0'));
        let fraction = fraction.trim_end_matches('0');
        is_number.then_some(Self { is_negative, whole: whole.trim_start_matches('0'), fraction })
    }

    fn is_zero(&self) -> bool {
        self.whole.is_empty() && self.fraction.is_empty()
    }

    fn size(&self) -> (usize, &str, &str) {
        (self.whole.len(), self.whole, self.fraction)
    }
}

/// By the numbers; one number in two forms, and texts that are no numbers, by letters.
fn compare(a: &str, b: &str) -> Ordering {
    let (Some(first), Some(second)) = (Digits::read(a), Digits::read(b)) else { return a.cmp(b) };
    let sign = |digits: &Digits<'_>| match digits.is_negative {
        _ if digits.is_zero() => 0,
        true => -1,
        false => 1,
    };
    let sizes = if first.is_negative { second.size().cmp(&first.size()) } else { first.size().cmp(&second.size()) };
    sign(&first).cmp(&sign(&second)).then(sizes).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn long_numbers_go_by_their_size() {
        let ascending = [
            "-18446744073709551616",
            "-18446744073709551615",
            "-2",
            "-0.5",
            "0",
            "0.25",
            "0.5",
            "2",
            "10",
            "9007199254740993",
            "18446744073709551615",
            "18446744073709551615.5",
            "18446744073709551616",
            "100000000000000000000",
        ];
        for (place, a) in ascending.iter().enumerate() {
            for (other, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a, b), place.cmp(&other), "{a} {b}");
            }
        }
        for (texts, are) in [
            (vec![Some("18446744073709551616"), None, Some("2")], true),
            (vec![Some("76561198003753555"), Some("0.5")], true),
            (vec![Some("1"), Some("2")], false),
            (vec![Some("18446744073709551616"), Some("007")], false),
            (vec![Some("18446744073709551616"), Some("NA")], false),
        ] {
            assert_eq!(are_long(&Column::new("x".into(), &texts)), are, "{texts:?}");
        }
    }

    proptest! {
        #[test]
        fn integers_are_ordered_as_integers(a in any::<i128>(), b in any::<i128>(), near in -1_i128..2) {
            for b in [b, a.saturating_add(near), b >> 64] {
                prop_assert_eq!(compare(&a.to_string(), &b.to_string()), a.cmp(&b));
            }
        }
    }
}
