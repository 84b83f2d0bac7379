//! Connections that end in the middle of a start, of an assignment and of a transaction: what the fault run meets by chance.

use crate::servers::{Background, FailPoint, Servers, application, assert_exact, produce, servers, wait_until_stored};
use crate::support::{Pipeline, wait_until};
use bson::{Document, doc};
use ingest::config::{Config, Settings};
use ingest::store::{Moment, Store};
use mongodb::Client;
use mongodb::error::TRANSIENT_TRANSACTION_ERROR;
use mongodb::options::{Acknowledgment, ClientOptions, WriteConcern};
use std::process::Stdio;

/// So often a commit is sent before it counts as unknown; the driver doubles it.
const COMMIT_TRIES: i32 = 5;

/// The driver tries once more by itself: so often every try but the last fails twice.
const TIMES: i32 = 5;

#[test]
fn a_start_waits_for_a_connection_that_ends_at_any_step() {
    let servers = servers();
    for (command, collection) in [
        ("create", None),
        ("createIndexes", None),
        ("find", Some("rollup_catalog")),
        ("insert", Some("streams")),
        ("update", Some("rollup_tables")),
        ("commitTransaction", None),
        // Only the assignment writes there.
        ("update", Some("streams")),
        ("update", Some("offsets")),
    ] {
        let pipeline = Pipeline::on("start-cut", &servers.set.uri());
        produce(&pipeline, 0..10);
        let mut failure = doc! { "closeConnection": true };
        failure.extend(collection.map(|name| ("namespace".to_owned(), format!("{}.{name}", pipeline.name).into())));
        let failing = FailPoint::of_next_commands(&servers, &pipeline, &[command], TIMES, failure);
        assert_eq!(pipeline.drain(&[]).stored, 10, "{command} {collection:?}");
        assert_eq!(failing.met(), i64::from(TIMES), "{command} {collection:?} is a step of a start");
        // A database is not dropped before its transactions are over, and some were cut off.
        admin(&servers, doc! { "killAllSessions": [] });
    }
}

/// Runs a command on the primary.
fn admin(servers: &Servers, command: Document) {
    servers.runtime.block_on(async {
        let client = Client::with_uri_str(servers.set.uri()).await.unwrap();
        client.database("admin").run_command(command).await.unwrap();
    });
}

/// Makes the worker join its group again: with the next batch it finds that another one has moved the position.
fn move_position_back(pipeline: &Pipeline, records: i64) {
    let back = doc! { "next": -records, "counts.read": -records, "counts.duplicate": -records };
    pipeline.update("offsets", doc! { "next": { "$gte": records } }, doc! { "$inc": back });
}

#[test]
fn an_assignment_waits_for_a_connection_that_ends_at_any_step() {
    let servers = servers();
    let pipeline = Pipeline::on("assignment-cut", &servers.set.uri());
    produce(&pipeline, 0..100);
    let worker = Background::start(&pipeline);
    wait_until_stored(&pipeline, 100);
    for (end, collection) in [(200, "streams"), (300, "rollup_tables"), (400, "offsets")] {
        let namespace = format!("{}.{collection}", pipeline.name);
        let cut = doc! { "closeConnection": true, "namespace": namespace };
        let failing = FailPoint::of_commands(&servers, &pipeline, &["find"], cut);
        move_position_back(&pipeline, 5);
        let fenced = worker.progress("fenced").as_i64();
        produce(&pipeline, u64::try_from(end).unwrap() - 100..u64::try_from(end).unwrap());
        wait_until("the position is seen elsewhere", || worker.progress("fenced").as_i64() > fenced);
        failing.wait_until_met(5);
        assert!(worker.is_running(), "{collection}: {}", worker.log());
        drop(failing);
        wait_until_stored(&pipeline, end);
    }
    drop(worker);
    assert_exact(&pipeline, 400);
}

#[test]
fn a_plan_that_changes_while_a_worker_starts_is_read_again() {
    let servers = servers();
    let pipeline = Pipeline::on("start-overtaken", &servers.set.uri());
    produce(&pipeline, 0..10);
    assert_eq!(pipeline.drain(&[]).stored, 10);
    let preset = model::schema::IMDB_REVIEW;
    let more = format!("{preset}\n[[rollups]]\nname = \"reviews_by_year\"\nwindow = \"year\"\n");
    let more = pipeline.write("more.toml", &more);
    let slow =
        doc! { "namespace": format!("{}.streams", pipeline.name), "blockConnection": true, "blockTimeMS": 2_000 };
    let slowed = FailPoint::of_next_commands(&servers, &pipeline, &["update"], 1, slow);
    let mut command = pipeline.command(&["run", "--until-end", "--schema", more.to_str().unwrap()]);
    let worker = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It has read the plan, and its change of it is on the way.
    slowed.wait_until_met(1);
    let next = |collection: &str| pipeline.update(collection, doc! {}, doc! { "$inc": { "plan": 1_i64 } });
    ["streams", "rollup_tables", "offsets"].into_iter().for_each(next);
    let output = worker.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(pipeline.count("streams", doc! { "plan": 2_i64 }), 1, "the change was made over the newer plan");
    pipeline.succeed(&["audit", "--schema", more.to_str().unwrap()]);
}

#[test]
fn a_replay_whose_commit_did_not_arrive_is_done_again() {
    let servers = servers();
    let pipeline = Pipeline::on("replay-cut", &servers.set.uri());
    produce(&pipeline, 0..10);
    let unreadable = r#"{"review_id": "r10", "movie": "Up (2009)", "rating": 8, "review_date": "03.05.2009"}"#;
    pipeline.produce(&pipeline.write("more.jsonl", unreadable));
    assert_eq!(pipeline.drain(&[]).dead, 1);
    let corrected = model::schema::IMDB_REVIEW.replace("formats = [", "formats = [\"%d.%m.%Y\", ");
    let corrected = pipeline.write("corrected.toml", &corrected);
    // All tries of one commit, none of which arrives.
    let cut = doc! { "closeConnection": true };
    let failing = FailPoint::of_next_commands(&servers, &pipeline, &["commitTransaction"], 2 * COMMIT_TRIES, cut);
    pipeline.succeed(&["dead", "replay", "--schema", corrected.to_str().unwrap()]);
    assert_eq!(failing.met(), i64::from(2 * COMMIT_TRIES));
    let counts = pipeline.stored_counts();
    assert!(counts.add_up() && counts.stored == 11 && counts.dead == 0, "{counts:?}");
    assert_eq!(pipeline.count("events", doc! { "_id": "r10" }), 1);
    admin(&servers, doc! { "killAllSessions": [] });
}

#[test]
fn a_batch_that_was_counted_under_an_older_plan_is_dropped() {
    let servers = servers();
    let pipeline = Pipeline::on("older-plan", &servers.set.uri());
    produce(&pipeline, 0..100);
    let worker = Background::start(&pipeline);
    wait_until_stored(&pipeline, 100);
    let slow =
        doc! { "namespace": format!("{}.offsets", pipeline.name), "blockConnection": true, "blockTimeMS": 2_000 };
    let slowed = FailPoint::of_next_commands(&servers, &pipeline, &["update"], 1, slow);
    produce(&pipeline, 100..110);
    // The batch is counted, and its positions are on the way.
    slowed.wait_until_met(1);
    let next = |collection: &str| pipeline.update(collection, doc! {}, doc! { "$inc": { "plan": 1_i64 } });
    ["streams", "rollup_tables", "offsets"].into_iter().for_each(next);
    wait_until_stored(&pipeline, 110);
    wait_until("the first try was dropped", || worker.progress("fenced") == 1);
    drop(worker);
    assert_exact(&pipeline, 110);
}

#[test]
fn a_transaction_that_a_dead_worker_has_left_open_is_ended() {
    let servers = servers();
    let pipeline = Pipeline::on("abandoned", &servers.set.uri());
    // The server's own minute must not hide who ends it.
    let lifetime = |seconds: i32| doc! { "setParameter": 1, "transactionLifetimeLimitSeconds": seconds };
    admin(&servers, lifetime(3_600));
    produce(&pipeline, 0..100);
    let worker = Background::start(&pipeline);
    wait_until_stored(&pipeline, 100);
    let mut stored = 100;
    // Another worker of the group has moved positions, written rows or taken leases, and is not heard of any more.
    for (collection, field) in [("offsets", "next"), ("movies_by_month", "reviews"), ("rollup_tables", "revision")] {
        wait_until_published(&pipeline);
        // The client keeps the session.
        let _abandoned = servers.runtime.block_on(async {
            let mut options = ClientOptions::parse(servers.set.uri()).await.unwrap();
            options.app_name = Some(application(&pipeline));
            let client = Client::with_options(options).unwrap();
            let mut session = client.start_session().await.unwrap();
            let documents = client.database(&pipeline.name).collection::<Document>(collection);
            // A publisher that takes its lease just now is met.
            loop {
                session.start_transaction().await.unwrap();
                let change = doc! { "$inc": { field: 1_i64 } };
                match documents.update_many(doc! {}, change).session(&mut session).await {
                    Ok(updated) => break assert!(updated.modified_count > 0, "{collection}"),
                    Err(error) => assert!(error.contains_label(TRANSIENT_TRANSACTION_ERROR), "{error}"),
                }
                let _ = session.abort_transaction().await;
            }
            session
        });
        produce(&pipeline, stored..stored + 1_000);
        stored += 1_000;
        wait_until_stored(&pipeline, i64::try_from(stored).unwrap());
        wait_until_published(&pipeline);
    }
    drop(worker);
    assert_exact(&pipeline, i64::try_from(stored).unwrap());
    admin(&servers, lifetime(60));
}

fn wait_until_published(pipeline: &Pipeline) {
    wait_until("everything is published", || pipeline.count("rollup_states", doc! {}) == 0);
}

/// Code of the server's error that a command took longer than it may.
const TIME_IS_OVER: i32 = 50;

#[test]
fn what_no_majority_has_is_not_read_and_is_waited_for_where_it_was_written_before() {
    let servers = servers();
    let pipeline = Pipeline::on("majority", &servers.set.uri());
    produce(&pipeline, 0..10);
    pipeline.drain(&[]);
    let settings = Settings {
        mongodb_uri: servers.set.uri(),
        database: pipeline.name.clone(),
        topic: pipeline.name.clone(),
        group: pipeline.name.clone(),
        ..Settings::default()
    };
    let config = Config::new(settings).unwrap();
    let stalled = FailPoint::set(&servers, "stopReplProducer", false, doc! {});
    let (store, moment) = servers.runtime.block_on(async {
        let store = Store::connect(&config).await.unwrap();
        let before = store.positions().await.unwrap();
        // Written on the primary alone, as by one that is about to lose an election.
        let mut session = store.client().start_session().await.unwrap();
        let primary_alone = WriteConcern::builder().w(Acknowledgment::Nodes(1)).build();
        let offsets = store.collection::<Document>("offsets");
        let moved = offsets.update_many(doc! {}, doc! { "$inc": { "next": 1_000_i64 } });
        moved.write_concern(primary_alone).session(&mut session).await.unwrap();
        let moment = Moment::of(&session);
        assert_eq!(store.positions().await.unwrap(), before, "an election may take it back");
        assert_ne!(store.newest_positions().await.unwrap(), before);
        assert_eq!(offsets.count_documents(doc! { "next": { "$gte": 1_000 } }).await.unwrap(), 0);
        let mut after = store.session_after(moment).await.unwrap();
        let read = offsets.find_one(doc! {}).max_time(std::time::Duration::from_millis(300)).session(&mut after).await;
        let code = read.as_ref().err().and_then(ingest::store::error_code);
        assert_eq!(code, Some(TIME_IS_OVER), "what was written before is not certain yet: {read:?}");
        (store, moment)
    });
    drop(stalled);
    servers.runtime.block_on(async {
        let mut after = store.session_after(moment).await.unwrap();
        let offsets = store.collection::<Document>("offsets");
        let read = offsets.find_one(doc! {}).session(&mut after).await.unwrap().unwrap();
        assert!(read.get_i64("next").unwrap() >= 1_000);
        store.close().await;
    });
}
