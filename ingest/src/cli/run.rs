//! `ingest run`: the worker with its progress, its status file and its signals.

use super::{Run, output};
use crate::background::{StatusWriter, WorkerFolder};
use crate::breaker;
use crate::config::Config;
use crate::error::IngestError;
use crate::progress::Progress;
use crate::schema;
use crate::store::Counts;
use crate::topic::TopicInspector;
use crate::worker::{self, Until};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

const BAR_INTERVAL: Duration = Duration::from_millis(200);
const LOG_INTERVAL: Duration = Duration::from_secs(5);

pub(super) fn run(args: &Run) -> anyhow::Result<ExitCode> {
    let config = args.config()?;
    let runtime = super::commands::runtime()?;
    let ended = runtime.block_on(work(args, config));
    // A question to a broker that is away may still wait for its answer, which nobody wants any more.
    runtime.shutdown_background();
    let (counts, verdict) = ended?;
    output::line(serde_json::to_string(&counts)?)?;
    verdict?;
    Ok(ExitCode::SUCCESS)
}

/// Runs the worker; what it did, and whether its records could be used.
async fn work(args: &Run, config: Config) -> Result<(Counts, Result<(), IngestError>), IngestError> {
    let ratio = config.settings.dead_ratio;
    let schema = schema::load(&config.settings.schema)?;
    let progress = Arc::new(Progress::default());
    let until = if args.until_end { Until::End } else { Until::Stopped };
    let mut status = match &args.worker_folder {
        Some(folder) => Some(status_writer(folder, &config, &progress)?),
        None => None,
    };
    // Only a bar shows it: without one, nothing is asked before the worker starts.
    let total = if args.until_end && args.shows_bar() { total(&config).await } else { None };
    let worker = worker::run(config, schema, until, Arc::clone(&progress), stopped()?);
    let outcome = tokio::select! {
        outcome = worker => outcome,
        () = show_bar(&progress, total), if args.shows_bar() => Err(IngestError::Bug("the progress ended".into())),
        () = log_rate(&progress), if !args.shows_bar() => Err(IngestError::Bug("the progress ended".into())),
        () = keep_status(&mut status) => Err(IngestError::Bug("the status ended".into())),
    };
    let verdict = match &outcome {
        Ok(counts) if !args.allow_dead => judge(*counts, until, ratio, progress.snapshot().first_dead),
        _ => Ok(()),
    };
    if let Some(status) = &mut status {
        status.write(outcome.as_ref().err().or(verdict.as_ref().err()).map(ToString::to_string));
    }
    Ok((outcome?, verdict))
}

/// Whether a run that has ended by itself, or was ended, could use its records; the breaker has only judged full samples.
fn judge(counts: Counts, until: Until, ratio: f64, first: Option<String>) -> Result<(), IngestError> {
    let ratio = if until == Until::End { ratio } else { 1.0 };
    let passed = counts.read - counts.filtered;
    let Some(mut problem) = breaker::judge(passed, counts.dead, ratio) else { return Ok(()) };
    if counts.filtered > 0 {
        problem += &format!(" ({} others are left out by the filter)", counts.filtered);
    }
    let first = first.map_or_else(String::new, |first| format!("; the first: {first}"));
    Err(IngestError::TooManyDeadLetters(format!(
        "{problem}{first}. `ingest dead list` shows the dead letters. Correct the schema, then `ingest dead replay` settles them; \
         `--allow-dead` accepts a run like this one"
    )))
}

fn status_writer(
    folder: &std::path::Path,
    config: &Config,
    progress: &Arc<Progress>,
) -> Result<StatusWriter, IngestError> {
    let inspector = TopicInspector::new(config)?;
    let settings = &config.settings;
    StatusWriter::new(WorkerFolder::at(folder), &settings.topic, &settings.database, Arc::clone(progress), inspector)
}

async fn keep_status(status: &mut Option<StatusWriter>) {
    match status {
        Some(status) => status.keep_writing().await,
        None => std::future::pending().await,
    }
}

/// Resolves at the first Ctrl-C or SIGTERM; the second ends the process at once (invariant I9).
fn stopped() -> Result<impl Future<Output = ()>, IngestError> {
    let fail = |error: std::io::Error| IngestError::Outside(format!("signals cannot be received: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(fail)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(fail)?;
    Ok(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        tracing::info!("finishing the open batches; a second signal ends at once");
        tokio::spawn(async move {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            std::process::exit(130);
        });
    })
}

/// Records between what the group has stored and the end of the topic.
async fn total(config: &Config) -> Option<u64> {
    let marks = TopicInspector::new(config).ok()?.watermarks().await.ok()?;
    let store = crate::store::Store::connect(config).await.ok()?;
    let positions = store.positions().await;
    store.close().await;
    let positions = positions.ok()?;
    let open = marks
        .iter()
        .map(|marks| marks.high - positions.get(&marks.partition).map_or(marks.low, |position| position.next));
    u64::try_from(open.sum::<i64>()).ok()
}

async fn show_bar(progress: &Progress, total: Option<u64>) {
    let template = match total {
        Some(_) => "{bar:30} {human_pos}/{human_len} records  {per_sec}  {eta} left  {msg}",
        None => "{spinner} {human_pos} records  {per_sec}  {msg}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr()).with_style(style);
    loop {
        let snapshot = progress.snapshot();
        bar.set_position(u64::try_from(snapshot.counts.read).unwrap_or_default());
        let rebuilds = snapshot.rebuilds().collect::<Vec<_>>().join(", ");
        bar.set_message(if snapshot.waiting_for.is_empty() {
            rebuilds
        } else {
            format!("waiting for {}", snapshot.waiting_for)
        });
        tokio::time::sleep(BAR_INTERVAL).await;
    }
}

async fn log_rate(progress: &Progress) {
    let (mut read, mut since) = (0, Instant::now());
    loop {
        tokio::time::sleep(LOG_INTERVAL).await;
        let snapshot = progress.snapshot();
        if snapshot.counts.read != read {
            let rate = (snapshot.counts.read - read) as f64 / since.elapsed().as_secs_f64();
            let counts = snapshot.counts;
            tracing::info!(
                stored = counts.stored,
                duplicate = counts.duplicate,
                filtered = counts.filtered,
                dead = counts.dead,
                "{} records read, {rate:.0}/s",
                counts.read
            );
        }
        snapshot.rebuilds().for_each(|rebuild| tracing::info!("{rebuild}"));
        (read, since) = (snapshot.counts.read, Instant::now());
    }
}
