//! A Kafka that does not answer: it holds up no end, and an address that is wrong is named.

use crate::support::{Pipeline, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use stack::process::free_ports;
use stack::{Kafka, ProxiedListener, fetch};
use tempfile::TempDir;

const HEAP_MB: u32 = 256;

/// A broker of a test's own.
struct Broker {
    kafka: Kafka,
    /// An address that answers, and then names one that does not.
    misleading: String,
    /// The address that does not answer.
    advertised: String,
    runtime: tokio::runtime::Runtime,
    _folder: TempDir,
}

impl Broker {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let [port, advertised] = free_ports().unwrap();
        let kafka = runtime.block_on(async {
            let parts = fetch::kafka_parts().await.unwrap();
            Kafka::start_proxied(&parts, folder.path(), HEAP_MB, ProxiedListener { port, advertised }).await.unwrap()
        });
        let address = |port: u16| format!("127.0.0.1:{port}");
        Self { kafka, misleading: address(port), advertised: address(advertised), runtime, _folder: folder }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.kafka.server().pid().cast_signed()), signal).unwrap();
    }

    fn produce(&self, pipeline: &Pipeline, reviews: u64) {
        let data = pipeline.reviews(reviews, 7);
        pipeline.succeed(&["produce", "--brokers", self.kafka.brokers(), data.to_str().unwrap()]);
    }

    fn stop(self) {
        self.runtime.block_on(self.kafka.stop()).unwrap();
    }
}

#[test]
fn a_worker_ends_while_kafka_is_away() {
    let broker = Broker::start();
    // First one that takes connections and does not answer, then one that is gone.
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        let pipeline = Pipeline::new("broker-away");
        broker.produce(&pipeline, 500);
        let (mut worker, log) = pipeline.worker_with_log(&["--brokers", broker.kafka.brokers()]);
        pipeline.wait_until_read(500);
        broker.signal(signal);
        worker.signal(Signal::SIGTERM);
        wait_until("it ends, though Kafka has not come back", || !worker.is_running());
        if signal == Signal::SIGSTOP {
            assert_eq!(
                log.says("ends without leaving its group"),
                1,
                "it did not wait until librdkafka gave up: {log}"
            );
            broker.signal(Signal::SIGCONT);
        }
        assert!(worker.succeeded(), "{signal}: {log}");
        pipeline.assert_audit();
    }
    broker.stop();
}

#[test]
fn an_advertised_address_that_nobody_answers_is_named() {
    let broker = Broker::start();
    let pipeline = Pipeline::new("wrong-listener");
    broker.produce(&pipeline, 10);
    let more = pipeline.write("more.jsonl", "{\"review_id\": \"one\"}\n");
    for command in
        [&["check"][..], &["run", "--until-end"], &["produce", "--topic", &pipeline.name, more.to_str().unwrap()]]
    {
        let output = pipeline.output(&[command, &["--brokers", &broker.misleading]].concat());
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
        for word in [broker.advertised.as_str(), "advertised.listeners"] {
            assert!(said.contains(word), "{command:?}: {word} is missing in {said}");
        }
    }
    broker.stop();
}
