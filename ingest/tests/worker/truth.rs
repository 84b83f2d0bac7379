//! The whole way arrives at the counts that are known beforehand.

use crate::support::Pipeline;
use bson::{Document, doc};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The counts beside a data set, as its maker knows them.
#[derive(Debug, Deserialize)]
struct Truth {
    rows: i64,
    unrated: u64,
    duplicates: i64,
    bad: i64,
    years: BTreeMap<String, u64>,
    reviews_by_month: BTreeMap<String, i64>,
    rating_sum_by_month: BTreeMap<String, i64>,
    reviews_by_decade: BTreeMap<String, i64>,
}

fn assert_truth(pipeline: &Pipeline, data: &Path) {
    let truth: Truth = serde_json::from_slice(&std::fs::read(data.join("truth.json")).unwrap()).unwrap();
    pipeline.produce(data);
    let counts = pipeline.drain(&[]);
    assert_eq!(
        (counts.stored, counts.duplicate, counts.dead, counts.filtered),
        (truth.rows, truth.duplicates, truth.bad, 0)
    );
    assert_eq!(pipeline.stored_counts(), counts, "the store has the run's counts");
    assert_eq!(pipeline.count("events", doc! {}), u64::try_from(truth.rows).unwrap());
    assert_eq!(pipeline.count("events", doc! { "rating": null }), truth.unrated);
    assert_eq!(pipeline.count("dead_letters", doc! {}), u64::try_from(truth.bad).unwrap());
    for (year, reviews) in &truth.years {
        assert_eq!(pipeline.count("events", doc! { "year": year.parse::<i64>().unwrap() }), *reviews, "{year}");
    }
    let months = pipeline.documents("reviews_by_month", doc! {});
    assert_eq!(column(&months, month, "reviews"), truth.reviews_by_month);
    assert_eq!(column(&months, month, "rating_sum"), with_every_month(&truth));
    let ten_days = pipeline.documents("reviews_by_ten_day", doc! {});
    assert_eq!(column(&ten_days, ten_day, "reviews"), truth.reviews_by_decade);
    let movies = pipeline.documents("movies_by_month", doc! {});
    assert_eq!(movies.iter().map(|row| row.get_i64("reviews").unwrap()).sum::<i64>(), truth.rows);
    pipeline.assert_audit();
}

/// A month without a rated review has no sum in the truth, and a sum of 0 in the table.
fn with_every_month(truth: &Truth) -> BTreeMap<String, i64> {
    truth
        .reviews_by_month
        .keys()
        .map(|month| (month.clone(), truth.rating_sum_by_month.get(month).copied().unwrap_or(0)))
        .collect()
}

fn column(rows: &[Document], name: fn(&Document) -> String, column: &str) -> BTreeMap<String, i64> {
    rows.iter().map(|row| (name(row), row.get_i64(column).unwrap())).collect()
}

fn start(row: &Document) -> String {
    row.get_datetime("window_start").unwrap().try_to_rfc3339_string().unwrap()
}

fn month(row: &Document) -> String {
    start(row)[..7].to_owned()
}

fn ten_day(row: &Document) -> String {
    let start = start(row);
    let third = match &start[8..10] {
        "01" => "1_10",
        "11" => "11_20",
        _ => "21_31",
    };
    format!("{}/{third}", &start[..7])
}

#[test]
fn generated_reviews_arrive_at_their_truth() {
    let pipeline = Pipeline::new("truth-generated");
    let data = pipeline.reviews(20_000, 7);
    assert_truth(&pipeline, &data);
}

#[test]
fn the_real_sample_arrives_at_its_truth() {
    let data: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "..", "shared", "data", "reviews-24k"].iter().collect();
    if data.is_dir() {
        assert_truth(&Pipeline::new("truth-real"), &data);
        println!("checked on the real sample and on generated reviews");
    } else {
        println!("there is no real sample beside this clone; the same was checked on generated reviews");
    }
}
