//! Partial states: what a batch adds to the groups of one state table, as it is stored until it is combined into the rows.
//!
//! One document holds many groups: `{_id: {t: table, i: ObjectId}, groups: [{w: window's start, k: [key …], s: state}, …]}`; the entry of
//! a session has its end as `e` too. A batch
//! writes a few of them in its transaction, however many groups it changes; the publisher combines all that wait, writes each
//! changed row once, and removes them.

use super::{Group, Groups, KeyValue, State, StateTable};
use crate::state::StateError;
use crate::window::Window;
use bson::DateTime;
use bson::raw::{RawArray, RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use std::collections::hash_map::Entry;

/// A document is closed when it has reached this size; far below MongoDB's 16 MB, and little to hold in memory at once.
const DOCUMENT_BYTES: usize = 1 << 20;

/// The `groups` of the documents that hold these states.
pub fn write(table: &StateTable, groups: &Groups) -> Vec<RawArrayBuf> {
    let mut documents = Vec::new();
    let mut open = RawArrayBuf::new();
    for (group, state) in groups {
        let mut entry = RawDocumentBuf::new();
        entry.append(cstr!("w"), bson::DateTime::from_millis(group.window.start));
        if table.has_sessions() {
            entry.append(cstr!("e"), bson::DateTime::from_millis(group.window.end));
        }
        entry.append(cstr!("k"), RawBsonRef::Array(&group.key_array()));
        entry.append(cstr!("s"), RawBsonRef::Document(&state.to_document()));
        open.push(RawBsonRef::Document(&entry));
        if open.as_bytes().len() >= DOCUMENT_BYTES {
            documents.push(std::mem::take(&mut open));
        }
    }
    if !open.is_empty() {
        documents.push(open);
    }
    documents
}

/// Adds the states of one document to `sum`.
///
/// # Errors
/// [`StateError`] where the document is not what [`write`](fn@write) makes of this table's states.
pub fn combine(table: &StateTable, document: &RawDocument, sum: &mut Groups) -> Result<(), StateError> {
    let entries = document.get_array("groups").map_err(|error| StateError(error.to_string()))?;
    for entry in entries {
        let (group, state) = read(table, entry.map_err(|error| StateError(error.to_string()))?)?;
        match sum.entry(group) {
            Entry::Occupied(mut sum) => sum.get_mut().combine(&state),
            Entry::Vacant(first) => {
                first.insert(state);
            }
        }
    }
    Ok(())
}

fn read(table: &StateTable, entry: RawBsonRef<'_>) -> Result<(Group, State), StateError> {
    let unreadable = || StateError(format!("{entry:?} is not the state of a group"));
    let entry = entry.as_document().ok_or_else(unreadable)?;
    let part = |name: &str| entry.get(name).ok().flatten().ok_or_else(unreadable);
    let moment = |name: &str| part(name)?.as_datetime().map(DateTime::timestamp_millis).ok_or_else(unreadable);
    let start = moment("w")?;
    let window = if table.has_sessions() { Window { start, end: moment("e")? } } else { table.window_at(start) };
    let key = key(part("k")?.as_array().ok_or_else(unreadable)?).ok_or_else(unreadable)?;
    let state = State::read(table, part("s")?.as_document().ok_or_else(unreadable)?)?;
    Ok((Group { window, key }, state))
}

/// The values of a stored key; `None` where one has a type that a key cannot have.
pub fn key(stored: &RawArray) -> Option<Box<[KeyValue]>> {
    stored.into_iter().map(|value| KeyValue::from_bson(value.ok()?)).collect()
}
