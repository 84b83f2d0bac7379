//! Which columns of a table are written, and under which names.

use std::collections::HashSet;

use model::layout::{Column, ColumnRole, ColumnType};
use polars::prelude::{Column as Series, DataFrame, DataType};

use super::{ExportError, options::Settings};

/// A column as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OutputColumn {
    /// Its name in the files.
    pub name: String,
    /// The table's column.
    pub source: Column,
    /// Whether it holds integers beyond 64 bits, as texts of their digits.
    pub is_long: bool,
}

impl OutputColumn {
    pub fn kind(&self) -> ColumnType {
        self.source.kind
    }

    pub fn role(&self) -> ColumnRole {
        self.source.role
    }
}

/// The columns of a table in the order they are written.
pub(crate) fn select(table: &str, columns: &[Column], settings: &Settings) -> Result<Vec<OutputColumn>, ExportError> {
    let wanted: Vec<&Column> = if settings.columns.is_empty() {
        columns.iter().collect()
    } else {
        let find = |name: &String| columns.iter().find(|column| column.name == *name);
        settings.columns.iter().filter_map(find).collect()
    };
    if wanted.is_empty() {
        return Err(ExportError::NothingLeft { table: table.to_owned(), known: names(columns) });
    }
    let mut taken = HashSet::new();
    wanted
        .into_iter()
        .map(|column| {
            let name = new_name(&column.name, &settings.renames).to_owned();
            if !taken.insert(name.clone()) {
                return Err(ExportError::SameName { table: table.to_owned(), name });
            }
            Ok(OutputColumn { name, source: column.clone(), is_long: false })
        })
        .collect()
}

/// The columns of a frame, with what only their values tell.
pub(crate) fn of_frame(columns: &[OutputColumn], frame: &DataFrame) -> Vec<OutputColumn> {
    let column = |(column, values): (&OutputColumn, &Series)| {
        let is_long = column.kind() == ColumnType::Int && values.dtype() == &DataType::String;
        OutputColumn { is_long, ..column.clone() }
    };
    columns.iter().zip(frame.columns()).map(column).collect()
}

/// Checks that every named column is in one of the tables, so that a slip of the pen is told and not passed over.
pub(crate) fn check_names<'a>(
    tables: impl Iterator<Item = &'a [Column]>,
    settings: &Settings,
) -> Result<(), ExportError> {
    let mut known: Vec<String> = Vec::new();
    for column in tables.flatten() {
        if !known.contains(&column.name) {
            known.push(column.name.clone());
        }
    }
    let renamed = settings.renames.iter().map(|(old, _)| old);
    let by = settings.top.iter().filter_map(|top| top.by.as_ref());
    match settings.columns.iter().chain(renamed).chain(by).find(|name| !known.contains(name)) {
        Some(column) => Err(ExportError::NoColumn { column: column.clone(), known }),
        None => Ok(()),
    }
}

fn new_name<'a>(name: &'a str, renames: &'a [(String, String)]) -> &'a str {
    renames.iter().find(|(old, _)| old == name).map_or(name, |(_, new)| new)
}

fn names(columns: &[Column]) -> Vec<String> {
    columns.iter().map(|column| column.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tests::movies_by_month;

    fn selected(settings: &Settings) -> Result<Vec<String>, ExportError> {
        let columns = select("movies_by_month", &movies_by_month().columns, settings)?;
        Ok(columns.into_iter().map(|column| column.name).collect())
    }

    fn settings(columns: &[&str], renames: &[(&str, &str)]) -> Settings {
        Settings {
            columns: columns.iter().map(|&name| name.to_owned()).collect(),
            renames: renames.iter().map(|&(old, new)| (old.to_owned(), new.to_owned())).collect(),
            ..Settings::default()
        }
    }

    #[test]
    fn columns_come_in_the_order_they_are_named_and_under_new_names() {
        let chosen = settings(&["reviews", "movie", "rank"], &[("movie", "Film"), ("late", "Late")]);
        assert_eq!(selected(&chosen).expect("columns"), ["reviews", "Film"]);
        assert_eq!(selected(&Settings::default()).expect("columns").len(), movies_by_month().columns.len());
    }

    #[test]
    fn two_columns_of_one_name_and_no_column_at_all_are_refused() {
        let error = selected(&settings(&[], &[("movie", "reviews")])).expect_err("twice").to_string();
        assert!(error.contains("two columns \"reviews\""), "{error}");
        let error = selected(&settings(&["rank"], &[])).expect_err("none").to_string();
        assert!(error.contains("none of the columns"), "{error}");
    }

    #[test]
    fn a_name_that_no_table_has_is_told() {
        let columns = movies_by_month().columns;
        let check = |settings: &Settings| check_names([columns.as_slice()].into_iter(), settings);
        assert!(check(&settings(&["movie"], &[("reviews", "n")])).is_ok());
        for wrong in [settings(&["film"], &[]), settings(&[], &[("film", "Film")])] {
            let error = check(&wrong).expect_err("no such column").to_string();
            assert!(error.contains("\"film\"") && error.contains("window_start"), "{error}");
        }
    }
}
