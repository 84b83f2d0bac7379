//! What must hold when everything was read: against the generator's own account, and against `ingest audit`.

use crate::expected::Expected;
use crate::records::{PARTITIONS, Reading};
use crate::rows::{Key, Row, Rows, Stored};
use crate::topic::Log;
use anyhow::{Context, Result};
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt;
use model::layout::{DEAD_LETTERS, EVENTS, OFFSETS, ROLLUP_STATES, ROLLUP_TABLES};
use mongodb::Database;
use std::collections::{BTreeMap, HashSet};

/// Differences that are printed of each kind; all are counted.
const SHOWN: usize = 5;

/// What is in the store, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Counts of all positions together, by name.
    pub counts: BTreeMap<String, i64>,
    /// Events in the store.
    pub events: usize,
    /// Dead letters in the store.
    pub dead: usize,
    /// Rows compared with the generator's own numbers.
    pub rows: usize,
    /// What does not hold; empty where everything does.
    pub wrong: Vec<String>,
}

/// Compares the store with the records of `seed` as they stand in the topic.
///
/// # Errors
/// Where the store cannot be read.
pub async fn verify(database: &Database, seed: u64, records: u64, log: &Log) -> Result<Verdict> {
    let mut expected = Expected::new(seed, records, log);
    let mut verdict = Verdict { wrong: std::mem::take(&mut expected.wrong), ..Verdict::default() };
    let positions = all(database, OFFSETS).await?;
    verdict.positions(&positions, &expected, log);
    let rows = verdict.events(database, &expected).await?;
    verdict.stored(&positions, &rows);
    verdict.dead_letters(database, &expected).await?;
    for (rollup, right) in
        [("readings_by_week", &rows.weeks), ("readings_by_two_days", &rows.two_days), ("site_sessions", &rows.sessions)]
    {
        verdict.rollup(rollup, &all(database, rollup).await?, right, rows.watermark());
    }
    verdict.top_sites(&all(database, "top_sites_by_week").await?, &rows.weeks);
    for (collection, filter) in [(ROLLUP_STATES, doc! {}), (ROLLUP_TABLES, doc! { "round": { "$type": "array" } })] {
        let left = database.collection::<Document>(collection).count_documents(filter).await?;
        verdict.check(left == 0, || format!("{left} documents of {collection} wait although everything was published"));
    }
    Ok(verdict)
}

async fn all(database: &Database, collection: &str) -> Result<Vec<Document>> {
    let found = async { database.collection::<Document>(collection).find(doc! {}).await?.try_collect().await };
    found.await.with_context(|| format!("{collection} cannot be read"))
}

impl Verdict {
    fn check(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(problem());
        }
    }

    /// Adds some of many problems of one kind.
    fn some(&mut self, what: &str, problems: Vec<String>) {
        if !problems.is_empty() {
            let shown: Vec<_> = problems.iter().take(SHOWN).map(String::as_str).collect();
            self.wrong.push(format!("{} {what}: {}", problems.len(), shown.join("; ")));
        }
    }

    fn positions(&mut self, offsets: &[Document], expected: &Expected, log: &Log) {
        self.check(offsets.len() == PARTITIONS as usize, || format!("{} positions", offsets.len()));
        for document in offsets {
            let partition = document.get_i32("partition").unwrap_or(-1);
            let counts = document.get_document("counts").cloned().unwrap_or_default();
            let count = |name: &str| counts.get_i64(name).unwrap_or_default();
            let next = document.get_i64("next").unwrap_or(-1);
            let end = log.ends.get(&partition).copied().unwrap_or(-2);
            self.check(next == end, || format!("partition {partition}: next is {next}, the log ends at {end}"));
            let sum = count("stored") + count("duplicate") + count("filtered") + count("dead");
            self.check(count("read") == sum, || format!("partition {partition}: the counts do not add up: {counts}"));
            let there = log.counts.get(&partition).copied().unwrap_or_default();
            for (name, right) in [
                ("read", there),
                ("filtered", expected.filtered.get(&partition).copied().unwrap_or_default()),
                ("dead", expected.dead_of.get(&partition).copied().unwrap_or_default()),
            ] {
                let is = count(name);
                self.check(is == right, || format!("partition {partition}: {name} is {is}, should be {right}"));
            }
            for name in ["read", "stored", "duplicate", "filtered", "dead", "late"] {
                *self.counts.entry(name.to_owned()).or_default() += count(name);
            }
        }
        let (stored, right) = (self.counts.get("stored").copied(), i64::try_from(expected.events.len()).ok());
        self.check(stored == right, || format!("stored is {stored:?}, should be {right:?}"));
    }

    /// Compares the events; returns the rows that they make.
    async fn events(&mut self, database: &Database, expected: &Expected) -> Result<Rows> {
        let mut cursor = database.collection::<Document>(EVENTS).find(doc! {}).await?;
        let (mut seen, mut stored, mut wrong) = (HashSet::new(), Vec::new(), Vec::new());
        while let Some(event) = cursor.try_next().await? {
            self.events += 1;
            let id = event.get_i64("_id").unwrap_or(-1);
            seen.insert(id);
            match (expected.events.get(&id), place(&event)) {
                (None, _) => wrong.push(format!("{id} should not be there")),
                (Some((reading, places)), Some((partition, offset)))
                    if is(&event, reading) && first_of(partition, places) == Some(offset) =>
                {
                    stored.push(Stored { partition, offset, reading });
                }
                (Some((reading, _)), _) => wrong.push(format!("{event} is not {reading:?}")),
            }
        }
        wrong.extend(expected.events.keys().filter(|id| !seen.contains(id)).map(|id| format!("{id} is lost")));
        self.some("events are wrong", wrong);
        Ok(Rows::new(stored))
    }

    /// The clock of every partition is the largest time that was stored from it, and so many were.
    fn stored(&mut self, positions: &[Document], rows: &Rows) {
        for position in positions {
            let partition = position.get_i32("partition").unwrap_or(-1);
            let (is, right) = (millis(position, "clock"), rows.clocks.get(&partition).copied());
            self.check(is == right, || format!("partition {partition}: the clock is {is:?}, should be {right:?}"));
            let counted = position.get_document("counts").ok().and_then(|counts| counts.get_i64("stored").ok());
            let right = rows.stored.get(&partition).copied();
            self.check(counted == right, || {
                format!("partition {partition}: stored is {counted:?}, should be {right:?}")
            });
        }
    }

    async fn dead_letters(&mut self, database: &Database, expected: &Expected) -> Result<()> {
        let letters = all(database, DEAD_LETTERS).await?;
        self.dead = letters.len();
        let mut wrong = Vec::new();
        let mut seen = HashSet::new();
        for letter in &letters {
            let id = letter.get_str("_id").unwrap_or_default();
            seen.insert(id);
            let payload = letter.get_binary_generic("payload").ok().cloned();
            match expected.dead.get(id) {
                Some((reason, right)) if letter.get_str("reason").ok() == Some(*reason) && payload == *right => {}
                right => wrong.push(format!("{id} is {:?}, should be {right:?}", letter.get_str("reason"))),
            }
        }
        wrong.extend(expected.dead.keys().filter(|id| !seen.contains(id.as_str())).map(|id| format!("{id} is lost")));
        self.some("dead letters are wrong", wrong);
        Ok(())
    }

    /// The rows of a rollup, and that those up to the watermark are final, and no other.
    fn rollup(&mut self, name: &str, rows: &[Document], right: &BTreeMap<Key, Row>, watermark: Option<i64>) {
        self.rows += rows.len();
        let mut have = BTreeMap::new();
        let mut wrong = Vec::new();
        for row in rows {
            let number = |name: &str| row.get_i64(name).unwrap_or(-1);
            let window = |name: &str| millis(row, name).unwrap_or(i64::MIN);
            let key =
                (window("window_start"), window("window_end"), row.get_str("site").unwrap_or_default().to_owned());
            let is_final = row.get_bool("is_final").ok();
            if is_final != Some(Some(key.1) <= watermark) {
                wrong.push(format!("{key:?} has is_final {is_final:?} at the watermark {watermark:?}"));
            }
            let numbers = Row {
                readings: number("readings"),
                values: number("value_count"),
                sum: number("value_sum"),
                late: number("late"),
            };
            if let Some(other) = have.insert(key.clone(), numbers) {
                wrong.push(format!("{key:?} is there twice, once with {other:?}"));
            }
        }
        wrong.extend(differences(&have, right));
        self.some(&format!("rows of {name} are wrong"), wrong);
    }

    /// The ranked rollup: the first five sites of every week, ties by name.
    fn top_sites(&mut self, rows: &[Document], of_sites: &BTreeMap<Key, Row>) {
        self.rows += rows.len();
        let mut weeks: BTreeMap<i64, Vec<(i64, &str)>> = BTreeMap::new();
        for ((week, _, site), row) in of_sites {
            weeks.entry(*week).or_default().push((-row.readings, site));
        }
        let mut right = BTreeMap::new();
        for (week, mut sites) in weeks {
            sites.sort_unstable();
            for (rank, (readings, site)) in (1_i64..).zip(sites.into_iter().take(5)) {
                right.insert((week, rank), (site.to_owned(), -readings));
            }
        }
        let row = |row: &Document| {
            let week = millis(row, "window_start").unwrap_or(i64::MIN);
            let site = row.get_str("site").unwrap_or_default().to_owned();
            ((week, row.get_i64("rank").unwrap_or(-1)), (site, row.get_i64("readings").unwrap_or(-1)))
        };
        let have: BTreeMap<_, _> = rows.iter().map(row).collect();
        self.some("rows of top_sites_by_week are wrong", differences(&have, &right));
    }
}

/// Whether an event has the contents of the reading.
fn is(event: &Document, reading: &Reading) -> bool {
    millis(event, "at") == Some(reading.at)
        && event.get_str("site").ok() == Some(reading.site.as_str())
        && event.get("value").and_then(Bson::as_i64) == reading.value
        && event.get("celsius").and_then(Bson::as_f64) == reading.celsius
}

/// The first of a record's copies in a partition: whoever stores another one has left that out.
fn first_of(partition: i32, places: &[(i32, i64)]) -> Option<i64> {
    places.iter().filter(|place| place.0 == partition).map(|place| place.1).min()
}

/// Partition and offset of the record that an event was stored from.
fn place(event: &Document) -> Option<(i32, i64)> {
    let source = event.get_document("src").ok()?;
    Some((source.get_i32("partition").ok()?, source.get_i64("offset").ok()?))
}

fn millis(document: &Document, field: &str) -> Option<i64> {
    Some(document.get_datetime(field).ok()?.timestamp_millis())
}

fn differences<K: Ord + std::fmt::Debug, V: PartialEq + std::fmt::Debug>(
    have: &BTreeMap<K, V>,
    right: &BTreeMap<K, V>,
) -> Vec<String> {
    let of_right = right.iter().filter(|(key, value)| have.get(key) != Some(value));
    let missing = of_right.map(|(key, value)| format!("{key:?} is {:?}, should be {value:?}", have.get(key)));
    let too_many = have.keys().filter(|key| !right.contains_key(key)).map(|key| format!("{key:?} should not be there"));
    missing.chain(too_many).collect()
}
