//! One table: the rows it needs, and the files it becomes.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    path::Path,
    thread,
};

use polars::prelude::{DataFrame, IntoLazy, col, lit};
use tracing::debug;

use super::{
    ExportError, charts,
    csv::{CsvWriter, TextForm},
    folder::Staging,
    manifest::{FileEntry, TableEntry, YearEntry},
    merge::merge,
    options::{Format, Settings},
    parquet::{self, ParquetWriter},
    schema,
    selection::{self, OutputColumn},
    source::{self, SourceTable, Year},
    tds,
};
use crate::load::{ColumnRole, Store};

/// A table that has moved, on its way into a folder.
pub(crate) struct TableExport<'a> {
    store: &'a Store,
    folder: &'a Path,
    staging: &'a Staging<'a>,
    table: &'a SourceTable,
    settings: &'a Settings,
    /// The entry of the last export, if it was made in the same way and its files are there.
    last: Option<&'a TableEntry>,
    columns: Vec<OutputColumn>,
    form: TextForm,
}

impl<'a> TableExport<'a> {
    pub fn new(
        store: &'a Store,
        folder: &'a Path,
        staging: &'a Staging<'a>,
        table: &'a SourceTable,
        settings: &'a Settings,
        last: Option<&'a TableEntry>,
    ) -> Result<Self, ExportError> {
        let columns = selection::select(&table.info.name, &table.info.columns, settings)?;
        let last = last.filter(|last| last.is_like(&entry(table, settings)) && last.is_intact(folder));
        Ok(Self { store, folder, staging, table, settings, last, columns, form: TextForm::new(settings)? })
    }

    /// Writes what has changed and tells what there is then.
    pub fn run(&self) -> Result<TableEntry, ExportError> {
        if self.settings.by_year { self.by_year() } else { self.whole() }
    }

    fn name(&self) -> &'a str {
        &self.table.info.name
    }

    fn stem(&self) -> &'a str {
        &self.table.stem
    }

    fn whole(&self) -> Result<TableEntry, ExportError> {
        let frame = match self.refreshed() {
            Some(frame) => frame?,
            None => source::rows(self.store, self.table, self.settings)?,
        };
        let mut entry = entry(self.table, self.settings);
        entry.rows = frame.height() as u64;
        entry.files = self.write_rows(self.stem(), &frame)?;
        entry.long = long_columns(&selection::of_frame(&self.columns, &frame));
        self.describe(&mut entry, &[format!("{}.csv", self.stem())])?;
        self.charts(&mut entry, &frame)?;
        Ok(entry)
    }

    /// The last export, if its rows can be taken over.
    fn mergeable(&self) -> Option<&'a TableEntry> {
        self.last.filter(|last| last.has_row_revisions() && self.settings.keeps_every_row())
    }

    /// The rows of the last export with those that changed since; `None` where they cannot be told.
    fn refreshed(&self) -> Option<Result<DataFrame, ExportError>> {
        let last = self.mergeable()?;
        let file = format!("{}.parquet", self.stem());
        let base = last.files.contains_key(&file).then(|| self.folder.join(file))?;
        // MongoDB looks for the changes while the file is read here.
        let (base, changes) = thread::scope(|scope| {
            let base = scope.spawn(|| parquet::read(&base, &self.table.info.columns));
            let changes = source::rows_since(self.store, self.table, self.settings, last.revision);
            (base.join().expect("a reader returns its errors"), changes)
        });
        let base = base
            .map_err(|error| debug!(table = self.name(), %error, "the last export cannot be read; reading every row"))
            .ok()?;
        let refreshed = || {
            let merged = merge(&base, &changes?, &self.table.info.columns);
            let stored = source::count(self.store, self.table)?;
            // More rows than there are: some were removed, so the last export no longer tells what is there.
            Ok(merged.ok().filter(|merged| merged.height() as u64 <= stored))
        };
        refreshed().transpose()
    }

    fn by_year(&self) -> Result<TableEntry, ExportError> {
        let start = self.columns.iter().find(|column| column.role() == ColumnRole::WindowStart);
        let Some(OutputColumn { source: start, .. }) = start else {
            return Err(ExportError::NoWindow { table: self.name().to_owned() });
        };
        let mut entry = entry(self.table, self.settings);
        let years = source::years(self.store, self.table)?;
        let mut rows = Years::new(self, &start.name, &years);
        for (year, &found) in &years {
            let (written, files) = match self.kept(year, found) {
                Some(kept) => kept,
                None => {
                    let frame = rows.of(year)?;
                    let files = self.write_rows(&format!("{}/{year}", self.stem()), &frame)?;
                    let long = long_columns(&selection::of_frame(&self.columns, &frame));
                    let rows = frame.height() as u64;
                    (YearEntry { rows, stored: found.rows, revision: found.revision, long }, files)
                }
            };
            entry.rows += written.rows;
            entry.long.extend(written.long.iter().cloned());
            entry.files.extend(files);
            entry.years.insert(year.clone(), written);
        }
        let files: Vec<String> = entry.years.keys().map(|year| format!("{}/{year}.csv", self.stem())).collect();
        self.describe(&mut entry, &files)?;
        Ok(entry)
    }

    /// The files of a year in which nothing changed.
    fn kept(&self, year: &str, found: Year) -> Option<(YearEntry, BTreeMap<String, FileEntry>)> {
        let last = self.last?;
        let kept = last.years.get(year)?;
        let prefix = format!("{}/{year}.", self.stem());
        // Without revisions in the rows nothing tells whether they changed.
        let same = kept.stored == found.rows && kept.revision == found.revision && found.revision.is_some();
        let of_year = last.files.iter().filter(|(name, _)| name.starts_with(&prefix));
        same.then(|| (kept.clone(), of_year.map(|(name, file)| (name.clone(), file.clone())).collect()))
    }

    /// The files with rows, `stem.csv` and `stem.parquet`, side by side.
    fn write_rows(&self, stem: &str, frame: &DataFrame) -> Result<BTreeMap<String, FileEntry>, ExportError> {
        let wanted = |format| self.settings.has(format).then(|| format!("{stem}.{format}"));
        let (csv, parquet) = (wanted(Format::Csv), wanted(Format::Parquet));
        thread::scope(|scope| {
            let parquet = parquet.map(|name| scope.spawn(move || self.parquet(name, frame)));
            let csv = csv.map(|name| self.csv(name, frame));
            let parquet = parquet.map(|thread| thread.join().expect("a writer returns its errors"));
            csv.into_iter().chain(parquet).collect()
        })
    }

    fn csv(&self, name: String, frame: &DataFrame) -> Result<(String, FileEntry), ExportError> {
        let file = self.staging.write(&name, |file| {
            let mut writer = CsvWriter::new(file, &self.columns, self.form.clone())?;
            writer.write(frame)?;
            writer.finish().map(drop)
        })?;
        Ok((name, file))
    }

    fn parquet(&self, name: String, frame: &DataFrame) -> Result<(String, FileEntry), ExportError> {
        let file = self.staging.write(&name, |file| {
            let mut writer = ParquetWriter::new(file, &selection::of_frame(&self.columns, frame))?;
            writer.write(frame)?;
            writer.finish().map(drop)
        })?;
        Ok((name, file))
    }

    /// The files about the rows, `.tds` and `.schema.json`, which mostly stay as they are.
    fn describe(&self, entry: &mut TableEntry, csv_files: &[String]) -> Result<(), ExportError> {
        let info = &self.table.info;
        let long =
            |column: &OutputColumn| OutputColumn { is_long: entry.long.contains(&column.name), ..column.clone() };
        let columns: Vec<OutputColumn> = self.columns.iter().map(long).collect();
        if self.settings.has(Format::Tds) {
            self.write_if_new(entry, "tds", &tds::text(info, &columns, csv_files))?;
        }
        if self.settings.has(Format::Schema) {
            self.write_if_new(entry, "schema.json", &schema::text(info, &columns, self.settings))?;
        }
        Ok(())
    }

    fn write_if_new(&self, entry: &mut TableEntry, extension: &str, text: &str) -> Result<(), ExportError> {
        let name = format!("{}.{extension}", self.stem());
        let is_there = std::fs::read(self.folder.join(&name)).is_ok_and(|old| old == text.as_bytes());
        let kept = self.last.filter(|_| is_there).and_then(|last| last.files.get(&name)).cloned();
        let file = match kept {
            Some(kept) => kept,
            None => self.staging.write(&name, |file| file.write_all(text.as_bytes()))?,
        };
        entry.files.insert(name, file);
        Ok(())
    }

    fn charts(&self, entry: &mut TableEntry, frame: &DataFrame) -> Result<(), ExportError> {
        if !self.settings.has(Format::Charts) {
            return Ok(());
        }
        for (extension, bytes) in charts::draw(&self.table.info, frame)? {
            let name = format!("{}.{extension}", self.stem());
            let file = self.staging.write(&name, |file| file.write_all(&bytes))?;
            entry.files.insert(name, file);
        }
        Ok(())
    }
}

/// The rows of single years, each read from MongoDB once at most.
struct Years<'a, 'e> {
    export: &'e TableExport<'a>,
    /// The column that tells the year.
    start: &'e str,
    stored: &'e BTreeMap<String, Year>,
    /// All rows that changed since the last export.
    changes: Option<DataFrame>,
    /// All rows.
    all: Option<DataFrame>,
}

impl<'a, 'e> Years<'a, 'e> {
    fn new(export: &'e TableExport<'a>, start: &'e str, stored: &'e BTreeMap<String, Year>) -> Self {
        Self { export, start, stored, changes: None, all: None }
    }

    fn of(&mut self, year: &str) -> Result<DataFrame, ExportError> {
        if let Some(refreshed) = self.refreshed(year)? {
            return Ok(refreshed);
        }
        let TableExport { store, table, settings, .. } = self.export;
        let all = match self.all.take() {
            Some(all) => all,
            None => source::rows(store, table, settings)?,
        };
        let rows = self.rows_of(&all, year)?;
        self.all = Some(all);
        Ok(rows)
    }

    /// The rows of the last export with those that changed since; `None` where they cannot be told.
    fn refreshed(&mut self, year: &str) -> Result<Option<DataFrame>, ExportError> {
        let TableExport { store, table, settings, folder, .. } = self.export;
        let Some(last) = self.export.mergeable() else {
            return Ok(None);
        };
        let base = folder.join(format!("{}/{year}.parquet", table.stem));
        let base = if last.years.contains_key(year) { parquet::read(&base, &table.info.columns).ok() } else { None };
        let Some(base) = base else {
            return Ok(None);
        };
        let changes = match self.changes.take() {
            Some(changes) => changes,
            None => source::rows_since(store, table, settings, last.revision)?,
        };
        let merged = merge(&base, &self.rows_of(&changes, year)?, &table.info.columns);
        self.changes = Some(changes);
        Ok(merged.ok().filter(|merged| merged.height() as u64 <= self.stored[year].rows))
    }

    fn rows_of(&self, frame: &DataFrame, year: &str) -> Result<DataFrame, ExportError> {
        let number = year.parse::<i32>().unwrap_or_default();
        let of_year = col(self.start).dt().year().eq(lit(number));
        let rows = frame.clone().lazy().filter(of_year).collect();
        Ok(rows.expect("window_start is a date or an instant of the frame"))
    }
}

/// The table's entry in the manifest, without files.
pub(crate) fn entry(table: &SourceTable, settings: &Settings) -> TableEntry {
    TableEntry {
        rows: 0,
        revision: table.info.published_revision,
        origin: table.origin.clone(),
        settings: settings.clone(),
        columns: table.info.columns.clone(),
        files: BTreeMap::new(),
        long: BTreeSet::new(),
        years: BTreeMap::new(),
    }
}

/// Names in the files of columns with integers beyond 64 bits.
fn long_columns(columns: &[OutputColumn]) -> BTreeSet<String> {
    columns.iter().filter(|column| column.is_long).map(|column| column.name.clone()).collect()
}
