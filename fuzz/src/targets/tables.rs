//! Files as frames: as many rows as the file has records, and each cell is the text of its value.
//!
//! Input: name of the file, then the bytes.

use std::fs;

use analysis::load::read_file;
use analysis::polars::prelude::{AnyValue, DataFrame};
use files::{Format, Options, RecordFile};
use model::calendar::date_of_day;
use serde_json::value::RawValue;

use super::rfc4180;
use crate::Input;
use crate::exact::{Decimal, meaning};

const NAMES: [&str; 3] = ["table.json", "table.jsonl", "table.csv"];

/// Words that stand for a missing value among others, in small letters.
const NOTHING: [&str; 14] =
    ["na", "n/a", "#n/a", "n.a.", "nan", "null", "none", "nil", "-", "--", "\u{2013}", "\u{2014}", "?", "."];

/// Reads the bytes as a frame.
pub fn run(input: &[u8]) {
    let mut input = Input::new(input);
    let name = NAMES[input.choose(NAMES.len())];
    let bytes = input.rest();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    fs::write(&path, bytes).expect("a file in a temporary folder");
    let frame = match read_file(&path) {
        Ok(frame) => frame,
        Err(error) => return assert!(error.to_string().contains(name), "no file is named: {error}"),
    };
    let Ok(file) = RecordFile::open(&path, &Options::default()) else { return };
    let Some((format, records)) = records(file) else { return };
    assert_eq!(frame.height(), records.len(), "rows of the frame, and records that `ingest` would send");
    for (row, record) in records.iter().enumerate() {
        check_row(&frame, row, record, format == Format::Csv);
    }
    if let Some(rows) = rfc4180::rows(bytes).filter(|_| format == Format::Csv) {
        assert_eq!(frame.height(), rows.len() - 1, "rows of {rows:?}");
    }
}

/// The records of a file without a broken one.
fn records(mut file: RecordFile) -> Option<(Format, Vec<String>)> {
    let mut records = Vec::new();
    while let Some(record) = file.next_record() {
        records.push(String::from_utf8(record.ok()?.json.to_vec()).expect("a record is UTF-8"));
    }
    Some((file.format(), records))
}

/// The members of a record that are not objects themselves, against the cells of the row.
fn check_row(frame: &DataFrame, row: usize, record: &str, is_csv: bool) {
    let members: std::collections::BTreeMap<String, &RawValue> =
        serde_json::from_str(record).expect("a row is made of an object");
    for (name, value) in members {
        let raw = value.get();
        if raw.starts_with(['{', '[']) {
            continue;
        }
        // A column without a name gets one.
        if name.is_empty() {
            continue;
        }
        let Ok(column) = frame.column(&name) else { panic!("{name:?} of row {row} is no column") };
        let cell = column.get(row).expect("a row of the frame");
        let text: Option<String> = serde_json::from_str(raw).ok();
        check_cell(&cell, text.as_deref().unwrap_or(raw), is_csv || text.is_none());
    }
}

/// A cell against its text; `is_plain` if a number or a truth may stand in it, which in JSON is so outside of quotes only.
fn check_cell(cell: &AnyValue<'_>, text: &str, is_plain: bool) {
    let what = || format!("{text:?} became {cell:?}");
    match cell {
        AnyValue::Null => {
            let word = text.trim().to_lowercase();
            assert!(word.is_empty() || NOTHING.contains(&word.as_str()), "{}", what());
        }
        AnyValue::String(found) => assert_eq!(*found, text),
        AnyValue::StringOwned(found) => assert_eq!(found.as_str(), text),
        AnyValue::Int64(int) => {
            assert!(is_plain && meaning(text, '.') == Some(i128::from(*int).into()), "{}", what());
        }
        AnyValue::Float64(float) => {
            assert!(is_plain, "{}", what());
            check_float(*float, text, what);
        }
        AnyValue::Boolean(truth) => {
            assert!(is_plain && text.trim().eq_ignore_ascii_case(if *truth { "true" } else { "false" }), "{}", what());
        }
        AnyValue::Date(days) => assert_eq!(date_of_day(i64::from(*days)).to_string(), text.trim(), "{}", what()),
        AnyValue::Datetime(millis, ..) => {
            if let Some(expected) = super::dates::rfc3339(text.trim()) {
                assert_eq!(*millis, expected, "{}", what());
            }
        }
        other => panic!("{text:?} became {other:?}"),
    }
}

/// A fraction is the nearest float; a whole number is exact or at least read back as it was written.
fn check_float(float: f64, text: &str, what: impl Fn() -> String) {
    let meant = Decimal::parse(text.trim()).unwrap_or_else(|| panic!("{}", what()));
    assert_eq!(meant.nearest_float(), float, "{}", what());
    let is_integer = text.trim().trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    let is_kept = float.abs() < 1e38 && meant == Decimal::from(float as i128) || float.to_string() == text.trim();
    assert!(!is_integer || is_kept, "{}", what());
}
