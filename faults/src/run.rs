//! One run: servers, workers, records, faults, and the account at the end.

use crate::crew::{Crew, NAME, common_arguments};
use crate::feeder::Feeder;
use crate::inject::Scene;
use crate::positions::Positions;
use crate::records::{PARTITIONS, SCHEMA};
use crate::report::{self, Recoveries};
use crate::schedule::Fault;
use crate::servers::Servers;
use crate::topic;
use crate::verify::{Verdict, verify};
use anyhow::{Context, Result, bail, ensure};
use stack::output;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const WORKERS: usize = 3;

/// Does the faults, on the records of the seed; returns whether everything holds.
///
/// # Errors
/// Where the run itself could not be finished: a server that does not start, a position that stands still, `stopped` that came first.
pub async fn run(seed: u64, faults: &[Fault], records: u64, stopped: impl Future<Output = ()>) -> Result<bool> {
    let folder = tempfile::Builder::new().prefix("rushes-faults-").tempdir()?;
    report::print_schedule(seed, faults)?;
    let outcome = tokio::select! {
        outcome = run_in(folder.path(), seed, faults, records) => outcome,
        () = stopped => {
            remove(folder).await;
            bail!("interrupted");
        }
    };
    if !matches!(outcome, Ok(true)) {
        keep_logs(folder)?;
        output::line(format!(
            "the same schedule and records again: --seed {seed} --faults {} --records {records}",
            faults.len()
        ))?;
    }
    outcome
}

async fn run_in(folder: &Path, seed: u64, faults: &[Fault], records: u64) -> Result<bool> {
    let program = program()?;
    let schema = folder.join("readings.toml");
    std::fs::write(&schema, SCHEMA)?;
    let servers = Servers::start(folder).await?;
    servers.create_topic(NAME, PARTITIONS).await?;
    let client = servers.client().await?;
    let feeder = Feeder::new(servers.client_config(), seed, records, faults.len() as u64)?;
    let mut crew = Crew::new(&program, folder, &schema, &servers);
    for _ in 0..WORKERS {
        crew.join()?;
    }
    let mut scene = Scene { servers, crew, positions: Positions::follow(&client) };
    let feeding = tokio::spawn(Arc::clone(&feeder).run());
    let recoveries = break_things(&mut scene, faults, &feeder).await?;
    let during = records - feeder.left();
    feeding.abort();
    settle(&mut scene, feeder).await?;
    scene.crew.dismiss().await?;
    let mut verdict = examine(&scene, &client.database(NAME), seed, records, &program, &schema).await?;
    verdict.wrong.extend(scene.crew.ended_by_themselves.iter().map(|ended| format!("ended by itself: {ended}")));
    recoveries.print()?;
    output::line(format!("\n{records} records, {during} of them sent while things broke"))?;
    report::print_verdict(&verdict)?;
    scene.servers.stop().await?;
    let holds = verdict.wrong.is_empty();
    output::line(format!("seed {seed}: {}", if holds { "everything holds" } else { "NOT everything holds" }))?;
    Ok(holds)
}

/// Does every fault, each after the recovery from the one before.
async fn break_things(scene: &mut Scene, faults: &[Fault], feeder: &Feeder) -> Result<Recoveries> {
    let begun = Instant::now();
    let mut recoveries = Recoveries::default();
    let first = scene.recover(begun).await.context("the workers do not begin")?;
    output::line(format!("the workers began after {:.1} s", first.all.as_secs_f64()))?;
    for (number, &fault) in (1..).zip(faults) {
        tokio::time::sleep(Duration::from_millis(fault.pause_ms)).await;
        let about = || format!("fault {number}, {}", fault.kind);
        let done = scene.inject(fault).await.with_context(about)?;
        let recovery = scene.recover(done.end).await.with_context(about)?;
        recoveries.add(fault.kind, recovery);
        report::print_fault(number, faults.len(), begun.elapsed(), fault.kind, &done.what, recovery)?;
        feeder.next_fault();
    }
    Ok(recoveries)
}

/// Sends what is left and waits until everything is read.
async fn settle(scene: &mut Scene, feeder: Arc<Feeder>) -> Result<()> {
    feeder.finish().await?;
    let client = scene.servers.client_config();
    let ends = tokio::task::spawn_blocking(move || topic::ends(&client)).await??;
    scene.positions.wait_for("everything is read", |snapshot| snapshot.next == ends).await.map(drop)
}

/// Publishes what the workers have left, and compares.
async fn examine(
    scene: &Scene,
    database: &mongodb::Database,
    seed: u64,
    records: u64,
    program: &Path,
    schema: &Path,
) -> Result<Verdict> {
    let (brokers, uri) = (scene.servers.kafka.brokers().to_owned(), scene.servers.mongodb.uri());
    let command = |name: &[&str]| {
        let mut command = tokio::process::Command::new(program);
        command.args(name).args(common_arguments(schema, &brokers, &uri)).kill_on_drop(true);
        command
    };
    let last = command(&["run", "--until-end", "--allow-dead"]).output().await?;
    ensure!(last.status.success(), "the last run failed: {}", String::from_utf8_lossy(&last.stderr));
    let client = scene.servers.client_config();
    let log = tokio::task::spawn_blocking(move || topic::read(&client)).await??;
    let mut verdict = verify(database, seed, records, &log).await?;
    let audit = command(&["audit"]).output().await?;
    output::line(format!("\n{}", String::from_utf8_lossy(&audit.stdout).trim_end()))?;
    if !audit.status.success() {
        verdict.wrong.push(format!("the audit found differences {}", String::from_utf8_lossy(&audit.stderr)));
    }
    Ok(verdict)
}

/// `ingest`, which stands beside this program.
fn program() -> Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("ingest");
    if !program.is_file() {
        bail!("{} is not there; `cargo build --release` makes it", program.display());
    }
    Ok(program)
}

/// Removes the folder; servers and workers were told to end, and may write into it for a moment yet.
async fn remove(folder: TempDir) {
    let path = folder.keep();
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::fs::remove_dir_all(&path).is_err() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Keeps what workers and servers have said, and deletes the servers' data.
fn keep_logs(folder: TempDir) -> Result<()> {
    let folder = folder.keep();
    for entry in std::fs::read_dir(&folder)? {
        let data = entry?.path().join("data");
        if data.is_dir() {
            // A server that is just ending may still write there; what stays then is only disk space.
            let _ = std::fs::remove_dir_all(data);
        }
    }
    output::line(format!("the logs of workers and servers are in {}", folder.display()))?;
    Ok(())
}
