//! A worker: the product's router, lanes and committer, and in place of the poll thread a few commands.

use crate::guard::Guard;
use crate::sink::{MemorySink, Server};
use crate::topic::{LogRecord, end};
use ingest::absent_fields::AbsentFields;
use ingest::breaker::BreakerLimits;
use ingest::commit::{BatchSink, Before, Committer, Durability};
use ingest::error::IngestError;
use ingest::lane::{BatchLimits, LaneCommand, LaneContext};
use ingest::progress::Progress;
use ingest::publish::Waiting;
use ingest::source::{Chunk, Fence};
use ingest::stamp::{Counting, PlanInForce};
use ingest::worker::{Begun, Router};
use model::decode::Decoder;
use model::schema::Schema;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

const COMMIT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the group waits for a worker whose partitions are revoked.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
const LANES: usize = 2;

/// What the worker's task does, in order.
enum Command {
    Assign(Vec<(i32, i64)>),
    Records(Chunk),
    ReachedEnd { partition: i32, next: i64, generation: u64 },
    Revoke(oneshot::Sender<()>),
}

/// What the poll thread knows.
#[derive(Debug, Default)]
struct Poll {
    /// Where the consumer stands in each partition; empty without an assignment.
    next: BTreeMap<i32, i64>,
    /// Where it stood in assignments before.
    earlier: BTreeMap<i32, i64>,
    /// Set between a revoke and its acknowledgement, and until an assignment's positions are known.
    blocked: bool,
}

/// A worker that runs.
pub(crate) struct Worker {
    fence: Arc<Fence>,
    commands: mpsc::UnboundedSender<Command>,
    poll: Arc<Mutex<Poll>>,
    alive: Arc<AtomicBool>,
    assigned: Arc<AtomicBool>,
    /// Set by a lane that was fenced.
    pub(crate) rejoin: Arc<AtomicBool>,
    died: Arc<Notify>,
    /// Failures that would end the run.
    pub(crate) failures: mpsc::UnboundedReceiver<IngestError>,
    without: Option<Guard>,
}

impl Worker {
    pub(crate) fn start(name: String, seed: u64, server: &Arc<Server>, schema: &Arc<Schema>) -> Self {
        let fence = Arc::new(Fence::default());
        let flag = || Arc::new(AtomicBool::new(false));
        let (alive, assigned, rejoin) = (Arc::new(AtomicBool::new(true)), flag(), flag());
        let sink = MemorySink::new(Arc::clone(server), Arc::clone(schema), Arc::clone(&alive), Arc::clone(&assigned));
        let plan = Arc::new(PlanInForce::new(Counting { plan: 0, rebuilding: false }));
        let (failures, failed) = mpsc::unbounded_channel();
        let context = Arc::new(LaneContext {
            decoder: Decoder::new(schema).expect("the schema is valid"),
            committer: Committer::new(sink.clone(), Arc::clone(schema), Arc::clone(&plan), name, COMMIT_TIMEOUT),
            fence: Arc::clone(&fence),
            progress: Arc::new(Progress::default()),
            waiting: Arc::new(Waiting::new(schema.rollups())),
            positions: Arc::default(),
            rejoin: Arc::clone(&rejoin),
            limits: BatchLimits { records: 6, bytes: 1 << 20, age: Duration::from_millis(100) },
            breaker: BreakerLimits { in_a_row: 0, ratio: 1.0 },
            absent_fields: Arc::new(AbsentFields::new(schema)),
            warns_of_clocks: false,
            failures,
        });
        let (commands, receiver) = mpsc::unbounded_channel();
        let (poll, died) = (Arc::<Mutex<Poll>>::default(), Arc::new(Notify::new()));
        let task = Task {
            router: Router::start(&context, LANES, seed),
            fence: Arc::clone(&fence),
            sink,
            plan,
            poll: Arc::clone(&poll),
            assigned: Arc::clone(&assigned),
            without: server.without,
        };
        tokio::spawn(task.run(receiver, Arc::clone(&died)));
        Self { fence, commands, poll, alive, assigned, rejoin, died, failures: failed, without: server.without }
    }

    fn poll(&self) -> MutexGuard<'_, Poll> {
        self.poll.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, command: Command) {
        // The task ends with the worker alone.
        let _ = self.commands.send(command);
    }

    /// Whether it has no partitions and nothing under way with the group.
    pub(crate) fn is_free(&self) -> bool {
        let poll = self.poll();
        !poll.blocked && poll.next.is_empty()
    }

    /// The group assigns partitions, given where each ends.
    pub(crate) fn assign(&self, partitions: Vec<(i32, i64)>) {
        if self.is_free() && !partitions.is_empty() {
            self.poll().blocked = true;
            self.rejoin.store(false, Ordering::Relaxed);
            self.send(Command::Assign(partitions));
        }
    }

    /// The group takes all partitions away.
    pub(crate) fn revoke(&self) {
        let mut poll = self.poll();
        if poll.blocked || poll.next.is_empty() {
            return;
        }
        poll.blocked = true;
        let next = std::mem::take(&mut poll.next);
        poll.earlier.extend(next);
        drop(poll);
        if self.without != Some(Guard::Fence) {
            self.fence.begin_revoke(Instant::now() + DRAIN_TIMEOUT - COMMIT_TIMEOUT);
        }
        let (done, drained) = oneshot::channel();
        self.send(Command::Revoke(done));
        let (fence, poll) = (Arc::clone(&self.fence), Arc::clone(&self.poll));
        let (assigned, without) = (Arc::clone(&self.assigned), self.without);
        tokio::spawn(async move {
            let _ = timeout(DRAIN_TIMEOUT, drained).await;
            if without != Some(Guard::Fence) {
                fence.end_revoke();
            }
            assigned.store(false, Ordering::Relaxed);
            poll.lock().unwrap_or_else(PoisonError::into_inner).blocked = false;
        });
    }

    /// The consumer reads at most `most` records of a partition, which may end its log.
    pub(crate) fn read(&self, partition: i32, log: &[LogRecord], most: usize) {
        let mut poll = self.poll();
        let Some(next) = poll.next.get_mut(&partition) else { return };
        let generation = self.fence.generation();
        let mut chunk = Chunk::new(partition, generation);
        let from = *next;
        for record in log.iter().filter(|record| record.offset >= from).take(most) {
            chunk.push(record.at(partition), None, record.payload.as_deref().map(str::as_bytes), Vec::new());
            *next = record.offset + 1;
        }
        let at_end = *next >= end(log);
        let next = *next;
        drop(poll);
        if next > from {
            self.send(Command::Records(chunk));
        }
        if at_end {
            self.send(Command::ReachedEnd { partition, next, generation });
        }
    }

    /// The process dies: its tasks end, and nobody aborts its transactions.
    pub(crate) fn crash(&self) {
        self.alive.store(false, Ordering::Relaxed);
        self.died.notify_one();
    }
}

/// The task that the product's worker is.
struct Task {
    router: Router,
    fence: Arc<Fence>,
    sink: MemorySink,
    plan: Arc<PlanInForce>,
    poll: Arc<Mutex<Poll>>,
    assigned: Arc<AtomicBool>,
    without: Option<Guard>,
}

impl Task {
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>, died: Arc<Notify>) {
        let all = async {
            while let Some(command) = commands.recv().await {
                self.take(command).await;
            }
        };
        tokio::select! {
            biased;
            () = died.notified() => {}
            () = all => {}
        }
        self.router.abort();
    }

    async fn take(&mut self, command: Command) {
        match command {
            Command::Assign(partitions) => self.begin(&partitions).await,
            Command::Records(chunk) => {
                if chunk.generation == self.fence.generation() {
                    self.route(chunk.partition, LaneCommand::Records(chunk)).await;
                }
            }
            Command::ReachedEnd { partition, next, generation } => {
                let command = LaneCommand::ReachedEnd { partition, next: Some(next), generation, last: false };
                self.route(partition, command).await;
            }
            Command::Revoke(done) => {
                self.router.revoke().await;
                drop(done);
            }
        }
    }

    async fn route(&self, partition: i32, command: LaneCommand) {
        self.router.send(partition, command).await.expect("a lane ends with its worker");
    }

    /// Reads the positions that a majority has, once the primary has no newer ones.
    async fn begin(&mut self, partitions: &[(i32, i64)]) {
        let stored = loop {
            let newest = self.sink.positions(Durability::Local).await;
            let stored = self.sink.positions(Durability::Majority).await;
            match (newest, stored) {
                (Ok(newest), Ok(stored)) if newest == stored => break stored,
                _ => sleep(Duration::from_millis(50)).await,
            }
        };
        let plan = stored.values().map(|position| position.plan).max().unwrap_or_default();
        self.plan.set(Counting { plan, rebuilding: false });
        let earlier = self.poll.lock().unwrap_or_else(PoisonError::into_inner).earlier.clone();
        let begun: Vec<Begun> = partitions
            .iter()
            .map(|&(partition, high)| {
                let position = &stored[&partition];
                let before = Before { clock: position.clock, gaps: position.gaps.len() };
                let next = match earlier.get(&partition) {
                    Some(&next) if self.without == Some(Guard::StoredPositions) => next,
                    _ => position.next,
                };
                Begun { partition, next, high, before }
            })
            .collect();
        self.router.begin(self.fence.generation(), &begun).await.expect("a lane ends with its worker");
        self.assigned.store(true, Ordering::Relaxed);
        let mut poll = self.poll.lock().unwrap_or_else(PoisonError::into_inner);
        poll.next = begun.iter().map(|one| (one.partition, one.next)).collect();
        poll.blocked = false;
    }
}
