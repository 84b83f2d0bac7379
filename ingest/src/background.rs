//! The worker in the background: `start`, `stop`, `status`, `logs`.
//!
//! A worker's folder holds `worker.lock` (locked by the worker as long as it lives, so a crash cannot leave it "running"),
//! `status.json` (written every second) and `worker.log` with the older logs.

mod folder;
mod log;
mod process;

pub use folder::WorkerFolder;
pub use log::{RotatingLog, last_lines};
pub use process::Process;

use crate::error::IngestError;
use crate::progress::{Progress, Snapshot};
use crate::source::Watermarks;
use crate::topic::TopicInspector;
use nix::fcntl::Flock;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

const STATUS_INTERVAL: Duration = Duration::from_secs(1);
const START_TIMEOUT: Duration = Duration::from_secs(60);
const LOG_LINES_SHOWN: usize = 15;

/// A worker's status as `ingest status --json` prints it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Whether the process is alive.
    pub running: bool,
    /// Its process; without a pid where the worker has not written its status yet.
    #[serde(flatten)]
    pub process: Process,
    /// Topic that it reads.
    pub topic: String,
    /// Database that it writes.
    pub database: String,
    /// When it started, in seconds since 1970.
    pub started_at: u64,
    /// When this was written, in seconds since 1970.
    pub updated_at: u64,
    /// Records read per second, over the last interval.
    pub records_per_second: f64,
    /// Records that are in the topic and not in the store yet.
    pub lag: Option<i64>,
    /// What it has done.
    pub progress: Snapshot,
    /// Why it ended, where it ended by itself.
    pub error: Option<String>,
}

/// Starts `program arguments…` as a worker of its own session, and waits until it works or has ended.
///
/// # Errors
/// [`IngestError`] with the log's last lines where it ended at once, or where a worker is running already.
pub fn start(folder: &WorkerFolder, program: &Path, arguments: &[String]) -> Result<Status, IngestError> {
    folder.create()?;
    let status = folder.status()?;
    if status.running {
        return Err(IngestError::Usage(format!(
            "a worker is running already (process {}, topic {}); `ingest status` shows it, `ingest stop` ends it",
            status.process.pid, status.topic
        )));
    }
    folder.forget_status();
    let log = log::append(&folder.log()).map_err(|error| folder.unusable(&error))?;
    let logged = log.metadata().map_or(0, |log| log.len());
    let errors = log.try_clone().map_err(|error| folder.unusable(&error))?;
    let mut command = Command::new(program);
    command.args(arguments).arg("--worker-folder").arg(folder.path());
    command.stdin(Stdio::null()).stdout(log).stderr(errors);
    // Its own process group: a Ctrl-C at the terminal, or the end of a notebook's kernel, does not reach it.
    command.process_group(0);
    let mut child = command
        .spawn()
        .map_err(|error| IngestError::Outside(format!("cannot start {}: {error}", program.display())))?;
    wait_until_working(folder, &mut child, logged)
}

/// `logged` are the bytes of the log that earlier workers have written.
fn wait_until_working(folder: &WorkerFolder, child: &mut Child, logged: u64) -> Result<Status, IngestError> {
    let deadline = Instant::now() + START_TIMEOUT;
    while Instant::now() < deadline {
        let status = folder.status()?;
        let ended = child
            .try_wait()
            .map_err(|error| IngestError::Outside(format!("the worker cannot be waited for: {error}")))?;
        match ended {
            Some(code) if code.success() => return Ok(status),
            Some(code) => {
                let lines = log::lines_from(&folder.log(), logged, LOG_LINES_SHOWN).unwrap_or_default();
                return Err(IngestError::Outside(format!(
                    "the worker ended at once ({code}); its log says:\n  {}",
                    lines.join("\n  ")
                )));
            }
            None if status.running && status.process.pid > 0 && !status.progress.positions.is_empty() => {
                return Ok(status);
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    }
    // It may only be slow: it is left running, and says so.
    folder.status()
}

/// Asks the worker to finish its batch and end; ends it by force after `patience`. False where none was running.
///
/// # Errors
/// [`IngestError::Outside`] where the process cannot be signalled.
pub fn stop(folder: &WorkerFolder, patience: Duration) -> Result<bool, IngestError> {
    let status = folder.status()?;
    if !status.running {
        return Ok(false);
    }
    let (process, pid) = (status.process.clone(), status.process.pid);
    // Process 0 is the caller's own group.
    if pid <= 0 {
        return Err(IngestError::Outside("the worker is only starting; try again in a moment".into()));
    }
    for (signal, patience) in [(Signal::SIGTERM, patience), (Signal::SIGKILL, Duration::from_secs(5))] {
        if process.is_the_same() {
            kill(Pid::from_raw(pid), signal)
                .map_err(|error| IngestError::Outside(format!("process {pid} cannot be ended: {error}")))?;
        }
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if !folder.is_running()? {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        tracing::warn!(pid, "the worker did not end in time; its open batch is dropped and read again by the next one");
    }
    Err(IngestError::Outside(format!("process {pid} does not end")))
}

/// Keeps the status file of a running worker up to date; holds the lock.
pub struct StatusWriter {
    folder: WorkerFolder,
    _lock: Flock<File>,
    status: Status,
    progress: Arc<Progress>,
    /// What the broker has of the topic, as it last told; nothing while it does not answer.
    marks: watch::Receiver<Vec<Watermarks>>,
}

impl StatusWriter {
    /// Takes the folder's lock, and begins to ask the broker how much there is; in a runtime.
    ///
    /// # Errors
    /// [`IngestError::Usage`] where another worker has it.
    pub fn new(
        folder: WorkerFolder,
        topic: &str,
        database: &str,
        progress: Arc<Progress>,
        inspector: TopicInspector,
    ) -> Result<Self, IngestError> {
        let lock = folder.lock()?;
        let status = Status {
            running: true,
            process: Process::this(),
            topic: topic.to_owned(),
            database: database.to_owned(),
            started_at: seconds(),
            ..Status::default()
        };
        Ok(Self { folder, _lock: lock, status, progress, marks: watch_marks(inspector) })
    }

    /// Writes the status every second until it is dropped.
    pub async fn keep_writing(&mut self) {
        let mut tick = tokio::time::interval(STATUS_INTERVAL);
        loop {
            self.write(None);
            // The first tick is at once; so is the first status with positions, which `start` waits for.
            tick.tick().await;
            while self.status.progress.positions.is_empty() && self.progress.snapshot().positions.is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Writes the status, with the reason of the end where there is one.
    pub fn write(&mut self, error: Option<String>) {
        let before = (self.status.updated_at, self.status.progress.counts.read);
        self.status.progress = self.progress.snapshot();
        self.status.updated_at = seconds();
        self.status.error = error;
        let elapsed = self.status.updated_at.saturating_sub(before.0).max(1);
        self.status.records_per_second = (self.status.progress.counts.read - before.1) as f64 / elapsed as f64;
        self.status.lag = self.lag();
        if let Err(error) = self.folder.write_status(&self.status) {
            tracing::warn!(%error, "the status cannot be written");
        }
    }

    fn lag(&self) -> Option<i64> {
        let (marks, positions) = (self.marks.borrow(), &self.status.progress.positions);
        let behind = |marks: &Watermarks| Some((marks.high - positions.get(&marks.partition)?).max(0));
        (!marks.is_empty()).then(|| marks.iter().filter_map(behind).sum())
    }
}

/// Asks the broker every second, until the receiver is gone. Its answer may take long, and the status does not wait for it.
fn watch_marks(inspector: TopicInspector) -> watch::Receiver<Vec<Watermarks>> {
    let (sender, receiver) = watch::channel(Vec::new());
    tokio::spawn(async move {
        while sender.send(inspector.watermarks().await.unwrap_or_default()).is_ok() {
            tokio::time::sleep(STATUS_INTERVAL).await;
        }
    });
    receiver
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
