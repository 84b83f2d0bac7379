//! What becomes of the records after they are queued.

use crate::connection::Connection;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts deliveries and keeps the first failure. Records are known by their place among all records of the run.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    records: AtomicU64,
    bytes: AtomicU64,
    failed: AtomicU64,
    /// Places of records that the topic is too small for.
    refused: Mutex<Vec<usize>>,
    /// Bytes from which on a record goes out in a batch of its own, so that a refusal for its size means this record.
    pub(super) alone: usize,
    first_failure: Mutex<Option<(usize, KafkaError)>>,
    /// What the client last said about its connections.
    pub(super) connection: Connection,
}

impl Deliveries {
    /// Nothing delivered yet; a record of `alone` bytes or more goes out in a batch of its own.
    pub(super) fn new(alone: usize) -> Self {
        Self { alone, ..Self::default() }
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

    /// Takes the places of the records that the topic has refused since for their size.
    pub(super) fn take_refused(&self) -> Vec<usize> {
        std::mem::take(&mut *lock(&self.refused))
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
        match result {
            Ok(message) => {
                self.records.fetch_add(1, Ordering::Relaxed);
                self.bytes.fetch_add(message.payload().map_or(0, <[u8]>::len) as u64, Ordering::Relaxed);
            }
            Err((error, message))
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge)
                    && message.payload_len() >= self.alone =>
            {
                lock(&self.refused).push(place);
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
