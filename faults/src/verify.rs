//! What must hold when everything was read: against the generator's own account, and against `ingest audit`.

use crate::expected::Expected;
use crate::records::{PARTITIONS, Reading};
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
    verdict.positions(&all(database, OFFSETS).await?, &expected, log);
    verdict.events(database, &expected).await?;
    verdict.dead_letters(database, &expected).await?;
    verdict.weeks(&all(database, "readings_by_week").await?, &expected);
    verdict.top_sites(&all(database, "top_sites_by_week").await?, &expected);
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

    async fn events(&mut self, database: &Database, expected: &Expected) -> Result<()> {
        let mut cursor = database.collection::<Document>(EVENTS).find(doc! {}).await?;
        let (mut seen, mut wrong) = (HashSet::new(), Vec::new());
        while let Some(event) = cursor.try_next().await? {
            self.events += 1;
            let id = event.get_i64("_id").unwrap_or(-1);
            seen.insert(id);
            match expected.events.get(&id) {
                None => wrong.push(format!("{id} should not be there")),
                Some((reading, places)) if !is(&event, reading, places) => {
                    wrong.push(format!("{event} is not {reading:?}"))
                }
                Some(_) => {}
            }
        }
        wrong.extend(expected.events.keys().filter(|id| !seen.contains(id)).map(|id| format!("{id} is lost")));
        self.some("events are wrong", wrong);
        Ok(())
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

    /// The keyed rollup by weeks, against sums of the generator's.
    fn weeks(&mut self, rows: &[Document], expected: &Expected) {
        self.rows += rows.len();
        let row = |row: &Document| {
            let week = row.get_datetime("window_start").map_or(i64::MIN, |start| start.timestamp_millis());
            let number = |name: &str| row.get_i64(name).unwrap_or(-1);
            let site = row.get_str("site").unwrap_or_default().to_owned();
            // A sum over no values may be null.
            let sum = row.get_i64("value_sum").unwrap_or_default();
            ((week, site), [number("readings"), number("value_count"), sum])
        };
        let have: BTreeMap<_, _> = rows.iter().map(row).collect();
        self.some("rows of readings_by_week are wrong", differences(&have, &expected.weeks));
    }

    /// The ranked rollup: the first five sites of every week, ties by name.
    fn top_sites(&mut self, rows: &[Document], expected: &Expected) {
        self.rows += rows.len();
        let mut weeks: BTreeMap<i64, Vec<(i64, &str)>> = BTreeMap::new();
        for ((week, site), [readings, ..]) in &expected.weeks {
            weeks.entry(*week).or_default().push((-readings, site));
        }
        let mut right = BTreeMap::new();
        for (week, mut sites) in weeks {
            sites.sort_unstable();
            for (rank, (readings, site)) in (1_i64..).zip(sites.into_iter().take(5)) {
                right.insert((week, rank), (site.to_owned(), -readings));
            }
        }
        let row = |row: &Document| {
            let week = row.get_datetime("window_start").map_or(i64::MIN, |start| start.timestamp_millis());
            let site = row.get_str("site").unwrap_or_default().to_owned();
            ((week, row.get_i64("rank").unwrap_or(-1)), (site, row.get_i64("readings").unwrap_or(-1)))
        };
        let have: BTreeMap<_, _> = rows.iter().map(row).collect();
        self.some("rows of top_sites_by_week are wrong", differences(&have, &right));
    }
}

/// Whether an event is the reading, from one of the places where a copy of it stands.
fn is(event: &Document, reading: &Reading, places: &[(i32, i64)]) -> bool {
    let source = event.get_document("src").ok();
    let place = source.and_then(|source| Some((source.get_i32("partition").ok()?, source.get_i64("offset").ok()?)));
    event.get_datetime("at").is_ok_and(|at| at.timestamp_millis() == reading.at)
        && event.get_str("site").ok() == Some(reading.site.as_str())
        && event.get("value").and_then(Bson::as_i64) == reading.value
        && event.get("celsius").and_then(Bson::as_f64) == reading.celsius
        && place.is_some_and(|place| places.contains(&place))
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
