//! `analysis export`

use std::{path::PathBuf, time::Duration};

use analysis::{
    export::{Export as Exporter, ExportError, Exported, Format, Reader},
    load::{Connection, Moment, Store},
};
use anyhow::Context;
use clap::{Args, ValueEnum};
use model::{layout::EVENTS, schema::Schema};

/// Writes rollups as files for Tableau, Excel and others: CSV, Parquet, a Tableau data source and a schema of each.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Export {
    /// Folder for the files; made if it is not there
    folder: PathBuf,
    /// Rollups to export, all unless given; `events` stands for the events themselves, which Tableau is slow with
    tables: Vec<String>,
    /// Schema of the stream, which tells the columns of `events` [default: that of rushes.toml, else the preset imdb-review]
    #[arg(long, value_name = "FILE", env = "RUSHES_SCHEMA")]
    schema: Option<PathBuf>,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    content: Content,
    /// Keep the folder current: look for changes again and again, so long apart, such as 30s or 5m
    #[arg(long, value_name = "INTERVAL", value_parser = interval)]
    watch: Option<Duration>,
    /// The tables as a JSON array of objects
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Files")]
struct Files {
    /// Kinds of files, separated by commas: csv, parquet, tds, schema, hyper, charts
    #[arg(long, value_name = "FORMAT,…", value_delimiter = ',', default_values_t = Format::DEFAULT)]
    formats: Vec<Format>,
    /// Also a .hyper extract for Tableau; needs Python with tableauhyperapi
    #[arg(long)]
    hyper: bool,
    /// Also a first chart as SVG and PNG
    #[arg(long)]
    charts: bool,
    /// Who reads the CSV; for Excel, texts that look like formulas are made harmless
    #[arg(long = "for", value_name = "READER", default_value = "tableau")]
    reader: ReaderName,
    /// A file per year, so that a change rewrites only its year
    #[arg(long, value_name = "PERIOD")]
    partition_by: Option<Period>,
    /// Time zone of instants in CSV and .hyper, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    zone: String,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Content")]
struct Content {
    /// First window start: 2004, 2004-05, 2004-05-31 or 2004-05-31T18:00:00Z
    #[arg(long, value_name = "DATE")]
    from: Option<Moment>,
    /// Window start before which to end
    #[arg(long, value_name = "DATE")]
    to: Option<Moment>,
    /// Only windows for which no more records are expected
    #[arg(long)]
    final_only: bool,
    /// Columns to write, separated by commas; all unless given
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    columns: Vec<String>,
    /// Another name for a column in the files, such as rating_mean="Mean rating"; may be repeated
    #[arg(long, value_name = "COLUMN=NAME", value_parser = rename)]
    rename: Vec<(String, String)>,
    /// Only the N rows of each table with the largest values of --by
    #[arg(long, value_name = "N")]
    top: Option<u32>,
    /// Column that --top compares, the number of records unless given
    #[arg(long, value_name = "COLUMN", requires = "top")]
    by: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ReaderName {
    Tableau,
    Excel,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Period {
    Year,
}

const EXAMPLES: &str = "Examples:
  analysis export tableau/
  analysis export tableau/ --watch 30s
  analysis export tableau/ movies_by_month --partition-by year --final-only
  analysis export excel/ top_movies_by_month --for excel --formats csv --from 2019 --top 50 --by reviews";

impl Export {
    pub fn run(&self, connection: &Connection) -> anyhow::Result<()> {
        let mut exporter = self.exporter(&connection.clone().open()?);
        if self.tables.iter().any(|table| table == EVENTS) {
            tracing::warn!(
                "events are many rows, and Tableau fetches each of them; a rollup answers faster and stays small"
            );
            exporter = self.schema(connection)?.into_iter().fold(exporter, Exporter::schema);
        }
        match self.watch {
            None => self.print(&exporter.run()?),
            Some(interval) => self.keep_current(&exporter, interval),
        }
    }

    /// `None` for the preset.
    fn schema(&self, connection: &Connection) -> anyhow::Result<Option<Schema>> {
        let named = match &self.schema {
            Some(path) => Some(path.clone()),
            None => connection.schema_name()?.map(PathBuf::from),
        };
        let Some(path) = named.filter(|path| path.as_os_str() != "imdb-review") else {
            return Ok(None);
        };
        let name = path.to_string_lossy();
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read the schema {name}"))?;
        Ok(Some(Schema::parse(&name, &text)?))
    }

    fn exporter(&self, store: &Store) -> Exporter {
        let Self { folder, tables, files, content, .. } = self;
        let mut exporter = Exporter::new(store, folder).tables(tables).formats(files.formats.iter().copied());
        let also = [(files.hyper, Format::Hyper), (files.charts, Format::Charts)];
        for (_, format) in also.into_iter().filter(|(wanted, _)| *wanted) {
            exporter = exporter.with(format);
        }
        if let ReaderName::Excel = files.reader {
            exporter = exporter.reader(Reader::Excel);
        }
        if let Some(Period::Year) = files.partition_by {
            exporter = exporter.by_year();
        }
        if content.final_only {
            exporter = exporter.final_only();
        }
        exporter = content.from.iter().fold(exporter, Exporter::from);
        exporter = content.to.iter().fold(exporter, Exporter::to);
        exporter = content.rename.iter().fold(exporter, |exporter, (column, name)| exporter.rename(column, name));
        exporter = content.top.into_iter().fold(exporter, |exporter, rows| exporter.top(rows, content.by.clone()));
        exporter.columns(&content.columns).zone(&files.zone)
    }

    /// Prints what was written, round by round, until the reader of the output has gone.
    fn keep_current(&self, exporter: &Exporter, interval: Duration) -> anyhow::Result<()> {
        let mut first = true;
        let mut ended = Ok(());
        exporter.watch(interval, |round| {
            ended = self.print_round(round, first);
            first = false;
            ended.is_ok()
        })?;
        ended
    }

    fn print_round(&self, round: Result<Vec<Exported>, ExportError>, first: bool) -> anyhow::Result<()> {
        match round {
            Ok(tables) => {
                let news: Vec<Exported> = tables.into_iter().filter(|table| first || table.written).collect();
                if news.is_empty() { Ok(()) } else { self.print(&news) }
            }
            Err(error) => {
                tracing::warn!("{:#}; trying again", anyhow::Error::from(error));
                Ok(())
            }
        }
    }

    fn print(&self, tables: &[Exported]) -> anyhow::Result<()> {
        if self.json {
            return super::print_json(&tables);
        }
        let mut lines: String = tables.iter().map(|table| format!("{table}\n")).collect();
        if tables.is_empty() {
            lines.push_str("there are no rollups yet; `ingest run` writes them\n");
        } else if tables.iter().all(|table| !table.written) {
            lines.push_str("nothing has changed, nothing was written\n");
        }
        Ok(super::print(&lines)?)
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<jiff::SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
    parsed.filter(|span| !span.is_zero()).ok_or_else(|| "write an interval as 30s, 5m or 1h".to_owned())
}

fn rename(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((column, name)) if !column.is_empty() && !name.is_empty() => Ok((column.to_owned(), name.to_owned())),
        _ => Err("write COLUMN=NAME".to_owned()),
    }
}
