//! Which windows and keys have changed since they were last published, for each rollup by itself.

use crate::commit::Committed;
use model::rollup::{KeyValue, RollupPlan, StateKey};
use model::window::Window;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keys per window; where only the first rows of a window are published, its keys do not matter and are not kept.
pub type Windows = BTreeMap<Window, HashSet<Box<[KeyValue]>>>;

/// Filled by the lanes, emptied by the publishers.
#[derive(Debug)]
pub struct Touched {
    rollups: Vec<Mutex<Pending>>,
    /// Per rollup: its state table, and whether it needs the keys.
    wanted: Vec<(usize, bool)>,
}

/// What is to be published of one rollup, and the positions that are published with it.
#[derive(Debug, Default)]
pub struct Pending {
    /// Touched windows and keys.
    pub windows: Windows,
    /// Up to where everything is published once this is.
    pub positions: BTreeMap<i32, i64>,
}

impl Pending {
    /// Whether nothing was touched.
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty() && self.positions.is_empty()
    }

    fn reach(&mut self, positions: impl IntoIterator<Item = (i32, i64)>) {
        for (partition, next) in positions {
            let position = self.positions.entry(partition).or_insert(next);
            *position = next.max(*position);
        }
    }
}

impl Touched {
    /// Nothing touched yet of these rollups.
    pub fn new(plan: &RollupPlan) -> Self {
        let wanted: Vec<_> = plan.rollups().iter().map(|rollup| (rollup.table(), rollup.top().is_none())).collect();
        Self { rollups: wanted.iter().map(|_| Mutex::default()).collect(), wanted }
    }

    /// Notes what a commit changed.
    pub fn add(&self, committed: &Committed) {
        let positions: Vec<_> = committed.moves.iter().map(|(&partition, to)| (partition, to.next)).collect();
        self.add_states(&committed.touched, &positions);
    }

    /// Notes changed states, with the positions that they belong to.
    pub fn add_states(&self, states: &[StateKey], positions: &[(i32, i64)]) {
        for (pending, &(table, with_keys)) in self.rollups.iter().zip(&self.wanted) {
            let mut pending = lock(pending);
            for state in states.iter().filter(|state| state.table == table) {
                let keys = pending.windows.entry(state.window).or_default();
                if with_keys && !keys.contains(&state.key) {
                    keys.insert(state.key.clone());
                }
            }
            pending.reach(positions.iter().copied());
        }
    }

    /// Takes everything noted so far of one rollup, by its place in the plan.
    pub fn take(&self, rollup: usize) -> Pending {
        std::mem::take(&mut *lock(&self.rollups[rollup]))
    }

    /// Notes again what could not be published.
    pub fn put_back(&self, rollup: usize, failed: Pending) {
        let mut pending = lock(&self.rollups[rollup]);
        for (window, keys) in failed.windows {
            pending.windows.entry(window).or_default().extend(keys);
        }
        pending.reach(failed.positions);
    }
}

fn lock(pending: &Mutex<Pending>) -> MutexGuard<'_, Pending> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::schema::{IMDB_REVIEW, Schema};

    fn state(table: usize, start: i64, key: i64) -> StateKey {
        StateKey { table, partition: 0, window: Window { start, end: start + 10 }, key: Box::new([KeyValue::Int(key)]) }
    }

    #[test]
    fn what_failed_is_published_with_what_came_since() {
        let schema = Schema::parse("imdb-review", IMDB_REVIEW).unwrap();
        let touched = Touched::new(schema.rollups());
        let movies = schema.rollups().rollups().iter().position(|rollup| rollup.name() == "movies_by_month").unwrap();
        let table = schema.rollups().rollups()[movies].table();
        touched.add_states(&[state(table, 0, 1), state(table, 0, 2), state(table + 1, 10, 1)], &[(3, 7)]);
        let failed = touched.take(movies);
        assert!(touched.take(movies).is_empty());
        touched.add_states(&[state(table, 0, 2), state(table, 10, 1)], &[(3, 9)]);
        touched.put_back(movies, failed);
        let pending = touched.take(movies);
        assert_eq!(pending.windows.values().map(HashSet::len).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(pending.positions, BTreeMap::from([(3, 9)]), "a position never goes back");
        let top = touched.take(movies + 1);
        assert_eq!(
            top.windows.values().map(HashSet::len).collect::<Vec<_>>(),
            [0, 0],
            "a ranked rollup needs the windows alone"
        );
    }
}
