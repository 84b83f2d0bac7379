//! A worker with one lane, as `lane.rs` is, one step at a time.

use crate::store::{Refusal, Store, Writes};
use crate::world::{Guards, LogRecord, Rules, group_of};
use bson::raw::RawDocument;
use ingest::batch::{Batch, Move, StoredEvents};
use ingest::source::{Fence, Record};
use model::clock::EventClock;
use model::decode::Coordinates;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub struct Worker {
    pub name: u32,
    fence: Fence,
    /// Generation of the lane's partitions.
    generation: u64,
    partitions: BTreeMap<i32, Partition>,
    batch: Batch,
    attempt: Option<Attempt>,
    /// Whether the last try met an id that it had taken for new.
    asks_for_all: bool,
}

#[derive(Debug)]
struct Partition {
    next: i64,
    open: i64,
    clock: EventClock,
}

/// A try to commit.
#[derive(Debug)]
struct Attempt {
    transaction: u64,
    writes: Writes,
    step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Begun,
    Moved,
    Inserted,
    Sent,
}

impl Worker {
    pub fn new(name: u32) -> Self {
        Self {
            name,
            fence: Fence::default(),
            generation: 0,
            partitions: BTreeMap::new(),
            batch: Batch::default(),
            attempt: None,
            asks_for_all: false,
        }
    }

    /// Whether it has nothing to commit.
    pub fn is_idle(&self) -> bool {
        self.attempt.is_none() && self.batch.is_empty()
    }

    /// Begins with the stored positions of some partitions, unless it has an assignment or an open batch.
    pub fn assign(&mut self, partitions: impl Iterator<Item = i32>, store: &Store) {
        if !self.partitions.is_empty() || self.attempt.is_some() || !self.batch.is_empty() {
            return;
        }
        self.generation = self.fence.generation();
        for partition in partitions {
            let position = &store.positions[&partition];
            let (next, clock) = (position.next, position.clock);
            self.partitions.insert(partition, Partition { next, open: next, clock });
        }
    }

    /// All partitions are taken away, and that is acknowledged. A try that is under way is over by then; the lane may not know yet.
    pub fn revoke(&mut self, store: &mut Store) {
        self.fence.begin_revoke(Instant::now() + Duration::from_secs(3600));
        self.give_up(store);
        self.fence.end_revoke();
    }

    /// Drops a try: the driver aborts its transaction, unless the commit was sent.
    fn give_up(&mut self, store: &mut Store) {
        if let Some(attempt) = self.attempt.take()
            && attempt.step != Step::Sent
        {
            store.abort(attempt.transaction);
        }
    }

    pub fn read(&mut self, partition: i32, log: &[LogRecord], most: usize, rules: &Rules) {
        // The source drops what it has of an older assignment.
        if self.attempt.is_some() || self.generation != self.fence.generation() {
            return;
        }
        let Some(state) = self.partitions.get_mut(&partition) else { return };
        let open = state.open;
        for record in log.iter().filter(|record| record.offset >= open).take(most) {
            let at = Coordinates { partition, offset: record.offset, timestamp: None };
            let record = Record { at, key: None, payload: record.payload.as_deref().map(str::as_bytes), headers: &[] };
            self.batch.add(&rules.decoder, record, state.next);
            state.open = at.offset + 1;
        }
    }

    /// Goes one step further with the open batch; returns whether a transaction began of an assignment that is over.
    pub fn step(&mut self, store: &mut Store, rules: &Rules, guards: Guards) -> bool {
        match self.attempt.as_ref().map(|attempt| attempt.step) {
            None => return self.begin(store, rules, guards),
            Some(Step::Begun) => self.move_positions(store, guards),
            Some(Step::Moved) => self.insert(store, guards),
            Some(Step::Inserted) => self.send(store),
            Some(Step::Sent) => self.hear(store),
        }
        false
    }

    fn begin(&mut self, store: &mut Store, rules: &Rules, guards: Guards) -> bool {
        if self.batch.is_empty() {
            return false;
        }
        if guards.permit && !self.fence.permits(self.generation) {
            self.forget();
            return false;
        }
        let ids = self.batch.ids();
        // Otherwise nothing is asked for, as where the Bloom filter knows none of the ids.
        let mut stored = StoredEvents::default();
        for id in store.events.keys().filter(|_| self.asks_for_all) {
            stored.add(&self.batch, &ids, RawDocument::from_bytes(id).expect("an id is a document"));
        }
        let clock = |partition: i32| self.partitions.get(&partition).map(|state| state.clock).unwrap_or_default();
        let schema = &rules.schema;
        let plan = self.batch.plan(schema, &ids, &stored, clock, None).expect("the schema fits");
        let mut writes = Writes { worker: self.name, moves: plan.moves.clone(), ..Writes::default() };
        for document in &plan.documents {
            let id = document.get_str("_id").expect("ids are texts");
            let mut bytes = bson::raw::RawDocumentBuf::new();
            bytes.append(bson::raw::cstr!("_id"), id);
            writes
                .events
                .push((bytes.into_bytes(), document.get_str("movie").expect("every review has a film").to_owned()));
        }
        for (_, groups) in plan.changes.tables(schema.rollups()) {
            for (group, state) in groups.iter() {
                *writes.states.entry(group_of(group)).or_default() += state.count();
            }
        }
        writes.dead = self.batch.dead().iter().map(|letter| (letter.at.partition, letter.at.offset)).collect();
        self.attempt = Some(Attempt { transaction: store.begin(), writes, step: Step::Begun });
        self.generation != self.fence.generation()
    }

    fn move_positions(&mut self, store: &mut Store, guards: Guards) {
        let Some(attempt) = &mut self.attempt else { return };
        match store.move_positions(attempt.transaction, &attempt.writes, guards.compare_and_set) {
            Ok(()) => {
                attempt.step = Step::Moved;
                if !guards.one_transaction {
                    store.move_now(attempt.transaction);
                    attempt.writes.moves.clear();
                }
            }
            Err(Refusal::Fenced) if guards.drop_when_fenced => {
                self.give_up(store);
                self.forget();
                // It leaves the group, which ends the assignment.
                self.fence.end_revoke();
            }
            Err(_) => self.give_up(store),
        }
    }

    fn insert(&mut self, store: &mut Store, guards: Guards) {
        let Some(attempt) = &mut self.attempt else { return };
        match store.insert(attempt.transaction, &attempt.writes, guards.unique_ids) {
            Ok(()) => attempt.step = Step::Inserted,
            Err(_) => {
                self.asks_for_all = true;
                self.give_up(store);
            }
        }
    }

    fn send(&mut self, store: &mut Store) {
        if let Some(attempt) = &mut self.attempt {
            store.send_commit(attempt.transaction);
            attempt.step = Step::Sent;
        }
    }

    /// Takes up the answer, where there is one.
    fn hear(&mut self, store: &Store) {
        if let Some(attempt) = self.attempt.take_if(|attempt| store.is_committed(attempt.transaction)) {
            self.committed(&attempt.writes.moves);
        }
    }

    /// Stops waiting for an answer, and asks the positions instead.
    pub fn ask_positions(&mut self, store: &Store) {
        let Some(attempt) = self.attempt.take_if(|attempt| attempt.step == Step::Sent) else { return };
        let landed = attempt.writes.moves.iter().all(|(partition, to)| {
            let position = &store.positions[partition];
            position.next == to.next && position.worker == self.name
        });
        if landed {
            self.committed(&attempt.writes.moves);
        }
    }

    fn committed(&mut self, moves: &BTreeMap<i32, Move>) {
        self.batch = Batch::default();
        self.asks_for_all = false;
        for (id, to) in moves {
            if let Some(partition) = self.partitions.get_mut(id) {
                (partition.next, partition.clock) = (to.next, to.clock);
            }
        }
    }

    fn forget(&mut self) {
        self.batch = Batch::default();
        self.partitions.clear();
    }

    /// The lane learns that its assignment is over.
    pub fn notice_revoke(&mut self) {
        if self.attempt.is_none() && self.generation != self.fence.generation() {
            self.forget();
        }
    }
}
