//! Transactions that nobody will end.
//!
//! A worker that dies, or is cut off, within a transaction leaves it open. The server keeps it for a minute, and with it the positions
//! that it has moved: whoever owns those partitions next meets a write conflict all that time. A write outside of a transaction, as
//! those of rows and leases are, does not even meet it: the server keeps it waiting. So a worker that meets a conflict, or waits long,
//! looks for transactions of its database's workers in which nothing happens for a while, and ends their sessions. A worker that was
//! only slow loses a try by that, and tries again.

use super::Store;
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt;
use mongodb::error::Error;
use mongodb::options::ReadConcern;
use std::time::Duration;

/// How long a request may take before it is looked what it waits for.
const PATIENCE: Duration = Duration::from_secs(1);
/// In a transaction that is as it was after this time nothing happens: between two of its steps a worker does nothing but send the next one.
const SILENCE: Duration = Duration::from_secs(3);
/// The server takes no longer name.
const LONGEST_NAME: usize = 128;

/// How the names of all workers begin that write to a database; it is never cut.
fn application_start(database: &str) -> String {
    format!("rushes-ingest {database}/")
}

/// What a worker calls itself to the server.
pub(super) fn application(database: &str, group: &str, topic: &str) -> String {
    let name = format!("{}{group}/{topic}", application_start(database));
    let end = (0..=LONGEST_NAME.min(name.len())).rfind(|&end| name.is_char_boundary(end));
    name[..end.unwrap_or_default()].to_owned()
}

impl Store {
    /// Ends transactions of workers that were abandoned, and tells of it; for whoever has met a conflict and tries again.
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
    ///
    /// Both go on side by side: a request that is not polled may hold the connection that the look waits for.
    pub async fn release_abandoned_during<T>(&self, request: impl Future<Output = T>) -> T {
        tokio::pin!(request);
        loop {
            let look = async {
                tokio::time::sleep(PATIENCE).await;
                self.release_abandoned().await;
            };
            tokio::select! {
                biased;
                done = &mut request => return done,
                () = look => {}
            }
        }
    }

    /// Ends transactions of workers that were abandoned; returns how many.
    ///
    /// # Errors
    /// The driver's error, also where the user may not ask for it; then the server ends them after a minute.
    async fn end_abandoned_transactions(&self) -> Result<usize, Error> {
        let before = self.waiting_transactions().await?;
        if before.is_empty() {
            return Ok(0);
        }
        tokio::time::sleep(SILENCE).await;
        let now = self.waiting_transactions().await?;
        let silent = now.iter().filter(|one| before.contains(one));
        let sessions: Vec<Document> = silent.map(|one| doc! { "id": one.session.clone() }).collect();
        if !sessions.is_empty() {
            self.client.database("admin").run_command(doc! { "killSessions": &sessions }).await?;
        }
        Ok(sessions.len())
    }

    /// Transactions of workers that wait for their next step just now, and have waited a while in all.
    async fn waiting_transactions(&self) -> Result<Vec<WaitingTransaction>, Error> {
        let workers = application_start(self.database.name());
        let idle = doc! {
            "type": "idleSession",
            "transaction.timeInactiveMicros": { "$gte": i64::try_from(PATIENCE.as_micros()).unwrap_or(i64::MAX) },
            "$expr": { "$eq": [{ "$indexOfBytes": ["$appName", workers] }, 0] },
        };
        let operations = [doc! { "$currentOp": { "idleSessions": true } }, doc! { "$match": idle }];
        // What the server does just now knows no other read concern.
        let found = self.client.database("admin").aggregate(operations).read_concern(ReadConcern::local()).await?;
        let found: Vec<Document> = found.try_collect().await?;
        Ok(found.iter().filter_map(WaitingTransaction::read).collect())
    }
}

/// A transaction between two steps, as it is told from itself a step later.
#[derive(Debug, PartialEq)]
struct WaitingTransaction {
    session: Bson,
    number: i64,
    active_micros: i64,
}

impl WaitingTransaction {
    fn read(operation: &Document) -> Option<Self> {
        let transaction = operation.get_document("transaction").ok()?;
        Some(Self {
            session: operation.get_document("lsid").ok()?.get("id")?.clone(),
            number: transaction.get_document("parameters").ok()?.get_i64("txnNumber").ok()?,
            active_micros: transaction.get_i64("timeActiveMicros").ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Settings};
    use std::time::Instant;

    #[tokio::test]
    async fn a_look_does_not_keep_a_request_from_the_only_connection() {
        let uri = &stack::testing::shared().mongodb_uri;
        let more = if uri.contains('?') { '&' } else { '?' };
        let mongodb_uri = format!("{uri}{more}maxPoolSize=1");
        let config = Config::new(Settings { mongodb_uri, ..Settings::default() }).unwrap();
        let store = Store::connect(&config).await.unwrap();
        let begun = Instant::now();
        // One after the other, so the connection is nearly always this request's.
        let request = async {
            while begun.elapsed() < 3 * PATIENCE {
                store.database().run_command(doc! { "ping": 1 }).await.unwrap();
            }
        };
        let looked = store.release_abandoned_during(request);
        tokio::time::timeout(20 * PATIENCE, looked).await.expect("it does not wait for itself");
    }

    #[test]
    fn the_name_is_short_enough() {
        assert_eq!(application("db", "g", "t"), "rushes-ingest db/g/t");
        assert!(application(&"é".repeat(60), "g", "t").len() <= LONGEST_NAME);
    }
}
