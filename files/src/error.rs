//! What can be wrong with a file of records.

use super::form::Delimiter;
use std::io;
use std::path::{Path, PathBuf};

/// A failure with the file it happened in.
#[derive(Debug, thiserror::Error)]
#[error("{}: {trouble}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub trouble: Trouble,
}

impl FileError {
    /// One record is broken and the reader can go on with the next.
    #[must_use]
    pub fn is_broken_record(&self) -> bool {
        matches!(self.trouble, Trouble::Broken(_))
    }
}

impl Trouble {
    /// Why `path` could not be opened.
    pub(crate) fn opening(path: &Path, error: io::Error) -> Self {
        match error.kind() {
            // Who meant another folder sees from the whole path which one this is.
            io::ErrorKind::NotFound => Self::Missing(std::path::absolute(path).unwrap_or_else(|_| path.to_owned())),
            _ => Self::Open(error),
        }
    }
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// There is no such file.
    #[error("there is no such file; looked for at {}", .0.display())]
    Missing(PathBuf),
    /// The file cannot be opened.
    #[error("cannot be opened: {0}")]
    Open(io::Error),
    /// A folder without files of records was named.
    #[error("the folder holds no file of records (.json, .jsonl, .ndjson, .csv or .tsv, also with .gz or .zst)")]
    EmptyFolder,
    /// Reading or decompressing failed part-way.
    #[error("cannot be read beyond byte {byte}: {error}")]
    Read {
        /// Where in the decompressed stream.
        byte: u64,
        /// What the system or the decompressor says.
        error: io::Error,
    },
    /// The compressed stream ends before its end mark.
    #[error("the {compression} file is cut short: its data end at byte {byte} (decompressed); fetch the file again")]
    CutShort {
        /// `gzip` or `zstd`.
        compression: &'static str,
        /// Decompressed bytes until there.
        byte: u64,
    },
    /// A zstd file that needs more memory than is taken.
    #[error(
        "is compressed with a zstd window of {megabytes} MB, and up to 128 MB are read here; unpack it in a pipe \
         (zstd -dc --long={log} FILE, and the file `-`)"
    )]
    WideWindow {
        /// Size of the window.
        megabytes: u64,
        /// Power of two that holds it.
        log: u32,
    },
    /// An archive, a compression or a format that is not read here.
    #[error("is {0} (plain, gzip and zstd files of JSON or CSV are read)")]
    OtherFile(&'static str),
    /// The text is in an encoding that is not read here.
    #[error("is {0}, which is not read; convert it to UTF-8 first")]
    Encoding(&'static str),
    /// None of the three forms.
    #[error(
        "does not look like records: expected `[` (a JSON array) or `{{` (JSON Lines) at byte {byte} but found {found}; \
         a CSV file is named .csv or .tsv, or given with --format csv"
    )]
    NotRecords {
        /// Where the first byte that is not white space stands.
        byte: u64,
        /// That byte and a few after it.
        found: String,
    },
    /// The CSV header cannot be read.
    #[error("has no readable CSV header: {0}")]
    Header(String),
    /// Two columns of a CSV file have one name.
    #[error("has two columns {0:?}; give one of them another name in the first line")]
    RepeatedColumn(String),
    /// Another CSV file was appended, and it has other columns.
    #[error(
        "another file begins on line {line} (with a byte order mark), and that line is not the header of this one; \
         give the files one by one"
    )]
    OtherHeader {
        /// The line, from 1.
        line: u64,
    },
    /// The rows of a CSV file can be split by either of two delimiters.
    #[error("can be split into columns by {0} and by {1}; name the delimiter with --delimiter")]
    AmbiguousDelimiter(Delimiter, Delimiter),
    /// A decimal mark was named for a file that has no cells.
    #[error("is JSON, whose numbers have a decimal point; a decimal mark can only be named for CSV")]
    DecimalOfJson,
    /// The file ends inside a JSON array or value.
    #[error(
        "is truncated: it ends at byte {byte} inside {inside}; fetch the file again (records before that: {records})"
    )]
    Truncated {
        /// Length of the decompressed stream.
        byte: u64,
        /// The array, or the record that began last.
        inside: String,
        /// Records that were read before the end, broken ones included.
        records: u64,
    },
    /// Something follows the end of a JSON array.
    #[error("the array ends after record {records}, but at byte {byte} there follows {found}")]
    Trailing {
        /// Where it stands.
        byte: u64,
        /// The first bytes of it.
        found: String,
        /// Records before it.
        records: u64,
    },
    /// A text in quotes does not end, so the rows behind it cannot be told apart.
    #[error(
        "record {number} (line {line}): a text in quotes begins there and does not end within {length} bytes; close it, and \
         double the quotes inside a text"
    )]
    OpenQuote {
        /// The record, from 1 (the header is not counted).
        number: u64,
        /// The line with the quote, from 1.
        line: u64,
        /// Bytes from the quote to the end of the file, or to the length a record may have.
        length: usize,
    },
    /// One record is broken.
    #[error(transparent)]
    Broken(BrokenRecord),
}

/// A record that cannot be used, and how much of the file was passed over because of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {number}{} at byte {byte} is broken: {reason} (at byte {at}); {skipped} bytes skipped", of_line(*line))]
pub struct BrokenRecord {
    /// Place among the file's records, from 1.
    pub number: u64,
    /// The line it begins on, from 1, in CSV.
    pub line: Option<u64>,
    /// Where it starts in the decompressed stream.
    pub byte: u64,
    /// Where it stops making sense.
    pub at: u64,
    /// Why.
    pub reason: String,
    /// Bytes from its start to where reading goes on.
    pub skipped: u64,
}

/// Why bytes are no text in `encoding`.
pub(super) fn not_text(encoding: &str) -> String {
    match encoding {
        "UTF-8" => {
            "is not UTF-8; if the file is in another encoding, name it (as in --encoding windows-1252)".to_owned()
        }
        other => format!("is not {other}"),
    }
}

/// Why a record of more than `longest` bytes is broken.
pub(super) fn too_long(longest: usize) -> String {
    format!("longer than the {longest} bytes that a record may have (--max-record-bytes)")
}

fn of_line(line: Option<u64>) -> String {
    line.map(|line| format!(" (line {line})")).unwrap_or_default()
}

/// The first bytes of `bytes`, readable in a message.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    const SHOWN: usize = 20;
    match bytes {
        [] => "the end of the file".to_owned(),
        _ => format!("`{}`", bytes[..bytes.len().min(SHOWN)].escape_ascii()),
    }
}
