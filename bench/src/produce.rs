//! `ingest produce` of one large JSON array: how fast, and in how much memory.

use crate::context::{Context, Reviews, Wanted};
use crate::drain::free_bytes;
use crate::part::Outcome;
use crate::process::Running;
use crate::report::{Column, Report, Row, Section};
use crate::usage::Watch;
use anyhow::Result;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use stack::output;
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(5);
/// Bytes of a generated review, about.
const REVIEW: u64 = 1_600;
/// The file, its copy in the log of the topic, and some air.
const TIMES_ON_DISK: u64 = 3;

/// Measures the whole process, from its start to the last acknowledgement.
pub fn measure(context: &Context, report: &mut Report) -> Result<Outcome> {
    let room = free_bytes(context.folder())? / TIMES_ON_DISK;
    let bytes = context.sizes.produced.min(room);
    if bytes < context.sizes.produced {
        output::note(format!(
            "    the disk has room for {} MB instead of {}",
            bytes / 1_000_000,
            context.sizes.produced / 1_000_000
        ));
    }
    let dir = tempfile::tempdir_in(context.folder())?;
    let bytes =
        context.generate(dir.path(), Wanted { rows: bytes / REVIEW, partitions: 0, reviews: Reviews::Clean }, 1)?;
    let topic = context.unique("produce");
    let began = Instant::now();
    let mut producer = Running::start(&mut context.produce_command(&topic, 6, dir.path()))?;
    let (pids, mut watch) = ([producer.pid()], Watch::default());
    while producer.is_running()? {
        watch.look(&pids, true);
        std::thread::sleep(LOOK);
    }
    let seconds = began.elapsed().as_secs_f64();
    let mut figures = vec![(Column::MbPerS, Some(bytes as f64 / 1e6 / seconds))];
    figures.extend(watch.figures());
    let label = format!("ingest produce, a JSON array of {} MB", bytes / 1_000_000);
    report.add(&Row::new(Section::Sending, 0, "produce", label), figures);
    delete(context, &topic)?;
    Ok(Outcome::Measured)
}

/// Its gigabyte is of no more use.
fn delete(context: &Context, topic: &str) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &context.brokers).create()?;
    context.runtime.block_on(admin.delete_topics(&[topic], &AdminOptions::new()))?;
    Ok(())
}
