//! The documents: a stream's in `streams`, a state table's in `rollup_tables`.

use super::compatible::StoredSchema;
use super::lineage::Lineage;
use crate::store::Store;
use bson::oid::ObjectId;
use bson::{Bson, doc};
use model::layout::{CatalogEntry, Column, STREAMS};
use model::rollup::Rollup;
use model::schema::Schema;
use mongodb::error::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A stream's document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredStream {
    /// Name of the stream.
    #[serde(rename = "_id")]
    pub stream: String,
    /// Number of the plan in force.
    pub plan: i64,
    /// Its state tables.
    pub tables: Vec<String>,
    /// Its rollups.
    pub rollups: Vec<StoredRollup>,
    /// What the stored events hold.
    pub schema: StoredSchema,
    /// Collections of rollups that are no more, to be dropped.
    #[serde(default)]
    pub unused: Vec<String>,
    /// State tables that are no more, whose partial states are to be removed.
    #[serde(default)]
    pub unused_tables: Vec<String>,
    /// The schemas that it has had.
    #[serde(default)]
    pub lineage: Lineage,
}

/// A rollup of the plan in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredRollup {
    name: String,
    definition: String,
    columns: Vec<Column>,
}

impl StoredRollup {
    pub(super) fn describe(&self) -> String {
        format!("{}: {}", self.name, self.definition)
    }

    /// The definition, where it is of this name.
    pub(super) fn definition_of(&self, name: &str) -> Option<&str> {
        (self.name == name).then_some(self.definition.as_str())
    }
}

impl StoredStream {
    /// The stream's document.
    ///
    /// # Errors
    /// The driver's error.
    pub async fn read(store: &Store, schema: &Schema) -> Result<Option<Self>, Error> {
        store.collection::<Self>(STREAMS).find_one(doc! { "_id": schema.stream() }).await
    }

    /// Whether the plan in force is that of this schema.
    pub fn has_plan_of(&self, schema: &Schema) -> bool {
        self.tables == tables_of(schema) && self.rollups == rollups_of(schema)
    }
}

pub(super) fn tables_of(schema: &Schema) -> Vec<String> {
    schema.rollups().tables().iter().map(|table| table.id().to_owned()).collect()
}

pub(super) fn rollups_of(schema: &Schema) -> Vec<StoredRollup> {
    let plan = schema.rollups();
    let stored = |rollup: &Rollup| StoredRollup {
        name: rollup.name().to_owned(),
        definition: plan.definition_of(rollup),
        columns: rollup.columns(),
    };
    plan.rollups().iter().map(stored).collect()
}

/// A state table's document: who publishes it, the round under way, and what is left of a rebuild.
#[derive(Debug, Clone, Deserialize)]
pub struct TableEntry {
    /// Definition of the table.
    #[serde(rename = "_id")]
    pub id: String,
    /// Number of the plan in force.
    #[serde(default)]
    pub plan: i64,
    /// Number of the plan under which it was last counted from the stored events; 0 where it was there from the beginning.
    #[serde(default)]
    pub built: i64,
    /// Revision of the last round.
    pub revision: i64,
    /// The partial states of a round that is not finished.
    #[serde(default)]
    pub round: Option<Vec<ObjectId>>,
    /// Events that had been counted before but were gone when the table was last counted from the stored events.
    #[serde(default)]
    pub missing: i64,
    /// The collection whose rows carry the combined states.
    #[serde(default)]
    pub carrier: Option<String>,
    /// What is to be done before its rollups are as the plan says; `None` where they are.
    #[serde(default)]
    pub stage: Option<Stage>,
    /// How far the stored events are counted.
    #[serde(default)]
    pub rebuild: Rebuild,
}

/// What a table waits for, in the order in which it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The stored events are counted.
    Count,
    /// What waited when the last event was counted is combined.
    Drain,
    /// The rollups that differ are written beside those that are read.
    Write,
    /// They take their places.
    Rename,
}

/// How far a rebuild is.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Rebuild {
    /// Id of the last event that was looked at; `None` before the first.
    #[serde(default)]
    pub after: Option<Bson>,
    /// Events looked at.
    #[serde(default)]
    pub counted: i64,
    /// Events that were stored when it began, as the server estimates.
    #[serde(default)]
    pub of: i64,
}

/// A rollup's description in the catalog; `built` is that of its [table](TableEntry::built).
pub fn description(schema: &Schema, rollup: &Rollup, built: i64, published_revision: i64) -> CatalogEntry {
    let plan = schema.rollups();
    let window = plan.tables()[rollup.table()].window();
    let definition = plan.definition_of(rollup);
    CatalogEntry {
        name: rollup.name().to_owned(),
        stream: schema.stream().to_owned(),
        window: window.kind().to_string(),
        time_zone: window.zone().and_then(|zone| zone.iana_name()).unwrap_or("UTC").to_owned(),
        // A table that was counted anew is another one to whoever follows it by revision.
        definition_hash: if built == 0 { definition } else { format!("{definition} #{built}") },
        columns: rollup.columns(),
        published_revision,
        // Rows of before may be gone.
        removed_revision: published_revision,
    }
}

/// Where the states of a table are combined while its stored events are counted. Not a rollup's name: those have no dot.
pub(crate) fn states_name(rollup: &Rollup, plan: i64) -> String {
    format!("{}.states-{plan}", rollup.name())
}

/// Where a rollup is written before it takes its place.
pub(crate) fn next_name(rollup: &Rollup, plan: i64) -> String {
    format!("{}.next-{plan}", rollup.name())
}

/// The place of a table that was written beside it; the name itself for any other collection.
pub(crate) fn place_of(name: &str) -> &str {
    match (name.rsplit_once(".next-"), plan_of_next(name)) {
        (Some((place, _)), Some(_)) => place,
        _ => name,
    }
}

/// The number of the plan in a name of [`next_name`].
pub(super) fn plan_of_next(name: &str) -> Option<i64> {
    name.rsplit_once(".next-")?.1.parse().ok()
}

/// Whether a name is one of [`states_name`].
pub(super) fn is_states_name(name: &str) -> bool {
    name.rsplit_once(".states-").is_some_and(|(_, plan)| plan.parse::<i64>().is_ok())
}

/// Whether a name is one that a collection beside a rollup's has: that of its groups, or one of [`states_name`] or [`next_name`].
pub(crate) fn is_hidden_name(name: &str, rollups: &BTreeSet<String>) -> bool {
    let end = |end: &str| name.rsplit_once(end).filter(|(_, plan)| plan.parse::<i64>().is_ok()).map(|(place, _)| place);
    let place = end(".next-").or_else(|| end(".states-")).unwrap_or(name);
    let place = place.strip_suffix(".groups").unwrap_or(place);
    place != name && rollups.contains(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_names_are_told_from_others() {
        let rollups = BTreeSet::from(["a".to_owned(), "a.b".to_owned()]);
        for name in ["a.groups", "a.next-3", "a.states-0", "a.groups.next-12", "a.groups.states-1"] {
            assert!(is_hidden_name(name, &rollups), "{name}");
        }
        for name in ["a", "b.groups", "a.next-", "a.next-x", "a.states", "a.groups.old", "c.next-3", "groups"] {
            assert!(!is_hidden_name(name, &rollups), "{name}");
        }
    }
}
