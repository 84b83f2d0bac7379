//! How a try to commit can end.

use crate::batch::{Change, Move};
use crate::store::{Counts, Obstacle};
use std::collections::BTreeMap;

/// How a try to commit ended.
#[derive(Debug)]
pub enum Outcome {
    /// It is in the store.
    Committed(Committed),
    /// A position was not where this worker thought, because another worker owns a partition, or the plan of rollups has changed. The
    /// batch must be dropped.
    Fenced,
    /// Another lane or worker was writing the same ids or states: try again at once.
    Conflict(String),
    /// Something outside is in the way that passes: try again later.
    Unreachable(Transient),
    /// The commit was sent, but not answered: the positions will tell whether it landed.
    Unknown(Committed, String),
    /// Trying again will not help.
    Fatal(String),
}

impl From<WriteAbort> for Outcome {
    fn from(abort: WriteAbort) -> Self {
        match abort {
            WriteAbort::Transient(transient) => Self::Unreachable(transient),
            WriteAbort::Conflict(problem) | WriteAbort::DuplicateId(problem) | WriteAbort::PositionsHeld(problem) => {
                Self::Conflict(problem)
            }
            WriteAbort::Fenced => Self::Fenced,
            WriteAbort::Fatal(problem) => Self::Fatal(problem),
        }
    }
}

/// What the store says of a commit that was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landed {
    /// It is in the store for good.
    Yes,
    /// It is not.
    No,
    /// The primary has it, but no majority of the members yet.
    Unacknowledged,
}

/// What a commit changed.
#[derive(Debug)]
pub struct Committed {
    /// The moves of positions, by partition.
    pub moves: BTreeMap<i32, Move>,
    /// How many groups of each state table have partial states of it.
    pub groups: Vec<u32>,
    /// The first duplicate whose contents are not those of the event that is stored.
    pub changed: Option<Change>,
}

impl Committed {
    /// What the records of all partitions became.
    pub fn counts(&self) -> Counts {
        self.moves.values().fold(Counts::default(), |mut sum, to| {
            sum += to.counts;
            sum
        })
    }
}

/// A failure that passes without anybody changing the batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause} ({detail})")]
pub struct Transient {
    /// What is in the way.
    pub cause: Obstacle,
    /// What the store's driver says.
    pub detail: String,
}

/// Why a write inside a transaction aborts it. Nothing of the transaction is stored then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteAbort {
    /// It passes by itself.
    #[error(transparent)]
    Transient(#[from] Transient),
    /// Another transaction has written the same document.
    #[error("{0}")]
    Conflict(String),
    /// An id is taken that was expected to be free.
    #[error("{0}")]
    DuplicateId(String),
    /// Another transaction has moved the same positions and is still open.
    #[error("{0}")]
    PositionsHeld(String),
    /// A position is not where the batch expects it.
    #[error("another worker has moved a position")]
    Fenced,
    /// The store refuses the write, and will again.
    #[error("{0}")]
    Fatal(String),
}

/// Why a commit failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// No answer came: the transaction may or may not be in the store.
    #[error("{0}")]
    Unknown(String),
    /// The transaction is not in the store.
    #[error(transparent)]
    Aborted(#[from] WriteAbort),
}
