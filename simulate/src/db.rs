//! A database in memory with the properties of MongoDB's transactions and replica sets that the protocol rests on.
//!
//! - The writes of a transaction are seen by nobody before it commits, and then all at once.
//! - A write fails if another open transaction has written the document (the first writer wins), or if it has changed since the
//!   transaction's snapshot.
//! - A commit is on the primary first, and durable once it is replicated to a majority. An election takes back what is not, and
//!   aborts all open transactions.
//! - A commit that was sent takes effect when it arrives, which may be after its sender has given up or died.

use crate::guard::Guard;
use crate::topic::PARTITIONS;
use ingest::batch::Move;
use ingest::commit::PositionMove;
use ingest::lost_offsets::{Gap, GapReason};
use ingest::store::{Counts, Position};
use model::clock::EventClock;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// Id of an event, as the bytes of its `{_id}` document.
pub type Id = Vec<u8>;
/// Number of a transaction.
pub type TransactionId = u64;

/// The server gives up a transaction that is older.
const TRANSACTION_LIFETIME: Duration = Duration::from_secs(60);

/// Everything that is stored, at one moment.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Positions by partition.
    pub positions: BTreeMap<i32, Position>,
    /// Where the first log of a partition was left when it was created again.
    pub left: BTreeMap<i32, i64>,
    /// Events by id.
    pub events: BTreeMap<Id, bson::raw::RawDocumentBuf>,
    /// Inserts of an event whose id was there.
    pub repeated: usize,
    /// Number of events counted into each group of the rollup.
    pub states: BTreeMap<String, i64>,
    /// Commits that were counted under another plan than the one in force.
    pub outdated: usize,
    /// Dead letters by partition, epoch of the log and offset.
    pub dead: BTreeSet<(i32, usize, i64)>,
}

impl View {
    /// 0 until the partition is created again.
    pub fn epoch(&self, partition: i32) -> usize {
        usize::from(self.left.contains_key(&partition))
    }
}

/// Why a write fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Another transaction has written the document.
    WriteConflict,
    /// The id of an inserted document is taken.
    DuplicateKey,
    /// A position is not where it is expected.
    NoMatch,
    /// The transaction was aborted.
    Gone,
}

/// What a transaction writes.
#[derive(Debug, Clone, Default)]
pub struct Writes {
    worker: String,
    moves: BTreeMap<i32, Move>,
    events: Vec<(Id, bson::raw::RawDocumentBuf)>,
    states: BTreeMap<String, i64>,
    dead: Vec<(i32, usize, i64)>,
    counted_under: Option<i64>,
    /// Partitions that are created again.
    recreated: Vec<i32>,
    plan: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Position(i32),
    Event(Id),
    Dead(i32, usize, i64),
}

#[derive(Debug)]
struct Transaction {
    begun: Instant,
    used: Instant,
    /// Number of commits that it sees; set by its first write.
    snapshot: Option<u64>,
    keys: BTreeSet<Key>,
    writes: Writes,
}

/// What became of a transaction whose commit was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is open.
    Open,
    /// It is the commit of this number.
    Applied(u64),
    /// It was aborted, or an election has taken it back.
    Aborted,
}

/// The database.
#[derive(Debug)]
pub struct Db {
    /// What the primary has.
    pub primary: View,
    /// What a majority has.
    pub majority: View,
    /// Number of commits.
    commits: u64,
    /// Commits that no majority has yet, oldest first.
    pending: Vec<(u64, Writes)>,
    /// Numbers of commits that elections have taken back.
    rolled_back: BTreeSet<u64>,
    /// The commit that last wrote each document.
    written_by: BTreeMap<Key, u64>,
    open: BTreeMap<TransactionId, Transaction>,
    applied: BTreeMap<TransactionId, u64>,
    begun: TransactionId,
    without: Option<Guard>,
}

impl Db {
    /// A database with the first positions of all partitions.
    pub fn new(without: Option<Guard>) -> Self {
        let position = |partition| Position {
            partition,
            next: 0,
            clock: EventClock::default(),
            counts: Counts::default(),
            plan: 0,
            worker: String::new(),
            stored_at: None,
            topic_id: None,
            gaps: Vec::new(),
        };
        let positions = (0..PARTITIONS).map(|partition| (partition, position(partition))).collect();
        let view = View { positions, ..View::default() };
        Self {
            primary: view.clone(),
            majority: view,
            commits: 0,
            pending: Vec::new(),
            rolled_back: BTreeSet::new(),
            written_by: BTreeMap::new(),
            open: BTreeMap::new(),
            applied: BTreeMap::new(),
            begun: 0,
            without,
        }
    }

    /// Begins a transaction.
    pub fn begin(&mut self) -> TransactionId {
        self.begun += 1;
        let now = Instant::now();
        let (keys, writes) = (BTreeSet::new(), Writes::default());
        let transaction = Transaction { begun: now, used: now, snapshot: None, keys, writes };
        self.open.insert(self.begun, transaction);
        self.begun
    }

    /// Compares and sets positions.
    ///
    /// # Errors
    /// [`Refusal::NoMatch`] where one is elsewhere; otherwise why it cannot be written.
    pub fn move_positions(&mut self, id: TransactionId, worker: &str, moves: &[PositionMove]) -> Result<(), Refusal> {
        for one in moves {
            self.touch(id, Key::Position(one.partition))?;
            let position = &self.primary.positions[&one.partition];
            let meets = [
                (Guard::CompareAndSet, position.next == one.to.from),
                (Guard::GapCount, position.gaps.len() <= one.gaps),
                (Guard::PlanVersion, position.plan == one.plan),
            ];
            if meets.iter().any(|&(guard, met)| !met && self.without != Some(guard)) {
                return Err(Refusal::NoMatch);
            }
        }
        let writes = &mut self.transaction(id)?.writes;
        worker.clone_into(&mut writes.worker);
        writes.counted_under = moves.first().map(|one| one.plan);
        writes.moves = moves.iter().map(|one| (one.partition, one.to)).collect();
        self.apply_early(id);
        Ok(())
    }

    /// Inserts events.
    ///
    /// # Errors
    /// [`Refusal::DuplicateKey`] where an id is taken.
    pub fn insert_events(
        &mut self,
        id: TransactionId,
        events: Vec<(Id, bson::raw::RawDocumentBuf)>,
    ) -> Result<(), Refusal> {
        for (event, _) in &events {
            let snapshot = self.snapshot(id)?;
            let is_seen = self.written_by.get(&Key::Event(event.clone())).is_none_or(|&commit| commit <= snapshot);
            if self.without == Some(Guard::UniqueId) {
                continue;
            }
            if self.primary.events.contains_key(event) && is_seen {
                self.abort(id);
                return Err(Refusal::DuplicateKey);
            }
            self.touch(id, Key::Event(event.clone()))?;
        }
        self.transaction(id)?.writes.events.extend(events);
        self.apply_early(id);
        Ok(())
    }

    /// Inserts partial states: the number of events by group.
    ///
    /// # Errors
    /// [`Refusal::Gone`].
    pub fn insert_states(&mut self, id: TransactionId, states: BTreeMap<String, i64>) -> Result<(), Refusal> {
        self.transaction(id)?.writes.states.extend(states);
        self.apply_early(id);
        Ok(())
    }

    /// Keeps dead letters.
    ///
    /// # Errors
    /// Why one cannot be written.
    pub fn insert_dead(&mut self, id: TransactionId, letters: &[(i32, i64)]) -> Result<(), Refusal> {
        for &(partition, offset) in letters {
            let epoch = self.primary.epoch(partition);
            self.touch(id, Key::Dead(partition, epoch, offset))?;
            self.transaction(id)?.writes.dead.push((partition, epoch, offset));
        }
        self.apply_early(id);
        Ok(())
    }

    /// A commit arrives; of an aborted transaction it does nothing.
    pub fn commit(&mut self, id: TransactionId) {
        let Some(Transaction { keys, writes, .. }) = self.open.remove(&id) else { return };
        self.commits += 1;
        self.written_by.extend(keys.into_iter().map(|key| (key, self.commits)));
        self.applied.insert(id, self.commits);
        self.apply(writes);
    }

    /// What became of a transaction.
    pub fn fate(&self, id: TransactionId) -> Fate {
        match self.applied.get(&id) {
            Some(commit) if self.rolled_back.contains(commit) => Fate::Aborted,
            Some(&commit) => Fate::Applied(commit),
            None if self.open.contains_key(&id) => Fate::Open,
            None => Fate::Aborted,
        }
    }

    /// Whether a majority has a commit, and so all before it.
    pub fn is_durable(&self, commit: u64) -> bool {
        !self.rolled_back.contains(&commit) && self.pending.first().is_none_or(|&(first, _)| commit < first)
    }

    /// A majority has all commits up to this one.
    pub fn replicate(&mut self, commit: u64) {
        while self.pending.first().is_some_and(|&(first, _)| first <= commit) {
            let (_, writes) = self.pending.remove(0);
            self.majority.apply(&writes);
        }
    }

    /// The number of the newest commit.
    pub fn newest(&self) -> u64 {
        self.commits
    }

    /// Aborts a transaction.
    pub fn abort(&mut self, id: TransactionId) {
        self.open.remove(&id);
    }

    /// A new primary is elected.
    pub fn elect(&mut self) {
        self.open.clear();
        self.rolled_back.extend(self.pending.drain(..).map(|(commit, _)| commit));
        self.primary = self.majority.clone();
    }

    /// Open transactions in which nothing has happened since `before`.
    pub fn abort_silent(&mut self, before: Instant) {
        self.open.retain(|_, transaction| transaction.used >= before);
    }

    /// A partition is created again, and its loss accepted. Durable at once.
    pub fn recreate(&mut self, partition: i32) {
        if self.primary.left.contains_key(&partition) {
            return;
        }
        self.write_at_once(Key::Position(partition), Writes { recreated: vec![partition], ..Writes::default() });
    }

    /// The next plan of rollups comes into force. Durable at once.
    pub fn change_plan(&mut self) {
        let plan = 1 + self.plan();
        for partition in 0..PARTITIONS {
            self.write_at_once(Key::Position(partition), Writes { plan: Some(plan), ..Writes::default() });
        }
    }

    /// The plan in force.
    pub fn plan(&self) -> i64 {
        self.primary.positions.values().map(|position| position.plan).max().unwrap_or_default()
    }

    /// A write outside any transaction: those that have written the document are aborted, as by a killed session.
    fn write_at_once(&mut self, key: Key, writes: Writes) {
        self.open.retain(|_, transaction| !transaction.keys.contains(&key));
        self.commits += 1;
        self.written_by.insert(key, self.commits);
        self.apply(writes);
        self.replicate(self.commits);
    }

    fn apply(&mut self, writes: Writes) {
        self.primary.apply(&writes);
        self.pending.push((self.commits, writes));
    }

    /// Without the guard of one transaction, every write takes effect by itself.
    fn apply_early(&mut self, id: TransactionId) {
        if self.without == Some(Guard::OneTransaction)
            && let Some(transaction) = self.open.get_mut(&id)
        {
            let writes = std::mem::take(&mut transaction.writes);
            self.commits += 1;
            self.apply(writes);
        }
    }

    fn transaction(&mut self, id: TransactionId) -> Result<&mut Transaction, Refusal> {
        let now = Instant::now();
        self.open.retain(|_, transaction| now - transaction.begun < TRANSACTION_LIFETIME);
        let transaction = self.open.get_mut(&id).ok_or(Refusal::Gone)?;
        transaction.used = now;
        Ok(transaction)
    }

    fn snapshot(&mut self, id: TransactionId) -> Result<u64, Refusal> {
        let commits = self.commits;
        Ok(*self.transaction(id)?.snapshot.get_or_insert(commits))
    }

    /// Writes a document, or aborts.
    fn touch(&mut self, id: TransactionId, key: Key) -> Result<(), Refusal> {
        let snapshot = self.snapshot(id)?;
        let is_held = self.open.iter().any(|(&other, transaction)| other != id && transaction.keys.contains(&key));
        let has_changed = self.written_by.get(&key).is_some_and(|&commit| commit > snapshot);
        if (is_held || has_changed) && self.without != Some(Guard::WriteConflict) {
            self.abort(id);
            return Err(Refusal::WriteConflict);
        }
        self.transaction(id)?.keys.insert(key);
        Ok(())
    }
}

impl View {
    fn apply(&mut self, writes: &Writes) {
        let plan = |partition| self.positions.get(partition).map(|position| position.plan);
        let is_outdated = writes.moves.keys().any(|partition| plan(partition) != writes.counted_under);
        self.outdated += usize::from(is_outdated);
        for (partition, to) in &writes.moves {
            if let Some(position) = self.positions.get_mut(partition) {
                position.next = to.next;
                to.clock.now().into_iter().for_each(|time| position.clock.observe(time));
                position.worker.clone_from(&writes.worker);
                position.counts += to.counts;
            }
        }
        for (id, event) in &writes.events {
            self.repeated += usize::from(self.events.insert(id.clone(), event.clone()).is_some());
        }
        for (group, count) in &writes.states {
            *self.states.entry(group.clone()).or_default() += count;
        }
        self.dead.extend(&writes.dead);
        for &partition in &writes.recreated {
            self.recreate(partition);
        }
        if let Some(plan) = writes.plan {
            self.positions.values_mut().for_each(|position| position.plan = plan);
        }
    }

    fn recreate(&mut self, partition: i32) {
        let Some(position) = self.positions.get_mut(&partition) else { return };
        self.left.insert(partition, position.next);
        position.gaps.push(Gap {
            partition,
            from: position.next,
            to: 0,
            reason: GapReason::TopicMadeAgain,
            lost: None,
            at: String::new(),
            worker: String::new(),
        });
        position.next = 0;
    }
}
