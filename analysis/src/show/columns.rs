//! Columns of a frame as texts. A number is shown with the fewest digits that read back as the same number.

use std::ops::Range;

use jiff::tz::TimeZone;
use polars::prelude::{Column, DataFrame, DataType};

use crate::{
    cell::{Cell, Cells},
    format,
};

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
    /// Whether instants show their milliseconds.
    millis: bool,
    zone: TimeZone,
}

fn text(cell: &Cell<'_>, form: &Form) -> String {
    match cell {
        Cell::Int(value) => format::count(*value),
        Cell::Float(value) => format::exact(*value),
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
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn a_number_reads_back_as_itself(value in any::<f64>()) {
            let shown = format::exact(value);
            let back: f64 = shown.replace(',', "").parse().expect("a number");
            prop_assert!(back == value || back.is_nan() && value.is_nan(), "{} became {}", value, shown);
        }
    }

    #[test]
    fn a_number_has_the_fewest_digits_that_tell_it() {
        let numbers = df!("n" => [1_234_567.86, 702.86, 0.1 + 0.2, 1.0 / 3.0, 8.0, 1e300, -1.5e-7, 0.000_23, -0.0, 1e15, 123_456_789_012_345.0]);
        assert_eq!(
            texts(&numbers.expect("a frame")),
            [
                "1,234,567.86",
                "702.86",
                "0.30000000000000004",
                "0.3333333333333333",
                "8",
                "1e300",
                "-1.5e-7",
                "0.00023",
                "-0",
                "1e15",
                "123,456,789,012,345"
            ]
        );
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
}
