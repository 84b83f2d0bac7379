//! The topic exists before the first record is sent, with the partitions it is meant to have.

use super::producer::{self, Producer};
use super::{ProduceError, Target};
use crate::connection::LOOKS;
use crate::topic;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::Metadata;
use rdkafka::producer::Producer as _;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Within this time a broker has to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the client's errors are listened to.
const LISTEN: Duration = Duration::from_millis(200);
/// Within this time a created topic has to have leaders for all its partitions.
const READY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one look at the topic waits for a change.
const LOOK: Duration = Duration::from_millis(50);
/// Lets the cluster's `default.replication.factor` apply.
const CLUSTER_DEFAULT: i32 = -1;

/// Partitions of the target's topic, which is created if it is missing. An existing topic stays as it is. Their leaders answer: a record for one
/// that does not would be waited for in silence.
pub(super) fn ensure(producer: &Producer, target: &Target) -> Result<i32, ProduceError> {
    let metadata = metadata(producer, target)?;
    let partitions = match partitions_of(&metadata, &target.topic) {
        0 => create(producer, target)?,
        partitions => {
            if partitions != target.partitions {
                tracing::warn!(
                    "topic {} has {partitions} partitions, not {}; it is left as it is",
                    target.topic,
                    target.partitions
                );
            }
            partitions
        }
    };
    reach_leaders(producer, target)?;
    Ok(partitions)
}

/// Asks every leader something.
fn reach_leaders(producer: &Producer, target: &Target) -> Result<(), ProduceError> {
    let (client, topic) = (producer.client(), &target.topic);
    // Another trouble than silence shows when the records are sent.
    let Ok(metadata) = client.fetch_metadata(Some(topic), ANSWER_TIMEOUT) else { return Ok(()) };
    let mut asked = HashSet::new();
    for (partition, leader) in topic::leaders(&metadata, topic) {
        if !asked.insert(leader.clone()) {
            continue;
        }
        if let Err(error) = topic::watermarks(client, topic, partition, ANSWER_TIMEOUT)
            && topic::is_unanswered(&error)
        {
            producer.poll(LISTEN);
            let why = topic::silent_leader(&leader, &producer.context().connection, &error);
            return Err(ProduceError::NoLeader { topic: topic.clone(), partition, reason: why });
        }
    }
    Ok(())
}

/// What the cluster has; does not wait any longer for a broker that has refused this client.
fn metadata(producer: &Producer, target: &Target) -> Result<Metadata, ProduceError> {
    let connection = &producer.context().connection;
    let mut failed = String::new();
    for look in LOOKS {
        // Asking for the topic by name would let the broker create it with its own number of partitions.
        match producer.client().fetch_metadata(None, look) {
            Ok(metadata) => return Ok(metadata),
            Err(error) => failed = error.to_string(),
        }
        producer.poll(LISTEN);
        if connection.is_refused() {
            break;
        }
    }
    connection.look_closer(&producer::config(target)?);
    Err(ProduceError::NoBroker { brokers: target.brokers.clone(), reason: connection.explain(&failed) })
}

/// Partitions of `topic` that have a leader, or 0.
fn partitions_of(metadata: &Metadata, topic: &str) -> i32 {
    let found = metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none());
    found.map_or(0, |found| i32::try_from(found.partitions().len()).unwrap_or(i32::MAX))
}

fn create(producer: &Producer, target: &Target) -> Result<i32, ProduceError> {
    let failed = |reason: String| ProduceError::Topic { topic: target.topic.clone(), reason };
    request_creation(target)?.map_err(|code| failed(code.to_string()))?;
    tracing::info!("topic {} created with {} partitions", target.topic, target.partitions);
    let deadline = Instant::now() + READY_TIMEOUT;
    loop {
        let metadata = producer.client().fetch_metadata(Some(&target.topic), ANSWER_TIMEOUT);
        if let Ok(metadata) = &metadata
            && partitions_of(metadata, &target.topic) > 0
        {
            return Ok(partitions_of(metadata, &target.topic));
        }
        if Instant::now() > deadline {
            return Err(failed(format!("it was accepted but has no leader after {} s", READY_TIMEOUT.as_secs())));
        }
        producer.poll(LOOK);
    }
}

/// The topic's setting for the largest batch it takes.
pub(super) const LARGEST_BATCH: &str = "max.message.bytes";

/// Bytes of the largest batch that the topic takes; none if the broker does not tell, as where that is not allowed.
pub(super) fn largest_batch(target: &Target) -> Result<Option<usize>, ProduceError> {
    let (admin, options) = admin(target)?;
    let topic = [ResourceSpecifier::Topic(&target.topic)];
    let described = block_on(target, admin.describe_configs(&topic, &options))?;
    let resource = match described.map(|resources| resources.into_iter().next()) {
        Ok(Some(Ok(resource))) => resource,
        Ok(Some(Err(code))) => return Ok(unknown_limit(&code)),
        Ok(None) => return Ok(None),
        Err(error) => return Ok(unknown_limit(&error)),
    };
    let largest = resource.get(LARGEST_BATCH).and_then(|entry| entry.value.as_ref()?.parse().ok());
    Ok(largest)
}

fn unknown_limit(error: &dyn std::fmt::Display) -> Option<usize> {
    tracing::debug!("the settings of the topic cannot be read: {error}");
    None
}

/// Asks for the topic; another client that creates it at the same moment is as good.
fn request_creation(target: &Target) -> Result<Result<(), RDKafkaErrorCode>, ProduceError> {
    let (admin, options) = admin(target)?;
    let topic = NewTopic::new(&target.topic, target.partitions, TopicReplication::Fixed(CLUSTER_DEFAULT));
    let results = block_on(target, admin.create_topics([&topic], &options))?
        .map_err(|error| ProduceError::Topic { topic: target.topic.clone(), reason: error.to_string() })?;
    Ok(match results.into_iter().next() {
        Some(Err((_, code))) if code != RDKafkaErrorCode::TopicAlreadyExists => Err(code),
        _ => Ok(()),
    })
}

fn admin(target: &Target) -> Result<(AdminClient<DefaultClientContext>, AdminOptions), ProduceError> {
    let admin = producer::config(target)?.create().map_err(ProduceError::Config)?;
    Ok((admin, AdminOptions::new().operation_timeout(Some(ANSWER_TIMEOUT)).request_timeout(Some(ANSWER_TIMEOUT))))
}

fn block_on<T>(target: &Target, asked: impl Future<Output = T>) -> Result<T, ProduceError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let failed = |error: std::io::Error| ProduceError::Topic { topic: target.topic.clone(), reason: error.to_string() };
    Ok(runtime.map_err(failed)?.block_on(asked))
}
