//! The worker in the background, as a notebook's first cell starts it.

use crate::support::{Pipeline, wait_until};
use std::process::Stdio;

fn status(pipeline: &Pipeline) -> serde_json::Value {
    let output = pipeline.output(&["status", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn it_starts_shows_itself_and_stops() {
    let pipeline = Pipeline::new("background");
    pipeline.produce(&pipeline.reviews(1_000, 41));
    assert!(!pipeline.output(&["status"]).status.success(), "nothing runs yet");
    pipeline.succeed(&["start"]);
    let said = pipeline.fail(2, &["start"]);
    assert!(said.contains("running already"), "{said}");
    wait_until("all is read and shown", || status(&pipeline)["progress"]["counts"]["read"] == 1_003);
    wait_until("nothing is left to read", || status(&pipeline)["lag"] == 0);
    assert_eq!(status(&pipeline)["running"], true);
    assert!(pipeline.succeed(&["status"]).contains("1000 stored"));
    assert!(pipeline.succeed(&["logs"]).contains("assigned"));
    assert!(pipeline.succeed(&["stop"]).contains("has ended"));
    assert_eq!(status(&pipeline)["running"], false);
    assert!(pipeline.succeed(&["stop"]).contains("no worker"));
    pipeline.assert_audit();
}

#[test]
fn one_that_cannot_work_says_why() {
    let pipeline = Pipeline::new("background-topic");
    let said = pipeline.fail(1, &["start"]);
    assert!(
        said.contains("ended at once") && said.contains("is not there") && said.contains("ingest produce"),
        "{said}"
    );
}

#[test]
fn one_of_another_database_is_not_touched() {
    let pipeline = Pipeline::new("two-databases");
    pipeline.produce(&pipeline.reviews(10, 41));
    pipeline.succeed(&["start"]);
    let other = format!("{}-other", pipeline.name);
    assert!(pipeline.succeed(&["stop", "--database", &other]).contains("no worker"));
    for group in ["..", "../x", "a/b"] {
        assert!(pipeline.succeed(&["stop", "--group", group]).contains("no worker"));
    }
    assert_eq!(status(&pipeline)["running"], true);
    pipeline.succeed(&["stop"]);
}

#[test]
fn any_number_may_ask_at_once() {
    let pipeline = Pipeline::new("many-ask");
    pipeline.produce(&pipeline.reviews(10, 41));
    pipeline.succeed(&["start"]);
    let running = status(&pipeline);
    assert_eq!(running["running"], true);
    pipeline.succeed(&["stop"]);
    let ask = || (0..8).map(|_| pipeline.command(&["status", "--json"]).stdout(Stdio::piped()).spawn().unwrap());
    for round in 0..5 {
        let asked: Vec<_> = ask().collect();
        for one in asked {
            let output = one.wait_with_output().unwrap();
            let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(status["running"], false, "round {round}: nobody takes another one that asks for a worker");
            assert_eq!(status["pid"], running["pid"], "the last worker is still told");
        }
    }
}

#[test]
fn its_log_goes_on_after_a_start_and_is_rotated() {
    let pipeline = Pipeline::new("log");
    pipeline.produce(&pipeline.reviews(2_000, 41));
    let small = ["start", "--set", "log_bytes=4096", "--set", "batch_records=5"];
    let start = |more: &[&str]| {
        let mut command = pipeline.command(&[&small[..], more].concat());
        assert!(command.env("RUST_LOG", "ingest=debug").output().unwrap().status.success());
    };
    start(&[]);
    wait_until("all is read", || pipeline.stored_counts().read == 2_006);
    pipeline.succeed(&["stop"]);
    let folders: Vec<_> = pipeline.folder.path().join("state").read_dir().unwrap().collect();
    assert_eq!(folders.len(), 1);
    let folder = folders.into_iter().next().unwrap().unwrap().path();
    let logs = || {
        let files = folder.read_dir().unwrap().map(|file| file.unwrap());
        let logs = files.filter(|file| file.file_name().to_string_lossy().starts_with("worker.log"));
        logs.map(|file| file.metadata().unwrap().len()).collect::<Vec<u64>>()
    };
    assert!(logs().len() == 5 && logs().iter().all(|&bytes| bytes <= 8_192), "{:?}", logs());
    let before = pipeline.succeed(&["logs", "--lines", "100000"]);
    assert!(before.lines().count() > 20, "lines of older logs are shown too");
    assert!(before.lines().last().unwrap().contains("\"read\":"), "what is printed is in the log: {before}");
    pipeline.succeed(&["start", "--set", "log_bytes=1000000"]);
    let after = pipeline.succeed(&["logs", "--lines", "100000"]);
    assert!(after.contains(before.lines().last().unwrap()), "a start keeps what was logged before");
    pipeline.succeed(&["stop"]);
}
