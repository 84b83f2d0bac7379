//! What the lanes tell the publishers.

use model::rollup::RollupPlan;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Tells the publishers that partial states wait, and about how many groups they change.
#[derive(Debug)]
pub struct Waiting {
    tables: Vec<WaitingTable>,
    /// Partitions of this worker of which more waits in the topic.
    behind: AtomicU32,
}

#[derive(Debug)]
struct WaitingTable {
    any: AtomicBool,
    groups: AtomicU32,
}

impl Waiting {
    /// One for each table of the plan; at first something may wait that an earlier worker has left.
    pub fn new(plan: &RollupPlan) -> Self {
        let table = || WaitingTable { any: AtomicBool::new(true), groups: AtomicU32::new(0) };
        Self { tables: plan.tables().iter().map(|_| table()).collect(), behind: AtomicU32::new(0) }
    }

    /// A batch has stored partial states of so many groups of each table.
    pub fn notice(&self, groups: &[u32]) {
        for (table, &groups) in self.tables.iter().zip(groups) {
            table.groups.fetch_add(groups, Ordering::Relaxed);
            table.any.store(true, Ordering::Release);
        }
    }

    /// More waits in the topic of one more partition, until the answer is dropped.
    pub fn behind(self: &Arc<Self>) -> Behind {
        self.behind.fetch_add(1, Ordering::Relaxed);
        Behind(Arc::clone(self))
    }

    pub(super) fn is_behind(&self) -> bool {
        self.behind.load(Ordering::Relaxed) > 0
    }

    pub(super) fn notice_table(&self, table: usize) {
        self.tables[table].any.store(true, Ordering::Release);
    }

    pub(super) fn any(&self, table: usize) -> bool {
        self.tables[table].any.load(Ordering::Acquire)
    }

    pub(super) fn groups(&self, table: usize) -> u32 {
        self.tables[table].groups.load(Ordering::Relaxed)
    }

    pub(super) fn take(&self, table: usize) {
        self.tables[table].any.store(false, Ordering::Release);
        self.tables[table].groups.store(0, Ordering::Relaxed);
    }
}

/// Held while more of a partition waits in the topic.
#[derive(Debug)]
pub struct Behind(Arc<Waiting>);

impl Drop for Behind {
    fn drop(&mut self) {
        self.0.behind.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::schema::{IMDB_REVIEW, Schema};

    #[test]
    fn the_worker_is_behind_while_a_partition_is() {
        let schema = Schema::parse("imdb-review", IMDB_REVIEW).expect("the preset is valid");
        let waiting = Arc::new(Waiting::new(schema.rollups()));
        let (one, other) = (waiting.behind(), waiting.behind());
        drop(one);
        assert!(waiting.is_behind());
        drop(other);
        assert!(!waiting.is_behind());
    }
}
