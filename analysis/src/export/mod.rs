//! Rollups as files that Tableau, Excel and Power BI open without a question.
//!
//! | file of a rollup | is |
//! | --- | --- |
//! | `TABLE.csv` | UTF-8; a header line always; values quoted as RFC 4180 says; dates as `2004-05-31`, instants as RFC 3339; numbers without separators or exponent; nothing for null |
//! | `TABLE.parquet` | the same rows, typed; zstd; statistics |
//! | `TABLE.tds` | a data source over the CSV for Tableau: types, roles, default aggregations, captions |
//! | `TABLE.schema.json` | the columns with type and meaning |
//! | `TABLE.hyper` | an extract for Tableau, on request |
//! | `TABLE.svg`, `TABLE.png` | a first chart, on request |
//! | `TABLE/YEAR.csv`, `TABLE/YEAR.parquet` | instead of the first two, where a table is partitioned by year |
//! | `manifest.json` | of all tables: rows, revision, columns, and size and SHA-256 of every file |
//!
//! Columns come in the table's order, rows by window, rank and keys. Equal data gives equal bytes.
//!
//! An export writes only what has changed since the last one. Of a table that has moved it reads only the rows of newer
//! revisions and puts them into those of the last Parquet file. If nothing has changed, nothing is written at all.
//!
//! The files of an export appear together or not at all, also when it is killed; how is told in `folder.rs`. One exporter at a
//! time may work on a folder, and what lies under `.rushes` in it is the exporter's own.
//!
//! ```no_run
//! use analysis::{export::Export, load::Store};
//!
//! let store = Store::connect("mongodb://127.0.0.1:27017", "rushes")?;
//! for table in Export::new(&store, "tableau").zone("Europe/Berlin").run()? {
//!     println!("{table}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod charts;
mod csv;
mod error;
mod events;
mod excel;
mod folder;
mod hyper;
mod lock;
mod manifest;
mod meaning;
mod merge;
mod options;
mod parquet;
mod paths;
#[cfg(test)]
mod read_back;
mod schema;
mod selection;
mod source;
mod table;
mod tds;
mod workers;

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
};

use model::{
    layout::EVENTS,
    schema::{IMDB_REVIEW, Schema},
};
use serde::Serialize;

use crate::load::{Moment, Store, StoreError};
use folder::{ExportFolder, Staging};
use manifest::{Manifest, TableEntry};
use options::{Settings, Top};
use source::{Catalog, SourceTable};
use table::TableExport;
use workers::side_by_side;

pub use error::ExportError;
pub use options::{Format, FormatError, Reader};

/// A table after an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// The rollup.
    pub table: String,
    /// Its CSV; the folder of a table by year; another file where there is no CSV.
    pub path: PathBuf,
    /// Rows in the files, without headers.
    pub rows: u64,
    /// Revision that the files hold at least.
    pub revision: i64,
    /// Whether anything was written now; if not, all of it was up to date.
    pub written: bool,
    /// The files that were written now.
    pub files: Vec<PathBuf>,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.written { "written" } else { "up to date" };
        write!(f, "{}: {} rows, {state}", self.path.display(), crate::format::count(self.rows))
    }
}

/// Writes the named rollups, or all of them, into `folder`, as [`Export`] does with its defaults.
///
/// # Errors
/// As [`Export::run`].
pub fn export(store: &Store, folder: impl AsRef<Path>, tables: &[String]) -> Result<Vec<Exported>, ExportError> {
    Export::new(store, folder).tables(tables).run()
}

/// What is to be exported, under construction; [`run`](Export::run) does it.
///
/// An export with other settings than the last one into the same folder writes its tables again.
///
/// ```no_run
/// use analysis::{export::{Export, Format}, load::Store};
///
/// let store = Store::connect("mongodb://127.0.0.1:27017", "rushes")?;
/// let tables = Export::new(&store, "tableau")
///     .tables(["reviews_by_month", "movies_by_month"])
///     .formats([Format::Csv, Format::Tds])
///     .from("2010")
///     .rename("rating_mean", "Mean rating")
///     .run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing is written before `run`"]
#[derive(Debug, Clone)]
pub struct Export {
    store: Store,
    folder: PathBuf,
    tables: Vec<String>,
    schema: Option<Schema>,
    settings: Settings,
}

impl Export {
    /// An export of every rollup into `folder`, which is made if it is not there.
    pub fn new(store: &Store, folder: impl AsRef<Path>) -> Self {
        let folder = folder.as_ref().to_owned();
        Self { store: store.clone(), folder, tables: Vec::new(), schema: None, settings: Settings::default() }
    }

    /// Only these rollups; none means all. Files of others in the folder stay.
    ///
    /// `events` stands for the stored events themselves, as one CSV and one Parquet file. They are all written again when there
    /// is a new one, and Tableau is slow with many rows: prefer a rollup.
    pub fn tables<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.tables = names.into_iter().map(Into::into).collect();
        self
    }

    /// The schema of the stream, which tells the columns of `events`; the preset `imdb-review` unless told.
    pub fn schema(mut self, schema: Schema) -> Self {
        self.schema = Some(schema);
        self
    }

    /// These kinds of files. A `.tds` and a `.hyper` are made from the CSV, so they bring it with them.
    pub fn formats(mut self, formats: impl IntoIterator<Item = Format>) -> Self {
        self.settings.formats = formats.into_iter().collect();
        self.with_needed_formats()
    }

    /// This kind of file too.
    pub fn with(mut self, format: Format) -> Self {
        self.settings.formats.insert(format);
        self.with_needed_formats()
    }

    /// Makes the CSV files for this reader.
    pub fn reader(mut self, reader: Reader) -> Self {
        self.settings.reader = reader;
        self
    }

    /// Writes instants in this zone of the time zone database, `Asia/Seoul`, in CSV and `.hyper`; UTC unless told. Dates have
    /// no zone, and instants in Parquet are always UTC.
    pub fn zone(mut self, zone: impl Into<String>) -> Self {
        self.settings.zone = zone.into();
        self
    }

    /// Writes a file per year of `window_start`, so that a change in one year leaves the files of the others alone.
    pub fn by_year(mut self) -> Self {
        self.settings.by_year = true;
        self
    }

    /// Only rows of windows for which no more records are expected.
    pub fn final_only(mut self) -> Self {
        self.settings.final_only = true;
        self
    }

    /// Only windows that start at `first` or later; a text that is no date is an error of [`run`](Export::run).
    pub fn from(mut self, first: impl fmt::Display) -> Self {
        self.settings.from = Some(first.to_string());
        self
    }

    /// Only windows that start before `end`.
    pub fn to(mut self, end: impl fmt::Display) -> Self {
        self.settings.to = Some(end.to_string());
        self
    }

    /// Only these columns, in this order; of each table those that it has.
    pub fn columns<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.settings.columns = names.into_iter().map(Into::into).collect();
        self
    }

    /// Gives a column another name in the files.
    pub fn rename(mut self, column: impl Into<String>, name: impl Into<String>) -> Self {
        self.settings.renames.push((column.into(), name.into()));
        self
    }

    /// Of each table only the `rows` rows with the largest values of `by`, or of its number of records.
    pub fn top(mut self, rows: u32, by: Option<String>) -> Self {
        self.settings.top = Some(Top { rows, by });
        self
    }

    /// Writes what has changed since the last export.
    ///
    /// # Errors
    /// When MongoDB does not answer, a table or column is unknown, another exporter works on the folder, or a file cannot be
    /// written. The folder then holds the last complete export.
    pub fn run(&self) -> Result<Vec<Exported>, ExportError> {
        let folder = ExportFolder::open(&self.folder)?;
        self.round(&folder)
    }

    /// Keeps the folder current: exports, hands the result to `report`, waits for `interval`, and so on, until `report` returns
    /// false. The folder stays locked meanwhile. `report` also gets the errors, after which the next round tries again.
    ///
    /// # Errors
    /// When the folder cannot be used, and whatever stops the first round.
    pub fn watch(
        &self,
        interval: std::time::Duration,
        mut report: impl FnMut(Result<Vec<Exported>, ExportError>) -> bool,
    ) -> Result<(), ExportError> {
        let folder = ExportFolder::open(&self.folder)?;
        let mut go_on = report(Ok(self.round(&folder)?));
        while go_on {
            std::thread::sleep(interval);
            go_on = report(self.round(&folder));
        }
        Ok(())
    }

    fn with_needed_formats(mut self) -> Self {
        if self.settings.has(Format::Tds) || self.settings.has(Format::Hyper) {
            self.settings.formats.insert(Format::Csv);
        }
        self
    }

    fn round(&self, folder: &ExportFolder) -> Result<Vec<Exported>, ExportError> {
        self.check_range()?;
        // The revisions are read before the rows, so that rows which arrive meanwhile are only exported again, never missed.
        let catalog = source::catalog(&self.store)?;
        let events = self.events(&catalog)?;
        let tables = self.chosen(&catalog, events.as_ref())?;
        selection::check_names(tables.iter().map(|table| table.info.columns.as_slice()), &self.settings)?;
        let last = folder.manifest().filter(|last| last.store == catalog.store);
        let mut next = last.clone().unwrap_or_else(|| Manifest::new(catalog.store.clone()));
        let there = |name: &str| name == EVENTS || catalog.tables.iter().any(|table| table.info.name == name);
        next.tables.retain(|name, _| there(name));
        let staging = folder.stage();
        let last_entry = |name: &str| last.as_ref().and_then(|last| last.tables.get(name));
        let is_current = |table: &&SourceTable| {
            let (revision, like) = (table.info.published_revision, table::entry(table, &self.settings));
            last_entry(&table.info.name).is_some_and(|last| last.is_current(folder.path(), revision, &like))
        };
        let moved: Vec<&SourceTable> = tables.iter().copied().filter(|table| !is_current(table)).collect();
        let written = side_by_side(&moved, |table| match &events {
            Some((events, schema)) if std::ptr::eq(events, table) => {
                events::write(&self.store, &staging, events, schema, &self.settings)
            }
            _ => {
                let last = last_entry(&table.info.name);
                TableExport::new(&self.store, folder.path(), &staging, table, &self.settings, last)?.run()
            }
        })?;
        next.tables.extend(moved.iter().map(|table| table.info.name.clone()).zip(written));
        if self.settings.has(Format::Hyper) {
            hyper::write(&staging, folder.path(), &mut next, &moved)?;
        }
        self.finish(folder, staging, last, next, &tables)
    }

    /// Puts the new set in place, if there is anything new in it.
    fn finish(
        &self,
        folder: &ExportFolder,
        staging: Staging<'_>,
        last: Option<Manifest>,
        next: Manifest,
        tables: &[&SourceTable],
    ) -> Result<Vec<Exported>, ExportError> {
        let staged = staging.names();
        let old = |name: &str| last.as_ref().and_then(|last| last.tables.get(name));
        let exported = tables.iter().map(|table| {
            let name = &table.info.name;
            exported(folder.path(), table, old(name), &next.tables[name], &staged)
        });
        let exported = exported.collect();
        if last.as_ref() != Some(&next) || !staged.is_empty() {
            staging.commit(&next)?;
        }
        Ok(exported)
    }

    /// The events as a table, where they are asked for.
    fn events(&self, catalog: &Catalog) -> Result<Option<(SourceTable, Schema)>, ExportError> {
        if !self.tables.iter().any(|name| name == EVENTS) {
            return Ok(None);
        }
        let preset = || Schema::parse("imdb-review", IMDB_REVIEW);
        let schema = self.schema.clone().map_or_else(preset, Ok);
        let schema = schema.map_err(|error| ExportError::Schema { reason: error.to_string() })?;
        let table = events::table(&self.store, &schema, catalog.events.clone())?;
        Ok(Some((table, schema)))
    }

    fn chosen<'a>(
        &self,
        catalog: &'a Catalog,
        events: Option<&'a (SourceTable, Schema)>,
    ) -> Result<Vec<&'a SourceTable>, ExportError> {
        let all = || catalog.tables.iter();
        if self.tables.is_empty() {
            return Ok(all().collect());
        }
        let find = |name: &String| {
            all().chain(events.map(|(table, _)| table)).find(|table| table.info.name == *name).ok_or_else(|| {
                let known = all().map(|table| table.info.name.clone()).collect();
                let database = self.store.database().to_owned();
                ExportError::Store(StoreError::NoTable { name: name.clone(), database, known })
            })
        };
        self.tables.iter().map(find).collect()
    }

    fn check_range(&self) -> Result<(), ExportError> {
        for bound in self.settings.from.iter().chain(&self.settings.to) {
            bound.parse::<Moment>().map_err(StoreError::from)?;
        }
        Ok(())
    }
}

fn exported(
    folder: &Path,
    table: &SourceTable,
    old: Option<&TableEntry>,
    new: &TableEntry,
    staged: &BTreeSet<String>,
) -> Exported {
    let csv = format!("{}.csv", table.stem);
    let main = match new.files.contains_key(&csv) {
        _ if !new.years.is_empty() => Some(table.stem.as_str()),
        true => Some(csv.as_str()),
        false => new.files.keys().next().map(String::as_str),
    };
    let files: Vec<PathBuf> =
        new.files.keys().filter(|name| staged.contains(*name)).map(|name| folder.join(name)).collect();
    Exported {
        table: table.info.name.clone(),
        path: main.map_or_else(|| folder.to_owned(), |name| folder.join(name)),
        rows: new.rows,
        revision: new.revision,
        written: old != Some(new) || !files.is_empty(),
        files,
    }
}
