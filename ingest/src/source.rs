//! The Kafka side of the worker: one thread that polls, and one bounded channel that carries records and rebalances in order.
//!
//! Each partition has a queue of its own, and they take turns. In librdkafka's one queue for all of them a backlog starves partitions: what is
//! waiting in it counts against each, and those that are asked first fill it again.
//!
//! The channel is bounded in chunks, and a chunk in bytes, so memory does not follow the size of records. While it is full the
//! partitions are paused and the thread goes on polling: the broker sees a living member, however long MongoDB is away.
//!
//! Rules of a rebalance (eager protocol): on assign the stored positions are set *before* librdkafka assigns, so nothing is ever
//! sought; on revoke the lanes finish or drop their batches before it is acknowledged. Both waits have a deadline.

mod chunk;
mod context;
mod fence;
mod headers;

pub use chunk::{Chunk, Record};
pub use context::Watermarks;
pub use fence::Fence;

use crate::config::{Config, LostOffsets};
use crate::error::IngestError;
use chunk::{ChunkBuilder, Sent};
use context::{Queued, RebalanceContext, is_refused};
use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as sync_mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{self, error::TrySendError};

/// Events on their way; their bytes are bounded by [`Sent`].
const CHANNEL_EVENTS: usize = 16;
/// How long a full channel is waited for before the partitions are paused. A pause throws away what librdkafka has fetched, so
/// it is for outages, not for lanes that are a little behind.
const PATIENCE: Duration = Duration::from_secs(5);
const IDLE_POLL: Duration = Duration::from_millis(50);
/// Chunks that are taken from one queue at a time, where it has records of several partitions.
const BACKLOG: usize = 4;
/// How often it is looked whether the poll thread has ended.
const END_LOOK: Duration = Duration::from_millis(5);
const GROUP_COMMIT_INTERVAL: Duration = Duration::from_secs(1);

/// What the poll thread tells the worker, in order.
#[derive(Debug)]
pub enum SourceEvent {
    /// Partitions were assigned; the reply is the offset at which to start each.
    Assigned {
        /// The partitions with the range of offsets that the broker has.
        partitions: Vec<Watermarks>,
        /// Generation of this assignment.
        generation: u64,
        /// `(partition, next)` for each; dropped where the worker cannot say.
        reply: std::sync::mpsc::Sender<Vec<(i32, i64)>>,
    },
    /// Records of one partition.
    Records(Chunk),
    /// A partition has no more records for now; `next` is where the consumer stands, if that is not where it began.
    ReachedEnd {
        /// Partition.
        partition: i32,
        /// Offset of the next record.
        next: Option<i64>,
        /// Generation of the assignment.
        generation: u64,
    },
    /// All partitions are taken away; the drop of `done` acknowledges.
    Revoked {
        /// Dropped once no lane works on them.
        done: std::sync::mpsc::Sender<()>,
    },
    /// The consumer cannot go on.
    Failed(IngestError),
}

/// Positions to commit to the group, for tools that show lag.
pub type GroupPositions = Arc<Mutex<BTreeMap<i32, i64>>>;

/// A running poll thread; dropping the handle without [`Source::stop`] leaves it to end by itself.
#[derive(Debug)]
pub struct Source {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
    /// What the worker has committed.
    pub positions: GroupPositions,
    /// Set by whoever finds that the assignment is not what the group thinks.
    pub rejoin: Arc<AtomicBool>,
}

impl Source {
    /// Subscribes and starts to poll; `partitions` are those that the topic has now, any of which may be assigned.
    ///
    /// # Errors
    /// [`IngestError::Usage`] where librdkafka refuses an option, [`IngestError::Outside`] where no thread can be started.
    pub fn start(
        config: &Config,
        fence: Arc<Fence>,
        partitions: impl Iterator<Item = i32>,
    ) -> Result<(Self, mpsc::Receiver<SourceEvent>), IngestError> {
        let (sender, receiver) = mpsc::channel(CHANNEL_EVENTS);
        let (stop, rejoin) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let queued = Arc::new(Mutex::new(Queued { wanted: partitions.collect(), ..Queued::default() }));
        let context = RebalanceContext::new(
            sender.clone(),
            Arc::clone(&fence),
            Arc::clone(&stop),
            Arc::clone(&rejoin),
            Arc::clone(&queued),
            config,
        );
        let topic = config.settings.topic.clone();
        let mut consumer: BaseConsumer<RebalanceContext> =
            client_config(config).create_with_context(context).map_err(|error| {
                IngestError::Usage(format!(
                    "the Kafka consumer cannot be made: {error}; look at [kafka] in the configuration"
                ))
            })?;
        let (wake, woken) = sync_mpsc::sync_channel(1);
        consumer.set_nonempty_callback(waker(&wake));
        let positions = GroupPositions::default();
        let mut poller = Poller {
            queues: Vec::new(),
            consumer: Arc::new(consumer),
            queued,
            wake,
            woken,
            sender,
            fence,
            topic,
            lost_offsets: config.settings.lost_offsets,
            stop: Arc::clone(&stop),
            rejoin: Arc::clone(&rejoin),
            positions: Arc::clone(&positions),
            group_committed: BTreeMap::new(),
            last_group_commit: Instant::now(),
            sent: Sent::default(),
            backlog: VecDeque::new(),
        };
        poller.add_queues();
        let topic = &poller.topic;
        poller
            .consumer
            .subscribe(&[topic])
            .map_err(|error| IngestError::Outside(format!("cannot subscribe to {topic}: {error}")))?;
        let thread = std::thread::Builder::new()
            .name("kafka-poll".into())
            .spawn(move || poller.run())
            .map_err(|error| IngestError::Outside(format!("cannot start a thread: {error}")))?;
        Ok((Self { stop, thread, positions, rejoin }, receiver))
    }

    /// Leaves the group and ends the thread; the partitions are revoked on the way, so the receiver must be read or dropped.
    ///
    /// Without an answer of the broker, librdkafka waits a minute and more. After `patience` the thread is abandoned and ends with the process;
    /// the group then notices by its session timeout that the worker has left.
    pub async fn stop(self, patience: Duration) {
        self.stop.store(true, Ordering::Relaxed);
        let deadline = Instant::now() + patience;
        while !self.thread.is_finished() {
            if Instant::now() >= deadline {
                tracing::warn!(
                    "Kafka does not answer; the worker ends without leaving its group, which notices by the session timeout"
                );
                return;
            }
            tokio::time::sleep(END_LOOK).await;
        }
        // A panic of the thread has been printed; there is nothing left to save here.
        let _ = self.thread.join();
    }
}

/// The options of the consumer; `Config` has refused those of the user's that would contradict them.
pub(crate) fn client_config(config: &Config) -> ClientConfig {
    let mut client = ClientConfig::new();
    // A broker that hangs up is told at this level.
    client.set_log_level(RDKafkaLogLevel::Info);
    // Defaults that the user may override.
    client
        .set("client.id", "rushes-ingest")
        .set("session.timeout.ms", "45000")
        .set("queued.min.messages", "20000")
        // Of each partition; a fetch adds up to a megabyte to it. More only costs memory.
        .set("queued.max.messages.kbytes", "128")
        // By default a fetcher whose queue is full looks again after a second, and the lanes run dry meanwhile.
        .set("fetch.queue.backoff.ms", "5")
        .set("fetch.wait.max.ms", "50")
        .set("fetch.message.max.bytes", "131072")
        .set("topic.metadata.refresh.interval.ms", "30000");
    config.settings.kafka.apply(&mut client);
    // What exactly-once rests on: positions live in MongoDB, nothing is skipped silently, assignments replace each other.
    client
        .set("bootstrap.servers", &config.settings.brokers)
        .set("group.id", &config.settings.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("partition.assignment.strategy", "range")
        .set("max.poll.interval.ms", config.max_poll_interval.as_millis().to_string());
    client
}

/// Wakes the poll thread.
fn waker(wake: &sync_mpsc::SyncSender<()>) -> impl Fn() + Send + Sync + 'static {
    let wake = wake.clone();
    // Where it is full, the thread is about to look.
    move || {
        let _ = wake.try_send(());
    }
}

struct Poller {
    /// Of each partition in `queued`; dropped before the consumer.
    queues: Vec<PartitionQueue<RebalanceContext>>,
    /// Its own queue has everything else: rebalances, errors, and the records of a topic that was made again while it was read.
    consumer: Arc<BaseConsumer<RebalanceContext>>,
    queued: Arc<Mutex<Queued>>,
    wake: sync_mpsc::SyncSender<()>,
    /// Told when something comes into a queue that was empty.
    woken: sync_mpsc::Receiver<()>,
    sender: mpsc::Sender<SourceEvent>,
    fence: Arc<Fence>,
    topic: String,
    lost_offsets: LostOffsets,
    stop: Arc<AtomicBool>,
    rejoin: Arc<AtomicBool>,
    positions: GroupPositions,
    group_committed: BTreeMap<i32, i64>,
    last_group_commit: Instant,
    sent: Sent,
    /// What could not be sent yet, oldest first.
    backlog: VecDeque<SourceEvent>,
}

impl Poller {
    fn run(&mut self) {
        while !self.stop.load(Ordering::Relaxed) && !self.sender.is_closed() {
            let mut any = self.take_turn(None);
            for queue in 0..self.queues.len() {
                any |= self.take_turn(Some(queue));
                // A turn may wait for the lanes, and the group does not wait for all turns.
                any |= self.take_turn(None);
            }
            if self.last_group_commit.elapsed() >= GROUP_COMMIT_INTERVAL {
                self.commit_group();
            }
            if self.rejoin.swap(false, Ordering::Relaxed) {
                self.join_again();
            }
            if !any {
                // Nothing in time: rebalances are looked for all the same.
                let _ = self.woken.recv_timeout(IDLE_POLL);
            }
        }
        // Closing the consumer waits for the answer.
        self.commit_group();
        // Leaves the group: the rebalance callback revokes what is assigned.
        self.consumer.unsubscribe();
        let _ = self.consumer.unassign();
    }

    /// Gives partitions queues of their own, for all assignments that come. None of them is assigned now: messages must not change from
    /// one queue to another.
    fn add_queues(&mut self) {
        let mut queued = self.queued.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(partition) = queued.wanted.pop_first() {
            if !queued.have.insert(partition) {
                continue;
            }
            if let Some(mut queue) = self.consumer.split_partition_queue(&self.topic, partition) {
                queue.set_nonempty_callback(waker(&self.wake));
                self.queues.push(queue);
            }
        }
    }

    /// Takes what waits in the queue of a partition, or in the consumer's, but not much more than a chunk; whether there was anything.
    fn take_turn(&mut self, queue: Option<usize>) -> bool {
        let mut open = ChunkBuilder::default();
        let mut ended = None;
        while !open.is_full() && self.backlog.len() < BACKLOG {
            let next = match queue {
                Some(queue) => self.queues[queue].poll(Duration::ZERO),
                None => self.consumer.poll(Duration::ZERO),
            };
            match next {
                None => break,
                Some(Ok(message)) => {
                    let generation = self.fence.generation();
                    if !open.fits(message.partition(), generation) {
                        let other = std::mem::take(&mut open).finish();
                        self.backlog.extend(other.map(SourceEvent::Records));
                    }
                    open.push(&message, generation);
                }
                Some(Err(error)) => {
                    ended = Some(error);
                    break;
                }
            }
        }
        self.backlog.extend(open.finish().map(SourceEvent::Records));
        if let Some(error) = ended {
            self.error(&error);
        }
        let any = !self.backlog.is_empty();
        self.send_backlog();
        any
    }

    /// Leaves the group, which revokes what is assigned, and joins it again, which reads the stored positions.
    fn join_again(&mut self) {
        self.add_queues();
        self.consumer.unsubscribe();
        if let Err(error) = self.consumer.subscribe(&[&self.topic]) {
            let text = format!("cannot subscribe to {} again: {error}", self.topic);
            self.backlog.push_back(SourceEvent::Failed(IngestError::Outside(text)));
        }
    }

    /// Tells where the consumer stands at a partition's end: past control records, which are never delivered. Where nothing was to be
    /// delivered since the assignment, it does not know, and stands where it was told to.
    fn reached_end(&mut self, partition: i32) {
        let generation = self.fence.generation();
        let next = self.consumer.position().ok().and_then(|list| {
            match list.find_partition(&self.topic, partition)?.offset() {
                Offset::Offset(next) => Some(next),
                _ => None,
            }
        });
        self.backlog.push_back(SourceEvent::ReachedEnd { partition, next, generation });
    }

    fn error(&mut self, error: &KafkaError) {
        if let KafkaError::PartitionEOF(partition) = *error {
            return self.reached_end(partition);
        }
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                let text = format!("the topic {} is not there any more; `ingest produce` makes it", self.topic);
                self.backlog.push_back(SourceEvent::Failed(IngestError::Outside(text)));
            }
            Some(RDKafkaErrorCode::OffsetOutOfRange | RDKafkaErrorCode::AutoOffsetReset)
                if self.lost_offsets == LostOffsets::Accept =>
            {
                tracing::warn!(%error, "the broker no longer has the records after the position; joining the group again");
                self.join_again();
            }
            Some(RDKafkaErrorCode::OffsetOutOfRange | RDKafkaErrorCode::AutoOffsetReset) => {
                let text = format!(
                    "{}: the broker no longer has the records after the stored position ({error}); they were removed by retention, or the topic was made again. \
                     `ingest run` says which; with `--lost-offsets accept` it goes on with what is there and writes the gap down",
                    self.topic
                );
                self.backlog.push_back(SourceEvent::Failed(IngestError::LostOffsets(text)));
            }
            Some(code) if is_refused(code) => {
                self.backlog.push_back(SourceEvent::Failed(IngestError::Outside(format!("Kafka: {error}"))));
            }
            // librdkafka reconnects by itself; the worker waits.
            _ => {
                tracing::warn!(%error, "Kafka is not answering; waiting: {}", self.consumer.context().connection.explain(error))
            }
        }
    }

    /// Sends what waits; where the channel stays full, pauses the partitions and keeps polling until there is room.
    fn send_backlog(&mut self) {
        let since = Instant::now();
        let mut paused = None;
        while let Some(mut event) = self.backlog.pop_front() {
            let has_room = match &mut event {
                SourceEvent::Records(chunk) => self.sent.admit(chunk),
                _ => true,
            };
            match if has_room { self.sender.try_send(event) } else { Err(TrySendError::Full(event)) } {
                Ok(()) => {}
                Err(TrySendError::Closed(_)) => return,
                Err(TrySendError::Full(event)) => {
                    self.backlog.push_front(event);
                    if self.stop.load(Ordering::Relaxed) {
                        break;
                    }
                    if since.elapsed() < PATIENCE {
                        std::thread::sleep(Duration::from_millis(1));
                    } else {
                        paused = paused.or_else(|| self.pause());
                        self.poll_while_paused();
                    }
                }
            }
        }
        if let Some(partitions) = paused {
            tracing::debug!("the lanes caught up; fetching again");
            // An assignment that changed meanwhile has nothing paused.
            let _ = self.consumer.resume(&partitions);
        }
    }

    fn pause(&self) -> Option<TopicPartitionList> {
        let partitions = self.consumer.assignment().ok()?;
        self.consumer.pause(&partitions).ok()?;
        tracing::debug!("the lanes are behind; fetching is paused");
        Some(partitions)
    }

    /// Serves rebalances and keeps the membership; a paused partition delivers nothing, but what comes is never dropped.
    fn poll_while_paused(&mut self) {
        let generation = self.fence.generation();
        let mut open = ChunkBuilder::default();
        let mut error = None;
        match self.consumer.poll(Duration::from_millis(20)) {
            Some(Ok(message)) => open.push(&message, generation),
            Some(Err(told)) => error = Some(told),
            None => {}
        }
        self.backlog.extend(open.finish().map(SourceEvent::Records));
        // Some are told only once.
        if let Some(error) = error {
            self.error(&error);
        }
    }

    /// Commits to the group, only so that tools that show lag have something to show: never awaited, never read back.
    fn commit_group(&mut self) {
        self.last_group_commit = Instant::now();
        let positions = self.positions.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if positions == self.group_committed || positions.is_empty() {
            return;
        }
        let mut list = TopicPartitionList::new();
        for (&partition, &next) in &positions {
            // The only error is an offset below zero, which no position is.
            let _ = list.add_partition_offset(&self.topic, partition, Offset::Offset(next));
        }
        if let Err(error) = self.consumer.commit(&list, CommitMode::Async) {
            tracing::debug!(%error, "the group's offsets were not committed; lag tools show old ones");
        }
        self.group_committed = positions;
    }
}
