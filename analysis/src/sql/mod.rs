//! SQL over frames, files and rollups.
//!
//! The tables are handed to SQLite, which runs inside the program: its dialect, joins, `WITH` and window functions are all there.
//! The answer is a frame again, to be charted or shown. For one filter and a limit, [`Rollup`](crate::load::Rollup) is quicker,
//! because they run in MongoDB; SQL reads all rows of a rollup, though only the columns that the query names. polars' own SQL would
//! make the build a third longer.
//!
//! | in a frame | in SQL | comes back as |
//! | --- | --- | --- |
//! | integers up to 64 bits with a sign | `INTEGER` | Int64 |
//! | floats; NaN is null | `REAL` | Float64 |
//! | String | `TEXT` | String |
//! | Boolean | 0 and 1 | Boolean, where a column is selected as it is; else Int64 |
//! | Date | text, `2020-05-31` | Date |
//! | Datetime | text in UTC, `2020-05-31 18:00:00`, with milliseconds where there are some | Datetime in milliseconds |
//!
//! A computed column of texts is one of dates if every value looks like a date: `max(window_start)` and
//! `date(window_start, 'start of year')` are dates.
//!
//! **Dates and instants** compare as what they are, with each other and with texts: `'2020-05-31'`, `'2020-05-31 18:00:00'`,
//! `'2020-05-31T18:00:00+02:00'` and the other forms of RFC 3339; a time without an offset is one in UTC. A year or a month stands for
//! its first instant behind `>=` and `<`: `window_start >= '2019'`. Any other text is an error that names it.
//!
//! Beside [SQLite's functions](https://sqlite.org/lang_corefunc.html) there are `year(d)`, `month(d)` and `day(d)` of a date or an
//! instant, and the aggregates `median(x)` and `stddev(x)` (of a sample, as polars' `std`). Whole numbers divided by whole numbers
//! stay whole; `1.0 * a / b` does not. Means of several rows follow from their sums: `1.0 * sum(rating_sum) / sum(rated)`. The rows
//! of windows that overlap do not add up.
//!
//! **Texts are not numbers.** SQLite counts a text that is no number as 0, and holds every text for larger than every number. Here
//! an operand of a sum, a mean, a calculation, a comparison with a number, a condition or a `CAST` to a number counts if it is a
//! number or a text that is one (`'0.50'`); any other text is an error that names it. Nulls count for nothing, as always. Columns of numbers
//! of more digits than 64 bits hold are texts, too, but in the order of numbers.
//!
//! A query that does not end is stopped: see [`Sql::most_steps`]. Names that differ by case alone are one name in SQL: the second
//! of two such columns gets a number (`value_2`), and of two such rollups neither is a table.

mod answer;
mod checked;
mod checks;
mod database;
mod digits;
mod error;
mod functions;
mod joins;
mod tables;
#[cfg(test)]
mod tests;
mod times;
mod tokens;

pub use error::SqlError;

use std::fmt;

use polars::prelude::DataFrame;

use crate::load::{Store, TableFile};
use database::Database;
use tables::Table;

/// Asks SQL of frames, each with the name that the query calls it by; [`Sql`] takes files and rollups as well.
///
/// # Errors
/// As [`Sql::query`].
///
/// ```
/// use analysis::{polars::df, sql::sql};
///
/// let films = df!("film" => ["Up", "Her", "Up"], "rating" => [8, 9, 10])?;
/// let best = sql("SELECT film, avg(rating) AS mean FROM films GROUP BY film ORDER BY film DESC", [("films",
/// &films)])?;
/// assert_eq!(best, df!("film" => ["Up", "Her"], "mean" => [9.0, 9.0])?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn sql<'a, N: Into<String>>(
    query: &str,
    tables: impl IntoIterator<Item = (N, &'a DataFrame)>,
) -> Result<DataFrame, SqlError> {
    tables.into_iter().fold(Sql::new(), |sql, (name, frame)| sql.table(name, frame)).query(query)
}

impl Store {
    /// Asks SQL of the rollups, each a table by its name; [`Sql`] takes frames and files beside them.
    ///
    /// # Errors
    /// As [`Sql::query`].
    ///
    /// ```no_run
    /// let store = analysis::load::Store::connect("mongodb://127.0.0.1:27017", "rushes")?;
    /// let years = "SELECT year(window_start) AS year, sum(reviews) AS reviews FROM reviews_by_month GROUP BY year";
    /// let frame = store.sql(years)?;
    /// # Ok::<(), analysis::sql::SqlError>(())
    /// ```
    pub fn sql(&self, query: &str) -> Result<DataFrame, SqlError> {
        Sql::new().store(self).query(query)
    }
}

/// Tables of which SQL can be asked.
///
/// ```
/// use analysis::{polars::df, sql::Sql};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("films.csv");
/// std::fs::write(&path, "film,released\nUp,2009-05-29\nHer,2013-12-18\n")?;
/// let ratings = df!("film" => ["Up", "Her", "Up"], "rating" => [8, 9, 10])?;
/// let years = Sql::new()
///     .table("ratings", &ratings)
///     .file("films", &path)
///     .query("SELECT year(released) AS year, count(*) AS ratings FROM ratings JOIN films USING (film) GROUP BY
/// year")?;
/// assert_eq!(years, df!("year" => [2009_i64, 2013], "ratings" => [2_i64, 1])?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing is read before `query`"]
#[derive(Clone)]
pub struct Sql {
    frames: Vec<(String, DataFrame)>,
    files: Vec<(String, TableFile)>,
    store: Option<Store>,
    most_steps: u64,
}

/// A minute or so.
const MOST_STEPS: u64 = 10_000_000_000;

impl Default for Sql {
    fn default() -> Self {
        Self { frames: Vec::new(), files: Vec::new(), store: None, most_steps: MOST_STEPS }
    }
}

impl Sql {
    /// No tables yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A frame; its columns are shared, not copied.
    pub fn table(mut self, name: impl Into<String>, frame: &DataFrame) -> Self {
        self.frames.push((name.into(), frame.clone()));
        self
    }

    /// A CSV, JSON or Parquet file, read by the rules of [`TableFile`].
    pub fn file(mut self, name: impl Into<String>, file: impl Into<TableFile>) -> Self {
        self.files.push((name.into(), file.into()));
        self
    }

    /// All rollups of a store that have not the name of a frame or file here.
    pub fn store(mut self, store: &Store) -> Self {
        self.store = Some(store.clone());
        self
    }

    /// Steps of SQLite's machine after which a query is stopped, ten billion unless set: a join of every row with every other takes
    /// about five for each pair. A query that is recursive may take a hundredth of them.
    pub fn most_steps(mut self, steps: u64) -> Self {
        self.most_steps = steps;
        self
    }

    /// Runs a query, one `SELECT` or `WITH … SELECT`.
    ///
    /// # Errors
    /// When the query cannot be understood, with the place; when it is not a query; when a table or column does not exist; when a
    /// column that it reads holds what SQL has no type for; when a text stands where a number is needed; when the query takes too
    /// many steps or its answer too much memory; when a file or the store cannot be read.
    pub fn query(&self, query: &str) -> Result<DataFrame, SqlError> {
        Database::new(self.tables()?)?.query(query, self.most_steps)
    }

    fn tables(&self) -> Result<Vec<Table>, SqlError> {
        let mut tables = Vec::new();
        for (name, frame) in &self.frames {
            tables.push(Table::of_frame(name, frame.clone()));
        }
        for (name, file) in &self.files {
            tables.push(match file.own_columns()? {
                Some(columns) => Table::of_parquet(name, file.clone(), columns),
                None => Table::of_frame(name, file.collect()?),
            });
        }
        let Some(store) = &self.store else { return Ok(tables) };
        let is_given = |name: &str| tables.iter().any(|table| table.name.eq_ignore_ascii_case(name));
        let rollups: Vec<_> = store.tables()?.into_iter().filter(|info| !is_given(&info.name)).collect();
        tables.extend(rollups.iter().map(|info| Table::of_rollup(info, store.clone())));
        Ok(tables)
    }
}

impl fmt::Debug for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frames = self.frames.iter().map(|(name, _)| name);
        let names = frames.chain(self.files.iter().map(|(name, _)| name)).collect::<Vec<_>>();
        f.debug_struct("Sql").field("tables", &names).field("store", &self.store.is_some()).finish()
    }
}
