//! What is asked again and again is answered by an index.

use crate::rebuild::{BY_HOUR, BY_SENSOR, VISITS, WARMEST, pipeline, produce};
use crate::support::{Pipeline, wait_until};
use bson::{Document, doc};
use nix::sys::signal::Signal;

/// Queries of this database that have read a collection from its beginning, with how often.
fn scans(pipeline: &Pipeline) -> Vec<Document> {
    let profiled = doc! { "planSummary": { "$regex": "COLLSCAN" }, "ns": { "$not": { "$regex": "system" } } };
    pipeline.documents("system.profile", profiled)
}

fn profile(pipeline: &Pipeline, level: i32) {
    pipeline.command_of_server(doc! { "profile": level });
}

#[test]
fn no_query_that_a_worker_repeats_is_a_scan() {
    let pipeline = pipeline("plans", &[BY_HOUR, BY_SENSOR, WARMEST, VISITS], 500);
    produce(&pipeline, 500, 100);
    pipeline.produce(&pipeline.write("dead.jsonl", "{\"id\": \"x\"}\n"));
    let worker = pipeline.worker(&["--set", "batch_records=50"]);
    wait_until("it reads", || pipeline.stored_counts().read == 601);
    profile(&pipeline, 2);
    let looks = || {
        pipeline.count("system.profile", doc! { "ns": { "$regex": r"\.by_hour$" }, "command.filter.is_final": false })
    };
    let mut first = 600;
    wait_until("windows were looked for again and again", || {
        produce(&pipeline, first, 40);
        pipeline.produce(&pipeline.write("dead.jsonl", "{\"id\": \"x\"}\n"));
        first += 40;
        looks() >= 2
    });
    profile(&pipeline, 0);
    worker.signal(Signal::SIGTERM);
    worker.finish();
    let scans = scans(&pipeline);
    assert!(scans.is_empty(), "{}", scans.iter().map(|scan| format!("{scan}\n")).collect::<String>());
    assert!(pipeline.count("system.profile", doc! {}) > 50);
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
