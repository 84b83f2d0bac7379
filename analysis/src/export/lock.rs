//! One exporter per folder.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
};

/// Held until it is dropped; the system takes it back from a process that dies, so it never has to be cleaned up.
#[derive(Debug)]
pub(crate) struct FolderLock {
    #[cfg(unix)]
    _file: nix::fcntl::Flock<File>,
    #[cfg(not(unix))]
    _file: File,
}

impl FolderLock {
    /// Takes the lock `path`, which is created and stays; `None` where another exporter has it.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        Self::of(file)
    }

    #[cfg(unix)]
    fn of(file: File) -> io::Result<Option<Self>> {
        use nix::{
            errno::Errno,
            fcntl::{Flock, FlockArg},
        };
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => Ok(Some(Self { _file: file })),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(errno.into()),
        }
    }

    #[cfg(not(unix))]
    fn of(file: File) -> io::Result<Option<Self>> {
        Ok(Some(Self { _file: file }))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn is_held_by_one_until_it_is_dropped() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let first = FolderLock::take(&path).expect("a lock file");
        assert!(first.is_some());
        assert!(FolderLock::take(&path).expect("a lock file").is_none());
        drop(first);
        assert!(FolderLock::take(&path).expect("a lock file").is_some());
    }
}
