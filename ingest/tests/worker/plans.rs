//! What is asked again and again is answered by an index.

use crate::rebuild::{BY_HOUR, BY_SENSOR, VISITS, WARMEST, pipeline, produce};
use crate::support::{Pipeline, wait_until};
use bson::{Document, doc};
use nix::sys::signal::Signal;

/// Notes, from now on, what reads a collection from its beginning, and what looks for windows to close.
fn profile(pipeline: &Pipeline) {
    let looks = doc! { "$or": [{ "command.filter.is_final": false }, { "command.q.is_final": false }] };
    let noted = doc! { "$or": [looks, { "planSummary": { "$regex": "COLLSCAN" } }] };
    pipeline.command_of_server(doc! { "profile": 1, "slowms": 0, "filter": noted });
}

#[test]
fn no_query_that_a_worker_repeats_is_a_scan() {
    let pipeline = pipeline("plans", &[BY_HOUR, BY_SENSOR, WARMEST, VISITS], 500);
    let dead = pipeline.write("dead.jsonl", "{\"id\": \"x\"}\n");
    pipeline.produce(&dead);
    let worker = pipeline.worker(&["--set", "batch_records=50"]);
    wait_until("it reads", || pipeline.stored_counts().read == 501);
    profile(&pipeline);
    let mut first = 500;
    wait_until("windows were looked for again and again", || {
        produce(&pipeline, first, 40);
        pipeline.produce(&dead);
        first += 40;
        let is_look = doc! { "ns": { "$regex": r"\.by_hour$" }, "planSummary": { "$regex": "IXSCAN" } };
        pipeline.count("system.profile", is_look) >= 2
    });
    pipeline.command_of_server(doc! { "profile": 0, "filter": "unset" });
    worker.signal(Signal::SIGTERM);
    worker.finish();
    let scans = pipeline.documents("system.profile", doc! { "planSummary": { "$regex": "COLLSCAN" } });
    // What the test itself asks.
    let of_worker = |scan: &&Document| scan.get_str("appName").is_ok_and(|name| name.starts_with("rushes-ingest"));
    let scans: Vec<_> = scans.iter().filter(of_worker).map(|scan| format!("{scan}\n")).collect();
    assert!(scans.is_empty(), "{}", scans.concat());
}

#[test]
fn a_database_without_the_index_gets_it_at_the_next_start() {
    let pipeline = pipeline("plans-later", &[BY_HOUR], 50);
    pipeline.command_of_server(doc! { "dropIndexes": "by_hour", "index": "open" });
    pipeline.drain(&[]);
    let open = doc! { "is_final": false, "window_end": { "$lte": bson::DateTime::now() } };
    let plan = pipeline.explain(doc! { "find": "by_hour", "filter": open });
    assert!(plan.to_string().contains("IXSCAN") && !plan.to_string().contains("COLLSCAN"), "{plan}");
}
