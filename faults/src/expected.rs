//! What must be in the store, from the records of the seed and the places at which they stand in the topic.

use crate::crew::NAME;
use crate::records::{Fate, Reading, Record, Records};
use crate::topic::Log;
use model::layout::dead_letter_id;
use std::collections::{BTreeMap, HashMap};

/// What the records must have become.
#[derive(Debug, Default)]
pub struct Expected {
    /// By id: the reading, and partition and offset of each of its copies.
    pub events: HashMap<i64, (Reading, Vec<(i32, i64)>)>,
    /// By `_id` of the dead letter: reason and payload.
    pub dead: HashMap<String, (&'static str, Option<Vec<u8>>)>,
    /// Records that are filtered, by partition.
    pub filtered: BTreeMap<i32, i64>,
    /// Dead letters, by partition.
    pub dead_of: BTreeMap<i32, i64>,
    /// Of the harness itself: a record that is not in the topic once.
    pub wrong: Vec<String>,
}

impl Expected {
    /// What the first `records` of `seed` must have become, as they stand in the topic.
    pub fn new(seed: u64, records: u64, log: &Log) -> Self {
        let mut expected = Self::default();
        let count = usize::try_from(records).unwrap_or(usize::MAX);
        for record in Records::new(seed).take(count) {
            match log.places.get(&record.number).map(Vec::as_slice) {
                Some(&[(partition, offset)]) if partition == record.partition => expected.add(record, offset),
                places => expected.wrong.push(format!("record {} is in the topic at {places:?}", record.number)),
            }
        }
        expected
    }

    fn add(&mut self, record: Record, offset: i64) {
        let place = (record.partition, offset);
        match record.fate {
            Fate::Event(reading) => {
                self.events.entry(reading.id).or_insert_with(|| (reading, Vec::new())).1.push(place);
            }
            Fate::Filtered => *self.filtered.entry(place.0).or_default() += 1,
            Fate::Dead(reason) => {
                *self.dead_of.entry(place.0).or_default() += 1;
                self.dead.insert(dead_letter_id(NAME, place.0, place.1), (reason, record.payload));
            }
        }
    }
}
