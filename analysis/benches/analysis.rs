//! What a notebook waits for: a refresh of frame, windows and chart; a refresh of a rollup; a load of all events; windows over a frame.
//!
//! `cargo bench --bench analysis` (ROWS=100000 for a small run). Starts a mongod of its own unless MONGODB_URI is set. Times are
//! medians in milliseconds, each beside what it is held against, measured in the same run. Where Python has pymongo and polars,
//! the load is also done with them. OUTPUT names a JSON file for the figures that have a goal.

use std::{
    error::Error,
    process::Command,
    time::{Duration, Instant},
};

use analysis::{
    chart::Figure,
    load::Store,
    polars::prelude::*,
    window::{Spec, Windowed},
};
use bson::{Document, doc};
use model::layout::{CatalogEntry, ColumnRole, ColumnType, EVENTS, OFFSETS, ROLLUP_CATALOG};
use mongodb::{Client, Database};
use stack::{Stack, StackOptions};
use tokio::runtime::Runtime;

type Done<T = ()> = Result<T, Box<dyn Error>>;

const MOVIES: u64 = 1_100;
const MONTHS: u64 = 60;
const DAY_MS: i64 = 86_400_000;
/// 1 January 2015.
const FIRST_DAY: i64 = 16_436;
const NEW: u64 = 1_000;
const ROUNDS: usize = 15;
const ROLLUP: &str = "movies_by_day";
const COLUMNS: [&str; 4] = ["movie", "rating", "review_date", "helpful_yes"];

fn main() -> Done {
    let rows = std::env::var("ROWS").ok().map_or(Ok(1_000_000), |rows| rows.parse::<u64>())?;
    let window_vs_dynamic = windows(rows)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let options = StackOptions { kafka: false, reuse_environment: true, ..StackOptions::default() };
    let stack = runtime.block_on(Stack::start(options))?;
    let uri = stack.mongodb_uri().ok_or("mongod was asked for")?.to_owned();
    let client = runtime.block_on(Client::with_uri_str(&uri))?;
    let (mut refreshes, mut rollup_refreshes) = (Vec::new(), Vec::new());
    let mut load_vs_pymongo = None;
    for stored in [rows / 10, rows] {
        let database = client.database(&format!("bench_{}_{stored}", std::process::id()));
        store(&runtime, &database, 0..stored)?;
        if stored == rows {
            load_vs_pymongo = load(&uri, database.name(), rows)?;
        }
        refreshes.push(refresh(&runtime, &uri, &database, stored)?);
        rollup_refreshes.push(rollup_refresh(&runtime, &uri, &database, stored / 2)?);
        runtime.block_on(async { database.drop().await })?;
    }
    let growth = refreshes[1] / refreshes[0];
    println!("refresh over {rows} events / over a tenth of them: {growth:.2} (goal: at most 1.2)");
    let rollup_growth = rollup_refreshes[1] / rollup_refreshes[0];
    println!("refresh of a rollup of {} rows / of a tenth of them: {rollup_growth:.2} (goal: at most 1.2)", rows / 2);
    let Ok(output) = std::env::var("OUTPUT") else {
        return Ok(());
    };
    let figures = serde_json::json!({
        "rows": rows,
        "refresh_ms": refreshes[1],
        "refresh_growth": growth,
        "rollup_refresh_ms": rollup_refreshes[1],
        "rollup_refresh_growth": rollup_growth,
        "load_vs_pymongo": load_vs_pymongo,
        "window_vs_dynamic": window_vs_dynamic,
    });
    Ok(std::fs::write(&output, serde_json::to_string_pretty(&figures)? + "\n")?)
}

/// Updates of windows against polars' own aggregation of the same frame in one go; gives how many times as quick they are.
fn windows(rows: u64) -> Done<f64> {
    let frame = frame(0..rows)?;
    let ours = median(5, || {
        let mut windowed = Windowed::new(spec()?);
        windowed.update(&frame)?;
        Ok(())
    })?;
    let with_table = median(5, || {
        let mut windowed = Windowed::new(spec()?);
        windowed.update(&frame)?;
        windowed.snapshot()?;
        Ok(())
    })?;
    let options = DynamicGroupOptions {
        index_column: "review_date".into(),
        every: polars::prelude::Duration::parse("1mo"),
        period: polars::prelude::Duration::parse("1mo"),
        offset: polars::prelude::Duration::parse("0ns"),
        label: Label::Left,
        include_boundaries: false,
        closed_window: ClosedWindow::Left,
        start_by: StartBy::WindowBound,
    };
    let theirs = median(5, || {
        let rating = || col("rating");
        let sorted = frame.clone().lazy().sort(["review_date"], SortMultipleOptions::default());
        let grouped = sorted.group_by_dynamic(col("review_date"), [col("movie")], options.clone());
        let measured = grouped.agg([
            len(),
            rating().count().alias("rated"),
            rating().sum().alias("sum"),
            rating().mean().alias("mean"),
            rating().std(1).alias("stddev"),
            rating().min().alias("min"),
            rating().max().alias("max"),
            rating().median().alias("p50"),
        ]);
        measured.collect()?;
        Ok(())
    })?;
    let mut kept = Windowed::new(spec()?);
    kept.update(&frame)?;
    let few = self::frame(rows..rows + NEW)?;
    let update = median(ROUNDS, || Ok(kept.update(&few)?))?;
    let groups = kept.snapshot()?.height();
    println!(
        "windows of {rows} rows, {groups} groups: update {ours:.0} ms, with the table {with_table:.0} ms; polars' group_by_dynamic and its sort {theirs:.0} ms"
    );
    println!("windows: {NEW} more rows {update:.2} ms");
    Ok(theirs / with_table)
}

/// All events, four columns of them; gives how many times as quick as Python, where there is one.
fn load(uri: &str, database: &str, rows: u64) -> Done<Option<f64>> {
    let store = Store::connect(uri, database)?;
    let ours = median(3, || {
        let frame = store.events().columns(COLUMNS).collect()?;
        if frame.height() as u64 == rows { Ok(()) } else { Err(format!("{} rows", frame.height()).into()) }
    })?;
    print!("load of {rows} events, 4 columns: {ours:.0} ms");
    let theirs = by_python(uri, database);
    match theirs {
        Some(theirs) => println!("; pymongo into polars {theirs:.0} ms, {:.1} times (goal: 3)", theirs / ours),
        None => println!("; no Python with pymongo and polars to compare with"),
    }
    Ok(theirs.map(|theirs| theirs / ours))
}

/// The same load as a Python notebook would do it, in milliseconds.
fn by_python(uri: &str, database: &str) -> Option<f64> {
    const SCRIPT: &str = r"
import statistics, sys, time
import polars, pymongo
events = pymongo.MongoClient(sys.argv[1])[sys.argv[2]].events
columns = {'_id': 0, 'movie': 1, 'rating': 1, 'review_date': 1, 'helpful_yes': 1}
times = []
for _ in range(3):
    start = time.perf_counter()
    frame = polars.DataFrame(list(events.find({}, columns)), infer_schema_length=None)
    times.append(time.perf_counter() - start)
print(1000 * statistics.median(times))
";
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(python).args(["-c", SCRIPT, uri, database]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// New events into frame, windows and chart; gives the median of the whole.
fn refresh(runtime: &Runtime, uri: &str, database: &Database, stored: u64) -> Done<f64> {
    let store = Store::connect(uri, database.name())?;
    let mut follow = store.events().columns(COLUMNS).follow()?;
    let monthly = || Spec::new("review_date", "month").and_then(|spec| spec.histogram("rating", 1, 10));
    let mut windowed = Windowed::new(monthly()?);
    windowed.update(follow.frame())?;
    let mut times = Vec::new();
    for round in 0..ROUNDS as u64 {
        let first = stored + round * NEW;
        self::store(runtime, database, first..first + NEW)?;
        let start = Instant::now();
        let news = follow.refresh()?;
        let read = start.elapsed();
        windowed.update(&news.rows)?;
        let months = windowed.snapshot()?;
        let counted = start.elapsed();
        Figure::line(&months).y("rating_mean").svg()?;
        times.push([read, counted - read, start.elapsed() - counted, start.elapsed()]);
        if news.reloaded || news.added as u64 != NEW {
            return Err(format!("{news} and not {NEW} new rows").into());
        }
    }
    let part = |part: usize| milliseconds(times.iter().map(|parts| parts[part]).collect());
    let [read, count, draw, all] = [0, 1, 2, 3].map(part);
    println!(
        "refresh over {stored} events, {NEW} new: {all:.1} ms (read {read:.1}, windows {count:.1}, chart {draw:.1}; goal: 50)"
    );
    Ok(all)
}

/// A rollup of so many rows of which some change and some are added; gives the median of a refresh.
fn rollup_refresh(runtime: &Runtime, uri: &str, database: &Database, rows: u64) -> Done<f64> {
    publish(runtime, database, 1, 0..rows)?;
    let store = Store::connect(uri, database.name())?;
    let mut follow = store.rollup(ROLLUP).follow()?;
    let mut times = Vec::new();
    for round in 0..ROUNDS as u64 {
        let end = rows + (round + 1) * NEW / 10;
        publish(runtime, database, 2 + round as i64, end - NEW..end)?;
        let start = Instant::now();
        let news = follow.refresh()?;
        times.push(start.elapsed());
        if news.reloaded || (news.added + news.changed) as u64 != NEW {
            return Err(format!("{news} and not {NEW} rows").into());
        }
    }
    let all = milliseconds(times);
    println!("refresh of a rollup of {rows} rows, {NEW} changed or new: {all:.1} ms (goal: 50)");
    Ok(all)
}

/// Writes the rows with these numbers under a revision, as a round of the publisher does: a hundred films a day.
fn publish(runtime: &Runtime, database: &Database, revision: i64, numbers: std::ops::Range<u64>) -> Done {
    let column = |name: &str, kind, role| model::layout::Column {
        name: name.to_owned(),
        kind,
        role,
        measure: None,
        relative_error: None,
    };
    let entry = CatalogEntry {
        name: ROLLUP.to_owned(),
        stream: "reviews".to_owned(),
        window: "day".to_owned(),
        time_zone: "UTC".to_owned(),
        definition_hash: "bench".to_owned(),
        columns: vec![
            column("window_start", ColumnType::Date, ColumnRole::WindowStart),
            column("movie", ColumnType::String, ColumnRole::Key),
            column("reviews", ColumnType::Int, ColumnRole::Count),
            column("rating_mean", ColumnType::Float, ColumnRole::Mean),
            column("is_final", ColumnType::Bool, ColumnRole::IsFinal),
        ],
        published_revision: revision,
        removed_revision: 0,
    };
    let row = |number: u64| {
        let day = bson::DateTime::from_millis((FIRST_DAY + number as i64 / 100) * DAY_MS);
        let movie = format!("A film with a name of usual length {:02} (2004)", number % 100);
        doc! {
            "_id": { "window_start": day, "movie": &movie }, "window_start": day, "movie": movie,
            "reviews": revision, "rating_mean": 7.5, "is_final": false, "revision": revision,
        }
    };
    runtime.block_on(async {
        let table = database.collection::<Document>(ROLLUP);
        let by_revision = mongodb::IndexModel::builder().keys(doc! { "revision": 1 }).build();
        table.create_index(by_revision).await?;
        for first in numbers.clone().step_by(5_000) {
            let some: Vec<Document> = (first..numbers.end.min(first + 5_000)).map(row).collect();
            let known: Vec<_> = some.iter().filter_map(|row| row.get("_id").cloned()).collect();
            table.delete_many(doc! { "_id": { "$in": known } }).await?;
            table.insert_many(some).ordered(false).await?;
        }
        let catalog = database.collection::<CatalogEntry>(ROLLUP_CATALOG);
        catalog.replace_one(doc! { "_id": ROLLUP }, entry).upsert(true).await
    })?;
    Ok(())
}

fn spec() -> Done<Spec> {
    Ok(Spec::new("review_date", "month")?.keys(["movie"]).histogram("rating", 1, 10)?)
}

/// Values of the event with this number: film, rating, day, votes; the same on every run, and in no order of time.
fn values(number: u64) -> (String, Option<i64>, i64, i64) {
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16;
    let movie = format!("A film with a name of usual length {} (2004)", mixed % MOVIES);
    let day = FIRST_DAY + (number.wrapping_mul(0xD134_2543_DE82_EF95) >> 33) as i64 % (MONTHS as i64 * 30);
    (movie, (!mixed.is_multiple_of(8)).then_some((mixed / 7 % 10) as i64 + 1), day, (mixed % 50) as i64)
}

fn frame(numbers: std::ops::Range<u64>) -> Done<DataFrame> {
    let all: Vec<_> = numbers.map(values).collect();
    let frame = df!(
        "movie" => all.iter().map(|row| row.0.as_str()).collect::<Vec<_>>(),
        "rating" => all.iter().map(|row| row.1).collect::<Vec<_>>(),
        "review_date" => all.iter().map(|row| row.2 as i32).collect::<Vec<_>>(),
    )?;
    Ok(frame.lazy().with_column(col("review_date").cast(DataType::Date)).collect()?)
}

/// Stores events as the worker does, with a text of usual length, and moves the position.
fn store(runtime: &Runtime, database: &Database, numbers: std::ops::Range<u64>) -> Done {
    let text = "What the reviewer wrote about it. ".repeat(30);
    let event = |number: u64| {
        let (movie, rating, day, votes) = values(number);
        doc! {
            "_id": format!("rw{number}"), "reviewer": format!("reviewer {}", number % 50_000), "movie": movie, "rating": rating,
            "review_summary": "in short", "review_date": bson::DateTime::from_millis(day * DAY_MS), "review_detail": &text,
            "helpful_yes": votes, "helpful_total": votes * 2,
            "src": { "partition": 0, "offset": number as i64, "timestamp": bson::DateTime::from_millis(day * DAY_MS) },
        }
    };
    let (next, stored) = (numbers.end as i64, (numbers.end - numbers.start) as i64);
    runtime.block_on(async {
        let events = database.collection::<Document>(EVENTS);
        for first in numbers.clone().step_by(5_000) {
            let some = (first..numbers.end.min(first + 5_000)).map(event);
            events.insert_many(some).ordered(false).await?;
        }
        let change = doc! {
            "$set": { "group": "bench", "topic": "reviews", "partition": 0, "next": next }, "$inc": { "counts.stored": stored },
        };
        let positions = database.collection::<Document>(OFFSETS);
        positions.update_one(doc! { "_id": "bench/reviews/0" }, change).upsert(true).await
    })?;
    Ok(())
}

/// The median time of some runs, in milliseconds.
fn median(runs: usize, mut run: impl FnMut() -> Done) -> Done<f64> {
    let mut times = Vec::new();
    for _ in 0..runs {
        let start = Instant::now();
        run()?;
        times.push(start.elapsed());
    }
    Ok(milliseconds(times))
}

fn milliseconds(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1_000.0
}
