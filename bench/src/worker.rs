//! `ingest run --until-end` as a process.

use crate::Bench;
use crate::report::Figures;
use anyhow::{Result, ensure};
use bson::{Document, doc};
use mongodb::Client;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(5);

/// Measures a run with the preset, or with another schema.
pub fn measure(bench: &Bench, schema: Option<&Path>) -> Result<Figures> {
    let name = format!("{}-{}", bench.topic, schema.map_or("preset", |_| "calendar"));
    // A thread of its own: the driver's monitors must go on while this one sleeps.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let client = runtime.block_on(Client::with_uri_str(&bench.uri))?;
    let database = client.database(&name);
    let began = Instant::now();
    let mut child = start(bench, &name, schema)?;
    let mut figures = Figures::default();
    loop {
        if figures.first_document_s.is_none() {
            let found =
                runtime.block_on(async { database.collection::<Document>("events").find_one(doc! {}).await })?;
            figures.first_document_s = found.map(|_| began.elapsed().as_secs_f64());
        }
        figures.rss_mb = peak_memory(child.id()).or(figures.rss_mb);
        if let Some(status) = child.try_wait()? {
            figures.seconds = began.elapsed().as_secs_f64();
            ensure!(status.success(), "ingest run ended with {status}");
            break;
        }
        std::thread::sleep(LOOK);
    }
    runtime.block_on(async { database.drop().await })?;
    Ok(figures)
}

fn start(bench: &Bench, name: &str, schema: Option<&Path>) -> Result<Child> {
    let mut command = Command::new(&bench.program);
    let group = format!("{name}-{:?}", Instant::now());
    command.args(["run", "--until-end", "--topic", &bench.topic, "--group", &group, "--database", name]);
    if let Some(schema) = schema {
        command.arg("--schema").arg(schema);
    }
    Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
}

/// Largest resident size so far in megabytes, as Linux keeps it; nothing elsewhere.
fn peak_memory(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024.0)
}
