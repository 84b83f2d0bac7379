//! What `ingest audit` finds: rows that differ, are missing, or should not be there, in and out of a range of windows.

use crate::support::{Pipeline, text};
use bson::{Bson, DateTime, Document, doc};
use serde_json::Value;

/// What an audit of one rollup printed; exit code 1 where it is wrong.
fn audit(pipeline: &Pipeline, rollup: &str, range: &[&str]) -> Value {
    let arguments: Vec<&str> =
        ["audit", "--json", "--rollup", rollup].into_iter().chain(range.iter().copied()).collect();
    let output = pipeline.output(&arguments);
    let reports: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    assert_eq!(reports.as_array().unwrap().len(), 1);
    let report = reports[0].clone();
    assert_eq!(output.status.code(), Some(i32::from(report["differences"] != 0)), "{report}");
    report
}

fn found(report: &Value) -> [i64; 3] {
    ["differences", "missing", "unexpected"].map(|count| report[count].as_i64().unwrap())
}

/// The first instant of a month.
fn month(text: &str) -> DateTime {
    DateTime::parse_rfc3339_str(format!("{text}-01T00:00:00Z")).unwrap()
}

#[test]
fn a_wrong_a_missing_and_an_unexpected_row_are_named_in_range_and_not_beyond() {
    let pipeline = Pipeline::new("audit");
    pipeline.produce(&pipeline.reviews(3_000, 41));
    pipeline.drain(&[]);
    let rows = pipeline.documents("movies_by_month", doc! {});
    let window = |row: &Document| *row.get_datetime("window_start").unwrap();
    let (first, last) = (window(&rows[0]), window(&rows[rows.len() - 1]));
    let some = |at: usize| rows[at].clone();
    let (wrong, missing) = (some(rows.len() / 3), some(rows.len() / 2));
    let id = |row: &Document| doc! { "_id": row.get("_id").unwrap() };
    assert_eq!(found(&audit(&pipeline, "movies_by_month", &[])), [0, 0, 0]);

    pipeline.update("movies_by_month", id(&wrong), doc! { "$inc": { "rating_sum": 1_i64 } });
    pipeline.delete("movies_by_month", id(&missing));
    let mut unexpected = some(0);
    unexpected.insert("_id", doc! { "w": first, "k": [Bson::String("Never Made (1899)".into())] });
    let strange = doc! { "_id": "not a row", "movie": "?" };
    pipeline.insert("movies_by_month", [&unexpected, &strange]);
    let report = audit(&pipeline, "movies_by_month", &[]);
    assert_eq!(found(&report), [4, 1, 2]);
    let said = report["examples"].to_string();
    for part in ["rating_sum is ", "missing: ", "should not be there: ", "Never Made (1899)", "not a row"] {
        assert!(said.contains(part), "{part}: {said}");
    }

    // Everything that was changed lies in the windows from the first to that of the missing row.
    let bound = |at: DateTime| at.try_to_rfc3339_string().unwrap();
    let after = DateTime::from_millis(window(&missing).timestamp_millis() + 1);
    let (first, after, last) = (bound(first), bound(after), bound(last));
    let within = audit(&pipeline, "movies_by_month", &["--from", &first, "--to", &after]);
    assert_eq!(found(&within), [3, 1, 1], "a row without a window is in no range");
    let beyond = audit(&pipeline, "movies_by_month", &["--from", &after]);
    assert_eq!(found(&beyond), [0, 0, 0]);
    assert!(beyond["rows"].as_i64().unwrap() > 0 && after < last);
    let rest = within["rows"].as_i64().unwrap() + beyond["rows"].as_i64().unwrap();
    assert_eq!(rest, report["rows"].as_i64().unwrap() - 1, "two ranges side by side are the whole");
}

#[test]
fn a_range_has_whole_windows_of_every_rollup() {
    let pipeline = Pipeline::new("audit-range");
    pipeline.produce(&pipeline.reviews(3_000, 42));
    pipeline.drain(&[]);
    let months = pipeline
        .count("reviews_by_month", doc! { "window_start": { "$gte": month("2010-02"), "$lt": month("2012-02") } });
    let report = audit(&pipeline, "reviews_by_month", &["--from", "2010-02", "--to", "2012-02"]);
    assert_eq!((report["rows"].as_u64(), found(&report)), (Some(months), [0, 0, 0]));
    for (from, to) in [("2010", "2011"), ("2010-05-11", "2010-05-12"), ("2003-02-21", "2009"), ("1900", "1901")] {
        pipeline.succeed(&["audit", "--from", from, "--to", to]);
    }
    assert!(pipeline.fail(2, &["audit", "--from", "last week"]).contains("is not a date; write 2004"));
}
