//! JSON files, record by record: JSON Lines, or one array.

use std::{collections::HashMap, fmt, path::Path};

use bson::raw::RawBsonRef;
use jiff::tz::TimeZone;
use model::{
    decode::extended::{Plain, plain},
    layout::ColumnType,
};
use polars::prelude::DataFrame;
use serde::{
    Deserialize,
    de::{MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use super::{
    FileError, Pass, TableFile,
    guess::{self, Guess},
    row::{Pushed, Rows},
};

/// The rows of the file, once for the columns and their types, and once for the values.
pub(super) fn read(file: &TableFile) -> Result<DataFrame, FileError> {
    known_rows(file, &Known::of(file)?)
}

/// The records that are known; what was appended since, as to a log, is left out.
fn known_rows(file: &TableFile, known: &Known) -> Result<DataFrame, FileError> {
    let places = file.places(&known.names)?;
    file.tell_of_civil_times(places.iter().map(|place| (known.names[*place].as_str(), known.guesses[*place])));
    let column = |place: &usize| {
        let name = &known.names[*place];
        (name.clone(), file.kind_of(name).or(known.guesses[*place].kind()))
    };
    let mut rows = Rows::new(places.iter().map(column).collect::<Vec<_>>());
    let mut values = vec![Member::Value(Value::Null); known.names.len()];
    file.each_record(Pass::Second, known.records, |row, record| {
        values.fill(Member::Value(Value::Null));
        for (name, value) in members(&file.path, row, record)? {
            let Some(place) = known.places.get(&name) else {
                return Err(FileError::Changed { path: file.path.clone(), row, column: name });
            };
            values[*place] = value;
        }
        rows.push(&file.path, row, |column, kind| typed(&values[places[column]], kind, file.zone()))
    })?;
    Ok(rows.finish())
}

/// Columns in the order in which they appear.
#[derive(Default)]
struct Known {
    records: usize,
    names: Vec<String>,
    guesses: Vec<Guess>,
    /// The last record that has the column.
    last_rows: Vec<u64>,
    places: HashMap<String, usize>,
}

impl Known {
    fn of(file: &TableFile) -> Result<Self, FileError> {
        let mut known = Self::default();
        file.each_record(Pass::First, usize::MAX, |row, record| {
            known.records += 1;
            let mut members = members(&file.path, row, record)?.into_iter();
            members.try_for_each(|(name, value)| known.note(row, name, &value)).map_err(|column| FileError::TwoValues {
                path: file.path.clone(),
                row,
                column,
            })
        })?;
        Ok(known)
    }

    /// Notes a value; where the record has one of this name already, the name is the error.
    fn note(&mut self, row: u64, name: String, value: &Member) -> Result<(), String> {
        let guess = guessed(value);
        match self.places.get(&name) {
            Some(place) if self.last_rows[*place] == row => return Err(name),
            Some(place) => {
                self.last_rows[*place] = row;
                self.guesses[*place] = self.guesses[*place].and(guess);
            }
            None => {
                self.places.insert(name.clone(), self.names.len());
                self.names.push(name);
                self.guesses.push(guess);
                self.last_rows.push(row);
            }
        }
        Ok(())
    }
}

/// A member of a record. Numbers and lists are kept as they are written: a `Value` would change the last digits of a long number.
#[derive(Debug, Clone)]
enum Member {
    Number(Box<RawValue>),
    /// A list of texts and what else there may be.
    List(Vec<Value>, Box<RawValue>),
    /// An instant of MongoDB's extended JSON, in milliseconds.
    Moment(i64),
    /// A text, true, false or null.
    Value(Value),
}

impl Member {
    fn of_extended(value: Plain<'_>) -> Self {
        match value {
            Plain::Text(text) => Self::Value(Value::String(text.into_owned())),
            // JSON has no number for infinity; NaN stands for a missing value.
            Plain::Number(digits) => match RawValue::from_string(digits.to_string()) {
                Ok(raw) if Guess::of_number(raw.get()) != Guess::Text => Self::Number(raw),
                _ if digits.eq_ignore_ascii_case("nan") => Self::Value(Value::Null),
                _ => Self::Value(Value::String(digits.into_owned())),
            },
            Plain::Moment(millis) => Self::Moment(millis),
            Plain::Null => Self::Value(Value::Null),
        }
    }

    fn written(&self) -> String {
        match self {
            Self::Number(raw) | Self::List(_, raw) => raw.get().to_owned(),
            Self::Moment(millis) => crate::format::timestamp(*millis),
            Self::Value(value) => value.to_string(),
        }
    }
}

fn guessed(value: &Member) -> Guess {
    match value {
        Member::Number(number) => Guess::of_number(number.get()),
        Member::List(items, _) if items.iter().all(Value::is_string) => Guess::Texts,
        Member::List(..) => Guess::Text,
        Member::Moment(_) => Guess::Timestamp,
        Member::Value(Value::Null) => Guess::Nothing,
        Member::Value(Value::Bool(_)) => Guess::Bool,
        Member::Value(value) => value.as_str().map_or(Guess::Text, Guess::of_text),
    }
}

/// What a column of this type has of a value, or the value where it is of another.
fn typed<'m>(value: &'m Member, kind: ColumnType, zone: &TimeZone) -> Result<Pushed<'m>, String> {
    let other = || value.written();
    let value = match (value, kind) {
        (Member::Value(Value::Null), _) => RawBsonRef::Null,
        (Member::Value(Value::Bool(value)), ColumnType::Bool) => RawBsonRef::Boolean(*value),
        (Member::Number(number), ColumnType::Int | ColumnType::Float) => {
            guess::value(number.get(), kind).ok_or_else(other)?
        }
        (Member::List(items, _), ColumnType::StringList) => {
            let texts = items.iter().map(Value::as_str).collect::<Option<Vec<&str>>>();
            return texts.map(Pushed::Texts).ok_or_else(other);
        }
        (Member::Value(Value::String(text)), kind) => guess::value_in(text, kind, zone).ok_or_else(other)?,
        (Member::Moment(millis), ColumnType::Timestamp) => RawBsonRef::DateTime(bson::DateTime::from_millis(*millis)),
        (_, ColumnType::String) => return Ok(Pushed::Json(other())),
        _ => return Err(other()),
    };
    Ok(Pushed::Value(value))
}

/// Fields of a record in their order, with members of objects under their own names.
fn members(path: &Path, row: u64, record: &[u8]) -> Result<Vec<(String, Member)>, FileError> {
    let members: Members = serde_json::from_slice(record).map_err(|error| broken(path, row, &error))?;
    let mut flat = Vec::with_capacity(members.0.len());
    for (name, value) in members.0 {
        flatten(name, value, &mut flat).map_err(|error| broken(path, row, &error))?;
    }
    Ok(flat)
}

fn flatten(name: String, value: Box<RawValue>, flat: &mut Vec<(String, Member)>) -> serde_json::Result<()> {
    let text = value.get();
    let member = match text.as_bytes().first() {
        Some(b'{') => match extended(text) {
            Some(value) => Member::of_extended(value),
            None => {
                let members: Members = serde_json::from_str(text)?;
                let mut members = members.0.into_iter();
                return members.try_for_each(|(member, value)| flatten(format!("{name}.{member}"), value, flat));
            }
        },
        Some(b'[') => Member::List(serde_json::from_str::<Vec<Value>>(text)?.into_iter().map(item).collect(), value),
        Some(b'-' | b'0'..=b'9') => Member::Number(value),
        _ => Member::Value(serde_json::from_str(text)?),
    };
    flat.push((name, member));
    Ok(())
}

/// The plain value of an object of MongoDB's extended JSON.
fn extended(object: &str) -> Option<Plain<'_>> {
    let is_wrapper = object[1..].trim_start().starts_with("\"$");
    if is_wrapper { plain(object) } else { None }
}

/// An item of a list, a text where extended JSON makes it one.
fn item(value: Value) -> Value {
    match value.is_object().then(|| value.to_string()).as_deref().and_then(extended) {
        Some(Plain::Text(text)) => Value::String(text.into_owned()),
        _ => value,
    }
}

fn broken(path: &Path, row: u64, error: &serde_json::Error) -> FileError {
    FileError::Json { path: path.to_owned(), row, reason: error.to_string() }
}

/// Fields in the order of the file, which `serde_json::Map` does not keep.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::with_capacity(map.size_hint().unwrap_or(16));
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use polars::prelude::df;

    use super::*;

    #[test]
    fn a_file_that_changes_between_its_two_readings_is_read_as_it_was_or_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.jsonl");
        let lines = "{\"n\": 1}\n{\"n\": 2}\n";
        fs::write(&path, lines).expect("written");
        let (file, known) = (TableFile::new(&path), Known::of(&TableFile::new(&path)).expect("columns"));
        for appended in ["", "{\"n\": \"three\"}\n", "{\"level\": \"warn\"}\n", "{\"n\": 3, \"lev"] {
            fs::write(&path, format!("{lines}{appended}")).expect("written");
            let frame = known_rows(&file, &known).expect(appended);
            assert_eq!(frame, df!("n" => [1_i64, 2]).expect("a frame"), "{appended}");
        }
        fs::write(&path, "{\"n\": 1}\n{\"n\": 2, \"level\": \"warn\"}\n").expect("written");
        let error = known_rows(&file, &known).expect_err("another file").to_string();
        assert!(
            error.ends_with("a.jsonl changed while it was read: record 2 has the new field \"level\"; read it again"),
            "{error}"
        );
    }
}
