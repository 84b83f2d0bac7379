//! Which schemas a stream has had, so that one that was replaced is not applied again by accident.
//!
//! In a rolling update, workers with the old and with the new schema run side by side. A worker with the old one that is started again
//! (by an orchestrator, say) would take the new rollups away. The stream's document has the definition of the schema in force and of those
//! before it; a schema that is among the latter is refused, unless the user goes back on purpose. An old schema that this database has never
//! had can only be told from a new one if schemas state their `version`: then a lower one, or none, is refused as well.

use super::entry::{StoredRollup, StoredStream, rollups_of};
use crate::error::IngestError;
use bson::DateTime;
use model::schema::Schema;
use serde::{Deserialize, Serialize};

const GO_BACK: &str = "Use the newer schema; to go back to this one on purpose, end the workers with the newer one and run \
                       `ingest run --accept-older-schema` once";

/// Definitions that are remembered.
const MOST: usize = 1_000;

/// The schema in force, and those before it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Lineage {
    /// [Definition](Schema::definition) of the schema in force; `None` where an earlier version of the program has written the document.
    #[serde(default)]
    definition: Option<String>,
    /// The `version` that it states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    /// Those before it, oldest first.
    #[serde(default)]
    superseded: Vec<Superseded>,
}

/// A schema that was replaced by another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Superseded {
    /// Its definition, where it is known.
    definition: Option<String>,
    /// What it is known by where that is not: its rollups, sorted, each with its definition.
    rollups: Vec<String>,
    /// When it was replaced.
    at: DateTime,
}

impl Superseded {
    fn is(&self, schema: &Schema) -> bool {
        match &self.definition {
            Some(definition) => definition == schema.definition(),
            None => self.rollups == described(&rollups_of(schema)),
        }
    }
}

fn described(rollups: &[StoredRollup]) -> Vec<String> {
    let mut described: Vec<String> = rollups.iter().map(StoredRollup::describe).collect();
    described.sort_unstable();
    described
}

impl StoredStream {
    /// Refuses a schema that was replaced.
    pub(super) fn check_lineage(&self, schema: &Schema, database: &str) -> Result<(), IngestError> {
        if self.is_in_force(schema) {
            return Ok(());
        }
        if let Some(newest) = self.lineage.version.filter(|&newest| schema.number() < Some(newest)) {
            let states =
                schema.number().map_or("states no version".to_owned(), |version| format!("is version {version}"));
            return Err(IngestError::Usage(format!(
                "the schema {} of the stream {} {states}, and the database {database} has version {newest}: applied again, an older one \
                 would undo what the newer one has changed. {GO_BACK}",
                schema.name(),
                self.stream
            )));
        }
        let Some(replaced) = self.lineage.superseded.iter().find(|superseded| superseded.is(schema)) else {
            return Ok(());
        };
        let at = replaced.at.try_to_rfc3339_string().unwrap_or_default();
        Err(IngestError::Usage(format!(
            "the schema {} of the stream {} was replaced by another one in the database {database} at {at}: applied again, it would undo \
             what that one has changed. {GO_BACK}",
            schema.name(),
            self.stream
        )))
    }

    fn is_in_force(&self, schema: &Schema) -> bool {
        match &self.lineage.definition {
            Some(definition) => definition == schema.definition(),
            None => self.has_plan_of(schema),
        }
    }

    /// The lineage once this schema is in force.
    pub(super) fn lineage_with(&self, schema: &Schema) -> Lineage {
        let definition = Some(schema.definition().to_owned());
        let mut superseded = self.lineage.superseded.clone();
        if !self.is_in_force(schema) {
            superseded.retain(|superseded| !superseded.is(schema));
            let (before, rollups) = (self.lineage.definition.clone(), described(&self.rollups));
            superseded.push(Superseded { definition: before, rollups, at: DateTime::now() });
            superseded.drain(..superseded.len().saturating_sub(MOST));
        }
        Lineage { definition, version: schema.number(), superseded }
    }
}

impl Lineage {
    /// That of a stream whose first schema this is.
    pub(super) fn of(schema: &Schema) -> Self {
        Self { definition: Some(schema.definition().to_owned()), version: schema.number(), superseded: Vec::new() }
    }

    /// The definition of the schema in force.
    pub(super) fn definition(&self) -> Option<&str> {
        self.definition.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::entry::tables_of;

    fn schema(rollups: &[&str]) -> Schema {
        let rollups: String =
            rollups.iter().map(|name| format!("[[rollups]]\nname = \"{name}\"\nwindow = \"day\"\n")).collect();
        let text = format!(
            "stream = \"s\"\nid = [\"a\"]\nevent_time = \"at\"\n[fields]\na.type = \"int\"\nat.type = \"date\"\n{rollups}"
        );
        Schema::parse("s.toml", &text).unwrap()
    }

    fn stored(schema: &Schema, lineage: Lineage) -> StoredStream {
        StoredStream {
            stream: "s".into(),
            plan: 0,
            tables: tables_of(schema),
            rollups: rollups_of(schema),
            schema: Default::default(),
            unused: Vec::new(),
            unused_tables: Vec::new(),
            lineage,
        }
    }

    #[test]
    fn a_schema_that_was_replaced_is_refused_until_the_user_goes_back() {
        let [first, second, third] = [&["a"][..], &["a", "b"], &["b"]].map(schema);
        let allowed =
            |stored: &StoredStream| [&first, &second, &third].map(|schema| stored.check_lineage(schema, "db").is_ok());
        let one = stored(&first, Lineage::of(&first));
        assert_eq!(allowed(&one), [true; 3]);
        let two = stored(&second, one.lineage_with(&second));
        assert_eq!(allowed(&two), [false, true, true]);
        let three = stored(&third, two.lineage_with(&third));
        assert_eq!(allowed(&three), [false, false, true]);
        let back = stored(&first, three.lineage_with(&first));
        assert_eq!(allowed(&back), [true, false, false], "the newer ones are now the older ones");
        assert_eq!(back.lineage_with(&first), back.lineage, "nothing changes by another start");
    }

    #[test]
    fn of_schemas_that_state_their_version_the_lower_is_older_though_it_was_never_seen() {
        let versioned = |version: Option<u32>| {
            let text = version.map_or_else(String::new, |version| format!("version = {version}\n"));
            let of_version = format!(
                "{text}stream = \"s\"\nid = [\"a\"]\nevent_time = \"at\"\n[fields]\na.type = \"int\"\nat.type = \"date\"\n"
            );
            Schema::parse("s.toml", &of_version).unwrap()
        };
        let schemas = [None, Some(0), Some(1), Some(2), Some(7)].map(versioned);
        for (at, first) in schemas.iter().enumerate() {
            let stored = stored(first, Lineage::of(first));
            let again: StoredStream =
                bson::deserialize_from_document(bson::serialize_to_document(&stored).unwrap()).unwrap();
            for (other, next) in schemas.iter().enumerate() {
                assert_eq!(again.check_lineage(next, "db").is_ok(), other >= at, "{at} {other}");
            }
            assert_eq!(stored.lineage_with(&schemas[4]).version, Some(7));
        }
    }

    #[test]
    fn the_schema_of_an_earlier_version_is_known_by_its_rollups() {
        let [first, second] = [&["a", "b"][..], &["a"]].map(schema);
        let before = stored(&first, Lineage::default());
        assert!(before.check_lineage(&first, "db").is_ok() && before.check_lineage(&second, "db").is_ok());
        let after = stored(&second, before.lineage_with(&second));
        assert!(after.check_lineage(&schema(&["b", "a"]), "db").is_err(), "in whatever order");
        assert!(after.check_lineage(&schema(&["a", "b", "c"]), "db").is_ok());
    }
}
