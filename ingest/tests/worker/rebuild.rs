//! Rollups that are added, changed or removed over stored events, and rebuilds that are cut short.

use crate::support::{Pipeline, Worker, text, wait_until};
use bson::{Bson, Document, doc};
use std::fmt::Write;

pub const STREAM: &str = r#"
stream = "readings"
id = ["id"]
event_time = "at"
message_key = "sensor"
allowed_lateness = "10m"

[fields]
id      = { type = "string" }
sensor  = { type = "int" }
at      = { type = "timestamp" }
celsius = { type = "float" }
level   = { type = "int", range = [1, 5] }
"#;

pub const BY_HOUR: &str = r#"
[[rollups]]
name = "by_hour"
window = "1h"
measures = ["level"]
"#;

pub const BY_SENSOR: &str = r#"
[[rollups]]
name = "by_sensor"
window = "day"
keys = ["sensor"]
measures = ["celsius", "level"]
"#;

pub const WARMEST: &str = r#"
[[rollups]]
name = "warmest"
window = "day"
keys = ["sensor"]
measures = ["celsius", "level"]
top = { rows = 3, by = "celsius_mean" }
"#;

pub const VISITS: &str = r#"
[[rollups]]
name = "visits"
window = "session 45m"
keys = ["sensor"]
measures = ["level"]
"#;

pub fn schema(rollups: &[&str]) -> String {
    format!("{STREAM}{}", rollups.concat())
}

/// Readings from number `first` on, one a minute and one in nine 40 minutes late; sums of their values are exact.
pub fn readings(first: i64, count: i64) -> String {
    let start: jiff::Timestamp = "2020-03-01T00:00:00Z".parse().unwrap();
    (first..first + count).fold(String::new(), |mut lines, number| {
        let late = if number % 9 == 8 { 40 } else { 0 };
        let at = start.checked_add(jiff::SignedDuration::from_mins(number - late)).unwrap();
        let (sensor, half, level) = (number % 17, number % 40, number % 5 + 1);
        writeln!(
            lines,
            r#"{{"id": "r{number}", "sensor": {sensor}, "at": "{at}", "celsius": {half}.5, "level": {level}}}"#
        )
        .unwrap();
        lines
    })
}

pub fn produce(pipeline: &Pipeline, first: i64, count: i64) {
    pipeline.produce(&pipeline.write("readings.jsonl", &readings(first, count)));
}

pub fn pipeline(test: &str, rollups: &[&str], count: i64) -> Pipeline {
    let pipeline = Pipeline::with_schema(test, &schema(rollups));
    produce(&pipeline, 0, count);
    pipeline.drain(&[]);
    pipeline
}

pub fn change_schema(pipeline: &Pipeline, rollups: &[&str]) {
    pipeline.write("schema.toml", &schema(rollups));
}

/// Rows without what differs from one run to the next; sums in another order may differ in the last digits.
pub fn rows(pipeline: &Pipeline, rollup: &str) -> Vec<Document> {
    let mut rows = pipeline.documents(rollup, doc! {});
    for row in &mut rows {
        for column in ["revision", "updated_at", "is_final", "_state"] {
            row.remove(column);
        }
        for (_, value) in row.iter_mut() {
            if let Bson::Double(number) = value {
                *number = (*number * 1e6).round() / 1e6;
            }
        }
    }
    rows
}

/// The rows that `rollups` have where they are there from the beginning.
fn rows_from_the_beginning(rollups: &[&str], name: &str, count: i64) -> Vec<Document> {
    rows(&pipeline("beginning", rollups, count), name)
}

pub fn assert_in_order(pipeline: &Pipeline) {
    pipeline.assert_audit();
    assert_eq!(pipeline.count("rollup_tables", doc! { "stage": { "$exists": true } }), 0);
    assert_eq!(pipeline.count("offsets", doc! { "rebuilding": { "$nin": [null, []] } }), 0);
    assert_eq!(pipeline.count("rollup_states", doc! {}), 0);
    let left: Vec<_> = pipeline.collections().into_iter().filter(|name| name.contains("-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

pub fn catalog(pipeline: &Pipeline) -> Vec<String> {
    let names = pipeline.documents("rollup_catalog", doc! {});
    names.iter().map(|entry| entry.get_str("_id").unwrap().to_owned()).collect()
}

#[test]
fn an_added_rollup_is_as_if_it_had_been_there_from_the_beginning() {
    let pipeline = pipeline("added", &[BY_HOUR], 2_000);
    let before = rows(&pipeline, "by_hour");
    change_schema(&pipeline, &[BY_HOUR, BY_SENSOR, WARMEST]);
    assert_eq!(pipeline.drain(&[]).read, 0);
    assert_in_order(&pipeline);
    assert_eq!(rows(&pipeline, "by_hour"), before, "a rollup that is the same is left alone");
    for rollup in ["by_sensor", "warmest"] {
        let expected = rows_from_the_beginning(&[BY_HOUR, BY_SENSOR, WARMEST], rollup, 2_000);
        assert_eq!(rows(&pipeline, rollup), expected, "{rollup}");
        assert!(!expected.is_empty());
    }
    let late: i64 = rows(&pipeline, "by_sensor").iter().map(|row| row.get_i64("late").unwrap()).sum();
    assert!(late > 0, "late readings are told from the others also when they are counted later");
    produce(&pipeline, 2_000, 500);
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
}

#[test]
fn sessions_are_added_changed_and_renamed_like_other_windows() {
    let pipeline = pipeline("visits", &[BY_HOUR], 1_000);
    let longer = VISITS.replace("45m", "2h");
    for rollups in [[BY_HOUR, VISITS], [BY_HOUR, &longer]] {
        change_schema(&pipeline, &rollups);
        pipeline.drain(&["--set", "rebuild_events=100"]);
        assert_in_order(&pipeline);
        assert_eq!(rows(&pipeline, "visits"), rows_from_the_beginning(&rollups, "visits", 1_000));
    }
    let before = rows(&pipeline, "visits");
    change_schema(&pipeline, &[BY_HOUR, &longer.replace("visits", "stays")]);
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
    assert_eq!(rows(&pipeline, "stays"), before);
    produce(&pipeline, 1_000, 200);
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
}

#[test]
fn a_changed_rollup_has_new_rows_under_newer_revisions() {
    let pipeline = pipeline("changed", &[BY_HOUR, BY_SENSOR], 1_000);
    let before = pipeline.documents("rollup_catalog", doc! { "_id": "by_hour" });
    let quarter = BY_HOUR.replace("1h", "15m");
    change_schema(&pipeline, &[&quarter, BY_SENSOR]);
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
    assert_eq!(rows(&pipeline, "by_hour"), rows_from_the_beginning(&[&quarter, BY_SENSOR], "by_hour", 1_000));
    let after = pipeline.documents("rollup_catalog", doc! { "_id": "by_hour" });
    let published = |entry: &[Document]| entry[0].get_i64("published_revision").unwrap();
    assert!(published(&after) > published(&before));
    assert_ne!(after[0].get("definition_hash"), before[0].get("definition_hash"));
    let oldest = doc! { "revision": { "$lte": published(&before) } };
    assert_eq!(pipeline.count("by_hour", oldest), 0, "whoever read the old rows is told of every new one");
}

#[test]
fn columns_and_names_change_without_reading_the_events() {
    let pipeline = pipeline("columns", &[BY_HOUR, BY_SENSOR], 1_000);
    // Without events a rebuild would leave nothing.
    let events = pipeline.documents("events", doc! {});
    pipeline.delete("events", doc! {});
    let renamed = BY_SENSOR.replace("by_sensor", "sensors");
    let plain = format!("{BY_HOUR}histogram = false\n");
    change_schema(&pipeline, &[&plain, &renamed, WARMEST]);
    pipeline.drain(&[]);
    pipeline.insert("events", &events);
    assert_in_order(&pipeline);
    assert_eq!(catalog(&pipeline), ["by_hour", "sensors", "warmest"]);
    assert!(!pipeline.collections().contains(&"by_sensor".to_owned()));
    assert_eq!(pipeline.count("by_hour", doc! { "level_1": { "$exists": true } }), 0);
    // The one that carries the states goes, and later comes back.
    for rollups in [&[&plain as &str, WARMEST][..], &[&plain, WARMEST, &renamed]] {
        change_schema(&pipeline, rollups);
        pipeline.drain(&[]);
        assert_in_order(&pipeline);
    }
    produce(&pipeline, 1_000, 500);
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
}

#[test]
fn two_rollups_may_change_names_with_each_other() {
    let pipeline = pipeline("names", &[BY_HOUR, BY_SENSOR], 1_000);
    let (hours, sensors) = (BY_HOUR.replace("by_hour", "by_sensor"), BY_SENSOR.replace("by_sensor", "by_hour"));
    let before = (rows(&pipeline, "by_hour"), rows(&pipeline, "by_sensor"));
    change_schema(&pipeline, &[&hours, &sensors]);
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
    assert_eq!((rows(&pipeline, "by_sensor"), rows(&pipeline, "by_hour")), before);
}

#[test]
fn a_removed_rollup_goes_and_can_be_made_again() {
    let pipeline = pipeline("removed", &[BY_HOUR, BY_SENSOR], 1_000);
    let before = rows(&pipeline, "by_sensor");
    change_schema(&pipeline, &[BY_HOUR]);
    let said = pipeline.output(&["run", "--until-end"]);
    assert!(text(&said.stderr).contains("no longer has this rollup"), "{}", text(&said.stderr));
    assert_in_order(&pipeline);
    assert_eq!(catalog(&pipeline), ["by_hour"]);
    assert!(!pipeline.collections().contains(&"by_sensor".to_owned()));
    change_schema(&pipeline, &[BY_HOUR, BY_SENSOR]);
    pipeline.drain(&["--accept-older-schema"]);
    assert_in_order(&pipeline);
    assert_eq!(rows(&pipeline, "by_sensor"), before);
}

#[test]
fn rows_are_made_right_by_a_rebuild_that_is_asked_for() {
    let pipeline = pipeline("asked", &[BY_HOUR, BY_SENSOR], 1_000);
    let before = rows(&pipeline, "by_sensor");
    pipeline.update(
        "by_sensor",
        doc! { "sensor": 3_i64 },
        doc! { "$set": { "readings": 0_i64, "_state.count": 0_i64 } },
    );
    assert_eq!(pipeline.output(&["audit"]).status.code(), Some(1));
    let said = pipeline.succeed(&["rebuild", "by_sensor"]);
    assert!(said.contains("rebuilt by_sensor: 1000 events counted"), "{said}");
    assert_in_order(&pipeline);
    assert_eq!(rows(&pipeline, "by_sensor"), before);
    assert!(pipeline.fail(2, &["rebuild", "hours"]).contains("there is no rollup hours"));
}

/// A worker that follows the topic, with small batches.
fn follow(pipeline: &Pipeline) -> Worker {
    pipeline.worker(&["--set", "batch_records=50", "--set", "publish_interval_ms=20"])
}

#[test]
fn a_rebuild_is_asked_for_while_a_worker_runs() {
    let pipeline = pipeline("running", &[BY_HOUR, BY_SENSOR], 1_000);
    let mut worker = follow(&pipeline);
    for turn in 1..=3 {
        produce(&pipeline, turn * 1_000, 1_000);
        pipeline.succeed(&["rebuild", "by_sensor", "by_hour"]);
    }
    pipeline.wait_until_read(4_000);
    assert!(worker.is_running(), "the worker goes on under the new plan");
    worker.signal(nix::sys::signal::Signal::SIGTERM);
    worker.finish();
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
    assert_eq!(pipeline.count("events", doc! {}), 4_000);
}

#[test]
fn a_worker_with_the_old_schema_is_fenced() {
    let pipeline = pipeline("old", &[BY_HOUR], 500);
    let old = pipeline.write("old.toml", &schema(&[BY_HOUR]));
    let worker = pipeline.worker_that_says(&["--schema", old.to_str().unwrap(), "--set", "batch_records=20"]);
    change_schema(&pipeline, &[BY_HOUR, BY_SENSOR]);
    let new = follow(&pipeline);
    wait_until("the plan has changed", || pipeline.count("streams", doc! { "plan": 1_i64 }) == 1);
    produce(&pipeline, 500, 2_000);
    let said = worker.failure();
    assert!(said.contains("were changed by a worker with another schema"), "{said}");
    pipeline.wait_until_read(2_500);
    new.signal(nix::sys::signal::Signal::SIGTERM);
    new.finish();
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
    assert_eq!(pipeline.count("events", doc! {}), 2_500);
}

#[test]
fn a_rebuild_that_is_killed_again_and_again_counts_everything_once() {
    const KILLS: usize = 12;
    let pipeline = pipeline("killed", &[BY_HOUR], 3_000);
    let old_rows = rows(&pipeline, "by_hour");
    let half = BY_HOUR.replace("1h", "30m");
    change_schema(&pipeline, &[&half, BY_SENSOR, WARMEST]);
    let options = ["--set", "kafka.group.instance.id=one", "--set", "batch_records=50", "--set", "rebuild_events=97"];
    let mut met = std::collections::BTreeSet::new();
    for kill in 0..KILLS {
        produce(&pipeline, 3_000 + 100 * kill as i64, 100);
        let worker = pipeline.worker(&options);
        let before = stages(&pipeline);
        // A step further, or a bit of time: where it is killed is up to chance.
        let deadline = std::time::Instant::now() + std::time::Duration::from_millis(1_000 + 150 * kill as u64);
        wait_until("the rebuild has gone on", || stages(&pipeline) != before || std::time::Instant::now() > deadline);
        std::thread::sleep(std::time::Duration::from_millis(u64::from(rand::random::<u8>() % 60)));
        worker.crash();
        let now = stages(&pipeline);
        if now.iter().any(|(_, stage)| stage == "count") {
            assert_eq!(rows(&pipeline, "by_hour"), old_rows, "the old table is there until the new one is complete");
        }
        met.extend(now.into_iter().map(|(_, stage)| stage));
    }
    pipeline.drain(&options);
    println!("killed in the stages {met:?}");
    assert_in_order(&pipeline);
    assert_eq!(pipeline.count("events", doc! {}), 3_000 + 100 * KILLS as u64);
}

#[test]
fn a_rebuild_that_was_cut_short_near_its_end_is_finished() {
    let pipeline = pipeline("cut", &[BY_HOUR, BY_SENSOR, WARMEST], 1_000);
    pipeline.succeed(&["rebuild", "by_sensor"]);
    let before = (rows(&pipeline, "by_sensor"), rows(&pipeline, "warmest"));
    let table = |stage: &str, carrier: &str| {
        let table = doc! { "_id": "readings/day/sensor:int/celsius:float,level:1..5" };
        pipeline.update("rollup_tables", table, doc! { "$set": { "stage": stage, "carrier": carrier } });
    };
    let stale = doc! { "_id": "stale", "revision": 99_i64 };
    // As it is when a worker dies while the tables are written, between the renames, and after the last of them.
    for (stage, carrier, beside) in [
        ("write", "by_sensor", &["by_sensor.next-1", "warmest.next-1"][..]),
        ("rename", "by_sensor.next-1", &[]),
        ("drain", "by_sensor", &[]),
        ("write", "by_sensor.next-1", &["warmest.next-1"]),
    ] {
        table(stage, carrier);
        let described = doc! { "_id": { "$in": ["by_sensor", "warmest"] } };
        pipeline.update("rollup_catalog", described, doc! { "$set": { "definition_hash": "another" } });
        for name in beside {
            pipeline.insert(name, [&stale]);
            pipeline.mark(name);
        }
        pipeline.drain(&[]);
        assert_eq!((rows(&pipeline, "by_sensor"), rows(&pipeline, "warmest")), before, "{stage} {carrier}");
        pipeline.assert_audit();
    }
}

/// What the tables wait for.
fn stages(pipeline: &Pipeline) -> Vec<(String, String)> {
    let tables = pipeline.documents("rollup_tables", doc! {});
    let stage = |table: &Document| {
        let rebuild = table.get_document("rebuild").ok().and_then(|rebuild| rebuild.get_i64("counted").ok());
        (format!("{:?}", rebuild), table.get_str("stage").unwrap_or("in order").to_owned())
    };
    tables.iter().map(stage).collect()
}

#[test]
fn a_changed_type_is_refused_and_named() {
    let pipeline = pipeline("types", &[BY_HOUR], 10);
    let refused = |from: &str, to: &str| {
        let changed = schema(&[BY_HOUR]).replace(from, to);
        let path = pipeline.write("changed.toml", &changed);
        pipeline.fail(2, &["run", "--until-end", "--schema", path.to_str().unwrap()])
    };
    let said = refused("celsius = { type = \"float\" }", "celsius = { type = \"string\" }");
    assert!(said.contains("the type of the field celsius is string now"), "{said}");
    assert!(said.contains("stored with float"), "{said}");
    assert!(refused("id = [\"id\"]", "id = [\"id\", \"sensor\"]").contains("the id is id, sensor now"));
    assert!(refused("stream = \"readings\"", "stream = \"others\"").contains("holds the stream readings"));
    let wider = schema(&[BY_HOUR]).replace("[fields]", "[fields]\nnote = { type = \"string\" }");
    pipeline.write("schema.toml", &wider.replace("celsius = { type = \"float\" }\n", ""));
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
}
