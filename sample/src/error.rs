//! Why files could not be generated.

use std::io;
use std::path::PathBuf;

/// Failure of a run.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// A ratio is out of range.
    #[error("{option} {ratio} is not a share between 0 and 1")]
    Ratio {
        /// The option.
        option: &'static str,
        /// What it was set to.
        ratio: f64,
    },
    /// The folder cannot be created or listed.
    #[error("folder {}: {error}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file of another run would be left among the new ones, and the counts would be wrong.
    #[error("{} is from another run and would not be replaced; remove it or choose another folder", path.display())]
    Leftover {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error("{}: {error}; nothing was left under this name", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says, a full disk for one.
        error: io::Error,
    },
}
