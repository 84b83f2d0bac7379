//! Guards of the protocol that a run can do without, to prove that the invariants need them.

use std::fmt;

/// Something that keeps an invariant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// A position moves only from where the batch began.
    CompareAndSet,
    /// A position moves only under the number of accepted losses that the batch was read under.
    GapCount,
    /// A position moves only under the plan of rollups that the batch was counted under.
    PlanVersion,
    /// Positions, events, states and dead letters are written together or not at all.
    OneTransaction,
    /// An event's id is unique.
    UniqueId,
    /// Of two open transactions that write the same document, one fails.
    WriteConflict,
    /// Stored ids are looked up as a majority has them.
    MajorityRead,
    /// An assignment begins at the stored positions, not where the worker has been before.
    StoredPositions,
    /// No try to commit begins after a revoke.
    Fence,
}

impl Guard {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::CompareAndSet,
        Self::GapCount,
        Self::PlanVersion,
        Self::OneTransaction,
        Self::UniqueId,
        Self::WriteConflict,
        Self::MajorityRead,
        Self::StoredPositions,
        Self::Fence,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::CompareAndSet => "compare-and-set",
            Self::GapCount => "gap-count",
            Self::PlanVersion => "plan-version",
            Self::OneTransaction => "one-transaction",
            Self::UniqueId => "unique-id",
            Self::WriteConflict => "write-conflict",
            Self::MajorityRead => "majority-read",
            Self::StoredPositions => "stored-positions",
            Self::Fence => "fence",
        }
    }

    /// The guard of that name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|guard| guard.name() == name)
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
