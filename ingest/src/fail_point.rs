//! Moments at which a worker can be made to die, so that a test can look at what it leaves behind at each of them.
//!
//! Always compiled in, so that what is tested is what is shipped: a point costs one load of a value that never changes. The variable
//! `RUSHES_FAIL_POINT` names the point; it is no setting.

use nix::sys::signal::{Signal, raise};
use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

/// The variable of the environment that names a point.
pub const VARIABLE: &str = "RUSHES_FAIL_POINT";
/// Long enough for a request to be on its way, and mostly too short for its answer.
const SENT: Duration = Duration::from_millis(1);

/// A step of a commit or of a publisher's round that is over when the worker dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailPoint {
    /// What a batch stores is planned; its transaction has not begun.
    BatchPlanned,
    /// The positions were moved, in the open transaction.
    PositionsMoved,
    /// The dead letters were inserted, in the open transaction.
    DeadLettersInserted,
    /// The events were inserted, in the open transaction.
    EventsInserted,
    /// The partial states were inserted, in the open transaction: nothing but the commit is left.
    StatesInserted,
    /// The commit was sent; nobody reads its answer.
    CommitSent,
    /// The commit was answered; the lane does not know it yet.
    CommitAnswered,
    /// The lane knows of the commit; the publishers were not woken.
    BatchNoted,
    /// The publisher has the lease of its table.
    LeaseTaken,
    /// The round is written down; no row is written.
    RoundWritten,
    /// Some rows of the round are written.
    SomeRowsWritten,
    /// All rows of the round are written.
    RowsWritten,
    /// The partial states of the round are removed.
    StatesRemoved,
    /// Readers were told the round's revision.
    RevisionTold,
    /// The round is closed, and the lease given back.
    RoundClosed,
}

impl FailPoint {
    /// Every point, in the order in which a batch meets them.
    pub const ALL: [Self; 15] = [
        Self::BatchPlanned,
        Self::PositionsMoved,
        Self::DeadLettersInserted,
        Self::EventsInserted,
        Self::StatesInserted,
        Self::CommitSent,
        Self::CommitAnswered,
        Self::BatchNoted,
        Self::LeaseTaken,
        Self::RoundWritten,
        Self::SomeRowsWritten,
        Self::RowsWritten,
        Self::StatesRemoved,
        Self::RevisionTold,
        Self::RoundClosed,
    ];

    /// The name in [`VARIABLE`]: that of the variant.
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    fn is_armed(self) -> bool {
        static ARMED: OnceLock<Option<FailPoint>> = OnceLock::new();
        let armed = ARMED.get_or_init(|| {
            let name = std::env::var(VARIABLE).ok()?;
            let point = Self::ALL.into_iter().find(|point| point.name() == name);
            match point {
                Some(_) => tracing::warn!("{VARIABLE}={name}: this worker is going to die there"),
                None => tracing::error!("{VARIABLE}={name}: there is no such point"),
            }
            point
        });
        *armed == Some(self)
    }

    /// Dies as by SIGKILL where the environment says so.
    pub fn reached(self) {
        if self.is_armed() {
            die();
        }
    }

    /// Does `request`, or dies while it is on its way.
    pub async fn reached_during<T>(self, request: impl Future<Output = T>) -> T {
        if self.is_armed() {
            // Whether it was answered in that time does not matter any more.
            let _ = tokio::time::timeout(SENT, request).await;
            die();
        }
        request.await
    }
}

fn die() -> ! {
    // SIGKILL cannot be refused.
    let _ = raise(Signal::SIGKILL);
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_the_variable_nothing_dies() {
        for point in FailPoint::ALL {
            point.reached();
            assert_eq!(point.reached_during(async { 7 }).await, 7);
        }
    }

    #[test]
    fn names_differ() {
        let names: std::collections::HashSet<_> = FailPoint::ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), FailPoint::ALL.len());
    }
}
