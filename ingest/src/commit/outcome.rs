//! How a try to commit can end, and which error of the server means what.

use crate::batch::{Change, Move};
use crate::error::brief;
use crate::store::{Counts, DUPLICATE_KEY, Obstacle, WRITE_CONFLICT, error_code};
use bson::{Bson, Document};
use mongodb::error::Error;
use std::collections::BTreeMap;

/// How a try to commit ended.
#[derive(Debug)]
pub enum Outcome {
    /// It is in the store.
    Committed(Committed),
    /// A position was not where this worker thought, because another worker owns a partition, or the plan of rollups has changed. The
    /// batch must be dropped.
    Fenced,
    /// Another lane or worker was writing the same ids or states: try again at once.
    Conflict(String),
    /// Something outside is in the way that passes: try again later.
    Unreachable(Obstacle, Error),
    /// The commit was sent, but not answered: the positions will tell whether it landed.
    Unknown(Committed, Error),
    /// Trying again will not help.
    Fatal(String),
}

impl From<Stop> for Outcome {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Driver(error) => classify(error),
            Stop::Repeat(problem) | Stop::Held(problem) => Self::Conflict(problem),
            Stop::Fenced => Self::Fenced,
            Stop::Fatal(problem) => Self::Fatal(problem),
        }
    }
}

/// What the store tells of a commit that was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landed {
    /// It is in the store for good.
    Yes,
    /// It is not.
    No,
    /// The primary has it, but no majority of the members yet.
    Unacknowledged,
}

/// What a commit changed.
#[derive(Debug)]
pub struct Committed {
    /// The moves of positions, by partition.
    pub moves: BTreeMap<i32, Move>,
    /// How many groups of each state table have partial states of it.
    pub groups: Vec<u32>,
    /// The first duplicate whose contents are not those of the event that is stored.
    pub changed: Option<Change>,
}

impl Committed {
    /// What the records of all partitions became.
    pub fn counts(&self) -> Counts {
        self.moves.values().fold(Counts::default(), |mut sum, to| {
            sum += to.counts;
            sum
        })
    }
}

/// Ends a try without an answer of the server.
pub(crate) enum Stop {
    Driver(Error),
    /// An event's id is there already, although it was taken for new.
    Repeat(String),
    /// Another transaction has moved the same positions and is still open.
    Held(String),
    Fenced,
    Fatal(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Driver(error)
    }
}

/// An error of the insert of events: one whose id is there already is to be looked up.
pub(super) fn repeat(error: Error) -> Stop {
    if error_code(&error) == Some(DUPLICATE_KEY) { Stop::Repeat(brief(&error)) } else { Stop::Driver(error) }
}

/// An error at the positions: a conflict there is with a transaction that is still open.
pub(super) fn held(stop: Stop) -> Stop {
    match stop {
        Stop::Driver(error) if error_code(&error) == Some(WRITE_CONFLICT) => Stop::Held(brief(&error)),
        other => other,
    }
}

/// A command that wrote only in part answers without an error of its own.
pub(crate) fn check_writes(answer: &Document) -> Result<(), Stop> {
    match answer.get_array("writeErrors").ok().and_then(|errors| errors.first()) {
        Some(Bson::Document(error)) => {
            let message = error.get_str("errmsg").unwrap_or("unknown").to_owned();
            match error.get_i32("code") {
                Ok(DUPLICATE_KEY | WRITE_CONFLICT) => Err(Stop::Driver(Error::custom(Conflict(message)))),
                _ => Err(Stop::Fatal(message)),
            }
        }
        _ => Ok(()),
    }
}

/// A conflict found inside an answer, carried through the driver's error type.
#[derive(Debug)]
struct Conflict(String);

/// What an error of the server means for the batch.
pub(super) fn classify(error: Error) -> Outcome {
    let code = error_code(&error);
    if let Some(Conflict(message)) = error.get_custom::<Conflict>() {
        return Outcome::Conflict(message.clone());
    }
    if matches!(code, Some(DUPLICATE_KEY | WRITE_CONFLICT)) {
        return Outcome::Conflict(brief(&error));
    }
    match Obstacle::of(&error) {
        Some(obstacle) => Outcome::Unreachable(obstacle, error),
        None => Outcome::Fatal(brief(&error)),
    }
}
