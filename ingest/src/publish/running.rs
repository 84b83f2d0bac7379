//! The publishers that run beside the lanes, until they are told to finish.

use super::{PublishContext, Publisher};
use crate::error::IngestError;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What publishers do before they end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// They write what waits.
    Rows,
    /// They also close the windows that the stream has passed by then, for which they ask the broker where the topic ends.
    RowsAndWindows,
}

/// The publishers that run beside the lanes, one for each state table.
#[derive(Debug)]
pub struct RunningPublishers {
    finish: watch::Sender<Option<Finish>>,
    tasks: JoinSet<Option<String>>,
}

/// Starts a publisher for each state table of the schema.
pub fn start(context: &PublishContext) -> RunningPublishers {
    let (finish, finished) = watch::channel(None);
    let mut tasks = JoinSet::new();
    for place in 0..context.schema.rollups().tables().len() {
        tasks.spawn(Publisher::new(context.clone(), place).run(finished.clone()));
    }
    RunningPublishers { finish, tasks }
}

impl RunningPublishers {
    /// Resolves where a publisher ends though nobody has told it to.
    pub async fn failure(&mut self) -> IngestError {
        match self.tasks.join_next().await {
            Some(_) => ended_by_itself(),
            None => std::future::pending().await,
        }
    }

    /// Publishes what is left, and ends; gives up when `patience` is over.
    ///
    /// # Errors
    /// [`IngestError::Outside`] where the rows of a table cannot be written before somebody acts, [`IngestError::Bug`] where a publisher
    /// has panicked; what it left waits for the next worker.
    pub async fn finish(mut self, finish: Finish, patience: impl Future<Output = ()>) -> Result<(), IngestError> {
        let _ = self.finish.send(Some(finish));
        tokio::pin!(patience);
        let mut outcome = Ok(());
        loop {
            tokio::select! {
                biased;
                ended = self.tasks.join_next() => match ended {
                    None => return outcome,
                    Some(Ok(None)) => {}
                    Some(Ok(Some(halt))) if outcome.is_ok() => outcome = Err(IngestError::Outside(halt)),
                    // They are in the log, and the status has each.
                    Some(Ok(Some(_))) => {}
                    Some(Err(_)) => outcome = Err(ended_by_itself()),
                },
                () = &mut patience => {
                    tracing::warn!("not everything could be published in time; the next worker publishes it");
                    return outcome;
                }
            }
        }
    }
}

/// The panic itself has been printed.
fn ended_by_itself() -> IngestError {
    IngestError::Bug("a publisher ended by itself".into())
}
