//! Collections of the plan in force that no longer exist, because somebody renamed or dropped them.
//!
//! A plan takes effect after its collections were created, and a collection leaves the plan before it is dropped. So a collection of the
//! plan in force that does not exist was taken away. A start that created it again would lose its documents without a word.

use super::{Standing, describes_alike};
use crate::error::IngestError;
use crate::store::{Ground, Store};
use crate::stream::entry::{TableEntry, description, is_states_name, plan_of_next};
use model::layout::{DEAD_LETTERS, EVENTS, OFFSETS, OWNED_COLLECTIONS, RESERVED, ROLLUP_STATES, STREAMS};
use model::rollup::{Rollup, StateTable};
use model::schema::Schema;
use std::collections::BTreeSet;

/// What a start does about the rows that cannot be used.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::stream) struct Recovery {
    /// Ids of the state tables that are counted from the stored events.
    pub(in crate::stream) tables: BTreeSet<String>,
    /// Collections that are created once that is written down: after a crash in between, they are still missing.
    pub(in crate::stream) later: Vec<String>,
}

/// A collection whose documents the rows of a state table are made of.
struct Rows<'a> {
    collection: &'a str,
    /// Id of the state table.
    table: &'a str,
    /// A rollup of that table, for `ingest rebuild`.
    rollup: &'a str,
}

impl Standing {
    /// Which state tables must be counted from the stored events, because their rows are gone or somebody else's.
    ///
    /// # Errors
    /// [`IngestError::Usage`] if a collection is gone that counting the tables in `again` does not restore.
    pub(in crate::stream) fn recovery(
        &self,
        store: &Store,
        schema: &Schema,
        ground: &Ground,
        again: &[&StateTable],
    ) -> Result<Recovery, IngestError> {
        let asked = |id: &str| again.iter().any(|table| table.id() == id);
        let left = self.carriers(schema).filter(|(_, carrier)| ground.is_left(carrier));
        let mut recovery = Recovery { tables: left.map(|(entry, _)| entry.id.clone()).collect(), later: Vec::new() };
        let mut said: Vec<_> = self.needed().filter(|name| !ground.exists(name)).map(sentence).collect();
        let (mut lost, mut rollups) = (BTreeSet::new(), BTreeSet::new());
        for Rows { collection, table, rollup } in self.rows(schema).filter(|rows| !ground.exists(rows.collection)) {
            if asked(table) {
                recovery.tables.insert(table.to_owned());
                recovery.later.push(collection.to_owned());
            } else {
                lost.insert(collection);
                rollups.insert(rollup);
            }
        }
        if !lost.is_empty() {
            let [lost, rollups] =
                [(lost, ", "), (rollups, " ")].map(|(names, pause)| Vec::from_iter(names).join(pause));
            said.push(format!(
                "{lost}: rename or restore what is gone, or count the stored events again with `ingest rebuild {rollups}`"
            ));
        }
        if said.is_empty() {
            return Ok(recovery);
        }
        Err(IngestError::Usage(format!(
            "collections of the database {} no longer exist, because somebody renamed or dropped them: {}",
            store.database().name(),
            said.join("; ")
        )))
    }

    /// The collections that must exist by now and cannot be made again. Dead letters that somebody removes are in no count of a rollup.
    fn needed(&self) -> impl Iterator<Item = &'static str> {
        let (is_known, was_read) = (self.stream.is_some(), self.stored_events);
        RESERVED.into_iter().filter(move |name| match *name {
            OWNED_COLLECTIONS | DEAD_LETTERS | ROLLUP_STATES => false,
            STREAMS => was_read,
            _ => is_known,
        })
    }

    /// The collections in force that the rows of the schema's rollups are made of. Any other is written before it is read.
    fn rows<'a>(&'a self, schema: &'a Schema) -> impl Iterator<Item = Rows<'a>> {
        let plan = schema.rollups();
        let carriers = self.carriers(schema).flat_map(move |(entry, carrier)| {
            let table = plan.tables().iter().find(|table| table.id() == entry.id);
            let rollup = table.and_then(|table| plan.rollups_of(table).next());
            let of =
                move |collection| rollup.map(|rollup| Rows { collection, table: &entry.id, rollup: rollup.name() });
            [carrier, ROLLUP_STATES].into_iter().filter_map(of)
        });
        let published = plan.rollups().iter().filter_map(|rollup: &Rollup| {
            let entry = self.tables.get(plan.tables()[rollup.table()].id())?;
            let is_in_force =
                describes_alike(self.catalog.get(rollup.name())?, &description(schema, rollup, entry.built, 0));
            is_in_force.then(|| Rows { collection: rollup.name(), table: &entry.id, rollup: rollup.name() })
        });
        let is_known = self.stream.is_some() && self.stored_events;
        carriers.chain(published).filter(move |_| is_known)
    }

    /// The collections in force whose rows carry the states of the schema's tables. Those of a rebuild come and go.
    fn carriers(&self, schema: &Schema) -> impl Iterator<Item = (&TableEntry, &str)> {
        let entries = schema.rollups().tables().iter().filter_map(|table| self.tables.get(table.id()));
        let carried = entries.filter_map(|entry| Some((entry, entry.carrier.as_deref()?)));
        carried.filter(|(_, carrier)| !is_states_name(carrier) && plan_of_next(carrier).is_none())
    }
}

/// What a collection held, and what can be done.
fn sentence(name: &str) -> String {
    let held = match name {
        EVENTS => "the stored events, by which repeated records are known and rollups are rebuilt",
        OFFSETS => "the positions, without which the topic is read again from its first record",
        _ => "the plan of the rollups",
    };
    format!(
        "{name} with {held}: rename it back, restore the database from a backup, or use another database (--database)"
    )
}
