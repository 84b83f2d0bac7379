//! The folder of an export: files that change together, or not at all.
//!
//! A set of files cannot be replaced by one system call, so it is done as a database does it. New files are written into
//! `.rushes/next` and synced; then `.rushes/next/manifest.json`, which makes the new set *complete*; then the files are renamed
//! into place, the manifest last. A crash before the set is complete leaves the old one, untouched; a crash after it leaves the
//! renames to the next exporter, which ends them before anything else. While they are under way, a matter of microseconds,
//! every file is whole, but two may be of different exports.
//!
//! Files that the old manifest has and the new one has not are removed, if they are below the folder and hold what the manifest says;
//! files of others are never touched, and one that has the name of a new file stops the export before anything is in place. A manifest is a file that anyone may write, so its names are not trusted.

use std::{
    collections::{BTreeSet, HashMap},
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use sha2::{Digest, Sha256};
use tracing::warn;

use super::{
    ExportError,
    lock::FolderLock,
    manifest::{self, FileEntry, Manifest},
    paths::{self, WORK},
};
use crate::whole_file;

const LOCK: &str = "lock";
const NEXT: &str = "next";
/// A copy of the manifest, by which files are known where the manifest itself was lost or damaged.
const COPY: &str = "manifest.json";
/// Bytes that go into a file at once.
const BUFFERED: usize = 1 << 16;

/// A folder that this exporter alone writes to.
#[derive(Debug)]
pub(crate) struct ExportFolder {
    path: PathBuf,
    /// The same without links.
    real: PathBuf,
    _lock: FolderLock,
}

/// Files on their way into a folder; dropped before [`commit`](Staging::commit), they are gone.
#[derive(Debug)]
pub(crate) struct Staging<'a> {
    folder: &'a ExportFolder,
    names: Mutex<BTreeSet<String>>,
    /// What is in the folder by an earlier export; `None` if its manifest is somebody else's.
    written: Option<BTreeSet<String>>,
}

impl ExportFolder {
    /// Makes the folder if it is not there, locks it, and ends what a killed exporter left half done.
    pub fn open(path: &Path) -> Result<Self, ExportError> {
        let failed = |source| ExportError::Folder { path: path.to_owned(), source };
        fs::create_dir_all(path.join(WORK)).map_err(failed)?;
        let lock = FolderLock::take(&path.join(WORK).join(LOCK)).map_err(failed)?;
        let lock = lock.ok_or_else(|| ExportError::Busy { path: path.to_owned() })?;
        let real = fs::canonicalize(path).map_err(failed)?;
        let folder = Self { path: path.to_owned(), real, _lock: lock };
        folder.recover().map_err(failed)?;
        Ok(folder)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the files of the folder are.
    pub fn manifest(&self) -> Option<Manifest> {
        Manifest::read(&self.path)
    }

    /// Begins a new set of files; nothing is written before its first file.
    pub fn stage(&self) -> Staging<'_> {
        Staging { folder: self, names: Mutex::default(), written: self.written() }
    }

    /// Names of the files that exports have written; `None` if none has, and the manifest is a file of somebody else.
    fn written(&self) -> Option<BTreeSet<String>> {
        let copy = manifest::written(&self.path.join(WORK).join(COPY));
        match manifest::written(&self.path.join(manifest::FILE)) {
            Some(names) => Some(names.into_iter().chain(copy.into_iter().flatten()).collect()),
            None => copy.filter(|names| !names.is_empty()),
        }
    }

    fn next(&self) -> PathBuf {
        self.path.join(WORK).join(NEXT)
    }

    fn recover(&self) -> io::Result<()> {
        if self.next().join(manifest::FILE).exists() { self.publish() } else { remove_all(&self.next()) }
    }

    /// Renames the complete set into place. May be broken off anywhere and begun again.
    fn publish(&self) -> io::Result<()> {
        let next = self.next();
        let mut touched = BTreeSet::from([self.path.clone()]);
        for name in files_below(&next)?.into_iter().filter(|name| name != Path::new(manifest::FILE)) {
            let target = self.path.join(&name);
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent)?;
                touched.insert(parent.to_owned());
            }
            fs::rename(next.join(&name), target)?;
        }
        self.remove_obsolete(&next)?;
        for folder in touched {
            whole_file::sync_folder(&folder)?;
        }
        let manifest = fs::read(next.join(manifest::FILE))?;
        whole_file::write(&self.path.join(WORK).join(COPY), |file| file.write_all(&manifest))?;
        fs::rename(next.join(manifest::FILE), self.path.join(manifest::FILE))?;
        whole_file::sync_folder(&self.path)?;
        remove_all(&next)
    }

    /// Whether the name is one of a file below the folder, also where a part of it is a link.
    fn is_below(&self, name: &str) -> io::Result<bool> {
        let Ok(path) = paths::checked(name) else { return Ok(false) };
        let parent = self.path.join(path).parent().map(fs::canonicalize).transpose();
        match parent {
            Ok(parent) => Ok(parent.is_some_and(|parent| parent.starts_with(&self.real))),
            // Nothing is there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn remove_obsolete(&self, next: &Path) -> io::Result<()> {
        let (Some(old), Some(new)) = (Manifest::read(&self.path), Manifest::read(next)) else {
            return Ok(());
        };
        let kept: BTreeSet<&str> = new.files().map(|(name, _)| name).collect();
        let by_letters: HashMap<String, &str> = kept.iter().map(|name| (name.to_lowercase(), *name)).collect();
        for (name, entry) in old.files().filter(|(name, _)| !kept.contains(name)) {
            let path = self.path.join(name);
            let other = by_letters.get(&name.to_lowercase()).map(|other| self.path.join(other));
            // On a case-blind disk `Daily.csv` is `daily.csv`.
            if other.is_some_and(|other| paths::is_same_file(&path, &other)) {
                continue;
            }
            if !self.is_below(name)? {
                warn!(name, "the manifest names a file outside of the folder; it stays");
                continue;
            }
            match entry.is_unchanged(&path) {
                Ok(true) => fs::remove_file(&path)?,
                Ok(false) if path.exists() => {
                    warn!(path = %path.display(), "a file that is no longer exported was changed since; it stays");
                }
                Ok(false) => {}
                Err(error) => return Err(error),
            }
            if let Some(parent) = path.parent().filter(|parent| *parent != self.path) {
                // Only an empty folder goes; one with files of others stays.
                let _ = fs::remove_dir(parent);
            }
        }
        Ok(())
    }
}

impl Staging<'_> {
    /// Begins a file of the new set; `name` may have folders in it.
    pub fn create(&self, name: &str) -> Result<StagedFile, ExportError> {
        self.refuse_foreign(name)?;
        let target = self.folder.path.join(name);
        let path = self.path_of(name);
        let create = || {
            paths::checked(name)?;
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            File::create(&path)
        };
        self.note(name);
        match create() {
            Ok(file) => Ok(StagedFile { target, file: BufWriter::with_capacity(BUFFERED, Summed::new(file)) }),
            Err(source) => Err(ExportError::Write { path: target, source }),
        }
    }

    /// Writes a file of the new set.
    pub fn write(
        &self,
        name: &str,
        fill: impl FnOnce(&mut StagedFile) -> io::Result<()>,
    ) -> Result<FileEntry, ExportError> {
        let mut file = self.create(name)?;
        let filled = fill(&mut file);
        filled.map_err(|source| file.failed(source))?;
        file.finish()
    }

    /// Where a file of the new set is, for a program that writes it itself; [`adopt`](Self::adopt) takes it in.
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.folder.next().join(name)
    }

    /// Takes in a file that another program wrote at [`path_of`](Self::path_of).
    pub fn adopt(&self, name: &str) -> Result<FileEntry, ExportError> {
        self.refuse_foreign(name)?;
        self.note(name);
        let sum = || {
            paths::checked(name)?;
            let mut file = File::open(self.path_of(name))?;
            let mut sum = Summed::new(io::sink());
            io::copy(&mut file, &mut sum)?;
            file.sync_all()?;
            Ok(sum.entry())
        };
        sum().map_err(|source| ExportError::Write { path: self.folder.path.join(name), source })
    }

    /// Names of the files so far.
    pub fn names(&self) -> BTreeSet<String> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes the set complete and puts it in place.
    pub fn commit(self, manifest: &Manifest) -> Result<(), ExportError> {
        self.refuse_foreign(manifest::FILE)?;
        let next = self.folder.next();
        let seal = || {
            fs::create_dir_all(&next)?;
            for folder in folders_below(&next)? {
                whole_file::sync_folder(&folder)?;
            }
            manifest.write(&next)?;
            self.folder.publish()
        };
        seal().map_err(|source| ExportError::Write { path: self.folder.path.join(manifest::FILE), source })
    }

    /// Refuses to replace a file that no export has written.
    fn refuse_foreign(&self, name: &str) -> Result<(), ExportError> {
        let manifest = self.folder.path.join(manifest::FILE);
        let Some(written) = &self.written else { return Err(ExportError::Foreign { path: manifest }) };
        let path = self.folder.path.join(name);
        // On a case-blind disk `Daily.csv` is `daily.csv`.
        let is_written = |name: &str| written.iter().any(|known| known.to_lowercase() == name.to_lowercase());
        match path.symlink_metadata() {
            Ok(_) if name != manifest::FILE && !is_written(name) => Err(ExportError::Foreign { path }),
            _ => Ok(()),
        }
    }

    fn note(&self, name: &str) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    }
}

/// A file of the new set under way.
#[derive(Debug)]
pub(crate) struct StagedFile {
    /// Where it will be.
    target: PathBuf,
    file: BufWriter<Summed<File>>,
}

impl StagedFile {
    /// Ends it: all of it is on the disk then.
    pub fn finish(self) -> Result<FileEntry, ExportError> {
        let end = |file: BufWriter<Summed<File>>| {
            let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.inner.sync_all()?;
            Ok(file.entry())
        };
        end(self.file).map_err(|source| ExportError::Write { path: self.target, source })
    }

    /// An error of writing as one of this file.
    pub fn failed(&self, source: io::Error) -> ExportError {
        ExportError::Write { path: self.target.clone(), source }
    }
}

impl Write for StagedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        let next = self.folder.next();
        // A complete set that could not be put in place is left to the next exporter.
        if !next.join(manifest::FILE).exists() {
            // What cannot be removed now is removed by the next exporter.
            let _ = remove_all(&next);
        }
    }
}

/// Counts and sums up what passes through.
#[derive(Debug)]
struct Summed<W> {
    inner: W,
    bytes: u64,
    sum: Sha256,
}

impl<W> Summed<W> {
    fn new(inner: W) -> Self {
        Self { inner, bytes: 0, sum: Sha256::new() }
    }

    fn entry(self) -> FileEntry {
        FileEntry { bytes: self.bytes, sha256: manifest::hex(&self.sum.finalize()) }
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes += written as u64;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn remove_all(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn folders_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
            found.extend(folders_below(&entry.path())?);
        }
    }
    Ok(found)
}

/// Files of the folder and those below it, relative to it, sorted.
fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let folders = std::iter::once(folder.to_owned()).chain(folders_below(folder)?);
    for place in folders {
        for entry in fs::read_dir(&place)? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                found.extend(entry.path().strip_prefix(folder).map(Path::to_owned));
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests;
