//! The servers of a run: one broker and three members of a replica set, each behind a proxy that the workers go through.

use crate::proxy::{Network, OURS, Protocol, Proxy};
use crate::topic;

use anyhow::{Context, Result, ensure};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use stack::process::free_ports;
use stack::{Kafka, MemberPorts, ProxiedListener, ReplicaSet, fetch};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const MEMBERS: usize = 3;
const MONGOD_CACHE_MB: u32 = 256;
/// Far more than an election or a new topic takes.
const PATIENCE: Duration = Duration::from_secs(180);
const KAFKA_HEAP_MB: u32 = 320;

/// Running servers, and the networks in front of them.
#[derive(Debug)]
pub struct Servers {
    /// The broker.
    pub kafka: Kafka,
    /// The members.
    pub mongodb: ReplicaSet,
    /// Between workers and the broker.
    pub to_kafka: Arc<Network>,
    /// Between workers and MongoDB.
    pub to_mongodb: Arc<Network>,
    kafka_proxy: u16,
}

impl Servers {
    /// Starts all of them in `folder`.
    ///
    /// # Errors
    /// A server that cannot be fetched or does not start.
    pub async fn start(folder: &Path) -> Result<Self> {
        let (to_kafka, to_mongodb) = (Arc::<Network>::default(), Arc::<Network>::default());
        let (parts, program) = tokio::try_join!(fetch::kafka_parts(), fetch::mongod())?;
        let mut members = Vec::new();
        for listen in free_ports::<MEMBERS>()? {
            let proxy = Proxy::bind().await?;
            members.push(MemberPorts { listen, advertised: proxy.port() });
            proxy.forward(listen, Protocol::Mongodb, Arc::clone(&to_mongodb));
        }
        let [port] = free_ports()?;
        let proxy = Proxy::bind().await?;
        let kafka_proxy = proxy.port();
        proxy.forward(port, Protocol::Bytes, Arc::clone(&to_kafka));
        let kafka_folder = folder.join("kafka");
        std::fs::create_dir_all(&kafka_folder)?;
        let listener = ProxiedListener { port, advertised: kafka_proxy };
        let (kafka, mongodb) = tokio::try_join!(
            Kafka::start_proxied(&parts, &kafka_folder, KAFKA_HEAP_MB, listener),
            ReplicaSet::start(&program, folder, &members, MONGOD_CACHE_MB),
        )?;
        Ok(Self { kafka, mongodb, to_kafka, to_mongodb, kafka_proxy })
    }

    /// The broker as the workers see it: through the proxy.
    pub fn worker_brokers(&self) -> String {
        format!("127.0.0.1:{}", self.kafka_proxy)
    }

    /// Options of a client of ours, which no fault of the network reaches.
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.kafka.brokers()).set("reconnect.backoff.max.ms", "500");
        config
    }

    /// A MongoDB client of ours, which no fault of the network reaches.
    ///
    /// # Errors
    /// Where the options are not usable, which is a bug.
    pub async fn client(&self) -> Result<mongodb::Client> {
        let mut options = mongodb::options::ClientOptions::parse(self.mongodb.uri()).await?;
        options.app_name = Some(OURS.to_owned());
        options.server_selection_timeout = Some(Duration::from_secs(1));
        Ok(mongodb::Client::with_options(options)?)
    }

    /// Makes the topic, and waits until the broker tells its offsets.
    ///
    /// # Errors
    /// Where the broker refuses, or takes three minutes.
    pub async fn create_topic(&self, topic: &str, partitions: i32) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.client_config().create()?;
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        for made in admin.create_topics([&new], &AdminOptions::new()).await? {
            made.map_err(|(topic, error)| anyhow::anyhow!("{topic}: {error}"))?;
        }
        let client = self.client_config();
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = tokio::task::spawn_blocking({
            let client = client.clone();
            move || topic::ends(&client)
        })
        .await?
        {
            ensure!(Instant::now() < deadline, "the topic is not there three minutes after it was made: {error}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// The place of the primary; waits for an election that is under way.
    ///
    /// # Errors
    /// Where none is elected for three minutes.
    pub async fn primary(&self) -> Result<usize> {
        let found = async {
            loop {
                if let Some(place) = self.mongodb.primary().await {
                    return place;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, found).await.context("no primary was elected for three minutes")
    }

    /// Ends all of them.
    ///
    /// # Errors
    /// A server that does not end.
    pub async fn stop(self) -> Result<()> {
        let (kafka, mongodb) = tokio::join!(self.kafka.stop(), self.mongodb.stop());
        Ok(kafka.and(mongodb)?)
    }
}
