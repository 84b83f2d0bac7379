//! The worker: source → lanes → MongoDB, with the publisher beside them.
//!
//! The worker itself only routes: it answers assignments with stored positions, hands chunks to lanes, drains the lanes at a revoke
//! and at the end, and stops the run at the first failure. Its rule for ending is invariant I9: open batches are finished or
//! dropped within the drain timeout.

mod positions;
mod router;

pub use router::{Begun, Router};

use crate::absent_fields::AbsentFields;
use crate::breaker::BreakerLimits;
use crate::commit::{Before, Committer};
use crate::config::{Config, LostOffsets};
use crate::error::IngestError;
use crate::lane::{BatchLimits, LaneCommand, LaneContext};
use crate::progress::Progress;
use crate::publish::{self, Finish, PublishContext, RunningPublishers, Waiting};
use crate::source::{Fence, Source, SourceEvent, Watermarks};
use crate::stamp::{Counting, PlanInForce};
use crate::store::{Counts, MongoSink, Store};
use crate::stream;
use crate::topic::TopicInspector;
use futures_util::FutureExt;
use futures_util::future::{Fuse, FusedFuture};
use model::clock::AllowedLateness;
use model::decode::Decoder;
use model::schema::Schema;
use std::collections::HashSet;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

const TICK: Duration = Duration::from_millis(20);
const OTHERS_INTERVAL: Duration = Duration::from_millis(500);
/// How often the topic is asked whether it is still the same: one that is made again quickly leaves no other trace.
const TOPIC_INTERVAL: Duration = Duration::from_secs(10);

/// How long the Kafka client may take to leave its group. Without an answer of the broker the group notices by itself.
const LEAVE_PATIENCE: Duration = Duration::from_secs(5);

/// When a run ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// It does not: it follows the topic.
    Stopped,
    /// When everything that was in the topic at the start is in the store.
    End,
}

/// Runs a worker until it has reached its end, `shutdown` resolves, or it cannot go on; returns what its records became.
///
/// # Errors
/// [`IngestError`] says who must act. What was committed stays committed; everything else is read again by the next run.
pub async fn run(
    config: Config,
    schema: Schema,
    until: Until,
    progress: Arc<Progress>,
    shutdown: impl Future<Output = ()>,
) -> Result<Counts, IngestError> {
    let shutdown = shutdown.fuse();
    tokio::pin!(shutdown);
    let inspector = TopicInspector::new(&config)?;
    let prepared = async {
        let (store, ends) = tokio::try_join!(Store::connect(&config), inspector.watermarks())?;
        let plan = stream::prepare(&store, &schema, &[], config.consent).await?;
        Ok::<_, IngestError>((store, ends, plan))
    };
    let (store, ends, plan) = tokio::select! {
        biased;
        () = &mut shutdown => return Ok(Counts::default()),
        prepared = prepared => prepared?,
    };
    // Until the positions are read, a rebuild may be going on.
    let plan = Arc::new(PlanInForce::new(Counting { plan, rebuilding: true }));
    let partitions = ends.iter().map(|end| end.partition);
    let (mut worker, failures) = Worker::start(config, Arc::new(schema), plan, store, inspector, progress, partitions)?;
    if until == Until::End {
        worker.ends = Some(ends);
    }
    let outcome = worker.route(shutdown.as_mut(), failures).await;
    worker.finish(outcome, shutdown).await
}

/// Resolves where the worker is to end; later it stays pending, so that it can be asked for again.
type Shutdown<'s, F> = Pin<&'s mut Fuse<F>>;

/// What the worker does next.
enum Step {
    /// The topic's id was looked up.
    TopicId(String),
    /// It is time to look whether the end is reached.
    Tick,
    /// The poll thread tells something.
    Event(SourceEvent),
}

struct Worker {
    config: Config,
    schema: Arc<Schema>,
    plan: Arc<PlanInForce>,
    store: Store,
    fence: Arc<Fence>,
    progress: Arc<Progress>,
    source: Source,
    events: mpsc::Receiver<SourceEvent>,
    router: Router,
    publishers: RunningPublishers,
    inspector: TopicInspector,
    absent_fields: Arc<AbsentFields>,
    /// Name of this worker in positions and leases.
    name: String,
    /// The topic that the assigned positions belong to, where the broker tells.
    topic_id: Option<String>,
    /// What the topic's id is found to be from time to time.
    topic_ids: mpsc::Receiver<String>,
    /// The end of the topic at the start, where the run stops there.
    ends: Option<Vec<Watermarks>>,
    /// Partitions of this assignment that were read to that end.
    finished: HashSet<i32>,
    others_asked: Instant,
}

impl Worker {
    fn start(
        config: Config,
        schema: Arc<Schema>,
        plan: Arc<PlanInForce>,
        store: Store,
        inspector: TopicInspector,
        progress: Arc<Progress>,
        partitions: impl Iterator<Item = i32>,
    ) -> Result<(Self, mpsc::UnboundedReceiver<IngestError>), IngestError> {
        let settings = &config.settings;
        let fence = Arc::new(Fence::default());
        let waiting = Arc::new(Waiting::new(schema.rollups()));
        let name = worker_name();
        let decoder = Decoder::new(&schema).map_err(|error| IngestError::Usage(error.to_string()))?;
        let (source, events) = Source::start(&config, Arc::clone(&fence), partitions)?;
        let absent_fields = Arc::new(AbsentFields::new(&schema));
        let (failures, failed) = mpsc::unbounded_channel();
        let context = Arc::new(LaneContext {
            decoder,
            committer: Committer::new(
                MongoSink::new(store.clone(), Arc::clone(&schema)),
                Arc::clone(&schema),
                Arc::clone(&plan),
                name.clone(),
                config.commit_timeout,
            ),
            fence: Arc::clone(&fence),
            progress: Arc::clone(&progress),
            waiting: Arc::clone(&waiting),
            positions: Arc::clone(&source.positions),
            rejoin: Arc::clone(&source.rejoin),
            limits: BatchLimits { records: settings.batch_records, bytes: settings.batch_bytes, age: config.batch_age },
            breaker: BreakerLimits { in_a_row: settings.dead_in_a_row, ratio: settings.dead_ratio },
            absent_fields: Arc::clone(&absent_fields),
            warns_of_clocks: schema.allowed_lateness() != AllowedLateness::Unbounded,
            failures,
        });
        let router = Router::start(&context, settings.lanes, rand::random());
        let publishers = publish::start(&PublishContext {
            store: store.clone(),
            schema: Arc::clone(&schema),
            waiting: Arc::clone(&waiting),
            plan: Arc::clone(&plan),
            rejoin: Arc::clone(&source.rejoin),
            progress: Arc::clone(&progress),
            inspector: inspector.clone(),
            worker: name.clone(),
            interval: config.publish_interval,
            rebuild_events: config.settings.rebuild_events,
        });
        let worker = Self {
            config,
            schema,
            plan,
            store,
            fence,
            progress,
            source,
            events,
            router,
            publishers,
            topic_ids: watch_topic_id(inspector.clone()),
            inspector,
            absent_fields,
            name,
            topic_id: None,
            ends: None,
            finished: HashSet::new(),
            others_asked: Instant::now(),
        };
        Ok((worker, failed))
    }

    async fn route<F: Future<Output = ()>>(
        &mut self,
        shutdown: Shutdown<'_, F>,
        mut failures: mpsc::UnboundedReceiver<IngestError>,
    ) -> Result<(), IngestError> {
        let end = async {
            tokio::select! {
                biased;
                () = shutdown => Ok(()),
                Some(failure) = failures.recv() => Err(failure),
            }
        };
        tokio::pin!(end);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let step = tokio::select! {
                biased;
                ended = &mut end => return ended,
                failure = self.publishers.failure() => return Err(failure),
                // Before the events, of which there is always one in a backlog.
                Some(id) = self.topic_ids.recv() => Step::TopicId(id),
                _ = tick.tick() => Step::Tick,
                event = self.events.recv() => {
                    Step::Event(event.ok_or_else(|| IngestError::Bug("the poll thread ended by itself".into()))?)
                }
            };
            // This may take as long as MongoDB is away, so it is broken off. A revoke is not: it has a deadline of its own, and the group
            // would give the partitions away too early.
            let may_break_off = !matches!(step, Step::Event(SourceEvent::Revoked { .. }));
            let taken = tokio::select! {
                biased;
                ended = &mut end, if may_break_off => return ended,
                taken = self.take(step) => taken?,
            };
            if taken.is_break() {
                return Ok(());
            }
        }
    }

    /// Breaks where the run has reached its end.
    async fn take(&mut self, step: Step) -> Result<ControlFlow<()>, IngestError> {
        match step {
            Step::TopicId(id) => self.compare_topic(id)?,
            Step::Tick if self.has_reached_end().await => return Ok(ControlFlow::Break(())),
            Step::Tick => {}
            Step::Event(event) => self.handle(event).await?,
        }
        Ok(ControlFlow::Continue(()))
    }

    async fn handle(&mut self, event: SourceEvent) -> Result<(), IngestError> {
        match event {
            SourceEvent::Assigned { partitions, generation, reply } => {
                if let Some(starts) = self.begin(&partitions, generation).await? {
                    // The poll thread may have given up waiting; then it reports that itself.
                    let _ = reply.send(starts);
                }
            }
            SourceEvent::Records(chunk) => {
                if chunk.generation == self.fence.generation() {
                    self.router.send(chunk.partition, LaneCommand::Records(chunk)).await?;
                }
            }
            SourceEvent::ReachedEnd { partition, next, generation } => {
                let end = self.ends.iter().flatten().find(|end| end.partition == partition);
                let is_past = end.is_some_and(|end| next.is_some_and(|next| next >= end.high));
                // Once: what is written to the topic afterwards must not cut batches of other partitions short.
                let last = is_past && self.finished.insert(partition);
                self.router.send(partition, LaneCommand::ReachedEnd { partition, next, generation, last }).await?;
            }
            SourceEvent::Revoked { done } => {
                tracing::info!("the partitions are taken away; finishing open batches");
                self.router.revoke().await;
                drop(done);
            }
            SourceEvent::Failed(error) => return Err(error),
        }
        Ok(())
    }

    /// Reads where each partition begins, and hands the partitions to their lanes; `None` where MongoDB does not tell in time.
    async fn begin(
        &mut self,
        partitions: &[Watermarks],
        generation: u64,
    ) -> Result<Option<Vec<(i32, i64)>>, IngestError> {
        let ids: Vec<i32> = partitions.iter().map(|marks| marks.partition).collect();
        tracing::info!(partitions = ?ids, "assigned");
        self.topic_id = self.inspector.topic_id().await;
        let Some(stored) = self.positions(partitions).await? else { return Ok(None) };
        self.progress.gaps(stored.values().flat_map(|position| position.gaps.clone()).collect());
        let begun = partitions.iter().map(|&Watermarks { partition, high, .. }| {
            let position = stored
                .get(&partition)
                .ok_or_else(|| IngestError::Bug(format!("partition {partition} has no position after it was made")))?;
            self.progress.begin(partition, position.next);
            let before = Before { clock: position.clock, gaps: position.gaps.len() };
            Ok(Begun { partition, next: position.next, high, before })
        });
        let begun = begun.collect::<Result<Vec<_>, IngestError>>()?;
        self.finished.clear();
        self.router.begin(generation, &begun).await?;
        Ok(Some(begun.iter().map(|one| (one.partition, one.next)).collect()))
    }

    /// A topic that was made again while its positions were in use is found at the next assignment, so it is joined anew.
    fn compare_topic(&mut self, id: String) -> Result<(), IngestError> {
        match &self.topic_id {
            Some(assigned) if *assigned != id => {}
            _ => return Ok(()),
        }
        if self.config.settings.lost_offsets == LostOffsets::Stop {
            return Err(IngestError::LostOffsets(format!(
                "the topic {} was deleted and made again while it was read; `ingest run --lost-offsets accept` reads the new one from its \
                 first record and writes the gap down",
                self.store.topic()
            )));
        }
        tracing::warn!("the topic was made again; joining the group again to read it from its start");
        self.topic_id = Some(id);
        self.source.rejoin.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Whether everything that was there at the start is stored, by whichever worker.
    async fn has_reached_end(&mut self) -> bool {
        let Some(ends) = &self.ends else { return false };
        let mine = self.progress.snapshot().positions;
        let open: Vec<&Watermarks> =
            ends.iter().filter(|end| mine.get(&end.partition).is_none_or(|&next| next < end.high)).collect();
        if open.is_empty() {
            return true;
        }
        let is_mine = |end: &&Watermarks| self.router.has(end.partition);
        if open.iter().any(is_mine) || self.others_asked.elapsed() < OTHERS_INTERVAL {
            return false;
        }
        self.others_asked = Instant::now();
        let stored = self.store.positions().await.unwrap_or_default();
        open.iter().all(|end| {
            end.low == end.high || stored.get(&end.partition).is_some_and(|position| position.next >= end.high)
        })
    }

    /// Ends the run within the drain timeout, whatever ended it.
    async fn finish<F: Future<Output = ()>>(
        self,
        outcome: Result<(), IngestError>,
        shutdown: Shutdown<'_, F>,
    ) -> Result<Counts, IngestError> {
        let patience = self.config.drain_timeout;
        // No try to commit begins later than this, so that the last one is over in time.
        self.fence.begin_revoke(tokio::time::Instant::now() + patience - self.config.commit_timeout);
        if tokio::time::timeout(patience, self.router.drain()).await.is_err() {
            tracing::warn!("open batches were dropped at the end; the next run reads their records again");
        }
        self.absent_fields.finish();
        // With what it holds: a rebalance that waits for an answer gets none.
        drop(self.events);
        // A run to the end is asked for its tables; any other leaves what is left to the next worker.
        let waits = self.ends.is_some() && outcome.is_ok() && !shutdown.is_terminated();
        let patience = async {
            if waits {
                shutdown.await;
            }
            tokio::time::sleep(patience).await;
        };
        let finish = if waits { Finish::RowsAndWindows } else { Finish::Rows };
        let ((), published) = tokio::join!(self.source.stop(LEAVE_PATIENCE), self.publishers.finish(finish, patience));
        self.router.abort();
        self.store.close().await;
        outcome.and(published).map(|()| self.progress.snapshot().counts)
    }
}

/// Asks for the topic's id from time to time, until the receiver is gone.
fn watch_topic_id(inspector: TopicInspector) -> mpsc::Receiver<String> {
    let (ids, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(TOPIC_INTERVAL).await;
            let sent = match inspector.topic_id().await {
                Some(id) => ids.send(id).await.is_ok(),
                None => !ids.is_closed(),
            };
            if !sent {
                return;
            }
        }
    });
    receiver
}

/// `host-pid-random`: tells workers apart in positions and leases.
pub(crate) fn worker_name() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "worker".into());
    format!("{host}-{}-{:032x}", std::process::id(), rand::random::<u128>())
}
