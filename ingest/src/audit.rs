//! Proves invariant I6: every rollup equals a `GROUP BY` over the stored events, computed by MongoDB, not by this program.
//!
//! Both sides are read in the order of `_id` and compared row by row in constant memory. Whole numbers must be equal; numbers with a
//! fraction may differ by rounding (one part in a billion), distinct counts beyond 512 by the error of their sketch.

mod compare;
mod pipeline;

use crate::error::IngestError;
use crate::publish;
use crate::store::Store;
use bson::{Bson, Document, doc};
use compare::Expectation;
use futures_util::TryStreamExt;
use model::layout::{EVENTS, ROLLUP_STATES};
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
    /// Rows compared.
    pub rows: u64,
    /// Rows that differ, are missing, or should not be there.
    pub differences: u64,
    /// The first differences, each a sentence.
    pub examples: Vec<String>,
    /// Documents of partial states that wait to be combined into rows; differences are expected then.
    pub unpublished: u64,
}

impl AuditReport {
    fn differs(&mut self, sentence: String) {
        self.differences += 1;
        if self.examples.len() < SHOWN {
            self.examples.push(sentence);
        }
    }
}

/// Compares one rollup with the events.
///
/// # Errors
/// [`IngestError::Outside`] where MongoDB does not answer.
pub async fn audit(store: &Store, schema: &Schema, rollup: &Rollup) -> Result<AuditReport, IngestError> {
    let mut report = AuditReport { rollup: rollup.name().to_owned(), ..AuditReport::default() };
    report.unpublished = unpublished(store, schema, rollup).await.map_err(|error| store.outside(&error))?;
    compare(store, schema, rollup, &mut report).await.map_err(|error| store.outside(&error))?;
    Ok(report)
}

async fn unpublished(store: &Store, schema: &Schema, rollup: &Rollup) -> Result<u64, Error> {
    let table = &schema.rollups().tables()[rollup.table()];
    store.collection::<Document>(ROLLUP_STATES).count_documents(publish::waiting_for(table)).await
}

async fn compare(store: &Store, schema: &Schema, rollup: &Rollup, report: &mut AuditReport) -> Result<(), Error> {
    let expectation = Expectation::new(&schema.rollups().tables()[rollup.table()], rollup);
    let groups =
        store.collection::<Document>(EVENTS).aggregate(pipeline::group_by(schema, rollup)).allow_disk_use(true).await?;
    let rows = store.collection::<Document>(rollup.name()).find(doc! {}).sort(doc! { "_id": 1 }).await?;
    let mut expected = ExpectedRows { groups, expectation: &expectation, window: Vec::new(), next: None };
    let mut rows = Rows(rows);
    let (mut want, mut have) = (expected.next().await?, rows.next().await?);
    loop {
        let order = match (&want, &have) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(want), Some(have)) => compare::order(want, have),
        };
        report.rows += 1;
        match order {
            Ordering::Less => {
                report.differs(format!("missing: {}", compare::name(want.as_ref())));
                want = expected.next().await?;
            }
            Ordering::Greater => {
                report.differs(format!("should not be there: {}", compare::name(have.as_ref())));
                have = rows.next().await?;
            }
            Ordering::Equal => {
                if let (Some(want), Some(have)) = (&want, &have)
                    && let Some(difference) = expectation.difference(want, have)
                {
                    report.differs(format!("{}: {difference}", compare::name(Some(have))));
                }
                (want, have) = (expected.next().await?, rows.next().await?);
            }
        }
    }
}

struct Rows(Cursor<Document>);

impl Rows {
    async fn next(&mut self) -> Result<Option<Document>, Error> {
        self.0.try_next().await
    }
}

/// The rows that should be there: the groups themselves, or the first of each window where the rollup publishes only those.
struct ExpectedRows<'a> {
    groups: Cursor<Document>,
    expectation: &'a Expectation,
    /// Ranked rows of the current window, last one first.
    window: Vec<Document>,
    /// The first group of the window after it.
    next: Option<Document>,
}

impl ExpectedRows<'_> {
    async fn next(&mut self) -> Result<Option<Document>, Error> {
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
