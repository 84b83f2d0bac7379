//! An in-memory store with the semantics of MongoDB's transactions that the protocol rests on.
//!
//! A transaction's writes are seen by nobody before it is committed, and then all at once. A write to a document that another open
//! transaction has written fails at once (a write conflict). A commit takes effect when it is delivered, which may be after its
//! sender has died; an aborted transaction cannot be committed any more.

use ingest::batch::Move;
use ingest::store::Counts;
use std::collections::{BTreeMap, BTreeSet};

/// Id of an event, as the bytes of its `{_id}` document.
pub type Id = Vec<u8>;

/// A stored position.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    pub next: i64,
    pub clock: model::clock::EventClock,
    pub counts: Counts,
    pub worker: u32,
}

/// Why a transaction cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A position is not where it should be.
    Fenced,
    /// Another open transaction has written the same, an id is there, or the transaction was aborted: try again.
    Again,
}

/// What one transaction writes.
#[derive(Debug, Clone, Default)]
pub struct Writes {
    pub worker: u32,
    pub moves: BTreeMap<i32, Move>,
    pub events: Vec<(Id, String)>,
    /// Events counted into the rollup, by group.
    pub states: BTreeMap<String, i64>,
    pub dead: Vec<(i32, i64)>,
}

/// A transaction that is neither committed nor aborted.
#[derive(Debug, Default)]
struct Open {
    moves: BTreeSet<i32>,
    ids: BTreeSet<Id>,
    writes: Writes,
}

#[derive(Debug, Default)]
pub struct Store {
    pub positions: BTreeMap<i32, Position>,
    /// The group of each event by its id.
    pub events: BTreeMap<Id, String>,
    /// Events that were inserted although their id was there.
    pub repeated: usize,
    pub states: BTreeMap<String, i64>,
    pub dead: BTreeSet<(i32, i64)>,
    open: BTreeMap<u64, Open>,
    /// Transactions whose commit was sent and not yet delivered.
    in_flight: BTreeSet<u64>,
    committed: BTreeSet<u64>,
    begun: u64,
}

impl Store {
    pub fn begin(&mut self) -> u64 {
        self.begun += 1;
        self.open.insert(self.begun, Open::default());
        self.begun
    }

    /// Compares and sets every position of a transaction.
    pub fn move_positions(&mut self, transaction: u64, writes: &Writes, compare: bool) -> Result<(), Refusal> {
        if !self.open.contains_key(&transaction) {
            return Err(Refusal::Again);
        }
        for (partition, to) in &writes.moves {
            if self.open.values().any(|other| other.moves.contains(partition)) {
                return Err(Refusal::Again);
            }
            if compare && self.positions.get(partition).is_none_or(|position| position.next != to.from) {
                return Err(Refusal::Fenced);
            }
        }
        let open = self.open.get_mut(&transaction).ok_or(Refusal::Again)?;
        open.moves.extend(writes.moves.keys());
        open.writes.worker = writes.worker;
        open.writes.moves = writes.moves.clone();
        Ok(())
    }

    /// Inserts events, states and dead letters.
    pub fn insert(&mut self, transaction: u64, writes: &Writes, unique: bool) -> Result<(), Refusal> {
        let taken = |id: &Id| self.events.contains_key(id) || self.open.values().any(|other| other.ids.contains(id));
        if unique && writes.events.iter().any(|(id, _)| taken(id)) {
            return Err(Refusal::Again);
        }
        let open = self.open.get_mut(&transaction).ok_or(Refusal::Again)?;
        open.ids.extend(writes.events.iter().map(|(id, _)| id.clone()));
        open.writes = writes.clone();
        Ok(())
    }

    /// The commit is on its way.
    pub fn send_commit(&mut self, transaction: u64) {
        self.in_flight.insert(transaction);
    }

    pub fn is_committed(&self, transaction: u64) -> bool {
        self.committed.contains(&transaction)
    }

    pub fn in_flight(&self) -> Vec<u64> {
        self.in_flight.iter().copied().collect()
    }

    /// A commit arrives; of an aborted transaction it does nothing.
    pub fn deliver(&mut self, transaction: u64) {
        if self.in_flight.remove(&transaction)
            && let Some(Open { writes, .. }) = self.open.remove(&transaction)
        {
            self.apply_moves(&writes);
            self.apply_inserts(writes);
            self.committed.insert(transaction);
        }
    }

    /// Applies the positions alone, as a program without a transaction around them would.
    pub fn move_now(&mut self, transaction: u64) {
        let writes = self.open.get_mut(&transaction).map(|open| std::mem::take(&mut open.writes));
        if let Some(writes) = writes {
            self.apply_moves(&writes);
        }
    }

    /// The server gives up a transaction: its client is gone, it is too old, or there was an election.
    pub fn abort(&mut self, transaction: u64) {
        self.open.remove(&transaction);
    }

    pub fn abort_all(&mut self) {
        self.open.clear();
    }

    fn apply_moves(&mut self, writes: &Writes) {
        for (partition, to) in &writes.moves {
            let position = self.positions.get_mut(partition).expect("every partition has a position from the start");
            (position.next, position.clock, position.worker) = (to.next, to.clock, writes.worker);
            position.counts += to.counts;
        }
    }

    fn apply_inserts(&mut self, writes: Writes) {
        for (id, group) in writes.events {
            self.repeated += usize::from(self.events.insert(id, group).is_some());
        }
        for (group, count) in writes.states {
            *self.states.entry(group).or_default() += count;
        }
        self.dead.extend(writes.dead);
    }
}
