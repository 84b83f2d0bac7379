//! Reads `range = [FIRST, LAST]` of a field.

use super::NumberRange;
use toml::Value;

/// Reads the range of an int field. Integers are exact; a bound with a fraction is rounded inwards.
pub(super) fn of_ints(range: Option<&[Value; 2]>) -> Result<NumberRange<i64>, String> {
    let Some([first, last]) = range else { return Ok(NumberRange { first: i64::MIN, last: i64::MAX }) };
    check(first, last, NumberRange { first: int(first, f64::ceil)?, last: int(last, f64::floor)? })
}

/// Reads the range of a float field.
pub(super) fn of_floats(range: Option<&[Value; 2]>) -> Result<NumberRange<f64>, String> {
    let Some([first, last]) = range else { return Ok(NumberRange { first: f64::MIN, last: f64::MAX }) };
    check(first, last, NumberRange { first: float(first)?, last: float(last)? })
}

fn check<T: PartialOrd>(first: &Value, last: &Value, range: NumberRange<T>) -> Result<NumberRange<T>, String> {
    if range.first <= range.last {
        Ok(range)
    } else {
        Err(format!("range [{first}, {last}] is empty: write the smaller number first"))
    }
}

/// Saturates a bound beyond 64 bits, which means an open range.
fn int(bound: &Value, round: impl Fn(f64) -> f64) -> Result<i64, String> {
    match bound {
        Value::Integer(number) => Ok(*number),
        _ => float(bound).map(|number| round(number) as i64),
    }
}

fn float(bound: &Value) -> Result<f64, String> {
    match bound {
        Value::Integer(number) => Ok(*number as f64),
        Value::Float(number) if !number.is_nan() => Ok(*number),
        other => Err(format!("a bound of `range` is {other}, not a number")),
    }
}
