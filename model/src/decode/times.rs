//! Reads dates and instants of records by pattern or as a number since 1970.

use super::json::{Json, quote};
use crate::calendar::{DAY_MS, day_of_date, offset_ms, parts_of_day};
use crate::moment::{self, MomentError};
use crate::number::{self, Mark, NumberError};
use crate::schema::DateFormat;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;

/// A time as RFC 3339.
pub(super) fn written(millis: i64) -> String {
    match Timestamp::from_millisecond(millis) {
        Ok(time) => time.to_string(),
        Err(_) => {
            let (year, month, day) = parts_of_day(millis.div_euclid(DAY_MS));
            let seconds = millis.rem_euclid(DAY_MS) / 1000;
            let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
        }
    }
}

/// Reads seconds (times 10^`power`) since 1970, truncated to milliseconds.
pub(super) fn epoch(json: &Json<'_>, power: u8) -> Result<i64, MomentError> {
    let read = match json {
        Json::Int(number) if power == 0 => Ok(*number),
        Json::Int(number) => number.checked_mul(1000).ok_or(NumberError::Beyond),
        Json::Number(text) | Json::Str(text) => number::floor_scaled(text, power, Mark::Point),
        _ => Err(NumberError::Malformed),
    };
    read.map_err(|error| if error == NumberError::Beyond { MomentError::Beyond } else { MomentError::Malformed })
}

/// Reads a date. A midnight after it is accepted, because some programs write dates as timestamps.
pub(super) fn date(text: &str, pattern: &str) -> Result<i64, MomentError> {
    let read = |text: &str| {
        let date = Date::strptime(pattern, text).ok().filter(|date| has_whole_year(date.year(), text));
        date.map(|date| day_of_date(date) * DAY_MS)
    };
    let without_midnight = || {
        let text = text.trim_end_matches('0').strip_suffix('.').unwrap_or(text);
        let date = text.strip_suffix("00:00:00")?.strip_suffix(['T', ' '])?;
        read(date)
    };
    read(text).or_else(without_midnight).ok_or_else(|| moment::why_no_date(text))
}

/// Reads an instant. Without an offset it is in the schema's zone; with the name of a zone it is in that zone.
pub(super) fn instant(text: &str, pattern: &str, zone: &TimeZone) -> Result<i64, MomentError> {
    let parts = BrokenDownTime::parse(pattern, text).map_err(|_| moment::why_no_date(text))?;
    if !parts.year().is_none_or(|year| has_whole_year(year, text)) {
        return Err(MomentError::Malformed);
    }
    if let Some(time) = parts.timestamp() {
        return Ok(moment::floor_ms(time));
    }
    if parts.iana_time_zone().is_some() {
        return parts.to_zoned().map(|zoned| moment::floor_ms(zoned.timestamp())).map_err(|_| MomentError::Zone);
    }
    let midnight = || parts.to_date().map(|date| date.at(0, 0, 0, 0));
    let civil = parts.to_datetime().or_else(|_| midnight()).map_err(|_| MomentError::Malformed)?;
    let label = moment::civil_ms(civil.date(), civil.time());
    match parts.offset() {
        Some(offset) => Ok(label - i64::from(offset.seconds()) * 1000),
        None => Ok(zone.to_timestamp(civil).map_or_else(|_| label - offset_ms(zone, label), moment::floor_ms)),
    }
}

/// `%Y` would read the `24` of `24-05-01` as the year 24, which is more likely 2024. Four digits are required, as in `0024`.
fn has_whole_year(year: i16, text: &str) -> bool {
    year.unsigned_abs() >= 1000 || text.contains(&format!("{:04}", year.unsigned_abs()))
}

pub(super) fn format_name(format: &DateFormat) -> String {
    match format {
        DateFormat::Pattern(pattern) => quote(pattern),
        DateFormat::Rfc3339 => "RFC 3339".into(),
        DateFormat::EpochMillis => "milliseconds since 1970".into(),
        DateFormat::EpochSeconds => "seconds since 1970".into(),
    }
}
