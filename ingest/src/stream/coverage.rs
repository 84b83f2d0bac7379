//! Whether the stored events are all that were counted. Retention or a delete may have taken some, and a rollup that is counted again
//! from the others would lose them.
//!
//! The positions say how many events were ever stored. What was missing when a table was last counted from the stored events is in its
//! entry, so that a loss that the user has accepted is not one again.

use super::entry::TableEntry;
use crate::lane::Backoff;
use crate::store::{Store, StoreError, error_code};
use bson::{Bson, DateTime, Document, RawDocumentBuf, doc};
use futures_util::TryStreamExt;
use model::late::is_set_aside;
use model::layout::{CatalogEntry, EVENTS, OFFSETS, ROLLUP_CATALOG, ROLLUP_TABLES, column};
use model::rollup::Rollup;
use model::schema::{FieldKind, Schema};
use model::window::{Timeline, WindowKind, WindowSpec};
use mongodb::error::Error;
use mongodb::options::Hint;
use std::collections::BTreeMap;

/// The server's code for a snapshot read of a collection that was changed a moment ago.
const SNAPSHOT_UNAVAILABLE: i32 = 246;
/// So often a snapshot is read again: for some seconds.
const TRIES: usize = 8;

/// How many events were stored, and how many still are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Coverage {
    /// Events that the positions have counted.
    pub(super) counted: i64,
    /// Events that are there.
    pub(super) stored: i64,
}

impl Coverage {
    /// Both at one moment, so that batches that commit meanwhile are in both or in neither.
    pub(super) async fn read(store: &Store) -> Result<Self, Error> {
        let mut backoff = Backoff::default();
        for _ in 0..TRIES {
            match Self::read_snapshot(store).await {
                Err(error) if error_code(&error) == Some(SNAPSHOT_UNAVAILABLE) => backoff.wait().await,
                read => return read,
            }
        }
        Self::read_snapshot(store).await
    }

    async fn read_snapshot(store: &Store) -> Result<Self, Error> {
        let mut session = store.client().start_session().snapshot(true).await?;
        let offsets = store.collection::<Document>(OFFSETS);
        let positions = offsets.find(doc! {}).projection(doc! { "counts.stored": 1 });
        let mut positions = positions.session(&mut session).await?;
        let positions: Vec<Document> = positions.stream(&mut session).try_collect().await?;
        let counts = positions.iter().filter_map(|position| position.get_document("counts").ok());
        let counted = counts.filter_map(|counts| counts.get_i64("stored").ok()).sum();
        let events = store.collection::<Document>(EVENTS);
        let stored = events.count_documents(doc! {}).hint(Hint::Keys(doc! { "_id": 1 }));
        let stored = stored.session(&mut session).await?;
        Ok(Self { counted, stored: i64::try_from(stored).unwrap_or(i64::MAX) })
    }

    /// Events that were counted and are gone.
    pub(super) fn missing(self) -> i64 {
        (self.counted - self.stored).max(0)
    }
}

/// Events that a rollup has counted and that are no longer stored.
#[derive(Debug)]
pub(crate) struct Lost {
    /// How many.
    pub(crate) events: i64,
    /// How many of them each window has counted, by its start; `None` if that cannot be told, as for sessions.
    pub(crate) windows: Option<BTreeMap<i64, i64>>,
}

/// What a rollup has counted and is no longer stored; `None` if every event is there.
///
/// # Errors
/// The driver's error.
pub(crate) async fn lost(store: &Store, schema: &Schema, rollup: &Rollup) -> Result<Option<Lost>, StoreError> {
    let missing = Coverage::read(store).await?.missing();
    if missing == 0 {
        return Ok(None);
    }
    let table = schema.rollups().tables()[rollup.table()].id();
    let table = store.collection::<TableEntry>(ROLLUP_TABLES).find_one(doc! { "_id": table }).await?;
    let stored = store.collection::<CatalogEntry>(ROLLUP_CATALOG).find_one(doc! { "_id": rollup.name() }).await?;
    let Some((table, stored)) = table.zip(stored) else { return Ok(None) };
    // The rows were counted without those that were missing then.
    let events = missing - table.missing;
    if events <= 0 {
        return Ok(None);
    }
    Ok(Some(Lost { events, windows: lost_windows(store, schema, &table, &stored).await? }))
}

/// The windows that have fewer events now than `rollup` has counted, with how many fewer; `None` where that cannot be told.
pub(super) async fn lost_windows(
    store: &Store,
    schema: &Schema,
    table: &TableEntry,
    rollup: &CatalogEntry,
) -> Result<Option<BTreeMap<i64, i64>>, StoreError> {
    let (Some(carrier), Some(windows)) = (&table.carrier, windows_of(schema, rollup)) else { return Ok(None) };
    let mut left = counted(store, carrier).await?;
    let time = schema.event_time();
    let wanted = doc! { time.path(): 1, "src.late": 1 };
    let mut events = store.collection::<RawDocumentBuf>(EVENTS).find(doc! {}).projection(wanted).await?;
    while events.advance().await? {
        let event = events.current();
        let Some(at) = time.value_in(event).and_then(|at| at.as_datetime()).filter(|_| !is_set_aside(event)) else {
            continue;
        };
        windows.for_each(at.timestamp_millis(), |window| {
            left.entry(window.start).and_modify(|count| *count -= 1);
        });
    }
    left.retain(|_, count| *count > 0);
    Ok(Some(left))
}

/// The windows of a rollup as the catalog describes them. Sessions are none of a time alone.
fn windows_of(schema: &Schema, rollup: &CatalogEntry) -> Option<WindowSpec> {
    let timeline = match schema.event_time().kind {
        FieldKind::Date(_) => Timeline::Civil,
        _ => Timeline::Zoned(jiff::tz::TimeZone::get(&rollup.time_zone).ok()?),
    };
    let kind = WindowKind::parse(&rollup.window).ok().filter(|kind| !matches!(kind, WindowKind::Session { .. }))?;
    Some(WindowSpec::new(kind, timeline))
}

/// Events that the rows of a table have counted, by the start of the window.
async fn counted(store: &Store, carrier: &str) -> Result<BTreeMap<i64, i64>, StoreError> {
    let count = format!("${}.count", column::STATE);
    let pipeline = [
        doc! { "$group": { "_id": "$_id.w", "events": { "$sum": { "$convert": { "input": count, "to": "long", "onError": 0_i64, "onNull": 0_i64 } } } } },
    ];
    let windows = store.collection::<Document>(carrier).aggregate(pipeline).await?;
    let windows: Vec<Document> = windows.try_collect().await?;
    let count = |window: &Document| {
        let start = window.get("_id").and_then(Bson::as_datetime)?;
        Some((start.timestamp_millis(), window.get_i64("events").ok()?))
    };
    Ok(windows.iter().filter_map(count).collect())
}

/// The start of a window, as a person reads it.
pub(crate) fn label(start: i64) -> String {
    let text = DateTime::from_millis(start).try_to_rfc3339_string().unwrap_or_else(|_| start.to_string());
    text.strip_suffix("T00:00:00Z").unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_events_than_were_counted_are_no_loss() {
        assert_eq!(Coverage { counted: 5_000, stored: 3_333 }.missing(), 1_667);
        assert_eq!(Coverage { counted: 5, stored: 5 }.missing(), 0);
        assert_eq!(Coverage { counted: 0, stored: 5 }.missing(), 0, "positions were removed by hand");
    }

    #[test]
    fn windows_are_named_by_their_start() {
        assert_eq!(label(0), "1970-01-01");
        assert_eq!(label(900_000), "1970-01-01T00:15:00Z");
    }
}
