//! Rows as JSON.

use polars::prelude::DataFrame;
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    cell::{Cell, Cells},
    format,
};

/// One object per row, columns in the frame's order; dates as `2004-05-31`, instants as RFC 3339 in UTC, null for nulls and for
/// numbers that JSON has no word for.
pub fn json_rows(frame: &DataFrame) -> impl Serialize + use<> {
    let column = |column: &polars::prelude::Column| (column.name().to_string(), Cells::new(column));
    Rows { columns: frame.columns().iter().map(column).collect(), height: frame.height() }
}

struct Rows {
    columns: Vec<(String, Cells)>,
    height: usize,
}

struct Row<'a> {
    rows: &'a Rows,
    at: usize,
}

impl Serialize for Rows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((0..self.height).map(|at| Row { rows: self, at }))
    }
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.rows.columns.len()))?;
        for (name, cells) in &self.rows.columns {
            object.serialize_entry(name, &cells.get(self.at))?;
        }
        object.end()
    }
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Date(days) => serializer.serialize_str(&format::date(*days)),
            Self::Timestamp(millis) => serializer.serialize_str(&format::timestamp(*millis)),
            Self::Other(value) => serializer.serialize_str(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::df;

    #[test]
    fn keeps_order_types_and_nulls() {
        let frame = df!("n" => [Some(1_i64), None], "b" => [0.5, f64::NAN], "a" => ["a\"b", ""]).expect("a frame");
        let json = serde_json::to_string(&json_rows(&frame)).expect("JSON");
        assert_eq!(json, r#"[{"n":1,"b":0.5,"a":"a\"b"},{"n":null,"b":null,"a":""}]"#);
    }
}
