//! From the rows of an answer to a frame.

use bson::raw::RawBsonRef;
use model::layout::ColumnType;
use polars::prelude::{Column, DataFrame};
use rusqlite::{Statement, types::Value};

use super::{SqlError, database::declared};
use crate::load::{ColumnBuilder, Guess, typed_text};

/// Types that a column of the answer may have been declared with.
const DECLARED: [ColumnType; 6] =
    [ColumnType::Int, ColumnType::Float, ColumnType::Bool, ColumnType::Date, ColumnType::Timestamp, ColumnType::String];

/// Bytes that the values of an answer may take.
const MOST_BYTES: usize = 2 << 30;

/// Runs a statement and collects its rows, whose columns get these names.
pub(super) fn read(statement: &mut Statement<'_>, names: &[String], most_steps: u64) -> Result<DataFrame, SqlError> {
    let declared: Vec<_> = statement.columns().map(|column| declared_as(column.decl_type())).collect();
    if let Some(name) = (1..names.len()).find(|place| names[..*place].contains(&names[*place])) {
        return Err(SqlError::Repeated { column: names[name].clone() });
    }
    let mut values = vec![Vec::new(); names.len()];
    let failed = |error| SqlError::of_run(error, most_steps);
    let mut rows = statement.query([]).map_err(failed)?;
    let (mut height, mut bytes) = (0, 0);
    while let Some(row) = rows.next().map_err(failed)? {
        height += 1;
        for (place, values) in values.iter_mut().enumerate() {
            let value: Value = row.get(place).map_err(failed)?;
            let text = if let Value::Text(text) = &value { text.len() } else { 0 };
            bytes += size_of::<Value>() + text;
            values.push(value);
        }
        if bytes > MOST_BYTES {
            return Err(SqlError::Large { rows: height });
        }
    }
    let finished =
        names.iter().zip(declared).zip(&values).map(|((name, declared), values)| column(name, declared, values));
    let finished = finished.collect::<Result<Vec<_>, _>>()?;
    Ok(DataFrame::new(height, finished).expect("columns have distinct names and one value per row"))
}

fn declared_as(text: Option<&str>) -> Option<ColumnType> {
    let text = text?;
    DECLARED.into_iter().find(|kind| declared(*kind) == text)
}

fn column(name: &str, declared: Option<ColumnType>, values: &[Value]) -> Result<Column, SqlError> {
    let kind = kind(declared, values);
    let mut builder = ColumnBuilder::new(name, kind, values.len());
    for value in values {
        let text;
        let typed = match (value, kind) {
            (Value::Null, _) | (_, None) => RawBsonRef::Null,
            (Value::Integer(value), Some(ColumnType::Bool)) => RawBsonRef::Boolean(*value != 0),
            (Value::Integer(value), Some(ColumnType::Int)) => RawBsonRef::Int64(*value),
            (Value::Integer(value), Some(ColumnType::Float)) => RawBsonRef::Double(*value as f64),
            (Value::Real(value), Some(ColumnType::Float)) => RawBsonRef::Double(*value),
            (Value::Integer(value), _) => {
                text = value.to_string();
                RawBsonRef::String(&text)
            }
            (Value::Real(value), _) => {
                text = value.to_string();
                RawBsonRef::String(&text)
            }
            (Value::Text(text), Some(kind)) => typed_text(text, kind).expect("every text has been looked at"),
            (Value::Blob(_), _) => return Err(SqlError::Bytes { column: name.to_owned() }),
        };
        builder.push(typed).expect("the type holds every value");
    }
    Ok(builder.finish(name))
}

/// The type that holds all values, the declared one where it does.
fn kind(declared: Option<ColumnType>, values: &[Value]) -> Option<ColumnType> {
    let found = values.iter().map(guess).fold(Guess::default(), Guess::and).kind();
    match (declared, found) {
        (Some(declared), None) => Some(declared),
        (Some(ColumnType::String), Some(ColumnType::Date | ColumnType::Timestamp)) => Some(ColumnType::String),
        (Some(ColumnType::Bool), Some(ColumnType::Int)) if values.iter().all(is_bool) => Some(ColumnType::Bool),
        (_, found) => found,
    }
}

fn guess(value: &Value) -> Guess {
    match value {
        Value::Null => Guess::Nothing,
        Value::Integer(_) => Guess::Int,
        Value::Real(_) => Guess::Float,
        Value::Text(text) => Guess::of_text(text),
        Value::Blob(_) => Guess::Text,
    }
}

fn is_bool(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Integer(0 | 1))
}
