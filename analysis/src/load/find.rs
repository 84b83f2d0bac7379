//! One read of one collection: MongoDB sends a batch while the one before it is decoded.

use std::panic;

use bson::{Document, doc};
use futures_util::StreamExt;
use mongodb::{options::Hint, raw_batch_cursor::RawBatch};
use tokio::sync::mpsc;

use super::{
    DecodeError, StoreError,
    decode::{Decoded, FrameBuilder, Shape},
    progress::{OnProgress, Progress},
    query::Plan,
    store::Shared,
};

/// Rows that a frame makes room for before the first batch.
const FIRST_ROWS: usize = 1_024;
/// Batches (of up to 16 MB) that wait for the decoder.
const BATCHES_AHEAD: usize = 2;

/// What MongoDB is asked, and what becomes of the answer.
#[derive(Debug, Default)]
pub(crate) struct Find {
    pub collection: String,
    /// Of an aggregation.
    pub pipeline: Vec<Document>,
    /// Reads the newest documents first.
    pub newest_first: bool,
    pub shape: Shape,
    pub progress: OnProgress,
    /// Rows that will come, where that is known.
    pub expected: Option<u64>,
}

impl Shared {
    /// How many rows a read of a whole collection will bring.
    pub(crate) async fn expected(&self, collection: &str, limit: Option<u32>) -> Result<u64, StoreError> {
        let documents = self.database.collection::<Document>(collection);
        let count = documents.estimated_document_count().await.map_err(|error| self.error(error, collection))?;
        Ok(limit.map_or(count, |limit| count.min(limit.into())))
    }

    /// The rows of a plan.
    pub(crate) async fn find_rows(&self, plan: &Plan, mut find: Find) -> Result<Decoded, StoreError> {
        if plan.filter.is_none() && find.progress.is_wanted() {
            find.expected = Some(self.expected(&find.collection, plan.limit).await?);
        }
        self.find(find).await
    }

    pub(crate) async fn find(&self, find: Find) -> Result<Decoded, StoreError> {
        let Find { collection: name, pipeline, newest_first, shape, progress, expected } = find;
        let collection = self.database.collection::<Document>(&name);
        let mut aggregate = collection.aggregate(pipeline).allow_disk_use(true);
        if newest_first {
            aggregate = aggregate.hint(Hint::Keys(doc! { "$natural": -1 }));
        }
        let mut batches = aggregate.batch().await.map_err(|error| self.error(error, &name))?;
        let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
        let decoder = tokio::task::spawn_blocking(move || decode(receiver, &shape, &progress, expected));
        let mut broken = None;
        while let Some(batch) = batches.next().await {
            match batch {
                // The decoder is gone where it met a row that it cannot decode, which it tells below.
                Ok(batch) => {
                    if sender.send(batch).await.is_err() {
                        break;
                    }
                }
                Err(error) => {
                    broken = Some(self.error(error, &name));
                    break;
                }
            }
        }
        drop(sender);
        // Only `on_progress` panics there, which is the caller's own: its panic goes on where the caller waits.
        let decoded = decoder.await.unwrap_or_else(|error| panic::resume_unwind(error.into_panic()));
        match broken {
            Some(error) => Err(error),
            None => decoded.map_err(|error| self.decode_error(error, name)),
        }
    }

    fn decode_error(&self, error: BatchError, name: String) -> StoreError {
        match error {
            BatchError::Driver(error) => self.error(error, &name),
            BatchError::Row(source) if name == model::layout::EVENTS => StoreError::Event { source },
            BatchError::Row(source) => StoreError::Decode { table: name, source },
        }
    }
}

enum BatchError {
    Driver(mongodb::error::Error),
    Row(DecodeError),
}

fn decode(
    mut batches: mpsc::Receiver<RawBatch>,
    shape: &Shape,
    progress: &OnProgress,
    expected: Option<u64>,
) -> Result<Decoded, BatchError> {
    let mut frame = FrameBuilder::new(shape, FIRST_ROWS);
    while let Some(batch) = batches.blocking_recv() {
        frame.extend(batch.doc_slices().map_err(BatchError::Driver)?).map_err(BatchError::Row)?;
        progress.tell(Progress { rows: frame.rows() as u64, expected });
    }
    Ok(frame.finish())
}
