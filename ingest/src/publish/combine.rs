//! Reads the partial states that wait, and combines them.

use super::sessions::SESSIONS;
use crate::store::{Moment, Store};
use bson::oid::ObjectId;
use bson::raw::{RawDocument, RawDocumentBuf};
use bson::{Bson, Document, doc};
use model::layout::ROLLUP_STATES;
use model::rollup::{Groups, StateTable, partial};
use mongodb::error::Error;

/// A round is closed when it has this many groups: about 40 MB.
const GROUPS: usize = 100_000;
const DOCUMENTS: usize = 5_000;
/// And with so many bytes of partial states, where keys are long.
const BYTES: usize = 64 << 20;
/// Documents of up to 1 MiB that the server sends at once.
const DOCUMENTS_PER_BATCH: u32 = 4;

/// What waited, combined.
#[derive(Debug, Default)]
pub(super) struct Combined {
    /// What is to be added to the groups' rows.
    pub(super) groups: Groups,
    /// The documents that it was read from.
    pub(super) states: Vec<ObjectId>,
    /// Whether more waits.
    pub(super) more: bool,
}

/// The partial states of a table, as a filter.
pub fn waiting_for(table: &StateTable) -> Document {
    doc! { "_id": { "$gte": { "t": table.id() }, "$lt": { "t": table.id(), "i": Bson::MaxKey } } }
}

/// What waits, as much as fits into a round.
pub(super) async fn waiting(store: &Store, table: &StateTable, after: Moment) -> Result<Combined, Error> {
    let most = if table.has_sessions() { SESSIONS } else { GROUPS };
    read(store, table, waiting_for(table), most, after).await
}

/// The states of a round that was begun before. Those that are gone are in all their rows.
pub(super) async fn of_round(
    store: &Store,
    table: &StateTable,
    states: &[ObjectId],
    after: Moment,
) -> Result<Combined, Error> {
    let ids: Vec<_> = states.iter().map(|state| doc! { "t": table.id(), "i": state }).collect();
    let combined = read(store, table, doc! { "_id": { "$in": ids } }, usize::MAX, after).await?;
    Ok(Combined { states: states.to_vec(), more: true, ..combined })
}

/// Always in the order of `_id`, so that sums of floating-point numbers come out alike when a round is done again.
async fn read(
    store: &Store,
    table: &StateTable,
    filter: Document,
    limit: usize,
    after: Moment,
) -> Result<Combined, Error> {
    let mut session = store.session_after(after).await?;
    let states = store.collection::<RawDocumentBuf>(ROLLUP_STATES);
    let found = states.find(filter).sort(doc! { "_id": 1 }).batch_size(DOCUMENTS_PER_BATCH);
    let mut cursor = found.session(&mut session).await?;
    let (mut combined, mut bytes) = (Combined::default(), 0);
    while cursor.advance(&mut session).await? {
        let is_full = combined.groups.len() >= limit || bytes >= BYTES || combined.states.len() >= DOCUMENTS;
        if is_full && limit < usize::MAX {
            combined.more = true;
            break;
        }
        let document = cursor.current();
        bytes += document.as_bytes().len();
        combined.states.push(id(document).map_err(Error::custom)?);
        partial::combine(table, document, &mut combined.groups).map_err(Error::custom)?;
    }
    Ok(combined)
}

fn id(document: &RawDocument) -> Result<ObjectId, String> {
    let id = document.get_document("_id").and_then(|id| id.get_object_id("i"));
    id.map_err(|error| format!("{ROLLUP_STATES}: {error}"))
}
