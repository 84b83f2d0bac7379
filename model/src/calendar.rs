//! The calendar's units as half-open ranges of civil days.
//!
//! Days are counted from 1970-01-01 (day 0); the Gregorian calendar is used for all years.

use crate::window::Window;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};

/// Milliseconds of a civil day by label.
pub const DAY_MS: i64 = 86_400_000;

/// A unit of the calendar that can be a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarUnit {
    /// One civil day.
    Day,
    /// Seven days from Monday (ISO 8601).
    Week,
    /// Days 1 to 10, 11 to 20 and 21 to the end of a month.
    TenDay,
    /// One month.
    Month,
    /// Three months from January, April, July, October.
    Quarter,
    /// One year.
    Year,
}

impl CalendarUnit {
    /// All units, smallest first.
    pub const ALL: [Self; 6] = [Self::Day, Self::Week, Self::TenDay, Self::Month, Self::Quarter, Self::Year];

    /// The unit's name in schemas and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::TenDay => "ten_day",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// The unit of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.as_str() == text)
    }
}

/// The third of a month that a day of the month is in: `1_10`, `11_20` or `21_31`.
///
/// ```
/// assert_eq!(model::calendar::ten_day_name(20), "11_20");
/// ```
pub fn ten_day_name(day_of_month: i8) -> &'static str {
    match day_of_month {
        ..=10 => "1_10",
        11..=20 => "11_20",
        _ => "21_31",
    }
}

/// The civil date of a day counted from 1970-01-01, held within the years that the calendar knows (-9999 to 9999).
pub fn date_of_day(day: i64) -> Date {
    let epoch = Date::constant(1970, 1, 1);
    let nearest = if day < 0 { Date::MIN } else { Date::MAX };
    i32::try_from(day).ok().and_then(|day| epoch.checked_add(day.days()).ok()).unwrap_or(nearest)
}

/// The day, counted from 1970-01-01, of a civil date.
pub fn day_of_date(date: Date) -> i64 {
    let year = i64::from(date.year());
    let before = year - 1;
    let leap_days = before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400);
    // 719_162 days lie between 0001-01-01 and 1970-01-01.
    before * 365 + leap_days + i64::from(date.day_of_year()) - 1 - 719_162
}

/// The civil date and time in UTC of an instant in milliseconds; `None` outside the years that the calendar knows.
///
/// [`Timestamp`] ends 26 hours before the calendar does; dates such as 9999-12-31, which stand for "for ever", lie in these hours.
pub fn civil_of(millis: i64) -> Option<DateTime> {
    DateTime::constant(1970, 1, 1, 0, 0, 0, 0).checked_add(SignedDuration::from_millis(millis)).ok()
}

/// The civil date and time of an instant in a zone, with the offset from UTC in seconds. In UTC, with offset 0, if the calendar ends
/// before the local time; `None` outside the calendar.
///
/// ```
/// use model::calendar::local_of;
/// let seoul = jiff::tz::TimeZone::get("Asia/Seoul")?;
/// let (local, offset) = local_of(0, &seoul).expect("in the calendar");
/// assert_eq!((local.to_string().as_str(), offset), ("1970-01-01T09:00:00", 32_400));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn local_of(millis: i64, zone: &TimeZone) -> Option<(DateTime, i32)> {
    let utc = civil_of(millis)?;
    let nearest = if millis < 0 { Timestamp::MIN } else { Timestamp::MAX };
    let offset = zone.to_offset(Timestamp::from_millisecond(millis).unwrap_or(nearest)).seconds();
    let local = utc.checked_add(SignedDuration::from_secs(offset.into()));
    Some(local.map_or((utc, 0), |local| (local, offset)))
}

/// The first instant (milliseconds, UTC) of a year, month or date, or an instant, as people write them.
///
/// ```
/// use model::calendar::{DAY_MS, first_instant_of};
/// assert_eq!(first_instant_of("1970"), Some(0));
/// assert_eq!(first_instant_of("1970-02"), Some(31 * DAY_MS));
/// assert_eq!(first_instant_of("1970-01-02"), Some(DAY_MS));
/// assert_eq!(first_instant_of("1970-01-01T00:00:01Z"), Some(1_000));
/// assert_eq!(first_instant_of("soon"), None);
/// ```
pub fn first_instant_of(text: &str) -> Option<i64> {
    let first = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        10 => text.to_owned(),
        _ => return crate::moment::parse(text).ok(),
    };
    first.parse::<Date>().ok().map(|date| day_of_date(date) * DAY_MS)
}

/// Days after which the calendar, with its weeks, repeats: 400 years.
const CYCLE: i64 = 146_097;

/// The whole cycles by which a day lies outside the years that [`Date`] knows; 0 for a day inside. In a zone, the civil date of an instant
/// at the end of the year 9999 can be in the year 10000.
fn cycles_outside(day: i64) -> i64 {
    let (first, last) = (day_of_date(Date::MIN), day_of_date(Date::MAX));
    if day > last {
        (day - last + CYCLE - 1) / CYCLE
    } else if day < first {
        -((first - day + CYCLE - 1) / CYCLE)
    } else {
        0
    }
}

/// Year, month and day of the month of a day counted from 1970-01-01, also outside the years that [`Date`] knows.
pub(crate) fn parts_of_day(day: i64) -> (i64, i8, i8) {
    let cycles = cycles_outside(day);
    let date = date_of_day(day - cycles * CYCLE);
    (i64::from(date.year()) + cycles * 400, date.month(), date.day())
}

/// The window of `unit` that holds the civil `day`, by label.
pub(crate) fn window_of(unit: CalendarUnit, day: i64) -> Window {
    let moved = cycles_outside(day) * CYCLE;
    let (start, end) = days_of(unit, day - moved);
    Window { start: (start + moved) * DAY_MS, end: (end + moved) * DAY_MS }
}

fn days_of(unit: CalendarUnit, day: i64) -> (i64, i64) {
    match unit {
        CalendarUnit::Day => (day, day + 1),
        CalendarUnit::Week => {
            // 1970-01-01 was a Thursday, the fourth day of its week.
            let start = (day + 3).div_euclid(7) * 7 - 3;
            (start, start + 7)
        }
        CalendarUnit::TenDay => ten_day(date_of_day(day), day),
        CalendarUnit::Month => months(date_of_day(day), 1),
        CalendarUnit::Quarter => months(date_of_day(day), 3),
        CalendarUnit::Year => months(date_of_day(day), 12),
    }
}

/// The civil time of an instant in a zone, as milliseconds by label.
pub(crate) fn label_in(zone: &TimeZone, instant: i64) -> i64 {
    instant + offset_ms(zone, instant)
}

/// The first instant in milliseconds from which on no clock of the zone shows a time before the civil date `label`.
///
/// If clocks are set back across midnight, that is the second midnight: between the two the date before has come again.
pub(crate) fn midnight_in(zone: &TimeZone, label: i64) -> i64 {
    midnights_in(zone, label).1
}

/// The first and the last instant at which the civil date `label` begins in `zone`; they differ where it begins twice.
pub(crate) fn midnights_in(zone: &TimeZone, label: i64) -> (i64, i64) {
    let once = |instant: i64| (instant, instant);
    let day = label.div_euclid(DAY_MS);
    // At the ends of the library's calendar no clock changes.
    let without_change = || label - offset_ms(zone, label);
    if cycles_outside(day) != 0 {
        return once(without_change());
    }
    let midnight = zone.to_ambiguous_timestamp(date_of_day(day).at(0, 0, 0, 0));
    let at = |offset: Offset| label - i64::from(offset.seconds()) * 1000;
    match midnight.offset() {
        AmbiguousOffset::Unambiguous { .. } => {
            once(midnight.compatible().map_or_else(|_| without_change(), Timestamp::as_millisecond))
        }
        // Clocks are set forward over it: the day begins when they are.
        AmbiguousOffset::Gap { before, after } => {
            let change = Timestamp::from_millisecond(at(after)).ok().and_then(|time| zone.following(time).next());
            once(change.map_or_else(|| at(before), |change| change.timestamp().as_millisecond()))
        }
        AmbiguousOffset::Fold { before, after } => {
            let second = at(after);
            (at(before), if label_in(zone, second - 1) < label { second } else { at(before) })
        }
    }
}

/// The zone's offset from UTC at an instant; beyond the library's calendar that of its first or last instant.
pub(crate) fn offset_ms(zone: &TimeZone, instant: i64) -> i64 {
    let nearest = if instant < 0 { Timestamp::MIN } else { Timestamp::MAX };
    let time = Timestamp::from_millisecond(instant).unwrap_or(nearest);
    i64::from(zone.to_offset(time).seconds()) * 1000
}

fn ten_day(date: Date, day: i64) -> (i64, i64) {
    let day_of_month = i64::from(date.day());
    let month_start = day - day_of_month + 1;
    match date.day() {
        ..=10 => (month_start, month_start + 10),
        11..=20 => (month_start + 10, month_start + 20),
        _ => (month_start + 20, month_start + i64::from(date.days_in_month())),
    }
}

/// The run of `size` months (a divisor of 12) from January that holds `date`.
fn months(date: Date, size: i8) -> (i64, i64) {
    let first = (date.month() - 1) / size * size + 1;
    let start = day_of_date(Date::constant(date.year(), first, 1));
    let length: i64 =
        (first..first + size).map(|month| i64::from(Date::constant(date.year(), month, 1).days_in_month())).sum();
    (start, start + length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window(unit: CalendarUnit, date: &str) -> (String, String) {
        let date: Date = date.parse().unwrap();
        let window = window_of(unit, day_of_date(date));
        let name = |label: i64| date_of_day(label / DAY_MS).to_string();
        (name(window.start), name(window.end))
    }

    #[test]
    fn units_begin_and_end_where_the_calendar_says() {
        use CalendarUnit::*;
        for (unit, date, start, end) in [
            (Day, "2020-02-29", "2020-02-29", "2020-03-01"),
            (Week, "2020-03-01", "2020-02-24", "2020-03-02"),
            (Week, "1969-12-31", "1969-12-29", "1970-01-05"),
            (TenDay, "2020-02-10", "2020-02-01", "2020-02-11"),
            (TenDay, "2020-02-11", "2020-02-11", "2020-02-21"),
            (TenDay, "2020-02-29", "2020-02-21", "2020-03-01"),
            (TenDay, "2020-01-31", "2020-01-21", "2020-02-01"),
            (Month, "1969-12-31", "1969-12-01", "1970-01-01"),
            (Month, "1900-02-28", "1900-02-01", "1900-03-01"),
            (Quarter, "2021-11-05", "2021-10-01", "2022-01-01"),
            (Year, "2000-12-31", "2000-01-01", "2001-01-01"),
        ] {
            assert_eq!(window(unit, date), (start.to_owned(), end.to_owned()), "{unit:?} of {date}");
        }
    }

    /// In every zone, around every change of its clocks: an instant is before the end of its window, and what is at the end or after it
    /// is in a later window.
    #[test]
    fn a_window_ends_after_its_last_instant_in_every_zone() {
        const AROUND: [i64; 10] =
            [-86_400_000, -3_600_000, -60_000, -1, 0, 1, 60_000, 3_599_000, 3_600_000, 86_400_000];
        for name in jiff::tz::db().available() {
            let zone = TimeZone::get(name.as_str()).unwrap();
            let first: Timestamp = "1900-01-01T00:00:00Z".parse().unwrap();
            let changes = zone.following(first).map(|change| change.timestamp().as_millisecond());
            for change in changes.take_while(|&change| change < 2_000_000_000_000) {
                for unit in CalendarUnit::ALL {
                    let window = |instant: i64| window_of(unit, label_in(&zone, instant).div_euclid(DAY_MS));
                    for instant in AROUND.map(|by| change + by) {
                        let end = midnight_in(&zone, window(instant).end);
                        assert!(instant < end, "{name}: {instant} is not before the end of its {unit:?}, {end}");
                        for after in [0, 1, 1_800_000, 3_600_000, 7_200_000] {
                            let later = window(end + after);
                            assert!(
                                later.start >= window(instant).end,
                                "{name}: {} is in a {unit:?} that has ended",
                                end + after
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_day_ends_with_its_last_instant_where_clocks_change_at_midnight() {
        for (zone, last) in [
            // Clocks went from 00:01 back to 23:01.
            ("America/St_Johns", "2010-11-07T03:29:59.999Z"),
            ("America/Goose_Bay", "2010-11-07T03:59:59.999Z"),
            ("America/Moncton", "2006-10-29T03:59:59.999Z"),
            // From 24:00 back to 23:00, and from 01:00 back to 00:00.
            ("America/Sao_Paulo", "2018-02-18T02:59:59.999Z"),
            ("America/Havana", "2010-10-31T03:59:59.999Z"),
            // Forward over midnight, and over a whole day.
            ("Asia/Beirut", "2020-03-28T21:59:59.999Z"),
            ("Pacific/Apia", "2011-12-30T09:59:59.999Z"),
        ] {
            let zone = TimeZone::get(zone).unwrap();
            let last = crate::moment::parse(last).unwrap();
            let day = label_in(&zone, last).div_euclid(DAY_MS);
            let end = midnight_in(&zone, window_of(CalendarUnit::Day, day).end);
            assert_eq!(end, last + 1, "{zone:?}");
        }
    }

    #[test]
    fn windows_reach_into_the_years_beyond_the_calendar() {
        let last = day_of_date(Date::MAX);
        for unit in CalendarUnit::ALL {
            for zone in ["UTC", "Asia/Seoul", "America/New_York"] {
                let zone = TimeZone::get(zone).unwrap();
                for instant in [
                    crate::moment::LAST,
                    crate::moment::LAST - DAY_MS,
                    crate::moment::FIRST,
                    crate::moment::FIRST + DAY_MS,
                ] {
                    let window = window_of(unit, label_in(&zone, instant).div_euclid(DAY_MS));
                    let label = label_in(&zone, instant);
                    assert!(window.start <= label && label < window.end, "{unit:?} {zone:?} {instant} {window:?}");
                    assert!(instant < midnight_in(&zone, window.end), "{unit:?} {zone:?} {instant} {window:?}");
                }
            }
        }
        assert_eq!(window_of(CalendarUnit::Year, last + 1).start, (last + 1) * DAY_MS);
        assert_eq!(window_of(CalendarUnit::Month, last + 1).end, (last + 32) * DAY_MS);
        assert_eq!(parts_of_day(last + 1), (10_000, 1, 1));
        assert_eq!(parts_of_day(day_of_date(Date::MIN) - 1), (-10_000, 12, 31));
    }

    #[test]
    fn the_whole_calendar_has_civil_times() {
        for (millis, text) in [
            (253_402_300_799_999, "9999-12-31T23:59:59.999"),
            (253_402_214_400_000, "9999-12-31T00:00:00"),
            (-1, "1969-12-31T23:59:59.999"),
            (-62_135_596_800_000, "0001-01-01T00:00:00"),
            (-377_705_116_800_000, "-009999-01-01T00:00:00"),
        ] {
            assert_eq!(civil_of(millis).map(|time| time.to_string()).as_deref(), Some(text));
            assert_eq!(crate::moment::read(text), Ok(crate::moment::Reading::Civil(millis)));
        }
        assert_eq!((civil_of(crate::moment::LAST + 1), civil_of(i64::MAX)), (None, None));
        let last = crate::moment::LAST - 999;
        let local =
            |zone| local_of(last, &TimeZone::get(zone).unwrap()).map(|(time, offset)| (time.to_string(), offset));
        assert_eq!(local("America/New_York"), Some(("9999-12-31T18:59:59".to_owned(), -18_000)));
        assert_eq!(local("Asia/Seoul"), Some(("9999-12-31T23:59:59".to_owned(), 0)));
    }

    proptest! {
        #[test]
        fn days_and_dates_are_inverse(day in -4_000_000_i64..2_900_000) {
            prop_assert_eq!(day_of_date(date_of_day(day)), day);
        }

        #[test]
        fn windows_of_a_unit_follow_each_other_without_gap(day in -700_000_i64..2_000_000, unit in 0..6_usize) {
            let unit = CalendarUnit::ALL[unit];
            let window = window_of(unit, day);
            prop_assert!(window.start <= day * DAY_MS && day * DAY_MS < window.end);
            prop_assert_eq!(window_of(unit, window.end / DAY_MS).start, window.end);
            prop_assert_eq!(window_of(unit, window.start / DAY_MS), window);
        }
    }
}
