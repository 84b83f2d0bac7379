//! Stored positions that the topic no longer has: the run stops and says so, or goes on and writes down what is lost.

use crate::kafka;
use crate::support::{Pipeline, wait_until};
use bson::{Bson, Document, doc};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const ACCEPT: [&str; 2] = ["--lost-offsets", "accept"];
/// The worker learns of new partitions by asking; by default every 30 s.
const CURIOUS: [&str; 2] = ["--set", "kafka.topic.metadata.refresh.interval.ms=500"];

/// Sends reviews with these ids to one partition.
fn send(pipeline: &Pipeline, partition: i32, ids: std::ops::Range<i32>) {
    let review =
        |id| format!(r#"{{"review_id": "r{id}", "movie": "Up (2009)", "rating": "8", "review_date": "1 May 2009"}}"#);
    let reviews: Vec<String> = ids.map(review).collect();
    kafka::send_all(pipeline, partition, reviews.iter().map(String::as_bytes));
}

/// The gaps that positions keep: from, to, records lost, reason.
fn gaps(pipeline: &Pipeline) -> Vec<(i64, i64, Option<i64>, String)> {
    let positions = pipeline.documents("offsets", doc! {});
    let gaps = positions.iter().flat_map(|position| position.get_array("gaps").into_iter().flatten());
    let read = |gap: &Document| {
        let reason = gap.get_str("reason").unwrap().to_owned();
        (gap.get_i64("from").unwrap(), gap.get_i64("to").unwrap(), gap.get_i64("lost").ok(), reason)
    };
    gaps.map(|gap| read(gap.as_document().unwrap())).collect()
}

fn next(pipeline: &Pipeline, partition: i32) -> i64 {
    pipeline.documents("offsets", doc! { "partition": partition })[0].get_i64("next").unwrap()
}

fn assert_stops(pipeline: &Pipeline, words: &[&str]) {
    let before = pipeline.documents("offsets", doc! {});
    let said = pipeline.fail(1, &["run", "--until-end"]);
    for words in words.iter().chain(&["--lost-offsets accept"]) {
        assert!(said.contains(words), "\"{words}\" is missing in: {said}");
    }
    assert_eq!(pipeline.documents("offsets", doc! {}), before, "nothing is skipped without being asked for");
}

#[test]
fn retention_that_was_quicker_stops_the_run_until_the_gap_is_accepted() {
    let pipeline = Pipeline::new("retention");
    kafka::create_topic(&pipeline, 2);
    send(&pipeline, 0, 0..10);
    assert_eq!(pipeline.drain(&[]).stored, 10);
    send(&pipeline, 0, 10..40);
    kafka::remove_before(&pipeline, 0, 25);
    assert_stops(
        &pipeline,
        &["the stored position is 10", "first record is 25", "15 records were removed by retention"],
    );

    let counts = pipeline.drain(&ACCEPT);
    assert_eq!((counts.read, counts.stored), (15, 15), "what is there is read");
    assert_eq!(gaps(&pipeline), [(10, 25, Some(15), "retention".to_owned())]);
    assert_eq!(next(&pipeline, 0), 40);
    assert!(pipeline.stored_counts().add_up(), "lost records were not read, and are in no count");
    pipeline.assert_audit();

    // The gap is told as long as the position lives.
    send(&pipeline, 0, 40..41);
    assert_eq!(pipeline.drain(&[]).stored, 1);
    assert!(pipeline.succeed(&["check"]).contains("15 records from offset 10 to 25 were removed by retention unread"));
    pipeline.succeed(&["start"]);
    wait_until("the status tells of the gap", || {
        let status: Value = serde_json::from_slice(&pipeline.output(&["status", "--json"]).stdout).unwrap();
        status["progress"]["gaps"].as_array().is_some_and(|gaps| !gaps.is_empty())
    });
    let status = pipeline.json(&["status", "--json"]);
    let gap = &status["progress"]["gaps"][0];
    assert_eq!((&gap["lost"], &gap["reason"], &gap["partition"]), (&json!(15), &json!("retention"), &json!(0)));
    assert!(pipeline.succeed(&["status"]).contains("removed by retention unread"));
    pipeline.succeed(&["stop"]);
}

#[test]
fn a_topic_that_was_made_again_is_read_from_its_start() {
    let pipeline = Pipeline::new("made-again");
    kafka::create_topic(&pipeline, 1);
    send(&pipeline, 0, 0..10);
    kafka::send(&pipeline, 0, Some(b"[1]"), &[]);
    assert_eq!(pipeline.drain(&[]).dead, 1);
    kafka::make_topic_again(&pipeline, 1);
    // Half of it is new, and at the offset of the old dead letter there is another one.
    send(&pipeline, 0, 5..15);
    kafka::send(&pipeline, 0, Some(b"[2]"), &[]);
    // It is longer than the stored position already: the offsets alone would look right.
    send(&pipeline, 0, 15..30);
    assert_stops(&pipeline, &["was deleted and made again", "offsets 0 to 26"]);

    let counts = pipeline.drain(&ACCEPT);
    assert_eq!((counts.read, counts.stored, counts.duplicate, counts.dead), (26, 20, 5, 1));
    let all = pipeline.stored_counts();
    assert_eq!((all.read, all.stored, all.duplicate, all.dead), (37, 30, 5, 2), "the counts go on");
    assert_eq!(gaps(&pipeline), [(11, 0, None, "topic_made_again".to_owned())]);
    let letters = pipeline.documents("dead_letters", doc! {});
    let ids: Vec<&str> = letters.iter().map(|letter| letter.get_str("_id").unwrap()).collect();
    let id = format!("{}/0/10", pipeline.name);
    assert_eq!(ids, [id.as_str(), &format!("{id}@1")], "neither letter takes the place of the other");
    assert_eq!(pipeline.drain(&[]).read, 0, "the new topic is known now");
    pipeline.assert_audit();
}

#[test]
fn a_topic_that_was_made_again_while_it_is_read_is_noticed() {
    let pipeline = Pipeline::new("made-again-running");
    kafka::create_topic(&pipeline, 1);
    send(&pipeline, 0, 0..10);
    let mut worker = pipeline.worker(&[]);
    pipeline.wait_until_read(10);
    kafka::make_topic_again(&pipeline, 1);
    send(&pipeline, 0, 10..40);
    wait_until("the worker stops", || !worker.is_running());
    assert!(!worker.succeeded());
    pipeline.drain(&ACCEPT);
    assert_eq!(pipeline.count("events", doc! {}), 40, "nothing of the new topic is skipped");
    assert_eq!(gaps(&pipeline).len(), 1);
    pipeline.assert_audit();
}

#[test]
fn a_position_that_does_not_know_its_topic_learns_it() {
    let pipeline = Pipeline::new("unknown-topic");
    kafka::create_topic(&pipeline, 1);
    send(&pipeline, 0, 0..10);
    pipeline.drain(&[]);
    let id = || pipeline.documents("offsets", doc! {})[0].get("topic_id").cloned();
    let before = id();
    assert!(before.as_ref().is_some_and(|id| id.as_str().is_some()), "{before:?}");
    pipeline.update("offsets", doc! {}, doc! { "$set": { "topic_id": null } });
    pipeline.drain(&[]);
    assert_eq!(id(), before);
}

#[test]
fn a_log_that_ends_before_the_position() {
    let pipeline = Pipeline::new("cut");
    kafka::create_topic(&pipeline, 1);
    send(&pipeline, 0, 0..10);
    pipeline.drain(&[]);
    // As after a broker came back without the last records: the same topic, and a position that it has never had.
    pipeline.update("offsets", doc! {}, doc! { "$inc": { "next": 1_000_i64 } });
    assert_stops(&pipeline, &["the stored position is 1010", "ends at 10"]);
    let counts = pipeline.drain(&ACCEPT);
    assert_eq!((counts.read, counts.duplicate), (10, 10));
    assert_eq!(gaps(&pipeline), [(1_010, 0, None, "log_cut".to_owned())]);
    pipeline.assert_audit();
}

#[test]
fn partitions_that_are_added_are_read_from_their_start() {
    let pipeline = Pipeline::new("partitions");
    kafka::create_topic(&pipeline, 1);
    send(&pipeline, 0, 0..10);
    let worker = pipeline.worker(&CURIOUS);
    pipeline.wait_until_read(10);
    kafka::add_partitions(&pipeline, 3);
    // Before the worker knows of them: whoever began at their end would miss these.
    send(&pipeline, 1, 10..20);
    send(&pipeline, 2, 20..30);
    pipeline.wait_until_read(30);
    worker.signal(Signal::SIGTERM);
    assert_eq!(worker.finish().stored, 30);
    assert_eq!((next(&pipeline, 1), next(&pipeline, 2)), (10, 10));
    assert!(gaps(&pipeline).is_empty());
    pipeline.assert_audit();
}

#[test]
fn retention_that_overtakes_a_worker_that_runs() {
    for accepts in [false, true] {
        let pipeline = Pipeline::new("overtaken");
        kafka::create_topic(&pipeline, 1);
        send(&pipeline, 0, 0..10);
        let mut worker = pipeline.worker(if accepts { &ACCEPT } else { &[] });
        pipeline.wait_until_read(10);
        worker.signal(Signal::SIGSTOP);
        // The answer to one fetch may be on its way to it, and no more than that.
        send(&pipeline, 0, 10..20);
        send(&pipeline, 0, 20..40);
        kafka::remove_before(&pipeline, 0, 35);
        worker.signal(Signal::SIGCONT);
        if accepts {
            wait_until("what is there is read", || next(&pipeline, 0) == 40);
            worker.signal(Signal::SIGTERM);
            worker.finish();
        } else {
            wait_until("the worker stops", || !worker.is_running());
            assert!(!worker.succeeded());
            assert!(gaps(&pipeline).is_empty());
            pipeline.drain(&ACCEPT);
        }
        let gaps = gaps(&pipeline);
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        let (from, to, lost, reason) = &gaps[0];
        assert_eq!((*to, *lost, reason.as_str()), (35, Some(35 - from), "retention"));
        assert_eq!(pipeline.stored_counts().read, from + 5, "no other record was skipped");
        pipeline.assert_audit();
    }
}

#[test]
fn a_batch_of_a_log_before_an_accepted_gap_is_dropped() {
    let pipeline = Pipeline::new("gap-fence");
    kafka::create_topic(&pipeline, 1);
    send(&pipeline, 0, 0..10);
    let (worker, log) = pipeline.worker_with_log(&[]);
    pipeline.wait_until_read(10);
    // As by another worker, which found that the log had begun again: the same number, but an offset of another log.
    let gap = doc! {
        "from": 10_i64, "to": 10_i64, "reason": "topic_made_again", "lost": Bson::Null, "at": bson::DateTime::now(), "worker": "another",
    };
    pipeline.update("offsets", doc! {}, doc! { "$push": { "gaps": gap } });
    send(&pipeline, 0, 10..20);
    wait_until("it is read again, and stored", || next(&pipeline, 0) == 20);
    assert_eq!(log.says("a batch was dropped: another worker has moved the position"), 1, "{log}");
    worker.signal(Signal::SIGTERM);
    worker.finish();
    pipeline.assert_audit();
}

#[test]
fn the_policy_is_one_of_two() {
    let pipeline = Pipeline::new("policy");
    for arguments in [["run", "--lost-offsets", "skip"], ["run", "--set", "lost_offsets=skip"]] {
        let said = pipeline.fail(2, &arguments);
        assert!(said.contains("accept"), "{said}");
    }
}
