//! Windows that overlap, windows that close, and records that come too late.

use crate::support::{Pipeline, wait_until};
use bson::{Document, doc};
use std::collections::BTreeMap;
use std::fmt::Write;

pub const MINUTE: i64 = 60_000;

/// Readings of sensors; `settings` stand before the fields.
pub fn schema(settings: &str, rollups: &str) -> String {
    format!(
        "stream = \"readings\"\nid = [\"n\"]\nevent_time = \"at\"\nmessage_key = \"sensor\"\n{settings}\n\
         [fields]\nn = {{ type = \"int\" }}\nat = {{ type = \"timestamp\", formats = [\"epoch_ms\"] }}\nsensor = {{ type = \"string\" }}\n\
         value = {{ type = \"int\", range = [0, 9] }}\n{rollups}"
    )
}

pub fn rollup(name: &str, window: &str, keys: &str) -> String {
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

pub fn produce(pipeline: &Pipeline, readings: impl IntoIterator<Item = (i64, i64, &'static str)>) {
    pipeline.produce(&pipeline.write("readings.jsonl", &lines(readings)));
}

pub fn millis(row: &Document, column: &str) -> i64 {
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

pub fn at(minute: i64) -> i64 {
    1_577_836_800_000 + minute * MINUTE
}

fn window(minute: i64) -> Document {
    doc! { "window_start": bson::DateTime::from_millis(at(minute)) }
}

pub fn one_row(pipeline: &Pipeline, rollup: &str, filter: Document) -> Document {
    let rows = pipeline.documents(rollup, filter);
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.into_iter().next().unwrap()
}

#[test]
fn a_record_that_is_too_late_is_set_aside_and_counted() {
    let rollups = rollup("by_quarter_hour", "15m", "\"sensor\"") + &rollup("by_hour", "1h", "");
    let settings = "allowed_lateness = \"10m\"\nlate_records = \"set_aside\"";
    let pipeline = Pipeline::with_schema("set-aside", &schema(settings, &rollups));
    produce(&pipeline, [(1, at(1), "a"), (2, at(120), "a")]);
    assert_eq!(pipeline.drain(&[]).late, 0);
    let closed = one_row(&pipeline, "by_quarter_hour", window(0));

    // The clock stands at 02:00. Number 3 is too late for its hour too, 4 for its quarter of an hour alone, 5 for neither.
    produce(&pipeline, [(3, at(2), "a"), (4, at(91), "a"), (5, at(110), "a"), (3, at(2), "a")]);
    let counts = pipeline.drain(&[]);
    assert_eq!((counts.read, counts.stored, counts.duplicate, counts.late, counts.set_aside), (4, 3, 1, 2, 1));
    assert_eq!(one_row(&pipeline, "by_quarter_hour", window(0)), closed, "a closed window stays as it was");
    assert_eq!(one_row(&pipeline, "by_quarter_hour", window(90)).get_i64("late").unwrap(), 1);
    let late = one_row(&pipeline, "late", doc! {});
    assert_eq!((late.get_i64("_id").unwrap(), late.get_str("sensor").unwrap()), (3, "a"));
    assert_eq!(late.get_document("src").unwrap().get_i64("offset").unwrap(), 2);

    // Its id stays taken, whatever comes under it later.
    produce(&pipeline, [(3, at(121), "a")]);
    assert_eq!(pipeline.drain(&[]).duplicate, 1);
    let hours: i64 = pipeline.documents("by_hour", doc! {}).iter().map(|row| row.get_i64("readings").unwrap()).sum();
    let all = pipeline.stored_counts();
    assert_eq!((pipeline.count("events", doc! {}), hours, all.set_aside), (5, 4, 1));
    assert_eq!(all.stored, 5);
    pipeline.assert_audit();
}

#[test]
fn a_backfill_in_any_order_is_late_only_beyond_the_allowed_lateness() {
    // 20 days in random order.
    let readings: Vec<_> = (0..2_000).map(|n| (n, at(n * 7_919 % 2_000 * 14), ["a", "b"][n as usize % 2])).collect();
    for (settings, all_in_time) in [
        ("allowed_lateness = \"unbounded\"\nlate_records = \"set_aside\"", true),
        ("allowed_lateness = \"20d\"\nlate_records = \"set_aside\"", true),
        ("late_records = \"set_aside\"", false),
        ("", false),
    ] {
        let pipeline = Pipeline::with_schema("backfill", &schema(settings, &rollup("by_hour", "1h", "")));
        produce(&pipeline, readings.iter().copied());
        let counts = pipeline.drain(&[]);
        assert_eq!(counts.stored, 2_000);
        assert_eq!(
            (counts.late == 0, counts.set_aside == 0),
            (all_in_time, all_in_time || settings.is_empty()),
            "{settings}"
        );
        assert_eq!(pipeline.count("events", doc! { "src.late": true }), u64::try_from(counts.set_aside).unwrap());
        pipeline.assert_audit();
    }
}

/// The same as waiting for the idle timeout of a partition.
pub fn make_idle(pipeline: &Pipeline, partition: Document) {
    let long_ago = bson::DateTime::from_millis(0);
    pipeline.update("offsets", partition, doc! { "$set": { "stored_at": long_ago } });
}

#[test]
fn the_last_window_closes_on_a_quiet_stream_and_a_late_record_corrects_it() {
    let settings = "allowed_lateness = \"10m\"\nidle_timeout = \"1h\"";
    let pipeline = Pipeline::with_schema("quiet", &schema(settings, &rollup("by_hour", "1h", "")));
    produce(&pipeline, [(1, at(0), "a"), (2, at(200), "a"), (3, at(201), "b")]);
    let _worker = pipeline.worker(&[]);
    pipeline.wait_until_read(3);
    wait_until("the windows are published", || pipeline.count("by_hour", doc! {}) == 2);
    make_idle(&pipeline, doc! {});
    wait_until("every window is final", || pipeline.count("by_hour", doc! { "is_final": true }) == 2);

    // The stream is awake again: a new window is open, and a record of an old one corrects it.
    let before = one_row(&pipeline, "by_hour", window(0));
    produce(&pipeline, [(4, at(300), "a"), (5, at(1), "a")]);
    wait_until("the new window is published", || pipeline.count("by_hour", window(300)) == 1);
    wait_until("the old window is corrected", || {
        one_row(&pipeline, "by_hour", window(0)).get_i64("readings").unwrap() == 2
    });
    let after = one_row(&pipeline, "by_hour", window(0));
    assert!(after.get_bool("is_final").unwrap() && after.get_i64("late").unwrap() == 1);
    assert!(after.get_i64("revision").unwrap() > before.get_i64("revision").unwrap());
    assert!(!one_row(&pipeline, "by_hour", window(300)).get_bool("is_final").unwrap());
    make_idle(&pipeline, doc! {});
    wait_until("the new window is final", || pipeline.count("by_hour", doc! { "is_final": false }) == 0);
}

#[test]
fn a_run_to_the_end_closes_the_windows_that_it_has_passed() {
    let pipeline = Pipeline::with_schema("end", &schema("idle_timeout = \"1h\"", &rollup("by_hour", "1h", "")));
    produce(&pipeline, [(1, at(0), "a")]);
    pipeline.drain(&[]);
    // Its other partitions are empty, and would hold the windows open.
    make_idle(&pipeline, doc! { "clock": { "$exists": false } });
    for (hours, id) in [(3, 2), (7, 3)] {
        produce(&pipeline, [(id, at(hours * 60), "a")]);
        pipeline.drain(&[]);
        let open = pipeline.documents("by_hour", doc! { "is_final": false });
        let starts: Vec<_> = open.iter().map(|row| millis(row, "window_start")).collect();
        assert_eq!(starts, [at(hours * 60)], "only the window of the newest record is open");
    }
}

#[test]
fn an_idle_timeout_closes_the_last_window() {
    let pipeline = Pipeline::with_schema("timeout", &schema("idle_timeout = \"1s\"", &rollup("by_hour", "1h", "")));
    produce(&pipeline, [(1, at(0), "a")]);
    let _worker = pipeline.worker(&[]);
    wait_until("the window is final", || pipeline.count("by_hour", doc! { "is_final": true }) == 1);
}

#[test]
fn a_partition_that_brings_dead_letters_alone_is_idle() {
    let pipeline = Pipeline::with_schema("dead-idle", &schema("idle_timeout = \"1h\"", &rollup("by_hour", "1h", "")));
    produce(&pipeline, [(1, at(0), "a")]);
    pipeline.drain(&[]);
    make_idle(&pipeline, doc! {});
    pipeline.produce(&pipeline.write("dead.jsonl", "{\"n\": \"none\", \"sensor\": \"a\"}\n"));
    let _worker = pipeline.worker(&[]);
    pipeline.wait_until_read(2);
    wait_until("the window is final", || pipeline.count("by_hour", doc! { "is_final": true }) == 1);
}

#[test]
fn a_partition_that_is_idle_does_not_hold_the_others_back() {
    let pipeline =
        Pipeline::with_schema("idle", &schema("idle_timeout = \"1h\"", &rollup("by_hour", "1h", "\"sensor\"")));
    produce(&pipeline, [(1, at(0), "a"), (2, at(0), "b"), (3, at(0), "c"), (4, at(0), "d")]);
    let _worker = pipeline.worker(&[]);
    pipeline.wait_until_read(4);
    let partition = |n: i64| {
        let event = one_row(&pipeline, "events", doc! { "_id": n });
        event.get_document("src").unwrap().get_i32("partition").unwrap()
    };
    let other = (2..=4).map(partition).find(|other| *other != partition(1)).expect("four keys are in two partitions");
    // All sensors of the first partition go on; the others are behind.
    produce(&pipeline, [(5, at(300), "a")]);
    pipeline.wait_until_read(5);
    wait_until("the new window is published", || pipeline.count("by_hour", window(300)) == 1);
    assert_eq!(pipeline.count("by_hour", doc! { "is_final": true }), 0, "partition {other} holds the windows open");
    make_idle(&pipeline, doc! { "partition": { "$ne": partition(1) } });
    wait_until("the first windows are final", || pipeline.count("by_hour", doc! { "is_final": true }) == 4);
    assert!(!one_row(&pipeline, "by_hour", window(300)).get_bool("is_final").unwrap());
}

#[test]
fn a_partition_that_is_not_read_to_its_end_is_not_idle() {
    let pipeline = Pipeline::with_schema("backlog", &schema("idle_timeout = \"1h\"", &rollup("by_hour", "1h", "")));
    produce(&pipeline, [(1, at(0), "a")]);
    pipeline.drain(&[]);
    make_idle(&pipeline, doc! {});
    // What waits in the topic belongs to the same window.
    produce(&pipeline, [(2, at(30), "a")]);
    let _worker = pipeline.worker(&[]);
    wait_until("both are in the row", || pipeline.count("by_hour", doc! { "readings": 2_i64 }) == 1);
    assert_eq!(pipeline.count("by_hour", doc! { "is_final": true }), 0);
    make_idle(&pipeline, doc! {});
    wait_until("the window is final", || pipeline.count("by_hour", doc! { "is_final": true }) == 1);
}
