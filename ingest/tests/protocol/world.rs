//! The topic, the store and two workers; what can happen to them, and what must hold.

use crate::store::{Position, Store};
use crate::worker::Worker;
use ingest::store::Counts;
use model::clock::EventClock;
use model::decode::Decoder;
use model::rollup::Group;
use model::schema::Schema;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

pub const PARTITIONS: usize = 2;
const WORKERS: usize = 2;
/// More than any case needs to come to its end.
const STEPS: usize = 200;

/// Reviews by month and film; a record of the film "none" is filtered.
const SCHEMA: &str = r#"
stream = "reviews"
id = ["id"]
event_time = "at"

[[filter]]
field = "movie"
one_of = ["A", "B", "C"]

[fields]
id    = { type = "string" }
at    = { type = "date", formats = ["%Y-%m-%d"] }
movie = { type = "string" }

[[rollups]]
name = "by_month"
window = "month"
keys = ["movie"]
"#;

/// What the workers have in common.
pub struct Rules {
    pub schema: Schema,
    pub decoder: Decoder,
}

/// Guards of the protocol that a test can take away.
#[derive(Debug, Clone, Copy)]
pub struct Guards {
    pub compare_and_set: bool,
    pub one_transaction: bool,
    pub unique_ids: bool,
    pub permit: bool,
    pub drop_when_fenced: bool,
}

impl Default for Guards {
    fn default() -> Self {
        Self { compare_and_set: true, one_transaction: true, unique_ids: true, permit: true, drop_when_fenced: true }
    }
}

/// A record of the topic, and what it should become.
#[derive(Debug, Clone)]
pub struct LogRecord {
    pub offset: i64,
    pub payload: Option<String>,
    fate: Fate,
}

#[derive(Debug, Clone, PartialEq)]
enum Fate {
    Event(u8),
    Filtered,
    Dead,
}

/// The records of one partition; offsets have holes, ids repeat within and across partitions.
pub fn records() -> impl Strategy<Value = Vec<LogRecord>> {
    prop::collection::vec((0..12_u8, 0..8_u8, 1..4_i64), 0..14).prop_map(|drawn| {
        let mut offset = -1;
        drawn
            .into_iter()
            .map(|(kind, id, gap)| {
                offset += gap;
                let review = |movie: &str| {
                    Some(format!(r#"{{"id": "r{id}", "at": "1969-1{}-04", "movie": "{movie}"}}"#, id % 3))
                };
                let (payload, fate) = match kind {
                    0 => (None, Fate::Dead),
                    1 => (Some("{".to_owned()), Fate::Dead),
                    2 => (review("none"), Fate::Filtered),
                    _ => (review(["A", "B", "C"][usize::from(id % 3)]), Fate::Event(id)),
                };
                LogRecord { offset, payload, fate }
            })
            .collect()
    })
}

/// The film of a group.
pub fn group_of(group: &Group) -> String {
    match group.key[0].as_bson() {
        bson::raw::RawBsonRef::String(movie) => movie.to_owned(),
        other => format!("{other:?}"),
    }
}

/// What can happen. Numbers are taken modulo what there is; what cannot happen now does nothing.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// A worker is given partitions, by bits.
    Assign(usize, u8),
    /// A worker's partitions are taken away.
    Revoke(usize),
    /// A lane learns that its partitions were taken away.
    NoticeRevoke(usize),
    /// A worker reads some records of a partition.
    Read(usize, usize, usize),
    /// A worker goes so many steps further with its batch.
    Step(usize, u8),
    /// A worker waits no longer for an answer.
    AskPositions(usize),
    /// A commit arrives.
    Deliver(usize),
    /// The commit that was sent first is lost, its transaction aborted.
    Lose(usize),
    /// A primary is elected: open transactions are aborted.
    Elect,
    /// A worker dies; another takes its place.
    Crash(usize),
}

impl Arbitrary for Action {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        let worker = || 0..WORKERS;
        prop_oneof![
            4 => (worker(), 1..4_u8).prop_map(|(worker, bits)| Self::Assign(worker, bits)),
            1 => worker().prop_map(Self::Revoke),
            2 => worker().prop_map(Self::NoticeRevoke),
            6 => (worker(), 0..PARTITIONS, 1..5_usize).prop_map(|(worker, partition, most)| Self::Read(worker, partition, most)),
            12 => (worker(), 1..6_u8).prop_map(|(worker, steps)| Self::Step(worker, steps)),
            2 => worker().prop_map(Self::AskPositions),
            6 => (0..4_usize).prop_map(Self::Deliver),
            1 => (0..4_usize).prop_map(Self::Lose),
            1 => Just(Self::Elect),
            1 => worker().prop_map(Self::Crash),
        ]
        .boxed()
    }
}

pub struct World {
    log: Vec<Vec<LogRecord>>,
    store: Store,
    workers: Vec<Worker>,
    rules: Rules,
    guards: Guards,
    names: u32,
    /// Positions after the action before.
    before: BTreeMap<i32, i64>,
    began_after_revoke: bool,
}

impl World {
    pub fn new(log: Vec<Vec<LogRecord>>, guards: Guards) -> Self {
        let schema = Schema::parse("reviews", SCHEMA).expect("the schema is right");
        let decoder = Decoder::new(&schema).expect("the schema is right");
        let mut store = Store::default();
        for partition in 0..PARTITIONS {
            let position = Position { next: 0, clock: EventClock::default(), counts: Counts::default(), worker: 0 };
            store.positions.insert(i32::try_from(partition).unwrap(), position);
        }
        let workers = (1..).take(WORKERS).map(Worker::new).collect();
        let (names, before) = (u32::try_from(WORKERS).unwrap(), BTreeMap::new());
        Self { log, store, workers, rules: Rules { schema, decoder }, guards, names, before, began_after_revoke: false }
    }

    pub fn act(&mut self, action: Action) {
        let Self { log, store, workers, rules, guards, .. } = self;
        match action {
            Action::Assign(worker, bits) => {
                let partitions = (0..PARTITIONS).filter(|partition| bits >> partition & 1 == 1);
                workers[worker].assign(partitions.map(|partition| i32::try_from(partition).unwrap()), store);
            }
            Action::Revoke(worker) => workers[worker].revoke(store),
            Action::NoticeRevoke(worker) => workers[worker].notice_revoke(),
            Action::Read(worker, partition, most) => {
                workers[worker].read(i32::try_from(partition).unwrap(), &log[partition], most, rules);
            }
            Action::Step(worker, steps) => {
                for _ in 0..steps {
                    self.began_after_revoke |= workers[worker].step(store, rules, *guards);
                }
            }
            Action::AskPositions(worker) => workers[worker].ask_positions(store),
            Action::Deliver(which) => {
                if let Some(&transaction) = nth(&store.in_flight(), which) {
                    store.deliver(transaction);
                }
            }
            Action::Lose(which) => {
                if let Some(&transaction) = nth(&store.in_flight(), which) {
                    store.abort(transaction);
                    store.deliver(transaction);
                }
            }
            Action::Elect => store.abort_all(),
            Action::Crash(worker) => {
                self.names += 1;
                // Its open transaction stays until the server gives it up.
                workers[worker] = Worker::new(self.names);
            }
        }
    }

    /// Which invariant does not hold.
    pub fn check(&mut self) -> Result<(), String> {
        let next: BTreeMap<i32, i64> = self.store.positions.iter().map(|(&id, position)| (id, position.next)).collect();
        if self.before.iter().any(|(partition, before)| next[partition] < *before) {
            return Err(format!("I1: {:?} became {next:?}", self.before));
        }
        self.before = next;
        if self.began_after_revoke {
            return Err("I7: a transaction began after its assignment was revoked".to_owned());
        }
        self.check_store()
    }

    /// Everything below the positions has become what it should, once, and nothing else has.
    fn check_store(&self) -> Result<(), String> {
        let store = &self.store;
        let (mut events, mut dead) = (BTreeSet::new(), BTreeSet::new());
        let mut sum = Counts::default();
        for (&partition, position) in &store.positions {
            let log = &self.log[usize::try_from(partition).unwrap()];
            let read: Vec<_> = log.iter().filter(|record| record.offset < position.next).collect();
            let counts = position.counts;
            let of = |fate: &Fate| read.iter().filter(|record| record.fate == *fate).count();
            let right = [read.len(), of(&Fate::Filtered), of(&Fate::Dead)].map(|count| i64::try_from(count).unwrap());
            if !counts.add_up() || [counts.read, counts.filtered, counts.dead] != right {
                return Err(format!(
                    "I4: partition {partition} counts {counts:?}, read, filtered, dead should be {right:?}"
                ));
            }
            events.extend(
                read.iter().filter_map(|record| if let Fate::Event(id) = record.fate { Some(id) } else { None }),
            );
            dead.extend(
                read.iter().filter(|record| record.fate == Fate::Dead).map(|record| (partition, record.offset)),
            );
            sum += counts;
        }
        if store.repeated > 0 {
            return Err("I5: an id was stored twice".to_owned());
        }
        if store.events.len() != events.len() || store.dead != dead {
            return Err(format!(
                "I2: {} events and {} dead letters, should be {} and {}",
                store.events.len(),
                store.dead.len(),
                events.len(),
                dead.len()
            ));
        }
        if usize::try_from(sum.stored) != Ok(events.len()) {
            return Err(format!("I5: {} are counted as stored, {} are", sum.stored, events.len()));
        }
        let mut groups: BTreeMap<String, i64> = BTreeMap::new();
        for movie in store.events.values() {
            *groups.entry(movie.clone()).or_default() += 1;
        }
        if store.states == groups { Ok(()) } else { Err(format!("I6: states {:?}, events {groups:?}", store.states)) }
    }

    /// The world quietens down: one worker is left, ends what it has begun, is given everything, and reads it to its end.
    pub fn finish(mut self) -> Result<(), String> {
        for transaction in self.store.in_flight() {
            self.store.deliver(transaction);
            self.check()?;
        }
        self.store.abort_all();
        self.act(Action::Crash(1));
        for _ in 0..STEPS {
            if self.workers[0].is_idle() {
                break;
            }
            self.go_on()?;
        }
        if !self.workers[0].is_idle() {
            return Err("a batch is never given up".to_owned());
        }
        self.act(Action::Revoke(0));
        self.act(Action::NoticeRevoke(0));
        self.act(Action::Assign(0, 3));
        for _ in 0..STEPS {
            if self.is_at_end() {
                return Ok(());
            }
            self.act(Action::Read(0, 0, 3));
            self.act(Action::Read(0, 1, 3));
            self.go_on()?;
        }
        Err("it never reaches the end".to_owned())
    }

    /// The worker that is left goes on with its batch, and every answer comes.
    fn go_on(&mut self) -> Result<(), String> {
        for action in [Action::Step(0, 4), Action::Deliver(0), Action::Step(0, 1), Action::AskPositions(0)] {
            self.act(action);
            self.check().map_err(|problem| format!("at the end: {problem}"))?;
        }
        Ok(())
    }

    fn is_at_end(&self) -> bool {
        let end = |partition: &i32| {
            self.log[usize::try_from(*partition).unwrap()].last().map_or(0, |record| record.offset + 1)
        };
        self.store.positions.iter().all(|(partition, position)| position.next == end(partition))
    }
}

fn nth<T>(list: &[T], which: usize) -> Option<&T> {
    list.get(which.checked_rem(list.len())?)
}
