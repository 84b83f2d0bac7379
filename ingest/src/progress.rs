//! What a run has done so far, for the progress bar, `ingest status` and the final line.

use crate::commit::Committed;
use crate::lost_offsets::Gap;
use crate::store::Counts;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shared between the lanes and whoever shows it.
#[derive(Debug, Default)]
pub struct Progress(Mutex<Snapshot>);

/// A run at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// What the records of this run became.
    pub counts: Counts,
    /// Committed positions of the partitions that this worker has had.
    pub positions: BTreeMap<i32, i64>,
    /// Transactions committed.
    pub batches: u64,
    /// Tries that were repeated.
    pub retries: u64,
    /// Batches dropped because another worker owned a partition.
    pub fenced: u64,
    /// Lost records that were accepted, of every partition of the topic.
    #[serde(default)]
    pub gaps: Vec<Gap>,
    /// What was last waited for, empty while all is well.
    pub waiting_for: String,
    /// State tables that are being counted from the stored events, with how far they are.
    #[serde(default)]
    pub rebuilding: BTreeMap<String, Rebuilding>,
    /// Stored events that this run has counted in rebuilds, once for each table.
    #[serde(default)]
    pub recounted: i64,
}

impl Snapshot {
    /// The rebuilds under way, each a sentence.
    pub fn rebuilds(&self) -> impl Iterator<Item = String> {
        self.rebuilding.iter().map(|(table, Rebuilding { counted, of })| match counted {
            0 => format!("rebuilding {table}"),
            _ => format!("rebuilding {table}: {counted} of {of} stored events counted"),
        })
    }
}

/// How far a rebuild is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuilding {
    /// Stored events looked at.
    pub counted: i64,
    /// Events that were stored when it began, as the server estimates.
    pub of: i64,
}

impl Progress {
    /// The state now.
    pub fn snapshot(&self) -> Snapshot {
        self.state().clone()
    }

    /// Where a partition begins.
    pub fn begin(&self, partition: i32, next: i64) {
        self.state().positions.insert(partition, next);
    }

    /// The losses that the stored positions tell of.
    pub fn gaps(&self, gaps: Vec<Gap>) {
        self.state().gaps = gaps;
    }

    /// A batch was committed.
    pub fn committed(&self, committed: &Committed) {
        let mut state = self.state();
        state.batches += 1;
        state.waiting_for.clear();
        for (&partition, to) in &committed.moves {
            state.counts += to.counts;
            state.positions.insert(partition, to.next);
        }
    }

    /// A try will be repeated.
    pub fn retry(&self, waiting_for: &str) {
        let mut state = self.state();
        state.retries += 1;
        waiting_for.clone_into(&mut state.waiting_for);
    }

    /// A batch was dropped.
    pub fn fenced(&self) {
        self.state().fenced += 1;
    }

    /// A rebuild has come so far.
    pub fn rebuilding(&self, table: &str, counted: i64, of: i64) {
        self.state().rebuilding.insert(table.to_owned(), Rebuilding { counted, of: of.max(counted) });
    }

    /// A part of a rebuild is stored.
    pub fn recounted(&self, events: i64) {
        self.state().recounted += events;
    }

    /// A rebuild is over.
    pub fn rebuilt(&self, table: &str) {
        self.state().rebuilding.remove(table);
    }

    fn state(&self) -> MutexGuard<'_, Snapshot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
