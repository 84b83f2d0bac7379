//! Functions that analysts look for and SQLite has not.

use jiff::civil;
use model::{calendar, layout::ColumnType};
use rusqlite::{
    Connection, Error, Result,
    functions::{Aggregate, Context, FunctionFlags},
    types::ValueRef,
};

use crate::load::typed_text;

const PURE: FunctionFlags = FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_DETERMINISTIC);

/// Adds them to a database.
pub(super) fn add_to(connection: &Connection) -> Result<()> {
    add_part(connection, "year", civil::Date::year)?;
    add_part(connection, "month", |date| date.month().into())?;
    add_part(connection, "day", |date| date.day().into())?;
    connection.create_aggregate_function("median", 1, PURE, Sample(median))?;
    connection.create_aggregate_function("stddev", 1, PURE, Sample(standard_deviation))
}

fn add_part(connection: &Connection, name: &'static str, part: fn(civil::Date) -> i16) -> Result<()> {
    connection.create_scalar_function(name, 1, PURE, move |context| Ok(date(context, name)?.map(part)))
}

/// The day of the argument, in UTC.
fn date(context: &Context<'_>, function: &str) -> Result<Option<civil::Date>> {
    let refused = |found: String| {
        Error::UserFunctionError(format!("{function} takes a date like '2020-05-31', and not {found}").into())
    };
    match context.get_raw(0) {
        ValueRef::Null => Ok(None),
        ValueRef::Text(text) => {
            let text = String::from_utf8_lossy(text);
            let millis = match typed_text(&text, ColumnType::Timestamp) {
                Some(bson::raw::RawBsonRef::DateTime(instant)) => Some(instant.timestamp_millis()),
                _ => None,
            };
            let date = millis.and_then(calendar::civil_of).map(civil::DateTime::date);
            date.map(Some).ok_or_else(|| refused(format!("'{text}'")))
        }
        ValueRef::Integer(number) => Err(refused(number.to_string())),
        ValueRef::Real(number) => Err(refused(number.to_string())),
        ValueRef::Blob(_) => Err(refused("bytes".to_owned())),
    }
}

/// An aggregate over all values that are not null.
struct Sample(fn(&mut [f64]) -> Option<f64>);

impl Aggregate<Vec<f64>, Option<f64>> for Sample {
    fn init(&self, _: &mut Context<'_>) -> Result<Vec<f64>> {
        Ok(Vec::new())
    }

    fn step(&self, context: &mut Context<'_>, values: &mut Vec<f64>) -> Result<()> {
        match context.get_raw(0) {
            ValueRef::Null => {}
            ValueRef::Integer(value) => values.push(value as f64),
            ValueRef::Real(value) => values.push(value),
            ValueRef::Text(text) => {
                let text = String::from_utf8_lossy(text);
                return Err(Error::UserFunctionError(format!("numbers are wanted, and not '{text}'").into()));
            }
            ValueRef::Blob(_) => return Err(Error::UserFunctionError("numbers are wanted, and not bytes".into())),
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, values: Option<Vec<f64>>) -> Result<Option<f64>> {
        Ok(self.0(&mut values.unwrap_or_default()))
    }
}

/// The middle value, or the mean of the middle two.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    Some(if values.len().is_multiple_of(2) { (values[values.len() / 2 - 1] + upper) / 2.0 } else { upper })
}

/// Of a sample: none where there are fewer than two values.
fn standard_deviation(values: &mut [f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (count - 1.0)).sqrt())
}
