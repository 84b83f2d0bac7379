//! What SQL can be asked of: names and types of columns first, and the values of those that a query reads.

use model::layout::ColumnType;
use polars::prelude::{Column, DataFrame, DataType};

use super::{SqlError, checks::is_digits};
use crate::load::{FileColumn, Store, TableFile, TableInfo};

/// Columns of the terminal that a value may take in a message.
const MOST_TEXT: usize = 40;

/// A table before its values are known.
#[derive(Clone)]
pub(super) struct Table {
    pub name: String,
    pub fields: Vec<Field>,
    source: Source,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    /// Its name in SQL, which differs from those of the others by more than case.
    pub name: String,
    /// Its name in the frame, file or rollup.
    pub source: String,
    /// `None` where SQL has no type for it.
    pub kind: Option<ColumnType>,
    /// Whether it is a text of numbers that are too long for 64 bits.
    pub is_long: bool,
    /// What a column without a type holds, as far as that is known.
    pub holds: String,
}

#[derive(Clone)]
enum Source {
    Frame(DataFrame),
    Rollup(Store),
    Parquet(Box<TableFile>),
}

impl Table {
    pub fn of_frame(name: &str, frame: DataFrame) -> Self {
        let column = |column: &Column| (column.name().to_string(), kind(column.dtype()), String::new());
        let fields = fields(frame.columns().iter().map(column));
        Self { name: name.to_owned(), fields, source: Source::Frame(frame) }
    }

    pub fn of_rollup(info: &TableInfo, store: Store) -> Self {
        let kind = |kind| (kind != ColumnType::StringList).then_some(kind);
        let fields = fields(info.columns.iter().map(|column| (column.name.clone(), kind(column.kind), String::new())));
        Self { name: info.name.clone(), fields, source: Source::Rollup(store) }
    }

    /// A Parquet file, of which only the columns that a query names are read.
    pub fn of_parquet(name: &str, file: TableFile, columns: Vec<FileColumn>) -> Self {
        let fields = fields(columns.into_iter().map(|column| match column.kind {
            Ok(kind) => (column.name, Some(kind), String::new()),
            Err(holds) => (column.name, None, holds),
        }));
        Self { name: name.to_owned(), fields, source: Source::Parquet(Box::new(file)) }
    }

    pub fn is_rollup(&self) -> bool {
        matches!(self.source, Source::Rollup(_))
    }

    /// The values of those of its columns that are among `names`; of any column where none is, for the rows to be
    /// counted.
    pub fn read(&self, names: &[&str]) -> Result<DataFrame, SqlError> {
        let is_read = |field: &&Field| names.iter().any(|name| name.eq_ignore_ascii_case(&field.name));
        let mut read: Vec<&Field> = self.fields.iter().filter(is_read).collect();
        if read.is_empty() {
            read.extend(self.fields.iter().find(|field| field.kind.is_some()));
        }
        if let Some(field) = read.iter().find(|field| field.kind.is_none()) {
            let others = self.fields.iter().filter(|field| field.kind.is_some());
            return Err(SqlError::Column {
                table: self.name.clone(),
                column: field.name.clone(),
                kind: field.holds.clone(),
                others: others.map(|field| field.name.clone()).collect(),
            });
        }
        let columns: Vec<&str> = read.iter().map(|field| field.source.as_str()).collect();
        let mut frame = match &self.source {
            Source::Frame(frame) => frame.select(columns).expect("the names are those of the frame"),
            Source::Rollup(store) => store.rollup(&self.name).columns(columns).collect()?,
            Source::Parquet(file) => TableFile::clone(file).columns(columns).collect()?,
        };
        let names: Vec<&str> = read.iter().map(|field| field.name.as_str()).collect();
        frame.set_column_names(&names).expect("one name for each column that was read");
        Ok(frame)
    }
}

/// Columns with names that differ by more than case: of `Value` and `value` the second is `value_2`.
fn fields(columns: impl Iterator<Item = (String, Option<ColumnType>, String)>) -> Vec<Field> {
    let columns: Vec<_> = columns.collect();
    let mut fields: Vec<Field> = Vec::with_capacity(columns.len());
    for (source, kind, holds) in &columns {
        let is_taken = |name: &str, fields: &[Field]| fields.iter().any(|field| field.name.eq_ignore_ascii_case(name));
        let is_source = |name: &str| columns.iter().any(|(other, ..)| other.eq_ignore_ascii_case(name));
        let mut name = source.clone();
        let mut number = 1;
        while is_taken(&name, &fields) || number > 1 && is_source(&name) {
            number += 1;
            name = format!("{source}_{number}");
        }
        fields.push(Field { name, source: source.clone(), kind: *kind, is_long: false, holds: holds.clone() });
    }
    fields
}

/// Says which columns are texts though most of their values are numbers: SQL orders and compares them as texts.
pub(super) fn tell_of_texts_among_numbers(table: &str, frame: &DataFrame) {
    for column in frame.columns() {
        let Some((row, text)) = text_among_numbers(column) else { continue };
        let (name, text) = (column.name(), crate::format::shortened(&crate::format::one_line(text), MOST_TEXT));
        tracing::warn!(
            "{table}.{name} is read as text because of {text:?} in row {row}: max, ORDER BY and < go by letters"
        );
    }
}

/// The first text that is no number, with its row from 1, of a column in which there are more numbers.
fn text_among_numbers(column: &Column) -> Option<(usize, &str)> {
    let texts = column.str().ok()?;
    let (mut numbers, mut others, mut first) = (0, 0, None);
    for (row, text) in texts.iter().enumerate() {
        match text {
            Some(text) if is_digits(text) => numbers += 1,
            Some(text) => {
                others += 1;
                first.get_or_insert((row + 1, text));
            }
            None => {}
        }
    }
    first.filter(|_| numbers > others)
}

pub(super) fn kind(dtype: &DataType) -> Option<ColumnType> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_among_numbers_is_found_and_numbers_among_texts_are_not() {
        let found = |texts: &[Option<&str>]| {
            let column = Column::new("x".into(), texts);
            text_among_numbers(&column).map(|(row, text)| (row, text.to_owned()))
        };
        assert_eq!(found(&[Some("9"), None, Some("unknown"), Some("10.5")]), Some((3, "unknown".to_owned())));
        assert_eq!(found(&[Some("9"), Some("10")]), None);
        assert_eq!(found(&[Some("Up"), Some("1917"), Some("Her")]), None);
        assert_eq!(found(&[Some("00501"), Some("01234")]), None);
        assert_eq!(found(&[Some("2"), Some("18446744073709551615")]), None);
        assert_eq!(found(&[Some("9"), Some("76561198003753555"), Some("NA")]), Some((3, "NA".to_owned())));
    }
}
