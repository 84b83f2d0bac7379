//! From producing a record to seeing it in a published rollup, at a constant rate, while a worker follows the topic.
//!
//! A reader adds up the column that counts records, as far as the catalog says that rows are published: what `follow` would bring.
//! The k-th record is visible when the sum is k or more for the first time. The reader asks for the rows that were published since
//! its last look, by the index that rollups have on their revision, so that it does not become the load that it measures.

use crate::context::{Context, Reviews, Topic, Wanted};
use crate::drain;
use crate::part::Outcome;
use crate::process::Running;
use crate::report::{Column, Figures, Report, Row, Section};
use anyhow::{Context as _, Result, ensure};
use bson::doc;
use bson::raw::RawDocumentBuf;
use futures_util::TryStreamExt;
use ingest::files::{Options, RecordFile, find};
use model::layout::{CatalogEntry, ROLLUP_CATALOG};
use mongodb::{Collection, Database};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How often the reader looks.
const LOOK: Duration = Duration::from_millis(15);
/// How often what is due is sent.
const TICK: Duration = Duration::from_millis(1);
/// After so long, what is not visible will not be.
const PATIENCE: Duration = Duration::from_secs(30);
/// Records that are visible before it begins, so that the worker is past its start.
const WARM_UP: usize = 200;
/// A table with few rows, and one with a row for each film and month.
const TABLES: [(&str, &str, &str); 2] =
    [("reviews_by_month", "visible", ""), ("movies_by_month", "visible_keyed", ", by film")];

/// Measures at each rate.
pub fn measure(context: &Context, report: &mut Report) -> Result<Outcome> {
    for rate in context.sizes.rates {
        let records = records(context, rate * context.sizes.visible_s)?;
        let database = context.database("visible");
        let found = at_rate(context, &records, rate, &database);
        context.clear(&database)?;
        for ((place, (_, key, label)), figures) in (0..).zip(TABLES).zip(found?) {
            let label = format!("{rate} records/s{label}");
            let order = u32::try_from(rate)? * 2 + place;
            report.add(&Row::new(Section::Latency, order, format!("{key}_{rate}"), label), figures);
        }
    }
    Ok(Outcome::Measured)
}

/// A record to send.
struct Review {
    movie: String,
    json: Vec<u8>,
}

fn records(context: &Context, count: u64) -> Result<Vec<Review>> {
    let dir = tempfile::tempdir_in(context.folder())?;
    let rows = count + WARM_UP as u64;
    context.generate(dir.path(), Wanted { rows, partitions: 0, reviews: Reviews::Clean }, 1)?;
    let options = Options { key_field: Some("movie".to_owned()), ..Options::default() };
    let mut records = Vec::new();
    for path in find(&[dir.path().to_owned()])?.files {
        let mut file = RecordFile::open(&path, &options)?;
        while let Some(record) = file.next_record() {
            let record = record?;
            records.push(Review { movie: record.key.unwrap_or_default().to_owned(), json: record.json.to_vec() });
        }
    }
    Ok(records)
}

fn at_rate(context: &Context, records: &[Review], rate: u64, database: &Database) -> Result<Vec<Figures>> {
    let topic = context.empty_topic("visible", 6)?;
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &context.brokers)
        .set("enable.idempotence", "true")
        .set("compression.type", "lz4")
        .set("linger.ms", "5")
        .create()?;
    let (warm_up, measured) = records.split_at(WARM_UP.min(records.len()));
    // Before the worker starts, so that all partitions have their leaders.
    send(&producer, &topic, warm_up, rate)?;
    let mut worker = Running::start(&mut drain::command(context, &topic, database.name(), None))?;
    let found = follow(context, database, warm_up.len(), records.len(), || send(&producer, &topic, measured, rate));
    // Its own words tell more than that nothing is visible.
    ensure!(worker.is_running()?, "the worker ended by itself");
    worker.stop()?;
    found
}

/// What becomes visible in each table, of records that are sent when `warm_up` of them are.
fn follow(
    context: &Context,
    database: &Database,
    warm_up: usize,
    all: usize,
    send: impl FnOnce() -> Result<Vec<Instant>>,
) -> Result<Vec<Figures>> {
    let mut readers = TABLES.map(|(table, ..)| Reader::new(database, table));
    for reader in &mut readers {
        context.runtime.block_on(reader.wait_for(warm_up)).context("while the worker starts")?;
    }
    let watch =
        |mut reader: Reader| context.runtime.spawn(async move { reader.wait_for(all).await.map(|()| reader.seen) });
    let watching = readers.map(watch);
    let sent = send()?;
    let figures = watching.into_iter().map(|seen| {
        let seen = context.runtime.block_on(seen)??;
        Ok(percentiles(latencies(&sent, &seen, warm_up)))
    });
    figures.collect()
}

/// Sends at a constant rate; returns when each record was handed to the client.
fn send(producer: &BaseProducer, topic: &Topic, records: &[Review], rate: u64) -> Result<Vec<Instant>> {
    let began = Instant::now();
    let mut sent = Vec::with_capacity(records.len());
    for (number, review) in (0_u32..).zip(records) {
        let due = began + Duration::from_secs(1) * number / u32::try_from(rate)?;
        while Instant::now() < due {
            producer.poll(Duration::ZERO);
            std::thread::sleep(TICK);
        }
        sent.push(Instant::now());
        let record = BaseRecord::to(&topic.name).key(&review.movie).payload(&review.json);
        producer.send(record).map_err(|(error, _)| error)?;
    }
    producer.flush(PATIENCE)?;
    Ok(sent)
}

/// Follows the sum of a rollup's counts.
struct Reader {
    catalog: Collection<CatalogEntry>,
    rows: Collection<RawDocumentBuf>,
    name: &'static str,
    counts: HashMap<Vec<u8>, i64>,
    revision: i64,
    sum: i64,
    /// The sum whenever it had changed.
    seen: Vec<(Instant, usize)>,
}

impl Reader {
    fn new(database: &Database, name: &'static str) -> Self {
        let (catalog, rows) = (database.collection(ROLLUP_CATALOG), database.collection(name));
        Self { catalog, rows, name, counts: HashMap::new(), revision: 0, sum: 0, seen: Vec::new() }
    }

    /// Looks until the sum is that.
    async fn wait_for(&mut self, records: usize) -> Result<()> {
        let mut deadline = Instant::now() + PATIENCE;
        while usize::try_from(self.sum)? < records {
            let before = self.sum;
            self.look().await?;
            if self.sum > before {
                self.seen.push((Instant::now(), usize::try_from(self.sum)?));
                deadline = Instant::now() + PATIENCE;
            }
            ensure!(Instant::now() < deadline, "only {} of {records} records are in {}", self.sum, self.name);
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Rows of a revision that is not published yet may still be written.
    async fn look(&mut self) -> Result<()> {
        let entry = self.catalog.find_one(doc! { "_id": self.name }).await?;
        let published = entry.map_or(0, |entry| entry.published_revision);
        if published <= self.revision {
            return Ok(());
        }
        let news = doc! { "revision": { "$gt": self.revision, "$lte": published } };
        let mut rows = self.rows.find(news).projection(doc! { "reviews": 1 }).await?;
        while let Some(row) = rows.try_next().await? {
            let count = row.get_i64("reviews").map_err(mongodb::error::Error::custom)?;
            let id = row.get_document("_id").map_err(mongodb::error::Error::custom)?.as_bytes().to_vec();
            self.sum += count - self.counts.insert(id, count).unwrap_or(0);
        }
        self.revision = published;
        Ok(())
    }
}

/// Seconds from sending to seeing, of each record sent after the first `before`.
fn latencies(sent: &[Instant], seen: &[(Instant, usize)], before: usize) -> Vec<f64> {
    let mut seen = seen.iter().peekable();
    let mut latencies = Vec::with_capacity(sent.len());
    for (number, &sent) in (before + 1..).zip(sent) {
        while seen.next_if(|(_, sum)| *sum < number).is_some() {}
        if let Some((at, _)) = seen.peek() {
            latencies.push(at.saturating_duration_since(sent).as_secs_f64());
        }
    }
    latencies
}

fn percentiles(mut latencies: Vec<f64>) -> Figures {
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = (latencies.len() as f64 * share).ceil() as usize;
        latencies.get(place.saturating_sub(1)).copied()
    };
    vec![(Column::P50, at(0.5)), (Column::P95, at(0.95)), (Column::P99, at(0.99))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_visible_when_the_sum_reaches_its_number() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let sent = [at(0), at(1), at(2)];
        // Ten were there before; after 3 s two of the three are, after 7 s all.
        let seen = [(at(0), 10), (at(3), 12), (at(7), 13)];
        assert_eq!(latencies(&sent, &seen, 10), [3.0, 2.0, 5.0]);
    }

    #[test]
    fn percentiles_are_of_the_sorted_values() {
        let found = percentiles((1..=100).rev().map(f64::from).collect());
        assert_eq!(found, [(Column::P50, Some(50.0)), (Column::P95, Some(95.0)), (Column::P99, Some(99.0))]);
        assert!(percentiles(Vec::new()).iter().all(|(_, value)| value.is_none()));
    }
}
