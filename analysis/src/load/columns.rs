//! Typed columns under construction, one BSON value at a time.

use bson::{Decimal128, RawArray, raw::RawBsonRef, spec::ElementType};
use model::layout::ColumnType;
use polars::prelude::{
    BooleanChunkedBuilder, ChunkedBuilder, Column as Series, Float64Type, Int32Type, Int64Type, IntoColumn, IntoSeries,
    ListBuilderTrait, ListStringChunkedBuilder, PrimitiveChunkedBuilder, StringChunkedBuilder, TimeUnit,
};

const MILLIS_PER_DAY: i64 = 86_400_000;
/// 9999-12-31T23:59:59.999Z.
const LAST_MILLIS: i64 = 253_402_300_799_999;
/// The longest window, a leap year.
const LONGEST_WINDOW: i64 = 366 * MILLIS_PER_DAY;

/// Values of one column so far.
pub(crate) enum Builder {
    /// Nothing but nulls: the first value decides.
    Undecided(usize),
    Int(PrimitiveChunkedBuilder<Int64Type>),
    /// Integers of which one needs more than 64 bits, as their digits: a frame of this build has no wider number.
    LongInt(StringChunkedBuilder),
    Float(PrimitiveChunkedBuilder<Float64Type>),
    Text(StringChunkedBuilder),
    TextList(ListStringChunkedBuilder),
    Bool(BooleanChunkedBuilder),
    /// Days since 1970-01-01.
    Date(PrimitiveChunkedBuilder<Int32Type>),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Timestamp(PrimitiveChunkedBuilder<Int64Type>),
}

impl Builder {
    /// A column of this type; `None` where the first value decides. `capacity` is a guess at the rows.
    pub fn new(name: &str, kind: Option<ColumnType>, capacity: usize) -> Self {
        let name = name.into();
        match kind {
            None => Self::Undecided(0),
            Some(ColumnType::Int) => Self::Int(PrimitiveChunkedBuilder::new(name, capacity)),
            Some(ColumnType::Float) => Self::Float(PrimitiveChunkedBuilder::new(name, capacity)),
            Some(ColumnType::String) => Self::Text(StringChunkedBuilder::new(name, capacity)),
            Some(ColumnType::StringList) => Self::TextList(ListStringChunkedBuilder::new(name, capacity, capacity)),
            Some(ColumnType::Bool) => Self::Bool(BooleanChunkedBuilder::new(name, capacity)),
            Some(ColumnType::Date) => Self::Date(PrimitiveChunkedBuilder::new(name, capacity)),
            Some(ColumnType::Timestamp) => Self::Timestamp(PrimitiveChunkedBuilder::new(name, capacity)),
        }
    }

    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Undecided(_) => "any value",
            Self::Int(_) | Self::LongInt(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "string",
            Self::TextList(_) => "array of strings",
            Self::Bool(_) => "bool",
            Self::Date(_) => "date",
            Self::Timestamp(_) => "timestamp",
        }
    }

    pub fn push_null(&mut self) {
        match self {
            Self::Undecided(nulls) => *nulls += 1,
            Self::Int(builder) | Self::Timestamp(builder) => builder.append_null(),
            Self::Float(builder) => builder.append_null(),
            Self::Text(builder) | Self::LongInt(builder) => builder.append_null(),
            Self::TextList(builder) => builder.append_null(),
            Self::Bool(builder) => builder.append_null(),
            Self::Date(builder) => builder.append_null(),
        }
    }

    /// Appends a list of texts to a column of such lists.
    pub fn push_texts(&mut self, texts: &[&str]) {
        match self {
            Self::TextList(builder) => builder.append_values_iter(texts.iter().copied()),
            _ => unreachable!("only a column of lists is given one"),
        }
    }

    /// Appends a value, or says what was found instead.
    pub fn push(&mut self, value: RawBsonRef<'_>) -> Result<(), String> {
        match (self, value) {
            (builder, RawBsonRef::Null) => builder.push_null(),
            (Self::Int(builder), RawBsonRef::Int64(value)) => builder.append_value(value),
            (Self::Int(builder), RawBsonRef::Int32(value)) => builder.append_value(value.into()),
            (builder @ (Self::Int(_) | Self::LongInt(_)), RawBsonRef::Decimal128(value)) => {
                builder.push_digits(value)?
            }
            (Self::LongInt(builder), RawBsonRef::Int64(value)) => builder.append_value(value.to_string()),
            (Self::LongInt(builder), RawBsonRef::Int32(value)) => builder.append_value(value.to_string()),
            (Self::Float(builder), RawBsonRef::Double(value)) => builder.append_value(value),
            (Self::Float(builder), RawBsonRef::Int32(value)) => builder.append_value(value.into()),
            (Self::Text(builder), RawBsonRef::String(value)) => builder.append_value(value),
            (Self::TextList(builder), RawBsonRef::Array(values)) => {
                builder.append_values_iter(texts(values)?.into_iter())
            }
            (Self::Bool(builder), RawBsonRef::Boolean(value)) => builder.append_value(value),
            (Self::Timestamp(builder), RawBsonRef::DateTime(value)) => {
                builder.append_value(within_calendar(value.timestamp_millis()));
            }
            (Self::Date(builder), RawBsonRef::DateTime(value)) => builder.append_value(day(value.timestamp_millis())?),
            (_, other) => return Err(type_name(other.element_type())),
        }
        Ok(())
    }

    /// Appends an integer beyond 64 bits; the column is one of digits from then on.
    fn push_digits(&mut self, value: Decimal128) -> Result<(), String> {
        let digits = value.to_string();
        let whole: i128 = digits.parse().map_err(|_| format!("the decimal {digits}"))?;
        if let Self::Int(builder) = self {
            if let Ok(value) = i64::try_from(whole) {
                builder.append_value(value);
                return Ok(());
            }
            let Self::Int(builder) = std::mem::replace(self, Self::Undecided(0)) else { unreachable!("it is one") };
            let mut long = StringChunkedBuilder::new("".into(), 0);
            builder.finish().iter().for_each(|value| long.append_option(value.map(|value| value.to_string())));
            *self = Self::LongInt(long);
        }
        match self {
            Self::LongInt(builder) => builder.append_value(digits),
            _ => unreachable!("only a column of integers is given one"),
        }
        Ok(())
    }

    /// As [`push`](Self::push); a column of integers that meets a fraction becomes one of fractions, a column of dates that meets
    /// a time of day one of instants.
    pub fn push_widening(&mut self, name: &str, value: RawBsonRef<'_>) -> Result<(), String> {
        match (&*self, value) {
            (Self::Undecided(nulls), value) if value != RawBsonRef::Null => {
                let kind = kind_of(value).ok_or_else(|| type_name(value.element_type()))?;
                let mut decided = Self::new(name, Some(kind), nulls + 1);
                (0..*nulls).for_each(|_| decided.push_null());
                *self = decided;
            }
            (Self::Int(_), RawBsonRef::Double(_)) => self.rebuild_as(name, ColumnType::Float),
            (Self::Float(_), RawBsonRef::Int64(value)) => return self.push(RawBsonRef::Double(value as f64)),
            (Self::Date(_), RawBsonRef::DateTime(value)) if !is_midnight(value.timestamp_millis()) => {
                self.rebuild_as(name, ColumnType::Timestamp);
            }
            _ => {}
        }
        self.push(value)
    }

    fn rebuild_as(&mut self, name: &str, kind: ColumnType) {
        let old = std::mem::replace(self, Self::Undecided(0));
        let mut wide = Self::new(name, Some(kind), 0);
        match (old, &mut wide) {
            (Self::Int(builder), Self::Float(wide)) => {
                builder.finish().iter().for_each(|value| wide.append_option(value.map(|value| value as f64)));
            }
            (Self::Date(builder), Self::Timestamp(wide)) => {
                let millis = |day: i32| i64::from(day) * MILLIS_PER_DAY;
                builder.finish().iter().for_each(|day| wide.append_option(day.map(millis)));
            }
            _ => unreachable!("only integers and dates are widened"),
        }
        *self = wide;
    }

    pub fn finish(self, name: &str) -> Series {
        match self {
            Self::Undecided(nulls) => polars::prelude::Series::new_null(name.into(), nulls).into_column(),
            Self::Int(builder) => builder.finish().into_column(),
            Self::Float(builder) => builder.finish().into_column(),
            Self::Text(builder) => builder.finish().into_column(),
            Self::LongInt(builder) => builder.finish().with_name(name.into()).into_column(),
            Self::TextList(mut builder) => builder.finish().into_column(),
            Self::Bool(builder) => builder.finish().into_column(),
            Self::Date(builder) => builder.finish().into_series().into_date().into_column(),
            Self::Timestamp(builder) => {
                builder.finish().into_series().into_datetime(TimeUnit::Milliseconds, None).into_column()
            }
        }
    }
}

/// The type of a column that begins with this value; `None` where no column can hold it.
pub(crate) fn kind_of(value: RawBsonRef<'_>) -> Option<ColumnType> {
    Some(match value {
        RawBsonRef::Int32(_) | RawBsonRef::Int64(_) => ColumnType::Int,
        RawBsonRef::Double(_) => ColumnType::Float,
        RawBsonRef::String(_) => ColumnType::String,
        RawBsonRef::Boolean(_) => ColumnType::Bool,
        RawBsonRef::Array(_) => ColumnType::StringList,
        RawBsonRef::DateTime(value) if is_midnight(value.timestamp_millis()) => ColumnType::Date,
        RawBsonRef::DateTime(_) => ColumnType::Timestamp,
        _ => return None,
    })
}

fn is_midnight(millis: i64) -> bool {
    millis.rem_euclid(MILLIS_PER_DAY) == 0
}

/// The instant, or the last one of the calendar. The last window ends in the year 10000, which has no date in files and in SQL.
fn within_calendar(millis: i64) -> i64 {
    let is_end = (LAST_MILLIS + 1..=LAST_MILLIS + LONGEST_WINDOW).contains(&millis);
    if is_end { LAST_MILLIS } else { millis }
}

/// Days since 1970-01-01 of an instant at 00:00 UTC; any other instant is no date, and rounding it would be a wrong one.
fn day(millis: i64) -> Result<i32, String> {
    let days = within_calendar(millis).div_euclid(MILLIS_PER_DAY);
    let whole = if is_midnight(millis) { i32::try_from(days).ok() } else { None };
    whole.ok_or_else(|| format!("the instant {}", crate::format::timestamp(millis)))
}

fn texts(values: &RawArray) -> Result<Vec<&str>, String> {
    let text = |value: Result<_, bson::error::Error>| match value {
        Ok(RawBsonRef::String(text)) => Ok(text),
        Ok(other) => Err(format!("array with {}", type_name(RawBsonRef::element_type(&other)))),
        Err(error) => Err(error.to_string()),
    };
    values.into_iter().map(text).collect()
}

fn type_name(found: ElementType) -> String {
    match found {
        ElementType::Double => "float".to_owned(),
        ElementType::String => "string".to_owned(),
        ElementType::Boolean => "bool".to_owned(),
        ElementType::DateTime => "timestamp".to_owned(),
        ElementType::Int32 | ElementType::Int64 => "int".to_owned(),
        ElementType::Array => "array".to_owned(),
        ElementType::EmbeddedDocument => "document".to_owned(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::{AnyValue, DataType};

    use super::*;

    fn decimal(text: &str) -> RawBsonRef<'static> {
        RawBsonRef::Decimal128(text.parse().expect("a decimal"))
    }

    #[test]
    fn integers_beyond_64_bits_keep_their_digits() {
        let mut builder = Builder::new("sum", Some(ColumnType::Int), 0);
        let values =
            [RawBsonRef::Int64(-7), RawBsonRef::Null, decimal("18446744073709551614"), RawBsonRef::Int64(i64::MAX)];
        values.into_iter().for_each(|value| builder.push(value).expect("an integer"));
        builder.push(decimal("-9999999999999999999999999999999999")).expect("an integer");
        let column = builder.finish("sum");
        let texts: Vec<AnyValue<'_>> = (0..5).map(|row| column.get(row).expect("a value")).collect();
        let text = AnyValue::String;
        assert_eq!(
            texts,
            [
                text("-7"),
                AnyValue::Null,
                text("18446744073709551614"),
                text("9223372036854775807"),
                text("-9999999999999999999999999999999999")
            ]
        );
        assert_eq!(column.name(), "sum");
    }

    #[test]
    fn the_last_window_ends_with_the_calendar() {
        let ends = |kind, days: i64| {
            let mut builder = Builder::new("window_end", Some(kind), 0);
            let instant = bson::DateTime::from_millis(days * MILLIS_PER_DAY);
            builder.push(RawBsonRef::DateTime(instant)).expect("an instant");
            builder.finish("window_end").get(0).expect("a value").into_static()
        };
        // 9999-12-31, 10000-01-01, 10000-01-03.
        for days in [2_932_896, 2_932_897, 2_932_899] {
            assert_eq!(ends(ColumnType::Date, days), AnyValue::Date(2_932_896), "{days}");
        }
        let last = AnyValue::Datetime(LAST_MILLIS, TimeUnit::Milliseconds, None);
        assert_eq!(ends(ColumnType::Timestamp, 2_932_897), last.into_static());
    }

    #[test]
    fn a_decimal_within_64_bits_is_an_integer_and_one_with_a_fraction_is_refused() {
        let mut builder = Builder::new("sum", Some(ColumnType::Int), 0);
        builder.push(decimal("9223372036854775807")).expect("an integer");
        assert!(builder.push(decimal("0.5")).is_err());
        assert_eq!(builder.finish("sum").dtype(), &DataType::Int64);
    }
}
