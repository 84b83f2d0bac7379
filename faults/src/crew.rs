//! The workers: real processes of `ingest run`, each with a log of its own.

use crate::servers::Servers;
use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use stack::process::Server;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Topic, group and database of the run.
pub const NAME: &str = "faults";
/// The group takes a worker for dead that is not heard of for so long.
pub const SESSION: Duration = Duration::from_secs(3);
const FEWEST: usize = 2;
const MOST: usize = 4;
/// How long a worker may take to end after SIGTERM: far more than its drain timeout for batches and once more for rows.
const LEAVING: Duration = Duration::from_secs(180);

/// Short times, so that many faults fit into minutes, and small batches, so that there are many moments to be hit in.
const SETTINGS: [&str; 15] = [
    "lanes=2",
    "batch_records=300",
    "batch_age_ms=150",
    "commit_timeout_s=4",
    "drain_timeout_s=6",
    "max_poll_interval_s=60",
    "kafka.session.timeout.ms=3000",
    "kafka.heartbeat.interval.ms=300",
    "kafka.reconnect.backoff.max.ms=500",
    "kafka.retry.backoff.max.ms=500",
    "kafka.socket.timeout.ms=10000",
    "kafka.topic.metadata.refresh.interval.ms=5000",
    "kafka.coordinator.query.interval.ms=1000",
    "kafka.allow.auto.create.topics=false",
    "publish_interval_ms=300",
];

/// The workers that run.
#[derive(Debug)]
pub struct Crew {
    program: PathBuf,
    folder: PathBuf,
    arguments: Vec<OsString>,
    workers: Vec<Worker>,
    started: usize,
    /// Workers that ended although nobody asked them to.
    pub ended_by_themselves: Vec<String>,
}

/// A worker's process.
#[derive(Debug)]
pub struct Worker {
    /// Its number in this run, and the name of its log's folder.
    pub number: usize,
    server: Server,
}

impl Worker {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Sends it a signal; one that has ended already is noticed by [`Crew::check`].
    pub fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.server.pid().cast_signed()), signal);
    }
}

impl Crew {
    /// No workers yet; they will run `program` in folders of `folder`.
    pub fn new(program: &Path, folder: &Path, schema: &Path, servers: &Servers) -> Self {
        let mut arguments = vec![OsString::from("run"), OsString::from("--allow-dead")];
        arguments.extend(common_arguments(schema, &servers.worker_brokers(), &servers.mongodb.uri()));
        for setting in SETTINGS {
            arguments.extend(["--set".into(), setting.into()]);
        }
        Self {
            program: program.to_owned(),
            folder: folder.to_owned(),
            arguments,
            workers: Vec::new(),
            started: 0,
            ended_by_themselves: Vec::new(),
        }
    }

    /// The worker at `pick`, counted around.
    pub fn pick(&self, pick: usize) -> &Worker {
        &self.workers[pick % self.workers.len()]
    }

    /// Whether there are as many as there may be.
    pub fn is_full(&self) -> bool {
        self.workers.len() >= MOST
    }

    /// Starts one more; returns its number.
    ///
    /// # Errors
    /// Where no process can be started.
    pub fn join(&mut self) -> Result<usize> {
        self.started += 1;
        let folder = self.folder.join(format!("worker-{}", self.started));
        std::fs::create_dir_all(&folder)?;
        let mut command: Vec<OsString> = vec!["env".into(), "RUST_LOG=ingest=debug,librdkafka=info".into()];
        command.push(self.program.clone().into());
        command.extend(self.arguments.iter().cloned());
        let server = Server::run("worker", command, folder)?;
        self.workers.push(Worker { number: self.started, server });
        Ok(self.started)
    }

    /// Kills the worker at `pick`; returns its number.
    pub async fn kill(&mut self, pick: usize) -> usize {
        let worker = self.workers.remove(pick % self.workers.len());
        worker.server.crash().await;
        worker.number
    }

    /// Asks the worker at `pick` to end and waits for it; returns its number. Never the youngest, which may not listen to signals
    /// yet. There are still enough workers afterwards.
    ///
    /// # Errors
    /// A worker that does not end in time, or not well.
    pub async fn leave(&mut self, pick: usize) -> Result<usize> {
        let older = (self.workers.len() - 1).max(1);
        let worker = self.workers.remove(pick % older);
        worker.signal(Signal::SIGTERM);
        let deadline = Instant::now() + LEAVING;
        while worker.server.is_running() {
            ensure!(Instant::now() < deadline, "worker {} did not end within {LEAVING:?} of SIGTERM", worker.number);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        ensure!(ending(&worker).await.contains("status 0"), "worker {}: {}", worker.number, ending(&worker).await);
        self.fill()?;
        Ok(worker.number)
    }

    /// Starts as many as there must be.
    ///
    /// # Errors
    /// As [`Crew::join`].
    pub fn fill(&mut self) -> Result<()> {
        while self.workers.len() < FEWEST {
            self.join()?;
        }
        Ok(())
    }

    /// Notes workers that ended by themselves, and starts others in their place.
    ///
    /// # Errors
    /// As [`Crew::join`].
    pub async fn check(&mut self) -> Result<()> {
        while let Some(place) = self.workers.iter().position(|worker| !worker.server.is_running()) {
            let worker = self.workers.remove(place);
            self.ended_by_themselves.push(format!("worker {}: {}", worker.number, ending(&worker).await));
            self.join()?;
        }
        Ok(())
    }

    /// Ends all workers well.
    ///
    /// # Errors
    /// As [`Crew::leave`].
    pub async fn dismiss(&mut self) -> Result<()> {
        self.check().await?;
        for worker in &self.workers {
            worker.signal(Signal::SIGTERM);
        }
        for worker in std::mem::take(&mut self.workers) {
            let ended = async {
                while worker.server.is_running() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::time::timeout(LEAVING, ended)
                .await
                .with_context(|| format!("worker {} did not end within {LEAVING:?} of SIGTERM", worker.number))?;
            let said = ending(&worker).await;
            ensure!(said.contains("status 0"), "worker {}: {said}", worker.number);
        }
        Ok(())
    }
}

/// The options of every command of `ingest` in this run.
pub fn common_arguments(schema: &Path, brokers: &str, uri: &str) -> Vec<OsString> {
    let options =
        [("--brokers", brokers), ("--mongodb-uri", uri), ("--topic", NAME), ("--group", NAME), ("--database", NAME)];
    let mut arguments: Vec<OsString> =
        options.iter().flat_map(|(name, value)| [(*name).into(), (*value).into()]).collect();
    arguments.extend(["--schema".into(), schema.into()]);
    arguments
}

/// The last lines that a worker and its guardian have written.
async fn ending(worker: &Worker) -> String {
    // The guardian writes the status a moment after the end.
    for _ in 0..100 {
        let log = std::fs::read_to_string(worker.server.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(3).collect();
        if lines.first().is_some_and(|line| line.contains("ended with status")) {
            return lines.into_iter().rev().collect::<Vec<_>>().join(" | ");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    "it ended, and its log does not say how".to_owned()
}
