//! What a user may say about the form of files, for the command lines of both programs.

use super::decimal::Decimal;
use super::encoding::Encoding;
use std::fmt;
use std::str::FromStr;

/// How records stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A JSON array (or several), or JSON values one after another.
    Json,
    /// One JSON value a line.
    Lines,
    /// Comma-separated values with a header row; also with another delimiter.
    Csv,
}

/// The form of files as far as it is named; what is absent is recognised.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct Form {
    /// Form of the files, instead of recognising it
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Character between the fields of CSV files, or `tab`, instead of recognising it
    #[arg(long, value_name = "CHAR")]
    pub delimiter: Option<Delimiter>,
    /// Decimal mark of numbers in CSV files: `.` or `,` [default: `.`; recognised where `;` is between the fields]
    #[arg(long, value_name = "MARK")]
    pub decimal: Option<Decimal>,
    /// Encoding of the files, such as windows-1252 or euc-kr [default: UTF-8; UTF-16 is recognised]
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<Encoding>,
}

/// The character between the fields of a CSV row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delimiter(u8);

impl Delimiter {
    /// `,`
    pub const COMMA: Self = Self(b',');
    /// `;`
    pub const SEMICOLON: Self = Self(b';');
    /// The tab character.
    pub const TAB: Self = Self(b'\t');
    pub(super) const PIPE: Self = Self(b'|');

    /// The delimiter with this ASCII code; none for quotes, line ends, NUL and bytes beyond ASCII.
    pub(super) fn of(byte: u8) -> Option<Self> {
        (byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n' | 0)).then_some(Self(byte))
    }

    pub(super) fn byte(self) -> u8 {
        self.0
    }
}

impl FromStr for Delimiter {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.as_bytes() {
            b"tab" | b"\\t" => Ok(Self::TAB),
            [byte] => Self::of(*byte).ok_or("a quote or a line end cannot be a delimiter"),
            _ => Err("write one ASCII character, or tab"),
        }
    }
}

impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            b'\t' => f.write_str("tab"),
            byte => write!(f, "`{}`", char::from(byte)),
        }
    }
}
