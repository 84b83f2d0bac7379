//! Which windows a time is in, quickly: a window is worked out once and then found again.

use std::{collections::BTreeMap, ops::Range};

use jiff::civil::Date;
use model::{
    calendar::day_of_date,
    window::{Window, WindowKind, WindowSpec},
};
use polars::{
    datatypes::PlHashMap,
    prelude::{ChunkAgg, DataFrame, DataType, Int64Chunked, TimeUnit},
};

use super::{Spec, WindowError};

const DAY_MS: i64 = 86_400_000;
/// A frame whose dates span more days than this has no table of days.
const MOST_DAYS: i64 = 1 << 18;

/// The event times of a frame, in milliseconds.
#[derive(Debug)]
pub(super) struct Times {
    pub millis: Int64Chunked,
    /// Whether they are dates.
    pub dates: bool,
}

impl Times {
    pub fn of(frame: &DataFrame, name: &str) -> Result<Self, WindowError> {
        let column = frame.column(name).map_err(|_| WindowError::no_column(frame, name))?;
        let (dates, times, over) = match column.dtype() {
            DataType::Date => (true, DAY_MS, 1),
            DataType::Datetime(TimeUnit::Milliseconds, _) => (false, 1, 1),
            DataType::Datetime(TimeUnit::Microseconds, _) => (false, 1, 1_000),
            DataType::Datetime(TimeUnit::Nanoseconds, _) => (false, 1, 1_000_000),
            _ => return Err(WindowError::wrong_type(column, "the time of a window", "dates or instants")),
        };
        let numbers = column.cast(&DataType::Int64)?.i64()?.clone();
        let millis = match (times, over) {
            (1, 1) => numbers,
            _ => numbers.iter().map(|number| number.map(|number| (number * times).div_euclid(over))).collect(),
        };
        match [millis.min(), millis.max()].into_iter().flatten().find(|millis| !calendar().contains(millis)) {
            Some(millis) => Err(WindowError::Beyond { column: name.to_owned(), millis }),
            None => Ok(Self { millis, dates }),
        }
    }
}

/// The milliseconds of which every window, in every zone, has a start and an end in the calendar.
fn calendar() -> Range<i64> {
    let start_of = |year| day_of_date(Date::constant(year, 1, 1)) * DAY_MS;
    start_of(-9998)..start_of(9999)
}

/// A window with the instant at which it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub window: Window,
    pub ends_at: i64,
}

/// The windows seen so far, by number.
#[derive(Debug)]
pub(super) struct Assign {
    rule: WindowSpec,
    known: Vec<Known>,
    of_start: PlHashMap<i64, u32>,
    /// First instant, end and number of the calendar's windows.
    intervals: BTreeMap<i64, (i64, u32)>,
    last: (i64, i64, u32),
}

impl Assign {
    /// `None` for sessions, which are no windows of the time alone.
    pub fn new(spec: &Spec, dates: bool) -> Option<Self> {
        if let WindowKind::Session { .. } = spec.windows {
            return None;
        }
        let (known, of_start, intervals) = Default::default();
        Some(Self { rule: spec.windows_of(dates), known, of_start, intervals, last: (0, 0, 0) })
    }

    pub fn window(&self, number: u32) -> Known {
        self.known[number as usize]
    }

    /// Whether a time may be in several windows.
    pub fn is_hopping(&self) -> bool {
        matches!(self.rule.kind(), WindowKind::Hopping(_))
    }

    /// The numbers of all windows that hold a time.
    pub fn all(&mut self, millis: i64, numbers: &mut Vec<u32>) {
        numbers.clear();
        self.rule.for_each(millis, |window| {
            let ends_at = self.rule.ends_at(window);
            numbers.push(number(&mut self.known, &mut self.of_start, Known { window, ends_at }));
        });
    }

    /// The number of each time's window; `u32::MAX` where there is no time. Not for hopping windows.
    pub fn each(&mut self, times: &Times) -> Vec<u32> {
        let days = if times.dates { self.days(&times.millis) } else { None };
        match days {
            Some((first, table)) => {
                let of_day = |millis: i64| table[(millis.div_euclid(DAY_MS) - first) as usize];
                times.millis.iter().map(|millis| millis.map_or(u32::MAX, of_day)).collect()
            }
            None => times.millis.iter().map(|millis| millis.map_or(u32::MAX, |millis| self.one(millis))).collect(),
        }
    }

    /// Windows of every day from the first to the last, where there are not too many.
    fn days(&mut self, millis: &Int64Chunked) -> Option<(i64, Vec<u32>)> {
        let (first, last) = (millis.iter().flatten().min()?, millis.iter().flatten().max()?);
        let (first, last) = (first.div_euclid(DAY_MS), last.div_euclid(DAY_MS));
        // A table that is larger than the frame would cost more than it saves.
        if last - first > MOST_DAYS.min(millis.len() as i64) {
            return None;
        }
        Some((first, (first..=last).map(|day| self.one(day * DAY_MS)).collect()))
    }

    fn one(&mut self, millis: i64) -> u32 {
        let (start, end, number) = self.last;
        if start <= millis && millis < end {
            return number;
        }
        let found = self.intervals.range(..=millis).next_back().filter(|(_, (end, _))| millis < *end);
        if let Some((&start, &(end, number))) = found {
            self.last = (start, end, number);
            return number;
        }
        self.work_out(millis)
    }

    fn work_out(&mut self, millis: i64) -> u32 {
        let spec = &self.rule;
        let mut window = Window { start: millis, end: millis };
        spec.for_each(millis, |found| window = found);
        let ends_at = spec.ends_at(window);
        let (first, end) = spec.certain(window);
        let number = number(&mut self.known, &mut self.of_start, Known { window, ends_at });
        self.intervals.insert(first, (end, number));
        self.last = (first, end, number);
        number
    }
}

fn number(known: &mut Vec<Known>, of_start: &mut PlHashMap<i64, u32>, window: Known) -> u32 {
    *of_start.entry(window.window.start).or_insert_with(|| {
        known.push(window);
        known.len() as u32 - 1
    })
}

impl Assign {
    /// Puts back a window that was saved.
    pub fn restore(&mut self, window: Known) -> u32 {
        number(&mut self.known, &mut self.of_start, window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::{Timestamp, tz::TimeZone};
    use model::{calendar::CalendarUnit, window::Timeline};

    /// Clocks that go back across midnight make a date come again: a window that is found again is the one that the rule gives.
    #[test]
    fn windows_are_found_again_as_they_were_worked_out() {
        for name in ["America/St_Johns", "America/Havana", "America/Sao_Paulo", "Pacific/Apia", "Europe/Berlin"] {
            let zone = TimeZone::get(name).unwrap();
            let from: Timestamp = "2005-01-01T00:00:00Z".parse().unwrap();
            let changes: Vec<i64> = zone.following(from).take(20).map(|it| it.timestamp().as_millisecond()).collect();
            for unit in [CalendarUnit::Day, CalendarUnit::Month] {
                let rule = WindowSpec::new(WindowKind::Calendar(unit), Timeline::Zoned(zone.clone()));
                let (known, of_start, intervals) = Default::default();
                let mut assign = Assign { rule: rule.clone(), known, of_start, intervals, last: (0, 0, 0) };
                let minutes = (-1_600..1_600).map(|minute| minute * 1_009 % 1_600);
                for instant in minutes.flat_map(|minute| changes.iter().map(move |change| change + minute * 60_000)) {
                    let number = assign.one(instant);
                    rule.for_each(instant, |window| {
                        assert_eq!(assign.window(number).window, window, "{name}: {instant}")
                    });
                }
            }
        }
    }
}
