//! What the broker says of a topic, without joining its group.

use crate::config::Config;
use crate::connection::{Connection, LOOKS, listen};
use crate::error::IngestError;
use crate::source::{Watermarks, client_config};
use crate::topic_id::topic_id;
use model::decode::Coordinates;
use rdkafka::bindings::rd_kafka_resp_err_t as ResponseError;
use rdkafka::client::{Client, ClientContext};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataTopic};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::{ClientConfig, Message};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(10);
const LEADER_PAUSE: Duration = Duration::from_millis(50);
/// How long records are waited for that are only looked at.
const SAMPLE_TIMEOUT: Duration = Duration::from_secs(10);
const SAMPLE_POLL: Duration = Duration::from_millis(100);
/// Bytes of records that are only looked at.
const MOST_SAMPLED_BYTES: usize = 16 << 20;

/// The range of offsets that the broker has of a partition; waits for a leader that is only being chosen, as it is when a topic
/// was made just now or a broker has gone.
///
/// # Errors
/// librdkafka's error, at the latest after twice the `timeout`.
pub(crate) fn watermarks<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    partition: i32,
    timeout: Duration,
) -> Result<Watermarks, KafkaError> {
    let deadline = Instant::now() + timeout;
    loop {
        match client.fetch_watermarks(topic, partition, timeout) {
            Err(error) if is_without_leader(&error) && Instant::now() < deadline => std::thread::sleep(LEADER_PAUSE),
            answer => return answer.map(|(low, high)| Watermarks { partition, low, high }),
        }
    }
}

fn is_without_leader(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{LeaderNotAvailable, NotLeaderForPartition};
    matches!(error.rdkafka_error_code(), Some(LeaderNotAvailable | NotLeaderForPartition))
}

/// Whether nobody has answered: the address is wrong, closed or silent.
pub(crate) fn is_unanswered(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut, RequestTimedOut, Resolve};
    matches!(
        error.rdkafka_error_code(),
        Some(AllBrokersDown | BrokerTransportFailure | OperationTimedOut | RequestTimedOut | Resolve)
    )
}

/// The leaders of a topic's partitions, as `host:port`: the address that the brokers tell their clients.
pub(crate) fn leaders(metadata: &Metadata, topic: &str) -> BTreeMap<i32, String> {
    let addresses: HashMap<i32, String> =
        metadata.brokers().iter().map(|broker| (broker.id(), format!("{}:{}", broker.host(), broker.port()))).collect();
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let partitions = found.map_or(&[][..], MetadataTopic::partitions).iter();
    partitions.filter_map(|partition| Some((partition.id(), addresses.get(&partition.leader())?.clone()))).collect()
}

/// What it means that the leader of a partition does not answer, though another address of the cluster has named it.
pub(crate) fn silent_leader(leader: &str, connection: &Connection, error: &KafkaError) -> String {
    let said = connection.said().unwrap_or_else(|| error.to_string());
    format!(
        "its leader does not answer at {leader}, the address that the broker tells its clients ({said}); is that broker running? Where the \
         address cannot be reached from here, correct `advertised.listeners` of the broker"
    )
}

/// A record that is only looked at.
#[derive(Debug, Clone)]
pub struct Sampled {
    /// Where it stands.
    pub at: Coordinates,
    /// Its payload.
    pub payload: Option<Vec<u8>>,
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

    /// The newest records, `most` of all partitions together at the most; read outside of any group.
    ///
    /// # Errors
    /// [`IngestError::Outside`] where the broker gives none within ten seconds though there are some.
    pub async fn sample(&self, marks: &[Watermarks], most: usize) -> Result<Vec<Sampled>, IngestError> {
        let (this, marks) = (self.clone(), marks.to_vec());
        tokio::task::spawn_blocking(move || this.read(&marks, most).map_err(|error| this.unreadable(&error)))
            .await
            .map_err(|error| IngestError::Bug(format!("reading records: {error}")))?
    }

    fn unreadable(&self, error: &KafkaError) -> IngestError {
        IngestError::Outside(format!("{}: no record can be read: {error}", self.topic))
    }

    fn read(&self, marks: &[Watermarks], most: usize) -> Result<Vec<Sampled>, KafkaError> {
        let filled: Vec<&Watermarks> = marks.iter().filter(|marks| marks.high > marks.low).collect();
        let each = i64::try_from((most / filled.len().max(1)).max(1)).unwrap_or(i64::MAX);
        let mut list = TopicPartitionList::new();
        for marks in filled {
            let first = Offset::Offset(marks.low.max(marks.high - each));
            list.add_partition_offset(&self.topic, marks.partition, first)?;
        }
        let consumer: BaseConsumer = self.client.create()?;
        consumer.assign(&list)?;
        let (mut open, mut sample, mut bytes) = (list.count(), Vec::new(), 0);
        let deadline = Instant::now() + SAMPLE_TIMEOUT;
        while open > 0 && sample.len() < most && bytes < MOST_SAMPLED_BYTES {
            match consumer.poll(SAMPLE_POLL) {
                Some(Ok(record)) => {
                    let (partition, offset) = (record.partition(), record.offset());
                    let at = Coordinates { partition, offset, timestamp: record.timestamp().to_millis() };
                    let payload = record.payload().map(<[u8]>::to_vec);
                    bytes += payload.as_ref().map_or(0, Vec::len);
                    sample.push(Sampled { at, payload });
                }
                Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
                Some(Err(error)) if Instant::now() > deadline => return Err(error),
                None if Instant::now() > deadline && sample.is_empty() => {
                    return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut));
                }
                None if Instant::now() > deadline => break,
                _ => {}
            }
        }
        Ok(sample)
    }

    fn ask(&self) -> Result<Vec<Watermarks>, IngestError> {
        let metadata = self.metadata()?;
        let leaders = leaders(&metadata, &self.topic);
        let partitions = self.partitions(&metadata)?;
        let ask = |partition| {
            watermarks(self.consumer.client(), &self.topic, partition, TIMEOUT).map_err(|error| {
                listen(&self.consumer);
                let why = match leaders.get(&partition) {
                    Some(leader) if is_unanswered(&error) => silent_leader(leader, self.consumer.context(), &error),
                    _ => error.to_string(),
                };
                IngestError::Outside(format!("{}/{partition}: the broker does not tell its offsets: {why}", self.topic))
            })
        };
        partitions.into_iter().map(ask).collect()
    }

    fn partitions(&self, metadata: &Metadata) -> Result<Vec<i32>, IngestError> {
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
