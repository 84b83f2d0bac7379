//! The commands other than `run`.

use super::{Audit, Check, Common, Logs, Produce, Run, Shown, output};
use crate::audit::{self, AuditReport, Range};
use crate::background::{self, Status, WorkerFolder};
use crate::config::Config;
use crate::error::IngestError;
use crate::files::Decimal;
use crate::produce::{self, ProgressDisplay, Target};
use crate::store::Store;
use crate::{check as checks, schema, stream};
use model::layout::LATE;
use model::rollup::Rollup;
use model::schema::Schema;
use sample::GenerateArgs;
use serde::Serialize;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Partitions of a topic that `produce` makes.
const DEFAULT_PARTITIONS: i32 = 6;

pub(super) fn generate(args: &GenerateArgs) -> anyhow::Result<ExitCode> {
    let options = args.options().map_err(|error| IngestError::Usage(error.to_string()))?;
    let report = sample::generate(&options)?;
    print(&report, args.json)
}

pub(super) fn produce(args: &Produce) -> anyhow::Result<ExitCode> {
    let common = Common {
        config: args.config.clone(),
        brokers: args.brokers.clone(),
        schema: args.schema.clone(),
        set: args.set.clone(),
        ..Common::default()
    };
    let settings = common.config()?.settings;
    let schema = schema::load(&settings.schema)?;
    let target = Target {
        brokers: settings.brokers,
        topic: settings.topic,
        partitions: DEFAULT_PARTITIONS,
        key_field: schema.message_key().map(str::to_owned),
        kafka: settings.kafka,
    };
    let stop = stop_on_interrupt()?;
    let mut produce = args.produce.settings(target);
    if schema.states_decimal() {
        // The schema reads the numbers, so cells have to reach it as they stand.
        if produce.form.decimal.replace(Decimal::Point).is_some() {
            let problem = "the schema states a decimal mark, which --decimal would contradict; leave one of them out";
            return Err(IngestError::Usage(problem.to_owned()).into());
        }
    }
    let report = produce::produce(&produce, &mut ProgressDisplay::new(), &stop)?;
    print(&report, args.produce.json)?;
    if report.broken > 0 && !args.produce.allow_broken {
        return Err(IngestError::Outside(format!(
            "broken records left out: {}; the first of them are named above (--allow-broken takes that for done)",
            report.broken
        ))
        .into());
    }
    Ok(if report.interrupted { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A flag that the first Ctrl-C sets; the second ends the process at once.
fn stop_on_interrupt() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            while tokio::signal::ctrl_c().await.is_ok() {
                if flag.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
            }
        });
    });
    Ok(stop)
}

pub(super) fn start(args: &Run) -> anyhow::Result<ExitCode> {
    let config = args.config()?;
    // A mistake in the schema is said here, not in a log.
    schema::load(&config.settings.schema)?;
    let arguments: Vec<String> =
        std::env::args().skip(1).map(|word| if word == "start" { "run".into() } else { word }).collect();
    let status = background::start(&folder(&config), &std::env::current_exe()?, &arguments)?;
    let pid = status.process.pid;
    output::line(format!("the worker runs (process {pid}); `ingest status` shows it, `ingest stop` ends it"))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn stop(common: &Common) -> anyhow::Result<ExitCode> {
    let config = common.config()?;
    let patience = config.drain_timeout * 2 + Duration::from_secs(5);
    let stopped = background::stop(&folder(&config), patience)?;
    output::line(if stopped { "the worker has ended" } else { "no worker is running" })?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn status(args: &Shown) -> anyhow::Result<ExitCode> {
    let status = folder(&args.common.config()?).status()?;
    if args.json {
        output::line(serde_json::to_string_pretty(&status)?)?;
    } else {
        output::line(describe(&status))?;
    }
    Ok(if status.running { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn describe(status: &Status) -> String {
    let counts = status.progress.counts;
    let mut lines = vec![match (status.running, status.process.pid) {
        (true, 0) => "running: a worker that has not written its status yet".into(),
        (true, pid) => format!("running: process {pid}, topic {}, database {}", status.topic, status.database),
        (false, 0) => "not running; `ingest start` starts it".into(),
        (false, pid) => format!("not running; the last worker was process {pid}"),
    }];
    if status.process.pid != 0 {
        let lag = status.lag.map_or_else(|| "unknown".into(), |lag| lag.to_string());
        lines.push(format!("records: {} read, {:.0}/s, {lag} behind", counts.read, status.records_per_second));
        lines.push(format!(
            "         {} stored, {} duplicate, {} filtered, {} dead, {} late",
            counts.stored, counts.duplicate, counts.filtered, counts.dead, counts.late
        ));
        if counts.duplicate_changed > 0 {
            lines.push(format!(
                "         {} of the duplicate had other contents than the stored event, which stays",
                counts.duplicate_changed
            ));
        }
        if counts.set_aside > 0 {
            lines.push(format!("         {} of the late set aside: collection {LATE}, in no rollup", counts.set_aside));
        }
        lines.push(format!(
            "batches: {} committed, {} retries, {} fenced",
            status.progress.batches, status.progress.retries, status.progress.fenced
        ));
    }
    lines.extend(status.progress.gaps.iter().map(|gap| format!("lost:    {gap}")));
    if status.running {
        lines.extend(status.progress.rebuilds());
    }
    if !status.progress.waiting_for.is_empty() {
        lines.push(format!("waiting for {}", status.progress.waiting_for));
    }
    let unpublished = status.progress.unpublished.iter();
    lines.extend(unpublished.map(|(table, problem)| format!("rows of {table} wait for {problem}")));
    lines.extend(status.progress.halted.values().cloned());
    lines.extend(status.error.iter().map(|error| format!("ended by: {error}")));
    lines.join("\n")
}

pub(super) fn logs(args: &Logs) -> anyhow::Result<ExitCode> {
    let log = folder(&args.common.config()?).log();
    let lines = background::last_lines(&log, args.lines).map_err(|error| {
        IngestError::Outside(format!("there is no log at {}: {error}; `ingest start` writes one", log.display()))
    })?;
    lines.iter().try_for_each(output::line)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn check(args: &Check) -> anyhow::Result<ExitCode> {
    let config = args.shown.common.config()?;
    if args.adopt {
        runtime()?.block_on(checks::adopt(&config))?;
        output::note("the collections are this program's; `ingest audit` says whether their rows are complete");
    }
    let findings = runtime()?.block_on(checks::check(&config));
    if args.shown.json {
        output::line(serde_json::to_string_pretty(&findings)?)?;
    } else {
        for finding in &findings {
            let mark = match (finding.holds, finding.warns) {
                (false, _) => "FAIL",
                (true, true) => "warn",
                (true, false) => "ok  ",
            };
            output::line(format!("{mark} {:<13} {}", finding.what, finding.detail))?;
        }
    }
    Ok(if findings.iter().all(|finding| finding.holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(super) fn audit(args: &Audit) -> anyhow::Result<ExitCode> {
    let config = args.shown.common.config()?;
    let schema = schema::load(&config.settings.schema)?;
    let names: Vec<String> = args.rollups.iter().chain(&args.also).cloned().collect();
    let rollups = chosen(&schema, &names)?;
    let range =
        Range::new(args.from.as_deref(), args.to.as_deref()).map_err(|error| IngestError::Usage(error.to_string()))?;
    let reports = runtime()?.block_on(async {
        let store = Store::connect(&config).await?;
        let reports = audit_all(&store, &schema, &rollups, range).await;
        store.close().await;
        reports
    })?;
    if args.shown.json {
        output::line(serde_json::to_string_pretty(&reports)?)?;
    } else {
        reports.iter().map(sentence).try_for_each(output::line)?;
    }
    Ok(if reports.iter().all(AuditReport::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn audit_all(
    store: &Store,
    schema: &Schema,
    rollups: &[&Rollup],
    range: Range,
) -> Result<Vec<AuditReport>, IngestError> {
    store.check_ownership(schema).await.map_err(|error| store.explain(&error))?;
    stream::check_stream(store, schema).await?;
    let mut reports = Vec::new();
    for rollup in rollups {
        reports.push(audit::audit(store, schema, rollup, range).await?);
    }
    Ok(reports)
}

pub(super) fn chosen<'a>(schema: &'a Schema, names: &[String]) -> Result<Vec<&'a Rollup>, IngestError> {
    if names.is_empty() {
        return Ok(schema.rollups().rollups().iter().collect());
    }
    names
        .iter()
        .map(|name| {
            schema.rollups().find(name).ok_or_else(|| {
                let known: Vec<_> = schema.rollups().rollups().iter().map(Rollup::name).collect();
                IngestError::Usage(format!("there is no rollup {name}; the schema has {}", known.join(", ")))
            })
        })
        .collect()
}

fn sentence(report: &AuditReport) -> String {
    if report.rebuilding {
        return format!("WAIT  {}: it is being rebuilt; `ingest run` goes on with it", report.rollup);
    }
    let (rollup, rows) = (&report.rollup, report.rows);
    let mut text = match (report.differences, report.unchecked) {
        (0, 0) => format!("ok    {rollup}: {rows} rows equal their events"),
        (0, _) => format!("GONE  {rollup}: {rows} rows equal their events"),
        (differences, _) => format!("WRONG {rollup}: {differences} of {rows} rows differ from their events"),
    };
    text.push_str(&unchecked(report));
    for example in &report.examples {
        text.push_str("\n      ");
        text.push_str(example);
    }
    if report.unpublished > 0 {
        text.push_str("\n      newer events are not published yet; the worker publishes them");
    }
    text
}

/// What of a rollup could not be compared, and why.
fn unchecked(report: &AuditReport) -> String {
    let AuditReport { unchecked, gone, .. } = report;
    let windows = match (&report.unchecked_from, &report.unchecked_to) {
        _ if *unchecked == 0 => return String::new(),
        (Some(from), Some(to)) if from == to => format!(" of the window {from}"),
        (Some(from), Some(to)) => format!(" of windows from {from} to {to}"),
        _ => String::new(),
    };
    format!(
        "; {unchecked} rows{windows} cannot be checked, because {gone} events that the rollup has counted are no longer stored (retention or \
         a delete). `--from` and `--to` choose other windows"
    )
}

pub(super) fn config(args: &Shown) -> anyhow::Result<ExitCode> {
    let loaded = args.common.load().map_err(|error| IngestError::Usage(error.to_string()))?;
    if args.json {
        output::line(serde_json::to_string_pretty(&loaded.origins)?)?;
    } else {
        for origin in &loaded.origins {
            output::line(format!("{:<20} {:<45} {}", origin.name, origin.value, origin.from))?;
        }
    }
    Config::new(loaded.settings).map_err(|error| IngestError::Usage(error.to_string()))?;
    Ok(ExitCode::SUCCESS)
}

fn folder(config: &Config) -> WorkerFolder {
    WorkerFolder::of(&config.settings)
}

pub(super) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

pub(super) fn print(report: &(impl Serialize + std::fmt::Display), json: bool) -> anyhow::Result<ExitCode> {
    if json {
        output::line(serde_json::to_string(report)?)?;
    } else {
        output::line(report)?;
    }
    Ok(ExitCode::SUCCESS)
}
