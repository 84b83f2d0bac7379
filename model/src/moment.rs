//! Instants as RFC 3339 and RFC 9557 write them, in milliseconds since 1970.
//!
//! All forms of RFC 3339 are read: lower case, a blank for the `T`, any number of decimals (cut to milliseconds, also before 1970), a leap
//! second (as the last millisecond-less second before it, because UTC in milliseconds has none), and offsets without a colon. A zone in
//! brackets is honoured: it must agree with the offset, and without an offset the civil time must exist once in the zone.
//!
//! Every instant whose civil date in UTC is in the years -9999 to 9999 can be held.

use crate::calendar::{DAY_MS, day_of_date};
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::fmt::temporal::{DateTimeParser, Pieces};
use jiff::tz::Disambiguation;

/// The first millisecond that can be held: the year -9999.
pub const FIRST: i64 = -377_705_116_800_000;
/// The last millisecond that can be held: 9999-12-31T23:59:59.999Z.
pub const LAST: i64 = 253_402_300_799_999;

/// Why a text is not an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// It is not written as RFC 3339.
    #[error("not written as RFC 3339")]
    Malformed,
    /// It has a date and a time, but neither an offset nor a zone.
    #[error("a time without an offset")]
    NoOffset,
    /// Its zone is unknown, contradicts its offset, or has the civil time twice or never.
    #[error("a time that its zone does not have, or has twice")]
    Zone,
    /// It is outside the years -9999 to 9999.
    #[error("outside the years -9999 to 9999")]
    Beyond,
}

/// What a text says about an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The instant, in milliseconds.
    Instant(i64),
    /// A date and a time without an offset: milliseconds by label, as if they were UTC.
    Civil(i64),
}

/// Reads an instant.
///
/// # Errors
/// [`MomentError`] says why the text is not one.
///
/// ```
/// use model::moment::{MomentError, parse};
/// assert_eq!(parse("1970-01-01T00:00:01.5Z"), Ok(1_500));
/// assert_eq!(parse("1970-01-01t01:00:01+0100"), Ok(1_000));
/// assert_eq!(parse("1970-01-01T01:00:01[Europe/Berlin]"), Ok(1_000));
/// assert_eq!(parse("1970-01-01T00:00:01"), Err(MomentError::NoOffset));
/// ```
pub fn parse(text: &str) -> Result<i64, MomentError> {
    match read(text)? {
        Reading::Instant(millis) => Ok(millis),
        Reading::Civil(_) => Err(MomentError::NoOffset),
    }
}

/// Reads an instant, or a date and a time that have no offset.
///
/// # Errors
/// [`MomentError`] says why the text is neither; it is never [`NoOffset`](MomentError::NoOffset).
///
/// ```
/// use model::moment::{Reading, read};
/// assert_eq!(read("1970-01-01T00:00:01+00:00"), Ok(Reading::Instant(1_000)));
/// assert_eq!(read("1970-01-01 00:00:01"), Ok(Reading::Civil(1_000)));
/// ```
pub fn read(text: &str) -> Result<Reading, MomentError> {
    let text = text.trim();
    // Most texts are instants of the library, with nothing to check.
    if !text.ends_with(']')
        && let Ok(time) = text.parse::<Timestamp>()
        && (time.as_second().rem_euclid(60) != 59 || !text.contains(":60"))
    {
        return Ok(Reading::Instant(floor_ms(time)));
    }
    match Pieces::parse(text) {
        Ok(pieces) => of_pieces(&pieces, text),
        Err(_) => match cut_decimals(text) {
            Some(cut) => Pieces::parse(&cut).map_err(|_| why_no_date(text)).and_then(|pieces| of_pieces(&pieces, &cut)),
            None => Err(why_no_date(text)),
        },
    }
}

/// Milliseconds of a civil date and time by label, as if it were UTC.
pub(crate) fn civil_ms(date: Date, time: Time) -> i64 {
    let [hour, minute, second] = [time.hour(), time.minute(), time.second()].map(i64::from);
    let millis = ((hour * 60 + minute) * 60 + second) * 1000 + i64::from(time.subsec_nanosecond()) / 1_000_000;
    day_of_date(date) * DAY_MS + millis
}

/// Checks that an instant can be held.
pub(crate) fn held(millis: i64) -> Result<i64, MomentError> {
    if (FIRST..=LAST).contains(&millis) { Ok(millis) } else { Err(MomentError::Beyond) }
}

/// Milliseconds of an instant, cut towards the past.
pub(crate) fn floor_ms(time: Timestamp) -> i64 {
    let is_cut_upwards = time.subsec_nanosecond() < 0 && time.subsec_nanosecond() % 1_000_000 != 0;
    time.as_millisecond() - i64::from(is_cut_upwards)
}

fn of_pieces(pieces: &Pieces<'_>, text: &str) -> Result<Reading, MomentError> {
    let time = pieces.time().ok_or(MomentError::Malformed)?;
    if pieces.time_zone_annotation().is_some() {
        return in_zone(text).map(Reading::Instant);
    }
    let label = civil_ms(pieces.date(), time);
    let offset = pieces.to_numeric_offset().map(|offset| i64::from(offset.seconds()) * 1000);
    let millis = label - offset.unwrap_or(0);
    // The parser has made 59 of a second 60.
    if text.contains(":60") && !is_before_leap_second(millis) {
        return Err(MomentError::Malformed);
    }
    let millis = held(millis)?;
    Ok(if offset.is_some() { Reading::Instant(millis) } else { Reading::Civil(millis) })
}

fn in_zone(text: &str) -> Result<i64, MomentError> {
    static PARSER: DateTimeParser = DateTimeParser::new().disambiguation(Disambiguation::Reject);
    if text.contains(":60") {
        return Err(MomentError::Malformed);
    }
    let zoned = PARSER.parse_zoned(text).map_err(|_| MomentError::Zone)?;
    held(floor_ms(zoned.timestamp()))
}

/// Leap seconds follow 23:59:59 UTC on the last day of a month.
fn is_before_leap_second(millis: i64) -> bool {
    let next = millis.div_euclid(1000) + 1;
    next.rem_euclid(86_400) == 0 && crate::calendar::date_of_day(next / 86_400).day() == 1
}

/// The text with nine decimals of the second, if it has more.
fn cut_decimals(text: &str) -> Option<String> {
    const KEPT: usize = 9;
    let mark = text.find(['.', ','])? + 1;
    let decimals = text[mark..].bytes().take_while(u8::is_ascii_digit).count();
    (decimals > KEPT).then(|| format!("{}{}", &text[..mark + KEPT], &text[mark + decimals..]))
}

/// A year of five digits or more, with the rest of a date behind it, is beyond the calendar; anything else is not a date.
pub(crate) fn why_no_date(text: &str) -> MomentError {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_date = unsigned.split_once('-').is_some_and(|(year, rest)| {
        let digits = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_digit);
        let month_and_day = matches!(rest.as_bytes(), [m, o, b'-', d, a, ..] if digits(&[*m, *o, *d, *a]));
        year.len() > 4 && digits(year.as_bytes()) && month_and_day
    });
    if is_date { MomentError::Beyond } else { MomentError::Malformed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEN: i64 = 1_714_557_600_000;

    #[test]
    fn the_bounds_are_those_of_the_calendar() {
        assert_eq!(FIRST, day_of_date(Date::MIN) * DAY_MS);
        assert_eq!(LAST, (day_of_date(Date::MAX) + 1) * DAY_MS - 1);
    }

    #[test]
    fn every_form_of_rfc_3339_is_read() {
        for (text, millis) in [
            ("2024-05-01T10:00:00Z", TEN),
            ("2024-05-01t10:00:00z", TEN),
            ("2024-05-01 10:00:00Z", TEN),
            (" 2024-05-01T10:00:00Z ", TEN),
            ("2024-05-01T10:00:00+00:00", TEN),
            ("2024-05-01T10:00:00-00:00", TEN),
            ("2024-05-01T10:00:00+0000", TEN),
            ("2024-05-01T10:00:00+00", TEN),
            ("2024-05-01T15:30:00+05:30", TEN),
            ("2024-05-01T12:00:00.000+0200", TEN),
            ("2024-05-01T10:00:00.5Z", TEN + 500),
            ("2024-05-01T10:00:00,123Z", TEN + 123),
            ("2024-05-01T10:00:00.123456789123456Z", TEN + 123),
            ("2024-05-01T10:00Z", TEN),
            ("20240501T100000Z", TEN),
            ("2024-05-01T12:00:00+02:00[Europe/Berlin]", TEN),
            ("2024-05-01T12:00:00[Europe/Berlin]", TEN),
            ("2024-05-01T10:00:00Z[Europe/Berlin]", TEN),
            ("2024-05-01T10:00:00.1234567891Z[Europe/Berlin]", TEN + 123),
            ("2016-12-31T23:59:60Z", 1_483_228_799_000),
            ("2017-01-01T05:29:60+05:30", 1_483_228_799_000),
            ("2016-12-31T23:59:59.9999999Z", 1_483_228_799_999),
            ("1969-12-31T23:59:59.9999Z", -1),
            ("9999-12-31T23:59:59.999Z", LAST),
            ("9999-12-31T23:59:59Z", LAST - 999),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000),
            ("-009999-01-01T00:00:00Z", FIRST),
        ] {
            assert_eq!(parse(text), Ok(millis), "{text}");
        }
    }

    #[test]
    fn what_is_not_certain_is_refused_with_the_reason() {
        use MomentError::{Beyond, Malformed, NoOffset, Zone};
        for (text, error) in [
            ("2024-05-01T10:00:00", NoOffset),
            ("2024-05-01T24:00:00Z", Malformed),
            ("2024-05-01T12:00:60Z", Malformed),
            ("2024-05-01T23:59:60Z", Malformed),
            ("2024-05-01T23:59:61Z", Malformed),
            ("2024-02-30T10:00:00Z", Malformed),
            ("2024-05-01", Malformed),
            ("2024-05-01T10:00:00 UTC", Malformed),
            ("Wed, 01 May 2024 10:00:00 GMT", Malformed),
            ("/Date(1714557600000)/", Malformed),
            ("1714557600", Malformed),
            ("", Malformed),
            ("2024-05-01T10:00:00+05:00[Europe/Berlin]", Zone),
            ("2024-05-01T10:00:00[Europe/Atlantis]", Zone),
            // Twice, and never.
            ("2024-10-27T02:30:00[Europe/Berlin]", Zone),
            ("2024-03-31T02:30:00[Europe/Berlin]", Zone),
            ("9999-12-31T23:59:59-05:00", Beyond),
            ("-009999-01-01T00:00:00+01:00", Beyond),
            ("10000-01-01T00:00:00Z", Beyond),
            ("+275760-09-13T00:00:00Z", Beyond),
            ("300000-01-01T00:00:00Z", Beyond),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_instant_is_read_back(millis in -377_000_000_000_000_i64..253_402_207_200_000, nanos in 0_i64..1_000_000) {
            let nanos = i128::from(millis) * 1_000_000 + i128::from(nanos);
            let text = Timestamp::from_nanosecond(nanos).unwrap().to_string();
            prop_assert_eq!(parse(&text), Ok(millis), "{}", text);
        }
    }
}
