//! Frames into a Parquet file.

use std::{
    io::{self, Write},
    sync::Arc,
};

use model::layout::ColumnType;
use parquet::{
    basic::Compression,
    column::writer::ColumnWriterImpl,
    data_type::{
        BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, Int32Type,
        Int64Type,
    },
    errors::{ParquetError, Result},
    file::{
        properties::{EnabledStatistics, WriterProperties},
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
};
use polars::prelude::{Column, DataFrame};

use super::{schema, unwrapped};
use crate::{
    cell::{Cell, Cells},
    export::selection::OutputColumn,
};

/// Rows of a row group: enough that its statistics cost nothing, few enough that a reader can skip some.
const ROWS_PER_GROUP: usize = 1 << 17;

/// A Parquet file under way; every frame becomes a row group, a large one several.
pub(crate) struct ParquetWriter<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Vec<OutputColumn>,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Begins a file with these columns.
    pub fn new(file: W, columns: &[OutputColumn]) -> io::Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(Default::default()))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            // The version of a library is not part of the data.
            .set_created_by("rushes".to_owned())
            .build();
        let begun = schema(columns).and_then(|schema| SerializedFileWriter::new(file, schema, Arc::new(properties)));
        Ok(Self { writer: begun.map_err(unwrapped)?, columns: columns.to_vec() })
    }

    /// Writes the rows of `frame`, whose columns are those of the file.
    pub fn write(&mut self, frame: &DataFrame) -> io::Result<()> {
        for start in (0..frame.height()).step_by(ROWS_PER_GROUP) {
            let start = i64::try_from(start).expect("a frame has fewer rows");
            self.write_group(&frame.slice(start, ROWS_PER_GROUP)).map_err(unwrapped)?;
        }
        Ok(())
    }

    /// Ends the Parquet file and gives the file back.
    pub fn finish(self) -> io::Result<W> {
        self.writer.into_inner().map_err(unwrapped)
    }

    fn write_group(&mut self, frame: &DataFrame) -> Result<()> {
        let mut group = self.writer.next_row_group()?;
        for (values, column) in frame.columns().iter().zip(&self.columns) {
            let writer = group.next_column()?.ok_or_else(|| ParquetError::General("too many columns".to_owned()))?;
            match column.is_long {
                true => write_decimals(writer, values)?,
                false => write_column(writer, values, column.kind())?,
            }
        }
        group.close().map(drop)
    }
}

fn write_column(mut writer: SerializedColumnWriter<'_>, column: &Column, kind: ColumnType) -> Result<()> {
    let cells = Cells::new(column);
    let rows = column.len();
    match kind {
        ColumnType::Int | ColumnType::Timestamp => {
            write_values(writer.typed::<Int64Type>(), &cells, rows, |cell| match cell {
                Cell::Int(value) | Cell::Timestamp(value) => Some(value),
                _ => None,
            })
        }
        ColumnType::Date => write_values(writer.typed::<Int32Type>(), &cells, rows, |cell| match cell {
            Cell::Date(days) => Some(days),
            _ => None,
        }),
        ColumnType::Float => write_values(writer.typed::<DoubleType>(), &cells, rows, |cell| match cell {
            Cell::Float(value) => Some(value),
            _ => None,
        }),
        ColumnType::Bool => write_values(writer.typed::<BoolType>(), &cells, rows, |cell| match cell {
            Cell::Bool(value) => Some(value),
            _ => None,
        }),
        ColumnType::String | ColumnType::StringList => {
            write_values(writer.typed::<ByteArrayType>(), &cells, rows, |cell| match cell {
                Cell::Text(text) => Some(ByteArray::from(text.as_bytes())),
                Cell::Other(text) => Some(ByteArray::from(text.into_bytes())),
                _ => None,
            })
        }
    }?;
    writer.close()
}

/// Texts of digits as integers in 16 bytes, the first byte first.
fn write_decimals(mut writer: SerializedColumnWriter<'_>, column: &Column) -> Result<()> {
    let integer = |cell: Cell<'_>| match cell {
        Cell::Text(digits) => digits.parse::<i128>().ok(),
        _ => None,
    };
    let bytes = |value: i128| FixedLenByteArray::from(value.to_be_bytes().to_vec());
    write_values(writer.typed::<FixedLenByteArrayType>(), &Cells::new(column), column.len(), |cell| {
        integer(cell).map(bytes)
    })?;
    writer.close()
}

/// Writes a definition level for each row, 0 where it is null, and the values that are there.
fn write_values<T: DataType>(
    writer: &mut ColumnWriterImpl<'_, T>,
    cells: &Cells,
    rows: usize,
    value: impl Fn(Cell<'_>) -> Option<T::T>,
) -> Result<()> {
    let mut levels = Vec::with_capacity(rows);
    let mut values = Vec::with_capacity(rows);
    for row in 0..rows {
        let cell = cells.get(row);
        let found = cell.and_then(&value);
        levels.push(i16::from(found.is_some()));
        values.extend(found);
    }
    writer.write_batch(&values, Some(&levels), None).map(drop)
}
