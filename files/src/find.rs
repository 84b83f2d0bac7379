//! Which files are meant by the paths a user names.

use super::{FileError, Trouble};
use std::path::{Path, PathBuf};

/// Name of the file with the counts that `ingest generate` leaves beside its files of records.
pub const TRUTH_FILE: &str = "truth.json";

const ENDINGS: [&str; 4] = [".json", ".jsonl", ".ndjson", ".csv"];

/// The files behind `paths`: a file as it is, a folder as its files of records, sorted by name.
///
/// A folder is not descended into. Its files count by their ending (`.json`, `.jsonl`, `.ndjson`, `.csv`, also with `.gz`
/// or `.zst`); hidden files and the counts a generator left beside its files
/// ([`TRUTH_FILE`]) do not.
///
/// # Errors
/// A path does not exist, or a folder cannot be read or holds no such file.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, FileError> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(files_in(path).map_err(|trouble| FileError { path: path.clone(), trouble })?);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Trouble> {
    let entries = folder.read_dir().and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(Trouble::Open)?;
    let mut files: Vec<_> =
        entries.iter().map(std::fs::DirEntry::path).filter(|path| is_record_file(path) && path.is_file()).collect();
    files.sort();
    if files.is_empty() { Err(Trouble::EmptyFolder) } else { Ok(files) }
}

fn is_record_file(path: &Path) -> bool {
    let name = plain_name(path);
    !name.starts_with('.') && name != TRUTH_FILE && ENDINGS.iter().any(|end| name.ends_with(end))
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
        for name in
            ["b.json", "a.json.gz", "c.CSV", "d.jsonl.zst", "truth.json", ".a.json.partial", "notes.txt", ".x.json"]
        {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("deeper.json")).unwrap();
        let found = find(&[folder.path().to_owned()]).unwrap();
        let names: Vec<_> = found.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.json.gz", "b.json", "c.CSV", "d.jsonl.zst"]);
    }

    #[test]
    fn a_named_file_is_taken_whatever_its_name() {
        let path = PathBuf::from("somewhere/truth.json");
        assert_eq!(find(std::slice::from_ref(&path)).unwrap(), [path]);
    }

    #[test]
    fn a_folder_without_records_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = find(&[folder.path().to_owned()]).unwrap_err().to_string();
        assert!(error.contains("holds no file of records"), "{error}");
    }
}
