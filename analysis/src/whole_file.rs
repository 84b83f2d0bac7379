//! Files that are complete or absent, whatever happens while they are written.

use std::{
    fs::{File, Permissions},
    io::{self, BufWriter, Write},
    path::Path,
};

/// Fills `path` by `fill`: a temporary file beside it, synced, then renamed over it. On failure `path` is as it was and no
/// temporary file is left.
pub(crate) fn write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new();
    temporary.prefix(".rushes-").suffix(".tmp");
    if let Some(permissions) = readable_by_others() {
        temporary.permissions(permissions);
    }
    let mut temporary = temporary.tempfile_in(folder)?;
    let mut buffered = BufWriter::new(temporary.as_file_mut());
    fill(&mut buffered)?;
    buffered.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    temporary.persist(path)?;
    sync_folder(folder)
}

/// As for any new file: the umask takes away what it should. Temporary files are private by default.
#[cfg(unix)]
fn readable_by_others() -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn readable_by_others() -> Option<Permissions> {
    None
}

/// Makes the rename itself survive a power failure.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn replaces_a_file_as_a_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.csv");
        for content in ["first", "second"] {
            write(&path, |file| file.write_all(content.as_bytes())).expect("written");
            assert_eq!(std::fs::read_to_string(&path).expect("a file"), content);
        }
        assert_eq!(names(folder.path()), ["t.csv"]);
    }

    #[test]
    fn a_failure_half_way_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.csv");
        std::fs::write(&path, "old").expect("written");
        let full = |file: &mut dyn Write| {
            file.write_all(b"new")?;
            Err(io::ErrorKind::StorageFull.into())
        };
        let error = write(&path, full).expect_err("full");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), "old");
        assert_eq!(names(folder.path()), ["t.csv"]);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_it_as_far_as_the_umask_lets_them() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let mode = |name: &str| std::fs::metadata(folder.path().join(name)).expect("a file").permissions().mode();
        std::fs::write(folder.path().join("plain"), "").expect("written");
        write(&folder.path().join("whole"), |_| Ok(())).expect("written");
        assert_eq!(mode("whole"), mode("plain"));
    }
}
