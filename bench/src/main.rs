//! `ingest run` against the raw limit of the machine, in one run, interleaved, with medians and ratios.
//!
//! The raw limit does the least that could be called the same work: the same records, consumed by one thread, decoded by the same
//! decoder, inserted unordered and without a transaction by some writers. What `ingest run` takes on top of it is the price of
//! exactly-once and of the rollups. All figures are wall clock of the whole run, with joining the group and publishing the last row.

mod raw;
mod report;
mod worker;

use anyhow::{Context, Result};
use clap::Parser;
use ingest::generate::{self, GenerateOptions};
use model::schema::IMDB_REVIEW;
use report::{Measurement, Report};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Measures `ingest run` against the raw limit; needs KAFKA_BROKERS and MONGODB_URI.
#[derive(Debug, Parser)]
#[command(after_help = "Example: stack run -- target/release/bench --rows 200000 --rounds 3")]
struct Options {
    /// Reviews to ingest in each measurement
    #[arg(long, default_value_t = 200_000)]
    rows: u64,
    /// Rounds; each measures everything once
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// A folder of reviews, instead of generated ones
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the results are written as JSON
    #[arg(long, value_name = "FILE", default_value = "bench/results.json")]
    output: PathBuf,
}

/// Where the servers are, and what is measured on them.
pub struct Bench {
    /// Kafka.
    pub brokers: String,
    /// MongoDB.
    pub uri: String,
    /// The topic that all measurements read.
    pub topic: String,
    /// Records in it.
    pub records: u64,
    /// The program `ingest`, beside this one.
    pub program: PathBuf,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let folder = tempfile::tempdir()?;
    let data = match &options.data {
        Some(data) => data.clone(),
        None => {
            let data = folder.path().join("reviews");
            generate::generate(&GenerateOptions::new(data.clone(), options.rows, 7))?;
            data
        }
    };
    let mut bench = Bench {
        brokers: std::env::var("KAFKA_BROKERS").context("KAFKA_BROKERS is not set; run this inside `stack run --`")?,
        uri: std::env::var("MONGODB_URI").context("MONGODB_URI is not set; run this inside `stack run --`")?,
        topic: format!("bench-{}", std::process::id()),
        records: 0,
        program: std::env::current_exe()?.with_file_name("ingest"),
    };
    bench.records = produce(&bench, &data)?;
    let calendar = calendar_schema(folder.path())?;
    let mut report = Report::new(bench.records);
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        for writers in 1..=3 {
            report.add(Measurement::raw(writers), raw::measure(&bench, writers)?);
        }
        report.add(Measurement::Calendar, worker::measure(&bench, Some(&calendar))?);
        report.add(Measurement::Preset, worker::measure(&bench, None)?);
    }
    println!("{}", report.markdown());
    std::fs::write(&options.output, serde_json::to_string_pretty(&report.summary())? + "\n")
        .with_context(|| format!("cannot write {}", options.output.display()))
}

fn produce(bench: &Bench, data: &Path) -> Result<u64> {
    let mut command = Command::new(&bench.program);
    command.args(["produce", "--json", "--topic", &bench.topic]).arg(data);
    let output =
        command.output().with_context(|| format!("cannot run {}; `make build` builds it", bench.program.display()))?;
    anyhow::ensure!(output.status.success(), "ingest produce: {}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    report["records"].as_u64().context("ingest produce printed no records")
}

/// The preset with its calendar rollups only.
fn calendar_schema(folder: &Path) -> Result<PathBuf> {
    let cut =
        IMDB_REVIEW.find("[[rollups]]\nname = \"movies_by_month\"").context("the preset has no movies_by_month")?;
    let path = folder.join("calendar.toml");
    std::fs::write(&path, &IMDB_REVIEW[..cut])?;
    Ok(path)
}
