//! The ingest worker in the background, started, watched and stopped from cells.
//!
//! The worker is a process of its own: it outlives the kernel, and the next notebook finds it again.

use std::fmt;
use std::os::unix::process::{CommandExt, parent_id};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::{NotebookError, connect, program};
use crate::format::count;

const POLL: Duration = Duration::from_millis(200);
/// A worker that does not know for so long how far it is behind has no Kafka to ask.
const PATIENCE: Duration = Duration::from_secs(30);
/// Ends the worker when the process `$1` has ended.
const GUARD: &str = "while kill -0 \"$1\" 2>/dev/null; do sleep 1; done; exec ingest stop";

/// The worker of the topic and group that the environment names (`RUSHES_TOPIC`, `RUSHES_GROUP`).
#[derive(Debug, Clone, Copy)]
pub struct Worker(());

/// How a worker is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct WorkerStatus {
    /// Whether it runs.
    pub running: bool,
    /// Its process id, 0 where there never was one.
    pub pid: i32,
    /// The topic that it reads.
    pub topic: String,
    /// The database that it writes.
    pub database: String,
    /// Records read per second, over the last second.
    pub records_per_second: f64,
    /// Records in the topic that are not in the store yet; `None` while that is not known.
    pub lag: Option<i64>,
    updated_at: u64,
    progress: Progress,
    error: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
struct Progress {
    counts: Counts,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
struct Counts {
    read: u64,
    stored: u64,
    duplicate: u64,
    filtered: u64,
    dead: u64,
}

impl Worker {
    /// Starts the worker in the background and waits until it works; a worker that runs already is taken instead.
    ///
    /// # Errors
    /// When it cannot start, with the reason and what to do.
    pub fn start() -> Result<Self, NotebookError> {
        if let Some(worker) = Self::find()? {
            return Ok(worker);
        }
        program::ingest("start")?;
        Ok(Self(()))
    }

    /// The worker that runs, whoever has started it.
    ///
    /// # Errors
    /// When its status cannot be read.
    pub fn find() -> Result<Option<Self>, NotebookError> {
        Ok(Self(()).status()?.running.then_some(Self(())))
    }

    /// How it is now, at most a second old.
    ///
    /// # Errors
    /// When its status cannot be read.
    pub fn status(self) -> Result<WorkerStatus, NotebookError> {
        let output = program::run(&["status", "--json"])?;
        if output.stdout.is_empty() {
            return Err(program::failed("status", &output));
        }
        serde_json::from_slice(&output.stdout).map_err(NotebookError::Status)
    }

    /// Waits until all that is in the topic is stored and published, and returns the status then. Records that arrive meanwhile
    /// count; a stream that never rests is never caught up with.
    ///
    /// # Errors
    /// [`NotebookError::WorkerEnded`], [`NotebookError::NoKafka`], and when the status or MongoDB cannot be read.
    pub fn catch_up(self) -> Result<WorkerStatus, NotebookError> {
        let store = connect()?;
        let mut heard = Instant::now();
        let begun = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        loop {
            let status = self.status()?;
            if !status.running {
                return Err(NotebookError::WorkerEnded { reason: status.error });
            }
            if status.lag.is_some() {
                heard = Instant::now();
            } else if heard.elapsed() > PATIENCE {
                return Err(NotebookError::NoKafka { topic: status.topic });
            }
            // The status file is written every second; one from before this call knows nothing of what was sent since.
            let is_new = status.updated_at > begun;
            if is_new && status.lag == Some(0) && store.is_published()? {
                return Ok(status);
            }
            sleep(POLL);
        }
    }

    /// Lets the worker end with this kernel. Without this it outlives the notebook, until [`stop`](Worker::stop) or `ingest stop`.
    ///
    /// # Errors
    /// When no shell can be started.
    pub fn end_with_kernel(self) -> Result<Self, NotebookError> {
        // The cells' process is replaced after an interrupt; its parent is the kernel.
        let kernel = parent_id().to_string();
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "sh", &kernel]).process_group(0);
        guard.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        guard.spawn().map_err(NotebookError::NoProgram)?;
        Ok(self)
    }

    /// Lets the worker finish its batch and end; done as well where none runs.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(self) -> Result<program::Said, NotebookError> {
        program::ingest("stop")
    }
}

impl fmt::Display for WorkerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == 0 {
            return f.write_str("no worker has run yet; Worker::start() starts one");
        }
        let Counts { read, stored, duplicate, filtered, dead } = self.progress.counts;
        let state = if self.running { "running" } else { "ended" };
        let behind = self.lag.map_or_else(|| "unknown".to_owned(), |lag| count(lag.unsigned_abs()));
        writeln!(f, "{state}: topic {} into database {}", self.topic, self.database)?;
        writeln!(f, "{} read, {behind} behind, {:.0} records/s", count(read), self.records_per_second)?;
        write!(
            f,
            "{} stored, {} duplicate, {} filtered, {} dead",
            count(stored),
            count(duplicate),
            count(filtered),
            count(dead)
        )?;
        self.error.iter().try_for_each(|error| write!(f, "\nended by: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_ingest_is_understood() {
        let json = r#"{"running": true, "pid": 7, "topic": "reviews", "database": "rushes", "started_at": 1, "updated_at": 2,
            "records_per_second": 12.4, "lag": 3, "error": null, "progress": {"counts": {"read": 1234, "stored": 1230,
            "duplicate": 3, "filtered": 0, "dead": 1, "late": 0}, "positions": {"0": 1234}, "batches": 1, "retries": 0,
            "fenced": 0, "waiting_for": ""}}"#;
        let status: WorkerStatus = serde_json::from_str(json).expect("a status");
        let said = "running: topic reviews into database rushes\n1,234 read, 3 behind, 12 records/s\n\
                    1,230 stored, 3 duplicate, 0 filtered, 1 dead";
        assert_eq!(status.to_string(), said);
    }
}
