//! Raw BSON documents into typed columns.
//!
//! A document is walked once. Its fields are expected in column order (MongoDB keeps the stored order), so the next column is
//! a guess that is nearly always right; a field in another place is looked up by name. A column that a document lacks is null.

use std::collections::HashMap;

use bson::{RawArray, RawDocument, raw::RawBsonRef, spec::ElementType};
use model::layout::{Column, ColumnType};
use polars::prelude::{
    BooleanChunkedBuilder, ChunkedBuilder, Column as Series, DataFrame, Float64Type, Int32Type, Int64Type, IntoColumn,
    IntoSeries, PrimitiveChunkedBuilder, StringChunkedBuilder, TimeUnit,
};

const MILLIS_PER_DAY: i64 = 86_400_000;

/// A row that contradicts the catalog.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A value has another type than its column.
    #[error("row {row}, column {column:?}: expected {expected}, found {found}")]
    Type {
        /// Place in the answer, from 0.
        row: usize,
        /// The column.
        column: String,
        /// Type according to the catalog.
        expected: &'static str,
        /// Type or value in the row.
        found: String,
    },
    /// The bytes are no BSON.
    #[error("row {row} is broken BSON: {reason}")]
    Bson {
        /// Place in the answer, from 0.
        row: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// Collects documents into a frame.
pub(crate) struct FrameBuilder {
    columns: Vec<TypedColumn>,
    positions: HashMap<String, usize>,
    rows: usize,
}

struct TypedColumn {
    name: String,
    builder: Builder,
    /// Values so far; one less than the rows while a document has not brought its value yet.
    len: usize,
}

enum Builder {
    Int(PrimitiveChunkedBuilder<Int64Type>),
    Float(PrimitiveChunkedBuilder<Float64Type>),
    Text(StringChunkedBuilder),
    Bool(BooleanChunkedBuilder),
    /// Days since 1970-01-01.
    Date(PrimitiveChunkedBuilder<Int32Type>),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Timestamp(PrimitiveChunkedBuilder<Int64Type>),
}

impl FrameBuilder {
    /// A frame with these columns; `capacity` is a guess at the rows.
    pub fn new(columns: &[Column], capacity: usize) -> Self {
        let typed = |column: &Column| TypedColumn {
            name: column.name.clone(),
            builder: Builder::new(column, capacity),
            len: 0,
        };
        Self {
            columns: columns.iter().map(typed).collect(),
            positions: columns.iter().enumerate().map(|(position, column)| (column.name.clone(), position)).collect(),
            rows: 0,
        }
    }

    /// Appends the documents of a batch.
    pub fn extend(&mut self, batch: &RawArray) -> Result<(), DecodeError> {
        for value in batch {
            match value.map_err(|error| self.broken(&error))? {
                RawBsonRef::Document(document) => self.push(document)?,
                other => {
                    return Err(self.broken(&format!("{:?} instead of a document", other.element_type())));
                }
            }
        }
        Ok(())
    }

    /// Appends one document as a row.
    pub fn push(&mut self, document: &RawDocument) -> Result<(), DecodeError> {
        let mut expected = 0;
        for element in document {
            let (name, value) = element.map_err(|error| self.broken(&error))?;
            let Some(position) = self.position(name.as_str(), expected) else {
                continue;
            };
            self.set(position, value)?;
            expected = position + 1;
        }
        self.rows += 1;
        for column in &mut self.columns {
            if column.len < self.rows {
                column.builder.push_null();
                column.len = self.rows;
            }
        }
        Ok(())
    }

    /// The frame of all rows so far.
    pub fn finish(self) -> DataFrame {
        let columns = self.columns.into_iter().map(|column| column.builder.finish()).collect();
        DataFrame::new(self.rows, columns).expect("columns have distinct names and one value per row")
    }

    fn position(&self, name: &str, expected: usize) -> Option<usize> {
        match self.columns.get(expected) {
            Some(column) if column.name == name => Some(expected),
            _ => self.positions.get(name).copied(),
        }
    }

    fn set(&mut self, position: usize, value: RawBsonRef<'_>) -> Result<(), DecodeError> {
        let column = &mut self.columns[position];
        // BSON allows a name twice; the first one is what MongoDB itself reads.
        if column.len > self.rows {
            return Ok(());
        }
        column.builder.push(value).map_err(|found| DecodeError::Type {
            row: self.rows,
            column: column.name.clone(),
            expected: column.builder.type_name(),
            found,
        })?;
        column.len += 1;
        Ok(())
    }

    fn broken(&self, reason: &dyn ToString) -> DecodeError {
        DecodeError::Bson { row: self.rows, reason: reason.to_string() }
    }
}

impl Builder {
    fn new(column: &Column, capacity: usize) -> Self {
        let name = column.name.as_str().into();
        match column.kind {
            ColumnType::Int => Self::Int(PrimitiveChunkedBuilder::new(name, capacity)),
            ColumnType::Float => Self::Float(PrimitiveChunkedBuilder::new(name, capacity)),
            // A rollup has no lists; should one come, it is refused by its type and named.
            ColumnType::String | ColumnType::StringList => Self::Text(StringChunkedBuilder::new(name, capacity)),
            ColumnType::Bool => Self::Bool(BooleanChunkedBuilder::new(name, capacity)),
            ColumnType::Date => Self::Date(PrimitiveChunkedBuilder::new(name, capacity)),
            ColumnType::Timestamp => Self::Timestamp(PrimitiveChunkedBuilder::new(name, capacity)),
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "string",
            Self::Bool(_) => "bool",
            Self::Date(_) => "date",
            Self::Timestamp(_) => "timestamp",
        }
    }

    fn push_null(&mut self) {
        match self {
            Self::Int(builder) | Self::Timestamp(builder) => builder.append_null(),
            Self::Float(builder) => builder.append_null(),
            Self::Text(builder) => builder.append_null(),
            Self::Bool(builder) => builder.append_null(),
            Self::Date(builder) => builder.append_null(),
        }
    }

    /// Appends a value, or says what was found instead.
    fn push(&mut self, value: RawBsonRef<'_>) -> Result<(), String> {
        match (self, value) {
            (builder, RawBsonRef::Null) => builder.push_null(),
            (Self::Int(builder), RawBsonRef::Int64(value)) => builder.append_value(value),
            (Self::Int(builder), RawBsonRef::Int32(value)) => builder.append_value(value.into()),
            (Self::Float(builder), RawBsonRef::Double(value)) => builder.append_value(value),
            (Self::Float(builder), RawBsonRef::Int32(value)) => builder.append_value(value.into()),
            (Self::Text(builder), RawBsonRef::String(value)) => builder.append_value(value),
            (Self::Bool(builder), RawBsonRef::Boolean(value)) => builder.append_value(value),
            (Self::Timestamp(builder), RawBsonRef::DateTime(value)) => builder.append_value(value.timestamp_millis()),
            (Self::Date(builder), RawBsonRef::DateTime(value)) => builder.append_value(day(value.timestamp_millis())?),
            (_, other) => return Err(type_name(other.element_type())),
        }
        Ok(())
    }

    fn finish(self) -> Series {
        match self {
            Self::Int(builder) => builder.finish().into_column(),
            Self::Float(builder) => builder.finish().into_column(),
            Self::Text(builder) => builder.finish().into_column(),
            Self::Bool(builder) => builder.finish().into_column(),
            Self::Date(builder) => builder.finish().into_series().into_date().into_column(),
            Self::Timestamp(builder) => {
                builder.finish().into_series().into_datetime(TimeUnit::Milliseconds, None).into_column()
            }
        }
    }
}

/// Days since 1970-01-01 of an instant at 00:00 UTC; any other instant is no date, and rounding it would be a wrong one.
fn day(millis: i64) -> Result<i32, String> {
    let whole = if millis.rem_euclid(MILLIS_PER_DAY) == 0 { i32::try_from(millis / MILLIS_PER_DAY).ok() } else { None };
    whole.ok_or_else(|| format!("the instant {}", crate::format::timestamp(millis)))
}

fn type_name(found: ElementType) -> String {
    match found {
        ElementType::Double => "float".to_owned(),
        ElementType::String => "string".to_owned(),
        ElementType::Boolean => "bool".to_owned(),
        ElementType::DateTime => "timestamp".to_owned(),
        ElementType::Int32 | ElementType::Int64 => "int".to_owned(),
        ElementType::Array => "array".to_owned(),
        ElementType::EmbeddedDocument => "document".to_owned(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::{Bson, Document, doc};
    use model::layout::ColumnRole;
    use polars::prelude::{AnyValue, DataType};

    fn columns(kinds: &[(&str, ColumnType)]) -> Vec<Column> {
        let column = |&(name, kind): &(&str, ColumnType)| Column {
            name: name.into(),
            kind,
            role: ColumnRole::Key,
            measure: None,
        };
        kinds.iter().map(column).collect()
    }

    fn decode(kinds: &[(&str, ColumnType)], documents: &[Document]) -> Result<DataFrame, DecodeError> {
        let mut frame = FrameBuilder::new(&columns(kinds), documents.len());
        for document in documents {
            let raw = bson::RawDocumentBuf::try_from(document).expect("a document");
            frame.push(&raw)?;
        }
        Ok(frame.finish())
    }

    #[test]
    fn every_type_keeps_its_value_and_its_nulls() {
        let at = |millis| Bson::DateTime(bson::DateTime::from_millis(millis));
        let kinds = [
            ("n", ColumnType::Int),
            ("x", ColumnType::Float),
            ("s", ColumnType::String),
            ("b", ColumnType::Bool),
            ("d", ColumnType::Date),
            ("t", ColumnType::Timestamp),
        ];
        let full = doc! { "n": i64::MAX, "x": -0.5, "s": "é 한", "b": true, "d": at(-MILLIS_PER_DAY), "t": at(-1) };
        let nulls = doc! { "n": null, "x": null, "s": null, "b": null, "d": null, "t": null };
        let frame = decode(&kinds, &[full, nulls, doc! {}]).expect("a frame");

        assert_eq!(
            frame.get(0).expect("row 0"),
            [
                AnyValue::Int64(i64::MAX),
                AnyValue::Float64(-0.5),
                AnyValue::String("é 한"),
                AnyValue::Boolean(true),
                AnyValue::Date(-1),
                AnyValue::Datetime(-1, TimeUnit::Milliseconds, None),
            ]
        );
        for row in [1, 2] {
            assert!(frame.get(row).expect("a row").iter().all(AnyValue::is_null), "row {row}");
        }
        assert_eq!(frame.dtypes()[5], DataType::Datetime(TimeUnit::Milliseconds, None));
    }

    #[test]
    fn fields_in_another_order_or_unknown_do_not_shift_columns() {
        let kinds = [("a", ColumnType::Int), ("b", ColumnType::Int), ("c", ColumnType::Int)];
        let documents = [doc! { "a": 1_i64, "b": 2_i64, "c": 3_i64 }, doc! { "z": 9, "c": 3, "a": 1, "b": 2 }];
        let frame = decode(&kinds, &documents).expect("a frame");
        assert_eq!(frame.get(0), frame.get(1));
    }

    #[test]
    fn another_type_than_the_catalogs_is_named_with_row_and_column() {
        let kinds = [("reviews", ColumnType::Int)];
        let error = decode(&kinds, &[doc! { "reviews": 1 }, doc! { "reviews": "2" }]).expect_err("a string");
        assert_eq!(error.to_string(), "row 1, column \"reviews\": expected int, found string");
    }

    #[test]
    fn a_date_with_a_time_of_day_is_refused_not_rounded() {
        let noon = Bson::DateTime(bson::DateTime::from_millis(MILLIS_PER_DAY / 2));
        let error = decode(&[("day", ColumnType::Date)], &[doc! { "day": noon }]).expect_err("noon");
        assert!(error.to_string().ends_with("expected date, found the instant 1970-01-01T12:00:00Z"), "{error}");
    }

    #[test]
    fn no_rows_still_have_typed_columns() {
        let frame = decode(&[("reviews", ColumnType::Int)], &[]).expect("a frame");
        assert_eq!((frame.height(), frame.dtypes()), (0, vec![DataType::Int64]));
    }
}
