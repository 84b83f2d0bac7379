//! A Kafka broker that is its own controller (KRaft): settings, start and readiness probe.

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord};
use rdkafka::{Offset, TopicPartitionList};

use crate::StackError;
use crate::fetch::{FORMAT_PROPERTIES, KafkaParts};
use crate::process::{Server, Spec, free_ports};

/// Far longer than a cold start on a slow machine.
const START_TIMEOUT: Duration = Duration::from_secs(90);
/// The same for a restart on a busy machine.
const RESTART_TIMEOUT: Duration = Duration::from_secs(180);
/// Time for an orderly shutdown if the data stays; it takes half a second.
const GRACE: Duration = Duration::from_secs(20);
/// The probe's topic; created, used once and deleted during the start.
const PROBE_TOPIC: &str = "stack-ready";
const PROBE: &str = "ready";
/// How long one step of the probe may block before the server process is checked.
const STEP: Duration = Duration::from_millis(100);

/// Settings of a private broker: one replica of everything, no automatic topics, unlimited retention (a demo's reviews are years
/// old), groups that form at once and may use short session timeouts, and buffers sized for a laptop.
const SETTINGS: &str = "\
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.retention.ms=-1
log.cleaner.dedupe.buffer.size=4194304
auto.leader.rebalance.enable=false
controlled.shutdown.enable=false
";

/// A second listener of a broker, for clients behind a proxy. It advertises the proxy's port.
#[derive(Debug, Clone, Copy)]
pub struct ProxiedListener {
    /// Where the broker listens.
    pub port: u16,
    /// Where the proxy listens.
    pub advertised: u16,
}

/// Additional listeners and properties of a broker.
#[derive(Debug, Clone, Default)]
pub struct MoreListeners {
    /// Additional listeners.
    pub listeners: Vec<Listener>,
    /// Lines of `server.properties`, each with its line end.
    pub properties: String,
}

/// One listener of a broker.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Its name: capitals and `_`.
    pub name: &'static str,
    /// `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.
    pub protocol: &'static str,
    /// Where the broker listens.
    pub port: u16,
    /// The advertised port.
    pub advertised: u16,
}

impl From<ProxiedListener> for MoreListeners {
    fn from(ProxiedListener { port, advertised }: ProxiedListener) -> Self {
        let listener = Listener { name: "PROXIED", protocol: "PLAINTEXT", port, advertised };
        Self { listeners: vec![listener], properties: RESTART_SETTINGS.to_owned() }
    }
}

/// A broker with a proxied listener is killed and restarted. By default it is refused until its old session expires, after 9 s. With a
/// much shorter session, a broker on a busy machine misses its own heartbeats.
const RESTART_SETTINGS: &str = "\
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=300
";

/// A running broker.
#[derive(Debug)]
pub struct Kafka {
    server: Server,
    brokers: String,
}

impl Kafka {
    /// Starts a broker in `folder` and returns after a message has passed through it. `heap_mb` is the JVM's heap in MiB.
    pub(crate) async fn start(parts: &KafkaParts, folder: &Path, keep: bool, heap_mb: u32) -> Result<Self, StackError> {
        Self::start_with(parts, folder, keep, usual_flags(parts, heap_mb), &MoreListeners::default()).await
    }

    /// Starts a broker with a second listener. Its data stays in `folder`, so it can be killed and [started again](Self::restart).
    ///
    /// # Errors
    /// See [`crate::Stack::start`].
    pub async fn start_proxied(
        parts: &KafkaParts,
        folder: &Path,
        heap_mb: u32,
        listener: ProxiedListener,
    ) -> Result<Self, StackError> {
        Self::start_with(parts, folder, true, usual_flags(parts, heap_mb), &listener.into()).await
    }

    /// Starts a broker with more listeners and returns after a message has passed through the plain one. `folder` is deleted with it.
    ///
    /// # Errors
    /// See [`crate::Stack::start`].
    pub async fn start_with_listeners(
        parts: &KafkaParts,
        folder: &Path,
        heap_mb: u32,
        more: &MoreListeners,
    ) -> Result<Self, StackError> {
        Self::start_with(parts, folder, false, usual_flags(parts, heap_mb), more).await
    }

    /// Restarts a [killed](Server::crash) broker on the same ports and data, and returns when it listens.
    ///
    /// # Errors
    /// If the broker does not start, with the end of its log.
    pub async fn restart(&mut self) -> Result<(), StackError> {
        self.server.restart().await?;
        let address = self.brokers.parse().expect("the address was made from a socket address");
        self.server.listening(address, Instant::now() + RESTART_TIMEOUT).await
    }

    /// Runs a broker once, so that the JVM writes the classes it used to `archive` at its end.
    pub(crate) async fn archive_classes(parts: &KafkaParts, folder: &Path, archive: &Path) -> Result<(), StackError> {
        let run = folder.join("run");
        fs::create_dir(&run).map_err(StackError::file("create", &run))?;
        // Only classes matter: without the optimizing compiler this is a second faster.
        let flags = vec!["-XX:TieredStopAtLevel=1".into(), flag("-XX:ArchiveClassesAtExit=", archive)];
        let kafka = Self::start_with(parts, &run, true, flags, &MoreListeners::default()).await?;
        kafka.stop().await?;
        fs::remove_dir_all(&run).map_err(StackError::file("remove", &run))
    }

    async fn start_with(
        parts: &KafkaParts,
        folder: &Path,
        keep: bool,
        flags: Vec<OsString>,
        more: &MoreListeners,
    ) -> Result<Self, StackError> {
        let deadline = Instant::now() + START_TIMEOUT;
        let [port, controller_port] = free_ports()?;
        prepare_storage(&parts.storage, &folder.join("data"))?;
        let properties = write_properties(folder, port, controller_port, more)?;
        let command = command(parts, flags, &properties);
        let spec = Spec { name: "Kafka", command, folder: folder.to_path_buf(), keep, grace: GRACE };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let kafka = Self { server: Server::start(spec)?, brokers: address.to_string() };
        match kafka.ready(address, deadline).await {
            Ok(()) => Ok(kafka),
            // Wait, so that another attempt can use the folder.
            Err(error) => kafka.stop().await.and(Err(error)),
        }
    }

    async fn ready(&self, address: SocketAddr, deadline: Instant) -> Result<(), StackError> {
        self.server.listening(address, deadline).await?;
        self.probe(deadline).await?;
        // If another program took the port first, that program has answered.
        self.server.still_starting(deadline, "it answered too late").await
    }

    /// Returns `host:port`, as `bootstrap.servers` expects it.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Returns the server process.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Stops the broker and waits for its end.
    ///
    /// # Errors
    /// See [`Server::stop`].
    pub async fn stop(self) -> Result<(), StackError> {
        self.server.stop().await
    }

    /// Sends a message through the probe's topic and waits for it.
    async fn probe(&self, deadline: Instant) -> Result<(), StackError> {
        let failed = |error: KafkaError| self.server.failed(format!("a message did not go through: {error}"));
        let config = client_config(&self.brokers);
        let admin: AdminClient<DefaultClientContext> = config.create().map_err(failed)?;
        let options = AdminOptions::new().request_timeout(Some(Duration::from_secs(5)));
        let topic = NewTopic::new(PROBE_TOPIC, 1, TopicReplication::Fixed(1));
        // The broker refuses topics until its controller has accepted it.
        while !is_created(&admin.create_topics([&topic], &options).await) {
            self.server.still_starting(deadline, "it created no topic").await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let trip = RoundTrip::begin(&config).map_err(failed)?;
        while !trip.is_over().await? {
            self.server.still_starting(deadline, "it did not hand back a message").await?;
        }
        admin.delete_topics(&[PROBE_TOPIC], &options).await.map_err(failed)?;
        // The controller answers before the broker's metadata are updated.
        while has_probe(&admin) {
            self.server.still_starting(deadline, "it did not delete a topic").await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // Closing the clients takes a fifth of a second, so it happens in the background.
        std::thread::spawn(move || drop((trip, admin)));
        Ok(())
    }
}

/// Returns true if the broker lists the probe's topic or does not answer in time.
fn has_probe(admin: &AdminClient<DefaultClientContext>) -> bool {
    let metadata = admin.inner().fetch_metadata(None, STEP);
    metadata.map_or(true, |metadata| metadata.topics().iter().any(|topic| topic.name() == PROBE_TOPIC))
}

/// The probe's message on its way through the broker.
struct RoundTrip {
    /// Keeps the producer's threads alive.
    _producer: BaseProducer,
    consumer: Arc<BaseConsumer>,
}

impl RoundTrip {
    fn begin(config: &ClientConfig) -> Result<Self, KafkaError> {
        let producer: BaseProducer = config.create()?;
        let consumer: BaseConsumer = config.clone().set("group.id", PROBE_TOPIC).create()?;
        let mut assignment = TopicPartitionList::new();
        // Not `Beginning`, which librdkafka resolves half a second later, because the topic is new.
        assignment.add_partition_offset(PROBE_TOPIC, 0, Offset::Offset(0))?;
        consumer.assign(&assignment)?;
        let record: BaseRecord<'_, (), str> = BaseRecord::to(PROBE_TOPIC).payload(PROBE);
        producer.send(record).map_err(|(error, _)| error)?;
        Ok(Self { _producer: producer, consumer: Arc::new(consumer) })
    }

    /// Returns true if the message came back within a [`STEP`]. Errors of the consumer are ignored, because the topic is new.
    async fn is_over(&self) -> Result<bool, StackError> {
        let consumer = Arc::clone(&self.consumer);
        let received = tokio::task::spawn_blocking(move || {
            let message = consumer.poll(STEP)?.ok()?;
            message.payload().map(|payload| payload == PROBE.as_bytes())
        });
        Ok(received.await?.unwrap_or(false))
    }
}

fn is_created(results: &Result<Vec<rdkafka::admin::TopicResult>, KafkaError>) -> bool {
    use rdkafka::types::RDKafkaErrorCode::TopicAlreadyExists;
    matches!(results.as_deref(), Ok([Ok(_) | Err((_, TopicAlreadyExists))]))
}

/// Settings of a client that retries quickly, because the broker becomes ready meanwhile.
fn client_config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("enable.auto.commit", "false");
    for wait in ["reconnect.backoff.ms", "retry.backoff.ms", "fetch.error.backoff.ms"] {
        config.set(wait, "10");
    }
    config.set("reconnect.backoff.max.ms", "100").set("topic.metadata.refresh.fast.interval.ms", "10");
    config.set("linger.ms", "0").set("fetch.wait.max.ms", "50");
    config
}

fn command(parts: &KafkaParts, flags: Vec<OsString>, properties: &Path) -> Vec<OsString> {
    let mut command = vec![parts.java.clone().into_os_string()];
    command.extend(flags);
    // Hides messages about an archive that no longer matches; the JVM works without it.
    command.extend(["-Xshare:auto", "-Xlog:disable", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError"].map(Into::into));
    command.extend(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn".into()]);
    // Native libraries are unpacked there. A killed broker leaves them, and they are deleted with its folder.
    command.extend(properties.parent().map(|folder| flag("-Djava.io.tmpdir=", folder)));
    command.extend(["-cp".into(), parts.jars.join("*").into_os_string(), "kafka.Kafka".into()]);
    command.push(properties.as_os_str().to_owned());
    command
}

fn usual_flags(parts: &KafkaParts, heap_mb: u32) -> Vec<OsString> {
    let archive = parts.classes.as_ref().map(|classes| flag("-XX:SharedArchiveFile=", classes));
    std::iter::once(format!("-Xmx{heap_mb}m").into()).chain(archive).collect()
}

fn flag(name: &str, path: &Path) -> OsString {
    let mut flag = OsString::from(name);
    flag.push(path);
    flag
}

/// Copies the formatted storage, unless the folder holds data of an earlier run.
fn prepare_storage(template: &Path, data: &Path) -> Result<(), StackError> {
    if data.join("meta.properties").is_file() {
        return Ok(());
    }
    fs::create_dir_all(data).map_err(StackError::file("create", data))?;
    for entry in fs::read_dir(template).map_err(StackError::file("list", template))? {
        let from = entry.map_err(StackError::file("list", template))?.path();
        let to = data.join(from.file_name().unwrap_or_default());
        fs::copy(&from, &to).map_err(StackError::file("create", &to))?;
    }
    Ok(())
}

fn write_properties(
    folder: &Path,
    port: u16,
    controller_port: u16,
    more: &MoreListeners,
) -> Result<PathBuf, StackError> {
    let path = folder.join("server.properties");
    let mut listeners = format!("BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}");
    let mut advertised = format!("BROKER://127.0.0.1:{port}");
    let mut protocols = "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned();
    for Listener { name, protocol, port, advertised: told } in &more.listeners {
        listeners += &format!(",{name}://127.0.0.1:{port}");
        advertised += &format!(",{name}://127.0.0.1:{told}");
        protocols += &format!(",{name}:{protocol}");
    }
    // Of two lines with the same name, the last one counts.
    let text = format!(
        "{FORMAT_PROPERTIES}{SETTINGS}\
         listener.security.protocol.map={protocols}\n\
         {}\
         listeners={listeners}\n\
         advertised.listeners={advertised}\n\
         controller.quorum.voters=1@127.0.0.1:{controller_port}\n\
         log.dirs={}\n",
        more.properties,
        folder.join("data").display()
    );
    fs::write(&path, text).map_err(StackError::file("write", &path))?;
    Ok(path)
}
