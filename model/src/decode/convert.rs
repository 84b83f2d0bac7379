//! Converts a JSON value to the type of its field.
//!
//! Numbers and booleans may be texts, in the grammar of [`number`]. Null words are null, and so are blank texts, except in strings.
//! Any other value of another type is rejected, never guessed.

use super::json::Json;
use super::pair;
use super::times::{self, epoch};
use super::{DeadReason, Reject};
use crate::calendar::{DAY_MS, label_in, parts_of_day, ten_day_name};
use crate::moment::{self, MomentError};
use crate::number::{self, Mark, NumberError};
use crate::schema::{DateFormat, Derivation, Field, FieldKind, NumberRange};
use jiff::tz::TimeZone;
use std::borrow::Cow;

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
    mark: Mark,
    null_words: Vec<String>,
    zone: TimeZone,
}

impl Converter {
    pub(super) fn new(field: &Field, zone: &TimeZone) -> Self {
        let zone = match field.kind {
            FieldKind::Date(_) => TimeZone::UTC,
            _ => zone.clone(),
        };
        Self { kind: field.kind.clone(), mark: field.decimal, null_words: field.null_words.clone(), zone }
    }

    /// Returns the zone that determines the dates of the field's instants.
    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Returns true if numbers need all of their digits.
    pub(super) fn needs_digits(&self) -> bool {
        match &self.kind {
            FieldKind::Int(_) | FieldKind::Bool => true,
            FieldKind::Date(formats) | FieldKind::Timestamp(formats) => {
                formats.iter().any(|format| matches!(format, DateFormat::EpochMillis | DateFormat::EpochSeconds))
            }
            FieldKind::String | FieldKind::Float(_) | FieldKind::StringList => false,
        }
    }

    /// Returns true if a value can never be of the type: an object, a list, or a boolean.
    pub(super) fn is_of_another_kind(&self, json: &Json<'_>) -> bool {
        match json {
            Json::Object | Json::Extended | Json::InnerList | Json::List(_) => {
                !matches!(self.kind, FieldKind::StringList)
            }
            Json::Bool(_) => !matches!(self.kind, FieldKind::Bool),
            _ => false,
        }
    }

    /// Returns true if a value of another type is certainly not in a list of values. A date in another format might be.
    pub(super) fn has_one_form(&self) -> bool {
        !matches!(self.kind, FieldKind::Date(_) | FieldKind::Timestamp(_))
    }

    /// Converts a value and checks the field's range. The message of a [`Reject`] begins after the field's name.
    pub(super) fn convert<'a>(&self, json: Option<&Json<'a>>) -> Result<Value<'a>, Reject> {
        let value = self.convert_any(json)?;
        match (&self.kind, &value, json) {
            (FieldKind::Int(range), Value::Int(number), Some(json)) => check_range(*number, range, json)?,
            (FieldKind::Float(range), Value::Float(number), Some(json)) => check_range(*number, range, json)?,
            _ => {}
        }
        Ok(value)
    }

    /// Converts a value without checking the field's range.
    #[inline]
    pub(super) fn convert_any<'a>(&self, json: Option<&Json<'a>>) -> Result<Value<'a>, Reject> {
        match json {
            None | Some(Json::Null) => Ok(Value::Null),
            Some(Json::Str(text)) if self.is_null(text) => Ok(Value::Null),
            Some(json) => self.typed(json),
        }
    }

    /// Converts one item of a list of two, or of a text such as `"0,1"`, like [`convert`](Self::convert).
    pub(super) fn convert_item<'a>(&self, json: Option<&Json<'a>>, item: usize) -> Result<Value<'a>, Reject> {
        let item = self.item(json, item)?;
        self.convert(item.as_deref())
    }

    /// Converts one item like [`convert_any`](Self::convert_any).
    pub(super) fn convert_any_item<'a>(&self, json: Option<&Json<'a>>, item: usize) -> Result<Value<'a>, Reject> {
        let item = self.item(json, item)?;
        self.convert_any(item.as_deref())
    }

    fn item<'j, 'a>(&self, json: Option<&'j Json<'a>>, item: usize) -> Result<Option<Cow<'j, Json<'a>>>, Reject> {
        match json {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Str(text)) if self.is_null(text) => Ok(None),
            Some(Json::List(items)) if items.len() == 2 => Ok(items.get(item).map(Cow::Borrowed)),
            Some(Json::List(items)) if items.is_empty() => Ok(None),
            Some(Json::Str(text)) => match pair::split(text, self.mark) {
                Some(Some(pair)) => Ok(pair[item].map(|half| Cow::Owned(Json::Str(Cow::Owned(half.to_owned()))))),
                Some(None) => Ok(None),
                None => Err(self.refuse("two values", &Json::Str(text.clone()))),
            },
            Some(json) => Err(self.refuse("two values", json)),
        }
    }

    /// A blank text is a value only in a string.
    fn is_null(&self, text: &str) -> bool {
        self.null_words.iter().any(|word| word == text)
            || (!matches!(self.kind, FieldKind::String) && begins_blank(text) && text.trim_start().is_empty())
    }

    fn typed<'a>(&self, json: &Json<'a>) -> Result<Value<'a>, Reject> {
        match &self.kind {
            FieldKind::String => match json {
                Json::Str(text) => Ok(Value::Str(text.clone())),
                _ => Err(self.refuse("a string", json)),
            },
            FieldKind::Int(_) => self.int(json).map(Value::Int),
            FieldKind::Float(_) => self.float(json).map(Value::Float),
            FieldKind::Bool => {
                truth(json).map(Value::Bool).ok_or_else(|| self.refuse("a bool (true, false, 0 or 1)", json))
            }
            FieldKind::Date(formats) => self.moment(json, formats, times::date),
            FieldKind::Timestamp(formats) => {
                self.moment(json, formats, |text, pattern| times::instant(text, pattern, &self.zone))
            }
            FieldKind::StringList => self.list(json),
        }
    }

    fn refuse(&self, expected: &str, json: &Json<'_>) -> Reject {
        Reject::new(DeadReason::WrongType, format!("is {}, not {expected}", json.describe()))
    }

    fn int(&self, json: &Json<'_>) -> Result<i64, Reject> {
        let read = match json {
            Json::Int(number) => return Ok(*number),
            Json::Number(digits) => number::int(digits, Mark::Point),
            Json::Str(text) => number::int(text, self.mark),
            _ => Err(NumberError::Malformed),
        };
        read.map_err(|error| match error {
            NumberError::Beyond => beyond_int(json),
            NumberError::Malformed | NumberError::NotWhole => self.refuse("an int", json),
        })
    }

    fn float(&self, json: &Json<'_>) -> Result<f64, Reject> {
        let read = match json {
            Json::Int(number) => return Ok(*number as f64),
            Json::Float(number) => return Ok(*number),
            Json::Number(digits) => number::float(digits, Mark::Point),
            Json::Str(text) => number::float(text, self.mark),
            _ => Err(NumberError::Malformed),
        };
        read.map_err(|error| match error {
            NumberError::Beyond => {
                let message = format!("is {}, beyond any number that can be stored", json.describe());
                Reject::new(DeadReason::OutOfRange, message)
            }
            NumberError::Malformed | NumberError::NotWhole => self.refuse("a finite number", json),
        })
    }

    fn moment<'a>(
        &self,
        json: &Json<'a>,
        formats: &[DateFormat],
        by_pattern: impl Fn(&str, &str) -> Result<i64, MomentError>,
    ) -> Result<Value<'a>, Reject> {
        let mut problem = MomentError::Malformed;
        let found = formats.iter().find_map(|format| {
            let read = match (format, json) {
                (DateFormat::Pattern(pattern), Json::Str(text)) => by_pattern(text.trim(), pattern),
                (DateFormat::Rfc3339, Json::Str(text)) => moment::parse(text),
                (_, Json::Moment(millis)) => Ok(*millis),
                (DateFormat::EpochMillis, _) => epoch(json, 0),
                (DateFormat::EpochSeconds, _) => epoch(json, 3),
                _ => Err(MomentError::Malformed),
            };
            // Report the problem of the format that matches more of the text.
            read.and_then(moment::held)
                .map_err(|error| {
                    if error != MomentError::Malformed {
                        problem = error;
                    }
                })
                .ok()
        });
        match found {
            Some(millis) if !matches!(self.kind, FieldKind::Date(_)) => Ok(Value::Millis(millis)),
            Some(millis) if matches!(json, Json::Moment(_)) && millis.rem_euclid(DAY_MS) != 0 => {
                Err(self.refuse("a date: it has a time of day (use `type = \"timestamp\"`)", json))
            }
            Some(millis) => Ok(Value::Millis(millis.div_euclid(DAY_MS) * DAY_MS)),
            None => Err(self.no_moment(json, formats, problem)),
        }
    }

    fn no_moment(&self, json: &Json<'_>, formats: &[DateFormat], problem: MomentError) -> Reject {
        let names = || formats.iter().map(times::format_name).collect::<Vec<_>>().join(" or ");
        let kind = self.kind.name();
        match problem {
            MomentError::Beyond => {
                let message = format!("is {}, which cannot be held: it is outside the years -9999 to 9999", json.describe());
                Reject::new(DeadReason::OutOfRange, message)
            }
            MomentError::NoOffset => self.refuse(
                &format!(
                    "a {kind} written as {}: it has no offset from UTC (add a pattern such as \"%Y-%m-%dT%H:%M:%S\" to `formats`, to read it in \
                     the schema's zone)",
                    names()
                ),
                json,
            ),
            MomentError::Zone => {
                self.refuse(&format!("a {kind}: its zone is unknown, does not agree with its offset, or has this time twice or never"), json)
            }
            MomentError::Malformed => self.refuse(&format!("a {kind} written as {}", names()), json),
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

/// Computes the value of a derived field; null if the other field is null.
pub(super) fn derive<'a>(how: Derivation, of: &Value<'_>, zone: &TimeZone) -> Value<'a> {
    let date = match of {
        Value::Millis(millis) => Some(parts_of_day(label_in(zone, *millis).div_euclid(DAY_MS))),
        _ => None,
    };
    match (how, date, of) {
        (Derivation::Year, Some((year, ..)), _) => Value::Int(year),
        (Derivation::Month, Some((_, month, _)), _) => Value::Int(month.into()),
        (Derivation::TenDay, Some((.., day)), _) => Value::Str(Cow::Borrowed(ten_day_name(day))),
        (Derivation::TitleYear, _, Value::Str(title)) => title_year(title).map_or(Value::Null, Value::Int),
        _ => Value::Null,
    }
}

/// Finds the four digits after the last parenthesis that begins with four: `X (2019– )`, `X (1999–2014)`, `Show: Ep (2012) Season 5`.
fn title_year(title: &str) -> Option<i64> {
    title.rsplit('(').find_map(|part| {
        let digits = part.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        let next = part[4..].chars().next()?;
        if next.is_ascii_digit() { None } else { digits.parse().ok() }
    })
}

fn check_range<T: PartialOrd + std::fmt::Display>(
    number: T,
    range: &NumberRange<T>,
    json: &Json<'_>,
) -> Result<(), Reject> {
    if number >= range.first && number <= range.last {
        return Ok(());
    }
    let message = format!("is {}, outside the range {} to {}", json.describe(), range.first, range.last);
    Err(Reject::new(DeadReason::OutOfRange, message))
}

/// Returns true if a text may be blank, judged by its first byte.
fn begins_blank(text: &str) -> bool {
    !text.as_bytes().first().is_some_and(u8::is_ascii_graphic)
}

fn beyond_int(json: &Json<'_>) -> Reject {
    let message = format!("is {}, beyond what an int can hold: {} to {}", json.describe(), i64::MIN, i64::MAX);
    Reject::new(DeadReason::OutOfRange, message)
}

fn truth(json: &Json<'_>) -> Option<bool> {
    let number = match json {
        Json::Bool(truth) => return Some(*truth),
        Json::Int(number) => *number,
        Json::Number(digits) => number::int(digits, Mark::Point).ok()?,
        Json::Str(text) => {
            let text = text.trim();
            if text.eq_ignore_ascii_case("true") {
                return Some(true);
            }
            if text.eq_ignore_ascii_case("false") {
                return Some(false);
            }
            number::int(text, Mark::Point).ok()?
        }
        _ => return None,
    };
    match number {
        0 => Some(false),
        1 => Some(true),
        _ => None,
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
