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
    /// Character between the fields of CSV files, or `tab`, or its code as `\x01`, instead of recognising it
    #[arg(long, value_name = "CHAR")]
    pub delimiter: Option<Delimiter>,
    /// Decimal mark of numbers in CSV files: `.` or `,` [default: `.` where `,` is between the fields, else recognised in each column]
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
            [b'\\', b'x', high, low] => {
                let digits = [*high, *low];
                let code = std::str::from_utf8(&digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
                code.and_then(Self::of).ok_or("a code is two hexadecimal digits of an ASCII character, as in \\x01")
            }
            [byte] => Self::of(*byte).ok_or("a quote or a line end cannot be a delimiter"),
            _ => Err("write one ASCII character, or tab"),
        }
    }
}

impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            b'\t' => f.write_str("tab"),
            byte => write!(f, "`{}`", byte.escape_ascii()),
        }
    }
}
