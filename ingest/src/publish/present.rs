//! Whether the collections of a table's rows are still those that they were: a write to one that somebody has dropped or renamed would
//! create it again, with the rows of one round.

use super::Publisher;
use super::lease::Lease;
use crate::store::StoreError;
use bson::Uuid;
use model::rollup::Rollup;
use std::collections::BTreeMap;

/// The collections as they were when a publisher last looked, by name.
#[derive(Debug, Default)]
pub(super) struct Present {
    /// Number of the plan at the time: another one may have renamed others into their places.
    plan: Option<i64>,
    uuids: BTreeMap<String, Uuid>,
}

impl Publisher {
    /// Looks again; right before a round.
    ///
    /// # Errors
    /// [`StoreError::Gone`] if one no longer exists, [`StoreError::Foreign`] if it was created again by somebody else.
    pub(super) async fn check_present(&mut self, lease: &Lease<'_>) -> Result<(), StoreError> {
        let (store, plan) = (&self.context.store, self.context.schema.rollups());
        let published = plan.rollups_of(&plan.tables()[self.place]).map(Rollup::name);
        let names: Vec<&str> = published.chain([lease.carrier.as_str()]).collect();
        let uuids = store.uuids(&names).await?;
        if self.present.plan == Some(lease.number) && self.present.uuids != uuids {
            store.registry().await?.foreign(store, names)?;
        }
        self.present = Present { plan: Some(lease.number), uuids };
        Ok(())
    }
}
