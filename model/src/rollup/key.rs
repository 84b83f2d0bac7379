//! Groups of events, and the changes of a batch.

use super::{Facts, RollupPlan, State, StateTable};
use crate::clock::{AllowedLateness, EventClock};
use crate::window::{Window, WindowKind};
use bson::Bson;
use bson::raw::{RawArrayBuf, RawBsonRef, RawDocumentBuf, cstr};
use std::borrow::Cow;
use std::collections::HashMap;

/// Overhead of an allocation in bytes.
pub(super) const ALLOCATION: usize = 16;

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
    /// Converts a stored value to a key; `None` if its type cannot be a key.
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
    /// Returns the `_id` of the group's row: `{w: window's start, k: [key …]}`. Rows of a window are adjacent in the index.
    pub fn row_id(&self) -> RawDocumentBuf {
        let mut id = RawDocumentBuf::new();
        id.append(cstr!("w"), bson::DateTime::from_millis(self.window.start));
        id.append(cstr!("k"), RawBsonRef::Array(&self.key_array()));
        id
    }

    /// Returns the approximate memory use in bytes.
    pub(super) fn size(&self) -> usize {
        let texts =
            self.key.iter().map(|value| if let KeyValue::Str(text) = value { text.len() + ALLOCATION } else { 0 });
        size_of::<Self>() + ALLOCATION + size_of_val(&*self.key) + texts.sum::<usize>()
    }

    pub(super) fn key_array(&self) -> RawArrayBuf {
        self.key.iter().map(KeyValue::as_bson).collect()
    }
}

/// States of groups of one table.
pub type Groups = HashMap<Group, State, GroupHasher>;

/// Hasher for groups: fast for short keys, with a random seed in each process, because keys are untrusted.
pub type GroupHasher = foldhash::quality::RandomState;

/// Merges overlapping sessions of a key. States are merged in order of time.
pub fn join_sessions(groups: Groups) -> Groups {
    let mut sorted: Vec<(Group, State)> = groups.into_iter().collect();
    sorted.sort_unstable_by(|(a, _), (b, _)| (&a.key, a.window).cmp(&(&b.key, b.window)));
    let mut joined: Vec<(Group, State)> = Vec::with_capacity(sorted.len());
    for (group, state) in sorted {
        match joined.last_mut() {
            Some((last, sum)) if last.key == group.key && group.window.start < last.window.end => {
                last.window.end = last.window.end.max(group.window.end);
                sum.combine(&state);
            }
            _ => joined.push((group, state)),
        }
    }
    joined.into_iter().collect()
}

/// The merged state changes of a batch.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// By index of the state table in the plan.
    tables: Vec<Groups>,
    late: i64,
}

impl Changes {
    /// Adds an event that is stored for the first time, and advances its partition's clock.
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

    /// Returns the tables in the order of the plan with their changed groups. Overlapping sessions are merged.
    pub fn tables<'a>(&'a self, plan: &'a RollupPlan) -> impl Iterator<Item = (&'a StateTable, Cow<'a, Groups>)> {
        plan.tables.iter().zip(&self.tables).map(|(table, groups)| match table.window.kind() {
            WindowKind::Session { .. } => (table, Cow::Owned(join_sessions(groups.clone()))),
            _ => (table, Cow::Borrowed(groups)),
        })
    }

    /// Returns the number of changed groups of all tables. Overlapping sessions count separately.
    pub fn groups(&self) -> usize {
        self.tables.iter().map(Groups::len).sum()
    }

    /// Returns the number of events that are late for at least one window.
    pub fn late(&self) -> i64 {
        self.late
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollup::partial;
    use crate::schema::Schema;
    use crate::window::Sessions;
    use bson::raw::RawDocumentBuf;
    use bson::rawdoc;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const SCHEMA: &str = r#"
stream = "visits"
id = ["id"]
event_time = "at"
[fields]
id = { type = "int" }
at = { type = "timestamp" }
who = { type = "int" }
pages = { type = "int" }
[[rollups]]
name = "sessions"
window = "session 10ms"
keys = ["who"]
measures = ["pages"]
"#;

    /// Time, key.
    type Visit = (i64, i64);

    fn events(visits: &[Visit]) -> Vec<(i64, RawDocumentBuf)> {
        let event = |&(at, who): &Visit| (at, rawdoc! { "_id": 0_i64, "who": who, "pages": at });
        visits.iter().map(event).collect()
    }

    /// What the publisher combines from the partial states of these batches.
    fn combined(schema: &Schema, batches: &[&[(i64, RawDocumentBuf)]]) -> Groups {
        let (plan, mut sum) = (schema.rollups(), Groups::default());
        for batch in batches {
            let (mut changes, mut clock) = (Changes::default(), EventClock::default());
            for (at, event) in *batch {
                let facts = Facts::read(plan, event).unwrap();
                changes.add(plan, *at, &facts, &mut clock, AllowedLateness::Unbounded);
            }
            for (table, groups) in changes.tables(plan) {
                for states in partial::write(table, &groups) {
                    let mut document = RawDocumentBuf::new();
                    states.append_to(&mut document);
                    partial::combine(table, &document, &mut sum).unwrap();
                }
            }
            // As the publisher does with what the table has and what comes.
            sum = join_sessions(sum);
        }
        sum
    }

    proptest! {
        #[test]
        fn any_order_and_any_split_give_the_same_sessions(
            visits in prop::collection::vec((-200..200_i64, 0..3_i64), 1..60),
            order in any::<u64>(),
            cuts in prop::collection::vec(0..60_usize, 0..5),
        ) {
            let schema = Schema::parse("test", SCHEMA).unwrap();
            let whole = combined(&schema, &[&events(&visits)]);
            let mut sessions: BTreeMap<i64, Sessions<i64>> = BTreeMap::new();
            for &(at, who) in &visits {
                sessions.entry(who).or_insert_with(|| Sessions::new(10)).insert(at, 1, |sum, other| *sum += other);
            }
            let expected = sessions.iter().flat_map(|(&who, of)| of.iter().map(move |(window, &count)| ((who, window), count)));
            let found = whole.iter().map(|(group, state)| match group.key[0] {
                KeyValue::Int(who) => ((who, group.window), state.count()),
                _ => unreachable!("a visit's key is a number"),
            });
            prop_assert_eq!(found.collect::<BTreeMap<_, _>>(), expected.collect::<BTreeMap<_, _>>());

            let mut shuffled = visits;
            let mut next = order;
            for place in (1..shuffled.len()).rev() {
                next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                shuffled.swap(place, (next >> 33) as usize % (place + 1));
            }
            let shuffled = events(&shuffled);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (shuffled.len() + 1)).chain([0, shuffled.len()]).collect();
            cuts.sort_unstable();
            let batches: Vec<_> = cuts.windows(2).map(|pair| &shuffled[pair[0]..pair[1]]).collect();
            let split = combined(&schema, &batches);
            prop_assert_eq!(split.len(), whole.len());
            for (group, state) in &whole {
                prop_assert_eq!(split.get(group).map(State::count), Some(state.count()));
            }
        }
    }
}
