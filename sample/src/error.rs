//! Errors of the generator.

use std::io;
use std::path::PathBuf;

/// An error of the generator.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// A ratio is out of range.
    #[error("{option} {ratio} is not a share between 0 and 1")]
    Ratio {
        /// The option.
        option: &'static str,
        /// Its value.
        ratio: f64,
    },
    /// The folder cannot be created or listed.
    #[error("folder {}: {error}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// A file of another run would remain, and the counts would be wrong.
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
        /// The error of the system, such as a full disk.
        error: io::Error,
    },
}
