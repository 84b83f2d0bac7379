//! Collections that the program did not create are neither written, nor replaced, nor dropped.

use crate::rebuild::{BY_HOUR, BY_SENSOR, WARMEST, assert_in_order, change_schema, pipeline, produce, rows, schema};
use crate::support::{Pipeline, text};
use bson::{Bson, Document, doc};
use std::collections::BTreeSet;

const ROLLUPS: [&str; 2] = [BY_HOUR, WARMEST];

fn orders() -> [Document; 2] {
    [doc! { "_id": 1, "price": 3.5 }, doc! { "_id": 2, "price": 4 }]
}

/// A topic with readings, and a database in which `create` was run.
fn in_use(test: &str, create: Document) -> Pipeline {
    let pipeline = Pipeline::with_schema(test, &schema(&ROLLUPS));
    produce(&pipeline, 0, 100);
    pipeline.command_of_server(create);
    pipeline
}

/// `check` and `run` name the collection, and leave the database as it is.
fn assert_refused(pipeline: &Pipeline, name: &str) {
    let before: BTreeSet<String> = pipeline.collections().into_iter().collect();
    let uuid = pipeline.uuid(name);
    let checked = pipeline.output(&["check", "--json"]);
    assert_eq!(checked.status.code(), Some(1), "{name}");
    let findings: Vec<serde_json::Value> = serde_json::from_slice(&checked.stdout).unwrap();
    let finding = findings.iter().find(|finding| finding["what"] == "collections").unwrap();
    assert!(finding["detail"].as_str().unwrap().contains(&format!("the collection {name} in")), "{finding}");
    assert!(pipeline.fail(2, &["run", "--until-end"]).contains(&format!("the collection {name} in")), "{name}");
    assert_eq!(pipeline.collections().into_iter().collect::<BTreeSet<_>>(), before, "{name}");
    assert_eq!(pipeline.uuid(name), uuid);
}

#[test]
fn a_collection_that_was_there_before_is_refused_and_left_alone() {
    for name in
        ["by_hour", "warmest", "warmest.groups", "events", "offsets", "streams", "rollup_catalog", "owned_collections"]
    {
        let pipeline = in_use("foreign", doc! { "insert": name, "documents": orders() });
        assert_refused(&pipeline, name);
        assert_eq!(pipeline.documents(name, doc! {}), orders(), "{name}");
    }
}

#[test]
fn an_empty_one_a_view_a_capped_one_and_a_time_series_are_refused_too() {
    for create in [
        doc! { "create": "by_hour" },
        doc! { "create": "by_hour", "viewOn": "orders", "pipeline": [] },
        doc! { "create": "by_hour", "capped": true, "size": 4096 },
        doc! { "create": "by_hour", "timeseries": { "timeField": "at" } },
    ] {
        assert_refused(&in_use("kinds", create), "by_hour");
    }
}

#[test]
fn collections_beside_ours_are_no_hindrance_and_stay() {
    let pipeline = in_use("beside", doc! { "insert": "orders", "documents": orders() });
    pipeline.command_of_server(doc! { "create": "cheap", "viewOn": "orders", "pipeline": [] });
    for name in ["by_sensor.next-0", "old.states-0", "by_hour.next-1x"] {
        pipeline.insert(name, &orders());
    }
    pipeline.succeed(&["check"]);
    assert!(!pipeline.collections().contains(&"offsets".to_owned()), "a check creates nothing");
    pipeline.drain(&[]);
    change_schema(&pipeline, &[BY_HOUR]);
    pipeline.drain(&[]);
    pipeline.succeed(&["rebuild", "by_hour"]);
    pipeline.assert_audit();
    for name in ["orders", "cheap", "by_sensor.next-0", "old.states-0", "by_hour.next-1x"] {
        assert_eq!(pipeline.documents(name, doc! {}), orders(), "{name}");
    }
}

#[test]
fn one_that_was_created_again_by_somebody_else_is_neither_rebuilt_nor_removed() {
    let pipeline = pipeline("again", &[BY_HOUR, BY_SENSOR], 500);
    pipeline.drop_collection("by_sensor");
    pipeline.insert("by_sensor", &orders());
    assert!(pipeline.fail(2, &["run", "--until-end"]).contains("the collection by_sensor in"));
    assert!(pipeline.fail(2, &["rebuild", "by_sensor"]).contains("the collection by_sensor in"));
    change_schema(&pipeline, &[BY_HOUR]);
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
    assert_eq!(pipeline.documents("by_sensor", doc! {}), orders());
}

/// As an earlier version of the program has left it.
fn forget_marks(pipeline: &Pipeline) {
    pipeline.drop_collection("owned_collections");
    pipeline.update("streams", doc! {}, doc! { "$unset": { "lineage": "" } });
}

#[test]
fn a_database_of_an_earlier_version_is_marked_at_the_next_start() {
    let pipeline = pipeline("earlier", &[BY_HOUR, BY_SENSOR, WARMEST], 500);
    forget_marks(&pipeline);
    assert!(pipeline.succeed(&["check"]).contains("of an earlier version"));
    produce(&pipeline, 500, 100);
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
    let marks = pipeline.documents("owned_collections", doc! {});
    for mark in &marks {
        assert_eq!(mark.get("uuid").cloned(), pipeline.uuid(mark.get_str("_id").unwrap()), "{mark}");
    }
    let expected = ["by_hour", "by_sensor", "warmest", "events", "offsets", "owned_collections"];
    assert!(expected.iter().all(|name| marks.iter().any(|mark| mark.get_str("_id").unwrap() == *name)), "{marks:?}");
    change_schema(&pipeline, &[BY_HOUR]);
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
    assert!(!pipeline.collections().contains(&"by_sensor".to_owned()));
}

#[test]
fn what_an_earlier_version_has_mixed_with_other_documents_is_refused() {
    for (collection, document) in [
        ("by_hour", doc! { "_id": 1, "price": 3 }),
        ("events", doc! { "_id": "x", "src": "web" }),
        ("rollup_states", doc! { "_id": "x" }),
        ("dead_letters", doc! { "_id": "x", "reason": "y" }),
    ] {
        let pipeline = pipeline("mixed", &[BY_HOUR], 50);
        forget_marks(&pipeline);
        pipeline.insert(collection, [&document]);
        assert_refused(&pipeline, collection);
        assert_eq!(pipeline.count(collection, doc! { "_id": document.get("_id") }), 1);
    }
}

#[test]
fn what_an_earlier_version_has_mixed_stays_once_its_rollup_has_another_name_or_is_no_more() {
    let renamed = BY_HOUR.replace("by_hour", "hourly");
    for rollups in [&[renamed.as_str(), BY_SENSOR][..], &[BY_SENSOR][..]] {
        let pipeline = pipeline("yielded", &[BY_HOUR, BY_SENSOR], 200);
        forget_marks(&pipeline);
        pipeline.insert("by_hour", &orders());
        assert_refused(&pipeline, "by_hour");
        let (before, uuid) = (pipeline.documents("by_hour", doc! {}), pipeline.uuid("by_hour"));
        change_schema(&pipeline, rollups);
        pipeline.succeed(&["check"]);
        pipeline.drain(&[]);
        assert_in_order(&pipeline);
        pipeline.succeed(&["rebuild", "by_sensor"]);
        assert_in_order(&pipeline);
        assert_eq!((pipeline.documents("by_hour", doc! {}), pipeline.uuid("by_hour")), (before, uuid));
        assert_eq!(pipeline.count("owned_collections", doc! { "_id": "by_hour" }), 0);
    }
}

/// `check` and `run` say that the collection is gone, and do not create it.
fn assert_gone(pipeline: &Pipeline, name: &str, remedy: &str) {
    let checked = pipeline.output(&["check"]);
    assert_eq!(checked.status.code(), Some(1), "{name}");
    for said in [text(&checked.stdout), pipeline.fail(2, &["run", "--until-end"])] {
        for words in ["no longer exist", name, remedy] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
    assert!(!pipeline.collections().contains(&name.to_owned()), "{name}");
}

#[test]
fn a_rollup_whose_collection_is_gone_is_refused_until_it_is_back_or_rebuilt() {
    for (name, rollup) in [("by_hour", "by_hour"), ("warmest", "warmest"), ("warmest.groups", "warmest")] {
        let pipeline = pipeline("gone", &[BY_HOUR, WARMEST], 300);
        let before = rows(&pipeline, name);
        pipeline.rename(name, "kept");
        assert_gone(&pipeline, name, &format!("`ingest rebuild {rollup}`"));
        let other = if rollup == "by_hour" { "warmest" } else { "by_hour" };
        for command in [&["rebuild", other][..], &["dead", "replay"]] {
            assert!(pipeline.fail(2, command).contains("no longer exist"), "{command:?}");
        }
        pipeline.rename("kept", name);
        pipeline.succeed(&["check"]);
        pipeline.drain(&[]);
        assert_eq!(rows(&pipeline, name), before);
        pipeline.rename(name, "kept");
        pipeline.succeed(&["rebuild", rollup]);
        produce(&pipeline, 300, 50);
        pipeline.drain(&[]);
        assert_in_order(&pipeline);
        assert_eq!(rows(&pipeline, "kept"), before, "it stays");
    }
}

#[test]
fn several_that_are_gone_are_rebuilt_in_one_command() {
    let pipeline = pipeline("several", &[BY_HOUR, BY_SENSOR], 300);
    for name in ["by_hour", "by_sensor", "rollup_states"] {
        pipeline.drop_collection(name);
    }
    assert_gone(&pipeline, "by_sensor", "`ingest rebuild by_hour by_sensor`");
    assert_gone(&pipeline, "rollup_states", "`ingest rebuild by_hour by_sensor`");
    assert!(pipeline.fail(2, &["rebuild", "by_hour"]).contains("`ingest rebuild by_sensor`"));
    pipeline.succeed(&["rebuild", "by_hour", "by_sensor"]);
    pipeline.succeed(&["check"]);
    produce(&pipeline, 300, 50);
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
}

#[test]
fn without_events_positions_or_a_plan_nothing_goes_on() {
    let pipeline = pipeline("without", &[BY_HOUR], 100);
    for name in ["events", "offsets", "streams", "rollup_tables", "rollup_catalog"] {
        pipeline.rename(name, "kept");
        assert_gone(&pipeline, name, "--database");
        assert!(pipeline.fail(2, &["rebuild", "by_hour"]).contains("no longer exist"), "{name}");
        pipeline.rename("kept", name);
    }
    produce(&pipeline, 100, 50);
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
}

#[test]
fn a_restore_without_a_rollup_is_adopted_and_the_rollup_rebuilt() {
    let pipeline = pipeline("incomplete", &[BY_HOUR, BY_SENSOR], 100);
    pipeline.drop_collection("by_sensor");
    restore(&pipeline);
    assert!(text(&pipeline.output(&["check"]).stdout).contains("check --adopt"));
    assert!(!pipeline.output(&["check", "--adopt"]).status.success());
    assert_gone(&pipeline, "by_sensor", "`ingest rebuild by_sensor`");
    pipeline.succeed(&["rebuild", "by_sensor"]);
    assert_in_order(&pipeline);
}

#[test]
fn a_collection_that_no_row_needs_may_go() {
    let pipeline = pipeline("nothing", &[BY_HOUR, BY_SENSOR, WARMEST], 100);
    pipeline.drop_collection("dead_letters");
    pipeline.drop_collection("warmest");
    change_schema(&pipeline, &[BY_HOUR, BY_SENSOR]);
    pipeline.succeed(&["check"]);
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
}

#[test]
fn an_audit_with_the_schema_of_another_stream_is_refused() {
    let pipeline = pipeline("audited", &[BY_HOUR], 50);
    pipeline.write("other.toml", &schema(&[BY_HOUR]).replace("stream = \"readings\"", "stream = \"others\""));
    for command in [&["audit"][..], &["rebuild", "by_hour"], &["run", "--until-end"]] {
        let said = pipeline.fail(2, &[command, &["--schema", "other.toml"]].concat());
        assert!(said.contains("holds the stream readings"), "{command:?}: {said}");
    }
    pipeline.assert_audit();
}

/// Every collection again with the same documents, as a restore from a dump makes it.
fn restore(pipeline: &Pipeline) {
    for name in pipeline.collections() {
        let documents = pipeline.documents(&name, doc! {});
        pipeline.drop_collection(&name);
        match documents.is_empty() {
            true => pipeline.command_of_server(doc! { "create": name }),
            false => pipeline.insert(&name, &documents),
        }
    }
}

#[test]
fn a_restored_database_is_used_once_the_user_says_so() {
    let pipeline = pipeline("restored", &[BY_HOUR, WARMEST], 500);
    let before = rows(&pipeline, "by_hour");
    restore(&pipeline);
    assert!(pipeline.fail(2, &["run", "--until-end"]).contains("ingest check --adopt"));
    assert_eq!(rows(&pipeline, "by_hour"), before);
    pipeline.succeed(&["check", "--adopt"]);
    produce(&pipeline, 500, 100);
    pipeline.drain(&[]);
    assert_in_order(&pipeline);
    pipeline.succeed(&["rebuild", "by_hour"]);
    assert_in_order(&pipeline);
}

#[test]
fn a_worker_that_died_between_creating_and_marking_harms_nobody() {
    let begun = doc! { "_id": "by_hour", "uuid": Bson::Null };
    for (documents, is_ours) in [(&[][..], true), (&orders()[..], false)] {
        let pipeline = in_use("begun", doc! { "create": "by_hour" });
        pipeline.insert("owned_collections", [&doc! { "_id": "owned_collections", "uuid": Bson::Null }, &begun]);
        if documents.is_empty() {
            pipeline.drain(&[]);
            pipeline.assert_audit();
        } else {
            pipeline.insert("by_hour", documents);
            assert!(pipeline.fail(2, &["run", "--until-end"]).contains("the collection by_hour in"));
            assert_eq!(pipeline.documents("by_hour", doc! {}), documents);
        }
        assert_eq!(pipeline.count("by_hour", doc! { "_state": { "$exists": true } }) > 0, is_ours);
    }
}

#[test]
fn a_collection_in_the_place_of_a_temporary_one_stays_and_stops_the_rebuild_alone() {
    for name in ["by_hour.states-1", "by_hour.next-1"] {
        let pipeline = pipeline("temporary", &[BY_HOUR, BY_SENSOR], 200);
        let before = rows(&pipeline, "by_hour");
        pipeline.insert(name, &orders());
        change_schema(&pipeline, &[&BY_HOUR.replace("1h", "30m"), BY_SENSOR]);
        produce(&pipeline, 200, 50);
        let said = pipeline.fail(1, &["run", "--until-end"]);
        assert!(said.contains(&format!("the collection {name} in")), "{said}");
        assert_eq!(pipeline.documents(name, doc! {}), orders());
        assert_eq!(rows(&pipeline, "by_hour"), before, "the old rows can be read");
        pipeline.succeed(&["audit", "by_sensor"]);
        pipeline.drop_collection(name);
        pipeline.drain(&[]);
        assert_in_order(&pipeline);
    }
}

#[test]
fn workers_that_start_at_the_same_time_create_everything_once() {
    let pipeline = Pipeline::with_schema("together", &schema(&[BY_HOUR, BY_SENSOR, WARMEST]));
    produce(&pipeline, 0, 300);
    let workers: Vec<_> = (0..3).map(|_| pipeline.worker(&["--until-end"])).collect();
    let read: i64 = workers.into_iter().map(|worker| worker.finish().read).sum();
    assert_eq!(read, 300);
    assert_in_order(&pipeline);
}

#[test]
fn of_two_streams_that_start_in_one_database_one_is_refused() {
    let pipeline = Pipeline::with_schema("streams", &schema(&[BY_HOUR]));
    produce(&pipeline, 0, 100);
    let other =
        pipeline.write("other.toml", &schema(&[BY_SENSOR]).replace("stream = \"readings\"", "stream = \"others\""));
    let run = |schema: &str| {
        let arguments = ["run", "--until-end", "--schema", schema, "--group", &format!("{}-{schema}", pipeline.name)];
        let mut command = pipeline.command(&arguments);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    let outcomes = [run("schema.toml"), run(other.file_name().unwrap().to_str().unwrap())]
        .map(|child| child.wait_with_output().unwrap());
    let refused: Vec<_> = outcomes.iter().filter(|outcome| outcome.status.code() == Some(2)).collect();
    assert_eq!(refused.len(), 1, "{:?}", outcomes.map(|outcome| text(&outcome.stderr)));
    assert!(text(&refused[0].stderr).contains("holds the stream"));
    assert_eq!(pipeline.count("streams", doc! {}), 1);
}
