//! Which faults happen, in which order: decided by the seed alone, before anything runs.

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use std::fmt;

/// What can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A worker gets SIGKILL; another is started a little later.
    WorkerKilled,
    /// A worker gets SIGSTOP until its partitions are another's, then SIGCONT: it goes on as if nothing had been.
    WorkerFrozen,
    /// One more worker joins the group.
    WorkerJoins,
    /// A worker gets SIGTERM and leaves.
    WorkerLeaves,
    /// The broker gets SIGKILL and is started again.
    BrokerKilled,
    /// The primary gets SIGKILL and is started again.
    PrimaryKilled,
    /// A secondary gets SIGKILL and is started again.
    SecondaryKilled,
    /// The primary steps down.
    PrimarySteppedDown,
    /// The primary gets SIGSTOP until another is elected, then SIGCONT: for a moment there are two.
    PrimaryFrozen,
    /// Both secondaries get SIGSTOP, and when the primary has written what it alone has, it gets SIGKILL: that is rolled back.
    WritesRolledBack,
    /// All connections between workers and MongoDB end, and none begins.
    MongodbCut,
    /// Nothing goes through between workers and MongoDB, but connections stay.
    MongodbStalled,
    /// Everything between workers and MongoDB is late.
    MongodbSlow,
    /// As [`Kind::MongodbCut`], for the broker.
    BrokerCut,
    /// As [`Kind::MongodbStalled`], for the broker.
    BrokerStalled,
    /// As [`Kind::MongodbSlow`], for the broker.
    BrokerSlow,
    /// MongoDB is cut off in front of a `commitTransaction`, which never arrives.
    CommitLost,
    /// MongoDB is cut off after a `commitTransaction` was forwarded: it happens, but the worker gets no answer.
    CommitUnanswered,
    /// The primary gets SIGKILL right after a `commitTransaction` was forwarded: it may or may not have happened.
    CommitPrimaryKilled,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 19] = [
        Self::WorkerKilled,
        Self::WorkerFrozen,
        Self::WorkerJoins,
        Self::WorkerLeaves,
        Self::BrokerKilled,
        Self::PrimaryKilled,
        Self::SecondaryKilled,
        Self::PrimarySteppedDown,
        Self::PrimaryFrozen,
        Self::WritesRolledBack,
        Self::MongodbCut,
        Self::MongodbStalled,
        Self::MongodbSlow,
        Self::BrokerCut,
        Self::BrokerStalled,
        Self::BrokerSlow,
        Self::CommitLost,
        Self::CommitUnanswered,
        Self::CommitPrimaryKilled,
    ];

    /// The kind of this name.
    ///
    /// # Errors
    /// Tells the names there are.
    pub fn parse(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.to_string() == name);
        found.ok_or_else(|| format!("the kinds are: {}", Self::ALL.map(|kind| kind.to_string()).join("; ")))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::WorkerKilled => "worker killed",
            Self::WorkerFrozen => "worker frozen",
            Self::WorkerJoins => "worker joins",
            Self::WorkerLeaves => "worker leaves",
            Self::BrokerKilled => "broker killed",
            Self::PrimaryKilled => "primary killed",
            Self::SecondaryKilled => "secondary killed",
            Self::PrimarySteppedDown => "primary steps down",
            Self::PrimaryFrozen => "primary frozen",
            Self::WritesRolledBack => "writes rolled back",
            Self::MongodbCut => "MongoDB cut off",
            Self::MongodbStalled => "MongoDB stalled",
            Self::MongodbSlow => "MongoDB slow",
            Self::BrokerCut => "broker cut off",
            Self::BrokerStalled => "broker stalled",
            Self::BrokerSlow => "broker slow",
            Self::CommitLost => "commit lost",
            Self::CommitUnanswered => "commit unanswered",
            Self::CommitPrimaryKilled => "commit, primary killed",
        })
    }
}

/// One fault of the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What breaks.
    pub kind: Kind,
    /// Which of several: a worker or a secondary, by this number modulo how many there are.
    pub pick: usize,
    /// How long it lasts, in milliseconds; kinds that wait for something take it as well.
    pub lasts_ms: u64,
    /// Milliseconds between the recovery from the one before and this one.
    pub pause_ms: u64,
    /// Commits that pass before the one that is cut.
    pub skip: u32,
}

/// The faults of a seed: as many of each of the `allowed` kinds as there can be, the rest drawn, in random order.
pub fn schedule(seed: u64, count: usize, allowed: &[Kind]) -> Vec<Fault> {
    let mut random = StdRng::seed_from_u64(seed);
    let every = count.checked_div(allowed.len()).unwrap_or_default();
    let mut kinds: Vec<Kind> = allowed.iter().flat_map(|&kind| std::iter::repeat_n(kind, every)).collect();
    while kinds.len() < count && !allowed.is_empty() {
        kinds.extend(allowed.choose(&mut random));
    }
    kinds.shuffle(&mut random);
    kinds.into_iter().map(|kind| fault(kind, &mut random)).collect()
}

fn fault(kind: Kind, random: &mut StdRng) -> Fault {
    Fault {
        kind,
        pick: random.random_range(0..1_000),
        lasts_ms: random.random_range(100..2_500),
        pause_ms: random.random_range(0..600),
        skip: random.random_range(0..4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_seed_is_a_schedule() {
        assert_eq!(schedule(7, 200, &Kind::ALL), schedule(7, 200, &Kind::ALL));
        assert_ne!(schedule(7, 200, &Kind::ALL), schedule(8, 200, &Kind::ALL));
    }

    #[test]
    fn two_hundred_faults_have_ten_of_each_kind_at_least() {
        let mut counts = BTreeMap::new();
        for fault in schedule(1, 200, &Kind::ALL) {
            *counts.entry(fault.kind).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), Kind::ALL.len());
        assert!(counts.values().all(|&count| count >= 10), "{counts:?}");
    }
}
