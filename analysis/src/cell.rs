//! Values of a frame one by one, for what is written row by row: tables, CSV, JSON.

use polars::prelude::{
    AnyValue, BooleanChunked, Column, DataType, Float64Chunked, Int32Chunked, Int64Chunked, StringChunked, TimeUnit,
};

use crate::format;

/// A value that is there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'a> {
    Int(i64),
    Float(f64),
    Text(&'a str),
    Bool(bool),
    /// Days since 1970-01-01.
    Date(i32),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    /// Any other type, as polars shows it.
    Other(String),
}

/// A column, cast once so that its cells are cheap.
pub(crate) enum Cells {
    Int(Int64Chunked),
    Float(Float64Chunked),
    Text(StringChunked),
    Bool(BooleanChunked),
    Date(Int32Chunked),
    Timestamp(Int64Chunked, i64),
    Other(Column),
}

/// An instant; one that is finer than a millisecond as a text with all of its digits.
fn instant<'a>(value: i64, per_milli: i64) -> Cell<'a> {
    let (millis, rest) = (value.div_euclid(per_milli), value.rem_euclid(per_milli));
    if rest == 0 {
        return Cell::Timestamp(millis);
    }
    Cell::Other(format::fine_timestamp(millis, rest * (1_000_000 / per_milli)))
}

impl Cells {
    pub fn new(column: &Column) -> Self {
        Self::typed(column).unwrap_or_else(|| Self::Other(column.clone()))
    }

    /// `None` where there is a null, or no such row.
    pub fn get(&self, row: usize) -> Option<Cell<'_>> {
        match self {
            Self::Int(values) => values.get(row).map(Cell::Int),
            Self::Float(values) => values.get(row).map(Cell::Float),
            Self::Text(values) => values.get(row).map(Cell::Text),
            Self::Bool(values) => values.get(row).map(Cell::Bool),
            Self::Date(values) => values.get(row).map(Cell::Date),
            Self::Timestamp(values, per_milli) => values.get(row).map(|value| instant(value, *per_milli)),
            Self::Other(column) => match column.get(row).ok()? {
                AnyValue::Null => None,
                value => Some(Cell::Other(value.to_string())),
            },
        }
    }

    /// Whether the values line up at their last digit.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Int(_) | Self::Float(_))
    }

    fn typed(column: &Column) -> Option<Self> {
        Some(match column.dtype() {
            kind if kind.is_integer() => Self::Int(column.strict_cast(&DataType::Int64).ok()?.i64().ok()?.clone()),
            kind if kind.is_float() => Self::Float(column.cast(&DataType::Float64).ok()?.f64().ok()?.clone()),
            DataType::String => Self::Text(column.str().ok()?.clone()),
            DataType::Boolean => Self::Bool(column.bool().ok()?.clone()),
            DataType::Date => Self::Date(column.cast(&DataType::Int32).ok()?.i32().ok()?.clone()),
            DataType::Datetime(unit, _) => {
                let per_milli = match unit {
                    TimeUnit::Milliseconds => 1,
                    TimeUnit::Microseconds => 1_000,
                    TimeUnit::Nanoseconds => 1_000_000,
                };
                Self::Timestamp(column.cast(&DataType::Int64).ok()?.i64().ok()?.clone(), per_milli)
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::{NamedFrom, Series};

    use super::*;

    #[test]
    fn an_instant_keeps_its_last_digit() {
        for (unit, value, text) in [
            (TimeUnit::Microseconds, 1_714_557_600_123_456_i64, "2024-05-01 10:00:00.123456"),
            (TimeUnit::Nanoseconds, 1_714_557_600_123_456_789_i64, "2024-05-01 10:00:00.123456789"),
            (TimeUnit::Nanoseconds, -1, "1969-12-31 23:59:59.999999999"),
        ] {
            let column = Series::new("at".into(), [value, 1_000_000]).cast(&DataType::Datetime(unit, None));
            let cells = Cells::new(&column.expect("instants").into());
            assert_eq!(cells.get(0), Some(Cell::Other(text.to_owned())));
            assert!(matches!(cells.get(1), Some(Cell::Timestamp(_))));
        }
    }
}
