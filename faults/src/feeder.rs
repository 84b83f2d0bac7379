//! Sends the records at a pace that leaves work for every fault of the schedule.

use crate::crew::NAME;
use crate::records::{Record, Records};
use anyhow::{Context, Result, anyhow};
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The header that holds a record's number.
pub const NUMBER: &str = "number";
const TICK: Duration = Duration::from_millis(100);
/// Ticks that one fault is taken to last, with its recovery.
const TICKS_PER_FAULT: u64 = 40;
/// For a fault that takes longer: enough to see which partitions move, and what is left lasts.
const FEWEST_PER_TICK: u64 = 1;
const FLUSH_PATIENCE: Duration = Duration::from_secs(120);

/// Sends the records of a seed.
pub struct Feeder {
    producer: ThreadedProducer<DefaultProducerContext>,
    records: Mutex<std::iter::Take<Records>>,
    left: AtomicU64,
    faults_left: AtomicU64,
    /// Records that are meant for the fault that is under way.
    share: AtomicU64,
}

impl Feeder {
    /// A feeder of `count` records during `faults` faults. The client waits for the broker as long as it takes, and repeats nothing.
    ///
    /// # Errors
    /// Where the client cannot be made.
    pub fn new(mut client: ClientConfig, seed: u64, count: u64, faults: u64) -> Result<Arc<Self>> {
        client.set("enable.idempotence", "true").set("message.timeout.ms", "0").set("linger.ms", "5");
        client.set("queue.buffering.max.messages", "1000000");
        let records = Records::new(seed).take(usize::try_from(count)?);
        Ok(Arc::new(Self {
            producer: client.create()?,
            records: Mutex::new(records),
            left: AtomicU64::new(count),
            faults_left: AtomicU64::new(faults),
            share: AtomicU64::new(count / (faults + 1)),
        }))
    }

    /// Sends some records every tick until there are none; never returns well before that.
    ///
    /// # Errors
    /// A record that the client does not take.
    pub async fn run(self: Arc<Self>) -> Result<()> {
        let mut tick = tokio::time::interval(TICK);
        while self.left() > 0 {
            tick.tick().await;
            let share = self.share.load(Ordering::Relaxed);
            let now = (self.left() / (self.faults_left() * TICKS_PER_FAULT)).min(share);
            self.share.fetch_sub(now, Ordering::Relaxed);
            self.send(now.max(FEWEST_PER_TICK))?;
        }
        Ok(())
    }

    /// A fault is over: what is left is for the others.
    pub fn next_fault(&self) {
        self.faults_left.fetch_sub(1, Ordering::Relaxed);
        self.share.store(self.left() / self.faults_left(), Ordering::Relaxed);
    }

    /// With what comes after the last one.
    fn faults_left(&self) -> u64 {
        self.faults_left.load(Ordering::Relaxed) + 1
    }

    /// Records that were not sent yet.
    pub fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// Sends up to `count` records.
    ///
    /// # Errors
    /// A record that the client does not take.
    pub fn send(&self, count: u64) -> Result<()> {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        for record in records.by_ref().take(usize::try_from(count)?) {
            self.left.fetch_sub(1, Ordering::Relaxed);
            self.send_one(&record)?;
        }
        Ok(())
    }

    fn send_one(&self, record: &Record) -> Result<()> {
        let number = record.number.to_string();
        let headers = OwnedHeaders::new().insert(Header { key: NUMBER, value: Some(&number) });
        let mut message: BaseRecord<'_, str, [u8]> =
            BaseRecord::to(NAME).partition(record.partition).key(record.key.as_str()).headers(headers);
        message.payload = record.payload.as_deref();
        while let Err((error, back)) = self.producer.send(message) {
            if !matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) {
                return Err(anyhow!(error)).context("a record cannot be sent");
            }
            message = back;
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Sends what is left, and waits until the broker has everything.
    ///
    /// # Errors
    /// Where the broker does not take it in two minutes.
    pub async fn finish(self: Arc<Self>) -> Result<()> {
        tokio::task::spawn_blocking(move || {
            self.send(u64::from(u32::MAX))?;
            self.producer.flush(FLUSH_PATIENCE).context("the records were not delivered")
        })
        .await?
    }
}
