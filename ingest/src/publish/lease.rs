//! Who publishes a state table, and what it is publishing: one worker at a time, one round at a time.
//!
//! A round is a set of partial states, written down with its revision before its first row is. Rows are replaced by a larger revision
//! only, so a round that a worker could not finish is done again by the next, with the same states under the same revision: rows
//! that have them already are left alone. Its partial states are removed when all its rows are stored, and only then the next round
//! may begin. So every state is combined into its row exactly once, without a transaction over thousands of rows.

use super::combine::{WaitingState, these};
use crate::fail_point::FailPoint;
use crate::store::{Moment, Store, StoreError};
use crate::stream::{Rebuild, Stage, TableEntry};
use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use model::layout::{ROLLUP_CATALOG, ROLLUP_STATES, ROLLUP_TABLES};
use model::rollup::{Rollup, RollupPlan, StateTable};
use mongodb::ClientSession;
use mongodb::options::{ReturnDocument, UpdateModifications};
use std::time::{Duration, Instant};

/// A publisher that is not heard of for this time has lost its lease.
const LEASE: Duration = Duration::from_secs(30);

/// The right to publish a state table.
pub(super) struct Lease<'a> {
    store: &'a Store,
    plan: &'a RollupPlan,
    table: &'a StateTable,
    worker: &'a str,
    /// Carries the moment of the last write from one to the next.
    session: ClientSession,
    renewed: Instant,
    /// Number of the plan in force.
    pub(super) number: i64,
    /// Revision of the last round that began.
    pub(super) revision: i64,
    /// The partial states of that round, where it is not finished.
    pub(super) unfinished: Option<Vec<ObjectId>>,
    /// The collection whose rows carry the states.
    pub(super) carrier: String,
    /// Number of the plan under which the table was last counted from the stored events.
    pub(super) built: i64,
    /// What is to be done before the rollups are as the plan says.
    pub(super) stage: Option<Stage>,
    /// How far the stored events are counted.
    pub(super) rebuild: Rebuild,
}

/// What came of asking for a lease.
pub(super) enum Asked<'a> {
    /// It is ours.
    Taken(Box<Lease<'a>>),
    /// Another worker has it.
    Busy,
    /// Another plan of rollups is in force.
    OtherPlan,
}

impl<'a> Lease<'a> {
    /// Takes the lease of a table, where `number` is the plan in force.
    pub(super) async fn take(
        store: &'a Store,
        plan: &'a RollupPlan,
        table: &'a StateTable,
        worker: &'a str,
        number: i64,
    ) -> Result<Asked<'a>, StoreError> {
        let free = doc! { "_id": table.id(), "plan": number, "$or": [
            { "lease": Bson::Null },
            { "lease.worker": worker },
            { "$expr": { "$lt": ["$lease.until", "$$NOW"] } },
        ] };
        let take = vec![doc! { "$set": { "lease": held(worker) } }];
        let tables = store.collection::<TableEntry>(ROLLUP_TABLES);
        let mut session = store.client().start_session().await?;
        let taken = tables.find_one_and_update(free, take).return_document(ReturnDocument::After);
        let taken = taken.session(&mut session).await?;
        let Some(entry) = taken else {
            let held = tables.find_one(doc! { "_id": table.id(), "plan": number }).await?;
            return Ok(if held.is_some() { Asked::Busy } else { Asked::OtherPlan });
        };
        Ok(Asked::Taken(Box::new(Self {
            store,
            plan,
            table,
            worker,
            session,
            renewed: Instant::now(),
            number,
            revision: entry.revision,
            unfinished: entry.round,
            carrier: entry.carrier.unwrap_or_else(|| plan.group_rows(table).name().to_owned()),
            built: entry.built,
            stage: entry.stage,
            rebuild: entry.rebuild,
        })))
    }

    /// Writes a new round down; its rows have the next revision.
    pub(super) async fn begin_round(&mut self, states: &[WaitingState]) -> Result<(), StoreError> {
        let ids: Vec<ObjectId> = states.iter().map(|state| state.id).collect();
        let change = vec![doc! { "$set": {
            "revision": self.revision + 1, "round": ids, "lease": held(self.worker),
        } }];
        self.update(change).await?;
        self.revision += 1;
        Ok(())
    }

    /// Moves the revision within a transaction, provided that the lease and the last round are still this worker's.
    pub(super) async fn move_revision(&self, revision: i64, session: &mut ClientSession) -> Result<(), StoreError> {
        let change = vec![doc! { "$set": { "revision": revision, "lease": held(self.worker) } }];
        let tables = self.store.collection::<Document>(ROLLUP_TABLES);
        let updated = tables.update_one(self.ours(), change).session(session).await?;
        self.check(updated.matched_count)
    }

    /// Rows that are written outside of a round have the next revision.
    pub(super) async fn next_revision(&mut self) -> Result<(), StoreError> {
        self.update(doc! { "$inc": { "revision": 1_i64 } }).await?;
        self.revision += 1;
        Ok(())
    }

    /// Keeps the lease while a long round goes on.
    pub(super) async fn renew(&mut self) -> Result<(), StoreError> {
        if self.renewed.elapsed() < LEASE / 3 {
            return Ok(());
        }
        self.renewed = Instant::now();
        self.update(vec![doc! { "$set": { "lease": held(self.worker) } }]).await
    }

    /// The rows of the round are stored: removes its partial states, tells readers, and gives the lease back. `stage` is what the table
    /// waits for then.
    pub(super) async fn finish_round(
        mut self,
        states: &[WaitingState],
        stage: Option<Stage>,
    ) -> Result<(), StoreError> {
        const STATES_PER_COMMAND: usize = 1_000;
        for some in states.chunks(STATES_PER_COMMAND) {
            let partials = self.store.collection::<Document>(ROLLUP_STATES);
            partials.delete_many(these(self.table, some.iter().map(|state| state.id))).await?;
        }
        FailPoint::StatesRemoved.reached();
        // Until a rebuild is over, readers have the rows of before.
        if self.stage.is_none() {
            let names: Vec<&str> = self.plan.rollups_of(self.table).map(Rollup::name).collect();
            let newest = doc! { "$max": { "published_revision": self.revision } };
            let catalog = self.store.collection::<Document>(ROLLUP_CATALOG);
            catalog.update_many(doc! { "_id": { "$in": names } }, newest).await?;
        }
        FailPoint::RevisionTold.reached();
        let mut closed = doc! { "round": Bson::Null, "lease": Bson::Null };
        if stage != self.stage {
            closed.insert("stage", bson::serialize_to_bson(&stage)?);
        }
        self.update(doc! { "$set": closed }).await
    }

    /// Gives the lease back; nothing was to be published.
    pub(super) async fn release(mut self) -> Result<(), StoreError> {
        self.update(vec![doc! { "$set": { "lease": Bson::Null } }]).await
    }

    /// Changes the entry, provided that the lease and the round are still this worker's.
    pub(super) async fn update(&mut self, change: impl Into<UpdateModifications>) -> Result<(), StoreError> {
        let tables = self.store.collection::<Document>(ROLLUP_TABLES);
        let updated = tables.update_one(self.ours(), change).session(&mut self.session).await?;
        self.check(updated.matched_count)
    }

    /// The same inside a transaction.
    pub(super) async fn update_within(&self, session: &mut ClientSession, change: Document) -> Result<(), StoreError> {
        let tables = self.store.collection::<Document>(ROLLUP_TABLES);
        let updated = tables.update_one(self.ours(), change).session(session).await?;
        self.check(updated.matched_count)
    }

    /// The last moment at which the lease was known to be ours. What is read after it holds everything that earlier publishers,
    /// and earlier rounds, have written.
    pub(super) fn moment(&self) -> Moment {
        Moment::of(&self.session)
    }

    fn ours(&self) -> Document {
        doc! { "_id": self.table.id(), "plan": self.number, "lease.worker": self.worker, "revision": self.revision }
    }

    fn check(&self, matched: u64) -> Result<(), StoreError> {
        if matched == 1 { Ok(()) } else { Err(StoreError::LeaseLost(self.table.id().to_owned())) }
    }
}

fn held(worker: &str) -> Document {
    let millis = i64::try_from(LEASE.as_millis()).expect("a lease is seconds long");
    doc! { "worker": { "$literal": worker }, "until": { "$add": ["$$NOW", millis] } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Settings};
    use crate::publish::rows::RowWriter;
    use crate::stream;
    use bson::{RawDocumentBuf, rawdoc};
    use model::clock::Watermark;
    use model::rollup::Row;
    use model::schema::{IMDB_REVIEW, Schema};
    use model::window::Window;
    use std::sync::Arc;

    /// A database of the test's own, with the tables of a schema.
    async fn prepared(test: &str, schema: &Schema) -> Store {
        let mongodb_uri = stack::testing::shared().mongodb_uri.clone();
        let database = format!("{test}-{}", std::process::id());
        let config = Config::new(Settings { mongodb_uri, database, ..Settings::default() }).unwrap();
        let store = Store::connect(&config).await.unwrap();
        stream::prepare(&store, schema, &[], stream::Consent::default()).await.unwrap();
        store
    }

    async fn taken<'a>(store: &'a Store, schema: &'a Schema, worker: &'a str) -> Option<Lease<'a>> {
        let plan = schema.rollups();
        match Lease::take(store, plan, &plan.tables()[0], worker, 0).await.unwrap() {
            Asked::Taken(lease) => Some(*lease),
            Asked::Busy => None,
            Asked::OtherPlan => panic!("nobody has changed the plan"),
        }
    }

    /// Every way in which a publisher writes fails.
    async fn assert_lost(mut lease: Lease<'_>) {
        let mut session = lease.store.client().start_session().await.unwrap();
        session.start_transaction().await.unwrap();
        assert!(lease.move_revision(7, &mut session).await.is_err());
        assert!(lease.update_within(&mut session, doc! { "$set": { "built": 7 } }).await.is_err());
        assert!(lease.begin_round(&[]).await.is_err());
        assert!(lease.next_revision().await.is_err());
        assert!(lease.finish_round(&[], None).await.is_err());
    }

    #[tokio::test]
    async fn one_worker_at_a_time_has_a_lease_and_one_that_has_lost_it_changes_nothing() {
        let schema = Schema::parse("imdb-review", IMDB_REVIEW).unwrap();
        let store = prepared("lease", &schema).await;
        let first = taken(&store, &schema, "first").await.unwrap();
        assert!(taken(&store, &schema, "second").await.is_none());
        let tables = store.collection::<Document>(ROLLUP_TABLES);
        let run_out = doc! { "$set": { "lease.until": bson::DateTime::from_millis(0) } };
        tables.update_one(doc! { "_id": first.table.id() }, run_out).await.unwrap();
        let mut second = taken(&store, &schema, "second").await.unwrap();
        assert_lost(first).await;
        second.begin_round(&[]).await.unwrap();
        second.finish_round(&[], None).await.unwrap();
        store.database().drop().await.unwrap();
    }

    #[tokio::test]
    async fn a_round_or_a_plan_that_has_passed_is_lost_too() {
        let schema = Schema::parse("imdb-review", IMDB_REVIEW).unwrap();
        let store = prepared("lease-passed", &schema).await;
        let before = taken(&store, &schema, "same").await.unwrap();
        let mut now = taken(&store, &schema, "same").await.unwrap();
        now.begin_round(&[]).await.unwrap();
        assert_lost(before).await;
        let tables = store.collection::<Document>(ROLLUP_TABLES);
        tables.update_many(doc! {}, doc! { "$set": { "plan": 1_i64 } }).await.unwrap();
        assert_lost(now).await;
        store.database().drop().await.unwrap();
    }

    #[tokio::test]
    async fn rows_of_a_plan_that_has_passed_are_not_written() {
        let schema = Arc::new(Schema::parse("imdb-review", IMDB_REVIEW).unwrap());
        let store = prepared("rows-passed", &schema).await;
        let lease = taken(&store, &schema, "frozen").await.unwrap();
        let writer = RowWriter {
            store: store.clone(),
            schema: Arc::clone(&schema),
            place: 0,
            revision: 1,
            after: lease.moment(),
            watermark: Watermark::Unknown,
            carrier: lease.carrier.clone(),
            in_order: true,
            number: lease.number,
        };
        let rollup = schema.rollups().group_rows(lease.table);
        let row = |number: i32| {
            let window = Window { start: 0, end: 1 };
            [Row { id: rawdoc! { "window_start": number }, window, columns: RawDocumentBuf::new() }]
        };
        writer.write_ranked_rows(rollup, &row(1), &[]).await.unwrap();
        let tables = store.collection::<Document>(ROLLUP_TABLES);
        tables.update_many(doc! {}, doc! { "$set": { "plan": 1_i64 } }).await.unwrap();
        let refused = writer.write_ranked_rows(rollup, &row(2), &[]).await.unwrap_err();
        assert!(matches!(refused, StoreError::OtherPlan(_)), "{refused}");
        assert!(writer.write_ranked_rows(rollup, &[], &row(3)).await.is_err());
        let rows = store.collection::<Document>(rollup.name());
        assert_eq!(rows.count_documents(doc! {}).await.unwrap(), 1);
        store.database().drop().await.unwrap();
    }
}
