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
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::sync::Arc;
use std::sync::mpsc as sync_mpsc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{self, error::TrySendError};

const WATERMARK_TIMEOUT: Duration = Duration::from_secs(10);

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

/// Hands rebalances to the worker and waits for its answer, with a deadline.
pub(super) struct RebalanceContext {
    /// What was last said of connections; a broker that came back does not clear it, so it is for errors only.
    pub(super) connection: Connection,
    events: mpsc::Sender<SourceEvent>,
    fence: Arc<Fence>,
    topic: String,
    assign_timeout: Duration,
    drain_timeout: Duration,
    commit_timeout: Duration,
}

impl RebalanceContext {
    pub(super) fn new(events: mpsc::Sender<SourceEvent>, fence: Arc<Fence>, config: &Config) -> Self {
        Self {
            connection: Connection::default(),
            events,
            fence,
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

    fn assign(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList) -> Result<(), String> {
        let deadline = Instant::now() + self.assign_timeout;
        let partitions = list
            .elements()
            .iter()
            .map(|element| topic::watermarks(consumer, &self.topic, element.partition(), WATERMARK_TIMEOUT))
            .collect::<Result<Vec<_>, _>>();
        let partitions =
            partitions.map_err(|error| format!("the broker does not tell which offsets it has: {error}"))?;
        let (reply, starts) = sync_mpsc::channel();
        let event = SourceEvent::Assigned { partitions, generation: self.fence.generation(), reply };
        if !self.send(event, deadline) {
            return Err("the worker does not take up its assignment".into());
        }
        let starts = starts
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            .map_err(|_| "the stored positions could not be read in time".to_owned())?;
        for (partition, next) in starts {
            list.set_partition_offset(&self.topic, partition, Offset::Offset(next))
                .map_err(|error| error.to_string())?;
        }
        consumer.assign(list).map_err(|error| error.to_string())
    }

    /// Waits until no lane works on the partitions, or drops their batches at the deadline.
    fn revoke(&self) {
        let deadline = Instant::now() + self.drain_timeout;
        // The last try to commit must be over when the revoke is acknowledged.
        self.fence.begin_revoke(deadline - self.commit_timeout);
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
                if let Err(problem) = self.assign(consumer, list) {
                    let error = IngestError::Outside(format!("cannot begin with {}: {problem}", self.topic));
                    self.send(SourceEvent::Failed(error), Instant::now() + self.drain_timeout);
                    let _ = consumer.unassign();
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
