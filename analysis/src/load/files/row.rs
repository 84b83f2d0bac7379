//! Rows with known columns, under construction.

use std::path::Path;

use bson::raw::RawBsonRef;
use model::layout::ColumnType;
use polars::prelude::DataFrame;

use super::{FileError, error};
use crate::load::columns::Builder;

/// The columns of a frame, each with the values so far.
pub(super) struct Rows {
    columns: Vec<(String, Option<ColumnType>, Builder)>,
    height: usize,
}

impl Rows {
    /// No rows yet; a column without a type takes nothing but nulls.
    pub fn new(columns: impl IntoIterator<Item = (String, Option<ColumnType>)>) -> Self {
        let builder = |(name, kind): (String, Option<ColumnType>)| {
            let builder = Builder::new(&name, kind, 0);
            (name, kind, builder)
        };
        Self { columns: columns.into_iter().map(builder).collect(), height: 0 }
    }

    /// Rows so far.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Appends the row with this number in the file; `value` gives what a column of this type has in it, or what is there instead.
    pub fn push<'a>(
        &mut self,
        path: &Path,
        row: u64,
        value: impl Fn(usize, ColumnType) -> Result<Pushed<'a>, String>,
    ) -> Result<(), FileError> {
        self.height += 1;
        for (place, (name, kind, builder)) in self.columns.iter_mut().enumerate() {
            let Some(kind) = kind else {
                builder.push_null();
                continue;
            };
            let pushed = value(place, *kind).and_then(|value| match value {
                Pushed::Value(value) => builder.push(value),
                Pushed::Json(text) => builder.push(RawBsonRef::String(&text)),
                Pushed::Texts(texts) => {
                    builder.push_texts(&texts);
                    Ok(())
                }
            });
            pushed.map_err(|found| FileError::Value {
                path: path.to_owned(),
                row,
                column: name.clone(),
                expected: builder.type_name(),
                value: error::shown(&found),
            })?;
        }
        Ok(())
    }

    pub fn finish(self) -> DataFrame {
        let columns = self.columns.into_iter().map(|(name, _, builder)| builder.finish(&name)).collect();
        DataFrame::new(self.height, columns).expect("columns have distinct names and one value per row")
    }
}

/// A value on its way into a column.
pub(super) enum Pushed<'a> {
    Value(RawBsonRef<'a>),
    /// A number, a list or whatever else stands among texts, as it is written.
    Json(String),
    Texts(Vec<&'a str>),
}
