//! Who publishes a state table, and what it is publishing: one worker at a time, one round at a time.
//!
//! A round is a set of partial states, written down with its revision before its first row is. Rows are replaced by a larger revision
//! only, so a round that a worker could not finish is done again by the next, with the same states under the same revision: rows
//! that have them already are left alone. Its partial states are removed when all its rows are stored, and only then the next round
//! may begin. So every state is combined into its row exactly once, without a transaction over thousands of rows.

use crate::fail_point::FailPoint;
use crate::store::Store;
use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use model::layout::{ROLLUP_CATALOG, ROLLUP_STATES, ROLLUP_TABLES};
use model::rollup::{Rollup, RollupPlan, StateTable};
use mongodb::ClientSession;
use mongodb::error::Error;
use mongodb::options::ReturnDocument;
use std::time::{Duration, Instant};

/// A publisher that is not heard of for this time has lost its lease.
const LEASE: Duration = Duration::from_secs(30);

/// The right to publish a state table.
pub(super) struct Lease<'a> {
    store: &'a Store,
    plan: &'a RollupPlan,
    table: &'a StateTable,
    worker: &'a str,
    renewed: Instant,
    /// Revision of the last round that began.
    pub(super) revision: i64,
    /// The partial states of that round, where it is not finished.
    pub(super) unfinished: Option<Vec<ObjectId>>,
}

impl<'a> Lease<'a> {
    /// Takes the lease; `None` while another worker has it.
    pub(super) async fn take(
        store: &'a Store,
        plan: &'a RollupPlan,
        table: &'a StateTable,
        worker: &'a str,
    ) -> Result<Option<Self>, Error> {
        let free = doc! { "_id": table.id(), "$or": [
            { "lease": Bson::Null },
            { "lease.worker": worker },
            { "$expr": { "$lt": ["$lease.until", "$$NOW"] } },
        ] };
        let take = vec![doc! { "$set": { "lease": held(worker) } }];
        let tables = store.collection::<Document>(ROLLUP_TABLES);
        let taken = tables.find_one_and_update(free, take).return_document(ReturnDocument::After).await?;
        let Some(entry) = taken else { return Ok(None) };
        let revision = entry.get_i64("revision").map_err(Error::custom)?;
        let unfinished =
            entry.get_array("round").ok().map(|ids| ids.iter().filter_map(Bson::as_object_id).collect::<Vec<_>>());
        Ok(Some(Self { store, plan, table, worker, renewed: Instant::now(), revision, unfinished }))
    }

    /// Writes a new round down; its rows have the next revision.
    pub(super) async fn begin_round(&mut self, states: &[ObjectId]) -> Result<(), Error> {
        let change = vec![doc! { "$set": {
            "revision": self.revision + 1, "round": states.to_vec(), "lease": held(self.worker),
        } }];
        self.update(change).await?;
        self.revision += 1;
        Ok(())
    }

    /// Moves the revision within a transaction, provided that the lease and the last round are still this worker's.
    pub(super) async fn move_revision(&self, revision: i64, session: &mut ClientSession) -> Result<(), Error> {
        let change = vec![doc! { "$set": { "revision": revision, "lease": held(self.worker) } }];
        let tables = self.store.collection::<Document>(ROLLUP_TABLES);
        let updated = tables.update_one(self.ours(), change).session(session).await?;
        self.check(updated.matched_count)
    }

    /// Keeps the lease while a long round goes on.
    pub(super) async fn renew(&mut self) -> Result<(), Error> {
        if self.renewed.elapsed() < LEASE / 3 {
            return Ok(());
        }
        self.renewed = Instant::now();
        self.update(vec![doc! { "$set": { "lease": held(self.worker) } }]).await
    }

    /// The rows of the round are stored: removes its partial states, tells readers, and gives the lease back.
    pub(super) async fn finish_round(self, states: &[ObjectId]) -> Result<(), Error> {
        const STATES_PER_COMMAND: usize = 1_000;
        for some in states.chunks(STATES_PER_COMMAND) {
            let ids: Vec<_> = some.iter().map(|state| doc! { "t": self.table.id(), "i": state }).collect();
            let partials = self.store.collection::<Document>(ROLLUP_STATES);
            partials.delete_many(doc! { "_id": { "$in": ids } }).await?;
        }
        FailPoint::StatesRemoved.reached();
        let names: Vec<&str> = self.plan.rollups_of(self.table).map(Rollup::name).collect();
        let newest = doc! { "$max": { "published_revision": self.revision } };
        let catalog = self.store.collection::<Document>(ROLLUP_CATALOG);
        catalog.update_many(doc! { "_id": { "$in": names } }, newest).await?;
        FailPoint::RevisionTold.reached();
        self.update(vec![doc! { "$set": { "round": Bson::Null, "lease": Bson::Null } }]).await
    }

    /// Gives the lease back; nothing was to be published.
    pub(super) async fn release(self) -> Result<(), Error> {
        self.update(vec![doc! { "$set": { "lease": Bson::Null } }]).await
    }

    /// Changes the entry, provided that the lease and the round are still this worker's.
    async fn update(&self, change: Vec<Document>) -> Result<(), Error> {
        let updated = self.store.collection::<Document>(ROLLUP_TABLES).update_one(self.ours(), change).await?;
        self.check(updated.matched_count)
    }

    fn ours(&self) -> Document {
        doc! { "_id": self.table.id(), "lease.worker": self.worker, "revision": self.revision }
    }

    fn check(&self, matched: u64) -> Result<(), Error> {
        if matched == 1 {
            Ok(())
        } else {
            Err(Error::custom(format!("{}: another worker publishes it now", self.table.id())))
        }
    }
}

fn held(worker: &str) -> Document {
    let millis = i64::try_from(LEASE.as_millis()).expect("a lease is seconds long");
    doc! { "worker": { "$literal": worker }, "until": { "$add": ["$$NOW", millis] } }
}
