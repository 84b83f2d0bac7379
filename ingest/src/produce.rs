//! Files to a Kafka topic: every record once, keyed, as it stood in the file.
//!
//! The producer is idempotent and waits for all replicas; records go out in batches that the topic takes and the queue is bounded, so memory
//! does not follow the size of the files. Each file is opened and recognised before the first record is sent. Whatever ends
//! a run early (a truncated file, a broken record under `--strict`, Ctrl-C), the records before it are delivered first and
//! the report counts them.
//!
//! A pipe or the standard input is opened once, when its turn comes; what is wrong with it is known only then.
//!
//! Sending the same files twice is harmless: the worker finds the repeats by their ids.

mod delivery;
mod error;
mod pace;
mod pipe;
mod producer;
mod progress;
mod run;
mod topic;

pub use error::{ProduceError, StopCause, Stopped};
pub use progress::{Observer, Progress, ProgressDisplay, Silent};

use crate::files::{self, Form, Options, RecordFile, STDIN};
use crate::kafka_options::KafkaOptions;
use rdkafka::producer::Producer as _;
use run::Run;
use serde::Serialize;
use std::fmt;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Command line of `ingest produce`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example: ingest produce reviews/ --partitions 6\n         \
                        ingest produce part-01.json.gz part-02.csv --topic reviews --rate 5000\n         \
                        zcat logs/*.gz | ingest produce - --format lines\n         \
                        ingest produce umsatz.csv --delimiter ';' --decimal , --encoding windows-1252")]
pub struct ProduceArgs {
    /// Files of records, or folders of them: JSON array, JSON Lines or CSV; plain, gzip or zstd; `-` is the standard input
    #[arg(required = true, value_name = "FILE|DIR")]
    pub files: Vec<PathBuf>,
    /// Topic to send to
    #[arg(long)]
    pub topic: Option<String>,
    /// Partitions the topic gets if it has to be created
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub partitions: Option<i32>,
    /// Send at most this many records a second
    #[arg(long, value_name = "RECORDS/S")]
    pub rate: Option<NonZeroU32>,
    /// Stop after this many records
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Field whose value becomes the message key, instead of the schema's
    #[arg(long = "key", value_name = "FIELD")]
    pub key_field: Option<String>,
    #[command(flatten)]
    pub form: Form,
    /// Longest record accepted, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = Options::default().max_record_bytes)]
    pub max_record_bytes: usize,
    /// Stop at the first broken record instead of skipping it
    #[arg(long)]
    pub strict: bool,
    /// Exit with 0 although broken records were left out
    #[arg(long, conflicts_with = "strict")]
    pub allow_broken: bool,
    /// Print the report as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Where records go, as the configuration has it; [`ProduceArgs`] may override parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// Topic.
    pub topic: String,
    /// Partitions of the topic if it has to be created.
    pub partitions: i32,
    /// Top-level field whose value is the message key.
    pub key_field: Option<String>,
    /// librdkafka properties, over the defaults.
    pub kafka: KafkaOptions,
}

/// Everything one run needs to know.
#[derive(Debug, Clone)]
pub struct ProduceSettings {
    /// Where to.
    pub target: Target,
    /// Files and folders, in the order they are sent.
    pub files: Vec<PathBuf>,
    /// Form of the files, as far as it is named.
    pub form: Form,
    /// Longest record accepted, in bytes.
    pub max_record_bytes: usize,
    /// Most records a second.
    pub rate: Option<NonZeroU32>,
    /// Most records in all.
    pub limit: Option<u64>,
    /// Stop at the first broken record.
    pub strict: bool,
}

impl ProduceSettings {
    /// Sends `files` to `target` with defaults for the rest.
    #[must_use]
    pub fn new(target: Target, files: Vec<PathBuf>) -> Self {
        let max_record_bytes = Options::default().max_record_bytes;
        Self { target, files, form: Form::default(), max_record_bytes, rate: None, limit: None, strict: false }
    }
}

impl ProduceArgs {
    /// The settings of this command line over `target`.
    #[must_use]
    pub fn settings(&self, mut target: Target) -> ProduceSettings {
        if let Some(topic) = &self.topic {
            target.topic.clone_from(topic);
        }
        if let Some(partitions) = self.partitions {
            target.partitions = partitions;
        }
        if self.key_field.is_some() {
            target.key_field.clone_from(&self.key_field);
        }
        ProduceSettings {
            target,
            files: self.files.clone(),
            form: self.form.clone(),
            max_record_bytes: self.max_record_bytes,
            rate: self.rate,
            limit: self.limit,
            strict: self.strict,
        }
    }
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProduceReport {
    /// Topic the records went to.
    pub topic: String,
    /// Its partitions.
    pub partitions: i32,
    /// Files that were read to their end.
    pub files: u64,
    /// Records delivered.
    pub records: u64,
    /// Bytes of these records, without keys.
    pub bytes: u64,
    /// Broken records that were skipped.
    pub broken: u64,
    /// Members of the folders that are no files of records by their ending.
    pub left_out: u64,
    /// From the first file's opening to the last delivery.
    pub seconds: f64,
    /// Ctrl-C ended the run early.
    pub interrupted: bool,
}

impl fmt::Display for ProduceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.records as f64 / self.seconds.max(1e-3);
        let megabytes = self.bytes as f64 / 1e6;
        let plural = |count: u64| if count == 1 { "" } else { "s" };
        write!(
            f,
            "{} record{} ({megabytes:.1} MB) of {} file{} sent to topic {} ({} partition{}) in {:.1} s, {rate:.0} records/s; \
             {} broken",
            self.records,
            plural(self.records),
            self.files,
            plural(self.files),
            self.topic,
            self.partitions,
            plural(self.partitions.unsigned_abs().into()),
            self.seconds,
            self.broken,
        )?;
        if self.left_out > 0 {
            write!(f, "; {} other file{} left out", self.left_out, plural(self.left_out))?;
        }
        if self.interrupted { f.write_str("; interrupted") } else { Ok(()) }
    }
}

/// Sends the files' records to the topic and waits until all are delivered.
///
/// Blocks; from async code call it in `spawn_blocking`. `stop` ends it early: what is queued is delivered and the report
/// says `interrupted`.
///
/// # Errors
/// A file cannot be opened or recognised, no broker answers, or the topic cannot be created: nothing has been sent. A file
/// turns out truncated, a record is broken under `strict`, or a delivery failed: [`ProduceError::Stopped`] holds the report
/// of what was delivered.
pub fn produce(
    settings: &ProduceSettings,
    observer: &mut dyn Observer,
    stop: &Arc<AtomicBool>,
) -> Result<ProduceReport, ProduceError> {
    let found = files::find(&settings.files)?;
    if found.files.iter().filter(|path| *path == Path::new(STDIN)).count() > 1 {
        return Err(ProduceError::StdinTwice);
    }
    let options = Options {
        form: settings.form.clone(),
        key_field: settings.target.key_field.clone(),
        max_record_bytes: settings.max_record_bytes,
    };
    let mut bytes_total = Some(0);
    for path in &found.files {
        let size = if files::is_stream(path) { None } else { RecordFile::open(path, &options)?.size() };
        bytes_total = bytes_total.zip(size).map(|(total, size)| total + size);
    }
    tell_left_out(&found.left_out);
    producer::warn_of_risks(&settings.target);
    let mut producer = producer::connect(&settings.target, None)?;
    let partitions = topic::ensure(&producer, &settings.target)?;
    if let Some(largest) = topic::largest_batch(&settings.target)?
        && largest < producer.context().batch
    {
        producer = producer::connect(&settings.target, Some(largest))?;
    }
    Run::new(settings, &producer, partitions, (found.files.len(), bytes_total), observer, stop).send(&found, &options)
}

fn tell_left_out(paths: &[PathBuf]) {
    const NAMED: usize = 10;
    if paths.is_empty() {
        return;
    }
    let names: Vec<_> = paths.iter().take(NAMED).map(|path| path.display().to_string()).collect();
    let more = paths.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    tracing::warn!("left out, because their names do not end as those of records do: {}{more}", names.join(", "));
}
