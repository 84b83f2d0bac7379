//! What a text is: its type where none is given, and its value where one is.

use bson::raw::RawBsonRef;
use jiff::{Timestamp, civil};
use model::layout::ColumnType;

/// The narrowest type of some values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Guess {
    /// No value yet.
    #[default]
    Nothing,
    Int,
    Float,
    Bool,
    Date,
    Timestamp,
    Text,
    Texts,
}

impl Guess {
    /// Of a text in a CSV file.
    pub fn of_field(text: &str) -> Self {
        match text.as_bytes() {
            [] => Self::Nothing,
            b"true" | b"false" | b"True" | b"False" => Self::Bool,
            [b'0'..=b'9' | b'-' | b'.', ..] => Self::of_numeral(text).unwrap_or_else(|| Self::of_text(text)),
            _ => Self::Text,
        }
    }

    /// Of a text that is no number, however it looks.
    pub fn of_text(text: &str) -> Self {
        // Cheap to refuse, because most texts are neither.
        if text.len() < 10 || text.as_bytes()[4] != b'-' {
            Self::Text
        } else if date(text).is_some() {
            Self::Date
        } else if timestamp(text).is_some() {
            Self::Timestamp
        } else {
            Self::Text
        }
    }

    /// Numbers as programs write them. What begins with a needless zero is a code of some kind, and must not lose it; so must an
    /// integer not lose its last digits.
    fn of_numeral(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let padded = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
        if padded || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')) {
            return None;
        }
        if text.parse::<i64>().is_ok() {
            return Some(Self::Int);
        }
        let number: f64 = text.parse().ok()?;
        let exact = !digits.bytes().all(|byte| byte.is_ascii_digit()) || number.to_string() == text;
        (exact && number.is_finite()).then_some(Self::Float)
    }

    /// The type that holds the values of both.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Nothing, known) | (known, Self::Nothing) => known,
            (Self::Int, Self::Float) | (Self::Float, Self::Int) => Self::Float,
            (Self::Date, Self::Timestamp) | (Self::Timestamp, Self::Date) => Self::Timestamp,
            _ => Self::Text,
        }
    }

    /// `None` where there was no value.
    pub fn kind(self) -> Option<ColumnType> {
        Some(match self {
            Self::Nothing => return None,
            Self::Int => ColumnType::Int,
            Self::Float => ColumnType::Float,
            Self::Bool => ColumnType::Bool,
            Self::Date => ColumnType::Date,
            Self::Timestamp => ColumnType::Timestamp,
            Self::Text => ColumnType::String,
            Self::Texts => ColumnType::StringList,
        })
    }
}

/// The value of a text as this type; `None` where it has none.
pub(crate) fn value(text: &str, kind: ColumnType) -> Option<RawBsonRef<'_>> {
    let instant = |millis| RawBsonRef::DateTime(bson::DateTime::from_millis(millis));
    match kind {
        ColumnType::String => Some(RawBsonRef::String(text)),
        _ if text.is_empty() => Some(RawBsonRef::Null),
        ColumnType::Int => text.trim().parse().ok().map(RawBsonRef::Int64),
        ColumnType::Float => text.trim().parse().ok().map(RawBsonRef::Double),
        ColumnType::Bool => text.trim().to_ascii_lowercase().parse().ok().map(RawBsonRef::Boolean),
        ColumnType::Date => date(text).map(instant),
        ColumnType::Timestamp => timestamp(text).or_else(|| date(text)).map(instant),
        ColumnType::StringList => None,
    }
}

/// Milliseconds of a day's beginning in UTC.
fn date(text: &str) -> Option<i64> {
    let date = (text.len() == 10).then(|| text.parse::<civil::Date>().ok())??;
    Some(millis(date.to_datetime(civil::Time::midnight())))
}

/// Milliseconds of an instant; what is finer is cut off.
fn timestamp(text: &str) -> Option<i64> {
    if text.len() <= 10 {
        return None;
    }
    let zoned = text.parse::<Timestamp>().ok().map(|instant| instant.as_microsecond().div_euclid(1_000));
    zoned.or_else(|| text.parse::<civil::DateTime>().ok().map(millis))
}

fn millis(utc: civil::DateTime) -> i64 {
    let since_epoch = utc.duration_since(civil::date(1970, 1, 1).at(0, 0, 0, 0));
    i64::try_from(since_epoch.as_micros().div_euclid(1_000)).expect("jiff's years are few enough")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_what_a_person_would_say() {
        let cases = [
            ("", Guess::Nothing),
            ("0", Guess::Int),
            ("-7", Guess::Int),
            ("0.5", Guess::Float),
            ("-.5e-3", Guess::Float),
            ("1000000000000000000000", Guess::Float),
            ("18446744073709551616", Guess::Text),
            ("007", Guess::Text),
            ("1,000", Guess::Text),
            ("1-2", Guess::Text),
            ("inf", Guess::Text),
            ("1e999", Guess::Text),
            ("true", Guess::Bool),
            ("2020-02-29", Guess::Date),
            ("2021-02-29", Guess::Text),
            ("2020-02-29T10:00:00Z", Guess::Timestamp),
            ("2020-02-29 10:00:00.25", Guess::Timestamp),
            ("2020-02-29T10:00:00+02:00", Guess::Timestamp),
            ("기생충 🎬 (2019)", Guess::Text),
        ];
        for (text, guess) in cases {
            assert_eq!(Guess::of_field(text), guess, "{text}");
        }
    }

    #[test]
    fn types_widen_and_never_lose_a_value() {
        use Guess::{Bool, Date, Float, Int, Nothing, Text, Timestamp};
        for (a, b, both) in [
            (Nothing, Int, Int),
            (Int, Float, Float),
            (Date, Timestamp, Timestamp),
            (Int, Date, Text),
            (Bool, Int, Text),
        ] {
            assert_eq!((a.and(b), b.and(a)), (both, both));
        }
    }

    #[test]
    fn instants_before_1970_are_cut_downwards() {
        let millis = |text| match value(text, ColumnType::Timestamp) {
            Some(RawBsonRef::DateTime(instant)) => instant.timestamp_millis(),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(millis("1969-12-31T23:59:59.9999Z"), -1);
        assert_eq!(millis("1970-01-01T01:00:00+01:00"), 0);
        assert_eq!(millis("1970-01-02"), 86_400_000);
    }
}
