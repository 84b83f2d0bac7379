//! The calendar's units as half-open ranges of civil days.
//!
//! Days are counted from 1970-01-01 (day 0); the Gregorian calendar is used for all years.

use crate::window::Window;
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

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
        _ => return text.parse::<Timestamp>().ok().map(|instant| instant.as_millisecond()),
    };
    first.parse::<Date>().ok().map(|date| day_of_date(date) * DAY_MS)
}

/// The window of `unit` that holds the civil `day`, by label.
pub(crate) fn window_of(unit: CalendarUnit, day: i64) -> Window {
    let (start, end) = match unit {
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
    };
    Window { start: start * DAY_MS, end: end * DAY_MS }
}

/// The instant in milliseconds at which the civil date `label` begins in `zone`.
pub(crate) fn midnight_in(zone: &TimeZone, label: i64) -> i64 {
    let date = date_of_day(label.div_euclid(DAY_MS));
    match date.to_zoned(zone.clone()) {
        Ok(zoned) => zoned.timestamp().as_millisecond(),
        Err(_) => label,
    }
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
