//! From the plan that is stored to the plan of the schema.
//!
//! First, in one transaction, the stream's document gets the next number, and each table's entry what it needs. Then every position gets
//! the number, one by one, because a transaction over all of them would meet the batches of the workers again and again. It need not be
//! at one moment: an event is counted either by the worker that stores it under the new number and marks it, or by the rebuild, which
//! begins when no position has an older number.

use super::entry::{self, Stage, StoredStream, TableEntry, description, is_states_name, plan_of_next, states_name};
use super::standing::{Change, Need, Recovery, Standing};
use crate::error::IngestError;
use crate::lane::Backoff;
use crate::store::{Ground, Prospect, Standing as Ownership, Store, StoreError};
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt;
use model::layout::{
    CatalogEntry, DEAD_LETTERS, OFFSETS, OWNED_COLLECTIONS, ROLLUP_CATALOG, ROLLUP_STATES, ROLLUP_TABLES, STREAMS,
};
use model::rollup::StateTable;
use model::schema::Schema;
use mongodb::ClientSession;
use mongodb::error::{Error, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// MongoDB was there a moment ago; longer than this no election takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the user has agreed to, for one start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Consent {
    /// A schema that was replaced is put in force again.
    pub older_schema: bool,
    /// Rollups are counted again although events are missing that they have counted.
    pub lost_history: bool,
}

/// Makes the plan of this schema the one in force; returns its number.
///
/// The tables in `again` are counted anew although their definition is the same; a rebuild that is under way goes on. What was done
/// before a connection ended is not harmed by being done again.
///
/// # Errors
/// [`IngestError::Usage`] where the stored events cannot be read by this schema, the database holds another stream or collections that
/// this program did not create, or the user must agree to something; [`IngestError::Outside`] where MongoDB refuses, or does not
/// answer for a minute.
pub async fn prepare(
    store: &Store,
    schema: &Schema,
    again: &[&StateTable],
    consent: Consent,
) -> Result<i64, IngestError> {
    let (deadline, mut backoff) = (Instant::now() + PATIENCE, Backoff::default());
    loop {
        let error = match try_prepare(store, schema, again, consent).await {
            Ok(plan) => return Ok(plan),
            Err(Unprepared::Refused(error)) => return Err(error),
            Err(Unprepared::Failed(error)) => error,
        };
        match waits_for(&error) {
            _ if Instant::now() > deadline => return Err(store.explain(&error)),
            // Another worker that starts now, or a publisher that takes a lease, wrote the same documents; or a commit without an answer,
            // of this worker or a dead one, has left its transaction open.
            Prospect::Overtaken => store.release_abandoned().await,
            Prospect::Waits(obstacle) => tracing::warn!("waiting for {obstacle} ({error})"),
            Prospect::Lasts => return Err(store.explain(&error)),
        }
        backoff.wait().await;
    }
}

fn waits_for(error: &StoreError) -> Prospect {
    match error {
        StoreError::Driver(error)
            if error.contains_label(TRANSIENT_TRANSACTION_ERROR)
                || error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) =>
        {
            Prospect::Overtaken
        }
        error => error.prospect(),
    }
}

/// Why the plan of a schema is not in force.
#[derive(Debug)]
pub(super) enum Unprepared {
    /// The store did not do it: trying again may help.
    Failed(StoreError),
    /// The user must decide.
    Refused(IngestError),
}

impl From<StoreError> for Unprepared {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<Error> for Unprepared {
    fn from(error: Error) -> Self {
        Self::Failed(error.into())
    }
}

async fn try_prepare(
    store: &Store,
    schema: &Schema,
    again: &[&StateTable],
    consent: Consent,
) -> Result<i64, Unprepared> {
    let mut ground = store.check_ownership(schema).await?;
    let standing = Standing::read(store, schema).await?;
    standing.check(store, schema).map_err(Unprepared::Refused)?;
    ground.refresh(store).await?;
    let Recovery { tables, later } = standing.recovery(store, schema, &ground, again).map_err(Unprepared::Refused)?;
    if !consent.older_schema {
        standing.check_lineage(store, schema).map_err(Unprepared::Refused)?;
    }
    if standing.stream.is_some() && !ground.exists(DEAD_LETTERS) {
        tracing::warn!(
            "the collection {DEAD_LETTERS} was renamed or dropped: it is created again, without the letters that it held"
        );
    }
    store.prepare(schema, ground, &later).await?;
    let mut change = standing.change(schema, again, &tables);
    if let Some(change) = &mut change {
        change.missing = standing.missing(store, schema, change, consent).await?;
    }
    let plan = standing.make(store, schema, change.as_ref()).await?;
    if !later.is_empty() {
        store.create_needed(schema, &[]).await?;
    }
    change.iter().for_each(Change::tell);
    raise_positions(store, schema, plan).await?;
    forget_unused(store, schema).await?;
    Ok(plan)
}

/// Refuses a schema of another stream than that of the database, one that cannot read its events, and a database without a stream.
///
/// # Errors
/// As [`prepare`].
pub async fn check_stream(store: &Store, schema: &Schema) -> Result<(), IngestError> {
    let standing = Standing::read(store, schema).await.map_err(|error| store.outside(&error))?;
    standing.check(store, schema)?;
    if standing.stream.is_some() || standing.stored_events {
        return Ok(());
    }
    Err(IngestError::Usage(format!(
        "the database {} has nothing of the stream {} yet: `ingest run` fills it, or name another one (--database)",
        store.database().name(),
        schema.stream()
    )))
}

/// Refuses a database in which a collection of the plan in force no longer exists.
///
/// # Errors
/// As [`prepare`].
pub(crate) async fn check_gone(store: &Store, schema: &Schema, ground: &mut Ground) -> Result<(), IngestError> {
    let standing = Standing::read(store, schema).await.map_err(|error| store.outside(&error))?;
    ground.refresh(store).await.map_err(|error| store.outside(&error))?;
    standing.recovery(store, schema, ground, &[]).map(drop)
}

/// What the next start would do to the rollups, as a sentence.
///
/// # Errors
/// As [`prepare`].
pub async fn foresee(store: &Store, schema: &Schema) -> Result<String, IngestError> {
    let refused = |error: Unprepared| match error {
        Unprepared::Failed(error) => store.explain(&error),
        Unprepared::Refused(error) => error,
    };
    let standing = Standing::read(store, schema).await.map_err(|error| store.outside(&error))?;
    standing.check(store, schema)?;
    standing.check_lineage(store, schema)?;
    let Some(change) = standing.change(schema, &[], &BTreeSet::new()).filter(|_| standing.stored_events) else {
        return Ok("the rollups are those of the schema".to_owned());
    };
    standing.missing(store, schema, &change, Consent::default()).await.map_err(refused)?;
    let mut said = Vec::new();
    if change.places(Need::Count).next().is_some() {
        let names: Vec<_> = change.rollups_that(schema, Need::Count).collect();
        said.push(format!("counts the stored events into {}", names.join(", ")));
    }
    if change.places(Need::Write).next().is_some() {
        let names: Vec<_> = change.rollups_that(schema, Need::Write).collect();
        said.push(format!("writes {} anew where they differ", names.join(", ")));
    }
    if !change.removed.is_empty() {
        said.push(format!("removes {}", change.removed.join(", ")));
    }
    Ok(format!("the rollups have changed: the next start {}", said.join("; ")))
}

impl Standing {
    /// Makes the change; returns the number of the plan that is in force then.
    async fn make(&self, store: &Store, schema: &Schema, change: Option<&Change>) -> Result<i64, StoreError> {
        match (change, &self.stream) {
            (None, Some(stream)) => {
                let (fields, lineage) = (self.fields(schema), stream.lineage_with(schema));
                if fields != stream.schema || lineage != stream.lineage {
                    let stored = StoredStream { schema: fields, lineage, ..stream.clone() };
                    let set = doc! { "$set": bson::serialize_to_document(&stored)? };
                    let streams = store.collection::<Document>(STREAMS);
                    let met = streams.update_one(in_force(stream), set).await?;
                    if met.matched_count == 0 {
                        return Err(StoreError::OtherPlan(stream.stream.clone()));
                    }
                }
                Ok(stream.plan)
            }
            (change, before) => switch(store, schema, &change.cloned().unwrap_or_default(), before.as_ref()).await,
        }
    }
}

/// The stream's document as it was read.
fn in_force(stream: &StoredStream) -> Document {
    doc! { "_id": &stream.stream, "plan": stream.plan, "lineage.definition": stream.lineage.definition() }
}

/// The transaction.
async fn switch(
    store: &Store,
    schema: &Schema,
    change: &Change,
    before: Option<&StoredStream>,
) -> Result<i64, StoreError> {
    let stored = StoredStream {
        stream: schema.stream().to_owned(),
        plan: change.number(),
        tables: entry::tables_of(schema),
        rollups: entry::rollups_of(schema),
        schema: change.schema.clone(),
        unused: change.unused.clone(),
        unused_tables: change.unused_tables.clone(),
        lineage: change.lineage.clone(),
    };
    let mut session = store.client().start_session().await?;
    session.start_transaction().await?;
    write_stream(store, &mut session, &stored, before).await?;
    let catalog = store.collection::<CatalogEntry>(ROLLUP_CATALOG);
    for (place, need) in change.needs.iter().enumerate() {
        let table = &schema.rollups().tables()[place];
        write_table(store, schema, &mut session, table, *need, change).await?;
        if *need == Need::Begin {
            for rollup in schema.rollups().rollups_of(table) {
                let entry = description(schema, rollup, 0, change.revision);
                let id = doc! { "_id": rollup.name() };
                catalog.replace_one(id, &entry).upsert(true).session(&mut session).await?;
            }
        }
    }
    let tables = store.collection::<Document>(ROLLUP_TABLES);
    tables.delete_many(doc! { "_id": { "$in": &change.removed_tables } }).session(&mut session).await?;
    catalog.delete_many(doc! { "_id": { "$in": &change.removed } }).session(&mut session).await?;
    session.commit_transaction().await?;
    Ok(stored.plan)
}

async fn write_stream(
    store: &Store,
    session: &mut ClientSession,
    stored: &StoredStream,
    before: Option<&StoredStream>,
) -> Result<(), StoreError> {
    let overtaken = || StoreError::OtherPlan(stored.stream.clone());
    // Of two streams that begin in one database at the same time, the second finds it taken.
    let free = doc! { "_id": OWNED_COLLECTIONS, "stream": { "$in": [Bson::Null, Bson::from(&stored.stream)] } };
    let take = doc! { "$set": { "stream": &stored.stream } };
    let owned = store.collection::<Document>(OWNED_COLLECTIONS);
    if owned.update_one(free, take).session(&mut *session).await?.matched_count == 0 {
        return Err(overtaken());
    }
    let streams = store.collection::<StoredStream>(STREAMS);
    let Some(before) = before else { return Ok(streams.insert_one(stored).session(session).await.map(drop)?) };
    let replaced = streams.replace_one(in_force(before), stored).session(session).await?;
    if replaced.matched_count == 1 { Ok(()) } else { Err(overtaken()) }
}

async fn write_table(
    store: &Store,
    schema: &Schema,
    session: &mut ClientSession,
    table: &StateTable,
    need: Need,
    change: &Change,
) -> Result<(), StoreError> {
    let (plan, carrier) = (change.number(), schema.rollups().group_rows(table));
    let mut set = doc! { "plan": plan };
    let mut unset = Document::new();
    match need {
        Need::Begin => {
            set.extend(doc! { "revision": change.revision, "carrier": carrier.name() });
        }
        Need::Nothing => {}
        Need::Write => {
            set.insert("stage", bson::serialize_to_bson(&Stage::Write)?);
        }
        Need::Count => {
            set.extend(doc! {
                "revision": change.revision, "carrier": states_name(carrier, plan), "built": plan, "missing": change.missing,
                "stage": bson::serialize_to_bson(&Stage::Count)?,
            });
            // Whoever publishes the table finds that it is no longer theirs.
            unset.extend(doc! { "rebuild": "", "round": "", "lease": "" });
        }
    }
    let mut update = doc! { "$set": set };
    if !unset.is_empty() {
        update.insert("$unset", unset);
    }
    let tables = store.collection::<Document>(ROLLUP_TABLES);
    tables.update_one(doc! { "_id": table.id() }, update).upsert(true).session(session).await?;
    Ok(())
}

/// Gives every position the number of the plan, and the tables that are being rebuilt; returns whether there are any.
///
/// # Errors
/// The driver's error.
pub async fn raise_positions(store: &Store, schema: &Schema, plan: i64) -> Result<bool, Error> {
    let stage = bson::serialize_to_bson(&Stage::Count).map_err(Error::custom)?;
    // Only a transaction is sure to see the change of a moment ago, also at a server that has just become the primary.
    let mut session = store.client().start_session().await?;
    session.start_transaction().await?;
    let tables = store.collection::<TableEntry>(ROLLUP_TABLES);
    let mut counted = tables.find(doc! { "stage": stage, "plan": plan }).session(&mut session).await?;
    let counted: Vec<TableEntry> = counted.stream(&mut session).try_collect().await?;
    session.commit_transaction().await?;
    let rebuilding: Vec<String> = counted.into_iter().map(|table| table.id).collect();
    let mut set = doc! { "plan": plan, "tables": entry::tables_of(schema) };
    let mut update = Document::new();
    let is_rebuilding = !rebuilding.is_empty();
    if is_rebuilding {
        set.insert("rebuilding", rebuilding);
    } else {
        update.insert("$unset", doc! { "rebuilding": "" });
    }
    update.insert("$set", set);
    let older = doc! { "plan": { "$not": { "$gte": plan } } };
    store.collection::<Document>(OFFSETS).update_many(older, update).await?;
    Ok(is_rebuilding)
}

/// Removes what no plan needs any more, except what a table still reads its states from, and what is somebody else's.
///
/// # Errors
/// The driver's error.
pub(crate) async fn forget_unused(store: &Store, schema: &Schema) -> Result<(), StoreError> {
    let Some(stored) = StoredStream::read(store, schema).await? else { return Ok(()) };
    let streams = store.collection::<Document>(STREAMS);
    for table in &stored.unused_tables {
        let states = doc! { "_id": { "$gte": { "t": table }, "$lt": { "t": table, "i": Bson::MaxKey } } };
        store.collection::<Document>(ROLLUP_STATES).delete_many(states).await?;
    }
    let pull = doc! { "unused_tables": { "$in": &stored.unused_tables } };
    streams.update_one(doc! { "_id": schema.stream(), "plan": stored.plan }, doc! { "$pull": pull }).await?;
    let tables: Vec<TableEntry> = store.collection(ROLLUP_TABLES).find(doc! {}).await?.try_collect().await?;
    let read: BTreeSet<_> = tables.into_iter().filter_map(|table| table.carrier).collect();
    let registry = store.registry().await?;
    let old = |name: &str| is_states_name(name) || plan_of_next(name).is_some_and(|plan| plan < stored.plan);
    let hidden = registry.existing().filter(|name| old(name) && registry.standing(name) == Ownership::Ours);
    let unused: BTreeSet<&str> = stored.unused.iter().map(String::as_str).chain(hidden).collect();
    for name in unused.into_iter().filter(|name| !read.contains(*name)) {
        match store.drop_owned(name).await {
            Err(StoreError::Foreign(_)) => {
                tracing::warn!(name, "the collection is no longer used, and was not created by this program: it stays");
            }
            dropped => dropped?,
        }
        let forgotten = doc! { "$pull": { "unused": name } };
        streams.update_one(doc! { "_id": schema.stream(), "plan": stored.plan }, forgotten).await?;
    }
    Ok(())
}
