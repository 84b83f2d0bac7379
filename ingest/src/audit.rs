//! Proves invariant I6: every rollup equals a `GROUP BY` over the stored events, computed by MongoDB, not by this program.
//!
//! Both sides are read in the order of `_id` and compared row by row in constant memory. Whole numbers must be equal, also beyond 64 bits;
//! numbers with a fraction may differ by rounding (one part in a billion, and what the size of the values takes), distinct counts beyond
//! 512 by the error of their sketch. Where the values are so large that a sum of them can leave the floats, a missing sum, mean or
//! deviation is no difference.
//!
//! Events that were removed, by retention or a delete, are counted in rows all the same: the rows of their windows cannot be compared, and
//! are reported as unchecked.

mod compare;
mod gone;
mod pipeline;
mod range;

pub use range::{Range, RangeError};

use crate::error::IngestError;
use crate::publish;
use crate::store::Store;
use crate::stream::{self, TableEntry, description};
use bson::{Bson, Document, doc};
use compare::Expectation;
use futures_util::TryStreamExt;
use gone::Gone;
use model::layout::{CatalogEntry, EVENTS, ROLLUP_CATALOG, ROLLUP_STATES, ROLLUP_TABLES};
use model::rollup::Rollup;
use model::schema::Schema;
use mongodb::Cursor;
use mongodb::error::Error;
use serde::Serialize;
use std::cmp::Ordering;

/// Differences that are kept for a person to read; all are counted.
const SHOWN: usize = 10;

/// What an audit of one rollup found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct AuditReport {
    /// The rollup.
    pub rollup: String,
    /// Rows compared, without the unchecked ones.
    pub rows: u64,
    /// Rows that differ, are missing, or should not be there.
    pub differences: u64,
    /// Those of them that are missing.
    pub missing: u64,
    /// Those of them that should not be there.
    pub unexpected: u64,
    /// The first differences, each a sentence.
    pub examples: Vec<String>,
    /// Documents of partial states that wait to be combined into rows; differences are expected then.
    pub unpublished: u64,
    /// Rows that were not compared, or differ, because events that they may have counted are no longer stored.
    pub unchecked: u64,
    /// The start of the first window with such rows; `None` if it is not known which windows these are.
    pub unchecked_from: Option<String>,
    /// The start of the last one.
    pub unchecked_to: Option<String>,
    /// Events that the rollup has counted and that are no longer stored.
    pub gone: i64,
    /// The table is being made anew, so that its rows are not those of the schema yet: nothing was compared.
    pub rebuilding: bool,
}

impl AuditReport {
    fn differs(&mut self, sentence: String) {
        self.differences += 1;
        if self.examples.len() < SHOWN {
            self.examples.push(sentence);
        }
    }

    fn skips(&mut self, row: &Document) {
        self.unchecked += 1;
        let window = row.get_document("_id").ok().and_then(|id| id.get_datetime("w").ok());
        let window = window.map(|start| stream::label(start.timestamp_millis()));
        if self.unchecked_from.is_none() {
            self.unchecked_from.clone_from(&window);
        }
        self.unchecked_to = window;
    }

    /// Whether every row is proved to be right.
    pub fn holds(&self) -> bool {
        self.differences == 0 && self.unchecked == 0 && !self.rebuilding
    }
}

/// Compares the rows of one rollup whose windows begin in `range` with the events.
///
/// # Errors
/// [`IngestError::Outside`] where MongoDB does not answer.
pub async fn audit(store: &Store, schema: &Schema, rollup: &Rollup, range: Range) -> Result<AuditReport, IngestError> {
    let outside = |error: Error| store.outside(&error);
    let mut report = AuditReport { rollup: rollup.name().to_owned(), ..AuditReport::default() };
    report.rebuilding = is_rebuilding(store, schema, rollup).await.map_err(outside)?;
    if report.rebuilding {
        return Ok(report);
    }
    report.unpublished = unpublished(store, schema, rollup).await.map_err(outside)?;
    let lost = stream::lost(store, schema, rollup).await.map_err(|error| store.explain(&error))?;
    report.gone = lost.as_ref().map_or(0, |lost| lost.events);
    let gone = Gone::new(&schema.rollups().tables()[rollup.table()], lost.as_ref());
    compare(store, schema, rollup, range, &gone, &mut report).await.map_err(outside)?;
    Ok(report)
}

/// Whether the rows that are read are still those of another definition.
async fn is_rebuilding(store: &Store, schema: &Schema, rollup: &Rollup) -> Result<bool, Error> {
    let table = schema.rollups().tables()[rollup.table()].id();
    let entry = store.collection::<TableEntry>(ROLLUP_TABLES).find_one(doc! { "_id": table }).await?;
    let Some(entry) = entry.filter(|entry| entry.stage.is_some()) else { return Ok(false) };
    let wanted = description(schema, rollup, entry.built, 0);
    let stored = store.collection::<CatalogEntry>(ROLLUP_CATALOG).find_one(doc! { "_id": rollup.name() }).await?;
    Ok(!stored
        .is_some_and(|stored| stored.definition_hash == wanted.definition_hash && stored.columns == wanted.columns))
}

async fn unpublished(store: &Store, schema: &Schema, rollup: &Rollup) -> Result<u64, Error> {
    let table = &schema.rollups().tables()[rollup.table()];
    store.collection::<Document>(ROLLUP_STATES).count_documents(publish::waiting_for(table)).await
}

async fn compare(
    store: &Store,
    schema: &Schema,
    rollup: &Rollup,
    range: Range,
    gone: &Gone,
    report: &mut AuditReport,
) -> Result<(), Error> {
    let expectation = Expectation::new(&schema.rollups().tables()[rollup.table()], rollup);
    let groups = store
        .collection::<Document>(EVENTS)
        .aggregate(pipeline::group_by(schema, rollup, range))
        .allow_disk_use(true)
        .await?;
    let rows = store.collection::<Document>(rollup.name()).find(range.of_rows()).sort(doc! { "_id": 1 }).await?;
    let mut expected = ExpectedRows { groups, expectation: &expectation, gone, window: Vec::new(), next: None };
    let mut rows = Rows(rows);
    let (mut want, mut have) = (expected.next().await?, rows.next(gone, report).await?);
    loop {
        let order = match (&want, &have) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), Some(have)) if !compare::has_row_id(have) => Ordering::Greater,
            (Some(want), Some(have)) => compare::order(want, have),
        };
        report.rows += 1;
        match order {
            Ordering::Less => {
                report.missing += gone.note(report, format!("missing: {}", compare::name(want.as_ref())));
                want = expected.next().await?;
            }
            Ordering::Greater => {
                report.unexpected +=
                    gone.note(report, format!("should not be there: {}", compare::name(have.as_ref())));
                have = rows.next(gone, report).await?;
            }
            Ordering::Equal => {
                if let (Some(want), Some(have)) = (&want, &have)
                    && let Some(difference) = expectation.difference(want, have)
                {
                    gone.note(report, format!("{}: {difference}", compare::name(Some(have))));
                }
                (want, have) = (expected.next().await?, rows.next(gone, report).await?);
            }
        }
    }
}

struct Rows(Cursor<Document>);

impl Rows {
    /// The next row that can be compared; those before it are counted as unchecked.
    async fn next(&mut self, gone: &Gone, report: &mut AuditReport) -> Result<Option<Document>, Error> {
        loop {
            match self.0.try_next().await? {
                Some(row) if gone.has(&row) => report.skips(&row),
                row => return Ok(row),
            }
        }
    }
}

/// The rows that should be there: the groups themselves, or the first of each window where the rollup publishes only those.
struct ExpectedRows<'a> {
    groups: Cursor<Document>,
    expectation: &'a Expectation,
    gone: &'a Gone,
    /// Ranked rows of the current window, last one first.
    window: Vec<Document>,
    /// The first group of the window after it.
    next: Option<Document>,
}

impl ExpectedRows<'_> {
    /// The next row of a window that has all of its events.
    async fn next(&mut self) -> Result<Option<Document>, Error> {
        loop {
            match self.next_of_all().await? {
                Some(row) if self.gone.has(&row) => {}
                row => return Ok(row),
            }
        }
    }

    async fn next_of_all(&mut self) -> Result<Option<Document>, Error> {
        if !self.expectation.is_ranked() {
            return Ok(self.groups.try_next().await?.map(|group| self.expectation.row(group)));
        }
        if self.window.is_empty() {
            let groups = self.next_window().await?;
            self.window = self.expectation.ranked(groups);
            self.window.reverse();
        }
        Ok(self.window.pop())
    }

    async fn next_window(&mut self) -> Result<Vec<Document>, Error> {
        let mut groups = Vec::new();
        let first = match self.next.take() {
            Some(group) => Some(group),
            None => self.groups.try_next().await?,
        };
        let Some(first) = first else { return Ok(groups) };
        let window = window_of(&first);
        groups.push(first);
        while let Some(group) = self.groups.try_next().await? {
            if window_of(&group) != window {
                self.next = Some(group);
                break;
            }
            groups.push(group);
        }
        Ok(groups)
    }
}

fn window_of(group: &Document) -> Option<Bson> {
    group.get_document("_id").ok()?.get("w").cloned()
}
