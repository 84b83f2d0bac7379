//! Rollups as files that Tableau, Excel and Power BI open without a question.
//!
//! One CSV per rollup, `TABLE.csv`: UTF-8, a header line always, values quoted as RFC 4180 says, dates as `2004-05-31`, instants
//! as RFC 3339 in UTC, numbers without separators or exponent, nothing for null, columns in the table's order, rows by window,
//! rank and keys. Equal data gives equal bytes.
//!
//! A file is complete or absent: it is written under a temporary name in the same folder, synced and renamed. `manifest.json`
//! is written last and tells which revision each file holds, so that the next export rewrites only tables that have moved.
//!
//! ```no_run
//! use analysis::{export::export, load::Store};
//!
//! let store = Store::connect("mongodb://127.0.0.1:27017", "rushes")?;
//! for file in export(&store, "tableau", &[])? {
//!     println!("{file}");
//! }
//! # Ok::<(), analysis::export::ExportError>(())
//! ```

mod csv;
mod manifest;

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    load::{Store, StoreError, TableInfo},
    whole_file,
};
use manifest::{Entry, Manifest};

/// A table's file after an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// The rollup.
    pub table: String,
    /// Its file.
    pub path: PathBuf,
    /// Rows in the file, without the header.
    pub rows: u64,
    /// Revision that the file holds at least.
    pub revision: i64,
    /// Whether it was written now; if not, it was up to date.
    pub written: bool,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.written { "written" } else { "up to date" };
        write!(f, "{}: {} rows, {state}", self.path.display(), crate::format::count(self.rows))
    }
}

/// Why an export failed; files written before stay, the file it failed at is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The folder cannot be made.
    #[error("cannot make the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}{}", path.display(), remedy(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A table cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes the named rollups, or all of them, into `folder`, which is made if it is not there.
///
/// A table whose published revision and columns are those of the manifest, and whose file is as the last export left it, is not
/// read at all.
///
/// # Errors
/// When MongoDB does not answer, a table is unknown, or a file cannot be written; a full disk leaves the old file in place.
pub fn export(store: &Store, folder: impl AsRef<Path>, tables: &[String]) -> Result<Vec<Exported>, ExportError> {
    let folder = folder.as_ref();
    std::fs::create_dir_all(folder).map_err(|source| ExportError::Folder { path: folder.to_owned(), source })?;
    let tables = if tables.is_empty() {
        store.tables()?
    } else {
        tables.iter().map(|name| store.table(name)).collect::<Result<_, _>>()?
    };
    let mut manifest = Manifest::read(folder, store.database());
    let mut files = Vec::with_capacity(tables.len());
    for table in &tables {
        files.push(export_table(store, folder, table, &mut manifest)?);
    }
    if files.iter().any(|file| file.written) {
        manifest.write(folder)?;
    }
    Ok(files)
}

fn export_table(
    store: &Store,
    folder: &Path,
    table: &TableInfo,
    manifest: &mut Manifest,
) -> Result<Exported, ExportError> {
    let path = folder.join(file_name(&table.name));
    if let Some(entry) = manifest.up_to_date(folder, table) {
        return Ok(exported(table, path, entry, false));
    }
    // The revision was read before the rows, so that rows which arrive meanwhile are only exported again, never missed.
    let frame = store.rollup(&table.name).collect()?;
    whole_file::write(&path, |file| csv::write(&frame, file))
        .map_err(|source| ExportError::Write { path: path.clone(), source })?;
    let entry = Entry::new(&path, table, frame.height() as u64)?;
    let file = exported(table, path, &entry, true);
    manifest.insert(table.name.clone(), entry);
    Ok(file)
}

fn exported(table: &TableInfo, path: PathBuf, entry: &Entry, written: bool) -> Exported {
    Exported { table: table.name.clone(), path, rows: entry.rows, revision: entry.revision, written }
}

/// Name of a table's file.
fn file_name(table: &str) -> String {
    format!("{table}.csv")
}

fn remedy(error: &io::Error) -> &'static str {
    use io::ErrorKind::{FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => {
            "; free some space or export to another folder: what was there before is unchanged"
        }
        PermissionDenied | ReadOnlyFilesystem => "; export to a folder that you may write to",
        _ => "",
    }
}
