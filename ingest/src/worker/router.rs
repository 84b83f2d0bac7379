//! Hands the partitions of an assignment to lanes, and their records after them.

use crate::commit::{BatchSink, Before};
use crate::error::IngestError;
use crate::lane::{self, LaneCommand, LaneContext};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// The lanes of a worker. Dropping it lets each lane end after its last command.
#[derive(Debug)]
pub struct Router {
    lanes: Vec<(mpsc::Sender<LaneCommand>, JoinHandle<()>)>,
    /// The lane of each assigned partition.
    lane_of: HashMap<i32, usize>,
}

/// Where an assigned partition begins.
#[derive(Debug, Clone, Copy)]
pub struct Begun {
    /// Partition.
    pub partition: i32,
    /// Its stored position.
    pub next: i64,
    /// Where it ends now: the partitions with most records left are spread over the lanes.
    pub high: i64,
    /// What else is stored of it.
    pub before: Before,
}

impl Router {
    /// Starts the lanes; `seed` spreads the retries of workers.
    pub fn start<S: BatchSink>(context: &Arc<LaneContext<S>>, lanes: usize, seed: u64) -> Self {
        let seeds = (0..lanes as u64).map(|lane| seed.wrapping_add(lane));
        let lanes = seeds.map(|seed| lane::start(Arc::clone(context), seed)).collect();
        Self { lanes, lane_of: HashMap::new() }
    }

    /// Whether the partition is assigned.
    pub fn has(&self, partition: i32) -> bool {
        self.lane_of.contains_key(&partition)
    }

    /// Begins an assignment.
    ///
    /// # Errors
    /// [`IngestError::Bug`] where a lane has ended.
    pub async fn begin(&mut self, generation: u64, partitions: &[Begun]) -> Result<(), IngestError> {
        // What is left of an assignment that was never taken up.
        self.drain().await;
        let backlog = |one: &Begun| (one.partition, u64::try_from(one.high - one.next).unwrap_or_default());
        self.lane_of = lane::share(partitions.iter().map(backlog), self.lanes.len());
        for &Begun { partition, next, before, .. } in partitions {
            self.send(partition, LaneCommand::Begin { partition, generation, next, before }).await?;
        }
        Ok(())
    }

    /// Sends a command to the lane of a partition; one for a partition that is not assigned is dropped.
    ///
    /// # Errors
    /// [`IngestError::Bug`] where the lane has ended.
    pub async fn send(&self, partition: i32, command: LaneCommand) -> Result<(), IngestError> {
        let Some(&lane) = self.lane_of.get(&partition) else { return Ok(()) };
        self.lanes[lane].0.send(command).await.map_err(|_| IngestError::Bug("a lane ended by itself".into()))
    }

    /// Ends the assignment: open batches are committed or dropped first.
    pub async fn revoke(&mut self) {
        self.drain().await;
        self.lane_of.clear();
    }

    /// Lets every lane finish its open batch and forget its partitions.
    pub async fn drain(&self) {
        let mut waits = Vec::new();
        for (lane, _) in &self.lanes {
            let (done, wait) = oneshot::channel();
            if lane.send(LaneCommand::Drain(done)).await.is_ok() {
                waits.push(wait);
            }
        }
        for wait in waits {
            // A lane that ended has nothing open.
            let _ = wait.await;
        }
    }

    /// Ends the lanes at once, whatever they do.
    pub fn abort(self) {
        for (lane, task) in self.lanes {
            drop(lane);
            task.abort();
        }
    }
}
