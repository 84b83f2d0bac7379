//! The pipeline's port over the database in memory, with a network in between: every request takes time, and its answer may be lost.

use crate::check;
use crate::db::{Db, Fate, Id, Refusal, TransactionId};
use crate::guard::Guard;
use crate::topic::LogRecord;
use bson::raw::{RawBsonRef, RawDocument, RawDocumentBuf};
use ingest::batch::{CommitPlan, DeadLetter, id_document};
use ingest::commit::{BatchSink, CommitError, Durability, PositionMove, Transient, WriteAbort};
use ingest::dead_letters::Settlement;
use ingest::store::{Obstacle, Position};
use model::rollup::{Group, Groups, partial};
use model::schema::Schema;
use rand::RngExt;
use rand::rngs::StdRng;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// A transaction in which nothing happens for so long is taken for abandoned.
const SILENCE: Duration = Duration::from_secs(3);
/// How often a client looks whether its commit is durable.
const LOOK: Duration = Duration::from_millis(5);

/// What all clients share: the database, the state of the network, and the dice.
#[derive(Debug)]
pub(crate) struct Server {
    db: Mutex<Db>,
    random: Mutex<StdRng>,
    outages: Mutex<Outages>,
    /// The guard that this run does without.
    pub(crate) without: Option<Guard>,
    /// Requests so far: equal runs have equal numbers.
    pub(crate) requests: AtomicU64,
    logs: Vec<[Vec<LogRecord>; 2]>,
    /// The first invariant that did not hold.
    broken: Mutex<Option<String>>,
    /// Transactions that began under an assignment that was over.
    pub(crate) begun_after_revoke: AtomicU64,
}

/// Until when something outside is in the way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outages {
    pub(crate) away: Instant,
    pub(crate) disk_full: Instant,
    pub(crate) lag: Instant,
}

impl Outages {
    /// All is well from now on.
    pub(crate) fn none() -> Self {
        let now = Instant::now();
        Self { away: now, disk_full: now, lag: now }
    }
}

impl Server {
    pub(crate) fn new(random: StdRng, logs: Vec<[Vec<LogRecord>; 2]>, without: Option<Guard>) -> Self {
        Self {
            logs,
            broken: Mutex::new(None),
            db: Mutex::new(Db::new(without)),
            random: Mutex::new(random),
            outages: Mutex::new(Outages::none()),
            without,
            requests: AtomicU64::new(0),
            begun_after_revoke: AtomicU64::new(0),
        }
    }

    pub(crate) fn db(&self) -> MutexGuard<'_, Db> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn outages(&self) -> MutexGuard<'_, Outages> {
        self.outages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks what is stored now; [`broken`](Self::broken) keeps the first problem.
    pub(crate) fn check(&self) {
        let db = self.db();
        let views = [("the primary", &db.primary), ("a majority", &db.majority)];
        let problem = views.into_iter().find_map(|(place, view)| {
            check::view(view, &self.logs).err().map(|problem| format!("on {place}: {problem}"))
        });
        if let Some(problem) = problem {
            self.broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(problem);
        }
    }

    /// The first invariant that did not hold.
    pub(crate) fn broken(&self) -> Option<String> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True in one of so many draws.
    fn one_in(&self, draws: u32) -> bool {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).random_range(0..draws) == 0
    }

    fn draw(&self, most: u64) -> Duration {
        Duration::from_micros(self.random.lock().unwrap_or_else(PoisonError::into_inner).random_range(0..most * 1_000))
    }

    /// The time that a message takes.
    async fn travel(&self) {
        let most = if self.one_in(20) { 4_000 } else { 8 };
        sleep(self.draw(most)).await;
    }

    /// A request arrives, unless the server is away.
    async fn request(&self) -> Result<(), Transient> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.travel().await;
        if self.outages().away > Instant::now() || self.one_in(60) { Err(away()) } else { Ok(()) }
    }

    /// The answer arrives, unless it is lost.
    async fn answer(&self) -> Result<(), Transient> {
        self.travel().await;
        if self.one_in(60) { Err(away()) } else { Ok(()) }
    }

    /// A write arrives; the disk may be full.
    async fn write(&self) -> Result<(), Transient> {
        self.request().await?;
        if self.outages().disk_full > Instant::now() {
            return Err(Transient { cause: Obstacle::DiskFull, detail: "disk full".into() });
        }
        Ok(())
    }

    /// The server's part of a commit, which goes on whatever becomes of the client.
    async fn commit(self: Arc<Self>, id: TransactionId) {
        self.travel().await;
        self.db().commit(id);
        self.check();
        let Fate::Applied(commit) = self.db().fate(id) else { return };
        sleep(self.draw(50)).await;
        let until = self.outages().lag;
        sleep_until(until).await;
        self.db().replicate(commit);
    }
}

fn away() -> Transient {
    Transient { cause: Obstacle::Away, detail: "no answer".into() }
}

impl From<Refusal> for WriteAbort {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::WriteConflict => Self::Conflict("write conflict".into()),
            Refusal::DuplicateKey => Self::DuplicateId("duplicate key".into()),
            Refusal::NoMatch => Self::Fenced,
            Refusal::Gone => Self::Transient(away()),
        }
    }
}

/// The sink of one worker.
#[derive(Debug, Clone)]
pub(crate) struct MemorySink {
    server: Arc<Server>,
    schema: Arc<Schema>,
    /// Cleared when the worker dies: then nobody aborts its transactions.
    alive: Arc<AtomicBool>,
    /// Whether the worker has an assignment.
    assigned: Arc<AtomicBool>,
}

/// An open transaction; dropping it aborts it, unless its worker is dead or the commit was sent.
#[derive(Debug)]
pub(crate) struct OpenTransaction {
    id: TransactionId,
    server: Arc<Server>,
    alive: Arc<AtomicBool>,
    sent: bool,
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        if self.alive.load(Ordering::Relaxed) && !self.sent {
            self.server.db().abort(self.id);
        }
    }
}

impl MemorySink {
    pub(crate) fn new(
        server: Arc<Server>,
        schema: Arc<Schema>,
        alive: Arc<AtomicBool>,
        assigned: Arc<AtomicBool>,
    ) -> Self {
        Self { server, schema, alive, assigned }
    }

    /// Sends a write of an open transaction.
    async fn send(
        &self,
        transaction: &OpenTransaction,
        write: impl FnOnce(&mut Db, TransactionId) -> Result<(), Refusal> + Send,
    ) -> Result<(), WriteAbort> {
        self.server.write().await?;
        write(&mut self.server.db(), transaction.id)?;
        Ok(self.server.answer().await?)
    }
}

impl BatchSink for MemorySink {
    type Transaction = OpenTransaction;

    async fn begin(&self) -> Result<OpenTransaction, WriteAbort> {
        if !self.assigned.load(Ordering::Relaxed) {
            self.server.begun_after_revoke.fetch_add(1, Ordering::Relaxed);
        }
        let id = self.server.db().begin();
        Ok(OpenTransaction { id, server: Arc::clone(&self.server), alive: Arc::clone(&self.alive), sent: false })
    }

    async fn find_events(
        &self,
        ids: &[&RawDocumentBuf],
        mut found: impl FnMut(&RawDocument) + Send,
    ) -> Result<(), WriteAbort> {
        self.server.request().await?;
        {
            let db = self.server.db();
            let view = if self.server.without == Some(Guard::MajorityRead) { &db.primary } else { &db.majority };
            for event in ids.iter().filter_map(|id| view.events.get(id.as_bytes())) {
                found(event);
            }
        }
        // A query with many ids may take long, and what it has read may be rolled back meanwhile.
        let most = if self.server.one_in(3) { 2_000 } else { 1 };
        sleep(self.server.draw(most)).await;
        Ok(self.server.answer().await?)
    }

    async fn move_positions(
        &self,
        transaction: &mut OpenTransaction,
        worker: &str,
        moves: &[PositionMove],
    ) -> Result<(), WriteAbort> {
        let moved = self.send(transaction, |db, id| db.move_positions(id, worker, moves)).await;
        moved.map_err(|abort| match abort {
            WriteAbort::Conflict(problem) => WriteAbort::PositionsHeld(problem),
            other => other,
        })
    }

    async fn insert_events(
        &self,
        transaction: &mut OpenTransaction,
        events: &[Cow<'_, RawDocumentBuf>],
    ) -> Result<(), WriteAbort> {
        let events: Vec<(Id, RawDocumentBuf)> =
            events.iter().map(|event| (id_document(event).into_bytes(), event.as_ref().clone())).collect();
        self.send(transaction, |db, id| db.insert_events(id, events)).await
    }

    async fn insert_states(
        &self,
        transaction: &mut OpenTransaction,
        states: Vec<RawDocumentBuf>,
    ) -> Result<(), WriteAbort> {
        if states.is_empty() {
            return Ok(());
        }
        let mut sums = Groups::default();
        let table = &self.schema.rollups().tables()[0];
        for document in &states {
            partial::combine(table, document, &mut sums).map_err(|error| WriteAbort::Fatal(error.to_string()))?;
        }
        let mut counts = BTreeMap::new();
        for (group, state) in &sums {
            *counts.entry(film_of(group)).or_default() += state.count();
        }
        self.send(transaction, |db, id| db.insert_states(id, counts)).await
    }

    async fn insert_dead_letters(
        &self,
        transaction: &mut OpenTransaction,
        letters: &[DeadLetter],
    ) -> Result<(), WriteAbort> {
        if letters.is_empty() {
            return Ok(());
        }
        let letters: Vec<(i32, i64)> = letters.iter().map(|letter| (letter.at.partition, letter.at.offset)).collect();
        self.send(transaction, |db, id| db.insert_dead(id, &letters)).await
    }

    async fn settle(&self, _: &mut OpenTransaction, _: &Settlement, _: &CommitPlan<'_>) -> Result<(), WriteAbort> {
        Err(WriteAbort::Fatal("a simulated worker replays no dead letters".into()))
    }

    async fn commit(&self, transaction: &mut OpenTransaction) -> Result<(), CommitError> {
        self.server.requests.fetch_add(1, Ordering::Relaxed);
        transaction.sent = true;
        tokio::spawn(Arc::clone(&self.server).commit(transaction.id));
        let is_lost = self.server.one_in(20);
        let mut is_applied = false;
        loop {
            sleep(LOOK).await;
            let db = self.server.db();
            match db.fate(transaction.id) {
                Fate::Open => {}
                Fate::Applied(commit) if db.is_durable(commit) => {
                    return if is_lost { Err(unknown()) } else { Ok(()) };
                }
                Fate::Applied(_) => is_applied = true,
                Fate::Aborted if is_applied || is_lost => return Err(unknown()),
                Fate::Aborted => return Err(WriteAbort::Transient(away()).into()),
            }
        }
    }

    async fn positions(&self, durability: Durability) -> Result<BTreeMap<i32, Position>, Transient> {
        self.server.request().await?;
        let positions = {
            let db = self.server.db();
            match durability {
                Durability::Local => db.primary.positions.clone(),
                Durability::Majority => db.majority.positions.clone(),
            }
        };
        self.server.answer().await?;
        Ok(positions)
    }

    async fn release_abandoned(&self) {
        let before = Instant::now();
        sleep(SILENCE).await;
        self.server.db().abort_silent(before);
    }
}

fn unknown() -> CommitError {
    CommitError::Unknown("no answer".into())
}

/// The film of a group, whatever its window.
fn film_of(group: &Group) -> String {
    match group.key[0].as_bson() {
        RawBsonRef::String(film) => film.to_owned(),
        other => format!("{other:?}"),
    }
}
