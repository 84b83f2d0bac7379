//! What is known of a table before its rows are read.

use std::fmt;

use model::{
    layout::{CatalogEntry, Column, ColumnRole},
    window::WindowKind,
};
use serde::Serialize;

/// A published rollup: one document of the catalog, and how many rows it has.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableInfo {
    /// Name of the rollup and of its collection.
    pub name: String,
    /// The stream it is made from.
    pub stream: String,
    /// Window as in the schema: `month`, `15m`, `1h every 15m`.
    pub window: String,
    /// IANA zone in which calendar windows begin.
    pub time_zone: String,
    /// Columns in the table's order.
    pub columns: Vec<Column>,
    /// Rows, as the database estimates them (exact unless a write is under way).
    pub rows: u64,
    /// Newest revision whose rows are all there.
    pub published_revision: i64,
}

impl TableInfo {
    pub(crate) fn new(entry: CatalogEntry, rows: u64) -> Self {
        Self {
            name: entry.name,
            stream: entry.stream,
            window: entry.window,
            time_zone: entry.time_zone,
            columns: entry.columns,
            rows,
            published_revision: entry.published_revision,
        }
    }

    /// Names of the grouping keys, in column order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.with_role(ColumnRole::Key)
    }

    /// The column that counts records of any kind: what a chart shows unless told otherwise.
    pub fn count_column(&self) -> Option<&str> {
        let counts = || self.columns.iter().filter(|column| column.role == ColumnRole::Count);
        let of_records = counts().find(|column| column.measure.is_none());
        of_records.or_else(|| counts().next()).map(|column| column.name.as_str())
    }

    /// Whether a record is counted in several rows, so that rows of different windows must not be added up.
    pub fn has_overlapping_windows(&self) -> bool {
        matches!(WindowKind::parse(&self.window), Ok(WindowKind::Hopping(_)))
    }

    /// Whether a window has only its first groups, so that rows of several windows do not add up to what a group has in all.
    pub fn is_ranked(&self) -> bool {
        self.with_role(ColumnRole::Rank).next().is_some()
    }

    fn with_role(&self, role: ColumnRole) -> impl Iterator<Item = &str> {
        self.columns.iter().filter(move |column| column.role == role).map(|column| column.name.as_str())
    }
}

impl fmt::Display for TableInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} rows by {}", self.name, crate::format::count(self.rows), self.window)?;
        for key in self.keys() {
            write!(f, " and {key}")?;
        }
        write!(f, ", revision {}", self.published_revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tests::movies_by_month;

    #[test]
    fn says_what_a_table_is_in_one_line() {
        let table = TableInfo::new(movies_by_month(), 66_123);
        assert_eq!(table.to_string(), "movies_by_month: 66,123 rows by month and movie, revision 7");
        assert_eq!(table.count_column(), Some("reviews"));
    }
}
