//! Reads the partial states that wait, and combines them.

use super::sessions::SESSIONS;
use crate::store::{Corrupt, Moment, Store, StoreError};
use bson::oid::ObjectId;
use bson::raw::{RawDocument, RawDocumentBuf};
use bson::{Bson, Document, doc};
use model::layout::ROLLUP_STATES;
use model::rollup::StateTable;
use model::rollup::partial::{Part, slice_of_all};
use std::ops::ControlFlow;

/// A round is closed when it has read this many partial states: enough that a group which many batches change is written once for all of
/// them.
const BYTES: usize = 48 << 20;
const DOCUMENTS: usize = 10_000;
/// Groups that take more memory are combined slice by slice.
const PART_BYTES: usize = 4 << 20;
/// Documents of some 10 KB, and of 1 MiB at most, that the server sends at once.
const DOCUMENTS_PER_BATCH: u32 = 16;

/// What waited, combined.
#[derive(Debug)]
pub(super) struct Combined {
    /// What is to be added to the groups' rows: the first part of it.
    pub(super) part: Part,
    /// The documents that it was read from.
    pub(super) states: Vec<WaitingState>,
    /// Whether more waits.
    pub(super) more: bool,
}

/// A document of partial states that waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct WaitingState {
    pub(super) id: ObjectId,
    /// The slice of all its groups, if it is one.
    slice: Option<u8>,
}

/// The partial states of a table, as a filter.
pub fn waiting_for(table: &StateTable) -> Document {
    doc! { "_id": { "$gte": { "t": table.id() }, "$lt": { "t": table.id(), "i": Bson::MaxKey } } }
}

/// Some partial states of a table, as a filter.
pub(super) fn these(table: &StateTable, states: impl Iterator<Item = ObjectId>) -> Document {
    let ids: Vec<_> = states.map(|state| doc! { "t": table.id(), "i": state }).collect();
    doc! { "_id": { "$in": ids } }
}

/// What waits, as much as fits into a round.
pub(super) async fn waiting(store: &Store, table: &StateTable, after: Moment) -> Result<Combined, StoreError> {
    let (most, groups) = if table.has_sessions() { (usize::MAX, SESSIONS) } else { (PART_BYTES, usize::MAX) };
    let (mut part, mut states, mut more, mut bytes) = (Part::first(most), Vec::new(), false, 0);
    read(store, waiting_for(table), after, |document| {
        more = bytes >= BYTES || states.len() >= DOCUMENTS || part.groups().len() >= groups;
        if more {
            return Ok(ControlFlow::Break(()));
        }
        bytes += document.as_bytes().len();
        states.push(WaitingState::of(document)?);
        part.combine(table, document).map_err(|error| error.to_string())?;
        Ok(ControlFlow::Continue(()))
    })
    .await?;
    Ok(Combined { part, states, more })
}

/// The states of a round that was begun before. Those that are gone are in all their rows.
pub(super) async fn of_round(
    store: &Store,
    table: &StateTable,
    states: &[ObjectId],
    after: Moment,
) -> Result<Combined, StoreError> {
    let (mut part, mut found) = (Part::first(PART_BYTES), Vec::new());
    read(store, these(table, states.iter().copied()), after, |document| {
        found.push(WaitingState::of(document)?);
        part.combine(table, document).map_err(|error| error.to_string())?;
        Ok(ControlFlow::Continue(()))
    })
    .await?;
    Ok(Combined { part, states: found, more: true })
}

/// Fills a part with its groups from these states.
pub(super) async fn fill(
    mut part: Part,
    store: &Store,
    table: &StateTable,
    states: &[WaitingState],
    after: Moment,
) -> Result<Part, StoreError> {
    let wanted = states.iter().filter(|state| part.takes(state.slice)).map(|state| state.id);
    read(store, these(table, wanted), after, |document| {
        part.combine(table, document).map_err(|error| error.to_string())?;
        Ok(ControlFlow::Continue(()))
    })
    .await?;
    Ok(part)
}

/// Always in the order of `_id`, so that sums of floating-point numbers come out alike when a round is done again.
async fn read(
    store: &Store,
    filter: Document,
    after: Moment,
    mut take: impl FnMut(&RawDocument) -> Result<ControlFlow<()>, String>,
) -> Result<(), StoreError> {
    let mut session = store.session_after(after).await?;
    let states = store.collection::<RawDocumentBuf>(ROLLUP_STATES);
    let found = states.find(filter).sort(doc! { "_id": 1 }).batch_size(DOCUMENTS_PER_BATCH);
    let mut cursor = found.session(&mut session).await?;
    while cursor.advance(&mut session).await? {
        let document = cursor.current();
        if take(document).map_err(|problem| Corrupt::new(ROLLUP_STATES, document, problem))?.is_break() {
            break;
        }
    }
    Ok(())
}

impl WaitingState {
    fn of(document: &RawDocument) -> Result<Self, String> {
        let id = document.get_document("_id").and_then(|id| id.get_object_id("i"));
        let id = id.map_err(|error| error.to_string())?;
        Ok(Self { id, slice: slice_of_all(document) })
    }
}
