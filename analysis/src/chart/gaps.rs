//! Windows without a row along an axis of time.
//!
//! A line would run straight over them. So each series gets a row where a run of missing windows begins, and where it is known that
//! a missing row stands for 0 one where the run ends, too: the line in between is that of all windows. The work follows the rows
//! and not the time between them.

use std::collections::BTreeMap;

use model::{
    calendar::CalendarUnit,
    layout::column::WINDOW_END,
    window::{Timeline, WindowKind, WindowSpec},
};
use polars::prelude::{Column, DataFrame, DataType, IdxCa, IdxSize, NamedFrom, PolarsError, Series, TimeUnit};

use super::data::MILLIS_PER_DAY;

/// Milliseconds of the years that the calendar knows, -9999 to 9999.
const CALENDAR: std::ops::Range<i64> = -377_705_116_800_000..253_402_300_800_000;

/// A row that is not there: like `row` but for its window, and the value 0 or none.
struct Missing {
    row: usize,
    start: i64,
}

/// Windows one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Windows(WindowSpec);

impl Windows {
    /// Windows of a table; none where they have no regular starts.
    pub fn of_table(kind: WindowKind) -> Option<Self> {
        (!matches!(kind, WindowKind::Session { .. })).then(|| Self::of_kind(kind))
    }

    fn of_kind(kind: WindowKind) -> Self {
        Self(WindowSpec::new(kind, Timeline::Civil))
    }

    /// The windows that these starts (and ends, where there are some) belong to.
    pub fn of_rows(frame: &DataFrame, starts: &[Option<i64>]) -> Option<Self> {
        let ends = frame.column(WINDOW_END).ok().and_then(millis);
        let mut sorted: Vec<i64> = starts.iter().flatten().copied().collect();
        sorted.sort_unstable();
        sorted.dedup();
        let calendar = [CalendarUnit::Year, CalendarUnit::Quarter, CalendarUnit::Month, CalendarUnit::TenDay]
            .into_iter()
            .chain([CalendarUnit::Week, CalendarUnit::Day])
            .map(|unit| Self::of_kind(WindowKind::Calendar(unit)));
        let fits = |windows: &Self| match &ends {
            Some(ends) => starts.iter().zip(ends).all(|(start, end)| match (start, end) {
                (Some(start), Some(end)) => windows.starts_at(*start) && windows.next(*start) == *end,
                _ => true,
            }),
            // Starts alone are windows of a length only where two of them follow one another.
            None => {
                sorted.iter().all(|start| windows.starts_at(*start))
                    && sorted.windows(2).any(|pair| windows.next(pair[0]) == pair[1])
            }
        };
        let size = match &ends {
            Some(ends) => starts
                .iter()
                .zip(ends)
                .find_map(|(start, end)| end.zip(*start))
                .and_then(|(end, start)| end.checked_sub(start)),
            None => sorted.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).min(),
        };
        let tumbling = size.filter(|size| *size > 0).map(|size| Self::of_kind(WindowKind::Tumbling { size }));
        calendar.chain(tumbling).find(fits)
    }

    fn starts_at(&self, start: i64) -> bool {
        match self.0.kind() {
            WindowKind::Tumbling { size } => start.rem_euclid(size) == 0,
            WindowKind::Hopping(hopping) => start.rem_euclid(hopping.step()) == 0,
            _ => CALENDAR.contains(&start) && self.0.at_start(start).start == start,
        }
    }

    fn step(&self) -> Option<i64> {
        match self.0.kind() {
            WindowKind::Tumbling { size } => Some(size),
            WindowKind::Hopping(hopping) => Some(hopping.step()),
            WindowKind::Calendar(CalendarUnit::Day) => Some(MILLIS_PER_DAY),
            WindowKind::Calendar(CalendarUnit::Week) => Some(7 * MILLIS_PER_DAY),
            _ => None,
        }
    }

    fn next(&self, start: i64) -> i64 {
        self.step().map_or_else(|| self.0.at_start(start).end, |step| start.saturating_add(step))
    }

    fn previous(&self, start: i64) -> i64 {
        self.step().map_or_else(|| self.0.at_start(start.saturating_sub(1)).start, |step| start.saturating_sub(step))
    }

    /// Windows between two starts.
    fn between(&self, first: i64, last: i64) -> u64 {
        if let Some(step) = self.step() {
            return (last.saturating_sub(first) / step - 1).unsigned_abs();
        }
        let mut windows = 0;
        let mut start = self.next(first);
        while start < last {
            windows += 1;
            // At the end of the calendar no window follows.
            match self.next(start) {
                next if next > start => start = next,
                _ => break,
            }
        }
        windows
    }
}

/// Dates and instants in milliseconds, where all of them are whole ones.
pub(crate) fn millis(column: &Column) -> Option<Vec<Option<i64>>> {
    let per_milli = match column.dtype() {
        DataType::Date => {
            let days = column.cast(&DataType::Int32).ok()?;
            return Some(days.i32().ok()?.iter().map(|day| day.map(|day| i64::from(day) * MILLIS_PER_DAY)).collect());
        }
        DataType::Datetime(TimeUnit::Milliseconds, _) => 1,
        DataType::Datetime(TimeUnit::Microseconds, _) => 1_000,
        DataType::Datetime(TimeUnit::Nanoseconds, _) => 1_000_000,
        _ => return None,
    };
    let instants = column.cast(&DataType::Int64).ok()?;
    let whole = |instant: Option<i64>| match instant {
        Some(instant) if instant % per_milli != 0 => None,
        instant => Some(instant.map(|instant| instant / per_milli)),
    };
    instants.i64().ok()?.iter().map(whole).collect()
}

/// Columns of a frame whose missing windows are looked for.
pub(crate) struct Lines<'a> {
    /// Starts of windows.
    pub x: &'a str,
    /// Series of each row.
    pub series: &'a [u64],
    /// Columns of values, and whether one of them is 0 where a row is missing.
    pub values: &'a [(&'a str, bool)],
}

/// What was missing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filled {
    pub frame: DataFrame,
    /// Windows between the first and the last that have no row in any series.
    pub windows: u64,
}

/// The frame with rows for runs of missing windows; the frame as it is where its starts are none of `windows`.
pub(crate) fn filled(frame: &DataFrame, lines: &Lines<'_>, windows: &Windows) -> Result<Option<Filled>, PolarsError> {
    let Some(starts) = millis(frame.column(lines.x)?) else { return Ok(None) };
    let is_date = frame.column(lines.x)?.dtype() == &DataType::Date;
    let is_part_of_day = windows.step().is_some_and(|step| step % MILLIS_PER_DAY != 0);
    if (is_date && is_part_of_day) || !starts.iter().flatten().all(|start| windows.starts_at(*start)) {
        return Ok(None);
    }
    let mut all: Vec<i64> = starts.iter().flatten().copied().collect();
    all.sort_unstable();
    all.dedup();
    let (Some(&first), Some(&last)) = (all.first(), all.last()) else { return Ok(None) };
    let count = all.windows(2).map(|pair| windows.between(pair[0], pair[1])).sum();
    let mut series: BTreeMap<u64, Vec<(i64, usize)>> = BTreeMap::new();
    for (row, (key, start)) in lines.series.iter().zip(&starts).enumerate() {
        series.entry(*key).or_default().extend(start.map(|start| (start, row)));
    }
    let zeros = lines.values.iter().any(|(_, is_zero)| *is_zero);
    let mut missing = Vec::new();
    for mut rows in series.into_values() {
        rows.sort_unstable();
        let (Some(&(begin, row)), Some(&(end, _))) = (rows.first(), rows.last()) else { continue };
        let mut run = |from: i64, to: i64| {
            missing.push(Missing { row, start: from });
            missing.extend((zeros && to > from).then_some(Missing { row, start: to }));
        };
        for pair in rows.windows(2).filter(|pair| windows.next(pair[0].0) < pair[1].0) {
            run(windows.next(pair[0].0), windows.previous(pair[1].0));
        }
        // What was counted as 0 before its first and after its last row is a line, too; without a value there is nothing to draw.
        if zeros && first < begin {
            run(first, windows.previous(begin));
        }
        if zeros && end < last {
            run(windows.next(end), last);
        }
    }
    let frame = if missing.is_empty() { frame.clone() } else { frame.vstack(&rows_of(frame, lines, &missing)?)? };
    Ok(Some(Filled { frame, windows: count }))
}

fn rows_of(frame: &DataFrame, lines: &Lines<'_>, missing: &[Missing]) -> Result<DataFrame, PolarsError> {
    let places = missing.iter().map(|missing| missing.row as IdxSize).collect();
    let mut rows = frame.take(&IdxCa::from_vec("".into(), places))?;
    let starts: Vec<i64> = missing.iter().map(|missing| missing.start).collect();
    let starts = Series::new(lines.x.into(), starts);
    let starts = match frame.column(lines.x)?.dtype() {
        DataType::Date => (starts / MILLIS_PER_DAY).cast(&DataType::Int32)?.cast(&DataType::Date)?,
        DataType::Datetime(unit, zone) => {
            let starts = match unit {
                TimeUnit::Milliseconds => starts,
                TimeUnit::Microseconds => starts * 1_000,
                TimeUnit::Nanoseconds => starts * 1_000_000,
            };
            starts.cast(&DataType::Datetime(*unit, zone.clone()))?
        }
        other => starts.cast(other)?,
    };
    rows.with_column(starts.into())?;
    for (name, is_zero) in lines.values {
        let dtype = frame.column(name)?.dtype().clone();
        let values = match is_zero {
            true => Series::new((*name).into(), vec![0_i32; missing.len()]).cast(&dtype)?,
            false => Series::full_null((*name).into(), missing.len(), &dtype),
        };
        rows.with_column(values.into())?;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{IntoLazy, col, df};

    fn dated(days: &[i32], values: &[i64]) -> DataFrame {
        let frame = df!("window_start" => days, "n" => values).expect("a frame");
        frame.lazy().with_column(col("window_start").cast(DataType::Date)).collect().expect("dates")
    }

    fn points(frame: &DataFrame) -> Vec<(i64, Option<i64>)> {
        let starts = millis(frame.column("window_start").expect("starts")).expect("dates");
        let values = frame.column("n").expect("values").i64().expect("ints").iter();
        let mut points: Vec<_> = starts.into_iter().flatten().map(|start| start / MILLIS_PER_DAY).zip(values).collect();
        points.sort_unstable();
        points
    }

    fn fill(frame: &DataFrame, series: &[u64], is_zero: bool, windows: &Windows) -> Filled {
        let lines = Lines { x: "window_start", series, values: &[("n", is_zero)] };
        filled(frame, &lines, windows).expect("rows").expect("windows")
    }

    #[test]
    fn a_run_of_missing_windows_has_two_ends_of_zero_or_one_gap() {
        // 1 January, 1 May and 1 June 2020.
        let frame = dated(&[18_262, 18_383, 18_414], &[5, 7, 8]);
        let months = Windows::of_table(WindowKind::Calendar(CalendarUnit::Month)).expect("months");
        let zeros = fill(&frame, &[0; 3], true, &months);
        let expected = [(18_262, Some(5)), (18_293, Some(0)), (18_353, Some(0)), (18_383, Some(7)), (18_414, Some(8))];
        assert_eq!((points(&zeros.frame).as_slice(), zeros.windows), (expected.as_slice(), 3));
        let gaps = fill(&frame, &[0; 3], false, &months);
        let expected = [(18_262, Some(5)), (18_293, None), (18_383, Some(7)), (18_414, Some(8))];
        assert_eq!((points(&gaps.frame).as_slice(), gaps.windows), (expected.as_slice(), 3));
    }

    #[test]
    fn a_series_is_zero_before_it_begins_and_after_it_ends() {
        let days = Windows::of_table(WindowKind::Calendar(CalendarUnit::Day)).expect("days");
        let filled = fill(&dated(&[0, 9, 4], &[1, 2, 3]), &[0, 0, 1], true, &days);
        let of_second = |points: Vec<(i64, Option<i64>)>| points.into_iter().filter(|point| point.1 == Some(0)).count();
        assert_eq!((of_second(points(&filled.frame)), filled.windows), (2 + 4, 7), "{:?}", filled.frame);
    }

    #[test]
    fn windows_are_recognised_by_their_starts() {
        let kind = |days: &[i32]| {
            let frame = dated(days, &vec![1; days.len()]);
            let starts = millis(frame.column("window_start").expect("starts")).expect("dates");
            Windows::of_rows(&frame, &starts).map(|windows| windows.0.kind().to_string())
        };
        assert_eq!(kind(&[18_262, 18_383, 18_293]).as_deref(), Some("month"));
        assert_eq!(kind(&[18_262, 18_628]).as_deref(), Some("year"));
        assert_eq!(kind(&[18_281, 18_288]).as_deref(), Some("week"));
        assert_eq!(kind(&[18_281, 18_282, 18_284]).as_deref(), Some("day"));
        assert_eq!(kind(&[18_262, 18_383]), None, "nobody knows what lies between");
    }

    #[test]
    fn the_ends_of_the_calendar_and_of_numbers_end() {
        let never = 2_932_896; // 9999-12-31
        for unit in CalendarUnit::ALL {
            let windows = Windows::of_kind(WindowKind::Calendar(unit));
            let start = |day: i64| (windows.0.at_start(day * MILLIS_PER_DAY).start / MILLIS_PER_DAY) as i32;
            let frame = dated(&[start(0), start(never)], &[1, 2]);
            assert!(fill(&frame, &[0; 2], true, &windows).windows > 7_000, "{unit:?}");
            let edge = dated(&[i32::MIN, 0, i32::MAX], &[1, 2, 3]);
            let lines = Lines { x: "window_start", series: &[0; 3], values: &[("n", true)] };
            assert!(filled(&edge, &lines, &windows).is_ok(), "{unit:?}");
        }
    }
}
