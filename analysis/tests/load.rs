//! Rollups through a real mongod: what was published comes back as it was, and what cannot be read says why.

mod support;

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use analysis::{
    load::{Comparison, Condition, Store, StoreError},
    polars::{
        df,
        prelude::{DataFrame, DataType, TimeUnit},
    },
    sql::Sql,
};
use bson::doc;
use support::{TestDatabase, day, movies_by_day, ratings_by_month};

/// More rows than one batch of MongoDB has.
const DAYS: i64 = 1_500;

fn connect(database: &TestDatabase) -> Store {
    Store::connect(support::uri(), database.name()).expect("a store")
}

fn published() -> (TestDatabase, Store) {
    let database = TestDatabase::new();
    for (entry, rows) in [movies_by_day(DAYS), ratings_by_month()] {
        database.publish(&entry, &rows);
    }
    let store = connect(&database);
    (database, store)
}

fn ints(frame: &DataFrame, column: &str) -> Vec<i64> {
    frame.column(column).expect(column).i64().expect(column).iter().flatten().collect()
}

#[test]
fn tables_are_those_of_the_catalog() {
    let (_database, store) = published();
    let tables = store.tables().expect("tables");
    let lines: Vec<String> = tables.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        ["movies_by_day: 3,000 rows by day and movie, revision 3", "ratings_by_month: 2 rows by month, revision 3"]
    );
}

#[test]
fn every_row_comes_back_typed_and_in_order() {
    let (_database, store) = published();
    let frame = store.rollup("movies_by_day").collect().expect("a frame");
    assert_eq!(frame.shape(), (2 * DAYS as usize, 8));
    assert_eq!(
        frame.dtypes(),
        [
            DataType::Date,
            DataType::String,
            DataType::Int64,
            DataType::Int64,
            DataType::Int64,
            DataType::Float64,
            DataType::Boolean,
            DataType::Datetime(TimeUnit::Milliseconds, None),
        ]
    );
    let days = frame.column("window_start").expect("days").cast(&DataType::Int32).expect("numbers");
    let days: Vec<i32> = days.i32().expect("numbers").iter().flatten().collect();
    assert!(days.is_sorted() && days[0] == 17_895 && days.len() == frame.height());
    assert_eq!(frame.column("movie").expect("movies").str().expect("texts").get(0), Some("Up (2009)"));
    assert_eq!(frame.column("rating_mean").expect("means").null_count(), 2 * DAYS as usize / 5);
    let expected: i64 = (0..2 * DAYS).map(|number| 2 + number % 7).sum();
    assert_eq!(ints(&frame, "reviews").iter().sum::<i64>(), expected);
}

#[test]
fn range_conditions_columns_and_limit_narrow_the_answer() {
    let (_database, store) = published();
    let frame = store
        .rollup("movies_by_day")
        .from("2019-01")
        .to("2019-01-04")
        .filter(Condition::new("movie", Comparison::Equal, "Up (2009)"))
        .columns(["reviews", "window_start"])
        .collect()
        .expect("a frame");
    assert_eq!(frame.get_column_names(), ["reviews", "window_start"]);
    assert_eq!(ints(&frame, "reviews"), [4, 6, 8].map(|row| 2 + row % 7));
    let limited = store.rollup("movies_by_day").limit(3).collect().expect("a frame");
    assert_eq!(limited.height(), 3);
    assert_eq!(store.rollup("movies_by_day").limit(0).collect().expect("a frame").height(), 0);
}

#[test]
fn conditions_know_nulls() {
    let (_database, store) = published();
    let height =
        |condition: Condition| store.rollup("movies_by_day").filter(condition).collect().expect("a frame").height();
    let nulls = 2 * DAYS as usize / 5;
    assert_eq!(height(Condition::is_null("rating_mean")), nulls);
    assert_eq!(height("rating_mean != null".parse().expect("a condition")), 2 * DAYS as usize - nulls);
    assert_eq!(height("rating_mean != 8".parse().expect("a condition")), 0);
}

#[test]
fn the_largest_come_first() {
    let (_database, store) = published();
    let frame = store.rollup("ratings_by_month").top(1, "rating_3").collect().expect("a frame");
    assert_eq!(ints(&frame, "rating_3"), [6]);
}

#[test]
fn unknown_names_are_answered_with_known_ones() {
    let (_database, store) = published();
    let error = store.rollup("movies").collect().expect_err("no such table").to_string();
    assert!(
        error.contains("no table \"movies\"") && error.contains("there are movies_by_day, ratings_by_month"),
        "{error}"
    );
    let error = store.rollup("movies_by_day").columns(["film"]).collect().expect_err("no such column").to_string();
    assert!(error.contains("no column \"film\"; it has window_start, movie"), "{error}");
    let empty = TestDatabase::new();
    let error = connect(&empty).rollup("movies").collect().expect_err("no tables").to_string();
    assert!(error.contains("the database has none yet: `ingest run` writes them"), "{error}");
}

#[test]
fn a_row_that_contradicts_the_catalog_is_named() {
    let database = TestDatabase::new();
    let (entry, mut rows) = ratings_by_month();
    rows.push(doc! { "_id": 3, "window_start": day(18_000), "reviews": "many" });
    database.publish(&entry, &rows);
    let error = connect(&database).rollup("ratings_by_month").collect().expect_err("a text");
    let StoreError::Decode { source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.to_string(), "row 2, column \"reviews\": expected int, found string");
    assert!(error.to_string().contains("`ingest rebuild ratings_by_month`"), "{error}");
}

#[test]
fn rollups_are_tables_of_sql() {
    let (database, store) = published();
    let ours = store.sql("SELECT * FROM movies_by_day ORDER BY window_start, movie").expect("an answer");
    assert!(ours.equals_missing(&store.rollup("movies_by_day").collect().expect("a frame")), "{ours}");
    let years =
        store.sql("SELECT year(window_start) AS year, sum(reviews) AS reviews FROM movies_by_day GROUP BY year");
    assert_eq!(ints(&years.expect("an answer"), "year"), [2018, 2019, 2020, 2021, 2022, 2023]);
    let notes = df!("movie" => ["Up (2009)"], "note" => ["seen"]).expect("a frame");
    let seen = Sql::new()
        .store(&store)
        .table("notes", &notes)
        .table("Ratings_By_Month", &notes)
        .query("SELECT (SELECT count(*) FROM ratings_by_month) AS own, count(*) AS days FROM movies_by_day JOIN notes USING (movie)")
        .expect("an answer");
    assert_eq!(
        (ints(&seen, "own"), ints(&seen, "days")),
        (vec![1], vec![DAYS]),
        "a frame goes before a rollup of its name"
    );
    // Only what is named is read.
    let (entry, mut rows) = movies_by_day(1);
    rows.push(doc! { "_id": 3, "window_start": day(18_000), "movie": "Her", "reviews": 1, "rated": "many" });
    database.publish(&entry, &rows);
    assert!(store.sql("SELECT sum(reviews) AS sum FROM movies_by_day").is_ok());
    assert!(store.sql("SELECT sum(rated) AS sum FROM movies_by_day").is_err());
    let error = store.sql("SELECT * FROM events").expect_err("no rollup").to_string();
    assert!(
        error.starts_with("there is no table \"events\"; there are movies_by_day, ratings_by_month; read the columns"),
        "{error}"
    );
}

#[test]
fn a_catalog_of_another_version_is_named() {
    let database = TestDatabase::new();
    database.catalogue(doc! { "_id": "old", "columns": "none" });
    let error = connect(&database).tables().expect_err("another version").to_string();
    assert!(error.contains("the catalog of database") && error.contains("another version"), "{error}");
}

#[test]
fn what_mongodb_says_is_told_in_its_words_alone() {
    let (database, store) = published();
    database.catalogue(doc! { "_id": "old", "columns": "none" });
    let error = store.tables().expect_err("another version");
    let reason = std::error::Error::source(&error).expect("a reason").to_string();
    assert!(!reason.is_empty() && !reason.contains("labels") && !reason.contains("source: "), "{reason}");
}

#[test]
fn no_server_is_an_error_that_says_what_to_do_and_keeps_the_password() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
    let address = format!("mongodb://reader:secret@127.0.0.1:{port}/?serverSelectionTimeoutMS=300");
    let error = Store::connect(&address, "rushes").expect_err("nobody there").to_string();
    assert!(error.starts_with(&format!("cannot reach MongoDB at 127.0.0.1:{port}: ")), "{error}");
    assert!(error.contains("`stack up` starts one") && !error.contains("secret"), "{error}");
}

#[test]
fn an_address_that_cannot_be_read_is_not_repeated() {
    for address in ["reader:secret@host", "mongodb://reader:secret@host:port", "mongodb://reader:sec/ret@host"] {
        let error = Store::connect(address, "rushes").expect_err("no address").to_string();
        assert!(error.contains("mongodb://HOST:PORT") && !error.contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn works_inside_a_running_runtime() {
    // The helper has a runtime of its own, which, unlike a store, may neither block nor be dropped here.
    let (database, _) = thread::spawn(published).join().expect("published");
    let store = connect(&database);
    let height = store.rollup("ratings_by_month").collect().expect("a frame").height();
    assert_eq!(height, 2);
    drop(store);
    thread::spawn(move || drop(database)).join().expect("dropped");
}

#[test]
fn progress_knows_how_many_rows_will_come() {
    let (_database, store) = published();
    let whole = 2 * DAYS as u64;
    for (limit, expected) in [(None, whole), (Some(2), 2), (Some(1_000_000), whole)] {
        let last = Arc::new(Mutex::new(None));
        let told = Arc::clone(&last);
        let rollup =
            store.rollup("movies_by_day").on_progress(move |progress| *told.lock().expect("told") = Some(progress));
        match limit {
            Some(rows) => rollup.limit(rows).collect().expect("a frame"),
            None => rollup.follow().expect("a frame").frame().clone(),
        };
        let last = last.lock().expect("told").expect("progress");
        assert_eq!((last.rows, last.expected), (expected, Some(expected)), "{limit:?}");
    }
}
