//! The worker in the background, as a notebook's first cell starts it.

use crate::support::{Pipeline, wait_until};

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
