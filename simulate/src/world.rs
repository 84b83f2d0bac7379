//! Plays a case, and checks the invariants after every action.

use crate::case::{Action, Case, WORKERS};
use crate::check;
use crate::db::View;
use crate::guard::Guard;
use crate::sink::{Outages, Server};
use crate::topic::{self, LogRecord, PARTITIONS};
use crate::worker::Worker;
use model::schema::Schema;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The world has so long to come to its end once everything is quiet.
const PATIENCE: Duration = Duration::from_secs(600);

/// A run in which every invariant held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Requests that the store has had.
    pub requests: u64,
    /// Events that are stored in the end.
    pub events: usize,
    /// Time on the virtual clock.
    pub took: Duration,
}

/// Plays a case, without one of the guards if one is named.
///
/// # Errors
/// The invariant that did not hold, and after which action.
///
/// # Panics
/// Where the product's code panics.
pub fn run(case: &Case, without: Option<Guard>) -> Result<Run, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime without input and output").block_on(World::new(case, without).play(case))
}

struct World {
    logs: Vec<[Vec<LogRecord>; 2]>,
    schema: Arc<Schema>,
    server: Arc<Server>,
    workers: Vec<Worker>,
    started: u64,
    begun: Instant,
    /// What a majority had after the action before.
    before: View,
}

impl World {
    fn new(case: &Case, without: Option<Guard>) -> Self {
        let schema = Arc::new(topic::schema());
        // Another stream of numbers than the one that the case was drawn from.
        let random = StdRng::seed_from_u64(!case.seed);
        let server = Arc::new(Server::new(random, case.logs.clone(), without));
        let before = server.db().majority.clone();
        let begun = Instant::now();
        Self { logs: case.logs.clone(), schema, server, workers: Vec::new(), started: 0, begun, before }
    }

    async fn play(mut self, case: &Case) -> Result<Run, String> {
        // Inside the runtime, whose clock is another one.
        self.begun = Instant::now();
        *self.server.outages() = Outages::none();
        for _ in 0..WORKERS {
            let worker = self.start();
            self.workers.push(worker);
        }
        for (number, &(action, pause)) in case.actions.iter().enumerate() {
            self.act(action);
            sleep(pause).await;
            self.rejoin();
            self.check().map_err(|problem| format!("after action {number}, {action:?}: {problem}"))?;
        }
        self.finish().await.map_err(|problem| format!("at the end: {problem}"))
    }

    fn start(&mut self) -> Worker {
        self.started += 1;
        Worker::start(format!("worker-{}", self.started), self.started, &self.server, &self.schema)
    }

    fn act(&mut self, action: Action) {
        let now = Instant::now();
        match action {
            Action::Assign(worker, partitions) => self.workers[worker].assign(self.ends(partitions)),
            Action::Revoke(worker) => self.workers[worker].revoke(),
            Action::Read(worker, partition, most) => {
                self.workers[worker].read(partition, self.log(partition), most);
            }
            Action::Elect => self.server.db().elect(),
            Action::Outage(time) => self.server.outages().away = now + time,
            Action::DiskFull(time) => self.server.outages().disk_full = now + time,
            Action::Lag(time) => self.server.outages().lag = now + time,
            Action::Crash(worker) => self.crash(worker),
            Action::Recreate(partition) => self.server.db().recreate(partition),
            Action::ChangePlan => self.server.db().change_plan(),
        }
    }

    fn crash(&mut self, worker: usize) {
        self.workers[worker].crash();
        self.workers[worker] = self.start();
    }

    /// The log that a partition has now.
    fn log(&self, partition: i32) -> &[LogRecord] {
        let epoch = self.server.db().primary.epoch(partition);
        &self.logs[usize::try_from(partition).expect("not negative")][epoch]
    }

    /// The partitions whose bits are set, with their ends.
    fn ends(&self, bits: u8) -> Vec<(i32, i64)> {
        let partitions = (0..PARTITIONS).filter(|partition| bits >> partition & 1 == 1);
        partitions.map(|partition| (partition, topic::end(self.log(partition)))).collect()
    }

    /// A worker that was fenced leaves the group; an assignment comes by another action.
    fn rejoin(&self) {
        for worker in self.workers.iter().filter(|worker| worker.rejoin.load(Ordering::Relaxed)) {
            worker.revoke();
        }
    }

    fn check(&mut self) -> Result<(), String> {
        self.server.check();
        if let Some(problem) = self.server.broken() {
            return Err(problem);
        }
        let db = self.server.db();
        check::forward(&self.before, &db.majority)?;
        self.before = db.majority.clone();
        drop(db);
        if self.server.begun_after_revoke.load(Ordering::Relaxed) > 0 {
            return Err("I7: a transaction began after its assignment was revoked".to_owned());
        }
        for worker in &mut self.workers {
            if let Ok(failure) = worker.failures.try_recv() {
                return Err(format!("a worker ended: {failure}"));
            }
        }
        Ok(())
    }

    /// The world quietens down: one new worker is left, is assigned everything, and reads it to its end.
    async fn finish(mut self) -> Result<Run, String> {
        *self.server.outages() = Outages::none();
        for worker in 0..WORKERS {
            self.crash(worker);
        }
        let begun = Instant::now();
        while !self.is_at_end() {
            if begun.elapsed() > PATIENCE {
                return Err("the end is never reached".to_owned());
            }
            let last = &self.workers[0];
            last.assign(self.ends(u8::MAX));
            for partition in 0..PARTITIONS {
                last.read(partition, self.log(partition), usize::MAX);
            }
            sleep(Duration::from_millis(200)).await;
            self.rejoin();
            self.check()?;
        }
        let requests = self.server.requests.load(Ordering::Relaxed);
        let events = self.server.db().majority.events.len();
        Ok(Run { requests, events, took: self.begun.elapsed() })
    }

    fn is_at_end(&self) -> bool {
        let is_at_end = |partition| {
            let next = self.server.db().majority.positions[&partition].next;
            next == topic::end(self.log(partition))
        };
        (0..PARTITIONS).all(is_at_end)
    }
}
