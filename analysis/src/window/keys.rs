//! Keys as small numbers: each value of a key column gets a code when it first comes, each row of codes a number.

use model::rollup::KeyValue;
use polars::{
    datatypes::PlHashMap,
    prelude::{Column, DataFrame, DataType, NamedFrom, Series, TimeUnit, TimeZone},
};

use super::{WindowError, measure::integers};

/// The keys seen so far.
#[derive(Debug, Default)]
pub(super) struct Keys {
    columns: Vec<KeyColumn>,
    /// Codes of the columns, by key.
    codes: Vec<Box<[u32]>>,
    of_codes: PlHashMap<Box<[u32]>, u32>,
}

#[derive(Debug)]
struct KeyColumn {
    name: String,
    /// Type of the first frame's column; later ones must have it too.
    kind: Option<DataType>,
    values: Vec<KeyValue>,
    of_text: PlHashMap<Box<str>, u32>,
    of_number: PlHashMap<i64, u32>,
    null: Option<u32>,
}

impl Keys {
    pub fn new(names: &[String]) -> Self {
        let column = |name: &String| KeyColumn {
            name: name.clone(),
            kind: None,
            values: Vec::new(),
            of_text: PlHashMap::default(),
            of_number: PlHashMap::default(),
            null: None,
        };
        Self { columns: names.iter().map(column).collect(), ..Self::default() }
    }

    /// Checks the key columns of a frame before anything is changed.
    pub fn check(&self, frame: &DataFrame) -> Result<(), WindowError> {
        for column in &self.columns {
            let found = frame.column(&column.name).map_err(|_| WindowError::no_column(frame, &column.name))?;
            let fits = match (&column.kind, found.dtype()) {
                (_, DataType::Null) => true,
                (Some(kind), found) => kind == found,
                (None, found) => is_key(found),
            };
            if !fits {
                let expected = match &column.kind {
                    Some(kind) => format!("{kind} as before"),
                    None => "texts, integers, dates, instants, or true and false".to_owned(),
                };
                return Err(WindowError::wrong_type(found, "a key", expected));
            }
            if found.dtype().is_integer() {
                integers(found)?;
            }
        }
        Ok(())
    }

    /// The number of each row's key, of columns that were checked.
    pub fn of_rows(&mut self, frame: &DataFrame) -> Result<Vec<u32>, WindowError> {
        let mut codes = Vec::with_capacity(self.columns.len());
        for column in &mut self.columns {
            codes.push(column.codes(frame.column(&column.name)?)?);
        }
        // One column's codes are the keys themselves; none is one key.
        Ok(match codes.len() {
            0 => {
                self.number(&[]);
                vec![0; frame.height()]
            }
            1 => {
                let known = self.codes.len() as u32;
                (known..self.columns[0].values.len() as u32).for_each(|code| {
                    self.number(&[code]);
                });
                codes.swap_remove(0)
            }
            _ => {
                let mut row = vec![0; codes.len()];
                let mut numbers = Vec::with_capacity(frame.height());
                for at in 0..frame.height() {
                    row.iter_mut().zip(&codes).for_each(|(code, column)| *code = column[at]);
                    numbers.push(self.number(&row));
                }
                numbers
            }
        })
    }

    /// The values of the keys with these numbers, as columns of their types.
    pub fn columns(&self, keys: &[u32]) -> Result<Vec<Column>, WindowError> {
        let column = |(at, column): (usize, &KeyColumn)| {
            let value = |key: &u32| &column.values[self.codes[*key as usize][at] as usize];
            column.values(keys.iter().map(value))
        };
        self.columns.iter().enumerate().map(column).collect()
    }

    /// Values and types of every key, to be saved.
    pub fn saved(&self) -> Vec<Vec<KeyValue>> {
        let values = |codes: &[u32]| {
            self.columns.iter().zip(codes).map(|(column, code)| column.values[*code as usize].clone()).collect()
        };
        self.codes.iter().map(|codes| values(codes)).collect()
    }

    pub fn kinds(&self) -> Vec<Option<DataType>> {
        self.columns.iter().map(|column| column.kind.clone()).collect()
    }

    /// Puts back what was saved, in the same order, so that the numbers are the same.
    pub fn restore(&mut self, kinds: Vec<Option<DataType>>, keys: Vec<Vec<KeyValue>>) {
        self.columns.iter_mut().zip(kinds).for_each(|(column, kind)| column.kind = kind);
        for key in keys {
            let codes: Vec<u32> = self.columns.iter_mut().zip(key).map(|(column, value)| column.code(value)).collect();
            self.number(&codes);
        }
    }

    fn number(&mut self, codes: &[u32]) -> u32 {
        if let Some(&number) = self.of_codes.get(codes) {
            return number;
        }
        let number = self.codes.len() as u32;
        self.codes.push(codes.into());
        self.of_codes.insert(codes.into(), number);
        number
    }
}

fn is_key(kind: &DataType) -> bool {
    matches!(kind, DataType::String | DataType::Boolean | DataType::Date | DataType::Datetime(..)) || kind.is_integer()
}

impl KeyColumn {
    fn codes(&mut self, column: &Column) -> Result<Vec<u32>, WindowError> {
        if self.kind.is_none() && column.dtype() != &DataType::Null {
            self.kind = Some(column.dtype().clone());
        }
        Ok(match column.dtype() {
            DataType::Null => {
                let null = self.code(KeyValue::Null);
                vec![null; column.len()]
            }
            DataType::String => column.str()?.iter().map(|text| self.text(text)).collect(),
            DataType::Boolean => {
                column.bool()?.iter().map(|truth| self.code(truth.map_or(KeyValue::Null, KeyValue::Bool))).collect()
            }
            kind => {
                let per_unit = millis_per_unit(kind);
                let numbers = column.cast(&DataType::Int64)?;
                let codes = numbers.i64()?.iter().map(|number| self.number(number, per_unit));
                codes.collect()
            }
        })
    }

    fn text(&mut self, text: Option<&str>) -> u32 {
        let Some(text) = text else { return self.code(KeyValue::Null) };
        match self.of_text.get(text) {
            Some(&code) => code,
            None => self.code(KeyValue::Str(text.into())),
        }
    }

    /// `per_unit` is how milliseconds come of the number, where it is a time.
    fn number(&mut self, number: Option<i64>, per_unit: Option<(i64, i64)>) -> u32 {
        self.code(match (number, per_unit) {
            (None, _) => KeyValue::Null,
            (Some(number), None) => KeyValue::Int(number),
            (Some(number), Some((times, over))) => KeyValue::Millis((number * times).div_euclid(over)),
        })
    }

    fn code(&mut self, value: KeyValue) -> u32 {
        let next = self.values.len() as u32;
        let code = match &value {
            KeyValue::Null => *self.null.get_or_insert(next),
            KeyValue::Bool(truth) => *self.of_number.entry(i64::from(*truth)).or_insert(next),
            KeyValue::Int(number) | KeyValue::Millis(number) => *self.of_number.entry(*number).or_insert(next),
            KeyValue::Str(text) => match self.of_text.get(text) {
                Some(&code) => code,
                None => {
                    self.of_text.insert(text.clone(), next);
                    next
                }
            },
        };
        if code == next {
            self.values.push(value);
        }
        code
    }

    fn values<'a>(&self, values: impl Iterator<Item = &'a KeyValue>) -> Result<Column, WindowError> {
        let name = self.name.as_str().into();
        let kind = self.kind.clone().unwrap_or(DataType::Null);
        let series = match &kind {
            DataType::Null => Series::new_null(name, values.count()),
            DataType::String => {
                let texts = values.map(|value| if let KeyValue::Str(text) = value { Some(&**text) } else { None });
                Series::new(name, texts.collect::<Vec<Option<&str>>>())
            }
            DataType::Boolean => {
                let truths = values.map(|value| if let KeyValue::Bool(truth) = value { Some(*truth) } else { None });
                Series::new(name, truths.collect::<Vec<_>>())
            }
            kind => {
                let (times, over) = millis_per_unit(kind).unwrap_or((1, 1));
                let number = |value: &KeyValue| match value {
                    KeyValue::Int(number) => Some(*number),
                    KeyValue::Millis(millis) => Some((millis * over).div_euclid(times)),
                    _ => None,
                };
                let numbers: Vec<Option<i64>> = values.map(number).collect();
                let numbers = Series::new(name, numbers);
                match kind {
                    DataType::Date => numbers.cast(&DataType::Int32)?.cast(kind)?,
                    kind => numbers.cast(kind)?,
                }
            }
        };
        Ok(series.into())
    }
}

/// How milliseconds come of a number of this type: times the first, over the second. Finer instants are kept as they are.
fn millis_per_unit(kind: &DataType) -> Option<(i64, i64)> {
    match kind {
        DataType::Date => Some((86_400_000, 1)),
        DataType::Datetime(TimeUnit::Milliseconds, _) => Some((1, 1)),
        _ => None,
    }
}

/// Names of types that a saved key may have, with their types.
pub(super) fn kind_of_name(name: &str) -> Option<DataType> {
    let kinds = [
        DataType::String,
        DataType::Boolean,
        DataType::Date,
        DataType::Datetime(TimeUnit::Milliseconds, None),
        DataType::Datetime(TimeUnit::Microseconds, None),
        DataType::Datetime(TimeUnit::Nanoseconds, None),
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
    ];
    kinds.into_iter().find(|kind| kind.to_string() == name).or_else(|| zoned_kind(name))
}

/// The type of instants in a zone: `datetime[ms, Asia/Seoul]`.
fn zoned_kind(name: &str) -> Option<DataType> {
    let (_, zone) = name.strip_suffix(']')?.split_once(", ")?;
    let zone = TimeZone::opt_try_new(Some(zone)).ok()??;
    let units = [TimeUnit::Milliseconds, TimeUnit::Microseconds, TimeUnit::Nanoseconds];
    units.map(|unit| DataType::Datetime(unit, Some(zone.clone()))).into_iter().find(|kind| kind.to_string() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::df;

    fn numbers(keys: &mut Keys, frame: &DataFrame) -> Vec<u32> {
        keys.check(frame).expect("keys");
        keys.of_rows(frame).expect("keys")
    }

    #[test]
    fn equal_keys_have_one_number_in_every_frame_and_give_their_values_back() {
        let mut keys = Keys::new(&["movie".into(), "year".into()]);
        let first = df!("movie" => [Some("A"), Some("B"), None], "year" => [1, 1, 2]).expect("a frame");
        let second = df!("movie" => [Some("B"), None, Some("A")], "year" => [1, 2, 2]).expect("a frame");
        assert_eq!(numbers(&mut keys, &first), [0, 1, 2]);
        assert_eq!(numbers(&mut keys, &second), [1, 2, 3]);
        let columns = keys.columns(&[0, 1, 2]).expect("columns");
        assert_eq!(DataFrame::new(3, columns).expect("a frame"), first);
    }

    #[test]
    fn no_key_columns_are_one_key_and_dates_stay_dates() {
        let mut none = Keys::new(&[]);
        assert_eq!(numbers(&mut none, &df!("n" => [1, 2]).expect("a frame")), [0, 0]);
        let days = df!("day" => [-1_i32, 5, -1]).expect("a frame");
        let day = days.column("day").expect("days").cast(&DataType::Date).expect("dates");
        let frame = DataFrame::new(3, vec![day]).expect("a frame");
        let mut keys = Keys::new(&["day".into()]);
        assert_eq!(numbers(&mut keys, &frame), [0, 1, 0]);
        assert_eq!(keys.columns(&[0, 1, 0]).expect("columns"), frame.columns());
    }

    #[test]
    fn instants_of_every_unit_are_told_apart_to_their_last_digit() {
        for unit in [TimeUnit::Milliseconds, TimeUnit::Microseconds, TimeUnit::Nanoseconds] {
            let kind = DataType::Datetime(unit, None);
            let instants = df!("at" => [1_714_557_600_123_456_789_i64, 1_714_557_600_123_456_788, -1, -2, -1]);
            let at = instants.expect("a frame").column("at").expect("instants").cast(&kind).expect("instants");
            let frame = DataFrame::new(5, vec![at]).expect("a frame");
            let mut keys = Keys::new(&["at".into()]);
            assert_eq!(numbers(&mut keys, &frame), [0, 1, 2, 3, 2], "{unit:?}");
            assert_eq!(keys.columns(&[0, 1, 2, 3, 2]).expect("columns"), frame.columns(), "{unit:?}");
            let mut again = Keys::new(&["at".into()]);
            again.restore(keys.kinds(), keys.saved());
            assert_eq!(again.columns(&[0, 1, 2, 3, 2]).expect("columns"), frame.columns(), "{unit:?}");
        }
    }

    #[test]
    fn another_type_than_before_is_refused() {
        let mut keys = Keys::new(&["k".into()]);
        numbers(&mut keys, &df!("k" => [1_i64]).expect("a frame"));
        let error = keys.check(&df!("k" => ["1"]).expect("a frame")).expect_err("a text").to_string();
        assert_eq!(error, "column \"k\" is str; a key needs i64 as before");
        let error = Keys::new(&["k".into()]).check(&df!("k" => [0.5]).expect("a frame")).expect_err("a fraction");
        assert!(error.to_string().starts_with("column \"k\" is f64; a key needs texts"), "{error}");
    }
}
