//! The topic: its schema, its records, and what each record must become.

use model::decode::Coordinates;
use model::schema::Schema;
use rand::RngExt;
use rand::rngs::StdRng;

/// Number of partitions.
pub const PARTITIONS: i32 = 3;

/// Reviews by month and film; a record of the film "none" is filtered.
const SCHEMA: &str = r#"
stream = "reviews"
id = ["id"]
event_time = "at"

[[filter]]
field = "movie"
one_of = ["A", "B", "C"]

[fields]
id    = { type = "string" }
at    = { type = "date", formats = ["%Y-%m-%d"] }
movie = { type = "string" }

[[rollups]]
name = "by_month"
window = "month"
keys = ["movie"]
"#;

/// The compiled schema.
///
/// # Panics
/// Never: the schema is fixed and valid.
pub fn schema() -> Schema {
    Schema::parse("reviews", SCHEMA).expect("the schema is valid")
}

/// What a record must become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// An event with this number as its id, unless that is stored already.
    Event(u8),
    /// Left out by the filter.
    Filtered,
    /// A dead letter.
    Dead,
}

/// A record of the topic.
#[derive(Debug, Clone)]
pub struct LogRecord {
    /// Offset.
    pub offset: i64,
    /// Payload; `None` is a tombstone.
    pub payload: Option<String>,
    /// What it must become.
    pub fate: Fate,
}

impl LogRecord {
    /// Its coordinates in a partition.
    pub fn at(&self, partition: i32) -> Coordinates {
        Coordinates { partition, offset: self.offset, timestamp: None }
    }
}

/// Draws the records of one partition: offsets have holes, and ids repeat within and across partitions.
pub fn draw(random: &mut StdRng) -> Vec<LogRecord> {
    let mut offset = -1;
    let records = random.random_range(0..16);
    (0..records)
        .map(|_| {
            offset += random.random_range(1..4_i64);
            let id = random.random_range(0..14_u8);
            let (payload, fate) = match random.random_range(0..12) {
                0 => (None, Fate::Dead),
                1 => (Some("{".to_owned()), Fate::Dead),
                2 => (Some(review(id, "none")), Fate::Filtered),
                _ => (Some(review(id, ["A", "B", "C"][usize::from(id % 3)])), Fate::Event(id)),
            };
            LogRecord { offset, payload, fate }
        })
        .collect()
}

/// Equal ids have equal contents.
fn review(id: u8, movie: &str) -> String {
    format!(r#"{{"id": "r{id}", "at": "1969-1{}-04", "movie": "{movie}"}}"#, id % 3)
}

/// Position after the last record.
pub fn end(log: &[LogRecord]) -> i64 {
    log.last().map_or(0, |record| record.offset + 1)
}
