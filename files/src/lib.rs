//! Files of records, read one record at a time in constant memory.
//!
//! | form | recognised by | a record is |
//! | --- | --- | --- |
//! | [`Format::Json`] | the first byte is `[`, or `{` of an object over several lines | an element of the array; a value |
//! | [`Format::Lines`] | the first line is a JSON object of its own | a line that is not blank |
//! | [`Format::Csv`] | the name ends in `.csv` | a row after the header, as a JSON object of strings |
//!
//! Plain, gzip (also of several members) and zstd files are told apart by their first bytes. A UTF-8 byte order mark is
//! skipped. What is lent out as a [`FileRecord`] is one valid JSON value, byte for byte as it stood in the file.
//!
//! A record that is broken is an error of its own and the reader goes on behind it ([`FileError::is_broken_record`]);
//! every other error ends the file, after everything before it has been lent out. How a broken record inside a JSON array
//! is told from the next one stands at the head of `json_values.rs`. No record takes more memory than
//! [`Options::max_record_bytes`].
//!
//! Offsets are bytes of the decompressed stream, from 0; record numbers count from 1 and include the broken ones.

mod check;
mod csv_rows;
mod detect;
mod error;
mod find;
mod input;
mod json_values;
mod lines;
mod resync;
mod structure;
#[cfg(test)]
mod tests;
mod window;

pub use error::{BrokenRecord, FileError, Trouble};
pub use find::{TRUTH_FILE, find};

use check::Checker;
use csv_rows::CsvRows;
use input::Compression;
use json_values::JsonValues;
use lines::Lines;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use window::Window;

/// How records stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A JSON array (or several), or JSON values one after another.
    Json,
    /// One JSON value a line.
    Lines,
    /// Comma-separated values with a header row.
    Csv,
}

/// How a file is read.
#[derive(Debug, Clone)]
pub struct Options {
    /// The form of the file; recognised by name and content when absent.
    pub format: Option<Format>,
    /// Top-level field whose value becomes [`FileRecord::key`].
    pub key_field: Option<String>,
    /// Longest record accepted, in bytes; a longer one is a broken record.
    pub max_record_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { format: None, key_field: None, max_record_bytes: 16 << 20 }
    }
}

/// One record, lent until the next is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileRecord<'a> {
    /// Place among the file's records, from 1.
    pub number: u64,
    /// Where it starts in the decompressed stream.
    pub byte: u64,
    /// One valid JSON value without surrounding white space.
    pub json: &'a [u8],
    /// Text of the key field: a string's content, the digits of a number, `true` or `false`; none for null, a missing
    /// field, an object or an array.
    pub key: Option<&'a str>,
}

/// An open file of records.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("reviews.json");
/// std::fs::write(&path, r#"[{"id": 1}, {"id": 2}]"#)?;
/// let mut file = files::RecordFile::open(&path, &Default::default())?;
/// let mut records = 0;
/// while let Some(record) = file.next_record() {
///     assert!(record?.json.starts_with(b"{\"id\""));
///     records += 1;
/// }
/// assert_eq!(records, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RecordFile {
    path: PathBuf,
    size: u64,
    read: Arc<AtomicU64>,
    compression: Compression,
    reader: Reader,
    ended: bool,
}

#[derive(Debug)]
enum Reader {
    Json(JsonValues),
    Lines(Lines),
    Csv(CsvRows),
}

impl RecordFile {
    /// Opens `path` and recognises its compression and form.
    ///
    /// # Errors
    /// The file cannot be opened or read, is an archive of an unknown kind, or holds none of the three forms.
    pub fn open(path: &Path, options: &Options) -> Result<Self, FileError> {
        let failed = |trouble| FileError { path: path.to_owned(), trouble };
        let file = File::open(path).map_err(|error| failed(Trouble::opening(path, error)))?;
        let size = file.metadata().map_err(|error| failed(Trouble::Open(error)))?.len();
        let read = Arc::new(AtomicU64::new(0));
        let (compression, input) = input::decompressed(file, Arc::clone(&read)).map_err(failed)?;
        let mut window = Window::new(input);
        let format = detect::format(path, options.format, &mut window).map_err(failed)?;
        let checker = Checker::new(options.key_field.as_deref());
        let longest = options.max_record_bytes;
        let reader = match format {
            Format::Json => Reader::Json(JsonValues::new(window, checker, longest)),
            Format::Lines => Reader::Lines(Lines::new(window, checker, longest)),
            Format::Csv => Reader::Csv(CsvRows::new(window, options.key_field.as_deref(), longest).map_err(failed)?),
        };
        Ok(Self { path: path.to_owned(), size, read, compression, reader, ended: false })
    }

    /// The next record, or none at the end of the file.
    ///
    /// After an error that [is a broken record](FileError::is_broken_record) the next call goes on behind it; after any
    /// other error the file has ended.
    pub fn next_record(&mut self) -> Option<Result<FileRecord<'_>, FileError>> {
        if self.ended {
            return None;
        }
        let next = match &mut self.reader {
            Reader::Json(values) => values.next_record(),
            Reader::Lines(lines) => lines.next_record(),
            Reader::Csv(rows) => rows.next_record(),
        };
        match next {
            Ok(Some(record)) => Some(Ok(record)),
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(trouble) => {
                let trouble = self.compression.explain(trouble);
                self.ended = !matches!(trouble, Trouble::Broken(_));
                Some(Err(FileError { path: self.path.clone(), trouble }))
            }
        }
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file as it lies on the disk (compressed).
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many of these bytes have been read so far.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// The form it was recognised as or told to be.
    #[must_use]
    pub fn format(&self) -> Format {
        match self.reader {
            Reader::Json(_) => Format::Json,
            Reader::Lines(_) => Format::Lines,
            Reader::Csv(_) => Format::Csv,
        }
    }
}
