//! What the broker says of a topic, without joining its group.

use crate::config::Config;
use crate::connection::{Connection, LOOKS, listen};
use crate::error::IngestError;
use crate::source::{Watermarks, client_config};
use crate::topic_id::topic_id;
use rdkafka::ClientConfig;
use rdkafka::bindings::rd_kafka_resp_err_t as ResponseError;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataTopic};
use std::sync::Arc;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(10);
const LEADER_PAUSE: Duration = Duration::from_millis(50);

/// The range of offsets that the broker has of a partition; waits for a leader that is only being chosen, as it is when a topic
/// was made just now or a broker has gone.
///
/// # Errors
/// librdkafka's error, at the latest after twice the `timeout`.
pub(crate) fn watermarks<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
    timeout: Duration,
) -> Result<Watermarks, KafkaError> {
    let deadline = Instant::now() + timeout;
    loop {
        match consumer.fetch_watermarks(topic, partition, timeout) {
            Err(error) if is_without_leader(&error) && Instant::now() < deadline => std::thread::sleep(LEADER_PAUSE),
            answer => return answer.map(|(low, high)| Watermarks { partition, low, high }),
        }
    }
}

fn is_without_leader(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{LeaderNotAvailable, NotLeaderForPartition};
    matches!(error.rdkafka_error_code(), Some(LeaderNotAvailable | NotLeaderForPartition))
}

/// Asks for a topic's partitions and offsets.
#[derive(Clone)]
pub struct TopicInspector {
    consumer: Arc<BaseConsumer<Connection>>,
    client: ClientConfig,
    brokers: String,
    topic: String,
}

impl TopicInspector {
    /// A client of its own; connects at the first question.
    ///
    /// # Errors
    /// [`IngestError::Usage`] where librdkafka refuses an option.
    pub fn new(config: &Config) -> Result<Self, IngestError> {
        let mut client = client_config(config);
        client.set("group.id", format!("{}-inspect", config.settings.group));
        let consumer = client.create_with_context(Connection::default()).map_err(|error| {
            IngestError::Usage(format!(
                "the Kafka client cannot be made: {error}; look at [kafka] in the configuration"
            ))
        })?;
        Ok(Self {
            consumer: Arc::new(consumer),
            client,
            brokers: config.settings.brokers.clone(),
            topic: config.settings.topic.clone(),
        })
    }

    /// The partitions with the offsets that the broker has of each.
    ///
    /// # Errors
    /// [`IngestError::Outside`] where no broker answers or the topic is not there.
    pub async fn watermarks(&self) -> Result<Vec<Watermarks>, IngestError> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.ask())
            .await
            .map_err(|error| IngestError::Bug(format!("asking the broker: {error}")))?
    }

    /// The id that the broker gave the topic when it was made; `None` where it does not tell.
    pub async fn topic_id(&self) -> Option<String> {
        let this = self.clone();
        let asked = tokio::task::spawn_blocking(move || topic_id(this.consumer.client(), &this.topic, TIMEOUT)).await;
        asked.ok().flatten()
    }

    fn ask(&self) -> Result<Vec<Watermarks>, IngestError> {
        let partitions = self.partitions()?;
        partitions
            .into_iter()
            .map(|partition| {
                let marks = watermarks(&self.consumer, &self.topic, partition, TIMEOUT).map_err(|error| {
                    IngestError::Outside(format!(
                        "{}/{partition}: the broker does not tell its offsets: {error}",
                        self.topic
                    ))
                })?;
                Ok(marks)
            })
            .collect()
    }

    fn partitions(&self) -> Result<Vec<i32>, IngestError> {
        let metadata = self.metadata()?;
        let topic = metadata.topics().iter().find(|topic| topic.name() == self.topic);
        if topic.and_then(MetadataTopic::error) == Some(ResponseError::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
            return Err(IngestError::Outside(format!(
                "the user may not read the topic {} on {}: give it the rights Describe and Read on the topic, and Read on the group",
                self.topic, self.brokers
            )));
        }
        let partitions: Vec<i32> =
            topic.map_or_else(Vec::new, |topic| topic.partitions().iter().map(|partition| partition.id()).collect());
        if partitions.is_empty() {
            return Err(IngestError::Outside(format!(
                "the topic {} is not there on {}; `ingest produce --topic {} FILE…` makes it",
                self.topic, self.brokers, self.topic
            )));
        }
        Ok(partitions)
    }

    /// What the broker says of the topic; does not wait any longer for one that has refused this client.
    fn metadata(&self) -> Result<Metadata, IngestError> {
        let connection = self.consumer.context();
        connection.clear();
        let mut failed = None;
        for look in LOOKS {
            match self.consumer.fetch_metadata(Some(&self.topic), look) {
                Ok(metadata) => return Ok(metadata),
                Err(error) => failed = Some(error),
            }
            listen(&self.consumer);
            if connection.is_refused() {
                break;
            }
        }
        connection.look_closer(&self.client);
        let failed = failed.map_or_else(String::new, |error| error.to_string());
        let why = connection.explain(&failed);
        Err(IngestError::Outside(format!("no Kafka broker answers at {}: {why}", self.brokers)))
    }
}
