//! What the files of a folder hold, so that the next export knows what it need not do.

use std::{collections::BTreeMap, io, path::Path};

use model::layout::Column;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::{ExportError, file_name};
use crate::{load::TableInfo, whole_file};

const FILE: &str = "manifest.json";
/// Grows when the files of older versions must be written again.
const FORMAT: u32 = 1;

/// `manifest.json` of a folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    format: u32,
    database: String,
    /// By table.
    tables: BTreeMap<String, Entry>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub file: String,
    pub bytes: u64,
    pub rows: u64,
    pub revision: i64,
    pub columns: Vec<Column>,
}

impl Entry {
    /// What was just written to `path`.
    pub fn new(path: &Path, table: &TableInfo, rows: u64) -> Result<Self, ExportError> {
        let size = std::fs::metadata(path).map_err(|source| ExportError::Write { path: path.to_owned(), source })?;
        Ok(Self {
            file: file_name(&table.name),
            bytes: size.len(),
            rows,
            revision: table.published_revision,
            columns: table.columns.clone(),
        })
    }
}

impl Manifest {
    /// The manifest of `folder`; an empty one where there is none, or one of another database, or one that cannot be read:
    /// then everything is written again.
    pub fn read(folder: &Path, database: &str) -> Self {
        let path = folder.join(FILE);
        let empty = Self { format: FORMAT, database: database.to_owned(), tables: BTreeMap::new() };
        let read = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<Self>(&bytes).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return empty,
            Err(error) => Err(error),
        };
        match read {
            Ok(manifest) if manifest.format == FORMAT && manifest.database == database => manifest,
            Ok(_) => empty,
            Err(error) => {
                warn!(path = %path.display(), %error, "the manifest cannot be read; every table is written again");
                empty
            }
        }
    }

    /// The entry of `table`, if its file is there as it was written and the table has not moved since.
    pub fn up_to_date(&self, folder: &Path, table: &TableInfo) -> Option<&Entry> {
        let entry = self.tables.get(&table.name)?;
        let size = std::fs::metadata(folder.join(&entry.file)).ok()?.len();
        let same = entry.revision == table.published_revision && entry.columns == table.columns && entry.bytes == size;
        same.then_some(entry)
    }

    pub fn insert(&mut self, table: String, entry: Entry) {
        self.tables.insert(table, entry);
    }

    pub fn write(&self, folder: &Path) -> Result<(), ExportError> {
        let path = folder.join(FILE);
        let written = whole_file::write(&path, |file| {
            serde_json::to_writer_pretty(&mut *file, self)?;
            file.write_all(b"\n")
        });
        written.map_err(|source| ExportError::Write { path, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tests::movies_by_month;

    fn exported() -> (tempfile::TempDir, TableInfo, Manifest) {
        let folder = tempfile::tempdir().expect("a folder");
        let table = TableInfo::new(movies_by_month(), 0);
        let path = folder.path().join(file_name(&table.name));
        std::fs::write(&path, "movie\r\n").expect("written");
        let mut manifest = Manifest::read(folder.path(), "rushes");
        manifest.insert(table.name.clone(), Entry::new(&path, &table, 0).expect("an entry"));
        manifest.write(folder.path()).expect("written");
        let read = Manifest::read(folder.path(), "rushes");
        assert_eq!(read, manifest);
        (folder, table, read)
    }

    #[test]
    fn a_table_that_has_not_moved_is_up_to_date() {
        let (folder, table, manifest) = exported();
        assert!(manifest.up_to_date(folder.path(), &table).is_some());
    }

    #[test]
    fn a_new_revision_other_columns_or_a_changed_file_are_not() {
        let (folder, mut table, manifest) = exported();
        table.published_revision += 1;
        assert_eq!(manifest.up_to_date(folder.path(), &table), None);
        table.published_revision -= 1;
        let column = table.columns.pop().expect("a column");
        assert_eq!(manifest.up_to_date(folder.path(), &table), None);
        table.columns.push(column);
        std::fs::write(folder.path().join("movies_by_month.csv"), "").expect("written");
        assert_eq!(manifest.up_to_date(folder.path(), &table), None);
    }

    #[test]
    fn another_database_or_a_broken_manifest_start_anew() {
        let (folder, table, _) = exported();
        assert_eq!(Manifest::read(folder.path(), "other").up_to_date(folder.path(), &table), None);
        std::fs::write(folder.path().join(FILE), "{").expect("written");
        assert_eq!(Manifest::read(folder.path(), "rushes").up_to_date(folder.path(), &table), None);
    }
}
