//! The command line: what can be said, and what it means for the modules that do it.
//!
//! Results go to stdout, progress and logs to stderr. Exit codes: 0 done, 1 failed, 2 wrong use.

mod commands;
mod dead;
mod output;
mod rebuild;
mod run;

use crate::background::{RotatingLog, WorkerFolder};
use crate::config::{self, Config, ConfigError, Loaded, LostOffsets};
use crate::error::IngestError;
use crate::produce::ProduceArgs;
use crate::stream::Consent;
use clap::{Args, Parser, Subcommand, ValueEnum};
use figment::value::{Dict, Value};
use sample::GenerateArgs;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

/// Records from files into Kafka, and from Kafka into MongoDB with an exactly-once effect and rollups that are always current.
#[derive(Debug, Parser)]
#[command(name = "ingest", version, after_help = "Example: ingest produce reviews/ && ingest run --until-end")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write synthetic reviews in the form of the Kaggle files
    Generate(GenerateArgs),
    /// Send files of records to a topic
    Produce(Produce),
    /// Run the worker in the foreground
    Run(Run),
    /// Run the worker in the background
    Start(Run),
    /// End the worker in the background
    Stop(Common),
    /// Show the worker in the background
    Status(Shown),
    /// Show the log of the worker in the background
    Logs(Logs),
    /// Look at what a run needs, without consuming
    Check(Check),
    /// Look at the records that could not be used, and replay them
    Dead(dead::Dead),
    /// Compare every rollup with a GROUP BY over the stored events
    Audit(Audit),
    /// Count the stored events into rollups anew, while the tables of before can be read
    Rebuild(Rebuild),
    /// Show the effective configuration, secrets masked, with where each value came from
    Config(Shown),
}

/// Options of most commands; each overrides the environment and the file.
#[derive(Debug, Clone, Default, Args)]
struct Common {
    /// Configuration file [default: rushes.toml, if there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Kafka brokers, host:port [env: KAFKA_BROKERS]
    #[arg(long, value_name = "HOST:PORT,…")]
    brokers: Option<String>,
    /// MongoDB connection string [env: MONGODB_URI]
    #[arg(long, value_name = "URI")]
    mongodb_uri: Option<String>,
    /// MongoDB database [env: RUSHES_DATABASE] [default: rushes]
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// Kafka topic [env: RUSHES_TOPIC] [default: reviews]
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
    /// Consumer group [env: RUSHES_GROUP] [default: rushes]
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Schema file, or a preset [env: RUSHES_SCHEMA] [default: imdb-review]
    #[arg(long, value_name = "FILE|PRESET")]
    schema: Option<String>,
    /// Folder of the background worker's state [env: RUSHES_STATE_DIR]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Any setting of the configuration, as NAME=VALUE; librdkafka's as kafka.NAME=VALUE
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: ingest produce reviews/ --partitions 6\n         \
                        ingest produce part-01.json.gz part-02.csv --topic reviews --rate 5000\n         \
                        zcat logs/*.gz | ingest produce - --format lines\n         \
                        ingest produce umsatz.csv --delimiter ';' --decimal , --encoding windows-1252")]
struct Produce {
    #[command(flatten)]
    produce: ProduceArgs,
    /// Configuration file [default: rushes.toml, if there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Kafka brokers, host:port [env: KAFKA_BROKERS]
    #[arg(long, value_name = "HOST:PORT,…")]
    brokers: Option<String>,
    /// Schema whose message key is used: a file or a preset [env: RUSHES_SCHEMA] [default: imdb-review]
    #[arg(long, value_name = "FILE|PRESET")]
    schema: Option<String>,
    /// Any setting of the configuration, as NAME=VALUE; librdkafka's as kafka.NAME=VALUE
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: ingest run --until-end --topic reviews\n         \
                        ingest run --lost-offsets accept      # after retention was quicker than the worker")]
struct Run {
    #[command(flatten)]
    common: Common,
    /// Stop when everything that is in the topic now is stored, and print the counts as one JSON object
    #[arg(long)]
    until_end: bool,
    /// Where the topic no longer has a stored position (retention, or a topic that was made again): stop, or accept the loss and
    /// write it down [env: RUSHES_LOST_OFFSETS] [default: stop]
    #[arg(long, value_name = "stop|accept")]
    lost_offsets: Option<LostOffsets>,
    /// Put a schema in force again that another one has replaced
    #[arg(long)]
    accept_older_schema: bool,
    /// Count rollups again that have changed, although events that they had counted are no longer stored
    #[arg(long)]
    accept_lost_history: bool,
    /// Exit code 0 though no record, or too few (`dead_ratio`), could be used
    #[arg(long)]
    allow_dead: bool,
    /// Log as JSON lines
    #[arg(long)]
    log_json: bool,
    /// Keeps status and log here; given by `ingest start`
    #[arg(long, hide = true, value_name = "DIR")]
    worker_folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: ingest status --json")]
struct Shown {
    #[command(flatten)]
    common: Common,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: ingest check --json\n         \
                        ingest check --adopt      # after the database was restored from a dump")]
struct Check {
    #[command(flatten)]
    shown: Shown,
    /// Accept the collections of this stream's catalog as created by this program, if all of their documents are: after a restore
    #[arg(long)]
    adopt: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: ingest logs --lines 50")]
struct Logs {
    #[command(flatten)]
    common: Common,
    /// How many lines from the end
    #[arg(long, short = 'n', default_value_t = 20)]
    lines: usize,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: ingest audit reviews_by_month --from 2019 --to 2020-07\n\n\
                        Exit code 1 where a row differs from its events, is missing, or should not be there, and where rows\n\
                        cannot be checked because events that they have counted are no longer stored.")]
struct Audit {
    /// The rollups to compare; all by default
    #[arg(value_name = "ROLLUP")]
    rollups: Vec<String>,
    /// A rollup to compare; may be given several times
    #[arg(long = "rollup", value_name = "ROLLUP")]
    also: Vec<String>,
    /// Only windows that begin then or later: 2019, 2019-05, 2019-05-31 or 2019-05-31T18:00:00Z
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// Only windows that begin before
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: ingest rebuild movies_by_month\n\n\
                        A rollup that was added or changed in the schema is rebuilt by `ingest run` itself.")]
struct Rebuild {
    /// The rollups to rebuild, with those that are made of the same states
    #[arg(value_name = "ROLLUP", required = true)]
    rollups: Vec<String>,
    /// Rebuild although events that the rollups had counted are no longer stored
    #[arg(long)]
    accept_lost_history: bool,
    #[command(flatten)]
    shown: Shown,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Common {
    fn load(&self) -> Result<Loaded, ConfigError> {
        let mut flags = Dict::new();
        let given = [
            ("brokers", &self.brokers),
            ("mongodb_uri", &self.mongodb_uri),
            ("database", &self.database),
            ("topic", &self.topic),
            ("group", &self.group),
            ("schema", &self.schema),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                flags.insert(name.to_owned(), Value::from(value.as_str()));
            }
        }
        if let Some(folder) = &self.state_dir {
            flags.insert("state_dir".to_owned(), Value::from(folder.display().to_string()));
        }
        for (name, value) in &self.set {
            config::assign(&mut flags, name, value);
        }
        config::load(self.config.as_deref(), flags)
    }

    fn config(&self) -> Result<Config, IngestError> {
        let loaded = self.load().map_err(|error| IngestError::Usage(error.to_string()))?;
        Config::new(loaded.settings).map_err(|error| IngestError::Usage(error.to_string()))
    }
}

impl Run {
    fn config(&self) -> Result<Config, IngestError> {
        let mut common = self.common.clone();
        let policy = self.lost_offsets.and_then(|policy| policy.to_possible_value());
        common.set.extend(policy.map(|policy| ("lost_offsets".to_owned(), policy.get_name().to_owned())));
        let consent = Consent { older_schema: self.accept_older_schema, lost_history: self.accept_lost_history };
        Ok(Config { consent, ..common.config()? })
    }

    /// Whether progress is drawn, and not logged.
    fn shows_bar(&self) -> bool {
        !self.log_json && std::io::stderr().is_terminal()
    }

    /// The log of a worker in the background.
    fn log(&self) -> Option<RotatingLog> {
        let folder = WorkerFolder::at(self.worker_folder.as_ref()?);
        // Where the configuration is wrong, the command says so itself.
        let config = self.config().ok()?;
        Some(RotatingLog::of_this_process(folder.log(), config.settings.log_bytes))
    }
}

/// How stderr is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LogForm {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Runs the command and says how it ended.
pub fn run(cli: Cli) -> ExitCode {
    let (form, log) = match &cli.command {
        Command::Run(run) => (if run.log_json { LogForm::Json } else { LogForm::Text }, run.log()),
        _ => (LogForm::Text, None),
    };
    start_logging(form, log);
    let outcome = match cli.command {
        Command::Generate(args) => commands::generate(&args),
        Command::Produce(args) => commands::produce(&args),
        Command::Run(args) => run::run(&args),
        Command::Start(args) => commands::start(&args),
        Command::Stop(common) => commands::stop(&common),
        Command::Status(args) => commands::status(&args),
        Command::Logs(args) => commands::logs(&args),
        Command::Check(args) => commands::check(&args),
        Command::Dead(args) => dead::dead(&args),
        Command::Audit(args) => commands::audit(&args),
        Command::Rebuild(args) => rebuild::rebuild(&args),
        Command::Config(args) => commands::config(&args),
    };
    match outcome {
        Ok(code) => code,
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(match form {
                LogForm::Text => format!("error: {error:#}"),
                LogForm::Json => error_line(&error),
            });
            let wrong_use = matches!(error.downcast_ref::<IngestError>(), Some(IngestError::Usage(_)));
            ExitCode::from(if wrong_use { 2 } else { 1 })
        }
    }
}

/// The error as a line of the JSON log, whatever the log leaves out.
fn error_line(error: &anyhow::Error) -> String {
    let timestamp = bson::DateTime::now().try_to_rfc3339_string().unwrap_or_default();
    let message = format!("{error:#}");
    let fields = serde_json::json!({ "message": message });
    serde_json::json!({ "timestamp": timestamp, "level": "ERROR", "fields": fields, "target": "ingest" }).to_string()
}

/// Logs to stderr: warnings, and what `RUST_LOG` asks for.
fn start_logging(form: LogForm, log: Option<RotatingLog>) {
    use tracing_subscriber::EnvFilter;
    use tracing_subscriber::fmt::writer::BoxMakeWriter;
    let writer = match log {
        Some(log) => BoxMakeWriter::new(Mutex::new(log)),
        None => BoxMakeWriter::new(std::io::stderr),
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,ingest=info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    // Such an error would be printed to stderr, which is what cannot be written.
    let builder = builder.log_internal_errors(false);
    // The only error is a subscriber that is set already, which then logs.
    let _ = match form {
        LogForm::Json => builder.json().try_init(),
        LogForm::Text => builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
}
