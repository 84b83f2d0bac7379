//! `ingest rebuild`: counts the stored events into rollups anew, also while workers run.

use super::Rebuild;
use super::commands::{chosen, print, runtime};
use crate::config::Config;
use crate::error::IngestError;
use crate::progress::Progress;
use crate::publish::{self, Finish, PublishContext, Waiting};
use crate::stamp::{Counting, PlanInForce};
use crate::store::Store;
use crate::stream::Consent;
use crate::topic::TopicInspector;
use crate::{schema, stream, worker};
use indicatif::{ProgressBar, ProgressStyle};
use model::rollup::Rollup;
use model::schema::Schema;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

const BAR_INTERVAL: Duration = Duration::from_millis(200);

/// What was rebuilt.
#[derive(Debug, Serialize)]
struct Report {
    /// The rollups whose rows were made anew.
    rollups: Vec<String>,
    /// Events that were counted, once for each state table.
    events: i64,
    seconds: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rollups, events, seconds } = self;
        let rate = *events as f64 / seconds.max(0.001);
        write!(f, "rebuilt {}: {events} events counted in {seconds:.1} s ({rate:.0}/s)", rollups.join(", "))
    }
}

pub(super) fn rebuild(args: &Rebuild) -> anyhow::Result<ExitCode> {
    let consent = Consent { lost_history: args.accept_lost_history, ..Consent::default() };
    let config = Config { consent, ..args.shown.common.config()? };
    let schema = schema::load(&config.settings.schema)?;
    let asked = chosen(&schema, &args.rollups)?;
    let tables: BTreeSet<usize> = asked.iter().map(|rollup| rollup.table()).collect();
    let report = runtime()?.block_on(async {
        let store = Store::connect(&config).await?;
        let done = rebuild_tables(&config, &store, &schema, &tables).await;
        store.close().await;
        done
    })?;
    print(&report, args.shown.json)
}

async fn rebuild_tables(
    config: &Config,
    store: &Store,
    schema: &Schema,
    tables: &BTreeSet<usize>,
) -> Result<Report, IngestError> {
    let begun = Instant::now();
    let plan = schema.rollups();
    let again: Vec<_> = tables.iter().map(|&place| &plan.tables()[place]).collect();
    stream::check_stream(store, schema).await?;
    let number = stream::prepare(store, schema, &again, config.consent).await?;
    let progress = Arc::new(Progress::default());
    let context = PublishContext {
        store: store.clone(),
        schema: Arc::new(schema.clone()),
        waiting: Arc::new(Waiting::new(plan)),
        plan: Arc::new(PlanInForce::new(Counting { plan: number, rebuilding: true })),
        rejoin: Arc::default(),
        progress: Arc::clone(&progress),
        inspector: TopicInspector::new(config)?,
        worker: worker::worker_name(),
        interval: config.publish_interval,
        rebuild_events: config.settings.rebuild_events,
    };
    tokio::select! {
        published = publish::start(&context).finish(Finish::Rows, std::future::pending()) => published?,
        () = show(&progress) => {}
        _ = tokio::signal::ctrl_c() => {
            return Err(IngestError::Outside(
                "interrupted; a worker finishes the rebuild, or `ingest rebuild` with the same rollups".into(),
            ));
        }
    }
    let made = plan.rollups().iter().filter(|rollup| tables.contains(&rollup.table()));
    Ok(Report {
        rollups: made.map(|rollup| Rollup::name(rollup).to_owned()).collect(),
        events: progress.snapshot().recounted,
        seconds: begun.elapsed().as_secs_f64(),
    })
}

/// A bar on a terminal, nothing elsewhere; never ends.
async fn show(progress: &Progress) {
    let style = ProgressStyle::with_template("{bar:30} {human_pos}/{human_len} events  {per_sec}  {eta} left");
    let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    loop {
        let snapshot = progress.snapshot();
        let sum = |part: fn(&crate::progress::Rebuilding) -> i64| -> u64 {
            snapshot.rebuilding.values().map(|rebuild| u64::try_from(part(rebuild)).unwrap_or_default()).sum()
        };
        if !snapshot.rebuilding.is_empty() {
            bar.set_length(sum(|rebuild| rebuild.of));
            bar.set_position(sum(|rebuild| rebuild.counted));
        }
        tokio::time::sleep(BAR_INTERVAL).await;
    }
}
