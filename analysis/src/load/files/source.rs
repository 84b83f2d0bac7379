//! A file of records as it is read for a frame: several times, pipes too.

use std::{
    fs::File,
    io::{self, Seek},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, Once, PoisonError},
};

use ::files::{Form, Options, RecordFile, STDIN, is_stream};

use super::FileError;

/// Longest record, in bytes. A frame holds all of them in memory anyway.
const LONGEST: usize = 1 << 30;

/// A file that can be opened again and again. A pipe is copied to a temporary file the first time.
#[derive(Debug, Clone)]
pub(super) struct Source {
    path: PathBuf,
    pub form: Form,
    copy: Arc<Mutex<Option<File>>>,
    said: Arc<Once>,
    told: Arc<Once>,
}

impl Source {
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            form: Form::default(),
            copy: Arc::default(),
            said: Arc::new(Once::new()),
            told: Arc::new(Once::new()),
        }
    }

    /// Opens the file at its beginning, and says once what was recognised that is not the usual.
    pub fn open(&self) -> Result<RecordFile, FileError> {
        let options = Options { form: self.form.clone(), key_field: None, max_record_bytes: LONGEST };
        let file = match is_stream(&self.path) {
            true => {
                RecordFile::from_file(&self.path, self.copied().map_err(|error| self.unreadable(error))?, &options)?
            }
            false => RecordFile::open(&self.path, &options)?,
        };
        self.said.call_once(|| file.noticed().iter().for_each(|what| tracing::warn!("{what}")));
        Ok(file)
    }

    /// Says what was found in the values, however often the file is read.
    pub fn say_once(&self, what: &str) {
        self.told.call_once(|| tracing::warn!("{what}"));
    }

    fn copied(&self) -> io::Result<File> {
        // The copy is put there as a whole.
        let mut copy = self.copy.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match copy.take() {
            Some(file) => file,
            None => {
                let mut file = tempfile::tempfile()?;
                match self.path == Path::new(STDIN) {
                    true => io::copy(&mut io::stdin().lock(), &mut file)?,
                    false => io::copy(&mut File::open(&self.path)?, &mut file)?,
                };
                file
            }
        };
        let mut again = copy.insert(file).try_clone()?;
        again.rewind()?;
        Ok(again)
    }

    fn unreadable(&self, source: io::Error) -> FileError {
        FileError::Read { path: self.path.clone(), source }
    }
}
