//! The library: servers that work, side by side, and that say what is wrong when they do not.

use std::path::Path;
use std::time::{Duration, Instant};

use mongodb::bson::doc;
use mongodb::error::ErrorKind;
use rdkafka::Message;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::MetadataTopic;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use stack::{Stack, StackError, StackOptions};

const TIMEOUT: Duration = Duration::from_secs(30);

fn mongod_only() -> StackOptions {
    StackOptions { kafka: false, ..StackOptions::default() }
}

fn kafka_only() -> StackOptions {
    StackOptions { mongod: false, ..StackOptions::default() }
}

async fn client(stack: &Stack) -> mongodb::Client {
    mongodb::Client::with_uri_str(stack.mongodb_uri().unwrap()).await.unwrap()
}

fn kafka_config(stack: &Stack) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", stack.kafka_brokers().unwrap()).set("group.id", "test");
    config.set("auto.offset.reset", "earliest");
    config
}

async fn create_topic(stack: &Stack, topic: &str) {
    let admin: AdminClient<DefaultClientContext> = kafka_config(stack).create().unwrap();
    let topic = NewTopic::new(topic, 1, TopicReplication::Fixed(1));
    admin.create_topics([&topic], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
}

fn send(stack: &Stack, topic: &str, payload: &str) {
    let producer: BaseProducer = kafka_config(stack).create().unwrap();
    producer.send(BaseRecord::<(), str>::to(topic).payload(payload)).map_err(|(error, _)| error).unwrap();
    producer.flush(TIMEOUT).unwrap();
}

/// Reads the first message as a member of a group.
fn receive(stack: &Stack, topic: &str) -> String {
    let consumer: BaseConsumer = kafka_config(stack).create().unwrap();
    consumer.subscribe(&[topic]).unwrap();
    let deadline = Instant::now() + TIMEOUT;
    // A poll that joins the group returns without a message.
    loop {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            return String::from_utf8(message.unwrap().payload().unwrap().to_vec()).unwrap();
        }
        assert!(Instant::now() < deadline, "no message comes");
    }
}

#[tokio::test]
async fn two_stacks_work_side_by_side_and_share_nothing() {
    let (first, second) =
        tokio::try_join!(Stack::start(StackOptions::default()), Stack::start(StackOptions::default())).unwrap();
    for (stack, word) in [(&first, "first"), (&second, "second")] {
        create_topic(stack, "words").await;
        send(stack, "words", word);
        client(stack).await.database("test").collection("words").insert_one(doc! { "word": word }).await.unwrap();
    }
    for (stack, word) in [(&first, "first"), (&second, "second")] {
        assert_eq!(receive(stack, "words"), word);
        let stored = client(stack).await.database("test").collection::<mongodb::bson::Document>("words");
        assert_eq!(stored.count_documents(doc! {}).await.unwrap(), 1);
        assert_eq!(stored.find_one(doc! {}).await.unwrap().unwrap().get_str("word").unwrap(), word);
    }
    let folders = [first.folder().to_path_buf(), second.folder().to_path_buf()];
    tokio::try_join!(first.stop(), second.stop()).unwrap();
    assert!(folders.iter().all(|folder| !folder.exists()));
}

#[tokio::test]
async fn a_ready_stack_shows_no_trace_of_the_probe() {
    let stack = Stack::start(StackOptions::default()).await.unwrap();
    let databases = client(&stack).await.list_database_names().await.unwrap();
    assert_eq!(databases, ["admin", "config", "local"]);
    let consumer: BaseConsumer = kafka_config(&stack).create().unwrap();
    let metadata = consumer.fetch_metadata(None, TIMEOUT).unwrap();
    let topics = metadata.topics().iter().map(MetadataTopic::name);
    // Kafka's own topics begin like this.
    assert_eq!(topics.filter(|name| !name.starts_with("__")).collect::<Vec<_>>(), [""; 0]);
    stack.stop().await.unwrap();
}

/// The code of a standalone server that is asked for a transaction.
const ILLEGAL_OPERATION: i32 = 20;

#[tokio::test]
async fn a_transaction_needs_the_replica_set() {
    async fn commit(stack: &Stack) -> mongodb::error::Result<()> {
        let client = client(stack).await;
        let mut session = client.start_session().await?;
        session.start_transaction().await?;
        client.database("test").collection("one").insert_one(doc! { "n": 1 }).session(&mut session).await?;
        session.commit_transaction().await
    }
    let standalone = StackOptions { replica_set: false, ..mongod_only() };
    let (with, without) = tokio::try_join!(Stack::start(mongod_only()), Stack::start(standalone)).unwrap();
    commit(&with).await.unwrap();
    let error = commit(&without).await.unwrap_err();
    assert!(matches!(&*error.kind, ErrorKind::Command(command) if command.code == ILLEGAL_OPERATION), "{error}");
    tokio::try_join!(with.stop(), without.stop()).unwrap();
}

#[tokio::test]
async fn data_in_a_folder_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let options = StackOptions { dir: Some(folder.path().join("data")), ..StackOptions::default() };
    let stack = Stack::start(options.clone()).await.unwrap();
    create_topic(&stack, "kept").await;
    send(&stack, "kept", "message");
    client(&stack).await.database("test").collection("kept").insert_one(doc! { "n": 1 }).await.unwrap();
    stack.stop().await.unwrap();

    let stack = Stack::start(options).await.unwrap();
    assert_eq!(receive(&stack, "kept"), "message");
    let kept = client(&stack).await.database("test").collection::<mongodb::bson::Document>("kept");
    assert_eq!(kept.count_documents(doc! {}).await.unwrap(), 1);
    stack.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_was_killed_is_noticed() {
    let stack = Stack::start(kafka_only()).await.unwrap();
    let server = stack.kafka().unwrap().server();
    assert!(server.is_running());
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(server.pid().cast_signed()), nix::sys::signal::SIGKILL).unwrap();
    while server.is_running() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let log = server.log();
    while !std::fs::read_to_string(&log).unwrap().contains("ended with status 137") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stack.stop().await.unwrap();
}

#[tokio::test]
async fn what_the_broker_unpacks_goes_with_its_folder() {
    let stack = Stack::start(kafka_only()).await.unwrap();
    create_topic(&stack, "compressed").await;
    let producer: BaseProducer = kafka_config(&stack).set("compression.type", "snappy").create().unwrap();
    // Long enough to become smaller: what does not is sent as it is.
    let payload = "a".repeat(10_000);
    producer.send(BaseRecord::<(), str>::to("compressed").payload(&payload)).map_err(|(error, _)| error).unwrap();
    producer.flush(TIMEOUT).unwrap();
    // The broker reads what it is sent, and its library for that is native.
    let files = files_below(stack.folder());
    assert!(files.iter().any(|name| name.starts_with("snappy-")), "{files:?}");
    stack.stop().await.unwrap();
}

/// Names of all files below a folder.
fn files_below(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let names = |entry: std::fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => files_below(&entry.path()),
        _ => vec![entry.file_name().to_string_lossy().into_owned()],
    };
    entries.flat_map(names).collect()
}

#[tokio::test]
async fn a_dropped_stack_ends() {
    let stack = Stack::start(mongod_only()).await.unwrap();
    let (pid, folder) = (stack.mongod().unwrap().server().pid(), stack.folder().to_path_buf());
    drop(stack);
    while stack::process::Server::is_alive(pid) || folder.exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_folder_that_is_a_file_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let options = StackOptions { dir: Some(file.path().to_path_buf()), ..StackOptions::default() };
    let error = Stack::start(options).await.unwrap_err();
    assert!(matches!(&error, StackError::File { path, .. } if path == file.path()), "{error}");
}

#[tokio::test]
async fn a_folder_in_use_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let options = StackOptions { dir: Some(folder.path().to_path_buf()), ..mongod_only() };
    let stack = Stack::start(options.clone()).await.unwrap();
    let error = Stack::start(options).await.unwrap_err().to_string();
    assert!(error.contains("another server uses this folder"), "{error}");
    stack.stop().await.unwrap();
}

#[tokio::test]
async fn a_heap_that_is_too_small_shows_the_end_of_the_log() {
    let options = StackOptions { kafka_heap_mb: 8, ..kafka_only() };
    let error = Stack::start(options).await.unwrap_err();
    let StackError::Start { server, tail, .. } = &error else { panic!("{error}") };
    assert_eq!(*server, "Kafka");
    assert!(tail.contains("OutOfMemoryError"), "{tail}");
}
