//! What the columns of a frame mean, which decides what may be drawn of them.
//!
//! The catalog says it, see [`Figure::table`]. A frame alone is recognised as rows of a rollup by the column `is_final`; then the
//! names that rollups give to their columns say what is a mean, a quantile or an estimate. Columns of other frames mean
//! whatever the caller says: they are drawn as asked.

use model::{
    layout::{Column, ColumnRole, ColumnType, column},
    window::WindowKind,
};
use polars::prelude::{DataFrame, DataType};

use super::Figure;
use crate::load::TableInfo;

/// What is known beside the frame itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Meaning {
    table: Option<Table>,
    /// Whether rows may be missing that the table has.
    pub is_excerpt: bool,
    /// What the caller says about the rows.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone)]
struct Table {
    columns: Vec<Column>,
    window: String,
    zone: String,
}

impl Figure {
    /// The table whose rows are drawn: what its columns mean, how long its windows are and in which zone. With it a count of a window
    /// without rows is 0, keys of whole numbers are names, and hours are those of the schema's zone.
    ///
    /// ```no_run
    /// # use analysis::{chart::Figure, load::Store};
    /// # let store = Store::connect("mongodb://127.0.0.1:27017", "rushes")?;
    /// let hours = store.rollup("orders_by_hour").collect()?;
    /// let figure = Figure::line(&hours).y("orders").table(&store.table("orders_by_hour")?);
    /// # Ok::<(), analysis::load::StoreError>(())
    /// ```
    pub fn table(mut self, table: &TableInfo) -> Self {
        self.meaning.table =
            Some(Table { columns: table.columns.clone(), window: table.window.clone(), zone: table.time_zone.clone() });
        self
    }

    /// The frame lacks rows of its [`table`](Figure::table), because of a condition on their values: a window without a row is a gap, no zero.
    pub fn excerpt(mut self) -> Self {
        self.meaning.is_excerpt = true;
        self
    }

    /// A remark below the subtitle, before those that the figure itself makes about what it leaves out. May be repeated.
    ///
    /// ```
    /// # use analysis::{chart::Figure, polars::prelude::df};
    /// let frame = df!("year" => [2018, 2019, 2020], "reviews" => [2_412, 3_101, 1_874])?;
    /// let svg = Figure::line(&frame).x("year").y("reviews").note("without bots").svg()?;
    /// assert!(svg.contains("without bots"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn note(mut self, words: impl Into<String>) -> Self {
        self.meaning.notes.push(words.into());
        self
    }
}

impl Meaning {
    /// What a column of `frame` means, where that is known.
    pub fn role(&self, frame: &DataFrame, name: &str) -> Option<ColumnRole> {
        match &self.table {
            Some(table) => table.columns.iter().find(|column| column.name == name).map(|column| column.role),
            None if is_rollup(frame) => role_by_name(name),
            None => None,
        }
    }

    /// Whether the catalog says that the column holds integers.
    pub fn is_integer(&self, name: &str) -> bool {
        let columns = self.table.iter().flat_map(|table| &table.columns);
        columns.into_iter().any(|column| column.name == name && column.kind == ColumnType::Int)
    }

    /// What rows of the column do not add up to, in the plural: `means`. `None` where they do, or nobody knows.
    pub fn no_sum(&self, frame: &DataFrame, name: &str) -> Option<&'static str> {
        match self.role(frame, name)? {
            ColumnRole::Count | ColumnRole::Sum | ColumnRole::Histogram | ColumnRole::Late => None,
            ColumnRole::Mean => Some("means"),
            ColumnRole::Stddev => Some("standard deviations"),
            ColumnRole::Min => Some("minimums"),
            ColumnRole::Max => Some("maximums"),
            ColumnRole::Quantile => Some("quantiles"),
            ColumnRole::Distinct => Some("distinct counts"),
            ColumnRole::Rank => Some("ranks"),
            _ => Some("values that are no amounts"),
        }
    }

    /// Whether the catalog says that a row that is not there stands for 0 in this column.
    pub fn is_zero_where_missing(&self, frame: &DataFrame, name: &str) -> bool {
        let known = self.table.is_some() && !self.is_excerpt && self.ranked(frame).is_none();
        known && self.role(frame, name).is_some() && self.no_sum(frame, name).is_none()
    }

    /// Whether the column holds the starts of windows.
    pub fn is_window_start(&self, frame: &DataFrame, name: &str) -> bool {
        match &self.table {
            Some(_) => self.role(frame, name) == Some(ColumnRole::WindowStart),
            None => name == column::WINDOW_START,
        }
    }

    /// Whether the column is a key of the table. Without a table any number that bars of a rollup stand at is one.
    pub fn is_key(&self, frame: &DataFrame, name: &str, is_bar: impl FnOnce() -> bool) -> bool {
        match &self.table {
            Some(_) => self.role(frame, name) == Some(ColumnRole::Key),
            None => is_rollup(frame) && role_by_name(name).is_none() && is_bar(),
        }
    }

    /// Whether windows have only their first rows: what a window is called, and where that can be seen how many they are.
    pub fn ranked(&self, frame: &DataFrame) -> Option<(String, Option<i64>)> {
        let is_ranked = match &self.table {
            Some(table) => table.columns.iter().any(|column| column.role == ColumnRole::Rank),
            None => is_rollup(frame) && frame.column(column::RANK).is_ok(),
        };
        let ranks = || frame.column(column::RANK).ok()?.cast(&DataType::Int64).ok()?.i64().ok()?.iter().flatten().max();
        is_ranked
            .then(|| (self.table.as_ref().map_or("window", |table| table.window.as_str()).replace('_', " "), ranks()))
    }

    /// The windows of the table.
    pub fn window(&self) -> Option<WindowKind> {
        WindowKind::parse(&self.table.as_ref()?.window).ok()
    }

    /// The zone whose hours the table's instants are to be shown in.
    pub fn zone(&self) -> Option<&str> {
        self.table.as_ref().map(|table| table.zone.as_str()).filter(|zone| *zone != "UTC")
    }
}

/// Whether values of the column may be stacked, as far as the frame alone tells.
pub(crate) fn adds_up(frame: &DataFrame, name: &str) -> bool {
    Meaning::default().no_sum(frame, name).is_none()
}

/// Whether the frame has the column that all rows of rollups have.
fn is_rollup(frame: &DataFrame) -> bool {
    frame.column(column::IS_FINAL).is_ok_and(|column| column.dtype() == &DataType::Boolean)
}

/// What a rollup's column means by its name; counts and keys have names of their own.
fn role_by_name(name: &str) -> Option<ColumnRole> {
    match name {
        column::RANK => return Some(ColumnRole::Rank),
        column::REVISION => return Some(ColumnRole::Revision),
        column::LATE => return Some(ColumnRole::Late),
        _ => {}
    }
    let (_, suffix) = name.rsplit_once('_')?;
    match suffix {
        "sum" => Some(ColumnRole::Sum),
        "mean" => Some(ColumnRole::Mean),
        "stddev" => Some(ColumnRole::Stddev),
        "min" => Some(ColumnRole::Min),
        "max" => Some(ColumnRole::Max),
        "distinct" => Some(ColumnRole::Distinct),
        _ => {
            let share = suffix.strip_prefix('p')?;
            (!share.is_empty() && share.bytes().all(|byte| byte.is_ascii_digit())).then_some(ColumnRole::Quantile)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::df;

    #[test]
    fn only_rows_of_a_rollup_are_known_by_their_names() {
        let plain = df!("rating_mean" => [1.0], "price_p50" => [1.0]).expect("a frame");
        let rollup = df!("rating_mean" => [1.0], "price_p50" => [1.0], "is_final" => [true]).expect("a frame");
        let meaning = Meaning::default();
        for (name, word) in [
            ("rating_mean", Some("means")),
            ("price_p50", Some("quantiles")),
            ("users_distinct", Some("distinct counts")),
            ("price_max", Some("maximums")),
            ("rank", Some("ranks")),
            ("price_sum", None),
            ("reviews", None),
            ("rating_10", None),
            ("price_p", None),
        ] {
            assert_eq!(meaning.no_sum(&rollup, name), word, "{name}");
            assert_eq!(meaning.no_sum(&plain, name), None, "{name}");
        }
    }
}
