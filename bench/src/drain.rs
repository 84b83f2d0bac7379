//! `ingest run --until-end`, as processes: with more or fewer rollups, workers and records.

use crate::context::{Context, Reviews, Topic, Wanted};
use crate::part::Outcome;
use crate::process::Running;
use crate::raw::used_since;
use crate::report::{Column, Figures, Report, Row, Section};
use crate::schemas;
use crate::usage::Watch;
use anyhow::{Result, ensure};
use bson::{Document, doc};
use futures_util::TryStreamExt;
use model::layout::{EVENTS, OFFSETS};
use mongodb::Database;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(5);
/// Bytes on disk for each review of a growing topic: file, log of the topic, events, oplog, and their journal.
const BYTES_A_REVIEW: u64 = 8_000;

/// Without rollups, with those of the calendar, with all of the preset.
pub fn ingest(context: &Context, report: &mut Report) -> Result<Outcome> {
    let topic = context.reviews()?;
    let none = schemas::without_rollups(context.folder())?;
    let calendar = schemas::calendar(context.folder())?;
    let variants = [
        (10, "none", "ingest run, no rollups", Some(none)),
        (11, "calendar", "ingest run, calendar rollups", Some(calendar)),
        (12, "preset", "ingest run, all rollups of the preset", None),
    ];
    for (order, key, label, schema) in variants {
        let found = drain(context, &topic, schema.as_deref(), 1)?;
        report.add(&Row::new(Section::Throughput, order, format!("ingest_{key}"), label), found);
    }
    Ok(Outcome::Measured)
}

/// One, two and four workers of one group on eight partitions.
pub fn workers(context: &Context, report: &mut Report) -> Result<Outcome> {
    let topic = context.topic(Wanted { rows: context.sizes.rows, partitions: 8, reviews: Reviews::Users })?;
    for workers in [1, 2, 4] {
        let label = if workers == 1 { "1 worker, 8 partitions".into() } else { format!("{workers} workers") };
        let found = drain(context, &topic, None, workers)?;
        report.add(&Row::new(Section::Scale, workers, format!("workers_{workers}"), label), found);
    }
    Ok(Outcome::Measured)
}

/// Topics of growing size: rate and memory must not bend.
pub fn growth(context: &Context, report: &mut Report) -> Result<Outcome> {
    for (order, rows) in (10..).zip(context.sizes.growth) {
        let free = free_bytes(context.folder())?;
        if free < rows * BYTES_A_REVIEW {
            return Ok(Outcome::Skipped(format!(
                "{rows} records need {} GB of disk",
                rows * BYTES_A_REVIEW / 1_000_000_000
            )));
        }
        let topic = context.topic(Wanted { rows, partitions: 6, reviews: Reviews::Generated })?;
        let found = drain(context, &topic, None, 1)?;
        report.add(&Row::new(Section::Scale, order, format!("growth_{rows}"), format!("{rows} records")), found);
    }
    Ok(Outcome::Measured)
}

/// Room on the disk that holds a folder.
pub fn free_bytes(folder: &Path) -> Result<u64> {
    let disk = nix::sys::statvfs::statvfs(folder)?;
    #[allow(clippy::useless_conversion, reason = "these are of other sizes on macOS")]
    Ok(u64::from(disk.blocks_available()) * u64::from(disk.fragment_size()))
}

/// Runs workers until everything in the topic is stored and published.
fn drain(context: &Context, topic: &Topic, schema: Option<&Path>, workers: u32) -> Result<Figures> {
    let database = context.database("run");
    let found = run(context, topic, &database, schema, workers);
    context.clear(&database)?;
    found
}

fn run(context: &Context, topic: &Topic, database: &Database, schema: Option<&Path>, workers: u32) -> Result<Figures> {
    let servers = context.servers_cpu_s();
    let began = Instant::now();
    let start = |_| Running::start(command(context, topic, database.name(), schema).arg("--until-end"));
    let mut running = (0..workers).map(start).collect::<Result<Vec<_>>>()?;
    let pids: Vec<u32> = running.iter().map(Running::pid).collect();
    let (mut watch, mut first_document_s) = (Watch::default(), None);
    while !running.is_empty() {
        if first_document_s.is_none() && context.runtime.block_on(has_events(database))? {
            first_document_s = Some(began.elapsed().as_secs_f64());
        }
        watch.look(&pids, first_document_s.is_some());
        std::thread::sleep(LOOK);
        let mut left = Vec::new();
        for mut worker in running {
            if worker.is_running()? {
                left.push(worker);
            }
        }
        running = left;
    }
    let seconds = began.elapsed().as_secs_f64();
    let [broker, mongod] = used_since(context, servers);
    check(context, topic, database)?;
    let mut figures =
        vec![(Column::PerS, Some(topic.records as f64 / seconds)), (Column::FirstDocumentS, first_document_s)];
    figures.extend(watch.figures());
    figures.extend([(Column::BrokerCpuS, broker), (Column::MongodCpuS, mongod)]);
    Ok(figures)
}

/// `ingest run` in a group of the database's name.
pub fn command(context: &Context, topic: &Topic, database: &str, schema: Option<&Path>) -> Command {
    let mut command = Command::new(&context.program);
    command.args(["run", "--topic", &topic.name, "--group", database, "--database", database]);
    command.env(stack::KAFKA_BROKERS, &context.brokers).env(stack::MONGODB_URI, &context.uri);
    if let Some(schema) = schema {
        command.arg("--schema").arg(schema);
    }
    command
}

async fn has_events(database: &Database) -> mongodb::error::Result<bool> {
    Ok(database.collection::<Document>(EVENTS).find_one(doc! {}).await?.is_some())
}

/// A run that left something out would be quick for nothing.
fn check(context: &Context, topic: &Topic, database: &Database) -> Result<()> {
    let positions = context.runtime.block_on(async {
        database.collection::<Document>(OFFSETS).find(doc! {}).await?.try_collect::<Vec<_>>().await
    })?;
    let read: i64 = positions.iter().filter_map(|position| position.get_i64("next").ok()).sum();
    ensure!(read.cast_unsigned() == topic.records, "{read} of {} records were read", topic.records);
    Ok(())
}
