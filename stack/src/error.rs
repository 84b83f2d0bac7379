//! Errors of fetching, starting and stopping servers. Each message names the thing, the place and the remedy, because its readers
//! need not know Kafka.

use std::io;
use std::path::{Path, PathBuf};

/// An error of fetching, starting or stopping servers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StackError {
    /// A tool is missing, too old, or has no build for this machine.
    #[error("{what}\n  what to do: {remedy}")]
    Prerequisite {
        /// What is missing and what it was needed for.
        what: String,
        /// What to install or set.
        remedy: String,
    },

    /// A part could not be downloaded, or differs from the pinned sum.
    #[error("could not get {part}: {reason}\n  what to do: {remedy}")]
    Fetch {
        /// The part, with its version.
        part: String,
        /// The failed command with its output, or the file whose sum differs.
        reason: String,
        /// What to check or try.
        remedy: String,
    },

    /// A server ended or did not answer during its start.
    #[error("{server} did not start: {reason}\n  what to do: {remedy}\n  the last lines of its log:\n{tail}")]
    Start {
        /// `Kafka` or `mongod`.
        server: &'static str,
        /// How the start failed: the server ended, or was not ready in time.
        reason: String,
        /// What to check or try.
        remedy: String,
        /// The end of the server's log, indented, or a note that the log is empty.
        tail: String,
    },

    /// A file or folder could not be used.
    #[error("could not {action} {}: {reason}", path.display())]
    File {
        /// The failed operation, as a verb: `create`, `write`, `lock`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        reason: io::Error,
    },

    /// A thread of the runtime was lost, by a bug or during a shutdown of the runtime.
    #[error("the runtime ended while the stack was working")]
    Runtime(#[from] tokio::task::JoinError),
}

impl StackError {
    /// Creates an error about `path`, for `map_err`.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |reason| Self::File { action, path: path.to_path_buf(), reason }
    }
}
