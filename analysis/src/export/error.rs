//! Why an export failed, and what to do about it.

use std::{io, path::PathBuf};

use crate::load::StoreError;

/// Why an export failed. The folder then holds what it held before, as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The folder cannot be made or read.
    #[error("cannot use the folder {}{}", path.display(), remedy(source))]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another exporter works on the folder.
    #[error(
        "another export is writing to {} (perhaps one with --watch); wait until it ends, stop it, or export to another folder",
        path.display()
    )]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error("cannot write {}{}", path.display(), remedy(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file that no export has written has the name of one that is to be written.
    #[error(
        "{} is in the way: no export has written it; move it elsewhere, or export to another folder",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A column is in none of the exported tables.
    #[error("no exported table has a column {column:?}; there are {}", known.join(", "))]
    NoColumn {
        /// What was asked for.
        column: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A table would be left without columns.
    #[error("{table} has none of the columns that were asked for; leave it out, or name one of {}", known.join(", "))]
    NothingLeft {
        /// The table.
        table: String,
        /// Its columns.
        known: Vec<String>,
    },
    /// Two columns would have one name.
    #[error("{table} would have two columns {name:?}; choose another name")]
    SameName {
        /// The table.
        table: String,
        /// The name.
        name: String,
    },
    /// A zone that the time zone database does not have.
    #[error("{name:?} is not a time zone; write one as Asia/Seoul, Europe/Berlin or UTC")]
    Zone {
        /// What was asked for.
        name: String,
    },
    /// The rows cannot be put into years.
    #[error("{table} has no window_start among its columns, so it cannot be partitioned by year")]
    NoWindow {
        /// The table.
        table: String,
    },
    /// A chart cannot be drawn.
    #[error("the chart of {table} cannot be drawn")]
    Chart {
        /// The table.
        table: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The program that writes `.hyper` files did not do it.
    #[error("cannot write .hyper files: {reason}")]
    Hyper {
        /// What it said, with the remedy.
        reason: String,
    },
    /// The schema that tells the columns of events cannot be used.
    #[error("{reason}")]
    Schema {
        /// What is wrong with it, and where.
        reason: String,
    },
    /// A table cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn remedy(error: &io::Error) -> &'static str {
    use io::ErrorKind::{FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => {
            "; free some space or export to another folder: what was there before is unchanged"
        }
        PermissionDenied | ReadOnlyFilesystem => "; export to a folder that you may write to",
        _ => "",
    }
}
