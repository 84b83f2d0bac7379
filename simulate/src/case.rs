//! A case: what is in the topic, and what happens when.

use crate::topic::{self, LogRecord, PARTITIONS};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

/// Workers that run at the same time.
pub const WORKERS: usize = 2;
const MOST_ACTIONS: usize = 60;

/// Something that happens to the workers, the store or the topic. What cannot happen at the time does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A worker is assigned the partitions whose bits are set, even where another worker has them too.
    Assign(usize, u8),
    /// A worker's partitions are revoked.
    Revoke(usize),
    /// A worker reads from a partition, at most this many records.
    Read(usize, i32, usize),
    /// A primary is elected; what no majority has is rolled back.
    Elect,
    /// The store does not answer for this long.
    Outage(Duration),
    /// The store's disk is full for this long.
    DiskFull(Duration),
    /// Replication stops for this long.
    Lag(Duration),
    /// A worker dies and another takes its place.
    Crash(usize),
    /// A partition is deleted and created again, with the records of the second log. The loss is accepted.
    Recreate(i32),
    /// Another plan of rollups comes into force; workers learn of it at their next assignment.
    ChangePlan,
}

/// All that a run depends on.
#[derive(Debug, Clone)]
pub struct Case {
    /// The seed that it was drawn from; also that of latencies and of lost answers.
    pub seed: u64,
    /// Records of each partition, and those after it was created again.
    pub logs: Vec<[Vec<LogRecord>; 2]>,
    /// The schedule: what happens, and the time until the next.
    pub actions: Vec<(Action, Duration)>,
}

impl Case {
    /// Draws a case.
    pub fn draw(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let logs = (0..PARTITIONS).map(|_| [topic::draw(&mut random), topic::draw(&mut random)]).collect();
        let actions = random.random_range(0..MOST_ACTIONS);
        let actions = (0..actions).map(|_| (Action::draw(&mut random), pause(&mut random))).collect();
        Self { seed, logs, actions }
    }

    /// The smallest case found that still `fails`: actions are left out, then records, as long as it does.
    pub fn shrink(self, fails: impl Fn(&Self) -> bool) -> Self {
        let mut smallest = self;
        loop {
            let before = smallest.size();
            let mut size = smallest.actions.len().max(1);
            while size > 0 {
                let mut from = 0;
                while from < smallest.actions.len() {
                    let mut less = smallest.clone();
                    less.actions.drain(from..(from + size).min(less.actions.len()));
                    if fails(&less) { smallest = less } else { from += size }
                }
                size /= 2;
            }
            for log in 0..smallest.logs.len() * 2 {
                let (partition, epoch) = (log / 2, log % 2);
                let mut record = 0;
                while record < smallest.logs[partition][epoch].len() {
                    let mut less = smallest.clone();
                    less.logs[partition][epoch].remove(record);
                    if fails(&less) { smallest = less } else { record += 1 }
                }
            }
            if smallest.size() == before {
                return smallest;
            }
        }
    }

    fn size(&self) -> usize {
        self.actions.len() + self.logs.iter().flatten().map(Vec::len).sum::<usize>()
    }
}

impl Action {
    fn draw(random: &mut StdRng) -> Self {
        let worker = random.random_range(0..WORKERS);
        let partition = random.random_range(0..PARTITIONS);
        match random.random_range(0..100) {
            0..18 => Self::Assign(worker, random.random_range(1..1 << PARTITIONS)),
            18..26 => Self::Revoke(worker),
            26..70 => Self::Read(worker, partition, random.random_range(1..8)),
            70..79 => Self::Elect,
            79..82 => Self::Outage(Duration::from_millis(random.random_range(10..5_000))),
            82..84 => Self::DiskFull(Duration::from_millis(random.random_range(10..5_000))),
            84..90 => Self::Lag(Duration::from_millis(random.random_range(10..5_000))),
            90..95 => Self::Crash(worker),
            95..98 => Self::Recreate(partition),
            _ => Self::ChangePlan,
        }
    }
}

/// Mostly short, so that actions meet what is under way; sometimes long enough for everything to come to rest.
fn pause(random: &mut StdRng) -> Duration {
    let most = [2, 20, 200, 2_000][random.random_range(0..4)];
    Duration::from_millis(random.random_range(0..most))
}
