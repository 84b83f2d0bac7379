//! What SQL can be asked of: names and types of columns first, and the values of those that a query reads.

use model::layout::ColumnType;
use polars::prelude::{Column, DataFrame, DataType};

use super::SqlError;
use crate::load::{Store, TableInfo};

/// A table before its values are known.
pub(super) struct Table {
    pub name: String,
    /// The columns, each with its type; `None` where SQL has none for it.
    pub columns: Vec<(String, Option<ColumnType>)>,
    source: Source,
}

enum Source {
    Frame(DataFrame),
    Rollup(Store),
}

impl Table {
    pub fn of_frame(name: &str, frame: DataFrame) -> Self {
        let column = |column: &Column| (column.name().to_string(), kind(column.dtype()));
        let columns = frame.columns().iter().map(column).collect();
        Self { name: name.to_owned(), columns, source: Source::Frame(frame) }
    }

    pub fn of_rollup(info: &TableInfo, store: Store) -> Self {
        let kind = |kind| (kind != ColumnType::StringList).then_some(kind);
        let columns = info.columns.iter().map(|column| (column.name.clone(), kind(column.kind))).collect();
        Self { name: info.name.clone(), columns, source: Source::Rollup(store) }
    }

    /// The values of those of its columns that are among `names`; of any column where none is, for the rows to be
    /// counted.
    pub fn read(&self, names: &[&str]) -> Result<DataFrame, SqlError> {
        let is_read = |column: &str| names.iter().any(|name| name.eq_ignore_ascii_case(column));
        let mut read: Vec<_> = self.columns.iter().filter(|(column, _)| is_read(column)).collect();
        if read.is_empty() {
            read.extend(self.columns.iter().find(|(_, kind)| kind.is_some()));
        }
        if let Some((column, _)) = read.iter().find(|(_, kind)| kind.is_none()) {
            return Err(SqlError::Column { table: self.name.clone(), column: column.clone() });
        }
        let columns: Vec<&str> = read.iter().map(|(column, _)| column.as_str()).collect();
        match &self.source {
            Source::Frame(frame) => Ok(frame.select(columns).expect("the names are those of the frame")),
            Source::Rollup(store) => Ok(store.rollup(&self.name).columns(columns).collect()?),
        }
    }
}

fn kind(dtype: &DataType) -> Option<ColumnType> {
    Some(match dtype {
        // Whole numbers beyond those of SQL would come back as others.
        DataType::UInt64 | DataType::Int128 | DataType::UInt128 => return None,
        dtype if dtype.is_integer() => ColumnType::Int,
        dtype if dtype.is_float() => ColumnType::Float,
        // Nulls, which fit every type.
        DataType::String | DataType::Null => ColumnType::String,
        DataType::Boolean => ColumnType::Bool,
        DataType::Date => ColumnType::Date,
        DataType::Datetime(_, _) => ColumnType::Timestamp,
        _ => return None,
    })
}
