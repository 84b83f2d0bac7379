//! Whether the stored events can be read by a schema: what an event is must not change under those that are there.

use crate::error::IngestError;
use model::schema::Schema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the stored events hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSchema {
    /// Names of the fields that identify an event.
    pub id: Vec<String>,
    /// Name of the event time.
    pub event_time: String,
    /// IANA zone of the calendar windows.
    pub time_zone: String,
    /// Types by name; those of fields that the schema no longer has as well, because stored events have them.
    pub fields: BTreeMap<String, String>,
}

impl StoredSchema {
    /// What events of this schema hold.
    pub fn of(schema: &Schema) -> Self {
        Self {
            id: schema.id_names().map(str::to_owned).collect(),
            event_time: schema.event_time().name.clone(),
            time_zone: schema.time_zone().iana_name().unwrap_or("UTC").to_owned(),
            fields: schema.fields().iter().map(|field| (field.name.clone(), field.kind.name().to_owned())).collect(),
        }
    }

    /// What events hold that were stored under this schema or under `now`.
    ///
    /// # Errors
    /// [`IngestError::Usage`] names what differs, as it is stored and as it is now, and what to do.
    pub fn joined_with(&self, now: &Schema, database: &str) -> Result<Self, IngestError> {
        let new = Self::of(now);
        let differs = |what: String, stored: &str, asked: &str| {
            Err(IngestError::Usage(format!(
                "schema {}: {what} is {asked} now, but the events in the database {database} were stored with {stored}. Set it back to \
                 {stored}, or ingest the topic anew into another database (--database and --group)",
                now.name()
            )))
        };
        if self.id != new.id {
            return differs("the id".into(), &self.id.join(", "), &new.id.join(", "));
        }
        if self.event_time != new.event_time {
            return differs("the event time".into(), &self.event_time, &new.event_time);
        }
        for (name, kind) in &new.fields {
            match self.fields.get(name) {
                Some(stored) if stored != kind => {
                    return differs(format!("the type of the field {name}"), stored, kind);
                }
                _ => {}
            }
        }
        Ok(Self { fields: self.fields.clone().into_iter().chain(new.fields).collect(), ..new })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(id: &str, event_time: &str, fields: &str) -> Schema {
        let text = format!(
            "stream = \"s\"\nid = [{id}]\nevent_time = \"{event_time}\"\n[fields]\na = {{ type = \"int\" }}\nb = {{ type = \"string\" }}\n\
             at = {{ type = \"date\" }}\nthen = {{ type = \"date\" }}\n{fields}"
        );
        Schema::parse("s.toml", &text).unwrap()
    }

    #[test]
    fn fields_may_come_and_go() {
        let first = StoredSchema::of(&schema("\"a\"", "at", "c = { type = \"int\" }"));
        let second = first.joined_with(&schema("\"a\"", "at", "d = { type = \"bool\" }"), "db").unwrap();
        assert_eq!(second.fields["c"], "int", "stored events still have it");
        let third =
            second.joined_with(&schema("\"a\"", "at", "c = { type = \"float\" }"), "db").unwrap_err().to_string();
        assert!(third.contains("the type of the field c is float now"), "{third}");
        assert!(third.contains("stored with int. Set it back to int"), "{third}");
    }

    #[test]
    fn another_id_or_event_time_is_refused() {
        let stored = StoredSchema::of(&schema("\"a\"", "at", ""));
        let refused = |schema: Schema| stored.joined_with(&schema, "db").unwrap_err().to_string();
        assert!(refused(schema("\"a\", \"b\"", "at", "")).contains("the id is a, b now"));
        assert!(refused(schema("\"a\"", "then", "")).contains("the event time is then now"));
    }
}
