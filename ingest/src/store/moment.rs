//! Reads that hold what was written before, whichever server answers.
//!
//! What a majority has acknowledged is never lost, but a server that has just become the primary may not know yet how much that is, and
//! answers a read of what the majority has with a moment ago. Where the next write depends on what is read, the read is therefore
//! told the moment of a write that came before it: the server waits until it knows that much (MongoDB: causal consistency).

use super::{Store, StoreError};
use bson::{Document, Timestamp};
use mongodb::ClientSession;
use mongodb::error::Result;

/// When the last write of a session was done.
#[derive(Debug, Clone, Copy)]
pub struct Moment(Option<Timestamp>);

impl Moment {
    /// The one of a session.
    pub fn of(session: &ClientSession) -> Self {
        Self(session.operation_time())
    }
}

impl Store {
    /// A session whose reads hold everything that a majority had acknowledged by then.
    ///
    /// # Errors
    /// The driver's error.
    pub async fn session_after(&self, moment: Moment) -> Result<ClientSession> {
        let mut session = self.client.start_session().await?;
        if let Some(time) = moment.0 {
            session.advance_operation_time(time);
        }
        Ok(session)
    }
}

/// A command that the driver has no function for hands a failed write concern back as part of a good answer: an election may take
/// back what it wrote.
///
/// # Errors
/// [`StoreError::NotAcknowledged`] where the write concern failed.
pub fn check_write_concern(answer: &Document) -> std::result::Result<(), StoreError> {
    match answer.get_document("writeConcernError") {
        Ok(problem) => Err(StoreError::NotAcknowledged(problem.to_string())),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Obstacle, Prospect};
    use bson::doc;

    #[test]
    fn a_failed_write_concern_in_an_answer_is_waited_for() {
        let answer =
            doc! { "ok": 1, "writeConcernError": { "code": 64, "errmsg": "waiting for replication timed out" } };
        let error = check_write_concern(&answer).unwrap_err();
        assert_eq!(error.prospect(), Prospect::Waits(Obstacle::NoMajority));
        assert!(check_write_concern(&doc! { "ok": 1 }).is_ok());
    }
}
