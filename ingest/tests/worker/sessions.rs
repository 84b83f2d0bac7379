//! Sessions: windows that grow, and are joined by what comes between them.

use crate::support::{Pipeline, wait_until};
use crate::time::{MINUTE, at, make_idle, millis, one_row, produce, rollup, schema};
use bson::doc;
use std::collections::BTreeMap;

/// Sensor, start and end in minutes, readings.
fn sessions(pipeline: &Pipeline, rollup: &str) -> Vec<(String, i64, i64, i64)> {
    let minutes = |millis: i64| (millis - at(0)) / MINUTE;
    let rows = pipeline.documents(rollup, doc! {}).into_iter().map(|row| {
        let sensor = row.get_str("sensor").unwrap_or_default().to_owned();
        let (start, end) = (millis(&row, "window_start"), millis(&row, "window_end"));
        (sensor, minutes(start), minutes(end), row.get_i64("readings").unwrap())
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort();
    rows
}

fn removed_revision(pipeline: &Pipeline) -> (i64, i64) {
    let entry = one_row(pipeline, "rollup_catalog", doc! { "_id": "visits" });
    (entry.get_i64("removed_revision").unwrap(), entry.get_i64("published_revision").unwrap())
}

#[test]
fn a_late_record_joins_two_sessions_and_a_longer_one_is_open_again() {
    let settings = "allowed_lateness = \"10m\"\nidle_timeout = \"1h\"";
    let pipeline = Pipeline::with_schema("joined", &schema(settings, &rollup("visits", "session 10m", "\"sensor\"")));
    let a = |start, end, readings| ("a".to_owned(), start, end, readings);
    produce(&pipeline, [(1, at(0), "a"), (2, at(2), "a"), (3, at(1), "a"), (4, at(20), "a"), (5, at(21), "a")]);
    pipeline.drain(&[]);
    assert_eq!(sessions(&pipeline, "visits"), [a(0, 12, 3), a(20, 31, 2)]);
    assert_eq!(removed_revision(&pipeline).0, 0);

    produce(&pipeline, [(6, at(11), "a")]);
    pipeline.drain(&[]);
    assert_eq!(sessions(&pipeline, "visits"), [a(0, 31, 6)]);
    let (removed, published) = removed_revision(&pipeline);
    assert_eq!(removed, published, "readers are told that a row has gone");
    let joined = one_row(&pipeline, "visits", doc! {});
    assert_eq!((joined.get_i64("value_sum").unwrap(), joined.get_i64("value_max").unwrap()), (21, 6));
    pipeline.assert_audit();

    let _worker = pipeline.worker(&[]);
    make_idle(&pipeline, doc! {});
    wait_until("the session is final", || pipeline.count("visits", doc! { "is_final": true }) == 1);
    // The end is outside: 40 begins a session of its own. An earlier record moves the start, which is another row.
    produce(&pipeline, [(7, at(30), "a"), (8, at(40), "a"), (9, at(-1), "a")]);
    wait_until("the sessions are published", || sessions(&pipeline, "visits") == [a(-1, 40, 8), a(40, 50, 1)]);
    assert_eq!(pipeline.count("visits", doc! { "is_final": true }), 0, "it goes on, so it is open again");
    make_idle(&pipeline, doc! {});
    wait_until("both are final", || pipeline.count("visits", doc! { "is_final": true }) == 2);
    // The start stays, and so does the row.
    produce(&pipeline, [(10, at(39), "a")]);
    wait_until("the sessions are one", || sessions(&pipeline, "visits") == [a(-1, 50, 10)]);
    assert_eq!(pipeline.count("visits", doc! { "is_final": true }), 0, "its end has moved");
    make_idle(&pipeline, doc! {});
    wait_until("it is final", || pipeline.count("visits", doc! { "is_final": true }) == 1);
    // One more in its middle moves no end.
    produce(&pipeline, [(11, at(10), "a")]);
    wait_until("it is counted", || sessions(&pipeline, "visits") == [a(-1, 50, 11)]);
    assert_eq!(pipeline.count("visits", doc! { "is_final": true }), 1, "it stays final");
    pipeline.assert_audit();
}

/// 0 before the worker has made the catalog.
fn newest_revision(pipeline: &Pipeline) -> i64 {
    let entries = pipeline.documents("rollup_catalog", doc! { "_id": "visits" });
    entries.first().map_or(0, |entry| entry.get_i64("published_revision").unwrap())
}

#[test]
fn sessions_of_many_partitions_are_right_however_often_the_worker_is_killed() {
    const RECORDS: i64 = 6_000;
    let names = ["a", "b", "c", "d", "e"];
    // Out of order, and a reading in three is far from the one before it.
    let readings: Vec<_> = (0..RECORDS)
        .map(|n| {
            let place = n * 7_919 % RECORDS;
            (n, at(place * 2 + place / 3 % 7 * 5), names[(place % 5) as usize])
        })
        .collect();
    let rollups = rollup("visits", "session 13m", "\"sensor\"") + &rollup("all", "session 2m", "");
    // Readings of a sensor are in all partitions.
    let toml =
        schema("allowed_lateness = \"unbounded\"", &rollups).replace("message_key = \"sensor\"", "message_key = \"n\"");
    let pipeline = Pipeline::with_schema("sessions", &toml);
    // Small steps, so that there are many moments to be killed in.
    let options = ["lanes=1", "batch_records=20", "publish_interval_ms=10", "kafka.group.instance.id=one"];
    let options: Vec<&str> = options.iter().flat_map(|option| ["--set", *option]).collect();
    for portion in readings.chunks(1_000) {
        let revision = newest_revision(&pipeline);
        produce(&pipeline, portion.iter().copied());
        let worker = pipeline.worker(&options);
        wait_until("a round of the portion is published", || newest_revision(&pipeline) > revision);
        worker.crash();
    }
    pipeline.drain(&options);
    assert_eq!(pipeline.stored_counts().stored, RECORDS);
    assert_eq!(sessions(&pipeline, "visits"), expected(&readings, 13, |sensor| sensor));
    assert_eq!(sessions(&pipeline, "all"), expected(&readings, 2, |_| ""));
    assert_eq!(pipeline.count("rollup_states", doc! {}), 0);
    pipeline.assert_audit();
}

/// What the sessions must be, from the readings in order of time.
fn expected(
    readings: &[(i64, i64, &'static str)],
    gap: i64,
    key: impl Fn(&'static str) -> &'static str,
) -> Vec<(String, i64, i64, i64)> {
    let mut times: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for &(_, time, sensor) in readings {
        times.entry(key(sensor)).or_default().push((time - at(0)) / MINUTE);
    }
    let mut expected: Vec<(String, i64, i64, i64)> = Vec::new();
    for (sensor, mut times) in times {
        times.sort_unstable();
        for time in times {
            match expected.last_mut() {
                Some((last, _, end, count)) if last == sensor && time < *end => {
                    (*end, *count) = (time + gap, *count + 1)
                }
                _ => expected.push((sensor.to_owned(), time, time + gap, 1)),
            }
        }
    }
    expected
}

#[test]
fn the_example_schema_has_every_kind_of_window() {
    let pipeline = Pipeline::with_schema("example", include_str!("../../../schemas/readings.toml"));
    let start: jiff::Timestamp = "2020-10-24T18:00:00Z".parse().unwrap();
    let reading = |n: i64| {
        // A pause of more than half an hour after every 50 places.
        let place = n * 7 % 1_000;
        let at = start + jiff::SignedDuration::from_mins(place * 2 + place / 50 * 60);
        let (sensor, site, value) = (n % 4, n % 2, n % 30);
        format!(r#"{{"sensor": "s{sensor}", "site": "{site}", "at": "{at}", "value": {value}}}"#)
    };
    let lines: Vec<String> = (0..1_000).map(reading).collect();
    pipeline.produce(&pipeline.write("readings.jsonl", &lines.join("\n")));
    let counts = pipeline.drain(&["--set", "batch_records=90"]);
    assert_eq!(counts.stored + counts.duplicate, 1_000);
    assert!(counts.late > 0 && counts.set_aside == 0, "{counts:?}");
    pipeline.assert_audit();
    assert!(pipeline.count("sensor_sessions", doc! {}) >= 40);
}
