//! Reads that hold what was written before, whichever server answers.
//!
//! What a majority has acknowledged is never lost, but a server that has just become the primary may not know yet how much that is, and
//! answers a read of what the majority has with a moment ago. Where the next write depends on what is read, the read is therefore
//! told the moment of a write that came before it: the server waits until it knows that much (MongoDB: causal consistency).

use super::Store;
use super::obstacle::NOT_ACKNOWLEDGED;
use bson::{Document, Timestamp};
use mongodb::ClientSession;
use mongodb::error::{Error, Result};

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
/// Where the write concern failed.
pub fn check_write_concern(answer: &Document) -> Result<()> {
    match answer.get_document("writeConcernError") {
        Ok(problem) => Err(Error::custom(format!("{NOT_ACKNOWLEDGED}: {problem}"))),
        Err(_) => Ok(()),
    }
}
