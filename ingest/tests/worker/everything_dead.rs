//! A run that could not use its records does not end like one that could.

use crate::rebuild::{BY_HOUR, schema};
use crate::support::{Pipeline, counts, text, wait_until};
use nix::sys::signal::Signal;
use std::process::Output;

/// A topic with so many records that can be used, and others that cannot.
fn topic(test: &str, good: usize, dead: usize) -> Pipeline {
    let pipeline = Pipeline::new(test);
    let review =
        |n: usize| format!("{{\"review_id\": \"r{n}\", \"movie\": \"Up (2009)\", \"review_date\": \"1 May 2009\"}}\n");
    let lines: String = (0..good).map(review).chain((0..dead).map(|n| format!("{{\"key\": {n}}}\n"))).collect();
    let file = pipeline.write("records.jsonl", &lines);
    pipeline.succeed(&["produce", "--partitions", "3", file.to_str().unwrap()]);
    pipeline
}

fn run(pipeline: &Pipeline, options: &[&str]) -> Output {
    pipeline.output(&[&["run", "--until-end"], options].concat())
}

#[test]
fn a_short_topic_is_judged_at_its_end() {
    for (good, dead, options, code) in [
        (0, 300, &[][..], 1),
        (0, 1, &[], 1),
        (10, 300, &[], 1),
        (300, 10, &[], 0),
        (0, 300, &["--allow-dead"], 0),
        (10, 300, &["--set", "dead_ratio=1"], 0),
        (0, 300, &["--set", "dead_ratio=1", "--set", "dead_in_a_row=0"], 1),
    ] {
        let pipeline = topic("all-dead", good, dead);
        let output = run(&pipeline, options);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{good} good, {dead} dead, {options:?}: {said}");
        let counts = counts(&text(&output.stdout));
        assert_eq!(
            (counts.read, counts.dead),
            ((good + dead) as i64, dead as i64),
            "the counts are printed either way"
        );
        let last = said.lines().last().unwrap_or_default();
        let names_all = ["missing_id", "ingest dead list", "--allow-dead"].iter().all(|word| last.contains(word));
        assert_eq!(names_all, code == 1, "{last}");
        assert_eq!(
            run(&pipeline, options).status.code(),
            Some(0),
            "everything is kept: there is nothing to read again"
        );
    }
}

#[test]
fn records_that_are_left_out_or_repeated_are_not_dead() {
    let pipeline = topic("repeats", 5, 0);
    assert_eq!(run(&pipeline, &[]).status.code(), Some(0));
    pipeline.produce(&pipeline.folder.path().join("records.jsonl"));
    assert_eq!(run(&pipeline, &[]).status.code(), Some(0), "five duplicates");
}

#[test]
fn a_worker_that_is_ended_says_so_too() {
    let pipeline = topic("follow-dead", 0, 50);
    let worker = pipeline.worker_that_says(&[]);
    pipeline.wait_until_read(50);
    worker.signal(Signal::SIGTERM);
    assert!(worker.failure().contains("50 of 50 records cannot be used"));
    let pipeline = topic("follow-some", 1, 50);
    let worker = pipeline.worker(&[]);
    pipeline.wait_until_read(51);
    worker.signal(Signal::SIGTERM);
    assert_eq!(worker.finish().dead, 50, "a worker that follows a topic is judged by full samples only");
}

#[test]
fn the_last_line_of_a_json_log_is_json() {
    let pipeline = topic("json-log", 1, 300);
    for (options, code) in [(&["--log-json"][..], 1), (&["--log-json", "--topic", "nowhere"], 1)] {
        let output = run(&pipeline, options);
        assert_eq!(output.status.code(), Some(code));
        let said = text(&output.stderr);
        let lines: Vec<serde_json::Value> = said
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect();
        let last = lines.last().unwrap();
        assert_eq!(last["level"], "ERROR");
        assert!(!last["fields"]["message"].as_str().unwrap().is_empty());
    }
}

#[test]
fn a_worker_in_the_background_leaves_the_reason_in_its_status() {
    let pipeline = topic("background-dead", 0, 20);
    pipeline.succeed(&["start"]);
    wait_until("all is read", || pipeline.stored_counts().dead == 20);
    pipeline.succeed(&["stop"]);
    let status: serde_json::Value = serde_json::from_slice(&pipeline.output(&["status", "--json"]).stdout).unwrap();
    assert!(status["error"].as_str().is_some_and(|error| error.contains("20 of 20")), "{status}");
}

#[test]
fn what_the_filter_leaves_is_judged_alone() {
    let filter = "filter = [{ field = \"level\", at_least = 3 }]\n\n[fields]";
    let schema = schema(&[BY_HOUR]).replacen("[fields]", filter, 1);
    // Readings of the levels 1 to 5, of which the filter leaves those from 3 on.
    let record = |n: usize, time: &str| format!("{{\"id\": \"{n}\", \"at\": \"{time}\", \"level\": {}}}\n", n % 5 + 1);
    for (options, bad_from, code) in [
        (&[][..], 3, 1),
        (&["--allow-dead"], 3, 0),
        (&["--set", "dead_ratio=1", "--set", "dead_in_a_row=0"], 3, 1),
        (&["--set", "dead_in_a_row=40"], 3, 1),
        (&[], 5, 0),
        (&[], 6, 0),
    ] {
        let pipeline = Pipeline::with_schema("filter-leaves", &schema);
        let time = |n: usize| if n % 5 + 1 >= bad_from { "soon" } else { "2020-03-01T00:00:00Z" };
        let lines: String = (0..100).map(|n| record(n, time(n))).collect();
        pipeline.succeed(&["produce", "--partitions", "1", pipeline.write("records.jsonl", &lines).to_str().unwrap()]);
        let output = run(&pipeline, options);
        assert_eq!(output.status.code(), Some(code), "{options:?} {bad_from}: {}", text(&output.stderr));
        let checked = pipeline.json_of(i32::from(bad_from == 3), &["check", "--json"]);
        let records = checked.as_array().unwrap().iter().find(|finding| finding["what"] == "records").unwrap();
        assert_eq!(records["holds"], bad_from > 3, "{records}");
    }
}
