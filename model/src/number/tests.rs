use super::*;
use proptest::prelude::*;

/// Digits in groups of three.
fn grouped(digits: &str, separator: char) -> String {
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(separator);
        }
        text.push(digit);
    }
    text
}

/// Whether a text is what a program prints that writes numbers with this mark: written again from its digits it is the same text.
fn is_written_by_a_program(text: &str, mark: char, separators: &[char]) -> bool {
    let unsigned = text.trim();
    let unsigned = unsigned.strip_prefix(['+', '-']).unwrap_or(unsigned);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once(mark).map_or((mantissa, None), |(w, f)| (w, Some(f)));
    let is_number = |text: &str| text.chars().all(|digit| digit.is_ascii_digit());
    let digits: String = whole.chars().filter(char::is_ascii_digit).collect();
    let plain = is_number(whole);
    let again = separators.iter().any(|&separator| grouped(&digits, separator) == whole);
    let exponent_is_well =
        exponent.is_none_or(|text| !text.trim_start_matches(['+', '-']).is_empty() && text.parse::<i64>().is_ok());
    let fraction_is_well = fraction.is_none_or(is_number);
    let is_there = !digits.is_empty() || fraction.is_some_and(|fraction| !fraction.is_empty());
    let in_groups = again && !digits.starts_with('0') && exponent.is_none() && fraction != Some("");
    exponent_is_well && fraction_is_well && is_there && (plain || in_groups)
}

/// The value of a text of the grammar as `digits × 10^power`, by another way than the program's.
fn value(text: &str, mark: char) -> (bool, String, i64) {
    let text = text.trim().to_ascii_lowercase();
    let negative = text.starts_with('-');
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (whole, fraction) = mantissa.split_once(mark).unwrap_or((mantissa, ""));
    let digits: String = format!("{whole}{fraction}").chars().filter(char::is_ascii_digit).collect();
    let power = exponent.parse::<i64>().unwrap() - fraction.len() as i64;
    let significant = digits.trim_start_matches('0').trim_end_matches('0').to_owned();
    let zeros = digits.trim_start_matches('0').len() - significant.len();
    (
        negative && !significant.is_empty(),
        significant.clone(),
        if significant.is_empty() { 0 } else { power + zeros as i64 },
    )
}

fn check(text: &str, mark: Mark) {
    let (character, separators): (char, &[char]) = match mark {
        Mark::Point => ('.', &[',']),
        Mark::Comma => (',', &['.', ' ', '\u{a0}', '\u{202f}']),
    };
    let is_number = is_written_by_a_program(text, character, separators);
    assert_eq!(float(text, mark) != Err(NumberError::Malformed), is_number, "{text:?} with {mark}");
    let read = int(text, mark);
    if !is_number {
        assert_eq!(read, Err(NumberError::Malformed), "{text:?} with {mark}");
        return;
    }
    let (negative, digits, power) = value(text, character);
    if power < 0 {
        assert_eq!(read, Err(NumberError::NotWhole), "{text:?}");
        return;
    }
    let sign = if negative { "-" } else { "" };
    let written = format!("{sign}{digits}{}", "0".repeat(power as usize));
    let written = if digits.is_empty() { "0".to_owned() } else { written };
    let expected = written.parse::<i64>().map_err(|_| NumberError::Beyond);
    assert_eq!(read, expected, "{text:?} with {mark}");
    let expected = written.parse().ok().filter(|number: &f64| number.is_finite()).ok_or(NumberError::Beyond);
    assert_eq!(float(text, mark), expected, "{text:?} with {mark}");
}

/// Every text of up to six of these characters: an accepted text is one that is written again as it was, and its value is that of its digits.
#[test]
fn every_short_text_is_read_as_it_is_written_or_refused() {
    const CHARACTERS: [char; 9] = ['0', '1', '7', '.', ',', '-', 'e', ' ', '\u{a0}'];
    let mut texts = vec![String::new()];
    for _ in 0..6 {
        texts = texts.iter().flat_map(|text| CHARACTERS.map(|character| format!("{text}{character}"))).collect();
        for text in &texts {
            check(text, Mark::Point);
            check(text, Mark::Comma);
        }
    }
}

#[test]
fn what_is_not_certain_is_refused() {
    for text in [
        "1.234,56",
        "3.5,7",
        "0,123",
        "00,123",
        "1,23",
        "1234,567",
        "12.5,300",
        "1.2e3,400",
        "1,234e5",
        "1,,234",
        ",123",
        "1,234,",
        "1,234.",
        "1 234",
        "1\u{a0}234",
        "1\u{202f}234",
        "1'234",
        "1\u{2019}234",
        "1_000",
        "0x10",
        "1e",
        "1e+",
        "e5",
        ".",
        "-",
        "",
        "--1",
        "+-1",
        "(5)",
        "5-",
        "5%",
        "$5",
        "٣",
        "１２",
        "NaN",
        "inf",
        "-Infinity",
        "1.5.2",
        "１",
        "½",
        "1,234 567",
        "−5",
    ] {
        assert_eq!(int(text, Mark::Point), Err(NumberError::Malformed), "{text}");
        assert_eq!(float(text, Mark::Point), Err(NumberError::Malformed), "{text}");
    }
    for text in ["1,234.5", "1.23", "1.5", "0.123", "1.234 567", "1 234.567", "1,234,567", "1'234,5", "12 34"] {
        assert_eq!(float(text, Mark::Comma), Err(NumberError::Malformed), "{text}");
    }
}

#[test]
fn integers_are_exact_or_refused() {
    for (text, number) in [
        ("8.0", Ok(8)),
        ("-0", Ok(0)),
        ("-0.0", Ok(0)),
        ("+1", Ok(1)),
        ("1e3", Ok(1_000)),
        ("1.5e1", Ok(15)),
        ("1200e-2", Ok(12)),
        (".5e1", Ok(5)),
        ("5.", Ok(5)),
        ("9007199254740993.0", Ok(9_007_199_254_740_993)),
        ("9,007,199,254,740,993", Ok(9_007_199_254_740_993)),
        ("-9223372036854775808.0", Ok(i64::MIN)),
        ("9223372036854775807.000", Ok(i64::MAX)),
        ("9223372036854775808.0", Err(NumberError::Beyond)),
        ("1e19", Err(NumberError::Beyond)),
        ("1e999999999999999999999", Err(NumberError::Beyond)),
        ("0e999999999999999999999", Ok(0)),
        ("1e-999999999999999999999", Err(NumberError::NotWhole)),
        ("1.00000000000000000001", Err(NumberError::NotWhole)),
        ("4503599627370497.3", Err(NumberError::NotWhole)),
    ] {
        assert_eq!(int(text, Mark::Point), number, "{text}");
    }
}

#[test]
fn a_fraction_is_cut_downwards() {
    for (text, millis) in [
        ("1483228799.9999999", Ok(1_483_228_799_999)),
        ("-0.0009", Ok(-1)),
        ("-1.001", Ok(-1_001)),
        ("-1e-60", Ok(-1)),
        ("1e-60", Ok(0)),
        ("1e30", Err(NumberError::Beyond)),
    ] {
        assert_eq!(floor_scaled(text, 3, Mark::Point), millis, "{text}");
    }
}

proptest! {
    #[test]
    fn every_integer_is_read_from_every_spelling(number: i64, zeros in 0_usize..4, mark in prop_oneof![Just(Mark::Point), Just(Mark::Comma)]) {
        let digits = number.unsigned_abs().to_string();
        let sign = if number < 0 { "-" } else { "" };
        let fraction = if zeros > 0 { format!("{}{}", mark.as_char(), "0".repeat(zeros)) } else { String::new() };
        let separators: &[char] = if mark == Mark::Point { &[','] } else { &['.', ' ', '\u{a0}', '\u{202f}'] };
        let in_groups = separators.iter().map(|&separator| grouped(&digits, separator));
        for whole in in_groups.chain([digits.clone(), format!("00{digits}")]) {
            prop_assert_eq!(int(&format!(" {sign}{whole}{fraction}"), mark), Ok(number), "{}", whole);
        }
        let shifted = format!("{sign}{digits}{}e-{zeros}", "0".repeat(zeros));
        prop_assert_eq!(int(&shifted, mark), Ok(number));
    }

    #[test]
    fn every_float_is_read_back(number in any::<f64>().prop_filter("finite", |number| number.is_finite())) {
        prop_assert_eq!(float(&number.to_string(), Mark::Point), Ok(number));
        prop_assert_eq!(float(&format!("{number:e}"), Mark::Point), Ok(number));
        prop_assert_eq!(float(&number.to_string().replace('.', ","), Mark::Comma), Ok(number));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[-+0-9.,eE \u{a0}'_]{0,24}") {
        for mark in [Mark::Point, Mark::Comma] {
            if let Ok(number) = int(&text, mark) {
                prop_assert_eq!(float(&text, mark), Ok(number as f64));
            }
        }
    }
}
