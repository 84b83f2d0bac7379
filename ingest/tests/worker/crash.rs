//! A worker that is killed at any moment loses nothing and counts nothing twice (invariants I1, I2, I4, I6).

use crate::support::{Pipeline, text, wait_until};
use bson::doc;
use nix::sys::signal::Signal;
use std::collections::BTreeSet;

const KILLS: i64 = 10;
/// Small batches, so that there are many moments to be killed in; a fixed member name, so that the group does not wait for
/// the session of the killed one to run out.
const OPTIONS: [&str; 4] = ["--set", "batch_records=100", "--set", "kafka.group.instance.id=one"];

#[test]
fn ten_kills_lose_nothing() {
    let pipeline = Pipeline::new("kill");
    let data = pipeline.reviews(40_000, 21);
    let truth: serde_json::Value = serde_json::from_slice(&std::fs::read(data.join("truth.json")).unwrap()).unwrap();
    pipeline.produce(&data);
    for kill in 1..=KILLS {
        let before = pipeline.stored_counts().read;
        let worker = pipeline.worker(&OPTIONS);
        // Some records further, the worker is in the middle of its work; where exactly is up to chance.
        pipeline.wait_until_read(before + 500 + i64::from(rand::random::<u16>() % 1_500));
        worker.crash();
        pipeline.assert_moment(&format!("after kill {kill}"));
    }
    let between = pipeline.stored_counts();
    let last = pipeline.drain(&OPTIONS);
    let all = pipeline.stored_counts();
    assert!(last.read > 0, "the kills came while there was work: {between:?}");
    assert_eq!(
        serde_json::json!([all.stored, all.duplicate, all.dead]),
        serde_json::json!([truth["rows"], truth["duplicates"], truth["bad"]])
    );
    assert_eq!(pipeline.count("events", doc! {}), u64::try_from(all.stored).unwrap());
    pipeline.assert_audit();
}

#[test]
fn counts_are_true_at_every_moment() {
    const RECORDS: i64 = 30_000 + 60 + 30;
    let pipeline = Pipeline::new("moments");
    pipeline.produce(&pipeline.reviews(30_000, 26));
    let worker = pipeline.worker(&[&OPTIONS[..], &["--until-end"]].concat());
    let mut moments = BTreeSet::new();
    wait_until("everything is read", || {
        let counts = pipeline.assert_moment("while it runs");
        moments.insert(counts.read);
        counts.read == RECORDS
    });
    worker.finish();
    assert!(moments.len() > 10, "looked at while it worked: {moments:?}");
}

/// Stores the rest of the topic, and dies before it is published.
fn store_without_publishing(pipeline: &Pipeline, records: i64) {
    let worker = pipeline.worker(&[&OPTIONS[..], &["--set", "publish_interval_ms=600000"]].concat());
    pipeline.wait_until_read(records);
    worker.crash();
    assert!(pipeline.count("rollup_states", doc! {}) > 0);
    let audit = pipeline.output(&["audit"]);
    assert_eq!(audit.status.code(), Some(1));
    assert!(text(&audit.stdout).contains("not published yet"));
}

#[test]
fn rows_that_a_killed_worker_did_not_publish_are_published_by_the_next() {
    let pipeline = Pipeline::new("unpublished");
    pipeline.produce(&pipeline.reviews(2_000, 22));
    store_without_publishing(&pipeline, 2_006);
    assert_eq!(pipeline.drain(&OPTIONS).read, 0);
    assert_eq!(pipeline.count("rollup_states", doc! {}), 0);
    pipeline.assert_audit();
}

#[test]
fn a_round_that_was_cut_short_is_finished_and_adds_nothing_twice() {
    const TABLE: &str = "reviews/month/movie/rating:1..10";
    let pipeline = Pipeline::new("round");
    pipeline.produce(&pipeline.reviews(2_000, 22));
    pipeline.drain(&OPTIONS);
    pipeline.produce(&pipeline.reviews(4_000, 22));
    store_without_publishing(&pipeline, 6_018);
    let (states, before) =
        (pipeline.documents("rollup_states", doc! { "_id.t": TABLE }), pipeline.documents("movies_by_month", doc! {}));
    pipeline.drain(&OPTIONS);
    let after = pipeline.documents("movies_by_month", doc! {});
    // As it is when a worker dies in the middle of the round: the round is written down, its states are there, half of the rows are not.
    let ids: Vec<_> = states.iter().map(|state| state.get_document("_id").unwrap().get("i").unwrap().clone()).collect();
    let kept: Vec<_> = after.iter().step_by(2).collect();
    pipeline.delete("movies_by_month", doc! {});
    pipeline.insert("movies_by_month", kept.iter().copied());
    pipeline.insert(
        "movies_by_month",
        before.iter().filter(|row| kept.iter().all(|kept| kept.get("_id") != row.get("_id"))),
    );
    pipeline.insert("rollup_states", &states);
    pipeline.update("rollup_tables", doc! { "_id": TABLE }, doc! { "$set": { "round": ids } });
    assert_eq!(pipeline.drain(&OPTIONS).read, 0);
    pipeline.assert_audit();
    let finished = pipeline.documents("movies_by_month", doc! {});
    assert_eq!(finished.len(), after.len());
    for row in kept {
        assert!(finished.contains(row), "a row that had the round already was written again: {row}");
    }
}

#[test]
fn a_signal_finishes_the_open_batch_and_ends() {
    let pipeline = Pipeline::new("signal");
    pipeline.produce(&pipeline.reviews(5_000, 23));
    let worker = pipeline.worker(&OPTIONS);
    pipeline.wait_until_read(200);
    worker.signal(Signal::SIGTERM);
    let counts = worker.finish();
    assert_eq!(pipeline.stored_counts(), counts, "what the worker says is what the store has");
    pipeline.assert_audit();
}

#[test]
fn a_second_signal_ends_at_once() {
    let pipeline = Pipeline::new("second-signal");
    pipeline.produce(&pipeline.reviews(500, 25));
    let (mut worker, log) = pipeline.worker_with_log(&[]);
    pipeline.wait_until_read(500);
    // A lane cannot finish its batch: another transaction holds what it would move, for longer than the worker drains.
    let held = pipeline.change_and_hold("offsets", doc! { "$set": { "worker": "another" } });
    pipeline.produce(
        &pipeline.write(
            "one.jsonl",
            "{\"review_id\": \"one\", \"movie\": \"Up (2009)\", \"review_date\": \"1 May 2009\"}\n",
        ),
    );
    wait_until("the batch cannot be stored", || log.says("a batch keeps meeting another one") > 0);
    worker.signal(Signal::SIGTERM);
    wait_until("the first is heard", || log.says("a second signal ends at once") > 0);
    worker.signal(Signal::SIGTERM);
    wait_until("it ends", || !worker.is_running());
    assert_eq!(log.says("open batches were dropped at the end"), 0, "the second signal did not wait for the deadline");
    assert!(!worker.succeeded());
    drop(held);
    pipeline.drain(&[]);
    assert!(pipeline.stored_counts().add_up());
    pipeline.assert_audit();
}

#[test]
fn a_worker_follows_the_topic_until_it_is_stopped() {
    let pipeline = Pipeline::new("follow");
    let data = pipeline.reviews(500, 24);
    pipeline.produce(&data);
    let mut worker = pipeline.worker(&[]);
    pipeline.wait_until_read(500);
    let more = pipeline.write(
        "more.jsonl",
        "{\"review_id\": \"late-comer\", \"movie\": \"Up (2009)\", \"review_date\": \"1 May 2009\"}\n",
    );
    pipeline.produce(&more);
    wait_until("the new review is in its row", || {
        pipeline.count("movies_by_month", doc! { "movie": "Up (2009)", "reviews": 1_i64 }) == 1
    });
    assert!(worker.is_running());
    worker.signal(Signal::SIGINT);
    worker.finish();
    pipeline.assert_audit();
}
