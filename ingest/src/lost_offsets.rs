//! Stored positions that the topic does not have any more: what is told apart, and what is done about it.
//!
//! | what happened | how it is seen | where reading begins again |
//! | --- | --- | --- |
//! | retention removed records before they were read | the position lies before the first record | at the first record |
//! | the topic was deleted and made again | its id is another one | at the first record |
//! | the log was cut (a broker lost its data), or made again on a broker without topic ids | the position lies beyond the end | at the first record |
//!
//! By default each of them stops the run. Where the user accepts the loss, the position moves and the gap is written down in the same
//! update. A log that is read again from its start repeats events, which their ids tell; its offsets stand for other records now, so
//! the dead letters kept before get ids of their own. A topic that was made again on a broker without topic ids and is longer
//! already than the stored position cannot be told from the old one.

use crate::dead_letters::json::time;
use crate::error::IngestError;
use crate::source::Watermarks;
use crate::store::{Position, Store};
use bson::{Bson, DateTime, Document, doc};
use futures_util::TryStreamExt;
use model::layout::{DEAD_LETTERS, OFFSETS, earlier_dead_letter_id};
use mongodb::error::Error;
use serde::{Deserialize, Serialize};
use std::fmt;

const LETTERS_PER_TRANSACTION: i64 = 500;

/// Why a stored position does not fit the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// Records were removed before they were read.
    Retention,
    /// The topic was deleted and made again.
    TopicMadeAgain,
    /// The log ends before the position.
    LogCut,
}

impl GapReason {
    fn code(self) -> &'static str {
        match self {
            Self::Retention => "retention",
            Self::TopicMadeAgain => "topic_made_again",
            Self::LogCut => "log_cut",
        }
    }

    fn read(code: &str) -> Option<Self> {
        [Self::Retention, Self::TopicMadeAgain, Self::LogCut].into_iter().find(|reason| reason.code() == code)
    }
}

/// A loss that was accepted, as it is kept in the partition's position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Partition.
    pub partition: i32,
    /// Position before.
    pub from: i64,
    /// Position after.
    pub to: i64,
    /// What had happened.
    pub reason: GapReason,
    /// Records that were never read; `None` where nobody can know.
    pub lost: Option<i64>,
    /// When it was accepted, as RFC 3339.
    pub at: String,
    /// The worker that was told to accept it.
    pub worker: String,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, from, to, at, worker, .. } = self;
        match (self.reason, self.lost) {
            (GapReason::Retention, Some(lost)) => {
                write!(
                    f,
                    "partition {partition}: {lost} records from offset {from} to {to} were removed by retention unread"
                )?;
            }
            (GapReason::Retention, None) => write!(f, "partition {partition}: retention, offset {from} to {to}")?,
            (GapReason::TopicMadeAgain, _) => {
                write!(f, "partition {partition}: the topic was made again; left at {from}, read from {to}")?;
            }
            (GapReason::LogCut, _) => {
                write!(f, "partition {partition}: the log ended before {from}; read again from {to}")?;
            }
        }
        write!(f, " (accepted {at} by {worker})")
    }
}

impl Gap {
    /// Reads a gap from the position that keeps it.
    pub(crate) fn read(partition: i32, document: &Document) -> Option<Self> {
        Some(Self {
            partition,
            from: document.get_i64("from").ok()?,
            to: document.get_i64("to").ok()?,
            reason: GapReason::read(document.get_str("reason").ok()?)?,
            lost: document.get_i64("lost").ok(),
            at: time(*document.get_datetime("at").ok()?),
            worker: document.get_str("worker").unwrap_or_default().to_owned(),
        })
    }
}

/// A position that does not fit the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostPosition {
    reason: GapReason,
    marks: Watermarks,
    next: i64,
}

impl LostPosition {
    /// Compares a position with what the broker has; `topic_id` is the id of the topic that is there now.
    pub fn judge(position: &Position, marks: Watermarks, topic_id: Option<&str>) -> Option<Self> {
        let other_topic = matches!((&position.topic_id, topic_id), (Some(before), Some(now)) if before != now);
        let reason = match position.next {
            _ if other_topic => GapReason::TopicMadeAgain,
            next if next > marks.high => GapReason::LogCut,
            next if next < marks.low => GapReason::Retention,
            _ => return None,
        };
        Some(Self { reason, marks, next: position.next })
    }

    /// The error that stops the run.
    pub fn error(&self, topic: &str) -> IngestError {
        let Watermarks { partition, low, high } = self.marks;
        let next = self.next;
        let what = match self.reason {
            GapReason::Retention => format!(
                "the stored position is {next}, but the broker's first record is {low}: {} records were removed by retention before \
                 they were read. Nothing was skipped yet",
                low - next
            ),
            GapReason::TopicMadeAgain => format!(
                "the topic was deleted and made again since the stored position ({next}); what was not read of the old one is lost, and \
                 the new one has offsets {low} to {high}"
            ),
            GapReason::LogCut => format!(
                "the stored position is {next}, but the broker ends at {high}: the topic was made again, or a broker has lost its data"
            ),
        };
        IngestError::LostOffsets(format!(
            "{topic}/{partition}: {what}. `ingest run --lost-offsets accept` goes on at {low} and writes the gap down (events that are \
             stored already are known by their ids); or read into another database, with another `--group` and `--database`"
        ))
    }

    /// Whether the log is read again from its start, so that its offsets stand for other records than before.
    fn begins_again(&self) -> bool {
        self.reason != GapReason::Retention
    }

    /// Moves the position to where the broker's records begin, and writes the gap down with it.
    ///
    /// # Errors
    /// The driver's error. Done again, it goes on where it was.
    pub(crate) async fn accept(
        &self,
        store: &Store,
        position: &Position,
        topic_id: Option<&str>,
        worker: &str,
    ) -> Result<(), Error> {
        if self.begins_again() {
            set_letters_aside(store, position).await?;
        }
        let lost = (self.reason == GapReason::Retention).then_some(self.marks.low - self.next);
        let gap = doc! {
            "from": self.next, "to": self.marks.low, "reason": self.reason.code(), "lost": lost, "at": DateTime::now(),
            "worker": worker,
        };
        let change = doc! {
            "$set": {
                "next": self.marks.low, "worker": worker, "updated_at": DateTime::now(), "topic_id": topic_id.map_or(Bson::Null, Bson::from),
            },
            "$push": { "gaps": gap },
        };
        let unmoved = doc! { "_id": store.position_id(position.partition), "next": self.next };
        let moved = store.collection::<Document>(OFFSETS).update_one(unmoved, change).await?;
        if moved.matched_count == 0 {
            return Err(Error::custom("another worker has moved the position meanwhile"));
        }
        Ok(())
    }
}

/// Gives the dead letters of a partition ids that the records at the same offsets of the new log do not have.
async fn set_letters_aside(store: &Store, position: &Position) -> Result<(), Error> {
    let letters = store.collection::<Document>(DEAD_LETTERS);
    let time_again = position.gaps.len() + 1;
    let of_this_log = doc! {
        "topic": store.topic(), "partition": position.partition, "group": store.group(), "_id": { "$not": { "$regex": "@" } },
    };
    loop {
        let some = letters.find(of_this_log.clone()).limit(LETTERS_PER_TRANSACTION).await?;
        let mut some: Vec<Document> = some.try_collect().await?;
        if some.is_empty() {
            return Ok(());
        }
        let old: Vec<Bson> = some.iter().filter_map(|letter| letter.get("_id").cloned()).collect();
        for letter in &mut some {
            let id = earlier_dead_letter_id(letter.get_str("_id").map_err(Error::custom)?, time_again);
            letter.insert("_id", id);
        }
        let mut session = store.client().start_session().await?;
        session.start_transaction().await?;
        letters.delete_many(doc! { "_id": { "$in": old } }).session(&mut session).await?;
        letters.insert_many(some).session(&mut session).await?;
        session.commit_transaction().await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Counts;
    use model::clock::EventClock;

    fn judge(next: i64, before: Option<&str>, low: i64, high: i64, now: Option<&str>) -> Option<GapReason> {
        let position = Position {
            partition: 0,
            next,
            clock: EventClock::default(),
            counts: Counts::default(),
            plan: 0,
            worker: String::new(),
            stored_at: None,
            topic_id: before.map(str::to_owned),
            gaps: Vec::new(),
        };
        LostPosition::judge(&position, Watermarks { partition: 0, low, high }, now).map(|lost| lost.reason)
    }

    #[test]
    fn a_position_within_the_log_of_the_same_topic_is_not_lost() {
        for (before, now) in [(None, None), (Some("a"), Some("a")), (None, Some("a")), (Some("a"), None)] {
            assert_eq!(judge(5, before, 5, 9, now), None);
            assert_eq!(judge(9, before, 5, 9, now), None);
            assert_eq!(judge(4, before, 5, 9, now), Some(GapReason::Retention));
            assert_eq!(judge(10, before, 5, 9, now), Some(GapReason::LogCut));
        }
    }

    #[test]
    fn another_topic_id_tells_even_where_the_offsets_would_fit() {
        assert_eq!(judge(5, Some("a"), 0, 9, Some("b")), Some(GapReason::TopicMadeAgain));
        assert_eq!(judge(50, Some("a"), 0, 9, Some("b")), Some(GapReason::TopicMadeAgain));
    }
}
