//! Events that are no longer stored: a rollup that has counted them is not made again without them in silence.

use crate::rebuild::{BY_HOUR, BY_SENSOR, VISITS, WARMEST, assert_in_order, change_schema, pipeline, produce, rows};
use crate::support::{Pipeline, text};
use bson::{DateTime, Document, doc};

/// Readings begin at 2020-03-01T00:00:00Z, one a minute.
fn at(minute: i64) -> DateTime {
    DateTime::from_millis(
        DateTime::parse_rfc3339_str("2020-03-01T00:00:00Z").unwrap().timestamp_millis() + minute * 60_000,
    )
}

fn readings_of(pipeline: &Pipeline, rollup: &str) -> i64 {
    pipeline.documents(rollup, doc! {}).iter().map(|row| row.get_i64("readings").unwrap()).sum()
}

fn assert_would_lose(pipeline: &Pipeline, arguments: &[&str], words: &[&str]) {
    let said = pipeline.fail(2, arguments);
    for word in words.iter().chain(&["--accept-lost-history"]) {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn a_rebuild_that_would_lose_what_was_counted_is_refused() {
    for (removed, windows, lost) in [
        (doc! { "at": { "$lt": at(400) } }, "from 2020-02-29T23:00:00Z to 2020-03-01T06:00:00Z", true),
        (doc! { "at": { "$gte": at(300), "$lt": at(360) } }, "its window 2020-03-01T05:00:00Z", true),
        (doc! { "sensor": 3_i64 }, "its windows from 2020-0", true),
        (doc! {}, "(1000 → 0 events)", true),
        (doc! { "at": { "$lt": at(-1_000) } }, "", false),
    ] {
        let pipeline = pipeline("shrunk", &[BY_HOUR, BY_SENSOR], 1_000);
        pipeline.delete("events", removed.clone());
        let left = i64::try_from(pipeline.count("events", doc! {})).unwrap();
        if !lost {
            pipeline.succeed(&["rebuild", "by_hour"]);
            continue;
        }
        let gone = format!("{} of them are no longer stored", 1_000 - left);
        assert_would_lose(&pipeline, &["rebuild", "by_hour"], &["by_hour has counted 1000 events", &gone, windows]);
        assert_eq!(readings_of(&pipeline, "by_hour"), 1_000, "{removed}");
        pipeline.succeed(&["rebuild", "by_hour", "--accept-lost-history"]);
        assert_eq!(readings_of(&pipeline, "by_hour"), left);
        pipeline.succeed(&["rebuild", "by_hour"]);
        assert_would_lose(&pipeline, &["rebuild", "by_sensor"], &["by_sensor has counted 1000 events"]);
        produce(&pipeline, 1_000, 60);
        pipeline.drain(&[]);
        pipeline.succeed(&["rebuild", "by_hour"]);
        assert_eq!((readings_of(&pipeline, "by_hour"), readings_of(&pipeline, "by_sensor")), (left + 60, 1_060));
    }
}

#[test]
fn a_changed_schema_that_would_lose_what_was_counted_is_refused() {
    let pipeline = pipeline("shrunk-schema", &[BY_HOUR, BY_SENSOR, WARMEST, VISITS], 1_000);
    let before: Vec<Vec<Document>> = ["by_hour", "by_sensor", "visits"].map(|name| rows(&pipeline, name)).into();
    pipeline.delete("events", doc! { "at": { "$lt": at(500) } });
    let changed: [[&str; 4]; 3] = [
        [&BY_HOUR.replace("1h", "30m"), BY_SENSOR, WARMEST, VISITS],
        [BY_HOUR, BY_SENSOR, &WARMEST.replace("\"celsius\", \"level\"", "\"celsius\""), VISITS],
        [BY_HOUR, BY_SENSOR, WARMEST, &VISITS.replace("45m", "2h")],
    ]
    .map(|rollups| rollups.map(|rollup| &*String::leak(rollup.to_owned())));
    for (rollups, name) in changed.iter().zip(["by_hour", "warmest", "visits"]) {
        change_schema(&pipeline, rollups);
        assert_would_lose(&pipeline, &["run", "--until-end"], &[&format!("{name} has counted 1000 events")]);
        assert_eq!(pipeline.output(&["check"]).status.code(), Some(1));
    }
    let after: Vec<Vec<Document>> = ["by_hour", "by_sensor", "visits"].map(|name| rows(&pipeline, name)).into();
    assert_eq!(after, before);
    change_schema(&pipeline, &changed[0]);
    pipeline.drain(&["--accept-lost-history"]);
    let left = i64::try_from(pipeline.count("events", doc! {})).unwrap();
    assert_eq!((readings_of(&pipeline, "by_hour"), readings_of(&pipeline, "by_sensor")), (left, 1_000));
}

#[test]
fn a_rollup_that_is_added_has_lost_nothing() {
    let pipeline = pipeline("shrunk-added", &[BY_HOUR], 1_000);
    pipeline.delete("events", doc! { "at": { "$lt": at(500) } });
    change_schema(&pipeline, &[BY_HOUR, BY_SENSOR]);
    let said = pipeline.output(&["run", "--until-end"]);
    assert!(said.status.success());
    assert!(text(&said.stderr).contains("the new rollup begins without them"));
    assert_eq!(readings_of(&pipeline, "by_hour"), 1_000);
    change_schema(&pipeline, &[&format!("{BY_HOUR}histogram = false\n"), BY_SENSOR]);
    pipeline.drain(&[]);
    assert_eq!(readings_of(&pipeline, "by_hour"), 1_000, "other columns need no events");
}

#[test]
fn records_that_became_no_event_are_not_missed() {
    let pipeline = pipeline("nothing-lost", &[BY_HOUR], 300);
    produce(&pipeline, 0, 200);
    pipeline.produce(&pipeline.write("dead.jsonl", "{\"id\": \"x\"}\n"));
    pipeline.drain(&[]);
    pipeline.succeed(&["rebuild", "by_hour"]);
    assert_in_order(&pipeline);
}

#[test]
fn an_audit_says_what_cannot_be_checked_and_finds_what_is_wrong_beside_it() {
    const HOPPING: &str =
        "\n[[rollups]]\nname = \"hops\"\nwindow = \"2h every 30m\"\nkeys = [\"sensor\"]\nmeasures = [\"level\"]\n";
    let rollups = ["by_hour", "by_sensor", "warmest", "visits", "hops"];
    for removed in
        [doc! { "at": { "$lt": at(400) } }, doc! { "sensor": 3_i64 }, doc! { "at": { "$gte": at(900) } }, doc! {}]
    {
        let pipeline = pipeline("audit-gone", &[BY_HOUR, BY_SENSOR, WARMEST, VISITS, HOPPING], 3_000);
        pipeline.delete("events", removed.clone());
        let gone = 3_000 - i64::try_from(pipeline.count("events", doc! {})).unwrap();
        let reports = pipeline.json_of(1, &["audit", "--json"]);
        for (report, rollup) in reports.as_array().unwrap().iter().zip(rollups) {
            let rows = i64::try_from(pipeline.count(rollup, doc! {})).unwrap();
            let [checked, unchecked] = ["rows", "unchecked"].map(|count| report[count].as_i64().unwrap());
            assert_eq!(
                (report["rollup"].as_str(), &report["differences"], &report["gone"]),
                (Some(rollup), &0.into(), &gone.into())
            );
            assert!(unchecked > 0 && (rollup == "visits" || checked + unchecked == rows), "{removed}: {report}");
        }
        let said = text(&pipeline.output(&["audit", "by_hour"]).stdout);
        assert!(said.starts_with("GONE") && said.contains("cannot be checked"), "{said}");
    }
}

#[test]
fn windows_with_all_of_their_events_are_audited_though_others_have_lost_some() {
    let pipeline = pipeline("audit-kept", &[BY_HOUR, BY_SENSOR], 3_000);
    pipeline.delete("events", doc! { "at": { "$lt": at(400) } });
    pipeline.succeed(&["audit", "by_hour", "--from", "2020-03-01T07:00:00Z"]);
    let all = pipeline.json_of(1, &["audit", "by_hour", "--json"]);
    assert_eq!(
        (all[0]["unchecked_from"].as_str(), all[0]["unchecked_to"].as_str()),
        (Some("2020-02-29T23:00:00Z"), Some("2020-03-01T06:00:00Z"))
    );
    pipeline.update("by_hour", doc! { "window_start": at(600) }, doc! { "$inc": { "level_sum": 1_i64 } });
    let wrong = pipeline.json_of(1, &["audit", "by_hour", "--json"]);
    assert_eq!((&wrong[0]["differences"], &wrong[0]["unchecked"]), (&1.into(), &all[0]["unchecked"]));
    // Rows that count more than ever was stored are wrong, not unchecked.
    pipeline.update(
        "by_hour",
        doc! { "window_start": at(60) },
        doc! { "$inc": { "_state.count": 1_000_i64, "readings": 1_000_i64 } },
    );
    let wrong = pipeline.json_of(1, &["audit", "by_hour", "--json"]);
    assert!(wrong[0]["differences"].as_i64().unwrap() > 1 && wrong[0]["unchecked"] == 0, "{wrong}");
    pipeline.succeed(&["rebuild", "by_hour", "--accept-lost-history"]);
    pipeline.succeed(&["audit", "by_hour"]);
    produce(&pipeline, 3_000, 60);
    pipeline.drain(&[]);
    pipeline.succeed(&["audit", "by_hour"]);
}

#[test]
fn a_database_without_the_stream_is_not_audited_or_rebuilt() {
    let pipeline = pipeline("audit-nothing", &[BY_HOUR], 10);
    for command in [&["audit"][..], &["rebuild", "by_hour"]] {
        let said = pipeline.fail(2, &[command, &["--database", "rushes-nowhere"]].concat());
        assert!(said.contains("has nothing of the stream readings"), "{said}");
    }
}
