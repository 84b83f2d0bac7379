//! The whole way: reviews through Kafka into MongoDB, and from there into files that are right.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use analysis::{
    export::{Export, Format},
    load::Store,
};
use clap::Parser;
use ingest::cli::{self, Cli};
use sample::GenerateOptions;
use serde::Deserialize;
use serde_json::Value;

use crate::fixture::{assert_as_stored, read_back, stored};

const GENERATED_ROWS: u64 = 5_000;

/// The counts beside a data set, as its maker knows them.
#[derive(Debug, Deserialize)]
struct Truth {
    rows: i64,
    unrated: i64,
    reviews_by_month: BTreeMap<String, i64>,
    rating_sum_by_month: BTreeMap<String, i64>,
}

/// The real reviews, where they are beside the repository; generated ones elsewhere.
fn reviews(folder: &Path) -> PathBuf {
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/reviews-24k");
    if real.join("truth.json").exists() {
        return real;
    }
    eprintln!("{} is not there; using {GENERATED_ROWS} generated reviews", real.display());
    let generated = folder.join("reviews");
    sample::generate(&GenerateOptions::new(generated.clone(), GENERATED_ROWS, 7)).expect("generated");
    generated
}

/// Runs a command of `ingest` in this process.
fn ingest(name: &str, arguments: &[&str]) {
    let endpoints = stack::testing::shared();
    let line = ["ingest"].iter().chain(arguments).copied();
    let of_all = ["--brokers", &endpoints.kafka_brokers, "--topic", name];
    let of_the_worker = ["--mongodb-uri", &endpoints.mongodb_uri, "--group", name, "--database", name];
    let more: &[&str] = if arguments.contains(&"run") { &of_the_worker } else { &[] };
    let ended = cli::run(Cli::parse_from(line.chain(of_all).chain(more.iter().copied())));
    assert_eq!(format!("{ended:?}"), format!("{:?}", ExitCode::SUCCESS), "{arguments:?}");
}

fn sum(rows: &Value, column: &str) -> i64 {
    rows.as_array().expect("rows").iter().map(|row| row[column].as_i64().unwrap_or_default()).sum()
}

fn by_month(rows: &Value, column: &str) -> BTreeMap<String, i64> {
    let rows = rows.as_array().expect("rows").iter();
    rows.map(|row| {
        (row["window_start"].as_str().expect("a date")[..7].to_owned(), row[column].as_i64().expect("a number"))
    })
    .collect()
}

#[test]
fn files_have_the_counts_that_are_known_beforehand_and_follow_the_stream() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = format!("export-pipeline-{}", std::process::id());
    let data = reviews(folder.path());
    ingest(&name, &["produce", &data.to_string_lossy()]);
    ingest(&name, &["run", "--until-end"]);
    let store = Store::connect(&stack::testing::shared().mongodb_uri, &name).expect("a store");
    let out = folder.path().join("out");
    Export::new(&store, &out).run().expect("exported");
    let tables = read_back(&out);
    assert_truth(&tables, &data);
    for (table, rows) in &tables {
        assert_as_stored(rows, &store, table);
    }

    // New reviews, of films and months that are there and of some that are not.
    let more = folder.path().join("more");
    sample::generate(&GenerateOptions { files: 1, ..GenerateOptions::new(more.clone(), 500, 9) }).expect("generated");
    with_other_ids(&more);
    ingest(&name, &["produce", &more.to_string_lossy()]);
    ingest(&name, &["run", "--until-end"]);
    assert!(Export::new(&store, &out).run().expect("exported").iter().any(|table| table.written));
    let anew = folder.path().join("anew");
    Export::new(&store, &anew).run().expect("exported");
    for (table, rows) in read_back(&out) {
        assert_as_stored(&rows, &store, &table);
        let file = format!("{table}.csv");
        assert_eq!(fs::read(out.join(&file)).ok(), fs::read(anew.join(&file)).ok(), "{table}");
    }
    events_are_all_there(&store, &folder.path().join("events"), &tables);
}

fn assert_truth(tables: &BTreeMap<String, Value>, data: &Path) {
    let truth = fs::read(data.join("truth.json")).expect("the truth");
    let truth: Truth = serde_json::from_slice(&truth).expect("JSON");
    for table in ["reviews_by_month", "reviews_by_ten_day", "movies_by_month"] {
        let rows = &tables[table];
        assert_eq!(sum(rows, "reviews"), truth.rows, "{table}");
        assert_eq!(sum(rows, "rated"), truth.rows - truth.unrated, "{table}");
        assert_eq!(sum(rows, "rating_sum"), truth.rating_sum_by_month.values().sum::<i64>(), "{table}");
    }
    let months = &tables["reviews_by_month"];
    assert_eq!(by_month(months, "reviews"), truth.reviews_by_month);
    for (month, total) in by_month(months, "rating_sum") {
        // A month without a rated review has no sum in the truth.
        assert_eq!(total, truth.rating_sum_by_month.get(&month).copied().unwrap_or(0), "{month}");
    }
}

/// Reviews of another seed have the same ids.
fn with_other_ids(folder: &Path) {
    for file in fs::read_dir(folder).expect("a folder") {
        let path = file.expect("a file").path();
        if path.file_name().is_some_and(|name| name != "truth.json") {
            let bytes = fs::read(&path).expect("a file");
            let text = String::from_utf8(bytes).expect("UTF-8");
            fs::write(&path, text.replace("\"rw", "\"nw")).expect("written");
        }
    }
}

fn events_are_all_there(store: &Store, folder: &Path, before: &BTreeMap<String, Value>) {
    let export = || Export::new(store, folder).tables(["events"]).formats([Format::Csv, Format::Parquet]);
    let exported = export().run().expect("exported");
    let stored = sum(&stored(store, "reviews_by_month"), "reviews");
    assert_eq!(i64::try_from(exported[0].rows).ok(), Some(stored));
    assert!(stored > sum(&before["reviews_by_month"], "reviews"));
    assert!(!export().run().expect("exported")[0].written);
    let script = "
import json, sys, polars
csv = polars.read_csv(sys.argv[1] + '/events.csv', infer_schema=False, schema_overrides={'rating': polars.Int64, 'helpful_yes': polars.Int64})
parquet = polars.read_parquet(sys.argv[1] + '/events.parquet')
texts = ['review_id', 'reviewer', 'movie', 'review_summary', 'review_detail', 'rating', 'helpful_yes']
assert csv.select(texts).equals(parquet.select(texts), null_equal=True)
assert csv['review_date'].str.to_date().equals(parquet['review_date'])
print(json.dumps([parquet.height, parquet['review_id'].n_unique(), parquet['rating'].sum()]))
";
    let mut python = std::process::Command::new("python3");
    python.args(["-c", script]).arg(folder).env("PYTHONPATH", crate::fixture::python_packages());
    let output = python.output().expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let ratings = sum(&crate::fixture::stored(store, "reviews_by_month"), "rating_sum");
    assert_eq!(found, serde_json::json!([stored, stored, ratings]));
}
