//! Workers that share a topic: partitions move between them while they work (invariants I3 and I7).

use crate::kafka;
use crate::support::{PATIENCE, Pipeline, Worker, wait_until};
use bson::doc;
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Small batches and one lane make the work last long enough to be shared.
const SLOW: [&str; 8] = [
    "--set",
    "batch_records=50",
    "--set",
    "lanes=1",
    "--set",
    "kafka.session.timeout.ms=6000",
    // A member learns of a rebalance with its next heartbeat; by default that is 3 s, in which the work may be over.
    "--set",
    "kafka.heartbeat.interval.ms=200",
];

fn workers(pipeline: &Pipeline) -> BTreeSet<String> {
    let positions = pipeline.documents("offsets", doc! {});
    positions.iter().filter_map(|position| position.get_str("worker").ok().map(str::to_owned)).collect()
}

#[test]
fn one_joins_and_one_leaves_half_way() {
    let pipeline = Pipeline::new("group");
    pipeline.produce(&pipeline.reviews(60_000, 31));
    let first = pipeline.worker(&SLOW);
    pipeline.wait_until_read(1_000);
    let second = pipeline.worker(&["--until-end"].into_iter().chain(SLOW).collect::<Vec<_>>());
    wait_until("both work", || workers(&pipeline).len() == 2);
    let between = pipeline.stored_counts();
    first.signal(Signal::SIGTERM);
    let left = first.finish();
    let stayed = second.finish();
    let all = pipeline.stored_counts();
    assert!(between.read < all.read, "the first was told to leave before the end");
    assert!(left.read > 0 && stayed.read > 0);
    let mut both = left;
    both += stayed;
    assert_eq!(both, all, "every record was counted by one of the two");
    assert_eq!((all.stored, all.duplicate, all.dead), (60_000, 120, 60));
    assert_eq!(pipeline.count("events", doc! {}), 60_000);
    pipeline.assert_audit();
}

#[test]
fn a_position_moved_by_another_drops_the_batch_and_is_read_again() {
    let pipeline = Pipeline::new("fenced");
    pipeline.produce(&pipeline.reviews(20_000, 32));
    let worker = pipeline.worker(&["--until-end"].into_iter().chain(SLOW).collect::<Vec<_>>());
    pipeline.wait_until_read(500);
    // Another group name of the same store would not disturb it; a second owner of its positions does: move them back and forth.
    let moved = pipeline
        .documents("offsets", doc! {})
        .first()
        .and_then(|position| position.get_str("_id").ok().map(str::to_owned))
        .unwrap();
    pipeline.update(
        "offsets",
        doc! { "_id": moved },
        doc! { "$inc": { "next": 25_i64, "counts.read": 25_i64, "counts.filtered": 25_i64 } },
    );
    let counts = worker.finish();
    let all = pipeline.stored_counts();
    assert_eq!(counts.read + 25, all.read, "the records that the other claimed were not read again");
    assert!(all.add_up());
    let next: i64 =
        pipeline.documents("offsets", doc! {}).iter().map(|position| position.get_i64("next").unwrap()).sum();
    assert_eq!(all.read, next, "nothing was counted again");
    pipeline.assert_audit();
}

#[test]
fn no_partition_waits_for_the_backlog_of_others() {
    let pipeline = Pipeline::new("turns");
    kafka::create_topic(&pipeline, 12);
    pipeline.produce(&pipeline.reviews(40_000, 33));
    assert_all_are_read(&pipeline, pipeline.worker(&TURNS));
}

#[test]
fn no_partition_that_was_added_waits_for_the_backlog_of_others() {
    let pipeline = Pipeline::new("more-turns");
    let reviews = pipeline.reviews(40_000, 33);
    kafka::create_topic(&pipeline, 1);
    let worker = pipeline.worker(&TURNS);
    wait_until("one is assigned", || pipeline.count("offsets", doc! {}) == 1);
    kafka::add_partitions(&pipeline, 12);
    wait_until("all are assigned", || pipeline.count("offsets", doc! {}) == 12);
    // It sees all of them at once.
    worker.signal(Signal::SIGSTOP);
    pipeline.produce(&reviews);
    worker.signal(Signal::SIGCONT);
    assert_all_are_read(&pipeline, worker);
}

const TURNS: [&str; 6] =
    ["--set", "batch_records=200", "--set", "lanes=1", "--set", "kafka.topic.metadata.refresh.interval.ms=500"];

/// Ends the worker half-way, which has read some of each partition by then.
fn assert_all_are_read(pipeline: &Pipeline, worker: Worker) {
    pipeline.wait_until_read(20_000);
    worker.signal(Signal::SIGTERM);
    worker.finish();
    assert!(pipeline.stored_counts().read < 40_000, "nothing is shown where all was read");
    let positions = pipeline.documents("offsets", doc! {});
    let next: Vec<i64> = positions.iter().map(|position| position.get_i64("next").unwrap()).collect();
    assert_eq!(next.len(), 12);
    assert!(next.iter().all(|&next| next > 0), "some partitions were not read at all: {next:?}");
}

#[test]
fn a_partition_that_is_taken_up_at_its_end_is_at_its_end() {
    let pipeline = Pipeline::new("at-its-end");
    kafka::create_topic(&pipeline, 3);
    pipeline.produce(&pipeline.reviews(500, 34));
    pipeline.drain(&[]);
    // Nothing comes any more that could tell.
    let (worker, log) = pipeline.worker_with_log(&[]);
    wait_until("all are known to be read", || log.says("read to its end") == 3);
    worker.signal(Signal::SIGTERM);
    assert_eq!(worker.finish().read, 0);
}

#[test]
fn a_run_to_the_end_ends_though_more_is_written_than_it_can_read() {
    let pipeline = Pipeline::new("flood");
    pipeline.produce(&pipeline.reviews(2_000, 35));
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let begun = Instant::now();
            while !is_over.load(Ordering::Relaxed) && begun.elapsed() < PATIENCE {
                kafka::send_all(&pipeline, 0, std::iter::repeat_n(b"{}".as_slice(), 200));
                std::thread::sleep(Duration::from_millis(50));
            }
            is_over.load(Ordering::Relaxed)
        });
        let slow = ["batch_records=5", "lanes=1", "dead_in_a_row=0", "dead_ratio=1"];
        let options: Vec<&str> = slow.iter().flat_map(|option| ["--set", *option]).collect();
        let counts = pipeline.drain(&options);
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(counts.stored, 2_000);
        assert!(flood.join().unwrap(), "it ended only when nothing more was written");
    });
}
