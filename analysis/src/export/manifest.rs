//! `manifest.json`: what the files of a folder hold, so that the next export knows what it need not do and anyone can check
//! that the files belong together.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    io,
    path::Path,
};

use model::layout::Column;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracing::warn;

use super::options::Settings;
use crate::{load::ColumnRole, whole_file};

/// Its name.
pub(crate) const FILE: &str = "manifest.json";
/// Grows when the files of older versions must be written again.
const FORMAT: u32 = 3;

/// Bytes that are read of a file at once.
const BUFFERED: usize = 1 << 16;

/// `manifest.json` of a folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    format: u32,
    pub store: StoreIdentity,
    /// By table.
    pub tables: BTreeMap<String, TableEntry>,
}

/// Which store the tables are from.
///
/// Names and addresses do not tell: a database may be dropped and filled again, and its revisions begin at 1 then. MongoDB gives
/// each collection a UUID when it makes it, so the one of the catalog stands for the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoreIdentity {
    pub database: String,
    pub catalog: String,
}

/// The files of one table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TableEntry {
    pub rows: u64,
    /// Every row of this revision, or of a newer one, is in the files.
    pub revision: i64,
    pub origin: Origin,
    pub settings: Settings,
    pub columns: Vec<Column>,
    /// By name, relative to the folder.
    pub files: BTreeMap<String, FileEntry>,
    /// Columns with integers beyond 64 bits, by their names in the files.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub long: BTreeSet<String>,
    /// What each year's files hold, where the table is partitioned.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub years: BTreeMap<String, YearEntry>,
}

/// Where the rows come from: as long as it is the same, rows only appear or grow in revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// UUID of the table's collection.
    pub collection: String,
    /// Hash of the rollup's definition.
    pub definition: String,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileEntry {
    pub bytes: u64,
    pub sha256: String,
}

/// One year of a partitioned table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct YearEntry {
    /// Rows in the files.
    pub rows: u64,
    /// Rows of the year in the store, also those that a filter leaves out.
    pub stored: u64,
    /// The newest revision among them.
    pub revision: Option<i64>,
    /// As of a [`TableEntry`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub long: BTreeSet<String>,
}

impl Manifest {
    pub fn new(store: StoreIdentity) -> Self {
        Self { format: FORMAT, store, tables: BTreeMap::new() }
    }

    /// The manifest of `folder`; `None` where there is none, or one that this version cannot read: then everything is written
    /// again.
    pub fn read(folder: &Path) -> Option<Self> {
        let path = folder.join(FILE);
        let read = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<serde_json::Value>(&bytes).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => Err(error),
        };
        let read = read.and_then(|json| {
            let current = json.get("format").and_then(serde_json::Value::as_u64) == Some(FORMAT.into());
            current.then(|| serde_json::from_value(json).map_err(io::Error::from)).transpose()
        });
        read.unwrap_or_else(|error| {
            warn!(path = %path.display(), %error, "the manifest cannot be read; every table is written again");
            None
        })
    }

    /// Writes it into `folder`, whole.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        whole_file::write(&folder.join(FILE), |file| {
            serde_json::to_writer_pretty(&mut *file, self)?;
            file.write_all(b"\n")
        })
    }

    /// All files by name, relative to the folder.
    pub fn files(&self) -> impl Iterator<Item = (&str, &FileEntry)> {
        self.tables.values().flat_map(|table| &table.files).map(|(name, file)| (name.as_str(), file))
    }
}

/// Names of the files in a manifest of any version, none if it is not there; `None` if the file is no manifest.
pub(crate) fn written(path: &Path) -> Option<BTreeSet<String>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Some(BTreeSet::new()),
        Err(_) => return None,
    };
    let json: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    json.get("format")?.as_u64()?;
    let files = json.get("tables")?.as_object()?.values().filter_map(|table| table.get("files")?.as_object());
    Some(files.flat_map(|files| files.keys().cloned()).collect())
}

impl TableEntry {
    /// Whether the files hold what an export of `revision` would write.
    pub fn is_current(&self, folder: &Path, revision: i64, like: &TableEntry) -> bool {
        self.revision == revision && self.is_like(like) && self.is_intact(folder)
    }

    /// Whether the files were made from the same table in the same way, at whatever revision.
    pub fn is_like(&self, other: &TableEntry) -> bool {
        (&self.origin, &self.settings, &self.columns) == (&other.origin, &other.settings, &other.columns)
    }

    /// Whether its files are there as they were written, as far as their sizes tell.
    pub fn is_intact(&self, folder: &Path) -> bool {
        self.files.iter().all(|(name, file)| file.is_intact(&folder.join(name)))
    }

    /// Whether the rows have a revision of their own, by which what changed can be told.
    pub fn has_row_revisions(&self) -> bool {
        self.columns.iter().any(|column| column.role == ColumnRole::Revision)
    }
}

impl FileEntry {
    /// Whether the file at `path` holds what was written into it.
    pub fn is_unchanged(&self, path: &Path) -> io::Result<bool> {
        if !self.is_intact(path) {
            return Ok(false);
        }
        let mut digest = Sha256::new();
        let mut file = std::fs::File::open(path)?;
        let mut bytes = vec![0; BUFFERED];
        loop {
            match io::Read::read(&mut file, &mut bytes)? {
                0 => return Ok(hex(&digest.finalize()) == self.sha256),
                read => digest.update(&bytes[..read]),
            }
        }
    }

    /// Whether the file at `path` has the size that it was written with.
    pub fn is_intact(&self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|file| file.len() == self.bytes)
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::load::tests::movies_by_month;

    pub(crate) fn entry_of(files: impl IntoIterator<Item = (String, FileEntry)>) -> TableEntry {
        TableEntry {
            rows: 0,
            revision: 7,
            origin: Origin { collection: "c".to_owned(), definition: "d".to_owned() },
            settings: Settings::default(),
            columns: movies_by_month().columns,
            files: files.into_iter().collect(),
            long: BTreeSet::new(),
            years: BTreeMap::new(),
        }
    }

    pub(crate) fn manifest_of(files: impl IntoIterator<Item = (String, FileEntry)>) -> Manifest {
        let store = StoreIdentity { database: "rushes".to_owned(), catalog: "u".to_owned() };
        let mut manifest = Manifest::new(store);
        manifest.tables.insert("t".to_owned(), entry_of(files));
        manifest
    }

    /// Whether `folder` holds exactly what `manifest` says.
    pub(crate) fn sound(folder: &Path, manifest: &Manifest) -> bool {
        let files = manifest.tables.values().flat_map(|table| &table.files);
        Manifest::read(folder).as_ref() == Some(manifest)
            && files.into_iter().all(|(name, file)| {
                let bytes = std::fs::read(folder.join(name)).expect("a file");
                hex(&Sha256::digest(&bytes)) == file.sha256 && bytes.len() as u64 == file.bytes
            })
    }

    fn file(bytes: u64) -> (String, FileEntry) {
        ("t.csv".to_owned(), FileEntry { bytes, sha256: String::new() })
    }

    #[test]
    fn is_read_as_it_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let manifest = manifest_of([file(3)]);
        manifest.write(folder.path()).expect("written");
        assert_eq!(Manifest::read(folder.path()), Some(manifest));
    }

    #[test]
    fn one_of_another_version_or_a_broken_one_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Manifest::read(folder.path()), None);
        for text in ["{", "{\"format\": 2}", "{\"format\": 3}"] {
            std::fs::write(folder.path().join(FILE), text).expect("written");
            assert_eq!(Manifest::read(folder.path()), None, "{text}");
        }
    }

    #[test]
    fn another_revision_origin_setting_column_or_size_is_not_current() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("t.csv"), "abc").expect("written");
        let entry = entry_of([file(3)]);
        assert!(entry.is_current(folder.path(), 7, &entry));
        assert!(!entry.is_current(folder.path(), 8, &entry));
        let changed = |change: fn(&mut TableEntry)| {
            let mut other = entry.clone();
            change(&mut other);
            entry.is_current(folder.path(), 7, &other)
        };
        assert!(changed(|_| ()));
        assert!(!changed(|other| other.origin.collection.push('x')));
        assert!(!changed(|other| other.origin.definition.push('x')));
        assert!(!changed(|other| other.settings.final_only = true));
        assert!(!changed(|other| drop(other.columns.pop())));
        assert!(!entry_of([file(4)]).is_current(folder.path(), 7, &entry));
        assert!(!entry_of([("gone.csv".to_owned(), file(3).1)]).is_current(folder.path(), 7, &entry));
    }
}
