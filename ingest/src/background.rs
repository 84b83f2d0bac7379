//! The worker in the background: `start`, `stop`, `status`, `logs`.
//!
//! A worker's folder holds `worker.lock` (locked by the worker as long as it lives, so a crash cannot leave it "running"),
//! `status.json` (written every second) and `worker.log`.

use crate::error::IngestError;
use crate::progress::{Progress, Snapshot};
use crate::topic::TopicInspector;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const STATUS_INTERVAL: Duration = Duration::from_secs(1);
const START_TIMEOUT: Duration = Duration::from_secs(60);
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOG_LINES_SHOWN: usize = 15;

/// A worker's status as `ingest status --json` prints it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Whether the process is alive.
    pub running: bool,
    /// Its process id.
    pub pid: i32,
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

/// The folder of one worker.
#[derive(Debug, Clone)]
pub struct WorkerFolder(PathBuf);

impl WorkerFolder {
    /// The folder for a topic and group: below `base`, or `$XDG_STATE_HOME/rushes`, or `~/.local/state/rushes`.
    pub fn new(base: Option<&Path>, topic: &str, group: &str) -> Self {
        let home = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
        let base = base.map(Path::to_owned).unwrap_or_else(|| {
            let state = home("XDG_STATE_HOME").or_else(|| Some(home("HOME")?.join(".local/state")));
            state.unwrap_or_else(std::env::temp_dir).join("rushes")
        });
        Self(base.join(format!("{topic}-{group}")))
    }

    /// A folder by its path.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The worker's log.
    pub fn log(&self) -> PathBuf {
        self.0.join("worker.log")
    }

    fn status_file(&self) -> PathBuf {
        self.0.join("status.json")
    }

    /// Takes the lock for as long as the result lives; `None` where a worker has it.
    fn lock(&self) -> Result<Option<Flock<File>>, IngestError> {
        std::fs::create_dir_all(&self.0).map_err(|error| self.unusable(&error))?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.0.join("worker.lock"))
            .map_err(|error| self.unusable(&error))?;
        Ok(Flock::lock(file, FlockArg::LockExclusiveNonblock).ok())
    }

    /// Takes the lock; whoever only asks whether a worker runs has it for a moment.
    fn lock_patiently(&self) -> Result<Flock<File>, IngestError> {
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            match self.lock()? {
                Some(lock) => return Ok(lock),
                None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
                None => {
                    return Err(IngestError::Usage(format!(
                        "another worker uses {}; `ingest stop` ends it",
                        self.0.display()
                    )));
                }
            }
        }
    }

    fn unusable(&self, error: &std::io::Error) -> IngestError {
        IngestError::Outside(format!("the worker's folder {} cannot be used: {error}; set state_dir", self.0.display()))
    }

    /// The status; not running where there never was a worker.
    ///
    /// # Errors
    /// [`IngestError::Outside`] where the folder cannot be used.
    pub fn status(&self) -> Result<Status, IngestError> {
        let running = self.0.exists() && self.lock()?.is_none();
        let file = self.status_file();
        let stored = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                IngestError::Outside(format!(
                    "{} is not a status: {error}; was it written by another version?",
                    file.display()
                ))
            })?,
            Err(_) => Status::default(),
        };
        Ok(Status { running, ..stored })
    }

    fn write_status(&self, status: &Status) -> std::io::Result<()> {
        let written = self.0.join("status.json.new");
        std::fs::write(&written, serde_json::to_vec_pretty(status)?)?;
        std::fs::rename(written, self.status_file())
    }
}

/// Starts `program arguments…` as a worker of its own session, and waits until it works or has ended.
///
/// # Errors
/// [`IngestError`] with the log's last lines where it ended at once, or where a worker is running already.
pub fn start(folder: &WorkerFolder, program: &Path, arguments: &[String]) -> Result<Status, IngestError> {
    match folder.lock()? {
        None => {
            let status = folder.status()?;
            return Err(IngestError::Usage(format!(
                "a worker is running already (process {}, topic {}); `ingest status` shows it, `ingest stop` ends it",
                status.pid, status.topic
            )));
        }
        Some(lock) => drop(lock),
    }
    // A status of an earlier worker would look like this one's.
    let _ = std::fs::remove_file(folder.status_file());
    let log = File::create(folder.log()).map_err(|error| folder.unusable(&error))?;
    let errors = log.try_clone().map_err(|error| folder.unusable(&error))?;
    let mut command = Command::new(program);
    command.args(arguments).arg("--worker-folder").arg(folder.path());
    command.stdin(Stdio::null()).stdout(log).stderr(errors);
    // Its own process group: a Ctrl-C at the terminal, or the end of a notebook's kernel, does not reach it.
    command.process_group(0);
    let mut child = command
        .spawn()
        .map_err(|error| IngestError::Outside(format!("cannot start {}: {error}", program.display())))?;
    wait_until_working(folder, &mut child)
}

fn wait_until_working(folder: &WorkerFolder, child: &mut Child) -> Result<Status, IngestError> {
    let deadline = Instant::now() + START_TIMEOUT;
    while Instant::now() < deadline {
        let status = folder.status()?;
        let ended = child
            .try_wait()
            .map_err(|error| IngestError::Outside(format!("the worker cannot be waited for: {error}")))?;
        match ended {
            Some(code) if code.success() => return Ok(status),
            Some(code) => {
                let lines = last_lines(&folder.log(), LOG_LINES_SHOWN).unwrap_or_default().join("\n  ");
                return Err(IngestError::Outside(format!(
                    "the worker ended at once ({code}); its log says:\n  {lines}"
                )));
            }
            None if status.running && status.pid > 0 && !status.progress.positions.is_empty() => return Ok(status),
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
    // Process 0 is the caller's own group: a worker that has not written its status yet.
    if status.pid <= 0 {
        return Err(IngestError::Outside("the worker is only starting; try again in a moment".into()));
    }
    for (signal, patience) in [(Signal::SIGTERM, patience), (Signal::SIGKILL, Duration::from_secs(5))] {
        kill(Pid::from_raw(status.pid), signal)
            .map_err(|error| IngestError::Outside(format!("process {} cannot be ended: {error}", status.pid)))?;
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if !folder.status()?.running {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        tracing::warn!(
            pid = status.pid,
            "the worker did not end in time; its open batch is dropped and read again by the next one"
        );
    }
    Err(IngestError::Outside(format!("process {} does not end", status.pid)))
}

/// The last lines of a file.
///
/// # Errors
/// The file cannot be read.
pub fn last_lines(path: &Path, count: usize) -> std::io::Result<Vec<String>> {
    let mut lines = VecDeque::with_capacity(count + 1);
    for line in BufReader::new(File::open(path)?).lines() {
        lines.push_back(line?);
        if lines.len() > count {
            lines.pop_front();
        }
    }
    Ok(lines.into())
}

/// Keeps the status file of a running worker up to date; holds the lock.
pub struct StatusWriter {
    folder: WorkerFolder,
    _lock: Flock<File>,
    status: Status,
    progress: Arc<Progress>,
    inspector: Option<TopicInspector>,
}

impl StatusWriter {
    /// Takes the folder's lock.
    ///
    /// # Errors
    /// [`IngestError::Usage`] where another worker has it.
    pub fn new(
        folder: WorkerFolder,
        topic: &str,
        database: &str,
        progress: Arc<Progress>,
        inspector: Option<TopicInspector>,
    ) -> Result<Self, IngestError> {
        let lock = folder.lock_patiently()?;
        let pid = i32::try_from(std::process::id()).unwrap_or_default();
        let status = Status {
            running: true,
            pid,
            topic: topic.to_owned(),
            database: database.to_owned(),
            started_at: seconds(),
            ..Status::default()
        };
        Ok(Self { folder, _lock: lock, status, progress, inspector })
    }

    /// Writes the status every second until it is dropped.
    pub async fn keep_writing(&mut self) {
        let mut tick = tokio::time::interval(STATUS_INTERVAL);
        loop {
            self.write(None).await;
            // The first tick is at once; so is the first status with positions, which `start` waits for.
            tick.tick().await;
            while self.status.progress.positions.is_empty() && self.progress.snapshot().positions.is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Writes the status, with the reason of the end where there is one.
    pub async fn write(&mut self, error: Option<String>) {
        let before = (self.status.updated_at, self.status.progress.counts.read);
        self.status.progress = self.progress.snapshot();
        self.status.updated_at = seconds();
        self.status.error = error;
        let elapsed = self.status.updated_at.saturating_sub(before.0).max(1);
        self.status.records_per_second = (self.status.progress.counts.read - before.1) as f64 / elapsed as f64;
        self.status.lag = self.lag().await;
        if let Err(error) = self.folder.write_status(&self.status) {
            tracing::warn!(%error, "the status cannot be written");
        }
    }

    async fn lag(&self) -> Option<i64> {
        let marks = self.inspector.as_ref()?.watermarks().await.ok()?;
        let positions = &self.status.progress.positions;
        Some(marks.iter().filter_map(|marks| Some(marks.high - positions.get(&marks.partition)?)).sum())
    }
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
