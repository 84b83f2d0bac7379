//! Transactions that nobody will end.
//!
//! A worker that dies, or is cut off, within a transaction leaves it open. The server keeps it for a minute, and with it the positions
//! that it has moved: whoever owns those partitions next meets a write conflict all that time. A write outside of a transaction, as
//! those of rows and leases are, does not even meet it: the server keeps it waiting. So a worker that meets a conflict, or waits long,
//! looks for transactions of its group in which nothing has happened for a while, and ends their sessions. A worker that was only slow
//! loses a try by that, and tries again.

use super::Store;
use bson::{Document, doc};
use futures_util::TryStreamExt;
use mongodb::error::Error;
use mongodb::options::ReadConcern;
use std::time::Duration;

/// Between two steps of a transaction a worker does nothing but wait for the server.
const ABANDONED: Duration = Duration::from_secs(1);
/// The server takes no longer name.
const LONGEST_NAME: usize = 128;

/// What a worker calls itself to the server: all workers of a group alike.
pub(super) fn application(database: &str, group: &str, topic: &str) -> String {
    let name = format!("rushes-ingest {database}/{group}/{topic}");
    let end = (0..=LONGEST_NAME.min(name.len())).rfind(|&end| name.is_char_boundary(end));
    name[..end.unwrap_or_default()].to_owned()
}

impl Store {
    /// Ends the transactions of this group that were abandoned, and tells of it; for whoever has met a conflict and tries again.
    pub async fn release_abandoned(&self) {
        match self.end_abandoned_transactions().await {
            Ok(0) => {}
            Ok(ended) => tracing::info!(ended, "ended transactions that a worker has left open"),
            Err(error) => {
                tracing::debug!(%error, "abandoned transactions cannot be ended; the server does it after a minute")
            }
        }
    }

    /// Does `request`, and as long as that lasts looks for abandoned transactions that may keep it waiting.
    pub async fn release_abandoned_during<T>(&self, request: impl Future<Output = T>) -> T {
        tokio::pin!(request);
        loop {
            match tokio::time::timeout(ABANDONED, &mut request).await {
                Ok(done) => return done,
                Err(_) => self.release_abandoned().await,
            }
        }
    }

    /// Ends the transactions of this group that were abandoned; returns how many.
    ///
    /// # Errors
    /// The driver's error, also where the user may not ask for it; then the server ends them after a minute.
    async fn end_abandoned_transactions(&self) -> Result<usize, Error> {
        let idle = doc! {
            "type": "idleSession",
            "appName": &self.application,
            "transaction.timeInactiveMicros": { "$gte": i64::try_from(ABANDONED.as_micros()).unwrap_or(i64::MAX) },
        };
        let operations = [doc! { "$currentOp": { "idleSessions": true } }, doc! { "$match": idle }];
        let admin = self.client.database("admin");
        // What the server does just now knows no other read concern.
        let found = admin.aggregate(operations).read_concern(ReadConcern::local()).await?;
        let found: Vec<Document> = found.try_collect().await?;
        let sessions: Vec<Document> = found
            .iter()
            .filter_map(|operation| Some(doc! { "id": operation.get_document("lsid").ok()?.get("id")?.clone() }))
            .collect();
        if !sessions.is_empty() {
            admin.run_command(doc! { "killSessions": &sessions }).await?;
        }
        Ok(sessions.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_short_enough() {
        assert_eq!(application("db", "g", "t"), "rushes-ingest db/g/t");
        assert!(application(&"é".repeat(60), "g", "t").len() <= LONGEST_NAME);
    }
}
