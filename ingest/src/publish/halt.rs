//! A table whose rows cannot be written before somebody acts: a stored state cannot be read, the server refuses a row, or a collection
//! is in the way. Its publisher stops, and the others go on. It tries again once a minute, and at once where the plan has changed,
//! as it does by a rebuild.

use super::Publisher;
use super::combine::waiting_for;
use crate::store::{Corrupt, Prospect, Store, StoreError};
use bson::Document;
use model::layout::{EVENTS, ROLLUP_STATES};
use model::rollup::{Rollup, RollupPlan, StateTable};
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(60);

/// Why a publisher does nothing.
pub(super) struct Halt {
    /// What is wrong, and what to do.
    pub(super) cause: String,
    /// Number of the plan at the time.
    plan: i64,
    since: Instant,
}

impl Publisher {
    /// Whether it is not yet time to try again.
    pub(super) fn is_halted(&self) -> bool {
        let plan = self.context.plan.now().plan;
        self.halt.as_ref().is_some_and(|halt| halt.plan == plan && halt.since.elapsed() < PAUSE)
    }

    /// Tells what keeps rows from being written, once as long as it is the same.
    pub(super) async fn tell(&mut self, error: Option<&StoreError>) {
        let (context, table) = (self.context.clone(), self.context.schema.rollups().tables()[self.place].id());
        let Some(error) = error else {
            self.halt = None;
            if context.progress.published(table) {
                tracing::info!(table, "rows are written again");
            }
            return;
        };
        match error.prospect() {
            Prospect::Overtaken => tracing::debug!(table, %error, "reading the table again"),
            Prospect::Waits(obstacle) => {
                let detail = error.to_string();
                if context.progress.unpublished(table, &obstacle.to_string(), &detail) {
                    tracing::warn!(table, "rows cannot be written; waiting for {obstacle} ({detail})");
                }
            }
            Prospect::Lasts => self.stop(error).await,
        }
    }

    /// Stops after an error that stays until somebody acts.
    async fn stop(&mut self, error: &StoreError) {
        let context = self.context.clone();
        let plan = context.schema.rollups();
        let table = &plan.tables()[self.place];
        let mut cause =
            format!("the rows of {} are not written: {error}{}", names(plan, table), remedy(error, plan, table));
        if let Some(waiting) = waiting(&context.store, table).await {
            cause.push_str(&format!(" ({waiting} documents of {ROLLUP_STATES} wait)"));
        }
        if context.progress.halted(table.id(), &cause) {
            tracing::error!(table = table.id(), "{cause}");
        }
        self.halt = Some(Halt { cause, plan: context.plan.now().plan, since: Instant::now() });
    }
}

fn names(plan: &RollupPlan, table: &StateTable) -> String {
    plan.rollups_of(table).map(Rollup::name).collect::<Vec<_>>().join(", ")
}

/// What the user can do about it, as the rest of a sentence.
fn remedy(error: &StoreError, plan: &RollupPlan, table: &StateTable) -> String {
    match error {
        StoreError::Corrupt(Corrupt { collection, .. }) if collection == EVENTS => {
            "; correct or delete this event, then the rebuild goes on".to_owned()
        }
        StoreError::Corrupt(_) => {
            let name = plan.rollups_of(table).next().map_or("ROLLUP", Rollup::name);
            format!("; `ingest rebuild {name}` counts the stored events into it again")
        }
        StoreError::Gone(_) => {
            let name = plan.rollups_of(table).next().map_or("ROLLUP", Rollup::name);
            format!("; rename or restore it, or count the stored events again with `ingest rebuild {name}`")
        }
        StoreError::Foreign(_) => "; it is tried again every minute".to_owned(),
        _ => "; remove the cause in MongoDB (a validator, a quota, a missing role), and it is tried again within a minute".to_owned(),
    }
}

/// Documents of partial states that nobody combines meanwhile; `None` where MongoDB does not tell.
async fn waiting(store: &Store, table: &StateTable) -> Option<u64> {
    store.collection::<Document>(ROLLUP_STATES).count_documents(waiting_for(table)).await.ok()
}
