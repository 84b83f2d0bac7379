//! Which files are meant by the paths a user names.

use super::{FileError, Trouble};
use std::path::{Path, PathBuf};

/// Name of the file with the counts that `ingest generate` leaves beside its files of records.
pub const TRUTH_FILE: &str = "truth.json";

const ENDINGS: [&str; 5] = [".json", ".jsonl", ".ndjson", ".csv", ".tsv"];

/// The path that means the standard input.
pub const STDIN: &str = "-";

/// Files that were looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The files to read.
    pub files: Vec<PathBuf>,
    /// Members of folders that are no files of records by their ending, hidden files apart.
    pub left_out: Vec<PathBuf>,
}

/// The files behind `paths`: a file as it is, a folder as its files of records, sorted by name.
///
/// A folder is not descended into. Its files count by their ending (`.json`, `.jsonl`, `.ndjson`, `.csv`, `.tsv`, also with
/// `.gz` or `.zst`); hidden files and the counts a generator left beside its files ([`TRUTH_FILE`]) do not.
///
/// # Errors
/// A folder cannot be read or holds no such file.
pub fn find(paths: &[PathBuf]) -> Result<Found, FileError> {
    let mut found = Found::default();
    for path in paths {
        if path.is_dir() {
            found.add_folder(path).map_err(|trouble| FileError { path: path.clone(), trouble })?;
        } else {
            found.files.push(path.clone());
        }
    }
    Ok(found)
}

impl Found {
    fn add_folder(&mut self, folder: &Path) -> Result<(), Trouble> {
        let entries = folder.read_dir().and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(Trouble::Open)?;
        let members = entries.iter().map(std::fs::DirEntry::path).filter(|path| !is_hidden(path));
        let (mut files, mut others): (Vec<_>, Vec<_>) =
            members.partition(|path| is_record_file(path) && path.is_file());
        if files.is_empty() {
            return Err(Trouble::EmptyFolder);
        }
        files.sort();
        others.sort();
        self.files.append(&mut files);
        self.left_out.append(&mut others);
        Ok(())
    }
}

fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name == TRUTH_FILE
}

fn is_record_file(path: &Path) -> bool {
    let name = plain_name(path);
    ENDINGS.iter().any(|end| name.ends_with(end))
}

/// Whether `path` is the standard input, a pipe or a device: what can be read once only.
#[must_use]
pub fn is_stream(path: &Path) -> bool {
    path == Path::new(STDIN) || path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

/// The file's name in lower case, without the ending of its compression.
pub(super) fn plain_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    [".gz", ".zst"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_folder_is_its_record_files_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "b.json",
            "a.json.gz",
            "c.CSV",
            "d.jsonl.zst",
            "e.tsv",
            "f.parquet",
            "g.zip",
            "truth.json",
            ".a.json.partial",
            "notes.txt",
            ".x.json",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("deeper.json")).unwrap();
        let found = find(&[folder.path().to_owned()]).unwrap();
        let names = |paths: &[PathBuf]| -> Vec<String> {
            paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(&found.files), ["a.json.gz", "b.json", "c.CSV", "d.jsonl.zst", "e.tsv"]);
        assert_eq!(names(&found.left_out), ["deeper.json", "f.parquet", "g.zip", "notes.txt"]);
    }

    #[test]
    fn a_named_file_is_taken_whatever_its_name() {
        let path = PathBuf::from("somewhere/truth.json");
        assert_eq!(find(std::slice::from_ref(&path)).unwrap().files, [path]);
    }

    #[test]
    fn a_folder_without_records_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = find(&[folder.path().to_owned()]).unwrap_err().to_string();
        assert!(error.contains("holds no file of records"), "{error}");
    }
}
