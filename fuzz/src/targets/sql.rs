//! The SQL entry: a query is refused with a reason, or answered with what plain SQLite answers, in bounded time.
//!
//! Input: the query, over the tables `films` and `days`.

use std::sync::LazyLock;

use analysis::polars::{
    df,
    prelude::{AnyValue, DataFrame, DataType, NamedFrom, Series, TimeUnit},
};
use analysis::sql::Sql;
use rusqlite::types::Value;

use super::sqlite;
use crate::Input;

/// Steps that a query may take here: a fraction of a second.
const MOST_STEPS: u64 = 10_000_000;

/// Values at the edges of each type, and nulls; `sqlite` has them, too.
static FILMS: LazyLock<DataFrame> = LazyLock::new(|| {
    df!(
        "film" => [Some("Up"), Some("기생충 'x\" 🎬"), Some("2020-05-31"), Some(""), None],
        "year" => [Some(2009), Some(i64::MAX), Some(i64::MIN), Some(0), None],
        "rating" => [Some(8.5), Some(-1e300), Some(0.1), Some(f64::INFINITY), None],
        "good" => [Some(true), Some(false), Some(true), Some(false), None],
    )
    .expect("columns of one length")
});

static DAYS: LazyLock<DataFrame> = LazyLock::new(|| {
    let column = |name: &str, values: [Option<i64>; 4], kind: DataType| {
        Series::new(name.into(), values).cast(&kind).expect("integers are dates and instants").into()
    };
    let millis = DataType::Datetime(TimeUnit::Milliseconds, None);
    let days = [Some(18_413), Some(-1), Some(2_932_896), None];
    let at = [Some(1_590_948_000_250), Some(-1_000), Some(253_402_300_799_999), None];
    let films = Series::new("film".into(), [Some("Up"), Some("Her"), Some("Up"), None]).into();
    DataFrame::new(4, vec![films, column("day", days, DataType::Date), column("at", at, millis)]).expect("four rows")
});

/// Asks the query.
pub fn run(input: &[u8]) {
    let Some(query) = Input::new(input).text() else { return };
    let sql = Sql::new().table("films", &FILMS).table("days", &DAYS).most_steps(MOST_STEPS);
    match sql.query(query) {
        Ok(frame) => {
            let names = frame.get_column_names();
            assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), names.len(), "{names:?}");
            if means_the_same(query)
                && let Some(rows) = sqlite::rows(query)
            {
                check_rows(&frame, &rows);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Whether SQLite and the product take the query for the same: nothing in it depends on the moment, on chance, or on what
/// a text is worth as a number, which the product decides more strictly.
fn means_the_same(query: &str) -> bool {
    const OTHERWISE: [&str; 23] = [
        "random", "current", "now", "date", "time", "julian", "sqlite", "changes", "rowid", "day", "at", "'", "||",
        "cast", "printf", "format", "substr", "hex", "char", "concat", "json", "->", "quote",
    ];
    let query = query.to_lowercase();
    let words: Vec<&str> = query.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
    let is_there = |text: &&str| match *text {
        "day" | "at" | "now" => words.contains(text),
        other => query.contains(other),
    };
    !OTHERWISE.iter().any(is_there)
}

fn check_rows(frame: &DataFrame, rows: &[Vec<Value>]) {
    assert_eq!(frame.height(), rows.len(), "rows of {frame} and {rows:?}");
    for (column, place) in frame.columns().iter().zip(0..) {
        for (row, values) in rows.iter().enumerate() {
            let cell = column.get(row).expect("a row of the frame");
            assert!(is_same(&cell, &values[place]), "{cell:?} in {}, row {row}, is {:?}", column.name(), values[place]);
        }
    }
}

/// Whether a cell is what SQLite has; integers among fractions are fractions, and values of several types are texts.
fn is_same(cell: &AnyValue<'_>, value: &Value) -> bool {
    match (cell, value) {
        (AnyValue::Null, Value::Null) => true,
        (AnyValue::Int64(cell), Value::Integer(value)) => cell == value,
        (AnyValue::Boolean(cell), Value::Integer(value)) => i64::from(*cell) == *value,
        (AnyValue::Float64(cell), Value::Integer(value)) => {
            *cell == *value as f64 && *cell as i128 == i128::from(*value)
        }
        (AnyValue::Float64(cell), Value::Real(value)) => cell == value,
        (AnyValue::String(cell), Value::Text(value)) => *cell == value,
        (AnyValue::String(cell), Value::Integer(value)) => *cell == value.to_string(),
        (AnyValue::String(cell), Value::Real(value)) => cell.parse() == Ok(*value),
        // A text that is a date is a date where every value of the column is one.
        (AnyValue::Date(_) | AnyValue::Datetime(..), Value::Text(_)) => true,
        _ => false,
    }
}
