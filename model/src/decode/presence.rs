//! Finds fields of the schema that no record has, such as a misspelt name or a path into an object.
//!
//! An optional field that never occurs is null in every event, which no other check detects. The decoder reads only the fields of the
//! schema, so this is a second, slower pass over a sample of the records.

use crate::schema::{Schema, Source};
use serde_json::value::RawValue;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

/// Maximum number of names in a message.
const MOST_LISTED: usize = 12;
/// Maximum number of characters of a name in a message.
const MOST_SHOWN: usize = 40;
/// Maximum number of names kept. Records that use data as names have any number of them.
const MOST_KEPT: usize = 1_000;

/// The fields that the records of a sample have.
#[derive(Debug, Clone)]
pub struct Presence {
    fields: Vec<Wanted>,
    records: u64,
    /// Names in the records, and whether any of their values was an object.
    names: BTreeMap<String, bool>,
}

#[derive(Debug, Clone)]
struct Wanted {
    field: String,
    source: String,
    is_there: bool,
}

/// A field that no record of the sample has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsentField {
    /// The field's name in the schema.
    pub field: String,
    /// The expected name in the records.
    pub source: String,
    /// Number of records in the sample.
    pub records: u64,
    /// Names in the records, the most similar first.
    pub has: Vec<String>,
    /// True if the source is a path whose first part is an object in the records.
    pub is_path: bool,
}

impl Presence {
    /// Creates an empty sample for the fields of `schema`.
    pub fn new(schema: &Schema) -> Self {
        let fields = schema.fields.iter().filter_map(|field| {
            let source = match &field.source {
                Source::Record(name) | Source::Item { field: name, .. } => name.clone(),
                Source::Derived { .. } => return None,
            };
            Some(Wanted { field: field.name.clone(), source, is_there: false })
        });
        Self { fields: fields.collect(), records: 0, names: BTreeMap::new() }
    }

    /// Adds a record to the sample; ignores it if it is not a JSON object.
    pub fn add(&mut self, payload: &[u8]) {
        let Ok(record) = serde_json::from_slice::<BTreeMap<String, &RawValue>>(payload) else { return };
        self.records += 1;
        for wanted in self.fields.iter_mut().filter(|wanted| !wanted.is_there) {
            wanted.is_there = record.contains_key(&wanted.source);
        }
        for (name, value) in record {
            let is_object = value.get().starts_with('{');
            let is_full = self.names.len() >= MOST_KEPT;
            match self.names.entry(name) {
                Entry::Occupied(mut known) => *known.get_mut() |= is_object,
                Entry::Vacant(new) if !is_full => {
                    new.insert(is_object);
                }
                Entry::Vacant(_) => {}
            }
        }
    }

    /// Returns the number of records in the sample.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Returns the fields that no record has. Empty if the sample is empty.
    pub fn absent(&self) -> Vec<AbsentField> {
        let absent = self.fields.iter().filter(|wanted| self.records > 0 && !wanted.is_there);
        absent
            .map(|wanted| {
                let source = &wanted.source;
                let root = source.split_once('.').map(|(root, _)| root);
                let mut has: Vec<String> = self.names.keys().cloned().collect();
                has.sort_by_key(|name| Reverse(likeness(name, source)));
                has.truncate(MOST_LISTED);
                has.iter_mut().for_each(|name| *name = name.chars().take(MOST_SHOWN).collect());
                AbsentField {
                    field: wanted.field.clone(),
                    source: source.clone(),
                    records: self.records,
                    has,
                    is_path: root.is_some_and(|root| self.names.get(root) == Some(&true)),
                }
            })
            .collect()
    }
}

/// Returns the similarity of two names: the length of their common prefix and suffix, ignoring case.
fn likeness(one: &str, other: &str) -> usize {
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    let begin = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let end = one.chars().rev().zip(other.chars().rev()).take_while(|(a, b)| a == b).count();
    begin + end
}

impl fmt::Display for AbsentField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.field)?;
        if self.source != self.field {
            write!(f, " (from = {:?})", self.source)?;
        }
        let records = if self.records == 1 { "record" } else { "records" };
        write!(f, " had no value in any of {} {records}; the records have {}", self.records, self.has.join(", "))?;
        if self.has.len() == MOST_LISTED {
            f.write_str(", …")?;
        }
        match self.is_path {
            true => f.write_str("; a field inside of an object cannot be read"),
            false => f.write_str("; correct the field's name, or `from`, in the schema"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn absent(fields: &str, records: &[&str]) -> Vec<AbsentField> {
        let toml = format!(
            "stream = \"s\"\nid = [\"id\"]\nevent_time = \"at\"\n[fields]\nid = {{ type = \"string\" }}\n\
             at = {{ type = \"timestamp\" }}\n{fields}\n[[rollups]]\nname = \"r\"\nwindow = \"day\"\n"
        );
        let mut presence = Presence::new(&Schema::parse("s", &toml).unwrap());
        records.iter().for_each(|record| presence.add(record.as_bytes()));
        presence.absent()
    }

    #[test]
    fn a_name_that_no_record_has_is_found() {
        let records = [r#"{"id":"a","at":1,"actor":{"login":"x"},"Amount":3}"#, r#"{"id":"b","at":2,"note":null}"#];
        for (field, source, nearest, is_path) in [
            (r#"acter = { type = "string" }"#, "acter", "actor", false),
            (r#"login = { type = "string", from = "actor.login" }"#, "actor.login", "actor", true),
            (r#"login = { type = "string", from = "user.login" }"#, "user.login", "", false),
            (r#"amount = { type = "int" }"#, "amount", "Amount", false),
            (r#"sum = { type = "int", from = "amont" }"#, "amont", "Amount", false),
        ] {
            let found = absent(field, &records);
            let [one] = &found[..] else { panic!("{field}: {found:?}") };
            assert_eq!((one.source.as_str(), one.records, one.is_path), (source, 2, is_path), "{field}");
            assert!(nearest.is_empty() || one.has[0] == nearest, "{field}: {one}");
        }
    }

    #[test]
    fn a_name_that_some_record_has_is_in_order() {
        let records = [r#"{"id":"a","at":1}"#, r#"{"id":"b","at":2,"note":null}"#, "[1]", "{", r#"{"id":"c","at":3}"#];
        assert_eq!(absent(r#"note = { type = "string" }"#, &records), []);
        assert_eq!(absent(r#"missing = { type = "string" }"#, &["[1]", "{"]), [], "no record was read");
        assert_eq!(absent(r#"missing = { type = "string" }"#, &records)[0].records, 3);
    }

    #[test]
    fn names_that_are_data_do_not_fill_the_memory() {
        let records: Vec<String> = (0..2 * MOST_KEPT).map(|n| format!(r#"{{"id":"a","at":1,"k{n}":1}}"#)).collect();
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        let found = absent(r#"missing = { type = "string" }"#, &records);
        assert_eq!(found[0].has.len(), MOST_LISTED);
    }
}
