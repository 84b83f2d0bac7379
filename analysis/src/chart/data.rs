//! Columns of a frame as numbers on an axis, or the reason why they cannot be.
//!
//! Dates and instants become milliseconds since 1970-01-01T00:00, with fractions where there are some, as the clocks of the
//! column's zone show them, texts and bools the place of their first appearance. A null among texts is a name of its own. NaN and
//! infinite values have no place on a scale: `notes` counts them.

use std::collections::{HashMap, HashSet};

use jiff::{Timestamp, tz::TimeZone};
use polars::prelude::{Column, DataFrame, DataType, Int64Chunked, TimeUnit};

use super::ChartError;
use crate::format;

/// Whole numbers up to here are exact as floats.
const EXACT: f64 = 9_007_199_254_740_992.0;

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
    /// The place of nulls, where they have a name.
    pub null: Option<f64>,
    /// Whose hours these are, where there are hours.
    pub clock: Option<String>,
}

impl Places {
    fn new(domain: Domain, of_row: Vec<Option<f64>>) -> Self {
        Self { domain, of_row, null: None, clock: None }
    }

    /// Places in a list of names, and one more for nulls, where there are some beside other values.
    fn named(mut names: Vec<String>, of_row: Vec<Option<f64>>) -> Self {
        if names.is_empty() || !of_row.contains(&None) {
            return Self::new(Domain::Category(names), of_row);
        }
        let null = Some(names.len() as f64);
        names.push(apart("none".to_owned(), |name| names.iter().any(|known| known == name)));
        let of_row = of_row.into_iter().map(|place| place.or(null)).collect();
        Self { null, ..Self::new(Domain::Category(names), of_row) }
    }

    /// One place without a name, for all rows.
    pub fn all(rows: usize) -> Self {
        Self::new(Domain::Category(vec![String::new()]), vec![Some(0.0); rows])
    }

    /// Each number or date as a name, in ascending order, and rows without one as the last. Texts stay as they are.
    pub fn into_names(self) -> Self {
        if matches!(self.domain, Domain::Category(_)) {
            return self;
        }
        let known = super::series::distinct(self.of_row.iter().flatten().copied());
        let names: Vec<String> = known.iter().map(|place| self.domain.describe(*place)).collect();
        let at = |place: f64| known.binary_search_by(|known| known.total_cmp(&place)).unwrap_or_default();
        let of_row = self.of_row.iter().map(|place| place.map(|place| at(place) as f64)).collect();
        Self { clock: self.clock, ..Self::named(names, of_row) }
    }
}

/// A name for what has none, in as many parentheses as tell it from the names that are `taken`.
fn apart(mut name: String, taken: impl Fn(&str) -> bool) -> String {
    while taken(&name) {
        name = format!("({name})");
    }
    name
}

/// What a text is called: itself on one line, `(blank)` if it is empty, and in quotes if no letter of it can be seen.
fn visible(text: &str, taken: impl Fn(&str) -> bool) -> String {
    let name = format::one_line(text);
    match format::width(name.trim()) {
        0 if text.is_empty() => apart("(blank)".to_owned(), taken),
        0 => apart(format!("{text:?}"), taken),
        _ => name,
    }
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
    let values = if column.dtype().is_numeric() { as_numbers(column) } else { None };
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
        DataType::Boolean => column.cast(&DataType::String).ok().as_ref().and_then(categories),
        kind if kind.is_numeric() => as_numbers(column).map(|of_row| Places::new(Domain::Number, of_row)),
        _ => None,
    };
    let places = places.ok_or_else(|| wrong_type(column, role, "dates, instants, numbers or texts"))?;
    if places.of_row.iter().all(Option::is_none) {
        return Err(ChartError::NoValues { column: name.to_owned() });
    }
    Ok(places)
}

/// As [`places`], for what tells things apart: whole numbers that a float would mix up are names.
pub(crate) fn levels(frame: &DataFrame, name: &str, role: &'static str) -> Result<Places, ChartError> {
    let column = column(frame, name)?;
    let beyond = |value: Option<f64>| value.is_some_and(|value| value.abs() >= EXACT);
    if !column.dtype().is_integer() || !as_numbers(column).is_some_and(|numbers| numbers.into_iter().any(beyond)) {
        return places(frame, name, role);
    }
    let texts = |column: &Column| column.cast(&DataType::String).ok().as_ref().and_then(categories);
    texts(column).ok_or_else(|| wrong_type(column, role, "dates, instants, numbers or texts"))
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

/// Whether a column says by its name and its values that these are years.
pub(crate) fn are_years(frame: &DataFrame, name: &str) -> bool {
    let is_year = |value: &f64| (1_000.0..3_000.0).contains(value);
    let named = name.split(|c: char| !c.is_alphanumeric()).any(|word| word.eq_ignore_ascii_case("year"));
    let values = numbers(frame, name, "y").ok().filter(|_| named);
    values.is_some_and(|values| values.iter().flatten().all(is_year))
}

/// Values of a column that are NaN or infinite.
pub(crate) fn not_finite(column: &Column) -> usize {
    if !column.dtype().is_float() {
        return 0;
    }
    let numbers = column.cast(&DataType::Float64).ok();
    let numbers = numbers.as_ref().and_then(|numbers| numbers.f64().ok());
    numbers.map_or(0, |numbers| numbers.iter().flatten().filter(|value| !value.is_finite()).count())
}

fn days(column: &Column) -> Option<Places> {
    let days = column.cast(&DataType::Int32).ok()?;
    let millis = |day: i32| (i64::from(day) * MILLIS_PER_DAY) as f64;
    let of_row = days.i32().ok()?.iter().map(|day| day.map(millis)).collect();
    Some(Places::new(Domain::Time { days: true }, of_row))
}

fn instants(column: &Column, unit: TimeUnit, zone: &TimeZone) -> Option<Places> {
    let per_milli = match unit {
        TimeUnit::Milliseconds => 1,
        TimeUnit::Microseconds => 1_000,
        TimeUnit::Nanoseconds => 1_000_000,
    };
    let column = column.cast(&DataType::Int64).ok()?;
    let instants = column.i64().ok()?;
    let (wall, clock) = wall_clock(instants, per_milli, zone);
    let days = wall.iter().flatten().all(|instant| instant.rem_euclid(MILLIS_PER_DAY * per_milli) == 0);
    let millis = |instant: i64| instant as f64 / per_milli as f64;
    let of_row = wall.into_iter().map(|instant| instant.map(millis)).collect();
    Some(Places { clock: (!days).then_some(clock), ..Places::new(Domain::Time { days }, of_row) })
}

/// What clocks of the zone show, and the name of these clocks. Where they are put back an hour comes twice; there all instants keep
/// one distance to UTC, that of the first, so that each has a place of its own.
fn wall_clock(instants: &Int64Chunked, per_milli: i64, zone: &TimeZone) -> (Vec<Option<i64>>, String) {
    if *zone == TimeZone::UTC {
        return (instants.iter().collect(), "UTC".to_owned());
    }
    let name = zone.iana_name().unwrap_or("the column's zone").to_owned();
    let offset = |instant: i64| {
        let at = Timestamp::from_millisecond(instant.div_euclid(per_milli)).unwrap_or_default();
        i64::from(zone.to_offset(at).seconds()) * 1_000 * per_milli
    };
    let shifted = |instant: i64, offset: i64| instant.saturating_add(offset);
    let wall: Vec<Option<i64>> =
        instants.iter().map(|instant| instant.map(|instant| shifted(instant, offset(instant)))).collect();
    let distinct = |values: &mut dyn Iterator<Item = i64>| values.collect::<HashSet<i64>>().len();
    if distinct(&mut wall.iter().flatten().copied()) == distinct(&mut instants.iter().flatten()) {
        return (wall, name);
    }
    let earliest = instants.iter().flatten().min().unwrap_or_default();
    let first = offset(earliest);
    let at = Timestamp::from_millisecond(earliest.div_euclid(per_milli)).unwrap_or_default();
    let clock = format!("UTC{}, not the clocks of {name}, which are put back meanwhile", zone.to_offset(at));
    (instants.iter().map(|instant| instant.map(|instant| shifted(instant, first))).collect(), clock)
}

fn categories(column: &Column) -> Option<Places> {
    let mut known = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut place = |text: &'_ str| -> usize {
        known.push(text.to_owned());
        known.len() - 1
    };
    let texts = column.str().ok()?;
    let of_row: Vec<Option<f64>> =
        texts.iter().map(|text| text.map(|text| *places.entry(text).or_insert_with(|| place(text)) as f64)).collect();
    let names = known.iter().map(|text| visible(text, |name| places.contains_key(name))).collect();
    Some(Places::named(names, of_row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::df;

    #[test]
    fn texts_take_places_in_order_of_appearance() {
        let frame = df!("movie" => [Some("B"), None, Some("A\n"), Some("B")]).expect("a frame");
        let places = places(&frame, "movie", "x").expect("places");
        assert_eq!(places.of_row, [Some(0.0), Some(2.0), Some(1.0), Some(0.0)]);
        assert_eq!(places.domain, Domain::Category(vec!["B".into(), "A ".into(), "none".into()]));
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
    fn a_missing_name_is_told_from_the_name_none() {
        let frame = df!("k" => [Some("none"), None, Some("(none)")]).expect("a frame");
        let names = places(&frame, "k", "by").expect("places").domain;
        assert_eq!(names, Domain::Category(vec!["none".into(), "(none)".into(), "((none))".into()]));
    }

    #[test]
    fn names_that_cannot_be_seen_are_told_from_others_and_from_nulls() {
        for (texts, names) in [
            (vec![Some(""), Some("a")], vec!["(blank)", "a"]),
            (vec![Some("a"), Some(""), None], vec!["a", "(blank)", "none"]),
            (vec![Some(""), Some("(blank)"), None], vec!["((blank))", "(blank)", "none"]),
            (vec![Some(""), Some(" "), Some("  ")], vec!["(blank)", "\" \"", "\"  \""]),
            (vec![Some("\u{200b}"), Some(" a ")], vec!["\"\\u{200b}\"", " a "]),
        ] {
            let frame = df!("k" => &texts).expect("a frame");
            let places = places(&frame, "k", "by").expect("places");
            assert_eq!(places.domain, Domain::Category(names.iter().map(ToString::to_string).collect()), "{texts:?}");
            assert_eq!(places.null, texts.contains(&None).then_some((texts.len() - 1) as f64));
        }
    }

    #[test]
    fn ids_that_a_float_would_mix_up_are_told_apart() {
        let ids = [9_007_199_254_740_993_i64, 9_007_199_254_740_992, 9_007_199_254_740_993];
        let levels = levels(&df!("id" => ids).expect("a frame"), "id", "by").expect("levels");
        assert_eq!(levels.of_row, [Some(0.0), Some(1.0), Some(0.0)]);
        assert_eq!(levels.domain.describe(0.0), "9007199254740993");
    }

    #[test]
    fn the_hours_of_an_axis_say_whose_they_are() {
        let clock = |zone: &'static str, hours: [i64; 3]| {
            let zone = polars::prelude::TimeZone::opt_try_new(Some(zone)).expect("a zone");
            let kind = DataType::Datetime(TimeUnit::Milliseconds, zone);
            let frame = df!("t" => hours.map(|hour| hour * 3_600_000)).expect("a frame");
            let column = frame.column("t").expect("a column").cast(&kind).expect("instants");
            places(&DataFrame::new(3, vec![column]).expect("a frame"), "t", "x").expect("places").clock
        };
        assert_eq!(clock("UTC", [0, 1, 2]).as_deref(), Some("UTC"));
        assert_eq!(clock("UTC", [0, 24, 48]), None, "days have no hours");
        assert_eq!(clock("Asia/Seoul", [0, 1, 2]).as_deref(), Some("Asia/Seoul"));
        // Clocks in Berlin were put back at 01:00 UTC on 25 October 2020.
        let fold = 1_603_584_000 / 3_600;
        let folded = clock("Europe/Berlin", [fold, fold + 1, fold + 2]).expect("hours");
        assert!(folded.contains("UTC+02") && folded.contains("Europe/Berlin"), "{folded}");
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
