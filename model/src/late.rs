//! The late side output: events that are late for all of their windows, stored and marked, and part of no rollup.
//!
//! Such an event is stored in `events` like any other, so its id stays unique and the counts add up. The mark is a member of `src`,
//! a name that no field of a schema can have.

use crate::layout::source;
use bson::raw::{RawBsonRef, RawDocument, RawDocumentBuf, cstr};

/// What happens to a record that arrives after all of its windows have closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LateRecords {
    /// It corrects its rows: they count it as late and get a new revision.
    Correct,
    /// It goes to the late side output; closed windows do not change.
    SetAside,
}

/// Returns the event with the mark.
///
/// ```
/// use model::late;
/// let event = bson::rawdoc! { "_id": 1, "src": { "partition": 0, "offset": 7_i64 } };
/// let marked = late::set_aside(&event);
/// assert!(late::is_set_aside(&marked) && !late::is_set_aside(&event));
/// assert_eq!(marked.get_document("src")?.get_i64("offset")?, 7);
/// # Ok::<(), bson::error::Error>(())
/// ```
pub fn set_aside(event: &RawDocument) -> RawDocumentBuf {
    let mut marked = RawDocumentBuf::new();
    for element in event {
        let (name, value) = element.expect("an event is marked just after it was decoded, so it is readable");
        match value {
            RawBsonRef::Document(from) if name == source::FIELD => {
                let mut from = from.to_owned();
                from.append(cstr!("late"), true);
                marked.append(name, RawBsonRef::Document(&from));
            }
            value => marked.append(name, value),
        }
    }
    marked
}

/// Returns true if a stored event has the mark.
pub fn is_set_aside(event: &RawDocument) -> bool {
    let source = event.get_document(source::FIELD);
    source.is_ok_and(|source| source.get_bool(source::LATE).unwrap_or(false))
}
