//! The records of a run, and what must become of each: decided by the seed alone, by rules that are not the product's.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Partitions of the topic.
pub const PARTITIONS: i32 = 8;
/// The schema that the workers are given.
pub const SCHEMA: &str = include_str!("readings.toml");
const SITES: u8 = 12;
const SECOND: i64 = 1_000;
const DAY: i64 = 86_400 * SECOND;
/// 1 March 2024: the readings cross the end of a month in a leap year and both changes of the clock.
const FIRST: i64 = 1_709_251_200 * SECOND;
/// Events that a repeat is chosen from.
const REMEMBERED: usize = 20_000;

/// A record and what must become of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its place among all records, from 0; a header of the record holds it.
    pub number: u64,
    /// The partition that it is sent to.
    pub partition: i32,
    /// Its key.
    pub key: String,
    /// Its payload; a tombstone has none.
    pub payload: Option<Vec<u8>>,
    /// What must become of it.
    pub fate: Fate,
}

/// What must become of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// It becomes the event, unless it was stored from another copy.
    Event(Reading),
    /// It is left out by the filter.
    Filtered,
    /// It is a dead letter for this reason.
    Dead(&'static str),
}

/// The content of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The id: the number of its first record.
    pub id: i64,
    /// When it was, in milliseconds since 1970, also before.
    pub at: i64,
    /// Where.
    pub site: String,
    /// What, 0 to 9 or nothing.
    pub value: Option<i64>,
    /// A number with a fraction, or nothing.
    pub celsius: Option<f64>,
}

impl Reading {
    fn json(&self) -> String {
        serde_json::json!({
            "kind": "reading", "id": self.id, "at": self.at, "site": self.site, "value": self.value, "celsius": self.celsius,
        })
        .to_string()
    }
}

/// The records of a seed, one after the other.
#[derive(Debug)]
pub struct Records {
    random: StdRng,
    next: u64,
    remembered: Vec<Reading>,
}

impl Records {
    /// The records of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed ^ 0x5eed), next: 0, remembered: Vec::new() }
    }

    fn fate(&mut self) -> (Option<String>, Fate) {
        match self.random.random_range(0..1_000) {
            // Of an event that was sent before, to whichever partition.
            0..80 if !self.remembered.is_empty() => {
                let reading = self.remembered[self.random.random_range(0..self.remembered.len())].clone();
                (Some(reading.json()), Fate::Event(reading))
            }
            80..110 => self.unusable(),
            110..130 => (Some(r#"{"kind": "test", "id": 0, "at": 0}"#.to_owned()), Fate::Filtered),
            _ => {
                let reading = self.reading();
                if self.remembered.len() < REMEMBERED {
                    self.remembered.push(reading.clone());
                } else {
                    let place = self.random.random_range(0..REMEMBERED);
                    self.remembered[place] = reading.clone();
                }
                (Some(reading.json()), Fate::Event(reading))
            }
        }
    }

    fn reading(&mut self) -> Reading {
        let random = &mut self.random;
        let number = i64::try_from(self.next).unwrap_or(i64::MAX);
        let now = FIRST + number * 90 * SECOND;
        let at = match random.random_range(0..100) {
            // Before 1970, to the millisecond.
            0..5 => -random.random_range(1..3 * 365 * DAY),
            // Late by days.
            5..8 => now - random.random_range(DAY..20 * DAY),
            // Out of order.
            _ => now + random.random_range(-600 * SECOND..600 * SECOND),
        };
        let site = random.random_range(0..SITES).min(random.random_range(0..SITES));
        let value = (!random.random_bool(0.1)).then(|| random.random_range(0..10));
        let celsius = (!random.random_bool(0.1)).then(|| f64::from(random.random_range(-400..400)) / 16.0);
        Reading { id: number, at, site: format!("site-{site}"), value, celsius }
    }

    fn unusable(&mut self) -> (Option<String>, Fate) {
        let number = self.next;
        let (payload, reason) = match self.random.random_range(0..7) {
            0 => return (None, Fate::Dead("null_payload")),
            1 => (format!(r#"{{"kind": "reading", "id": {number}, "#), "not_json"),
            2 => (format!("[{number}]"), "not_object"),
            3 => (r#"{"kind": "reading", "at": 1, "site": "site-1"}"#.to_owned(), "missing_id"),
            4 => (format!(r#"{{"kind": "reading", "id": {number}, "at": "at noon"}}"#), "no_event_time"),
            5 => (format!(r#"{{"kind": "reading", "id": {number}, "at": 1, "value": [1]}}"#), "wrong_type"),
            _ => (format!(r#"{{"kind": "reading", "id": {number}, "at": 1, "value": 10}}"#), "out_of_range"),
        };
        (Some(payload), Fate::Dead(reason))
    }
}

impl Iterator for Records {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let (payload, fate) = self.fate();
        let number = self.next;
        self.next += 1;
        let partition = self.random.random_range(0..PARTITIONS);
        let key = format!("key-{}", number % 64);
        Some(Record { number, partition, key, payload: payload.map(String::into_bytes), fate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::decode::{Coordinates, Decoded, Decoder};
    use model::schema::Schema;
    use std::collections::HashSet;

    #[test]
    fn the_fates_are_those_of_the_schema() {
        let schema = Schema::parse("readings", SCHEMA).unwrap();
        let decoder = Decoder::new(&schema).unwrap();
        let at = Coordinates { partition: 0, offset: 0, timestamp: None };
        for record in Records::new(3).take(20_000) {
            match (decoder.decode(record.payload.as_deref(), at), &record.fate) {
                (Ok(Decoded::Event(event)), Fate::Event(reading)) => {
                    assert_eq!(event.event_time, reading.at);
                    assert_eq!(event.document.get_i64("_id").ok(), Some(reading.id));
                }
                (Ok(Decoded::Filtered), Fate::Filtered) => {}
                (Err(reject), Fate::Dead(reason)) => assert_eq!(reject.reason.code(), *reason),
                (decoded, fate) => panic!("record {}: {decoded:?} is not {fate:?}", record.number),
            }
        }
    }

    #[test]
    fn all_that_is_hard_is_among_them() {
        let records: Vec<_> = Records::new(4).take(20_000).collect();
        let dead: HashSet<_> = records
            .iter()
            .filter_map(|record| if let Fate::Dead(reason) = record.fate { Some(reason) } else { None })
            .collect();
        assert_eq!(dead.len(), 7);
        let readings: Vec<_> = records
            .iter()
            .filter_map(|record| if let Fate::Event(reading) = &record.fate { Some(reading) } else { None })
            .collect();
        let ids: HashSet<_> = readings.iter().map(|reading| reading.id).collect();
        assert!(ids.len() + 500 < readings.len(), "there are repeats");
        assert!(readings.iter().any(|reading| reading.at < 0));
        assert!(readings.windows(2).any(|pair| pair[0].at > pair[1].at));
        assert_eq!(records, Records::new(4).take(20_000).collect::<Vec<_>>());
    }
}
