//! The functions of a [checked](super::checked) query.

use model::number::{self, Mark};
use rusqlite::{
    Connection, Error, Result,
    functions::{Context, FunctionFlags},
    types::{Value, ValueRef},
};

use super::times::{FORMS, Instant};

/// `rushes_number(x, label)`: x where it is a number, the number of a text that is one, an error for any other text.
pub(super) const NUMBER: &str = "rushes_number";
/// `rushes_real(x, label)`: as `rushes_number`, and rounded where a number has more digits than 64 bits hold.
pub(super) const REAL: &str = "rushes_real";
/// `rushes_text(x, label)`: x where it is a text, an error for a number.
pub(super) const TEXT: &str = "rushes_text";
/// `rushes_alike(x, other, label)`: x as it is compared with the other value, an error where they do not compare.
pub(super) const ALIKE: &str = "rushes_alike";
/// `rushes_time(x, label)`: the date or instant of a text in the form of instants, an error for anything else.
pub(super) const TIME: &str = "rushes_time";
/// `rushes_start(x, label)`: as `rushes_time`, and the first instant of a year or month.
pub(super) const START: &str = "rushes_start";
/// `rushes_form(x)`: x, in the form of instants if it is a date or an instant.
pub(super) const FORM: &str = "rushes_form";
/// `rushes_same(x, other, label, other's)`: true, or an error where one is a number and the other a text.
pub(super) const SAME: &str = "rushes_same";

const PURE: FunctionFlags =
    FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_DETERMINISTIC).union(FunctionFlags::SQLITE_INNOCUOUS);

/// Adds them to a database.
pub(super) fn add_to(connection: &Connection) -> Result<()> {
    connection.create_scalar_function(NUMBER, 2, PURE, |context| number(context.get_raw(0), &label(context, 1)))?;
    connection.create_scalar_function(REAL, 2, PURE, |context| real(context.get_raw(0), &label(context, 1)))?;
    connection.create_scalar_function(TEXT, 2, PURE, |context| text(context.get_raw(0), &label(context, 1)))?;
    connection
        .create_scalar_function(TIME, 2, PURE, |context| time(context.get_raw(0), Instant::read, &label(context, 1)))?;
    connection.create_scalar_function(START, 2, PURE, |context| {
        time(context.get_raw(0), Instant::first_of, &label(context, 1))
    })?;
    connection.create_scalar_function(FORM, 1, PURE, |context| formed(context.get_raw(0)))?;
    connection.create_scalar_function(ALIKE, 3, PURE, |context| {
        alike(context.get_raw(0), context.get_raw(1), &label(context, 2))
    })?;
    connection.create_scalar_function(SAME, 4, PURE, |context| {
        let (first, second) = (context.get_raw(0), context.get_raw(1));
        match is_text(first) == is_text(second) || first == ValueRef::Null || second == ValueRef::Null {
            true => Ok(true),
            false => Err(refused(format!(
                "{} and {} are a number and a text; cast one of them: CAST({} AS TEXT)",
                label(context, 2)(),
                label(context, 3)(),
                label(context, 2)()
            ))),
        }
    })
}

/// What the query calls an argument, for a message.
fn label<'a>(context: &'a Context<'_>, place: usize) -> impl Fn() -> String + 'a {
    move || context.get_raw(place).as_str().unwrap_or_default().to_owned()
}

fn refused(reason: String) -> Error {
    Error::UserFunctionError(reason.into())
}

fn is_text(value: ValueRef<'_>) -> bool {
    matches!(value, ValueRef::Text(_) | ValueRef::Blob(_))
}

fn owned(value: ValueRef<'_>) -> Result<Value> {
    Value::try_from(value).map_err(|error| Error::UserFunctionError(error.into()))
}

fn number(value: ValueRef<'_>, label: &dyn Fn() -> String) -> Result<Value> {
    if !is_text(value) {
        return owned(value);
    }
    numeral(value).ok_or_else(|| not_a_number(value, &label()))
}

fn real(value: ValueRef<'_>, label: &dyn Fn() -> String) -> Result<Value> {
    match value {
        ValueRef::Text(_) if is_long(value) => number(value, label).or_else(|error| {
            let rounded = value.as_str().ok().and_then(|text| text.trim().parse().ok());
            rounded.map(Value::Real).ok_or(error)
        }),
        value => number(value, label),
    }
}

fn is_long(value: ValueRef<'_>) -> bool {
    value.as_str().is_ok_and(|text| is_digits(text.trim()))
}

/// Whether a text is a number, however many digits it has: `-18446744073709551616`, `0.5`; not `00501`, which is a code, and not
/// `1,000`, whose comma may be the decimal mark.
pub(super) fn is_digits(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_padded = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    !is_padded && !text.contains(',') && number::float(text, Mark::Point).is_ok()
}

/// The number of a text that is one, also with zeros before it. `None` for a number that would lose digits, and for `1,000`.
fn numeral(value: ValueRef<'_>) -> Option<Value> {
    let text = value.as_str().ok().filter(|text| !text.contains(','))?;
    match number::int(text, Mark::Point) {
        Ok(number) => Some(Value::Integer(number)),
        Err(_) => number::float(text, Mark::Point).ok().filter(|number| keeps_digits(text, *number)).map(Value::Real),
    }
}

/// Whether a float has the digits of the text, but for those of a fraction that no float has.
fn keeps_digits(text: &str, number: f64) -> bool {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    const DIGITS_OF_FLOAT: usize = 15;
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    number.abs() < EXACT || digits.trim_matches('0').len() <= DIGITS_OF_FLOAT
}

fn not_a_number(value: ValueRef<'_>, label: &str) -> Error {
    let found = shown(value);
    refused(match value.as_str().is_ok_and(|text| Instant::read(text).is_some()) {
        true => format!(
            "{label} is {found}, not a number; compare dates with texts such as '2020-05-31', or compare year({label})"
        ),
        false if is_long(value) => format!(
            "{label} is the number {found}, which has more digits than 64 bits hold and is kept as text; \
             write CAST({label} AS REAL), which rounds it"
        ),
        false => format!(
            "{label} is the text {found}, not a number; leave such rows out, make them null with nullif({label}, {found}), \
             or compare with a text in single quotes"
        ),
    })
}

fn shown(value: ValueRef<'_>) -> String {
    match value.as_str() {
        Ok(text) => format!("'{}'", crate::format::shortened(&crate::format::one_line(text), 40)),
        Err(_) => "bytes".to_owned(),
    }
}

fn time(value: ValueRef<'_>, read: fn(&str) -> Option<Instant>, label: &dyn Fn() -> String) -> Result<Value> {
    if value == ValueRef::Null {
        return Ok(Value::Null);
    }
    let instant = value.as_str().ok().and_then(read);
    instant.map(text_of).ok_or_else(|| not_a_time(value, &label()))
}

fn text_of(instant: Instant) -> Value {
    Value::Text(instant.text())
}

fn not_a_time(value: ValueRef<'_>, label: &str) -> Error {
    let found = match value {
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        value => shown(value),
    };
    let named = if label == found { found.clone() } else { format!("{label} is {found} and") };
    let is_range = value.as_str().is_ok_and(|text| Instant::first_of(text).is_some())
        || matches!(value, ValueRef::Integer(year) if Instant::of_year(year).is_some());
    refused(match is_range {
        true => format!(
            "{named} is compared with a date, and a year or month is one only behind >= or <; write a date such as {FORMS}, \
             or compare year(…)"
        ),
        false => format!("{named} is compared with a date, but is none; write {FORMS}"),
    })
}

fn formed(value: ValueRef<'_>) -> Result<Value> {
    match value.as_str().ok().and_then(Instant::read) {
        Some(instant) => Ok(text_of(instant)),
        None => owned(value),
    }
}

fn text(value: ValueRef<'_>, label: &dyn Fn() -> String) -> Result<Value> {
    match value {
        ValueRef::Integer(_) | ValueRef::Real(_) => {
            let label = label();
            Err(refused(format!(
                "{label} is a number and is compared with a text; write the number without quotes, or CAST({label} AS TEXT)"
            )))
        }
        value => owned(value),
    }
}

fn alike(value: ValueRef<'_>, other: ValueRef<'_>, label: &dyn Fn() -> String) -> Result<Value> {
    if value == ValueRef::Null || other == ValueRef::Null {
        return owned(value);
    }
    if is_text(value) == is_text(other) {
        return formed(value);
    }
    if is_text(value) { number(value, label) } else { owned(value) }
}
