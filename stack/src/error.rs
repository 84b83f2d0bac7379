//! What can go wrong while getting, starting or stopping the servers. Each message names the thing, the place and the
//! remedy, since it is read by someone who wanted a demo and not an education in Kafka.

use std::io;
use std::path::{Path, PathBuf};

/// Why a stack could not be fetched, started or stopped.
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

    /// A part could not be downloaded, or is not what was pinned.
    #[error("could not get {part}: {reason}\n  what to do: {remedy}")]
    Fetch {
        /// The part, with its version.
        part: String,
        /// The failed command with its output, or the file whose sum differs.
        reason: String,
        /// What to check or try.
        remedy: String,
    },

    /// A server ended or did not answer while it was started.
    #[error("{server} did not start: {reason}\n  what to do: {remedy}\n  the last lines of its log:\n{tail}")]
    Start {
        /// `Kafka` or `mongod`.
        server: &'static str,
        /// Ended by itself, or not ready in time.
        reason: String,
        /// What to check or try.
        remedy: String,
        /// The end of the server's log, indented; says so where the log is empty.
        tail: String,
    },

    /// A file or folder could not be used.
    #[error("could not {action} {}: {reason}", path.display())]
    File {
        /// What was tried, as a verb: `create`, `write`, `lock`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        reason: io::Error,
    },

    /// A thread of the runtime was lost; only a bug or a runtime that is being shut down does that.
    #[error("the runtime ended while the stack was working")]
    Runtime(#[from] tokio::task::JoinError),
}

impl StackError {
    /// An error about `path`, for `map_err`.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |reason| Self::File { action, path: path.to_path_buf(), reason }
    }
}
