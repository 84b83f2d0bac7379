//! A table whose rows cannot be written stops alone, and says what to do.

use crate::rebuild::{BY_HOUR, BY_SENSOR, VISITS, WARMEST, assert_in_order, pipeline, produce};
use crate::support::{Pipeline, wait_until};
use bson::{DateTime, Document, doc, oid::ObjectId};

/// Id of the table that `by_sensor` is made of.
fn by_sensor_states(pipeline: &Pipeline) -> String {
    pipeline.documents("rollup_tables", doc! { "carrier": "by_sensor" })[0].get_str("_id").unwrap().to_owned()
}

/// The rows of `rollup` cannot be written because of `problem`; those of the others are.
fn assert_halted(pipeline: &Pipeline, rollup: &str, problem: &[&str]) {
    let said = pipeline.fail(1, &["run", "--until-end"]);
    for word in problem.iter().chain(&[rollup]) {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(pipeline.output(&["audit", rollup]).status.code(), Some(1));
    pipeline.succeed(&["audit", "by_hour"]);
}

#[test]
fn a_state_that_cannot_be_read_stops_its_table_until_it_is_rebuilt() {
    for (change, problem) in [
        (doc! { "$set": { "_state.count": "many" } }, "of the collection by_sensor cannot be read"),
        (doc! { "$unset": { "_state": "" } }, "of the collection by_sensor cannot be read"),
        (doc! { "$set": { "revision": "new" } }, "of the collection by_sensor cannot be read"),
    ] {
        let pipeline = pipeline("corrupt", &[BY_HOUR, BY_SENSOR], 500);
        pipeline.update("by_sensor", doc! { "sensor": 3_i64 }, change);
        produce(&pipeline, 500, 100);
        assert_halted(&pipeline, "by_sensor", &[problem, "\"k\":[", "`ingest rebuild by_sensor`"]);
        pipeline.succeed(&["rebuild", "by_sensor"]);
        assert_in_order(&pipeline);
    }
}

#[test]
fn so_do_partial_states_and_sessions_that_cannot_be_read() {
    let pipeline = pipeline("corrupt-partial", &[BY_HOUR, BY_SENSOR, WARMEST, VISITS], 300);
    let id = ObjectId::new();
    pipeline
        .insert("rollup_states", [&doc! { "_id": { "t": by_sensor_states(&pipeline), "i": id }, "groups": "none" }]);
    pipeline.update("visits", doc! {}, doc! { "$set": { "_state": { "count": "many" } } });
    produce(&pipeline, 300, 100);
    let said = pipeline.fail(1, &["run", "--until-end"]);
    assert!(said.contains("of the collection rollup_states") || said.contains("of the collection visits"), "{said}");
    pipeline.succeed(&["audit", "by_hour"]);
    pipeline.output(&["rebuild", "by_sensor", "visits"]);
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
}

#[test]
fn a_row_that_the_server_refuses_stops_its_table_until_it_is_taken() {
    let pipeline = pipeline("refused", &[BY_HOUR, BY_SENSOR], 300);
    let validator = |validator: Document| {
        pipeline.command_of_server(doc! { "collMod": "by_sensor", "validator": validator });
    };
    validator(doc! { "readings": { "$lt": 0 } });
    produce(&pipeline, 300, 100);
    assert_halted(&pipeline, "by_sensor", &["MongoDB refuses a write to the collection by_sensor", "code 121"]);
    validator(doc! {});
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
}

#[test]
fn a_unique_index_of_somebody_else_leaves_no_row_out_in_silence() {
    let pipeline = pipeline("unique", &[BY_HOUR, BY_SENSOR], 300);
    let second_day = DateTime::parse_rfc3339_str("2020-03-02T00:00:00Z").unwrap();
    let rows = doc! { "window_start": { "$gte": second_day } };
    let index = doc! { "key": { "window_end": 1 }, "name": "theirs", "unique": true, "partialFilterExpression": rows };
    pipeline.command_of_server(doc! { "createIndexes": "by_sensor", "indexes": [index] });
    produce(&pipeline, 1_440, 100);
    assert_halted(&pipeline, "by_sensor", &["MongoDB refuses a write to the collection by_sensor", "code 11000"]);
    pipeline.command_of_server(doc! { "dropIndexes": "by_sensor", "index": "theirs" });
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
}

#[test]
fn the_status_shows_it_and_the_worker_goes_on() {
    let pipeline = pipeline("halted-status", &[BY_HOUR, BY_SENSOR], 300);
    pipeline.update("by_sensor", doc! { "sensor": 3_i64 }, doc! { "$set": { "_state": 1 } });
    pipeline.succeed(&["start"]);
    let status =
        || -> serde_json::Value { serde_json::from_slice(&pipeline.output(&["status", "--json"]).stdout).unwrap() };
    let table = by_sensor_states(&pipeline);
    produce(&pipeline, 300, 100);
    wait_until("the table has stopped", || status()["progress"]["halted"][&table].is_string());
    produce(&pipeline, 400, 100);
    wait_until("the other goes on", || {
        pipeline.output(&["audit", "by_hour"]).status.success() && pipeline.stored_counts().read == 500
    });
    assert!(pipeline.succeed(&["status"]).contains("`ingest rebuild by_sensor`"));
    pipeline.output(&["rebuild", "by_sensor"]);
    wait_until("it goes on, too", || {
        status()["progress"]["halted"].as_object().is_some_and(|halted| halted.is_empty())
    });
    pipeline.succeed(&["stop"]);
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
}

#[test]
fn rows_whose_collection_is_dropped_under_the_worker_are_not_begun_again() {
    for dropped in ["by_sensor", "warmest", "visits"] {
        let pipeline = pipeline("dropped", &[BY_HOUR, BY_SENSOR, WARMEST, VISITS], 300);
        pipeline.succeed(&["start"]);
        let halted = || -> serde_json::Value {
            let status: serde_json::Value =
                serde_json::from_slice(&pipeline.output(&["status", "--json"]).stdout).unwrap();
            status["progress"]["halted"].clone()
        };
        produce(&pipeline, 300, 50);
        wait_until("all tables publish", || {
            pipeline.output(&["audit"]).status.success() && pipeline.stored_counts().read == 350
        });
        pipeline.drop_collection(dropped);
        produce(&pipeline, 350, 50);
        wait_until("the table has stopped", || {
            halted().to_string().contains(&format!("the collection {dropped} no longer exists"))
        });
        assert!(pipeline.succeed(&["status"]).contains("`ingest rebuild "));
        assert!(!pipeline.collections().contains(&dropped.to_owned()), "{dropped}");
        pipeline.output(&["rebuild", dropped]);
        wait_until("it goes on", || halted().as_object().is_some_and(|halted| halted.is_empty()));
        produce(&pipeline, 400, 50);
        pipeline.succeed(&["stop"]);
        pipeline.drain(&[]);
        assert_in_order(&pipeline);
    }
}
