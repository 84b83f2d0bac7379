//! Texts that Excel and its like leave as they are.
//!
//! A spreadsheet that opens a CSV file by a double click takes a cell that begins with `=` for a formula, and turns texts that look
//! like numbers, dates or truths into those: `00123` into 123, `1-2` into a day, 4111111111111111 into 4.11E+15. An apostrophe before
//! such a text keeps it a text; it is seen in the cell.
//!
//! Which character a spreadsheet splits at depends on its country, so that a cell may also begin within a text: behind a semicolon, a
//! tab, a line break or a quote (<https://owasp.org/www-community/attacks/CSV_Injection>).

use std::borrow::Cow;

/// Where a formula begins, also in the full width of East Asian keyboards.
const FORMULA: [char; 9] = ['=', '+', '-', '@', '|', '＝', '＋', '－', '＠'];
/// Behind these a cell may begin.
const SEPARATORS: [char; 5] = [';', '\t', '\r', '\n', '"'];
/// What may stand before a formula: spaces, and characters that are not seen.
const MARKS: [char; 5] = ['\u{feff}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}'];
/// Words in dates and numbers.
const WORDS: [&str; 32] = [
    "e",
    "am",
    "pm",
    "jan",
    "january",
    "feb",
    "february",
    "mar",
    "march",
    "apr",
    "april",
    "may",
    "jun",
    "june",
    "jul",
    "july",
    "aug",
    "august",
    "sep",
    "sept",
    "september",
    "oct",
    "october",
    "nov",
    "november",
    "dec",
    "december",
    "usd",
    "eur",
    "gbp",
    "t",
    "z",
];

/// Digits of a number that a spreadsheet keeps; it makes zeros of the rest.
const MOST_DIGITS: usize = 15;

/// The numeral of a number, with an apostrophe if it has more digits than a spreadsheet keeps; `None` for other texts.
pub(crate) fn number(numeral: &str) -> Option<Cow<'_, str>> {
    let digits = numeral.strip_prefix('-').unwrap_or(numeral);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let is_long = digits.trim_start_matches('0').len() > MOST_DIGITS;
    Some(if is_long { Cow::Owned(format!("'{numeral}")) } else { Cow::Borrowed(numeral) })
}

/// The text with an apostrophe wherever a formula, a number, a date or a truth would begin.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    let disarmed = disarmed(text);
    if disarmed.starts_with('\'') || !(starts_with_separator(text) || is_changed(text)) {
        return disarmed;
    }
    Cow::Owned(format!("'{disarmed}"))
}

fn starts_with_separator(text: &str) -> bool {
    text.starts_with(['\t', '\r', '\n'])
}

/// The text with an apostrophe before each formula.
fn disarmed(text: &str) -> Cow<'_, str> {
    if !text.contains(FORMULA) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 1);
    let mut begins = true;
    for letter in text.chars() {
        if begins && FORMULA.contains(&letter) {
            out.push('\'');
        }
        begins = SEPARATORS.contains(&letter) || begins && (letter.is_whitespace() || MARKS.contains(&letter));
        out.push(letter);
    }
    Cow::Owned(out)
}

/// Whether Excel would make a number, a date, a time, a truth or an error of the text.
fn is_changed(text: &str) -> bool {
    let text = text.trim();
    if ["true", "false"].iter().any(|word| text.eq_ignore_ascii_case(word)) || text.starts_with('#') {
        return true;
    }
    if !text.contains(|letter: char| letter.is_ascii_digit()) {
        return false;
    }
    let mut words = text.split(|letter: char| !letter.is_alphabetic()).filter(|word| !word.is_empty());
    let is_mark =
        |letter: char| letter.is_alphanumeric() || letter.is_whitespace() || ".,:/-+%()'$€£¥".contains(letter);
    text.chars().all(is_mark) && words.all(|word| WORDS.contains(&word.to_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_disarmed_wherever_a_cell_may_begin() {
        for (plain, safe) in [
            ("=1+1", "'=1+1"),
            ("x;=1+1", "x;'=1+1"),
            ("x\t=1+1", "x\t'=1+1"),
            ("x\n=1+1", "x\n'=1+1"),
            ("x;\u{a0} @SUM(A1)", "x;\u{a0} '@SUM(A1)"),
            ("＝1+1", "'＝1+1"),
            ("＠SUM(A1)", "'＠SUM(A1)"),
            ("\u{feff}-1", "\u{feff}'-1"),
            ("\"=1+1", "\"'=1+1"),
            (" =1+1", " '=1+1"),
            ("|calc", "'|calc"),
            ("\tx", "'\tx"),
            ("a;b", "a;b"),
            ("Up = 1", "Up = 1"),
            ("semi-colon; then -1", "semi-colon; then -1"),
            ("", ""),
        ] {
            assert_eq!(text(plain), safe, "{plain:?}");
        }
    }

    #[test]
    fn codes_stay_texts() {
        for code in [
            "00123",
            "4111111111111111",
            "12345678901234567890",
            "1-2",
            "MARCH1",
            "1E5",
            "TRUE",
            "false",
            "0.50",
            "+49 30 1",
            "1/2",
            "12:30",
            "#N/A",
            "2020-05-31",
            "1 May 2020",
            "10%",
            "€5",
            "SEPT2",
            "2020-05-31T10:00:00Z",
        ] {
            assert_eq!(text(code), format!("'{code}"), "{code}");
        }
        for plain in ["plain", "12 Angry Men (1957)", "Up (2009)", "A1", "B2B", "기생충 2", "march", "truest", "R2-D2"]
        {
            assert_eq!(text(plain), plain);
        }
    }

    #[test]
    fn only_numbers_with_more_digits_than_a_spreadsheet_keeps_become_texts() {
        for (numeral, written) in [
            ("0", Some("0")),
            ("-1", Some("-1")),
            ("999999999999999", Some("999999999999999")),
            ("-999999999999999", Some("-999999999999999")),
            ("1000000000000000", Some("'1000000000000000")),
            ("4111111111111111", Some("'4111111111111111")),
            ("-9223372036854775808", Some("'-9223372036854775808")),
            ("18446744073709551616", Some("'18446744073709551616")),
            ("", None),
            ("-", None),
            ("--1", None),
            ("0.5", None),
            ("2020-05-31 10:00:00.000001", None),
        ] {
            assert_eq!(number(numeral).as_deref(), written, "{numeral:?}");
        }
    }

    proptest! {
        /// At whichever of the separators a reader splits, no cell begins a formula.
        #[test]
        fn no_cell_begins_a_formula(plain in "[ ;\\t\\r\\n\"=+@|,xa1＝－\u{a0}-]{0,12}") {
            let safe = text(&plain);
            for cell in safe.split(SEPARATORS) {
                let seen = cell.trim_start_matches(|letter: char| letter.is_whitespace() || MARKS.contains(&letter));
                prop_assert!(!seen.starts_with(FORMULA), "{:?} in {:?}", cell, safe);
            }
        }
    }
}
