//! Rebalances, inside librdkafka's callback on the poll thread.

use super::{Fence, SourceEvent};
use crate::config::Config;
use crate::connection::Connection;
use crate::error::IngestError;
use crate::topic;
use rdkafka::ClientContext;
use rdkafka::bindings::rd_kafka_resp_err_t as ResponseError;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as sync_mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{self, error::TrySendError};

const WATERMARK_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two questions that the broker does not answer.
const WATERMARK_PAUSE: Duration = Duration::from_millis(500);
/// How often it is looked whether the worker ends meanwhile.
const LOOK: Duration = Duration::from_millis(100);

/// The range of offsets that the broker has of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// Partition.
    pub partition: i32,
    /// First offset that is there.
    pub low: i64,
    /// Offset after the last one.
    pub high: i64,
}

/// Partitions that have queues of their own.
#[derive(Debug, Default)]
pub(super) struct Queued {
    /// Those that have one.
    pub(super) have: BTreeSet<i32>,
    /// Those that are to get one.
    pub(super) wanted: BTreeSet<i32>,
}

/// Why an assignment could not be taken up.
enum NotBegun {
    /// Partitions were added to the topic: they get their queues while they are not assigned.
    Added,
    /// It may pass: the group is joined again.
    Yet(String),
    /// It will not.
    AtAll(String),
}

impl From<KafkaError> for NotBegun {
    fn from(error: KafkaError) -> Self {
        Self::AtAll(error.to_string())
    }
}

/// Hands rebalances to the worker and waits for its answer, with a deadline.
pub(super) struct RebalanceContext {
    /// What was last said of connections; a broker that came back does not clear it, so it is for errors only.
    pub(super) connection: Connection,
    events: mpsc::Sender<SourceEvent>,
    fence: Arc<Fence>,
    /// Set where the worker ends.
    stop: Arc<AtomicBool>,
    /// Set where the group must be joined again.
    rejoin: Arc<AtomicBool>,
    queued: Arc<Mutex<Queued>>,
    topic: String,
    assign_timeout: Duration,
    drain_timeout: Duration,
    commit_timeout: Duration,
}

impl RebalanceContext {
    pub(super) fn new(
        events: mpsc::Sender<SourceEvent>,
        fence: Arc<Fence>,
        stop: Arc<AtomicBool>,
        rejoin: Arc<AtomicBool>,
        queued: Arc<Mutex<Queued>>,
        config: &Config,
    ) -> Self {
        Self {
            connection: Connection::default(),
            events,
            fence,
            stop,
            rejoin,
            queued,
            topic: config.settings.topic.clone(),
            assign_timeout: config.max_poll_interval / 2,
            drain_timeout: config.drain_timeout,
            commit_timeout: config.commit_timeout,
        }
    }

    /// Sends into the bounded channel, at the latest by `deadline`.
    fn send(&self, mut event: SourceEvent, deadline: Instant) -> bool {
        loop {
            match self.events.try_send(event) {
                Ok(()) => return true,
                Err(TrySendError::Full(back)) if Instant::now() < deadline => {
                    event = back;
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(_) => return false,
            }
        }
    }

    fn assign(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList) -> Result<(), NotBegun> {
        let deadline = Instant::now() + self.assign_timeout;
        let ids: Vec<i32> = list.elements().iter().map(|element| element.partition()).collect();
        self.has_queues(&ids)?;
        let partitions = ids.iter().map(|&partition| self.watermarks(consumer, partition, deadline));
        let partitions = partitions.collect::<Result<_, _>>()?;
        let (reply, starts) = sync_mpsc::channel();
        let event = SourceEvent::Assigned { partitions, generation: self.fence.generation(), reply };
        if !self.send(event, deadline) {
            return Err(NotBegun::Yet("open batches wait for MongoDB".into()));
        }
        for (partition, next) in self.wait_for(&starts, deadline)? {
            list.set_partition_offset(&self.topic, partition, Offset::Offset(next))?;
        }
        Ok(consumer.assign(list)?)
    }

    /// Fails where one of the partitions has no queue of its own; all of the topic's are wanted then, so that it happens once.
    fn has_queues(&self, partitions: &[i32]) -> Result<(), NotBegun> {
        let mut queued = self.queued.lock().unwrap_or_else(PoisonError::into_inner);
        match partitions.iter().max() {
            Some(&last) if !partitions.iter().all(|partition| queued.have.contains(partition)) => {
                queued.wanted = (0..=last).collect();
                Err(NotBegun::Added)
            }
            _ => Ok(()),
        }
    }

    /// Takes the assignment up with nothing in it, and joins the group again; after an `unassign` librdkafka would not.
    fn begin_later(&self, consumer: &BaseConsumer<Self>) {
        self.rejoin.store(true, Ordering::Relaxed);
        let _ = consumer.assign(&TopicPartitionList::new());
    }

    /// The offsets that the broker has of a partition. One whose leader is away is asked for again, as long as Kafka waits for this
    /// worker: if it ended, the next one would get the partition, and end as well.
    fn watermarks(
        &self,
        consumer: &BaseConsumer<Self>,
        partition: i32,
        deadline: Instant,
    ) -> Result<Watermarks, NotBegun> {
        let mut told = false;
        loop {
            let error = match topic::watermarks(consumer.client(), &self.topic, partition, WATERMARK_TIMEOUT) {
                Ok(marks) => return Ok(marks),
                Err(error) => error,
            };
            let problem = format!("the broker does not tell which offsets of partition {partition} it has: {error}");
            if !passes(&error) {
                return Err(NotBegun::AtAll(problem));
            }
            if self.stop.load(Ordering::Relaxed) || Instant::now() + WATERMARK_TIMEOUT > deadline {
                return Err(NotBegun::Yet(problem));
            }
            if !std::mem::replace(&mut told, true) {
                tracing::warn!("{}: {problem}; asking again (is the leader of this partition down?)", self.topic);
            }
            std::thread::sleep(WATERMARK_PAUSE);
        }
    }

    /// Where to begin, once the worker knows.
    fn wait_for(
        &self,
        starts: &sync_mpsc::Receiver<Vec<(i32, i64)>>,
        deadline: Instant,
    ) -> Result<Vec<(i32, i64)>, NotBegun> {
        loop {
            let outcome = starts.recv_timeout(LOOK);
            let over = self.stop.load(Ordering::Relaxed) || Instant::now() > deadline;
            match outcome {
                Ok(starts) => return Ok(starts),
                Err(sync_mpsc::RecvTimeoutError::Timeout) if !over => {}
                Err(_) => return Err(NotBegun::Yet("the stored positions could not be read in time".into())),
            }
        }
    }

    /// Waits until no lane works on the partitions, or drops their batches at the deadline.
    fn revoke(&self) {
        let deadline = Instant::now() + self.drain_timeout;
        // The last try to commit must be over when the revoke is acknowledged.
        self.fence.begin_revoke((deadline - self.commit_timeout).into());
        let (done, drained) = sync_mpsc::channel();
        let sent = self.send(SourceEvent::Revoked { done }, deadline);
        let outcome = drained.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        if sent && outcome == Err(sync_mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!(
                "open batches were dropped: they could not commit before the partitions were taken away; their records are read again"
            );
        }
        self.fence.end_revoke();
    }
}

/// Whether the broker may answer another time.
fn passes(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    match error.rdkafka_error_code() {
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => false,
        Some(code) => !is_refused(code),
        None => true,
    }
}

/// Whether waiting changes nothing: Kafka refuses this client, or librdkafka cannot go on.
pub(super) fn is_refused(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::TopicAuthorizationFailed | Code::GroupAuthorizationFailed | Code::SaslAuthenticationFailed | Code::Fatal
    )
}

impl ClientContext for RebalanceContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::warn!(target: "librdkafka", facility, "{message}");
            }
            _ => tracing::debug!(target: "librdkafka", facility, "{message}"),
        }
        self.connection.note_log(facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.connection.note(&error, reason);
    }
}

impl ConsumerContext for RebalanceContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: ResponseError, list: &mut TopicPartitionList) {
        match code {
            ResponseError::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                let Err(problem) = self.assign(consumer, list) else { return };
                match problem {
                    NotBegun::Added => {
                        tracing::info!("partitions were added to {}; joining the group again", self.topic);
                        self.begin_later(consumer);
                    }
                    NotBegun::Yet(problem) => {
                        if !self.stop.load(Ordering::Relaxed) {
                            tracing::warn!("cannot begin with {} yet: {problem}; joining the group again", self.topic);
                        }
                        self.begin_later(consumer);
                    }
                    NotBegun::AtAll(problem) => {
                        let error = IngestError::Outside(format!("cannot begin with {}: {problem}", self.topic));
                        self.send(SourceEvent::Failed(error), Instant::now() + self.drain_timeout);
                        let _ = consumer.unassign();
                    }
                }
            }
            ResponseError::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => {
                self.revoke();
                let _ = consumer.unassign();
            }
            other => {
                let error = IngestError::Outside(format!("the group could not be balanced: {other:?}"));
                self.send(SourceEvent::Failed(error), Instant::now() + self.drain_timeout);
                let _ = consumer.unassign();
            }
        }
    }
}
