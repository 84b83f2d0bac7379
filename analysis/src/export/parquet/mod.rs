//! Frames as Parquet files, and back.
//!
//! Written with the `parquet` crate of Apache Arrow without its `arrow` feature, by typed column writers. What was measured for
//! a build from nothing (two cores): this crate takes 25 s of one core and its small dependencies 10 s more, for the zstd library
//! is built already for Kafka's client. polars' own readers and writers double its build, which takes most
//! of the limit of nine minutes without them.
//!
//! | column type | physical type | logical type |
//! | --- | --- | --- |
//! | string | `BYTE_ARRAY` | String |
//! | int | `INT64` | – |
//! | int beyond 64 bits | `FIXED_LEN_BYTE_ARRAY(16)` | Decimal(38, 0) |
//! | float | `DOUBLE` | – |
//! | bool | `BOOLEAN` | – |
//! | date | `INT32` | Date |
//! | timestamp | `INT64` | Timestamp in milliseconds, adjusted to UTC |
//!
//! Every column is optional, has minimum, maximum and number of nulls in its statistics, and is compressed with zstd.

mod read;
mod write;

pub(crate) use read::read;
pub(crate) use write::ParquetWriter;

use std::sync::Arc;

use model::layout::ColumnType;
use parquet::{
    basic::{LogicalType, Repetition, TimeUnit, Type as Physical},
    errors::{ParquetError, Result},
    schema::types::{Type, TypePtr},
};

use super::selection::OutputColumn;

/// Bytes of an integer beyond 64 bits.
const DECIMAL_BYTES: i32 = 16;
/// Digits that fit into them.
const DECIMAL_DIGITS: i32 = 38;

fn schema(columns: &[OutputColumn]) -> Result<TypePtr> {
    let fields = columns.iter().map(|column| field(column).map(Arc::new)).collect::<Result<_>>()?;
    Ok(Arc::new(Type::group_type_builder("rollup").with_fields(fields).build()?))
}

fn field(column: &OutputColumn) -> Result<Type> {
    if column.is_long {
        return Type::primitive_type_builder(&column.name, Physical::FIXED_LEN_BYTE_ARRAY)
            .with_length(DECIMAL_BYTES)
            .with_precision(DECIMAL_DIGITS)
            .with_scale(0)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(Some(LogicalType::decimal(0, DECIMAL_DIGITS)))
            .build();
    }
    let (physical, logical) = match column.kind() {
        ColumnType::String | ColumnType::StringList => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        ColumnType::Int => (Physical::INT64, None),
        ColumnType::Float => (Physical::DOUBLE, None),
        ColumnType::Bool => (Physical::BOOLEAN, None),
        ColumnType::Date => (Physical::INT32, Some(LogicalType::Date)),
        ColumnType::Timestamp => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
    };
    Type::primitive_type_builder(&column.name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()
}

/// The error of the file itself, where it is one.
fn unwrapped(error: ParquetError) -> std::io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(error) => *error,
            Err(source) => std::io::Error::other(source),
        },
        other => std::io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::selection::select;
    use crate::load::{Column, ColumnRole};
    use parquet::file::{reader::FileReader, serialized_reader::SerializedFileReader};
    use polars::prelude::{DataFrame, DataType, TimeUnit as Unit, df};

    pub(super) fn sample() -> (Vec<Column>, DataFrame) {
        let kinds = [
            ("d", ColumnType::Date),
            ("t", ColumnType::Timestamp),
            ("movie", ColumnType::String),
            ("n", ColumnType::Int),
            ("x", ColumnType::Float),
            ("b", ColumnType::Bool),
        ];
        let columns = kinds
            .map(|(name, kind)| Column {
                name: name.to_owned(),
                kind,
                role: ColumnRole::Key,
                measure: None,
                relative_error: None,
            })
            .to_vec();
        let frame = df!(
            "d" => [Some(-1_i32), None, Some(0)],
            "t" => [Some(-1_i64), Some(0), None],
            "movie" => [Some("기생충 🎬"), Some(""), None],
            "n" => [Some(i64::MIN), None, Some(1_000_000)],
            "x" => [None, Some(1e21), Some(0.1)],
            "b" => [Some(true), None, Some(false)],
        );
        let mut frame = frame.expect("a frame");
        frame.apply("d", |days| days.cast(&DataType::Date).expect("dates")).expect("a column");
        let instants = DataType::Datetime(Unit::Milliseconds, None);
        frame.apply("t", |millis| millis.cast(&instants).expect("instants")).expect("a column");
        (columns, frame)
    }

    fn written(columns: &[Column], frames: &[DataFrame]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let output = select("t", columns, &Default::default()).expect("columns");
        let mut writer = ParquetWriter::new(file.reopen().expect("a file"), &output).expect("a writer");
        for frame in frames {
            writer.write(frame).expect("rows");
        }
        writer.finish().map(drop).expect("written");
        file
    }

    #[test]
    fn every_type_comes_back_with_its_nulls() {
        let (columns, frame) = sample();
        let file = written(&columns, std::slice::from_ref(&frame));
        let back = read(file.path(), &columns).expect("read");
        assert!(back.equals_missing(&frame), "{back}");
        assert_eq!(back.dtypes(), frame.dtypes());
    }

    #[test]
    fn integers_beyond_64_bits_are_decimals() {
        let (columns, _) = sample();
        let columns = &columns[3..4];
        let frame = df!("n" => [Some("18446744073709551616"), None, Some("-5")]).expect("a frame");
        let output =
            crate::export::selection::of_frame(&select("t", columns, &Default::default()).expect("columns"), &frame);
        let file = tempfile::Builder::new().suffix(".parquet").tempfile().expect("a file");
        let mut writer = ParquetWriter::new(file.reopen().expect("a file"), &output).expect("a writer");
        writer.write(&frame).expect("rows");
        writer.finish().map(drop).expect("written");
        assert_eq!(crate::load::read_file(file.path()).expect("rows"), frame);
        // Rows are not taken over from such a file, but read again.
        assert!(read(file.path(), columns).is_err());
    }

    #[test]
    fn several_frames_are_row_groups_and_no_rows_are_a_file() {
        let (columns, frame) = sample();
        let file = written(&columns, &[frame.clone(), frame.slice(0, 0), frame.clone()]);
        let back = read(file.path(), &columns).expect("read");
        assert!(back.equals_missing(&frame.vstack(&frame).expect("one below the other")));
        let file = written(&columns, &[frame.slice(0, 0)]);
        assert_eq!(read(file.path(), &columns).expect("read").height(), 0);
    }

    #[test]
    fn columns_have_statistics_and_are_compressed() {
        let (columns, frame) = sample();
        let file = written(&columns, std::slice::from_ref(&frame));
        let reader = SerializedFileReader::new(file.reopen().expect("a file")).expect("a Parquet file");
        let group = reader.metadata().row_group(0);
        assert_eq!((group.num_rows(), group.num_columns()), (3, 6));
        for column in group.columns() {
            let name = column.column_path().string();
            let statistics = column.statistics().unwrap_or_else(|| panic!("{name} has no statistics"));
            assert!(statistics.min_bytes_opt().is_some() && statistics.max_bytes_opt().is_some(), "{name}");
            assert_eq!(statistics.null_count_opt(), Some(1), "{name}");
            assert!(matches!(column.compression(), parquet::basic::Compression::ZSTD(_)), "{name}");
        }
    }

    #[test]
    fn a_file_with_other_columns_or_no_parquet_is_not_read() {
        let (mut columns, frame) = sample();
        let file = written(&columns, &[frame]);
        columns[3].kind = ColumnType::Float;
        assert!(read(file.path(), &columns).is_err());
        columns.pop();
        assert!(read(file.path(), &columns).is_err());
        std::fs::write(file.path(), "PAR1").expect("written");
        assert!(read(file.path(), &columns).is_err());
    }
}
