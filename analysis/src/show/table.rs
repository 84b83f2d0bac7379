//! A table for a terminal.

use std::fmt::{self, Write};

use polars::prelude::DataFrame;

use super::{
    columns::{TextColumn, shown_rows, text_columns},
    html,
    notebook::{self, Block},
};
use crate::format;

/// Rows that a table shows unless told otherwise.
const DEFAULT_ROWS: usize = 20;
/// Terminal columns that a text may take.
const MOST_WIDTH: usize = 40;
const NULL: &str = "–";
const BETWEEN: &str = "  ";

/// A frame as a readable table: the first and last rows, numbers on the right with thousands separators, `–` for nulls, and how
/// many rows there are.
///
/// ```
/// use analysis::{polars::prelude::df, show::Table};
///
/// let frame = df!("movie" => ["Up (2009)", "기생충"], "reviews" => [Some(1_234), None])?;
/// assert_eq!(Table::new(&frame).to_string(), "\
/// movie      reviews
/// ─────────  ───────
/// Up (2009)    1,234
/// 기생충           –
/// 2 rows
/// ");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Table {
    frame: DataFrame,
    rows: usize,
}

impl Table {
    /// A table of `frame`, 20 rows of it; the frame's columns are shared, not copied.
    pub fn new(frame: &DataFrame) -> Self {
        Self { frame: frame.clone(), rows: DEFAULT_ROWS }
    }

    /// Shows so many rows, the first half from the top and the rest from the bottom.
    #[must_use]
    pub fn rows(mut self, rows: usize) -> Self {
        self.rows = rows;
        self
    }

    /// The table as HTML; all text is escaped.
    pub fn html(&self) -> String {
        let view = View::new(self);
        html::table(&view.columns, view.gap, self.frame.height())
    }

    /// Displays the table in a notebook with the evcxr kernel, which calls this for a cell's last value.
    pub fn evcxr_display(&self) {
        notebook::display(&[Block::text("text/plain", &self.to_string()), Block::markup("text/html", &self.html())]);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = View::new(self);
        let columns: Vec<Padded> = view.columns.iter().map(Padded::new).collect();
        write_line(f, columns.iter().map(Padded::head))?;
        write_line(f, columns.iter().map(Padded::rule))?;
        for row in 0..view.rows {
            if Some(row) == view.gap {
                write_line(f, columns.iter().map(|column| column.cell("⋮")))?;
            }
            write_line(f, columns.iter().map(|column| column.value(row)))?;
        }
        let height = self.frame.height();
        writeln!(f, "{} {}", format::count(height as u64), if height == 1 { "row" } else { "rows" })
    }
}

/// The rows that are shown.
struct View {
    columns: Vec<TextColumn>,
    rows: usize,
    /// The row before which others were left out.
    gap: Option<usize>,
}

impl View {
    fn new(table: &Table) -> Self {
        let (first, last) = shown_rows(table.frame.height(), table.rows);
        let gap = (first.end < last.start).then_some(first.end);
        let rows: Vec<usize> = first.chain(last).collect();
        Self { columns: text_columns(&table.frame, &rows), rows: rows.len(), gap }
    }
}

/// A column whose texts all have one width.
struct Padded<'a> {
    column: &'a TextColumn,
    width: usize,
}

impl<'a> Padded<'a> {
    fn new(column: &'a TextColumn) -> Self {
        let values = column.values.iter().map(|value| format::width(value.as_deref().unwrap_or(NULL)));
        let width = values.chain([format::width(&column.name)]).max().unwrap_or(0).min(MOST_WIDTH);
        Self { column, width }
    }

    fn head(&self) -> String {
        self.cell(&self.column.name)
    }

    fn rule(&self) -> String {
        "─".repeat(self.width)
    }

    fn value(&self, row: usize) -> String {
        self.cell(self.column.values[row].as_deref().unwrap_or(NULL))
    }

    fn cell(&self, text: &str) -> String {
        let short = format::shortened(text, self.width);
        let space = " ".repeat(self.width.saturating_sub(format::width(&short)));
        if self.column.right { space + &short } else { short + &space }
    }
}

fn write_line(f: &mut fmt::Formatter<'_>, cells: impl Iterator<Item = String>) -> fmt::Result {
    let line = cells.collect::<Vec<_>>().join(BETWEEN);
    f.write_str(line.trim_end())?;
    f.write_char('\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::df;

    #[test]
    fn a_long_table_shows_both_ends_and_its_size() {
        let frame = df!("n" => (1..=1_000_i64).collect::<Vec<_>>()).expect("a frame");
        let expected = "    n\n─────\n    1\n    2\n    ⋮\n  999\n1,000\n1,000 rows\n";
        assert_eq!(Table::new(&frame).rows(4).to_string(), expected);
    }

    #[test]
    fn texts_are_shortened_and_kept_on_one_line() {
        let frame = df!("movie" => ["a\nb", &"x".repeat(50)]).expect("a frame");
        let text = Table::new(&frame).to_string();
        assert!(text.contains("\na b\n") && text.contains(&format!("{}…", "x".repeat(39))), "{text}");
    }

    #[test]
    fn no_rows_and_no_columns_are_tables_too() {
        let frame = df!("n" => Vec::<i64>::new()).expect("a frame");
        assert_eq!(Table::new(&frame).to_string(), "n\n─\n0 rows\n");
        assert_eq!(Table::new(&DataFrame::empty()).to_string(), "\n\n0 rows\n");
    }
}
