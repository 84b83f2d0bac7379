//! What a run has done so far, for the progress bar, `ingest status` and the final line.

use crate::commit::Committed;
use crate::lost_offsets::Gap;
use crate::store::Counts;
use model::decode::Reject;
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
    /// Why the first record that could not be used is a dead letter.
    #[serde(default)]
    pub first_dead: Option<String>,
    /// What was last waited for, empty while all is well.
    pub waiting_for: String,
    /// State tables whose rows could not be written at the last try, with what is waited for.
    #[serde(default)]
    pub unpublished: BTreeMap<String, String>,
    /// State tables whose rows are not written before somebody acts, with what is wrong and what to do.
    #[serde(default)]
    pub halted: BTreeMap<String, String>,
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

    /// A batch was committed; whether something was waited for until then.
    pub fn committed(&self, committed: &Committed) -> bool {
        let mut state = self.state();
        state.batches += 1;
        let waited = !std::mem::take(&mut state.waiting_for).is_empty();
        for (&partition, to) in &committed.moves {
            state.counts += to.counts;
            state.positions.insert(partition, to.next);
        }
        waited
    }

    /// A try will be repeated; whether `waiting_for` is another thing than before, so that it is to be told. `detail` may differ from
    /// try to try.
    pub fn retry(&self, waiting_for: &str, detail: &str) -> bool {
        let mut state = self.state();
        state.retries += 1;
        let is_new = !state.waiting_for.starts_with(waiting_for);
        state.waiting_for = format!("{waiting_for} ({detail})");
        is_new
    }

    /// The rows of a state table could not be written; whether that is to be told, as of [`retry`](Self::retry).
    pub fn unpublished(&self, table: &str, waiting_for: &str, detail: &str) -> bool {
        let text = format!("{waiting_for} ({detail})");
        let before = self.state().unpublished.insert(table.to_owned(), text);
        before.is_none_or(|before| !before.starts_with(waiting_for))
    }

    /// The rows of a state table are not written before somebody acts; whether that is to be told.
    pub fn halted(&self, table: &str, cause: &str) -> bool {
        let mut state = self.state();
        state.unpublished.remove(table);
        state.halted.insert(table.to_owned(), cause.to_owned()).as_deref() != Some(cause)
    }

    /// The rows of a state table were written; whether they could not be at the last try.
    pub fn published(&self, table: &str) -> bool {
        let mut state = self.state();
        let was_halted = state.halted.remove(table).is_some();
        state.unpublished.remove(table).is_some() || was_halted
    }

    /// A repeat had other contents than the stored event; whether it is the first one.
    pub fn changed(&self) -> bool {
        self.state().counts.duplicate_changed == 0
    }

    /// A record could not be used.
    pub fn dead(&self, reject: &Reject) {
        self.state().first_dead.get_or_insert_with(|| reject.to_string());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_is_told_once() {
        let progress = Progress::default();
        assert!(progress.retry("MongoDB: its disk is full", "error 1"));
        assert!(!progress.retry("MongoDB: its disk is full", "error 2"));
        assert_eq!(progress.snapshot().waiting_for, "MongoDB: its disk is full (error 2)");
        assert!(progress.retry("MongoDB: it does not answer", "error 3"), "another thing");
        let nothing = Committed { moves: BTreeMap::new(), groups: Vec::new(), changed: None };
        assert!(progress.committed(&nothing));
        assert!(!progress.committed(&nothing), "all is well since");
        assert!(progress.retry("MongoDB: it does not answer", "error 4"), "it is away again");
        assert!(progress.unpublished("t", "MongoDB: its disk is full", "a"));
        assert!(!progress.unpublished("t", "MongoDB: its disk is full", "b"));
        assert!(progress.published("t") && !progress.published("t"));
    }
}
