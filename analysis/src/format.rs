//! Numbers, dates and texts as people read them; the same in tables, charts and messages.
//!
//! Dates are days since 1970-01-01, instants milliseconds since 1970-01-01T00:00:00Z, both UTC.

use jiff::{Timestamp, Unit, civil, tz::TimeZone};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

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

/// `2004-05-31`; the number itself for days that no calendar here reaches.
pub(crate) fn date(days: i32) -> String {
    civil_date(days.into()).map_or_else(|| days.to_string(), |date| date.to_string())
}

/// `2004-05-31T18:00:00Z`, with milliseconds where there are some.
pub(crate) fn timestamp(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |instant| instant.to_string())
}

/// `2004-05-31 18:00:00`, with milliseconds where there are some.
pub(crate) fn exact_timestamp(millis: i64) -> String {
    let text = timestamp(millis);
    text.strip_suffix('Z').map_or_else(|| text.clone(), |text| text.replace('T', " "))
}

/// `2004-05-31 18:00:00`, with as many decimals, up to microseconds, as there are.
pub(crate) fn precise_timestamp(millis: f64) -> String {
    let Ok(instant) = Timestamp::from_microsecond((millis * 1_000.0).round() as i64) else {
        return millis.to_string();
    };
    let text = instant.to_string();
    text.strip_suffix('Z').map_or_else(|| text.clone(), |text| text.replace('T', " "))
}

/// `2004-05-31 18:00:00`, without what is always the same in a column of instants.
pub(crate) fn short_timestamp(millis: i64) -> String {
    let Ok(instant) = Timestamp::from_millisecond(millis) else {
        return millis.to_string();
    };
    let seconds = instant.round(Unit::Second).unwrap_or(instant);
    seconds.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The day, where the calendar (years -9999 to 9999) reaches it.
pub(crate) fn civil_date(days: i64) -> Option<civil::Date> {
    let seconds = days.checked_mul(86_400)?;
    Some(Timestamp::from_second(seconds).ok()?.to_zoned(TimeZone::UTC).date())
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
        assert_eq!(short_timestamp(1_000), "1970-01-01 00:00:01");
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
