//! The cache folder. Parts appear in it atomically.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use tracing::info;

use super::from_environment;
use crate::StackError;

pub(super) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Returns the cache folder and creates it if necessary.
    pub(crate) fn open() -> Result<Self, StackError> {
        let in_home = |variable, below: &str| from_environment(variable).map(|folder| folder.join(below));
        let root = from_environment("RUSHES_CACHE")
            .or_else(|| in_home("XDG_CACHE_HOME", "rushes"))
            .or_else(|| in_home("HOME", ".cache/rushes"))
            .ok_or_else(|| StackError::Prerequisite {
                what: "no folder for downloads: HOME is not set".to_owned(),
                remedy: "set RUSHES_CACHE to a folder that may be written".to_owned(),
            })?;
        let root = std::path::absolute(&root).map_err(StackError::file("resolve", &root))?;
        fs::create_dir_all(&root).map_err(StackError::file("create", &root))?;
        Ok(Self { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the part `name`. If it is missing, `make` fills a temporary folder, which is renamed to it.
    pub(crate) fn part(
        &self,
        name: &str,
        make: impl FnOnce(&Path) -> Result<(), StackError>,
    ) -> Result<PathBuf, StackError> {
        let target = self.root.join(name);
        if target.exists() {
            return Ok(target);
        }
        let _lock = self.lock(name)?;
        if target.exists() {
            return Ok(target);
        }
        let unfinished = format!(".{name}.part-");
        self.remove_leftovers(&unfinished);
        let staging = tempfile::Builder::new()
            .prefix(&unfinished)
            .tempdir_in(&self.root)
            .map_err(StackError::file("create a folder in", &self.root))?;
        make(staging.path())?;
        fs::rename(staging.path(), &target).map_err(StackError::file("create", &target))?;
        Ok(target)
    }

    /// Waits until no other process creates this part. The lock ends with its holder.
    fn lock(&self, name: &str) -> Result<Flock<File>, StackError> {
        let path = self.root.join(format!(".{name}.lock"));
        let file = File::create(&path).map_err(StackError::file("create", &path))?;
        let locked = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Err((file, Errno::EWOULDBLOCK)) => {
                info!("waiting for another process that is making {}", self.root.join(name).display());
                Flock::lock(file, FlockArg::LockExclusive)
            }
            other => other,
        };
        locked.map_err(|(_, errno)| StackError::file("lock", &path)(errno.into()))
    }

    /// Removes what killed processes left behind. Only for the holder of the lock. A failure costs only disk space.
    fn remove_leftovers(&self, prefix: &str) {
        for entry in fs::read_dir(&self.root).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_path_buf();
        (folder, Cache { root })
    }

    #[test]
    fn a_part_is_made_once() {
        let (_folder, cache) = cache();
        let made = cache.part("a", |staging| {
            fs::write(staging.join("file"), "content").unwrap();
            Ok(())
        });
        let again = cache.part("a", |_| panic!("it is there"));
        assert_eq!(made.unwrap(), again.unwrap());
        assert_eq!(fs::read_to_string(cache.root().join("a/file")).unwrap(), "content");
    }

    #[test]
    fn a_failed_part_leaves_nothing() {
        let (_folder, cache) = cache();
        let failed = cache.part("a", |staging| {
            fs::write(staging.join("half"), "").unwrap();
            Err(StackError::Prerequisite { what: "network".into(), remedy: "wait".into() })
        });
        assert!(failed.is_err());
        let left: Vec<_> = fs::read_dir(cache.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [".a.lock"]);
    }

    #[test]
    fn folders_of_killed_makers_are_removed() {
        let (_folder, cache) = cache();
        fs::create_dir(cache.root().join(".a.part-old")).unwrap();
        cache.part("a", |_| Ok(())).unwrap();
        assert!(!cache.root().join(".a.part-old").exists());
    }

    #[test]
    fn two_at_once_make_one() {
        let (_folder, cache) = cache();
        let made = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let count = |_: &Path| {
                        made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        Ok(())
                    };
                    cache.part("a", count).unwrap();
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }
}
