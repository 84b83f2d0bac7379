//! Windows that overlap, windows that close, and records that come too late.

use crate::support::Pipeline;
use bson::{Document, doc};
use std::collections::BTreeMap;
use std::fmt::Write;

const MINUTE: i64 = 60_000;

/// Readings of sensors; `settings` stand before the fields.
fn schema(settings: &str, rollups: &str) -> String {
    format!(
        "stream = \"readings\"\nid = [\"n\"]\nevent_time = \"at\"\nmessage_key = \"sensor\"\n{settings}\n\
         [fields]\nn = {{ type = \"int\" }}\nat = {{ type = \"timestamp\", formats = [\"epoch_ms\"] }}\nsensor = {{ type = \"string\" }}\n\
         value = {{ type = \"int\", range = [0, 9] }}\n{rollups}"
    )
}

fn rollup(name: &str, window: &str, keys: &str) -> String {
    format!("[[rollups]]\nname = \"{name}\"\nwindow = \"{window}\"\nkeys = [{keys}]\nmeasures = [\"value\"]\n")
}

/// Readings as JSON Lines: number, time, sensor.
fn lines(readings: impl IntoIterator<Item = (i64, i64, &'static str)>) -> String {
    let mut lines = String::new();
    for (n, at, sensor) in readings {
        let value = n.rem_euclid(10);
        writeln!(lines, r#"{{"n": {n}, "at": {at}, "sensor": "{sensor}", "value": {value}}}"#).unwrap();
    }
    lines
}

fn produce(pipeline: &Pipeline, readings: impl IntoIterator<Item = (i64, i64, &'static str)>) {
    pipeline.produce(&pipeline.write("readings.jsonl", &lines(readings)));
}

fn millis(row: &Document, column: &str) -> i64 {
    row.get_datetime(column).unwrap().timestamp_millis()
}

#[test]
fn a_record_is_in_every_hopping_window_that_holds_it() {
    // 50 minutes are no multiple of the step, and the readings lie on both sides of 1970.
    let (size, step) = (50 * MINUTE, 15 * MINUTE);
    let readings: Vec<_> =
        (0..1_500).map(|n| (n, (n * 7_919 % 1_500 - 700) * 29_989, ["a", "b", "c"][n as usize % 3])).collect();
    let rollups = rollup("by_50m", "50m every 15m", "\"sensor\"") + &rollup("by_hour", "1h every 30m", "");
    let pipeline = Pipeline::with_schema("hopping", &schema("allowed_lateness = \"unbounded\"", &rollups));
    produce(&pipeline, readings.iter().copied());
    assert_eq!(pipeline.drain(&["--set", "batch_records=97"]).stored, 1_500);
    pipeline.assert_audit();

    let mut expected: BTreeMap<(i64, &str), i64> = BTreeMap::new();
    for &(_, at, sensor) in &readings {
        for start in (-2_000..2_000).map(|place| place * step).filter(|start| (*start..start + size).contains(&at)) {
            *expected.entry((start, sensor)).or_default() += 1;
        }
    }
    let rows = pipeline.documents("by_50m", doc! {});
    let found = rows.iter().map(|row| {
        assert_eq!(millis(row, "window_end") - millis(row, "window_start"), size);
        ((millis(row, "window_start"), row.get_str("sensor").unwrap()), row.get_i64("readings").unwrap())
    });
    assert_eq!(found.collect::<BTreeMap<_, _>>(), expected);
    let entry = &pipeline.documents("rollup_catalog", doc! { "_id": "by_50m" })[0];
    assert_eq!(entry.get_str("window").unwrap(), "50m every 15m");
}
