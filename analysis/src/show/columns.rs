//! Columns of a frame as texts, each column in one form: the same decimals from top to bottom.

use std::ops::Range;

use polars::prelude::{Column, DataFrame, DataType};

use crate::{
    cell::{Cell, Cells},
    format,
};

/// Decimals that a table shows at most.
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
    let decimals = rows.iter().filter_map(|row| cells.get(*row)).map(|cell| decimals(&cell)).max().unwrap_or(0);
    TextColumn {
        name: format::one_line(column.name()),
        kind: column.dtype().to_string(),
        right: cells.is_number(),
        is_text: column.dtype() == &DataType::String,
        values: rows.iter().map(|row| cells.get(*row).map(|cell| text(&cell, decimals))).collect(),
    }
}

/// Decimals that a value needs, as far as a table shows them.
fn decimals(cell: &Cell<'_>) -> usize {
    let Cell::Float(value) = cell else { return 0 };
    let differs = |decimals: &usize| {
        let factor = 10_f64.powi(*decimals as i32);
        ((value * factor).round() / factor - value).abs() > 1e-9 * value.abs().max(1.0)
    };
    (0..MOST_DECIMALS).find(|decimals| !differs(decimals)).unwrap_or(MOST_DECIMALS)
}

fn text(cell: &Cell<'_>, decimals: usize) -> String {
    match cell {
        Cell::Int(value) => format::count(*value),
        Cell::Float(value) => format::decimal(*value, decimals),
        Cell::Text(value) => format::one_line(value),
        Cell::Bool(value) => value.to_string(),
        Cell::Date(days) => format::date(*days),
        Cell::Timestamp(millis) => format::short_timestamp(*millis),
        Cell::Other(value) => format::one_line(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::df;

    #[test]
    fn a_long_frame_shows_its_first_and_last_rows() {
        assert_eq!(shown_rows(5, 5), (0..5, 5..5));
        assert_eq!(shown_rows(100, 5), (0..3, 98..100));
        assert_eq!(shown_rows(100, 0), (0..0, 100..100));
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
