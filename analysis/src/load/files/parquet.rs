//! Parquet files with flat columns, of whatever writer.

use std::fs::File;

use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit as Unit, Type as Physical},
    column::reader::get_typed_column_reader,
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type, Int96Type},
    errors::{ParquetError, Result},
    file::{reader::FileReader, serialized_reader::SerializedFileReader},
    schema::types::ColumnDescriptor,
};
use polars::prelude::{
    BooleanChunked, Column, DataFrame, Float64Chunked, Int32Chunked, Int64Chunked, IntoColumn, IntoSeries,
    NewChunkedArray, StringChunked, TimeUnit,
};

use super::{FileError, TableFile};

/// The columns of the file under its own types.
pub(super) fn read(file: &TableFile) -> std::result::Result<DataFrame, FileError> {
    let input = File::open(&file.path).map_err(|source| FileError::Read { path: file.path.clone(), source })?;
    let broken = |error: ParquetError| FileError::Parquet { path: file.path.clone(), reason: reason(&error) };
    let reader = SerializedFileReader::new(input).map_err(broken)?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    // A list or a record has several, under its own name and more.
    let names: Vec<String> = schema.columns().iter().map(|column| column.path().string()).collect();
    let mut columns = Vec::new();
    for place in file.places(&names)? {
        let column = &schema.columns()[place];
        let kind = Kind::of(column).ok_or_else(|| FileError::Kind {
            path: file.path.clone(),
            column: names[place].clone(),
            kind: described(column),
        })?;
        columns.push(read_column(&reader, place, &names[place], kind).map_err(broken)?);
    }
    let rows = usize::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or_default();
    DataFrame::new(rows, columns)
        .map_err(|error| FileError::Parquet { path: file.path.clone(), reason: error.to_string() })
}

/// What a column becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Int32,
    /// Bits of an integer without a sign.
    Unsigned32,
    Int64,
    Float,
    Double,
    Text,
    Date,
    /// So many of its units are a millisecond.
    Timestamp(i64),
    /// The old form of Spark and Impala.
    Timestamp96,
}

impl Kind {
    /// `None` for what a frame of this library does not hold: lists, records, decimals, times of day, bytes.
    fn of(column: &ColumnDescriptor) -> Option<Self> {
        if column.max_rep_level() > 0 || column.path().parts().len() > 1 {
            return None;
        }
        match (column.physical_type(), column.logical_type_ref(), column.converted_type()) {
            (Physical::BOOLEAN, ..) => Some(Self::Bool),
            (Physical::FLOAT, ..) => Some(Self::Float),
            (Physical::DOUBLE, ..) => Some(Self::Double),
            (Physical::INT96, ..) => Some(Self::Timestamp96),
            // One in nanoseconds has no converted type, as a plain integer has none.
            (_, Some(LogicalType::Time(_)), _) => None,
            (Physical::INT64, Some(LogicalType::Timestamp(time)), _) => Some(Self::Timestamp(match time.unit {
                Unit::MILLIS => 1,
                Unit::MICROS => 1_000,
                Unit::NANOS => 1_000_000,
            })),
            (physical, _, converted) => Self::of_converted(physical, converted),
        }
    }

    fn of_converted(physical: Physical, converted: ConvertedType) -> Option<Self> {
        use ConvertedType as Converted;
        match (physical, converted) {
            (Physical::INT32, Converted::DATE) => Some(Self::Date),
            (Physical::INT32, Converted::UINT_32) => Some(Self::Unsigned32),
            (Physical::INT32, Converted::DECIMAL | Converted::TIME_MILLIS) => None,
            (Physical::INT32, _) => Some(Self::Int32),
            (Physical::INT64, Converted::TIMESTAMP_MILLIS) => Some(Self::Timestamp(1)),
            (Physical::INT64, Converted::TIMESTAMP_MICROS) => Some(Self::Timestamp(1_000)),
            (Physical::INT64, Converted::NONE | Converted::INT_64) => Some(Self::Int64),
            (Physical::BYTE_ARRAY, Converted::UTF8 | Converted::ENUM | Converted::JSON) => Some(Self::Text),
            _ => None,
        }
    }
}

fn described(column: &ColumnDescriptor) -> String {
    if column.max_rep_level() > 0 || column.path().parts().len() > 1 {
        return "lists or records".to_owned();
    }
    if let Some(LogicalType::Time(_)) = column.logical_type_ref() {
        return "times of day".to_owned();
    }
    match (column.physical_type(), column.converted_type()) {
        (physical, ConvertedType::NONE) => physical.to_string(),
        (physical, converted) => format!("{physical} ({converted})"),
    }
}

fn read_column(reader: &SerializedFileReader<File>, place: usize, name: &str, kind: Kind) -> Result<Column> {
    let ints = |values: Vec<Option<i64>>| Int64Chunked::from_iter_options(name.into(), values.into_iter());
    Ok(match kind {
        Kind::Bool => {
            BooleanChunked::from_iter_options(name.into(), values::<BoolType>(reader, place)?.into_iter()).into_column()
        }
        Kind::Int32 => ints(mapped::<Int32Type, _>(reader, place, i64::from)?).into_column(),
        Kind::Unsigned32 => {
            ints(mapped::<Int32Type, _>(reader, place, |value| i64::from(value.cast_unsigned()))?).into_column()
        }
        Kind::Int64 => ints(values::<Int64Type>(reader, place)?).into_column(),
        Kind::Timestamp(per_milli) => {
            let millis = mapped::<Int64Type, _>(reader, place, |value| value.div_euclid(per_milli))?;
            ints(millis).into_series().into_datetime(TimeUnit::Milliseconds, None).into_column()
        }
        Kind::Timestamp96 => {
            let millis = mapped::<Int96Type, _>(reader, place, |value| value.to_millis())?;
            ints(millis).into_series().into_datetime(TimeUnit::Milliseconds, None).into_column()
        }
        Kind::Date => Int32Chunked::from_iter_options(name.into(), values::<Int32Type>(reader, place)?.into_iter())
            .into_series()
            .into_date()
            .into_column(),
        Kind::Float => {
            let values = mapped::<FloatType, _>(reader, place, f64::from)?;
            Float64Chunked::from_iter_options(name.into(), values.into_iter()).into_column()
        }
        Kind::Double => {
            Float64Chunked::from_iter_options(name.into(), values::<DoubleType>(reader, place)?.into_iter())
                .into_column()
        }
        Kind::Text => {
            let bytes = values::<ByteArrayType>(reader, place)?;
            let texts = bytes.iter().map(|bytes| bytes.as_ref().map(ByteArray::as_utf8).transpose());
            let texts = texts.collect::<Result<Vec<Option<&str>>>>()?;
            StringChunked::from_iter_options(name.into(), texts.into_iter()).into_column()
        }
    })
}

fn mapped<T: DataType, V>(
    reader: &SerializedFileReader<File>,
    place: usize,
    change: impl Fn(T::T) -> V,
) -> Result<Vec<Option<V>>> {
    Ok(values::<T>(reader, place)?.into_iter().map(|value| value.map(&change)).collect())
}

/// The column's values over all row groups.
fn values<T: DataType>(reader: &SerializedFileReader<File>, place: usize) -> Result<Vec<Option<T::T>>> {
    let mut all = Vec::new();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group)?;
        let column = group.metadata().column(place);
        let required = column.column_descr().max_def_level() == 0;
        let mut left = usize::try_from(column.num_values()).map_err(|error| ParquetError::External(error.into()))?;
        let mut column = get_typed_column_reader::<T>(group.get_column_reader(place)?);
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        while left > 0 {
            let (read, _, _) = column.read_records(left, Some(&mut levels), None, &mut values)?;
            if read == 0 {
                return Err(ParquetError::EOF("a column ends before its rows".to_owned()));
            }
            left -= read;
        }
        let mut values = values.into_iter();
        match required {
            // No levels are written for a column that has a value in every row.
            true => all.extend(values.map(Some)),
            false => all.extend(levels.iter().map(|level| if *level > 0 { values.next() } else { None })),
        }
    }
    Ok(all)
}

fn reason(error: &ParquetError) -> String {
    match error {
        ParquetError::General(what) if what.contains("Disabled feature") => {
            format!("{what}; write it with snappy, zstd or no compression")
        }
        other => other.to_string(),
    }
}
