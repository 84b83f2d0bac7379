//! Doing the faults of a schedule.

use crate::crew::{Crew, SESSION};
use crate::positions::{Positions, Recovery};
use crate::proxy::{CommitCut, Network, State};
use crate::schedule::{Fault, Kind};
use crate::servers::Servers;
use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::{Duration, Instant};

/// Slower than this and commits time out, which stalls are for.
const SLOWEST: Duration = Duration::from_millis(150);
const ALONE: Duration = Duration::from_millis(1_000);
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
const COMMIT_PATIENCE: Duration = Duration::from_secs(180);

/// What faults happen to.
#[derive(Debug)]
pub struct Scene {
    /// The servers and networks.
    pub servers: Servers,
    /// The workers.
    pub crew: Crew,
    /// The stored positions.
    pub positions: Positions,
}

/// A fault that is over.
#[derive(Debug)]
pub struct Done {
    /// When it ended.
    pub end: Instant,
    /// What it happened to.
    pub what: String,
}

impl Done {
    fn now(what: impl Into<String>) -> Self {
        Self { end: Instant::now(), what: what.into() }
    }
}

impl Scene {
    /// Waits until every partition has moved since `end`; starts others in the place of workers that end meanwhile.
    ///
    /// # Errors
    /// Where a partition stands still for five minutes.
    pub async fn recover(&mut self, end: Instant) -> Result<Recovery> {
        let Self { crew, positions, .. } = self;
        let recovery = positions.recovery(end);
        tokio::pin!(recovery);
        loop {
            tokio::select! {
                recovery = &mut recovery => return recovery,
                () = tokio::time::sleep(CHECK_INTERVAL) => crew.check().await?,
            }
        }
    }

    /// Does one fault, and returns when it is over.
    ///
    /// # Errors
    /// Where a process does not start again or does not end, or MongoDB elects no primary.
    pub async fn inject(&mut self, fault: Fault) -> Result<Done> {
        let lasts = Duration::from_millis(fault.lasts_ms);
        match fault.kind {
            Kind::WorkerKilled => self.kill_worker(fault.pick, lasts).await,
            Kind::WorkerFrozen => self.freeze_worker(fault.pick, lasts).await,
            Kind::WorkerJoins => self.one_joins(fault.pick).await,
            Kind::WorkerLeaves => self.crew.leave(fault.pick).await.map(|number| Done::now(format!("worker {number}"))),
            Kind::BrokerKilled => self.kill_broker(lasts).await,
            Kind::PrimaryKilled => {
                let primary = self.servers.primary().await?;
                self.kill_member(primary, lasts).await
            }
            Kind::SecondaryKilled => {
                let primary = self.servers.primary().await?;
                self.kill_member((primary + 1 + fault.pick % 2) % 3, lasts).await
            }
            Kind::PrimarySteppedDown => self.step_down().await,
            Kind::PrimaryFrozen => self.freeze_primary(lasts).await,
            Kind::WritesRolledBack => self.roll_back(lasts).await,
            Kind::MongodbCut => Ok(disturb(&self.servers.to_mongodb, State::Cut, lasts).await),
            Kind::MongodbStalled => Ok(disturb(&self.servers.to_mongodb, State::Stalled, lasts * 2).await),
            Kind::MongodbSlow => Ok(disturb(&self.servers.to_mongodb, slow(lasts), lasts).await),
            Kind::BrokerCut => Ok(disturb(&self.servers.to_kafka, State::Cut, lasts).await),
            Kind::BrokerStalled => Ok(disturb(&self.servers.to_kafka, State::Stalled, lasts * 2).await),
            Kind::BrokerSlow => Ok(disturb(&self.servers.to_kafka, slow(lasts), lasts).await),
            Kind::CommitLost => self.cut_commit(CommitCut::Before, fault.skip, lasts).await,
            Kind::CommitUnanswered => self.cut_commit(CommitCut::Answered, fault.skip, lasts).await,
            Kind::CommitPrimaryKilled => self.kill_primary_at_commit(fault.skip, lasts).await,
        }
    }

    async fn kill_worker(&mut self, pick: usize, lasts: Duration) -> Result<Done> {
        let number = self.crew.kill(pick).await;
        let done = Done::now(format!("worker {number}"));
        self.crew.fill()?;
        tokio::time::sleep(lasts).await;
        if !self.crew.is_full() {
            self.crew.join()?;
        }
        Ok(done)
    }

    async fn freeze_worker(&mut self, pick: usize, lasts: Duration) -> Result<Done> {
        let worker = self.crew.pick(pick);
        let (number, mark) = (worker.number, format!("-{}-", worker.pid()));
        worker.signal(Signal::SIGSTOP);
        tokio::time::sleep(SESSION).await;
        let taken = |by: &crate::positions::Snapshot| !by.workers.values().any(|worker| worker.contains(&mark));
        let taken = self.positions.wait_for("the partitions of a frozen worker are another's", taken).await;
        tokio::time::sleep(lasts / 4).await;
        self.crew.pick(pick).signal(Signal::SIGCONT);
        taken.map(|_| Done::now(format!("worker {number}")))
    }

    async fn one_joins(&mut self, pick: usize) -> Result<Done> {
        let number = self.crew.join()?;
        let done = Done::now(format!("worker {number}"));
        if self.crew.is_full() {
            let left = self.crew.leave(pick).await?;
            return Ok(Done { what: format!("worker {number}; worker {left} leaves"), ..done });
        }
        Ok(done)
    }

    async fn kill_broker(&mut self, lasts: Duration) -> Result<Done> {
        self.servers.kafka.server().crash().await;
        tokio::time::sleep(lasts / 2).await;
        self.servers.kafka.restart().await?;
        Ok(Done::now(""))
    }

    async fn kill_member(&mut self, place: usize, lasts: Duration) -> Result<Done> {
        self.server(place)?.crash().await;
        let done = Done::now(format!("member {place}"));
        tokio::time::sleep(lasts).await;
        self.servers.mongodb.restart(place).await?;
        Ok(done)
    }

    async fn step_down(&mut self) -> Result<Done> {
        let primary = self.servers.primary().await?;
        // An election that came first is as good.
        let said = self.servers.mongodb.step_down(primary).await;
        Ok(Done::now(match said {
            Ok(()) => format!("member {primary}"),
            Err(error) => format!("member {primary}: {error}"),
        }))
    }

    async fn freeze_primary(&mut self, lasts: Duration) -> Result<Done> {
        let primary = self.servers.primary().await?;
        let pid = Pid::from_raw(self.server(primary)?.pid().cast_signed());
        kill(pid, Signal::SIGSTOP)?;
        let other = self.servers.primary().await;
        tokio::time::sleep(lasts / 4).await;
        kill(pid, Signal::SIGCONT)?;
        Ok(Done::now(format!("member {primary}; member {} takes over", other?)))
    }

    async fn roll_back(&mut self, lasts: Duration) -> Result<Done> {
        let primary = self.servers.primary().await?;
        let others = [(primary + 1) % 3, (primary + 2) % 3];
        let signal = |signal| {
            others.iter().try_for_each(|&place| {
                let pid = Pid::from_raw(self.server(place)?.pid().cast_signed());
                kill(pid, signal).context("a member cannot be signalled")
            })
        };
        signal(Signal::SIGSTOP)?;
        // Later it would notice that it is alone, and step down.
        tokio::time::sleep(lasts.min(ALONE)).await;
        self.server(primary)?.crash().await;
        signal(Signal::SIGCONT)?;
        let done = Done::now(format!("member {primary}"));
        tokio::time::sleep(lasts).await;
        self.servers.mongodb.restart(primary).await?;
        Ok(done)
    }

    async fn cut_commit(&mut self, cut: CommitCut, skip: u32, lasts: Duration) -> Result<Done> {
        self.wait_for_commit(cut, skip).await?;
        tokio::time::sleep(lasts).await;
        self.servers.to_mongodb.set(State::Open);
        Ok(Done::now(""))
    }

    async fn kill_primary_at_commit(&mut self, skip: u32, lasts: Duration) -> Result<Done> {
        let primary = self.servers.primary().await?;
        self.wait_for_commit(CommitCut::Forwarded, skip).await?;
        self.server(primary)?.crash().await;
        self.servers.to_mongodb.set(State::Open);
        let done = Done::now(format!("member {primary}"));
        tokio::time::sleep(lasts).await;
        self.servers.mongodb.restart(primary).await?;
        Ok(done)
    }

    async fn wait_for_commit(&self, cut: CommitCut, skip: u32) -> Result<()> {
        let network = &self.servers.to_mongodb;
        let sprung = tokio::time::timeout(COMMIT_PATIENCE, network.cut_at_commit(cut, skip)).await;
        network.disarm();
        sprung.context("no commit went by for three minutes")
    }

    fn server(&self, place: usize) -> Result<&stack::process::Server> {
        self.servers.mongodb.servers().nth(place).with_context(|| format!("there is no member {place}"))
    }
}

async fn disturb(network: &Network, state: State, lasts: Duration) -> Done {
    network.set(state);
    tokio::time::sleep(lasts).await;
    network.set(State::Open);
    Done::now(format!("for {:.1} s", lasts.as_secs_f64()))
}

fn slow(lasts: Duration) -> State {
    State::Slow((lasts / 10).min(SLOWEST))
}
