//! Files that appear under their name when they are complete.

use super::{GenerateError, GenerateOptions};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// `part-01.json`, `part-02.json.gz`.
pub(super) fn path_of(options: &GenerateOptions, number: u64) -> PathBuf {
    let ending = if options.gzip { "json.gz" } else { "json" };
    options.dir.join(format!("part-{number:02}.{ending}"))
}

/// Creates the folder and refuses one in which files of another run would stay among the new ones.
pub(super) fn prepare_folder(options: &GenerateOptions) -> Result<(), GenerateError> {
    let failed = |error| GenerateError::Folder { path: options.dir.clone(), error };
    fs::create_dir_all(&options.dir).map_err(failed)?;
    let replaced: Vec<_> = (1..=options.files).map(|number| path_of(options, number)).collect();
    for entry in options.dir.read_dir().map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if is_part(&path) && !replaced.contains(&path) {
            return Err(GenerateError::Leftover { path });
        }
    }
    Ok(())
}

fn is_part(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("part-") && (name.ends_with(".json") || name.ends_with(".json.gz"))
}

/// A file that is being written under a hidden name.
pub(super) struct Output {
    path: PathBuf,
    partial: Partial,
    writer: Writer,
}

enum Writer {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
}

impl Output {
    pub(super) fn create(path: &Path, gzip: bool) -> Result<Self, GenerateError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let partial = Partial(path.with_file_name(format!(".{name}.partial")));
        let file = File::create(&partial.0).map_err(|error| write_error(path, error))?;
        let buffered = BufWriter::with_capacity(256 << 10, file);
        let writer = match gzip {
            true => Writer::Gzip(GzEncoder::new(buffered, Compression::fast())),
            false => Writer::Plain(buffered),
        };
        Ok(Self { path: path.to_owned(), partial, writer })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), GenerateError> {
        let written = match &mut self.writer {
            Writer::Plain(writer) => writer.write_all(bytes),
            Writer::Gzip(writer) => writer.write_all(bytes),
        };
        written.map_err(|error| write_error(&self.path, error))
    }

    /// Completes the file and gives it its name.
    pub(super) fn finish(self) -> Result<(), GenerateError> {
        complete(self.writer)
            .and_then(|()| fs::rename(&self.partial.0, &self.path))
            .map_err(|error| write_error(&self.path, error))
    }
}

fn complete(writer: Writer) -> io::Result<()> {
    let mut buffered = match writer {
        Writer::Plain(writer) => writer,
        Writer::Gzip(writer) => writer.finish()?,
    };
    buffered.flush()
}

fn write_error(path: &Path, error: io::Error) -> GenerateError {
    GenerateError::Write { path: path.to_owned(), error }
}

/// Removes the unfinished file; a finished one has been renamed and is out of its reach.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // Nothing to do about a file that is gone already or cannot be removed.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part-01.json");
        let mut output = Output::create(&path, false).unwrap();
        output.write(b"[]").unwrap();
        assert!(!path.exists());
        output.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"[]");
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn an_unfinished_file_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        drop(Output::create(&folder.path().join("part-01.json"), true).unwrap());
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_full_disk_is_said() {
        let full = Path::new("/dev/full");
        if !full.exists() {
            return;
        }
        let writer = Writer::Plain(BufWriter::with_capacity(1, File::options().write(true).open(full).unwrap()));
        let mut output = Output { path: full.to_owned(), partial: Partial(PathBuf::from("/dev/null/none")), writer };
        let error = output.write(b"[]").unwrap_err().to_string();
        assert!(error.contains("/dev/full") && error.contains("No space left"), "{error}");
    }
}
