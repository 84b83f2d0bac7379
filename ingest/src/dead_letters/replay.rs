//! Decodes dead letters again and settles those that the present schema can use.
//!
//! A batch of letters is one transaction: events, states, counts and letters change together or not at all. A replay that was
//! cut short is simply begun again, and one that runs beside a worker or another replay meets them in the positions that all of
//! them change.

use super::Letter;
use super::filter::{self, LetterFilter, LetterState};
use super::settle::Settlement;
use crate::commit::{Before, Committer, Outcome, Transient};
use crate::config::Config;
use crate::error::IngestError;
use crate::lane::Backoff;
use crate::publish::{self, Finish, PublishContext, Waiting};
use crate::stamp::{Counting, PlanInForce};
use crate::store::{Counts, MongoSink, Store};
use crate::stream::{self, StoredStream};
use crate::topic::TopicInspector;
use crate::worker::worker_name;
use bson::{Bson, DateTime, Document, doc};
use futures_util::TryStreamExt;
use model::clock::EventClock;
use model::decode::Decoder;
use model::layout::{DEAD_LETTERS, OFFSETS};
use model::schema::Schema;
use mongodb::error::Error;
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

const LETTERS_PER_BATCH: usize = 500;
const BYTES_PER_BATCH: usize = 4 << 20;
/// How long one batch is tried while MongoDB does not answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// A group that stored an event within this time has a worker with records to read.
const RECENTLY_MS: i64 = 10_000;

/// What became of the letters that were replayed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ReplayReport {
    /// Letters decoded again.
    pub replayed: i64,
    /// Became an event.
    pub stored: i64,
    /// Had the id of a stored event.
    pub duplicate: i64,
    /// Had the id of a stored event and other contents; these are among the duplicates.
    pub duplicate_changed: i64,
    /// Left out by the schema's filter.
    pub filtered: i64,
    /// Stored after a window of theirs had closed; these are among the stored.
    pub late: i64,
    /// Too late for their windows, where the schema sets those aside; these are among the stored.
    pub set_aside: i64,
    /// Still cannot be used; they stay open.
    pub still_dead: i64,
}

impl ReplayReport {
    fn add(&mut self, counts: Counts) {
        self.replayed += counts.read;
        self.stored += counts.stored;
        self.duplicate += counts.duplicate;
        self.duplicate_changed += counts.duplicate_changed;
        self.filtered += counts.filtered;
        self.late += counts.late;
        self.set_aside += counts.set_aside;
        self.still_dead += counts.dead;
    }

    /// Whether the replay has settled anything, if there was anything to settle.
    ///
    /// # Errors
    /// [`IngestError::TooManyDeadLetters`] if every letter still cannot be used.
    pub fn judge(&self) -> Result<(), IngestError> {
        if self.replayed == 0 || self.still_dead < self.replayed {
            return Ok(());
        }
        Err(IngestError::TooManyDeadLetters(format!(
            "none of {} dead letters can be used with this schema; `ingest dead list --state open` says why",
            self.replayed
        )))
    }
}

impl fmt::Display for ReplayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { replayed, stored, duplicate, filtered, still_dead, .. } = self;
        if *replayed == 0 {
            return f.write_str("no open dead letter fits; `ingest dead list` shows all");
        }
        write!(f, "{replayed} dead letters: {stored} stored, {duplicate} duplicate, {filtered} filtered")?;
        match still_dead {
            0 => Ok(()),
            _ if still_dead == replayed => write!(f, ", {still_dead} still cannot be used"),
            _ => write!(f, ", {still_dead} still cannot be used; `ingest dead list --state open` says why"),
        }
    }
}

/// Replays the open letters that fit `filter`, and publishes what they change in the rollups.
///
/// # Errors
/// [`IngestError::Usage`] where the schema's rollups are not those that the worker counts into, [`IngestError::Outside`] where a
/// rebuild is under way or MongoDB does not answer. What was settled until then stays settled.
pub async fn replay(config: &Config, schema: Schema, filter: &LetterFilter) -> Result<ReplayReport, IngestError> {
    let store = Store::connect(config).await?;
    let outcome = replay_in(config, &store, Arc::new(schema), filter).await;
    store.close().await;
    outcome
}

async fn replay_in(
    config: &Config,
    store: &Store,
    schema: Arc<Schema>,
    filter: &LetterFilter,
) -> Result<ReplayReport, IngestError> {
    let mut ground = store.check_ownership(&schema).await.map_err(|error| store.explain(&error))?;
    stream::check_gone(store, &schema, &mut ground).await?;
    let worker = worker_name();
    let stored = StoredStream::read(store, &schema).await.map_err(|error| store.outside(&error))?;
    // No letter is settled while a rebuild goes on.
    let counting = Counting { plan: stored.map_or(0, |stream| stream.plan), rebuilding: false };
    let plan = Arc::new(PlanInForce::new(counting));
    let replay = Replay {
        decoder: Decoder::new(&schema).map_err(|error| IngestError::Usage(error.to_string()))?,
        committer: Committer::new(
            MongoSink::new(store.clone(), Arc::clone(&schema)),
            Arc::clone(&schema),
            Arc::clone(&plan),
            worker.clone(),
            config.commit_timeout,
        ),
        store: store.clone(),
        schema: Arc::clone(&schema),
    };
    let positions = replay.positions().await.map_err(|error| store.outside(&error))?;
    if positions.is_empty() {
        return Ok(ReplayReport::default());
    }
    replay.check(&positions)?;
    let report = replay.run(filter).await?;
    publish_rows(config, store, schema, plan, worker).await?;
    Ok(report)
}

struct Replay {
    store: Store,
    schema: Arc<Schema>,
    decoder: Decoder,
    committer: Committer<MongoSink>,
}

impl Replay {
    async fn run(&self, filter: &LetterFilter) -> Result<ReplayReport, IngestError> {
        let open = LetterFilter { state: Some(LetterState::Open), ..filter.clone() };
        // What a replay changes in a letter is no part of the sort, so the cursor meets every letter once.
        let mut cursor = filter::find(&self.store, &open, 0).await?;
        let (mut report, mut letters, mut bytes) = (ReplayReport::default(), Vec::new(), 0);
        while let Some(letter) = cursor.try_next().await.map_err(|error| self.store.outside(&error))? {
            bytes += letter.payload.as_ref().map_or(0, |payload| payload.bytes.len());
            letters.push(letter);
            if letters.len() >= LETTERS_PER_BATCH || bytes >= BYTES_PER_BATCH {
                report.add(self.settle(std::mem::take(&mut letters)).await?);
                bytes = 0;
                tracing::info!("{} letters replayed", report.replayed);
            }
        }
        report.add(self.settle(letters).await?);
        Ok(report)
    }

    /// Settles the letters that can be used, those of them that are still open.
    async fn settle(&self, mut letters: Vec<Letter>) -> Result<Counts, IngestError> {
        let deadline = Instant::now() + PATIENCE;
        let mut backoff = Backoff::default();
        while !letters.is_empty() {
            let settlement = Settlement::new(&self.decoder, &letters);
            let positions = self.positions().await.map_err(|error| self.store.outside(&error))?;
            match self.committer.settle(&settlement, &before(&positions)).await {
                Outcome::Committed(committed) => return Ok(committed.counts()),
                Outcome::Unknown(committed, error) => {
                    tracing::warn!(error, "the result of a commit is not known; reading the letters");
                    if self.landed(&settlement).await? {
                        return Ok(committed.counts());
                    }
                }
                Outcome::Fenced => {
                    let positions = self.positions().await.map_err(|error| self.store.outside(&error))?;
                    self.check(&positions)?;
                }
                Outcome::Fatal(problem) => {
                    return Err(IngestError::Outside(format!("MongoDB refuses to settle letters: {problem}")));
                }
                Outcome::Conflict(problem) => {
                    tracing::debug!(problem, "meeting the worker or another replay; trying again")
                }
                Outcome::Unreachable(Transient { cause, detail }) if Instant::now() < deadline => {
                    tracing::warn!(error = detail, "letters could not be settled; waiting for {cause}");
                }
                Outcome::Unreachable(transient) => return Err(self.store.unavailable(&transient)),
            }
            backoff.wait().await;
            letters = self.still_open(&letters).await.map_err(|error| self.store.outside(&error))?;
        }
        Ok(Counts::default())
    }

    /// Whether a commit without an answer is in the store. One that only renewed messages can be done again.
    async fn landed(&self, settlement: &Settlement) -> Result<bool, IngestError> {
        let by = doc! { "_id": { "$in": settlement.letters() }, "settled.replay": settlement.id() };
        let found = self.store.collection::<Document>(DEAD_LETTERS).find_one(by).await;
        Ok(!settlement.settles_any() || found.map_err(|error| self.store.outside(&error))?.is_some())
    }

    async fn still_open(&self, letters: &[Letter]) -> Result<Vec<Letter>, Error> {
        let ids: Vec<&str> = letters.iter().map(|letter| letter.id.as_str()).collect();
        let open = doc! { "_id": { "$in": ids }, "settled": Bson::Null };
        let letters = self.store.collection::<Letter>(DEAD_LETTERS);
        letters.find(open).sort(doc! { "partition": 1, "offset": 1 }).await?.try_collect().await
    }

    async fn positions(&self) -> Result<Vec<Document>, Error> {
        let ours = doc! { "topic": self.store.topic(), "group": self.store.group() };
        self.store.collection::<Document>(OFFSETS).find(ours).await?.try_collect().await
    }

    /// The events must be counted into the tables that the worker counts into, or rows would miss them.
    fn check(&self, positions: &[Document]) -> Result<(), IngestError> {
        let tables: Vec<&str> = self.schema.rollups().tables().iter().map(|table| table.id()).collect();
        for position in positions {
            let list = |name: &str| -> Vec<&str> {
                position.get_array(name).into_iter().flatten().filter_map(Bson::as_str).collect()
            };
            let id = position.get_str("_id").unwrap_or_default();
            if !list("rebuilding").is_empty() {
                return Err(IngestError::Outside(format!(
                    "{id}: a rollup is being rebuilt from the stored events; replay when that is done (`ingest run` goes on with it)"
                )));
            }
            let stored = list("tables");
            if stored.len() != tables.len() || !tables.iter().all(|table| stored.contains(table)) {
                return Err(IngestError::Usage(format!(
                    "{id}: the schema {} asks for other rollup states than the worker counts into, so they differ; run `ingest run` with \
                     this schema first, then replay",
                    self.schema.name()
                )));
            }
        }
        Ok(())
    }
}

fn before(positions: &[Document]) -> HashMap<i32, Before> {
    let before = |position: &Document| {
        let time = position.get_datetime("clock").ok().map(|clock| clock.timestamp_millis());
        // No position is moved, so nothing is asked of its gaps.
        Some((position.get_i32("partition").ok()?, Before { clock: EventClock::restored(time), gaps: 0 }))
    };
    positions.iter().filter_map(before).collect()
}

/// Publishes what waits, as a run to the end of the topic does; beside a worker that is reading, only as long as it would wait itself.
async fn publish_rows(
    config: &Config,
    store: &Store,
    schema: Arc<Schema>,
    plan: Arc<PlanInForce>,
    worker: String,
) -> Result<(), IngestError> {
    let positions = store.positions().await.map_err(|error| store.outside(&error))?;
    let now = DateTime::now().timestamp_millis();
    let is_fed = |at: Option<DateTime>| at.is_some_and(|at| now - at.timestamp_millis() < RECENTLY_MS);
    let is_read = positions.values().any(|position| is_fed(position.stored_at));
    let patience = async {
        match is_read {
            true => tokio::time::sleep(config.drain_timeout).await,
            false => std::future::pending().await,
        }
    };
    let context = PublishContext {
        store: store.clone(),
        waiting: Arc::new(Waiting::new(schema.rollups())),
        schema,
        plan,
        rejoin: Arc::default(),
        progress: Arc::default(),
        inspector: TopicInspector::new(config)?,
        worker,
        interval: config.publish_interval,
        rebuild_events: config.settings.rebuild_events,
    };
    publish::start(&context).finish(Finish::Rows, patience).await?;
    Ok(())
}
