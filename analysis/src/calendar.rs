//! Days and milliseconds since 1970-01-01 in UTC as calendar dates, for the years -9999 to 9999.
//!
//! `jiff::Timestamp` ends 26 hours before its calendar does, so that every instant has a local time in every zone. Dates such as
//! 9999-12-31, which stand for "for ever", lie in these hours. Civil times reach them.

use jiff::{
    SignedDuration, Timestamp, Zoned,
    civil::{Date, DateTime},
    fmt::temporal::Pieces,
    tz::TimeZone,
};

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// The date and time in UTC; `None` outside the calendar.
pub(crate) fn utc(millis: i64) -> Option<DateTime> {
    EPOCH.checked_add(SignedDuration::from_millis(millis)).ok()
}

/// The date so many days after 1970-01-01; `None` outside the calendar.
pub(crate) fn date(days: i64) -> Option<Date> {
    utc(days.checked_mul(86_400_000)?).map(DateTime::date)
}

/// Milliseconds since 1970-01-01T00:00:00 of a date and time in UTC, rounded down.
pub(crate) fn millis(utc: DateTime) -> i64 {
    let micros = utc.duration_since(EPOCH).as_micros();
    i64::try_from(micros.div_euclid(1_000)).expect("jiff's years are few enough")
}

/// The local time of an instant and its offset from UTC in seconds. In UTC, with offset 0, where the calendar ends before the
/// local time; `None` outside the calendar.
pub(crate) fn local(millis: i64, zone: &TimeZone) -> Option<(DateTime, i32)> {
    let utc = utc(millis)?;
    let instant =
        Timestamp::from_millisecond(millis).unwrap_or(if millis < 0 { Timestamp::MIN } else { Timestamp::MAX });
    let offset = zone.to_offset(instant).seconds();
    let local = utc.checked_add(SignedDuration::from_secs(offset.into()));
    Some(local.map_or((utc, 0), |local| (local, offset)))
}

/// An offset as RFC 3339 writes it: `+09:00`, with seconds where there are some.
pub(crate) fn offset_text(seconds: i32) -> String {
    let (sign, seconds) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs());
    let text = format!("{sign}{:02}:{:02}", seconds / 3_600, seconds / 60 % 60);
    if seconds.is_multiple_of(60) { text } else { format!("{text}:{:02}", seconds % 60) }
}

/// What a text is in milliseconds since 1970-01-01T00:00:00Z, rounded down: a date with a time of day, with an offset, a zone in
/// brackets, or neither, which means UTC.
pub(crate) fn parse_instant(text: &str) -> Option<i64> {
    let (pieces, local, offset) = parts(text)?;
    let instant = match offset {
        // The offset of the text is kept to, also where a zone in brackets would contradict it.
        Some(offset) => millis(local) - i64::from(offset) * 1_000,
        None if pieces.time_zone_annotation().is_some() => {
            text.parse::<Zoned>().ok()?.timestamp().as_microsecond().div_euclid(1_000)
        }
        None => millis(local),
    };
    utc(instant).map(|_| instant)
}

/// As [`parse_instant`], of a text with an offset, `Z` among them.
pub(crate) fn parse_offset_instant(text: &str) -> Option<i64> {
    parts(text)?.2.and_then(|_| parse_instant(text))
}

fn parts(text: &str) -> Option<(Pieces<'_>, DateTime, Option<i32>)> {
    let pieces = Pieces::parse(text).ok()?;
    let local = pieces.date().to_datetime(pieces.time()?);
    let offset = pieces.to_numeric_offset().map(|offset| offset.seconds());
    Some((pieces, local, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_calendar_is_there() {
        for (millis_of, text) in [
            (253_402_300_799_999, "9999-12-31T23:59:59.999"),
            (253_402_214_400_000, "9999-12-31T00:00:00"),
            (0, "1970-01-01T00:00:00"),
            (-1, "1969-12-31T23:59:59.999"),
            (-62_135_596_800_000, "0001-01-01T00:00:00"),
            (-377_705_116_800_000, "-009999-01-01T00:00:00"),
        ] {
            let found = utc(millis_of).expect(text);
            assert_eq!((found.to_string().as_str(), millis(found)), (text, millis_of));
            assert_eq!(parse_instant(&format!("{text}Z")), Some(millis_of), "{text}");
        }
        assert_eq!((utc(253_402_300_800_000), utc(i64::MAX), date(i64::MAX)), (None, None, None));
        assert_eq!(date(2_932_896).map(|date| date.to_string()).as_deref(), Some("9999-12-31"));
    }

    #[test]
    fn local_times_end_with_the_calendar() {
        let zone = |name| TimeZone::get(name).expect("a zone");
        let shown =
            |millis, name| local(millis, &zone(name)).map(|(at, offset)| format!("{at}{}", offset_text(offset)));
        let last = 253_402_300_799_000;
        assert_eq!(shown(0, "Asia/Seoul").as_deref(), Some("1970-01-01T09:00:00+09:00"));
        assert_eq!(shown(last, "America/New_York").as_deref(), Some("9999-12-31T18:59:59-05:00"));
        assert_eq!(shown(last, "Asia/Seoul").as_deref(), Some("9999-12-31T23:59:59+00:00"));
    }

    #[test]
    fn zones_and_offsets_count() {
        for (text, millis) in [
            ("1970-01-01T01:00:00+01:00", Some(0)),
            ("1970-01-01 01:00[Europe/Berlin]", Some(0)),
            ("1970-01-01T00:00:00", Some(0)),
            ("9999-12-31T23:00:00-01:00", None),
            ("9999-12-31T23:00:00+01:00", Some(253_402_293_600_000)),
            ("1970-01-01", None),
            ("1970-01-01T25:00:00Z", None),
        ] {
            assert_eq!(parse_instant(text), millis, "{text}");
        }
        assert_eq!(parse_offset_instant("1970-01-01T00:00:00"), None);
    }
}
