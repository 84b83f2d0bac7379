//! A Parquet file that an export wrote, back into a frame: where the rows that did not change come from.

use std::{fs::File, path::Path};

use model::layout::{Column, ColumnType};
use parquet::{
    column::reader::{ColumnReader, ColumnReaderImpl, get_typed_column_reader},
    data_type::{BoolType, ByteArray, ByteArrayType, DataType as Physical, DoubleType, Int32Type, Int64Type},
    errors::{ParquetError, Result},
    file::{reader::FileReader, serialized_reader::SerializedFileReader},
};
use polars::prelude::{
    BooleanChunked, Column as Series, DataFrame, Float64Chunked, Int32Chunked, Int64Chunked, IntoColumn, IntoSeries,
    NewChunkedArray, StringChunked, TimeUnit,
};

use super::schema;
use crate::export::{options::Settings, selection};

/// Reads `path`, which must have just these columns in this order; they get the names of `columns`, whatever theirs are.
pub(crate) fn read(path: &Path, columns: &[Column]) -> Result<DataFrame> {
    let reader = SerializedFileReader::new(File::open(path)?)?;
    let wrong = |what: String| ParquetError::General(what);
    let output = selection::select("", columns, &Settings::default()).map_err(|error| wrong(error.to_string()))?;
    let expected = schema(&output)?;
    let found = reader.metadata().file_metadata().schema().get_fields();
    let same = found.len() == expected.get_fields().len()
        && found.iter().zip(expected.get_fields()).all(|(found, expected)| {
            found.get_physical_type() == expected.get_physical_type()
                && found.get_basic_info().logical_type_ref() == expected.get_basic_info().logical_type_ref()
        });
    if !same {
        return Err(wrong("the file has other columns".to_owned()));
    }
    let read = columns.iter().enumerate().map(|(place, column)| read_column(&reader, place, column));
    let read = read.collect::<Result<Vec<Series>>>()?;
    let rows =
        usize::try_from(reader.metadata().file_metadata().num_rows()).map_err(|error| wrong(error.to_string()))?;
    DataFrame::new(rows, read).map_err(|error| wrong(error.to_string()))
}

fn read_column(reader: &SerializedFileReader<File>, place: usize, column: &Column) -> Result<Series> {
    let name = column.name.as_str().into();
    Ok(match column.kind {
        ColumnType::Int => Int64Chunked::from_iter_options(name, values::<Int64Type>(reader, place)?).into_column(),
        ColumnType::Timestamp => Int64Chunked::from_iter_options(name, values::<Int64Type>(reader, place)?)
            .into_series()
            .into_datetime(TimeUnit::Milliseconds, None)
            .into_column(),
        ColumnType::Date => Int32Chunked::from_iter_options(name, values::<Int32Type>(reader, place)?)
            .into_series()
            .into_date()
            .into_column(),
        ColumnType::Float => {
            Float64Chunked::from_iter_options(name, values::<DoubleType>(reader, place)?).into_column()
        }
        ColumnType::Bool => BooleanChunked::from_iter_options(name, values::<BoolType>(reader, place)?).into_column(),
        ColumnType::String | ColumnType::StringList => {
            let bytes: Vec<Option<ByteArray>> = values::<ByteArrayType>(reader, place)?.collect();
            let texts = bytes.iter().map(|bytes| bytes.as_ref().map(ByteArray::as_utf8).transpose());
            let texts = texts.collect::<Result<Vec<Option<&str>>>>()?;
            StringChunked::from_iter_options(name, texts.into_iter()).into_column()
        }
    })
}

/// The column's values over all row groups.
fn values<T: Physical>(
    reader: &SerializedFileReader<File>,
    place: usize,
) -> Result<impl Iterator<Item = Option<T::T>>> {
    let mut levels: Vec<i16> = Vec::new();
    let mut values: Vec<T::T> = Vec::new();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group)?;
        let rows =
            usize::try_from(group.metadata().num_rows()).map_err(|error| ParquetError::External(error.into()))?;
        let mut column = typed::<T>(group.get_column_reader(place)?);
        let mut left = rows;
        while left > 0 {
            let (read, _, _) = column.read_records(left, Some(&mut levels), None, &mut values)?;
            if read == 0 {
                return Err(ParquetError::EOF("a column ends before its rows".to_owned()));
            }
            left -= read;
        }
    }
    let mut values = values.into_iter();
    Ok(levels.into_iter().map(move |level| if level > 0 { values.next() } else { None }))
}

fn typed<T: Physical>(reader: ColumnReader) -> ColumnReaderImpl<T> {
    get_typed_column_reader::<T>(reader)
}
