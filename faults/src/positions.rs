//! Watches the stored positions, and with them how long a recovery takes.

use crate::crew::NAME;
use crate::records::PARTITIONS;
use anyhow::{Result, bail};
use bson::{Document, doc};
use futures_util::TryStreamExt;
use model::layout::OFFSETS;
use mongodb::Client;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::watch;

const POLL: Duration = Duration::from_millis(30);
const ANSWER: Duration = Duration::from_secs(2);
/// Far more than any recovery takes: reached only where something hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// The positions as they were at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// When they were asked for; `None` before the first answer.
    pub asked: Option<Instant>,
    /// `next` by partition.
    pub next: BTreeMap<i32, i64>,
    /// Who moved each last.
    pub workers: BTreeMap<i32, String>,
}

/// How long it took until positions moved again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// The first of them.
    pub first: Duration,
    /// All of them.
    pub all: Duration,
}

/// Follows the positions.
#[derive(Debug, Clone)]
pub struct Positions(watch::Receiver<Snapshot>);

impl Positions {
    /// Asks for them again and again, until the runtime ends.
    pub fn follow(client: &Client) -> Self {
        let offsets = client.database(NAME).collection::<Document>(OFFSETS);
        let (sender, receiver) = watch::channel(Snapshot::default());
        tokio::spawn(async move {
            while !sender.is_closed() {
                let asked = Instant::now();
                let found = async { offsets.find(doc! {}).await?.try_collect::<Vec<_>>().await };
                // Where nobody answers, the next try tells.
                if let Ok(Ok(documents)) = tokio::time::timeout(ANSWER, found).await {
                    sender.send_replace(snapshot(asked, &documents));
                }
                tokio::time::sleep(POLL).await;
            }
        });
        Self(receiver)
    }

    /// Waits for a snapshot of which `holds` is true, for at most five minutes.
    ///
    /// # Errors
    /// Names `what` was waited for in vain.
    pub async fn wait_for(&mut self, what: &str, mut holds: impl FnMut(&Snapshot) -> bool) -> Result<Snapshot> {
        match tokio::time::timeout(PATIENCE, self.0.wait_for(|snapshot| holds(snapshot))).await {
            Ok(Ok(snapshot)) => Ok(snapshot.clone()),
            Ok(Err(_)) => bail!("the positions are not followed any more"),
            Err(_) => bail!("waited {} s in vain until {what}", PATIENCE.as_secs()),
        }
    }

    /// Waits until every partition has moved past where it stood when it was first seen after `end`.
    ///
    /// # Errors
    /// Where a partition stands still for five minutes.
    pub async fn recovery(&mut self, end: Instant) -> Result<Recovery> {
        let after = |snapshot: &Snapshot| snapshot.asked.is_some_and(|asked| asked >= end);
        let before = self.wait_for("MongoDB answers", after).await?.next;
        let moved = |snapshot: &Snapshot| {
            let moved = |partition: &i32| snapshot.next.get(partition) > before.get(partition);
            (0..PARTITIONS).filter(moved).count()
        };
        self.wait_for("a position moves", |snapshot| moved(snapshot) > 0).await?;
        let first = end.elapsed();
        self.wait_for("every position moves", |snapshot| moved(snapshot) == PARTITIONS as usize).await?;
        Ok(Recovery { first, all: end.elapsed() })
    }
}

fn snapshot(asked: Instant, documents: &[Document]) -> Snapshot {
    let mut snapshot = Snapshot { asked: Some(asked), ..Snapshot::default() };
    for document in documents {
        if let (Ok(partition), Ok(next)) = (document.get_i32("partition"), document.get_i64("next")) {
            snapshot.next.insert(partition, next);
            snapshot.workers.insert(partition, document.get_str("worker").unwrap_or_default().to_owned());
        }
    }
    snapshot
}
