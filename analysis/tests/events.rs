//! Stored events through a real mongod: typed, narrowed, and followed without a loss or a repeat.

mod support;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use analysis::{
    load::{Store, StoreError},
    polars::prelude::{AnyValue, DataFrame, DataType, TimeUnit},
};
use bson::{Document, doc};
use model::schema::{IMDB_REVIEW, Schema};
use support::{TestDatabase, day};

fn connect(database: &TestDatabase) -> Store {
    Store::connect(support::uri(), database.name()).expect("a store")
}

/// A review as `ingest run` stores it, without what the tests do not ask for.
fn review(number: i64) -> Document {
    doc! {
        "_id": format!("rw{number}"),
        "movie": if number % 2 == 0 { "Up (2009)" } else { "기생충" },
        "rating": (number % 8 != 0).then_some(number % 10 + 1),
        "review_date": day(18_000 + number / 10),
        "spoiler_tag": number % 3 == 0,
    }
}

fn numbered(offsets: std::ops::Range<i64>, first: i64) -> Vec<(i64, Document)> {
    offsets.map(|offset| (offset, review(first + offset))).collect()
}

/// 3,000 reviews of two partitions; the topic has holes.
fn stored() -> (TestDatabase, Store) {
    let database = TestDatabase::new();
    database.store_events(0, &numbered(0..2_000, 0), 2_050);
    database.store_events(1, &numbered(10..1_010, 10_000), 1_010);
    let store = connect(&database);
    (database, store)
}

fn ids(frame: &DataFrame) -> Vec<String> {
    let texts = frame.column("_id").expect("ids").str().expect("texts");
    let mut ids: Vec<String> = texts.iter().flatten().map(str::to_owned).collect();
    ids.sort();
    ids
}

#[test]
fn every_event_comes_typed_and_once() {
    let (_database, store) = stored();
    let frame = store.events().collect().expect("a frame");
    assert_eq!(frame.height(), 3_000);
    assert_eq!(frame.get_column_names(), ["_id", "movie", "rating", "review_date", "spoiler_tag"]);
    assert_eq!(
        frame.dtypes(),
        [DataType::String, DataType::String, DataType::Int64, DataType::Date, DataType::Boolean]
    );
    assert_eq!(frame.column("rating").expect("ratings").null_count(), 250 + 125);
    let mut ids = ids(&frame);
    ids.dedup();
    assert_eq!(ids.len(), 3_000);
}

#[test]
fn range_conditions_columns_and_limit_run_in_the_database() {
    let (_database, store) = stored();
    let events = store
        .events()
        .from("2019-04-15") // day 18,001: reviews 10 to 19
        .to("2019-04-16")
        .filter("rating >= 8".parse().expect("a condition"))
        .columns(["rating", "src.offset", "src.timestamp"]);
    let frame = events.clone().collect().expect("a frame");
    assert_eq!(
        frame.get(0).expect("a row"),
        [AnyValue::Int64(8), AnyValue::Int64(17), AnyValue::Null],
        "16 has no rating"
    );
    assert_eq!(frame.height(), 3);
    assert_eq!(frame.dtypes()[2], DataType::Datetime(TimeUnit::Milliseconds, None));
    assert_eq!(events.clone().limit(2).collect().expect("a frame").height(), 2);
    assert_eq!(events.limit(0).collect().expect("a frame").height(), 0);
}

#[test]
fn a_schema_gives_names_and_types_also_where_nothing_is_stored() {
    let schema = Schema::parse("imdb-review", IMDB_REVIEW).expect("the preset");
    let (_database, store) = stored();
    let narrowed = store.events().schema(&schema).filter("review_id = rw17".parse().expect("a condition"));
    let frame = narrowed.columns(["review_id", "movie_year"]).collect().expect("a frame");
    assert_eq!(frame.get(0).expect("a row"), [AnyValue::String("rw17"), AnyValue::Null]);
    assert_eq!(frame.dtypes(), [DataType::String, DataType::Int64]);

    let empty = TestDatabase::new();
    let store = connect(&empty);
    assert_eq!(store.events().schema(&schema).collect().expect("a frame").height(), 0);
    let error = store.events().collect().expect_err("nothing to look at").to_string();
    assert!(error.contains("no events in database") && error.contains("`ingest run` stores some"), "{error}");
}

#[test]
fn progress_is_told_up_to_the_last_row() {
    let (_database, store) = stored();
    let (rows, expected) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (told, whole) = (Arc::clone(&rows), Arc::clone(&expected));
    let events = store.events().on_progress(move |progress| {
        assert!(progress.rows >= told.swap(progress.rows, Ordering::SeqCst));
        whole.store(progress.expected.unwrap_or_default(), Ordering::SeqCst);
    });
    events.collect().expect("a frame");
    assert_eq!((rows.load(Ordering::SeqCst), expected.load(Ordering::SeqCst)), (3_000, 3_000));
}

#[test]
fn a_column_of_several_types_is_named() {
    let (database, store) = stored();
    database.store_events(0, &[(2_050, doc! { "_id": "odd", "rating": "eight" })], 2_051);
    let error = store.events().collect().expect_err("a text among integers");
    let StoreError::Event { source } = &error else { panic!("{error}") };
    assert_eq!(source.to_string(), "row 3000, column \"rating\": expected int, found string");
    assert_eq!(store.events().columns(["_id"]).collect().expect("a frame").height(), 3_001);
}

#[test]
fn a_time_range_needs_one_column_of_times() {
    let database = TestDatabase::new();
    database.store_events(0, &[(0, doc! { "_id": 1, "sent": day(1), "seen": day(2) })], 1);
    let store = connect(&database);
    let error = store.events().from("1970").collect().expect_err("two columns").to_string();
    assert!(error.starts_with("which column is the event time?") && error.contains("_id, sent, seen"), "{error}");
    assert_eq!(store.events().time("seen").from("1970-01-03").collect().expect("a frame").height(), 1);
    assert_eq!(store.events().time("sent").from("1970-01-03").collect().expect("a frame").height(), 0);
}

#[test]
fn a_follower_brings_each_event_once() {
    let (database, store) = stored();
    let mut follow = store.events().follow().expect("a frame");
    assert_eq!(follow.frame().height(), 3_000);
    assert!(follow.refresh().expect("nothing new").is_empty());

    // Two partitions grow, one of them over a hole, and a new one begins.
    database.store_events(0, &numbered(2_060..2_070, 0), 2_071);
    database.store_events(1, &numbered(1_010..1_015, 10_000), 1_015);
    database.store_events(2, &numbered(0..1, 50_000), 1);
    let news = follow.refresh().expect("news");
    assert_eq!((news.added, news.rows.height(), news.reloaded), (16, 16, false));
    assert_eq!(ids(follow.frame()), ids(&store.events().collect().expect("a frame")));

    // Records that are no events move a position and nothing else.
    database.store_events(0, &[], 3_000);
    assert!(follow.refresh().expect("nothing new").is_empty());
    database.store_events(0, &numbered(3_000..3_001, 0), 3_001);
    assert_eq!(follow.refresh().expect("news").added, 1);
    assert_eq!(ids(follow.frame()), ids(&store.events().collect().expect("a frame")));
}

#[test]
fn a_narrowed_follower_brings_what_its_query_would() {
    let (database, store) = stored();
    let query = || store.events().filter("rating > 5".parse().expect("a condition")).columns(["_id", "rating"]);
    let mut follow = query().follow().expect("a frame");
    for round in 0..20 {
        let first = 2_100 + round * 10;
        database.store_events(0, &numbered(first..first + 10, 0), first + 10);
        let news = follow.refresh().expect("news");
        assert!(!news.reloaded && news.added < 10, "{news}");
    }
    assert_eq!(ids(follow.frame()), ids(&query().collect().expect("a frame")));
    let mut few = query().limit(5).follow().expect("a frame");
    database.store_events(0, &numbered(2_400..2_410, 0), 2_410);
    assert!(few.refresh().expect("the same five").reloaded);
    assert_eq!(few.frame().height(), 5);
}

#[test]
fn an_event_that_is_not_yet_covered_by_a_position_waits() {
    let (database, store) = stored();
    // As a batch whose transaction is half visible would look, if that could be.
    database.store_events(0, &numbered(2_500..2_501, 0), 2_050);
    let mut follow = store.events().follow().expect("a frame");
    assert_eq!(follow.frame().height(), 3_000);
    database.store_events(0, &[], 2_600);
    // The count of stored events did not move with the position: a follower that trusts it finds nothing new.
    assert!(follow.refresh().expect("nothing new").is_empty());
}

#[test]
fn what_positions_cannot_tell_is_read_again() {
    let (database, store) = stored();
    let mut follow = store.events().follow().expect("a frame");
    // A dead letter that was sent again: an old offset, one more stored.
    database.store_events(0, &[(2_010, review(2_010))], 2_050);
    let news = follow.refresh().expect("news");
    assert!(news.reloaded && news.rows.height() == 3_001, "{news}");
    // The same together with new events.
    database.store_events(0, &[(2_011, review(2_011)), (2_100, review(2_100))], 2_101);
    let news = follow.refresh().expect("news");
    assert!(news.reloaded && follow.frame().height() == 3_003, "{news}");
    // The database was emptied and filled again.
    database.empty("events");
    database.empty("offsets");
    database.store_events(0, &numbered(0..7, 0), 7);
    let news = follow.refresh().expect("news");
    assert!(news.reloaded && follow.frame().height() == 7, "{news}");
}

#[test]
fn several_groups_have_to_be_told_apart() {
    let (database, store) = stored();
    database.set_position("second", 0, 5);
    let error = store.events().follow().expect_err("which one?").to_string();
    assert!(error.contains("by the groups rushes, second; name the one to follow with `group`"), "{error}");
    let mut follow = store.events().group("rushes").follow().expect("a frame");
    database.store_events(1, &numbered(1_010..1_012, 10_000), 1_012);
    assert_eq!(follow.refresh().expect("news").added, 2);
}

#[test]
fn events_of_several_topics_are_not_followed() {
    let (database, store) = stored();
    database.rename_topic("rushes", 0, "reviews-v2");
    for events in [store.events(), store.events().group("rushes")] {
        let error = events.follow().expect_err("which one?").to_string();
        assert!(error.contains("from the topics reviews, reviews-v2"), "{error}");
    }
}

#[test]
fn a_lost_connection_is_an_error_and_the_next_refresh_misses_nothing() {
    let (database, _) = stored();
    let server = support::uri().trim_start_matches("mongodb://").split(['/', ',']).next().expect("a host").to_owned();
    let proxy = support::proxy::Proxy::new(server);
    let address = format!("mongodb://127.0.0.1:{}/?directConnection=true&serverSelectionTimeoutMS=2000", proxy.port());
    let store = Store::connect(&address, database.name()).expect("a store");
    let mut follow = store.events().follow().expect("a frame");

    proxy.cut();
    database.store_events(0, &numbered(2_100..2_110, 0), 2_110);
    let error = follow.refresh().expect_err("nobody there").to_string();
    assert!(error.contains("MongoDB"), "{error}");
    assert_eq!(follow.frame().height(), 3_000, "the frame stays as it was");

    proxy.mend();
    // The driver looks for the server again by itself; how soon is its own affair.
    let news = (0..30).find_map(|_| follow.refresh().ok()).expect("the server is back");
    assert_eq!(news.added, 10);
    assert_eq!(ids(follow.frame()), ids(&connect(&database).events().collect().expect("a frame")));
}

#[test]
fn a_panic_of_the_callers_own_stays_what_it_is() {
    let (_database, store) = stored();
    let events = store.events().on_progress(|progress| assert!(progress.rows < 1_000, "enough"));
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| events.collect())).expect_err("a panic");
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"enough"));
    assert_eq!(store.events().collect().expect("the store lives on").height(), 3_000);
}

#[test]
fn events_of_a_partition_without_a_position_come_with_the_next_refresh() {
    let (database, store) = stored();
    // As if the first batch of a partition came between the reading of the positions and that of the events.
    database.store_events(2, &numbered(0..5, 50_000), 5);
    database.forget_position("rushes", 2);
    let mut follow = store.events().follow().expect("a frame");
    assert_eq!(follow.frame().height(), 3_000);
    database.set_position("rushes", 2, 5);
    database.count_stored("rushes", 2, 5);
    assert_eq!(follow.refresh().expect("news").added, 5);
    assert_eq!(ids(follow.frame()), ids(&store.events().collect().expect("a frame")));
}

#[test]
fn a_condition_on_a_column_that_began_with_nulls_finds_its_values() {
    let database = TestDatabase::new();
    // Nothing but nulls at both ends of the collection, where columns are looked for.
    let event = |number: i64| {
        let seen = (400..550).contains(&number);
        doc! { "_id": number, "rating": seen.then_some(number % 10 + 1), "film": seen.then_some("8"), "at": seen.then_some(day(9)) }
    };
    let events: Vec<(i64, Document)> = (0..1_000).map(|number| (number, event(number))).collect();
    database.store_events(0, &events, 1_000);
    let store = connect(&database);
    let height = |condition: &str| {
        let condition = condition.parse().expect("a condition");
        store.events().filter(condition).collect().expect("a frame").height()
    };
    assert_eq!(height("rating >= 8"), 45);
    assert_eq!(height("rating != 8"), 135);
    assert_eq!(height("rating = null"), 850);
    assert_eq!(height("film = 8"), 150);
    assert_eq!((height("at >= 1970-01-10"), height("at < 1970-01-10")), (150, 0));
    let mut follow = store.events().filter("late > 5".parse().expect("a condition")).follow();
    assert!(follow.is_err(), "no such column");
    database.store_events(1, &[(0, doc! { "_id": -1, "late": null })], 1);
    follow = store.events().filter("late > 5".parse().expect("a condition")).follow();
    let mut follow = follow.expect("a frame");
    database.store_events(1, &[(1, doc! { "_id": -2, "late": 6 }), (2, doc! { "_id": -3, "late": 5 })], 3);
    assert_eq!(follow.refresh().expect("news").added, 1);
}

#[test]
fn a_refresh_reads_as_many_events_as_are_new() {
    let (database, store) = stored();
    let mut all = store.events().follow().expect("a frame");
    let mut some = store.events().filter("rating >= 5".parse().expect("a condition")).follow().expect("a frame");
    for first in [2_050, 2_060] {
        database.store_events(0, &numbered(first..first + 10, 0), first + 10);
        let reads = database.profiled(|| {
            all.refresh().expect("news");
            some.refresh().expect("news");
        });
        let examined = |read: &Document| read.get_i32("docsExamined").unwrap_or_default();
        assert!(reads.iter().all(|read| examined(read) <= 10), "{reads:?}");
        assert!(reads.iter().any(|read| examined(read) == 10), "{reads:?}");
    }
}
