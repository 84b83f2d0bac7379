//! A cell's last value as output.
//!
//! evcxr calls `evcxr_display` on it and, where that does not compile, compiles the cell once more to print it with `Debug`. So
//! what has a form here is not only nicer but also shown sooner.

use std::error::Error;

use polars::prelude::{Column, DataFrame, Expr, LazyFrame, NamedFrom, Series};

use super::{Live, Rollup, Said, Worker, WorkerStatus};
use crate::chart::Figure;
use crate::export::Exported;
use crate::load::TableInfo;
use crate::show::Table;
use crate::show::notebook::{Block, display};

/// What a notebook shows of a value that ends a cell.
pub trait CellOutput {
    /// Sends the value to the notebook; the kernel calls this.
    fn evcxr_display(&self);
}

/// A frame is shown as a [`Table`] of 20 rows.
impl CellOutput for DataFrame {
    fn evcxr_display(&self) {
        Table::new(self).evcxr_display();
    }
}

/// A query of polars is carried out and its rows are shown.
impl CellOutput for LazyFrame {
    fn evcxr_display(&self) {
        self.clone().collect().evcxr_display();
    }
}

/// A query of a rollup is carried out and its rows are shown.
impl CellOutput for Rollup {
    fn evcxr_display(&self) {
        self.clone().collect().evcxr_display();
    }
}

impl CellOutput for Column {
    fn evcxr_display(&self) {
        DataFrame::new(self.len(), vec![self.clone()]).evcxr_display();
    }
}

impl CellOutput for Series {
    fn evcxr_display(&self) {
        self.clone().into_frame().evcxr_display();
    }
}

impl CellOutput for Expr {
    fn evcxr_display(&self) {
        show_text(&self.to_string());
    }
}

impl CellOutput for Figure {
    fn evcxr_display(&self) {
        Figure::evcxr_display(self);
    }
}

impl CellOutput for Table {
    fn evcxr_display(&self) {
        Table::evcxr_display(self);
    }
}

/// How the worker is.
impl CellOutput for Worker {
    fn evcxr_display(&self) {
        self.status().evcxr_display();
    }
}

impl CellOutput for Live {
    fn evcxr_display(&self) {
        Live::evcxr_display(self);
    }
}

/// One row per table: name, window, keys, rows, revision.
impl CellOutput for Vec<TableInfo> {
    fn evcxr_display(&self) {
        let keys = |table: &TableInfo| table.keys().collect::<Vec<_>>().join(", ");
        let columns = vec![
            column("table", self.iter().map(|table| table.name.clone())),
            column("window", self.iter().map(|table| table.window.clone())),
            column("keys", self.iter().map(keys)),
            Series::new("rows".into(), self.iter().map(|table| table.rows).collect::<Vec<_>>()).into(),
            Series::new("revision".into(), self.iter().map(|table| table.published_revision).collect::<Vec<_>>())
                .into(),
        ];
        DataFrame::new(self.len(), columns).evcxr_display();
    }
}

/// One row per file.
impl CellOutput for Vec<Exported> {
    fn evcxr_display(&self) {
        let state = |file: &Exported| if file.written { "written" } else { "up to date" }.to_owned();
        let columns = vec![
            column("file", self.iter().map(|file| file.path.display().to_string())),
            Series::new("rows".into(), self.iter().map(|file| file.rows).collect::<Vec<_>>()).into(),
            column("state", self.iter().map(state)),
        ];
        DataFrame::new(self.len(), columns).evcxr_display();
    }
}

fn column(name: &str, values: impl Iterator<Item = String>) -> Column {
    Series::new(name.into(), values.collect::<Vec<_>>()).into()
}

/// The value, or the error as a sentence with its causes: a `?` may be left out at the end of a cell.
impl<T: CellOutput, E: Error> CellOutput for Result<T, E> {
    fn evcxr_display(&self) {
        match self {
            Ok(value) => value.evcxr_display(),
            Err(error) => eprintln!("{}", sentence(error)),
        }
    }
}

/// The value; nothing for `None`.
impl<T: CellOutput> CellOutput for Option<T> {
    fn evcxr_display(&self) {
        self.iter().for_each(CellOutput::evcxr_display);
    }
}

fn sentence(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Nothing is shown.
impl CellOutput for () {
    fn evcxr_display(&self) {}
}

macro_rules! shown_as_text {
    ($($kind:ty),*) => {
        $(impl CellOutput for $kind {
            fn evcxr_display(&self) {
                show_text(&self.to_string());
            }
        })*
    };
}
shown_as_text!(
    Said,
    WorkerStatus,
    TableInfo,
    String,
    &str,
    bool,
    char,
    i8,
    i16,
    i32,
    i64,
    u8,
    u16,
    u32,
    u64,
    usize,
    isize,
    f32,
    f64
);

fn show_text(text: &str) {
    display(&[Block::text("text/plain", text)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Store;

    #[test]
    fn an_error_is_told_with_its_causes() {
        let error = Store::connect("nonsense", "rushes").expect_err("no address");
        assert!(sentence(&error).contains("mongodb://HOST:PORT"), "{}", sentence(&error));
        let caused = crate::export::ExportError::Folder {
            path: "out".into(),
            source: std::io::Error::other("the disk is gone"),
        };
        assert_eq!(sentence(&caused), "cannot use the folder out: the disk is gone");
    }
}
