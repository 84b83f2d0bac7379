//! What becomes of the records after they are queued.

use crate::connection::Connection;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Room for what Kafka adds to a record and a batch.
pub(super) const OVERHEAD: usize = 4096;

/// Counts deliveries and keeps the first failure. Records are known by their place among all records of the run.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    records: AtomicU64,
    bytes: AtomicU64,
    failed: AtomicU64,
    /// Places of large records with a flag for those that the topic is too small for.
    settled: Mutex<Vec<(usize, bool)>>,
    /// Bytes of a batch at most, unless one record has more.
    pub(super) batch: usize,
    first_failure: Mutex<Option<(usize, KafkaError)>>,
    /// What the client last said about its connections.
    pub(super) connection: Connection,
}

impl Deliveries {
    /// Nothing delivered yet, in batches of at most `batch` bytes.
    pub(super) fn new(batch: usize) -> Self {
        Self { batch, ..Self::default() }
    }

    /// Whether a record with its key may fill a batch, so that a refusal for its size means this record.
    pub(super) fn is_large(&self, bytes: usize) -> bool {
        bytes + OVERHEAD >= self.batch
    }

    pub(super) fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Takes the places of the large records that have been delivered, or refused for their size (true), since the last call.
    pub(super) fn take_settled(&self) -> Vec<(usize, bool)> {
        std::mem::take(&mut *lock(&self.settled))
    }

    /// The failed record that came first, and why.
    pub(super) fn first_failure(&self) -> Option<(usize, KafkaError)> {
        lock(&self.first_failure).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every guarded value is replaced as a whole, so a panic elsewhere leaves it consistent.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", ?level, facility, "{message}");
        self.connection.note_log(facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.connection.note(&error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, place: usize) {
        let (Ok(message) | Err((_, message))) = result;
        let is_large = self.is_large(message.payload_len() + message.key_len());
        match result {
            Ok(_) => {
                self.records.fetch_add(1, Ordering::Relaxed);
                self.bytes.fetch_add(message.payload_len() as u64, Ordering::Relaxed);
                if is_large {
                    lock(&self.settled).push((place, false));
                }
            }
            Err((error, _))
                if is_large && error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge) =>
            {
                lock(&self.settled).push((place, true));
            }
            Err((error, _)) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                let mut first = lock(&self.first_failure);
                if first.as_ref().is_none_or(|(earlier, _)| place < *earlier) {
                    *first = Some((place, error.clone()));
                }
            }
        }
    }
}
