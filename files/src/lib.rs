//! Files of records, read one record at a time in constant memory.
//!
//! | form | recognised by | a record is |
//! | --- | --- | --- |
//! | [`Format::Json`] | the first byte is `[`, or `{` of an object over several lines | an element of the array; a value |
//! | [`Format::Lines`] | the first line begins with a JSON object of its own | a value; a line that is not blank |
//! | [`Format::Csv`] | the name ends in `.csv` or `.tsv`, or a header and rows that split alike | a row after the header, as a JSON object of strings |
//!
//! Plain, gzip (also of several members) and zstd files are told apart by their first bytes. UTF-8 is expected, UTF-16 is
//! recognised, and any other encoding has to be named; so is the delimiter of a CSV file recognised or named. What was
//! recognised and is not the usual is said by [`RecordFile::noticed`]. What is lent out as a [`FileRecord`] is one valid JSON
//! value, byte for byte as it stood in the file (in UTF-8).
//!
//! A file is opened once, so that it may be a pipe; `-` is the standard input.
//!
//! A record that is broken is an error of its own and the reader goes on behind it ([`FileError::is_broken_record`]);
//! every other error ends the file, after everything before it has been lent out. How a broken record inside a JSON array
//! is told from the next one stands at the head of `json_values.rs`; for the rows of a CSV file see `csv_rows.rs`. No record
//! takes more memory than [`Options::max_record_bytes`].
//!
//! Offsets are bytes of the decompressed stream in UTF-8, from 0; record numbers count from 1 and include the broken ones.

mod check;
mod csv_rows;
mod decimal;
mod detect;
mod dialect;
mod encoding;
mod error;
mod find;
mod form;
mod input;
mod json_values;
mod lines;
mod reading;
mod resync;
mod split;
mod structure;
mod swallowed;
#[cfg(test)]
mod tests;
mod tolerant;
mod window;

pub use decimal::Decimal;
pub use encoding::Encoding;
pub use error::{BrokenRecord, FileError, Trouble};
pub use find::{Found, STDIN, TRUTH_FILE, find, is_stream};
pub use form::{Delimiter, Form, Format};

use check::Checker;
use csv_rows::CsvRows;
use detect::Recognised;
use input::{Compression, Input};
use json_values::JsonValues;
use lines::Lines;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use window::Window;

/// How a file is read.
#[derive(Debug, Clone)]
pub struct Options {
    /// The form of the file, as far as it is named.
    pub form: Form,
    /// Top-level field whose value becomes [`FileRecord::key`].
    pub key_field: Option<String>,
    /// Longest record accepted, in bytes; a longer one is a broken record.
    pub max_record_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { form: Form::default(), key_field: None, max_record_bytes: 16 << 20 }
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

/// One row of a CSV file, lent until the next is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a>(&'a CsvRows);

impl<'a> Row<'a> {
    /// Place among the file's rows, from 1, without the header.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0.place().0
    }

    /// Line on which the row begins, from 1.
    #[must_use]
    pub fn line(self) -> u64 {
        self.0.place().1
    }

    /// The text of a column; none if nothing stands between the delimiters, not even quotes.
    ///
    /// # Panics
    /// The file has no such column.
    #[must_use]
    pub fn field(self, column: usize) -> Option<&'a str> {
        self.0.field(column)
    }
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
    size: Option<u64>,
    read: Arc<AtomicU64>,
    compression: Compression,
    noticed: Vec<String>,
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
    /// Opens `path`, or the standard input for `-`, and recognises its compression, encoding and form.
    ///
    /// Of a pipe no more than its first line is waited for, or its second where the first is not JSON.
    ///
    /// # Errors
    /// The file cannot be opened or read, is an archive of an unknown kind, or holds none of the three forms; a CSV file has no
    /// usable header.
    pub fn open(path: &Path, options: &Options) -> Result<Self, FileError> {
        let failed = |trouble| FileError { path: path.to_owned(), trouble };
        if path == Path::new(STDIN) {
            return Self::recognised(path, Box::new(std::io::stdin()), None, options);
        }
        let file = File::open(path).map_err(|error| failed(Trouble::opening(path, error)))?;
        Self::from_file(path, file, options)
    }

    /// Reads an open file from where it stands; `name` is its name in messages, and its ending counts as that of a path does.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_file(name: &Path, file: File, options: &Options) -> Result<Self, FileError> {
        let metadata =
            file.metadata().map_err(|error| FileError { path: name.to_owned(), trouble: Trouble::Open(error) })?;
        Self::recognised(name, Box::new(file), metadata.is_file().then_some(metadata.len()), options)
    }

    /// As [`Self::from_file`], of any bytes.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_reader(name: &Path, reader: impl Read + Send + 'static, options: &Options) -> Result<Self, FileError> {
        Self::recognised(name, Box::new(reader), None, options)
    }

    fn recognised(path: &Path, input: Input, size: Option<u64>, options: &Options) -> Result<Self, FileError> {
        let read = Arc::new(AtomicU64::new(0));
        let failed = |trouble| FileError { path: path.to_owned(), trouble };
        let (compression, input) = input::decompressed(input, Arc::clone(&read)).map_err(failed)?;
        let explained = |trouble| failed(compression.explain(trouble));
        let Recognised { window, format, encoding, csv, noticed } =
            detect::recognise(path, Window::new(input), &options.form, size.is_none()).map_err(explained)?;
        let checker = Checker::new(options.key_field.as_deref(), encoding);
        let longest = options.max_record_bytes;
        let reader = match format {
            Format::Json => Reader::Json(JsonValues::new(window, checker, longest)),
            Format::Lines => Reader::Lines(Lines::new(window, checker, longest)),
            Format::Csv => {
                Reader::Csv(CsvRows::new(window, csv, options.key_field.as_deref(), longest).map_err(explained)?)
            }
        };
        Ok(Self { path: path.to_owned(), size, read, compression, noticed, reader, ended: false })
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
            Err(trouble) => Some(Err(failure(&self.path, self.compression, &mut self.ended, trouble))),
        }
    }

    /// The next row of a CSV file, or none at its end; none of a file of another form. The errors are those of
    /// [`Self::next_record`].
    pub fn next_row(&mut self) -> Option<Result<Row<'_>, FileError>> {
        let Reader::Csv(rows) = &mut self.reader else { return None };
        if self.ended {
            return None;
        }
        match rows.advance() {
            Ok(true) => Some(Ok(Row(rows))),
            Ok(false) => {
                self.ended = true;
                None
            }
            Err(trouble) => Some(Err(failure(&self.path, self.compression, &mut self.ended, trouble))),
        }
    }

    /// The columns of a CSV file, by its header; none of a file of another form.
    #[must_use]
    pub fn columns(&self) -> Option<&[String]> {
        match &self.reader {
            Reader::Csv(rows) => Some(rows.columns()),
            Reader::Json(_) | Reader::Lines(_) => None,
        }
    }

    /// What was recognised, not named, and is not the usual, with the option that names another; for a person to check.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("umsatz.csv");
    /// std::fs::write(&path, "id;amount\n1;0,50\n")?;
    /// let file = files::RecordFile::open(&path, &Default::default())?;
    /// assert_eq!(file.noticed().map(|said| said.contains("--delimiter")), Some(true));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn noticed(&self) -> Option<String> {
        (!self.noticed.is_empty()).then(|| format!("{}: read with {}", self.path.display(), self.noticed.join(", ")))
    }

    /// The rows read so far of which a text in quotes has lines in the form of rows, so that a quote may be wrong; for a
    /// person to check.
    #[must_use]
    pub fn doubted(&self) -> Option<String> {
        let Reader::Csv(rows) = &self.reader else { return None };
        let (count, line) = rows.doubts()?;
        Some(format!(
            "{}: {count} row{} a text in quotes with lines in the form of rows, first on line {line}; if a quote is missing or \
             wrong there, correct it",
            self.path.display(),
            if count == 1 { " has" } else { "s have" },
        ))
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file as it lies on the disk (compressed); none of a pipe.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
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

/// The error that a reader's `trouble` is; the file has `ended` unless it is a broken record.
fn failure(path: &Path, compression: Compression, ended: &mut bool, trouble: Trouble) -> FileError {
    let trouble = compression.explain(trouble);
    *ended = !matches!(trouble, Trouble::Broken(_));
    FileError { path: path.to_owned(), trouble }
}
