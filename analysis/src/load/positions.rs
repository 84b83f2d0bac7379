//! How far the worker has stored each partition: what tells new events from those that are known.
//!
//! A position moves in the transaction that stores its events, so whoever has read a position finds every event below it. Events
//! that are new between two readings are those whose offset lies between the two positions of their partition, and the
//! counts of stored events say how many there must be.

use std::collections::{BTreeMap, BTreeSet};

use bson::{Document, doc};
use futures_util::TryStreamExt;
use model::layout::{OFFSETS, source};
use mongodb::options::Hint;

use super::{StoreError, store::Shared};

/// The position of every partition of one topic, as one consumer group has stored it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Positions(BTreeMap<i32, Position>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Position {
    /// Offset of the next record.
    next: i64,
    /// Events stored so far.
    stored: i64,
}

/// What happened between two readings of the positions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// Nothing was stored.
    None,
    /// So many events, which this filter finds.
    Forward { filter: Document, count: u64 },
    /// A position went back or is gone: it is another store than before.
    Another,
}

impl Positions {
    /// What was stored since `self`, of which `later` is the newer reading.
    pub fn step(&self, later: &Self) -> Step {
        let mut ranges = Vec::new();
        let mut count = 0;
        for (partition, before) in &self.0 {
            match later.0.get(partition) {
                Some(now) if now.next >= before.next && now.stored >= before.stored => {}
                _ => return Step::Another,
            }
        }
        for (partition, now) in &later.0 {
            let before = self.0.get(partition).copied().unwrap_or_default();
            count += now.stored - before.stored;
            if now.next > before.next {
                ranges.push(range(*partition, doc! { "$gte": before.next, "$lt": now.next }));
            }
        }
        match (u64::try_from(count), ranges.is_empty()) {
            (Ok(0), _) => Step::None,
            (Ok(count), false) => Step::Forward { filter: doc! { "$or": ranges }, count },
            // Stored without a move of the position: a dead letter that was sent again, at its old offset.
            _ => Step::Another,
        }
    }

    /// The filter of the events below these positions. Of a partition without a position there are none: its first batch may come
    /// after the positions were read, and is found by the next step.
    pub fn known(&self) -> Document {
        let below = self.0.iter().map(|(partition, now)| range(*partition, doc! { "$lt": now.next }));
        let below: Vec<Document> = below.collect();
        // To MongoDB an empty `$or` is an error.
        if below.is_empty() {
            doc! { "$expr": false }
        } else {
            doc! { "$or": below }
        }
    }
}

fn range(partition: i32, offsets: Document) -> Document {
    let path = |member| format!("{}.{member}", source::FIELD);
    doc! { path(source::PARTITION): partition, path(source::OFFSET): offsets }
}

impl Shared {
    /// The positions of the one group that stores events here, or of the named one.
    pub(crate) async fn positions(&self, group: Option<&str>) -> Result<Positions, StoreError> {
        let failed = |error| self.error(error, "the positions");
        let positions = self.database.collection::<Document>(OFFSETS);
        let by_id = Hint::Keys(doc! { "_id": 1 });
        let cursor = positions.find(doc! {}).hint(by_id).await.map_err(failed)?;
        let documents: Vec<Document> = cursor.try_collect().await.map_err(failed)?;
        let named = |name: &str| -> BTreeSet<String> {
            documents.iter().filter_map(|document| document.get_str(name).ok()).map(str::to_owned).collect()
        };
        // An event says its partition and offset, but not of which topic.
        let topics = named("topic");
        if topics.len() > 1 {
            return Err(StoreError::SeveralTopics { topics: topics.into_iter().collect() });
        }
        let groups = named("group");
        if group.is_none() && groups.len() > 1 {
            return Err(StoreError::SeveralGroups { groups: groups.into_iter().collect() });
        }
        let mut positions = Positions::default();
        let of_group = |document: &&Document| group.is_none_or(|group| document.get_str("group").ok() == Some(group));
        for document in documents.iter().filter(of_group) {
            let counts = document.get_document("counts").ok();
            let stored = counts.and_then(|counts| counts.get_i64("stored").ok()).unwrap_or_default();
            if let (Ok(partition), Ok(next)) = (document.get_i32("partition"), document.get_i64("next")) {
                positions.0.insert(partition, Position { next, stored });
            }
        }
        Ok(positions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(of: &[(i32, i64, i64)]) -> Positions {
        Positions(of.iter().map(|&(partition, next, stored)| (partition, Position { next, stored })).collect())
    }

    #[test]
    fn new_events_lie_between_two_positions_of_their_partition() {
        let before = positions(&[(0, 10, 8), (1, 5, 5)]);
        let later = positions(&[(0, 14, 11), (1, 5, 5), (2, 3, 3)]);
        let Step::Forward { filter, count } = before.step(&later) else { panic!("a step") };
        assert_eq!(count, 6);
        let expected = doc! { "$or": [
            { "src.partition": 0, "src.offset": { "$gte": 10_i64, "$lt": 14_i64 } },
            { "src.partition": 2, "src.offset": { "$gte": 0_i64, "$lt": 3_i64 } },
        ] };
        assert_eq!(filter, expected);
    }

    #[test]
    fn records_that_were_not_stored_are_nothing_new() {
        assert_eq!(positions(&[(0, 10, 8)]).step(&positions(&[(0, 90, 8)])), Step::None);
        assert_eq!(Positions::default().step(&Positions::default()), Step::None);
    }

    #[test]
    fn what_cannot_be_found_by_position_is_another_store() {
        let before = positions(&[(0, 10, 8)]);
        for later in [positions(&[]), positions(&[(0, 9, 8)]), positions(&[(0, 20, 7)]), positions(&[(0, 10, 9)])] {
            assert_eq!(before.step(&later), Step::Another, "{later:?}");
        }
    }

    #[test]
    fn what_is_known_lies_below_a_position() {
        let expected = doc! { "$or": [
            { "src.partition": 0, "src.offset": { "$lt": 10_i64 } },
            { "src.partition": 1, "src.offset": { "$lt": 5_i64 } },
        ] };
        assert_eq!(positions(&[(0, 10, 8), (1, 5, 5)]).known(), expected);
        assert_eq!(
            Positions::default().known(),
            doc! { "$expr": false },
            "an event of a partition without a position comes later"
        );
    }
}
