//! Reads the states that rows carry, to add what is new to them.

use super::known::Known;
use super::rows::{Change, RowWriter};
use crate::store::{COMMAND_BYTES, Corrupt, StoreError, in_commands};
use bson::raw::{RawArrayBuf, RawBsonRef, RawDocumentBuf};
use bson::{Bson, doc};
use model::layout::column;
use model::rollup::{Group, State};
use std::collections::HashMap;

impl RowWriter {
    /// Adds to the states that rows carry; returns the ones to write, and those whose rows have this revision already.
    pub(super) async fn add_to_stored(
        &self,
        changes: Vec<Change>,
    ) -> Result<(Vec<(Group, State)>, Vec<(Group, State)>), StoreError> {
        let asked = changes.iter().filter(|change| change.known == Known::Row).map(|change| change.group.row_id());
        let mut stored = self.read(asked.collect()).await?;
        let (mut changed, mut had) = (Vec::with_capacity(changes.len()), Vec::new());
        for Change { group, state, known } in changes {
            let before = match known {
                Known::State(before) => Some((0, before)),
                _ => stored.remove(group.row_id().as_bytes()),
            };
            match before {
                Some((revision, before)) if revision >= self.revision => had.push((group, before)),
                Some((_, mut sum)) => {
                    sum.combine(&state);
                    changed.push((group, sum));
                }
                None => changed.push((group, state)),
            }
        }
        Ok((changed, had))
    }

    /// Revisions and states of rows, by the bytes of their `_id`.
    async fn read(&self, ids: Vec<RawDocumentBuf>) -> Result<HashMap<Vec<u8>, (i64, State)>, StoreError> {
        let mut found = HashMap::with_capacity(ids.len());
        for some in in_commands(&ids, COMMAND_BYTES) {
            self.read_some(some, &mut found).await?;
        }
        Ok(found)
    }

    async fn read_some(
        &self,
        ids: &[RawDocumentBuf],
        found: &mut HashMap<Vec<u8>, (i64, State)>,
    ) -> Result<(), StoreError> {
        let ids: RawArrayBuf = ids.iter().map(|id| RawBsonRef::Document(id)).collect();
        let ids = Bson::try_from(RawBsonRef::Array(&ids))?;
        let rows = self.store.collection::<RawDocumentBuf>(&self.carrier);
        let wanted = doc! { column::REVISION: 1, column::STATE: 1 };
        let mut session = self.store.session_after(self.after).await?;
        let rows = rows.find(doc! { "_id": { "$in": ids } }).projection(wanted);
        let mut cursor = rows.session(&mut session).await?;
        while cursor.advance(&mut session).await? {
            let row = cursor.current();
            let broken = |problem: String| Corrupt::new(&self.carrier, row, problem);
            let id = row.get_document("_id").map_err(|error| broken(error.to_string()))?;
            let revision = row.get_i64(column::REVISION).map_err(|error| broken(error.to_string()))?;
            let state = row.get_document(column::STATE).map_err(|error| broken(error.to_string()))?;
            let state = State::read(self.table(), state).map_err(|error| broken(error.to_string()))?;
            found.insert(id.as_bytes().to_vec(), (revision, state));
        }
        Ok(())
    }
}
