//! The Kafka client: safe, fast defaults that the user's properties override.

use super::delivery::Deliveries;
use super::{ProduceError, Target};
use crate::kafka_options::KafkaOptions;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::producer::BaseProducer;

pub(super) type Producer = BaseProducer<Deliveries>;

/// Each can be overridden. Together they lose nothing, repeat nothing and keep the queue small.
const DEFAULTS: [(&str, &str); 7] = [
    ("client.id", "rushes-produce"),
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("linger.ms", "50"),
    ("compression.type", "lz4"),
    // As the Java clients choose a partition, so that other producers of the topic agree.
    ("partitioner", "murmur2_random"),
    // With the size of the queue, what bounds the memory of a run.
    ("queue.buffering.max.messages", "100000"),
];

const BATCH_SIZE: (&str, usize) = ("batch.size", 1_000_000);
/// The setting for the largest record that the producer takes.
pub(super) const LARGEST: &str = "message.max.bytes";
/// The setting for the size of the queue, in units of 1024 bytes.
pub(super) const QUEUE: &str = "queue.buffering.max.kbytes";
const QUEUE_SIZE: usize = 16 << 10;

/// Kilobytes of the queue, which holds two of the largest records.
fn queue_size(kafka: &KafkaOptions) -> usize {
    let largest = kafka.get(LARGEST).and_then(|bytes| bytes.parse::<usize>().ok()).unwrap_or_default();
    QUEUE_SIZE.max(largest / 512)
}

/// The properties for `target`.
pub(super) fn config(target: &Target) -> Result<ClientConfig, ProduceError> {
    target.kafka.check()?;
    let mut config = ClientConfig::new();
    // A broker that hangs up is told at this level.
    config.set_log_level(RDKafkaLogLevel::Info);
    for (name, value) in DEFAULTS {
        config.set(name, value);
    }
    config.set(BATCH_SIZE.0, BATCH_SIZE.1.to_string());
    config.set(QUEUE, queue_size(&target.kafka).to_string());
    target.kafka.apply(&mut config);
    config.set("bootstrap.servers", &target.brokers);
    Ok(config)
}

/// A producer for `target`, which has not talked to a broker yet. No batch has more than `largest` bytes, which is what the
/// topic takes, if that is known.
pub(super) fn connect(target: &Target, largest: Option<usize>) -> Result<Producer, ProduceError> {
    let mut config = config(target)?;
    let batch = config.get(BATCH_SIZE.0).and_then(|bytes| bytes.parse().ok()).unwrap_or(BATCH_SIZE.1);
    let batch = largest.map_or(batch, |largest| batch.min(largest));
    config.set(BATCH_SIZE.0, batch.to_string());
    config.create_with_context(Deliveries::new(batch)).map_err(ProduceError::Config)
}

/// Says what the user has given up.
pub(super) fn warn_of_risks(target: &Target) {
    risks(&target.kafka).for_each(|risk| tracing::warn!("{risk}"));
}

/// What the user has given up for speed, or because a broker does not have it.
fn risks(kafka: &KafkaOptions) -> impl Iterator<Item = &'static str> {
    let is_weaker = |name, safe: [&str; 2]| kafka.get(name).is_some_and(|value| !safe.contains(&value));
    let repeats = is_weaker("enable.idempotence", ["true", "1"]).then_some(
        "kafka.enable.idempotence is off: after a retry a record may be in the topic twice, or behind a later one; the worker finds repeats by \
         their ids",
    );
    let losses = is_weaker("acks", ["all", "-1"])
        .then_some("kafka.acks is not `all`: a record may be lost with one broker, although it was counted as sent");
    repeats.into_iter().chain(losses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::producer::Producer as _;

    fn target(kafka: &[(&str, &str)]) -> Target {
        Target {
            brokers: "localhost:1".into(),
            topic: "reviews".into(),
            partitions: 1,
            key_field: None,
            kafka: kafka.iter().copied().collect(),
        }
    }

    #[test]
    fn options_override_the_defaults() {
        let config = config(&target(&[("linger.ms", "5"), ("socket.keepalive.enable", "true")])).unwrap();
        assert_eq!(config.get("linger.ms"), Some("5"));
        assert_eq!(config.get("socket.keepalive.enable"), Some("true"));
        assert_eq!(config.get("acks"), Some("all"));
        assert_eq!(config.get("bootstrap.servers"), Some("localhost:1"));
    }

    #[test]
    fn the_queue_holds_the_largest_record() {
        let queue = |kafka: &[(&str, &str)]| config(&target(kafka)).unwrap().get(QUEUE).map(str::to_owned);
        assert_eq!(queue(&[]).as_deref(), Some("16384"));
        assert_eq!(queue(&[(LARGEST, "30000000")]).as_deref(), Some("58593"));
        assert_eq!(queue(&[(LARGEST, "30000000"), (QUEUE, "100")]).as_deref(), Some("100"));
    }

    #[test]
    fn a_batch_is_no_larger_than_the_topic_takes() {
        let batch = |kafka: &[(&str, &str)], largest| connect(&target(kafka), largest).unwrap().context().batch;
        assert_eq!(batch(&[], None), BATCH_SIZE.1);
        assert_eq!(batch(&[], Some(1_048_588)), BATCH_SIZE.1);
        assert_eq!(batch(&[], Some(2_000)), 2_000);
        assert_eq!(batch(&[("batch.size", "500")], Some(2_000)), 500);
        assert_eq!(batch(&[("batch.size", "5000")], Some(2_000)), 2_000);
    }

    #[test]
    fn brokers_have_their_own_place() {
        let error = config(&target(&[("bootstrap.servers", "elsewhere:9092")])).unwrap_err();
        assert!(error.to_string().contains("KAFKA_BROKERS"), "{error}");
    }

    #[test]
    fn an_unknown_option_is_named() {
        let error = connect(&target(&[("linger", "5")]), None).err().expect("librdkafka knows no such property");
        assert!(error.to_string().contains("kafka.linger"), "{error}");
    }

    #[test]
    fn weaker_promises_are_possible_and_said() {
        assert_eq!(risks(&target(&[("acks", "all"), ("enable.idempotence", "true")]).kafka).count(), 0);
        let weaker = target(&[("request.required.acks", "1"), ("enable.idempotence", "false")]);
        assert!(connect(&weaker, None).is_ok());
        let said: Vec<_> = risks(&weaker.kafka).collect();
        assert!(said.len() == 2 && said[0].contains("twice") && said[1].contains("lost"), "{said:?}");
    }
}
