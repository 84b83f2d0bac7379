//! The Kafka client: safe, fast defaults that the user's properties override.

use super::delivery::Deliveries;
use super::{ProduceError, Target};
use rdkafka::config::ClientConfig;
use rdkafka::producer::BaseProducer;

pub(super) type Producer = BaseProducer<Deliveries>;

/// Each can be overridden. Together they lose nothing, repeat nothing and keep the queue small.
const DEFAULTS: [(&str, &str); 9] = [
    ("client.id", "rushes-produce"),
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("linger.ms", "50"),
    ("batch.size", "1000000"),
    ("compression.type", "lz4"),
    // As the Java clients choose a partition, so that other producers of the topic agree.
    ("partitioner", "murmur2_random"),
    // What bounds the memory of a run.
    ("queue.buffering.max.kbytes", "16384"),
    ("queue.buffering.max.messages", "100000"),
];

/// Properties that have their own place, or that the report of a run depends on.
const REFUSED: [(&str, &str); 3] = [
    ("bootstrap.servers", "the brokers are set by `brokers` or KAFKA_BROKERS"),
    ("metadata.broker.list", "the brokers are set by `brokers` or KAFKA_BROKERS"),
    ("delivery.report.only.error", "the counts of a run come from the delivery reports"),
];

/// The properties for `target`.
pub(super) fn config(target: &Target) -> Result<ClientConfig, ProduceError> {
    if let Some((option, reason)) = REFUSED.iter().find(|(option, _)| target.kafka.contains_key(*option)) {
        return Err(ProduceError::Option { option: (*option).to_owned(), reason });
    }
    let mut config = ClientConfig::new();
    for (name, value) in DEFAULTS {
        config.set(name, value);
    }
    for (name, value) in &target.kafka {
        config.set(name, value);
    }
    config.set("bootstrap.servers", &target.brokers);
    Ok(config)
}

/// A producer for `target`, which has not talked to a broker yet.
pub(super) fn connect(target: &Target) -> Result<Producer, ProduceError> {
    config(target)?.create_with_context(Deliveries::default()).map_err(ProduceError::Config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(kafka: &[(&str, &str)]) -> Target {
        Target {
            brokers: "localhost:1".into(),
            topic: "reviews".into(),
            partitions: 1,
            key_field: None,
            kafka: kafka.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
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
    fn brokers_have_their_own_place() {
        let error = config(&target(&[("bootstrap.servers", "elsewhere:9092")])).unwrap_err();
        assert!(error.to_string().contains("KAFKA_BROKERS"), "{error}");
    }

    #[test]
    fn an_unknown_option_is_named() {
        let error = connect(&target(&[("linger", "5")])).err().expect("librdkafka knows no such property");
        assert!(error.to_string().contains("linger"), "{error}");
    }
}
