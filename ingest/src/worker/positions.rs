//! Where the partitions of an assignment begin.

use super::Worker;
use crate::config::LostOffsets;
use crate::error::{IngestError, brief};
use crate::lost_offsets::LostPosition;
use crate::source::Watermarks;
use crate::stamp::Counting;
use crate::store::{Obstacle, Position, WRITE_CONFLICT, error_code};
use crate::stream::{self, StoredStream};
use mongodb::error::{Error, TRANSIENT_TRANSACTION_ERROR};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(500);
const SHORT_PAUSE: Duration = Duration::from_millis(50);
/// So far behind its primary a member may be without a word about it.
const LAG: Duration = Duration::from_secs(1);

/// Why a worker does not know where its partitions begin.
enum NoPositions {
    /// MongoDB did not answer: trying again may help.
    NoAnswer(Error),
    /// No majority has the newest one of this partition yet: it stays or goes with the next election.
    Unacknowledged(i32),
    /// The user must decide.
    Refused(IngestError),
}

impl From<Error> for NoPositions {
    fn from(error: Error) -> Self {
        Self::NoAnswer(error)
    }
}

impl Worker {
    /// The stored positions, made where a partition is new; waits for MongoDB as long as Kafka waits for this worker, and gives `None`
    /// where it is still away then.
    pub(super) async fn positions(
        &self,
        partitions: &[Watermarks],
    ) -> Result<Option<BTreeMap<i32, Position>>, IngestError> {
        let begun = Instant::now();
        loop {
            let waits = begun.elapsed() < self.config.max_poll_interval / 2;
            match self.try_positions(partitions, waits).await {
                Ok(positions) => return Ok(Some(positions)),
                Err(NoPositions::Refused(error)) => return Err(error),
                Err(NoPositions::NoAnswer(error)) if waits && error.contains_label(TRANSIENT_TRANSACTION_ERROR) => {
                    // Mostly another worker that begins its partitions at the same time, or has died while it did.
                    if begun.elapsed() > LAG && error_code(&error) != Some(WRITE_CONFLICT) {
                        self.tell_no_answer(&error);
                    }
                    self.store.release_abandoned().await;
                    tokio::time::sleep(SHORT_PAUSE).await;
                }
                Err(NoPositions::NoAnswer(error)) if waits => {
                    self.tell_no_answer(&error);
                    tokio::time::sleep(PAUSE).await;
                }
                Err(NoPositions::Unacknowledged(partition)) => {
                    if begun.elapsed() > LAG {
                        self.tell_positions_wait(
                            Obstacle::NoMajority,
                            &format!("the position of partition {partition}"),
                        );
                    }
                    tokio::time::sleep(SHORT_PAUSE).await;
                }
                Err(NoPositions::NoAnswer(error)) if Obstacle::of(&error).is_some() => return Ok(None),
                Err(NoPositions::NoAnswer(error)) => return Err(self.store.outside(&error)),
            }
        }
    }

    fn tell_no_answer(&self, error: &Error) {
        self.tell_positions_wait(Obstacle::of(error).unwrap_or(Obstacle::Away), &brief(error));
    }

    fn tell_positions_wait(&self, obstacle: Obstacle, detail: &str) {
        if self.progress.retry(&obstacle.to_string(), detail) {
            tracing::warn!("the positions cannot be read; waiting for {obstacle} ({detail})");
        }
    }

    /// `waits` is whether to begin at certain positions only.
    async fn try_positions(
        &self,
        partitions: &[Watermarks],
        waits: bool,
    ) -> Result<BTreeMap<i32, Position>, NoPositions> {
        // First of all: a write would not be answered then, not even one that changes nothing.
        if waits && let Some(partition) = self.unacknowledged(partitions).await? {
            return Err(NoPositions::Unacknowledged(partition));
        }
        let Some(stored) = self.read_positions(partitions).await? else {
            return Err(NoPositions::Refused(self.has_other_plan()));
        };
        self.begin_again_where_lost(partitions, stored).await
    }

    /// A partition whose former owner's last commit only the primary has: a batch that begins before it would meet it and be dropped,
    /// again and again, until a majority has the commit or an election has taken it back.
    async fn unacknowledged(&self, partitions: &[Watermarks]) -> Result<Option<i32>, Error> {
        let newest = self.store.newest_positions().await?;
        let certain = self.store.positions().await?;
        let next = |positions: &BTreeMap<i32, Position>, partition| Some(positions.get(&partition)?.next);
        let mut partitions = partitions.iter().map(|marks| marks.partition);
        Ok(partitions.find(|&partition| next(&certain, partition) < next(&newest, partition)))
    }

    /// The stored positions, all under the plan in force, which this worker counts under from now on; `None` where that is the plan of
    /// another schema.
    async fn read_positions(&self, partitions: &[Watermarks]) -> Result<Option<BTreeMap<i32, Position>>, Error> {
        loop {
            let stream = StoredStream::read(&self.store, &self.schema).await?;
            let Some(stream) = stream.filter(|stream| stream.has_plan_of(&self.schema)) else { return Ok(None) };
            // Whoever changed the plan may have died before it was done.
            let rebuilding = stream::raise_positions(&self.store, &self.schema, stream.plan).await?;
            let stored = self.store.positions().await?;
            let new = partitions.iter().filter(|marks| !stored.contains_key(&marks.partition));
            let new: Vec<_> = new.map(|marks| (marks.partition, marks.low)).collect();
            if new.is_empty() && stored.values().all(|position| position.plan == stream.plan) {
                self.plan.set(Counting { plan: stream.plan, rebuilding });
                return Ok(Some(stored));
            }
            if !new.is_empty() {
                self.store.begin(&stream, &new, self.topic_id.as_deref()).await?;
            }
        }
    }

    fn has_other_plan(&self) -> IngestError {
        IngestError::Usage(format!(
            "the rollups of the stream {} in the database {} were changed by a worker with another schema; this one has the schema {}, \
             which was replaced. Start it again with the newer schema",
            self.schema.stream(),
            self.store.database().name(),
            self.schema.name()
        ))
    }

    /// Positions that the topic does not have any more stop the run, or move where the user accepts the loss.
    async fn begin_again_where_lost(
        &self,
        partitions: &[Watermarks],
        stored: BTreeMap<i32, Position>,
    ) -> Result<BTreeMap<i32, Position>, NoPositions> {
        let topic_id = self.topic_id.as_deref();
        let mut moved = false;
        for (marks, position) in partitions.iter().filter_map(|marks| Some((marks, stored.get(&marks.partition)?))) {
            let Some(lost) = LostPosition::judge(position, *marks, topic_id) else { continue };
            if self.config.settings.lost_offsets == LostOffsets::Stop {
                return Err(NoPositions::Refused(lost.error(self.store.topic())));
            }
            lost.accept(&self.store, position, topic_id, &self.name).await?;
            tracing::warn!(
                from = position.next,
                to = marks.low,
                partition = marks.partition,
                "lost offsets were accepted"
            );
            moved = true;
        }
        if let Some(id) = topic_id {
            let ids: Vec<i32> = partitions.iter().map(|marks| marks.partition).collect();
            self.store.note_topic_id(&ids, id).await?;
        }
        Ok(if moved { self.store.positions().await? } else { stored })
    }
}
