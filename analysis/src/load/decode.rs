//! Raw BSON documents into typed columns.
//!
//! A document is walked once. Its fields are expected in column order (MongoDB keeps the stored order), so the next column is
//! a guess that is nearly always right; a field in another place is looked up by name. A column that a document lacks is null.

use std::collections::HashMap;

use bson::{RawArray, RawDocument, raw::RawBsonRef};
use model::layout::{Column, ColumnType};
use polars::prelude::DataFrame;

use super::columns::Builder;

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

/// A column of the answer: its name in the frame, and where a document has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AnswerColumn {
    pub name: String,
    /// A field, or a field of an embedded document: `src.offset`.
    pub path: String,
    /// `None` where the first value decides.
    pub kind: Option<ColumnType>,
}

impl From<&Column> for AnswerColumn {
    fn from(column: &Column) -> Self {
        Self { name: column.name.clone(), path: column.name.clone(), kind: Some(column.kind) }
    }
}

/// What a frame is made of.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Shape {
    pub columns: Vec<AnswerColumn>,
    /// Whether a column may become wider than its type: integers fractions, dates instants.
    pub widening: bool,
    /// Whether the rows' `_id`s are kept.
    pub ids: bool,
}

/// A frame with what identifies its rows, where that was asked for.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub frame: DataFrame,
    /// Bytes of each row's `_id`.
    pub ids: Vec<Box<[u8]>>,
}

/// Collects documents into a frame.
pub(crate) struct FrameBuilder {
    columns: Vec<TypedColumn>,
    positions: HashMap<String, Position>,
    rows: usize,
    widening: bool,
    ids: Option<Vec<Box<[u8]>>>,
}

/// What a field of a document is.
enum Position {
    Column(usize),
    /// An embedded document with columns in it.
    Members(Vec<(String, usize)>),
}

struct TypedColumn {
    name: String,
    /// The field, where it is not in an embedded document.
    field: Option<String>,
    builder: Builder,
    /// Values so far; one less than the rows while a document has not brought its value yet.
    len: usize,
}

impl FrameBuilder {
    /// A frame with these columns; `capacity` is a guess at the rows.
    pub fn new(shape: &Shape, capacity: usize) -> Self {
        let typed = |column: &AnswerColumn| TypedColumn {
            name: column.name.clone(),
            field: (!column.path.contains('.')).then(|| column.path.clone()),
            builder: Builder::new(&column.name, column.kind, capacity),
            len: 0,
        };
        Self {
            columns: shape.columns.iter().map(typed).collect(),
            positions: positions(&shape.columns),
            rows: 0,
            widening: shape.widening,
            ids: shape.ids.then(Vec::new),
        }
    }

    /// An empty frame with the columns of a table.
    pub fn of_columns(columns: &[Column]) -> Self {
        let columns = columns.iter().map(AnswerColumn::from).collect();
        Self::new(&Shape { columns, ..Shape::default() }, 0)
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
            if let (Some(ids), "_id") = (&mut self.ids, name.as_str()) {
                ids.push(id_bytes(value));
            }
            let is_expected =
                self.columns.get(expected).is_some_and(|column| column.field.as_deref() == Some(name.as_str()));
            let position = if is_expected { Some(expected) } else { self.position(name.as_str(), value)? };
            if let Some(position) = position {
                self.set(position, value)?;
                expected = position + 1;
            }
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

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The frame of all rows so far.
    pub fn finish(self) -> Decoded {
        let columns = self.columns.into_iter().map(|column| column.builder.finish(&column.name)).collect();
        let frame = DataFrame::new(self.rows, columns).expect("columns have distinct names and one value per row");
        Decoded { frame, ids: self.ids.unwrap_or_default() }
    }

    /// The column of a field in an unexpected place; an embedded document's members are set at once.
    fn position(&mut self, name: &str, value: RawBsonRef<'_>) -> Result<Option<usize>, DecodeError> {
        let members = match (self.positions.get(name), value) {
            (Some(Position::Column(position)), _) => return Ok(Some(*position)),
            (Some(Position::Members(members)), RawBsonRef::Document(document)) => {
                let found = members.iter().map(|(member, position)| Ok((*position, document.get(member)?)));
                found.collect::<Result<Vec<_>, bson::error::Error>>()
            }
            _ => return Ok(None),
        };
        for (position, value) in members.map_err(|error| self.broken(&error))? {
            self.set(position, value.unwrap_or(RawBsonRef::Null))?;
        }
        Ok(None)
    }

    fn set(&mut self, position: usize, value: RawBsonRef<'_>) -> Result<(), DecodeError> {
        let column = &mut self.columns[position];
        // BSON allows a name twice; the first one is what MongoDB itself reads.
        if column.len > self.rows {
            return Ok(());
        }
        let pushed = match self.widening {
            true => column.builder.push_widening(&column.name, value),
            false => column.builder.push(value),
        };
        pushed.map_err(|found| DecodeError::Type {
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

fn positions(columns: &[AnswerColumn]) -> HashMap<String, Position> {
    let mut positions = HashMap::new();
    for (position, column) in columns.iter().enumerate() {
        match column.path.split_once('.') {
            None => {
                positions.insert(column.path.clone(), Position::Column(position));
            }
            Some((field, member)) => {
                let members = positions.entry(field.to_owned()).or_insert_with(|| Position::Members(Vec::new()));
                if let Position::Members(members) = members {
                    members.push((member.to_owned(), position));
                }
            }
        }
    }
    positions
}

/// The bytes of a value that identifies a document.
fn id_bytes(value: RawBsonRef<'_>) -> Box<[u8]> {
    match value {
        RawBsonRef::Document(document) => document.as_bytes().into(),
        RawBsonRef::String(text) => text.as_bytes().into(),
        other => format!("{other:?}").into_bytes().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::{Bson, Document, doc};
    use model::layout::ColumnRole;
    use polars::prelude::{AnyValue, DataType, TimeUnit};

    const MILLIS_PER_DAY: i64 = 86_400_000;

    fn columns(kinds: &[(&str, ColumnType)]) -> Vec<Column> {
        let column = |&(name, kind): &(&str, ColumnType)| Column {
            name: name.into(),
            kind,
            role: ColumnRole::Key,
            measure: None,
            relative_error: None,
        };
        kinds.iter().map(column).collect()
    }

    fn decode_as(shape: &Shape, documents: &[Document]) -> Result<DataFrame, DecodeError> {
        let mut frame = FrameBuilder::new(shape, documents.len());
        for document in documents {
            let raw = bson::RawDocumentBuf::try_from(document).expect("a document");
            frame.push(&raw)?;
        }
        Ok(frame.finish().frame)
    }

    /// Columns whose first value decides, by path.
    fn open(paths: &[&str]) -> Shape {
        let column = |path: &&str| AnswerColumn { name: (*path).to_owned(), path: (*path).to_owned(), kind: None };
        Shape { columns: paths.iter().map(column).collect(), widening: true, ids: false }
    }

    fn decode(kinds: &[(&str, ColumnType)], documents: &[Document]) -> Result<DataFrame, DecodeError> {
        let columns = columns(kinds).iter().map(AnswerColumn::from).collect();
        decode_as(&Shape { columns, ..Shape::default() }, documents)
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

    #[test]
    fn a_column_without_a_type_takes_that_of_its_first_value_and_widens() {
        let at = |millis| Bson::DateTime(bson::DateTime::from_millis(millis));
        let documents = [
            doc! { "n": null, "t": at(0), "s": ["a", "b"] },
            doc! { "n": 1_i64, "t": at(MILLIS_PER_DAY) },
            doc! { "n": 0.5, "t": at(1) },
            doc! { "n": 2_i64 },
        ];
        let frame = decode_as(&open(&["n", "t", "s", "none"]), &documents).expect("a frame");
        let kinds = [
            DataType::Float64,
            DataType::Datetime(TimeUnit::Milliseconds, None),
            DataType::List(Box::new(DataType::String)),
            DataType::Null,
        ];
        assert_eq!(frame.dtypes(), kinds);
        let values = |row: usize| frame.get(row).expect("a row")[..2].to_vec();
        let instant = |millis| AnyValue::Datetime(millis, TimeUnit::Milliseconds, None);
        assert_eq!(values(1), [AnyValue::Float64(1.0), instant(MILLIS_PER_DAY)]);
        assert_eq!(values(2), [AnyValue::Float64(0.5), instant(1)]);
        assert_eq!(values(3), [AnyValue::Float64(2.0), AnyValue::Null]);
        let error = decode_as(&open(&["n"]), &[doc! { "n": "1" }, doc! { "n": 1 }]).expect_err("an int").to_string();
        assert_eq!(error, "row 1, column \"n\": expected string, found int");
    }

    #[test]
    fn members_of_embedded_documents_are_columns() {
        let documents = [
            doc! { "_id": { "sensor": 7_i64 }, "x": 1_i64, "src": { "partition": 0, "offset": 5_i64 } },
            doc! { "_id": { "sensor": 8_i64 }, "src": { "offset": 6_i64 } },
        ];
        let frame = decode_as(&open(&["_id.sensor", "x", "src.offset", "src.partition"]), &documents).expect("a frame");
        use AnyValue::{Int64, Null};
        assert_eq!(frame.get(0).expect("row 0"), [Int64(7), Int64(1), Int64(5), Int64(0)]);
        assert_eq!(frame.get(1).expect("row 1"), [Int64(8), Null, Int64(6), Null]);
    }
}
