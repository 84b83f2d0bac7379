//! What an export has written, `load` reads back.

use polars::prelude::{DataFrame, DataType, NamedFrom, Series, TimeUnit};
use proptest::{collection::vec, option, prelude::*};

use super::{
    csv::{CsvWriter, TextForm},
    options::Settings,
    parquet::ParquetWriter,
    selection::select,
};
use crate::load::{Column, ColumnRole, ColumnType, TableFile, read_file};

const KINDS: [(&str, ColumnType); 6] = [
    ("day", ColumnType::Date),
    ("at", ColumnType::Timestamp),
    ("text, \"quoted\"", ColumnType::String),
    ("n", ColumnType::Int),
    ("x", ColumnType::Float),
    ("ok", ColumnType::Bool),
];
/// From the year 1 to the year 9999, without its last days, which are no instants in every zone.
const DAYS: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;
const MILLIS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_207_200_000;

fn columns() -> Vec<Column> {
    let column = |(name, kind): (&str, ColumnType)| Column {
        name: name.to_owned(),
        kind,
        role: ColumnRole::Key,
        measure: None,
        relative_error: None,
    };
    KINDS.map(column).to_vec()
}

fn frames() -> impl Strategy<Value = DataFrame> {
    let text = prop_oneof!["", "[ \\-,;\"'=\\r\\n0-9]{0,6}", "\\PC{0,8}", Just("2020-01-01".to_owned())];
    let finite = any::<f64>().prop_filter("CSV has no numeral for it", |value| value.is_finite());
    let row = (
        option::of(DAYS),
        option::of(MILLIS),
        option::of(text),
        option::of(any::<i64>()),
        option::of(finite),
        option::of(any::<bool>()),
    );
    vec(row, 0..30).prop_map(|rows| {
        let name = |place: usize| KINDS[place].0.into();
        let days: Vec<_> = rows.iter().map(|row| row.0).collect();
        let millis: Vec<_> = rows.iter().map(|row| row.1).collect();
        let columns = [
            Series::new(name(0), days).cast(&DataType::Date).expect("dates"),
            Series::new(name(1), millis).cast(&DataType::Datetime(TimeUnit::Milliseconds, None)).expect("instants"),
            Series::new(name(2), rows.iter().map(|row| row.2.as_deref()).collect::<Vec<_>>()),
            Series::new(name(3), rows.iter().map(|row| row.3).collect::<Vec<_>>()),
            Series::new(name(4), rows.iter().map(|row| row.4).collect::<Vec<_>>()),
            Series::new(name(5), rows.iter().map(|row| row.5).collect::<Vec<_>>()),
        ];
        DataFrame::new(rows.len(), columns.into_iter().map(Into::into).collect()).expect("a frame")
    })
}

proptest! {
    #[test]
    fn csv_comes_back_with_its_nulls(frame in frames()) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.csv");
        let settings = Settings::default();
        let output = select("t", &columns(), &settings).expect("columns");
        let file = std::fs::File::create(&path).expect("a file");
        let mut writer = CsvWriter::new(file, &output, TextForm::new(&settings).expect("UTC")).expect("a header");
        writer.write(&frame).expect("rows");
        writer.finish().expect("the end");

        let typed = KINDS.into_iter().fold(TableFile::new(&path), |file, (name, kind)| file.column_type(name, kind));
        let back = typed.collect().expect("typed rows");
        prop_assert!(back.equals_missing(&frame), "{back} instead of {frame}");
        prop_assert_eq!(back.dtypes(), frame.dtypes());

        let guessed = read_file(&path).expect("rows");
        for (place, (name, kind)) in KINDS.into_iter().enumerate() {
            let (found, expected) = (guessed.column(name).expect("a column"), frame.column(name).expect("a column"));
            // Among numbers a text without letters is a null.
            prop_assert!(kind == ColumnType::String || found.null_count() == expected.null_count(), "{}", name);
            // Fractions may happen to be whole, and texts to be anything.
            let certain = expected.null_count() < frame.height() && !matches!(kind, ColumnType::Float | ColumnType::String);
            prop_assert!(!certain || found.dtype() == &frame.dtypes()[place], "{}: {}", name, found.dtype());
        }
    }

    #[test]
    fn parquet_comes_back_with_its_nulls(frame in frames()) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.parquet");
        let output = select("t", &columns(), &Settings::default()).expect("columns");
        let mut writer = ParquetWriter::new(std::fs::File::create(&path).expect("a file"), &output).expect("a writer");
        writer.write(&frame).expect("rows");
        writer.finish().expect("the end");
        let back = read_file(&path).expect("rows");
        prop_assert!(back.equals_missing(&frame), "{back} instead of {frame}");
        prop_assert_eq!(back.dtypes(), frame.dtypes());
    }
}
