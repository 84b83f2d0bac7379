//! Marks rows as final once the watermark has passed their windows.

use super::rows::RowWriter;
use crate::store::StoreError;
use bson::{DateTime, Document, doc};
use model::clock::Watermark;
use model::layout::column;

impl RowWriter {
    /// The open rows whose windows the watermark has passed.
    fn to_close(&self) -> Option<Document> {
        let passed = match self.watermark {
            Watermark::Unknown => return None,
            Watermark::At(time) => doc! { "$lte": DateTime::from_millis(self.table().window().ended_by(time)) },
            Watermark::Idle => doc! { "$exists": true },
        };
        Some(doc! { column::IS_FINAL: false, column::WINDOW_END: passed, column::REVISION: { "$lte": self.revision } })
    }

    /// Whether [`close_windows`](Self::close_windows) would change a row.
    pub(super) async fn has_windows_to_close(&self) -> Result<bool, StoreError> {
        let Some(open) = self.to_close() else { return Ok(false) };
        for rollup in self.plan().rollups_of(self.table()) {
            if self.store.collection::<Document>(rollup.name()).find_one(open.clone()).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Marks the rows whose windows the watermark has passed.
    pub(super) async fn close_windows(&self) -> Result<(), StoreError> {
        let Some(open) = self.to_close() else { return Ok(()) };
        let set = doc! { column::IS_FINAL: true, column::REVISION: self.revision, column::UPDATED_AT: DateTime::now() };
        for rollup in self.plan().rollups_of(self.table()) {
            let rows = self.store.collection::<Document>(rollup.name());
            rows.update_many(open.clone(), doc! { "$set": &set }).await?;
        }
        Ok(())
    }
}
