//! Reads the values that states need from a stored event.

use super::{KeyValue, RollupPlan};
use crate::schema::Place;
use bson::raw::{RawBsonRef, RawDocument};

/// A stored event that does not fit the schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stored event {id}: {problem}; was it written under another schema?")]
pub struct FactsError {
    /// The event's id.
    pub id: String,
    /// What is wrong.
    pub problem: String,
}

/// The values of one event, by the indexes in the plan's tables.
#[derive(Debug)]
pub struct Facts<'a> {
    values: Vec<RawBsonRef<'a>>,
}

impl<'a> Facts<'a> {
    /// Reads an event.
    ///
    /// # Errors
    /// [`FactsError`] if the document is not readable or a key has a type that no schema allows.
    pub fn read(plan: &RollupPlan, event: &'a RawDocument) -> Result<Self, FactsError> {
        let fail = |problem: String| {
            let id = event.get("_id").ok().flatten().map_or_else(String::new, |id| format!("{id:?}"));
            FactsError { id, problem }
        };
        let mut values = vec![RawBsonRef::Null; plan.slots.len()];
        for element in event {
            let (name, value) = element.map_err(|error| fail(error.to_string()))?;
            for (slot, kept) in plan.slots.iter().zip(&mut values) {
                match (&slot.field.place, value) {
                    (Place::Top, _) if name == slot.field.name.as_str() => *kept = value,
                    (Place::Id, _) if name == "_id" => *kept = value,
                    (Place::IdMember, RawBsonRef::Document(id)) if name == "_id" => {
                        *kept = id
                            .get(&slot.field.name)
                            .map_err(|error| fail(error.to_string()))?
                            .unwrap_or(RawBsonRef::Null);
                    }
                    _ => {}
                }
            }
        }
        let keys = plan.tables.iter().flat_map(|table| &table.keys);
        match keys.into_iter().find(|&&slot| KeyValue::from_bson(values[slot]).is_none()) {
            Some(&slot) => Err(fail(format!("{} has an unexpected type", plan.slots[slot].field.name))),
            None => Ok(Self { values }),
        }
    }

    pub(super) fn key(&self, slot: usize) -> KeyValue {
        KeyValue::from_bson(self.values[slot]).expect("keys were checked when the event was read")
    }

    pub(super) fn value(&self, slot: usize) -> RawBsonRef<'a> {
        self.values[slot]
    }
}
