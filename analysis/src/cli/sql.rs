//! `analysis sql`

use std::{path::PathBuf, str::FromStr};

use analysis::sql::{self, SqlError};
use clap::Args;

use super::{Database, Printed};

/// Asks SQL of rollups and files.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Sql {
    /// One SELECT, in SQLite's dialect
    query: String,
    /// A CSV, JSON or Parquet file as a table; may be given several times
    #[arg(long = "file", value_name = "NAME=FILE")]
    files: Vec<NamedFile>,
    /// Steps after which the query is stopped
    #[arg(long, value_name = "N", default_value_t = 10_000_000_000)]
    most_steps: u64,
    #[command(flatten)]
    printed: Printed,
}

const EXAMPLES: &str = "Examples:
  analysis sql \"SELECT year(window_start) AS year, sum(reviews) AS reviews FROM reviews_by_month GROUP BY year\"
  analysis sql --file films=films.csv \"SELECT * FROM movies_by_month JOIN films USING (movie) WHERE reviews > 100\"

A table is a rollup, one of `analysis tables`, or a file. MongoDB is asked only where a rollup is.";

impl Sql {
    pub fn run(&self, database: Database) -> anyhow::Result<()> {
        let sql = sql::Sql::new().most_steps(self.most_steps);
        let files = self.files.iter().fold(sql, |sql, file| sql.file(&file.name, &file.path));
        let frame = match files.query(&self.query) {
            Err(SqlError::NoTable { .. }) => files.store(&database.open()?).query(&self.query)?,
            answer => answer?,
        };
        self.printed.print(&frame)
    }
}

#[derive(Debug, Clone)]
struct NamedFile {
    name: String,
    path: PathBuf,
}

impl FromStr for NamedFile {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, path)) if !name.is_empty() && !path.is_empty() => {
                Ok(Self { name: name.to_owned(), path: path.into() })
            }
            _ => Err("give the table's name and the file: films=films.csv"),
        }
    }
}
