//! The pure steps of a record's way, each by itself: decode, window, states, and how states are stored.
//!
//! `cargo bench --bench model` measures them; `cargo bench --bench model -- decode` only some. Without servers.

use bson::raw::RawDocumentBuf;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use model::clock::{AllowedLateness, EventClock};
use model::decode::{Coordinates, Decoded, Decoder, Event};
use model::rollup::{Changes, Facts, Groups, RollupPlan, partial};
use model::schema::{IMDB_REVIEW, Schema};
use model::window::{Timeline, WindowKind, WindowSpec};
use serde::Deserialize;
use std::borrow::Cow;
use std::time::Duration;

const REVIEWS: u64 = 1_000;
const MOVIES: u64 = 100;
const MONTHS: [&str; 4] = ["January", "April", "July", "November"];

/// Reviews as they stand in the files, of usual size, the same on every run.
fn reviews() -> Vec<Vec<u8>> {
    let detail = "It is \\\"long\\\", but one forgives it much for the scene on the bridge.\\n ".repeat(17);
    let review = |number: u64| {
        let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16;
        let (day, month, year) = (mixed % 28 + 1, MONTHS[(mixed % 4) as usize], 2000 + mixed % 20);
        let rating = if mixed.is_multiple_of(8) { "null".to_owned() } else { format!("\"{}\"", mixed % 10 + 1) };
        format!(
            "{{\"review_id\": \"rw{number}\", \"reviewer\": \"reviewer {}\", \"movie\": \"A film of usual length {} ({year})\", \
             \"rating\": {rating}, \"review_summary\": \"In short\", \"review_date\": \"{day} {month} {year}\", \"spoiler_tag\": 0, \
             \"review_detail\": \"{detail}\", \"helpful\": [\"1\", \"1,{day:03}\"]}}",
            mixed % 5_000,
            mixed % MOVIES,
        )
        .into_bytes()
    };
    (0..REVIEWS).map(review).collect()
}

fn schema() -> Schema {
    Schema::parse("imdb-review", IMDB_REVIEW).expect("the preset is a schema")
}

fn events(schema: &Schema) -> Vec<Event> {
    let decoder = Decoder::new(schema).expect("the preset has a decoder");
    let decode = |record: &Vec<u8>| match decoder.decode(Some(record), AT) {
        Ok(Decoded::Event(event)) => event,
        other => panic!("a review became {other:?}"),
    };
    reviews().iter().map(decode).collect()
}

const AT: Coordinates = Coordinates { partition: 0, offset: 0, timestamp: Some(0) };

/// The same record for a program that knows no other.
#[derive(Deserialize)]
struct Review<'a> {
    review_id: &'a str,
    #[serde(borrow)]
    reviewer: Cow<'a, str>,
    #[serde(borrow)]
    movie: Cow<'a, str>,
    rating: Option<&'a str>,
    #[serde(borrow)]
    review_summary: Cow<'a, str>,
    review_date: &'a str,
    spoiler_tag: u8,
    #[serde(borrow)]
    review_detail: Cow<'a, str>,
    helpful: [&'a str; 2],
}

impl Review<'_> {
    /// Numbers as numbers; the date stays a text, so this does less than the decoder.
    fn document(&self) -> RawDocumentBuf {
        use bson::raw::cstr;
        let mut document = RawDocumentBuf::new();
        document.append(cstr!("_id"), self.review_id);
        document.append(cstr!("reviewer"), self.reviewer.as_ref());
        document.append(cstr!("movie"), self.movie.as_ref());
        match self.rating.and_then(|rating| rating.parse::<i64>().ok()) {
            Some(rating) => document.append(cstr!("rating"), rating),
            None => document.append(cstr!("rating"), bson::raw::RawBson::Null),
        }
        document.append(cstr!("review_summary"), self.review_summary.as_ref());
        document.append(cstr!("review_date"), self.review_date);
        document.append(cstr!("spoiler_tag"), self.spoiler_tag != 0);
        document.append(cstr!("review_detail"), self.review_detail.as_ref());
        let count = |text: &str| text.replace(',', "").parse::<i64>().unwrap_or_default();
        document.append(cstr!("helpful_yes"), count(self.helpful[0]));
        document.append(cstr!("helpful_total"), count(self.helpful[1]));
        document
    }
}

fn decode(criterion: &mut Criterion) {
    let (records, decoder) = (reviews(), Decoder::new(&schema()).expect("the preset has a decoder"));
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Bytes(records.iter().map(|record| record.len() as u64).sum()));
    group.bench_function("by the schema, to BSON", |bencher| {
        bencher.iter(|| records.iter().filter(|record| decoder.decode(Some(record), AT).is_ok()).count());
    });
    group.bench_function("hand-written struct, to BSON", |bencher| {
        let document = |record: &Vec<u8>| serde_json::from_slice::<Review<'_>>(record).expect("a review").document();
        bencher.iter(|| records.iter().map(document).map(|document| document.as_bytes().len()).sum::<usize>());
    });
    group.finish();
}

fn window(criterion: &mut Criterion) {
    let times: Vec<i64> = events(&schema()).iter().map(|event| event.event_time).collect();
    let mut group = criterion.benchmark_group("window");
    group.throughput(Throughput::Elements(REVIEWS));
    for text in ["month", "ten_day", "15m", "1h every 15m"] {
        let windows = WindowSpec::new(WindowKind::parse(text).expect("a window"), Timeline::Civil);
        group.bench_function(text, |bencher| {
            bencher.iter(|| {
                let mut sum = 0_i64;
                times.iter().for_each(|&time| windows.for_each(time, |window| sum = sum.wrapping_add(window.start)));
                sum
            });
        });
    }
    group.finish();
}

fn changes(plan: &RollupPlan, events: &[Event]) -> Changes {
    let (mut changes, mut clock) = (Changes::default(), EventClock::default());
    for event in events {
        let facts = Facts::read(plan, &event.document).expect("an event of this schema");
        changes.add(plan, event.event_time, &facts, &mut clock, AllowedLateness::Unbounded);
    }
    changes
}

fn state(criterion: &mut Criterion) {
    let schema = schema();
    let (plan, events) = (schema.rollups(), events(&schema));
    let changes = changes(plan, &events);
    let mut group = criterion.benchmark_group("state");
    group.throughput(Throughput::Elements(REVIEWS));
    group.bench_function("insert, all rollups of the preset", |bencher| {
        bencher.iter(|| self::changes(plan, &events));
    });
    for (table, groups) in changes.tables(plan) {
        let groups = groups.as_ref();
        group.throughput(Throughput::Elements(groups.len() as u64));
        group.bench_function(format!("combine {} groups of {}", groups.len(), table.id()), |bencher| {
            bencher.iter_batched_ref(|| groups.clone(), |sum| combine(sum, groups), BatchSize::LargeInput);
        });
        group.bench_function(format!("write {} groups of {}", groups.len(), table.id()), |bencher| {
            bencher.iter(|| partial::write(table, groups));
        });
        let stored: Vec<RawDocumentBuf> = partial::write(table, groups).into_iter().map(stored).collect();
        group.bench_function(format!("read {} groups of {}", groups.len(), table.id()), |bencher| {
            bencher.iter(|| {
                let mut sum = Groups::default();
                stored.iter().for_each(|document| partial::combine(table, document, &mut sum).expect("just written"));
                sum
            });
        });
    }
    group.finish();
}

fn combine(sum: &mut Groups, more: &Groups) {
    for (group, state) in more {
        sum.get_mut(group).expect("the same groups").combine(state);
    }
}

fn stored(states: partial::PartialStates) -> RawDocumentBuf {
    let mut document = RawDocumentBuf::new();
    states.append_to(&mut document);
    document
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = decode, window, state
}
criterion_main!(benches);
