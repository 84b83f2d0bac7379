//! The topic as it is in the end, read past the workers.

use crate::crew::NAME;
use crate::feeder::NUMBER;
use crate::records::PARTITIONS;
use anyhow::{Result, ensure};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

const ANSWER: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(180);

/// What stands where in the topic.
#[derive(Debug, Default)]
pub struct Log {
    /// The end of each partition, exclusive.
    pub ends: BTreeMap<i32, i64>,
    /// Records of each partition.
    pub counts: BTreeMap<i32, i64>,
    /// Partition and offset of each record, by its number.
    pub places: HashMap<u64, Vec<(i32, i64)>>,
}

/// The end of each partition.
///
/// # Errors
/// Where the broker does not answer.
pub fn ends(client: &ClientConfig) -> Result<BTreeMap<i32, i64>> {
    let consumer: BaseConsumer = client.clone().create()?;
    (0..PARTITIONS).map(|partition| Ok((partition, consumer.fetch_watermarks(NAME, partition, ANSWER)?.1))).collect()
}

/// Reads all of it.
///
/// # Errors
/// Where the broker does not hand out everything in three minutes.
pub fn read(client: &ClientConfig) -> Result<Log> {
    let mut log = Log { ends: ends(client)?, ..Log::default() };
    let mut client = client.clone();
    client.set("group.id", "faults-verify").set("enable.auto.commit", "false").set("enable.partition.eof", "false");
    let consumer: BaseConsumer = client.create()?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        assignment.add_partition_offset(NAME, partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let mut stands: BTreeMap<i32, i64> = (0..PARTITIONS).map(|partition| (partition, 0)).collect();
    let deadline = Instant::now() + PATIENCE;
    while stands.iter().any(|(partition, next)| *next < log.ends[partition]) {
        ensure!(Instant::now() < deadline, "the topic could not be read: {stands:?} of {:?}", log.ends);
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            let (partition, offset) = (message.partition(), message.offset());
            stands.insert(partition, offset + 1);
            *log.counts.entry(partition).or_default() += 1;
            if let Some(number) = number(&message) {
                log.places.entry(number).or_default().push((partition, offset));
            }
        }
    }
    Ok(log)
}

fn number(message: &BorrowedMessage<'_>) -> Option<u64> {
    let header = message.headers()?.iter().find(|header| header.key == NUMBER)?;
    std::str::from_utf8(header.value?).ok()?.parse().ok()
}
