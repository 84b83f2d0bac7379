//! Frames from files, where there is no MongoDB, or beside it: CSV, JSON and Parquet. The rules are told at [`TableFile`].

mod csv;
mod error;
mod guess;
mod json;
mod parquet;
mod row;
mod schema;
mod source;
#[cfg(test)]
mod tests;

pub use error::FileError;
pub(crate) use guess::{Guess, value as typed_text};

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use ::files::{Form, Format};
use jiff::tz::TimeZone;
use model::{layout::ColumnType, schema::Schema};
use polars::prelude::DataFrame;

use super::error::repeated;
use source::Source;

/// Reads a file as a frame, its format by its ending; the rules are those of [`TableFile`].
///
/// # Errors
/// As [`TableFile::collect`].
///
/// ```
/// use analysis::{load::read_file, polars::prelude::DataType};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("ratings.csv");
/// std::fs::write(&path, "day,movie,rating\n2020-05-31,Up,8\n2020-06-01,\"Kill Bill: Vol. 2, again\",\n")?;
/// let ratings = read_file(&path)?;
/// assert_eq!(ratings.dtypes(), [DataType::Date, DataType::String, DataType::Int64]);
/// assert_eq!(ratings.column("rating")?.null_count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_file(path: impl AsRef<Path>) -> Result<DataFrame, FileError> {
    TableFile::new(path).collect()
}

/// A file that is to be read as a frame.
///
/// | file | format | types |
/// | --- | --- | --- |
/// | named `.parquet` | Parquet, compressed in any usual way | those of the file |
/// | named `.csv` or `.tsv` | RFC 4180 with a header line; the delimiter is recognised | by the values |
/// | any other | JSON objects one after the other (JSON Lines), or one array of them; CSV if it looks so | by the values |
///
/// CSV and JSON are read as `ingest produce` reads them ([`::files`]): also compressed with gzip or zstd, in UTF-8 or UTF-16,
/// and from a pipe or the standard input (`-`). What is recognised and is not the usual is logged as a warning;
/// [`form`](Self::form) names it instead. A broken record is an error, unless [`on_broken`](Self::on_broken) hears of it.
///
/// **By the values** means by all of them: the file is read twice. A column has the first of these types that holds every value:
///
/// | type | values | in the frame |
/// | --- | --- | --- |
/// | int | `-7`, `1,000,000`; not `007`, and not `1,000` alone, whose comma may be the decimal mark | Int64 |
/// | float | `0.5`, `1e3`; integers among fractions up to 2^53 | Float64 |
/// | bool | `true`, `false`, in letters of any case | Boolean |
/// | date | `2020-05-31` | Date |
/// | timestamp | `2020-05-31T18:00:00Z`, with an offset, or without (UTC, which is said); dates among timestamps | Datetime in milliseconds, UTC |
/// | string | anything | String |
///
/// No value is changed: numbers of which one would lose a digit, as 76561198003753555 beside 0.5, are texts together. Only of fractions
/// with more than 15 decimals, which were computed, a float keeps what it can.
///
/// Null is an empty field of a CSV file (`""` is a text without letters), and in JSON `null` or a field that is not there. Among numbers,
/// flags and times of a CSV file, `NA`, `n/a`, `NaN`, `NULL`, `None`, `-`, `?` and blanks are null too. In JSON a text is never taken for a
/// number, members of an object are columns of their own (`src.offset`), values of MongoDB's extended JSON are what they stand for, and an array of texts is a list. A column without any value has
/// the type Null.
///
/// Of a Parquet file, decimals are integers or floats where no digit is lost, otherwise texts; times of day are texts; members of a record
/// are columns of their own; instants are cut to milliseconds. Columns of lists or bytes cannot be read, and hinder no other.
///
/// What the values do not tell, [`column_type`](Self::column_type) says for a column, and [`schema`](Self::schema) for all of them.
///
/// ```
/// use analysis::{load::{ColumnType, TableFile}, polars::prelude::DataType};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("films.jsonl");
/// std::fs::write(&path, "{\"year\": 2009, \"film\": \"Up\"}\n{\"year\": 2012, \"film\": null, \"length\": 96}\n")?;
/// let films = TableFile::new(&path).columns(["film", "length"]).column_type("length", ColumnType::Float).collect()?;
/// assert_eq!(films.dtypes(), [DataType::String, DataType::Float64]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing is read before `collect`"]
#[derive(Debug, Clone)]
pub struct TableFile {
    path: PathBuf,
    source: Source,
    columns: Option<Vec<String>>,
    types: Vec<(String, ColumnType)>,
    schema: Option<Schema>,
    on_broken: Option<OnBroken>,
    zone: Option<TimeZone>,
}

/// Hears of broken records.
#[derive(Clone)]
struct OnBroken(Arc<dyn Fn(&::files::FileError) + Send + Sync>);

impl fmt::Debug for OnBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnBroken")
    }
}

impl<P: AsRef<Path>> From<P> for TableFile {
    fn from(path: P) -> Self {
        Self::new(path)
    }
}

/// Which reading of the file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// The only one, or the first.
    First,
    /// Broken records are known.
    Second,
}

impl TableFile {
    /// The file at `path`, all of its columns.
    pub fn new(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        Self {
            source: Source::new(&path),
            path,
            columns: None,
            types: Vec::new(),
            schema: None,
            on_broken: None,
            zone: None,
        }
    }

    /// Names the form of a CSV or JSON file as far as it is not to be recognised.
    ///
    /// ```
    /// use analysis::load::{Delimiter, Form, TableFile};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("umsatz.csv");
    /// std::fs::write(&path, "id;amount\n1;1.234,56\n")?;
    /// let form = Form { delimiter: Some(Delimiter::SEMICOLON), decimal: Some(",".parse()?), ..Form::default() };
    /// let sales = TableFile::new(&path).form(form).collect()?;
    /// assert_eq!(sales.column("amount")?.f64()?.get(0), Some(1234.56));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn form(mut self, form: Form) -> Self {
        self.source.form = form;
        self
    }

    /// Leaves broken records of CSV and JSON files out, and hands each to `told`.
    pub fn on_broken(mut self, told: impl Fn(&::files::FileError) + Send + Sync + 'static) -> Self {
        self.on_broken = Some(OnBroken(Arc::new(told)));
        self
    }

    /// Only these columns, in this order.
    pub fn columns<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.columns = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Gives a column of CSV or JSON a type; a value of another type is then an error, and numbers may stand in texts.
    pub fn column_type(mut self, column: impl Into<String>, kind: ColumnType) -> Self {
        self.types.push((column.into(), kind));
        self
    }

    /// Reads times of CSV and JSON that have no offset in this zone, and no longer in UTC. Has no effect beside a
    /// [`schema`](Self::schema), which says what such times are.
    ///
    /// ```
    /// use analysis::{load::TableFile, polars::prelude::{AnyValue, TimeUnit}};
    /// use jiff::tz::TimeZone;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("log.csv");
    /// std::fs::write(&path, "at\n1970-01-01 01:00:00\n")?;
    /// let log = TableFile::new(&path).in_zone(TimeZone::get("Europe/Berlin")?).collect()?;
    /// assert_eq!(log.column("at")?.get(0)?, AnyValue::Datetime(0, TimeUnit::Milliseconds, None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn in_zone(mut self, zone: TimeZone) -> Self {
        self.zone = Some(zone);
        self
    }

    /// Reads the records as `ingest` would: names, types, formats of dates and words for null are the schema's, and what its filter
    /// leaves out is left out. A record that `ingest` would take for dead is an error. Types given with
    /// [`column_type`](Self::column_type) do not count then.
    ///
    /// ```
    /// use analysis::{load::TableFile, polars::prelude::DataType};
    /// use model::schema::{IMDB_REVIEW, Schema};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("reviews.json");
    /// let review = r#"{"review_id": "rw1", "movie": "Up (2009)", "rating": "8", "review_date": "24 July 2010", "helpful": ["1", "2"]}"#;
    /// std::fs::write(&path, format!("[{review}]"))?;
    /// let reviews = TableFile::new(&path).schema(&Schema::parse("imdb-review", IMDB_REVIEW)?).collect()?;
    /// assert_eq!(reviews.column("review_date")?.dtype(), &DataType::Date);
    /// assert_eq!(reviews.column("helpful_total")?.i64()?.get(0), Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn schema(mut self, schema: &Schema) -> Self {
        self.schema = Some(schema.clone());
        self
    }

    /// Reads the rows.
    ///
    /// # Errors
    /// When the file or one of its records cannot be read, a column does not exist, or a value or record is not of the type that
    /// was asked for; the error names the file, the row and the column.
    pub fn collect(&self) -> Result<DataFrame, FileError> {
        let ending = self.path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let has_types = self.schema.is_some() || !self.types.is_empty();
        match (&self.schema, ending.as_deref()) {
            (_, Some("parquet")) if has_types => Err(FileError::OwnTypes { path: self.path.clone() }),
            (_, Some("parquet")) => parquet::read(self),
            (Some(schema), _) => schema::read(self, schema),
            (None, _) => match self.source.open()?.format() {
                Format::Csv => csv::read(self),
                Format::Json | Format::Lines => json::read(self),
            },
        }
    }

    fn zone(&self) -> &TimeZone {
        static UTC: TimeZone = TimeZone::UTC;
        self.zone.as_ref().unwrap_or(&UTC)
    }

    /// Says once which columns have times without an offset, unless their zone is named.
    fn tell_of_civil_times<'a>(&self, columns: impl Iterator<Item = (&'a str, Guess)>) {
        let is_civil = |(_, guess): &(&str, Guess)| self.zone.is_none() && *guess == Guess::CivilTimestamp;
        let names: Vec<&str> = columns.filter(is_civil).map(|(name, _)| name).collect();
        if !names.is_empty() {
            self.source.say_once(&format!(
                "{}: {} has times without an offset, which are read as UTC; another zone can be named (--zone)",
                self.path.display(),
                names.join(", ")
            ));
        }
    }

    /// Passes over a broken record, if somebody hears of it.
    fn pass_broken(&self, error: ::files::FileError, pass: Pass) -> Result<(), FileError> {
        match &self.on_broken {
            Some(on_broken) if error.is_broken_record() => {
                if pass == Pass::First {
                    (on_broken.0)(&error);
                }
                Ok(())
            }
            _ => Err(error.into()),
        }
    }

    /// Hands on the text of at most so many records, each with its number in the file.
    fn each_record(
        &self,
        pass: Pass,
        most: usize,
        mut each: impl FnMut(u64, &[u8]) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let mut file = self.source.open()?;
        let mut records = 0;
        while records < most
            && let Some(record) = file.next_record()
        {
            match record {
                Ok(record) => {
                    records += 1;
                    each(record.number, record.json)?;
                }
                Err(error) => self.pass_broken(error, pass)?,
            }
        }
        Ok(())
    }

    /// The columns of a file that has types of its own; `None` for CSV and JSON.
    pub(crate) fn own_columns(&self) -> Result<Option<Vec<FileColumn>>, FileError> {
        let ending = self.path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        if ending.as_deref() == Some("parquet") { parquet::columns(self).map(Some) } else { Ok(None) }
    }

    fn kind_of(&self, column: &str) -> Option<ColumnType> {
        self.types.iter().rev().find(|(name, _)| name == column).map(|(_, kind)| *kind)
    }

    /// Places of the wanted columns among those of the file.
    fn places(&self, known: &[String]) -> Result<Vec<usize>, FileError> {
        let find = |wanted: &String| {
            known.iter().position(|name| name == wanted).ok_or_else(|| FileError::NoColumn {
                path: self.path.clone(),
                column: wanted.clone(),
                known: known.to_vec(),
            })
        };
        self.types.iter().try_for_each(|(name, _)| find(name).map(drop))?;
        match &self.columns {
            Some(wanted) => match repeated(wanted) {
                Some(column) => Err(FileError::AskedTwice { path: self.path.clone(), column: column.to_owned() }),
                None => wanted.iter().map(find).collect(),
            },
            None => Ok((0..known.len()).collect()),
        }
    }
}

/// A column of a file with types of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileColumn {
    pub name: String,
    /// Its type, or what it holds that no column of a frame does.
    pub kind: Result<ColumnType, String>,
}
