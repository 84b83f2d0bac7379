//! Columns of a frame as texts, each column in one form: the same decimals from top to bottom.

use std::ops::Range;

use jiff::tz::TimeZone;
use polars::prelude::{Column, DataFrame, DataType};

use crate::{
    cell::{Cell, Cells},
    format,
};

/// Decimals that a table shows at most of a number that is not small.
const MOST_DECIMALS: usize = 3;

/// Some rows of a column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TextColumn {
    pub name: String,
    /// Type as polars names it.
    pub kind: String,
    /// Numbers stand on the right.
    pub right: bool,
    /// Texts may be long.
    pub is_text: bool,
    /// `None` for a null.
    pub values: Vec<Option<String>>,
}

/// The first and last rows of a frame that a table of `most` rows shows.
pub(crate) fn shown_rows(height: usize, most: usize) -> (Range<usize>, Range<usize>) {
    if height <= most {
        return (0..height, height..height);
    }
    let last = most / 2;
    (0..most - last, height - last..height)
}

/// The given rows of every column as texts.
pub(crate) fn text_columns(frame: &DataFrame, rows: &[usize]) -> Vec<TextColumn> {
    frame.columns().iter().map(|column| text_column(column, rows)).collect()
}

fn text_column(column: &Column, rows: &[usize]) -> TextColumn {
    let cells = Cells::new(column);
    let shown = || rows.iter().filter_map(|row| cells.get(*row));
    let form = Form {
        decimals: shown().map(|cell| decimals(&cell)).max().unwrap_or(0),
        millis: shown().any(|cell| matches!(cell, Cell::Timestamp(millis) if millis % 1_000 != 0)),
        zone: format::zone_of(column.dtype()),
    };
    TextColumn {
        name: format::one_line(column.name()),
        kind: column.dtype().to_string(),
        right: cells.is_number(),
        is_text: column.dtype() == &DataType::String,
        values: rows.iter().map(|row| cells.get(*row).map(|cell| text(&cell, &form))).collect(),
    }
}

/// What all cells of a column have in common.
struct Form {
    decimals: usize,
    /// Whether instants show their milliseconds.
    millis: bool,
    zone: TimeZone,
}

/// Decimals that a value needs, as far as a table shows them: more than [`MOST_DECIMALS`] where two digits need them.
fn decimals(cell: &Cell<'_>) -> usize {
    let Cell::Float(value) = cell else { return 0 };
    if !value.is_finite() || format::needs_exponent(*value) {
        return 0;
    }
    let most = usize::try_from(1 - format::magnitude(*value)).unwrap_or(0).max(MOST_DECIMALS);
    let differs = |decimals: &usize| {
        let factor = 10_f64.powi(*decimals as i32);
        ((value * factor).round() / factor - value).abs() > 1e-9 * value.abs().max(1.0)
    };
    (0..most).find(|decimals| !differs(decimals)).unwrap_or(most)
}

fn text(cell: &Cell<'_>, form: &Form) -> String {
    match cell {
        Cell::Int(value) => format::count(*value),
        Cell::Float(value) if format::needs_exponent(*value) => format::scientific(*value, MOST_DECIMALS),
        Cell::Float(value) => format::decimal(*value, form.decimals),
        Cell::Text(value) => format::one_line(value),
        Cell::Bool(value) => value.to_string(),
        Cell::Date(days) => format::date(*days),
        Cell::Timestamp(millis) => format::short_timestamp(*millis, form.millis, &form.zone),
        Cell::Other(value) => format::one_line(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{TimeUnit, TimeZone, df};

    #[test]
    fn a_long_frame_shows_its_first_and_last_rows() {
        assert_eq!(shown_rows(5, 5), (0..5, 5..5));
        assert_eq!(shown_rows(100, 5), (0..3, 98..100));
        assert_eq!(shown_rows(100, 0), (0..0, 100..100));
    }

    fn texts(frame: &DataFrame) -> Vec<String> {
        let rows: Vec<usize> = (0..frame.height()).collect();
        text_columns(frame, &rows)[0].values.iter().flatten().cloned().collect()
    }

    #[test]
    fn small_and_large_numbers_keep_their_digits() {
        let small = df!("p" => [0.0001, 0.000_23, 1e-9, 0.0]).expect("a frame");
        assert_eq!(texts(&small), ["0.00010", "0.00023", "1e-9", "0.00000"]);
        let large = df!("n" => [1e300, 2.5, -1.234_56e20]).expect("a frame");
        assert_eq!(texts(&large), ["1e300", "2.5", "-1.235e20"]);
        assert_eq!(texts(&df!("n" => [0.0123, 0.5]).expect("a frame")), ["0.012", "0.500"]);
    }

    #[test]
    fn instants_are_never_rounded_up_and_stand_in_their_columns_zone() {
        let instants = |zone: Option<&'static str>, millis: &[i64]| {
            let zone = TimeZone::opt_try_new(zone).expect("a zone");
            let frame = df!("t" => millis).expect("a frame");
            let kind = DataType::Datetime(TimeUnit::Milliseconds, zone);
            let column = frame.column("t").expect("a column").cast(&kind).expect("instants");
            texts(&DataFrame::new(millis.len(), vec![column]).expect("a frame"))
        };
        assert_eq!(instants(None, &[1_600, 2_000]), ["1970-01-01 00:00:01.600", "1970-01-01 00:00:02.000"]);
        assert_eq!(instants(None, &[1_000]), ["1970-01-01 00:00:01"]);
        assert_eq!(instants(Some("Asia/Seoul"), &[1_000]), ["1970-01-01 09:00:01+09:00"]);
        assert_eq!(instants(Some("UTC"), &[1_000]), ["1970-01-01 00:00:01"]);
    }

    #[test]
    fn a_column_has_the_decimals_its_values_need() {
        let frame = df!("mean" => [Some(7.25), Some(8.0), None], "third" => [1.0 / 3.0, 1.0, 2.0], "n" => [1_234_567_i64, 1, 2]);
        let columns = text_columns(&frame.expect("a frame"), &[0, 1, 2]);
        assert_eq!(columns[0].values, [Some("7.25".to_owned()), Some("8.00".to_owned()), None]);
        assert_eq!(columns[1].values[0].as_deref(), Some("0.333"));
        assert_eq!(columns[2].values[0].as_deref(), Some("1,234,567"));
    }
}
