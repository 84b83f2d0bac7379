//! Windows that cannot be audited, because events that they have counted are no longer stored.

use super::AuditReport;
use crate::stream::Lost;
use bson::{DateTime, Document};
use model::rollup::StateTable;
use model::window::WindowKind;
use std::collections::BTreeSet;

/// Which rows cannot be compared with their events.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// Those of windows that begin then.
    Windows(BTreeSet<DateTime>),
    /// Those that differ: it is not known which windows have lost events.
    Unknown,
}

impl Gone {
    /// Of a table that has lost events.
    pub(super) fn new(table: &StateTable, lost: Option<&Lost>) -> Self {
        let Some(lost) = lost else { return Self::Windows(BTreeSet::new()) };
        let Some(windows) = &lost.windows else { return Self::Unknown };
        // More than what is gone can explain: then rows count events that never were, and are compared as they are.
        if windows.values().sum::<i64>() > lost.events.saturating_mul(windows_of_an_event(table)) {
            return Self::Windows(BTreeSet::new());
        }
        Self::Windows(windows.keys().copied().map(DateTime::from_millis).collect())
    }

    /// Whether this row, by the window in its `_id`, cannot be compared.
    pub(super) fn has(&self, row: &Document) -> bool {
        let Self::Windows(windows) = self else { return false };
        let id = row.get_document("_id");
        id.is_ok_and(|id| id.get_datetime("w").is_ok_and(|window| windows.contains(window)))
    }

    /// Notes a row that differs from its events; returns 1 if that is wrong, 0 if events that are gone may be the cause.
    pub(super) fn note(&self, report: &mut AuditReport, sentence: String) -> u64 {
        match self {
            Self::Windows(_) => {
                report.differs(sentence);
                1
            }
            Self::Unknown => {
                report.rows -= 1;
                report.unchecked += 1;
                0
            }
        }
    }
}

/// How many windows count an event at most.
fn windows_of_an_event(table: &StateTable) -> i64 {
    match table.window().kind() {
        WindowKind::Hopping(hopping) => (hopping.size() + hopping.step() - 1) / hopping.step(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::doc;
    use model::schema::{IMDB_REVIEW, Schema};
    use std::collections::BTreeMap;

    #[test]
    fn windows_are_left_out_as_far_as_what_is_gone_explains_them() {
        let schema = Schema::parse("imdb-review", IMDB_REVIEW).expect("the preset is valid");
        let table = &schema.rollups().tables()[0];
        let row = |start: i64| doc! { "_id": { "w": DateTime::from_millis(start), "k": [] } };
        let lost = |events: i64| Lost { events, windows: Some(BTreeMap::from([(0, 3), (86_400_000, 2)])) };
        for (lost, left_out) in [(Some(lost(5)), true), (Some(lost(9)), true), (Some(lost(4)), false), (None, false)] {
            let gone = Gone::new(table, lost.as_ref());
            assert_eq!([0, 86_400_000].map(|start| gone.has(&row(start))), [left_out; 2], "{lost:?}");
            assert!(!gone.has(&row(5)) && !gone.has(&doc! { "_id": "not a row" }));
        }
        assert_eq!(Gone::new(table, Some(&Lost { events: 1, windows: None })), Gone::Unknown);
    }
}
