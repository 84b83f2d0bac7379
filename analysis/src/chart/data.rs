//! Columns of a frame as numbers on an axis, or the reason why they cannot be.
//!
//! Dates and instants become milliseconds since 1970-01-01T00:00, with fractions where there are some, as the clocks of the
//! column's zone show them, texts the place of their first appearance. NaN and infinite
//! values are treated as missing: there is no place for them.

use std::collections::{HashMap, HashSet};

use jiff::{Timestamp, tz::TimeZone};
use polars::prelude::{Column, DataFrame, DataType, Int64Chunked, TimeUnit};

use super::ChartError;
use crate::format;

pub(crate) const MILLIS_PER_DAY: i64 = 86_400_000;

/// What the numbers of an axis are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Domain {
    /// Milliseconds since 1970-01-01T00:00 on the clocks of the column's zone; whether all are at midnight.
    Time {
        days: bool,
    },
    Number,
    /// Places in this list.
    Category(Vec<String>),
}

impl Domain {
    /// A value as people read it.
    pub fn describe(&self, value: f64) -> String {
        match self {
            Self::Time { days: true } => format::date((value as i64).div_euclid(MILLIS_PER_DAY) as i32),
            Self::Time { days: false } => format::precise_timestamp(value),
            Self::Number => value.to_string(),
            Self::Category(names) => names.get(value as usize).cloned().unwrap_or_default(),
        }
    }
}

/// One number per row; `None` where there is nothing to place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Places {
    pub domain: Domain,
    pub of_row: Vec<Option<f64>>,
}

/// A column that exists.
pub(crate) fn column<'a>(frame: &'a DataFrame, name: &str) -> Result<&'a Column, ChartError> {
    frame.column(name).map_err(|_| ChartError::NoColumn {
        column: name.to_owned(),
        known: frame.get_column_names().iter().map(ToString::to_string).collect(),
    })
}

/// A column of numbers.
pub(crate) fn numbers(frame: &DataFrame, name: &str, role: &'static str) -> Result<Vec<Option<f64>>, ChartError> {
    let column = column(frame, name)?;
    let values = if column.dtype().is_primitive_numeric() { as_numbers(column) } else { None };
    let values = values.ok_or_else(|| wrong_type(column, role, "numbers"))?;
    if values.iter().all(Option::is_none) {
        return Err(ChartError::NoValues { column: name.to_owned() });
    }
    Ok(values)
}

/// A column that can be laid out along an axis.
pub(crate) fn places(frame: &DataFrame, name: &str, role: &'static str) -> Result<Places, ChartError> {
    let column = column(frame, name)?;
    let places = match column.dtype() {
        DataType::Date => days(column),
        DataType::Datetime(unit, _) => instants(column, *unit, &format::zone_of(column.dtype())),
        DataType::String => categories(column),
        kind if kind.is_primitive_numeric() => {
            as_numbers(column).map(|of_row| Places { domain: Domain::Number, of_row })
        }
        _ => None,
    };
    let places = places.ok_or_else(|| wrong_type(column, role, "dates, instants, numbers or texts"))?;
    if places.of_row.iter().all(Option::is_none) {
        return Err(ChartError::NoValues { column: name.to_owned() });
    }
    Ok(places)
}

/// Refuses columns that never have values in the same row, of which `found` says whether there is one.
pub(crate) fn refuse_unpaired(found: bool, columns: &[&str]) -> Result<(), ChartError> {
    let unpaired = || ChartError::NoWholeRow { columns: columns.iter().map(ToString::to_string).collect() };
    if found { Ok(()) } else { Err(unpaired()) }
}

fn wrong_type(column: &Column, role: &'static str, expected: &'static str) -> ChartError {
    ChartError::Type { column: column.name().to_string(), found: column.dtype().to_string(), role, expected }
}

fn as_numbers(column: &Column) -> Option<Vec<Option<f64>>> {
    let numbers = column.cast(&DataType::Float64).ok()?;
    Some(numbers.f64().ok()?.iter().map(|value| value.filter(|value| value.is_finite())).collect())
}

fn days(column: &Column) -> Option<Places> {
    let days = column.cast(&DataType::Int32).ok()?;
    let millis = |day: i32| (i64::from(day) * MILLIS_PER_DAY) as f64;
    let of_row = days.i32().ok()?.iter().map(|day| day.map(millis)).collect();
    Some(Places { domain: Domain::Time { days: true }, of_row })
}

fn instants(column: &Column, unit: TimeUnit, zone: &TimeZone) -> Option<Places> {
    let per_milli = match unit {
        TimeUnit::Milliseconds => 1,
        TimeUnit::Microseconds => 1_000,
        TimeUnit::Nanoseconds => 1_000_000,
    };
    let column = column.cast(&DataType::Int64).ok()?;
    let instants = column.i64().ok()?;
    let wall = wall_clock(instants, per_milli, zone);
    let days = wall.iter().flatten().all(|instant| instant.rem_euclid(MILLIS_PER_DAY * per_milli) == 0);
    let millis = |instant: i64| instant as f64 / per_milli as f64;
    let of_row = wall.into_iter().map(|instant| instant.map(millis)).collect();
    Some(Places { domain: Domain::Time { days }, of_row })
}

/// What clocks of the zone show. Where they are put back an hour comes twice; there all instants keep one distance to UTC, that of
/// the first, so that each has a place of its own.
fn wall_clock(instants: &Int64Chunked, per_milli: i64, zone: &TimeZone) -> Vec<Option<i64>> {
    if *zone == TimeZone::UTC {
        return instants.iter().collect();
    }
    let offset = |instant: i64| {
        let at = Timestamp::from_millisecond(instant.div_euclid(per_milli)).unwrap_or_default();
        i64::from(zone.to_offset(at).seconds()) * 1_000 * per_milli
    };
    let shifted = |instant: i64, offset: i64| instant.saturating_add(offset);
    let wall: Vec<Option<i64>> =
        instants.iter().map(|instant| instant.map(|instant| shifted(instant, offset(instant)))).collect();
    let distinct = |values: &mut dyn Iterator<Item = i64>| values.collect::<HashSet<i64>>().len();
    if distinct(&mut wall.iter().flatten().copied()) == distinct(&mut instants.iter().flatten()) {
        return wall;
    }
    let first = instants.iter().flatten().min().map_or(0, offset);
    instants.iter().map(|instant| instant.map(|instant| shifted(instant, first))).collect()
}

fn categories(column: &Column) -> Option<Places> {
    let mut names = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut place = |name: &'_ str| -> usize {
        names.push(format::one_line(name));
        names.len() - 1
    };
    let texts = column.str().ok()?;
    let of_row =
        texts.iter().map(|text| text.map(|text| *places.entry(text).or_insert_with(|| place(text)) as f64)).collect();
    Some(Places { domain: Domain::Category(names), of_row })
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::df;

    #[test]
    fn texts_take_places_in_order_of_appearance() {
        let frame = df!("movie" => [Some("B"), None, Some("A\n"), Some("B")]).expect("a frame");
        let places = places(&frame, "movie", "x").expect("places");
        assert_eq!(places.of_row, [Some(0.0), None, Some(1.0), Some(0.0)]);
        assert_eq!(places.domain, Domain::Category(vec!["B".into(), "A ".into()]));
    }

    #[test]
    fn dates_become_milliseconds_and_read_as_dates() {
        let frame = df!("day" => [-1_i32, 0]).expect("a frame");
        let day = frame.column("day").expect("a column").cast(&DataType::Date).expect("dates");
        let frame = DataFrame::new(2, vec![day]).expect("a frame");
        let places = places(&frame, "day", "x").expect("places");
        assert_eq!(places.of_row, [Some(-86_400_000.0), Some(0.0)]);
        assert_eq!(places.domain.describe(-86_400_000.0), "1969-12-31");
    }

    #[test]
    fn instants_that_a_millisecond_does_not_tell_apart_have_places_of_their_own() {
        let at = 1_600_000_000_000_100_i64;
        for (unit, factor) in [(TimeUnit::Microseconds, 1), (TimeUnit::Nanoseconds, 1_000)] {
            let frame = df!("t" => [at * factor, (at + 100) * factor, -100 * factor]).expect("a frame");
            let instants =
                frame.column("t").expect("a column").cast(&DataType::Datetime(unit, None)).expect("instants");
            let frame = DataFrame::new(3, vec![instants]).expect("a frame");
            let places = places(&frame, "t", "x").expect("places");
            let texts: Vec<String> =
                places.of_row.iter().flatten().map(|place| places.domain.describe(*place)).collect();
            let expected = ["2020-09-13 12:26:40.0001", "2020-09-13 12:26:40.0002", "1969-12-31 23:59:59.9999"];
            assert_eq!(texts, expected, "{unit:?}");
        }
    }

    /// What the places of instants, given in seconds, read as.
    fn clocks(zone: &'static str, seconds: &[i64]) -> Vec<String> {
        let zone = polars::prelude::TimeZone::opt_try_new(Some(zone)).expect("a zone");
        let kind = DataType::Datetime(TimeUnit::Milliseconds, zone);
        let frame = df!("t" => seconds.iter().map(|second| second * 1_000).collect::<Vec<_>>()).expect("a frame");
        let instants = frame.column("t").expect("a column").cast(&kind).expect("instants");
        let places =
            places(&DataFrame::new(seconds.len(), vec![instants]).expect("a frame"), "t", "x").expect("places");
        places.of_row.iter().flatten().map(|place| places.domain.describe(*place)).collect()
    }

    #[test]
    fn instants_stand_where_clocks_of_their_zone_are() {
        assert_eq!(clocks("Asia/Seoul", &[-9 * 3_600, 15 * 3_600]), ["1970-01-01", "1970-01-02"], "midnights in Seoul");
        assert_eq!(clocks("UTC", &[15 * 3_600]), ["1970-01-01 15:00:00"]);
        let (winter, summer) = (1_577_836_800, 1_593_561_600);
        assert_eq!(clocks("Europe/Berlin", &[winter, summer]), ["2020-01-01 01:00:00", "2020-07-01 02:00:00"]);
        // Clocks were put back at 01:00 UTC.
        let twice = 1_603_584_000 + 3 * 1_800;
        let all = clocks("Europe/Berlin", &[twice - 3_600, twice, twice + 3_600]);
        assert_eq!(all, ["2020-10-25 02:30:00", "2020-10-25 03:30:00", "2020-10-25 04:30:00"]);
    }

    #[test]
    fn what_has_no_place_is_missing() {
        let frame = df!("y" => [f64::NAN, f64::INFINITY, 1.0]).expect("a frame");
        assert_eq!(numbers(&frame, "y", "y").expect("numbers"), [None, None, Some(1.0)]);
    }

    #[test]
    fn wrong_columns_are_refused_with_a_reason() {
        let frame = df!("movie" => ["A"], "empty" => [None::<f64>]).expect("a frame");
        let reason = |result: Result<Vec<Option<f64>>, ChartError>| result.expect_err("refused").to_string();
        assert_eq!(reason(numbers(&frame, "film", "y")), "the frame has no column \"film\"; it has movie, empty");
        assert_eq!(reason(numbers(&frame, "movie", "y")), "column \"movie\" is str; y needs numbers");
        assert_eq!(reason(numbers(&frame, "empty", "y")), "column \"empty\" has no values, only nulls");
    }
}
