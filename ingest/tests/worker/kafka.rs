//! What the tests do to Kafka itself: records that no file can hold.

use crate::support::{PATIENCE, Pipeline};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

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
