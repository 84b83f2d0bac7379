//! Which state an event changes, and the changes of a batch.

use super::{Facts, RollupPlan, State};
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

/// The state of one window and key in one partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StateKey {
    /// Place of the state table in the plan.
    pub table: usize,
    /// Kafka partition.
    pub partition: i32,
    /// Window.
    pub window: Window,
    /// Values to group by, in the order of the table's keys.
    pub key: Box<[KeyValue]>,
}

impl StateKey {
    /// The `_id` of the state: `{r: table, w: window's start, k: [key …], p: partition}`. The order makes all states of a
    /// window, and of a window and key, neighbours in the `_id` index.
    pub fn id(&self, plan: &RollupPlan) -> RawDocumentBuf {
        let mut key = RawArrayBuf::new();
        self.key.iter().for_each(|value| key.push(value.as_bson()));
        let mut id = RawDocumentBuf::new();
        id.append(cstr!("r"), plan.tables[self.table].id.as_str());
        id.append(cstr!("w"), bson::DateTime::from_millis(self.window.start));
        id.append(cstr!("k"), RawBsonRef::Array(&key));
        id.append(cstr!("p"), self.partition);
        id
    }
}

/// The states that a batch adds, merged before they are stored.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    states: HashMap<StateKey, State>,
    late: i64,
}

impl Changes {
    /// Adds an event that is stored for the first time, and moves its partition's clock.
    pub fn add(
        &mut self,
        plan: &RollupPlan,
        partition: i32,
        event_time: i64,
        facts: &Facts<'_>,
        clock: &mut EventClock,
        lateness: AllowedLateness,
    ) {
        let mut late_somewhere = false;
        for (at, table) in plan.tables.iter().enumerate() {
            let key: Box<[KeyValue]> = table.keys.iter().map(|&slot| facts.key(slot)).collect();
            table.window.for_each(event_time, |window| {
                let late = clock.has_closed(table.window.ends_at(window), lateness);
                late_somewhere |= late;
                let key = StateKey { table: at, partition, window, key: key.clone() };
                self.states.entry(key).or_insert_with(|| State::empty(table)).insert(table, facts, late);
            });
        }
        self.late += i64::from(late_somewhere);
        clock.observe(event_time);
    }

    /// The changed states, in no particular order.
    pub fn states(&self) -> impl Iterator<Item = (&StateKey, &State)> {
        self.states.iter()
    }

    /// Takes the changed states.
    pub fn into_states(self) -> HashMap<StateKey, State> {
        self.states
    }

    /// Events that came after at least one of their windows had closed.
    pub fn late(&self) -> i64 {
        self.late
    }
}
