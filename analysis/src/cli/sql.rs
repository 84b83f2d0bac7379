//! `analysis sql`

use std::{
    collections::HashSet,
    path::PathBuf,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};

use analysis::{
    load::{Form, TableFile},
    sql::{self, SqlError},
};
use clap::Args;
use jiff::tz::TimeZone;

use super::{Database, Printed};

/// Asks SQL of rollups and files.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Sql {
    /// One SELECT, in SQLite's dialect
    query: String,
    /// A CSV, JSON or Parquet file as a table, `-` for the standard input; may be given several times
    #[arg(long = "file", value_name = "NAME=FILE")]
    files: Vec<NamedFile>,
    #[command(flatten)]
    form: Form,
    /// Time zone of times without an offset in files, such as Europe/Berlin; UTC unless given
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    zone: Option<TimeZone>,
    /// Exit with 0 although broken records of files were left out
    #[arg(long)]
    allow_broken: bool,
    /// Steps after which the query is stopped
    #[arg(long, value_name = "N", default_value_t = 10_000_000_000)]
    most_steps: u64,
    #[command(flatten)]
    printed: Printed,
}

const EXAMPLES: &str = "Examples:
  analysis sql \"SELECT year(window_start) AS year, sum(reviews) AS reviews FROM reviews_by_month GROUP BY year\"
  analysis sql --file films=films.csv \"SELECT * FROM movies_by_month JOIN films USING (movie) WHERE reviews > 100\"
  analysis sql --file t=umsatz.csv --delimiter ';' --decimal , \"SELECT sum(amount) FROM t\"

A table is a rollup, one of `analysis tables`, or a file. MongoDB is asked only where a rollup is.";

impl Sql {
    pub fn run(&self, database: Database) -> anyhow::Result<()> {
        let broken = Broken::default();
        let files = self.files.iter().fold(sql::Sql::new().most_steps(self.most_steps), |sql, file| {
            let broken = broken.clone();
            let table = TableFile::new(&file.path).form(self.form.clone());
            let table = self.zone.iter().cloned().fold(table, TableFile::in_zone);
            sql.file(&file.name, table.on_broken(move |error| broken.note(error.to_string())))
        });
        let frame = match files.query(&self.query) {
            Err(SqlError::NoTable { .. }) => files.store(&database.open()?).query(&self.query)?,
            answer => answer?,
        };
        self.printed.print(&frame)?;
        match broken.count() {
            0 => Ok(()),
            _ if self.allow_broken => Ok(()),
            count => anyhow::bail!(
                "broken records left out: {count}; the first of them are named above (--allow-broken takes that for done)"
            ),
        }
    }
}

fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name)
        .map_err(|_| format!("{name:?} is not a time zone; write one as Asia/Seoul, Europe/Berlin or UTC"))
}

/// The broken records of all files, each told once.
#[derive(Clone, Default)]
struct Broken(Arc<Mutex<HashSet<String>>>);

impl Broken {
    const TOLD: usize = 20;

    fn note(&self, message: String) {
        // A set is whole between two insertions.
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() < Self::TOLD && !noted.contains(&message) {
            tracing::warn!("{message}");
        }
        noted.insert(message);
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
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
