//! The folder of one worker: its name, its lock, its status.

use super::Status;
use crate::config::Settings;
use crate::error::IngestError;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::xxh3_64;

const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// Characters of topic and group that a folder's name shows.
const SHOWN: usize = 40;

/// The folder of one worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerFolder(PathBuf);

impl WorkerFolder {
    /// The folder of the worker with these brokers, database, topic and group: below `state_dir`, or `$XDG_STATE_HOME/rushes`, or
    /// `~/.local/state/rushes`.
    pub fn of(settings: &Settings) -> Self {
        let home = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
        let base = settings.state_dir.clone().unwrap_or_else(|| {
            let state = home("XDG_STATE_HOME").or_else(|| Some(home("HOME")?.join(".local/state")));
            state.unwrap_or_else(std::env::temp_dir).join("rushes")
        });
        Self::running_under_old_name(&base, settings).unwrap_or_else(|| Self(base.join(name(settings))))
    }

    /// An earlier program named a folder by topic and group alone. A worker that it started is found as long as it runs.
    fn running_under_old_name(base: &Path, settings: &Settings) -> Option<Self> {
        let name = format!("{}-{}", settings.topic, settings.group);
        let folder = Self(base.join(&name));
        if name.contains('/') || !folder.is_running().ok()? {
            return None;
        }
        let status = folder.status().ok()?;
        (status.topic == settings.topic && status.database == settings.database).then_some(folder)
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

    /// Makes the folder where it is missing.
    pub(super) fn create(&self) -> Result<(), IngestError> {
        std::fs::create_dir_all(&self.0).map_err(|error| self.unusable(&error))
    }

    /// Takes the lock, which only workers do; whoever asks whether one runs shares it for a moment.
    pub(super) fn lock(&self) -> Result<Flock<File>, IngestError> {
        self.create()?;
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            match Flock::lock(self.lock_file()?, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(lock),
                Err((_, Errno::EWOULDBLOCK)) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(10))
                }
                Err((_, error)) if error != Errno::EWOULDBLOCK => return Err(self.unusable(&error.into())),
                Err(_) => {
                    return Err(IngestError::Usage(format!(
                        "another worker uses {}; `ingest stop` ends it",
                        self.0.display()
                    )));
                }
            }
        }
    }

    /// Whether a worker has the lock.
    pub(super) fn is_running(&self) -> Result<bool, IngestError> {
        if !self.0.exists() {
            return Ok(false);
        }
        match Flock::lock(self.lock_file()?, FlockArg::LockSharedNonblock) {
            Ok(_) => Ok(false),
            Err((_, Errno::EWOULDBLOCK)) => Ok(true),
            Err((_, other)) => Err(self.unusable(&other.into())),
        }
    }

    fn lock_file(&self) -> Result<File, IngestError> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        options.open(self.0.join("worker.lock")).map_err(|error| self.unusable(&error))
    }

    pub(super) fn unusable(&self, error: &std::io::Error) -> IngestError {
        IngestError::Outside(format!("the worker's folder {} cannot be used: {error}; set state_dir", self.0.display()))
    }

    /// The status; not running where there never was a worker.
    ///
    /// # Errors
    /// [`IngestError::Outside`] where the folder cannot be used.
    pub fn status(&self) -> Result<Status, IngestError> {
        let running = self.is_running()?;
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
        // What an earlier worker has left says nothing about the one that has the lock.
        if running && !stored.process.is_the_same() {
            return Ok(Status { running, ..Status::default() });
        }
        Ok(Status { running, ..stored })
    }

    pub(super) fn write_status(&self, status: &Status) -> std::io::Result<()> {
        let written = self.0.join("status.json.new");
        std::fs::write(&written, serde_json::to_vec_pretty(status)?)?;
        std::fs::rename(written, self.status_file())
    }

    /// Removes the status of an earlier worker, which would look like that of the next one.
    pub(super) fn forget_status(&self) {
        let _ = std::fs::remove_file(self.status_file());
    }
}

/// A folder's name: what is readable of topic and group, and a hash of all that tells workers apart. The hash must never be computed
/// differently, or a running worker would not be found.
fn name(settings: &Settings) -> String {
    let mut brokers: Vec<&str> = settings.brokers.split(',').map(str::trim).collect();
    brokers.sort_unstable();
    // Each with its length: no two settings give one text.
    let parts = [brokers.join(",").as_str(), &settings.database, &settings.topic, &settings.group]
        .map(|part| format!("{}:{part}", part.len()));
    let readable = |text: &str| -> String {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        text.chars().take(SHOWN).map(|letter| if is_plain(letter) { letter } else { '_' }).collect()
    };
    format!("{}-{}-{:016x}", readable(&settings.topic), readable(&settings.group), xxh3_64(parts.concat().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::super::Process;
    use super::*;

    fn settings(brokers: &str, database: &str, topic: &str, group: &str) -> Settings {
        let owned = str::to_owned;
        Settings {
            brokers: owned(brokers),
            database: owned(database),
            topic: owned(topic),
            group: owned(group),
            state_dir: Some(std::env::temp_dir()),
            ..Settings::default()
        }
    }

    #[test]
    fn workers_of_other_brokers_databases_topics_or_groups_have_other_folders() {
        let mut names: Vec<String> = [
            ("a:1", "d", "t", "g"),
            ("b:1", "d", "t", "g"),
            ("a:1", "e", "t", "g"),
            ("a:1", "d", "t-g", "g"),
            ("a:1", "d", "t", "g-g"),
            ("a:1", "d", "t", "g/g"),
            ("a:1", "d", "t", "g_g"),
            ("a:1", "", "dt", "g"),
        ]
        .map(|(brokers, database, topic, group)| name(&settings(brokers, database, topic, group)))
        .into();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
        assert_eq!(name(&settings("a:1,b:2", "d", "t", "g")), name(&settings("b:2, a:1", "d", "t", "g")));
        assert_eq!(name(&settings("a:1", "d", "t", "g")), "t-g-16cc9acb8d35d462", "a running worker must be found");
    }

    #[test]
    fn no_name_leaves_the_folder_of_all_workers() {
        let base = std::env::temp_dir();
        for group in ["..", "/etc", "../../x", "a/../../../b", "\0", &"g".repeat(5_000)] {
            let folder = WorkerFolder::of(&settings("a:1", "d", group, group));
            assert_eq!(folder.path().parent(), Some(base.as_path()), "{group:.20}");
            assert!(folder.path().file_name().unwrap().len() < 200);
        }
    }

    #[test]
    fn whoever_asks_does_not_look_like_a_worker() {
        let base = tempfile::tempdir().unwrap();
        let folder = WorkerFolder::at(base.path());
        assert!(!folder.is_running().unwrap());
        let asking = Flock::lock(folder.lock_file().unwrap(), FlockArg::LockSharedNonblock).unwrap();
        assert!(!folder.is_running().unwrap(), "another one asks at the same time");
        drop(asking);
        let worker = folder.lock().unwrap();
        assert!(folder.is_running().unwrap());
        let stale = Process { pid: std::process::id().cast_signed(), process_started: Some("1".into()) };
        folder.write_status(&Status { process: stale, ..Status::default() }).unwrap();
        assert_eq!(folder.status().unwrap().process, Process::default(), "its pid is a stranger's now");
        folder.write_status(&Status { process: Process::this(), ..Status::default() }).unwrap();
        assert_eq!(folder.status().unwrap().process, Process::this());
        drop(worker);
        assert!(!folder.status().unwrap().running);
    }

    #[test]
    fn a_worker_of_an_earlier_program_is_found_while_it_runs() {
        let base = tempfile::tempdir().unwrap();
        let settings = Settings { state_dir: Some(base.path().to_owned()), ..settings("a:1", "d", "t", "g") };
        let old = WorkerFolder::at(&base.path().join("t-g"));
        let lock = old.lock().unwrap();
        let status = |database: &str| Status { topic: "t".into(), database: database.into(), ..Status::default() };
        old.write_status(&status("d")).unwrap();
        assert_eq!(WorkerFolder::of(&settings), old);
        old.write_status(&status("other")).unwrap();
        assert_ne!(WorkerFolder::of(&settings), old, "it writes another database");
        old.write_status(&status("d")).unwrap();
        drop(lock);
        assert_ne!(WorkerFolder::of(&settings), old, "it has ended");
    }
}
