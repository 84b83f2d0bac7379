//! What else a user would take for the way from Kafka to MongoDB. Neither keeps rollups or commits positions with the events.
//!
//! Both read the same number of the same reviews, without repeats and unusable records, and store each once by its id. Measured from
//! the first stored document to the last: the time that a JVM needs to start is not counted against it, but shown.

mod connect;
mod python;

use crate::context::{Context, Reviews, Topic, Wanted};
use crate::part::Outcome;
use crate::process::Running;
use crate::raw::used_since;
use crate::report::{Column, Figures, Report, Row, Section};
use crate::usage::Watch;
use anyhow::{Result, ensure};
use bson::Document;
use mongodb::Collection;
use stack::StackError;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(20);
/// Without a new document for so long, a peer has stopped working.
const PATIENCE: Duration = Duration::from_secs(90);

/// Kafka Connect with MongoDB's sink.
pub fn connect(context: &Context, report: &mut Report) -> Result<Outcome> {
    let parts = match connect::Parts::fetch(context) {
        Ok(parts) => parts,
        Err(error) => return skipped(error),
    };
    let row = Row::new(Section::Throughput, 20, "connect", "Kafka Connect, MongoDB sink (no rollups)");
    measure(context, report, &row, |topic, events| parts.command(context, topic, events))
}

/// A consumer in Python.
pub fn python(context: &Context, report: &mut Report) -> Result<Outcome> {
    let parts = match python::Parts::fetch() {
        Ok(parts) => parts,
        Err(error) => return skipped(error),
    };
    let row = Row::new(Section::Throughput, 21, "python", "Python, confluent-kafka and pymongo (no rollups)");
    measure(context, report, &row, |topic, events| parts.command(context, topic, events))
}

/// The folder with Python's packages, fetched where it is not in the cache.
pub fn python_packages() -> Result<PathBuf, StackError> {
    python::Parts::fetch().map(|parts| parts.packages)
}

/// What cannot be had here is no failure of what is measured.
fn skipped(error: StackError) -> Result<Outcome> {
    match error {
        StackError::Prerequisite { .. } | StackError::Fetch { .. } => Ok(Outcome::Skipped(error.to_string())),
        other => Err(other.into()),
    }
}

fn measure(
    context: &Context,
    report: &mut Report,
    row: &Row,
    command: impl Fn(&Topic, &Collection<Document>) -> Result<Command>,
) -> Result<Outcome> {
    let topic = context.topic(Wanted { rows: context.sizes.rows, partitions: 6, reviews: Reviews::Clean })?;
    let database = context.database("peer");
    let events = database.collection("events");
    let found = command(&topic, &events).and_then(|mut command| follow(context, &topic, &events, &mut command));
    context.clear(&database)?;
    report.add(row, found?);
    Ok(Outcome::Measured)
}

/// Runs a peer until all documents are there.
fn follow(context: &Context, topic: &Topic, events: &Collection<Document>, command: &mut Command) -> Result<Figures> {
    let count = || context.runtime.block_on(async { events.estimated_document_count().await });
    let servers = context.servers_cpu_s();
    let began = Instant::now();
    let mut peer = Running::start(command)?;
    let (pids, mut watch) = ([peer.pid()], Watch::default());
    let (mut first, mut last, mut deadline) = (None, 0, began + PATIENCE);
    while last < topic.records {
        let found = count()?;
        if found > last {
            first.get_or_insert((Instant::now(), found));
            (last, deadline) = (found, Instant::now() + PATIENCE);
        }
        ensure!(Instant::now() < deadline, "only {last} of {} documents are there", topic.records);
        ensure!(peer.is_running()? || last == topic.records, "it ended with {last} of {} documents", topic.records);
        watch.look(&pids, first.is_some());
        std::thread::sleep(LOOK);
    }
    let (ended, [broker, mongod]) = (Instant::now(), used_since(context, servers));
    peer.stop()?;
    let rate = first.map(|(at, found)| (topic.records - found) as f64 / (ended - at).as_secs_f64());
    let start = first.map(|(at, _)| (at - began).as_secs_f64());
    let mut figures = vec![(Column::PerS, rate), (Column::FirstDocumentS, start)];
    figures.extend(watch.figures());
    figures.extend([(Column::BrokerCpuS, broker), (Column::MongodCpuS, mongod)]);
    Ok(figures)
}
