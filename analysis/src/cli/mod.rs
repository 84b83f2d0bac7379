//! Arguments of the command, and what each command does with them.

mod chart;
mod chart_words;
mod export;
mod rows;
mod show;
mod sql;
mod tables;

use std::{
    io::{self, Write},
    path::PathBuf,
};

use analysis::{
    load::{Connection, Store, StoreError},
    polars::prelude::DataFrame,
    show::{Table, json_rows},
};
use clap::{Args, Parser, Subcommand};

/// Tables, rows, charts and files of the rollups in MongoDB.
#[derive(Debug, Parser)]
#[command(name = "analysis", version, max_term_width = 110, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    connection: Database,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  analysis tables
  analysis show movies_by_month --from 2019 --top 20 --by reviews
  analysis sql \"SELECT sum(reviews) AS reviews FROM reviews_by_month\"
  analysis chart reviews_by_month --y rating_mean -o rating.svg -o rating.png
  analysis export tableau/";

#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
struct Database {
    /// Configuration file of `ingest`, for the two below [default: rushes.toml, if there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address of MongoDB [env: MONGODB_URI] [default: mongodb://127.0.0.1:27017]
    #[arg(long, global = true, value_name = "URI")]
    mongodb_uri: Option<String>,
    /// Database with the rollups [env: RUSHES_DATABASE] [default: rushes]
    #[arg(long, global = true, value_name = "NAME")]
    database: Option<String>,
}

impl Database {
    fn open(self) -> Result<Store, StoreError> {
        self.connection().open()
    }

    fn connection(&self) -> Connection {
        let connection = self.config.iter().fold(Connection::new(), Connection::file);
        let connection = self.mongodb_uri.iter().fold(connection, Connection::mongodb_uri);
        self.database.iter().fold(connection, Connection::database)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The rollups: windows, keys, rows, newest revision
    Tables(tables::Tables),
    /// Rows of a rollup as a table
    Show(show::Show),
    /// Rows that a query in SQL gives, of rollups and files
    Sql(sql::Sql),
    /// A chart of a rollup as SVG or PNG
    Chart(chart::Chart),
    /// Rollups as CSV files, only those that have changed
    Export(export::Export),
}

/// Connects and runs one command.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let database = arguments.connection;
    match arguments.command {
        Command::Tables(tables) => tables.run(&database.open()?),
        Command::Show(show) => show.run(&database.open()?),
        Command::Sql(sql) => sql.run(database),
        Command::Chart(chart) => chart.run(&database.open()?),
        Command::Export(export) => export.run(&database.connection()),
    }
}

/// How rows are printed.
#[derive(Debug, Args)]
struct Printed {
    /// Rows to print, half of them from the end
    #[arg(long, value_name = "N", default_value_t = 40)]
    rows_shown: usize,
    /// All columns, also in a terminal that is too narrow for them
    #[arg(long)]
    wide: bool,
    /// All rows as a JSON array of objects
    #[arg(long)]
    json: bool,
}

impl Printed {
    fn print(&self, frame: &DataFrame) -> anyhow::Result<()> {
        if self.json {
            return print_json(&json_rows(frame));
        }
        let table = Table::new(frame).rows(self.rows_shown);
        // What goes to a file or a program is not cut to the width of a terminal.
        let terminal = terminal_size::terminal_size_of(io::stdout()).filter(|_| !self.wide);
        let table = terminal.into_iter().fold(table, |table, (width, _)| table.width(width.0.into()));
        Ok(print(&table.to_string())?)
    }
}

/// Writes a result; unlike `println!`, a closed pipe is an error and no panic.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes a result as JSON, indented, and a line end.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    Ok(print(&format!("{text}\n"))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent_and_every_command_has_an_example() {
        Arguments::command().debug_assert();
        for command in Arguments::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("analysis {}", command.get_name())), "{}: {help}", command.get_name());
        }
    }
}
