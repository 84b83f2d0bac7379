//! What is exported, and how it is written.

use std::{collections::BTreeSet, fmt, str::FromStr};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::ExportError;

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `TABLE.csv`
    Csv,
    /// `TABLE.parquet`
    Parquet,
    /// `TABLE.tds`: a data source that Tableau opens, over `TABLE.csv`.
    Tds,
    /// `TABLE.schema.json`
    Schema,
    /// `TABLE.hyper`: an extract for Tableau; needs Python with `tableauhyperapi`.
    Hyper,
    /// `TABLE.svg` and `TABLE.png`
    Charts,
}

impl Format {
    /// What is written unless something else is asked for.
    pub const DEFAULT: [Self; 4] = [Self::Csv, Self::Parquet, Self::Tds, Self::Schema];
    const ALL: [Self; 6] = [Self::Csv, Self::Parquet, Self::Tds, Self::Schema, Self::Hyper, Self::Charts];

    /// Its name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Tds => "tds",
            Self::Schema => "schema",
            Self::Hyper => "hyper",
            Self::Charts => "charts",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that is no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a format; there are csv, parquet, tds, schema, hyper and charts")]
pub struct FormatError(String);

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        Self::ALL.into_iter().find(|format| format.name() == text).ok_or_else(|| FormatError(text.to_owned()))
    }
}

/// Who reads the CSV files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reader {
    /// Programs that take a file as it is: Tableau, Power BI, polars, pandas.
    #[default]
    Tableau,
    /// Excel: the file begins with a byte order mark, or it is not read as UTF-8; instants have the form that becomes a date; a
    /// text that begins with `=`, `+`, `-`, `@`, a tab or a line break gets an apostrophe before it, or it would run as a formula.
    Excel,
}

/// Everything that decides what a table's files look like; files written under other settings are written again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub formats: BTreeSet<Format>,
    pub zone: String,
    pub reader: Reader,
    pub by_year: bool,
    pub final_only: bool,
    pub from: Option<String>,
    pub to: Option<String>,
    pub columns: Vec<String>,
    pub renames: Vec<(String, String)>,
    pub top: Option<Top>,
}

/// Only the rows with the largest values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Top {
    pub rows: u32,
    /// The table's count of records unless a column is named.
    pub by: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            formats: Format::DEFAULT.into(),
            zone: "UTC".to_owned(),
            reader: Reader::default(),
            by_year: false,
            final_only: false,
            from: None,
            to: None,
            columns: Vec::new(),
            renames: Vec::new(),
            top: None,
        }
    }
}

impl Settings {
    pub fn has(&self, format: Format) -> bool {
        self.formats.contains(&format)
    }

    /// The zone in which instants are written.
    pub fn time_zone(&self) -> Result<TimeZone, ExportError> {
        TimeZone::get(&self.zone).map_err(|_| ExportError::Zone { name: self.zone.clone() })
    }

    /// Whether rows can be taken over from the last export: each has its key, and none leaves because another comes.
    pub fn keeps_every_row(&self) -> bool {
        self.columns.is_empty() && self.top.is_none()
    }
}
