//! The functions of a [checked](super::checked) query.

use rusqlite::{
    Connection, Error, Result,
    functions::{Context, FunctionFlags},
    types::{Value, ValueRef},
};

use crate::load::{ColumnType, Guess, typed_text};

/// `rushes_number(x, label)`: x where it is a number, the number of a text that is one, an error for any other text.
pub(super) const NUMBER: &str = "rushes_number";
/// `rushes_real(x, label)`: as `rushes_number`, and rounded where a number has more digits than 64 bits hold.
pub(super) const REAL: &str = "rushes_real";
/// `rushes_text(x, label)`: x where it is a text, an error for a number.
pub(super) const TEXT: &str = "rushes_text";
/// `rushes_alike(x, other, label)`: x as it is compared with the other value, an error where they do not compare.
pub(super) const ALIKE: &str = "rushes_alike";
/// `rushes_same(x, other, label, other's)`: true, or an error where one is a number and the other a text.
pub(super) const SAME: &str = "rushes_same";

const PURE: FunctionFlags =
    FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_DETERMINISTIC).union(FunctionFlags::SQLITE_INNOCUOUS);

/// Adds them to a database.
pub(super) fn add_to(connection: &Connection) -> Result<()> {
    connection.create_scalar_function(NUMBER, 2, PURE, |context| number(context.get_raw(0), &label(context, 1)))?;
    connection.create_scalar_function(REAL, 2, PURE, |context| real(context.get_raw(0), &label(context, 1)))?;
    connection.create_scalar_function(TEXT, 2, PURE, |context| text(context.get_raw(0), &label(context, 1)))?;
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

/// Whether a text is a number in digits, however many: `-18446744073709551616`, `0.5`; not `00501`.
pub(super) fn is_digits(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    all(whole) && all(fraction) && (whole == "0" || !whole.starts_with('0'))
}

/// The number of a text that is one, also with zeros before it. `None` for a number that would lose digits.
fn numeral(value: ValueRef<'_>) -> Option<Value> {
    let text = value.as_str().ok()?.trim();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    if !digits.trim_start_matches('.').starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let shown = digits.trim_start_matches('0');
    let zero = if shown.starts_with(|first: char| first.is_ascii_digit()) { "" } else { "0" };
    let text = format!("{sign}{zero}{shown}");
    match Guess::of_number(&text).kind()? {
        ColumnType::Int => text.parse().ok().map(Value::Integer),
        ColumnType::Float => text.parse().ok().map(Value::Real),
        _ => None,
    }
}

fn not_a_number(value: ValueRef<'_>, label: &str) -> Error {
    let found = shown(value);
    refused(match is_time(value) {
        true => format!("{label} is {found}, not a number; compare dates with a text, such as '2020' or '2020-05-31'"),
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

fn is_time(value: ValueRef<'_>) -> bool {
    value
        .as_str()
        .is_ok_and(|text| typed_text(text, ColumnType::Timestamp).is_some_and(|value| value.as_datetime().is_some()))
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
    let is_null = value == ValueRef::Null || other == ValueRef::Null;
    if is_null || is_text(value) == is_text(other) {
        return owned(value);
    }
    match is_text(value) {
        true if is_time(value) => owned(value),
        true => number(value, label),
        // A year beside a date.
        false if is_time(other) => Ok(match value {
            ValueRef::Integer(number) => Value::Text(number.to_string()),
            value => owned(value)?,
        }),
        false => owned(value),
    }
}
