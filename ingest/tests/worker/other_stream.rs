//! A stream that is not reviews needs nothing but a TOML file.

use crate::support::Pipeline;
use bson::{Document, doc};
use std::fmt::Write;

const SCHEMA: &str = r#"
stream = "readings"
id = ["sensor", "at"]
event_time = "at"
message_key = "sensor"
time_zone = "Europe/Berlin"
allowed_lateness = "10m"

[fields]
sensor  = { type = "int" }
at      = { type = "timestamp" }
celsius = { type = "float", from = "value", range = [-90, 60] }
bytes   = { type = "int", counted_as = "sized" }
state   = { type = "string" }

[[rollups]]
name = "by_quarter_hour"
window = "15m"
keys = ["sensor"]
measures = ["celsius", "bytes"]

[[rollups]]
name = "by_day"
window = "day"
measures = ["celsius"]
distinct = ["sensor", "state"]

[[rollups]]
name = "warmest"
window = "week"
keys = ["sensor"]
measures = ["celsius"]
top = { rows = 3, by = "celsius_mean" }
"#;

/// Readings of 20 sensors every 7 minutes around the epoch and the end of summer time; celsius is missing now and then.
fn readings() -> String {
    let mut lines = String::new();
    for start in ["1969-12-31T20:00:00Z", "2020-10-24T18:00:00Z"] {
        let start: jiff::Timestamp = start.parse().unwrap();
        for step in 0..300_i64 {
            let at = start.checked_add(jiff::SignedDuration::from_mins(7 * step)).unwrap();
            let sensor = step % 20;
            let value = if step % 11 == 0 { "null".to_owned() } else { format!("{}.25", step % 40 - 10) };
            writeln!(
                lines,
                r#"{{"sensor": {sensor}, "at": "{at}", "value": {value}, "bytes": {}, "state": "s{}"}}"#,
                step * 1_000_000_007,
                step % 3
            )
            .unwrap();
        }
    }
    lines
}

fn row(pipeline: &Pipeline, rollup: &str, filter: Document) -> Document {
    let rows = pipeline.documents(rollup, filter);
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.into_iter().next().unwrap()
}

#[test]
fn sensors_are_rolled_up_by_their_schema() {
    let pipeline = Pipeline::with_schema("sensors", SCHEMA);
    let lines = pipeline.write("readings.jsonl", &readings());
    pipeline.produce(&lines);
    let counts = pipeline.drain(&["--set", "batch_records=37"]);
    assert_eq!((counts.read, counts.stored), (600, 600));
    pipeline.assert_audit();

    let event = &pipeline.documents("events", doc! { "_id.sensor": 7_i64 })[0];
    assert_eq!(event.keys().collect::<Vec<_>>(), ["_id", "celsius", "bytes", "state", "src"]);
    // Berlin is an hour ahead in December: 20:00 to 23:00 UTC of the last day of 1969 is one civil day, in 26 steps of 7 minutes.
    let midnight = bson::DateTime::parse_rfc3339_str("1969-12-31T00:00:00Z").unwrap();
    let day = row(&pipeline, "by_day", doc! { "window_start": midnight });
    assert_eq!((day.get_i64("readings").unwrap(), day.get_i64("celsius_count").unwrap()), (26, 23));
    assert_eq!((day.get_i64("sensor_distinct").unwrap(), day.get_i64("state_distinct").unwrap()), (20, 3));
    assert_eq!((day.get_f64("celsius_min").unwrap(), day.get_f64("celsius_max").unwrap()), (-9.25, 15.25));
    let quarter = bson::DateTime::parse_rfc3339_str("1969-12-31T23:45:00Z").unwrap();
    let sensor = row(&pipeline, "by_quarter_hour", doc! { "window_start": quarter, "sensor": 13_i64 });
    assert_eq!((sensor.get_i64("sized").unwrap(), sensor.get_i64("bytes_sum").unwrap()), (1, 33 * 1_000_000_007));
    let warmest = pipeline.documents("warmest", doc! {});
    assert!(warmest.iter().all(|row| (1..=3).contains(&row.get_i64("rank").unwrap())));
}

#[test]
fn a_late_record_corrects_its_row_and_is_counted() {
    let pipeline = Pipeline::with_schema("late", SCHEMA);
    let reading = |at: &str| format!(r#"{{"sensor": 1, "at": "{at}", "value": 20, "bytes": 1, "state": "a"}}"#);
    pipeline.produce(
        &pipeline.write(
            "first.jsonl",
            &format!("{}\n{}\n", reading("2020-01-01T00:01:00Z"), reading("2020-01-01T00:30:00Z")),
        ),
    );
    assert_eq!(pipeline.drain(&[]).late, 0);
    let window = doc! { "window_start": bson::DateTime::parse_rfc3339_str("2020-01-01T00:00:00Z").unwrap() };
    let before = row(&pipeline, "by_quarter_hour", window.clone());
    // The clock stands at 00:30, the window closed at 00:25.
    pipeline.produce(&pipeline.write("late.jsonl", &reading("2020-01-01T00:02:00Z")));
    assert_eq!(pipeline.drain(&[]).late, 1);
    let after = row(&pipeline, "by_quarter_hour", window);
    assert_eq!((before.get_i64("readings").unwrap(), before.get_i64("late").unwrap()), (1, 0));
    assert_eq!((after.get_i64("readings").unwrap(), after.get_i64("late").unwrap()), (2, 1));
    assert!(after.get_i64("revision").unwrap() > before.get_i64("revision").unwrap());
}

#[test]
fn a_filter_is_counted_and_left_out() {
    let schema = format!(
        "filter = [{{ field = \"sensor\", at_least = 5 }}]\ntombstones = \"filtered\"\n{}",
        SCHEMA.trim_start()
    );
    let pipeline = Pipeline::with_schema("filter", &schema);
    pipeline.produce(&pipeline.write("readings.jsonl", &readings()));
    let counts = pipeline.drain(&[]);
    assert_eq!((counts.read, counts.stored, counts.filtered), (600, 450, 150));
    pipeline.assert_audit();
}
