//! Files into a real Kafka: every record once, with its key, and a clear word where that is not possible.

use flate2::write::GzEncoder;
use ingest::files::FileError;
use ingest::kafka_options::KafkaOptions;
use ingest::produce::{Observer, ProduceError, ProduceSettings, Progress, Silent, StopCause, Stopped, Target, produce};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message, Offset, TopicPartitionList};
use sample::{GenerateOptions, generate};
use serde_json::Value;
use std::collections::HashMap;
use std::io::Write;
use std::net::TcpListener;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(30);

fn client() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &stack::testing::shared().kafka_brokers);
    config.set("group.id", "produce-tests").set("enable.auto.commit", "false");
    config
}

fn settings(topic: &str, files: &[PathBuf]) -> ProduceSettings {
    let target = Target {
        brokers: stack::testing::shared().kafka_brokers.clone(),
        topic: topic.to_owned(),
        partitions: 4,
        key_field: Some("movie".to_owned()),
        kafka: KafkaOptions::default(),
    };
    ProduceSettings::new(target, files.to_vec())
}

fn send(settings: &ProduceSettings) -> Result<ingest::produce::ProduceReport, ProduceError> {
    produce(settings, &mut Silent, &Arc::default())
}

fn stopped(error: &ProduceError) -> &Stopped {
    match error {
        ProduceError::Stopped(stopped) => stopped,
        other => panic!("{other}"),
    }
}

/// A record in the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Received {
    partition: i32,
    key: Option<String>,
    json: String,
}

/// Number of partitions, 0 for a topic that does not exist.
fn partitions_of(topic: &str) -> i32 {
    let consumer: BaseConsumer = client().create().unwrap();
    let metadata = consumer.fetch_metadata(None, TIMEOUT).unwrap();
    metadata.topics().iter().find(|found| found.name() == topic).map_or(0, |found| found.partitions().len() as i32)
}

/// Everything in the topic.
fn receive(topic: &str) -> Vec<Received> {
    let consumer: BaseConsumer = client().create().unwrap();
    let mut assignment = TopicPartitionList::new();
    let mut expected = 0;
    for partition in 0..partitions_of(topic) {
        let (low, high) = consumer.fetch_watermarks(topic, partition, TIMEOUT).unwrap();
        assignment.add_partition_offset(topic, partition, Offset::Offset(low)).unwrap();
        expected += (high - low) as usize;
    }
    consumer.assign(&assignment).unwrap();
    let deadline = Instant::now() + TIMEOUT;
    let mut received = Vec::new();
    while received.len() < expected {
        assert!(Instant::now() < deadline, "{} of {expected} records arrived in time", received.len());
        // None when something else than a record came, too.
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message.unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        received.push(Received {
            partition: message.partition(),
            key: message.key().map(text),
            json: text(message.payload().unwrap()),
        });
    }
    received
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|id| format!("{{\"id\": {id}, \"movie\": \"Movie {}\"}}", id % 10)).collect()
}

#[test]
fn thousands_of_records_arrive_once_with_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let report = generate(&GenerateOptions::new(folder.path().to_owned(), 6_000, 2)).unwrap();
    // Two of the files in other forms.
    let first = std::fs::read(&report.files[0]).unwrap();
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&first).unwrap();
    write(folder.path(), "part-01.json.gz", gzip.finish().unwrap());
    std::fs::remove_file(&report.files[0]).unwrap();
    let second: Vec<Value> = serde_json::from_slice(&std::fs::read(&report.files[1]).unwrap()).unwrap();
    let lines: Vec<_> = second.iter().map(|record| format!("{record}\n")).collect();
    write(folder.path(), "part-02.jsonl", lines.concat());
    std::fs::remove_file(&report.files[1]).unwrap();

    let topic = "produce-many";
    let sent = send(&settings(topic, &[folder.path().to_owned()])).unwrap();
    let expected = report.rows + report.duplicates + report.bad;
    assert_eq!((sent.files, sent.records, sent.broken, sent.partitions), (6, expected, 0, 4));
    assert!(!sent.interrupted);

    let received = receive(topic);
    assert_eq!(received.len() as u64, expected);
    assert_eq!(received.iter().map(|record| record.json.len() as u64).sum::<u64>(), sent.bytes);
    let mut partition_of: HashMap<&str, i32> = HashMap::new();
    let mut ids: HashMap<String, u64> = HashMap::new();
    for record in &received {
        let value: Value = serde_json::from_str(&record.json).unwrap();
        assert_eq!(record.key.as_deref(), value["movie"].as_str());
        if let Some(key) = &record.key {
            assert_eq!(*partition_of.entry(key).or_insert(record.partition), record.partition, "{key}");
        }
        *ids.entry(value["review_id"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    assert!((0..4).all(|partition| partition_of.values().any(|used| *used == partition)));
    let reviews: Vec<_> = ids.iter().filter(|(id, _)| id.starts_with("rw1")).collect();
    assert_eq!(reviews.len() as u64, report.rows);
    assert_eq!(reviews.iter().map(|(_, count)| **count - 1).sum::<u64>(), report.duplicates);
}

#[test]
fn records_are_sent_as_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let array = write(
        folder.path(),
        "a.json",
        "[ {\"movie\" : \"\\u00c9t\\u00e9\",\n \"n\": 1.50} , {\"movie\": 7}, {\"movie\": null}, \"text\" ]",
    );
    let rows = write(folder.path(), "b.csv", "movie,n\n\"One, two\",\"a \"\"b\"\"\"\n");
    let topic = "produce-as-they-stand";
    send(&ProduceSettings { rate: NonZeroU32::new(200), ..settings(topic, &[array, rows]) }).unwrap();
    let received = receive(topic);
    let key_of = |json: &str| received.iter().find(|record| record.json == json).map(|record| record.key.as_deref());
    assert_eq!(key_of("{\"movie\" : \"\\u00c9t\\u00e9\",\n \"n\": 1.50}"), Some(Some("Été")));
    assert_eq!(key_of("{\"movie\": 7}"), Some(Some("7")));
    assert_eq!(key_of("{\"movie\": null}"), Some(None));
    assert_eq!(key_of("\"text\""), Some(None));
    assert_eq!(key_of("{\"movie\": \"One, two\", \"n\": \"a \\\"b\\\"\"}"), Some(Some("One, two")));
    assert_eq!(received.len(), 5);
}

#[test]
fn an_existing_topic_keeps_its_partitions() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a.jsonl", numbered(100).join("\n"));
    let topic = "produce-existing";
    create_topic(&NewTopic::new(topic, 2, TopicReplication::Fixed(1)));
    let sent = send(&settings(topic, &[path])).unwrap();
    assert_eq!((sent.partitions, partitions_of(topic)), (2, 2));
    assert_eq!(sorted(receive(topic).into_iter().map(|record| record.json).collect()), sorted(numbered(100)));
}

fn create_topic(topic: &NewTopic<'_>) {
    let admin: AdminClient<DefaultClientContext> = client().create().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let options = AdminOptions::new().operation_timeout(Some(TIMEOUT));
    runtime.block_on(admin.create_topics([topic], &options)).unwrap().remove(0).unwrap();
}

/// Collects what it is told of broken records.
#[derive(Default)]
struct Broken(Vec<String>);

impl Observer for Broken {
    fn progress(&mut self, _: &Progress) {}
    fn broken(&mut self, error: &FileError) {
        self.0.push(error.to_string());
    }
}

#[test]
fn broken_records_are_told_and_skipped_or_stop_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let records = numbered(100);
    let array = format!("[{}, {{\"id\": }}, {}]", records[..50].join(", "), records[50..].join(", "));
    let path = write(folder.path(), "a.json", array);

    let mut told = Broken::default();
    let lenient = settings("produce-lenient", std::slice::from_ref(&path));
    let sent = produce(&lenient, &mut told, &Arc::default()).unwrap();
    assert_eq!((sent.records, sent.broken), (100, 1));
    assert_eq!(receive("produce-lenient").len(), 100);
    assert!(told.0[0].contains("a.json: record 51 at byte"), "{:?}", told.0);

    let error = send(&ProduceSettings { strict: true, ..settings("produce-strict", &[path]) }).unwrap_err();
    assert!(error.to_string().contains("a.json: record 51 at byte"), "{error}");
    assert!(error.to_string().contains("records sent before that: 50"), "{error}");
    assert_eq!(receive("produce-strict").len(), 50);
}

#[test]
fn everything_before_a_truncation_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let array = format!("[{}", numbered(1000).join(", "));
    let path = write(folder.path(), "a.json", &array[..array.len() - 3]);
    let error = send(&settings("produce-truncated", &[path])).unwrap_err();
    let stopped = stopped(&error);
    assert!(matches!(stopped.cause, StopCause::File(_)), "{error}");
    let report = &stopped.report;
    assert_eq!((report.records, report.files), (999, 0));
    assert!(error.to_string().contains("a.json: is truncated"), "{error}");
    assert_eq!(receive("produce-truncated").len(), 999);
}

#[test]
fn nothing_is_sent_if_a_file_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let good = write(folder.path(), "a.jsonl", numbered(10).join("\n"));
    let html = write(folder.path(), "b.json", "<html>");
    for other in [html, folder.path().join("missing.json")] {
        let error = send(&settings("produce-nothing", &[good.clone(), other.clone()])).unwrap_err();
        assert!(
            matches!(&error, ProduceError::File(_)) && error.to_string().contains(other.to_str().unwrap()),
            "{error}"
        );
    }
    assert_eq!(partitions_of("produce-nothing"), 0);
}

#[test]
fn no_broker_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a.jsonl", "{}");
    // A port that was free a moment ago.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let target = Target {
        brokers: closed.clone(),
        topic: "reviews".into(),
        partitions: 1,
        key_field: None,
        kafka: KafkaOptions::default(),
    };
    let error = send(&ProduceSettings::new(target, vec![path])).unwrap_err().to_string();
    assert!(error.starts_with(&format!("no broker answers at {closed}: ")), "{error}");
    assert!(error.contains("refused") && error.ends_with("is it running? `stack up` starts one"), "{error}");
}

/// Tells the run to stop once some records are delivered.
struct StopAfterSome<'a>(&'a AtomicBool);

impl Observer for StopAfterSome<'_> {
    fn progress(&mut self, progress: &Progress) {
        if progress.records > 0 {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    fn broken(&mut self, _: &FileError) {}
}

#[test]
fn a_stopped_run_delivers_what_it_took() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a.jsonl", numbered(50_000).join("\n"));
    let stop = Arc::<AtomicBool>::default();
    let slow = ProduceSettings { rate: NonZeroU32::new(2_000), ..settings("produce-stopped", &[path]) };
    let sent = produce(&slow, &mut StopAfterSome(&stop), &stop).unwrap();
    assert!(sent.interrupted && sent.records > 0 && sent.records < 50_000, "{sent:?}");
    assert_eq!(receive("produce-stopped").len() as u64, sent.records);
}

#[test]
fn a_limit_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a.jsonl", numbered(100).join("\n"));
    let sent = send(&ProduceSettings { limit: Some(10), ..settings("produce-limit", &[path]) }).unwrap();
    assert_eq!((sent.records, sent.interrupted), (10, false));
    assert_eq!(receive("produce-limit").len(), 10);
}

#[test]
fn a_pipe_is_read_once_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = |name: &str, content: String| {
        let path = folder.path().join(name);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let writer = std::thread::spawn({
            let path = path.clone();
            move || std::fs::write(path, content).unwrap()
        });
        (path, writer)
    };
    let records = numbered(20_000);
    let (lines, first) = pipe("lines", records.join("\n"));
    let (rows, second) = pipe("rows", format!("id,movie\n{}", "1,Up\n".repeat(10_000)));
    let file = write(folder.path(), "a.jsonl", numbered(10).join("\n"));
    let sent = send(&settings("produce-pipes", &[lines, file, rows])).unwrap();
    first.join().unwrap();
    second.join().unwrap();
    assert_eq!((sent.files, sent.records, sent.broken), (3, 30_010, 0));
    let received = receive("produce-pipes");
    let rows = received.iter().filter(|record| record.json == r#"{"id": "1", "movie": "Up"}"#).count();
    assert_eq!((received.len(), rows), (30_010, 10_000));
}

#[test]
fn the_standard_input_is_read_once_only() {
    let stdin = PathBuf::from("-");
    let error = send(&settings("produce-stdin-twice", &[stdin.clone(), stdin])).unwrap_err();
    assert!(matches!(error, ProduceError::StdinTwice), "{error}");
}

#[test]
fn the_command_reads_its_input_and_tells_by_its_exit_code_what_was_left_out() {
    let produce = |topic: &str, input: &str, options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ingest"));
        command.args(["produce", "-", "--json", "--topic", topic]).args(options);
        command.env("KAFKA_BROKERS", &stack::testing::shared().kafka_brokers);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), report["records"].as_u64(), report["broken"].as_u64())
    };
    // More than is looked at to recognise the form.
    let whole = numbered(10_000).join("\n");
    assert_eq!(produce("produce-stdin", &whole, &[]), (Some(0), Some(10_000), Some(0)));
    let broken = "{\"id\": 1}\n{\"id\": NaN}\n{\"id\": 3}\n";
    assert_eq!(produce("produce-stdin-broken", broken, &[]), (Some(1), Some(2), Some(1)));
    assert_eq!(produce("produce-stdin-allowed", broken, &["--allow-broken"]), (Some(0), Some(2), Some(1)));
    assert_eq!(produce("produce-stdin-bad", "{\"id\": }\n", &[]), (Some(1), Some(0), Some(1)));
    let rows = "id;amount\n1;1.234,56\n2;0,5\n";
    assert_eq!(produce("produce-stdin-csv", rows, &["--format", "csv"]), (Some(0), Some(2), Some(0)));
    let amounts = receive("produce-stdin-csv").iter().map(|record| record.json.clone()).collect();
    assert_eq!(sorted(amounts), [r#"{"id": "1", "amount": "1234.56"}"#, r#"{"id": "2", "amount": "0.5"}"#]);
}

/// A record of about so many bytes that hardly compress.
fn noise(id: usize, length: usize) -> String {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        format!("{state:016x}")
    };
    let text: String = (0..length / 16).map(|_| next()).collect();
    format!("{{\"id\": {id}, \"movie\": \"Movie\", \"text\": \"{text}\"}}")
}

#[test]
fn a_record_beyond_a_limit_is_left_out_and_the_limit_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let with = |name: &str, long: Vec<String>| {
        write(folder.path(), name, [numbered(20), long, numbered(20)].concat().join("\n"))
    };
    let outcome = |topic: &str, path: PathBuf, kafka: &[(&str, &str)]| {
        let mut told = Broken::default();
        let mut settings = settings(topic, &[path]);
        settings.target.kafka = kafka.iter().copied().collect();
        let sent = produce(&settings, &mut told, &Arc::default()).unwrap();
        assert_eq!(receive(topic).len() as u64, sent.records);
        (sent.records, sent.broken, told.0)
    };
    // Beyond the queue, which would otherwise never have room.
    let path = with("queue.jsonl", vec![noise(21, 800_000)]);
    let (records, broken, told) = outcome("produce-beyond-queue", path, &[("queue.buffering.max.kbytes", "500")]);
    assert_eq!((records, broken), (40, 1));
    assert!(told[0].contains("record 21 ") && told[0].contains("kafka.queue.buffering.max.kbytes="), "{told:?}");
    // The queue follows the largest record.
    let path = with("large.jsonl", vec![noise(21, 12_000_000)]);
    let topic = "produce-large-enough";
    create_topic(&NewTopic::new(topic, 1, TopicReplication::Fixed(1)).set("max.message.bytes", "20000000"));
    let (records, broken, _) = outcome(topic, path, &[("message.max.bytes", "15000000")]);
    assert_eq!((records, broken), (41, 0));
    // Beyond the topic: known when the broker refuses it, and no other record is lost.
    let path = with("topic.jsonl", vec![noise(21, 3_000_000), noise(22, 10), noise(23, 4_000_000)]);
    let (records, broken, told) = outcome("produce-beyond-topic", path, &[("message.max.bytes", "15000000")]);
    assert_eq!((records, broken), (41, 2));
    assert!(told.iter().all(|told| told.contains("max.message.bytes")) && told[0].contains("record 21 "), "{told:?}");
}

#[test]
fn a_record_that_kafka_does_not_take_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let long = |length: usize| format!("{{\"id\": 0, \"movie\": \"Movie\", \"text\": \"{}\"}}", "x".repeat(length));
    let with = |long: String| [numbered(20), vec![long], numbered(20)].concat().join("\n");

    // More than the producer takes: known before it is sent.
    let path = write(folder.path(), "a.jsonl", with(long(1_500_000)));
    let mut told = Broken::default();
    let sent = produce(&settings("produce-too-large", &[path]), &mut told, &Arc::default()).unwrap();
    assert_eq!((sent.records, sent.broken), (40, 1));
    assert!(told.0[0].contains("record 21 at byte") && told.0[0].contains("message.max.bytes"), "{:?}", told.0);

    // More than the topic takes, which the producer has asked for.
    let topic = "produce-refused";
    create_topic(&NewTopic::new(topic, 1, TopicReplication::Fixed(1)).set("max.message.bytes", "20000"));
    let path = write(folder.path(), "b.jsonl", with(noise(0, 50_000)));
    let mut told = Broken::default();
    let sent = produce(&settings(topic, &[path]), &mut told, &Arc::default()).unwrap();
    assert_eq!((sent.records, sent.broken, receive(topic).len()), (40, 1, 40));
    assert!(
        told.0[0].contains("b.jsonl: record 21 at byte") && told.0[0].contains("max.message.bytes"),
        "{:?}",
        told.0
    );
}

#[test]
fn batches_are_no_larger_than_the_topic_takes() {
    let folder = tempfile::tempdir().unwrap();
    let records: Vec<String> = (0..2_000).map(|id| noise(id, 320)).collect();
    let path = write(folder.path(), "a.jsonl", records.join("\n"));
    for (largest, kafka) in [
        ("1000", &[][..]),
        ("20000", &[("compression.type", "none")]),
        ("300000", &[("batch.size", "900000"), ("compression.type", "none")]),
    ] {
        let topic = format!("produce-small-batches-{largest}");
        create_topic(&NewTopic::new(&topic, 1, TopicReplication::Fixed(1)).set("max.message.bytes", largest));
        let mut settings = settings(&topic, std::slice::from_ref(&path));
        settings.target.kafka = kafka.iter().copied().collect();
        let sent = send(&settings).unwrap();
        assert_eq!((sent.records, sent.broken, receive(&topic).len()), (2_000, 0, 2_000), "{largest}");
    }
}

#[test]
fn a_quiet_pipe_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = |name: &str| {
        let path = folder.path().join(name);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        path
    };
    // A writer that has written something and waits, and none at all.
    let (begun, silent) = (fifo("begun"), fifo("silent"));
    let topic = "produce-quiet";
    let stop = Arc::<AtomicBool>::default();
    let (writer, is_over) = std::sync::mpsc::channel::<()>();
    let writing = std::thread::spawn({
        let (path, stop) = (begun.clone(), Arc::clone(&stop));
        move || {
            let mut pipe = std::fs::OpenOptions::new().write(true).open(path).unwrap();
            writeln!(pipe, "{}\n{{\"id\": ", numbered(10).join("\n")).unwrap();
            while partitions_of(topic) == 0 || receive(topic).len() < 10 {}
            stop.store(true, Ordering::Relaxed);
            // The pipe stays open until the run has ended.
            let _ = is_over.recv();
        }
    });
    let sent = produce(&settings(topic, &[begun]), &mut Silent, &stop).unwrap();
    drop(writer);
    writing.join().unwrap();
    assert_eq!((sent.records, sent.broken, sent.interrupted), (10, 1, true));
    let sent = produce(&settings(topic, &[silent]), &mut Silent, &stop).unwrap();
    assert_eq!((sent.records, sent.interrupted), (0, true));
}
