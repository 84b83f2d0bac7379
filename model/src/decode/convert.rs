//! Gives a JSON value the type that its field declares.
//!
//! Numbers and booleans may stand in texts, numbers with thousands separators; a null word is null. Anything else that is not of
//! the type is refused, never guessed.

use super::json::{Json, quote};
use super::{DeadReason, Reject};
use crate::calendar::{DAY_MS, date_of_day, day_of_date, ten_day_name};
use crate::schema::{DateFormat, Derivation, Field, FieldKind, NumberRange};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use std::borrow::Cow;
use std::num::IntErrorKind;

/// A typed value; dates and timestamps are milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Millis(i64),
    Str(Cow<'a, str>),
    List(Vec<Cow<'a, str>>),
}

/// Converts the values of one field.
#[derive(Debug, Clone)]
pub(super) struct Converter {
    kind: FieldKind,
    null_words: Vec<String>,
    zone: TimeZone,
}

impl Converter {
    pub(super) fn new(field: &Field, zone: &TimeZone) -> Self {
        let zone = match field.kind {
            FieldKind::Date(_) => TimeZone::UTC,
            _ => zone.clone(),
        };
        Self { kind: field.kind.clone(), null_words: field.null_words.clone(), zone }
    }

    /// The zone in which the field's moments have their date.
    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The typed value; the message of a [`Reject`] begins after the field's name.
    pub(super) fn convert<'a>(&self, json: Option<&Json<'a>>) -> Result<Value<'a>, Reject> {
        match json {
            None | Some(Json::Null) => Ok(Value::Null),
            Some(Json::Str(text)) if self.is_null_word(text) => Ok(Value::Null),
            Some(json) => self.typed(json),
        }
    }

    /// The typed value of one item of a list of two, or of a text such as `"0,1"`.
    pub(super) fn convert_item<'a>(&self, json: Option<&Json<'a>>, item: usize) -> Result<Value<'a>, Reject> {
        match json {
            None | Some(Json::Null) => Ok(Value::Null),
            Some(Json::Str(text)) if self.is_null_word(text) => Ok(Value::Null),
            Some(Json::List(items)) if items.len() == 2 => self.convert(items.get(item)),
            Some(Json::Str(text)) => match text.split_once(',').filter(|(_, rest)| !rest.contains(',')) {
                Some((first, second)) => {
                    let half = [first, second][item].trim().to_owned();
                    self.convert(Some(&Json::Str(Cow::Owned(half))))
                }
                None => Err(self.refuse("two values", &Json::Str(text.clone()))),
            },
            Some(json) => Err(self.refuse("two values", json)),
        }
    }

    fn is_null_word(&self, text: &str) -> bool {
        self.null_words.iter().any(|word| word == text)
    }

    fn typed<'a>(&self, json: &Json<'a>) -> Result<Value<'a>, Reject> {
        match &self.kind {
            FieldKind::String => match json {
                Json::Str(text) => Ok(Value::Str(text.clone())),
                _ => Err(self.refuse("a string", json)),
            },
            FieldKind::Int(range) => in_range(self.int(json)?, range, json).map(Value::Int),
            FieldKind::Float(range) => in_range(self.float(json)?, range, json).map(Value::Float),
            FieldKind::Bool => {
                truth(json).map(Value::Bool).ok_or_else(|| self.refuse("a bool (true, false, 0 or 1)", json))
            }
            FieldKind::Date(formats) => self.moment(json, formats, date),
            FieldKind::Timestamp(formats) => {
                self.moment(json, formats, |text, pattern| instant(text, pattern, &self.zone))
            }
            FieldKind::StringList => self.list(json),
        }
    }

    fn refuse(&self, expected: &str, json: &Json<'_>) -> Reject {
        Reject::new(DeadReason::WrongType, format!("is {}, not {expected}", json.describe()))
    }

    fn int(&self, json: &Json<'_>) -> Result<i64, Reject> {
        // Up to 2^53 every whole float is one integer.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        // Not an i64 itself: the smallest float that is beyond all of them.
        const BEYOND: f64 = 9_223_372_036_854_775_808.0;
        let read = match json {
            Json::Int(number) => Ok(*number),
            Json::Float(number) if number.fract() == 0.0 && number.abs() <= EXACT => Ok(*number as i64),
            Json::Float(number) => Err(number.abs() >= BEYOND),
            Json::Str(text) => number_text(text).parse().map_err(|error: std::num::ParseIntError| {
                matches!(error.kind(), IntErrorKind::PosOverflow | IntErrorKind::NegOverflow)
            }),
            _ => Err(false),
        };
        read.map_err(|is_beyond| if is_beyond { beyond_int(json) } else { self.refuse("an int", json) })
    }

    fn float(&self, json: &Json<'_>) -> Result<f64, Reject> {
        match json {
            Json::Int(number) => Some(*number as f64),
            Json::Float(number) => Some(*number),
            Json::Str(text) => number_text(text).parse().ok(),
            _ => None,
        }
        .filter(|number| number.is_finite())
        .ok_or_else(|| self.refuse("a finite number", json))
    }

    fn moment<'a>(
        &self,
        json: &Json<'a>,
        formats: &[DateFormat],
        by_pattern: impl Fn(&str, &str) -> Option<i64>,
    ) -> Result<Value<'a>, Reject> {
        let found = formats.iter().find_map(|format| match (format, json) {
            (DateFormat::Pattern(pattern), Json::Str(text)) => by_pattern(text.trim(), pattern),
            (DateFormat::Rfc3339, Json::Str(text)) => {
                text.trim().parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
            }
            (DateFormat::EpochMillis, _) => match self.int(json) {
                Err(beyond) if beyond.reason == DeadReason::OutOfRange => Some(i64::MAX),
                read => read.ok(),
            },
            (DateFormat::EpochSeconds, _) => self.float(json).ok().map(|seconds| (seconds * 1000.0).round() as i64),
            _ => None,
        });
        match found {
            Some(millis) if !self.is_in_calendar(millis) => {
                let message = format!("is {}, outside the years -9999 to 9999", json.describe());
                Err(Reject::new(DeadReason::OutOfRange, message))
            }
            Some(millis) if matches!(self.kind, FieldKind::Date(_)) => {
                Ok(Value::Millis(millis.div_euclid(DAY_MS) * DAY_MS))
            }
            Some(millis) => Ok(Value::Millis(millis)),
            None => {
                let names: Vec<_> = formats.iter().map(format_name).collect();
                Err(self.refuse(&format!("a {} written as {}", self.kind.name(), names.join(" or ")), json))
            }
        }
    }

    /// Whether the calendar of the rules has it: the years -9999 to 9999; instants a day less at both ends, for the zones.
    fn is_in_calendar(&self, millis: i64) -> bool {
        match self.kind {
            FieldKind::Date(_) => {
                (day_of_date(Date::MIN)..=day_of_date(Date::MAX)).contains(&millis.div_euclid(DAY_MS))
            }
            _ => Timestamp::from_millisecond(millis).is_ok(),
        }
    }

    fn list<'a>(&self, json: &Json<'a>) -> Result<Value<'a>, Reject> {
        let Json::List(items) = json else { return Err(self.refuse("a list of strings", json)) };
        let text = |item: &Json<'a>| match item {
            Json::Str(text) => Ok(text.clone()),
            _ => Err(self.refuse("a list of strings", item)),
        };
        items.iter().map(text).collect::<Result<_, _>>().map(Value::List)
    }
}

/// The value of a derived field; null where the other field has none.
pub(super) fn derive<'a>(how: Derivation, of: &Value<'_>, zone: &TimeZone) -> Value<'a> {
    let date = match of {
        Value::Millis(millis) => {
            // Dates at the ends of the calendar are no instants in every zone.
            let date = date_of_day(millis.div_euclid(DAY_MS));
            Some(Timestamp::from_millisecond(*millis).map_or(date, |instant| zone.to_datetime(instant).date()))
        }
        _ => None,
    };
    match (how, date, of) {
        (Derivation::Year, Some(date), _) => Value::Int(date.year().into()),
        (Derivation::Month, Some(date), _) => Value::Int(date.month().into()),
        (Derivation::TenDay, Some(date), _) => Value::Str(Cow::Borrowed(ten_day_name(date.day()))),
        (Derivation::TitleYear, _, Value::Str(title)) => title_year(title).map_or(Value::Null, Value::Int),
        _ => Value::Null,
    }
}

/// The four digits behind the last parenthesis that opens with them: `X (2019– )`, `X (1999–2014)`, `Show: Ep (2012) Season 5`.
fn title_year(title: &str) -> Option<i64> {
    title.rsplit('(').find_map(|part| {
        let digits = part.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        let next = part[4..].chars().next()?;
        if next.is_ascii_digit() { None } else { digits.parse().ok() }
    })
}

/// A number's text without blanks around it and without thousands separators; others are left for the parser to refuse.
fn number_text(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    let mut groups = text.trim_start_matches(['-', '+']).split('.').next().unwrap_or("").split(',');
    let first = groups.next().unwrap_or("");
    let grouped = text.contains(',') && (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3);
    if grouped { Cow::Owned(text.replace(',', "")) } else { Cow::Borrowed(text) }
}

fn in_range<T: PartialOrd + std::fmt::Display>(
    number: T,
    range: &NumberRange<T>,
    json: &Json<'_>,
) -> Result<T, Reject> {
    if number >= range.first && number <= range.last {
        return Ok(number);
    }
    let message = format!("is {}, outside the range {} to {}", json.describe(), range.first, range.last);
    Err(Reject::new(DeadReason::OutOfRange, message))
}

/// A time as RFC 3339, or as milliseconds where the calendar has none.
pub(super) fn written(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map_or_else(|_| format!("{millis} ms"), |time| time.to_string())
}

fn beyond_int(json: &Json<'_>) -> Reject {
    let message = format!("is {}, beyond what an int can hold: {} to {}", json.describe(), i64::MIN, i64::MAX);
    Reject::new(DeadReason::OutOfRange, message)
}

fn truth(json: &Json<'_>) -> Option<bool> {
    match json {
        Json::Bool(truth) => Some(*truth),
        Json::Int(0) => Some(false),
        Json::Int(1) => Some(true),
        Json::Str(text) => match text.trim() {
            "0" | "false" | "False" => Some(false),
            "1" | "true" | "True" => Some(true),
            _ => None,
        },
        _ => None,
    }
}

fn date(text: &str, pattern: &str) -> Option<i64> {
    Date::strptime(pattern, text).ok().map(|date| day_of_date(date) * DAY_MS)
}

/// A pattern without an offset is read in the schema's zone.
fn instant(text: &str, pattern: &str, zone: &TimeZone) -> Option<i64> {
    let parts = BrokenDownTime::parse(pattern, text).ok()?;
    let instant = parts.to_timestamp().or_else(|_| {
        let civil = parts.to_datetime().or_else(|_| parts.to_date().map(|date| date.at(0, 0, 0, 0)))?;
        zone.to_timestamp(civil)
    });
    instant.ok().map(Timestamp::as_millisecond)
}

fn format_name(format: &DateFormat) -> String {
    match format {
        DateFormat::Pattern(pattern) => quote(pattern),
        DateFormat::Rfc3339 => "RFC 3339".into(),
        DateFormat::EpochMillis => "milliseconds since 1970".into(),
        DateFormat::EpochSeconds => "seconds since 1970".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::date_of_day;
    use proptest::prelude::*;

    #[test]
    fn years_are_found_in_titles() {
        for (title, year) in [
            ("Kill Bill: Vol. 2 (2004)", Some(2004)),
            ("X (2019– )", Some(2019)),
            ("X (1999–2014)", Some(1999)),
            ("Show: Ep (2012) Season 5, Episode 7", Some(2012)),
            ("Blade Runner 2049 (2017)", Some(2017)),
            ("(500) Days of Summer (2009)", Some(2009)),
            ("2012 (I) (2009 Video)", Some(2009)),
            ("1917", None),
            ("X (20199)", None),
            ("X (201", None),
            ("日本 (２０１９)", None),
        ] {
            assert_eq!(title_year(title), year, "{title}");
        }
    }

    #[test]
    fn thousands_separators_are_read_where_they_group_by_three() {
        for (text, number) in [
            ("1,234", Some(1234)),
            ("-1,234,567", Some(-1_234_567)),
            (" 7 ", Some(7)),
            ("1,23", None),
            ("1,,234", None),
            (",123", None),
        ] {
            assert_eq!(number_text(text).parse::<i64>().ok(), number, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_derived_date_is_the_date(day in -3_000_000_i64..2_900_000) {
            let date = date_of_day(day);
            let value = Value::Millis(day * DAY_MS);
            prop_assert_eq!(derive(Derivation::Year, &value, &TimeZone::UTC), Value::Int(date.year().into()));
            prop_assert_eq!(derive(Derivation::Month, &value, &TimeZone::UTC), Value::Int(date.month().into()));
        }
    }
}
