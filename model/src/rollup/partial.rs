//! Partial states: the changes of a batch to the groups of one state table, stored until the publisher merges them into rows.
//!
//! A document contains many groups: `{_id: {t: table, i: ObjectId}, groups: [{w: window's start, k: [key …], s: state}, …]}`. Entries of
//! sessions also have an end, `e`. A batch writes a few documents in its transaction, however many groups it changes. The publisher
//! merges all of them, writes each changed row once, and deletes the documents. A batch with many groups sorts them into documents by
//! [slice](SLICES), `{…, slice: 3, groups: […]}`, so a publisher that cannot hold all groups reads each document only once.

use super::{Group, Groups, KeyValue, State, StateTable};
use crate::state::StateError;
use crate::window::Window;
use bson::raw::{RawArray, RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use std::collections::hash_map::Entry;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Size in bytes at which a document is closed: far below MongoDB's 16 MB, and small in memory.
const DOCUMENT_BYTES: usize = 1 << 20;

/// Number of slices. The hash of a group determines its slice.
pub const SLICES: u8 = 8;

/// A batch with fewer groups of a table writes them to one document.
const FEW: usize = 1_000;

/// The partial states of one document.
#[derive(Debug, Clone)]
pub struct PartialStates {
    /// The slice of all groups, if it is the same.
    slice: Option<u8>,
    groups: RawArrayBuf,
}

impl PartialStates {
    /// Appends `slice` and `groups` to a document.
    pub fn append_to(&self, document: &mut RawDocumentBuf) {
        if let Some(slice) = self.slice {
            document.append(cstr!("slice"), i32::from(slice));
        }
        document.append(cstr!("groups"), RawBsonRef::Array(&self.groups));
    }
}

/// Splits states into as many documents as needed.
pub fn write(table: &StateTable, groups: &Groups) -> Vec<PartialStates> {
    write_slices(table, groups, groups.len() >= FEW)
}

fn write_slices(table: &StateTable, groups: &Groups, sliced: bool) -> Vec<PartialStates> {
    let mut open = vec![RawArrayBuf::new(); if sliced { usize::from(SLICES) } else { 1 }];
    let mut documents = Vec::new();
    let partial_states = |slice: u8, groups| PartialStates { slice: sliced.then_some(slice), groups };
    for (group, state) in groups {
        let key = group.key_array();
        let mut entry = RawDocumentBuf::new();
        entry.append(cstr!("w"), bson::DateTime::from_millis(group.window.start));
        if table.has_sessions() {
            entry.append(cstr!("e"), bson::DateTime::from_millis(group.window.end));
        }
        entry.append(cstr!("k"), RawBsonRef::Array(&key));
        entry.append(cstr!("s"), RawBsonRef::Document(&state.to_document()));
        let slice = if sliced { slice_of(group.window.start, &key) } else { 0 };
        let open = &mut open[usize::from(slice)];
        open.push(RawBsonRef::Document(&entry));
        if open.as_bytes().len() >= DOCUMENT_BYTES {
            documents.push(partial_states(slice, std::mem::take(open)));
        }
    }
    let rest = (0..).zip(open).filter(|(_, groups)| !groups.is_empty());
    documents.extend(rest.map(|(slice, groups)| partial_states(slice, groups)));
    documents
}

/// Returns the slice of all groups of a document, if it is the same.
pub fn slice_of_all(document: &RawDocument) -> Option<u8> {
    let slice = document.get("slice").ok().flatten()?.as_i32()?;
    u8::try_from(slice).ok()
}

/// Returns the slice of a group. Stored documents depend on it, so the computation must never change.
fn slice_of(window_start: i64, key: &RawArray) -> u8 {
    let hash = xxh3_64_with_seed(key.as_bytes(), window_start.cast_unsigned());
    u8::try_from(hash % u64::from(SLICES)).expect("less than a u8")
}

/// Adds the states of one document to `sum`.
///
/// # Errors
/// [`StateError`] if the document was not written by [`write`](fn@write) for this table.
pub fn combine(table: &StateTable, document: &RawDocument, sum: &mut Groups) -> Result<(), StateError> {
    for entry in entries(table, document)? {
        let entry = entry?;
        add(sum, entry.group()?, entry.state()?);
    }
    Ok(())
}

/// Groups merged from partial states within a memory limit: all groups, or those of one slice.
///
/// The other slices are [separate parts](Self::next), merged from the same documents. So each group is merged once and completely.
#[derive(Debug)]
pub struct Part {
    groups: Groups,
    bytes: usize,
    most: usize,
    slice: Option<u8>,
}

impl Part {
    /// Creates the first part. It is limited to the first slice if all groups would take more than about `most` bytes.
    pub fn first(most: usize) -> Self {
        Self { groups: Groups::default(), bytes: 0, most, slice: None }
    }

    /// Returns the part of the next slice; `None` if this was the last one or had all groups.
    pub fn next(&self) -> Option<Self> {
        let slice = self.slice.map(|slice| slice + 1).filter(|&slice| slice < SLICES)?;
        Some(Self { slice: Some(slice), ..Self::first(self.most) })
    }

    /// Returns true if a document with this slice may contain groups of the part.
    pub fn takes(&self, slice: Option<u8>) -> bool {
        self.slice.zip(slice).is_none_or(|(ours, theirs)| ours == theirs)
    }

    /// Merges the states of one document that belong to this part.
    ///
    /// # Errors
    /// The errors of [`combine`].
    pub fn combine(&mut self, table: &StateTable, document: &RawDocument) -> Result<(), StateError> {
        if !self.takes(slice_of_all(document)) {
            return Ok(());
        }
        for entry in entries(table, document)? {
            let entry = entry?;
            if let Some(slice) = self.slice
                && entry.slice() != slice
            {
                continue;
            }
            self.bytes += add(&mut self.groups, entry.group()?, entry.state()?);
            if self.bytes > self.most && self.slice.is_none() {
                self.slice = Some(0);
                self.groups.retain(|group, _| slice_of(group.window.start, &group.key_array()) == 0);
            }
        }
        Ok(())
    }

    /// The groups.
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Returns the groups and empties the part.
    pub fn take_groups(&mut self) -> Groups {
        std::mem::take(&mut self.groups)
    }
}

/// Returns the approximate memory use of a group in bytes.
pub fn size(group: &Group, state: &State) -> usize {
    group.size() + state.size()
}

/// Merges a state into a group; returns the growth in bytes.
fn add(sum: &mut Groups, group: Group, state: State) -> usize {
    match sum.entry(group) {
        Entry::Occupied(mut sum) => {
            let before = sum.get().size();
            sum.get_mut().combine(&state);
            sum.get().size().saturating_sub(before)
        }
        Entry::Vacant(first) => {
            let size = size(first.key(), &state);
            first.insert(state);
            size
        }
    }
}

/// The stored state of one group.
struct PartialState<'a> {
    table: &'a StateTable,
    window: Window,
    key: &'a RawArray,
    state: &'a RawDocument,
}

fn entries<'a>(
    table: &'a StateTable,
    document: &'a RawDocument,
) -> Result<impl Iterator<Item = Result<PartialState<'a>, StateError>>, StateError> {
    let entries = document.get_array("groups").map_err(|error| StateError(error.to_string()))?;
    Ok(entries.into_iter().map(move |entry| {
        let entry = entry.map_err(|error| StateError(error.to_string()))?;
        let partial = entry.as_document().and_then(|stored| PartialState::read(table, stored));
        partial.ok_or_else(|| StateError(format!("{entry:?} is not the state of a group")))
    }))
}

impl<'a> PartialState<'a> {
    /// Reads the fields in one pass, because a publisher reads every entry of every batch.
    fn read(table: &'a StateTable, stored: &'a RawDocument) -> Option<Self> {
        let (mut start, mut end, mut key, mut state) = (None, None, None, None);
        for field in stored {
            match field.ok()? {
                (name, RawBsonRef::DateTime(moment)) if name == "w" => start = Some(moment.timestamp_millis()),
                (name, RawBsonRef::DateTime(moment)) if name == "e" => end = Some(moment.timestamp_millis()),
                (name, RawBsonRef::Array(values)) if name == "k" => key = Some(values),
                (name, RawBsonRef::Document(parts)) if name == "s" => state = Some(parts),
                _ => {}
            }
        }
        let start = start?;
        let window = if table.has_sessions() { Window { start, end: end? } } else { table.window_at(start) };
        Some(Self { table, window, key: key?, state: state? })
    }

    fn slice(&self) -> u8 {
        slice_of(self.window.start, self.key)
    }

    fn group(&self) -> Result<Group, StateError> {
        let unreadable = || StateError(format!("{:?} is not a key of {}", self.key, self.table.id()));
        Ok(Group { window: self.window, key: key(self.key).ok_or_else(unreadable)? })
    }

    fn state(&self) -> Result<State, StateError> {
        State::read(self.table, self.state)
    }
}

/// Reads the values of a stored key; `None` if a type cannot be a key.
pub fn key(stored: &RawArray) -> Option<Box<[KeyValue]>> {
    stored.into_iter().map(|value| KeyValue::from_bson(value.ok()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{IMDB_REVIEW, Schema};
    use proptest::prelude::*;

    /// A window, a movie and how many reviews.
    type Entry = (i64, String, i64);

    fn documents(table: &StateTable, entries: &[Entry], sliced: bool) -> Vec<RawDocumentBuf> {
        let mut groups = Groups::default();
        for (month, movie, count) in entries {
            let mut state = State::empty(table);
            state.count = *count;
            add(&mut groups, group(table, *month, movie), state);
        }
        let written = write_slices(table, &groups, sliced).into_iter().map(|states| {
            let mut document = RawDocumentBuf::new();
            states.append_to(&mut document);
            document
        });
        written.collect()
    }

    fn group(table: &StateTable, month: i64, movie: &str) -> Group {
        const DAY: i64 = 86_400_000;
        let mut windows = Vec::new();
        table.window.for_each(month * 31 * DAY, |window| windows.push(window));
        Group { window: windows[0], key: Box::new([KeyValue::Str(movie.into())]) }
    }

    fn batches() -> impl Strategy<Value = Vec<(Vec<Entry>, bool)>> {
        let entry = (0..5_i64, "[a-d]{1,3}", 1..9_i64);
        prop::collection::vec((prop::collection::vec(entry, 0..30), any::<bool>()), 0..8)
    }

    #[test]
    fn large_groups_are_shared_among_documents() {
        let schema = Schema::parse("imdb-review", IMDB_REVIEW).expect("the preset is valid");
        let rollups = schema.rollups();
        let table = &rollups.tables()[rollups.find("movies_by_month").expect("of the preset").table()];
        // Keys of 4 KB, as long as they may be.
        let entries: Vec<Entry> = (0..1_000).map(|n| (0, format!("{n:04000}"), 1)).collect();
        for sliced in [false, true] {
            let documents = documents(table, &entries, sliced);
            assert!(documents.iter().all(|document| document.as_bytes().len() < DOCUMENT_BYTES + 8_192));
            assert_eq!(documents.len(), if sliced { usize::from(SLICES) } else { 4 });
        }
    }

    proptest! {
        /// Whatever fits into memory, the parts have each group once and whole.
        #[test]
        fn parts_are_the_whole(batches in batches(), most in 0..20_000_usize) {
            let schema = Schema::parse("imdb-review", IMDB_REVIEW).expect("the preset is valid");
            let rollups = schema.rollups();
            let table = &rollups.tables()[rollups.find("movies_by_month").expect("of the preset").table()];
            let documents = batches.iter().flat_map(|(entries, sliced)| documents(table, entries, *sliced));
            let documents: Vec<_> = documents.collect();
            let mut whole = Groups::default();
            for document in &documents {
                combine(table, document, &mut whole).expect("just written");
            }
            let (mut parts, mut part) = (Groups::default(), Some(Part::first(most)));
            while let Some(mut current) = part {
                for document in &documents {
                    current.combine(table, document).expect("just written");
                }
                prop_assert!(current.slice.is_some() || current.bytes <= most);
                part = current.next();
                for (group, state) in current.take_groups() {
                    prop_assert!(parts.insert(group, state).is_none(), "a group of two parts");
                }
            }
            prop_assert_eq!(parts, whole);
        }
    }

    #[test]
    fn slices_never_change() {
        let schema = Schema::parse("imdb-review", IMDB_REVIEW).expect("the preset is valid");
        let table = &schema.rollups().tables()[0];
        let slices = ["a", "b", "c", "d"].map(|movie| {
            let group = group(table, 12, movie);
            slice_of(group.window.start, &group.key_array())
        });
        assert_eq!(slices, [6, 7, 6, 0], "stored documents are of these slices");
    }
}
