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
/// Width of the text that a notebook shows where it may not show HTML.
const NOTEBOOK_WIDTH: usize = 160;

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
    width: Option<usize>,
}

impl Table {
    /// A table of `frame`, 20 rows of it; the frame's columns are shared, not copied.
    pub fn new(frame: &DataFrame) -> Self {
        Self { frame: frame.clone(), rows: DEFAULT_ROWS, width: None }
    }

    /// Shows so many rows, the first half from the top and the rest from the bottom.
    #[must_use]
    pub fn rows(mut self, rows: usize) -> Self {
        self.rows = rows;
        self
    }

    /// Shows as text only the first columns that fit into so many columns of a terminal, and names the others below.
    #[must_use]
    pub fn width(mut self, columns: usize) -> Self {
        self.width = Some(columns);
        self
    }

    /// The table as HTML; all text is escaped. Of very many columns and very long texts it shows the beginning.
    pub fn html(&self) -> String {
        let view = View::new(self);
        html::table(&view.columns, view.gap, self.frame.height())
    }

    /// Displays the table in a notebook with the evcxr kernel, which calls this for a cell's last value.
    pub fn evcxr_display(&self) {
        let text = self.clone().width(NOTEBOOK_WIDTH).to_string();
        notebook::display(&[Block::text("text/plain", &text), Block::markup("text/html", &self.html())]);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = View::new(self);
        let mut columns: Vec<Padded> = view.columns.iter().map(Padded::new).collect();
        let hidden = columns.split_off(fitting(&columns, self.width.unwrap_or(usize::MAX)));
        write_line(f, columns.iter().map(Padded::head))?;
        write_line(f, columns.iter().map(Padded::rule))?;
        for row in 0..view.rows {
            if Some(row) == view.gap {
                write_line(f, columns.iter().map(|column| column.cell("⋮")))?;
            }
            write_line(f, columns.iter().map(|column| column.value(row)))?;
        }
        let height = self.frame.height();
        write!(f, "{} {}", format::count(height as u64), if height == 1 { "row" } else { "rows" })?;
        if !hidden.is_empty() {
            let names: Vec<&str> = hidden.iter().map(|column| column.column.name.as_str()).collect();
            let names = format::shortened(
                &names.join(", "),
                self.width.unwrap_or(usize::MAX).saturating_sub(HIDDEN).max(HIDDEN),
            );
            write!(f, "; {} more columns: {names}", hidden.len())?;
        }
        writeln!(f)
    }
}

/// Columns of a terminal that the words about hidden columns take.
const HIDDEN: usize = 40;

/// How many of the columns fit, at least one.
fn fitting(columns: &[Padded<'_>], width: usize) -> usize {
    let mut used = 0;
    let fits = |column: &&Padded<'_>| {
        used += column.width + BETWEEN.len();
        used - BETWEEN.len() <= width
    };
    columns.iter().take_while(fits).count().max(1).min(columns.len())
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
    /// Width of the longest fraction with its point, so that points stand below each other.
    fraction: usize,
}

impl<'a> Padded<'a> {
    fn new(column: &'a TextColumn) -> Self {
        let values = || column.values.iter().map(|value| value.as_deref().unwrap_or(NULL));
        let fraction = values().map(|value| fraction(column, value)).max().unwrap_or(0);
        let widths = values().map(|value| format::width(value) - self::fraction(column, value) + fraction);
        let width = widths.chain([format::width(&column.name)]).max().unwrap_or(0).min(MOST_WIDTH);
        Self { column, width, fraction }
    }

    fn head(&self) -> String {
        self.cell(&self.column.name)
    }

    fn rule(&self) -> String {
        "─".repeat(self.width)
    }

    fn value(&self, row: usize) -> String {
        let value = self.column.values[row].as_deref().unwrap_or(NULL);
        self.cell(&format!("{value}{}", " ".repeat(self.fraction - fraction(self.column, value))))
    }

    fn cell(&self, text: &str) -> String {
        let short = format::shortened(text, self.width);
        let space = " ".repeat(self.width.saturating_sub(format::width(&short)));
        if self.column.right { space + &short } else { short + &space }
    }
}

/// Width of a number's fraction with its point.
fn fraction(column: &TextColumn, value: &str) -> usize {
    if column.right { value.find('.').map_or(0, |point| value.len() - point) } else { 0 }
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
    fn points_stand_below_each_other() {
        let frame = df!("mean" => [Some(702.86), Some(8.0), None, Some(1_234.5)]).expect("a frame");
        let lines = "    mean\n────────\n  702.86\n    8\n    –\n1,234.5\n4 rows\n";
        assert_eq!(Table::new(&frame).to_string(), lines);
    }

    #[test]
    fn columns_that_do_not_fit_are_named() {
        let frame = df!("movie" => ["Up", "Her"], "reviews" => [1_234_i64, 5], "late" => [0_i64, 0]).expect("a frame");
        let narrow = Table::new(&frame).width(16).to_string();
        assert!(narrow.starts_with("movie  reviews\n─────  ───────\n"), "{narrow}");
        assert!(narrow.ends_with("2 rows; 1 more columns: late\n"), "{narrow}");
        assert_eq!(Table::new(&frame).width(80).to_string(), Table::new(&frame).to_string());
        assert!(Table::new(&frame).width(1).to_string().starts_with("movie\n"));
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
