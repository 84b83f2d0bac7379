//! What the tests do to Kafka itself: records that no file can hold, and topics that lose theirs.

use crate::support::{PATIENCE, Pipeline, wait_until};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

/// Bytes of the largest record that a topic for large records takes.
const LARGEST: &str = "40000000";

fn client() -> ClientConfig {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &stack::testing::shared().kafka_brokers);
    client
}

/// Sends one record, byte for byte, to a partition of the pipeline's topic.
pub fn send(pipeline: &Pipeline, partition: i32, payload: Option<&[u8]>, headers: &[(&str, Option<&[u8]>)]) {
    let producer: BaseProducer = client().create().unwrap();
    let mut list = OwnedHeaders::new();
    for &(key, value) in headers {
        list = list.insert(Header { key, value });
    }
    let mut record = BaseRecord::to(&pipeline.name).partition(partition).key(b"k".as_slice()).headers(list);
    record.payload = payload;
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(PATIENCE).unwrap();
}

/// Sends records in this order to a partition of the pipeline's topic.
pub fn send_all<'p>(pipeline: &Pipeline, partition: i32, payloads: impl Iterator<Item = &'p [u8]>) {
    let producer: BaseProducer = client().create().unwrap();
    for payload in payloads {
        let record = BaseRecord::to(&pipeline.name).partition(partition).key(b"k".as_slice()).payload(payload);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

/// Sends records in a transaction that is committed, or aborted.
pub fn send_in_transaction<'p>(pipeline: &Pipeline, payloads: impl Iterator<Item = &'p [u8]>, commits: bool) {
    let producer: BaseProducer = client().set("transactional.id", &pipeline.name).create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    for payload in payloads {
        let record = BaseRecord::to(&pipeline.name).partition(0).key(b"k".as_slice()).payload(payload);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    if commits {
        producer.commit_transaction(PATIENCE).unwrap();
    } else {
        producer.abort_transaction(PATIENCE).unwrap();
    }
}

/// Sends records with timestamps and keys of their own, however large.
pub fn send_dated<'p>(pipeline: &Pipeline, records: impl Iterator<Item = (i64, &'p [u8], &'p [u8])>) {
    let mut client = client();
    let producer: BaseProducer =
        client.set("message.max.bytes", LARGEST).set("queue.buffering.max.kbytes", "1000000").create().unwrap();
    for (timestamp, key, payload) in records {
        let record = BaseRecord::to(&pipeline.name).partition(0).timestamp(timestamp).key(key).payload(payload);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

/// Makes the pipeline's topic, with one partition that takes records far larger than brokers do by default.
pub fn create_topic_for_large_records(pipeline: &Pipeline) {
    create(pipeline, NewTopic::new(&pipeline.name, 1, TopicReplication::Fixed(1)).set("max.message.bytes", LARGEST));
    wait_for_partitions(pipeline, 1);
}

/// Makes the pipeline's topic.
pub fn create_topic(pipeline: &Pipeline, partitions: i32) {
    create(pipeline, NewTopic::new(&pipeline.name, partitions, TopicReplication::Fixed(1)));
    wait_for_partitions(pipeline, partitions);
}

fn create(pipeline: &Pipeline, topic: NewTopic<'_>) {
    wait_until("the topic is made", || {
        let made = pipeline.runtime.block_on(admin().create_topics([&topic], &AdminOptions::new())).unwrap();
        made[0].is_ok()
    });
}

/// Deletes the pipeline's topic and makes one of the same name.
pub fn make_topic_again(pipeline: &Pipeline, partitions: i32) {
    pipeline.runtime.block_on(admin().delete_topics(&[&pipeline.name], &AdminOptions::new())).unwrap()[0]
        .as_ref()
        .unwrap();
    create_topic(pipeline, partitions);
}

/// Gives the pipeline's topic more partitions.
pub fn add_partitions(pipeline: &Pipeline, all: i32) {
    let more = NewPartitions::new(&pipeline.name, usize::try_from(all).unwrap());
    pipeline.runtime.block_on(admin().create_partitions([&more], &AdminOptions::new())).unwrap()[0].as_ref().unwrap();
    wait_for_partitions(pipeline, all);
}

/// Removes the records before an offset, as retention does.
pub fn remove_before(pipeline: &Pipeline, partition: i32, offset: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&pipeline.name, partition, Offset::Offset(offset)).unwrap();
    pipeline.runtime.block_on(admin().delete_records(&list, &AdminOptions::new())).unwrap();
    let consumer: BaseConsumer = client().create().unwrap();
    let first = || consumer.fetch_watermarks(&pipeline.name, partition, PATIENCE).unwrap().0;
    wait_until("the records are removed", || first() == offset);
}

fn admin() -> AdminClient<DefaultClientContext> {
    client().create().unwrap()
}

fn wait_for_partitions(pipeline: &Pipeline, partitions: i32) {
    let consumer: BaseConsumer = client().create().unwrap();
    wait_until("the broker tells of the partitions", || {
        let metadata = consumer.fetch_metadata(Some(&pipeline.name), PATIENCE).unwrap();
        let known = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        let all_there = known == usize::try_from(partitions).unwrap();
        all_there && (0..partitions).all(|id| consumer.fetch_watermarks(&pipeline.name, id, PATIENCE).is_ok())
    });
}
