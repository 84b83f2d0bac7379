//! Numbers, dates and texts as people read them; the same in tables, charts and messages.
//!
//! Dates are days since 1970-01-01, instants milliseconds since 1970-01-01T00:00:00Z, both UTC.

use jiff::{SignedDuration, tz::TimeZone};
use polars::prelude::DataType;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use model::calendar;

/// An integer with thousands separators.
pub(crate) fn count(value: impl Into<i128>) -> String {
    let value = value.into();
    let digits = value.unsigned_abs().to_string();
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}", separated(&digits))
}

/// A number with thousands separators and so many decimals.
pub(crate) fn decimal(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let rounded = format!("{value:.decimals$}");
    let unsigned = rounded.trim_start_matches('-');
    // -0.00 is the rounding of a small negative number, not a negative number.
    let negative = unsigned.len() < rounded.len() && unsigned.contains(|digit| ('1'..='9').contains(&digit));
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{}{point}{fraction}", if negative { "-" } else { "" }, separated(whole))
}

/// Magnitudes that are written without an exponent.
const PLAIN: std::ops::Range<f64> = 1e-5..1e15;

/// Whether a number is so small or so large that only an exponent makes it readable.
pub(crate) fn needs_exponent(value: f64) -> bool {
    value != 0.0 && value.is_finite() && !PLAIN.contains(&value.abs())
}

/// `1.5e-7`: at most so many decimals before the exponent, without zeros at their end.
pub(crate) fn scientific(value: f64, decimals: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let text = format!("{value:.decimals$e}");
    let Some((digits, power)) = text.split_once('e') else { return text };
    let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    format!("{digits}e{power}")
}

/// A number with thousands separators and the fewest digits that read back as the same number.
pub(crate) fn exact(value: f64) -> String {
    if needs_exponent(value) {
        return format!("{value:e}");
    }
    let text = value.to_string();
    let (sign, unsigned) = text.strip_prefix('-').map_or(("", text.as_str()), |unsigned| ("-", unsigned));
    match unsigned.split_once('.') {
        _ if !value.is_finite() => text,
        Some((whole, fraction)) => format!("{sign}{}.{fraction}", separated(whole)),
        None => format!("{sign}{}", separated(unsigned)),
    }
}

/// The power of ten of a number's first digit, 0 of zero.
pub(crate) fn magnitude(value: f64) -> i32 {
    if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 }
}

fn separated(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `2004-05-31`; the number itself for days outside the years -9999 to 9999.
pub(crate) fn date(days: i32) -> String {
    calendar::civil_of(i64::from(days) * calendar::DAY_MS)
        .map_or_else(|| days.to_string(), |time| time.date().to_string())
}

/// `2004-05-31T18:00:00Z`, with milliseconds where there are some.
pub(crate) fn timestamp(millis: i64) -> String {
    calendar::civil_of(millis).map_or_else(|| millis.to_string(), |utc| format!("{utc}Z"))
}

/// `2004-05-31 18:00:00`, with milliseconds where there are some.
pub(crate) fn exact_timestamp(millis: i64) -> String {
    let text = timestamp(millis);
    text.strip_suffix('Z').map_or_else(|| text.clone(), |text| text.replace('T', " "))
}

/// `2004-05-31 18:00:00.123456789`: so many nanoseconds after an instant.
pub(crate) fn fine_timestamp(millis: i64, nanos: i64) -> String {
    let utc = calendar::civil_of(millis).and_then(|utc| utc.checked_add(SignedDuration::from_nanos(nanos)).ok());
    utc.map_or_else(|| millis.to_string(), |utc| utc.to_string().replace('T', " "))
}

/// `2004-05-31 18:00:00`, with as many decimals, up to microseconds, as there are.
pub(crate) fn precise_timestamp(millis: f64) -> String {
    let whole = millis.floor();
    let micros = SignedDuration::from_micros(((millis - whole) * 1_000.0).round() as i64);
    let utc = calendar::civil_of(whole as i64).and_then(|utc| utc.checked_add(micros).ok());
    utc.map_or_else(|| millis.to_string(), |utc| utc.to_string().replace('T', " "))
}

/// `2004-05-31 18:00:00`, without what is always the same in a column of instants; in another zone than UTC
/// `2004-06-01 03:00:00+09:00`.
pub(crate) fn short_timestamp(millis: i64, with_millis: bool, zone: &TimeZone) -> String {
    let Some((local, offset)) = calendar::local_of(millis, zone) else {
        return millis.to_string();
    };
    let time = local.strftime(if with_millis { "%Y-%m-%d %H:%M:%S%.3f" } else { "%Y-%m-%d %H:%M:%S" });
    let offset = if *zone == TimeZone::UTC { String::new() } else { offset_text(offset) };
    format!("{time}{offset}")
}

/// An offset as RFC 3339 writes it: `+09:00`, with seconds where there are some.
pub(crate) fn offset_text(seconds: i32) -> String {
    let (sign, seconds) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs());
    let text = format!("{sign}{:02}:{:02}", seconds / 3_600, seconds / 60 % 60);
    if seconds.is_multiple_of(60) { text } else { format!("{text}:{:02}", seconds % 60) }
}

/// The zone of a column of instants; UTC where it has none, or one that is not known here.
pub(crate) fn zone_of(dtype: &DataType) -> TimeZone {
    match dtype {
        DataType::Datetime(_, Some(zone)) => TimeZone::get(zone.as_str()).unwrap_or(TimeZone::UTC),
        _ => TimeZone::UTC,
    }
}

/// `rating_mean` as words.
pub(crate) fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// `text` without control characters and line breaks, which neither a terminal's row nor XML may hold.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{FFFE}' | '\u{FFFF}') { ' ' } else { c })
        .collect()
}

/// Columns that `text` takes in a terminal.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// `text` cut to `columns` terminal columns, with an ellipsis where something was cut.
pub(crate) fn shortened(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= columns
    };
    let mut short: String = text.chars().take_while(fits).collect();
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separates_thousands() {
        for (value, text) in [(0_i64, "0"), (999, "999"), (1_000, "1,000"), (-1_234_567, "-1,234,567")] {
            assert_eq!(count(value), text);
        }
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn exponents_have_only_the_digits_that_count() {
        let cases = [(1e-7, "1e-7"), (1.5e300, "1.5e300"), (-2.345e-9, "-2.35e-9"), (0.0, "0"), (100.0, "1e2")];
        for (value, text) in cases {
            assert_eq!(scientific(value, 2), text);
        }
        assert!(needs_exponent(9e-6) && needs_exponent(-1e15) && !needs_exponent(0.0) && !needs_exponent(2e-5));
    }

    #[test]
    fn rounds_to_decimals_without_a_negative_zero() {
        for (value, decimals, text) in [
            (1234.567, 1, "1,234.6"),
            (-0.004, 2, "0.00"),
            (-1.5, 0, "-2"),
            (1e15, 0, "1,000,000,000,000,000"),
            (f64::NAN, 2, "NaN"),
        ] {
            assert_eq!(decimal(value, decimals), text);
        }
    }

    #[test]
    fn writes_dates_before_1970_and_beyond_the_calendar() {
        assert_eq!(date(-1), "1969-12-31");
        assert_eq!(date(i32::MAX), i32::MAX.to_string());
        assert_eq!(timestamp(-1), "1969-12-31T23:59:59.999Z");
        let shown = |millis, with_millis| short_timestamp(millis, with_millis, &TimeZone::UTC);
        assert_eq!(
            (shown(1_600, false).as_str(), shown(-1, false).as_str()),
            ("1970-01-01 00:00:01", "1969-12-31 23:59:59")
        );
        assert_eq!(shown(1_600, true), "1970-01-01 00:00:01.600");
        let seoul = TimeZone::get("Asia/Seoul").expect("a zone");
        assert_eq!(short_timestamp(1_600, true, &seoul), "1970-01-01 09:00:01.600+09:00");
    }

    #[test]
    fn shortens_by_what_a_terminal_shows() {
        assert_eq!(shortened("Kill Bill", 9), "Kill Bill");
        assert_eq!(shortened("Kill Bill: Vol. 2", 6), "Kill…");
        assert_eq!(shortened("기생충", 5), "기생…");
        assert_eq!(width(&shortened("기생충", 4)), 3);
    }

    #[test]
    fn takes_line_breaks_and_control_characters_out() {
        assert_eq!(one_line("a\nb\u{1}c\u{2028}d"), "a b c d");
    }
}
