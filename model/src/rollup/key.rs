//! Which groups an event belongs to, and the changes of a batch.

use super::{Facts, RollupPlan, State, StateTable};
use crate::clock::{AllowedLateness, EventClock};
use crate::window::Window;
use bson::Bson;
use bson::raw::{RawArrayBuf, RawBsonRef, RawDocumentBuf, cstr};
use std::collections::HashMap;

/// A value to group by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyValue {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// Integer.
    Int(i64),
    /// Date or timestamp in milliseconds.
    Millis(i64),
    /// Text.
    Str(Box<str>),
}

impl KeyValue {
    /// The key of a stored value; `None` for a type that cannot be a key.
    pub fn from_bson(value: RawBsonRef<'_>) -> Option<Self> {
        match value {
            RawBsonRef::Null => Some(Self::Null),
            RawBsonRef::Boolean(truth) => Some(Self::Bool(truth)),
            RawBsonRef::Int64(number) => Some(Self::Int(number)),
            RawBsonRef::DateTime(moment) => Some(Self::Millis(moment.timestamp_millis())),
            RawBsonRef::String(text) => Some(Self::Str(text.into())),
            _ => None,
        }
    }

    /// The value as owned BSON.
    pub fn to_bson(&self) -> Bson {
        match self {
            Self::Null => Bson::Null,
            Self::Bool(truth) => Bson::Boolean(*truth),
            Self::Int(number) => Bson::Int64(*number),
            Self::Millis(millis) => Bson::DateTime(bson::DateTime::from_millis(*millis)),
            Self::Str(text) => Bson::String(text.to_string()),
        }
    }

    /// The value as BSON.
    pub fn as_bson(&self) -> RawBsonRef<'_> {
        match self {
            Self::Null => RawBsonRef::Null,
            Self::Bool(truth) => RawBsonRef::Boolean(*truth),
            Self::Int(number) => RawBsonRef::Int64(*number),
            Self::Millis(millis) => RawBsonRef::DateTime(bson::DateTime::from_millis(*millis)),
            Self::Str(text) => RawBsonRef::String(text),
        }
    }
}

/// A group of a state table: one window and key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Group {
    /// Window.
    pub window: Window,
    /// Values to group by, in the order of the table's keys.
    pub key: Box<[KeyValue]>,
}

impl Group {
    /// The `_id` of the group's row: `{w: window's start, k: [key …]}`. All rows of a window are neighbours in the index.
    pub fn row_id(&self) -> RawDocumentBuf {
        let mut id = RawDocumentBuf::new();
        id.append(cstr!("w"), bson::DateTime::from_millis(self.window.start));
        id.append(cstr!("k"), RawBsonRef::Array(&self.key_array()));
        id
    }

    pub(super) fn key_array(&self) -> RawArrayBuf {
        self.key.iter().map(KeyValue::as_bson).collect()
    }
}

/// States of groups of one table.
pub type Groups = HashMap<Group, State>;

/// What the events of a batch change, merged before it is stored.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// By the place of the state table in the plan.
    tables: Vec<Groups>,
    late: i64,
}

impl Changes {
    /// Adds an event that is stored for the first time, and moves its partition's clock.
    pub fn add(
        &mut self,
        plan: &RollupPlan,
        event_time: i64,
        facts: &Facts<'_>,
        clock: &mut EventClock,
        lateness: AllowedLateness,
    ) {
        self.tables.resize_with(plan.tables.len(), Groups::default);
        let mut late_somewhere = false;
        for (table, groups) in plan.tables.iter().zip(&mut self.tables) {
            let key: Box<[KeyValue]> = table.keys.iter().map(|&slot| facts.key(slot)).collect();
            table.window.for_each(event_time, |window| {
                let late = clock.has_closed(table.window.ends_at(window), lateness);
                late_somewhere |= late;
                let group = Group { window, key: key.clone() };
                groups.entry(group).or_insert_with(|| State::empty(table)).insert(table, facts, late);
            });
        }
        self.late += i64::from(late_somewhere);
        clock.observe(event_time);
    }

    /// The tables in the order of the plan, each with its changed groups.
    pub fn tables<'a>(&'a self, plan: &'a RollupPlan) -> impl Iterator<Item = (&'a StateTable, &'a Groups)> {
        plan.tables.iter().zip(&self.tables)
    }

    /// Events that came after at least one of their windows had closed.
    pub fn late(&self) -> i64 {
        self.late
    }
}
