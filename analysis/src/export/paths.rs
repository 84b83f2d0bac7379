//! Names of files in the folder of an export.

use std::{
    fs, io,
    path::{Component, Path},
};

use super::manifest;

/// The folder of the exporter's own files.
pub(crate) const WORK: &str = ".rushes";

/// Whether both names stand for one file, as `Daily.csv` and `daily.csv` do on a case-blind disk.
pub(crate) fn is_same_file(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

/// The path of a file that an export may write: below the folder, and not one of the exporter's own.
pub(crate) fn checked(name: &str) -> io::Result<&Path> {
    let path = Path::new(name);
    let mut parts = path.components();
    let inside = parts.clone().all(|part| matches!(part, Component::Normal(_)));
    let own = parts.next() == Some(Component::Normal(WORK.as_ref())) || name == manifest::FILE;
    if inside && !own && !name.is_empty() {
        return Ok(path);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{name:?} is not the name of a file in the folder")))
}
