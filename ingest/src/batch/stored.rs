//! What the store has already of a batch's events, and where a repeat differs from it.

use super::{Batch, BatchEvent, id_document};
use bson::raw::{RawDocument, RawDocumentBuf};
use model::layout::source;
use std::collections::{HashMap, HashSet};

/// The ids of a batch that are stored already, and which of its events have other contents than the stored ones.
#[derive(Debug, Default)]
pub struct StoredEvents {
    ids: HashSet<Vec<u8>>,
    /// By the event's place in the batch.
    changes: HashMap<usize, Change>,
    /// Places of the events of each id; made when the first stored event is met, since most batches meet none.
    places: Option<HashMap<Vec<u8>, Vec<usize>>>,
}

/// A repeat whose contents are not those of the stored event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Partition of the repeat.
    pub partition: i32,
    /// The id, as JSON.
    pub id: String,
    /// The first field that differs.
    pub field: String,
}

impl StoredEvents {
    /// Takes an event of the store into account; `ids` are those of the batch. The event itself is not kept.
    pub fn add(&mut self, batch: &Batch, ids: &[RawDocumentBuf], stored: &RawDocument) {
        let places = self.places.get_or_insert_with(|| {
            let mut places: HashMap<Vec<u8>, Vec<usize>> = HashMap::with_capacity(ids.len());
            for (place, id) in ids.iter().enumerate() {
                places.entry(id.as_bytes().to_vec()).or_default().push(place);
            }
            places
        });
        let id = id_document(stored).into_bytes();
        for &place in places.get(&id).into_iter().flatten() {
            if let Some(change) = Change::between(stored, &batch.events[place]) {
                self.changes.insert(place, change);
            }
        }
        self.ids.insert(id);
    }

    /// Whether an event with this id (as an `{_id}` document) is stored.
    pub fn has(&self, id: &[u8]) -> bool {
        self.ids.contains(id)
    }

    /// How the event at this place of the batch differs from the stored one.
    pub(super) fn change(&self, place: usize) -> Option<&Change> {
        self.changes.get(&place)
    }
}

impl Change {
    /// How a repeat differs from the event that is stored. Where it came from is no part of its contents, and neither is a field that only
    /// one of them has: a schema may have got or lost it since.
    pub(super) fn between(stored: &RawDocument, repeat: &BatchEvent) -> Option<Self> {
        let differs = |(name, value): &(&bson::raw::CStr, bson::RawBsonRef<'_>)| {
            let is_content = name.as_str() != source::FIELD;
            is_content && matches!(repeat.document.get(name.as_str()), Ok(Some(other)) if other != *value)
        };
        let (field, _) = stored.iter().flatten().find(differs)?;
        let id = repeat.document.get("_id").ok().flatten()?;
        let id = bson::Bson::try_from(id).map(|id| id.to_string()).unwrap_or_default();
        Some(Self { partition: repeat.partition, id, field: field.as_str().to_owned() })
    }
}
